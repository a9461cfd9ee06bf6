//! Manifests as users wrote them, for Strimzi and for other operators: they become clusters that wait for nothing but Kafka,
//! which no stand-in answers for.

use std::path::Path;

use kube::Api;
use kube::ResourceExt;
use kube::api::{ApiResource, ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kubectl_kafka::convert::{self, Resource};
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::world::{World, condition, is_current};

fn file(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Kubernetes gives out node ports from 30086 on while there are any, so that no Service of another test gets this one by chance.
const NODE_PORT: u16 = 30_080;

/// A manifest that names a node port, with a node port that is free in the API server that tests share.
fn with_free_port(path: &str) -> Value {
    let text = file(path);
    assert!(text.contains("nodePort: 32094"), "{text}");
    serde_saphyr::from_str(&text.replace("32094", &NODE_PORT.to_string())).unwrap()
}

/// A world whose pods are ready as soon as they are there.
async fn world(prefix: &str) -> World {
    let mut world = World::with(ApiServer::shared().await.unwrap(), prefix, Fate::Ready).await;
    world.start_operator().await;
    world
}

/// The pods of a cluster are ready, and the status names Kafka's own answer as all that is missing.
async fn waits_for_kafka_alone(world: &World, cluster: &str, pods: &[&str]) -> DynamicObject {
    for pod in pods {
        let is_ready = |pod: &DynamicObject| {
            pod.data["status"]["conditions"].to_string().contains(r#""type":"Ready""#)
                && pod.data["status"]["phase"] == "Running"
        };
        world.until("Pod", pod, "is ready", is_ready).await;
    }
    world
        .until("Kafka", cluster, "waits for Kafka alone", |kafka| {
            let said = condition(kafka, "NotReady", "Creating").map(|found| found["message"].to_string());
            is_current(kafka) && said.is_some_and(|text| text.contains("Kafka has not answered yet"))
        })
        .await
}

async fn names(world: &World, kind: &str, cluster: &str) -> Vec<String> {
    let selector = ListParams::default().labels(&format!("strimzi.io/cluster={cluster}"));
    let mut names: Vec<String> =
        world.api(kind).list(&selector).await.unwrap().iter().map(ResourceExt::name_any).collect();
    names.sort();
    names
}

/// Everything that the status warns of.
fn warnings(kafka: &DynamicObject) -> String {
    let conditions = kafka.data["status"]["conditions"].as_array().unwrap().iter();
    let texts = conditions
        .filter(|one| one["type"] == "Warning")
        .map(|one| format!("{} {}\n", one["reason"], one["message"]));
    texts.collect()
}

/// Stores a manifest through its own version, and looks at it through the newest.
async fn store(world: &World, manifest: &Value) {
    let (group, version) = manifest["apiVersion"].as_str().unwrap().split_once('/').unwrap();
    let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, "Kafka"));
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &resource);
    let object: DynamicObject = serde_json::from_value(manifest.clone()).unwrap();
    api.create(&PostParams::default(), &object).await.unwrap();
    let name = manifest["metadata"]["name"].as_str().unwrap();
    assert_eq!(world.get("Kafka", name).await.data["spec"], manifest["spec"], "nothing is lost");
}

#[tokio::test]
async fn the_published_manifest_of_strimzi_0_34_becomes_its_pods() {
    let world = world("as-written").await;
    store(&world, &serde_saphyr::from_str(&file("test-support/as-written/kafka.yaml")).unwrap()).await;
    let pods = ["my-cluster-kafka-0", "my-cluster-kafka-1", "my-cluster-controller-1000"];
    let kafka = waits_for_kafka_alone(&world, "my-cluster", &pods).await;
    let said = warnings(&kafka);
    for part in [
        "3.4.0 is older than every supported version",
        "spec.kafka.replicas and spec.kafka.storage",
        "spec.zookeeper",
        "inter.broker.protocol.version means nothing any more",
    ] {
        assert!(said.contains(part), "{part} is not in {said}");
    }
    assert_eq!(
        names(&world, "StrimziPodSet", "my-cluster").await,
        ["my-cluster-controller", "my-cluster-kafka"]
    );
    assert_eq!(
        names(&world, "PersistentVolumeClaim", "my-cluster").await,
        ["data-0-my-cluster-kafka-0", "data-0-my-cluster-kafka-1", "data-my-cluster-controller-1000"]
    );
    for claim in names(&world, "PersistentVolumeClaim", "my-cluster").await {
        let claim = world.get("PersistentVolumeClaim", &claim).await;
        assert_eq!(claim.data["spec"]["storageClassName"], "disk");
        assert_eq!(claim.data["spec"]["resources"]["requests"]["storage"], "10Gi");
    }
}

#[tokio::test]
async fn its_listeners_on_node_ports_are_reached_as_written() {
    let world = world("as-written-ports").await;
    store(&world, &with_free_port("test-support/as-written/kafka-nodeport.yaml")).await;
    let pods = ["my-cluster-kafka-0", "my-cluster-kafka-1", "my-cluster-controller-1000"];
    waits_for_kafka_alone(&world, "my-cluster", &pods).await;
    let service = world.get("Service", "my-cluster-kafka-external-bootstrap").await;
    assert_eq!(service.data["spec"]["ports"][0]["nodePort"], NODE_PORT);
    // The author of the text changed the same resource.
    let advertised = with_free_port("test-support/as-written/kafka-nodeport-advertised.yaml");
    world.patch("Kafka", "my-cluster", json!({"spec": advertised["spec"]})).await;
    world
        .until("ConfigMap", "my-cluster-kafka-0", "tells the address", |map| {
            map.data["data"]["server.config"]
                .as_str()
                .is_some_and(|text| text.contains("EXTERNAL-9094://47.100.168.xxx"))
        })
        .await;
    let other = world.get("ConfigMap", "my-cluster-kafka-1").await.data["data"].to_string();
    assert!(!other.contains("47.100.168"), "{other}");
}

#[tokio::test]
async fn an_ephemeral_cluster_of_strimzi_0_38_becomes_its_pods() {
    let world = world("as-written-ephemeral").await;
    let manifest =
        serde_saphyr::from_str(&file("test-support/as-written/kafka-ephemeral-single.yaml")).unwrap();
    store(&world, &manifest).await;
    let pods = [
        "my-cluster-kafka-0",
        "my-cluster-controller-1000",
        "my-cluster-controller-1001",
        "my-cluster-controller-1002",
    ];
    let kafka = waits_for_kafka_alone(&world, "my-cluster", &pods).await;
    assert!(warnings(&kafka).contains("DeprecatedFields"), "{}", warnings(&kafka));
    assert_eq!(names(&world, "PersistentVolumeClaim", "my-cluster").await, Vec::<String>::new());
}

/// Applies what comes out of a manifest of another operator.
async fn convert_and_apply(world: &World, input: &str) {
    let conversion = convert::convert(&file(&format!("kubectl-kafka/tests/inputs/{input}.yaml"))).unwrap();
    assert!(!conversion.has_failed(), "{}", convert::summary(&conversion));
    for resource in conversion.resources() {
        let mut value = match resource {
            Resource::Kafka(kafka) => serde_json::to_value(kafka),
            Resource::Pool(pool) => serde_json::to_value(pool),
            Resource::Topic(topic) => serde_json::to_value(topic),
            Resource::User(user) => serde_json::to_value(user),
        }
        .unwrap();
        // The namespace of the manifest is not that of the test.
        value["metadata"]["namespace"] = json!(world.namespace);
        world.apply(&value).await;
    }
}

#[tokio::test]
async fn krallistics_cluster_runs_after_conversion() {
    let world = world("krallistic").await;
    convert_and_apply(&world, "krallistic").await;
    let pods = [
        "test-cluster-1-broker-0",
        "test-cluster-1-broker-1",
        "test-cluster-1-broker-2",
        "test-cluster-1-controller-1000",
        "test-cluster-1-controller-1001",
        "test-cluster-1-controller-1002",
    ];
    waits_for_kafka_alone(&world, "test-cluster-1", &pods).await;
    let topic = world.get("KafkaTopic", "test2").await;
    assert_eq!(topic.data["spec"]["partitions"], 2);
}

#[tokio::test]
async fn koperators_clusters_run_after_conversion() {
    let (kraft, product, events) =
        tokio::join!(world("koperator-kraft"), world("koperator-product"), world("koperator"));
    tokio::join!(
        convert_and_apply(&kraft, "koperator-kraft"),
        convert_and_apply(&product, "tenxcloud"),
        convert_and_apply(&events, "koperator"),
    );
    let pods = [
        "kafka-default-0",
        "kafka-default-1",
        "kafka-default-2",
        "kafka-broker-100",
        "kafka-broker-101",
        "kafka-broker-102",
    ];
    waits_for_kafka_alone(&kraft, "kafka", &pods).await;
    waits_for_kafka_alone(&product, "kafka-olm", &["kafka-olm-broker-0", "kafka-olm-controller-1000"]).await;

    // A cloud gives the load balancer its address.
    let name = "events-kafka-external-bootstrap";
    let service = events.exists("Service", name).await;
    assert_eq!(service.data["spec"]["type"], "LoadBalancer");
    let address = json!({"status": {"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}}});
    events.api("Service").patch_status(name, &PatchParams::default(), &Patch::Merge(address)).await.unwrap();
    let pods = ["events-default-0", "events-default-2", "events-spare-10", "events-controller-1000"];
    waits_for_kafka_alone(&events, "events", &pods).await;
}

#[tokio::test]
async fn what_comes_out_of_the_other_manifests_is_taken_by_the_api_server() {
    let world = world("converted").await;
    convert_and_apply(&world, "koperator-sasl").await;
    convert_and_apply(&world, "koperator-topics-and-users").await;
    for (kind, name) in [("Kafka", "kafka"), ("KafkaTopic", "orders"), ("KafkaUser", "shop")] {
        world.exists(kind, name).await;
    }
    world.exists("StrimziPodSet", "kafka-broker").await;
}
