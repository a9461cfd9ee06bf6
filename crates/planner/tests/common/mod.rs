//! A cluster on paper: plans are carried out on the observed state itself, so that a test can go on with the next pass.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]
#![allow(dead_code, reason = "every test file uses its own part")]

pub(crate) mod applied;
pub(crate) mod at_work;
pub(crate) mod bridge;
pub(crate) mod cert_manager;
pub(crate) mod connect;
pub(crate) mod exposure;
pub(crate) mod inputs;
pub(crate) mod java_properties;
pub(crate) mod mirror;
pub(crate) mod planned;
pub(crate) mod roll;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use api::agent::{AgentReport, CertificatesInUse, RecoveryState, Unresponsive};
use api::{Kafka, KafkaNodePool};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Pod, Service, ServicePort};
use objects::{DesiredObject, ObjectId, Stored};
use planner::completion::complete;
use planner::kafka::answer::Answer;
use planner::kafka::config::live::memory::{OptionMemory, SettledOptions};
use planner::kafka::config::model::{self, Scope};
use planner::kafka::drain_view::DrainView;
use planner::kafka::exposed::{NodeAddresses, Route, TlsRoute};
use planner::kafka::held_topic::HeldTopic;
use planner::kafka::kubernetes_node_state::KubernetesNode;
use planner::kafka::leaderless_view::LeaderlessView;
use planner::kafka::log_dirs_view::{FailedLogDirs, LogDirsView};
use planner::kafka::need::{Admission, Need, Silence, SilenceKind};
use planner::kafka::observed::{ConfigView, KafkaView, Observed, QuorumView, TieredTopics};
use planner::kafka::operator_turns::Turn;
use planner::kafka::plan::Plan;
use planner::kafka::roll_view::RollKafka;
use planner::live_object::LiveObject;
use planner::ownership::Holder;
use serde_json::{Value, json};

#[allow(unused_imports, reason = "every test file uses its own part")]
pub(crate) use self::inputs::{documents, reference, settings};
#[allow(unused_imports, reason = "every test file uses its own part")]
pub(crate) use self::planned::{condition, kafka_status, object, pool_status, warning_with};

/// A cluster on paper.
#[derive(Clone)]
pub(crate) struct World {
    pub observed: Observed,
    pub now: Timestamp,
    /// What storage classes allow; others are not known.
    pub storage_classes: BTreeMap<String, Option<bool>>,
    /// What Kafka says of a restart; `None`: all is well, and there are no topics.
    pub roll: Option<RollKafka>,
    /// Pods that recover their logs.
    pub recoveries: BTreeMap<String, RecoveryState>,
    /// For how long the Kafka of pods has answered nothing, as their agents say; `None`: no agent answers.
    pub unresponsive_nodes: Option<BTreeMap<String, Unresponsive>>,
    /// Pods that the API server would not create, and why.
    pub refused_pods: BTreeMap<String, String>,
    /// Writes of objects with overrides that the API server would not take, by kind and name, and why.
    pub refused_writes: BTreeMap<(&'static str, &'static str), &'static str>,
    /// Objects that do not carry the labels of the cluster.
    pub strangers: BTreeMap<(&'static str, &'static str), Value>,
    /// How Kubernetes nodes are; of others the operator may not know.
    pub kubernetes_nodes: BTreeMap<String, KubernetesNode>,
    /// What the last plan asked for.
    pub asked: Vec<Need>,
    /// Default quotas of users in Kafka; `None`: it does not answer.
    pub default_quotas: Option<BTreeMap<String, f64>>,
    /// Topics with remote storage; `None`: Kafka does not say.
    pub tiered_topics: Option<TieredTopics>,
    /// How far nodes are emptied; `None`: Kafka does not say.
    pub drain: Option<DrainView>,
    /// What brokers say of their log directories, or why they do not.
    pub log_dirs: Result<LogDirsView, SilenceKind>,
    /// Partitions without a leader; `None`: Kafka does not say.
    pub leaderless: Option<LeaderlessView>,
    /// Log directories that brokers cannot use; `None`: they do not say.
    pub failed_log_dirs: Option<FailedLogDirs>,
    /// What the agents of pods say of their plug-ins; others do not answer.
    pub agents: BTreeMap<String, AgentReport>,
    /// Which certificates pods use; others read theirs at the start alone.
    pub in_use: BTreeMap<String, CertificatesInUse>,
    /// Topics with the topic operator's finalizer; `None`: they cannot be listed.
    pub held_topics: Option<Vec<HeldTopic>>,
    /// Whether it is the turn of the cluster; `None`: that is not known.
    pub turn: Option<Turn>,
    version: u64,
}

impl World {
    pub(crate) fn load(file: &str) -> Self {
        Self::new(documents(&reference(file)))
    }

    /// A manifest of `examples`, in the namespace `s1`.
    pub(crate) fn example(name: &str) -> Self {
        let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
        let mut documents = documents(&std::fs::read_to_string(path).unwrap());
        for document in &mut documents {
            document["metadata"]["namespace"] = json!("s1");
            document["metadata"]["uid"] = json!("u");
        }
        Self::new(documents)
    }

    pub(crate) fn new(documents: Vec<Value>) -> Self {
        let mut observed = Observed { settings: Arc::new(settings()), ..Observed::default() };
        for document in documents {
            if document["kind"] == "Kafka" {
                observed.kafka = Some(Arc::new(serde_json::from_value::<Kafka>(document).unwrap()));
            } else if document["kind"] == "ConfigMap" {
                let name = document["metadata"]["name"].as_str().unwrap().to_owned();
                observed.config_maps.insert(name, Arc::new(serde_json::from_value(document).unwrap()));
            } else {
                observed.pools.push(Arc::new(serde_json::from_value::<KafkaNodePool>(document).unwrap()));
            }
        }
        observed.pools.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
        Self {
            observed,
            now: "2026-06-01T12:00:00Z".parse().unwrap(),
            storage_classes: BTreeMap::new(),
            kubernetes_nodes: BTreeMap::new(),
            default_quotas: None,
            tiered_topics: None,
            drain: None,
            log_dirs: Err(SilenceKind::Late),
            leaderless: Some(LeaderlessView::default()),
            failed_log_dirs: None,
            agents: BTreeMap::new(),
            in_use: BTreeMap::new(),
            held_topics: None,
            turn: None,
            roll: None,
            recoveries: BTreeMap::new(),
            unresponsive_nodes: Some(BTreeMap::new()),
            refused_pods: BTreeMap::new(),
            refused_writes: BTreeMap::new(),
            strangers: BTreeMap::new(),
            asked: Vec::new(),
            version: 1,
        }
    }

    /// Plans until nothing is asked any more.
    pub(crate) fn plan(&mut self) -> Plan {
        let observed = self.observed.clone();
        let mut asked = Vec::new();
        let answered = complete(observed, self.now, |need| {
            asked.push(need.clone());
            self.answer(need)
        });
        self.asked = asked;
        answered.unwrap().1
    }

    /// The answer to what a plan asks for.
    pub(crate) fn answer(&self, need: &Need) -> Answer {
        let silent = |kind| Answer::Unknown(Silence::new(kind, "paper does not answer"));
        let unknown = || silent(SilenceKind::Late);
        match need {
            Need::Material(request) => match issuer::make(request, self.now) {
                Ok(material) => Answer::Material(material),
                Err(error) => Answer::Unknown(Silence::new(SilenceKind::Refused, error.to_string())),
            },
            Need::StorageClass(class) => {
                self.storage_classes.get(class).map_or_else(unknown, |grows| Answer::StorageClass(*grows))
            }
            Need::Roll(_) => Answer::Roll(self.roll.clone().unwrap_or_else(|| self.all_is_well(Vec::new()))),
            Need::Admission { pod, .. } => Answer::Admission(match self.refused_pods.get(pod) {
                Some(why) => Admission::Refused(why.clone()),
                None => Admission::Accepted,
            }),
            Need::Writes(trials) => {
                let said =
                    |id: &ObjectId| match self.refused_writes.get(&(id.kind.as_str(), id.name.as_str())) {
                        Some(why) => Admission::Refused((*why).to_owned()),
                        None => Admission::Accepted,
                    };
                let said = trials.iter().map(|trial| (trial.object.clone(), said(&trial.object)));
                Answer::Writes(said.collect())
            }
            Need::Holders(objects) => {
                let holder = |id: &ObjectId| {
                    let found = self.strangers.get(&(id.kind.as_str(), id.name.as_str()))?;
                    let holder = Holder::of(&serde_json::from_value(found.clone()).unwrap());
                    let holder = holder.used_by(found["usedBy"].as_str().map(str::to_owned));
                    Some(if found.get("subjects").is_some() { holder.with_body(found) } else { holder })
                };
                Answer::Holders(objects.iter().map(|object| (object.clone(), holder(object))).collect())
            }
            Need::NodeAddresses(names) => {
                let addresses = |name: &String| {
                    let number = name.len();
                    let all = [("InternalIP", format!("10.0.0.{number}")), ("Hostname", name.clone())];
                    NodeAddresses(all.map(|(kind, address)| (kind.to_owned(), address)).into())
                };
                Answer::NodeAddresses(names.iter().map(|name| (name.clone(), addresses(name))).collect())
            }
            Need::KubernetesNodes(names) => {
                let known = |name: &String| (name.clone(), self.kubernetes_nodes.get(name).copied());
                Answer::KubernetesNodes(names.iter().map(known).collect())
            }
            Need::Turn => self.turn.clone().map_or_else(unknown, Answer::Turn),
            Need::HeldTopics => self.held_topics.clone().map_or_else(unknown, Answer::HeldTopics),
            Need::DefaultQuotas => self.default_quotas.clone().map_or_else(unknown, Answer::DefaultQuotas),
            Need::TieredTopics => self.tiered_topics.clone().map_or_else(unknown, Answer::TieredTopics),
            Need::Drain(_) => self.drain.clone().map_or_else(unknown, Answer::Drain),
            Need::LogDirs(_) => self.log_dirs.clone().map_or_else(silent, Answer::LogDirs),
            Need::LeaderlessPartitions(_) => {
                self.leaderless.clone().map_or_else(unknown, Answer::LeaderlessPartitions)
            }
            Need::FailedLogDirs(_) => {
                self.failed_log_dirs.clone().map_or_else(unknown, Answer::FailedLogDirs)
            }
            Need::Recoveries(pods) => {
                let found = self.recoveries.iter().filter(|(pod, _)| pods.contains_key(*pod));
                Answer::Recoveries(found.map(|(pod, left)| (pod.clone(), left.clone())).collect())
            }
            Need::UnresponsiveNodes(pods) => {
                self.unresponsive(pods).map_or_else(unknown, Answer::UnresponsiveNodes)
            }
            Need::AgentReports(agents) => {
                let reports =
                    agents.keys().filter_map(|pod| Some((pod.clone(), self.agents.get(pod)?.clone())));
                Answer::AgentReports(reports.collect())
            }
            Need::CertificatesInUse(pods) => Answer::CertificatesInUse(self.in_use_of(pods)),
            Need::ResourceExists | Need::TrustBundle | Need::ClusterRoleBinding => {
                panic!("{need:?} is about a cluster that goes")
            }
            Need::Kafka | Need::BrokersWithReplicas | Need::BrokerConfigs(_) => unknown(),
        }
    }

    /// Carries out a plan, but its restarts.
    pub(crate) fn apply(&mut self, plan: &Plan) {
        for object in &plan.apply {
            self.store(object);
        }
        for deletion in &plan.delete {
            let gone = &deletion.object;
            match gone.kind.as_str() {
                "Secret" => drop(self.observed.secrets.remove(&gone.name)),
                "ConfigMap" => drop(self.observed.config_maps.remove(&gone.name)),
                "PersistentVolumeClaim" => drop(self.observed.claims.remove(&gone.name)),
                "Deployment" => drop(self.observed.deployments.remove(&gone.name)),
                "StrimziPodSet" => drop(self.observed.pod_sets.remove(&gone.name)),
                _ => drop(self.observed.others.remove(gone)),
            }
        }
        // What it told Kafka was done.
        if !plan.nodes.is_empty() {
            let told = SettledOptions { fingerprint: plan.options.about.clone(), at: self.now };
            self.observed.options = OptionMemory { settled: Some(told), ..plan.options.clone() };
        }
        if let Some(status) = &plan.status.kafka {
            let status = serde_json::to_value(status).unwrap();
            self.kafka(|kafka| kafka["status"] = status);
        }
        for pool in &mut self.observed.pools {
            let name = pool.metadata.name.clone().unwrap();
            if let Some(status) = plan.status.pools.get(&name) {
                Arc::make_mut(pool).status = Some(status.clone());
            }
        }
    }

    /// Writes one object.
    pub(crate) fn store(&mut self, desired: &DesiredObject) {
        let name = desired.reference.name.clone();
        let mut object = desired.object.clone();
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        match desired.reference.kind.as_str() {
            "Secret" => {
                if let Some(live) = self.observed.secrets.get(&name) {
                    applied::keep_what_is_not_named(live, &mut object);
                }
                self.observed.secrets.insert(name, typed(object));
            }
            "ConfigMap" => drop(self.observed.config_maps.insert(name, typed(object))),
            "PersistentVolumeClaim" => drop(self.observed.claims.insert(name, typed(object))),
            "Deployment" => drop(self.observed.deployments.insert(name, typed(object))),
            "StrimziPodSet" => drop(self.observed.pod_sets.insert(name, typed(object))),
            kind => {
                let metadata = serde_json::from_value(object["metadata"].clone()).unwrap();
                let body = Some(Arc::new(Stored::of(&object).unwrap()));
                let other = LiveObject { body, ..LiveObject::of(&metadata) };
                self.observed.others.insert(desired.reference.clone(), other);
                if kind == "Service" {
                    self.expose(name, object);
                }
            }
        }
    }

    /// A Service as the API server keeps it: with node ports where its type has some.
    fn expose(&mut self, name: String, mut service: Value) {
        if ["NodePort", "LoadBalancer"].contains(&service["spec"]["type"].as_str().unwrap()) {
            let services = &self.observed.exposed.services;
            let before = services.get(&name).and_then(|service| service.spec.as_ref()?.ports.clone());
            let mut next = 31_000 + services.len();
            for port in service["spec"]["ports"].as_array_mut().unwrap() {
                let same = |known: &&ServicePort| json!(known.name) == port["name"];
                let before = before.iter().flatten().find(same).and_then(|port| port.node_port);
                if port["nodePort"].is_null() {
                    port["nodePort"] = before.map_or_else(|| json!(next), |port| json!(port));
                    next += 100;
                }
            }
        }
        let before = self.observed.exposed.services.get(&name).and_then(|service| service.status.clone());
        let mut service: Service = serde_json::from_value(service).unwrap();
        service.status = before;
        self.observed.exposed.services.insert(name, Arc::new(service));
    }

    /// A load balancer has an address for a Service; `None`: it has none any more.
    pub(crate) fn balance(&mut self, service: &str, host: Option<&str>) {
        let address = host.map(|host| match host.parse::<std::net::IpAddr>() {
            Ok(_) => json!({"ip": host}),
            Err(_) => json!({"hostname": host}),
        });
        let ingress: Vec<Value> = address.into_iter().collect();
        let live = Arc::make_mut(self.observed.exposed.services.get_mut(service).unwrap());
        live.status = Some(serde_json::from_value(json!({"loadBalancer": {"ingress": ingress}})).unwrap());
    }

    /// What the controllers outside do: every load balancer and every route has an address.
    pub(crate) fn give_addresses(&mut self) {
        let of_kind = |kind: &str| -> Vec<String> {
            let all = self.observed.others.keys().filter(|id| id.kind == kind);
            all.map(|id| id.name.clone()).collect()
        };
        let (services, routes, tls_routes) = (of_kind("Service"), of_kind("Route"), of_kind("TLSRoute"));
        for name in services {
            let service = &self.observed.exposed.services[&name];
            if service.spec.as_ref().unwrap().type_.as_deref() == Some("LoadBalancer") {
                self.balance(&name, Some(&format!("{name}.example.org")));
            }
        }
        for name in routes {
            let route = Route { hosts: vec![format!("{name}.apps.example.org")] };
            self.observed.exposed.routes.insert(name, Arc::new(route));
        }
        for name in tls_routes {
            self.observed.exposed.tls_routes.insert(name, Arc::new(TlsRoute { parents: 1 }));
        }
    }

    /// What the other controllers do: every pod runs, is ready, and Kafka answers.
    pub(crate) fn run_everything(&mut self) {
        let mut wanted = BTreeMap::new();
        for set in self.observed.pod_sets.values() {
            for pod in &set.spec.pods {
                wanted.insert(pod["metadata"]["name"].as_str().unwrap().to_owned(), pod.clone());
            }
        }
        self.observed.pods.retain(|name, _| wanted.contains_key(name));
        for (name, pod) in wanted {
            if !self.observed.pods.contains_key(&name) {
                self.version += 1;
                let pod = self.running(pod);
                self.observed.pods.insert(name, pod);
            }
        }
        for deployment in self.observed.deployments.values_mut() {
            let all = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
            let status = json!({"updatedReplicas": all, "availableReplicas": all, "replicas": all});
            Arc::make_mut(deployment).status = Some(serde_json::from_value(status).unwrap());
        }
        let nodes: BTreeSet<i32> =
            self.observed.pods.keys().map(|pod| pod.rsplit_once('-').unwrap().1.parse().unwrap()).collect();
        let Some(leader) = nodes.first().copied() else { return };
        let of_role = |role: &str| -> BTreeSet<i32> {
            let pods = self.observed.pods.iter();
            pods.filter(|(_, pod)| pod.metadata.labels.as_ref().unwrap()[role] == "true")
                .map(|(name, _)| name.rsplit_once('-').unwrap().1.parse().unwrap())
                .collect()
        };
        let brokers = of_role(api::labels::BROKER_ROLE);
        let controllers = of_role(api::labels::CONTROLLER_ROLE);
        let voters = controllers.iter().map(|id| (*id, format!("directory-{id}"))).collect();
        let lag_ms = controllers.into_iter().map(|id| (id, 0)).collect();
        let before = self.observed.view.take().unwrap_or_default();
        self.observed.view = Some(KafkaView {
            cluster_id: "the-cluster".to_owned(),
            registered_brokers: brokers.clone(),
            active_brokers: brokers,
            quorum: Some(QuorumView { leader, voters, observers: BTreeMap::new(), lag_ms }),
            metadata_level: before.metadata_level.or(Some(30)),
            ..before
        });
    }

    fn running(&self, mut pod: Value) -> Arc<Pod> {
        pod["metadata"]["creationTimestamp"] = json!(self.now.to_string());
        pod["metadata"]["uid"] = json!(format!("uid-{}", self.version));
        pod["spec"]["nodeName"] = json!("worker");
        let kafka = json!({"name": "kafka", "ready": true, "restartCount": 0, "image": "", "imageID": ""});
        pod["status"] = json!({"phase": "Running", "containerStatuses": [kafka], "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": self.now.to_string()}]});
        Arc::new(serde_json::from_value(pod).unwrap())
    }

    /// Restarts a pod: it comes back as its pod set says.
    pub(crate) fn restart(&mut self, name: &str) {
        self.observed.pods.remove(name);
        self.run_everything();
    }

    /// The brokers tell their options: what their ConfigMaps say, Kafka's defaults, and these.
    pub(crate) fn tell_options(&mut self, changed: &[(&str, ConfigView)]) {
        let view = self.observed.view.as_mut().unwrap();
        view.broker_configs.clear();
        for pod in self.observed.pods.values() {
            let (name, labels) = (pod.metadata.name.as_ref().unwrap(), pod.metadata.labels.as_ref().unwrap());
            if labels[api::labels::BROKER_ROLE] != "true" {
                continue;
            }
            let map = &self.observed.config_maps[name];
            let file = api::properties::parse(&map.data.as_ref().unwrap()["server.config"]).unwrap();
            let options = &model::of("4.3.1").options;
            let live = options.iter().filter(|(_, option)| option.scope == Scope::ClusterWide);
            let mut told: BTreeMap<String, ConfigView> = live
                .map(|(option, known)| {
                    let in_file = file.get(option).map(str::to_owned);
                    let value = in_file.clone().or_else(|| known.default.clone());
                    (option.clone(), ConfigView { value, in_file, ..ConfigView::default() })
                })
                .collect();
            told.extend(changed.iter().map(|(option, view)| ((*option).to_owned(), view.clone())));
            let id = name.rsplit_once('-').unwrap().1.parse().unwrap();
            view.broker_configs.insert(id, told);
        }
    }

    /// One pass, all pods run; one more, so that the status says so. Returns the last plan.
    pub(crate) fn settle(&mut self) -> Plan {
        for _ in 0..3 {
            let plan = self.plan();
            self.apply(&plan);
            self.run_everything();
        }
        self.plan()
    }

    /// Changes the Kafka resource.
    pub(crate) fn kafka(&mut self, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::to_value(self.observed.kafka.as_deref().unwrap()).unwrap();
        change(&mut value);
        self.observed.kafka = Some(Arc::new(serde_json::from_value(value).unwrap()));
    }

    /// Changes a pool.
    pub(crate) fn pool(&mut self, index: usize, change: impl FnOnce(&mut Value)) {
        let mut value = serde_json::to_value(self.observed.pools[index].as_ref()).unwrap();
        change(&mut value);
        self.observed.pools[index] = Arc::new(serde_json::from_value(value).unwrap());
    }

    /// Changes a live object's annotation.
    pub(crate) fn annotate_secret(&mut self, name: &str, key: &str, value: &str) {
        let secret = Arc::make_mut(self.observed.secrets.get_mut(name).unwrap());
        secret.metadata.annotations.get_or_insert_default().insert(key.to_owned(), value.to_owned());
    }
}

fn typed<T: serde::de::DeserializeOwned>(object: Value) -> Arc<T> {
    Arc::new(serde_json::from_value(object).unwrap())
}
