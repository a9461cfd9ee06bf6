//! Deletion, with the real garbage collector.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use kube::Api;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::DynamicObject;
use serde_json::{Value, json};
use test_support::child::Child;
use test_support::{ApiServer, wait};

use crate::rights;
use crate::world::{DEADLINE, OWNED, World, kafka, pool, resource};

const FINALIZER: &str = "strimzi.io/topic-operator";

/// The garbage collector of the shared server.
pub(crate) fn collect(world: &World) {
    static COLLECTOR: OnceLock<Child> = OnceLock::new();
    COLLECTOR.get_or_init(|| world.server.start_controllers(&["garbage-collector-controller"]).unwrap());
}

fn topic(cluster: &str, name: &str) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}, "finalizers": [FINALIZER]},
        "spec": {"partitions": 1, "replicas": 1}})
}

/// A pool whose second volume goes with the cluster.
fn two_volumes(cluster: &str) -> Value {
    let mut pool = pool(cluster, "dual", 3);
    let doomed = json!({"id": 1, "type": "persistent-claim", "size": "1Gi", "deleteClaim": true});
    pool["spec"]["storage"]["volumes"].as_array_mut().unwrap().push(doomed);
    pool
}

/// With a rack, for which a cluster-wide binding is made.
fn racked(cluster: &str) -> Value {
    let mut kafka = kafka(cluster);
    kafka["spec"]["kafka"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    kafka
}

fn cluster_role_bindings(world: &World) -> Api<DynamicObject> {
    Api::all_with(world.client.clone(), &resource("ClusterRoleBinding"))
}

/// Waits until nothing of the cluster is left but the claims of these volumes.
async fn only_claims(world: &World, cluster: &str, volumes: &[i32]) {
    let claims = volumes.iter().flat_map(|volume| (0..3).map(move |node| (volume, node)));
    let kept: BTreeSet<String> = claims
        .map(|(volume, node)| format!("PersistentVolumeClaim data-{volume}-{cluster}-dual-{node}"))
        .collect();
    let left = || async {
        let selector = ListParams::default().labels(&format!("strimzi.io/cluster={cluster}"));
        let mut found = BTreeSet::new();
        for kind in OWNED {
            let objects = world.api(kind).list(&selector).await.unwrap();
            found.extend(objects.iter().map(|object| format!("{kind} {}", object.name_any())));
        }
        (found == kept).then_some(())
    };
    wait::until(DEADLINE, "only the claims to keep are left", left).await.unwrap();
    let binding = format!("strimzi-{}-{cluster}-kafka-init", world.namespace);
    wait::for_absence(&cluster_role_bindings(world), &binding, DEADLINE).await.unwrap();
}

async fn released(world: &World, topic: &str) {
    world.until("KafkaTopic", topic, "has no finalizer", |topic| topic.finalizers().is_empty()).await;
}

#[tokio::test]
async fn a_deleted_cluster_leaves_nothing_but_the_volumes_to_keep_and_another_one_goes_on() {
    let world = World::start("delete").await;
    collect(&world);
    world.apply(&two_volumes("c")).await;
    world.apply(&racked("c")).await;
    world.running("c", 3).await;
    world.apply(&pool("other", "spare", 1)).await;
    let mut other = racked("other");
    other["spec"]["kafka"]["config"] = json!({});
    world.apply(&other).await;
    world.until("Pod", "other-spare-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world.settled("other").await;
    for (cluster, name) in [("c", "orders"), ("other", "bills")] {
        world.apply(&topic(cluster, name)).await;
    }
    let before = world.versions("other").await;
    assert_eq!(world.versions("c").await.keys().filter(|name| name.contains("data-1-")).count(), 3);

    world.delete("Kafka", "c").await;
    released(&world, "orders").await;
    // Claims are data: they go with the last of cluster and pool.
    only_claims(&world, "c", &[0, 1]).await;
    world.delete("KafkaNodePool", "dual").await;
    only_claims(&world, "c", &[0]).await;

    assert_eq!(world.versions("other").await, before);
    assert_eq!(world.get("KafkaTopic", "bills").await.finalizers(), [FINALIZER]);
    let binding = format!("strimzi-{}-other-kafka-init", world.namespace);
    assert!(cluster_role_bindings(&world).get_opt(&binding).await.unwrap().is_some());
}

#[tokio::test]
async fn what_a_cluster_left_that_was_deleted_while_no_operator_ran_goes_at_the_next_start() {
    let mut world = World::start("absent").await;
    collect(&world);
    world.apply(&two_volumes("c")).await;
    world.apply(&racked("c")).await;
    world.running("c", 3).await;
    world.apply(&topic("c", "orders")).await;
    world.kill_operator();
    // As `kubectl delete -f` does: everything at once. The topic waits for somebody to take its finalizer off.
    for (kind, name) in [("KafkaTopic", "orders"), ("KafkaNodePool", "dual"), ("Kafka", "c")] {
        world.delete(kind, name).await;
    }
    world.gone("Service", "c-kafka-bootstrap").await;
    world.gone("StrimziPodSet", "c-dual").await;
    world.exists("KafkaTopic", "orders").await;
    world.start_operator().await;
    // Nothing of the cluster is left that would prove that nobody looks after the topic.
    wait::for_absence(&world.api("KafkaTopic"), "orders", DEADLINE * 2).await.unwrap();
    only_claims(&world, "c", &[0]).await;
}

/// `kubectl replace --force` deletes a resource and makes it anew.
#[tokio::test]
async fn a_resource_that_is_replaced_at_once_keeps_its_nodes_and_their_volumes() {
    let world = World::start("replaced").await;
    world.apply(&two_volumes("c")).await;
    world.apply(&kafka("c")).await;
    world.running("c", 3).await;
    let uids = async || {
        let mut found = BTreeSet::new();
        for kind in ["StrimziPodSet", "PersistentVolumeClaim"] {
            let selector = ListParams::default().labels("strimzi.io/cluster=c");
            let objects = world.api(kind).list(&selector).await.unwrap();
            found.extend(objects.iter().map(|object| (object.name_any(), object.uid())));
        }
        found
    };
    let before = uids().await;
    world.delete("Kafka", "c").await;
    world.gone("Kafka", "c").await;
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    world.apply(&kafka("c")).await;
    world.running("c", 3).await;
    assert_eq!(uids().await, before);
}

/// Cluster `b-c` of namespace `a` and cluster `c` of namespace `a-b` have one name for it.
#[tokio::test]
async fn the_cluster_wide_binding_of_a_cluster_elsewhere_is_left_alone() {
    let world = World::start("binding").await;
    collect(&world);
    let name = format!("strimzi-{}-c-kafka-init", world.namespace);
    let elsewhere = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": name, "labels": {
            "strimzi.io/cluster": "b-c", "strimzi.io/kind": "Kafka", "strimzi.io/name": "b-c-kafka",
            "app.kubernetes.io/managed-by": "strimzi-cluster-operator"}},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "strimzi-kafka-broker"},
        "subjects": [{"kind": "ServiceAccount", "name": "b-c-kafka", "namespace": "a"}],
    });
    let bindings = cluster_role_bindings(&world);
    let before =
        bindings.create(&PostParams::default(), &serde_json::from_value(elsewhere).unwrap()).await.unwrap();
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&racked("c")).await;
    world.refused("c", &["ClusterRoleBinding", &name, "Kafka b-c of namespace a"]).await;
    world.delete("Kafka", "c").await;
    world.gone("StrimziPodSet", "c-dual").await;
    let after = bindings.get(&name).await.unwrap();
    assert_eq!((after.uid(), after.resource_version()), (before.uid(), before.resource_version()));
    bindings.delete(&name, &DeleteParams::default()).await.unwrap();
}

/// Nothing tells such topics from those of a topic operator that runs alone, but that nobody answers their deletion.
#[tokio::test]
async fn topics_of_which_every_trace_of_a_cluster_is_gone_are_let_go_when_they_wait_for_long() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "traceless").await;
    for name in ["stuck", "alive"] {
        world.apply(&topic("c", name)).await;
    }
    world.delete("KafkaTopic", "stuck").await;
    world.start_operator().await;
    wait::for_absence(&world.api("KafkaTopic"), "stuck", DEADLINE * 2).await.unwrap();
    assert_eq!(world.get("KafkaTopic", "alive").await.finalizers(), [FINALIZER]);
}

/// Backup tools make volumes first and custom resources last, and leave owner references out.
#[tokio::test]
async fn claims_that_are_restored_before_their_cluster_stay() {
    let world = World::start("restore").await;
    collect(&world);
    world.apply(&two_volumes("c")).await;
    world.apply(&kafka("c")).await;
    world.running("c", 3).await;
    let selector = ListParams::default().labels("strimzi.io/cluster=c");
    let saved = world.api("PersistentVolumeClaim").list(&selector).await.unwrap().items;
    let doomed = "data-1-c-dual-0";
    let mut claim = saved.into_iter().find(|claim| claim.name_any() == doomed).unwrap();
    claim.metadata.owner_references = None;
    claim.metadata.uid = None;
    claim.metadata.resource_version = None;
    claim.metadata.managed_fields = None;
    claim.metadata.finalizers = None;
    claim.data["spec"]["volumeName"] = Value::Null;
    // First in a process that knew the cluster, and saw it go.
    world.delete("Kafka", "c").await;
    world.delete("KafkaNodePool", "dual").await;
    world.gone("PersistentVolumeClaim", doomed).await;
    world.gone("Secret", "c-trustbundle").await;
    for cluster in ["c", "never-seen"] {
        let name = format!("data-1-{cluster}-dual-0");
        claim.metadata.name = Some(name.clone());
        claim.labels_mut().insert("strimzi.io/cluster".to_owned(), cluster.to_owned());
        let made = world.api("PersistentVolumeClaim").create(&PostParams::default(), &claim).await.unwrap();
        world.has_it_looked_at(&world.api("PersistentVolumeClaim"), &name).await;
        let found = world.get("PersistentVolumeClaim", &name).await;
        assert_eq!((found.uid(), found.metadata.deletion_timestamp), (made.uid(), None));
    }
}

#[tokio::test]
async fn topics_that_a_living_namesake_serves_keep_their_finalizer() {
    let server = ApiServer::shared().await.unwrap();
    let mut world = World::without_operator(server, "granted").await;
    let team = server.create_namespace("team").await.unwrap();
    rights::grant(&world.client, &world.namespace, &[&format!("watchNamespaces={{{team}}}")]).await;
    let value = format!("{},{team}", world.namespace);
    world.set("STRIMZI_NAMESPACE", &value);
    world.apply(&kafka("c")).await;
    let client = world.client.clone();
    let there =
        |kind: &str| -> Api<DynamicObject> { Api::namespaced_with(client.clone(), &team, &resource(kind)) };
    let create = async |kind: &str, object: Value| {
        there(kind).create(&PostParams::default(), &serde_json::from_value(object).unwrap()).await.unwrap()
    };
    let grant = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kastellan-topic-grant"},
        "data": {"clusters": format!("{}/c", world.namespace)}});
    create("ConfigMap", grant).await;
    // What would be proof that there was a cluster here.
    create("KafkaNodePool", pool("c", "stray", 1)).await;
    create("KafkaTopic", topic("c", "orders")).await;
    create("KafkaNodePool", pool("d", "other", 1)).await;
    create("KafkaTopic", topic("d", "bills")).await;
    world.start_operator().await;
    // The one without a grant shows that the namespace was looked at.
    let free = |topic: &DynamicObject| topic.finalizers().is_empty();
    wait::for_object(&there("KafkaTopic"), "bills", DEADLINE, "has no finalizer", free).await.unwrap();
    world.has_it_looked_at(&there("KafkaNodePool"), "stray").await;
    assert_eq!(there("KafkaTopic").get("orders").await.unwrap().finalizers(), [FINALIZER]);
}

#[tokio::test]
async fn a_cluster_that_the_selector_leaves_out_is_not_gone() {
    let mut world = World::start("selector").await;
    world.usual("c").await;
    world.apply(&topic("c", "orders")).await;
    world.kill_operator();
    let before = world.versions("c").await;
    world.set("STRIMZI_CUSTOM_RESOURCE_SELECTOR", "team=blue");
    world.start_operator().await;
    world.apply(&pool("mine", "spare", 1)).await;
    let mut mine = kafka("mine");
    mine["metadata"]["labels"] = json!({"team": "blue"});
    mine["spec"]["kafka"]["config"] = json!({});
    world.apply(&mine).await;
    world.exists("Pod", "mine-spare-0").await;
    // A change of an object of the other cluster brings a look at it.
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    assert_eq!(world.versions("c").await, before);
    assert_eq!(world.get("KafkaTopic", "orders").await.finalizers(), [FINALIZER]);
}

/// Another operator may look after them: two that make and delete pods of one set never agree.
#[tokio::test]
async fn pods_of_a_cluster_that_the_selector_leaves_out_are_left_alone() {
    let mut world = World::start("sharded").await;
    world.usual("c").await;
    world.kill_operator();
    world.set("STRIMZI_CUSTOM_RESOURCE_SELECTOR", "team=blue");
    world.start_operator().await;
    world.apply(&pool("mine", "spare", 1)).await;
    let mut mine = kafka("mine");
    mine["metadata"]["labels"] = json!({"team": "blue"});
    mine["spec"]["kafka"]["config"] = json!({});
    world.apply(&mine).await;
    world.exists("Pod", "mine-spare-0").await;
    let before = world.get("StrimziPodSet", "c-dual").await.resource_version();
    world.delete("Pod", "c-dual-0").await;
    world.gone("Pod", "c-dual-0").await;
    for _ in 0..3 {
        let uid = world.get("Pod", "mine-spare-0").await.uid();
        world.delete("Pod", "mine-spare-0").await;
        world.until("Pod", "mine-spare-0", "was made anew", |pod| pod.uid() != uid).await;
    }
    assert!(world.api("Pod").get_opt("c-dual-0").await.unwrap().is_none());
    assert_eq!(world.get("StrimziPodSet", "c-dual").await.resource_version(), before);
    // The cluster comes over to this operator.
    world.patch("Kafka", "c", json!({"metadata": {"labels": {"team": "blue"}}})).await;
    world.exists("Pod", "c-dual-0").await;
}

#[tokio::test]
async fn a_cluster_that_is_deleted_without_its_objects_keeps_them() {
    let world = World::start("orphan").await;
    collect(&world);
    world.usual("c").await;
    let uids = async || {
        let versions = world.versions("c").await;
        let uid = |version: String| version.split(' ').next().unwrap().to_owned();
        versions.into_iter().map(|(name, version)| (name, uid(version))).collect::<Vec<_>>()
    };
    let before = uids().await;
    world.api("Kafka").delete("c", &DeleteParams::orphan()).await.unwrap();
    world.gone("Kafka", "c").await;
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    assert_eq!(uids().await, before);
    // The same resource again takes its objects back.
    world.apply(&kafka("c")).await;
    world.running("c", 3).await;
    assert_eq!(uids().await, before);
    world
        .until("Service", "c-kafka-bootstrap", "has its owner again", |service| {
            service.owner_references().iter().any(|owner| owner.kind == "Kafka")
        })
        .await;
}

#[tokio::test]
async fn rights_in_a_watched_namespace_go_with_the_cluster() {
    let server = ApiServer::shared().await.unwrap();
    let mut world = World::without_operator(server, "watching").await;
    collect(&world);
    let topics = server.create_namespace("watched").await.unwrap();
    let value = format!("watchNamespaces={{{topics}}}");
    rights::grant(&world.client, &world.namespace, &[&value]).await;
    let namespaces = format!("{},{topics}", world.namespace);
    world.set("STRIMZI_NAMESPACE", &namespaces);
    world.set("STRIMZI_ENTITY_OPERATOR_WATCHED_NAMESPACE_ENABLED", "true");
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    let mut watching = kafka("c");
    watching["spec"]["entityOperator"] = json!({"topicOperator": {"watchedNamespace": topics}});
    world.apply(&watching).await;
    let there = |kind: &str| -> Api<DynamicObject> {
        Api::namespaced_with(world.client.clone(), &topics, &resource(kind))
    };
    // Its owner has to let the operator in.
    world.refused("c", &["watchedNamespace", "kastellan-watch-grant"]).await;
    let rights = [
        ("RoleBinding", format!("{}.c-entity-topic-operator-role", world.namespace)),
        ("Role", format!("{}.c-entity-operator", world.namespace)),
    ];
    for (kind, name) in &rights {
        assert!(there(kind).get_opt(name).await.unwrap().is_none());
    }
    let grant = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "kastellan-watch-grant"},
        "data": {"topicOperator": format!("{}/c", world.namespace)},
    });
    let grant = serde_json::from_value(grant).unwrap();
    there("ConfigMap").create(&PostParams::default(), &grant).await.unwrap();
    for (kind, name) in &rights {
        wait::for_object(&there(kind), name, DEADLINE, "exists", |_| true).await.unwrap();
    }
    there("KafkaTopic")
        .create(&PostParams::default(), &serde_json::from_value(topic("c", "orders")).unwrap())
        .await
        .unwrap();
    world.delete("Kafka", "c").await;
    for (kind, name) in &rights {
        wait::for_absence(&there(kind), name, DEADLINE).await.unwrap();
    }
    let free = |topic: &DynamicObject| topic.finalizers().is_empty();
    wait::for_object(&there("KafkaTopic"), "orders", DEADLINE, "has no finalizer", free).await.unwrap();
}

#[tokio::test]
async fn a_topic_operator_that_is_taken_out_leaves_no_finalizer_behind() {
    let world = World::start("without").await;
    for (cluster, rest) in [
        ("half", json!({"entityOperator": {"topicOperator": null}})),
        ("whole", json!({"entityOperator": null})),
    ] {
        let name = format!("orders-of-{cluster}");
        world.apply(&pool(cluster, &format!("pool-{cluster}"), 1)).await;
        let mut small = kafka(cluster);
        small["spec"]["kafka"]["config"] = json!({});
        world.apply(&small).await;
        world.deploying(cluster).await;
        world.apply(&topic(cluster, &name)).await;
        world.apply(&topic("another", &format!("others-{cluster}"))).await;
        world.delete("KafkaTopic", &name).await;
        world.patch("Kafka", cluster, json!({ "spec": rest })).await;
        world.gone("KafkaTopic", &name).await;
        world.gone("ConfigMap", &format!("{cluster}-entity-topic-operator-config")).await;
        world.gone("RoleBinding", &format!("{cluster}-entity-topic-operator-role")).await;
        assert_eq!(world.get("KafkaTopic", &format!("others-{cluster}")).await.finalizers(), [FINALIZER]);
    }
}
