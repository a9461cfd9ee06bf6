use serde_json::{Value, json};

use super::*;

/// A live object with our entry in the managed fields.
fn live(mut object: Value, own: &Value) -> Value {
    object["metadata"]["managedFields"] =
        json!([{"manager": "strimzi-kafka-operator", "operation": "Apply", "fieldsV1": own}]);
    object
}

fn service(ports: &Value) -> Value {
    json!({"metadata": {"name": "s", "labels": {"a": "1"}}, "spec": {"ports": ports}})
}

#[test]
fn fields_that_the_server_or_others_added_are_no_difference() {
    let desired = service(&json!([{"name": "p", "port": 9091}]));
    let seen = json!({
        "metadata": {"name": "s", "uid": "u", "resourceVersion": "7", "labels": {"a": "1", "other": "x"}},
        "spec": {"clusterIP": "10.0.0.1", "ports": [{"name": "p", "port": 9091, "protocol": "TCP", "targetPort": 9091}]},
        "status": {}
    });
    assert!(covers(&seen, &desired));
}

#[test]
fn a_changed_value_is_a_difference() {
    let desired = service(&json!([{"name": "p", "port": 9091, "targetPort": 1}]));
    assert!(!covers(&service(&json!([{"name": "p", "port": 9091, "targetPort": 2}])), &desired));
    assert!(!covers(&service(&json!([{"name": "p", "port": 9092, "targetPort": 1}])), &desired));
}

#[test]
fn lists_with_keys_are_compared_in_any_order() {
    let pod = |containers: Value| json!({"spec": {"template": {"spec": {"containers": containers}}}});
    let desired = pod(json!([
        {"name": "a", "env": [{"name": "X", "value": "1"}, {"name": "Y", "value": "2"}]},
        {"name": "b", "ports": [{"containerPort": 1, "name": "p"}]}
    ]));
    let seen = pod(json!([
        {"name": "b", "ports": [{"containerPort": 1, "name": "p", "protocol": "TCP"}]},
        {"name": "sidecar"},
        {"name": "a", "env": [{"name": "Y", "value": "2"}, {"name": "X", "value": "1"}]}
    ]));
    assert!(covers(&seen, &desired));
}

#[test]
fn spellings_of_a_quantity_are_equal_and_of_a_label_are_not() {
    let object = |memory: &str, label: &str| {
        json!({"metadata": {"labels": {"l": label}}, "spec": {"containers": [{"name": "c", "resources": {"requests": {"memory": memory, "cpu": "500m"}}}],
            "volumes": [{"name": "v", "emptyDir": {"sizeLimit": memory}}]}})
    };
    assert!(covers(&object("1073741824", "1"), &object("1Gi", "1")));
    assert!(!covers(&object("1Gi", "1000m"), &object("1Gi", "1")));
    assert!(!covers(&object("1G", "1"), &object("1Gi", "1")));
}

#[test]
fn a_label_or_a_port_that_left_the_plan_is_seen_in_the_managed_fields() {
    let own = json!({"f:metadata": {"f:labels": {"f:a": {}, "f:gone": {}}}, "f:spec": {"f:ports": {
        "k:{\"port\":9091,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}, "f:name": {}}}}});
    let seen = live(
        json!({"metadata": {"name": "s", "labels": {"a": "1", "gone": "1"}}, "spec": {"ports": [{"name": "p", "port": 9091, "protocol": "TCP"}]}}),
        &own,
    );
    let mut desired = service(&json!([{"name": "p", "port": 9091}]));
    assert!(!covers(&seen, &desired), "the label 'gone' has to be removed");
    desired["metadata"]["labels"]["gone"] = "1".into();
    assert!(covers(&seen, &desired));
    desired["spec"]["ports"] = json!([]);
    assert!(!covers(&seen, &desired), "the port has to be removed");
}

#[test]
fn an_object_that_we_never_wrote_is_written_once() {
    let mut seen = service(&json!([{"name": "p", "port": 9091}]));
    let desired = seen.clone();
    seen["metadata"]["managedFields"] = json!([]);
    assert!(!covers(&seen, &desired));
}

#[test]
fn a_list_stored_as_a_whole_must_match_exactly_but_for_what_the_server_fills_in() {
    let policy = |ingress: Value| json!({"spec": {"ingress": ingress}});
    let desired =
        policy(json!([{"ports": [{"port": 9090}], "from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]));
    let filled = policy(
        json!([{"ports": [{"port": 9090, "protocol": "TCP"}], "from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]),
    );
    assert!(covers(&filled, &desired));
    let wider = policy(
        json!([{"ports": [{"port": 9090, "protocol": "TCP"}], "from": [{"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {"matchLabels": {"x": "y"}}}]}]),
    );
    assert!(!covers(&wider, &desired));
    let more = policy(
        json!([{"ports": [{"port": 9090}, {"port": 1}], "from": [{"podSelector": {"matchLabels": {"a": "b"}}}]}]),
    );
    assert!(!covers(&more, &desired));
}

#[test]
fn an_empty_selector_is_not_the_same_as_none() {
    let policy = |peer: Value| json!({"spec": {"ingress": [{"from": [peer]}]}});
    let all = json!({"podSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {}});
    assert!(!covers(&policy(json!({"podSelector": {"matchLabels": {"a": "b"}}})), &policy(all.clone())));
    assert!(!covers(&policy(all), &policy(json!({"podSelector": {"matchLabels": {"a": "b"}}}))));
}

#[test]
fn false_counts_where_the_server_keeps_it() {
    let spec = |value: Value| json!({"spec": value});
    assert!(!covers(&spec(json!({})), &spec(json!({"automountServiceAccountToken": false}))));
    assert!(covers(&spec(json!({})), &spec(json!({"hostNetwork": false}))));
    assert!(!covers(&spec(json!({})), &spec(json!({"replicas": 0}))));
    let own = json!({"f:spec": {"f:readOnly": {}}});
    assert!(covers(&live(json!({"spec": {}}), &own), &spec(json!({"readOnly": false}))));
}

#[test]
fn secret_data_is_compared_as_it_is() {
    let secret = |value: &str| json!({"data": {"limits": value, "k": "1"}});
    assert!(covers(&secret("MQ=="), &secret("MQ==")));
    assert!(!covers(&secret("1000m"), &secret("1")));
}

#[test]
fn owner_references_are_told_apart_by_uid() {
    let object = |owners: Value| json!({"metadata": {"ownerReferences": owners}});
    let ours = json!({"uid": "1", "kind": "Kafka", "name": "c", "apiVersion": "v1", "controller": false});
    let both = json!([{"uid": "2", "kind": "X", "name": "x", "apiVersion": "v1"}, ours]);
    assert!(covers(&object(both), &object(json!([ours]))));
}
