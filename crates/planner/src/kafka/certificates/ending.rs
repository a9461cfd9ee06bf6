//! Certificates that running pods show and that end soon, though the restart that would replace them is due.

use std::collections::BTreeMap;

use api::agent::container;
use api::annotations;
use api::conditions::reasons;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::fingerprint;
use super::leaf;
use super::phase;
use crate::fingerprint::sha256;
use crate::kafka::cluster::{Cluster, Warning};
use crate::kafka::need::Need;
use crate::kafka::objects::secret::LeafOwner;
use crate::kafka::observed::Observed;
use crate::kafka::restart::Restart;
use crate::pod_words::is_ready;
use crate::words;

/// A part of the renewal window: when less than one third of it is left, it is said. The first two thirds, 20 of the usual
/// 30 days, are for rolls that wait for a maintenance window, a machine or replicas; the last third, 10 days, is what people
/// need to act.
const PART: i64 = 3;

/// Pods that a warning names.
const NAMED: usize = 10;

/// Says which pods are to restart and show a certificate that ends soon. The restart is due for weeks then: either the roll
/// waits, or pass after pass fails before it, and that reaches the status together with this.
pub(crate) fn while_restarts_are_due(
    cluster: &Cluster,
    observed: &Observed,
    restarts: &[Restart],
    waits: Option<&str>,
    now: Timestamp,
) -> Option<Warning> {
    let renews = |pod: &str| {
        let restart = restarts.iter().find(|restart| restart.pod == pod);
        restart.is_some_and(|restart| restart.reasons.iter().any(|reason| reason.is_about_certificates()))
    };
    warning(cluster, observed, renews, waits.unwrap_or("it is due"), now)
}

/// The same while the resource is refused, for pods that do not show the certificate that their Secret holds.
pub(crate) fn while_refused(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Option<Warning> {
    let renewed = |pod: &str| is_behind(pod, observed) && !has_taken_up(pod, observed);
    warning(cluster, observed, renewed, "the resource is refused", now)
}

/// The agents that have to be asked for that: nodes take certificates up also while the resource is refused, and nothing writes that into
/// the annotations of their pods then. `None`: none, or they were asked in this pass.
pub(crate) fn need_while_refused(cluster: &Cluster, observed: &Observed, now: Timestamp) -> Option<Need> {
    if observed.unanswered.iter().any(|(need, _)| matches!(need, Need::CertificatesInUse(_))) {
        return None;
    }
    let ending = ending(cluster, observed, |pod| is_behind(pod, observed), now);
    let ask = |name: &str| {
        let pod = observed.pods.get(name)?;
        let is_going = pod.metadata.deletion_timestamp.is_some();
        let is_known = observed.certificates_in_use.contains_key(name);
        let uid = pod.metadata.uid.clone().filter(|_| is_ready(pod) && !is_going && !is_known)?;
        Some((name.to_owned(), uid))
    };
    let pods: BTreeMap<String, String> = ending.into_iter().filter_map(|(_, name)| ask(name)).collect();
    (!pods.is_empty()).then_some(Need::CertificatesInUse(pods))
}

/// Whether a pod was started with another certificate than its Secret holds.
fn is_behind(pod: &str, observed: &Observed) -> bool {
    let shown = observed.pods.get(pod).and_then(|pod| annotation(pod, annotations::SERVER_CERT_HASH));
    shown.is_some() && shown.map(str::to_owned) != mounted(observed, pod)
}

/// Whether the agent of a pod says that the certificate in the Secret is in use on every connection.
fn has_taken_up(pod: &str, observed: &Observed) -> bool {
    let Some(Some(in_use)) = observed.certificates_in_use.get(pod) else { return false };
    let key = format!("{pod}.crt");
    let data = observed.secrets.get(pod).and_then(|secret| secret.data.as_ref());
    let hash = data.and_then(|data| data.get(&key)).map(|content| sha256(&content.0));
    hash.is_some() && hash.as_ref() == in_use.files.get(&format!("{}/{key}", container::NODE_CERTIFICATES))
}

fn warning(
    cluster: &Cluster,
    observed: &Observed,
    renews: impl Fn(&str) -> bool,
    why: &str,
    now: Timestamp,
) -> Option<Warning> {
    let found = ending(cluster, observed, renews, now);
    if found.is_empty() {
        return None;
    }
    let named = found.iter().map(|(ends, pod)| {
        let ended = if *ends <= now { "ended" } else { "ends" };
        format!("pod {pod} (certificate {pod}.crt {ended} {ends})")
    });
    let named = words::first(named, NAMED, ", ");
    Some(Warning {
        reason: reasons::CERTIFICATE_ENDS.to_owned(),
        message: format!(
            "pods run with certificates that nobody accepts after their end, and only a restart renews them there: {named}; the \
             restart: {why}"
        ),
    })
}

/// The pods with certificates that end soon, of those that renew theirs; those that end first come first.
fn ending<'a>(
    cluster: &Cluster,
    observed: &'a Observed,
    renews: impl Fn(&str) -> bool,
    now: Timestamp,
) -> Vec<(Timestamp, &'a str)> {
    let soon = i64::from(cluster.cluster_ca.renewal_days) * 86_400 / PART;
    let mut found = Vec::new();
    for pod in phase::running(cluster, observed) {
        let name = pod.metadata.name.as_deref().unwrap_or_default();
        let Some(ends) = ends(cluster, observed, pod) else { continue };
        if renews(name) && ends.as_second() - now.as_second() < soon {
            found.push((ends, name));
        }
    }
    found.sort_unstable();
    found
}

/// When the certificate ends that a pod was started with; `None`: a pod of a former operator does not say.
fn ends(cluster: &Cluster, observed: &Observed, pod: &Pod) -> Option<Timestamp> {
    if let Some(said) = annotation(pod, annotations::SERVER_CERT_ENDS) {
        return said.parse().ok();
    }
    let name = pod.metadata.name.clone()?;
    if annotation(pod, annotations::SERVER_CERT_HASH).map(str::to_owned) != mounted(observed, &name) {
        return None;
    }
    match leaf::find(&LeafOwner::Node { pod: name }, cluster, observed) {
        leaf::FoundLeaf::Present(present) => Some(present.chain.first().info.not_after),
        _ => None,
    }
}

/// The fingerprint of what the Secret of a node holds now.
fn mounted(observed: &Observed, pod: &str) -> Option<String> {
    let data = observed.secrets.get(pod)?.data.as_ref()?;
    Some(fingerprint(data.iter().map(|(key, value)| (key, value.0.as_slice()))))
}

fn annotation<'a>(pod: &'a Pod, key: &str) -> Option<&'a str> {
    pod.metadata.annotations.as_ref()?.get(key).map(String::as_str)
}
