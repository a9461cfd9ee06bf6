//! What is done about a connector that Connect has and does not list, since it has no state yet: its start may hang. Connect says so when the
//! connector is to be made ([`FailureKind::NotStarted`], [`FailureKind::OtherOptions`]).

use api::common::connector::ConnectorState;

use super::call::ConnectorCall;
use super::past::FailureKind;
use super::wanted::Wanted;

/// Whether a call failed because Connect has the connector already.
pub(super) fn is_unlisted(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::NotStarted | FailureKind::OtherOptions)
}

/// The call that comes in place of making the connector; `None`: it is waited for until it is listed.
pub(super) fn next(found: FailureKind, wanted: &Wanted) -> Option<ConnectorCall> {
    match (found, wanted.state) {
        (FailureKind::OtherOptions, _) => Some(ConnectorCall::Configure { config: wanted.config.clone() }),
        // What keeps it from working is asked for at once.
        (_, ConnectorState::Stopped) => Some(ConnectorCall::Stop),
        (_, ConnectorState::Paused) => Some(ConnectorCall::Pause),
        (_, ConnectorState::Running) => None,
    }
}
