//! What the answers to the needs of a cluster's plan change in what was observed.

use jiff::Timestamp;

use super::answer::Answer;
use super::exposed::NodeAddresses;
use super::need::Need;
use super::observed::{KafkaView, Observed};
use super::older::implied;
use super::plan;
use super::planned::Plan;
use super::roll_view::RollKafka;
use super::transitions::cluster_id::known_cluster_id;
use super::transitions::deleted_pools;
use crate::completion::Observation;
use crate::silence::{Silence, SilenceKind};

impl Observation for Observed {
    type Plan = Plan;
    type Answer = Answer;

    fn prepare(&mut self, now: Timestamp) {
        deleted_pools::add(self, now);
        implied::add(self, now);
    }

    fn plan(&self, now: Timestamp) -> Plan {
        plan::plan(self, now)
    }

    fn answer(&mut self, need: Need, answer: Answer) {
        match (need, answer) {
            (Need::Material(request), Answer::Material(material)) => {
                self.made.insert(request.id().to_owned(), material);
            }
            (Need::StorageClass(class), Answer::StorageClass(may_grow)) => {
                self.storage_classes.insert(class, may_grow);
            }
            (Need::NodeAddresses(names), Answer::NodeAddresses(found)) => {
                // A node that is gone has none.
                let missing = names.into_iter().filter(|name| !found.contains_key(name));
                let missing = missing.map(|name| (name, NodeAddresses::default())).collect::<Vec<_>>();
                self.exposed.node_addresses.extend(found.into_iter().chain(missing));
            }
            (Need::KubernetesNodes(_), Answer::KubernetesNodes(found)) => self.kubernetes_nodes.extend(found),
            (Need::Holders(_), Answer::Holders(holders)) => self.holders.extend(holders),
            (Need::HeldTopics, Answer::HeldTopics(topics)) => self.held_topics = Some(topics),
            (need @ Need::Kafka, Answer::Kafka(view)) => {
                if let Some(silence) = of_another(&view, self) {
                    self.unanswered.push((need, silence));
                } else {
                    self.view = Some(view);
                    implied::add_known_to_kafka(self);
                }
            }
            (Need::BrokersWithReplicas, Answer::BrokersWithReplicas(brokers)) => {
                if let Some(view) = &mut self.view {
                    view.brokers_with_replicas = Some(brokers);
                }
            }
            (Need::Drain(_), Answer::Drain(view)) => self.drain = Some(view),
            (Need::LogDirs(_), Answer::LogDirs(view)) => self.log_dirs = Some(view),
            (Need::LeaderlessPartitions(_), Answer::LeaderlessPartitions(found)) => {
                self.leaderless = Some(found);
            }
            (Need::FailedLogDirs(_), Answer::FailedLogDirs(failed)) => self.failed_log_dirs = Some(failed),
            (need @ Need::BrokerConfigs(_), Answer::BrokerConfigs(configs)) => match &mut self.view {
                Some(view) if !configs.is_empty() => view.broker_configs = configs,
                _ => self.unanswered.push((need, Silence::new(SilenceKind::Late, "no broker answered"))),
            },
            (Need::TieredTopics, Answer::TieredTopics(topics)) => self.tiered_topics = Some(topics),
            (Need::DefaultQuotas, Answer::DefaultQuotas(quotas)) => self.default_quotas = Some(quotas),
            (need @ Need::AgentReports(_), Answer::AgentReports(reports)) => {
                self.agent_reports.extend(reports);
                // Those that did not answer are asked again with the next pass.
                self.unanswered.push((need, Silence::new(SilenceKind::Late, "not every agent answered")));
            }
            (need @ Need::CertificatesInUse(_), Answer::CertificatesInUse(in_use)) => {
                self.certificates_in_use.extend(in_use);
                // Those that did not answer are asked again with the next pass.
                self.unanswered.push((need, Silence::new(SilenceKind::Late, "not every agent answered")));
            }
            (Need::Recoveries(_), Answer::Recoveries(found)) => self.recoveries = Some(found),
            (Need::UnresponsiveNodes(_), Answer::UnresponsiveNodes(found)) => {
                self.unresponsive_nodes = Some(found);
            }
            (Need::Roll(_), Answer::Roll(view)) => self.roll = Some(view),
            (Need::Turn, Answer::Turn(turn)) => self.turn = Some(turn),
            (Need::Admission { pod, .. }, Answer::Admission(admission)) => {
                self.admissions.insert(pod, admission);
            }
            (need @ Need::Writes(_), Answer::Writes(said)) => {
                self.trials.extend(said);
                // Whatever was left out is not asked for a second time.
                self.unanswered.push((need, Silence::new(SilenceKind::Late, "not every write was tried")));
            }
            (need, Answer::Unknown(silence)) => self.unanswered.push((need, silence)),
            (need, _) => {
                let silence = Silence::new(SilenceKind::Refused, "the answer is to another question");
                self.unanswered.push((need, silence));
            }
        }
    }
}

/// Why nothing is taken from an answer: it is that of another cluster. Names and addresses lead to it by mistake, or because a tenant
/// wants the operator to act there.
fn of_another(view: &KafkaView, observed: &Observed) -> Option<Silence> {
    let own = known_cluster_id(observed).filter(|own| *own != view.cluster_id)?;
    let why = format!(
        "the Kafka that answers belongs to the cluster with the id {:?}, not to the one with the id {own:?}",
        view.cluster_id
    );
    Some(Silence::new(SilenceKind::OtherCluster, why))
}

/// The plan of what was observed, with what Kafka says of restarts by now. Where it would ask for something else, no pod goes.
pub fn decided_anew(observed: &Observed, view: RollKafka, now: Timestamp) -> Plan {
    let mut observed = observed.clone();
    observed.roll = Some(view);
    let mut plan = plan::plan(&observed, now);
    if !plan.needs.is_empty() {
        plan.roll.now.clear();
    }
    plan
}
