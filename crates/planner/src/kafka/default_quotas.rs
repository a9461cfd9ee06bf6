//! Kafka's default quotas of users, as `spec.kafka.quotas` has them, and that they leave Kafka with the section.
//!
//! Kafka does not tell who set them. So that those of other people are left alone where the resource says nothing of quotas, the
//! pod sets remember that the operator set some.

use std::collections::BTreeMap;

use api::annotations;

use super::admin_call::AdminCall;
use super::cluster::{Cluster, Quotas, Rate};
use super::need::Need;
use super::observed::Observed;
use super::validate::quotas::QUOTAS_OF_USERS;

/// What is to be done about them.
#[derive(Debug, Default)]
pub(super) struct DefaultQuotas {
    /// What has to be known first.
    pub need: Option<Need>,
    /// What Kafka is told.
    pub call: Option<AdminCall>,
    /// Whether the pod sets are to remember that there are some of the operator's.
    pub remembered: bool,
    /// What the cluster waits for.
    pub waiting_for: Option<&'static str>,
}

/// Compares what is wanted with what Kafka has.
pub(super) fn plan(cluster: &Cluster, observed: &Observed) -> DefaultQuotas {
    let wanted = match &cluster.quotas {
        Some(Quotas::Kafka(rates)) => Some(rates),
        _ => None,
    };
    if wanted.is_none() && !is_remembered(observed) {
        return DefaultQuotas::default();
    }
    let Some(present) = &observed.default_quotas else {
        let need = observed.view.as_ref().map(|_| Need::DefaultQuotas);
        let need = need.filter(|need| observed.silence(need).is_none());
        let waiting_for = Some("Kafka to say which default quotas users have (spec.kafka.quotas)");
        return DefaultQuotas { need, call: None, remembered: true, waiting_for };
    };
    let mut changes = BTreeMap::new();
    for (_, name) in QUOTAS_OF_USERS {
        let wanted = wanted.and_then(|rates| rates.get(name)).copied();
        if wanted != present.get(name).copied().map(Rate) {
            changes.insert(name.to_owned(), wanted);
        }
    }
    let remembered = wanted.is_some() || !changes.is_empty();
    if !changes.is_empty() && !is_remembered(observed) {
        // Pod sets may have to wait. Until they are written, nobody would know later whose the quotas are.
        let waiting_for = Some("the pod sets to be written, before Kafka is told spec.kafka.quotas");
        return DefaultQuotas { need: None, call: None, remembered, waiting_for };
    }
    let call = (!changes.is_empty()).then_some(AdminCall::AlterDefaultUserQuotas { changes });
    DefaultQuotas { need: None, call, remembered, waiting_for: None }
}

fn is_remembered(observed: &Observed) -> bool {
    observed
        .pod_sets
        .values()
        .any(|set| annotations::is_true(set.metadata.annotations.as_ref(), annotations::DEFAULT_USER_QUOTAS))
}
