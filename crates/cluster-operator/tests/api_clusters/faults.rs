use kube::ResourceExt;
use serde_json::json;
use test_support::stand_in::Fate;
use test_support::{ApiServer, wait};

use crate::rights;
use crate::world::{DEADLINE, World, condition, kafka, pool};

#[tokio::test]
async fn an_operator_killed_in_the_middle_is_succeeded_by_one_that_keeps_its_authority() {
    let mut world = World::start("killed").await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    let authority = world.exists("Secret", "c-cluster-ca").await;
    world.kill_operator();
    world.start_operator().await;
    world.running("c", 3).await;
    let now = world.get("Secret", "c-cluster-ca").await;
    assert_eq!((now.uid(), &now.data["data"]), (authority.uid(), &authority.data["data"]));
    assert_eq!(world.versions("c").await.keys().filter(|name| name.starts_with("Pod ")).count(), 3);
}

#[tokio::test]
async fn an_operator_goes_on_after_the_api_server_restarted_and_works_in_any_namespace() {
    let server: &'static ApiServer = Box::leak(Box::new(ApiServer::start().await.unwrap()));
    let mut world = World::without_operator(server, "restart").await;
    let other = World::with(server, "elsewhere", Fate::Running).await;
    rights::grant(&world.client, &world.namespace, &["watchAnyNamespace=true"]).await;
    world.set("STRIMZI_NAMESPACE", "*");
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    world.exists("Secret", "c-cluster-ca").await;
    server.restart().await.unwrap();
    world.running("c", 3).await;
    other.usual("d").await;
}

#[tokio::test]
async fn objects_of_other_people_are_left_alone_and_named_and_the_rest_of_the_cluster_is_made() {
    let world = World::start("foreign").await;
    let objects = [
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "c-kafka-bootstrap"},
            "spec": {"ports": [{"name": "web", "port": 80}], "selector": {"a": "b"}}}),
        // Nothing of it stands against what the operator would write.
        json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "c-entity-operator"}}),
        json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "c-kafka",
            "labels": {"strimzi.io/cluster": "other", "strimzi.io/kind": "Kafka"}}, "spec": {"maxUnavailable": 0}}),
    ];
    let mut versions = Vec::new();
    for object in &objects {
        versions.push(world.apply(object).await.resource_version());
    }
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    let words = [
        "Service c-kafka-bootstrap (made by user)",
        "ServiceAccount c-entity-operator",
        "PodDisruptionBudget c-kafka belongs to Kafka other",
    ];
    world.refused("c", &words).await;
    for node in 0..3 {
        world.exists("Pod", &format!("c-dual-{node}")).await;
    }
    for (object, version) in objects.iter().zip(versions) {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        assert_eq!(world.get(kind, name).await.resource_version(), version, "{kind} {name}");
    }
    assert!(world.api("Deployment").get_opt("c-entity-operator").await.unwrap().is_none());
    // As the message says: one is given to the cluster, the others go.
    let labels = json!({"strimzi.io/cluster": "c", "strimzi.io/kind": "Kafka"});
    world.patch("Service", "c-kafka-bootstrap", json!({"metadata": {"labels": labels}})).await;
    world.delete("ServiceAccount", "c-entity-operator").await;
    world.delete("PodDisruptionBudget", "c-kafka").await;
    world.exists("Deployment", "c-entity-operator").await;
    world.exists("PodDisruptionBudget", "c-kafka").await;
    world
        .until("Service", "c-kafka-bootstrap", "is set right", |service| {
            service.data["spec"]["ports"].as_array().unwrap().iter().any(|port| port["port"] == 9092)
        })
        .await;
    world.running("c", 3).await;
}

#[tokio::test]
async fn of_two_operators_one_acts_and_the_other_takes_over() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "leader").await;
    let namespace = world.namespace.clone();
    // With a shorter lease, one renewal that is slow on a busy machine would have the second take over before the first is killed.
    for (name, value) in [
        ("ENABLED", "true"),
        ("LEASE_NAME", "strimzi-cluster-operator"),
        ("LEASE_NAMESPACE", namespace.as_str()),
        ("IDENTITY", "first"),
        ("LEASE_DURATION_MS", "15000"),
        ("RENEW_DEADLINE_MS", "10000"),
        ("RETRY_PERIOD_MS", "500"),
    ] {
        world.set(&format!("STRIMZI_LEADER_ELECTION_{name}"), value);
    }
    world.start_operator().await;
    let held_by = |who: &'static str| {
        move |lease: &kube::core::DynamicObject| lease.data["spec"]["holderIdentity"] == who
    };
    world.until("Lease", "strimzi-cluster-operator", "is held by the first", held_by("first")).await;
    world.set("STRIMZI_LEADER_ELECTION_IDENTITY", "second");
    world.start_operator().await;
    world.usual("c").await;
    assert_eq!(world.metric("strimzi_reconciliations_total"), 0, "the second acted as well");
    world.kill_operator();
    world.until("Lease", "strimzi-cluster-operator", "is held by the second", held_by("second")).await;
    let before = world.get("Pod", "c-dual-0").await.uid();
    world.delete("Pod", "c-dual-0").await;
    world.until("Pod", "c-dual-0", "is a new pod", |pod| pod.uid() != before).await;
    let acts = || async { (world.metric("strimzi_reconciliations_total") > 0).then_some(()) };
    wait::until(DEADLINE, "the second acts", acts).await.unwrap();
}

#[tokio::test]
async fn healing_does_not_wait_for_a_kafka_that_does_not_answer() {
    // The pods say that they are ready; nobody is at their addresses.
    let mut world = World::with(ApiServer::shared().await.unwrap(), "silent", Fate::Ready).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    world
        .until("Kafka", "c", "waits for Kafka alone", |kafka| {
            let message = condition(kafka, "NotReady", "Creating").map(|found| found["message"].to_string());
            message.is_some_and(|text| text.contains("Kafka has not answered yet"))
        })
        .await;
    for _ in 0..3 {
        for (kind, name) in [("Service", "c-kafka-brokers"), ("Pod", "c-dual-1")] {
            let before = world.get(kind, name).await.uid();
            world.delete(kind, name).await;
            world.at_once(kind, name, "is made again", |object| object.uid() != before).await;
        }
    }
    let labels = json!({"template": {"bootstrapService": {"metadata": {"labels": {"team": "blue"}}}}});
    world.patch("Kafka", "c", json!({"spec": {"kafka": labels}})).await;
    let labelled =
        |object: &kube::core::DynamicObject| object.labels().get("team").is_some_and(|team| team == "blue");
    world.at_once("Service", "c-kafka-bootstrap", "has the label", labelled).await;

    world.apply(&pool("other", "spare", 1)).await;
    let mut other = kafka("other");
    other["spec"]["kafka"]["config"] = json!({});
    world.apply(&other).await;
    world.at_once("Pod", "other-spare-0", "exists", |_| true).await;
}

#[tokio::test]
async fn a_secret_in_the_way_is_named_and_nothing_is_taken_from_it() {
    let world = World::start("in-the-way").await;
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "c-cluster-ca"},
        "stringData": {"ca.key": "precious"}});
    world.apply(&secret).await;
    let before = world.get("Secret", "c-cluster-ca").await.resource_version();
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    world.refused("c", &["Secret c-cluster-ca", "strimzi.io/cluster: c", "delete it"]).await;
    assert_eq!(world.get("Secret", "c-cluster-ca").await.resource_version(), before);
    world.delete("Secret", "c-cluster-ca").await;
    world.running("c", 3).await;
}
