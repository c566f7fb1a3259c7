//! The binary `forebay`: `serve` delivers the broadcasts of an application in any language to
//! its pages; `publish`, `listen`, `sign`, `why`, `outbox` and `doctor` are for people.
//!
//! Of all of Forebay only this crate reads the environment, installs the log and ends the process.
//! Standard output is for what was asked for (and `serve`'s `ready` line), everything else goes to
//! standard error. Exit status: 0, or 1 for what could not be done, or 2 for what was asked wrongly.

mod client;
mod doctor;
mod keys;
mod logs;
mod options;
mod origins;
mod outbox;
mod output;
mod serve;

use std::process::ExitCode;

use crate::options::flags::{Arguments, Request};
use crate::options::{Command, Problems, Resolved, Surroundings};

/// It could not be done.
const FAILED: u8 = 1;
/// It was asked wrongly: the command line or the configuration.
const MISUSED: u8 = 2;

/// A connect is a hundred allocations, and a broadcast that is posted a dozen.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let request = match options::flags::parse(std::env::args_os().collect()) {
        Ok(request) => request,
        Err(error) => {
            // Help is not an error: clap knows where each belongs.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(MISUSED) } else { ExitCode::SUCCESS };
        }
    };
    match run(request) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is::<output::Gone>() => ExitCode::SUCCESS,
        // It was said on standard output.
        Err(error) if error.is::<client::IsBroken>() => ExitCode::from(FAILED),
        Err(error) if error.is::<Problems>() => {
            output::complain(&error);
            ExitCode::from(MISUSED)
        }
        // They are said already.
        Err(error) if error.is::<doctor::Found>() => ExitCode::from(FAILED),
        Err(error) => {
            output::complain(format_args!("error: {error:#}"));
            ExitCode::from(FAILED)
        }
    }
}

fn run(request: Request) -> anyhow::Result<()> {
    let arguments = match request {
        Request::Run(arguments) => arguments,
        Request::Options => return output::print(options::docs::markdown().trim_end()),
        Request::Man => return output::man(),
    };
    let Arguments { command, stream, data, task, address, flags } = arguments;
    let surroundings = Surroundings {
        environment: std::env::vars_os().collect(),
        read_file: &|name| std::fs::read_to_string(name),
    };
    let Resolved { settings, warnings } = options::resolve(command, flags, &surroundings)?;
    let stream = stream.as_deref();
    match command {
        Command::Serve => serve::run(&settings, &warnings),
        Command::Publish => client::publish(&settings, stream, data.as_deref()),
        Command::Listen => client::listen(&settings, stream),
        Command::Sign => client::sign(&settings, stream),
        Command::Why => client::why(&settings),
        Command::Doctor => doctor::doctor(&settings, address.as_deref().unwrap_or_default()),
        Command::Outbox => outbox::run(&settings, task.as_deref() == Some("print")),
    }
}
