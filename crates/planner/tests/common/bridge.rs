//! A KafkaBridge on paper.

use std::sync::Arc;

use api::KafkaBridge;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use objects::{ObjectId, Stored};
use planner::completion::complete;
use planner::kafka_bridge::observed::{BridgeView, LiveBridge};
use planner::kafka_bridge::plan::BridgePlan;
use planner::live_object::LiveObject;
use planner::workers::need::{WorkerAnswer, WorkerNeed};
use planner::workers::observed::ObservedWorkers;
use serde_json::{Value, json};

use super::connect::{certificate, secret};

/// A resource, and what is observed of it.
#[derive(Clone)]
pub(crate) struct Bridge {
    pub resource: Value,
    pub observed: ObservedWorkers,
    pub now: Timestamp,
}

impl Bridge {
    /// Out of the text of a manifest, with the certificate of a Kafka cluster and that of a user.
    pub(crate) fn new(manifest: &str) -> Self {
        let mut resource: Value = serde_saphyr::from_str(manifest).unwrap();
        for (field, default) in [("namespace", "s1"), ("uid", "u")] {
            if resource["metadata"][field].is_null() {
                resource["metadata"][field] = json!(default);
            }
        }
        let observed = ObservedWorkers {
            namespace: resource["metadata"]["namespace"].as_str().unwrap().to_owned(),
            settings: Arc::new(super::settings()),
            ..ObservedWorkers::default()
        };
        let mut bridge = Self { resource, observed, now: "2026-06-01T00:00:00Z".parse().unwrap() };
        let (certificate, key) = certificate();
        for name in ["shop-cluster-ca-cert", "my-cluster-ca-cert"] {
            bridge.refer(secret(name, &[("ca.crt", &certificate), ("ca.password", "x")]));
        }
        bridge.refer(secret(
            "web",
            &[("user.crt", &certificate), ("user.key", &key), ("password", "hunter2"), ("other", "x")],
        ));
        bridge
    }

    /// Puts a Secret of the user's own there.
    pub(crate) fn refer(&mut self, secret: Arc<Secret>) {
        self.observed.referred_secrets.insert(secret.metadata.name.clone().unwrap(), secret);
    }

    /// The complete plan.
    pub(crate) fn plan(&self) -> BridgePlan {
        let resource: KafkaBridge = serde_json::from_value(self.resource.clone()).unwrap();
        let live = LiveBridge { bridge: Arc::new(resource), observed: self.observed.clone() };
        let answer = |need: &WorkerNeed| match need {
            WorkerNeed::Material(request) => panic!("a bridge needs no {request:?}"),
            WorkerNeed::Plugins(_) => panic!("a bridge has no plug-ins"),
            WorkerNeed::Holders(objects) => {
                WorkerAnswer::Holders(objects.iter().map(|object| (object.clone(), None)).collect())
            }
        };
        complete(BridgeView::Live(Box::new(live)), self.now, answer).unwrap().1
    }

    /// Carries a plan out: the objects and the status are there.
    pub(crate) fn apply(&mut self, plan: &BridgePlan) {
        for write in &plan.apply {
            self.put(&write.reference, &write.object);
        }
        for deletion in &plan.delete {
            let name = &deletion.object.name;
            self.observed.secrets.retain(|known, _| known != name || deletion.object.kind != "Secret");
            self.observed.others.remove(&deletion.object);
        }
        if let Some(status) = &plan.status {
            self.resource["status"] = serde_json::to_value(status).unwrap();
        }
    }

    fn put(&mut self, id: &ObjectId, object: &Value) {
        let name = id.name.clone();
        let mut object = object.clone();
        object["metadata"]["uid"] = json!(format!("uid-{name}"));
        match id.kind.as_str() {
            "Secret" => {
                let secret: Secret = serde_json::from_value(object).unwrap();
                self.observed.secrets.insert(name, Arc::new(secret));
            }
            "ConfigMap" => {
                let map: ConfigMap = serde_json::from_value(object).unwrap();
                self.observed.config_maps.insert(name, Arc::new(map));
            }
            "Deployment" => {
                let mut deployment: Deployment = serde_json::from_value(object).unwrap();
                let before = self.observed.deployments.get(&name);
                deployment.status = before.and_then(|before| before.status.clone());
                let generation = before.and_then(|before| before.metadata.generation).unwrap_or(0);
                let changed = before.is_none_or(|before| before.spec != deployment.spec);
                deployment.metadata.generation = Some(generation + i64::from(changed));
                self.observed.deployments.insert(name, Arc::new(deployment));
            }
            _ => {
                let metadata = serde_json::from_value(object["metadata"].clone()).unwrap();
                let body = Stored::of(&object).ok().map(Arc::new);
                let facts = LiveObject { body, ..LiveObject::of(&metadata) };
                self.observed.others.insert(id.clone(), facts);
            }
        }
    }

    /// What the controller of Deployments does: as many pods as were asked for are available.
    pub(crate) fn deploy(&mut self) {
        self.available(None);
    }

    /// So many pods of the present generation are available; `None`: all.
    pub(crate) fn available(&mut self, pods: Option<i32>) {
        for deployment in self.observed.deployments.values_mut() {
            let mut changed = deployment.as_ref().clone();
            let wanted = changed.spec.as_ref().unwrap().replicas.unwrap();
            let available = pods.unwrap_or(wanted);
            let status = json!({"observedGeneration": changed.metadata.generation, "replicas": wanted,
                "updatedReplicas": wanted, "availableReplicas": available, "unavailableReplicas": wanted - available});
            changed.status = Some(serde_json::from_value(status).unwrap());
            *deployment = Arc::new(changed);
        }
    }

    /// A live pod with this status.
    pub(crate) fn pod(&mut self, name: &str, status: &Value) {
        let deployment = self.observed.deployments.values().next().unwrap();
        let mut pod = serde_json::to_value(&deployment.spec.as_ref().unwrap().template).unwrap();
        pod["metadata"]["name"] = json!(name);
        pod["status"] = status.clone();
        let pod: Pod = serde_json::from_value(pod).unwrap();
        self.observed.pods.insert(name.to_owned(), Arc::new(pod));
    }

    /// Plans and carries out until nothing is left to do.
    pub(crate) fn settle(&mut self) -> BridgePlan {
        for _ in 0..10 {
            let plan = self.plan();
            self.apply(&plan);
            self.deploy();
            if plan.waiting_for.is_empty() {
                return plan;
            }
        }
        panic!("never settled: {:?}", self.plan().waiting_for);
    }
}

/// An object of a plan.
pub(crate) fn object<'a>(plan: &'a BridgePlan, kind: &str, name: &str) -> &'a Value {
    let found = plan.apply.iter().find(|write| write.reference.kind == kind && write.reference.name == name);
    &found.unwrap_or_else(|| panic!("no {kind} {name}: {:?}", plan.status)).object
}

/// Kinds and names of the objects of a plan.
pub(crate) fn names(plan: &BridgePlan) -> Vec<String> {
    plan.apply.iter().map(|write| format!("{} {}", write.reference.kind, write.reference.name)).collect()
}

/// The one condition of a status that is no warning: its type and its message.
pub(crate) fn verdict(plan: &BridgePlan) -> (String, String) {
    let conditions = plan.status.as_ref().unwrap().conditions.clone().unwrap();
    let said: Vec<_> = conditions.iter().filter(|condition| condition.type_ != "Warning").collect();
    assert_eq!(said.len(), 1, "{conditions:?}");
    (said[0].type_.clone(), said[0].message.clone().unwrap_or_default())
}

/// The warnings of a status.
pub(crate) fn warnings(plan: &BridgePlan) -> Vec<String> {
    let conditions = plan.status.as_ref().unwrap().conditions.clone().unwrap();
    let warnings = conditions.into_iter().filter(|condition| condition.type_ == "Warning");
    warnings
        .map(|one| format!("{}: {}", one.reason.unwrap_or_default(), one.message.unwrap_or_default()))
        .collect()
}
