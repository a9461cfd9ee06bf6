use serde_json::{Value, json};

use super::*;

/// Whether writing the desired object would change nothing.
fn covers(live: &Value, desired: &Value) -> bool {
    differences(live, desired).is_empty()
}

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

#[test]
fn a_map_that_the_server_stores_as_a_whole_must_match_exactly() {
    let service = |labels: Value| json!({"kind": "Service", "spec": {"selector": labels}});
    let budget =
        |labels: Value| json!({"kind": "PodDisruptionBudget", "spec": {"selector": {"matchLabels": labels}}});
    let policy =
        |labels: Value| json!({"kind": "NetworkPolicy", "spec": {"podSelector": {"matchLabels": labels}}});
    let pods = |labels: Value| json!({"kind": "Deployment", "spec": {"template": {"spec": {"nodeSelector": labels}}}});
    let kinds: [&dyn Fn(Value) -> Value; 4] = [&service, &budget, &policy, &pods];
    for object in kinds {
        let object = |more: Value| {
            let mut labels = json!({"strimzi.io/cluster": "c"});
            labels.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            object(labels)
        };
        let desired = object(json!({}));
        assert!(covers(&desired.clone(), &desired));
        // An empty value and a value that a server fills in elsewhere select nothing here either.
        for more in [json!({"app": "nothing"}), json!({"app": ""}), json!({"protocol": "TCP"})] {
            assert!(!covers(&object(more.clone()), &desired), "{desired} with {more}");
        }
    }
    let expression = json!([{"key": "a", "operator": "Exists"}]);
    let mut seen = budget(json!({}));
    seen["spec"]["selector"]["matchExpressions"] = expression;
    assert!(!covers(&seen, &budget(json!({}))));
}

#[test]
fn a_reference_in_a_container_must_match_exactly_but_for_what_the_server_fills_in() {
    let deployment = |source: Value| {
        let container = json!({"name": "c", "env": [{"name": "V", "valueFrom": source}]});
        json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [container]}}}})
    };
    let desired = deployment(json!({"secretKeyRef": {"name": "s", "key": "k"}}));
    assert!(covers(&desired, &desired));
    assert!(!covers(
        &deployment(json!({"secretKeyRef": {"name": "s", "key": "k", "optional": true}})),
        &desired
    ));
    let desired = deployment(json!({"fieldRef": {"fieldPath": "spec.nodeName"}}));
    assert!(covers(
        &deployment(json!({"fieldRef": {"apiVersion": "v1", "fieldPath": "spec.nodeName"}})),
        &desired
    ));
}

#[test]
fn the_selector_of_a_custom_resource_is_no_whole_because_its_definition_does_not_say_so() {
    let set = |more: &str| json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "spec": {"selector": {"matchLabels": {"a": "b", more: "x"}}}});
    let mut desired = set("c");
    desired["spec"]["selector"]["matchLabels"] = json!({"a": "b"});
    assert!(covers(&set("c"), &desired), "a write could not take the key away");
}

#[test]
fn a_list_that_the_server_stores_as_a_whole_has_no_room_for_others_whatever_its_order() {
    let object = |ranges: Value| json!({"kind": "Service", "spec": {"loadBalancerSourceRanges": ranges}});
    let desired = object(json!(["10.0.0.0/8", "192.168.0.0/16"]));
    assert!(covers(&object(json!(["192.168.0.0/16", "10.0.0.0/8"])), &desired));
    assert!(!covers(&object(json!(["192.168.0.0/16", "10.0.0.0/8", "0.0.0.0/0"])), &desired));
}

/// The paths of the differences.
fn paths(live: &Value, desired: &Value) -> Vec<String> {
    differences(live, desired).into_iter().map(|difference| difference.path).collect()
}

#[test]
fn each_difference_names_its_field_and_both_values() {
    let deployment = |image: &str, memory: &str, label: &str| {
        json!({"metadata": {"labels": {"strimzi.io/kind": label}}, "spec": {"template": {"spec": {"containers": [
            {"name": "a", "image": "same"},
            {"name": "b", "image": image, "resources": {"limits": {"memory": memory}}},
        ]}}}})
    };
    let found = differences(&deployment("x:1", "1Gi", "Kafka"), &deployment("x:2", "1024Mi", "Other"));
    let expected = [
        Difference {
            path: "metadata.labels[strimzi.io/kind]".to_owned(),
            live: Some(json!("Kafka")),
            desired: Some(json!("Other")),
        },
        Difference {
            path: "spec.template.spec.containers[b].image".to_owned(),
            live: Some(json!("x:1")),
            desired: Some(json!("x:2")),
        },
    ];
    assert_eq!(found, expected);
    assert_eq!(found[1].to_string(), "spec.template.spec.containers[b].image: \"x:1\" instead of \"x:2\"");
}

#[test]
fn what_is_missing_and_what_is_no_longer_wanted_differ_too() {
    let own = json!({"f:metadata": {"f:labels": {"f:gone": {}}}, "f:spec": {"f:ports": {
        "k:{\"port\":9092,\"protocol\":\"TCP\"}": {".": {}, "f:port": {}}}}});
    let seen =
        live(json!({"metadata": {"labels": {"gone": "1"}}, "spec": {"ports": [{"port": 9092}]}}), &own);
    let desired = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"ports": [{"port": 9091}]}});
    assert_eq!(
        paths(&seen, &desired),
        [
            "metadata.labels.a",
            "spec.ports[9091/TCP]",
            "metadata.labels.gone",
            "spec.ports[{\"port\":9092,\"protocol\":\"TCP\"}]"
        ]
    );
    let nobodys = json!({"metadata": {"managedFields": []}});
    assert_eq!(paths(&nobodys, &json!({})), ["metadata.managedFields"]);
}

#[test]
fn a_difference_never_shows_what_a_secret_contains() {
    let secret = |value: &str| json!({"kind": "Secret", "type": "Opaque", "data": {"ca.key": value}});
    let found = differences(&secret("b2xk"), &secret("bmV3"));
    assert_eq!(found.len(), 1);
    let shown = format!("{found:?} {} {}", found[0], serde_json::to_string(&found).unwrap());
    assert!(shown.contains("data[ca.key]"), "{shown}");
    assert!(!shown.contains("b2xk") && !shown.contains("bmV3"), "{shown}");
}

#[test]
fn of_a_list_that_is_stored_as_a_whole_the_members_that_differ_are_named() {
    let pod = |name: &str, image: &str| json!({"metadata": {"name": name}, "spec": {"containers": [{"name": "kafka", "image": image}]}});
    let set = |pods: Value| json!({"apiVersion": "core.strimzi.io/v1", "kind": "StrimziPodSet", "spec": {"pods": pods}});
    let live = set(json!([pod("a-0", "x:1"), pod("a-1", "x:1")]));
    assert_eq!(
        paths(&live, &set(json!([pod("a-0", "x:1"), pod("a-1", "x:2")]))),
        ["spec.pods[1].spec.containers[kafka].image"]
    );
    // A pod more, a pod fewer, and a field that nobody wants.
    assert_eq!(
        paths(&live, &set(json!([pod("a-0", "x:1"), pod("a-1", "x:1"), pod("a-2", "x:1")]))),
        ["spec.pods[2]"]
    );
    assert_eq!(paths(&live, &set(json!([pod("a-0", "x:1")]))), ["spec.pods[1]"]);
    let mut more = live.clone();
    more["spec"]["pods"][0]["spec"]["hostNetwork"] = json!(true);
    assert_eq!(paths(&more, &live), ["spec.pods[0]"]);
    assert!(covers(&live, &live));
}

#[test]
fn members_that_their_keys_do_not_tell_apart_are_compared_by_position() {
    let pod = |claims: Value| {
        json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [
            {"name": "a", "resources": {"claims": claims}}]}}}})
    };
    for (claims, other) in [
        (json!([{}, {"request": "x"}]), json!([{}, {"request": "y"}])),
        (
            json!([{"name": "gpu", "request": "x"}, {"name": "gpu"}]),
            json!([{"name": "gpu"}, {"name": "gpu"}]),
        ),
    ] {
        assert!(covers(&pod(claims.clone()), &pod(claims.clone())), "{claims}");
        assert!(!covers(&pod(claims.clone()), &pod(other)), "{claims}");
        assert!(!covers(&pod(json!([claims[0]])), &pod(claims.clone())), "{claims}");
    }
}
