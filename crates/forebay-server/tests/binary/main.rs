//! The real binary, with real sockets. Nothing here waits for time to pass: every step waits for
//! what it needs (a line, an answer, a message, the end of a process), and a socket that stays
//! silent for [`support::PATIENCE`] fails its test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod broadcasts;
mod cable;
mod clients;
mod configuration;
#[cfg(unix)]
mod deploy;
#[cfg(unix)]
mod doctor;
#[cfg(unix)]
mod documentation;
#[cfg(unix)]
mod durable;
mod inspect;
mod keys;
#[cfg(unix)]
mod life;
#[cfg(unix)]
mod logs;
#[cfg(unix)]
mod metrics;
#[cfg(unix)]
mod nodes;
#[cfg(unix)]
mod outbox;
#[cfg(unix)]
mod places;
mod presence;
#[cfg(unix)]
mod refusals;
#[cfg(target_os = "linux")]
mod restart;
mod support;
