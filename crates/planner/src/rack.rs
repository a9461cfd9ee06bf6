//! Where pods take their rack from.

use api::common::rack::{Rack as RawRack, RackType};
use api::conditions::reasons;
use api::names;

use crate::findings::{Findings, Warning};
use crate::text;

/// Where racks come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rack {
    /// A label of the Kubernetes node.
    TopologyLabel(String),
    /// An environment variable of the container.
    EnvironmentVariable(String),
}

impl Rack {
    /// Reads the section at this path.
    pub fn read(raw: Option<&RawRack>, section: &str, findings: &mut Findings) -> Option<Self> {
        let raw = raw?;
        let (field, value, make): (_, _, fn(String) -> Self) =
            match raw.type_.unwrap_or(RackType::TopologyLabel) {
                RackType::TopologyLabel => ("topologyKey", &raw.topology_key, Self::TopologyLabel),
                RackType::EnvironmentVariable => ("envVarName", &raw.env_var_name, Self::EnvironmentVariable),
            };
        let value = value.clone().filter(|value| !value.is_empty());
        let path = format!("{section}.{field}");
        match &value {
            None => findings.problem(path, "is missing"),
            Some(name) if field == "envVarName" => text::environment_variable(name, &path, findings),
            Some(_) => {}
        }
        value.map(make)
    }
}

/// What an administrator has to do where the operator may bind no account of pods that are clients of Kafka.
pub(crate) fn needs_a_binding(namespace: &str, account: &str, binding: &str) -> Warning {
    Warning {
        reason: reasons::CLUSTER_ROLE_BINDING_NOT_MADE.to_owned(),
        message: format!(
            "spec.rack.topologyKey: pods read the label of their Kubernetes node, for which this operator may make no \
             ClusterRoleBinding: have the ClusterRole {} bound to the service account {account} of the namespace {namespace}, for \
             example as ClusterRoleBinding {binding}, or use spec.rack.type: environment-variable",
            names::CLIENT_CLUSTER_ROLE,
        ),
    }
}
