//! A KafkaMirrorMaker2 on paper.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::KafkaMirrorMaker2;
use jiff::Timestamp;
use pki::{Material, SecretPem};
use planner::completion::{Observation as _, complete};
use planner::kafka_connector::actual::{Actual, Part, State};
use planner::kafka_connector::call::ConnectorCall;
use planner::kafka_connector::past::Past;
use planner::kafka_mirror_maker2::form;
use planner::kafka_mirror_maker2::observed::{Connect, LiveMirrorMaker2};
use planner::kafka_mirror_maker2::plan::{MirrorMaker2Call, MirrorMaker2Plan};
use planner::kafka_mirror_maker2::progress::Known;
use planner::kafka_mirror_maker2::removals::Removals;
use planner::kafka_mirror_maker2::view::MirrorMaker2View;
use planner::silence::{Silence, SilenceKind};
use planner::workers::need::{WorkerAnswer, WorkerNeed};
use planner::workers::observed::ObservedWorkers;
use serde_json::{Value, json};

use super::connect::{certificate, make_pods, put, secret};

/// A resource, what is observed of it, and a Connect that does what it is told.
#[derive(Clone)]
pub(crate) struct Mirror {
    pub resource: Value,
    pub observed: ObservedWorkers,
    pub connect: Connect,
    pub past: BTreeMap<String, Past>,
    pub removals: Removals,
    pub progress: Known,
    pub now: Timestamp,
}

impl Mirror {
    /// Out of the text of a manifest, with a Secret `mm` that has a password, a certificate and a key.
    pub(crate) fn new(manifest: &str) -> Self {
        let resource: Value = serde_saphyr::from_str(manifest).unwrap();
        let mut settings = super::settings();
        settings.operator_namespace = None;
        let mut observed = ObservedWorkers {
            namespace: resource["metadata"]["namespace"].as_str().unwrap().to_owned(),
            settings: Arc::new(settings),
            ..ObservedWorkers::default()
        };
        let (certificate, key) = certificate();
        let own = secret("mm", &[("password", "hunter2"), ("user.crt", &certificate), ("user.key", &key)]);
        observed.referred_secrets.insert("mm".to_owned(), own);
        let now = "2026-06-01T00:00:00Z".parse().unwrap();
        Self {
            resource,
            observed,
            connect: Connect::Unasked,
            past: BTreeMap::new(),
            removals: Removals::default(),
            progress: Known::Off,
            now,
        }
    }

    pub(crate) fn resource(&self) -> KafkaMirrorMaker2 {
        serde_json::from_value(self.resource.clone()).unwrap()
    }

    /// The complete plan.
    pub(crate) fn plan(&self) -> MirrorMaker2Plan {
        let resource = self.resource();
        let wanted = form::connector_names(&resource);
        let (mut connect, mut removals) = (self.connect.clone(), self.removals.clone());
        if let Connect::Here(connectors) = &mut connect {
            let others = connectors.keys().filter(|name| !wanted.contains(*name)).cloned();
            removals.add(others.collect::<Vec<_>>());
            connectors.retain(|name, _| wanted.contains(name));
        }
        let live = LiveMirrorMaker2 {
            resource: Arc::new(resource),
            observed: self.observed.clone(),
            connect,
            past: self.past.clone(),
            answered: Vec::new(),
            progress: self.progress.clone(),
            removals,
        };
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
        let mut view = MirrorMaker2View::Live(Box::new(live));
        view.prepare(self.now);
        complete(view, self.now, answer).unwrap().1
    }

    /// Carries a plan out.
    pub(crate) fn apply(&mut self, plan: &MirrorMaker2Plan) {
        for write in &plan.apply {
            put(&mut self.observed, &write.reference, &write.object);
        }
        for call in &plan.calls {
            match call {
                MirrorMaker2Call::Restart(restart) => drop(self.observed.pods.remove(&restart.pod)),
                MirrorMaker2Call::Remove { name } => {
                    self.connectors().remove(name);
                    self.removals.note_gone(name);
                }
                MirrorMaker2Call::Connector { name, doing, .. } => {
                    let now = self.now;
                    self.past.entry(name.clone()).or_default().note_made(&doing.call, now);
                    self.call(name, &doing.call);
                }
            }
        }
        if let Some(status) = &plan.status {
            self.resource["status"] = serde_json::to_value(status).unwrap();
        }
        if !plan.calls.iter().any(|call| matches!(call, MirrorMaker2Call::Restart(_))) {
            make_pods(&mut self.observed);
        }
    }

    /// The connectors that there are.
    pub(crate) fn connectors(&mut self) -> &mut BTreeMap<String, Actual> {
        if !matches!(self.connect, Connect::Here(_)) {
            self.connect = Connect::Here(BTreeMap::new());
        }
        match &mut self.connect {
            Connect::Here(connectors) => connectors,
            _ => unreachable!("it was just put there"),
        }
    }

    fn call(&mut self, name: &str, call: &ConnectorCall) {
        let state = |state: api::common::connector::ConnectorState| State::of(&state.as_str().to_uppercase());
        let part = |state: State| Part { state, worker: "w".to_owned(), trace: None, version: None };
        match call {
            ConnectorCall::Create { config, state: wanted } => {
                let (connector, task) = (part(state(*wanted)), part(state(*wanted)));
                let actual = Actual {
                    config: config.clone(),
                    type_: Some("source".to_owned()),
                    connector,
                    tasks: BTreeMap::from([(0, task)]),
                };
                self.connectors().insert(name.to_owned(), actual);
            }
            ConnectorCall::Configure { config } => {
                self.connectors().get_mut(name).unwrap().config = config.clone();
            }
            ConnectorCall::Stop => {
                self.connectors().get_mut(name).unwrap().connector.state = State::Stopped;
            }
            _ => {}
        }
    }

    /// Plans and carries out until nothing is left to do.
    pub(crate) fn settle(&mut self) -> MirrorMaker2Plan {
        for _ in 0..30 {
            let plan = self.plan();
            let has_calls = !plan.calls.is_empty();
            self.apply(&plan);
            if !has_calls && plan.waiting_for.is_empty() && self.connect != Connect::Unasked {
                return self.plan();
            }
            make_pods(&mut self.observed);
            self.connectors();
        }
        panic!("never settled: {:?}", self.plan());
    }

    /// The options with which each connector is made, by name.
    pub(crate) fn made(&mut self) -> BTreeMap<String, BTreeMap<String, String>> {
        self.settle();
        self.connectors().iter().map(|(name, actual)| (name.clone(), actual.config.clone())).collect()
    }

    /// The one condition of the status that is no warning: its type and message.
    pub(crate) fn verdict(&self) -> (String, String) {
        let conditions = self.plan().common.status.unwrap().conditions.unwrap();
        let said: Vec<_> = conditions.iter().filter(|condition| condition.type_ != "Warning").collect();
        assert_eq!(said.len(), 1, "{conditions:?}");
        (said[0].type_.clone(), said[0].message.clone().unwrap_or_default())
    }

    /// All warnings.
    pub(crate) fn warnings(&self) -> String {
        let conditions = self.plan().common.status.unwrap().conditions.unwrap();
        let said = conditions.iter().filter(|condition| condition.type_ == "Warning");
        let texts: Vec<String> = said
            .map(|condition| {
                let message = condition.message.clone().unwrap_or_default();
                format!("{}: {message}", condition.reason.clone().unwrap_or_default())
            })
            .collect();
        texts.join("\n")
    }

    /// Adds an annotation.
    pub(crate) fn annotate(&mut self, key: &str, value: &str) {
        self.resource["metadata"]["annotations"][key] = json!(value);
    }
}
