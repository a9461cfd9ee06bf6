//! Which Lease the leader is elected by, and with how much patience, out of the environment.

use std::time::Duration;

use api::env as names;

use crate::env::Env;

/// Which Lease, who we are, and how patient everyone is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderConfig {
    /// Name of the Lease, `STRIMZI_LEADER_ELECTION_LEASE_NAME`.
    pub lease_name: String,
    /// Its namespace, `STRIMZI_LEADER_ELECTION_LEASE_NAMESPACE`.
    pub lease_namespace: String,
    /// This process, normally the pod's name, `STRIMZI_LEADER_ELECTION_IDENTITY`.
    pub identity: String,
    /// A lease that is not renewed for so long is free, `STRIMZI_LEADER_ELECTION_LEASE_DURATION_MS` (15000).
    pub lease_duration: Duration,
    /// The leader gives up when it cannot renew for so long, `STRIMZI_LEADER_ELECTION_RENEW_DEADLINE_MS` (10000).
    pub renew_deadline: Duration,
    /// Time between renewals, `STRIMZI_LEADER_ELECTION_RETRY_PERIOD_MS` (2000).
    pub retry_period: Duration,
}

impl LeaderConfig {
    /// From the environment; `None` when `STRIMZI_LEADER_ELECTION_ENABLED` is not `true`.
    pub fn from_env(env: &Env) -> Option<Self> {
        if !env.bool(names::LEADER_ELECTION_ENABLED, names::LEADER_ELECTION_ENABLED_DEFAULT) {
            return None;
        }
        let config = Self {
            lease_name: env.required(names::LEADER_ELECTION_LEASE_NAME),
            lease_namespace: env.required(names::LEADER_ELECTION_LEASE_NAMESPACE),
            identity: env.required(names::LEADER_ELECTION_IDENTITY),
            lease_duration: env.duration_ms(
                names::LEADER_ELECTION_LEASE_DURATION_MS,
                Duration::from_millis(names::LEADER_ELECTION_LEASE_DURATION_MS_DEFAULT),
            ),
            renew_deadline: env.duration_ms(
                names::LEADER_ELECTION_RENEW_DEADLINE_MS,
                Duration::from_millis(names::LEADER_ELECTION_RENEW_DEADLINE_MS_DEFAULT),
            ),
            retry_period: env.duration_ms(
                names::LEADER_ELECTION_RETRY_PERIOD_MS,
                Duration::from_millis(names::LEADER_ELECTION_RETRY_PERIOD_MS_DEFAULT),
            ),
        };
        // The leader goes by its milliseconds, the others by the seconds that they read in the Lease.
        if Duration::from_secs(config.lease_seconds()) <= config.renew_deadline {
            env.error(
                names::LEADER_ELECTION_LEASE_DURATION_MS,
                Some(&config.lease_duration.as_millis().to_string()),
                &format!(
                    "write {} or more: a Lease carries whole seconds, and with no more of them than in STRIMZI_LEADER_ELECTION_RENEW_DEADLINE_MS two operators could lead at once",
                    (config.renew_deadline.as_secs() + 1) * 1000
                ),
            );
        }
        if config.renew_deadline <= config.retry_period {
            env.error(
                names::LEADER_ELECTION_RENEW_DEADLINE_MS,
                Some(&config.renew_deadline.as_millis().to_string()),
                "write a number above STRIMZI_LEADER_ELECTION_RETRY_PERIOD_MS",
            );
        }
        Some(config)
    }

    /// The duration as it stands in the Lease.
    pub(super) fn lease_seconds(&self) -> u64 {
        self.lease_duration.as_secs().max(1)
    }
}
