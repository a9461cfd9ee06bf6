//! The settings of the webhook for evictions.

use api::env::{self, own};
use operator_runtime::env::Env;

/// The settings of the webhook for evictions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EvictionSettings {
    /// The namespace of the operator, where its Service and its Secret are.
    pub namespace: String,
    /// The port.
    pub port: u16,
}

impl EvictionSettings {
    /// From the environment; `None`: the webhook is off.
    pub(crate) fn from_env(env: &Env) -> Option<Self> {
        let default = i64::from(api::ports::CLUSTER_OPERATOR_EVICTIONS);
        let port = env.integer(own::EVICTION_WEBHOOK_PORT, default, 1..=65_535) as u16;
        if !env.bool(own::EVICTION_WEBHOOK, false) {
            return None;
        }
        let namespace = env.optional(env::OPERATOR_NAMESPACE);
        if namespace.is_none() {
            let instead =
                "write the namespace of the operator, in which the webhook for evictions has its Service";
            env.error(env::OPERATOR_NAMESPACE, None, instead);
        }
        Some(Self { namespace: namespace?, port })
    }
}
