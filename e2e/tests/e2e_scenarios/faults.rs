//! What once lost records, locked a cluster out or showed a key, and changes that no pod survives, played on real pods.

mod silence;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use api::{Kafka, KafkaNodePool, StrimziPodSet, annotations};
use e2e::{Scenario, is_pod_ready};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret};
use kube::ResourceExt;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};

const MINUTE: Duration = Duration::from_mins(1);

/// One node pool with small nodes.
fn pool(cluster: &str, name: &str, replicas: u32, roles: &[&str], storage: &Value) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}},
        "spec": {
            "replicas": replicas, "roles": roles, "storage": storage,
            "resources": {"requests": {"cpu": "50m", "memory": "384Mi"}, "limits": {"memory": "768Mi"}},
            "jvmOptions": {"-Xms": "256m", "-Xmx": "256m", "-XX": {"UseSerialGC": "true", "TieredStopAtLevel": "1"}},
        },
    })
}

/// A Kafka resource with a plain and a TLS listener.
fn kafka(cluster: &str, replication: u32, more: &Value) -> Value {
    let mut resource = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": cluster},
        "spec": {"kafka": {
            "version": "4.3.1",
            "listeners": [
                {"name": "plain", "port": 9092, "type": "internal", "tls": false},
                {"name": "tls", "port": 9093, "type": "internal", "tls": true},
            ],
            "config": {
                "default.replication.factor": replication, "min.insync.replicas": replication.min(2),
                "offsets.topic.replication.factor": replication,
                "transaction.state.log.replication.factor": replication, "transaction.state.log.min.isr": 1,
            },
        }},
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        resource["spec"][name] = value.clone();
    }
    resource
}

fn claim_storage(delete_claim: bool) -> Value {
    json!({"type": "jbod", "volumes": [
        {"id": 0, "type": "persistent-claim", "size": "1Gi", "kraftMetadata": "shared", "deleteClaim": delete_claim}]})
}

fn is_current(kafka: &Kafka) -> bool {
    kafka.status.as_ref().and_then(|status| status.observed_generation) == kafka.metadata.generation
}

fn conditions(kafka: &Kafka) -> Vec<Value> {
    let status = serde_json::to_value(&kafka.status).unwrap_or_default();
    status["conditions"].as_array().cloned().unwrap_or_default()
}

/// Whether a condition of this type says these words.
fn says(kafka: &Kafka, kind: &str, words: &str) -> bool {
    conditions(kafka).iter().any(|condition| {
        let texts = format!("{} {}", condition["reason"], condition["message"]);
        condition["type"] == kind && texts.contains(words)
    })
}

async fn until_kafka(
    scenario: &Scenario,
    cluster: &str,
    what: &str,
    deadline: Duration,
    accept: impl Fn(&Kafka) -> bool,
) -> Result<Kafka> {
    let found = scenario.until::<Kafka>(cluster, what, deadline, |kafka| kafka.is_some_and(&accept)).await?;
    found.context("the Kafka resource is gone")
}

async fn until_pod_ready(scenario: &Scenario, name: &str, old_uid: Option<&String>) -> Result<()> {
    let is_new = |pod: Option<&Pod>| {
        pod.is_some_and(|pod| {
            is_pod_ready(pod) && (old_uid.is_none() || pod.metadata.uid.as_ref() != old_uid)
        })
    };
    scenario.until::<Pod>(name, "a ready pod", Duration::from_mins(5), is_new).await.map(drop)
}

async fn patch_kafka(scenario: &Scenario, cluster: &str, patch: &Value) -> Result<()> {
    scenario.api::<Kafka>().patch(cluster, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

async fn patch_pool(scenario: &Scenario, pool: &str, patch: &Value) -> Result<()> {
    scenario.api::<KafkaNodePool>().patch(pool, &PatchParams::default(), &Patch::Merge(patch)).await?;
    Ok(())
}

/// Records in each partition of a topic, told by the brokers.
async fn record_counts(scenario: &Scenario, pod: &str, topic: &str) -> Result<BTreeMap<String, i64>> {
    let class = "org.apache.kafka.tools.GetOffsetShell";
    let told = |time: &'static str| async move {
        scenario
            .tool(pod, class, &["--bootstrap-server", "localhost:9092", "--topic", topic, "--time", time])
            .await
    };
    let (first, last) = (offsets(&told("earliest").await?), offsets(&told("latest").await?));
    Ok(last.iter().map(|(name, end)| (name.clone(), end - first.get(name).unwrap_or(&0))).collect())
}

/// `topic:partition:offset`, one a line.
fn offsets(text: &str) -> BTreeMap<String, i64> {
    let parsed = text.lines().filter_map(|line| {
        let (partition, offset) = line.trim().rsplit_once(':')?;
        Some((partition.to_owned(), offset.parse().ok()?))
    });
    parsed.collect()
}

async fn create_topic(
    scenario: &Scenario,
    pod: &str,
    topic: &str,
    assignment: &str,
    options: &[&str],
) -> Result<()> {
    let mut arguments = vec![
        "--bootstrap-server",
        "localhost:9092",
        "--create",
        "--topic",
        topic,
        "--replica-assignment",
        assignment,
    ];
    for option in options {
        arguments.extend(["--config", option]);
    }
    scenario.tool(pod, "org.apache.kafka.tools.TopicCommand", &arguments).await.map(drop)
}

/// Writes records until the topic has so many at the least, and returns how many there are in each partition. The producer is
/// idempotent, so that what it sends again comes neither twice nor in another order, and gives nothing up while the test goes on:
/// its own time-out on a busy machine says nothing of the cluster. What it gave up all the same is written by another one.
async fn produce(
    scenario: &Scenario,
    pod: &str,
    topic: &str,
    count: u32,
    size: u32,
) -> Result<BTreeMap<String, i64>> {
    let size = size.to_string();
    for _ in 0..5 {
        let written = record_counts(scenario, pod, topic).await?;
        let missing = i64::from(count) - written.values().sum::<i64>();
        if missing <= 0 {
            return Ok(written);
        }
        let missing = missing.to_string();
        let arguments = [
            "--topic",
            topic,
            "--num-records",
            &missing,
            "--record-size",
            &size,
            "--throughput",
            "-1",
            "--producer-props",
            "bootstrap.servers=localhost:9092",
            "acks=all",
            "enable.idempotence=true",
            "delivery.timeout.ms=600000",
            "max.block.ms=600000",
        ];
        scenario.tool(pod, "org.apache.kafka.tools.ProducerPerformance", &arguments).await?;
    }
    bail!("producers did not write {count} records to topic {topic}")
}

/// A broker that a failing pass made is not given up when the pool shrinks; a pod that could never start is replaced
/// once the resource was corrected; what is refused shows no key and disturbs nothing that runs; the former version of Kafka runs again.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_failing_passes_made_is_kept_while_it_holds_replicas() -> Result<()> {
    let scenario = Scenario::new("e2e-faults-scale").await?;
    scenario.stage("a cluster of one node with both roles, and a pool of one broker");
    scenario.apply_value(&pool("a", "d", 1, &["controller", "broker"], &claim_storage(false))).await?;
    scenario.apply_value(&pool("a", "b", 1, &["broker"], &claim_storage(true))).await?;
    let mut resource = kafka("a", 1, &json!({"entityOperator": {"topicOperator": {}}}));
    // As before an upgrade after which there is to be a way back.
    resource["spec"]["kafka"]["metadataVersion"] = json!("4.2");
    scenario.apply_value(&resource).await?;
    scenario.until_ready("a", Duration::from_mins(8)).await?;

    scenario.stage("every pass fails: the API server refuses the entity operator");
    let resources = json!({"requests": {"memory": "256Mi"}, "limits": {"memory": "128Mi"}});
    let wrong = json!({"spec": {"entityOperator": {"topicOperator": {"resources": resources}}}});
    patch_kafka(&scenario, "a", &wrong).await?;
    until_kafka(&scenario, "a", "the refusal in the status", MINUTE, |kafka| {
        says(kafka, "NotReady", "entity-operator")
    })
    .await?;

    scenario.stage("scaling the pool of brokers from 1 to 2, and writing to the new broker alone");
    patch_pool(&scenario, "b", &json!({"spec": {"replicas": 2}})).await?;
    until_pod_ready(&scenario, "a-b-2", None).await?;
    create_topic(&scenario, "a-d-1", "only-on-2", "2", &[]).await?;
    let written = produce(&scenario, "a-d-1", "only-on-2", 1_000, 100).await?;
    let before = scenario.kafka_pods("a").await?;

    scenario.stage("scaling it back: the broker stays, because it holds a replica");
    patch_pool(&scenario, "b", &json!({"spec": {"replicas": 1}})).await?;
    until_kafka(&scenario, "a", "the reason in the status", Duration::from_mins(6), |kafka| {
        says(kafka, "Warning", "ScaleDownPreventionCheck")
    })
    .await?;
    patch_kafka(&scenario, "a", &json!({"spec": {"entityOperator": null}})).await?;
    scenario.until_ready("a", Duration::from_mins(6)).await?;
    ensure!(scenario.kafka_pods("a").await? == before, "no pod may go");
    let claim = scenario.api::<PersistentVolumeClaim>().get("data-0-a-b-2").await?;
    ensure!(claim.metadata.deletion_timestamp.is_none(), "the claim of broker 2 must stay");
    let kept = record_counts(&scenario, "a-d-1", "only-on-2").await?;
    ensure!(kept == written, "{written:?} became {kept:?}");

    Box::pin(refused_resources_show_nothing_and_change_nothing(&scenario, "a")).await?;
    Box::pin(a_deleted_pool_takes_no_record_along(&scenario, &written)).await?;

    scenario.stage("a controller whose template names a missing Secret, corrected: it comes back by itself");
    let old = scenario.api::<Pod>().get("a-d-1").await?.uid();
    let volume = json!([{"name": "missing", "secret": {"secretName": "does-not-exist"}}]);
    patch_pool(&scenario, "d", &json!({"spec": {"template": {"pod": {"volumes": volume}}}})).await?;
    let waits = |pod: Option<&Pod>| pod.is_some_and(|pod| pod.uid() != old && !is_pod_ready(pod));
    scenario.until::<Pod>("a-d-1", "a pod that cannot mount", Duration::from_mins(4), waits).await?;
    patch_pool(&scenario, "d", &json!({"spec": {"template": null}})).await?;
    until_pod_ready(&scenario, "a-d-1", old.as_ref()).await?;
    scenario.until_ready("a", Duration::from_mins(8)).await?;
    let kept = record_counts(&scenario, "a-d-1", "only-on-2").await?;
    ensure!(kept == written, "{written:?} became {kept:?}");

    let former = std::env::var("KASTELLAN_FORMER_KAFKA");
    if former.is_err() {
        scenario.stage("not tried: the way back to a former version of Kafka, of which there is no image (KASTELLAN_FORMER_KAFKA)");
    }
    if let Ok(former) = former {
        scenario.stage("back to the former version of Kafka");
        patch_kafka(&scenario, "a", &json!({"spec": {"kafka": {"version": former}}})).await?;
        until_kafka(&scenario, "a", "the former version", Duration::from_mins(8), |kafka| {
            let status = kafka.status.as_ref();
            let runs = status.and_then(|status| status.kafka_version.as_deref());
            runs == Some(&*former) && is_current(kafka) && says(kafka, "Ready", "")
        })
        .await?;
        let kept = record_counts(&scenario, "a-d-1", "only-on-2").await?;
        ensure!(kept == written, "{written:?} became {kept:?}");
    }
    scenario.remove().await
}

/// Deletes the pool of the brokers as Argo CD does it, and has them emptied afterwards.
async fn a_deleted_pool_takes_no_record_along(
    scenario: &Scenario,
    written: &BTreeMap<String, i64>,
) -> Result<()> {
    scenario
        .stage("the pool of the brokers is deleted in the foreground: they stay, because they hold replicas");
    let before = scenario.kafka_pods("a").await?;
    scenario.api::<KafkaNodePool>().delete("b", &DeleteParams::foreground()).await?;
    until_kafka(scenario, "a", "what is left of the pool in the status", MINUTE, |kafka| {
        says(kafka, "Warning", "KafkaNodePool b was deleted, and its nodes 0, 2 leave when")
            && says(kafka, "Warning", "hold replicas")
    })
    .await?;
    scenario.until::<KafkaNodePool>("b", "no pool", MINUTE, |pool| pool.is_none()).await?;
    ensure!(scenario.kafka_pods("a").await? == before, "no pod may go");
    let kept = record_counts(scenario, "a-d-1", "only-on-2").await?;
    ensure!(kept == *written, "{written:?} became {kept:?}");

    scenario.stage("the Kafka resource asks for them to be emptied: they leave with their claims, and every record stays");
    let drains = |value: Value| json!({"metadata": {"annotations": {annotations::DRAIN_NODES: value}}});
    patch_kafka(scenario, "a", &drains(json!("true"))).await?;
    let long = Duration::from_mins(6);
    scenario.until::<StrimziPodSet>("a-b", "no pod set", long, |set| set.is_none()).await?;
    for node in [0, 2] {
        let pod = format!("a-b-{node}");
        scenario.until::<Pod>(&pod, "no pod", MINUTE, |pod| pod.is_none()).await?;
        let claim = format!("data-0-{pod}");
        scenario.until::<PersistentVolumeClaim>(&claim, "no claim", MINUTE, |claim| claim.is_none()).await?;
    }
    patch_kafka(scenario, "a", &drains(Value::Null)).await?;
    until_kafka(scenario, "a", "no word of the pool any more", long, |kafka| {
        is_current(kafka) && says(kafka, "Ready", "") && !says(kafka, "Warning", "KafkaNodePool b")
    })
    .await?;
    let kept = record_counts(scenario, "a-d-1", "only-on-2").await?;
    ensure!(kept == *written, "{written:?} became {kept:?}");
    Ok(())
}

/// Applies resources that try to show a key, to set options of the operator and to make a second super user.
async fn refused_resources_show_nothing_and_change_nothing(scenario: &Scenario, cluster: &str) -> Result<()> {
    scenario.stage("resources that reach for a key, for options of the operator, for a second super user");
    let before = scenario.kafka_pods(cluster).await?;
    let good = scenario.api::<Kafka>().get(cluster).await?;
    let good = serde_json::to_value(&good.spec)?["kafka"].clone();
    let reference =
        json!({"secretName": format!("{cluster}-cluster-ca"), "certificate": "ca.key", "key": "ca.key"});
    let mut listeners = good["listeners"].clone();
    listeners[1]["configuration"] = json!({"brokerCertChainAndKey": reference});
    let split = "x=1\nlistener.name.replication-9091.ssl.client.auth";
    for (patch, words) in [
        (json!({"listeners": listeners}), "brokerCertChainAndKey"),
        (json!({"config": {" super.users": "User:ANONYMOUS"}}), "super.users"),
        (json!({"config": {split: "none"}}), "replication-9091"),
        (json!({"config": {" node.id": "9"}}), "node.id"),
        (
            json!({"authorization": {"type": "simple", "superUsers": ["u-scram;User:u-plain"]}}),
            "u-scram;User:u-plain",
        ),
    ] {
        patch_kafka(scenario, cluster, &json!({"spec": {"kafka": patch}})).await?;
        let refused = until_kafka(scenario, cluster, words, MINUTE, |kafka| {
            is_current(kafka) && says(kafka, "NotReady", words)
        })
        .await?;
        let status = serde_json::to_string(&refused.status)?;
        ensure!(!status.contains("PRIVATE KEY"), "a key stands in the status");
        let undo: serde_json::Map<String, Value> = ["listeners", "authorization", "config"]
            .into_iter()
            .map(|name| (name.to_owned(), good[name].clone()))
            .collect();
        let mut undo = Value::Object(undo);
        for name in [" super.users", split, " node.id"] {
            undo["config"][name] = Value::Null;
        }
        patch_kafka(scenario, cluster, &json!({"spec": {"kafka": undo}})).await?;
        scenario.until_ready(cluster, MINUTE).await?;
    }
    ensure!(scenario.kafka_pods(cluster).await? == before, "what is refused restarts nothing");
    Ok(())
}

/// Nodes without disks roll one after the other and keep what is written to two of them; then the key of the cluster's
/// authority is lost, and the cluster comes to a new one without being locked out. Between them, changes that no pod survives stop at the first.
#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_without_disks_keeps_its_records_and_outlives_the_loss_of_its_authority() -> Result<()> {
    let scenario = Scenario::new("e2e-faults-roll").await?;
    scenario.stage("three nodes on ephemeral storage, topics with as many replicas as must be in sync");
    scenario
        .apply_value(&pool("q", "e", 3, &["controller", "broker"], &json!({"type": "ephemeral"})))
        .await?;
    scenario.apply_value(&kafka("q", 3, &json!({}))).await?;
    scenario.until_ready("q", Duration::from_mins(8)).await?;
    create_topic(&scenario, "q-e-0", "pairs", "0:1,1:2,2:0", &["min.insync.replicas=2"]).await?;
    let written = produce(&scenario, "q-e-0", "pairs", 400_000, 1_000).await?;
    create_topic(&scenario, "q-e-0", "lonely", "1", &["min.insync.replicas=1"]).await?;

    scenario.stage("a rolling update: no restart takes the last complete copy, and a copy without any other is warned of");
    let before = scenario.kafka_pods("q").await?;
    scenario.kubectl(&["annotate", "strimzipodset", "q-e", "strimzi.io/manual-rolling-update=true"]).await?;
    until_kafka(&scenario, "q", "a warning of the partition that nothing keeps", MINUTE, |kafka| {
        says(kafka, "Warning", "SingleReplicaOnEphemeralStorage")
            && says(kafka, "Warning", "lonely-0 (broker 1)")
    })
    .await?;
    for (pod, uid) in &before {
        until_pod_ready(&scenario, pod, Some(uid)).await?;
    }
    scenario.until_ready("q", Duration::from_mins(8)).await?;
    let kept = record_counts(&scenario, "q-e-0", "pairs").await?;
    ensure!(kept == written, "{written:?} became {kept:?}");

    Box::pin(changes_that_no_pod_survives_stop_at_the_first(&scenario, "q")).await?;
    let before = scenario.kafka_pods("q").await?;
    let kept = record_counts(&scenario, "q-e-0", "pairs").await?;
    ensure!(kept == written, "{written:?} became {kept:?}");

    scenario.stage("the key of the cluster's authority is lost: a new one is trusted before it signs");
    let old_ca = certificate(&scenario, "q-cluster-ca-cert", "ca.crt").await?;
    let leaves = |scenario| async move {
        let mut found = BTreeMap::new();
        for node in 0..3 {
            let name = format!("q-e-{node}");
            found.insert(name.clone(), certificate(scenario, &name, &format!("{name}.crt")).await?);
        }
        Ok::<_, anyhow::Error>(found)
    };
    let old_leaves = leaves(&scenario).await?;
    scenario.api::<Secret>().delete("q-cluster-ca", &DeleteParams::default()).await?;
    for (name, old) in &old_leaves {
        let key = format!("{name}.crt");
        scenario
            .until::<Secret>(name, "a leaf of the new authority", Duration::from_mins(8), |secret| {
                let now =
                    secret.and_then(|secret| secret.data.as_ref()?.get(&key).map(|bytes| bytes.0.clone()));
                now.is_some_and(|now| now != *old)
            })
            .await?;
    }
    for pod in before.keys() {
        scenario
            .until::<Pod>(
                pod,
                "a ready pod that trusts the new authority alone",
                Duration::from_mins(8),
                |pod| {
                    pod.is_some_and(|pod| {
                        let trusted = pod.annotations().get(annotations::TRUSTED_CLUSTER_CAS);
                        is_pod_ready(pod) && trusted.is_some_and(|trusted| !trusted.contains(','))
                    })
                },
            )
            .await?;
    }
    scenario.until_ready("q", Duration::from_mins(6)).await?;
    ensure!(
        certificate(&scenario, "q-cluster-ca-cert", "ca.crt").await? != old_ca,
        "the authority must be a new one"
    );
    let kept = record_counts(&scenario, "q-e-0", "pairs").await?;
    ensure!(kept == written, "{written:?} became {kept:?}");
    scenario.remove().await
}

/// How many pods are other ones now.
fn replaced(before: &BTreeMap<String, String>, now: &BTreeMap<String, String>) -> usize {
    before.iter().filter(|(pod, uid)| now.get(*pod) != Some(uid)).count()
}

/// Rolls into an image that does not exist, and into a configuration with which Kafka does not start: the first pod does not come back, the
/// status says why, and the others run on until the change is taken back.
async fn changes_that_no_pod_survives_stop_at_the_first(scenario: &Scenario, cluster: &str) -> Result<()> {
    for (what, wrong, right, words) in [
        (
            "an image that does not exist",
            json!({"image": "kastellan/kafka:does-not-exist"}),
            json!({"image": null}),
            "kastellan/kafka:does-not-exist",
        ),
        (
            "a configuration with which Kafka does not start",
            json!({"config": {"metric.reporters": "com.example.NoSuchReporter"}}),
            json!({"config": {"metric.reporters": null}}),
            "NoSuchReporter",
        ),
    ] {
        scenario.stage(&format!("a roll into {what} stops at the first pod; taken back, it heals"));
        let before = scenario.kafka_pods(cluster).await?;
        patch_kafka(scenario, cluster, &json!({"spec": {"kafka": wrong}})).await?;
        until_kafka(scenario, cluster, "the reason in the status", Duration::from_mins(4), |kafka| {
            let has = |words| ["Warning", "NotReady"].iter().any(|kind| says(kafka, kind, words));
            has(words) && has("PodNotReady")
        })
        .await?;
        let now = scenario.kafka_pods(cluster).await?;
        ensure!(replaced(&before, &now) == 1, "{before:?} became {now:?}");
        patch_kafka(scenario, cluster, &json!({"spec": {"kafka": right}})).await?;
        for pod in before.keys() {
            until_pod_ready(scenario, pod, None).await?;
        }
        scenario.until_ready(cluster, Duration::from_mins(4)).await?;
        let now = scenario.kafka_pods(cluster).await?;
        ensure!(
            replaced(&before, &now) == 1,
            "the others have what they always had: {before:?} became {now:?}"
        );
    }
    Ok(())
}

async fn certificate(scenario: &Scenario, secret: &str, key: &str) -> Result<Vec<u8>> {
    let secret = scenario.api::<Secret>().get(secret).await?;
    let data = secret.data.unwrap_or_default();
    Ok(data.get(key).with_context(|| format!("no {key}"))?.0.clone())
}
