//! Writing to standard output and standard error.

use std::fmt::Display;
use std::io::{self, Write};

use crate::options::flags;

/// Whoever read our output reads no more: `forebay options | head`. Nothing is wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("standard output is closed")]
pub(crate) struct Gone;

/// Prints one line, at once.
pub(crate) fn print(line: impl Display) -> anyhow::Result<()> {
    write(|out| writeln!(out, "{line}"))
}

/// Prints the manual page.
pub(crate) fn man() -> anyhow::Result<()> {
    let page = clap_mangen::Man::new(flags::clap());
    write(|out| {
        page.render_title(out)?;
        page.render_name_section(out)?;
        page.render_synopsis_section(out)?;
        page.render_description_section(out)?;
        page.render_subcommands_section(out)?;
        for command in flags::clap().get_subcommands_mut() {
            let title = format!("forebay {}", command.get_name());
            let command = command.clone().bin_name(&title).display_name(title);
            let page = clap_mangen::Man::new(command);
            page.render_synopsis_section(out)?;
            page.render_description_section(out)?;
            page.render_options_section(out)?;
        }
        page.render_extra_section(out)
    })
}

fn write(write: impl FnOnce(&mut io::StdoutLock<'static>) -> io::Result<()>) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match write(&mut out).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Gone.into()),
        Err(error) => Err(anyhow::Error::new(error).context("standard output can't be written")),
    }
}

/// Prints one line to standard error. If nobody reads that, there is nobody to tell.
pub(crate) fn complain(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
