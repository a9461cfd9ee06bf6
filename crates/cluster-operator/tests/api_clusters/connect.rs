//! KafkaConnect against a real API server: its objects, what restarts its workers, mistakes, and its end.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::deletion::collect;
use crate::secrecy::secret;
use crate::world::{World, is_current, resource};

fn connect(name: &str, replicas: i32) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect", "metadata": {"name": name},
        "spec": {"replicas": replicas, "bootstrapServers": "shop-kafka-bootstrap:9093", "groupId": name,
            "configStorageTopic": "configs", "statusStorageTopic": "statuses", "offsetStorageTopic": "offsets"}})
}

/// With trust in a cluster's certificate, and with the certificate of a user.
fn with_tls(mut connect: Value) -> Value {
    connect["spec"]["tls"] =
        json!({"trustedCertificates": [{"secretName": "shop-cluster-ca-cert", "pattern": "*.crt"}]});
    let own = json!({"secretName": "pipes", "certificate": "user.crt", "key": "user.key"});
    connect["spec"]["authentication"] = json!({"type": "tls", "certificateAndKey": own});
    connect
}

/// A certificate and its key.
fn certificate() -> (String, String) {
    let request = issuer::AuthorityRequest {
        common_name: "test".to_owned(),
        organization: "test".to_owned(),
        validity_days: 30,
        algorithm: issuer::KeyAlgorithm::default(),
    };
    let made = issuer::Authority::generate(&request, operator_runtime::clock::now()).unwrap();
    (made.certificate().as_str().to_owned(), made.key().expose().to_owned())
}

/// A Secret as the cluster operator or the user operator labels it.
fn labelled(mut secret: Value, kind: &str) -> Value {
    secret["metadata"]["labels"] = json!({"strimzi.io/cluster": "shop", "strimzi.io/kind": kind});
    secret
}

fn ready(connect: &DynamicObject) -> bool {
    is_current(connect) && says(connect, "Ready", "")
}

fn says(connect: &DynamicObject, type_: &str, words: &str) -> bool {
    let conditions = connect.data["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|condition| {
        condition["type"] == type_ && condition["message"].as_str().unwrap_or_default().contains(words)
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_come_when_their_secrets_do_and_restart_for_the_keys_that_they_use() {
    let mut world = World::with(ApiServer::shared().await.unwrap(), "connect", Fate::Ready).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    collect(&world);
    let (ca, _) = certificate();
    let (crt, key) = certificate();
    // A Secret that is not there yet is waited for, and others go on.
    world.apply(&with_tls(connect("pipes", 2))).await;
    world.apply(&connect("other", 1)).await;
    world.until("KafkaConnect", "other", "is ready", ready).await;
    world
        .until("KafkaConnect", "pipes", "names what is missing", |found| {
            is_current(found)
                && says(
                    found,
                    "NotReady",
                    "spec.tls.trustedCertificates[0].secretName: Secret \"shop-cluster-ca-cert\"",
                )
                && says(
                    found,
                    "NotReady",
                    "spec.authentication.certificateAndKey.secretName: Secret \"pipes\"",
                )
        })
        .await;
    world.apply(&labelled(secret("shop-cluster-ca-cert", &[("ca.crt", &ca)]), "Kafka")).await;
    let user = |password: &str| {
        labelled(
            secret("pipes", &[("user.crt", &crt), ("user.key", &key), ("user.password", password)]),
            "KafkaUser",
        )
    };
    world.apply(&user("one")).await;
    let pipes = world.promptly("KafkaConnect", "pipes", "is ready", ready).await;
    let status = &pipes.data["status"];
    let url = format!("http://pipes-connect-api.{}.svc:8083", world.namespace);
    assert_eq!((&status["url"], &status["replicas"]), (&json!(url), &json!(2)), "{status}");
    for (kind, name) in [
        ("StrimziPodSet", "pipes-connect"),
        ("Service", "pipes-connect"),
        ("Service", "pipes-connect-api"),
        ("ConfigMap", "pipes-connect-config"),
        ("ServiceAccount", "pipes-connect"),
        ("Role", "pipes-connect"),
        ("RoleBinding", "pipes-connect-connect-role"),
        ("PodDisruptionBudget", "pipes-connect"),
        ("Secret", "pipes-connect-tls-trusted-certs"),
    ] {
        world.exists(kind, name).await;
    }
    let trusted = world.get("Secret", "pipes-connect-tls-trusted-certs").await;
    let trusted = STANDARD.decode(trusted.data["data"]["ca.crt"].as_str().unwrap()).unwrap();
    assert_eq!(String::from_utf8(trusted).unwrap().trim(), ca.trim());

    // A key of the Secret that the workers do not use restarts nothing; the certificate restarts these workers and no others.
    let uid_of = async |name: &str| world.get("Pod", name).await.uid().unwrap();
    let (first, other) = (uid_of("pipes-connect-0").await, uid_of("other-connect-0").await);
    world.apply(&user("two")).await;
    let (crt, key) = certificate();
    let renewed = secret("pipes", &[("user.crt", &crt), ("user.key", &key), ("user.password", "two")]);
    assert_eq!(uid_of("pipes-connect-0").await, first);
    world.apply(&labelled(renewed, "KafkaUser")).await;
    for pod in ["pipes-connect-0", "pipes-connect-1"] {
        let before = if pod == "pipes-connect-0" { Some(first.clone()) } else { None };
        world.until("Pod", pod, "was made anew", |found| before.as_deref() != found.uid().as_deref()).await;
    }
    world.until("KafkaConnect", "pipes", "is ready again", ready).await;
    assert_eq!(uid_of("other-connect-0").await, other);
}

#[tokio::test(flavor = "multi_thread")]
async fn workers_can_be_none_be_left_alone_and_go() {
    let mut world = World::with(ApiServer::shared().await.unwrap(), "connect-ends", Fate::Ready).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    collect(&world);
    for name in ["pipes", "other"] {
        world.apply(&connect(name, 1)).await;
        world.until("KafkaConnect", name, "is ready", ready).await;
    }
    // Without workers it is ready and has no address.
    world.patch("KafkaConnect", "pipes", json!({"spec": {"replicas": 0}})).await;
    world.gone("Pod", "pipes-connect-0").await;
    world
        .until("KafkaConnect", "pipes", "has no workers", |found| {
            ready(found) && found.data["status"]["url"].is_null()
        })
        .await;

    // A paused resource is left alone.
    let paused = json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}}, "spec": {"replicas": 3}});
    world.patch("KafkaConnect", "other", paused).await;
    world.until("KafkaConnect", "other", "is paused", |found| says(found, "ReconciliationPaused", "")).await;
    let resumed = json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": null}}});
    world.patch("KafkaConnect", "other", resumed).await;
    world.until("Pod", "other-connect-2", "runs", |pod| pod.data["status"]["phase"] == "Running").await;

    world.delete("KafkaConnect", "other").await;
    for (kind, name) in
        [("StrimziPodSet", "other-connect"), ("Service", "other-connect-api"), ("Pod", "other-connect-0")]
    {
        world.gone(kind, name).await;
    }
    world.get("ConfigMap", "pipes-connect-config").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_cluster_wide_goes_with_its_resource_and_workers_are_scaled_by_the_sub_resource() {
    let mut world = World::with(ApiServer::shared().await.unwrap(), "connect-rack", Fate::Ready).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    collect(&world);
    let mut racked = connect("racked", 1);
    racked["spec"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    world.apply(&racked).await;
    world.until("KafkaConnect", "racked", "is ready", ready).await;
    let bindings: Api<DynamicObject> = Api::all_with(world.client.clone(), &resource("ClusterRoleBinding"));
    let name = format!("strimzi-{}-racked-connect-init", world.namespace);
    let binding = bindings.get(&name).await.unwrap();
    assert_eq!(binding.data["roleRef"]["name"], "strimzi-kafka-client");

    let scale = json!({"spec": {"replicas": 2}});
    let parameters = PatchParams::default();
    world.api("KafkaConnect").patch_scale("racked", &parameters, &Patch::Merge(scale)).await.unwrap();
    world.until("Pod", "racked-connect-1", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world
        .until("KafkaConnect", "racked", "counts its workers", |found| {
            ready(found) && found.data["status"]["replicas"] == 2
        })
        .await;

    world.api("KafkaConnect").delete("racked", &DeleteParams::default()).await.unwrap();
    test_support::wait::for_absence(&bindings, &name, crate::world::DEADLINE).await.unwrap();
    world.gone("StrimziPodSet", "racked-connect").await;
}
