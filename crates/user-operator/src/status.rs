//! The status of a KafkaUser.

use api::conditions::{Condition, merge};
use api::{KafkaUser, KafkaUserStatus, annotations};
use jiff::Timestamp;

use crate::plan::{self, Problem};

/// Whether reconciliation is paused by annotation.
pub fn is_paused(user: &KafkaUser) -> bool {
    annotations::is_true(user.metadata.annotations.as_ref(), annotations::PAUSE_RECONCILIATION)
}

/// The status that a user should have now.
pub fn of(user: &KafkaUser, prefix: &str, problem: Option<&Problem>, now: Timestamp) -> KafkaUserStatus {
    let old = user.status.as_ref();
    let paused = is_paused(user);
    let condition = match problem {
        _ if paused => Condition::paused(),
        Some(problem) => Condition::not_ready(problem.reason, problem.message.clone()),
        None => Condition::ready(),
    };
    let (username, secret) = if paused {
        (old.and_then(|status| status.username.clone()), old.and_then(|status| status.secret.clone()))
    } else {
        (Some(plan::username(user)), plan::secret_name(user, prefix))
    };
    KafkaUserStatus {
        conditions: Some(merge(vec![condition], old.and_then(|status| status.conditions.as_deref()), now)),
        observed_generation: user.metadata.generation,
        username,
        secret,
    }
}
