//! Nothing of a Secret's bytes but certificates leaves it: neither what a resource refers to nor what stands beside the
//! certificates of the cluster's own Secrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::Api;
use kube::ResourceExt;
use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};
use test_support::ApiServer;

use crate::every_kind::KINDS;
use crate::world::{OWNED, World, condition, is_current, kafka, pool};

pub(crate) const MARK: &str = "hunter2-of-the-database";

/// What must not be seen of the values of a Secret: text as it is, in Base64, and as Rust prints bytes. Of a key in PEM a
/// line of its body is enough, of certificates nothing is secret.
fn forms(secret: &DynamicObject) -> Vec<String> {
    let mut forms = Vec::new();
    for (_, value) in secret.data["data"].as_object().into_iter().flatten() {
        let bytes = STANDARD.decode(value.as_str().unwrap()).unwrap();
        let Ok(text) = String::from_utf8(bytes) else { continue };
        let mut in_certificate = false;
        for line in text.lines() {
            if line.starts_with("-----") {
                in_certificate = line.starts_with("-----BEGIN CERTIFICATE");
            } else if !in_certificate && line.len() >= 12 {
                forms.push(line.to_owned());
                forms.push(STANDARD.encode(line));
                forms.push(format!("{:?}", line.as_bytes()).trim_matches(['[', ']']).to_owned());
            }
        }
    }
    forms
}

pub(crate) async fn everything_but_secrets(world: &World) -> String {
    let mut shown = String::new();
    let resources = KINDS.iter().map(|sample| sample.kind).filter(|kind| !OWNED.contains(kind));
    for kind in OWNED.into_iter().chain(["Event"]).chain(resources).filter(|kind| *kind != "Secret") {
        for object in world.api(kind).list(&ListParams::default()).await.unwrap() {
            shown.push_str(&serde_json::to_string(&object).unwrap().replace("\\n", "\n"));
            shown.push('\n');
        }
    }
    shown
}

pub(crate) fn secret(name: &str, entries: &[(&str, &str)]) -> Value {
    let data: serde_json::Map<String, Value> =
        entries.iter().map(|(key, text)| ((*key).to_owned(), json!(STANDARD.encode(text)))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": data})
}

async fn listener(world: &World, cluster: &str, reference: Value) {
    let mut changed = kafka(cluster);
    changed["spec"]["kafka"]["listeners"][1]["configuration"] = json!({"brokerCertChainAndKey": reference});
    world.apply(&changed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_key_and_no_password_is_in_a_status_a_config_map_an_event_or_the_log() {
    let mut world = World::without_operator(ApiServer::shared().await.unwrap(), "secrecy").await;
    world.level = "TRACE";
    let log = world.log.clone();
    world.start_operator().await;
    world.usual("c").await;
    let secrets: Api<DynamicObject> = world.api("Secret");
    let key = STANDARD
        .decode(world.get("Secret", "c-clients-ca").await.data["data"]["ca.key"].as_str().unwrap())
        .unwrap();
    let key = String::from_utf8(key).unwrap();
    let other = format!("{MARK}\n{key}");
    world.apply(&secret("mine", &[("password", MARK), ("key", &key), ("both", &other)])).await;

    let mut shown = String::new();
    // Whatever a listener refers to, its field is named and nothing of it is shown.
    for (name, certificate, key) in [
        ("mine", "password", "password"),
        ("mine", "key", "key"),
        ("mine", "both", "both"),
        ("c-cluster-ca", "ca.key", "ca.key"),
        ("c-dual-0", "c-dual-0.key", "c-dual-0.key"),
        ("c-cluster-operator-certs", "cluster-operator.crt", "cluster-operator.key"),
    ] {
        listener(&world, "c", json!({"secretName": name, "certificate": certificate, "key": key})).await;
        world.refused("c", &["brokerCertChainAndKey", name]).await;
        shown.push_str(&everything_but_secrets(&world).await);
    }
    // What a template passes on is not looked into.
    let mut changed = kafka("c");
    changed["spec"]["kafka"]["template"] = json!({
        "pod": {"volumes": [{"name": "v", "secret": {"secretName": "mine"}}]},
        "kafkaContainer": {"env": [
            {"name": "PASSWORD", "valueFrom": {"secretKeyRef": {"name": "mine", "key": "password"}}}]},
    });
    world.apply(&changed).await;
    world.deploying("c").await;
    // Keys that users write beside the certificates of the cluster's own Secrets stay there.
    for (name, entry) in [("c-cluster-ca-cert", "ca.crt"), ("c-clients-ca-cert", "ca.crt")] {
        let present = world.get("Secret", name).await.data["data"][entry].as_str().unwrap().to_owned();
        let text = String::from_utf8(STANDARD.decode(present).unwrap()).unwrap();
        let text = STANDARD.encode(format!("{text}{other}"));
        world.patch("Secret", name, json!({"data": {entry: text}})).await;
        world
            .until("Secret", name, "holds certificates only", |secret| {
                let bytes = STANDARD.decode(secret.data["data"][entry].as_str().unwrap()).unwrap();
                !String::from_utf8_lossy(&bytes).contains(MARK)
            })
            .await;
    }
    // Keys of the user's own that do not fit.
    world.apply(&pool("d", "alone", 1)).await;
    let mut own = kafka("d");
    own["spec"]["kafka"]["config"] = json!({});
    own["spec"]["clusterCa"] = json!({"generateCertificateAuthority": false});
    world.apply(&own).await;
    let labelled = |name: &str, entries: &[(&str, &str)]| {
        let mut secret = secret(name, entries);
        secret["metadata"]["labels"] = json!({"strimzi.io/cluster": "d", "strimzi.io/kind": "Kafka"});
        secret
    };
    world.refused("d", &["d-cluster-ca-cert", "d-cluster-ca\""]).await;
    world.apply(&labelled("d-cluster-ca-cert", &[("ca.crt", &other), ("old.crt", MARK)])).await;
    world.apply(&labelled("d-cluster-ca", &[("ca.key", MARK)])).await;
    world.refused("d", &["\"ca.crt\"", "\"old.crt\"", "\"ca.key\""]).await;

    let all = secrets.list(&ListParams::default()).await.unwrap();
    let hidden: Vec<(String, String)> = all
        .iter()
        .flat_map(|secret| forms(secret).into_iter().map(|form| (secret.name_any(), form)))
        .collect();
    assert!(hidden.iter().filter(|(_, form)| form == MARK).count() >= 3 && hidden.len() > 60);
    shown.push_str(&everything_but_secrets(&world).await);
    let log = log.text();
    assert!(
        log.contains("DEBUG")
            && shown.contains("brokerCertChainAndKey")
            && shown.contains("BEGIN CERTIFICATE")
    );
    for (secret, form) in &hidden {
        for (place, text) in [("an object", &shown), ("the log", &log)] {
            assert!(!text.contains(form.as_str()), "{form:?} of Secret {secret} is in {place}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_shows_its_certificate_as_soon_as_the_secret_holds_one() {
    let world = World::start("listener").await;
    world.usual("c").await;
    listener(&world, "c", json!({"secretName": "mine", "certificate": "tls.crt", "key": "tls.key"})).await;
    world.refused("c", &["secretName", "\"mine\" does not exist"]).await;
    world.apply(&secret("mine", &[("tls.crt", MARK), ("tls.key", MARK)])).await;
    world.refused("c", &["tls.crt", "tls.key", "cannot be used"]).await;
    let request = issuer::AuthorityRequest {
        common_name: "mine".to_owned(),
        organization: "o".to_owned(),
        validity_days: 30,
        algorithm: issuer::KeyAlgorithm::EcdsaP256,
    };
    let made = issuer::Authority::generate(&request, jiff::Timestamp::now()).unwrap();
    let (certificate, key) = (made.certificate().as_str(), made.key().expose());
    world.apply(&secret("mine", &[("tls.crt", certificate), ("tls.key", key)])).await;
    world
        .until("Kafka", "c", "shows the certificate", |kafka| {
            is_current(kafka)
                && condition(kafka, "NotReady", "Creating").is_some()
                && kafka.data["status"]["listeners"][1]["certificates"] == json!([certificate])
        })
        .await;
}
