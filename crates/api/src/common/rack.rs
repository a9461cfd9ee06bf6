//! Rack awareness.

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{JsonSchema, string_enum};

/// Where a pod learns its rack from: brokers spread replicas over racks, clients read from their own.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {
        "rule": "(has(self.type) && self.type != 'topology-label') || (has(self.topologyKey) && self.topologyKey != '')",
        "message": "topologyKey property is required"
    },
    {
        "rule": "!has(self.type) || self.type != 'environment-variable' || (has(self.envVarName) && self.envVarName != '')",
        "message": "envVarName property is required"
    }
]))]
pub struct Rack {
    /// `topology-label` takes the rack from a label of the Kubernetes node, `environment-variable` from a variable
    /// of the container. The default is `topology-label`.
    #[serde(rename = "type")]
    pub type_: Option<RackType>,
    /// Label of the Kubernetes node, for example `topology.kubernetes.io/zone` (`topology-label`).
    pub topology_key: Option<String>,
    /// Name of the environment variable, set by the container template (`environment-variable`).
    pub env_var_name: Option<String>,
}

string_enum! {
    /// Where a rack comes from.
    RackType {
        /// A label of the Kubernetes node.
        TopologyLabel = "topology-label",
        /// A variable of the container.
        EnvironmentVariable = "environment-variable",
    }
}
