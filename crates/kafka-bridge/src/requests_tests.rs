//! Requests as clients write them, right and wrong.

use super::*;

#[test]
fn records_carry_everything_that_a_record_has() {
    let body = br#"{"records":[
        {"key":"k1","value":{"b": 1,"a":1.50},"partition":2,"timestamp":1591897790000,"headers":[{"key":"h","value":"AP8="}]},
        {"value":null}]}"#;
    let read = records(body, Format::Json, false).unwrap();
    assert_eq!(read[0].key.as_deref(), Some(&b"\"k1\""[..]));
    assert_eq!(read[0].value.as_deref(), Some(&br#"{"b":1,"a":1.50}"#[..]));
    assert_eq!((read[0].partition, read[0].timestamp), (Some(2), Some(1_591_897_790_000)));
    assert_eq!(read[0].headers, [("h".to_owned(), vec![0, 255])]);
    assert_eq!(read[1], NewRecord::default());
    assert_eq!(records(br#"{"records":[]}"#, Format::Text, true).unwrap(), []);
}

#[test]
fn wrong_records_say_where_they_are_wrong() {
    for (body, code, part) in [
        (r#"{"records":[{"key":"k"}]}"#, 400, "/records/0: 'value' is missing"),
        (r#"{"records":[{"value":"v","keys":1}]}"#, 400, "'keys' is not a known property"),
        (r#"{"records":{}}"#, 400, "/records: must be an array"),
        (r#"{"records":["v"]}"#, 400, "/records/0: must be an object"),
        (r#"{"records":[{"value":"v","partition":"1"}]}"#, 400, "/records/0/partition: must be an integer"),
        (r#"{"records":[{"value":"v","partition":-1}]}"#, 422, "/records/0/partition"),
        (r#"{"records":[{"value":1}]}"#, 422, "/records/0/value: must be a string with the format text"),
        (
            r#"{"records":[{"value":"v","headers":[{"key":"a"}]}]}"#,
            400,
            "/records/0/headers/0: 'value' is missing",
        ),
        (r#"{"records":[{"value":"v","headers":[{"key":"a","value":"%"}]}]}"#, 422, "Base64"),
        (r"{}", 400, "/: 'records' is missing"),
        (r"[]", 400, "/: must be an object"),
        (r"{", 400, "read json"),
    ] {
        let error = records(body.as_bytes(), Format::Text, false).unwrap_err();
        assert_eq!(error.code.as_u16(), code, "{body}: {error}");
        assert!(error.message.contains(part), "{part} is missing in {error}");
    }
    let twice = records(br#"{"records":[{"value":"v","partition":1}]}"#, Format::Text, true).unwrap_err();
    assert_eq!(twice.code.as_u16(), 400);
}

#[test]
fn a_consumer_has_the_options_of_the_api() {
    let body = br#"{"name":"c1","format":"json","auto.offset.reset":"earliest","enable.auto.commit":false,
        "fetch.min.bytes":512,"consumer.request.timeout.ms":30000,"isolation.level":"read_committed"}"#;
    let new = consumer(body).unwrap();
    assert_eq!(new.name.as_deref(), Some("c1"));
    assert_eq!(new.format, Some(Format::Json));
    assert_eq!(new.enable_auto_commit, Some(false));
    assert_eq!(consumer(b" ").unwrap(), NewConsumer::default());
    for (body, code) in [
        (r#"{"format":"avro"}"#, 422),
        (r#"{"auto.offset.reset":"foo"}"#, 422),
        (r#"{"isolation.level":"foo"}"#, 422),
        (r#"{"enable.auto.commit":"foo"}"#, 400),
        (r#"{"fetch.min.bytes":"foo"}"#, 400),
        (r#"{"fetch.min.bytes":-1}"#, 422),
        (r#"{"name":""}"#, 422),
        (r#"{"group.id":"x"}"#, 400),
        (r"null", 400),
    ] {
        assert_eq!(consumer(body.as_bytes()).unwrap_err().code.as_u16(), code, "{body}");
    }
}

#[test]
fn topics_and_a_pattern_exclude_each_other() {
    assert_eq!(subscription(br#"{"topics":["a"]}"#).unwrap(), Subscription::Topics(vec!["a".to_owned()]));
    assert_eq!(subscription(br#"{"topic_pattern":"a.*"}"#).unwrap(), Subscription::Pattern("a.*".to_owned()));
    for (body, code) in [
        (r#"{"topics":["a"],"topic_pattern":"b"}"#, 409),
        (r"{}", 422),
        (r#"{"topics":["a b"]}"#, 422),
        (r#"{"topics":"a"}"#, 400),
        (r#"{"topics":[1]}"#, 400),
    ] {
        assert_eq!(subscription(body.as_bytes()).unwrap_err().code.as_u16(), code, "{body}");
    }
}

#[test]
fn positions_have_what_is_asked_for() {
    let read = seeks(br#"{"offsets":[{"topic":"t","partition":1,"offset":7}]}"#).unwrap();
    assert_eq!(read, [Position { topic: "t".to_owned(), partition: 1, offset: 7 }]);
    assert_eq!(commits(b"").unwrap(), None);
    assert_eq!(commits(b"{}").unwrap(), None);
    assert_eq!(partitions(br#"{"partitions":[{"topic":"t","partition":0}]}"#).unwrap().len(), 1);
    assert!(seeks(br#"{"offsets":[{"topic":"t","partition":1}]}"#).is_err());
    assert!(partitions(br#"{"partitions":[{"topic":"t"}]}"#).is_err());
    assert!(partitions(br#"{"partitions":[{"topic":"t","partition":0,"offset":1}]}"#).is_err());
    assert!(partitions(b"{}").is_err());
}

#[test]
fn a_topic_has_a_name_and_numbers() {
    let new = topic(br#"{"topic_name":"t","partitions_count":null,"replication_factor":2}"#).unwrap();
    assert_eq!((new.partitions, new.replicas), (None, Some(2)));
    for (body, code) in [
        (r#"{"partitions_count":1}"#, 400),
        (r#"{"topic_name":"a b"}"#, 422),
        (r#"{"topic_name":"t","partitions_count":0}"#, 422),
        (r#"{"topic_name":"t","partitions_count":100001}"#, 422),
        (r#"{"topic_name":"t","replication_factor":10001}"#, 422),
        (r#"{"topic_name":"t","partitions_count":"1"}"#, 400),
    ] {
        assert_eq!(topic(body.as_bytes()).unwrap_err().code.as_u16(), code, "{body}");
    }
}

#[test]
fn a_small_text_leaves_no_large_state_behind() {
    let list =
        |name: &str, item: &str, count: usize| format!("{{\"{name}\":[{}]}}", vec![item; count].join(","));
    let place = r#"{"topic":"t","partition":0}"#;
    let offset = r#"{"topic":"t","partition":0,"offset":1}"#;
    let code = |error: ApiError| error.code.as_u16();
    assert_eq!(subscription(list("topics", "\"t\"", 1_001).as_bytes()).map_err(code), Err(422));
    let twice = subscription(list("topics", "\"t\"", 1_000).as_bytes()).unwrap();
    assert_eq!(twice, Subscription::Topics(vec!["t".to_owned()]), "each topic once");
    let pattern = format!("{{\"topic_pattern\":\"{}\"}}", "a".repeat(4_097));
    assert_eq!(subscription(pattern.as_bytes()).map_err(code), Err(422));
    assert_eq!(partitions(list("partitions", place, 10_001).as_bytes()).map_err(code), Err(422));
    assert_eq!(seeks(list("offsets", offset, 10_001).as_bytes()).map_err(code), Err(422));
    assert_eq!(commits(list("offsets", offset, 10_001).as_bytes()).map_err(code), Err(422));
    assert!(partitions(list("partitions", place, 10_000).as_bytes()).is_ok());
    assert_eq!(
        records(list("records", "0", 100_001).as_bytes(), Format::Json, false).map_err(code),
        Err(422)
    );
    let headers = list("headers", "0", 1_001);
    let record = format!("{{\"records\":[{{\"value\":1,{}}}]}}", headers.trim_matches(['{', '}']));
    assert_eq!(records(record.as_bytes(), Format::Json, false).map_err(code), Err(422));
}
