//! Connectors, as KafkaConnector and KafkaMirrorMaker2 share them.

use k8s_openapi::api::core::v1::LocalObjectReference;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{Embedded, JsonSchema, string_enum};

string_enum! {
    /// What a connector should be doing.
    ConnectorState {
        /// It keeps its tasks but moves no records.
        Paused = "paused",
        /// It has no tasks.
        Stopped = "stopped",
        /// It works.
        Running = "running",
    }
}

/// Restarts of a connector and tasks that failed.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoRestart {
    /// Whether failed connectors and tasks are restarted. The default is false.
    pub enabled: Option<bool>,
    /// Restarts in a row after which it is left alone. The default is no limit.
    pub max_restarts: Option<i32>,
}

/// Where listed offsets go.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ListOffsets {
    /// The ConfigMap to write the offsets to. It is made if there is none.
    #[schemars(with = "Embedded<LocalObjectReference>")]
    pub to_config_map: LocalObjectReference,
}

/// Where new offsets come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AlterOffsets {
    /// The ConfigMap with the offsets.
    #[schemars(with = "Embedded<LocalObjectReference>")]
    pub from_config_map: LocalObjectReference,
}

/// Restarts of a connector so far.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct AutoRestartStatus {
    /// Restarts in a row.
    pub count: Option<i32>,
    /// Name of the connector.
    pub connector_name: Option<String>,
    /// Time of the last restart, in UTC as `2026-01-31T12:00:00Z`.
    pub last_restart_timestamp: Option<String>,
}

/// A connector class that the workers offer.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ConnectorPlugin {
    /// Name of the class.
    pub class: Option<String>,
    /// `source` or `sink`, or another kind of plug-in.
    #[serde(rename = "type")]
    pub type_: Option<String>,
    /// Version of the plug-in.
    pub version: Option<String>,
}
