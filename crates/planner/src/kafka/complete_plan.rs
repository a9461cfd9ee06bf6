//! The whole plan of a cluster of which everything is there that has to be made first: its objects, the calls to Kafka, the roll,
//! the statuses.

mod live_pod;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Pod;

use super::address_switch;
use super::admin_call::AdminCall;
use super::admin_calls;
use super::certificates::taking_up::{self, TakingUp};
use super::certificates::{Certificates, NodeCertificate, ending};
use super::claim_growth;
use super::cluster::{Cluster, Node, Warning};
use super::config::live::{self, OptionPlan};
use super::config::node_files::NodeFiles;
use super::default_quotas::{self, DefaultQuotas};
use super::entity_operator;
use super::failed_log_dirs;
use super::foreign_additions;
use super::jmx;
use super::kafka_exporter;
use super::kubernetes_nodes;
use super::live_objects;
use super::lost;
use super::need::Need;
use super::objects::pod_set::Memory;
use super::objects::{
    claim, config_map, listener_services, network_policy, pod, pod_disruption_budget, pod_set, rbac, service,
};
use super::observed::Observed;
use super::operator_hold::OperatorHold;
use super::orphaned_pools;
use super::orphans;
use super::ownership;
use super::planned::{Plan, PlannedNode};
use super::planned_events;
use super::plug_ins;
use super::pod_state;
use super::proxy;
use super::refused_overrides;
use super::roll::{self, Roll};
use super::service_class;
use super::status::{self, Progress};
use super::transitions::deleted_pools;
use super::transitions::drain::{self, DrainPlan};
use super::transitions::pool_finalizer;
use super::transitions::topic_operator;
use super::transitions::volume_removal::{self, moves::VolumePlan};
use super::unresponsive;
use crate::findings::Problem;
use crate::overrides::{Overridden, Overriding};
use crate::workload::agent_pod::DesiredPod;
use objects::DesiredObject;

/// Seconds until brokers that were told an option are asked for it again.
const COMPARE_AGAIN_SECONDS: u64 = 2;

/// Seconds until it is looked again how far nodes are emptied.
const DRAIN_LOOK_SECONDS: u64 = 3;

/// Plans everything. `warnings` are those of the resources.
pub(super) fn complete(
    kafka: &api::Kafka,
    cluster: &Cluster,
    certificates: &Certificates,
    observed: &Observed,
    warnings: Vec<Warning>,
    now: Timestamp,
) -> Result<Plan, Vec<Problem>> {
    let options = live::plan_options(cluster, observed, now);
    let of_brokers = [options.question(cluster, observed), failed_log_dirs::need(cluster, observed)];
    let of_brokers: Vec<Need> = of_brokers.into_iter().flatten().collect();
    if !of_brokers.is_empty() {
        // Before all that follows is made: each plan over a cluster that has settled asks for them.
        return Ok(Plan::asking(of_brokers));
    }
    let quotas = default_quotas::plan(cluster, observed);
    let agents = [
        plug_ins::need(cluster, observed),
        taking_up::need(cluster, certificates, observed, now),
        unresponsive::need(cluster, observed, now),
    ];
    let drain = drain::plan(cluster, observed, now);
    let of_kafka = [quotas.need.clone(), drain.need.clone()];
    let needs: Vec<Need> = of_kafka.into_iter().chain(agents).flatten().collect();
    if !needs.is_empty() {
        return Ok(Plan::asking(needs));
    }
    let mut draft = Draft {
        kafka,
        cluster,
        certificates,
        observed,
        now,
        options,
        quotas,
        drain,
        volumes: volume_removal::moves::plan(cluster, observed),
        taking_up: taking_up::plan(cluster, certificates, observed, now),
        plan: Plan::default(),
        desired: certificates.objects.clone(),
        pods: Vec::new(),
        progress: Progress::default(),
        warnings,
        overriding: Overriding::new(&cluster.object_overrides),
        overridden: Vec::new(),
        hold: OperatorHold::of(kafka, cluster, observed, now),
        files: NodeFiles::of(cluster).within(observed.settings.largest_config_map)?,
    };
    draft.plan.undone = std::mem::take(&mut draft.options.undone);
    draft.warnings.append(&mut draft.options.warnings);
    draft.warnings.extend(status::errors_of_live_pods(observed).chain(certificates.warning()));
    draft.progress.waiting_for.extend(certificates.awaited.iter().cloned());
    draft.drain();
    draft.objects_of_cluster();
    draft.objects_of_nodes();
    draft.pods_of_pools();
    entity_operator::plan(cluster, certificates, observed, now, &mut draft.desired, &mut draft.progress);
    kafka_exporter::plan(cluster, certificates, observed, now, &mut draft.desired, &mut draft.progress);
    proxy::plan(cluster, observed, now, &mut draft.desired, &mut draft.progress);
    draft.overrides()?;
    draft.removals();
    let pods_stay = ownership::leave_to_others(
        cluster,
        observed,
        &mut draft.desired,
        &mut draft.plan,
        &mut draft.progress,
    );
    draft.keep_addresses();
    draft.refused_overrides();
    draft.calls();
    draft.options_settle();
    draft.roll(pods_stay);
    Ok(draft.finish())
}

/// A plan on its way, and what it is made of.
struct Draft<'a> {
    kafka: &'a api::Kafka,
    cluster: &'a Cluster,
    certificates: &'a Certificates,
    observed: &'a Observed,
    now: Timestamp,
    /// What changes of options at run time.
    options: OptionPlan,
    /// What changes of the default quotas of users.
    quotas: DefaultQuotas,
    /// How nodes that are to leave are emptied.
    drain: DrainPlan,
    /// How volumes are emptied that are to leave.
    volumes: VolumePlan,
    /// Which nodes take new certificates up without a restart.
    taking_up: TakingUp,
    plan: Plan,
    /// Objects as they are to be. The plan says what of them is to be written.
    desired: Vec<DesiredObject>,
    /// The pods as they stand in the pod sets.
    pods: Vec<Pod>,
    progress: Progress,
    warnings: Vec<Warning>,
    overriding: Overriding<'a>,
    /// The objects over which users laid something.
    overridden: Vec<Overridden>,
    /// Which restarts wait because a new version of the operator is their only reason.
    hold: OperatorHold,
    /// What the ConfigMaps of the nodes hold.
    files: NodeFiles<'a>,
}

impl Draft<'_> {
    /// How far nodes are emptied that are to leave, and which pools wait for that.
    fn drain(&mut self) {
        self.warnings.extend(self.drain.warnings.values().cloned());
        self.warnings.extend(self.drain.complaint.take().or(self.volumes.complaint.take()));
        self.plan.draining = self.drain.progress.take();
        self.warnings.extend(self.volumes.warnings.values().cloned());
        self.warnings.extend(failed_log_dirs::warnings(self.cluster, self.observed));
        if self.drain.look_again || self.volumes.look_again {
            self.plan.look_again_in(DRAIN_LOOK_SECONDS);
        }
        self.plan.finalizers.extend(pool_finalizer::changes(self.kafka, self.cluster, self.observed));
    }

    /// What all nodes share.
    fn objects_of_cluster(&mut self) {
        let (cluster, settings) = (self.cluster, self.observed.settings.as_ref());
        let objects = &mut self.desired;
        objects.push(rbac::kafka_service_account(cluster));
        if cluster.asks_about_nodes() {
            if settings.cluster_role_bindings {
                objects.push(rbac::kafka_cluster_role_binding(cluster));
            } else {
                self.warnings.push(kubernetes_nodes::need_a_binding(cluster));
            }
        }
        if settings.network_policies {
            objects.push(network_policy::kafka(cluster, settings));
        }
        objects.push(service::bootstrap(cluster));
        objects.push(service::brokers(cluster));
        objects.extend(listener_services::all(cluster));
        objects.extend(jmx::secret(cluster, self.observed));
        self.warnings.extend(jmx::warning(cluster, self.observed));
        if settings.pod_disruption_budgets {
            objects.push(pod_disruption_budget::kafka(cluster));
        }
    }

    /// Claims and ConfigMaps.
    fn objects_of_nodes(&mut self) {
        let cluster = self.cluster;
        let mut classes = BTreeSet::new();
        for node in cluster.nodes() {
            for wanted in claim::of_node(cluster, node) {
                let fitted = claim_growth::fitted(wanted, self.observed, &mut self.warnings, &mut classes);
                self.desired.push(fitted.build());
            }
            let files = self.files.of_node(node);
            self.desired.push(config_map::node(cluster, node, files, &self.options.taken_out));
        }
        self.plan.needs.extend(classes.into_iter().map(Need::StorageClass));
        self.plan.needs.extend(kubernetes_nodes::question(cluster, self.observed));
        self.plan.needs.extend(lost::question(cluster, self.observed, self.now));
    }

    /// The pod sets, the restarts that their pods need, and the statuses of the pools.
    fn pods_of_pools(&mut self) {
        let cluster = self.cluster;
        self.progress.addresses_unknown(&cluster.addresses.unknown_bootstrap);
        let (mut pods, mut listed_of_pools) = (Vec::new(), Vec::new());
        for pool in &cluster.pools {
            self.progress.waiting_for.extend(pool.waits_for.clone());
            let nodes = pool.nodes.iter().map(|id| Node { id: *id, pool });
            let mut listed = Vec::new();
            for DesiredPod { pod, json } in nodes.filter_map(|node| self.pod(node)) {
                pods.push(pod);
                listed.push(json);
            }
            listed_of_pools.push((pool, listed));
        }
        let waiting_for = &mut self.progress.waiting_for;
        self.plan.roll.held = self.hold.decide(&pods, self.observed, waiting_for, self.now);
        self.plan.needs.extend(self.hold.question());
        if let Some(held) = &self.plan.roll.held {
            self.progress.plan_is_held(held);
        }
        for (pool, listed) in listed_of_pools {
            let manual = pod_set::manual_update(cluster, pool, self.observed);
            let own_options = &self.options.memory.own_values;
            let drained = self.drain.remembered.get(&pool.name);
            let volumes = self.volumes.remembered.get(&pool.name);
            let let_go_for = self.hold.memory(self.observed, &cluster.pod_set_name(pool));
            let quotas = self.quotas.remembered;
            let node_pool = pool.remembered.clone();
            let memory = Memory { quotas, own_options, drained, volumes, let_go_for, node_pool };
            if !pool_finalizer::is_over(cluster, pool, self.observed) {
                self.desired.push(pod_set::of_pool(cluster, pool, listed, manual.as_ref(), memory));
            }
            self.warnings.extend(plug_ins::missing(cluster, pool, self.observed));
            if pool.origin.has_resource() {
                let of_kafka = [&self.drain.warnings, &self.volumes.warnings].map(|all| all.get(&pool.name));
                let of_kafka = of_kafka.into_iter().flatten();
                let status = status::pool(cluster, pool, of_kafka, self.observed, self.now);
                self.plan.status.pools.insert(pool.name.clone(), status);
            } else {
                self.warnings.extend(pool.warnings.clone());
            }
        }
        self.pods = pods;
        let mut wanted = std::mem::take(&mut self.plan.roll.wanted);
        wanted.retain(|restart| !self.must_stay(restart.node));
        self.plan.roll.wanted = wanted;
        self.plan.nodes.sort_by_key(|node| node.id);
    }

    /// Whether a node must not restart, whatever the reason: something that it starts with is not there yet.
    fn must_stay(&self, node: i32) -> bool {
        self.certificates.held.contains_key(&node)
            || self.cluster.pools.iter().any(|pool| pool.removal.awaits(node))
    }

    /// The pod of a node as it is to be; `None`: it must not be made yet.
    fn pod(&mut self, node: Node<'_>) -> Option<DesiredPod> {
        let (cluster, observed) = (self.cluster, self.observed);
        let none = NodeCertificate::default();
        let certificate = self.certificates.nodes.get(&node.id).unwrap_or(&none);
        if let Some(unknown) = cluster.addresses.unknown_of_brokers.get(&node.id) {
            self.progress.addresses_unknown(unknown);
            let knows_all = cluster.open_listeners(node.id).count() == cluster.listeners.len();
            if !knows_all && pod_state::is_new(&cluster.pod_name(node), cluster, node.pool, observed) {
                return None;
            }
        }
        if let Some(why) = self.certificates.held.get(&node.id) {
            let name = cluster.pod_name(node);
            self.progress.waiting_for.push(format!("pod {name} {why}"));
            if pod_state::is_new(&name, cluster, node.pool, observed) {
                return None;
            }
        }
        let configuration = self.files.restart_fingerprint(node);
        let (settings, overriding) = (&observed.settings, &mut self.overriding);
        let desired = pod::of_node(cluster, node, certificate, configuration, settings, overriding);
        self.look_at_pod(node, &desired.pod);
        self.plan.nodes.push(PlannedNode {
            id: node.id,
            pod: cluster.pod_name(node),
            pod_set: cluster.pod_set_name(node.pool),
        });
        Some(desired)
    }

    /// What users lay over the objects.
    fn overrides(&mut self) -> Result<(), Vec<Problem>> {
        let overriding = &mut self.overriding;
        self.overridden.extend(self.desired.iter_mut().filter_map(|object| overriding.object(object)));
        self.warnings.extend(self.overriding.unused());
        self.warnings.extend(service_class::keep(self.observed, &mut self.desired));
        let problems = std::mem::take(&mut self.overriding.problems);
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    /// What clients use while a listener changes its addresses.
    fn keep_addresses(&mut self) {
        let (restarts, delete) = (&self.plan.roll.wanted, &mut self.plan.common.delete);
        address_switch::keep(self.cluster, self.observed, restarts, &mut self.desired, delete);
    }

    /// What the API server refuses of it.
    fn refused_overrides(&mut self) {
        if self.plan.needs.is_empty() {
            let (observed, overridden) = (self.observed, &self.overridden);
            let (desired, progress) = (&mut self.desired, &mut self.progress);
            refused_overrides::take_out(observed, overridden, desired, &mut self.plan, progress);
        }
    }

    /// What nothing wants any more.
    fn removals(&mut self) {
        let (cluster, observed) = (self.cluster, self.observed);
        self.warnings.extend(foreign_additions::of(observed, &self.desired));
        self.warnings.extend(deleted_pools::warnings(cluster));
        self.warnings.extend(orphaned_pools::warnings(cluster, observed));
        self.warnings.extend(address_switch::warnings(cluster, observed, &self.plan.roll.wanted));
        self.plan.delete = orphans::of(cluster, observed, &self.desired);
        topic_operator::release_topics(cluster, observed, &mut self.plan);
    }

    /// What Kafka is told.
    fn calls(&mut self) {
        let observed = self.observed;
        self.progress.waiting_for.extend(self.quotas.waiting_for.map(str::to_owned));
        if let Some(silence) = observed.other_cluster() {
            self.progress.other_cluster(silence);
        }
        let status = self.kafka.status.as_ref();
        if let Some(view) = &observed.view {
            self.plan.calls = std::mem::take(&mut self.options.calls);
            self.drain_calls();
            let told = admin_calls::of(self.cluster, view, observed, &self.plan);
            self.warnings.extend(told.warnings);
            self.plan.calls.extend(told.calls);
            self.options.look_again |= told.look_again;
            self.plan.calls.extend(self.quotas.call.take());
        } else if status.is_none_or(|status| status.cluster_id.is_none())
            && self.progress.waiting_for.is_empty()
        {
            let why = observed.why_silent(|need| *need == Need::Kafka);
            self.progress.waiting_for.push(format!("Kafka has not answered yet{why}"));
        }
    }

    /// The calls by which nodes are emptied, and the event that tells of them.
    fn drain_calls(&mut self) {
        self.plan.calls.append(&mut self.volumes.calls);
        self.plan.calls.append(&mut self.drain.calls);
        let call = self.plan.calls.len().saturating_sub(1);
        let event =
            self.drain.event.take().map(|(reason, text)| planned_events::of_drain(reason, text, call));
        self.plan.events.extend(event);
    }

    /// How far the options that change at run time are, for this pass and the next.
    fn options_settle(&mut self) {
        let waiting_for = &mut self.progress.waiting_for;
        if waiting_for.is_empty() && !self.options.settled {
            let why = self.observed.why_silent(|need| matches!(need, Need::BrokerConfigs(_)));
            waiting_for.push(format!("the brokers to run with options that change at run time{why}"));
        }
        // Nothing announces that they do. While Kafka does not answer, whoever asks it brings the next pass.
        if self.options.look_again || admin_calls::are_to_be_seen(&self.plan.calls, self.observed) {
            self.plan.look_again_in(COMPARE_AGAIN_SECONDS);
        }
        self.plan.options = std::mem::take(&mut self.options.memory);
        if !self.plan.roll.wanted.is_empty() {
            // A broker that restarts may run with something else than before.
            self.plan.options.settled = None;
        }
    }

    /// Which pods go now. `pods_stay`: none, because objects that they need belong to somebody else.
    fn roll(&mut self, pods_stay: bool) {
        let (cluster, observed, now) = (self.cluster, self.observed, self.now);
        let desired: BTreeMap<&str, &Pod> =
            self.pods.iter().filter_map(|pod| Some((pod.metadata.name.as_deref()?, pod))).collect();
        let Roll { mut wanted, held, .. } = std::mem::take(&mut self.plan.roll);
        if let Some(seconds) = self.hold.keep_back(&mut wanted) {
            self.plan.look_again_in(seconds);
        }
        let is_due = !wanted.is_empty();
        let must_stay = |node| self.must_stay(node);
        let unresponsive = unresponsive::restarts(cluster, observed, &wanted, must_stay, now);
        if let Some(seconds) = unresponsive::look_again(cluster, observed, now) {
            self.plan.look_again_in(seconds);
        }
        // Last: calls to Kafka, addresses of listeners and the turns of other clusters do not wait for a node that answers nothing.
        let (wanted, mut decided) = roll::decide_all(cluster, wanted, unresponsive, &desired, observed, now);
        if pods_stay {
            // The pods of nodes that leave run on: nothing is taken from under them.
            self.plan.delete.clear();
            self.plan.calls.retain(|call| {
                !matches!(call, AdminCall::UnregisterBroker { .. } | AdminCall::RemoveVoter { .. })
            });
            decided.stop("objects that pods need belong to somebody else", observed, now);
        }
        self.plan.needs.extend(decided.needs);
        self.plan.needs.retain(|need| observed.silence(need).is_none());
        self.plan.roll = Roll { wanted, held, ..decided.roll };
        let events = planned_events::of(&self.plan, now);
        self.plan.events.extend(events);
        self.warnings.extend(decided.warnings);
        if let Some(waits) = &self.plan.roll.waits {
            self.plan.common.look_again_in(waits.look_again_seconds(now));
            self.progress.roll_waits(waits, now);
        }
        // Also where nothing waits: a pass may fail before it gets to the restart.
        let waits =
            self.plan.roll.waits.as_ref().filter(|waits| !waits.is_usual()).map(|waits| waits.why.as_str());
        let restarts = &self.plan.roll.wanted;
        let ending = ending::while_restarts_are_due(cluster, observed, restarts, waits, now);
        self.warnings.extend(ending);
        self.plan.roll.turn = Some(self.hold.state(is_due, self.progress.waiting_for.is_empty()));
    }

    /// The plan with the status of the Kafka resource.
    fn finish(self) -> Plan {
        let Self { mut plan, desired, mut progress, mut warnings, taking_up, .. } = self;
        warnings.append(&mut progress.warnings);
        warnings.sort();
        warnings.dedup();
        let (kafka, cluster, certificates) = (self.kafka, self.cluster, self.certificates);
        let status =
            status::kafka(kafka, cluster, certificates, self.observed, &warnings, &progress, self.now);
        plan.status.kafka = Some(status);
        plan.waiting_for = progress.waiting_for;
        plan.waiting_for.extend(taking_up.words());
        plan.look_again = plan.look_again.into_iter().chain(taking_up.look_again()).min();
        (plan.taken_up, plan.taking_up) = taking_up.outcome();
        if plan.needs.is_empty() {
            plan.apply = live_objects::writes(self.observed, desired);
            let pods = plan.nodes.iter().map(|node| (node.pod.as_str(), node.pod_set.as_str()));
            plan.roll.heed_writes(pods, &plan.common.apply);
        }
        plan
    }
}
