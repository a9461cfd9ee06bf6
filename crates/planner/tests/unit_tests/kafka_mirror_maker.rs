//! KafkaMirrorMaker, that is MirrorMaker 1: what it means as a KafkaMirrorMaker2, and how that takes the place of what Strimzi ran.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{KafkaMirrorMaker, KafkaMirrorMaker2, annotations};
use k8s_openapi::api::apps::v1::Deployment;
use planner::completion::complete;
use planner::kafka_mirror_maker::observed::LiveMirrorMaker;
use planner::kafka_mirror_maker::plan::MirrorMakerPlan;
use planner::kafka_mirror_maker::view::MirrorMakerView;
use planner::silence::{Silence, SilenceKind};
use planner::workers::need::{WorkerAnswer, WorkerNeed};
use planner::workers::observed::ObservedWorkers;
use serde_json::{Value, json};

use crate::common;
use crate::common::mirror::Mirror;

/// A resource on paper, with what is there of the old and the new.
pub(crate) struct Older {
    pub(crate) resource: Value,
    made: Option<Value>,
    deployments: BTreeMap<String, Arc<Deployment>>,
}

impl Older {
    pub(crate) fn new() -> Self {
        let resource = json!({
            "apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaMirrorMaker",
            "metadata": {"name": "orders", "namespace": "ns", "uid": "u", "generation": 3, "labels": {"team": "a"}},
            "spec": {
                "version": "3.9.0", "replicas": 2, "include": "orders.*",
                "consumer": {"bootstrapServers": "old:9092", "groupId": "mirror", "numStreams": 3, "offsetCommitInterval": 5000,
                    "config": {"max.poll.records": 100, "ssl.protocol": "TLSv1.3"}},
                "producer": {"bootstrapServers": "my-kafka-bootstrap:9093", "config": {"compression.type": "zstd"},
                    "tls": {"trustedCertificates": [{"secretName": "my-cluster-ca-cert", "certificate": "ca.crt"}]}},
                "template": {"mirrorMakerContainer": {"env": [{"name": "A", "value": "b"}]}}
            }
        });
        Self { resource, made: None, deployments: BTreeMap::new() }
    }

    pub(crate) fn plan(&self) -> MirrorMakerPlan {
        let resource: KafkaMirrorMaker = serde_json::from_value(self.resource.clone()).unwrap();
        let made = self.made.clone().map(|made| Arc::new(serde_json::from_value(made).unwrap()));
        let observed = ObservedWorkers {
            namespace: "ns".to_owned(),
            settings: Arc::new(common::settings()),
            deployments: self.deployments.clone(),
            ..ObservedWorkers::default()
        };
        let live = LiveMirrorMaker { resource: Arc::new(resource), made, observed };
        let unasked = |_: &WorkerNeed| {
            WorkerAnswer::Unknown(Silence::new(SilenceKind::Refused, "nothing is to be asked"))
        };
        complete(MirrorMakerView::Live(Box::new(live)), "2026-06-01T00:00:00Z".parse().unwrap(), unasked)
            .unwrap()
            .1
    }

    /// Writes what is planned, and the status that the operator writes of it.
    fn write(&mut self, plan: &MirrorMakerPlan, status: &str) {
        let mut object = plan.apply[0].object.clone();
        object["metadata"]["generation"] = json!(1);
        object["status"] = json!({"observedGeneration": 1, "conditions": [
            {"type": status, "status": "True", "reason": "Creating", "message": "spec.mirrors[0].source.tls: is wrong"},
            {"type": "Warning", "status": "True", "reason": "Some", "message": "spec.target.config.x: is odd"}],
            "replicas": 2, "labelSelector": "a=b"});
        self.made = Some(object);
    }

    fn conditions(&self) -> String {
        json!(self.plan().status.unwrap().conditions).to_string()
    }
}

/// The Deployment that Strimzi made.
fn former() -> BTreeMap<String, Arc<Deployment>> {
    let deployment = json!({"metadata": {"name": "orders-mirror-maker", "namespace": "ns", "uid": "d",
        "labels": {"strimzi.io/cluster": "orders", "strimzi.io/kind": "KafkaMirrorMaker", "strimzi.io/name": "orders-mirror-maker",
            "app.kubernetes.io/managed-by": "strimzi-cluster-operator"},
        "ownerReferences": [{"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaMirrorMaker", "name": "orders", "uid": "u"}]}});
    BTreeMap::from([(
        "orders-mirror-maker".to_owned(),
        Arc::new(serde_json::from_value(deployment).unwrap()),
    )])
}

#[test]
fn it_means_mirroring_under_the_same_names_from_where_its_group_stands() {
    let older = Older::new();
    let plan = older.plan();
    let [write] = plan.apply.as_slice() else { panic!("{:?}", plan.apply) };
    assert_eq!(
        (write.reference.kind.as_str(), write.reference.name.as_str()),
        ("KafkaMirrorMaker2", "orders")
    );
    let made = &write.object;
    assert_eq!(made["metadata"]["labels"], json!({"team": "a"}), "a selector finds it");
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "u");
    let spec = &made["spec"];
    let mirror = &spec["mirrors"][0];
    assert_eq!(mirror["topicsPattern"], "orders.*");
    let config = &mirror["sourceConnector"]["config"];
    for (name, value) in [
        ("replication.policy.class", json!("org.apache.kafka.connect.mirror.IdentityReplicationPolicy")),
        ("source.consumer.group.id", json!("mirror")),
        ("source.consumer.auto.offset.reset", json!("latest")),
        ("source.consumer.max.poll.records", json!("100")),
        ("producer.override.compression.type", json!("zstd")),
    ] {
        assert_eq!(config[name], value, "{name}: {config}");
    }
    assert_eq!(mirror["sourceConnector"]["tasksMax"], 6, "as many consumers as before");
    assert_eq!(mirror["sourceConnector"]["state"], Value::Null);
    assert_eq!(mirror["source"]["config"], json!({"ssl.protocol": "TLSv1.3"}));
    assert_eq!(spec["target"]["groupId"], "mirror-maker.ns.orders");
    assert_eq!(spec["target"]["tls"], older.resource["spec"]["producer"]["tls"]);
    assert_eq!(spec["template"]["connectContainer"]["env"][0]["name"], "A");
    let conditions = older.conditions();
    assert!(conditions.contains("MirrorMaker 2 does what the resource asks for"), "{conditions}");

    // And that is one that MirrorMaker 2 carries out.
    let resource: KafkaMirrorMaker2 = serde_json::from_value(made.clone()).unwrap();
    let findings = planner::kafka_mirror_maker2::validate::alone(&resource, &common::settings());
    assert!(findings.problems.is_empty(), "{:?}", findings.problems);
    let mut without_tls = made.clone();
    without_tls["spec"]["target"].as_object_mut().unwrap().remove("tls");
    let mut mirror = Mirror::new(&without_tls.to_string());
    let connectors = mirror.made();
    let config = &connectors["source->target.MirrorSourceConnector"];
    assert_eq!((config["topics"].as_str(), config["tasks.max"].as_str()), ("orders.*", "6"));
}

#[test]
fn it_takes_the_place_of_the_deployment_without_a_record_twice() {
    let mut older = Older::new();
    older.deployments = former();
    assert!(older.plan().apply.is_empty() && older.plan().delete.is_empty(), "nothing happens unasked");
    let conditions = older.conditions();
    assert!(
        conditions.contains("TakeOverHeld") && conditions.contains(annotations::RUN_AS_MIRROR_MAKER_2),
        "{conditions}"
    );
    older.resource["metadata"]["annotations"] = json!({annotations::RUN_AS_MIRROR_MAKER_2: "true"});
    let plan = older.plan();
    let state = |plan: &MirrorMakerPlan| {
        plan.apply[0].object["spec"]["mirrors"][0]["sourceConnector"]["state"].clone()
    };
    assert_eq!((state(&plan), plan.delete.len()), (json!("stopped"), 0), "the Deployment mirrors on");
    older.write(&plan, "NotReady");
    assert!(older.plan().delete.is_empty(), "nothing is ready to go on");
    let conditions = older.conditions();
    assert!(
        conditions.contains("spec.consumer.tls: is wrong")
            && conditions.contains("spec.producer.config.x: is odd"),
        "{conditions}"
    );
    older.write(&plan, "Ready");
    let plan = older.plan();
    let gone: Vec<&str> = plan.delete.iter().map(|gone| gone.object.name.as_str()).collect();
    assert_eq!(gone, ["orders-mirror-maker"]);
    assert!(!older.conditions().contains(r#""type":"Ready""#), "it mirrors nothing yet");
    older.deployments.clear();
    let plan = older.plan();
    assert_eq!(state(&plan), Value::Null);
    assert!(plan.apply[0].is_change());
    older.write(&plan, "Ready");
    let plan = older.plan();
    assert!(!plan.apply[0].is_change() && plan.delete.is_empty(), "{:?}", plan.apply[0]);
    let status = plan.status.unwrap();
    assert!(older.conditions().contains(r#""type":"Ready""#), "{status:?}");
    assert_eq!((status.replicas, status.label_selector.as_deref()), (Some(2), Some("a=b")));
    assert_eq!(status.observed_generation, Some(3));
}

#[test]
fn what_cannot_be_taken_is_refused_with_its_fields() {
    let mut older = Older::new();
    older.resource["spec"].as_object_mut().unwrap().remove("include");
    older.resource["spec"]["consumer"]["config"]["group.id"] = json!("other");
    assert!(older.plan().apply.is_empty());
    let conditions = older.conditions();
    for words in ["InvalidResourceException", "spec.include", "spec.consumer.config.group.id"] {
        assert!(conditions.contains(words), "{words}: {conditions}");
    }
    older.resource["spec"]["whitelist"] = json!("a,b");
    older.resource["spec"]["consumer"]["config"] = json!({});
    let plan = older.plan();
    assert_eq!(plan.apply[0].object["spec"]["mirrors"][0]["topicsPattern"], "a,b");
    assert!(older.conditions().contains("write spec.include instead"));

    // A KafkaMirrorMaker2 of a person's.
    let mut foreign = plan.apply[0].object.clone();
    foreign["metadata"].as_object_mut().unwrap().remove("ownerReferences");
    older.made = Some(foreign);
    let plan = older.plan();
    assert!(plan.apply.is_empty() && plan.delete.is_empty());
    let conditions = older.conditions();
    assert!(conditions.contains("KafkaMirrorMaker2 orders is not of this resource"), "{conditions}");
}

#[test]
fn offsets_of_one_cluster_are_never_those_of_another() {
    let mut older = Older::new();
    let plan = older.plan();
    older.write(&plan, "Ready");
    older.resource["spec"]["consumer"]["bootstrapServers"] = json!("new:9092, old:9092");
    assert_eq!(older.plan().apply.len(), 1, "an address more is the same cluster");
    for (section, field, value) in [
        ("consumer", "bootstrapServers", "elsewhere:9092"),
        ("producer", "bootstrapServers", "elsewhere:9092"),
        ("consumer", "groupId", "other"),
    ] {
        let mut changed = older.resource.clone();
        std::mem::swap(&mut changed, &mut older.resource);
        older.resource["spec"][section][field] = json!(value);
        assert!(older.plan().apply.is_empty(), "{field}");
        let conditions = older.conditions();
        assert!(conditions.contains(&format!("spec.{section}.{field}")), "{conditions}");
        older.resource = changed;
    }
}
