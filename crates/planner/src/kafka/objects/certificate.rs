//! The Certificates of cert-manager for nodes and operators, and the Secrets that cert-manager fills for them.

use std::collections::BTreeSet;
use std::net::IpAddr;

use api::cert_manager::{
    IssuedCertificate, IssuedCertificateSpec, ObjectReference, PrivateKey, SecretTemplate, Subject,
    duration_of_days,
};
use api::kafka::IssuerRef;
use api::{names, principals};
use k8s_openapi::api::core::v1::Secret;
use objects::{DesiredObject, Object};
use pki::KeyAlgorithm;

use super::secret::{LeafOwner, leaf_labels};
use crate::kafka::cluster::Cluster;

/// What a node's key is used for: it is a server for its peers, and their client. Operators show the same kind of certificate.
const USAGES: [&str; 4] = ["digital signature", "key encipherment", "server auth", "client auth"];

/// The Certificate of an owner of a leaf, and its Secret: empty, so that it goes with the Kafka resource, and cert-manager fills it.
pub(crate) fn of_leaf(
    cluster: &Cluster,
    owner: &LeafOwner,
    (dns_names, ip_addresses): (BTreeSet<String>, BTreeSet<IpAddr>),
    algorithm: KeyAlgorithm,
    issuer: &IssuerRef,
) -> [DesiredObject; 2] {
    let name = owner.secret(&cluster.name);
    let secret_name = names::issued_secret(&name);
    let labels = leaf_labels(cluster, owner);
    let list = |all: Vec<String>| Some(all).filter(|all| !all.is_empty());
    let settings = &cluster.cluster_ca;
    let spec = IssuedCertificateSpec {
        secret_name: secret_name.clone(),
        // The operator watches the Secrets with these labels, also when cert-manager was the one to create it.
        secret_template: Some(SecretTemplate { labels: Some(labels.clone()), annotations: None }),
        issuer_ref: ObjectReference::from(issuer),
        common_name: owner.common_name(&cluster.name),
        subject: Some(Subject { organizations: vec![principals::ORGANIZATION.to_owned()] }),
        dns_names: list(dns_names.into_iter().collect()),
        ip_addresses: list(ip_addresses.iter().map(ToString::to_string).collect()),
        duration: duration_of_days(settings.validity_days),
        renew_before: duration_of_days(settings.renewal_days),
        private_key: key(algorithm),
        usages: USAGES.map(str::to_owned).to_vec(),
    };
    let certificate =
        Object::new(&cluster.owner(), &name, labels.clone(), IssuedCertificate::new(&name, spec)).build();
    let secret = Object::new(&cluster.owner(), secret_name, labels, Secret::default()).build();
    [secret, certificate]
}

fn key(algorithm: KeyAlgorithm) -> PrivateKey {
    let (name, size) = match algorithm {
        KeyAlgorithm::EcdsaP256 => ("ECDSA", 256),
        KeyAlgorithm::Rsa2048 => ("RSA", 2048),
        KeyAlgorithm::Rsa4096 => ("RSA", 4096),
    };
    PrivateKey {
        algorithm: name.to_owned(),
        encoding: "PKCS8".to_owned(),
        rotation_policy: "Always".to_owned(),
        size,
    }
}
