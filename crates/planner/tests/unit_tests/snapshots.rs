//! Whole plans of clusters as users have them: every input `tests/snapshots/<name>.yaml` has its plan in `<name>.txt`.
//!
//! A plan that changed on purpose is written anew with `WRITE_SNAPSHOTS=1 cargo test -p planner --test unit_tests snapshots`; the
//! difference belongs into the review.

use crate::common;
mod render;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use api::labels::{COMPONENT_TYPE, component};
use common::World;
use pki::{Material, MaterialRequest, SecretPem};
use planner::completion::complete;
use planner::kafka::answer::Answer;
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use render::Objects;
use serde_json::{Value, json};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/snapshots")
}

fn world(name: &str) -> World {
    let text = std::fs::read_to_string(folder().join(format!("{name}.yaml"))).unwrap();
    let mut documents = common::documents(&text);
    for document in &mut documents {
        document["metadata"]["namespace"] = json!("kafka");
        document["metadata"]["uid"] = json!("the-uid");
        document["metadata"]["generation"] = json!(1);
    }
    World::new(documents)
}

/// The plan with identifiers that are the same every time.
fn planned(world: &World) -> Plan {
    let answered = complete(world.observed.clone(), world.now, |need| match need {
        Need::Material(request) => match request.as_ref() {
            MaterialRequest::Uuid { id } => {
                Answer::Material(Material::Text(SecretPem(format!("uuid-of-{id}"))))
            }
            _ => world.answer(need),
        },
        _ => world.answer(need),
    });
    answered.unwrap().1
}

/// Carries a plan out, and has every listener get its addresses.
fn begun(mut world: World) -> World {
    let plan = planned(&world);
    world.apply(&plan);
    world.give_addresses();
    world
}

/// Carries out plans until nothing changes any more.
fn settled(world: World) -> World {
    let mut world = begun(world);
    for _ in 0..4 {
        world = begun(world);
        world.run_everything();
    }
    world
}

fn check(name: &str, plan: &Plan, objects: Objects) {
    let text = render::plan(plan, objects);
    let file = folder().join(format!("{name}.txt"));
    if std::env::var_os("WRITE_SNAPSHOTS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    if text != expected {
        let differs = text.lines().zip(expected.lines()).position(|(now, before)| now != before);
        let at = differs.unwrap_or_else(|| text.lines().count().min(expected.lines().count()));
        let some =
            |text: &str| text.lines().skip(at.saturating_sub(3)).take(12).collect::<Vec<_>>().join("\n");
        panic!(
            "{} differs from line {}; is now:\n{}\nwas:\n{}\nif that is meant: WRITE_SNAPSHOTS=1",
            file.display(),
            at + 1,
            some(&text),
            some(&expected)
        );
    }
}

fn check_new(name: &str) {
    check(name, &planned(&world(name)), Objects::All);
}

#[test]
fn a_first_cluster_of_one_node() {
    check_new("one-node");
}

#[test]
fn production_with_pools_racks_volumes_users_and_the_exporter() {
    check_new("production");
}

#[test]
fn node_ports_with_addresses_of_ones_own() {
    check("node-ports", &planned(&begun(world("node-ports"))), Objects::All);
}

#[test]
fn load_balancers_that_have_no_address_yet() {
    check_new("load-balancers");
}

#[test]
fn load_balancers_that_have_their_addresses() {
    check("load-balancers-running", &planned(&settled(world("load-balancers"))), Objects::Changed);
}

#[test]
fn ingresses_and_routes() {
    check("hosts", &planned(&begun(world("hosts"))), Objects::All);
}

#[test]
fn a_gateway() {
    check("gateway", &planned(&begun(world("gateway"))), Objects::All);
}

#[test]
fn every_template() {
    check("templates", &planned(&begun(world("templates"))), Objects::All);
}

#[test]
fn custom_authentication_and_authorization() {
    check_new("custom-security");
}

#[test]
fn virtual_machine_probes_logging_and_a_rack_from_a_variable() {
    check_new("tuned");
}

#[test]
fn metrics_jmx_quotas_and_tiered_storage_with_jars_of_an_image_volume() {
    check_new("plug-ins");
}

#[test]
fn one_address_options_of_single_nodes_and_resizing_in_place() {
    check_new("extensions");
}

#[test]
fn a_manifest_of_the_time_of_zookeeper() {
    check_new("zookeeper");
}

#[test]
fn many_mistakes() {
    check_new("mistakes");
}

#[test]
fn a_running_cluster_of_which_a_broker_with_replicas_is_to_go() {
    let mut world = settled(world("production"));
    world.observed.view.as_mut().unwrap().brokers_with_replicas = Some([0, 1, 2].into());
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(2));
    world.kafka(|kafka| {
        for name in [
            "default.replication.factor",
            "offsets.topic.replication.factor",
            "transaction.state.log.replication.factor",
        ] {
            kafka["spec"]["kafka"]["config"][name] = json!(2);
        }
    });
    check("production-smaller", &planned(&world), Objects::Changed);
}

#[test]
fn a_running_cluster_that_gets_the_next_version() {
    let mut world = world("production");
    world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("4.2.1"));
    let mut world = settled(world);
    world.observed.view.as_mut().unwrap().metadata_level = Some(29);
    world.kafka(|kafka: &mut Value| kafka["spec"]["kafka"]["version"] = json!("4.3.1"));
    check("production-upgrade", &planned(&world), Objects::Changed);
}

#[test]
fn nothing_waits_for_an_object_that_is_not_of_kafkas_own_pods() {
    let mut single = world("load-balancers");
    single.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"][1]["configuration"] = json!({"singleAddress": {}});
    });
    let names = ["production", "node-ports", "load-balancers", "hosts", "gateway", "templates", "zookeeper"];
    let worlds = names.into_iter().map(world).chain([single]);
    let of_kafka = [
        component::KAFKA,
        component::CERTIFICATE_AUTHORITY,
        component::TRUST_BUNDLE,
        component::CLUSTER_OPERATOR_CERTS,
    ];
    let mut beside = BTreeSet::new();
    for world in worlds {
        for world in [world.clone(), begun(begun(world))] {
            for write in &planned(&world).apply {
                let type_ = write.object["metadata"]["labels"][COMPONENT_TYPE].as_str().unwrap();
                if of_kafka.contains(&type_) {
                    continue;
                }
                beside.insert(format!("{type_} {}", write.reference.kind));
                let (kind, name) = (&write.reference.kind, &write.reference.name);
                assert!(!write.stage.holds_up(), "{kind} {name} is written in the stage {:?}", write.stage);
            }
        }
    }
    for seen in ["kafka-proxy Deployment", "kafka-exporter Secret", "entity-topic-operator RoleBinding"] {
        assert!(beside.contains(seen), "{seen}: {beside:?}");
    }
}

#[test]
fn two_plans_of_one_cluster_read_the_same() {
    for name in ["production", "hosts", "templates"] {
        let text = || render::plan(&planned(&world(name)), Objects::All);
        assert_eq!(text(), text(), "{name}");
    }
}
