use kubectl_kafka::convert::{ConvertError, OutcomeKind, convert, summary, text};
use serde_json::Value;

use crate::{converted, input, json};

#[test]
fn documents_of_other_kinds_are_left_out_with_a_reason_and_unseen() {
    let others = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {password: hunter2}\n---\n\
                  apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: kafka}\n---\n\
                  apiVersion: kafka.strimzi.io/v1\nkind: Kafka\nmetadata: {name: there}\n---\n\
                  apiVersion: kafka.banzaicloud.io/v1alpha1\nkind: CruiseControlOperation\nmetadata: {name: task}\n---\n\n# Nothing.\n";
    let conversion = converted(&format!("{others}---\n{}", input("krallistic")));
    let left: Vec<&str> = conversion
        .documents
        .iter()
        .filter(|outcome| matches!(outcome.kind, OutcomeKind::LeftOut(_)))
        .map(|outcome| outcome.subject.as_str())
        .collect();
    assert_eq!(left, ["Secret s", "StatefulSet kafka", "Kafka there", "CruiseControlOperation task"]);
    let said = summary(&conversion);
    assert!(said.contains("Kafka there: left out: it is a Strimzi resource already"), "{said}");
    assert!(said.contains("StatefulSet kafka: left out") && !said.contains("hunter2"), "{said}");
    assert_eq!(convert(others).unwrap_err(), ConvertError::Nothing);
    assert_eq!(convert("").unwrap_err(), ConvertError::Nothing);
}

#[test]
fn a_list_and_json_are_read_too() {
    let one: Value = serde_saphyr::from_str(&input("krallistic")).unwrap();
    let mut two = one.clone();
    two["metadata"]["name"] = "second".into();
    let list = serde_json::json!({"apiVersion": "v1", "kind": "List", "items": [one, two]});
    let conversion = converted(&list.to_string());
    let names: Vec<Value> = conversion
        .resources()
        .map(json)
        .filter(|resource| resource["kind"] == "Kafka")
        .map(|kafka| kafka["metadata"]["name"].clone())
        .collect();
    assert_eq!(names, ["test-cluster-1", "second"]);
}

#[test]
fn a_document_that_cannot_be_read_is_named_by_its_line_and_stops_no_other() {
    let conversion = convert(&format!("{}---\na: [hunter2\n", input("krallistic"))).unwrap();
    assert!(conversion.has_failed() && conversion.resources().count() == 5, "{:#?}", conversion.documents);
    let said = summary(&conversion);
    let lines = input("krallistic").lines().count();
    let is_there = (1..=2).any(|more| said.contains(&format!("line {}", lines + 1 + more)));
    assert!(said.contains("document 2: not converted: cannot read") && is_there, "{said}");
    assert!(!said.contains("hunter2"), "{said}");
}

#[test]
fn what_is_not_accepted_is_not_printed() {
    let conversion =
        convert(&input("krallistic").replace("name: test-cluster-1", "name: test.cluster")).unwrap();
    assert!(conversion.has_failed() && conversion.resources().count() == 0);
    assert!(summary(&conversion).contains("metadata.name"), "{}", summary(&conversion));
}

#[test]
fn the_text_reads_back_as_the_resources_and_its_comments_end_with_their_lines() {
    for file in ["krallistic", "koperator", "koperator-kraft", "koperator-sasl", "tenxcloud"] {
        let broken = "a: b\u{2028}c\r\nkind: Secret";
        let text_in = input(file).replacen("\nspec:\n", &format!("\nspec:\n  oddity: {broken:?}\n"), 1);
        let text_in = text_in.replacen("\\u{2028}", "\u{2028}", 1);
        let conversion = converted(&text_in);
        let printed = text(&conversion).unwrap();
        let read: Vec<Value> = serde_saphyr::from_multiple(&printed).unwrap();
        let expected: Vec<Value> = conversion.resources().map(json).collect();
        assert_eq!(read, expected, "{printed}");
        assert!(printed.starts_with("# Converted from "), "{printed}");
        let comments = printed.lines().filter(|line| line.starts_with('#'));
        assert!(comments.clone().count() > 3, "{printed}");
        for line in comments {
            assert!(
                line.chars().count() <= 118 || !line.trim_start_matches(['#', ' ']).contains(' '),
                "{line}"
            );
        }
    }
}
