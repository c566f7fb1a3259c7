//! Processes, their lines and their ends.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, ChildStdout, Command, Stdio};
use std::sync::mpsc;

use forebay_core::signing::{BEARER_BROADCAST, PageCursor, derived_bearer};

use super::{Answer, Connection, PATIENCE, Page, SECRET};

/// `forebay` with these arguments, in an empty environment and an empty directory.
pub(crate) fn forebay(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forebay"));
    command.args(arguments).env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
    command
}

/// A running process. It is killed when the test ends.
pub(crate) struct Program {
    child: Child,
    lines: mpsc::Receiver<String>,
    errors: mpsc::Receiver<String>,
}

impl Program {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut program = Self::start_unheard(command);
        program.hear();
        program
    }

    /// Nobody reads its standard error until [`hear`](Self::hear).
    pub(crate) fn start_unheard(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    fn start_with(command: &mut Command, stdin: Stdio) -> Self {
        command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = read_lines::<ChildStdout>(child.stdout.take().unwrap());
        Self { child, lines, errors: mpsc::channel().1 }
    }

    /// Begins to read its standard error.
    pub(crate) fn hear(&mut self) {
        self.errors = read_lines::<ChildStderr>(self.child.stderr.take().unwrap());
    }

    /// The next line of standard output.
    #[track_caller]
    pub(crate) fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            let errors: Vec<_> = self.errors.try_iter().collect();
            panic!("no line; standard error:\n{}", errors.join("\n"))
        })
    }

    /// The next line of standard error that contains this.
    #[track_caller]
    pub(crate) fn error_line(&self, part: &str) -> String {
        while let Ok(line) = self.errors.recv_timeout(PATIENCE) {
            if line.contains(part) {
                return line;
            }
        }
        panic!("standard error never said {part:?}")
    }

    /// The next lines of standard error, up to the one that contains this.
    #[track_caller]
    pub(crate) fn error_lines_until(&self, part: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while let Ok(line) = self.errors.recv_timeout(PATIENCE) {
            let is_last = line.contains(part);
            lines.push(line);
            if is_last {
                return lines;
            }
        }
        panic!("standard error never said {part:?}, but {lines:#?}")
    }

    /// What standard error says until it is closed.
    pub(crate) fn rest_of_errors(&self) -> Vec<String> {
        let mut lines = Vec::new();
        loop {
            match self.errors.recv_timeout(PATIENCE) {
                Ok(line) => lines.push(line),
                Err(mpsc::RecvTimeoutError::Disconnected) => return lines,
                Err(mpsc::RecvTimeoutError::Timeout) => panic!("it goes on after {lines:#?}"),
            }
        }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let id = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(id, signal).unwrap();
    }

    /// Waits for its end; gives its status.
    pub(crate) fn end(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Ends it without a word.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A thread of its own, so that a full pipe blocks nobody.
fn read_lines<R: std::io::Read + Send + 'static>(pipe: R) -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// `forebay serve`, ready.
pub(crate) struct Server {
    pub(crate) program: Program,
    /// Host and port, for pages.
    pub(crate) address: String,
    /// Those for publishers.
    pub(crate) publishers: String,
}

impl Server {
    /// With [`SECRET`], and these flags.
    pub(crate) fn start(flags: &[&str]) -> Self {
        Self::start_with(&[&["--secret", SECRET], flags].concat())
    }

    /// With these flags alone.
    pub(crate) fn start_with(flags: &[&str]) -> Self {
        let mut server = Self::start_unheard(flags);
        server.program.hear();
        server
    }

    /// The same, but nobody reads its log.
    pub(crate) fn start_unheard(flags: &[&str]) -> Self {
        Self::ready(Program::start_unheard(&mut forebay(&serve(flags))))
    }

    /// With this limit of open files, and [`SECRET`].
    #[cfg(unix)]
    pub(crate) fn start_limited(files: u32, flags: &[&str]) -> Self {
        let script = format!(r#"ulimit -n {files}; exec "$@""#);
        let mut command = Command::new("sh");
        command.args(["-c", &script, "sh", env!("CARGO_BIN_EXE_forebay")]);
        command.args(serve(&[&["--secret", SECRET], flags].concat()));
        command.env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
        let mut server = Self::ready(Program::start_unheard(&mut command));
        server.program.hear();
        server
    }

    /// As systemd starts a unit that has this socket: it is descriptor 3.
    #[cfg(unix)]
    pub(crate) fn start_activated(socket: &std::net::TcpListener, flags: &[&str]) -> Self {
        let script = r#"exec 3<&0 </dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec "$@""#;
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_forebay")]).args(serve(flags));
        command.env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
        let socket = std::os::fd::OwnedFd::from(socket.try_clone().unwrap());
        let mut server = Self::ready(Program::start_with(&mut command, socket.into()));
        server.program.hear();
        server
    }

    /// Waits until it is.
    fn ready(program: Program) -> Self {
        let ready = program.line();
        let urls = ready.strip_prefix("ready ").unwrap_or_else(|| panic!("{ready}"));
        let mut addresses =
            urls.split(' ').map(|url| url.strip_prefix("http://").unwrap().to_owned());
        let address = addresses.next().unwrap();
        let publishers = addresses.next().unwrap_or_else(|| address.clone());
        Self { program, address, publishers }
    }

    pub(crate) fn cable_url(&self) -> String {
        format!("ws://{}/cable", self.address)
    }

    /// The address of what pages ask.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn broadcast_url(&self) -> String {
        format!("http://{}/_broadcast", self.publishers)
    }

    /// A connection for publishers.
    pub(crate) fn publisher(&self) -> Connection {
        Connection::open(&self.publishers)
    }

    /// The answer to a body that is posted with the right key.
    pub(crate) fn post(&self, body: &str) -> Answer {
        self.publisher().post(&bearer(), body)
    }

    /// Broadcasts; every message is some JSON.
    #[track_caller]
    pub(crate) fn broadcast(&self, stream: &str, messages: &[&str]) {
        let batch: Vec<_> = messages
            .iter()
            .map(|message| serde_json::json!({ "stream": stream, "data": message }))
            .collect();
        assert_eq!(self.post(&serde_json::json!(batch).to_string()).status, 201);
    }

    /// What a page that would be rendered now has for its tags.
    #[track_caller]
    pub(crate) fn cursor(&self) -> PageCursor {
        let answer = self.publisher().request("GET", "/_cursor", &[&bearer()], "");
        assert_eq!(answer.status, 200, "{answer:?}");
        PageCursor::parse(&answer.body).unwrap()
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        Connection::open(&self.address).request("GET", path, &[], "")
    }

    pub(crate) fn page(&self) -> Page {
        Page::open(&self.address, &[]).unwrap()
    }
}

/// The arguments of `forebay serve` with these flags.
fn serve<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    let port: &[&str] = if flags.contains(&"--port") { &[] } else { &["--port", "0"] };
    [&["serve", "--log-level", "debug"], port, flags].concat()
}

/// The header that lets a publisher in.
pub(crate) fn bearer() -> String {
    format!("authorization: Bearer {}", derived_bearer(SECRET, BEARER_BROADCAST))
}
