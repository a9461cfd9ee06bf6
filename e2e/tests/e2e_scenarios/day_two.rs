//! What happens to a cluster in its life, under a client that never stops writing and reading: nothing that Kafka acknowledged is
//! lost, twice there or in another order, also when the operator is killed in the middle of it: once in one of the stages, and with
//! `KASTELLAN_KILLS=every`, as in `make soak`, once in each. `KASTELLAN_KEY_REPLACEMENTS` has the key of the authority replaced more often
//! than once.

mod certificates;
mod machines;

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use api::{Kafka, KafkaNodePool, annotations};
use e2e::flow::Flow;
use e2e::machine;
use e2e::outside::Outside;
use e2e::{Scenario, bootstrap_of, is_pod_ready, is_ready};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

const CLUSTER: &str = "day";
const TOPIC: &str = "orders";
const BROKERS: &str = "brokers";
const CONTROLLERS: &str = "controllers";
/// How many stages there are.
const STAGES: u64 = 11;
/// For what takes a restart of every node.
const ROLL: Duration = Duration::from_mins(6);
const MINUTE: Duration = Duration::from_mins(1);

/// The cluster while it is used.
struct Day {
    scenario: Scenario,
    flow: Flow,
    /// In which stage the operator is killed; `None`: in each.
    kill_in: Option<u64>,
    /// Where the moments of kills come from.
    seed: u64,
    stage: u64,
    name: &'static str,
    killer: Option<JoinHandle<Result<()>>>,
}

impl Day {
    /// Begins a stage, which usually takes so many seconds. Pods as they are then.
    async fn begins(&mut self, name: &'static str, seconds: u64) -> Result<BTreeMap<String, String>> {
        self.name = name;
        self.stage += 1;
        self.scenario.stage(&format!("day two: {name}"));
        if self.kill_in.is_none_or(|stage| stage == self.stage) {
            // Another moment in each stage.
            let moment = self.seed.rotate_left(u32::try_from(self.stage * 5)?) % (seconds * 1000);
            let client = self.scenario.client.clone();
            self.killer = Some(tokio::spawn(kill_operator(client, Duration::from_millis(moment))));
        }
        self.scenario.kafka_pods(CLUSTER).await
    }

    /// Ends a stage: says what the client saw meanwhile.
    async fn ends(&mut self) -> Result<()> {
        if let Some(killer) = self.killer.take() {
            killer.await??;
            self.scenario.stage("day two: the operator was killed meanwhile");
        }
        let seen = self.flow.ask(self.name).await?;
        self.scenario.stage(&format!("day two: {seen}"));
        Ok(())
    }

    async fn patch<K>(&self, name: &str, patch: &Value) -> Result<()>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
        K::DynamicType: Default,
    {
        self.scenario.api::<K>().patch(name, &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    }

    /// Waits until each of the pods was replaced, and the cluster is ready.
    async fn until_restarted(&self, before: &BTreeMap<String, String>) -> Result<()> {
        for (pod, uid) in before {
            Box::pin(self.scenario.until_replaced(pod, Some(uid))).await?;
        }
        self.scenario.until_ready(CLUSTER, ROLL).await?;
        Ok(())
    }
}

/// A number out of the environment.
fn number(name: &str) -> Result<Option<u64>> {
    let text = std::env::var(name).ok();
    text.map(|text| text.parse().with_context(|| format!("{name} is not a number"))).transpose()
}

/// A number that nobody foresees; `KASTELLAN_SEED` is that of an earlier run.
fn seed() -> Result<u64> {
    let now = u64::from(SystemTime::now().duration_since(UNIX_EPOCH)?.subsec_nanos());
    Ok(number("KASTELLAN_SEED")?.unwrap_or(now))
}

/// Kills the operator without a warning.
async fn kill_operator(client: kube::Client, delay: Duration) -> Result<()> {
    tokio::time::sleep(delay).await;
    let operators: Api<Pod> = Api::namespaced(client, "kafka");
    let selector = kube::api::ListParams::default().labels("strimzi.io/kind=cluster-operator");
    let now = kube::api::DeleteParams::default().grace_period(0);
    let end = tokio::time::Instant::now() + MINUTE;
    loop {
        let found = operators.list(&selector).await?;
        for pod in &found.items {
            operators.delete(&pod.name_any(), &now).await?;
        }
        if !found.items.is_empty() {
            return Ok(());
        }
        // The operator that was killed in the stage before is not there again yet.
        ensure!(tokio::time::Instant::now() < end, "there is no operator to kill");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Volumes with these ids.
fn volumes(ids: &[i32]) -> Value {
    let volume = |id: &i32| {
        let mut volume = json!({"id": id, "type": "persistent-claim", "size": "1Gi", "deleteClaim": true});
        if *id == 0 {
            volume["kraftMetadata"] = json!("shared");
        }
        volume
    };
    json!({"type": "jbod", "volumes": ids.iter().map(volume).collect::<Vec<_>>()})
}

fn pool(name: &str, role: &str, ids: &[i32]) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": CLUSTER},
            "annotations": {"kastellan.io/drain-nodes": "true", "kastellan.io/drain-volumes": "true"}},
        "spec": {
            "replicas": 3, "roles": [role], "storage": volumes(ids),
            "resources": {"requests": {"cpu": "50m", "memory": "384Mi"}, "limits": {"memory": "768Mi"}},
            "jvmOptions": {"-Xms": "256m", "-Xmx": "256m", "-XX": {"UseSerialGC": "true", "TieredStopAtLevel": "1"}},
        },
    })
}

fn kafka(version: &str) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": CLUSTER},
        "spec": {"kafka": {
            "version": version,
            "template": {"pod": machine::placement()},
            "listeners": [
                {"name": "tls", "port": 9093, "type": "internal", "tls": true},
                {"name": "np", "port": 9094, "type": "nodeport", "tls": false,
                    "configuration": {"preferredNodePortAddressType": "InternalIP"}},
            ],
            "config": {"num.partitions": 6, "default.replication.factor": 3, "min.insync.replicas": 2,
                "offsets.topic.replication.factor": 3, "offsets.topic.num.partitions": 3,
                "transaction.state.log.replication.factor": 3, "transaction.state.log.min.isr": 2},
        }},
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn day_two_loses_nothing() -> Result<()> {
    let former = std::env::var("KASTELLAN_FORMER_KAFKA")
        .context("KASTELLAN_FORMER_KAFKA is not set: run `make e2e`")?;
    let scenario = Scenario::new("e2e-day-two").await?;
    let seed = seed()?;
    let kill_in = match std::env::var("KASTELLAN_KILLS").as_deref() {
        Ok("every") => None,
        Ok(other) => anyhow::bail!("KASTELLAN_KILLS may be every, and is {other:?}"),
        Err(_) => Some(1 + seed % STAGES),
    };
    scenario.stage(&format!(
        "day two: a cluster of Kafka {former}, and a client that writes and reads (seed {seed})"
    ));
    machine::choose(&scenario, machine::SPARE).await?;
    scenario.apply_value(&pool(BROKERS, "broker", &[0, 1])).await?;
    scenario.apply_value(&pool(CONTROLLERS, "controller", &[0])).await?;
    scenario.apply_value(&kafka(&former)).await?;
    let ready = scenario.until_ready(CLUSTER, Duration::from_mins(8)).await?;
    let client = Outside::of(&scenario, CLUSTER).await?;
    let address = bootstrap_of(&ready, "np")?;
    create_topic(&scenario, &address).await?;
    let flow = client.flow(&address, TOPIC)?;
    let mut day = Day { scenario, flow, kill_in, seed, stage: 0, name: "", killer: None };
    day.flow.ask("start").await?;
    Box::pin(upgrade(&mut day)).await?;
    Box::pin(machines::drain(&mut day)).await?;
    Box::pin(roll(&mut day)).await?;
    Box::pin(remove_volume(&mut day)).await?;
    let more = Box::pin(grow(&mut day)).await?;
    Box::pin(shrink(&mut day, &more)).await?;
    Box::pin(replace_controller(&mut day)).await?;
    for _ in 0..number("KASTELLAN_KEY_REPLACEMENTS")?.unwrap_or(1) {
        Box::pin(certificates::replace_authority(&mut day)).await?;
    }
    Box::pin(certificates::move_to_issuer(&mut day)).await?;
    let last = format!("{CLUSTER}-{BROKERS}-{}", more.last().context("there are no brokers")?);
    Box::pin(machines::spoil_disk(&mut day, &last)).await?;
    Box::pin(machines::lose_machine(&mut day, &last)).await?;
    let Day { scenario, flow, .. } = day;
    let proof = flow.end().await?;
    scenario.stage(&format!("day two: {proof}"));
    scenario.remove().await
}

/// By hand: a topic that Kafka makes when it is first named is not there yet when its partitions are asked for.
async fn create_topic(scenario: &Scenario, address: &str) -> Result<()> {
    let pod = scenario.kafka_pods(CLUSTER).await?.into_keys().next().context("there are no pods")?;
    let start = ["--bootstrap-server", address, "--create", "--topic", TOPIC];
    scenario.tool(&pod, "org.apache.kafka.tools.TopicCommand", &start).await.map(drop)
}

async fn upgrade(day: &mut Day) -> Result<()> {
    let before = day.begins("an upgrade of Kafka", 80).await?;
    day.patch::<Kafka>(CLUSTER, &json!({"spec": {"kafka": {"version": "4.3.1"}}})).await?;
    day.until_restarted(&before).await?;
    let is_raised = |kafka: Option<&Kafka>| {
        let status = kafka.and_then(|kafka| kafka.status.clone()).unwrap_or_default();
        let version = status.kafka_metadata_version.unwrap_or_default();
        is_ready(kafka) && status.kafka_version.as_deref() == Some("4.3.1") && version.starts_with("4.3")
    };
    day.scenario.until::<Kafka>(CLUSTER, "the metadata version", MINUTE, is_raised).await?;
    day.ends().await
}

/// The brokers restart by hand; the upgrade and the drain have restarted controllers, too.
async fn roll(day: &mut Day) -> Result<()> {
    let mut before = day.begins("a rolling update of the brokers", 50).await?;
    before.retain(|pod, _| pod.contains(BROKERS));
    let set = format!("{CLUSTER}-{BROKERS}");
    let annotation = format!("{}=true", annotations::MANUAL_ROLLING_UPDATE);
    day.scenario.kubectl(&["annotate", "strimzipodset", &set, &annotation]).await?;
    day.until_restarted(&before).await?;
    day.ends().await
}

/// A volume that every broker uses leaves: what is on it moves to the other one first.
async fn remove_volume(day: &mut Day) -> Result<()> {
    let mut before = day.begins("a volume leaves every broker, with its replicas moved", 55).await?;
    before.retain(|pod, _| pod.contains(BROKERS));
    day.patch::<KafkaNodePool>(BROKERS, &json!({"spec": {"storage": volumes(&[0])}})).await?;
    day.until_restarted(&before).await?;
    for pod in before.keys() {
        let claim = format!("data-1-{pod}");
        let is_gone = |claim: Option<&PersistentVolumeClaim>| claim.is_none();
        day.scenario.until::<PersistentVolumeClaim>(&claim, "its end", ROLL, is_gone).await?;
    }
    day.ends().await
}

/// The answer is the ids of all brokers, with two new ones.
async fn grow(day: &mut Day) -> Result<Vec<i32>> {
    day.begins("two more brokers", 20).await?;
    let ids = until_grown(day, BROKERS, 5).await?;
    day.ends().await?;
    Ok(ids)
}

/// The brokers that hold everything leave, and it moves to those that came.
async fn shrink(day: &mut Day, ids: &[i32]) -> Result<()> {
    day.begins("the first two brokers leave, with their partitions moved", 20).await?;
    let leaving = ids.get(..2).context("there are no five brokers")?;
    let left = until_shrunk(day, BROKERS, leaving).await?;
    ensure!(left == ids.get(2..).unwrap_or_default(), "{left:?} stay of {ids:?}");
    day.ends().await
}

/// A new controller takes the place of the first one; no broker restarts for it.
async fn replace_controller(day: &mut Day) -> Result<()> {
    let mut before = day.begins("a controller is replaced", 45).await?;
    let former = until_nodes(day, CONTROLLERS, 3, MINUTE).await?;
    let mut ids = until_grown(day, CONTROLLERS, 4).await?;
    let leaving = former.get(..1).context("there are no controllers")?;
    let left = until_shrunk(day, CONTROLLERS, leaving).await?;
    // The new one may have any id.
    ids.retain(|id| !leaving.contains(id));
    ensure!(left == ids, "{left:?} stay and not {ids:?}");
    let mut after = day.scenario.kafka_pods(CLUSTER).await?;
    before.retain(|pod, _| pod.contains(BROKERS));
    after.retain(|pod, _| pod.contains(BROKERS));
    ensure!(after == before, "brokers restarted for a controller: {before:?} became {after:?}");
    day.ends().await
}

/// Gives a pool so many nodes, more than it had, and waits until all are ready; the ids of all of them.
async fn until_grown(day: &Day, pool: &str, count: usize) -> Result<Vec<i32>> {
    day.patch::<KafkaNodePool>(pool, &json!({"spec": {"replicas": count}})).await?;
    let ids = until_nodes(day, pool, count, MINUTE).await?;
    for id in &ids {
        let pod = format!("{CLUSTER}-{pool}-{id}");
        day.scenario.until::<Pod>(&pod, "a ready pod", ROLL, |pod| pod.is_some_and(is_pod_ready)).await?;
    }
    day.scenario.until_ready(CLUSTER, ROLL).await?;
    Ok(ids)
}

/// Has these nodes leave a pool, which has three then, and waits until they are gone; the ids of those that are left.
async fn until_shrunk(day: &Day, pool: &str, leaving: &[i32]) -> Result<Vec<i32>> {
    let patch = json!({"metadata": {"annotations": {annotations::REMOVE_NODE_IDS: json!(leaving).to_string()}},
        "spec": {"replicas": 3}});
    day.patch::<KafkaNodePool>(pool, &patch).await?;
    let left = until_nodes(day, pool, 3, ROLL).await?;
    // A controller has restarted before, without its vote.
    for id in leaving {
        let pod = format!("{CLUSTER}-{pool}-{id}");
        day.scenario.until::<Pod>(&pod, "its end", ROLL, |pod| pod.is_none()).await?;
    }
    day.scenario.until_ready(CLUSTER, ROLL).await?;
    Ok(left)
}

/// Waits until a pool has so many nodes; their ids.
async fn until_nodes(day: &Day, pool: &str, count: usize, deadline: Duration) -> Result<Vec<i32>> {
    let ids = |pool: Option<&KafkaNodePool>| pool.and_then(|pool| pool.status.as_ref()?.node_ids.clone());
    let is_so = |pool: Option<&KafkaNodePool>| ids(pool).is_some_and(|ids| ids.len() == count);
    let pool = day.scenario.until::<KafkaNodePool>(pool, "its nodes", deadline, is_so).await?;
    ids(pool.as_ref()).context("no node ids")
}
