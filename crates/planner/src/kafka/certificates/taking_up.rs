//! Nodes that take new certificates and new trust up while they run.
//!
//! Annotations of a pod say with which certificates its Kafka runs, and everything that hands one authority over to the next goes by
//! them. A node whose agent says that all mounted files are in use on every connection is as good as one that was started with them:
//! its annotations are written anew, and it does not restart for them. A node that does not get there within [`PATIENCE`] restarts, in
//! the roll's own order.

use std::collections::BTreeMap;
use std::time::Duration;

use api::agent::CertificatesInUse;
use api::annotations;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;

use super::{Certificates, NodeCertificate};
use crate::kafka::cluster::Cluster;
use crate::kafka::need::Need;
use crate::kafka::observed::Observed;
use crate::kafka::planned::Plan;
use crate::pod_words::is_ready;
use crate::roll::started_with::annotation_of;

/// How long a node may take. The kubelet brings a changed Secret within about 90 seconds, the agent and Kafka look every few seconds, and
/// connections with the former certificates end within a minute.
pub const PATIENCE: Duration = Duration::from_mins(5);

/// Between two questions to the agents.
pub(crate) const PAUSE: Duration = Duration::from_secs(10);

/// A pod whose annotations are to say that it runs with its new certificates.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TakenUp {
    /// The pod.
    pub pod: String,
    /// Its UID.
    pub uid: String,
    /// The annotations.
    pub annotations: BTreeMap<String, String>,
}

/// A pod that does not use its new certificates yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// Which certificates it waits for: another set is waited for anew.
    pub wanted: BTreeMap<String, String>,
    /// Since when.
    pub since: Timestamp,
}

/// How far the nodes are.
#[derive(Debug, Default)]
pub(crate) struct TakingUp {
    /// Those that run with their new certificates.
    pub taken: Vec<TakenUp>,
    /// Those that are waited for, by pod.
    pub waiting: BTreeMap<String, Waiting>,
    /// Those that did not get there, by pod, and why.
    late: BTreeMap<String, Option<String>>,
}

impl TakingUp {
    /// Whether a pod does not restart for its certificates, because it has them or is about to.
    pub(crate) fn spares(&self, pod: &str) -> bool {
        self.waiting.contains_key(pod) || self.taken.iter().any(|taken| taken.pod == pod)
    }

    /// Notes in the plan what is to be written, and what is waited for.
    pub(crate) fn note(self, plan: &mut Plan) {
        if !self.waiting.is_empty() {
            plan.look_again = Some(plan.look_again.map_or(PAUSE, |pause| pause.min(PAUSE)));
        }
        let waiting =
            self.waiting.keys().map(|pod| format!("pod {pod} does not use its new certificates yet"));
        plan.waiting_for.extend(waiting);
        plan.taken_up = self.taken;
        plan.taking_up = self.waiting;
    }

    /// Why a pod restarts that was to get there without.
    pub(crate) fn why_late(&self, pod: &str) -> Option<String> {
        let why = self.late.get(pod)?;
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
pub(crate) fn need(cluster: &Cluster, certificates: &Certificates, observed: &Observed) -> Option<Need> {
    let asked = observed.unanswered.iter().any(|(need, _)| matches!(need, Need::CertificatesInUse(_)));
    let pods: BTreeMap<_, _> = behind(cluster, certificates, observed)
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
    let mut found = TakingUp::default();
    for (name, pod, wanted) in behind(cluster, certificates, observed) {
        let said = observed.certificates_in_use.get(&name);
        if said.is_some_and(|said| said.is_none()) {
            // This Kafka reads certificates at its start alone.
            continue;
        }
        let in_use = said.and_then(Option::as_ref);
        if let Some(uid) = pod.metadata.uid.clone().filter(|_| in_use.is_some_and(|all| wanted.are_in(all))) {
            found.taken.push(TakenUp { pod: name, uid, annotations: wanted.pod_annotations.clone() });
            continue;
        }
        let before = observed.taking_up.get(&name).filter(|before| before.wanted == wanted.pod_annotations);
        let since = before.map_or(now, |before| before.since);
        let ends: Option<Timestamp> =
            annotation_of(pod, annotations::SERVER_CERT_ENDS).and_then(|ends| ends.parse().ok());
        let is_urgent =
            ends.is_some_and(|ends| ends.duration_since(now).unsigned_abs() < PATIENCE || ends < now);
        if is_urgent || now.duration_since(since).unsigned_abs() >= PATIENCE {
            found.late.insert(name, in_use.and_then(|all| all.error.clone()));
        } else {
            found.waiting.insert(name, Waiting { wanted: wanted.pod_annotations.clone(), since });
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
