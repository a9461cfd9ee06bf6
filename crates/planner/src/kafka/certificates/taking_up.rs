//! Nodes that take new certificates and new trust up while they run.
//!
//! Annotations of a pod say with which certificates its Kafka runs, and everything that hands one authority over to the next goes by
//! them. A node whose agent says that all mounted files are in use on every connection is as good as one that was started with them:
//! its annotations are written anew, and it does not restart for them. Before a pod loses trust in an authority, its annotations say that
//! it has lost it. A node that does not get there within [`PATIENCE`] restarts, in the roll's own order.

use std::collections::BTreeMap;
use std::time::Duration;

use api::agent::CertificatesInUse;
use api::annotations;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;

use super::{Certificates, NodeCertificate, joined, split};
use crate::kafka::cluster::Cluster;
use crate::kafka::need::Need;
use crate::kafka::observed::Observed;
use crate::kafka::taken_up::{TakenUp, Waiting};
use crate::pod_words::is_ready;
use crate::roll::started_with::annotation_of;

/// How long a node may take. The kubelet brings a changed Secret within about 90 seconds, the agent and Kafka look every few seconds, and
/// connections with the former certificates end within a minute.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// The fingerprint of the trust of a pod that is between two.
const LOSING: &str = "changing";

/// Between two questions to the agents.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);

/// The same for a node that is late, which restarts unless it got there meanwhile: the time of a pass is for the questions about the restart.
const PAUSE_WHEN_LATE: Duration = Duration::from_mins(1);

/// How far the nodes are.
#[derive(Debug, Default)]
pub(crate) struct TakingUp {
    /// Those that run with their new certificates.
    taken: Vec<TakenUp>,
    /// Those that are about to lose trust in an authority, at a time of their own.
    losing: Vec<TakenUp>,
    /// Those that are waited for, by pod.
    waiting: BTreeMap<String, Waiting>,
    /// Those that did not get there, by pod, and why. They restart.
    late: BTreeMap<String, (Waiting, Option<String>)>,
}

impl TakingUp {
    /// Whether a pod does not restart for its certificates, because it has them or is about to.
    pub(crate) fn spares(&self, pod: &str) -> bool {
        self.waiting.contains_key(pod) || self.taken.iter().any(|taken| taken.pod == pod)
    }

    /// When to look again; `None`: nothing is waited for.
    pub(crate) fn look_again(&self) -> Option<Duration> {
        (!self.waiting.is_empty()).then_some(PAUSE)
    }

    /// What is waited for, in words.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        self.waiting.keys().map(|pod| format!("pod {pod} does not use its new certificates yet"))
    }

    /// The annotations to write, and what the next pass should know.
    pub(crate) fn outcome(self) -> (Vec<TakenUp>, BTreeMap<String, Waiting>) {
        let annotations = self.losing.into_iter().chain(self.taken).collect();
        let mut waiting = self.waiting;
        // Also those that are late, or they would be waited for anew.
        waiting.extend(self.late.into_iter().map(|(pod, (since, _))| (pod, since)));
        (annotations, waiting)
    }

    /// Why a pod restarts that was to get there without.
    pub(crate) fn why_late(&self, pod: &str) -> Option<String> {
        let (_, why) = self.late.get(pod)?;
        let why = why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
        Some(format!("it has not taken them up within {} minutes{why}", PATIENCE.as_secs() / 60))
    }
}

/// Whether an annotation says with which certificates a pod runs.
pub(crate) fn is_about_certificates(annotation: &str) -> bool {
    [
        annotations::CLUSTER_CA_KEY_GENERATION,
        annotations::CLUSTER_CA_CERT_GENERATION,
        annotations::CLIENTS_CA_CERT_GENERATION,
        annotations::TRUST_BUNDLE_HASH,
        annotations::SERVER_CERT_HASH,
    ]
    .contains(&annotation)
}

/// The agents that have to be asked which certificates are in use; `None`: none, or they were asked in this pass.
pub(crate) fn need(
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    now: Timestamp,
) -> Option<Need> {
    let asked = observed.unanswered.iter().any(|(need, _)| matches!(need, Need::CertificatesInUse(_)));
    let pods: BTreeMap<_, _> = behind(cluster, certificates, observed)
        .filter(|(name, _, wanted)| is_to_be_asked(before(name, wanted, observed), now))
        .filter_map(|(name, pod, _)| Some((name, pod.metadata.uid.clone()?)))
        .filter(|(name, _)| !observed.certificates_in_use.contains_key(name))
        .collect();
    (!asked && !pods.is_empty()).then_some(Need::CertificatesInUse(pods))
}

/// How far the nodes are, once their agents were asked.
pub(crate) fn plan(
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    now: Timestamp,
) -> TakingUp {
    let mut found = TakingUp { losing: losing_trust(cluster, certificates, observed), ..TakingUp::default() };
    // A node that takes nothing up restarts before its certificate ends, and all of them one after the other take their time.
    let nodes = u32::try_from(cluster.nodes().len()).unwrap_or(u32::MAX);
    let roll = PATIENCE.saturating_mul(nodes.saturating_add(1));
    for (name, pod, wanted) in behind(cluster, certificates, observed) {
        let said = observed.certificates_in_use.get(&name);
        if said.is_some_and(Option::is_none) {
            // This Kafka reads certificates at its start alone.
            continue;
        }
        let in_use = said.and_then(Option::as_ref);
        if let Some(uid) = pod.metadata.uid.clone().filter(|_| in_use.is_some_and(|all| wanted.are_in(all))) {
            found.taken.push(TakenUp { pod: name, uid, annotations: wanted.pod_annotations.clone() });
            continue;
        }
        let ends: Option<Timestamp> =
            annotation_of(pod, annotations::SERVER_CERT_ENDS).and_then(|ends| ends.parse().ok());
        let is_urgent = said.is_some() && ends.is_some_and(|ends| ends.duration_since(now) < signed(roll));
        let before = before(&name, wanted, observed);
        let since = before.map_or(now, |before| before.since);
        let asked =
            before.filter(|before| !is_to_be_asked(Some(before), now)).map_or(now, |before| before.asked);
        let waiting = Waiting { wanted: wanted.pod_annotations.clone(), since, asked };
        if is_urgent || has_passed(since, now) {
            found.late.insert(name, (waiting, in_use.and_then(|all| all.error.clone())));
        } else {
            found.waiting.insert(name, waiting);
        }
    }
    found
}

/// What is known of a pod that is waited for with the certificates that it should use now.
fn before<'a>(pod: &str, wanted: &NodeCertificate, observed: &'a Observed) -> Option<&'a Waiting> {
    observed.taking_up.get(pod).filter(|before| before.wanted == wanted.pod_annotations)
}

/// Whether the agent of a pod is asked in this pass: of a pod that is late not in each of them.
fn is_to_be_asked(before: Option<&Waiting>, now: Timestamp) -> bool {
    before.is_none_or(|before| {
        !has_passed(before.since, now) || now.duration_since(before.asked) >= signed(PAUSE_WHEN_LATE)
    })
}

fn has_passed(since: Timestamp, now: Timestamp) -> bool {
    now.duration_since(since) >= signed(PATIENCE)
}

fn signed(time: Duration) -> SignedDuration {
    SignedDuration::try_from(time).unwrap_or(SignedDuration::MAX)
}

/// Pods from which trust in an authority is about to be taken. Each of them stops trusting it at a time of its own once the Secret is
/// written, so before that nothing may count on it any more: an authority that comes back spreads anew.
fn losing_trust(cluster: &Cluster, certificates: &Certificates, observed: &Observed) -> Vec<TakenUp> {
    let mut found = Vec::new();
    for node in cluster.nodes() {
        let Some(wanted) = certificates.nodes.get(&node.id) else { continue };
        let Some(pod) = observed.pods.get(&cluster.pod_name(node)) else { continue };
        let mut changes = BTreeMap::new();
        for list in [annotations::TRUSTED_CLUSTER_CAS, annotations::TRUSTED_CLIENTS_CAS] {
            let (Some(had), Some(kept)) = (annotation_of(pod, list), wanted.pod_annotations.get(list)) else {
                continue;
            };
            let (had, kept) = (split(had), split(kept));
            if !had.is_subset(&kept) {
                changes.insert(list.to_owned(), joined(&had.intersection(&kept).cloned().collect()));
            }
        }
        if let Some(uid) = pod.metadata.uid.clone().filter(|_| !changes.is_empty()) {
            changes.insert(annotations::TRUST_BUNDLE_HASH.to_owned(), LOSING.to_owned());
            found.push(TakenUp { pod: cluster.pod_name(node), uid, annotations: changes });
        }
    }
    found
}

/// Ready pods that are not known to run with the certificates that they should.
fn behind<'a>(
    cluster: &'a Cluster,
    certificates: &'a Certificates,
    observed: &'a Observed,
) -> impl Iterator<Item = (String, &'a Pod, &'a NodeCertificate)> {
    cluster.nodes().into_iter().filter_map(move |node| {
        let name = cluster.pod_name(node);
        let wanted = certificates.nodes.get(&node.id).filter(|wanted| !wanted.files.is_empty())?;
        let pod: &Pod = observed.pods.get(&name)?;
        let is_going = pod.metadata.deletion_timestamp.is_some();
        let differs = wanted.pod_annotations.iter().any(|(annotation, value)| {
            is_about_certificates(annotation) && annotation_of(pod, annotation) != Some(value)
        });
        (!is_going && differs && is_ready(pod)).then_some((name, pod, wanted))
    })
}

impl NodeCertificate {
    fn are_in(&self, all: &CertificatesInUse) -> bool {
        self.files.iter().all(|(file, hash)| all.files.get(file) == Some(hash))
    }
}
