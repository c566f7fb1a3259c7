//! nginx with a document's block, in front of the server.

use std::net::TcpListener;
use std::process::Command;

use tempfile::TempDir;

use crate::support::Program;

/// Who everybody is, as the application behind nginx says it.
pub(super) const VISITOR: &str = "user:7";

pub(crate) struct Nginx {
    pub(crate) address: String,
    _program: Program,
    _folder: TempDir,
}

impl Nginx {
    /// Starts it, and waits until it listens.
    pub(super) fn start(block: &str, server: &str) -> Self {
        Self::start_with("", block, server)
    }

    /// The same, with this before the block's server.
    pub(crate) fn start_with(before: &str, block: &str, server: &str) -> Self {
        let (address, application) = (free_address(), free_address());
        let block = block.replace("127.0.0.1:8080", server).replace("127.0.0.1:3000", &application);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().display();
        // The application is nginx itself: it answers 204 to everything, and knows everybody.
        let configuration = format!(
            "daemon off;\nmaster_process off;\npid {path}/pid;\nerror_log stderr notice;\n\
             events {{}}\n\
             http {{\n\
             access_log off;\n\
             client_body_temp_path {path}/body;\nproxy_temp_path {path}/proxy;\n\
             fastcgi_temp_path {path}/fastcgi;\nuwsgi_temp_path {path}/uwsgi;\n\
             scgi_temp_path {path}/scgi;\n\
             {before}\
             server {{\nlisten {address};\n{block}\n\
             location / {{ proxy_pass http://{application}; }}\n}}\n\
             server {{\nlisten {application};\nadd_header X-Forebay-User {VISITOR};\nreturn 204;\n}}\n\
             }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, configuration).unwrap();
        let mut nginx = Command::new("nginx");
        nginx.arg("-p").arg(folder.path()).arg("-c").arg(&file).args(["-e", "stderr"]);
        let program = Program::start(&mut nginx);
        // It listens before it says this.
        program.error_line("event method");
        Self { address, _program: program, _folder: folder }
    }
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}
