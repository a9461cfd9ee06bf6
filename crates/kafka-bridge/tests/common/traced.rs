//! Spans of requests at a collector of OpenTelemetry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use test_support::KafkaNode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::common::{BINARY, DEADLINE, KAFKA, Served};
use crate::topic;

/// The spans of one request to the collector.
async fn collected(collector: &TcpListener) -> Vec<Value> {
    let (mut stream, _) = collector.accept().await.unwrap();
    let mut text = String::new();
    let mut bytes = vec![0; 65536];
    while !text.ends_with("}]}") {
        let count = stream.read(&mut bytes).await.unwrap();
        assert!(count > 0, "{text}");
        text.push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
    let body: Value = serde_json::from_str(text.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone()
}

/// The first request that sent records, and the first that got some.
async fn both(collector: TcpListener) -> (Value, Value) {
    let mut all = Vec::new();
    loop {
        all.extend(collected(&collector).await);
        let of = |name: &'static str| all.iter().filter(move |span| span["name"] == name).cloned();
        let sent = of("POST /topics/{topicname}").next();
        let mut read = of("GET /consumers/{groupid}/instances/{name}/records");
        if let (Some(sent), Some(read)) = (sent, read.find(|span| span["links"][0].is_object())) {
            return (sent, read);
        }
    }
}

pub(crate) async fn spans_reach_the_collector_and_records_continue_their_traces(node: &KafkaNode) {
    let collector = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", collector.local_addr().unwrap());
    let text = format!("kafka.bootstrap.servers={}\nbridge.tracing=opentelemetry\n", node.bootstrap());
    let served = Served::with(&text, |settings| {
        let warnings = settings.read_traces(|name| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(address.clone()),
            "OTEL_BSP_SCHEDULE_DELAY" => Some("100".to_owned()),
            _ => None,
        });
        assert!(warnings.is_empty(), "{warnings:?}");
    })
    .await;
    let reading = tokio::spawn(both(collector));
    topic(&served, "traced", 1).await;
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let parent = format!("00-{trace}-00f067aa0ba902b7-01");
    let headers = [("Content-Type", BINARY), ("traceparent", parent.as_str())];
    let secret = STANDARD.encode("hunter2");
    let sent = json!({"records": [{"value": secret}]}).to_string();
    served.send("POST", "/topics/traced", &headers, &sent).await.expect(200);
    let consumer = served.consumer("traced", r#"{"auto.offset.reset":"earliest"}"#).await;
    let place = r#"{"partitions":[{"topic":"traced","partition":0}]}"#;
    served.post(&format!("{consumer}/assignments"), KAFKA, place).await.expect(204);
    let record = served.records(&consumer, BINARY, 1).await.remove(0);
    let (sent, read) = tokio::time::timeout(DEADLINE, reading).await.unwrap().unwrap();
    assert_eq!((&sent["traceId"], &sent["parentSpanId"]), (&json!(trace), &json!("00f067aa0ba902b7")));
    let own = sent["spanId"].as_str().unwrap();
    assert_eq!(read["links"], json!([{"traceId": trace, "spanId": own}]));
    // The span of the request is the parent of what becomes of its records.
    let context = STANDARD.encode(format!("00-{trace}-{own}-01"));
    assert_eq!(record["headers"][0], json!({"key": "traceparent", "value": context}));
    assert!(!sent.to_string().contains("hunter2") && !sent.to_string().contains(&secret), "{sent}");
    served.stop().await;
}
