//! Which replicas move to other volumes of their broker now, and what throttles that.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::names;

use super::{MOST_REMOVED, RemovedVolumes, elections, listed, of_set};
use crate::findings::Warning;
use crate::kafka::admin_call::AdminCall;
use crate::kafka::cluster::{Cluster, Pool, VolumeState, jbod};
use crate::kafka::log_dirs_view::{BrokerLogDirs, DirReplica, LogDirView, RATE, Way};
use crate::kafka::observed::Observed;
use crate::kafka::transitions::drain;
use crate::words::{first, shortened};

/// Replicas that are on their way at a time on one broker.
const AT_A_TIME: usize = 10;

/// Replicas that a message names.
const NAMED: usize = 5;

/// What is to be done about volumes that leave.
#[derive(Debug, Default)]
pub(crate) struct VolumePlan {
    /// What Kafka is told.
    pub calls: Vec<AdminCall>,
    /// What the pod sets are to remember, by pool.
    pub remembered: BTreeMap<String, RemovedVolumes>,
    /// What keeps replicas from moving, by pool.
    pub warnings: BTreeMap<String, Warning>,
    /// What is wrong with the rate that the Kafka resource asks for.
    pub complaint: Option<Warning>,
    /// Whether something goes on that no event tells of.
    pub look_again: bool,
}

/// Decides. A cluster of which no volume leaves has nothing to do.
pub(crate) fn plan(cluster: &Cluster, observed: &Observed) -> VolumePlan {
    let mut plan = VolumePlan::default();
    for pool in &cluster.pools {
        let set = observed.pod_sets.get(&cluster.pod_set_name(pool));
        let known = set.map(|set| of_set(set)).unwrap_or_default();
        let leaving: BTreeSet<i32> = pool.removal.states.keys().copied().collect();
        if leaving.is_empty() && known == RemovedVolumes::default() {
            continue;
        }
        // What nodes left behind waits until they come again, which may be never.
        let is_back = known.left.keys().any(|node| pool.nodes.contains(node));
        plan.look_again |=
            is_back || !leaving.is_empty() || !known.volumes.is_empty() || !known.rates.is_empty();
        let rate = drain::rate(observed).unwrap_or_else(|complaint| {
            plan.complaint = Some(complaint);
            drain::USUAL_RATE
        });
        let listed = set.map(|set| listed(set)).unwrap_or_default();
        let of_pool = OfPool { pool, observed, cluster: &cluster.name, known, listed, leaving, rate };
        of_pool.fill(&mut plan);
    }
    plan
}

/// The volumes of a pool.
struct OfPool<'a> {
    pool: &'a Pool,
    observed: &'a Observed,
    /// The name of the cluster.
    cluster: &'a str,
    /// What the pod set remembers.
    known: RemovedVolumes,
    /// Nodes of the pod set.
    listed: BTreeSet<i32>,
    /// Volumes that are no longer asked for.
    leaving: BTreeSet<i32>,
    /// The rate that is wanted; 0: none.
    rate: u64,
}

impl OfPool<'_> {
    /// Whether the pod set remembers the rate, if there is one.
    fn knows_rate(&self) -> bool {
        self.rate == 0 || self.known.rates.contains(&self.rate)
    }

    /// Nodes that left the pool, each with volumes whose directories it may have cordoned.
    fn left(&self) -> BTreeMap<i32, BTreeSet<i32>> {
        let mut left = self.known.left.clone();
        if !self.known.volumes.is_empty() {
            for node in self.listed.difference(&self.pool.nodes) {
                left.entry(*node).or_default().extend(&self.known.volumes);
            }
        }
        let told = self.observed.log_dirs.as_ref().map(|view| &view.brokers);
        for (node, volumes) in &mut left {
            let broker = told.and_then(|told| told.get(node)).filter(|_| self.pool.nodes.contains(node));
            if let Some(broker) = broker {
                volumes.retain(|volume| broker.is_named(&jbod::log_dir(*volume, *node)));
            }
        }
        left.retain(|_, volumes| !volumes.is_empty());
        left.into_iter().take(MOST_REMOVED).collect()
    }

    fn fill(&self, plan: &mut VolumePlan) {
        let mut remembered =
            RemovedVolumes { volumes: self.leaving.clone(), left: self.left(), ..RemovedVolumes::default() };
        if self.pool.removal.moves && !self.leaving.is_empty() {
            remembered.rates.insert(self.rate);
        }
        let back: BTreeSet<i32> = &self.known.volumes - &self.leaving;
        let mut stuck = Vec::new();
        let mut started_without = BTreeSet::new();
        let mut led = BTreeMap::new();
        for node in self.pool.nodes.iter().filter(|_| self.pool.broker) {
            let told = self.observed.log_dirs.as_ref().and_then(|view| view.brokers.get(node));
            let Some(broker) = told else {
                // It may have traces of everything.
                remembered.volumes.extend(&back);
                remembered.rates.extend(&self.known.rates);
                continue;
            };
            let on_node = OnNode::of(self, broker, *node, &back);
            remembered.volumes.extend(on_node.traces);
            plan.calls.extend(on_node.calls);
            stuck.extend(on_node.stuck);
            if on_node.has_rate {
                remembered.rates.extend(&self.known.rates);
            }
            let pod = self.observed.pods.get(&names::pod(self.cluster, &self.pool.name, *node));
            let Some(pod) = pod else { continue };
            let missing = elections::missing(pod, &self.known.volumes);
            if missing.is_empty() {
                continue;
            }
            if elections::is_led(&self.known, *node, pod)
                || elections::all_are_led(self.observed, *node, pod, broker)
            {
                led.extend(pod.metadata.uid.clone().map(|uid| (*node, uid)));
            } else {
                // The pod set remembers a volume until every partition has a leader.
                remembered.volumes.extend(missing);
                started_without.insert(*node);
            }
        }
        plan.calls.extend(elections::call(self.observed, &started_without));
        if remembered != RemovedVolumes::default() {
            remembered.led = led.into_iter().take(MOST_REMOVED).collect();
            plan.remembered.insert(self.pool.name.clone(), remembered);
        }
        if !stuck.is_empty() {
            let message = format!(
                "pool {}: no other volume of their broker has room for the replicas {}: let a volume grow, or add one",
                self.pool.name,
                first(&stuck, NAMED, ", ")
            );
            let warning = Warning { reason: reasons::VOLUME_REMOVAL.to_owned(), message };
            plan.warnings.insert(self.pool.name.clone(), warning);
        }
    }
}

/// What is to be done on one broker.
#[derive(Default)]
struct OnNode {
    calls: Vec<AdminCall>,
    /// Volumes that are to stay after all, and of whose removal the broker has traces.
    traces: BTreeSet<i32>,
    /// Whether replicas are on their way off these. They move behind the rate until they are stopped.
    returns: bool,
    /// Whether it has a rate of the operator's.
    has_rate: bool,
    /// Replicas for which there is no room.
    stuck: Vec<String>,
}

impl OnNode {
    fn of(of: &OfPool<'_>, broker: &BrokerLogDirs, node: i32, back: &BTreeSet<i32>) -> Self {
        let mut on_node = Self::default();
        let mut moves: BTreeMap<String, BTreeMap<i32, String>> = BTreeMap::new();
        let mut add = |replica: &DirReplica, to: &str| {
            moves.entry(replica.topic.clone()).or_default().insert(replica.partition, to.to_owned());
        };
        // Nobody wants these to leave any more: what is on its way stays where it is.
        for volume in back {
            let path = jbod::log_dir(*volume, node);
            // Also of a volume that is gone: when it comes back, its cordon would count as a user's.
            if broker.is_named(&path) {
                on_node.traces.insert(*volume);
            }
            let Some(dir) = broker.dirs.get(&path) else { continue };
            if dir.moving > 0 {
                on_node.traces.insert(*volume);
                on_node.returns = true;
            }
            if broker.is_cordoned(&path) {
                // Kafka takes nothing into it, not even back.
                continue;
            }
            dir.replicas.iter().filter(|one| matches!(one.way, Way::To(_))).for_each(|one| add(one, &path));
        }
        let empties: Vec<(String, &LogDirView)> = of
            .pool
            .removal
            .of_node(node)
            .filter(|(id, state)| of.known.volumes.contains(id) && matches!(state, VolumeState::Replicas(_)))
            .map(|(id, _)| jbod::log_dir(id, node))
            .filter_map(|path| broker.dirs.get(&path).map(|dir| (path, dir)))
            .collect();
        let under_way: usize = empties.iter().map(|(_, dir)| dir.moving).sum();
        // Nothing begins before the pod set remembers what throttles it.
        if of.pool.removal.moves && of.knows_rate() {
            let mut targets = Targets::of(of, broker, node);
            let mut room = AT_A_TIME.saturating_sub(under_way);
            for (path, dir) in &empties {
                for replica in &dir.replicas {
                    match &replica.way {
                        Way::To(to) if targets.has(to) => targets.take(to, replica.size),
                        // What comes in goes back to where it is complete.
                        Way::From(from) if targets.has(from) && from != path => add(replica, from),
                        // Its other copy leaves as well, and takes this one along.
                        Way::From(_) => {}
                        Way::None if room == 0 => {}
                        Way::To(_) | Way::None => match targets.best(replica.size) {
                            Some(to) => {
                                room = room.saturating_sub(1);
                                add(replica, &to);
                            }
                            None => on_node.stuck.push(format!(
                                "{}-{} of broker {node}",
                                shortened(&replica.topic),
                                replica.partition
                            )),
                        },
                    }
                }
            }
        }
        let goes_on = under_way > 0 || !moves.is_empty();
        on_node.throttle(of, broker, node, goes_on, moves);
        on_node
    }

    /// Begins the moves behind their rate, or takes the rate off. The rate of another tool stays.
    fn throttle(
        &mut self,
        of: &OfPool<'_>,
        broker: &BrokerLogDirs,
        node: i32,
        goes_on: bool,
        moves: BTreeMap<String, BTreeMap<i32, String>>,
    ) {
        let present = broker.rate.as_deref();
        let is_ours = |present: &str| of.known.rates.iter().any(|rate| rate.to_string() == present);
        self.has_rate = present.is_some_and(is_ours);
        let is_wanted = goes_on && of.pool.removal.moves && of.rate > 0;
        let is_other = present.is_none_or(|present| self.has_rate && present != of.rate.to_string());
        let rate = (is_wanted && is_other && of.knows_rate()).then_some(of.rate);
        if !moves.is_empty() || rate.is_some() {
            self.calls.push(AdminCall::MoveReplicas { broker: node, rate, moves });
        }
        if self.has_rate && !is_wanted && !self.returns {
            let rates = BTreeMap::from([(node, BTreeSet::from([RATE.to_owned()]))]);
            self.calls.push(AdminCall::TakeOffThrottles { topics: BTreeSet::new(), rates });
        }
    }
}

/// The log directories of a broker that replicas may go to, with how much room each has left, and how many replicas.
struct Targets(BTreeMap<String, (Option<u64>, usize)>);

impl Targets {
    fn of(of: &OfPool<'_>, broker: &BrokerLogDirs, node: i32) -> Self {
        let ids = of.pool.volumes.iter().filter_map(|volume| volume.id).filter(|id| !of.leaving.contains(id));
        let usable = |path: String| {
            let dir =
                broker.dirs.get(&path).filter(|dir| dir.error.is_none() && !broker.is_cordoned(&path))?;
            Some((path, (dir.usable, dir.count)))
        };
        Self(ids.map(|id| jbod::log_dir(id, node)).filter_map(usable).collect())
    }

    fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    /// Notes that so many bytes go there.
    fn take(&mut self, path: &str, size: u64) {
        if let Some((usable, count)) = self.0.get_mut(path) {
            *usable = usable.map(|usable| usable.saturating_sub(size));
            *count += 1;
        }
    }

    /// The directory with the most room, if there is enough; where that is not known, the one with the fewest replicas.
    fn best(&mut self, size: u64) -> Option<String> {
        let fits = self.0.iter().filter(|(_, (usable, _))| usable.is_none_or(|usable| usable > size));
        let best = fits.max_by_key(|(_, (usable, count))| (*usable, std::cmp::Reverse(*count)))?.0.clone();
        self.take(&best, size);
        Some(best)
    }
}
