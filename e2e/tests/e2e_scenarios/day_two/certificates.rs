//! Certificates that change under load: another key of the authority, and an issuer of cert-manager in place of the operator. No pod
//! restarts for either.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use api::{Kafka, annotations};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::ResourceExt;
use serde_json::{Value, json};

use e2e::is_pod_ready;

use super::{CLUSTER, Day, ROLL};

/// The certificate and key of the issuer's authority.
const COMPANY: &str = "company-ca";

/// What the Secrets of the cluster held before its certificates change.
struct Before {
    /// UIDs by pod.
    pods: BTreeMap<String, String>,
    authority: Vec<u8>,
    /// By pod.
    leaves: BTreeMap<String, Vec<u8>>,
}

/// A key replacement: certificates and trust change on every connection.
pub(super) async fn replace_authority(day: &mut Day) -> Result<()> {
    let pods = day.begins("the authority's key is replaced", 50).await?;
    let before = Before::of(day, pods).await?;
    let patch = json!({"metadata": {"annotations": {annotations::FORCE_REPLACE: "true"}}});
    day.patch::<Secret>(&format!("{CLUSTER}-cluster-ca"), &patch).await?;
    before.until_handed_over(day).await?;
    day.ends().await
}

/// Every certificate of the cluster is signed by an issuer of cert-manager from now on.
pub(super) async fn move_to_issuer(day: &mut Day) -> Result<()> {
    let pods = day.begins("cert-manager signs in place of the operator", 50).await?;
    let before = Before::of(day, pods).await?;
    for object in company() {
        day.scenario.apply_value(&object).await?;
    }
    let is_there = |secret: Option<&Secret>| secret.and_then(|secret| read(secret, "tls.crt")).is_some();
    day.scenario.until::<Secret>(COMPANY, "the authority of the issuer", ROLL, is_there).await?;
    let section = json!({
        "type": "cert-manager.io", "generateCertificateAuthority": false,
        "certManager": {
            "issuerRef": {"name": "company"},
            "caCert": {"secretName": COMPANY, "certificate": "tls.crt"},
        },
    });
    day.patch::<Kafka>(CLUSTER, &json!({"spec": {"clusterCa": section, "clientsCa": section}})).await?;
    before.until_handed_over(day).await?;
    ensure!(
        certificate(day, "ca.crt", &format!("{CLUSTER}-cluster-ca-cert")).await?
            == certificate(day, "tls.crt", COMPANY).await?,
        "the authority must be that of the issuer"
    );
    day.ends().await
}

/// An authority, self-signed, and an issuer that signs with it.
fn company() -> [Value; 3] {
    let object = |kind: &str, name: &str, spec: Value| json!({"apiVersion": "cert-manager.io/v1", "kind": kind, "metadata": {"name": name}, "spec": spec});
    [
        object("Issuer", "self-signed", json!({"selfSigned": {}})),
        object(
            "Certificate",
            COMPANY,
            json!({"isCA": true, "commonName": "company", "secretName": COMPANY, "duration": "87600h",
                "privateKey": {"algorithm": "ECDSA", "size": 256}, "issuerRef": {"name": "self-signed"}}),
        ),
        object("Issuer", "company", json!({"ca": {"secretName": COMPANY}})),
    ]
}

impl Before {
    async fn of(day: &Day, pods: BTreeMap<String, String>) -> Result<Self> {
        let authority = certificate(day, "ca.crt", &format!("{CLUSTER}-cluster-ca-cert")).await?;
        let mut leaves = BTreeMap::new();
        for pod in pods.keys() {
            leaves.insert(pod.clone(), certificate(day, &format!("{pod}.crt"), pod).await?);
        }
        Ok(Self { pods, authority, leaves })
    }

    /// Waits until every node shows a leaf of another authority and trusts no other; none of them may restart for it.
    async fn until_handed_over(&self, day: &Day) -> Result<()> {
        for (pod, old) in &self.leaves {
            let key = format!("{pod}.crt");
            let is_new = |secret: Option<&Secret>| {
                secret.and_then(|secret| read(secret, &key)).is_some_and(|now| now != *old)
            };
            day.scenario.until::<Secret>(pod, "a leaf of the new authority", ROLL, is_new).await?;
            let trusts_it_alone = |found: Option<&Pod>| {
                found.is_some_and(|found| {
                    let trusted = found.annotations().get(annotations::TRUSTED_CLUSTER_CAS);
                    is_pod_ready(found) && trusted.is_some_and(|trusted| !trusted.contains(','))
                })
            };
            day.scenario.until::<Pod>(pod, "trust in the new authority alone", ROLL, trusts_it_alone).await?;
        }
        day.scenario.until_ready(CLUSTER, ROLL).await?;
        ensure!(
            certificate(day, "ca.crt", &format!("{CLUSTER}-cluster-ca-cert")).await? != self.authority,
            "the authority must be a new one"
        );
        let (before, after) = (&self.pods, day.scenario.kafka_pods(CLUSTER).await?);
        ensure!(after == *before, "no pod restarts for certificates: {before:?} became {after:?}");
        Ok(())
    }
}

fn read(secret: &Secret, key: &str) -> Option<Vec<u8>> {
    secret.data.as_ref()?.get(key).map(|bytes| bytes.0.clone())
}

async fn certificate(day: &Day, key: &str, secret: &str) -> Result<Vec<u8>> {
    let secret = day.scenario.api::<Secret>().get(secret).await?;
    read(&secret, key).with_context(|| format!("{} has no {key}", secret.name_any()))
}
