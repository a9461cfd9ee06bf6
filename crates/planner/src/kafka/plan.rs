//! Puts the plan of a Kafka cluster together. Pure: what was seen and the time in, a [`Plan`] out.

use std::collections::{BTreeMap, BTreeSet};

use api::{annotations, names};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::admin_calls;
use super::certificates::{self, Certificates, NodeCertificate, ending};
use super::claim_growth;
use super::cluster::{Cluster, Node, Pool, Quorum, Rack, Warning};
use super::config::live::{self, OptionPlan};
use super::foreign_additions;
use super::kafka_exporter;
use super::need::Need;
use super::objects::pod_set::ManualUpdate;
use super::objects::{
    claim, config_map, entity_operator, listener_services, network_policy, pod, pod_disruption_budget,
    pod_set, rbac, service,
};
use super::observed::Observed;
use super::older::implied;
use super::orphaned_pools;
use super::orphans;
use super::ownership;
use super::planned_events;
use super::pod_state;
use super::restart::Restart;
use super::restart_reasons;
use super::roll::{self, Roll};
use super::roll_view::PodState;
use super::settled::{self, Settled};
use super::status::{self, Progress};
use super::transitions::cluster_id::CLUSTER_ID_REQUEST;
use super::transitions::quorum::directory_id_request;
use super::transitions::scaling::needs_replicas;
use super::transitions::topic_operator;
use super::upkeep_plan::{self, needs_of, refused, unmakeable};
use super::validate::Invalid;
use crate::findings::Held;
use crate::kafka::admin_call::AdminCall;
use crate::pod_set::plan::is_ready;
use crate::workload::deployment::is_available;
use objects::DesiredObject;
use pki::MaterialRequest;

pub use super::planned::{Occasion, Plan, PlannedEvent, PlannedNode, StatusPlan};

/// Seconds until brokers that were told an option are asked for it again.
const COMPARE_AGAIN_SECONDS: u64 = 2;

/// Plans one pass over one Kafka cluster, as far as the answers in `observed` allow.
///
/// - A resource that is wrong yields a plan that writes statuses, and certificates that are about to end.
/// - While something has to be known or made first, the plan says what, and is not to be carried out.
/// - Else the plan is complete, and carrying it out again changes nothing.
pub fn plan(observed: &Observed, now: Timestamp) -> Plan {
    let Some(kafka) = observed.kafka.as_deref() else { return Plan::default() };
    if let Some(why) = &observed.unreadable {
        return upkeep_plan::unreadable(kafka, why, observed, now);
    }
    if implied::are_awaited(observed) {
        let seconds = implied::wait_seconds(observed, now).unwrap_or(1);
        return upkeep_plan::waiting_for_pools(kafka, seconds, now);
    }
    let questions = about_kafka(observed);
    if !questions.is_empty() {
        return Plan::asking(questions);
    }
    let Settled { cluster, mut warnings, held } = match settled::settle(kafka, observed) {
        Ok(settled) => settled,
        Err(invalid) => return refused(kafka, &invalid, observed, now),
    };
    warnings.extend(held.iter().map(Held::warning));
    warnings.sort();
    let mut requests = identifiers(&cluster);
    let certificates = match certificates::plan(&cluster, observed, now) {
        certificates::CertificatePlan::Wrong(problems) => {
            let reason = api::conditions::reasons::INVALID_RESOURCE;
            let invalid = Invalid { reason, problems, warnings, cluster: Some(Box::new(cluster)) };
            return refused(kafka, &invalid, observed, now);
        }
        certificates::CertificatePlan::Missing(missing) => {
            requests.extend(missing);
            None
        }
        certificates::CertificatePlan::Ready(certificates) => Some(certificates),
    };
    if let Some(certificates) = certificates.filter(|_| requests.is_empty()) {
        let plan = complete(kafka, &cluster, &certificates, observed, &mut warnings, now);
        return Plan { held, ..plan };
    }
    let needs = needs_of(requests);
    let problems = unmakeable(&needs, observed);
    if problems.is_empty() {
        return Plan::asking(needs);
    }
    let reason = api::conditions::reasons::INTERNAL_ERROR;
    let invalid = Invalid { reason, problems, warnings, cluster: Some(Box::new(cluster)) };
    Plan { failure: Some(invalid.message()), ..refused(kafka, &invalid, observed, now) }
}

/// What has to be asked of Kafka before anything is decided. Only a broker that is ready is asked: before that there is
/// nobody who could answer.
fn about_kafka(observed: &Observed) -> Vec<Need> {
    if !pod_state::some_broker_is_ready(observed) {
        return Vec::new();
    }
    let mut needs = Vec::new();
    match &observed.view {
        None => needs.push(Need::Kafka),
        Some(view) if view.brokers_with_replicas.is_none() && needs_replicas(observed) => {
            needs.push(Need::BrokersWithReplicas);
        }
        Some(_) => {}
    }
    needs.retain(|need| observed.silence(need).is_none());
    needs
}

/// Identifiers that must be made first.
fn identifiers(cluster: &Cluster) -> Vec<MaterialRequest> {
    let mut requests = Vec::new();
    if cluster.cluster_id.is_none() {
        requests.push(MaterialRequest::Uuid { id: CLUSTER_ID_REQUEST.to_owned() });
    }
    if let Quorum::Dynamic { directory_ids, initial, .. } = &cluster.quorum {
        for node in initial.iter().filter(|node| !directory_ids.contains_key(node)) {
            requests.push(MaterialRequest::Uuid { id: directory_id_request(*node) });
        }
    }
    requests
}

/// The Kubernetes nodes that run brokers: clients begin at their addresses where a listener has node ports.
fn kubernetes_nodes(cluster: &Cluster, observed: &Observed) -> Option<Need> {
    if !cluster.has_node_ports() {
        return None;
    }
    let brokers = cluster.nodes().into_iter().filter(|node| node.pool.broker);
    let pods = brokers.filter_map(|node| observed.pods.get(&cluster.pod_name(node)));
    let names: BTreeSet<String> =
        pods.filter_map(|pod| pod.spec.as_ref().and_then(|spec| spec.node_name.clone())).collect();
    let is_known = names.iter().all(|name| observed.exposed.node_addresses.contains_key(name));
    (!is_known).then_some(Need::NodeAddresses(names))
}

/// What an administrator has to do where the operator may not.
fn nodes_need_a_binding(cluster: &Cluster) -> Warning {
    let name = names::kafka_init_cluster_role_binding(&cluster.namespace, &cluster.name);
    let account = names::kafka(&cluster.name);
    let of_rack = matches!(cluster.rack, Some(Rack::TopologyLabel(_)));
    Warning {
        reason: api::conditions::reasons::CLUSTER_ROLE_BINDING_NOT_MADE.to_owned(),
        message: format!(
            "{}: pods read {} of their Kubernetes node, for which this operator may make no ClusterRoleBinding: have a \
             ClusterRole with the right to get nodes bound to the service account {account} of the namespace {}, for \
             example as ClusterRoleBinding {name}, or use {}",
            if of_rack { "spec.kafka.rack.topologyKey" } else { "spec.kafka.listeners" },
            if of_rack { "the label" } else { "the address" },
            cluster.namespace,
            if of_rack {
                "spec.kafka.rack.type: environment-variable"
            } else {
                "listeners of another type than nodeport"
            },
        ),
    }
}

#[allow(clippy::too_many_lines, reason = "it waits to be split")]
fn complete(
    kafka: &api::Kafka,
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    warnings: &mut Vec<Warning>,
    now: Timestamp,
) -> Plan {
    let settings = observed.settings.as_ref();
    let mut live = live::plan_options(cluster, observed, now);
    if let Some(need) = options_of_brokers(cluster, &live, observed) {
        // Before all that follows is made: each plan over a cluster that has settled asks for them.
        return Plan::asking(vec![need]);
    }
    let mut plan = Plan { undone: std::mem::take(&mut live.undone), ..Plan::default() };
    warnings.append(&mut live.warnings);
    plan.apply.extend(certificates.objects.iter().cloned());
    plan.apply.push(rbac::kafka_service_account(cluster));
    if cluster.asks_about_nodes() {
        if settings.cluster_role_bindings {
            plan.apply.push(rbac::kafka_cluster_role_binding(cluster));
        } else {
            warnings.push(nodes_need_a_binding(cluster));
        }
    }
    if settings.network_policies {
        plan.apply.push(network_policy::kafka(cluster, settings));
    }
    plan.apply.push(service::bootstrap(cluster));
    plan.apply.push(service::brokers(cluster));
    plan.apply.extend(listener_services::all(cluster));
    if settings.pod_disruption_budgets {
        plan.apply.push(pod_disruption_budget::kafka(cluster));
    }
    let mut classes = BTreeSet::new();
    for node in cluster.nodes() {
        for wanted in claim::of_node(cluster, node) {
            plan.apply.push(claim_growth::fitted(wanted, observed, warnings, &mut classes).build());
        }
        plan.apply.push(config_map::node(cluster, node, &live.taken_out));
    }
    plan.needs.extend(classes.into_iter().map(Need::StorageClass));
    plan.needs.extend(kubernetes_nodes(cluster, observed));
    let mut progress = Progress::default();
    progress.addresses_unknown(&cluster.addresses.unknown_bootstrap);
    let mut sets = Vec::new();
    for pool in &cluster.pools {
        progress.waiting_for.extend(pool.waits_for.clone());
        let mut pods = Vec::new();
        for id in &pool.nodes {
            let node = Node { id: *id, pool };
            let none = NodeCertificate::default();
            let certificate = certificates.nodes.get(id).unwrap_or(&none);
            let desired = pod::of_node(cluster, node, certificate, settings);
            if let Some(unknown) = cluster.addresses.unknown_of_brokers.get(id) {
                progress.addresses_unknown(unknown);
                let knows_all =
                    cluster.listeners.iter().all(|one| cluster.addresses.of_broker(*id, one).is_some());
                if !knows_all && is_new(&cluster.pod_name(node), cluster, pool, observed) {
                    continue;
                }
            }
            if certificates.held.contains(id) {
                let name = cluster.pod_name(node);
                progress.waiting_for.push(format!(
                    "pod {name} has no certificate before all others trust the new cluster CA"
                ));
                if is_new(&name, cluster, pool, observed) {
                    continue;
                }
            }
            let options = live.restarts.get(id).map(Vec::as_slice).unwrap_or_default();
            let restart = restart_of(cluster, node, &desired, options, observed);
            look_at_pod(cluster, node, restart, observed, &mut plan, &mut progress, now);
            plan.nodes.push(planned(cluster, node));
            pods.push(desired);
        }
        let manual = manual_update(cluster, pool, observed);
        plan.apply.push(pod_set::of_pool(cluster, pool, &pods, manual.as_ref()));
        if pool.implied {
            warnings.extend(pool.warnings.clone());
        } else {
            plan.status.pools.insert(pool.name.clone(), status::pool(cluster, pool, observed, now));
        }
        sets.push(pods);
    }
    let mut desired: BTreeMap<&str, &Pod> = BTreeMap::new();
    for pod in sets.iter().flatten() {
        desired.extend(pod.metadata.name.as_deref().map(|name| (name, pod)));
    }
    plan.roll.wanted.retain(|restart| !certificates.held.contains(&restart.node));
    plan.nodes.sort_by_key(|node| node.id);
    entity(cluster, certificates, observed, &mut plan.apply, &mut progress);
    kafka_exporter::plan(cluster, certificates, observed, &mut plan.apply, &mut progress);
    warnings.extend(foreign_additions::of(observed, &plan.apply));
    warnings.extend(orphaned_pools::warnings(cluster, observed));
    plan.delete = orphans::of(cluster, observed, &plan.apply);
    topic_operator::release_topics(cluster, observed, &mut plan);
    let pods_stay = ownership::leave_to_others(cluster, observed, &mut plan, &mut progress);
    if let Some(view) = &observed.view {
        plan.admin = std::mem::take(&mut live.calls);
        plan.admin.extend(admin_calls::of(cluster, view, observed, &plan));
    } else if kafka.status.as_ref().is_none_or(|status| status.cluster_id.is_none())
        && progress.waiting_for.is_empty()
    {
        progress.waiting_for.push("Kafka has not answered yet".to_owned());
    }
    if progress.waiting_for.is_empty() && !live.settled {
        progress.waiting_for.push("the brokers to run with options that change at run time".to_owned());
    }
    // Nothing announces that they do. While Kafka does not answer, whoever asks it brings the next pass.
    let again = (live.look_again || admin_calls::may_have_more(&plan.admin)).then_some(COMPARE_AGAIN_SECONDS);
    plan.requeue_seconds = again.into_iter().chain(plan.requeue_seconds).min();
    if !plan.roll.wanted.is_empty() {
        // A broker that restarts may run with something else than before.
        live.memory.settled = None;
    }
    plan.options = live.memory;
    let wanted = std::mem::take(&mut plan.roll.wanted);
    let mut outcome = roll::decide(cluster, &wanted, &desired, observed, now);
    if pods_stay {
        // The pods of nodes that leave run on: nothing is taken from under them.
        plan.delete.clear();
        plan.admin.retain(|call| {
            !matches!(call, AdminCall::UnregisterBroker { .. } | AdminCall::RemoveVoter { .. })
        });
        outcome.stop("objects that pods need belong to somebody else", observed, now);
    }
    plan.needs.extend(outcome.needs);
    plan.needs.retain(|need| observed.silence(need).is_none());
    plan.roll = Roll { wanted, ..outcome.roll };
    plan.events = planned_events::of(&plan, now);
    warnings.extend(outcome.warnings);
    if let Some(waits) = &plan.roll.waits {
        let again = waits.look_again_seconds(now);
        plan.requeue_seconds = Some(plan.requeue_seconds.map_or(again, |planned| planned.min(again)));
        progress.roll_waits(waits, now);
        let why = Some(&waits.why).filter(|_| !waits.usual);
        warnings.extend(
            why.and_then(|why| ending::while_waiting(cluster, observed, &plan.roll.wanted, why, now)),
        );
    }
    warnings.append(&mut progress.warnings);
    warnings.sort();
    warnings.dedup();
    plan.status.kafka = Some(status::kafka(kafka, cluster, certificates, observed, warnings, &progress, now));
    plan.waiting_for = progress.waiting_for;
    plan
}

/// With which options the brokers that are up run, if that is to be looked at: it is told of their present pods alone.
fn options_of_brokers(cluster: &Cluster, live: &OptionPlan, observed: &Observed) -> Option<Need> {
    let view = observed.view.as_ref().filter(|_| live.look)?;
    let nodes = cluster.nodes().into_iter().filter(|node| view.active_brokers.contains(&node.id));
    let pods: BTreeMap<i32, String> = nodes
        .filter_map(|node| Some((node.id, observed.pods.get(&cluster.pod_name(node))?.metadata.uid.clone()?)))
        .collect();
    let need = (!pods.is_empty()).then_some(Need::BrokerConfigs(pods))?;
    observed.silence(&need).is_none().then_some(need)
}

fn planned(cluster: &Cluster, node: Node<'_>) -> PlannedNode {
    PlannedNode { id: node.id, pod: cluster.pod_name(node), pod_set: cluster.pod_set_name(node.pool) }
}

/// The restart that the pod of a node needs, if it runs; `options` are those that it has to restart for.
fn restart_of(
    cluster: &Cluster,
    node: Node<'_>,
    desired: &Pod,
    options: &[String],
    observed: &Observed,
) -> Option<Restart> {
    let name = cluster.pod_name(node);
    let live = observed.pods.get(&name).filter(|pod| pod.metadata.deletion_timestamp.is_none())?;
    let restart = restart_reasons::of_pod(cluster, node, live, desired, observed);
    restart_reasons::with_options(restart, node.id, &name, options)
}

/// Whether a pod is not there and was never asked for.
fn is_new(pod: &str, cluster: &Cluster, pool: &Pool, observed: &Observed) -> bool {
    let set = observed.pod_sets.get(&cluster.pod_set_name(pool));
    let mut listed = set.into_iter().flat_map(|set| &set.spec.pods);
    !observed.pods.contains_key(pod) && !listed.any(|listed| listed["metadata"]["name"] == *pod)
}

/// Notes whether the pod of a node is there, ready and current.
fn look_at_pod(
    cluster: &Cluster,
    node: Node<'_>,
    restart: Option<Restart>,
    observed: &Observed,
    plan: &mut Plan,
    progress: &mut Progress,
    now: Timestamp,
) {
    let name = cluster.pod_name(node);
    let Some(live) = observed.pods.get(&name) else {
        match observed.pod_errors.get(&name) {
            Some(why) => progress.pod_has_words(format!("pod {name} cannot be created: {why}")),
            None => progress.waiting_for.push(format!("pod {name} does not exist yet")),
        }
        return;
    };
    if pod_state::situation(observed, &name, now).state == PodState::Missing {
        progress.waiting_for.push(format!("pod {name} is stopping"));
        return;
    }
    if let Some(restart) = restart {
        progress.waiting_for.push(format!("pod {name} is to be restarted: {}", restart.notes.join(", ")));
        plan.roll.wanted.push(restart);
    }
    if !is_ready(live) {
        match pod_state::words(live) {
            Some(words) => progress.pod_has_words(format!("pod {name} is not ready: {words}")),
            None => progress.waiting_for.push(format!("pod {name} is not ready")),
        }
        progress.unready_since(pod_state::unready_since(live), now);
    }
}

/// The pods of a pool for which a restart was asked for on the pod set and that have not had it. They are remembered by
/// what no clock can confuse.
fn manual_update(cluster: &Cluster, pool: &Pool, observed: &Observed) -> Option<ManualUpdate> {
    let set = observed.pod_sets.get(&cluster.pod_set_name(pool))?;
    let all = set.metadata.annotations.as_ref()?;
    let is_new = annotations::is_true(Some(all), annotations::MANUAL_ROLLING_UPDATE);
    let before = ManualUpdate::pods(set);
    let live = pool.nodes.iter().filter_map(|id| {
        let pod = observed.pods.get(&cluster.pod_name(Node { id: *id, pool }))?;
        pod.metadata.uid.clone().filter(|uid| !observed.restarted.contains(uid))
    });
    let pods: BTreeSet<String> = live.filter(|uid| is_new || before.contains(uid)).collect();
    (is_new || !pods.is_empty()).then_some(ManualUpdate { pods, is_new })
}

fn entity(
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    apply: &mut Vec<DesiredObject>,
    progress: &mut Progress,
) {
    let Some(entity) = &cluster.entity_operator else { return };
    let settings = observed.settings.as_ref();
    apply.push(rbac::entity_operator_service_account(cluster, entity));
    apply.extend(rbac::entity_operator_roles(cluster, entity));
    apply.extend(rbac::entity_operator_role_bindings(cluster, entity));
    if settings.network_policies {
        apply.push(network_policy::entity_operator(cluster, entity.topic.is_some(), entity.user.is_some()));
    }
    if settings.pod_disruption_budgets {
        apply.push(pod_disruption_budget::entity_operator(cluster, entity));
    }
    if let Some(topic) = &entity.topic {
        apply.push(config_map::topic_operator(cluster, topic));
    }
    if let Some(user) = &entity.user {
        apply.push(config_map::user_operator(cluster, user));
    }
    let texts: Vec<&str> = certificates.entity.iter().map(String::as_str).collect();
    let authority = &certificates.cluster_ca;
    let started_with =
        entity_operator::started_with(&texts, authority.cert_generation, authority.key_generation);
    let name = names::entity_operator::deployment(&cluster.name);
    let live = observed.deployments.get(&name).map(AsRef::as_ref);
    apply.push(entity_operator::deployment(cluster, entity, &started_with, settings, live));
    if !live.is_some_and(is_available) {
        progress.waiting_for.push(format!("deployment {name} is not available"));
    }
}
