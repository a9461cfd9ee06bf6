//! Whether every name that is derived from the names of a Kafka and its pools can exist, before anything is made.
//!
//! The API server judges object by object, and the names of a cluster have limits of their own: a Service refuses what a
//! Secret accepts. Without a look at all of them, half a cluster is made.

use api::conditions::reasons;
use api::limits::{COMMON_NAME, DNS_LABEL, LABEL_VALUE};
use api::names::{self, entity_operator, kafka_exporter};
use api::{labels, principals};

use super::Findings;
use crate::kafka::cluster::{Cluster, Pool};
use crate::kafka::components;

/// Characters in a DNS label, as they are told to a user.
const ALLOWED: &str = "lower-case letters, digits and \"-\"";

/// A name that is derived from the name of a resource.
struct Derived {
    name: String,
    /// What it would be.
    what: String,
    limit: usize,
}

impl Derived {
    fn label_value(key: &str, whose: &str, name: String) -> Self {
        Self { name, what: format!("the value of the label {key} of {whose}"), limit: LABEL_VALUE }
    }

    fn service(name: String) -> Self {
        Self { name, what: "the name of a Service".to_owned(), limit: DNS_LABEL }
    }

    fn common_name(name: String) -> Self {
        Self { name, what: "the common name of a certificate".to_owned(), limit: COMMON_NAME }
    }

    /// How many characters the part that the user chose may have, if the rest stays as it is.
    fn room_for(&self, chosen: &str) -> usize {
        self.limit.saturating_sub(self.name.len().saturating_sub(chosen.len()))
    }
}

/// Checks the name of the cluster and those of its pools.
pub(super) fn validate(cluster: &Cluster, findings: &mut Findings) {
    let field = "metadata.name";
    let name = cluster.name.as_str();
    if let Some(wrong) = wrong_character(name) {
        findings.problem(
            field,
            format!(
                "{name:?} contains {wrong:?}, but the Services {:?} and {:?} can only have {ALLOWED} in their names: names \
                 cannot be changed, so create the resource under another one, such as {:?}",
                names::bootstrap_service(name),
                names::brokers_service(name),
                corrected(name),
            ),
        );
    }
    if name.starts_with(|first: char| first.is_ascii_digit()) {
        findings.warn(
            reasons::SERVICE_NAME_BEGINS_WITH_DIGIT,
            format!(
                "{field}: {name:?} begins with a digit: before version 1.36, Kubernetes accepts no Service with such a name"
            ),
        );
    }
    let mut derived = of_cluster(cluster);
    for listener in cluster.listeners.iter().filter(|listener| listener.own_services().is_some()) {
        derived.push(Derived::service(names::external_bootstrap_service(name, &listener.name)));
        if listener.single_address().is_some() {
            let proxy = names::proxy::deployment(name, &listener.name);
            derived.push(Derived::label_value(labels::NAME, "the objects of a proxy", proxy));
        }
    }
    let room = check(field, name, &derived, findings);
    for pool in &cluster.pools {
        // The pool is not blamed for characters that the name of the cluster has too many.
        let cluster_part = name.chars().take(room).collect::<String>();
        findings.of_node_pools(|findings| validate_pool(&cluster_part, cluster, pool, findings));
    }
}

fn validate_pool(cluster: &str, whole: &Cluster, pool: &Pool, findings: &mut Findings) {
    let field = format!("KafkaNodePool {} metadata.name", pool.name);
    let highest = pool.nodes.last().copied().unwrap_or_default();
    let pod = names::pod(cluster, &pool.name, highest);
    if let Some(wrong) = wrong_character(&pool.name) {
        findings.problem(
            &field,
            format!(
                "{:?} contains {wrong:?}, but a pod such as {pod:?} can only have {ALLOWED} in its host name: names cannot \
                 be changed, so create the pool under another one, such as {:?}",
                pool.name,
                corrected(&pool.name),
            ),
        );
    }
    let what = format!("the host name of a pod and the value of its label {}", labels::POD_NAME);
    let mut derived = vec![Derived { name: pod, what, limit: DNS_LABEL }];
    for listener in whole.listeners.iter().filter(|listener| listener.own_services().is_some()) {
        let port = i32::from(listener.port);
        let service = names::per_broker_service(cluster, &pool.name, &listener.name, port, highest);
        derived.extend(pool.broker.then(|| Derived::service(service)));
    }
    check(&field, &pool.name, &derived, findings);
}

/// Every name with a limit that is derived from the name of a cluster.
fn of_cluster(cluster: &Cluster) -> Vec<Derived> {
    let name = cluster.name.as_str();
    let mut all = vec![
        Derived::service(names::bootstrap_service(name)),
        Derived::service(names::brokers_service(name)),
        Derived::label_value(labels::NAME, "Kafka's objects", names::kafka(name)),
        Derived::common_name(principals::kafka_common_name(name)),
    ];
    // The NetworkPolicy of Kafka names them whether they exist or not.
    for deployment in components::clients(name) {
        all.push(Derived::label_value(labels::NAME, "pods that may connect", deployment));
    }
    if cluster.kafka_exporter.is_some() {
        all.push(Derived::common_name(kafka_exporter::deployment(name)));
    }
    let Some(entity) = &cluster.entity_operator else { return all };
    for (wanted, whose, component) in [
        (entity.topic.is_some(), "the topic operator's objects", entity_operator::topic_operator(name)),
        (entity.user.is_some(), "the user operator's objects", entity_operator::user_operator(name)),
    ] {
        if wanted {
            all.push(Derived::common_name(component.clone()));
            all.push(Derived::label_value(labels::NAME, whose, component));
        }
    }
    all
}

/// Checks the length of a name by the derived one that leaves it the least room. Returns that room.
fn check(field: &str, chosen: &str, derived: &[Derived], findings: &mut Findings) -> usize {
    let Some(tightest) = derived.iter().min_by_key(|derived| derived.room_for(chosen)) else {
        return chosen.len();
    };
    let room = tightest.room_for(chosen);
    if chosen.len() > room {
        findings.problem(
            field,
            format!(
                "{chosen:?} has {} characters, {} too many: {:?} would be {}, which has at most {} characters; names cannot \
                 be changed, so create the resource under one of at most {room} characters",
                chosen.len(),
                chosen.len() - room,
                tightest.name,
                tightest.what,
                tightest.limit,
            ),
        );
    }
    room
}

fn is_allowed(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
}

fn wrong_character(name: &str) -> Option<char> {
    name.chars().find(|character| !is_allowed(*character))
}

/// The name with `-` for every character that it cannot have.
fn corrected(name: &str) -> String {
    name.chars().map(|character| if is_allowed(character) { character } else { '-' }).collect()
}
