//! A block of fixed size that is overwritten in place: a full disk takes it, and a disk writes it
//! whole. JSON, so that it can be read with the eye, and a checksum behind it.

use std::fs::File;
use std::hash::Hasher;
use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;
use siphasher::sip::SipHasher13;

/// A sector of a disk.
pub(crate) const BLOCK_BYTES: usize = 512;
const CHECKSUM_BYTES: usize = 8;

pub(crate) fn checksum(bytes: &[u8]) -> [u8; CHECKSUM_BYTES] {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish().to_be_bytes()
}

/// Writes the file's first block.
pub(crate) fn write(file: &File, content: &impl Serialize) -> io::Result<()> {
    let mut block = serde_json::to_vec(content)?;
    if block.len() > BLOCK_BYTES - CHECKSUM_BYTES {
        return Err(io::Error::other("it does not fit into its block"));
    }
    block.resize(BLOCK_BYTES - CHECKSUM_BYTES, b' ');
    let checksum = checksum(&block);
    block.extend_from_slice(&checksum);
    write_at(file, &block, 0)
}

/// Reads what [`write`] wrote; `None` for anything else.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let (content, sum) = bytes.get(..BLOCK_BYTES)?.split_at(BLOCK_BYTES - CHECKSUM_BYTES);
    if checksum(content) != sum {
        return None;
    }
    serde_json::from_slice(content).ok()
}

#[cfg(unix)]
pub(crate) fn write_at(file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, at)
}

#[cfg(not(unix))]
pub(crate) fn write_at(mut file: &File, bytes: &[u8], at: u64) -> io::Result<()> {
    use std::io::{Seek, SeekFrom, Write};
    file.seek(SeekFrom::Start(at))?;
    file.write_all(bytes)
}
