//! SCRAM credentials of users.

use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZeroU32;

use kafka_protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use kafka_protocol::messages::{AlterUserScramCredentialsRequest, DescribeUserScramCredentialsRequest};

use crate::batch::Weight;
use crate::client::{Route, misrouted};
use crate::error::check;
use crate::sasl::random;
use crate::values::{string, text};
use crate::{Admin, AdminError, Outcomes, ScramMechanism};

/// A change of one user's credentials.
#[derive(Clone, PartialEq, Eq)]
pub enum ScramChange {
    /// Set the password. Kafka gets a salted hash of it.
    Upsert {
        /// User name, without the `User:` of a principal.
        user: String,
        /// Mechanism that the user will log in with.
        mechanism: ScramMechanism,
        /// Rounds of the hash: 4,096 to 16,384.
        iterations: i32,
        /// The password.
        password: String,
    },
    /// Remove the password.
    Delete {
        /// User name, without the `User:` of a principal.
        user: String,
        /// Mechanism.
        mechanism: ScramMechanism,
    },
}

impl ScramChange {
    /// The user concerned.
    pub fn user(&self) -> &str {
        match self {
            Self::Upsert { user, .. } | Self::Delete { user, .. } => user,
        }
    }
}

impl fmt::Debug for ScramChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upsert { user, mechanism, iterations, .. } => {
                write!(f, "Upsert({user}, {}, {iterations}, <hidden>)", mechanism.name())
            }
            Self::Delete { user, mechanism } => write!(f, "Delete({user}, {})", mechanism.name()),
        }
    }
}

const fn wire(mechanism: ScramMechanism) -> i8 {
    match mechanism {
        ScramMechanism::Sha256 => 1,
        ScramMechanism::Sha512 => 2,
    }
}

const fn from_wire(code: i8) -> Option<ScramMechanism> {
    match code {
        1 => Some(ScramMechanism::Sha256),
        2 => Some(ScramMechanism::Sha512),
        _ => None,
    }
}

/// Bytes of a salt.
const SALT: usize = 24;

fn upsertion(
    user: String,
    mechanism: ScramMechanism,
    iterations: i32,
    password: &str,
) -> Result<ScramCredentialUpsertion, String> {
    let salt = random::<SALT>()?;
    // Kafka refuses a number that is too small with a message of its own.
    let rounds = u32::try_from(iterations).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN);
    let salted = mechanism.salted_password(password, &salt, rounds);
    Ok(ScramCredentialUpsertion::default()
        .with_name(text(user))
        .with_mechanism(wire(mechanism))
        .with_iterations(iterations)
        .with_salt(salt.to_vec().into())
        .with_salted_password(salted.into()))
}

fn request(changes: Vec<ScramChange>) -> Result<AlterUserScramCredentialsRequest, String> {
    let (mut deletions, mut upsertions) = (Vec::new(), Vec::new());
    for change in changes {
        match change {
            ScramChange::Upsert { user, mechanism, iterations, password } => {
                upsertions.push(upsertion(user, mechanism, iterations, &password)?);
            }
            ScramChange::Delete { user, mechanism } => {
                deletions.push(
                    ScramCredentialDeletion::default().with_name(text(user)).with_mechanism(wire(mechanism)),
                );
            }
        }
    }
    Ok(AlterUserScramCredentialsRequest::default().with_deletions(deletions).with_upsertions(upsertions))
}

impl Admin {
    /// The users that have SCRAM credentials, with the mechanisms and their rounds.
    pub async fn describe_scram_credentials(
        &self,
    ) -> Result<Outcomes<String, BTreeMap<ScramMechanism, i32>>, AdminError> {
        // No users: all of them.
        let request = DescribeUserScramCredentialsRequest::default().with_users(None);
        let answer = self
            .call("describe scram credentials", Route::Any, request, |answer| {
                check(answer.error_code, answer.error_message.as_ref())
            })
            .await?;
        let results = answer.results.iter().map(|result| {
            let outcome = check(result.error_code, result.error_message.as_ref()).map(|()| {
                let known = result.credential_infos.iter();
                known.filter_map(|info| Some((from_wire(info.mechanism)?, info.iterations))).collect()
            });
            (string(&result.user), outcome)
        });
        Ok(results.collect())
    }

    /// Sets and removes passwords. Hashing one takes some milliseconds of processor time, off the async threads.
    /// The result of a user with several changes is the first error among them.
    /// A removal of what does not exist has the error `RESOURCE_NOT_FOUND`.
    pub async fn alter_scram_credentials(
        &self,
        changes: Vec<ScramChange>,
    ) -> Result<Outcomes<String>, AdminError> {
        let weigh = |change: &ScramChange| Weight { bytes: change.user().len() + SALT + 64 + 30, records: 2 };
        let alter = |changes: Vec<ScramChange>| async move {
            let request = tokio::task::spawn_blocking(move || request(changes))
                .await
                .map_err(|error| AdminError::Config(format!("passwords could not be hashed: {error}")))?
                .map_err(AdminError::Config)?;
            self.call("alter scram credentials", Route::Controller, request, |answer| {
                misrouted(answer.results.iter().map(|result| result.error_code))
            })
            .await
        };
        let mut outcomes = Outcomes::new();
        for round in rounds(changes) {
            let answers = self.batched(round, weigh, alter).await?;
            for result in answers.iter().flat_map(|answer| &answer.results) {
                let outcome = check(result.error_code, result.error_message.as_ref());
                let known = outcomes.entry(string(&result.user)).or_insert(Ok(()));
                if known.is_ok() {
                    *known = outcome;
                }
            }
        }
        Ok(outcomes)
    }
}

/// Kafka refuses a second change of the same user in one request, even for another mechanism: it goes to the next
/// round.
fn rounds(changes: Vec<ScramChange>) -> Vec<Vec<ScramChange>> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut rounds: Vec<Vec<ScramChange>> = Vec::new();
    for change in changes {
        let number = seen.entry(change.user().to_owned()).or_insert(0);
        if rounds.len() == *number {
            rounds.push(Vec::new());
        }
        rounds[*number].push(change);
        *number += 1;
    }
    rounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_of_one_user_go_to_different_requests_in_order() {
        let delete = |user: &str, mechanism| ScramChange::Delete { user: user.to_owned(), mechanism };
        let (one, two) = (delete("a", ScramMechanism::Sha256), delete("a", ScramMechanism::Sha512));
        let other = delete("b", ScramMechanism::Sha512);
        assert_eq!(rounds(vec![one.clone(), two.clone(), other.clone()]), [vec![one, other], vec![two]]);
    }

    #[test]
    fn a_password_is_neither_shown_nor_sent() {
        let change = ScramChange::Upsert {
            user: "me".into(),
            mechanism: ScramMechanism::Sha512,
            iterations: 4096,
            password: "SECRETWORD".into(),
        };
        assert_eq!(format!("{change:?}"), "Upsert(me, SCRAM-SHA-512, 4096, <hidden>)");
        let request = request(vec![change]).unwrap();
        assert_eq!(request.upsertions[0].salted_password.len(), 64);
        assert!(!format!("{request:?}").contains("SECRETWORD"));
    }
}
