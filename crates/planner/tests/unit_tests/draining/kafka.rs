//! The partitions of a Kafka on paper: it moves them as it is told.

use std::collections::{BTreeMap, BTreeSet};

use planner::kafka::admin_call::AdminCall;
use planner::kafka::drain_view::{BROKER_RATES, DrainBroker, DrainView, PartitionState, ThrottledReplicas};
use planner::kafka::plan::Plan;

/// The partitions, what throttles them, and which brokers are down.
#[derive(Debug, Clone, Default)]
pub(super) struct Kafka {
    pub partitions: BTreeMap<(String, i32), PartitionState>,
    pub throttled: BTreeMap<String, ThrottledReplicas>,
    pub rates: BTreeMap<i32, BTreeMap<String, String>>,
    pub down: BTreeSet<i32>,
    pub racks: BTreeMap<i32, String>,
    /// Every list of brokers that a partition was told to be on.
    pub told: Vec<(String, Vec<i32>)>,
}

impl Kafka {
    /// A topic whose partitions are on these brokers.
    pub(super) fn topic(&mut self, name: &str, partitions: &[&[i32]]) {
        for (index, replicas) in (0..).zip(partitions) {
            let state = PartitionState {
                index,
                leader: replicas[0],
                replicas: replicas.to_vec(),
                isr: replicas.to_vec(),
                adding: Vec::new(),
                removing: Vec::new(),
            };
            self.partitions.insert((name.to_owned(), index), state);
        }
    }

    pub(super) fn replicas(&self, topic: &str, index: i32) -> &[i32] {
        &self.partitions[&(topic.to_owned(), index)].replicas
    }

    /// Brokers that hold replicas.
    pub(super) fn holders(&self) -> BTreeSet<i32> {
        self.partitions.values().flat_map(|one| one.replicas.iter().copied()).collect()
    }

    pub(super) fn is_moving(&self) -> bool {
        self.partitions.values().any(PartitionState::is_moving)
    }

    /// Whether nothing throttles anything.
    pub(super) fn is_free(&self) -> bool {
        self.throttled.is_empty() && self.rates.values().all(BTreeMap::is_empty)
    }

    pub(super) fn view(&self, registered: &BTreeSet<i32>) -> DrainView {
        let broker = |id: &i32| DrainBroker {
            rack: self.racks.get(id).cloned(),
            active: !self.down.contains(id),
            replicas: self.partitions.values().filter(|one| one.replicas.contains(id)).count(),
            leaders: self.partitions.values().filter(|one| one.replicas[0] == *id).count(),
            rates: self.rates.get(id).cloned().unwrap_or_default(),
        };
        let mut view = DrainView {
            brokers: registered.iter().map(|id| (*id, broker(id))).collect(),
            throttled: self.throttled.clone(),
            ..DrainView::default()
        };
        for ((topic, _), state) in &self.partitions {
            view.partitions.entry(topic.clone()).or_default().push(state.clone());
        }
        view
    }

    /// Does what a plan tells it.
    pub(super) fn carry_out(&mut self, plan: &Plan) {
        for call in &plan.calls {
            match call {
                AdminCall::MovePartitions { throttled, rates, moves } => {
                    self.throttled.extend(throttled.clone());
                    for (broker, rates) in rates {
                        assert!(!self.down.contains(broker), "broker {broker} is down");
                        self.rates.entry(*broker).or_default().extend(rates.clone());
                    }
                    for (topic, partitions) in moves {
                        for (index, brokers) in partitions {
                            self.begin(topic, *index, brokers);
                        }
                    }
                }
                AdminCall::CancelMoves { partitions } => {
                    for (topic, indexes) in partitions {
                        for index in indexes {
                            self.cancel(topic, *index);
                        }
                    }
                }
                AdminCall::TakeOffThrottles { topics, rates } => {
                    self.throttled.retain(|topic, _| !topics.contains(topic));
                    for (broker, names) in rates {
                        assert!(names.iter().all(|name| BROKER_RATES.contains(&name.as_str())));
                        self.rates.get_mut(broker).unwrap().retain(|name, _| !names.contains(name));
                    }
                }
                _ => {}
            }
        }
    }

    fn begin(&mut self, topic: &str, index: i32, brokers: &[i32]) {
        self.told.push((format!("{topic}-{index}"), brokers.to_vec()));
        let state = self.partitions.get_mut(&(topic.to_owned(), index)).unwrap();
        state.replicas.retain(|id| !state.adding.contains(id));
        assert_eq!(state.replicas.len(), brokers.len(), "the number of replicas stays");
        state.removing = state.replicas.iter().copied().filter(|id| !brokers.contains(id)).collect();
        assert!(
            brokers.iter().all(|id| state.replicas.contains(id) || !self.down.contains(id)),
            "{brokers:?}"
        );
        state.adding = brokers.iter().copied().filter(|id| !state.replicas.contains(id)).collect();
        let kept = state.replicas.iter().copied().filter(|id| !brokers.contains(id));
        state.replicas = brokers.iter().copied().chain(kept).collect();
    }

    fn cancel(&mut self, topic: &str, index: i32) {
        let state = self.partitions.get_mut(&(topic.to_owned(), index)).unwrap();
        state.replicas.retain(|id| !state.adding.contains(id));
        (state.adding, state.removing) = (Vec::new(), Vec::new());
    }

    /// So many moves arrive of those that can: a broker that is down takes nothing.
    pub(super) fn arrive(&mut self, most: usize) {
        let down = self.down.clone();
        let can =
            |one: &&mut PartitionState| one.is_moving() && !one.adding.iter().any(|id| down.contains(id));
        for state in self.partitions.values_mut().filter(can).take(most) {
            state.replicas.retain(|id| !state.removing.contains(id));
            state.isr.clone_from(&state.replicas);
            state.leader = state.replicas[0];
            (state.adding, state.removing) = (Vec::new(), Vec::new());
        }
    }
}
