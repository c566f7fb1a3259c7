//! A source that shows that the seam holds: requests as lines over a Unix socket. It is only built for tests.
//!
//! All that a source is stands in this file, and nothing else of the server knows it. Each line is answered
//! with a line, `ok` or why not. The next one is read when the answer is written: a publisher that does not
//! read its answers is read no further.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use super::Ingest;

/// One line, its end included. It is all of a publisher's data that is in memory.
const LINE_BYTES_MAX: usize = 64 << 10;

/// Takes lines from whoever connects.
pub(super) async fn serve(listener: UnixListener, ingest: Arc<Ingest>) {
    while let Ok((stream, _)) = listener.accept().await {
        let ingest = Arc::clone(&ingest);
        tokio::spawn(async move {
            if let Err(error) = publisher(stream, &ingest).await {
                tracing::debug!(%error, "a publisher is gone");
            }
        });
    }
}

async fn publisher(stream: UnixStream, ingest: &Ingest) -> io::Result<()> {
    let name = format!("process {}", stream.peer_cred()?.pid().unwrap_or_default());
    let (lines, mut answers) = stream.into_split();
    let (mut lines, mut line) = (BufReader::new(lines), Vec::new());
    loop {
        line.clear();
        (&mut lines).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line).await?;
        if line.is_empty() {
            return Ok(());
        }
        let answer = match ingest.take(&name, None, &line).await {
            Ok(()) => "ok\n".to_owned(),
            Err(refused) => format!("{refused}\n"),
        };
        answers.write_all(answer.as_bytes()).await?;
        if !line.ends_with(b"\n") {
            // It was too long, or the last one; what follows would be read from its middle.
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests;
