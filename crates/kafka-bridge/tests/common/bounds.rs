//! What the configuration switches off, its bounds, and the end.

use test_support::KafkaNode;

use crate::common::{self, DEADLINE, JSON, KAFKA, Served, TEXT, request};

/// Each bridge here has other lines in its file.
pub(crate) async fn what_is_switched_off_and_bounds(node: &KafkaNode) {
    let lines = "http.producer.enabled=false\nhttp.consumer.enabled=false\nbridge.metrics=strimziMetricsReporter\n\
         http.cors.enabled=true\nhttp.cors.allowedOrigins=https://a.example\nhttp.cors.allowedMethods=GET,POST\n";
    let served = Served::start(node, lines).await;
    served.post("/topics/t", JSON, r#"{"records":[]}"#).await.expect(503);
    served.post("/consumers/g", KAFKA, "").await.expect(503);
    served.get("/metrics").await.expect(200);
    let reply = served.send("GET", "/topics", &[("Origin", "https://a.example")], "").await.expect(200);
    assert!(reply.head.contains("access-control-allow-origin: https://a.example"), "{reply:?}");
    served.send("GET", "/topics", &[("Origin", "https://b.example")], "").await.expect(403);
    let asked = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "POST")];
    served.send("OPTIONS", "/topics/t", &asked, "").await.expect(204);
    served.stop().await;

    let lines = "kastellan.http.max.body.bytes=2048\nkastellan.http.request.timeout.ms=1000\nkastellan.consumer.prefetch.bytes=1048576\nkastellan.shutdown.delay.ms=2000\n";
    let mut served = Served::start(node, lines).await;
    served.post("/topics/t", JSON, &"x".repeat(3000)).await.expect(413);
    let mut slow = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    let head =
        format!("POST /topics/t HTTP/1.1\r\nHost: x\r\nContent-Type: {JSON}\r\nContent-Length: 9\r\n\r\n{{");
    tokio::io::AsyncWriteExt::write_all(&mut slow, head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4096];
    let read = tokio::io::AsyncReadExt::read(&mut slow, &mut answer);
    let count = tokio::time::timeout(DEADLINE, read).await.unwrap().unwrap();
    common::reply(&answer[..count]).expect(408);
    // What consumers together may prefetch is given away at some time, and comes back.
    let mut made = Vec::new();
    let last = loop {
        let reply = served.post("/consumers/g", KAFKA, "").await;
        if reply.code != 200 {
            break reply.expect(503);
        }
        made.push(reply.json()["instance_id"].as_str().unwrap().to_owned());
        assert!(made.len() < 100);
    };
    assert!(last.body.contains("kastellan.consumer.prefetch.bytes"), "{last:?}");
    served.delete(&format!("/consumers/g/instances/{}", made[0])).await.expect(204);
    served.post("/consumers/g", KAFKA, "").await.expect(200);
    // Requests that come while the process is asked to end are answered, and the next ones go elsewhere.
    served.begin_to_stop();
    request(served.management_port, "GET", "/ready", &[], "").await.expect(500);
    let reply = served.post("/topics/letters", TEXT, r#"{"records":[{"value":"v"}]}"#).await.expect(200);
    assert!(reply.head.to_lowercase().contains("connection: close"), "{reply:?}");
    served.stop().await;
}
