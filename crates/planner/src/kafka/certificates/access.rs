//! What the operator itself shows and trusts when it speaks with the nodes.
//!
//! While authorities change, and after some were lost, nodes show leaves of the former one and accept the former one only.
//! So the operator trusts every authority that a node may show, and shows a leaf that every node accepts: its own, or,
//! while its own was signed by an authority that some pod does not trust yet, that of a node.

use std::collections::BTreeSet;

use api::names;
use jiff::Timestamp;
use pki::{CertificateChain, SecretPem};

use super::leaf::{self, FoundLeaf, Present};
use super::phase::{is_of_kafka, trusted_by};
use crate::kafka::objects::secret::LeafOwner;
use crate::kafka::observed::Observed;
use crate::workload::secret::text;

/// How the operator speaks with the nodes of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Certificates of trusted authorities, PEM.
    pub trusted: String,
    /// The operator's certificate with its chain, PEM.
    pub certificate: String,
    /// Its key, PEM.
    pub key: SecretPem,
}

/// How the operator speaks with the nodes; `None` while there is no certificate that it could show.
pub fn access(observed: &Observed, now: Timestamp) -> Option<Access> {
    let cluster = observed.kafka.as_ref()?.metadata.name.as_deref()?;
    let pods: Vec<_> = observed.pods.iter().filter(|(_, pod)| is_of_kafka(cluster, pod)).collect();
    let read = &observed.read_chains;
    let mut trusted = Trusted { now, seen: BTreeSet::new(), pem: String::new() };
    if let Some(secret) = observed.secrets.get(&names::cluster_ca_cert_secret(cluster)) {
        for key in secret.data.iter().flatten().map(|(key, _)| key) {
            if key.strip_suffix(".crt").is_some() {
                trusted.add(text(secret, key).and_then(|pem| read.parse(&pem).ok()).as_ref());
            }
        }
    }
    if let Some(secret) = observed.secrets.get(&names::trust_bundle_secret(cluster)) {
        let bundle = text(secret, names::keys::TRUST_BUNDLE_CLUSTER_CA);
        trusted.add(bundle.and_then(|pem| read.parse(&pem).ok()).as_ref());
    }
    let mut leaves = Vec::new();
    let own = names::cluster_operator_certs_secret(cluster);
    if let Some(secret) = observed.secrets.get(&own) {
        leaves.push(leaf::find_in(&LeafOwner::ClusterOperator, secret, read));
    }
    let mut accepted: Option<BTreeSet<String>> = None;
    for (name, pod) in pods {
        let owner = LeafOwner::Node { pod: name.clone() };
        let found = observed
            .secrets
            .get(name)
            .map_or(FoundLeaf::Missing, |secret| leaf::find_in(&owner, secret, read));
        let trusts = trusted_by(pod, &found);
        accepted = Some(match accepted {
            Some(all) => all.intersection(&trusts).cloned().collect(),
            None => trusts,
        });
        leaves.push(found);
    }
    for found in &leaves {
        if let FoundLeaf::Present(present) = found {
            trusted.add_issuers(present);
        }
    }
    let shown = show(&leaves, accepted.as_ref(), now)?;
    Some(Access {
        trusted: trusted.pem,
        certificate: shown.chain.pem(),
        key: SecretPem(shown.key.expose().to_owned()),
    })
}

/// The first leaf that every pod accepts, the operator's own before those of nodes; else the first.
fn show<'a>(
    leaves: &'a [FoundLeaf],
    accepted: Option<&BTreeSet<String>>,
    now: Timestamp,
) -> Option<&'a Present> {
    let usable = |found: &&FoundLeaf| found.usable(now).is_some();
    let by_all = |found: &&FoundLeaf| accepted.is_none_or(|accepted| !found.issuers().is_disjoint(accepted));
    let best = leaves.iter().filter(usable).find(by_all).or_else(|| leaves.iter().find(usable));
    best.and_then(|found| found.usable(now))
}

/// Trusted certificates, each once. TLS does not look at the end of an authority that is trusted: an ended certificate is left out, or
/// whoever has its key could go on making certificates.
struct Trusted {
    now: Timestamp,
    seen: BTreeSet<String>,
    pem: String,
}

impl Trusted {
    fn add(&mut self, chain: Option<&CertificateChain>) {
        for one in chain.into_iter().flat_map(CertificateChain::iter) {
            self.add_one(one);
        }
    }

    fn add_one(&mut self, one: &pki::Certificate) {
        if one.info.is_ca
            && one.info.not_after > self.now
            && self.seen.insert(one.info.sha256_thumbprint.clone())
        {
            self.pem.push_str(one.pem());
        }
    }

    /// The authorities beside a leaf, as long as each signed the one before it.
    fn add_issuers(&mut self, present: &Present) {
        let mut last = present.chain.first();
        for next in present.chain.rest() {
            if !next.info.may_have_issued(&last.info) {
                break;
            }
            self.add_one(next);
            last = next;
        }
    }
}
