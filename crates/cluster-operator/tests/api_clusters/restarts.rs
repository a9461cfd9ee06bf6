use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use test_support::stand_in::Fate;
use test_support::{ApiServer, wait};
use test_world::HeldWatch;

use crate::world::{DEADLINE, World, condition, kafka, pool};

/// A cluster of three whose pods have these fates, after a change that every pod has to restart for.
async fn changed(prefix: &str, fate: impl Fn(&str) -> Fate + Send + Sync + 'static) -> (World, Vec<String>) {
    changed_while(prefix, fate, None).await
}

/// The same, with an operator that is told nothing of pods from the time of the change on.
async fn changed_while(
    prefix: &str,
    fate: impl Fn(&str) -> Fate + Send + Sync + 'static,
    held: Option<HeldWatch>,
) -> (World, Vec<String>) {
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), prefix, fate).await;
    world.held.clone_from(&held);
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    let mut before = Vec::new();
    for node in 0..3 {
        let name = format!("c-dual-{node}");
        let pod = world.until("Pod", &name, "runs", |pod| pod.data["status"]["phase"] == "Running").await;
        before.push(pod.uid().unwrap());
    }
    if let Some(held) = held {
        world.deploying("c").await;
        held.hold();
    }
    let resources = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": resources}})).await;
    let has = |set: &DynamicObject| set.data["spec"].to_string().contains("3Gi");
    world.until("StrimziPodSet", "c-dual", "has the change", has).await;
    (world, before)
}

#[tokio::test]
async fn an_unready_broker_is_not_restarted_while_kafka_has_not_said_that_it_may() {
    // Brokers are ready; nobody answers at their addresses, as if they were overloaded.
    let fate = |pod: &str| if pod == "c-dual-1" { Fate::Running } else { Fate::Ready };
    let (world, before) = changed("unanswered", fate).await;
    world.passes(3).await;
    for (node, uid) in before.iter().enumerate() {
        let pod = world.get("Pod", &format!("c-dual-{node}")).await;
        assert_eq!((pod.uid().as_ref(), pod.metadata.deletion_timestamp), (Some(uid), None), "{node}");
    }
}

/// Events with this reason that are about the pod, or about no pod where there is none.
pub(crate) async fn events(world: &World, reason: &str, pod: Option<&str>) -> Vec<DynamicObject> {
    let all = world.api("Event").list(&ListParams::default()).await.unwrap();
    let found = all
        .items
        .into_iter()
        .filter(|event| event.data["reason"] == reason && event.data["related"]["name"].as_str() == pod);
    found.collect()
}

async fn uids(world: &World) -> Vec<String> {
    let mut uids = Vec::new();
    for node in 0..3 {
        uids.push(world.get("Pod", &format!("c-dual-{node}")).await.uid().unwrap());
    }
    uids
}

fn says(kafka: &DynamicObject, type_: &str, reason: &str, words: &[&str]) -> bool {
    let message = condition(kafka, type_, reason).and_then(|found| found["message"].as_str());
    message.is_some_and(|message| words.iter().all(|word| message.contains(word)))
}

#[tokio::test]
async fn a_cluster_of_which_no_broker_is_ready_is_mended_by_a_change_of_the_resource() {
    let (world, before) = changed("none-ready", |_| Fate::Running).await;
    world.until("Pod", "c-dual-0", "is a new pod", |pod| pod.uid().as_ref() != Some(&before[0])).await;
    // It was announced, and not twice.
    let said = || async {
        (!events(&world, "PodHasOldResourceRevision", Some("c-dual-0")).await.is_empty()).then_some(())
    };
    wait::until(DEADLINE, "the restart is announced", said).await.unwrap();
    world.passes(2).await;
    assert_eq!(events(&world, "PodHasOldResourceRevision", Some("c-dual-0")).await.len(), 1);
}

/// How often the log says something of a pod.
fn logged(world: &World, words: &str, pod: &str) -> usize {
    let (log, pod) = (world.log.text(), format!("{pod:?}"));
    log.lines().filter(|line| line.contains(words) && line.contains(&pod)).count()
}

#[tokio::test]
async fn a_restart_of_which_the_watch_tells_late_is_made_and_told_once() {
    let held = HeldWatch::of("pods");
    let (world, before) = changed_while("told-late", |_| Fate::Running, Some(held.clone())).await;
    let is_new = |pod: &DynamicObject| pod.uid().as_ref() != Some(&before[0]);
    wait::until(DEADLINE, "the first pod is deleted", || async {
        match world.api("Pod").get_opt("c-dual-0").await.unwrap() {
            Some(pod) => is_new(&pod).then_some(()),
            None => Some(()),
        }
    })
    .await
    .unwrap();
    // The operator still takes it for a pod that runs, and looks at the cluster again and again.
    for _ in 0..3 {
        world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    }
    assert_eq!(logged(&world, "pod restarts", "c-dual-0"), 1, "{}", world.log.text());
    assert_eq!(logged(&world, "restart put off", "c-dual-0"), 0, "it was to restart again");
    for (node, uid) in before.iter().enumerate().skip(1) {
        let pod = world.get("Pod", &format!("c-dual-{node}")).await;
        assert_eq!(pod.uid().as_ref(), Some(uid), "one that goes is enough");
    }
    held.release();
    world.until("Pod", "c-dual-0", "is a new pod", is_new).await;
    world.passes(2).await;
    assert_eq!(logged(&world, "pod restarts", "c-dual-0"), 1);
    assert_eq!(events(&world, "PodHasOldResourceRevision", Some("c-dual-0")).await.len(), 1);
}

#[tokio::test]
async fn a_deployment_that_is_refused_keeps_no_pod_from_its_restart() {
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), "refused", |_| Fate::Running).await;
    world.start_operator().await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut kafka = kafka("c");
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka["spec"]["entityOperator"] = json!({"topicOperator": {
        "resources": {"requests": {"memory": "256Mi"}, "limits": {"memory": "128Mi"}}}});
    world.apply(&kafka).await;
    let before = world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world.refused("c", &["c-entity-operator", "must be less than or equal to"]).await;
    let resources = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": resources}})).await;
    let is_new = |pod: &DynamicObject| {
        pod.uid() != before.uid()
            && pod.data["spec"]["containers"][0]["resources"].to_string().contains("3Gi")
    };
    world.until("Pod", "c-dual-0", "is a new pod with the change", is_new).await;
    // And the refusal is still said.
    world.refused("c", &["c-entity-operator", "must be less than or equal to"]).await;
}

#[tokio::test]
async fn a_proxy_that_is_refused_keeps_no_pod_from_its_restart() {
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), "proxy", |_| Fate::Running).await;
    world.start_operator().await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut kafka = kafka("c");
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka["spec"].as_object_mut().unwrap().remove("entityOperator");
    let refused = json!({"requests": {"memory": "256Mi"}, "limits": {"memory": "128Mi"}});
    kafka["spec"]["kafka"]["listeners"] = json!([{"name": "one", "port": 9094, "type": "loadbalancer", "tls": true,
        "configuration": {"singleAddress": {"resources": refused}}}]);
    world.apply(&kafka).await;
    world.exists("Service", "c-kafka-one-bootstrap").await;
    let address = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    let services = world.api("Service");
    let (name, params) = ("c-kafka-one-bootstrap", PatchParams::default());
    services.patch_status(name, &params, &Patch::Merge(address)).await.unwrap();
    let before = world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world.refused("c", &["c-kafka-one-proxy", "must be less than or equal to"]).await;
    let resources = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": resources}})).await;
    let is_new = |pod: &DynamicObject| {
        pod.uid() != before.uid()
            && pod.data["spec"]["containers"][0]["resources"].to_string().contains("3Gi")
    };
    world.until("Pod", "c-dual-0", "is a new pod with the change", is_new).await;
    world.refused("c", &["c-kafka-one-proxy", "must be less than or equal to"]).await;
}

#[tokio::test]
async fn a_roll_that_waits_stands_in_the_status_an_event_and_a_metric() {
    // All pods are ready, and Kafka does not answer.
    let (world, before) = changed("waits", |_| Fate::Ready).await;
    let waits =
        |kafka: &DynamicObject| says(kafka, "Warning", "RollingUpdateWaits", &["c-dual-0", "not known"]);
    let waiting = world.at_once("Kafka", "c", "says what the roll waits for", waits).await;
    let since = |kafka: &DynamicObject| {
        condition(kafka, "Warning", "RollingUpdateWaits").unwrap()["lastTransitionTime"].clone()
    };
    let said = || async { (!events(&world, "RollingUpdateWaits", None).await.is_empty()).then_some(()) };
    wait::until(DEADLINE, "an event says it", said).await.unwrap();
    let metrics = world.metrics.render().unwrap();
    let line = format!("kastellan_roll_waiting_seconds{{name=\"c\",namespace=\"{}\"}}", world.namespace);
    assert!(metrics.contains(&line), "{metrics}");
    world.passes(2).await;
    assert_eq!(since(&world.get("Kafka", "c").await), since(&waiting), "since when it waits is known");
    assert_eq!(events(&world, "RollingUpdateWaits", None).await.len(), 1);
    assert_eq!(uids(&world).await, before);
}

#[tokio::test]
async fn a_pod_that_the_api_server_would_refuse_is_not_deleted() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "refused-pod").await;
    world.start_operator().await;
    world.usual("c").await;
    let before = uids(&world).await;
    // The next pod would be larger than the namespace allows.
    let limits = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}});
    world.apply(&limits).await;
    let resources = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": resources}})).await;
    world
        .until("Kafka", "c", "says that the pod is refused", |kafka| {
            says(kafka, "Warning", "RollingUpdateWaits", &["c-dual-0", "maximum memory usage"])
                && kafka.data["status"]["conditions"].to_string().contains("NotReady")
        })
        .await;
    world.passes(2).await;
    assert_eq!(uids(&world).await, before);
    world.delete("LimitRange", "small").await;
    world.until("Pod", "c-dual-0", "is a new pod", |pod| pod.uid().as_ref() != Some(&before[0])).await;
}

#[tokio::test]
async fn what_keeps_a_pod_from_being_made_stands_in_the_status_and_in_an_event() {
    let world = World::start("no-pod").await;
    let limits = json!({"apiVersion": "v1", "kind": "LimitRange", "metadata": {"name": "small"},
        "spec": {"limits": [{"type": "Container", "max": {"memory": "1Gi"}}]}});
    world.apply(&limits).await;
    let mut large = pool("c", "dual", 3);
    large["spec"]["resources"] = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.apply(&large).await;
    world.apply(&kafka("c")).await;
    let words = ["c-dual-1", "maximum memory usage"];
    world.until("StrimziPodSet", "c-dual", "exists", |_| true).await;
    world
        .promptly("Kafka", "c", "says why there are no pods", |kafka| {
            says(kafka, "NotReady", "Creating", &words) && says(kafka, "Warning", "PodNotReady", &words[1..])
        })
        .await;
    world
        .promptly("StrimziPodSet", "c-dual", "says why there are no pods", |set| {
            says(set, "NotReady", "KubernetesError", &words)
        })
        .await;
    let said = || async {
        let all = world.api("Event").list(&ListParams::default()).await.unwrap();
        all.items.iter().any(|event| event.data["reason"] == "FailedCreate").then_some(())
    };
    wait::until(DEADLINE, "an event says it", said).await.unwrap();
    world.delete("LimitRange", "small").await;
    world.running("c", 3).await;
    world
        .until("Kafka", "c", "no longer says it", |kafka| {
            condition(kafka, "Warning", "PodNotReady").is_none()
        })
        .await;
    world
        .until("StrimziPodSet", "c-dual", "no longer says it", |set| {
            condition(set, "NotReady", "KubernetesError").is_none()
        })
        .await;
}

#[tokio::test]
async fn what_a_container_said_before_it_ended_stands_in_the_status() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "last-words").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    world.usual("c").await;
    let pod = world.get("Pod", "c-dual-1").await;
    let mut containers = pod.data["status"]["containerStatuses"].clone();
    let kafka = containers.as_array_mut().unwrap().iter_mut().find(|found| found["name"] == "kafka").unwrap();
    kafka["lastState"] = json!({"terminated": {"exitCode": 1, "reason": "Error",
        "message": "the disk belongs to another cluster"}});
    kafka["restartCount"] = json!(1);
    let status: Value = json!({"status": {"containerStatuses": containers}});
    let patched =
        world.api("Pod").patch_status("c-dual-1", &PatchParams::default(), &Patch::Merge(&status)).await;
    patched.unwrap();
    world
        .promptly("Kafka", "c", "passes on what the container said", |kafka| {
            says(kafka, "Warning", "PodNotReady", &["c-dual-1", "belongs to another cluster"])
        })
        .await;
}

#[tokio::test]
async fn a_pod_that_never_ran_is_replaced_once_there_is_a_reason() {
    // It waits for a volume that does not exist; the others are ready, and Kafka does not answer.
    let fate = |pod: &str| if pod == "c-dual-1" { Fate::Waiting("PodInitializing") } else { Fate::Ready };
    let mut world = World::with_fates(ApiServer::shared().await.unwrap(), "never-ran", fate).await;
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    let waiting = world
        .until("Pod", "c-dual-1", "waits", |pod| {
            pod.data["status"]["containerStatuses"].to_string().contains("PodInitializing")
        })
        .await;
    world.passes(2).await;
    assert_eq!(world.get("Pod", "c-dual-1").await.uid(), waiting.uid(), "there is no reason yet");
    let resources = json!({"limits": {"memory": "3Gi"}, "requests": {"memory": "3Gi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": resources}})).await;
    world.until("Pod", "c-dual-1", "is a new pod", |pod| pod.uid() != waiting.uid()).await;
}
