//! Ports that stay ours while a server is down.
//!
//! A port that is free now may be another's a moment later. Ours lie below those that Linux gives to outgoing
//! connections (from 32768 on), and a locked file keeps other rigs away, also those of other processes.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use crate::Error;

const FIRST: u16 = 21_000;
const LAST: u16 = 31_000;

/// A loopback port, reserved until it is dropped.
#[derive(Debug)]
pub struct Port {
    number: u16,
    /// Its lock ends with it, and with the process.
    _reserved: File,
}

impl Port {
    /// One that nobody has.
    ///
    /// # Errors
    /// All are taken.
    pub fn reserve() -> Result<Self, Error> {
        let folder = std::env::temp_dir().join("forebay-rig-ports");
        fs::create_dir_all(&folder)?;
        // Rigs that begin elsewhere rarely meet. The loop ends: it looks at each port once.
        let start = fastrand::u16(FIRST..=LAST);
        for number in (start..=LAST).chain(FIRST..start) {
            let Ok(file) = File::create(folder.join(number.to_string())) else { continue };
            if file.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Ok(Self { number, _reserved: file });
            }
        }
        Err(Error::NoPort { first: FIRST, last: LAST })
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    /// It on 127.0.0.1.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.number).into()
    }
}
