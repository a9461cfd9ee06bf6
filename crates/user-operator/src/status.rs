//! The status of a KafkaUser.

use std::time::Duration;

use api::conditions::{Condition, merge, reasons};
use api::{KafkaUser, KafkaUserStatus};
use jiff::Timestamp;

use operator_runtime::refusal::Refusal;

use crate::user as kafka_user;

/// A Kafka that is away for less is not worth a word in the status.
const KAFKA_AWAY: Duration = Duration::from_secs(30);

/// Whether a problem is likely to pass by itself within moments, so that it would only flicker in the status. `away`:
/// how long Kafka has not answered; `None`: it does answer.
pub fn is_passing(problem: &Refusal, away: Option<Duration>) -> bool {
    let away = away.is_some_and(|away| away < KAFKA_AWAY);
    problem.retry && (problem.reason == reasons::CREATING || problem.reason == reasons::KAFKA_ERROR && away)
}

/// The status that a user should have now; `secret`: the name of its Secret, when there is a Secret that is the user's.
pub fn of(
    user: &KafkaUser,
    secret: Option<String>,
    problem: Option<&Refusal>,
    now: Timestamp,
) -> KafkaUserStatus {
    let old = user.status.as_ref();
    let paused = kafka_user::is_paused(user);
    let condition = match problem {
        _ if paused => Condition::paused(),
        Some(problem) => Condition::not_ready(problem.reason, problem.message.clone()),
        None => Condition::ready(),
    };
    let (username, secret) = if paused {
        (old.and_then(|status| status.username.clone()), old.and_then(|status| status.secret.clone()))
    } else {
        (Some(kafka_user::username(user)), secret)
    };
    KafkaUserStatus {
        conditions: Some(merge(vec![condition], old.and_then(|status| status.conditions.as_deref()), now)),
        observed_generation: user.metadata.generation,
        username,
        secret,
    }
}
