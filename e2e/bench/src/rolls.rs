//! Restarts on the running Kubernetes, with the chart installed: how long rolls take, and how many pods restart for what.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use api::conditions::reasons;
use api::{Kafka, StrimziPodSet, annotations};
use e2e::{Scenario, is_pod_ready};
use k8s_openapi::{
    api::core::v1::{Pod, Secret},
    apimachinery::pkg::apis::meta::v1::Time,
};
use kube::{
    ResourceExt as _,
    api::{Patch, PatchParams},
};
use serde_json::{Value, json};

use crate::report::{number, progress, row};

const NAMESPACE: &str = "bench-rolls";
/// How long anything may take before the bench gives up.
const DEADLINE: Duration = Duration::from_mins(10);
/// Ticks in a second in /proc, by the Linux ABI.
const TICKS: f64 = 100.0;

/// Pods of a cluster, by name, with their UIDs.
type Pods = BTreeMap<String, String>;

/// Measures, and prints the rows.
pub(crate) async fn run() -> anyhow::Result<()> {
    let scenario = Scenario::new(NAMESPACE).await?;
    three_nodes(&scenario).await?;
    nine_brokers(&scenario).await?;
    scenario.remove().await
}

/// A cluster of three nodes: its roll, and what changes restart.
async fn three_nodes(scenario: &Scenario) -> anyhow::Result<()> {
    const NAME: &str = "three";
    progress("A cluster of three dual-role nodes");
    scenario.apply_value(&certificate_of_listener(1).await?).await?;
    scenario.apply_value(&pool(NAME, "dual", &["controller", "broker"], 3)).await?;
    scenario.apply_value(&kafka(NAME, &json!({}))).await?;
    scenario.until_ready(NAME, DEADLINE).await?;

    let roll = roll(scenario, NAME, "dual").await?;
    row(
        "roll of 3 dual-role nodes, from annotation to all Ready, s (Strimzi: 73)",
        number(roll.took, 1),
        "35",
    );
    row("  of it the starts of the brokers, s", number(roll.starts, 0), "-");
    row("  CPU s of all processes of the pods at its end", number(roll.cpu, 1), "-");

    let cluster = Cluster { scenario, name: NAME };
    let before = cluster.pods().await?;
    cluster.patch(&json!({"config": {"log.retention.ms": 360_000_000}})).await?;
    cluster.restarted("a dynamic option", before, 0).await?;

    let before = cluster.pods().await?;
    cluster.patch(&json!({"config": {"auto.create.topics.enable": "false"}})).await?;
    cluster.restarted("a static option", before, 3).await?;

    let before = cluster.pods().await?;
    cluster.patch(&json!({"template": {"pod": {"metadata": {"labels": {"bench": "true"}}}}})).await?;
    cluster.restarted("another template", before, 3).await?;

    let before = cluster.pods().await?;
    let former = cluster.annotations(annotations::SERVER_CERT_HASH).await?;
    scenario.apply_value(&certificate_of_listener(2).await?).await?;
    cluster.until_others(annotations::SERVER_CERT_HASH, &former).await?;
    cluster.restarted("another certificate of a listener", before, 0).await?;

    for (secret, what) in [
        ("cluster-ca-cert", "the renewal of the cluster's authority"),
        ("clients-ca-cert", "the renewal of the authority of the users"),
    ] {
        let before = cluster.pods().await?;
        let former = cluster.annotations(annotations::TRUST_BUNDLE_HASH).await?;
        cluster.annotate_secret(secret, annotations::FORCE_RENEW).await?;
        cluster.until_others(annotations::TRUST_BUNDLE_HASH, &former).await?;
        cluster.restarted(what, before, 0).await?;
    }

    let before = cluster.pods().await?;
    let former = cluster.annotations(annotations::SERVER_CERT_HASH).await?;
    cluster.annotate_secret("cluster-ca", annotations::FORCE_REPLACE).await?;
    cluster.until_others(annotations::SERVER_CERT_HASH, &former).await?;
    cluster.until_one_authority().await?;
    cluster.restarted("another key of the cluster's authority", before, 0).await?;

    let before = cluster.pods().await?;
    let of_operator = ["--namespace", "kafka", "deployment/strimzi-cluster-operator"];
    scenario.kubectl(&[["rollout", "restart"].as_slice(), &of_operator].concat()).await?;
    scenario.kubectl(&[["rollout", "status", "--timeout=5m"].as_slice(), &of_operator].concat()).await?;
    // Something that the new process has to do: what it would restart stands in the same plan.
    cluster.patch(&json!({"config": {"log.retention.ms": 363_600_000}})).await?;
    cluster.restarted("another process of the operator", before, 0).await?;
    held_upgrade(&cluster).await?;
    cluster.remove(&["dual"]).await
}

/// An operator that gives pods another image: its plan is held, shown, and goes when it is approved.
async fn held_upgrade(cluster: &Cluster<'_>) -> anyhow::Result<()> {
    let (scenario, name) = (cluster.scenario, cluster.name);
    let hold = format!("{}=approval", annotations::HOLD_OPERATOR_ROLLS);
    scenario.kubectl(&["annotate", "kafka", name, &hold]).await?;
    let remembers = |set: Option<&StrimziPodSet>| {
        set.is_some_and(|set| set.annotations().contains_key(annotations::LET_GO_FOR))
    };
    scenario.until::<StrimziPodSet>(&format!("{name}-dual"), "its note", DEADLINE, remembers).await?;
    let before = cluster.pods().await?;
    let (pod, _) = before.first_key_value().context("there are no pods")?;
    let image = scenario.kubectl(&["get", "pod", pod, "-o", "jsonpath={.spec.containers[0].image}"]).await?;
    // The same image by its long name: pods that differ, and nothing to pull.
    let version = &planner::versions::default_version().context("there is no default version")?.version;
    set_operator(scenario, &format!("STRIMZI_KAFKA_IMAGES={version}=docker.io/{}", image.trim())).await?;
    scenario.until::<Kafka>(name, "a plan that is held", DEADLINE, |kafka| plan_of(kafka).is_some()).await?;
    cluster.restarted("a new operator with another image, while its plan is held", before.clone(), 0).await?;
    let kafka = scenario.api::<Kafka>().get(name).await?;
    let plan = plan_of(Some(&kafka)).context("no plan is held any more")?;
    let approval = format!("{}={plan}", annotations::APPROVE_PLAN);
    scenario.kubectl(&["annotate", "kafka", name, &approval]).await?;
    for (pod, uid) in &before {
        Box::pin(scenario.until_replaced(pod, Some(uid))).await?;
    }
    cluster.restarted("the same, once it is approved", before, 3).await?;
    let no_hold = format!("{}-", annotations::HOLD_OPERATOR_ROLLS);
    scenario.kubectl(&["annotate", "kafka", name, &no_hold]).await?;
    set_operator(scenario, "STRIMZI_KAFKA_IMAGES-").await
}

/// Starts the operator with another environment.
async fn set_operator(scenario: &Scenario, change: &str) -> anyhow::Result<()> {
    let deployment = ["--namespace", "kafka", "deployment/strimzi-cluster-operator"];
    scenario.kubectl(&[["set", "env"].as_slice(), &deployment, &[change]].concat()).await?;
    scenario
        .kubectl(&[["rollout", "status", "--timeout=5m"].as_slice(), &deployment].concat())
        .await
        .map(drop)
}

/// The plan that the status says is held.
fn plan_of(kafka: Option<&Kafka>) -> Option<String> {
    let conditions = kafka?.status.as_ref()?.conditions.as_ref()?;
    let held = conditions.iter().find(|one| one.reason.as_deref() == Some(reasons::PLAN_HELD))?;
    held.message.as_deref()?.strip_prefix("plan ")?.split(' ').next().map(str::to_owned)
}

/// Nine brokers in three racks, one by one and three at a time.
async fn nine_brokers(scenario: &Scenario) -> anyhow::Result<()> {
    const NAME: &str = "nine";
    progress("A cluster of nine brokers in three racks");
    let rack = json!({"rack": {"topologyKey": "topology.kubernetes.io/zone"}});
    scenario.apply_value(&certificate_of_listener(1).await?).await?;
    scenario.apply_value(&pool(NAME, "voters", &["controller"], 1)).await?;
    scenario.apply_value(&pool(NAME, "brokers", &["broker"], 9)).await?;
    scenario.apply_value(&kafka(NAME, &rack)).await?;
    scenario.until_ready(NAME, DEADLINE).await?;
    let cluster = Cluster { scenario, name: NAME };
    let pods = cluster.pods().await?;
    let broker = pods.keys().find(|pod| pod.contains("brokers")).context("there are no brokers")?;
    let address = format!("{NAME}-kafka-bootstrap:9092");
    let create = ["--bootstrap-server", &address, "--create", "--topic", "spread", "--partitions", "27"];
    scenario.tool(broker, "org.apache.kafka.tools.TopicCommand", &create).await?;

    let serial = roll(scenario, NAME, "brokers").await?;
    row("roll of 9 brokers in 3 racks one by one, s", number(serial.took, 1), "-");
    row("  of it the starts of the brokers, s", number(serial.starts, 0), "-");
    row("  CPU s of all processes of the pods at its end", number(serial.cpu, 1), "-");
    let before = cluster.pods().await?;
    cluster.patch(&json!({"maxParallelRestarts": 3})).await?;
    cluster.restarted("maxParallelRestarts", before, 0).await?;
    let batches = roll(scenario, NAME, "brokers").await?;
    row("  with maxParallelRestarts 3, times that", number(batches.took / serial.took, 2), "0.6");
    row("  the starts of the brokers, s, by three at a time", number(batches.starts, 0), "-");
    cluster.remove(&["voters", "brokers"]).await
}

struct Cluster<'a> {
    scenario: &'a Scenario,
    name: &'static str,
}

impl Cluster<'_> {
    async fn pods(&self) -> anyhow::Result<Pods> {
        self.scenario.kafka_pods(self.name).await
    }

    /// Changes `spec.kafka`.
    async fn patch(&self, kafka: &Value) -> anyhow::Result<()> {
        let patch = Patch::Merge(json!({"spec": {"kafka": kafka}}));
        self.scenario.api::<Kafka>().patch(self.name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    async fn annotate_secret(&self, name: &str, key: &str) -> anyhow::Result<()> {
        let name = format!("{}-{name}", self.name);
        let patch = Patch::Merge(json!({"metadata": {"annotations": {key: "true"}}}));
        self.scenario.api::<Secret>().patch(&name, &PatchParams::default(), &patch).await?;
        Ok(())
    }

    /// Prints how many pods restarted until the cluster was ready again.
    async fn restarted(&self, what: &str, before: Pods, limit: usize) -> anyhow::Result<()> {
        self.scenario.until_ready(self.name, DEADLINE).await?;
        let after = self.pods().await?;
        let restarts = before.iter().filter(|(pod, uid)| after.get(*pod) != Some(*uid)).count();
        row(format!("  restarts for {what}"), restarts, limit);
        Ok(())
    }

    /// An annotation of every pod, by the name of the pod.
    async fn annotations(&self, key: &str) -> anyhow::Result<BTreeMap<String, Option<String>>> {
        let api = self.scenario.api::<Pod>();
        let mut found = BTreeMap::new();
        for pod in self.pods().await?.into_keys() {
            let value = api.get(&pod).await?.annotations().get(key).cloned();
            found.insert(pod, value);
        }
        Ok(found)
    }

    /// Waits until an annotation of every pod is another one than it was.
    async fn until_others(&self, key: &str, former: &BTreeMap<String, Option<String>>) -> anyhow::Result<()> {
        for (pod, former) in former {
            let is_another = |found: Option<&Pod>| {
                found.is_some_and(|found| {
                    is_pod_ready(found) && found.annotations().get(key) != former.as_ref()
                })
            };
            self.scenario.until::<Pod>(pod, key, DEADLINE, is_another).await?;
        }
        Ok(())
    }

    /// Waits until every pod trusts one authority alone.
    async fn until_one_authority(&self) -> anyhow::Result<()> {
        for pod in self.pods().await?.into_keys() {
            let trusts_one = |found: Option<&Pod>| {
                let trusted = found.and_then(|pod| pod.annotations().get(annotations::TRUSTED_CLUSTER_CAS));
                trusted.is_some_and(|trusted| !trusted.contains(','))
            };
            self.scenario.until::<Pod>(&pod, "trust in one authority", DEADLINE, trusts_one).await?;
        }
        Ok(())
    }

    /// Deletes the cluster, so that the next one has the machine for itself.
    async fn remove(&self, pools: &[&str]) -> anyhow::Result<()> {
        self.scenario.kubectl(&["delete", "kafka", self.name]).await?;
        for pool in pools {
            self.scenario.kubectl(&["delete", "kafkanodepool", pool]).await?;
        }
        let selector = format!("strimzi.io/cluster={}", self.name);
        self.scenario
            .kubectl(&["wait", "pod", "--for=delete", "--timeout=5m", "--selector", &selector])
            .await
            .map(drop)
    }
}

/// What a roll took.
struct Roll {
    /// Seconds from the annotation until all is ready.
    took: f64,
    /// Seconds of all pods from the start of the container to Ready, added up.
    starts: f64,
    /// Processor seconds of all processes of the pods since their start.
    cpu: f64,
}

async fn roll(scenario: &Scenario, cluster: &str, pool: &str) -> anyhow::Result<Roll> {
    let set = format!("{cluster}-{pool}");
    let mut before = scenario.kafka_pods(cluster).await?;
    before.retain(|pod, _| pod.starts_with(&set));
    let begun = Instant::now();
    scenario.kubectl(&["annotate", "strimzipodset", &set, "strimzi.io/manual-rolling-update=true"]).await?;
    for (pod, uid) in &before {
        Box::pin(scenario.until_replaced(pod, Some(uid))).await?;
    }
    scenario.until_ready(cluster, DEADLINE).await?;
    let took = begun.elapsed().as_secs_f64();
    let (mut starts, mut cpu) = (0.0, 0.0);
    for pod in before.keys() {
        starts += start_of(&scenario.api::<Pod>().get(pod).await?)?;
        let read = [
            "exec",
            pod,
            "--container",
            "kafka",
            "--",
            "sh",
            "-c",
            "cat /proc/[0-9]*/stat 2>/dev/null || true",
        ];
        cpu += scenario.kubectl(&read).await?.lines().map(cpu_of).sum::<f64>();
    }
    Ok(Roll { took, starts, cpu })
}

/// Seconds from the start of the container to Ready, each known to the second.
fn start_of(pod: &Pod) -> anyhow::Result<f64> {
    ensure!(is_pod_ready(pod), "{} is not ready", pod.name_any());
    let status = pod.status.as_ref().context("the pod has no status")?;
    let container = status.container_statuses.iter().flatten().find(|container| container.name == "kafka");
    let started =
        container.and_then(|container| container.state.as_ref()?.running.as_ref()?.started_at.as_ref());
    let ready = status.conditions.iter().flatten().find(|condition| condition.type_ == "Ready");
    let ready = ready.and_then(|condition| condition.last_transition_time.as_ref());
    let (Some(Time(started)), Some(Time(ready))) = (started, ready) else {
        anyhow::bail!("{} does not say when it started", pod.name_any());
    };
    Ok(ready.duration_since(*started).as_secs_f64())
}

/// User and system time of a line of `/proc/<pid>/stat`, s: its fields 14 and 15. The command stands in parentheses and may hold blanks.
fn cpu_of(line: &str) -> f64 {
    let rest = line.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks: f64 =
        rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum();
    ticks / TICKS
}

fn pool(cluster: &str, name: &str, roles: &[&str], replicas: i32) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}},
        "spec": {
            "replicas": replicas, "roles": roles,
            "storage": {"type": "jbod", "volumes": [
                {"id": 0, "type": "persistent-claim", "size": "1Gi", "deleteClaim": true, "kraftMetadata": "shared"}]},
            "resources": {"requests": {"cpu": "50m", "memory": "384Mi"}, "limits": {"memory": "768Mi"}},
            "jvmOptions": {"-Xms": "256m", "-Xmx": "256m", "-XX": {"UseSerialGC": "true", "TieredStopAtLevel": "1"}},
        },
    })
}

/// `more` goes into `spec.kafka`.
fn kafka(name: &str, more: &Value) -> Value {
    let mut kafka = json!({
        "listeners": [
            {"name": "plain", "port": 9092, "type": "internal", "tls": false},
            {"name": "own", "port": 9093, "type": "internal", "tls": true, "configuration": {
                "brokerCertChainAndKey": {"secretName": LISTENER, "certificate": "tls.crt", "key": "tls.key"}}}],
        "config": {"default.replication.factor": 3, "min.insync.replicas": 2, "offsets.topic.replication.factor": 3,
            "offsets.topic.num.partitions": 3},
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        kafka[key] = value.clone();
    }
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": name}, "spec": {"kafka": kafka}})
}

/// The Secret with the certificate of a listener.
const LISTENER: &str = "own-listener";

/// Another certificate for each number.
async fn certificate_of_listener(number: u32) -> anyhow::Result<Value> {
    let folder = tempfile::tempdir()?;
    let (key, certificate) = (folder.path().join("key"), folder.path().join("crt"));
    let subject = format!("/CN=listener-{number}");
    let made = tokio::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-noenc",
            "-days",
            "2",
        ])
        .args(["-subj", &subject, "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .await
        .context("cannot run openssl")?;
    ensure!(made.status.success(), "openssl: {}", String::from_utf8_lossy(&made.stderr));
    Ok(
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": LISTENER}, "type": "kubernetes.io/tls",
        "stringData": {"tls.crt": std::fs::read_to_string(certificate)?, "tls.key": std::fs::read_to_string(key)?}}),
    )
}
