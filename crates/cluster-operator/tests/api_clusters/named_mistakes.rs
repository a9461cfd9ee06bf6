//! What real installations were brought down by, on a real API server: the status names it, and what runs stays as it is.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use issuer::{Authority, AuthorityRequest, KeyAlgorithm};
use kube::ResourceExt;
use kube::api::PostParams;
use kube::core::DynamicObject;
use serde_json::{Value, json};
use test_support::ApiServer;

use crate::world::{World, condition, is_current, kafka, pool};

async fn world(prefix: &str) -> World {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), prefix).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.start_operator().await;
    world
}

/// A volume of the user's, mounted there.
fn mounted(path: &str) -> Value {
    json!({"spec": {"kafka": {"template": {
        "pod": {"volumes": [{"name": "mine", "secret": {"secretName": "mine"}}]},
        "kafkaContainer": {"volumeMounts": [{"name": "mine", "mountPath": path}]},
    }}}})
}

#[tokio::test]
async fn what_a_running_cluster_cannot_have_is_named_and_a_name_that_is_too_long_makes_nothing() {
    let world = world("mistakes").await;
    world.usual("c").await;
    let before = world.versions("c").await;
    for (bad, words) in [
        (
            mounted("/opt/kafka/libs"),
            ["spec.kafka.template.kafkaContainer.volumeMounts[0].mountPath", "below /mnt"],
        ),
        (
            json!({"spec": {"kafka": {"template": {"pod": {"volumes": [
                {"name": "data-0", "secret": {"secretName": "mine"}}]}}}}}),
            ["spec.kafka.template.pod.volumes[0].name", "is a volume of the operator"],
        ),
    ] {
        world.patch("Kafka", "c", bad).await;
        world.refused("c", &words).await;
        assert_eq!(world.versions("c").await, before, "what runs was disturbed");
        world.patch("Kafka", "c", json!({"spec": {"kafka": {"template": null}}})).await;
        world.deploying("c").await;
    }

    let long = "c".repeat(48);
    world.apply(&pool(&long, "long", 1)).await;
    world.apply(&kafka(&long)).await;
    world.refused(&long, &["metadata.name", "48 characters, 7 too many", "at most 41"]).await;
    assert!(world.versions(&long).await.is_empty());
    assert_eq!(world.versions("c").await, before);
}

#[tokio::test]
async fn a_chain_of_an_authority_in_the_wrong_order_is_named_and_the_right_one_is_taken() {
    let authority = |name: &str| {
        let request = AuthorityRequest {
            common_name: name.to_owned(),
            organization: "ours".to_owned(),
            validity_days: 3000,
            algorithm: KeyAlgorithm::EcdsaP256,
        };
        Authority::generate(&request, "2026-01-01T00:00:00Z".parse().unwrap()).unwrap()
    };
    let (ours, other) = (authority("ours"), authority("other"));
    let secret = |name: &str, data: Value| {
        json!({"apiVersion": "v1", "kind": "Secret", "stringData": data, "metadata": {"name": name,
            "labels": {"strimzi.io/cluster": "c", "strimzi.io/kind": "Kafka"},
            "annotations": {"strimzi.io/ca-cert-generation": "0", "strimzi.io/ca-key-generation": "0"}}})
    };
    let world = world("chain").await;
    let wrong = format!("{}{}", other.certificate().as_str(), ours.certificate().as_str());
    world.apply(&secret("c-cluster-ca-cert", json!({"ca.crt": wrong}))).await;
    world.apply(&secret("c-cluster-ca", json!({"ca.key": ours.key().expose()}))).await;
    world.apply(&pool("c", "dual", 1)).await;
    let mut cluster = kafka("c");
    cluster["spec"]["clusterCa"] = json!({"generateCertificateAuthority": false});
    cluster["spec"]["kafka"]["config"] = json!({});
    world.apply(&cluster).await;
    world.refused("c", &["spec.clusterCa", "\"c-cluster-ca-cert\"", "wrong order", "CN=ours"]).await;
    world.apply(&secret("c-cluster-ca-cert", json!({"ca.crt": ours.certificate().as_str()}))).await;
    world.running("c", 1).await;
}

#[tokio::test]
async fn an_amount_that_is_spelled_otherwise_restarts_nothing_and_a_share_of_the_memory_is_the_heap() {
    let world = world("amounts").await;
    let mut dual = pool("c", "dual", 1);
    dual["spec"]["resources"] = json!({"limits": {"cpu": "250m", "memory": "2Gi"}});
    dual["spec"]["jvmOptions"] = json!({"-XX": {"MaxRAMPercentage": "50"}});
    world.apply(&dual).await;
    let mut cluster = kafka("c");
    cluster["spec"]["kafka"]["config"] = json!({});
    world.apply(&cluster).await;
    world.running("c", 1).await;
    let map = world.get("ConfigMap", "c-dual-0").await;
    let agent: Value = serde_json::from_str(map.data["data"]["agent.config"].as_str().unwrap()).unwrap();
    assert_eq!(agent["heap"], Value::Null, "an -Xmx of ours would overrule the share");
    assert_eq!(agent["jvmPerformanceOptions"], json!(["-XX:MaxRAMPercentage=50"]));

    let before = world.versions("c").await;
    let same = json!({"limits": {"cpu": "0.25", "memory": "2048Mi"}});
    world.patch("KafkaNodePool", "dual", json!({"spec": {"resources": same}})).await;
    world.until("KafkaNodePool", "dual", "is seen as it is now", is_current).await;
    world.deploying("c").await;
    assert_eq!(world.versions("c").await, before, "the amounts are the same");
}

#[tokio::test]
async fn an_authority_that_is_lost_with_key_and_certificate_is_replaced_and_the_former_one_stays_trusted() {
    let world = world("lost").await;
    world.usual("c").await;
    let pem = |secret: &DynamicObject, key: &str| {
        let data = STANDARD.decode(secret.data["data"][key].as_str().unwrap()).unwrap();
        String::from_utf8(data).unwrap()
    };
    let former = world.get("Secret", "c-cluster-ca-cert").await;
    for name in ["c-cluster-ca", "c-cluster-ca-cert"] {
        world.delete("Secret", name).await;
    }
    let is_new = |secret: &DynamicObject| secret.uid() != former.uid();
    let present = world.promptly("Secret", "c-cluster-ca-cert", "is made anew", is_new).await;
    world.promptly("Secret", "c-cluster-ca", "is made anew", |_| true).await;
    let (former, present) = (pem(&former, "ca.crt"), pem(&present, "ca.crt"));
    assert_ne!(present.trim(), former.trim());
    let trusts_both = |bundle: &DynamicObject| {
        let bundle = pem(bundle, "cluster-ca.crt");
        bundle.contains(former.trim()) && bundle.contains(present.trim())
    };
    world.promptly("Secret", "c-trustbundle", "trusts both", trusts_both).await;
    let kafka = world.get("Kafka", "c").await;
    assert!(condition(&kafka, "NotReady", "InternalError").is_none(), "{:?}", kafka.data["status"]);
}

#[tokio::test]
async fn a_field_that_no_definition_knows_is_named_after_kubectl_applied_it() {
    let world = World::start("dropped").await;
    world.apply(&pool("c", "dual", 1)).await;
    // What `kubectl apply` sends: the manifest, and the same once more in an annotation.
    let mut manifest = kafka("c");
    manifest["spec"]["kafka"]["replicaas"] = json!(3);
    manifest["metadata"]["namespace"] = json!(world.namespace);
    let applied = manifest.to_string();
    manifest["metadata"]["annotations"]["kubectl.kubernetes.io/last-applied-configuration"] = json!(applied);
    let sent = serde_json::from_value(manifest).unwrap();
    let kept = world.api("Kafka").create(&PostParams::default(), &sent).await.unwrap();
    assert!(kept.data["spec"]["kafka"]["replicaas"].is_null(), "the API server drops it");
    world
        .until("Kafka", "c", "names the field", |kafka| {
            let said = condition(kafka, "Warning", "UnknownFields").map(|found| found["message"].to_string());
            said.is_some_and(|text| text.contains("spec.kafka.replicaas"))
        })
        .await;
}
