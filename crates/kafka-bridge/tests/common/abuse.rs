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

/// A client whose connection broke, or that gave it up, comes back to the same consumer and misses nothing.
pub(crate) async fn a_client_that_comes_back_misses_nothing(served: &Served) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    topic(served, "come-back", 1).await;
    let value = "x".repeat(100_000);
    for _ in 0..30 {
        let records = vec![format!("{{\"value\":\"{value}\"}}"); 10].join(",");
        served.post("/topics/come-back", JSON, &format!("{{\"records\":[{records}]}}")).await.expect(200);
    }
    let new = r#"{"format":"json","auto.offset.reset":"earliest","enable.auto.commit":false}"#;
    let consumer = served.consumer("come-back", new).await;
    let place = r#"{"partitions":[{"topic":"come-back","partition":0}]}"#;
    served.post(&format!("{consumer}/assignments"), KAFKA, place).await.expect(204);
    let begun = async || {
        let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
        let ask = format!("GET {consumer}/records HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
        stream.write_all(ask.as_bytes()).await.unwrap();
        stream.read_exact(&mut [0; 1000]).await.unwrap();
        stream
    };
    // So many events were begun when the client had long stopped to read.
    let stalled = async || {
        let (mut before, mut looks) = (String::new(), 0);
        loop {
            let figures = request(served.management_port, "GET", "/metrics", &[], "").await.expect(200).body;
            let line =
                figures.lines().find(|line| line.contains("records_consumed_total{topic=\"come-back\"}"));
            let now = line.unwrap().rsplit(' ').next().unwrap().to_owned();
            looks = if now == before { looks + 1 } else { 0 };
            if looks == 4 {
                return now.parse::<i64>().unwrap();
            }
            before = now;
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    };
    let records = async || {
        served
            .send("GET", &format!("{consumer}/records?timeout=20000&max_bytes=150000"), &[], "")
            .await
            .expect(200)
            .json()
    };
    for (told_twice, is_still_open) in [(0, true), (1, false)] {
        let stream = begun().await;
        let count = stalled().await - told_twice;
        let kept = is_still_open.then_some(stream);
        // The last event was never whole with the client.
        assert_eq!(records().await[0]["offset"], count - 1, "{is_still_open}");
        drop(kept);
    }
    served.delete(&consumer).await.expect(204);
}

/// Clients that hold their places keep neither small requests nor probes waiting.
pub(crate) async fn slow_clients_hold_up_nobody(served: &Served) {
    use tokio::io::AsyncWriteExt;
    topic(served, "small", 1).await;
    let mut slow = Vec::new();
    for length in [
        "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        "Content-Length: 65536\r\n\r\n{",
        "Content-Length: 10485760\r\n\r\n{",
    ] {
        for _ in 0..150 {
            let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
            let head = format!("POST /topics/small HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\n{length}");
            stream.write_all(head.as_bytes()).await.unwrap();
            slow.push(stream);
        }
    }
    for _ in 0..64 {
        slow.push(tokio::net::TcpStream::connect(("127.0.0.1", served.management_port)).await.unwrap());
    }
    let began = Instant::now();
    for length in [1, 60_000, 900_000] {
        let value = "x".repeat(length);
        let sent = format!("{{\"records\":[{{\"value\":\"{value}\"}}]}}");
        served.post("/topics/small", JSON, &sent).await.expect(200);
    }
    request(served.management_port, "GET", "/healthy", &[], "").await.expect(200);
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
}
