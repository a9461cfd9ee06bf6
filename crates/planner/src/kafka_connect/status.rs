//! The status of a KafkaConnect.

use api::KafkaConnect;
use api::conditions::{Condition, merge};
use api::kafka_connect::KafkaConnectStatus;
use api::{labels, names, ports};
use jiff::Timestamp;

use crate::findings::Warning;
use crate::status;
use crate::workers::Workers;

/// How far the workers are.
#[derive(Debug)]
pub struct Progress<'a> {
    /// What is waited for; empty: nothing.
    pub waiting_for: &'a [String],
    /// Whether that has lasted for so long that it counts as a failure.
    pub stuck: bool,
}

/// The status of a resource that is carried out.
pub fn of(
    connect: &KafkaConnect,
    workers: &Workers,
    warnings: &[Warning],
    progress: &Progress<'_>,
    now: Timestamp,
) -> KafkaConnectStatus {
    let old = connect.status.as_ref();
    let old_conditions = old.and_then(|old| old.conditions.as_deref());
    let mut conditions: Vec<Condition> = warnings.iter().map(status::warning).collect();
    let (condition, generation) = status::readiness(
        connect,
        status::Progress {
            what: "Kafka Connect",
            waiting_for: progress.waiting_for,
            stuck: progress.stuck,
            has_served: old.is_some_and(|old| old.url.is_some()),
        },
    );
    conditions.push(condition);
    let service = names::service_dns(&workers.names.api_service, &workers.owner.namespace);
    let url = format!("http://{service}:{}", ports::CONNECT_REST);
    // Before there has ever been a worker, nobody answers there.
    let has_served = progress.waiting_for.is_empty() || old.is_some_and(|old| old.url.is_some());
    KafkaConnectStatus {
        conditions: Some(merge(conditions, old_conditions, now)),
        observed_generation: generation,
        url: (workers.replicas > 0 && has_served).then_some(url),
        connector_plugins: old.and_then(|old| old.connector_plugins.clone()).filter(|_| workers.replicas > 0),
        replicas: i32::try_from(workers.replicas).ok(),
        label_selector: Some(labels::selector_text(&workers.labels())),
    }
}

/// Whether OpenShift refuses a Build because the last one of the BuildConfig is another by now.
pub fn is_started_meanwhile(code: Option<u16>, why: &str) -> bool {
    code == Some(409) || (code == Some(400) && why.contains("LastVersion"))
}

/// What is said when Kubernetes refuses an object of an image build. `is_forbidden`: because of a rule, which may be the pod security
/// level of a namespace.
pub fn without_build(why: &str, is_forbidden: bool) -> String {
    let rule = if is_forbidden && why.contains("PodSecurity") {
        ". The pod that builds runs as root, which a namespace refuses that enforces the pod security level \"restricted\": let it \
         enforce \"baseline\", or build the image elsewhere and name it in spec.image"
    } else {
        ""
    };
    format!("the image cannot be built, and workers that run stay as they are: {why}{rule}")
}
