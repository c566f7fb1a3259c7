//! Why a store can't be opened or written. Each error says where, and the cause in words.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// Why the store can't be opened or written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk has no room left.
    #[error("the disk is full: {} can't be written", .0.display())]
    Full(PathBuf),
    /// Another process has it open.
    #[error("{} is in use by another process", .0.display())]
    InUse(PathBuf),
    /// The folder was written by another version, or by something else.
    #[error("{} has no log of this version", .0.display())]
    Foreign(PathBuf),
    /// The system refuses to read or write it.
    #[error("{} can't be read or written: {cause}", path.display())]
    Unusable {
        /// The folder, or a file in it.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// What is on disk is not what was written.
    #[error(
        "the log in {} is damaged: {what}. Restore it, or begin a new one: `forebay serve \
         --history-discard-damaged`, or `Builder::discard_damaged_log`, moves what is there aside. Open pages \
         then load themselves again, and access that was taken back has to be taken back again",
        path.display()
    )]
    Damaged {
        /// The folder.
        path: PathBuf,
        /// What can't be read.
        what: String,
    },
    /// A write has failed, and the log is not open again yet.
    #[error("the log in {} takes nothing: an earlier write has failed", .0.display())]
    Closed(PathBuf),
    /// The store can't be reached. The text says why.
    #[error("the log's store can't be reached: {0}")]
    Unreachable(String),
    /// The store's server says no, and goes on saying so until somebody mends what the text names.
    #[error("the log's store can't be used: {0}")]
    Unfit(String),
    /// The store's server has no room left. The text says of what.
    #[error("the log's store has no room: {0}")]
    ServerFull(String),
    /// The store has ended, and takes nothing more.
    #[error("the log's store has ended")]
    Ended,
}

/// Why a batch was not appended, as far as its publisher knows.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// It was not taken, and never will be.
    #[error(transparent)]
    Refused(#[from] StoreError),
    /// It may have been taken all the same.
    #[error("nobody knows whether it was taken: {0}")]
    Unknown(StoreError),
}

impl StoreError {
    /// Whether there is no room left, on the disk or at the log's server.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Full(_) | Self::ServerFull(_))
    }

    pub(crate) fn of(path: &Path, error: fjall::Error) -> Self {
        let what = match error {
            fjall::Error::Locked => return Self::InUse(path.to_owned()),
            fjall::Error::InvalidVersion(_) => return Self::Foreign(path.to_owned()),
            fjall::Error::Poisoned => return Self::Closed(path.to_owned()),
            fjall::Error::Io(error) | fjall::Error::Storage(fjall::LsmError::Io(error)) => {
                match error.kind() {
                    // It looks for what its other files say is there.
                    ErrorKind::NotFound | ErrorKind::InvalidInput => {
                        "a file of it is gone, or garbled"
                    }
                    _ => return Self::io(path, &error),
                }
            }
            fjall::Error::Storage(fjall::LsmError::ChecksumMismatch { .. }) => {
                "the checksum of a block is wrong"
            }
            fjall::Error::JournalRecovery(_)
            | fjall::Error::InvalidTrailer
            | fjall::Error::InvalidTag(_) => "its journal is not what was written",
            _ => "the database can't make sense of it",
        };
        Self::damaged(path, what)
    }

    pub(crate) fn damaged(path: &Path, what: &str) -> Self {
        Self::Damaged { path: path.to_owned(), what: what.to_owned() }
    }

    pub(crate) fn io(path: &Path, error: &io::Error) -> Self {
        match error.kind() {
            ErrorKind::FileTooLarge | ErrorKind::QuotaExceeded | ErrorKind::StorageFull => {
                Self::Full(path.to_owned())
            }
            ErrorKind::InvalidData | ErrorKind::UnexpectedEof => {
                Self::damaged(path, "a file is cut short, or garbled")
            }
            _ => Self::Unusable { path: path.to_owned(), cause: error.to_string() },
        }
    }
}
