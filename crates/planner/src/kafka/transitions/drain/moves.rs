//! Which partitions move now, and where to.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rebalance::{Broker, Evacuation, Load, PartitionState};

use super::look::Drain;
use crate::kafka::admin_call::AdminCall;
use crate::kafka::drain_view::{DrainBroker, DrainProgress};

/// Partitions that are under way at a time.
const AT_A_TIME: usize = 20;

/// Partitions that are named: an answer may have any number of them.
const NAMED: usize = 20;

/// Moves that are under way.
#[derive(Debug, Default)]
pub(super) struct UnderWay {
    /// How many.
    pub count: usize,
    /// How many of them can arrive now.
    arriving: usize,
    /// A number made of all their names.
    mark: u64,
    /// The first of them, and the brokers that get a replica.
    pub first: Vec<(String, BTreeSet<i32>)>,
}

impl UnderWay {
    fn note(&mut self, name: String, partition: &PartitionState, waits: bool) {
        self.count += 1;
        self.arriving += usize::from(!waits);
        for byte in name.bytes() {
            self.mark = (self.mark ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        if self.first.len() < NAMED {
            self.first.push((name, partition.adding.iter().copied().collect()));
        }
    }
}

/// What moves, and what does not.
#[derive(Debug, Default)]
pub(super) struct Moves {
    /// Moves that begin now: the brokers of each partition, by topic.
    pub begun: BTreeMap<String, BTreeMap<i32, Vec<i32>>>,
    /// Moves of the operator's that are to end, by topic.
    pub cancelled: BTreeMap<String, BTreeSet<i32>>,
    /// Moves of the operator's that are under way.
    pub under_way: UnderWay,
    /// Partitions with a replica on a node, by node.
    pub left: BTreeMap<i32, usize>,
    /// Topics with more replicas than brokers stay, and how many.
    pub too_wide: BTreeMap<String, usize>,
    /// Partitions that nobody leads, so that no replica can be made.
    pub leaderless: BTreeSet<String>,
    /// Partitions that others move.
    pub of_others: BTreeSet<String>,
    /// Brokers that stay, are down, and without which something cannot move, or does not arrive: Kafka ends a move when every replica is in
    /// sync.
    pub down: BTreeSet<i32>,
    /// Brokers that stay.
    pub staying: BTreeSet<i32>,
}

impl Moves {
    /// Decides.
    pub(super) fn of(drain: &Drain<'_>) -> Self {
        let mut moves = Self { staying: drain.staying(), ..Self::default() };
        moves.left = drain.empties.iter().map(|node| (*node, 0)).collect();
        let is_down = |id: &i32| !drain.view.brokers.get(id).is_some_and(|broker| broker.active);
        let down: BTreeSet<i32> = moves.staying.iter().copied().filter(is_down).collect();
        let (mut astray, mut candidates) = (Vec::new(), Vec::new());
        for (topic, partition) in drain.view.all() {
            for node in drain.empties.iter().filter(|node| partition.replicas.contains(node)) {
                *moves.left.entry(*node).or_default() += 1;
            }
            match moves.situation(drain, &down, topic, partition) {
                Situation::Done => {}
                Situation::Astray => astray.push((topic, settled(partition))),
                Situation::Candidate => candidates.push((topic, partition.clone())),
            }
        }
        astray.append(&mut candidates);
        moves.begin(drain, &down, astray);
        moves
    }

    /// Looks at one partition, and notes what is known of it.
    fn situation(
        &mut self,
        drain: &Drain<'_>,
        down: &BTreeSet<i32>,
        topic: &str,
        partition: &PartitionState,
    ) -> Situation {
        let name = || format!("{topic}-{}", partition.index);
        let is_on = |nodes: &BTreeSet<i32>, replicas: &[i32]| replicas.iter().any(|id| nodes.contains(id));
        let waits_for = partition.target().into_iter().filter(|id| down.contains(id));
        let waits_for: BTreeSet<i32> = waits_for.collect();
        if is_on(&drain.ended, &partition.removing) {
            // What left does not come back, and a replica that is in sync is not given up for none.
            let is_safe = partition.isr.iter().any(|id| !partition.adding.contains(id));
            if is_safe && is_on(&drain.back, &partition.removing) {
                self.cancelled.entry(topic.to_owned()).or_default().insert(partition.index);
            } else {
                self.under_way.note(name(), partition, true);
            }
            return Situation::Done;
        }
        let is_ours = is_on(&drain.empties, &partition.removing);
        if is_ours && partition.adding.iter().all(|id| self.staying.contains(id)) {
            self.under_way.note(name(), partition, !waits_for.is_empty());
            self.down.extend(waits_for);
            return Situation::Done;
        }
        if !is_on(&drain.empties, &partition.replicas) {
            return Situation::Done;
        }
        let factor = partition.replicas.len() - if is_ours { partition.adding.len() } else { 0 };
        let first = |names: &mut BTreeSet<String>| {
            if names.len() < NAMED {
                names.insert(name());
            }
        };
        if partition.is_moving() && !is_ours {
            first(&mut self.of_others);
        } else if partition.leader < 0 {
            first(&mut self.leaderless);
        } else if factor > self.staying.len() {
            let most = self.too_wide.entry(topic.to_owned()).or_default();
            *most = factor.max(*most);
        } else if !is_ours && !waits_for.is_empty() {
            self.down.extend(waits_for);
        } else {
            return if is_ours { Situation::Astray } else { Situation::Candidate };
        }
        Situation::Done
    }

    /// Begins as many moves as there is room for.
    fn begin(&mut self, drain: &Drain<'_>, down: &BTreeSet<i32>, partitions: Vec<(&str, PartitionState)>) {
        let brokers = &drain.view.brokers;
        let all: Vec<Broker> =
            brokers.iter().map(|(id, broker)| Broker { id: *id, rack: broker.rack.clone() }).collect();
        let is_up = |broker: &&Broker| self.staying.contains(&broker.id) && !down.contains(&broker.id);
        let targets: Vec<Broker> = all.iter().filter(is_up).cloned().collect();
        if targets.is_empty() && !partitions.is_empty() {
            self.down.extend(down);
            return;
        }
        let load = |broker: &DrainBroker| Load { replicas: broker.replicas, leaders: broker.leaders };
        let load = brokers.iter().map(|(id, broker)| (*id, load(broker))).collect();
        let mut off = Evacuation::new(drain.empties.clone(), targets, &all, load);
        let mut room = AT_A_TIME.saturating_sub(self.under_way.arriving);
        for (topic, partition) in partitions {
            if room == 0 {
                break;
            }
            match off.of(&partition) {
                Some(change) => {
                    room -= 1;
                    self.begun.entry(topic.to_owned()).or_default().insert(change.partition, change.replicas);
                }
                None => self.down.extend(down),
            }
        }
    }

    /// Ends moves that nobody wants any more.
    pub(super) fn cancel(&self) -> Option<AdminCall> {
        let partitions = &self.cancelled;
        (!partitions.is_empty()).then(|| AdminCall::CancelMoves { partitions: partitions.clone() })
    }

    /// How far it is, and since when.
    pub(super) fn progress(&self, before: Option<&DrainProgress>, now: Timestamp) -> DrainProgress {
        let left = self.left.clone();
        let under_way = (self.under_way.count, self.under_way.mark);
        let same = before.filter(|before| before.left == left && before.under_way == under_way);
        DrainProgress { left, under_way, since: same.map_or(now, |before| before.since) }
    }
}

/// What becomes of a partition.
enum Situation {
    /// Nothing now.
    Done,
    /// It goes to a broker that does not stay: to be sent elsewhere.
    Astray,
    /// It can move.
    Candidate,
}

/// A partition as it was before a move that is under way.
fn settled(partition: &PartitionState) -> PartitionState {
    let stays = |id: &i32| !partition.adding.contains(id);
    PartitionState {
        replicas: partition.replicas.iter().copied().filter(stays).collect(),
        adding: Vec::new(),
        removing: Vec::new(),
        ..partition.clone()
    }
}
