//! Makes the calls of plans. No policy.

use std::time::Duration;

use api::common::connector::ConnectorState;
use connect_client::{ConnectError, NewConnector, Restart, TargetState};
use k8s_openapi::api::core::v1::ConfigMap;
use operator_runtime::apply::Applier;
use operator_runtime::leader::Mandate;
use operator_runtime::watch::ObjectRef;
use planner::kafka_connector::call::ConnectorCall;
use planner::kafka_connector::offsets::{self, Change, Holder};
use planner::kafka_connector::past::FailureKind;
use serde_json::Value;
use thiserror::Error;

use super::apis::Api;

/// A call was not made.
#[derive(Debug, Error)]
#[error("{message}")]
pub(crate) struct Failed {
    /// How.
    pub kind: FailureKind,
    /// Why, in words.
    pub message: String,
}

impl Failed {
    /// The cluster cannot be asked: why.
    pub(crate) fn unasked(message: String) -> Self {
        Self { kind: FailureKind::Silence, message }
    }

    /// Connect has the connector already, and does not list it. `has_options`: with the options that it was to be made with.
    fn unlisted(name: &str, has_options: bool) -> Self {
        let kind = if has_options { FailureKind::NotStarted } else { FailureKind::OtherOptions };
        Self { kind, message: format!("connector '{name}' has no state yet") }
    }
}

impl From<ConnectError> for Failed {
    fn from(error: ConnectError) -> Self {
        let kind = match &error {
            ConnectError::Rebalancing { .. } => FailureKind::Rebalancing,
            error if error.is_silence() => FailureKind::Silence,
            ConnectError::Invalid { .. } => FailureKind::Refused,
            ConnectError::NotFound { .. } => FailureKind::Missing,
            _ => FailureKind::Failed,
        };
        Self { kind, message: error.to_string() }
    }
}

fn of_config_map(message: String) -> Failed {
    Failed { kind: FailureKind::ConfigMap, message }
}

/// A connector, and where its offsets go to and come from.
pub(crate) struct Subject<'a> {
    /// The resource that says what it is to be.
    pub holder: Holder,
    /// Its name.
    pub name: &'a str,
    /// Key of its offsets in ConfigMaps.
    pub offsets_key: &'a str,
}

/// Makes a call about a connector. What comes to its turn late is made only if this process still leads.
pub(crate) async fn make(
    api: &Api,
    mandate: &Mandate,
    applier: &Applier,
    subject: &Subject<'_>,
    call: &ConnectorCall,
) -> Result<(), Failed> {
    let name = subject.name;
    let connect = &api.connect;
    let still = || mandate.check().is_ok();
    match call {
        ConnectorCall::Create { config, state } => {
            let new = NewConnector { name, config, initial_state: target(*state) };
            match lane(api, still, name, "create", connect.create(&new)).await {
                // The list of connectors has only those that have a state. The next plan says what is done about this one.
                Err(ConnectError::Exists { .. }) => {
                    let found = lane(api, still, name, "read", connect.connector(name)).await?;
                    Err(Failed::unlisted(name, found.config == *config))
                }
                made => Ok(made?),
            }
        }
        ConnectorCall::Configure { config } => {
            Ok(lane(api, still, name, "configure", connect.configure(name, config)).await?)
        }
        ConnectorCall::Resume => Ok(lane(api, still, name, "resume", connect.resume(name)).await?),
        ConnectorCall::Pause => Ok(lane(api, still, name, "pause", connect.pause(name)).await?),
        ConnectorCall::Stop => Ok(lane(api, still, name, "stop", connect.stop(name)).await?),
        ConnectorCall::Restart { include_tasks, only_failed, .. } => {
            let what = Restart { include_tasks: *include_tasks, only_failed: *only_failed };
            Ok(lane(api, still, name, "restart", connect.restart(name, what)).await?)
        }
        ConnectorCall::RestartTask { task } => {
            Ok(lane(api, still, name, "restart a task of", connect.restart_task(name, *task)).await?)
        }
        ConnectorCall::ResetOffsets => {
            Ok(lane(api, still, name, "reset the offsets of", connect.reset_offsets(name)).await?)
        }
        ConnectorCall::ListOffsets { config_map } => {
            let offsets = lane(api, still, name, "list the offsets of", connect.offsets(name)).await?;
            write_offsets(applier, subject, config_map, &offsets).await
        }
        ConnectorCall::AlterOffsets { config_map } => {
            let existing = read_config_map(applier, subject, config_map).await?;
            let offsets =
                offsets::read(config_map, subject.offsets_key, existing.as_ref()).map_err(of_config_map)?;
            Ok(lane(api, still, name, "alter the offsets of", connect.alter_offsets(name, &offsets)).await?)
        }
    }
}

/// The topics of a connector.
pub(super) async fn topics(api: &Api, name: &str) -> Result<Vec<String>, ConnectError> {
    lane(api, || true, name, "read the topics of", api.connect.topics(name)).await
}

/// Removes a connector, if that is `still` to be done when its turn comes; `false`: there was none.
pub(crate) async fn remove(api: &Api, name: &str, still: impl Fn() -> bool) -> Result<bool, ConnectError> {
    match lane(api, still, name, "delete", api.connect.delete(name)).await {
        Err(ConnectError::NotFound { .. }) => Ok(false),
        answer => answer.map(|()| true),
    }
}

/// Makes a call when its turn comes, if it is `still` to be made then.
async fn lane<T>(
    api: &Api,
    still: impl Fn() -> bool,
    name: &str,
    action: &str,
    call: impl Future<Output = Result<T, ConnectError>>,
) -> Result<T, ConnectError> {
    let late = |after| ConnectError::Late {
        action: format!("{action} connector '{name}'"),
        address: api.connect.address().to_owned(),
        after,
    };
    let call = async { if still() { call.await } else { Err(late(Duration::ZERO)) } };
    api.lanes.run(name, call, late).await
}

fn target(state: ConnectorState) -> TargetState {
    match state {
        ConnectorState::Running => TargetState::Running,
        ConnectorState::Paused => TargetState::Paused,
        ConnectorState::Stopped => TargetState::Stopped,
    }
}

fn key(subject: &Subject<'_>, config_map: &str) -> ObjectRef {
    ObjectRef::new(&subject.holder.owner.namespace, config_map)
}

async fn read_config_map(
    applier: &Applier,
    subject: &Subject<'_>,
    name: &str,
) -> Result<Option<ConfigMap>, Failed> {
    let key = key(subject, name);
    applier.get::<ConfigMap>(&key).await.map_err(|error| of_config_map(error.to_string()))
}

async fn write_offsets(
    applier: &Applier,
    subject: &Subject<'_>,
    name: &str,
    offsets: &Value,
) -> Result<(), Failed> {
    let existing = read_config_map(applier, subject, name).await?;
    let change = offsets::written(&subject.holder, name, subject.offsets_key, offsets, existing.as_ref())
        .map_err(of_config_map)?;
    let key = key(subject, name);
    let written = match change {
        Change::Nothing => Ok(()),
        Change::Create(config_map) => applier.create(&key.namespace, &*config_map).await,
        Change::Merge(patch) => applier.merge::<ConfigMap>(&key, &patch).await.map(drop),
    };
    written.map_err(|error| of_config_map(error.to_string()))
}

#[cfg(test)]
mod tests {
    use connect_client::ConnectConfig;
    use test_support::ConnectStandIn;

    use super::*;

    #[tokio::test]
    async fn what_is_not_to_be_done_any_more_when_its_turn_comes_is_not_done() {
        let stand_in = ConnectStandIn::start().await.unwrap();
        stand_in.put("a");
        stand_in.put("b");
        let api = Api::new(ObjectRef::new("ns", "c"), ConnectConfig::new(stand_in.address()));
        assert!(
            remove(&api, "a", || false).await.is_err(),
            "another process may lead, or it is declared again"
        );
        assert_eq!(stand_in.take_requests(), Vec::<String>::new());
        assert!(remove(&api, "b", || true).await.unwrap());
        assert_eq!(stand_in.names(), ["a"]);
    }
}
