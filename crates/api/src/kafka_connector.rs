//! KafkaConnector: a connector of a Kafka Connect cluster.

use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::common::connector::{AlterOffsets, AutoRestart, AutoRestartStatus, ConnectorState, ListOffsets};
use crate::conditions::Condition;
use crate::schema::{Free, FreeMap, JsonSchema};

/// What a connector should be.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    crates(kube_core = "::kube_core"),
    group = "kafka.strimzi.io",
    version = "v1",
    kind = "KafkaConnector",
    plural = "kafkaconnectors",
    shortname = "kctr",
    category = "strimzi",
    namespaced,
    status = "KafkaConnectorStatus",
    schema = "disabled",
    derive = "PartialEq",
    scale(spec_replicas_path = ".spec.tasksMax", status_replicas_path = ".status.tasksMax"),
    printcolumn(
        name = "Cluster",
        type_ = "string",
        json_path = r".metadata.labels.strimzi\.io/cluster",
        description = "The Kafka Connect cluster the connector runs in"
    ),
    printcolumn(
        name = "Connector class",
        type_ = "string",
        json_path = ".spec.class",
        description = "Class of the connector"
    ),
    printcolumn(
        name = "Max Tasks",
        type_ = "integer",
        json_path = ".spec.tasksMax",
        description = "Largest number of tasks"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the connector is as asked for"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct KafkaConnectorSpec {
    /// Class of the connector, by its full name, its short name or its alias.
    pub class: Option<String>,
    /// Largest number of tasks. The default is Kafka Connect's own: 1.
    #[schemars(range(min = 1))]
    pub tasks_max: Option<i32>,
    /// Restarts of the connector and tasks that failed. Without it they stay failed.
    pub auto_restart: Option<AutoRestart>,
    /// Version, or range of versions, of the connector's plug-in. The default is the newest one there is.
    pub version: Option<String>,
    /// Options of the connector. `name`, `connector.class` and `tasks.max` are refused here.
    #[schemars(with = "Option<Free>")]
    pub config: Option<FreeMap>,
    /// What the connector should be doing. The default is `running`.
    pub state: Option<ConnectorState>,
    /// Of older versions: `true` is what `state: paused` says. `state` wins.
    pub pause: Option<bool>,
    /// Where offsets go when the annotation `strimzi.io/connector-offsets` says `list`.
    pub list_offsets: Option<ListOffsets>,
    /// Where offsets come from when the annotation `strimzi.io/connector-offsets` says `alter`. The connector must be
    /// stopped.
    pub alter_offsets: Option<AlterOffsets>,
}

/// What was observed of a connector.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaConnectorStatus {
    /// What can be said about the connector.
    pub conditions: Option<Vec<Condition>>,
    /// Generation of the resource that this status is about.
    pub observed_generation: Option<i64>,
    /// Restarts so far.
    pub auto_restart: Option<AutoRestartStatus>,
    /// The connector's state as Kafka Connect's REST API shows it.
    #[schemars(with = "Option<Free>")]
    pub connector_status: Option<FreeMap>,
    /// Number of tasks that it has.
    pub tasks_max: Option<i32>,
    /// Topics the connector uses.
    pub topics: Option<Vec<String>>,
}
