//! A web server with one file, on this machine, for pods that load it.

use std::sync::Arc;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// Most bytes of a request.
const REQUEST: usize = 8 * 1024;

/// The server. It ends with this value.
pub struct FileServer {
    name: String,
    port: u16,
    task: tokio::task::JoinHandle<()>,
}

impl FileServer {
    /// Serves the content under this name.
    pub async fn start(name: &str, content: Vec<u8>) -> Result<Self> {
        let listener = TcpListener::bind(("0.0.0.0", 0)).await?;
        let port = listener.local_addr()?.port();
        let (path, content) = (format!("GET /{name} "), Arc::new(content));
        let task = tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                let (path, content) = (path.clone(), Arc::clone(&content));
                // Who does not read to the end is the one that knows.
                tokio::spawn(async move { drop(serve(connection, &path, &content).await) });
            }
        });
        Ok(Self { name: name.to_owned(), port, task })
    }

    /// The address of the file for pods that know this machine by this one.
    pub fn url(&self, host: &str) -> String {
        format!("http://{host}:{}/{}", self.port, self.name)
    }
}

impl Drop for FileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut connection: TcpStream, path: &str, content: &[u8]) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") && request.len() < REQUEST {
        if connection.read_buf(&mut request).await? == 0 {
            return Ok(());
        }
    }
    let is_there = request.starts_with(path.as_bytes());
    let (status, body): (_, &[u8]) = if is_there { ("200 OK", content) } else { ("404 Not Found", b"") };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(body).await?;
    connection.shutdown().await
}
