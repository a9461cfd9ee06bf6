//! A KafkaConnect on paper.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::{KafkaConnect, StrimziPodSet};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use objects::{ObjectId, Stored};
use pki::{Material, SecretPem};
use planner::completion::complete;
use planner::kafka_connect::call::ConnectCall;
use planner::kafka_connect::observed::{ConnectView, LiveConnect};
use planner::kafka_connect::plan::ConnectPlan;
use planner::live_object::LiveObject;
use planner::workers::need::{Silence, SilenceKind, WorkerAnswer, WorkerNeed};
use planner::workers::observed::ObservedWorkers;
use planner::workers::roll::WorkerRestart;
use serde_json::{Value, json};

/// A certificate and its key, for tests alone.
pub(crate) fn certificate() -> (String, String) {
    let request = issuer::AuthorityRequest {
        common_name: "test".to_owned(),
        organization: "test".to_owned(),
        validity_days: 30,
        algorithm: issuer::KeyAlgorithm::default(),
    };
    let made = issuer::Authority::generate(&request, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap();
    (made.certificate().as_str().to_owned(), made.key().expose().to_owned())
}

/// A Secret with these texts.
pub(crate) fn secret(name: &str, texts: &[(&str, &str)]) -> Arc<Secret> {
    let texts: BTreeMap<&str, &str> = texts.iter().copied().collect();
    let mut secret: Secret = serde_json::from_value(json!({"metadata": {"name": name}})).unwrap();
    let data = texts.into_iter();
    secret.data = Some(
        data.map(|(key, text)| (key.to_owned(), k8s_openapi::ByteString(text.as_bytes().to_vec()))).collect(),
    );
    Arc::new(secret)
}

/// Notes an object that was written.
pub(crate) fn put(observed: &mut ObservedWorkers, id: &ObjectId, object: &Value) {
    let name = id.name.clone();
    let mut object = object.clone();
    object["metadata"]["uid"] = json!(format!("uid-{name}"));
    match id.kind.as_str() {
        "Secret" => {
            let secret: Secret = serde_json::from_value(object).unwrap();
            observed.secrets.insert(name, Arc::new(secret));
        }
        "ConfigMap" => {
            let map: ConfigMap = serde_json::from_value(object).unwrap();
            observed.config_maps.insert(name, Arc::new(map));
        }
        "Pod" => {
            let pod: Pod = serde_json::from_value(object).unwrap();
            observed.pods.insert(name, Arc::new(pod));
        }
        "StrimziPodSet" => {
            let set: StrimziPodSet = serde_json::from_value(object).unwrap();
            observed.pod_sets.insert(name, Arc::new(set));
        }
        _ => {
            let metadata = serde_json::from_value(object["metadata"].clone()).unwrap();
            let body = Stored::of(&object).ok().map(Arc::new);
            let facts = LiveObject { body, ..LiveObject::of(&metadata) };
            observed.others.insert(id.clone(), facts);
        }
    }
}

/// What the pod-set controller and the kubelet do: pods that are listed and missing become ready.
pub(crate) fn make_pods(observed: &mut ObservedWorkers) {
    let sets: Vec<_> = observed.pod_sets.values().cloned().collect();
    let listed: Vec<Value> = sets.iter().flat_map(|set| set.spec.pods.clone()).collect();
    let names: BTreeSet<String> =
        listed.iter().map(|pod| pod["metadata"]["name"].as_str().unwrap().to_owned()).collect();
    observed.pods.retain(|name, _| names.contains(name) || name.ends_with("-build"));
    for mut pod in listed {
        let name = pod["metadata"]["name"].as_str().unwrap().to_owned();
        if observed.pods.contains_key(&name) {
            continue;
        }
        let revision = pod["metadata"]["annotations"].to_string();
        pod["metadata"]["uid"] = json!(format!("{name}-{revision}"));
        pod["status"] = json!({"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        observed.pods.insert(name, Arc::new(pod));
    }
}

/// A resource, and what is observed of it.
#[derive(Clone)]
pub(crate) struct Connect {
    pub resource: Value,
    pub observed: ObservedWorkers,
    pub now: Timestamp,
}

impl Connect {
    /// Out of the text of a manifest, with the Secrets of `reference/connect.input.yaml`.
    pub(crate) fn new(manifest: &str) -> Self {
        let resource: Value = serde_saphyr::from_str(manifest).unwrap();
        let mut settings = super::settings();
        settings.operator_namespace = None;
        let observed = ObservedWorkers {
            namespace: resource["metadata"]["namespace"].as_str().unwrap().to_owned(),
            settings: Arc::new(settings),
            ..ObservedWorkers::default()
        };
        let mut connect = Self { resource, observed, now: "2026-06-01T00:00:00Z".parse().unwrap() };
        let (certificate, key) = certificate();
        connect.refer(secret("shop-cluster-ca-cert", &[("ca.crt", &certificate), ("ca.password", "x")]));
        connect.refer(secret(
            "pipes",
            &[("user.crt", &certificate), ("user.key", &key), ("user.password", "x")],
        ));
        connect
    }

    /// Puts a Secret of the user's own there.
    pub(crate) fn refer(&mut self, secret: Arc<Secret>) {
        self.observed.referred_secrets.insert(secret.metadata.name.clone().unwrap(), secret);
    }

    pub(crate) fn resource(&self) -> KafkaConnect {
        serde_json::from_value(self.resource.clone()).unwrap()
    }

    /// The complete plan.
    pub(crate) fn plan(&self) -> ConnectPlan {
        let live = LiveConnect { connect: Arc::new(self.resource()), observed: self.observed.clone() };
        let answer = |need: &WorkerNeed| match need {
            WorkerNeed::Material(request) => {
                WorkerAnswer::Material(Material::Text(SecretPem(format!("made-{}", request.id()))))
            }
            WorkerNeed::Plugins(_) => {
                WorkerAnswer::Unknown(Silence::new(SilenceKind::UnderWay, "Kafka Connect is being asked"))
            }
            WorkerNeed::Holders(objects) => {
                WorkerAnswer::Holders(objects.iter().map(|object| (object.clone(), None)).collect())
            }
        };
        complete(ConnectView::Live(Box::new(live)), self.now, answer).unwrap().1
    }

    /// Carries a plan out: objects are there, and the pods that the pod set lists and that are not; a pod that restarts is gone.
    pub(crate) fn apply(&mut self, plan: &ConnectPlan) {
        for write in &plan.apply {
            put(&mut self.observed, &write.reference, &write.object);
        }
        for deletion in &plan.delete {
            let name = &deletion.object.name;
            self.observed.secrets.retain(|known, _| known != name || deletion.object.kind != "Secret");
            self.observed.pods.retain(|known, _| known != name || deletion.object.kind != "Pod");
            self.observed.config_maps.retain(|known, _| known != name || deletion.object.kind != "ConfigMap");
            self.observed.others.remove(&deletion.object);
        }
        for restart in restarts(plan) {
            self.observed.pods.remove(&restart.pod);
        }
        if let Some(status) = &plan.status {
            self.resource["status"] = serde_json::to_value(status).unwrap();
        }
        if plan.calls.is_empty() {
            self.make_pods();
        }
    }

    /// What the pod-set controller and the kubelet do: pods that are listed and missing become ready.
    pub(crate) fn make_pods(&mut self) {
        make_pods(&mut self.observed);
    }

    /// Makes a live pod unready.
    pub(crate) fn unready(&mut self, name: &str) {
        let mut pod = self.observed.pods[name].as_ref().clone();
        for condition in pod.status.as_mut().unwrap().conditions.as_mut().unwrap() {
            "False".clone_into(&mut condition.status);
        }
        self.observed.pods.insert(name.to_owned(), Arc::new(pod));
    }

    /// Plans and carries out until nothing is left to do.
    pub(crate) fn settle(&mut self) -> ConnectPlan {
        for _ in 0..30 {
            let plan = self.plan();
            self.apply(&plan);
            if plan.calls.is_empty() && plan.waiting_for.is_empty() {
                return plan;
            }
            self.make_pods();
        }
        panic!("never settled: {:?}", self.plan().waiting_for);
    }
}

/// What is observed of a resource of which nothing exists, and its first plan.
pub(crate) fn planned(manifest: &str) -> (ObservedWorkers, ConnectPlan) {
    let connect = Connect::new(manifest);
    let plan = connect.plan();
    (connect.observed, plan)
}

/// The workers that a plan restarts.
pub(crate) fn restarts(plan: &ConnectPlan) -> Vec<&WorkerRestart> {
    plan.calls.iter().filter_map(ConnectCall::restart).collect()
}

/// An object of a plan.
pub(crate) fn object<'a>(plan: &'a ConnectPlan, kind: &str, name: &str) -> &'a Value {
    let found = plan.apply.iter().find(|write| write.reference.kind == kind && write.reference.name == name);
    &found.unwrap_or_else(|| panic!("no {kind} {name}: {:?}", plan.status)).object
}

/// Whether the plan has an object.
pub(crate) fn has(plan: &ConnectPlan, kind: &str, name: &str) -> bool {
    plan.apply.iter().any(|write| write.reference.kind == kind && write.reference.name == name)
}

/// The one condition of a status that is no warning: its type and its message.
pub(crate) fn verdict(plan: &ConnectPlan) -> (String, String) {
    let conditions = plan.status.as_ref().unwrap().conditions.clone().unwrap();
    let said: Vec<_> = conditions.iter().filter(|condition| condition.type_ != "Warning").collect();
    assert_eq!(said.len(), 1, "{conditions:?}");
    (said[0].type_.clone(), said[0].message.clone().unwrap_or_default())
}
