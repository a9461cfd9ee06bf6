//! The bridge against a real Kafka node, over HTTP as clients use it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "common/abuse.rs"]
mod abuse;
#[path = "common/bounds.rs"]
mod bounds;
mod common;
#[path = "common/described.rs"]
mod described;
#[path = "common/traced.rs"]
mod traced;

use std::time::{Duration, Instant};

use abuse::{
    a_client_that_comes_back_misses_nothing, events_that_nobody_took_come_again, slow_clients_hold_up_nobody,
};
use bounds::what_is_switched_off_and_bounds;
use common::{BINARY, DEADLINE, JSON, KAFKA, Served, TEXT, places, request};
use serde_json::{Value, json};
use test_support::{KafkaNode, KafkaOptions};

/// Groups are formed at once, and topics are made only when they are asked for.
fn options() -> KafkaOptions {
    KafkaOptions {
        scram_users: vec![("web".to_owned(), "s3cret\"\\".to_owned())],
        super_users: vec!["User:web".to_owned()],
        ..KafkaOptions::default()
    }
    .with_config("group.initial.rebalance.delay.ms", "0")
    .with_config("auto.create.topics.enable", "false")
}

/// After how long an unused consumer ends: longer than a test stands still on a machine that is busy with others.
const UNUSED: Duration = Duration::from_secs(10);

async fn topic(served: &Served, name: &str, partitions: i32) {
    let body = json!({"topic_name": name, "partitions_count": partitions, "replication_factor": 1});
    served.post("/admin/topics", KAFKA, &body.to_string()).await.expect(201);
    listed(served, name).await;
}

/// Waits until a topic is listed: Kafka says that it is made before each broker knows it.
async fn listed(served: &Served, name: &str) {
    let began = Instant::now();
    while !served.get("/topics").await.expect(200).json().as_array().unwrap().contains(&json!(name)) {
        assert!(began.elapsed() < DEADLINE, "{name} is not listed");
        tokio::task::yield_now().await;
    }
}

/// One node for all of it: most of the time of a test is the start of its node.
#[tokio::test(flavor = "multi_thread")]
async fn everything_that_clients_do_over_one_connection_to_kafka() {
    let node = KafkaNode::start(options()).await.unwrap();
    let timeout = UNUSED.as_secs();
    let lines = format!("bridge.id=web\nhttp.timeoutSeconds={timeout}\nbridge.tracing=opentelemetry\n");
    let served = Served::start(&node, &lines).await;
    tokio::join!(
        topics_are_made_and_described(&served),
        records_arrive_in_every_format_with_all_they_have(&served),
        records_that_kafka_refuses_are_told_one_by_one(&served),
        a_consumer_subscribes_reads_and_commits(&served),
        a_consumer_takes_partitions_and_seeks(&served),
        a_pattern_finds_topics(&served),
        many_consumers_are_polled_at_a_time(&served),
        wrong_requests_are_refused(&served),
        records_come_as_events(&served),
    );
    events_that_nobody_took_come_again(&served).await;
    a_client_that_comes_back_misses_nothing(&served).await;
    slow_clients_hold_up_nobody(&served).await;
    unused_consumers_end(&served).await;
    figures_are_shown(&served).await;
    what_is_under_way_finishes_at_the_end(served).await;
    what_is_switched_off_and_bounds(&node).await;
    passwords_and_certificates_towards_kafka(&node).await;
    traced::spans_reach_the_collector_and_records_continue_their_traces(&node).await;
}

/// By a program that reads the description of the API and tries what it allows and what it forbids.
#[tokio::test(flavor = "multi_thread")]
async fn every_answer_is_one_that_the_served_description_has() {
    let node = KafkaNode::start(options()).await.unwrap();
    described::every_answer_is_one_that_the_served_description_has(&node).await;
}

async fn topics_are_made_and_described(served: &Served) {
    topic(served, "described", 3).await;
    let described = served.get("/topics/described").await.expect(200).json();
    assert_eq!(described["configs"]["cleanup.policy"], "delete", "{described}");
    assert_eq!(described["partitions"].as_array().unwrap().len(), 3);
    let replicas = json!([{"broker": 0, "leader": true, "in_sync": true}]);
    let expected = json!({"partition": 2, "leader": 0, "replicas": replicas});
    assert_eq!(served.get("/topics/described/partitions/2").await.expect(200).json(), expected);
    assert_eq!(served.get("/topics/described/partitions").await.expect(200).json()[2], expected);
    let sent = r#"{"records":[{"value":"a"},{"value":"b"}]}"#;
    served.post("/topics/described/partitions/1", TEXT, sent).await.expect(200);
    let offsets = served.get("/topics/described/partitions/1/offsets").await.expect(200).json();
    assert_eq!(offsets, json!({"beginning_offset": 0, "end_offset": 2}));
    for path in [
        "/topics/nothing",
        "/topics/described/partitions/7",
        "/topics/nothing/partitions/0/offsets",
        "/topics/a%20b",
    ] {
        let error = served.get(path).await.expect(404).json();
        assert_eq!(error["error_code"], 404, "{path}");
    }
    // To look is not to make.
    assert!(!served.get("/topics").await.json().as_array().unwrap().contains(&json!("nothing")));
    let again = json!({"topic_name": "described"}).to_string();
    assert_eq!(served.post("/admin/topics", JSON, &again).await.expect(409).json()["error_code"], 409);
    let many = json!({"topic_name": "replicated", "replication_factor": 5}).to_string();
    served.post("/admin/topics", JSON, &many).await.expect(422);
    // As the broker likes.
    served.post("/admin/topics", JSON, &json!({"topic_name": "usual"}).to_string()).await.expect(201);
    listed(served, "usual").await;
    served.get("/topics/usual/partitions/0").await.expect(200);
}

async fn records_arrive_in_every_format_with_all_they_have(served: &Served) {
    topic(served, "formats", 2).await;
    let sent = r#"{"records":[{"key":{"k": 1},"value":{"z":1.50,"a":[null]},"partition":1,"timestamp":1591897790000,
        "headers":[{"key":"h","value":"AP8="}]},{"value":12345678901234567890,"partition":1},{"key":"gone","value":null,"partition":1}]}"#;
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let headers = [("Content-Type", JSON), ("traceparent", trace)];
    let reply = served.send("POST", "/topics/formats", &headers, sent).await.expect(200);
    assert!(reply.head.to_lowercase().contains("content-type: application/vnd.kafka.v2+json"), "{reply:?}");
    assert_eq!(places(&reply), [(1, 0), (1, 1), (1, 2)]);
    let reader = |format: &str| format!(r#"{{"format":"{format}","auto.offset.reset":"earliest"}}"#);
    let as_json = served.consumer("formats-json", &reader("json")).await;
    let assigned = r#"{"partitions":[{"topic":"formats","partition":1}]}"#;
    served.post(&format!("{as_json}/assignments"), KAFKA, assigned).await.expect(204);
    let records = served.records(&as_json, JSON, 3).await;
    assert_eq!(records[0]["key"], json!({"k": 1}));
    assert_eq!(records[0]["timestamp"], 1_591_897_790_000_i64);
    assert_eq!(records[0]["headers"][0], json!({"key": "h", "value": "AP8="}));
    assert_eq!(records[0]["headers"][1]["key"], "traceparent");
    assert_eq!((&records[2]["key"], &records[2]["value"]), (&json!("gone"), &Value::Null));
    // Every digit and the order of names, as the producer wrote them.
    let as_text = served.consumer("formats-text", &reader("text")).await;
    served.post(&format!("{as_text}/assignments"), KAFKA, assigned).await.expect(204);
    let records = served.records(&as_text, TEXT, 3).await;
    assert_eq!(records[0]["value"], r#"{"z":1.50,"a":[null]}"#);
    assert_eq!(records[1]["value"], "12345678901234567890");

    let binary = r#"{"records":[{"key":"AP8=","value":"/wA="}]}"#;
    assert_eq!(
        places(&served.post("/topics/formats/partitions/0", BINARY, binary).await.expect(200)),
        [(0, 0)]
    );
    let as_binary = served.consumer("formats-binary", r#"{"auto.offset.reset":"earliest"}"#).await;
    let assigned = r#"{"partitions":[{"topic":"formats","partition":0}]}"#;
    served.post(&format!("{as_binary}/assignments"), KAFKA, assigned).await.expect(204);
    let records = served.records(&as_binary, BINARY, 1).await;
    assert_eq!((&records[0]["key"], &records[0]["value"]), (&json!("AP8="), &json!("/wA=")));
    // Bytes that are no JSON, to a consumer that wants JSON: told once, and then behind it.
    served.post(&format!("{as_json}/assignments"), KAFKA, assigned).await.expect(204);
    let began = Instant::now();
    let error = loop {
        let reply = served.get(&format!("{as_json}/records?timeout=2000")).await;
        if reply.code != 200 {
            break reply.expect(406);
        }
        assert!(began.elapsed() < DEADLINE, "{reply:?}");
    };
    assert!(error.body.contains("offset 0 of partition 0 of topic formats"), "{error:?}");
    served.post("/topics/formats/partitions/0", JSON, r#"{"records":[{"value":1}]}"#).await.expect(200);
    assert_eq!(served.records(&as_json, JSON, 1).await[0]["offset"], 1);
    let reply = served.send("GET", &format!("{as_json}/records"), &[("Accept", TEXT)], "").await;
    assert_eq!(reply.expect(406).json()["error_code"], 406);
}

async fn records_that_kafka_refuses_are_told_one_by_one(served: &Served) {
    topic(served, "refused", 1).await;
    let sent = r#"{"records":[{"value":"a"},{"value":"b","partition":9},{"value":"c"}]}"#;
    let reply = served.post("/topics/refused", TEXT, sent).await.expect(200).json();
    assert_eq!(reply["offsets"][0]["offset"], 0, "{reply}");
    assert_eq!(reply["offsets"][1]["error_code"], 404, "{reply}");
    assert_eq!(reply["offsets"][2]["offset"], 1, "{reply}");
    let reply =
        served.post("/topics/not-there", TEXT, r#"{"records":[{"value":"a"}]}"#).await.expect(200).json();
    assert_eq!(reply["offsets"][0]["error_code"], 404, "{reply}");
    served.post("/topics/refused?async=true", TEXT, r#"{"records":[{"value":"d"}]}"#).await.expect(204);
    let began = Instant::now();
    while served.get("/topics/refused/partitions/0/offsets").await.json()["end_offset"] != 3 {
        assert!(began.elapsed() < DEADLINE);
    }
}

async fn a_consumer_subscribes_reads_and_commits(served: &Served) {
    topic(served, "letters", 1).await;
    let json = r#"{"name":"c1","format":"text","auto.offset.reset":"earliest","enable.auto.commit":false}"#;
    let first = served.consumer("readers", json).await;
    assert_eq!(first, "/consumers/readers/instances/c1");
    served.post("/consumers/readers", KAFKA, json).await.expect(409);
    served.get(&format!("{first}/records")).await.expect(409);
    served.post(&format!("{first}/subscription"), KAFKA, r#"{"topics":["letters"]}"#).await.expect(204);
    served.post(&format!("{first}/subscription"), KAFKA, r#"{"topic_pattern":"l.*"}"#).await.expect(409);
    let assigned = r#"{"partitions":[{"topic":"letters","partition":0}]}"#;
    served.post(&format!("{first}/assignments"), KAFKA, assigned).await.expect(409);
    let values: Vec<Value> = (0..10).map(|number| json!({"value": format!("{number}")})).collect();
    served.post("/topics/letters", TEXT, &json!({"records": values}).to_string()).await.expect(200);
    // As many as there is room for, and none is lost.
    let mut seen = Vec::new();
    let began = Instant::now();
    while seen.len() < 4 {
        let reply = served.get(&format!("{first}/records?timeout=2000&max_bytes=2")).await.expect(200);
        let records = reply.json();
        assert!(records.as_array().unwrap().len() <= 2, "{records}");
        seen.extend(records.as_array().unwrap().iter().map(|record| record["value"].clone()));
        assert!(began.elapsed() < DEADLINE);
    }
    assert_eq!(seen, ["0", "1", "2", "3"]);
    served.get(&format!("{first}/records?timeout=2000&max_bytes=0")).await.expect(422);
    let subscription = served.get(&format!("{first}/subscription")).await.expect(200).json();
    assert_eq!(subscription, json!({"topics": ["letters"], "partitions": [{"letters": [0]}]}));
    served.post(&format!("{first}/offsets"), KAFKA, "").await.expect(204);
    served.delete(&first).await.expect(204);
    served.get(&format!("{first}/records")).await.expect(404);
    // Another consumer of the group goes on behind what was committed, and not behind what was only fetched.
    let second = served.consumer("readers", json).await;
    served.post(&format!("{second}/subscription"), KAFKA, r#"{"topics":["letters"]}"#).await.expect(204);
    let records = served.records(&second, TEXT, 6).await;
    assert_eq!(records[0]["value"], "4");
    let explicit = r#"{"offsets":[{"topic":"letters","partition":0,"offset":2}]}"#;
    served.post(&format!("{second}/offsets"), KAFKA, explicit).await.expect(204);
    served.delete(&format!("{second}/subscription")).await.expect(204);
    served.delete(&second).await.expect(204);
    // What is committed by itself is what the client came back for.
    let json = r#"{"name":"c2","format":"text","auto.offset.reset":"earliest"}"#;
    let third = served.consumer("readers", json).await;
    served.post(&format!("{third}/subscription"), KAFKA, r#"{"topics":["letters"]}"#).await.expect(204);
    let records = served.records(&third, TEXT, 8).await;
    assert_eq!(records[0]["value"], "2");
    served.delete(&third).await.expect(204);
    let fourth = served.consumer("readers", json).await;
    served.post(&format!("{fourth}/subscription"), KAFKA, r#"{"topics":["letters"]}"#).await.expect(204);
    served.post("/topics/letters", TEXT, r#"{"records":[{"value":"new"}]}"#).await.expect(200);
    assert_eq!(served.records(&fourth, TEXT, 1).await[0]["value"], "new");
    served.delete(&fourth).await.expect(204);
}

async fn a_consumer_takes_partitions_and_seeks(served: &Served) {
    topic(served, "places", 1).await;
    let values: Vec<Value> = (0..5).map(|number| json!({"value": number})).collect();
    served.post("/topics/places", JSON, &json!({"records": values}).to_string()).await.expect(200);
    let consumer = served.consumer("seekers", r#"{"format":"json","auto.offset.reset":"earliest"}"#).await;
    let place = r#"{"partitions":[{"topic":"places","partition":0}]}"#;
    let not_yet = served.post(&format!("{consumer}/positions/beginning"), KAFKA, place).await.expect(404);
    assert!(not_yet.body.contains("places-0"), "{not_yet:?}");
    served.post(&format!("{consumer}/assignments"), KAFKA, place).await.expect(204);
    assert_eq!(served.records(&consumer, JSON, 5).await[4]["value"], 4);
    served.post(&format!("{consumer}/positions/beginning"), KAFKA, place).await.expect(204);
    assert_eq!(served.records(&consumer, JSON, 5).await[0]["value"], 0);
    let third = r#"{"offsets":[{"topic":"places","partition":0,"offset":3}]}"#;
    served.post(&format!("{consumer}/positions"), KAFKA, third).await.expect(204);
    assert_eq!(served.records(&consumer, JSON, 2).await[0]["value"], 3);
    served.post(&format!("{consumer}/positions"), KAFKA, third).await.expect(204);
    served.post(&format!("{consumer}/positions/end"), KAFKA, place).await.expect(204);
    // The end is where it is when the seek is carried out: let that happen first.
    assert_eq!(served.get(&format!("{consumer}/records?timeout=1000")).await.expect(200).body, "[]");
    served.post("/topics/places", JSON, r#"{"records":[{"value":"end"}]}"#).await.expect(200);
    assert_eq!(served.records(&consumer, JSON, 1).await[0]["value"], "end");
    served.delete(&consumer).await.expect(204);
}

async fn a_pattern_finds_topics(served: &Served) {
    topic(served, "orders-1", 1).await;
    topic(served, "my-orders", 1).await;
    let json = r#"{"format":"text","auto.offset.reset":"earliest"}"#;
    let consumer = served.consumer("pattern", json).await;
    let pattern = r#"{"topic_pattern":"orders-\\d"}"#;
    served.post(&format!("{consumer}/subscription"), KAFKA, pattern).await.expect(204);
    for topic in ["my-orders", "orders-1"] {
        served.post(&format!("/topics/{topic}"), TEXT, r#"{"records":[{"value":"v"}]}"#).await.expect(200);
    }
    assert_eq!(served.records(&consumer, TEXT, 1).await[0]["topic"], "orders-1");
    let broken = r#"{"topic_pattern":"("}"#;
    served.post(&format!("{consumer}/subscription"), KAFKA, broken).await.expect(422);
    served.delete(&consumer).await.expect(204);
}

async fn many_consumers_are_polled_at_a_time(served: &Served) {
    topic(served, "busy", 1).await;
    let mut consumers = Vec::new();
    for _ in 0..30 {
        let consumer = served.consumer("busy", r#"{"format":"text","auto.offset.reset":"earliest"}"#).await;
        let place = r#"{"partitions":[{"topic":"busy","partition":0}]}"#;
        served.post(&format!("{consumer}/assignments"), KAFKA, place).await.expect(204);
        consumers.push(consumer);
    }
    // All wait; others are answered meanwhile, and one record ends all waiting.
    let polls = consumers.iter().map(|consumer| async move {
        let reply = served.get(&format!("{consumer}/records?timeout=60000")).await.expect(200);
        assert_eq!(reply.json().as_array().unwrap().len(), 1, "{reply:?}");
    });
    let began = Instant::now();
    let produce = async {
        served.get("/topics").await.expect(200);
        served.post("/topics/busy", TEXT, r#"{"records":[{"value":"v"}]}"#).await.expect(200);
    };
    tokio::join!(futures_all(polls), produce);
    assert!(began.elapsed() < Duration::from_secs(50), "a poll waited to its end");
    for consumer in consumers {
        served.delete(&consumer).await.expect(204);
    }
}

async fn futures_all(all: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut all: Vec<_> = all.map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

async fn wrong_requests_are_refused(served: &Served) {
    let consumer = served.consumer("wrong", "").await;
    for (method, path, media_type, body, code) in [
        ("GET", "/nothing".to_owned(), "", "", 404),
        ("PUT", "/topics/t".to_owned(), "", "", 405),
        ("POST", "/topics/t".to_owned(), "application/json", "{}", 415),
        ("POST", "/topics/t".to_owned(), "", "{}", 415),
        ("POST", "/topics/t".to_owned(), JSON, "{", 400),
        ("POST", "/topics/t".to_owned(), JSON, r#"{"records":[{}]}"#, 400),
        ("POST", "/topics/t?async=perhaps".to_owned(), JSON, r#"{"records":[]}"#, 400),
        ("POST", "/topics/t/partitions/x".to_owned(), JSON, r#"{"records":[]}"#, 400),
        ("POST", "/topics/t".to_owned(), BINARY, r#"{"records":[{"value":"%"}]}"#, 422),
        ("POST", "/consumers/g".to_owned(), "text/plain", "{}", 415),
        ("POST", "/consumers/g".to_owned(), KAFKA, r#"{"format":"avro"}"#, 422),
        ("POST", "/consumers/g/instances/no/subscription".to_owned(), KAFKA, r#"{"topics":["t"]}"#, 404),
        ("DELETE", "/consumers/g/instances/no".to_owned(), "", "", 404),
        ("POST", format!("{consumer}/subscription"), KAFKA, "{}", 422),
        ("POST", format!("{consumer}/offsets"), KAFKA, r#"{"offsets":[{"topic":"t"}]}"#, 400),
        ("GET", format!("{consumer}/records?timeout=-1"), "", "", 400),
        ("GET", format!("{consumer}/records?max_bytes=many"), "", "", 400),
    ] {
        let headers = if media_type.is_empty() { vec![] } else { vec![("Content-Type", media_type)] };
        let reply = served.send(method, &path, &headers, body).await;
        assert_eq!(reply.code, code, "{method} {path} {body}: {reply:?}");
        assert_eq!(reply.json()["error_code"], code, "{reply:?}");
    }
    let reply = served.send("GET", "/topics", &[("Accept", "text/html")], "").await;
    assert_eq!(reply.expect(406).json()["error_code"], 406);
    served.delete(&consumer).await.expect(204);
}

async fn records_come_as_events(served: &Served) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    topic(served, "events", 1).await;
    let consumer = served.consumer("events", r#"{"format":"json","auto.offset.reset":"earliest"}"#).await;
    let place = r#"{"partitions":[{"topic":"events","partition":0}]}"#;
    served.post(&format!("{consumer}/assignments"), KAFKA, place).await.expect(204);
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", served.port)).await.unwrap();
    let ask = format!("GET {consumer}/records HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n");
    stream.write_all(ask.as_bytes()).await.unwrap();
    let sent = r#"{"records":[{"value":{"n":1}},{"value":2}]}"#;
    served.post("/topics/events", JSON, sent).await.expect(200);
    let mut text = String::new();
    let read = async {
        let mut bytes = [0; 4096];
        while text.matches("event: record").count() < 2 {
            let count = stream.read(&mut bytes).await.unwrap();
            assert!(count > 0, "{text}");
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
    };
    tokio::time::timeout(DEADLINE, read).await.unwrap();
    assert!(text.contains("content-type: text/event-stream"), "{text}");
    assert!(
        text.contains(
            "data: {\"topic\":\"events\",\"key\":null,\"value\":{\"n\":1},\"partition\":0,\"offset\":0"
        ),
        "{text}"
    );
    served.delete(&consumer).await.expect(204);
}

async fn unused_consumers_end(served: &Served) {
    // A record that was handed out last may not have been worked on: the next consumer gets it.
    topic(served, "unfinished", 1).await;
    served.post("/topics/unfinished", JSON, r#"{"records":[{"value":1}]}"#).await.expect(200);
    for round in 0..2 {
        let new = format!(r#"{{"name":"r{round}","format":"json","auto.offset.reset":"earliest"}}"#);
        let consumer = served.consumer("unfinished", &new).await;
        let topics = r#"{"topics":["unfinished"]}"#;
        served.post(&format!("{consumer}/subscription"), KAFKA, topics).await.expect(204);
        served.records(&consumer, JSON, 1).await;
        let began = Instant::now();
        while round == 0 && served.post("/consumers/unfinished", KAFKA, &new).await.code != 200 {
            assert!(began.elapsed() < DEADLINE, "{consumer} is still there");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    let began = Instant::now();
    let path = served.consumer("unused", r#"{"name":"c"}"#).await;
    // To ask would be to use it: the name is free again when it has ended.
    while served.post("/consumers/unused", KAFKA, r#"{"name":"c"}"#).await.code != 200 {
        assert!(began.elapsed() < DEADLINE, "{path} is still there");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(began.elapsed() >= UNUSED, "it ended after {:?}", began.elapsed());
}

async fn figures_are_shown(served: &Served) {
    let wanted = [
        "strimzi_bridge_http_server_requests_total{code=\"409\",method=\"POST\",path=\"/admin/topics\"} 1",
        "strimzi_bridge_kafka_producer_record_send_total{topic=\"letters\"} 11",
        "strimzi_bridge_kafka_producer_count 1",
        "strimzi_bridge_http_server_active_connections 0",
    ];
    // The client knows that a connection is closed before the bridge does.
    let began = Instant::now();
    loop {
        let figures = request(served.management_port, "GET", "/metrics", &[], "").await.expect(200).body;
        let missing = wanted.iter().find(|line| !figures.lines().any(|found| found == **line));
        let Some(line) = missing else { break };
        assert!(began.elapsed() < DEADLINE, "{line} is missing in {figures}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    served.get("/metrics").await.expect(404);
    for path in ["/healthy", "/ready", "/openapi", "/"] {
        request(served.management_port, "GET", path, &[], "").await.expect(200);
        served.get(path).await.expect(200);
    }
    request(served.management_port, "GET", "/topics", &[], "").await.expect(404);
    assert!(served.get("/openapi").await.json()["paths"]["/topics/{topicname}"].is_object());
}

async fn what_is_under_way_finishes_at_the_end(served: Served) {
    let consumer = served.consumer("last", r#"{"format":"text"}"#).await;
    served.post(&format!("{consumer}/subscription"), KAFKA, r#"{"topics":["letters"]}"#).await.expect(204);
    let port = served.port;
    let waiting = tokio::spawn(async move {
        request(port, "GET", &format!("{consumer}/records?timeout=100000"), &[], "").await
    });
    let began = Instant::now();
    let is_open = "strimzi_bridge_http_server_active_connections 1";
    while !request(served.management_port, "GET", "/metrics", &[], "").await.body.contains(is_open) {
        assert!(began.elapsed() < DEADLINE, "the poll is under way");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    served.post("/topics/letters?async=true", TEXT, r#"{"records":[{"value":"last"}]}"#).await.expect(204);
    let began = Instant::now();
    served.stop().await;
    assert!(began.elapsed() < Duration::from_secs(15), "it took {:?}", began.elapsed());
    waiting.await.unwrap().expect(200);
}

async fn passwords_and_certificates_towards_kafka(node: &KafkaNode) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let identity = node.client_identity("admin").unwrap();
    write("ca.crt", node.ca_pem());
    write("password", "s3cret\\\"\\\\");
    write("user.crt", &identity.certificate);
    write("user.key", &identity.key);
    let at = folder.path().display();
    let trust = format!(
        "kafka.ssl.truststore.type=PEM\nkafka.ssl.truststore.certificates=${{strimzidir:{at}:*.crt}}\n"
    );
    let scram = format!(
        "kafka.bootstrap.servers={}\n{trust}kafka.security.protocol=SASL_SSL\nkafka.sasl.mechanism=SCRAM-SHA-512\n\
         kafka.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username=\"web\" password=\"${{strimzidir:{at}:password}}\";\n",
        node.scram_bootstrap()
    );
    let tls = format!(
        "kafka.bootstrap.servers={}\n{trust}kafka.security.protocol=SSL\nkafka.ssl.keystore.type=PEM\n\
         kafka.ssl.keystore.certificate.chain=${{strimzidir:{at}:user.crt}}\nkafka.ssl.keystore.key=${{strimzidir:{at}:user.key}}\n",
        node.tls_bootstrap()
    );
    for (name, text) in [("scram", scram), ("tls", tls)] {
        let served = Served::of(&text).await;
        topic(&served, name, 1).await;
        let sent = r#"{"records":[{"value":"v"}]}"#;
        let reply = served.post(&format!("/topics/{name}"), TEXT, sent).await.expect(200);
        assert_eq!(places(&reply), [(0, 0)]);
        let consumer = served.consumer(name, r#"{"format":"text","auto.offset.reset":"earliest"}"#).await;
        let topics = json!({"topics": [name]}).to_string();
        served.post(&format!("{consumer}/subscription"), KAFKA, &topics).await.expect(204);
        assert_eq!(served.records(&consumer, TEXT, 1).await[0]["value"], "v");
        served.stop().await;
    }
}
