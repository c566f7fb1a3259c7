//! One server's process: started, heard, signalled, started again.
//!
//! What it says is read by a thread. That it answers, and that it and all its children are gone, are events of that
//! pipe: a line, and its end. So nothing here polls or sleeps.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::output::Output;
use crate::{Error, Program, starter};

/// The process of a server.
#[derive(Debug)]
pub struct Process {
    program: Program,
    running: Mutex<Option<Running>>,
    /// Of the process that was started last, also when it has ended.
    output: Mutex<Arc<Output>>,
}

#[derive(Debug)]
struct Running {
    child: Child,
    output: Arc<Output>,
}

impl Process {
    pub(crate) fn start(program: Program) -> Result<Self, Error> {
        let process = Self { program, running: Mutex::default(), output: Mutex::default() };
        process.restart()?;
        Ok(process)
    }

    /// Ends it if it runs, in good order, and starts it on the same port and data.
    ///
    /// # Errors
    /// It does not end or does not answer within a minute, or fails.
    pub fn restart(&self) -> Result<(), Error> {
        self.stop()?;
        let mut command =
            starter::with_disk(&self.program.path, self.program.user, self.program.disk.as_ref());
        command.args(&self.program.arguments).envs(self.program.environment.iter().cloned());
        let running = Running::start(command, &self.program.path)?;
        *self.output.lock().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&running.output);
        let heard = running.output.wait_for(&self.program.ready, &self.program.path);
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(running);
        heard
    }

    /// Ends it in good order, and waits until it is gone.
    ///
    /// # Errors
    /// It does not end within a minute.
    pub fn stop(&self) -> Result<(), Error> {
        self.end(self.program.stop)
    }

    /// `kill -9`, also of its children, and waits until they are gone.
    ///
    /// # Errors
    /// It does not end within a minute.
    pub fn kill(&self) -> Result<(), Error> {
        self.end(Signal::KILL)
    }

    /// `SIGSTOP`: it keeps its connections and does nothing.
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn pause(&self) -> Result<(), Error> {
        self.signal(Signal::STOP)
    }

    /// Goes on after [`Process::pause`].
    ///
    /// # Errors
    /// The operating system refuses.
    pub fn resume(&self) -> Result<(), Error> {
        self.signal(Signal::CONT)
    }

    /// Whether it was started, and nobody ended it. It may have ended by itself.
    pub fn runs(&self) -> bool {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|running| running.child.id())
    }

    /// Waits until it has said something, since it was last started.
    ///
    /// # Errors
    /// It ends, or does not say it within a minute.
    pub fn wait_for(&self, line: &str) -> Result<(), Error> {
        self.output().wait_for(line, &self.program.path)
    }

    /// Waits until it has ended by itself, or by somebody else's signal.
    ///
    /// # Errors
    /// It does not within a minute.
    pub fn wait_for_end(&self) -> Result<(), Error> {
        self.output().wait_for_end(&self.program.path)
    }

    /// What it said since it was last started, or the end of that.
    pub fn log(&self) -> String {
        self.output().text()
    }

    fn output(&self) -> Arc<Output> {
        Arc::clone(&self.output.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map_or(Ok(()), |running| running.signal_all(signal))
    }

    fn end(&self, signal: Signal) -> Result<(), Error> {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        running.map_or(Ok(()), |running| running.end(signal, &self.program.path))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its folder goes away with it, so there is nothing to end in good order.
        drop(self.kill());
    }
}

impl Running {
    fn start(mut command: Command, program: &str) -> Result<Self, Error> {
        let (reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer);
        let missing = |source| Error::Missing { program: program.to_owned(), source };
        let child = starter::start(command).map_err(missing)?;
        let output = Arc::new(Output::default());
        let listener = Arc::clone(&output);
        // Ends with the pipe.
        thread::spawn(move || listener.listen(reader));
        Ok(Self { child, output })
    }

    fn end(mut self, signal: Signal, program: &str) -> Result<(), Error> {
        if signal == Signal::KILL {
            self.signal_all(signal)?;
        } else {
            // What is stopped does not hear how it should end.
            self.signal_all(Signal::CONT)?;
            self.signal(signal)?;
        }
        let ended = self.output.wait_for_end(program);
        if ended.is_err() {
            self.signal_all(Signal::KILL)?;
        }
        self.child.wait()?;
        ended
    }

    fn signal(&self, signal: Signal) -> Result<(), Error> {
        kill(Pid::from_child(&self.child), signal)
    }

    /// On a busy machine the signal reaches one of its threads after the other: meanwhile they answer.
    fn wait_for_stop(&self) -> Result<(), Error> {
        let stops = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(Pid::from_child(&self.child)), stops)
            .map_err(|error| Error::Io(error.into()))?;
        Ok(())
    }

    /// The process first, so that it makes no more children, and then those that it has.
    fn signal_all(&self, signal: Signal) -> Result<(), Error> {
        let id = self.child.id();
        let stopped = if signal == Signal::KILL { Signal::STOP } else { signal };
        self.signal(stopped)?;
        if stopped == Signal::STOP {
            self.wait_for_stop()?;
        }
        for child in children(id) {
            kill(child, signal)?;
        }
        if signal == stopped { Ok(()) } else { self.signal(signal) }
    }
}

/// Nobody but us waits for the child, so its id is not another's yet. Its own children may be gone already.
fn kill(process: Pid, signal: Signal) -> Result<(), Error> {
    match kill_process(process, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(Error::Io(error.into())),
    }
}

fn children(id: u32) -> Vec<Pid> {
    let file = format!("/proc/{id}/task/{id}/children");
    let children = std::fs::read_to_string(file).unwrap_or_default();
    children.split_whitespace().filter_map(|id| Pid::from_raw(id.parse().ok()?)).collect()
}
