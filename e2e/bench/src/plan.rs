//! One whole plan of a large cluster that rolls: pure computation, in this process, with all answers at hand.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    sync::Arc,
};

use anyhow::{Context as _, ensure};
use api::{Kafka, KafkaNodePool, labels};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use objects::{DesiredObject, Stored};
use planner::completion::complete;
use planner::kafka::{
    answer::Answer,
    config::model::{self, Scope},
    drain_view::DrainView,
    leaderless_view::LeaderlessView,
    log_dirs_view::LogDirsView,
    need::{Admission, Need, Silence, SilenceKind},
    observed::{ConfigView, KafkaView, Observed, QuorumView, TieredTopics},
    operator_turns::Turn,
    plan::{Plan, plan},
    roll_view::{RollBrokers, RollKafka, RollPartition, RollQuorum, RollVoter},
};
use planner::live_object::LiveObject;
use planner::settings::PlanSettings;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::{
    own,
    report::{median, number, progress, row},
};

/// Nodes of the cluster, five of them controllers.
const NODES: i32 = 50;
/// Partitions that each node adds, with three replicas each: 10,000 in the whole cluster.
const PARTITIONS_OF_A_NODE: i32 = 200;
/// The version that runs.
const VERSION: &str = "4.3.1";
/// Plans of which the median counts.
const RUNS: usize = 21;
const CONTROLLERS: i32 = 5;
/// Milliseconds that one plan may take.
const LIMIT_MS: f64 = 10.0;
/// How much longer than that of a cluster of half the size.
const LIMIT_RATIO: f64 = 2.2;

/// Measures, and prints the rows.
pub(crate) fn run() -> anyhow::Result<()> {
    let now = Timestamp::now();
    let mut took = Vec::new();
    for nodes in [NODES / 2, NODES] {
        progress(format!("A cluster of {nodes} nodes on paper"));
        let observed = rolling(nodes, now)?;
        let mut runs = Vec::with_capacity(RUNS);
        for _ in 0..RUNS {
            let begun = own::cpu_ms();
            let planned = black_box(plan(black_box(&observed), now));
            runs.push(own::cpu_ms() - begun);
            ensure!(planned.needs.is_empty(), "the plan asks for {:?}", planned.needs);
            ensure!(planned.roll.now.len() == 1, "the roll does not go on: {:?}", planned.roll.waits);
        }
        took.push(median(runs));
    }
    let (half, whole) = (took[0], took[1]);
    let partitions = NODES * PARTITIONS_OF_A_NODE;
    row(
        format!("one plan of {NODES} nodes that roll, {partitions} partitions, CPU ms"),
        number(whole, 1),
        LIMIT_MS,
    );
    row(format!("  the same by that of {} nodes", NODES / 2), number(whole / half, 2), LIMIT_RATIO);
    Ok(())
}

/// A cluster that ran and of which every node has to restart, with everything that its plan asks for.
fn rolling(nodes: i32, now: Timestamp) -> anyhow::Result<Observed> {
    let mut observed = resources(nodes)?;
    for _ in 0..3 {
        let (_, planned) = complete(observed.clone(), now, |need| answer(need, &observed, now))?;
        carry_out(&mut observed, &planned, now)?;
    }
    let kafka = observed.kafka.as_deref().context("there is no Kafka")?;
    let mut changed = serde_json::to_value(kafka)?;
    changed["spec"]["kafka"]["config"]["auto.create.topics.enable"] = json!("false");
    observed.kafka = Some(typed(changed)?);
    let known = observed.clone();
    let (observed, planned) = complete(observed, now, |need| answer(need, &known, now))?;
    let wanted = planned.roll.wanted.len();
    ensure!(i32::try_from(wanted) == Ok(nodes), "{wanted} of {nodes} nodes restart");
    Ok(observed)
}

fn resources(nodes: i32) -> anyhow::Result<Observed> {
    let metadata = |name: &str| {
        json!({"name": name, "namespace": "bench", "uid": name, "generation": 1,
        "labels": {"strimzi.io/cluster": "large"}})
    };
    let storage = json!({"type": "jbod", "volumes": [
        {"id": 0, "type": "persistent-claim", "size": "100Gi", "kraftMetadata": "shared"},
        {"id": 1, "type": "persistent-claim", "size": "100Gi"}]});
    let pool = |name: &str, role: &str, replicas: i32| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool", "metadata": metadata(name),
            "spec": {"replicas": replicas, "roles": [role], "storage": storage,
                "resources": {"limits": {"memory": "8Gi"}}}})
    };
    let kafka = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": metadata("large"),
        "spec": {"kafka": {
            "version": VERSION,
            "listeners": [
                {"name": "plain", "port": 9092, "type": "internal", "tls": false},
                {"name": "tls", "port": 9093, "type": "internal", "tls": true, "authentication": {"type": "tls"}}],
            "authorization": {"type": "simple"},
            "config": {"default.replication.factor": 3, "min.insync.replicas": 2, "log.retention.hours": 48}},
            "entityOperator": {"topicOperator": {}, "userOperator": {}}}});
    let settings = PlanSettings {
        operator_image: "operator".to_owned(),
        kafka_images: BTreeMap::from([(VERSION.to_owned(), "kafka".to_owned())]),
        ..PlanSettings::default()
    };
    Ok(Observed {
        kafka: Some(typed::<Kafka>(kafka)?),
        pools: vec![
            typed::<KafkaNodePool>(pool("brokers", "broker", nodes - CONTROLLERS))?,
            typed::<KafkaNodePool>(pool("controllers", "controller", CONTROLLERS))?,
        ],
        settings: Arc::new(settings),
        ..Observed::default()
    })
}

/// Kubernetes, Kafka and what makes keys.
fn answer(need: &Need, observed: &Observed, now: Timestamp) -> Answer {
    let unknown = |why: &str| Answer::Unknown(Silence::new(SilenceKind::Refused, why));
    match need {
        Need::Material(request) => match issuer::make(request, now) {
            Ok(material) => Answer::Material(material),
            Err(error) => unknown(&error.to_string()),
        },
        Need::StorageClass(_) => Answer::StorageClass(Some(true)),
        Need::NodeAddresses(_) => Answer::NodeAddresses(BTreeMap::new()),
        Need::KubernetesNodes(_) => Answer::KubernetesNodes(BTreeMap::new()),
        Need::Holders(objects) => {
            Answer::Holders(objects.iter().map(|object| (object.clone(), None)).collect())
        }
        Need::HeldTopics => Answer::HeldTopics(Vec::new()),
        Need::Turn => Answer::Turn(Turn::Now),
        Need::ResourceExists | Need::TrustBundle | Need::ClusterRoleBinding => {
            unknown("this cluster does not go")
        }
        Need::Kafka => Answer::Kafka(view(observed)),
        Need::BrokersWithReplicas => Answer::BrokersWithReplicas(ids(observed, labels::BROKER_ROLE)),
        Need::BrokerConfigs(brokers) => Answer::BrokerConfigs(
            brokers.keys().filter_map(|id| Some((*id, options_of(*id, observed)?))).collect(),
        ),
        Need::Drain(_) => Answer::Drain(DrainView::default()),
        Need::LogDirs(_) => Answer::LogDirs(LogDirsView::default()),
        Need::LeaderlessPartitions(_) => Answer::LeaderlessPartitions(LeaderlessView::default()),
        Need::FailedLogDirs(_) => Answer::FailedLogDirs(BTreeMap::new()),
        Need::TieredTopics => Answer::TieredTopics(TieredTopics::default()),
        Need::DefaultQuotas => Answer::DefaultQuotas(BTreeMap::new()),
        Need::AgentReports(_) => Answer::AgentReports(BTreeMap::new()),
        Need::CertificatesInUse(_) => Answer::CertificatesInUse(BTreeMap::new()),
        Need::Recoveries(_) => Answer::Recoveries(BTreeMap::new()),
        Need::UnresponsiveNodes(_) => Answer::UnresponsiveNodes(BTreeMap::new()),
        Need::Roll(_) => Answer::Roll(roll(observed)),
        Need::Admission { .. } => Answer::Admission(Admission::Accepted),
        Need::Writes(trials) => {
            Answer::Writes(trials.iter().map(|trial| (trial.object.clone(), Admission::Accepted)).collect())
        }
    }
}

fn view(observed: &Observed) -> KafkaView {
    let brokers = ids(observed, labels::BROKER_ROLE);
    let controllers = ids(observed, labels::CONTROLLER_ROLE);
    KafkaView {
        cluster_id: "large".to_owned(),
        registered_brokers: brokers.clone(),
        active_brokers: brokers,
        quorum: Some(QuorumView {
            leader: controllers.first().copied().unwrap_or(-1),
            voters: controllers.iter().map(|id| (*id, format!("directory-{id}"))).collect(),
            observers: BTreeMap::new(),
            lag_ms: controllers.into_iter().map(|id| (id, 0)).collect(),
        }),
        metadata_level: model::of(VERSION).metadata_versions.last().map(|(_, level)| *level),
        ..KafkaView::default()
    }
}

/// What a broker runs with: its file, over Kafka's defaults.
fn options_of(id: i32, observed: &Observed) -> Option<BTreeMap<String, ConfigView>> {
    let data = observed.config_maps.get(&format!("large-brokers-{id}"))?.data.as_ref()?;
    let file = api::properties::parse(data.get(api::names::keys::SERVER_CONFIG)?).ok()?;
    let live = model::of(VERSION).options.iter().filter(|(_, option)| option.scope == Scope::ClusterWide);
    let told = live.map(|(name, option)| {
        let in_file = file.get(name).map(str::to_owned);
        let value = in_file.clone().or_else(|| option.default.clone());
        (name.clone(), ConfigView { value, in_file, ..ConfigView::default() })
    });
    Some(told.collect())
}

/// Every node follows, and every partition has three replicas in sync.
fn roll(observed: &Observed) -> RollKafka {
    let brokers: Vec<i32> = ids(observed, labels::BROKER_ROLE).into_iter().collect();
    let controllers: Vec<i32> = ids(observed, labels::CONTROLLER_ROLE).into_iter().collect();
    let follows = |ids: &[i32]| ids.iter().map(|id| RollVoter { id: *id, lag_ms: Some(0) }).collect();
    let count = observed.pods.len() * usize::try_from(PARTITIONS_OF_A_NODE).unwrap_or_default();
    let partitions = (0..count).map(|number| {
        let replicas: Vec<i32> =
            brokers.iter().cycle().skip(number % brokers.len().max(1)).take(3).copied().collect();
        RollPartition {
            name: format!("topic-{number}"),
            leader: replicas.first().copied(),
            leader_epoch: 0,
            isr: replicas.clone(),
            eligible: Vec::new(),
            last_known: Vec::new(),
            replicas,
            offline: Vec::new(),
            failed: Vec::new(),
            min_isr: 2,
        }
    });
    let quorum = RollQuorum {
        leader: controllers.first().copied().unwrap_or(-1),
        voters: follows(&controllers),
        observers: follows(&brokers),
        dynamic: true,
    };
    let registered = brokers.iter().map(|id| (*id, None)).collect();
    RollKafka {
        asked_at: Some(Timestamp::MAX),
        quorum: Ok(Some(quorum)),
        brokers: Ok(RollBrokers { partitions: partitions.collect(), registered, told_by: None }),
    }
}

fn ids(observed: &Observed, role: &str) -> BTreeSet<i32> {
    let has_role = |pod: &Pod| {
        let labels = pod.metadata.labels.as_ref();
        labels.and_then(|labels| labels.get(role)).is_some_and(|value| value == "true")
    };
    let pods = observed.pods.iter().filter(|(_, pod)| has_role(pod));
    pods.filter_map(|(name, _)| name.rsplit_once('-')?.1.parse().ok()).collect()
}

/// Writes the objects and statuses of a plan, and has every pod run.
fn carry_out(observed: &mut Observed, planned: &Plan, now: Timestamp) -> anyhow::Result<()> {
    for object in &planned.apply {
        store(observed, object)?;
    }
    observed.options.clone_from(&planned.options);
    if let Some(kafka) = &mut observed.kafka {
        Arc::make_mut(kafka).status.clone_from(&planned.status.kafka);
    }
    for pool in &mut observed.pools {
        let name = pool.metadata.name.clone().unwrap_or_default();
        Arc::make_mut(pool).status = planned.status.pools.get(&name).cloned();
    }
    let listed: Vec<Value> = observed.pod_sets.values().flat_map(|set| set.spec.pods.clone()).collect();
    for mut pod in listed {
        let name = pod["metadata"]["name"].as_str().unwrap_or_default().to_owned();
        pod["metadata"]["uid"] = json!(name);
        pod["metadata"]["creationTimestamp"] = json!(now.to_string());
        pod["status"] = json!({"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": now.to_string()}]});
        observed.pods.insert(name, typed(pod)?);
    }
    observed.view = Some(view(observed));
    Ok(())
}

fn store(observed: &mut Observed, desired: &DesiredObject) -> anyhow::Result<()> {
    let (name, object) = (desired.reference.name.clone(), desired.object.clone());
    match desired.reference.kind.as_str() {
        "Secret" => drop(observed.secrets.insert(name, typed(object)?)),
        "ConfigMap" => drop(observed.config_maps.insert(name, typed(object)?)),
        "PersistentVolumeClaim" => drop(observed.claims.insert(name, typed(object)?)),
        "Deployment" => drop(observed.deployments.insert(name, typed(object)?)),
        "StrimziPodSet" => drop(observed.pod_sets.insert(name, typed(object)?)),
        _ => {
            let metadata = serde_json::from_value(object["metadata"].clone())?;
            let body = Some(Arc::new(Stored::of(&object)?));
            let other = LiveObject { body, ..LiveObject::of(&metadata) };
            observed.others.insert(desired.reference.clone(), other);
        }
    }
    Ok(())
}

fn typed<T: DeserializeOwned>(object: Value) -> anyhow::Result<Arc<T>> {
    Ok(Arc::new(serde_json::from_value(object)?))
}
