//! What happens to the Secret of a user.

use api::KafkaUser;
use api::names::keys;
use pki::{LeafReason, Password};

use crate::secret_view::{Metadata, SecretView};
use crate::settings::PlanSettings;

/// What happens to the user's Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretStep {
    /// It is as it should be, or there is none and none is needed.
    Keep,
    /// A new certificate.
    Issue {
        /// Days it is valid.
        validity_days: u32,
        /// Why.
        reasons: Vec<LeafReason>,
    },
    /// The certificate that cert-manager keeps for the user.
    Take,
    /// The certificate stays; metadata or key store are brought up to date.
    Refresh,
    /// This password, or a new one if there is none.
    Password(Option<Password>),
    /// It is of no use any more.
    Delete,
}

/// What happens to a Secret whose certificate stays.
pub(crate) fn refresh_step(
    view: &SecretView,
    user: &KafkaUser,
    settings: &PlanSettings,
    metadata: &Metadata,
) -> SecretStep {
    let stale = view.has(keys::PASSWORD) || view.has(keys::SASL_JAAS_CONFIG);
    let store =
        view.has(keys::USER_P12) == settings.pkcs12 && view.has(keys::USER_PASSWORD) == settings.pkcs12;
    if store && !stale && metadata.is_on(view, user) { SecretStep::Keep } else { SecretStep::Refresh }
}
