//! A resource on its way from the comparison with Kafka to its status.

use std::time::Duration;

use kafka_admin::{ErrorCode, KafkaError};

use api::conditions::reasons;
use operator_runtime::refusal::Refusal;

use crate::{
    batch::{Item, Next},
    plan::Plan,
    resource::TopicResource,
    status::Verdict,
    topic::ReplicasChange,
};

/// Between two looks at a running move of replicas: Kafka does not announce its end.
pub(crate) const MOVE_INTERVAL: Duration = Duration::from_secs(1);

/// A resource on its way through a batch.
#[derive(Debug)]
pub(crate) struct Job {
    /// What came in.
    pub item: Item,
    /// The resource as last written.
    pub current: TopicResource,
    /// What has to be done in Kafka.
    pub plan: Plan,
    /// The topic's id, once it exists.
    pub topic_id: Option<Box<str>>,
    /// What cannot be done.
    pub refusals: Vec<Refusal>,
    /// What to say about moving replicas.
    pub change: Option<ReplicasChange>,
    /// Trouble that may pass; the status is not written for it at once.
    pub passing: Option<String>,
    /// When to look again.
    pub next: Next,
}

impl Job {
    /// Takes in Kafka's error about this topic.
    pub(crate) fn fail(&mut self, error: &KafkaError) {
        if error.code == ErrorCode::REASSIGNMENT_IN_PROGRESS {
            // A running move of replicas, which refuses new partitions; Kafka does not announce its end.
            self.refusals.push(Refusal::passing(reasons::KAFKA_ERROR, error.to_string()));
            self.next = Next::Again(MOVE_INTERVAL);
            return;
        }
        if error.is_retriable() || error.code == ErrorCode::TOPIC_ALREADY_EXISTS {
            // Elections and brokers that have not heard yet: the next look sees clearer.
            self.passing = Some(error.to_string());
        } else {
            self.refusals.push(Refusal::passing(reasons::KAFKA_ERROR, error.to_string()));
        }
        // Also where something goes on: what Kafka refuses is asked ever more seldom.
        self.next = Next::Retry;
    }

    /// The verdict so far.
    pub(crate) fn verdict(&self) -> Verdict {
        Verdict::Looked {
            topic_id: self.topic_id.clone(),
            refusals: self.refusals.clone(),
            warnings: self.plan.warnings.clone(),
            replicas_change: self.change.clone(),
        }
    }

    /// Takes in that there is no answer about this topic.
    pub(crate) fn fail_with(&mut self, error: Missing) {
        match error {
            Missing::Refused(error) => self.fail(&error),
            Missing::Lost(why) => {
                self.passing = Some(why);
                self.next = Next::Retry;
            }
        }
    }
}

/// Why an answer about a topic is not there.
pub(crate) enum Missing {
    Refused(KafkaError),
    Lost(String),
}
