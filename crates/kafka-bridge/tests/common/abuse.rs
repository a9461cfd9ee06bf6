//! Clients that take nothing, send nothing, or go away.

use std::time::{Duration, Instant};

use crate::common::{JSON, KAFKA, Served, request};
use crate::topic;

/// What was on its way into a stream whose client went away comes again, for the next consumer of the group.
pub(crate) async fn events_that_nobody_took_come_again(served: &Served) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    topic(served, "untaken", 1).await;
    // More than the buffers of both systems take.
    let value = "x".repeat(100_000);
    for _ in 0..30 {
        let records = vec![format!("{{\"value\":\"{value}\"}}"); 10].join(",");
        served.post("/topics/untaken", JSON, &format!("{{\"records\":[{records}]}}")).await.expect(200);
    }
    let new = r#"{"format":"json","auto.offset.reset":"earliest"}"#;
    let subscribed = async || {
        let consumer = served.consumer("untaken", new).await;
        served
            .post(&format!("{consumer}/subscription"), KAFKA, r#"{"topics":["untaken"]}"#)
            .await
            .expect(204);
        consumer
    };
    let consumer = subscribed().await;
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    let ask = format!("GET {consumer}/records HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut bytes = vec![0; 4096];
    stream.read_exact(&mut bytes).await.unwrap();
    // A consumer whose client takes nothing can be deleted, and leaves its group.
    served.delete(&consumer).await.expect(204);
    let next = subscribed().await;
    let path = format!("{next}/records?timeout=20000");
    let reply = served.send("GET", &path, &[("Accept", JSON)], "").await.expect(200).json();
    let first = reply[0]["offset"].as_i64().unwrap();
    drop(stream);
    assert!(first < 299, "the record at 299 was never sent, and counts as taken: {first}");
    served.delete(&next).await.expect(204);
}

/// Clients that hold their places keep neither small requests nor probes waiting.
pub(crate) async fn slow_clients_hold_up_nobody(served: &Served) {
    use tokio::io::AsyncWriteExt;
    topic(served, "small", 1).await;
    let mut slow = Vec::new();
    for _ in 0..8 {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
        let head = format!(
            "POST /topics/small HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{{\r\n"
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        slow.push(stream);
    }
    for _ in 0..64 {
        slow.push(tokio::net::TcpStream::connect(("127.0.0.1", served.management_port)).await.unwrap());
    }
    let began = Instant::now();
    served.post("/topics/small", JSON, r#"{"records":[{"value":1}]}"#).await.expect(200);
    request(served.management_port, "GET", "/healthy", &[], "").await.expect(200);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
