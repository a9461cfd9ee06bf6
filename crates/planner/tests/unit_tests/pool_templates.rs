//! The template of a pool and that of the Kafka resource: each section of the pool's replaces that of the resource as a whole, the
//! others stay, and another pool notices nothing.

use crate::common::{World, condition, documents, object, reference};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

/// Sections with metadata that both templates have, and where that of a pool's first node shows: the kind and the name of an
/// object, and the place in it.
const SECTIONS: [(&str, &str, &str, &str); 6] = [
    ("podSet", "StrimziPodSet", "my-POOL", "/metadata"),
    ("pod", "StrimziPodSet", "my-POOL", "/spec/pods/0/metadata"),
    ("perPodService", "Service", "my-POOL-nodes-ID", "/metadata"),
    ("perPodRoute", "Route", "my-POOL-routes-ID", "/metadata"),
    ("perPodIngress", "Ingress", "my-POOL-hosts-ID", "/metadata"),
    ("persistentVolumeClaim", "PersistentVolumeClaim", "data-my-POOL-ID", "/metadata"),
];

/// Containers that both templates have.
const CONTAINERS: [(&str, &str); 2] = [("kafkaContainer", "containers"), ("initContainer", "initContainers")];

/// A settled cluster with two pools, of which the first has a template.
fn settled(of_kafka: &Value, of_pool: &Value) -> Plan {
    let mut all = documents(&reference("dual-role.input.yaml"));
    let at = |kind: &str| all.iter().position(|document| document["kind"] == kind).unwrap();
    let (kafka, pool) = (at("Kafka"), at("KafkaNodePool"));
    all[kafka]["spec"]["kafka"]["template"] = of_kafka.clone();
    all[kafka]["spec"]["kafka"]["listeners"] = json!([
        {"name": "nodes", "port": 9094, "type": "nodeport", "tls": true},
        {"name": "routes", "port": 9095, "type": "route", "tls": true},
        {"name": "hosts", "port": 9096, "type": "ingress", "tls": true,
            "configuration": {"bootstrap": {"host": "b.example.org"}, "hostTemplate": "{nodeId}.example.org"}}]);
    all[pool]["spec"]["storage"] = json!({"type": "persistent-claim", "size": "1Gi"});
    let mut second = all[pool].clone();
    all[pool]["spec"]["template"] = of_pool.clone();
    second["metadata"]["name"] = json!("more");
    second["metadata"]["uid"] = json!("more-uid");
    second["spec"]["roles"] = json!(["broker"]);
    all.push(second);
    let mut world = World::new(all);
    for _ in 0..3 {
        let plan = world.plan();
        assert_eq!(condition(&plan, "NotReady").filter(|found| found["reason"] != "Creating"), None);
        world.apply(&plan);
        world.give_addresses();
        world.run_everything();
    }
    world.plan()
}

/// Both pools with their first nodes.
const POOLS: [(&str, &str); 2] = [("dual", "0"), ("more", "3")];

#[test]
fn a_section_of_a_pool_replaces_that_of_the_resource_for_this_pool_alone() {
    for (section, kind, name, place) in SECTIONS {
        let of_kafka =
            json!({section: {"metadata": {"labels": {"of": "kafka"}, "annotations": {"also": "kafka"}}}});
        let of_pool = json!({section: {"metadata": {"labels": {"of": "pool"}}}});
        for (of_pool, expected) in [
            (json!({}), [["kafka", "kafka"], ["kafka", "kafka"]]),
            (of_pool, [["pool", ""], ["kafka", "kafka"]]),
        ] {
            let plan = settled(&of_kafka, &of_pool);
            let found = POOLS.map(|(pool, id)| {
                let name = name.replace("POOL", pool).replace("ID", id);
                let metadata = object(&plan, kind, &name).pointer(place).unwrap();
                [&metadata["labels"]["of"], &metadata["annotations"]["also"]]
                    .map(|value| value.as_str().unwrap_or_default().to_owned())
            });
            assert_eq!(found, expected, "{section} {of_pool}");
        }
    }
}

#[test]
fn a_container_of_a_pool_replaces_that_of_the_resource_and_other_sections_stay() {
    let variable = |name: &str| json!({"env": [{"name": name, "value": "x"}]});
    for (section, list) in CONTAINERS {
        let of_kafka = json!({section: variable("OF_KAFKA"), "pod": {"priorityClassName": "high"}});
        let plan = settled(&of_kafka, &json!({section: variable("OF_POOL")}));
        for (pool, has, has_not) in [("dual", "OF_POOL", "OF_KAFKA"), ("more", "OF_KAFKA", "OF_POOL")] {
            let pod = &object(&plan, "StrimziPodSet", &format!("my-{pool}"))["spec"]["pods"][0];
            let variables = pod["spec"][list][0]["env"].to_string();
            assert!(
                variables.contains(has) && !variables.contains(has_not),
                "{section} of {pool}: {variables}"
            );
            assert_eq!(pod["spec"]["priorityClassName"], "high", "{section} of {pool}");
        }
    }
}
