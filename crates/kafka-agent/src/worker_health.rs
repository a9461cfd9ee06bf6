//! Asks a worker of Kafka Connect how it is.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::state::Answer;

/// How long an answer may take: the worker itself asks its group and its topics for up to ten seconds.
const PATIENCE: Duration = Duration::from_secs(12);
/// Bytes of the answer that are read: its first line is enough.
const HEAD: usize = 64;

/// Asks the REST API on `port` of the loopback interface. A worker is as it should be when it says that it is healthy: it has read
/// its topics and works with its group. Any other answer shows only that there is a process that accepts connections.
pub async fn ask(port: u16) -> Answer {
    let Ok(Ok(mut stream)) = tokio::time::timeout(PATIENCE, TcpStream::connect(("127.0.0.1", port))).await
    else {
        return Answer::Nothing;
    };
    let asked = async {
        let request = format!(
            "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
            api::connect::HEALTH_PATH
        );
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; HEAD];
        let mut length = 0;
        while length < HEAD && !head[..length].contains(&b'\n') {
            match stream.read(&mut head[length..]).await.ok()? {
                0 => break,
                more => length += more,
            }
        }
        is_good(&head[..length]).then_some(Answer::Serves)
    };
    tokio::time::timeout(PATIENCE, asked).await.ok().flatten().unwrap_or(Answer::Responds)
}

/// Whether an answer begins with the status 200.
fn is_good(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let mut words = text.split_whitespace();
    words.next().is_some_and(|word| word.starts_with("HTTP/1.")) && words.next() == Some("200")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn answered_with(answer: &'static str) -> Answer {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        });
        let answer = ask(port).await;
        server.await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_a_worker_that_says_it_is_healthy_is_as_it_should_be() {
        assert_eq!(answered_with("HTTP/1.1 200 OK\r\n\r\n{}").await, Answer::Serves);
        assert_eq!(answered_with("HTTP/1.1 503 Service Unavailable\r\n\r\n").await, Answer::Responds);
        assert_eq!(answered_with("").await, Answer::Responds);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(ask(port).await, Answer::Nothing);
    }
}
