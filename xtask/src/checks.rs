//! What CI asks for beyond `cargo xtask test`: checks that take long, or need tools of their own.

use anyhow::Result;

use crate::beside;

pub(crate) fn run() -> Result<()> {
    beside::check()
}
