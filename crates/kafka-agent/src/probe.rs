//! `probe`: one question to the running agent over its socket, without any runtime.

use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

/// The agent answers from memory; longer than this means that it is stuck.
const PATIENCE: Duration = Duration::from_secs(3);

/// Which probe of the kubelet asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Whether the container has to be restarted.
    Liveness,
    /// Whether clients should be sent here.
    Readiness,
}

/// The probe fails.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The agent does not answer.
    #[error("the agent does not answer on {socket}: {source}")]
    Silent {
        /// The socket.
        socket: String,
        /// Why.
        source: io::Error,
    },
    /// The answer is no.
    #[error("{0}")]
    No(String),
}

/// Asks the agent that listens on `socket`.
pub fn probe(kind: Kind, socket: &Path) -> Result<(), ProbeError> {
    let path = match kind {
        Kind::Liveness => "/v1/alive",
        Kind::Readiness => "/v1/ready",
    };
    let text = ask(socket, path)
        .map_err(|source| ProbeError::Silent { socket: socket.display().to_string(), source })?;
    let status = text.split_whitespace().nth(1).unwrap_or_default();
    if status == "204" {
        return Ok(());
    }
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body).trim();
    Err(ProbeError::No(format!("{}: {body}", if kind == Kind::Liveness { "not alive" } else { "not ready" })))
}

fn ask(socket: &Path, path: &str) -> io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}
