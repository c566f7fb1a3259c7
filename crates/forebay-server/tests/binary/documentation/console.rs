//! Running what stands behind `$ `, and comparing what stands below.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::snippets::Snippet;
use crate::support::Program;

/// Commands that are not run, by how they begin, and why.
const NOT_RUN: [(&str, &str); 10] = [
    ("cargo xtask", "each is a task of its own; CI runs `test`, which runs this"),
    ("cargo install", "the server that it would build is the one that is tested here"),
    ("cargo add", "it changes a project of the reader's"),
    ("cargo run", "what it would build is tested by its own tests"),
    ("cargo new", "it begins a project of the reader's"),
    ("npm install", "it changes a project of the reader's"),
    ("git clone", "this is the clone"),
    ("cd ", "into the clone, where the reader is by now"),
    ("gem ", "ruby/forebay-rails/test/gem_test.rb builds it"),
    (
        r#"export FOREBAY_SECRET_KEY_BASE="$(bin/rails"#,
        "ruby/forebay-rails/test/guide_test.rb runs it",
    ),
];

/// Commands that stay: the next one is run beside them.
const STAYING: [&str; 2] = ["forebay serve", "forebay listen"];

/// One reader of one document: what was exported and started before is there for the next command.
pub(super) struct Shell {
    folder: TempDir,
    port: u16,
    /// Assignments, which later commands need.
    prelude: String,
    running: Vec<Program>,
}

impl Shell {
    pub(super) fn new() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        Self { folder, port, prelude: String::new(), running: Vec::new() }
    }

    pub(super) fn run(&mut self, snippet: &Snippet) {
        for (command, expected) in commands(&snippet.text) {
            if NOT_RUN.iter().any(|(beginning, _)| command.starts_with(beginning)) {
                continue;
            }
            let (command, expected) = (self.here(&command), self.here(&expected));
            self.run_one(snippet, &command, &expected);
        }
    }

    fn run_one(&mut self, snippet: &Snippet, command: &str, expected: &str) {
        if STAYING.iter().any(|staying| command.starts_with(staying)) {
            // Both are what a terminal shows; the server's log lines are in no document.
            let program = Program::start(&mut self.command(&format!("exec 2>&1; exec {command}")));
            for line in expected.lines() {
                while program.line() != line {}
            }
            self.running.push(program);
            return;
        }
        let program = command.split(' ').next().unwrap();
        let assigns = program.contains('=') || program == "export";
        let output = self.command(command).output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{snippet}: {command}\n{said}{errors}");
        for line in expected.lines() {
            assert!(
                said.lines().any(|said| said.trim_end() == line),
                "{snippet}: {line} is not in\n{said}"
            );
        }
        if assigns {
            self.prelude.push_str(command);
            self.prelude.push('\n');
        }
    }

    /// With this server's port.
    fn here(&self, text: &str) -> String {
        text.replace("8080", &self.port.to_string())
    }

    fn command(&self, command: &str) -> Command {
        let binary = Path::new(env!("CARGO_BIN_EXE_forebay")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let mut shell = Command::new("sh");
        shell
            .args(["-ec", &format!("{}{command}", self.prelude)])
            .current_dir(self.folder.path())
            .env_clear()
            .env("PATH", format!("{}:{path}", binary.display()))
            // What the document leaves to its defaults, with another port.
            .env("FOREBAY_PORT", self.port.to_string())
            .env("FOREBAY_LISTEN_URL", format!("ws://localhost:{}/cable", self.port))
            .env("FOREBAY_PUBLISH_URL", format!("http://localhost:{}/_broadcast", self.port))
            .env("FOREBAY_SECRET_KEY_BASE", "as bin/rails prints it, 0123456789")
            .env("FOREBAY_IDENTITY_HEADER", "X-Forebay-User");
        shell
    }
}

/// Commands and what they print. A line that ends with a backslash goes on in the next.
fn commands(text: &str) -> Vec<(String, String)> {
    let mut commands: Vec<(String, String)> = Vec::new();
    let mut goes_on = false;
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push((command.to_owned(), String::new()));
        } else if let Some((command, expected)) = commands.last_mut() {
            let to = if goes_on { command } else { expected };
            if !to.is_empty() {
                to.push('\n');
            }
            to.push_str(line);
        }
        goes_on = line.ends_with('\\');
    }
    commands
}
