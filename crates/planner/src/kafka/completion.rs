//! What the answers to the needs of a cluster's plan change in what was observed.

use jiff::Timestamp;

use super::answer::Answer;
use super::exposed::NodeAddresses;
use super::need::Need;
use super::observed::Observed;
use super::older::implied;
use super::plan;
use super::planned::Plan;
use crate::completion::Observation;
use crate::silence::{Silence, SilenceKind};

impl Observation for Observed {
    type Plan = Plan;
    type Answer = Answer;

    fn prepare(&mut self, now: Timestamp) {
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
            (Need::Holders(_), Answer::Holders(holders)) => self.holders.extend(holders),
            (Need::HeldTopics, Answer::HeldTopics(topics)) => self.held_topics = Some(topics),
            (Need::Kafka, Answer::Kafka(view)) => {
                self.view = Some(view);
                implied::add_known_to_kafka(self);
            }
            (Need::BrokersWithReplicas, Answer::BrokersWithReplicas(brokers)) => {
                if let Some(view) = &mut self.view {
                    view.brokers_with_replicas = Some(brokers);
                }
            }
            (need @ Need::BrokerConfigs(_), Answer::BrokerConfigs(configs)) => match &mut self.view {
                Some(view) if !configs.is_empty() => view.broker_configs = configs,
                _ => self.unanswered.push((need, Silence::new(SilenceKind::Late, "no broker answered"))),
            },
            (Need::DefaultQuotas, Answer::DefaultQuotas(quotas)) => self.default_quotas = Some(quotas),
            (need @ Need::AgentReports(_), Answer::AgentReports(reports)) => {
                self.agent_reports.extend(reports);
                // Those that did not answer are asked again with the next pass.
                self.unanswered.push((need, Silence::new(SilenceKind::Late, "not every agent answered")));
            }
            (Need::Roll(_), Answer::Roll(view)) => self.roll = Some(view),
            (Need::Admission { pod, .. }, Answer::Admission(admission)) => {
                self.admissions.insert(pod, admission);
            }
            (need, Answer::Unknown(silence)) => self.unanswered.push((need, silence)),
            (need, _) => {
                let silence = Silence::new(SilenceKind::Refused, "the answer is to another question");
                self.unanswered.push((need, silence));
            }
        }
    }
}
