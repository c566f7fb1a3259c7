//! A document's units, checked by systemd, and its socket handed over as systemd does it.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;

use super::snippets::Snippet;
use crate::support::{Connection, Program};

/// The units of one document.
pub(super) struct Units {
    folder: tempfile::TempDir,
    /// Where the socket unit listens, with a port of this test's.
    address: String,
    /// What the service starts, with the server of this test.
    command: String,
}

impl Units {
    pub(super) fn write(snippets: &[Snippet]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let mut units = Self { folder, address, command: String::new() };
        for snippet in snippets {
            let kind = if snippet.text.contains("[Socket]") { "socket" } else { "service" };
            let text = snippet
                .text
                .replace("127.0.0.1:8080", &units.address)
                .replace("/usr/local/bin/forebay", env!("CARGO_BIN_EXE_forebay"));
            if let Some(command) = text.lines().find_map(|line| line.strip_prefix("ExecStart=")) {
                command.clone_into(&mut units.command);
            }
            std::fs::write(units.path(kind), text).unwrap();
        }
        units
    }

    fn path(&self, kind: &str) -> PathBuf {
        self.folder.path().join(format!("forebay.{kind}"))
    }

    /// systemd passes over keys that it does not know, and says so.
    pub(super) fn verify(&self) {
        let mut verify = Command::new("systemd-analyze");
        verify.arg("verify").arg(self.path("socket")).arg(self.path("service"));
        let output = verify.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        let own: Vec<_> = said.lines().filter(|line| line.contains("forebay.s")).collect();
        assert!(output.status.success() && own.is_empty(), "{said}");
    }

    /// Listens where the socket unit says, and starts the service with the first connection.
    pub(super) fn activate(&self) {
        let mut activate = Command::new("systemd-socket-activate");
        activate.args(["--listen", &self.address, "-E", "FOREBAY_PUBLIC=true"]);
        let program = Program::start(activate.args(self.command.split(' ')));
        program.error_line("Listening on");
        assert_eq!(Connection::open(&self.address).request("GET", "/health", &[], "").status, 200);
    }
}
