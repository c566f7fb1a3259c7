//! Every option of every command, from one table.
//!
//! [`table::GROUPS`] is the only list. From it come the flags and `--help` ([`flags`]), the
//! environment variables ([`environment`]), the keys of `forebay.toml` ([`file`]),
//! `--print-config` ([`print`]) and `docs/options.md` ([`docs`]).
//!
//! Values are read raw from all sources and then checked, so that everything that is wrong is
//! said at once ([`resolve`]). Nothing here knows what an option does.

mod anycable;
pub(crate) mod docs;
mod environment;
mod file;
pub(crate) mod flags;
mod found;
mod kind;
mod print;
mod problem;
mod resolve;
mod spec;
mod table;
mod units;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use self::found::Origin;
pub(crate) use self::print::print;
pub(crate) use self::problem::{Problem, Problems};
pub(crate) use self::resolve::{Resolved, Settings, Surroundings, resolve};
pub(crate) use self::spec::{Command, Id};
