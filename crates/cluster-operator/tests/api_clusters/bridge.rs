//! KafkaBridge against a real API server: its objects, what changes them, mistakes, and its end.

use kube::ResourceExt;
use kube::api::{Api, DynamicObject, Patch, PatchParams, PostParams};
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::deletion::collect;
use crate::secrecy::secret;
use crate::world::{World, is_current, resource};

fn example() -> Value {
    serde_saphyr::from_str(include_str!("../../../../examples/kafka-bridge.yaml")).unwrap()
}

fn says(bridge: &DynamicObject, type_: &str, words: &str) -> bool {
    let conditions = bridge.data["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == type_ && condition["message"].as_str().unwrap_or_default().contains(words)
    })
}

fn ready(bridge: &DynamicObject) -> bool {
    is_current(bridge) && says(bridge, "Ready", "")
}

fn certificate() -> String {
    let request = issuer::AuthorityRequest {
        common_name: "test".to_owned(),
        organization: "test".to_owned(),
        validity_days: 30,
        algorithm: issuer::KeyAlgorithm::default(),
    };
    let made = issuer::Authority::generate(&request, operator_runtime::clock::now()).unwrap();
    made.certificate().as_str().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_comes_when_its_secrets_do_follows_them_and_goes_with_its_resource() {
    let mut world = World::with(ApiServer::shared().await.unwrap(), "bridge", Fate::Ready).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    collect(&world);
    let mut bridge = example();
    bridge["spec"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    world.apply(&bridge).await;
    world
        .until("KafkaBridge", "my", "names what is missing", |found| {
            is_current(found)
                && says(
                    found,
                    "NotReady",
                    "spec.tls.trustedCertificates[0].secretName: Secret \"my-cluster-ca-cert\"",
                )
                && says(found, "NotReady", "spec.authentication.passwordSecret.secretName: Secret \"web\"")
        })
        .await;
    let labelled = |mut secret: Value, kind: &str| {
        secret["metadata"]["labels"] = json!({"strimzi.io/cluster": "my", "strimzi.io/kind": kind});
        secret
    };
    world.apply(&labelled(secret("my-cluster-ca-cert", &[("ca.crt", &certificate())]), "Kafka")).await;
    world.apply(&labelled(secret("web", &[("password", "one")]), "KafkaUser")).await;
    let found = world.promptly("KafkaBridge", "my", "is ready", ready).await;
    let status = &found.data["status"];
    let url = format!("http://my-bridge-service.{}.svc:8080", world.namespace);
    assert_eq!((&status["url"], &status["replicas"]), (&json!(url), &json!(1)), "{status}");
    for (kind, name) in [
        ("Deployment", "my-bridge"),
        ("Service", "my-bridge-service"),
        ("ConfigMap", "my-bridge-config"),
        ("ServiceAccount", "my-bridge"),
        ("PodDisruptionBudget", "my-bridge"),
        ("Secret", "my-bridge-tls-trusted-certs"),
    ] {
        world.exists(kind, name).await;
    }
    let bindings: Api<DynamicObject> = Api::all_with(world.client.clone(), &resource("ClusterRoleBinding"));
    let binding = format!("strimzi-{}-my-bridge-init", world.namespace);
    assert_eq!(bindings.get(&binding).await.unwrap().data["roleRef"]["name"], "strimzi-kafka-client");

    // A changed password replaces the pod; a field of the Deployment that another client changes is set back.
    let hash = |found: &DynamicObject| {
        found.data["spec"]["template"]["metadata"]["annotations"]["strimzi.io/auth-hash"].clone()
    };
    let before = hash(&world.get("Deployment", "my-bridge").await);
    world.apply(&labelled(secret("web", &[("password", "two")]), "KafkaUser")).await;
    world.until("Deployment", "my-bridge", "has another hash", |found| hash(found) != before).await;
    world.patch("Deployment", "my-bridge", json!({"spec": {"replicas": 5}})).await;
    world
        .until("Deployment", "my-bridge", "has one pod again", |found| found.data["spec"]["replicas"] == 1)
        .await;

    // Scaled by the sub-resource, and to none.
    let scale = json!({"spec": {"replicas": 2}});
    let parameters = PatchParams::default();
    world.api("KafkaBridge").patch_scale("my", &parameters, &Patch::Merge(scale)).await.unwrap();
    world
        .until("KafkaBridge", "my", "counts two", |found| {
            ready(found) && found.data["status"]["replicas"] == 2
        })
        .await;
    world.patch("KafkaBridge", "my", json!({"spec": {"replicas": 0}})).await;
    world
        .until("KafkaBridge", "my", "has none", |found| ready(found) && found.data["status"]["url"].is_null())
        .await;

    // The strategy Recreate, for which the API server takes no bounds, after RollingUpdate, which has some.
    let recreate =
        json!({"spec": {"replicas": 1, "template": {"deployment": {"deploymentStrategy": "Recreate"}}}});
    world.patch("KafkaBridge", "my", recreate).await;
    world
        .until("Deployment", "my-bridge", "is made anew at each change", |found| {
            found.data["spec"]["strategy"] == json!({"type": "Recreate"})
        })
        .await;
    world.until("KafkaBridge", "my", "is ready again", ready).await;

    is_left_alone_and_goes(&world, &bindings, &binding).await;
}

async fn is_left_alone_and_goes(world: &World, bindings: &Api<DynamicObject>, binding: &str) {
    let paused = json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}}, "spec": {"replicas": 3}});
    world.patch("KafkaBridge", "my", paused).await;
    world.until("KafkaBridge", "my", "is paused", |found| says(found, "ReconciliationPaused", "")).await;
    assert_eq!(world.get("Deployment", "my-bridge").await.data["spec"]["replicas"], 1);

    world.delete("KafkaBridge", "my").await;
    for (kind, name) in [("Deployment", "my-bridge"), ("Service", "my-bridge-service")] {
        world.gone(kind, name).await;
    }
    test_support::wait::for_absence(bindings, binding, crate::world::DEADLINE).await.unwrap();
    assert_eq!(world.get("Secret", "web").await.name_any(), "web", "what the user made stays");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bridge_of_an_older_manifest_is_taken_as_it_is() {
    let mut world = World::with(ApiServer::shared().await.unwrap(), "bridge-older", Fate::Ready).await;
    world.start_operator().await;
    let older = json!({"apiVersion": "kafka.strimzi.io/v1beta2", "kind": "KafkaBridge", "metadata": {"name": "old"},
        "spec": {"bootstrapServers": "my-kafka-bootstrap:9092", "enableMetrics": true, "http": {"port": 8090}}});
    let mut served = resource("KafkaBridge");
    "v1beta2".clone_into(&mut served.version);
    "kafka.strimzi.io/v1beta2".clone_into(&mut served.api_version);
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &served);
    api.create(&PostParams::default(), &serde_json::from_value(older).unwrap()).await.unwrap();
    let found = world.until("KafkaBridge", "old", "is ready", ready).await;
    assert!(says(&found, "Warning", "spec.enableMetrics"), "{}", found.data["status"]);
    let file =
        world.get("ConfigMap", "old-bridge-config").await.data["data"]["application.properties"].clone();
    assert!(file.as_str().unwrap().contains("bridge.metrics=strimziMetricsReporter"), "{file}");
}
