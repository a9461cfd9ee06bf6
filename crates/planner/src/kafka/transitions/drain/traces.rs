//! What throttles the moves, and what of that is left in Kafka when they have ended.
//!
//! A topic whose throttled replicas are the operator's names a node that is emptied among those that are copied from; a rate is the
//! operator's when the pod sets remember it. What others set stays.

use std::collections::{BTreeMap, BTreeSet};

use rebalance::throttle::BROKER_RATES;
use rebalance::{Move, PartitionState, Throttles, throttles};

use super::look::Drain;
use super::moves::Moves;
use crate::kafka::admin_call::AdminCall;
use crate::kafka::drain_view::ThrottledReplicas;

/// Throttles to set, and to take off.
#[derive(Debug, Default)]
pub(super) struct Traces {
    /// Throttled replicas to set, by topic.
    set: BTreeMap<String, ThrottledReplicas>,
    /// Rates to set, by broker.
    rates: BTreeMap<i32, BTreeMap<String, String>>,
    /// Whether rates of the operator's are set now.
    pub has_rates: bool,
    /// Nodes whose drain has ended and of which Kafka has something left, apart from rates of other brokers.
    pub kept: BTreeSet<i32>,
    /// Whether rates of the operator's are left, or may be on a broker that is down.
    pub keeps_rates: bool,
    topics: BTreeSet<String>,
    rates_off: BTreeMap<i32, BTreeSet<String>>,
}

impl Traces {
    /// Compares what is throttled with what has to be.
    pub(super) fn of(drain: &Drain<'_>, moves: &Moves) -> Self {
        let mut traces = Self::default();
        let mut brokers = BTreeSet::new();
        let (none, view) = (Vec::new(), drain.view);
        let topics: BTreeSet<&String> = view.partitions.keys().chain(view.throttled.keys()).collect();
        for topic in topics {
            let partitions = view.partitions.get(topic).unwrap_or(&none);
            let present = view.throttled.get(topic);
            let own = present.is_some_and(|present| drain.has_set(present));
            let needed = needed(drain, topic, partitions, moves);
            if needed.followers.is_empty() || drain.rate == 0 {
                let goes_on = drain.rate != 0 && partitions.iter().any(PartitionState::is_moving);
                if own && !goes_on {
                    traces.topics.insert(topic.clone());
                }
                continue;
            }
            brokers.extend(needed.brokers);
            let wanted = ThrottledReplicas { leaders: needed.leaders, followers: needed.followers };
            if present.is_none_or(|present| own && !names_all(present, &wanted)) {
                traces.set.insert(topic.clone(), wanted);
            }
        }
        traces.compare_rates(drain, moves, &brokers);
        traces.keep(drain);
        traces
    }

    /// Notes what is left of nodes whose drain has ended.
    fn keep(&mut self, drain: &Drain<'_>) {
        for (_, partition) in drain.view.all() {
            self.kept.extend(partition.removing.iter().filter(|id| drain.ended.contains(id)));
            // Another broker than the one that called the node empty may know more.
            self.kept.extend(partition.replicas.iter().filter(|id| drain.emptied.contains(id)));
        }
        for present in drain.view.throttled.values() {
            self.kept.extend(drain.named_by(present).intersection(&drain.ended));
        }
        self.kept.extend(self.rates_off.keys().filter(|id| drain.emptied.contains(id)));
        let is_down = |id: &i32| drain.view.brokers.get(id).is_some_and(|broker| !broker.active);
        self.keeps_rates = self.has_rates || drain.cluster.broker_ids().iter().any(is_down);
    }

    /// The rates of brokers: those that take part get one, unless an administrator or a tool gave them one. All of them lose the operator's when
    /// nothing moves any more, for the operator or for others; a broker that is empty loses it before it leaves.
    fn compare_rates(&mut self, drain: &Drain<'_>, moves: &Moves, brokers: &BTreeSet<i32>) {
        let something_moves =
            !moves.begun.is_empty() || drain.view.all().any(|(_, partition)| partition.is_moving());
        let goes_on = something_moves || !drain.empties.is_empty();
        let wanted = drain.rate.to_string();
        for (id, broker) in drain.view.brokers.iter().filter(|(_, broker)| broker.active) {
            for name in BROKER_RATES {
                let present = broker.rates.get(name);
                let is_ours = |present: &String| drain.rates.iter().any(|rate| rate.to_string() == *present);
                let own = present.is_some_and(is_ours);
                self.has_rates |= own;
                if own && (!goes_on || drain.rate == 0 || drain.emptied.contains(id)) {
                    self.rates_off.entry(*id).or_default().insert(name.to_owned());
                } else if brokers.contains(id) && present.is_none_or(|present| own && *present != wanted) {
                    self.rates.entry(*id).or_default().insert(name.to_owned(), wanted.clone());
                }
            }
        }
    }

    /// Begins moves, and sets what throttles them and those that are under way.
    pub(super) fn begin(&self, moves: &Moves) -> Option<AdminCall> {
        let (throttled, rates) = (self.set.clone(), self.rates.clone());
        let has_some = !moves.begun.is_empty() || !throttled.is_empty() || !rates.is_empty();
        has_some.then(|| AdminCall::MovePartitions { throttled, rates, moves: moves.begun.clone() })
    }

    /// Takes off what has become needless. The flag: whether that is the last of the drain of some node.
    pub(super) fn take_off(self, drain: &Drain<'_>) -> Option<(AdminCall, bool)> {
        let (topics, rates) = (self.topics, self.rates_off);
        let is_last = !rates.is_empty()
            && (drain.empties.is_empty() || rates.keys().any(|id| drain.emptied.contains(id)));
        let has_some = !rates.is_empty() || !topics.is_empty();
        has_some.then_some((AdminCall::TakeOffThrottles { topics, rates }, is_last))
    }
}

/// What has to be throttled of a topic: its moves that are under way, and those that begin.
fn needed(drain: &Drain<'_>, topic: &str, partitions: &[PartitionState], moves: &Moves) -> Throttles {
    let none = BTreeMap::new();
    let begin = moves.begun.get(topic).unwrap_or(&none);
    let is_ours = |one: &&PartitionState| one.removing.iter().any(|id| drain.empties.contains(id));
    let under_way = partitions.iter().filter(is_ours).filter(|one| !begin.contains_key(&one.index));
    let under_way = under_way.map(|one| Move { partition: one.index, replicas: one.target() });
    let begin = begin.iter().map(|(index, to)| Move { partition: *index, replicas: to.clone() });
    throttles(partitions, &under_way.chain(begin).collect::<Vec<_>>())
}

/// Whether all that is to be throttled is.
fn names_all(present: &ThrottledReplicas, wanted: &ThrottledReplicas) -> bool {
    let all = |present: &str, wanted: &str| {
        let present: BTreeSet<&str> = present.split(',').collect();
        wanted.split(',').all(|one| present.contains(one))
    };
    all(&present.leaders, &wanted.leaders) && all(&present.followers, &wanted.followers)
}
