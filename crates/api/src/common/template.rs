//! What users can add to generated objects other than pods.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{JsonSchema, string_enum};

/// Labels and annotations of a generated object.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MetadataTemplate {
    /// Labels to add; none under `strimzi.io/`.
    pub labels: Option<BTreeMap<String, String>>,
    /// Annotations to add; none under `strimzi.io/`.
    pub annotations: Option<BTreeMap<String, String>>,
}

/// A generated object of which only labels and annotations can be changed.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ResourceTemplate {
    /// Labels and annotations.
    pub metadata: Option<MetadataTemplate>,
}

/// A generated Service.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct InternalServiceTemplate {
    /// Labels and annotations.
    pub metadata: Option<MetadataTemplate>,
    /// How many IP families the Service has. The default is Kubernetes' own: `SingleStack`.
    pub ip_family_policy: Option<IpFamilyPolicy>,
    /// The IP families, in order. The default is Kubernetes' own.
    pub ip_families: Option<Vec<IpFamily>>,
}

/// A generated PodDisruptionBudget.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodDisruptionBudgetTemplate {
    /// Labels and annotations.
    pub metadata: Option<MetadataTemplate>,
    /// Pods that may be evicted at the same time. The default is 1; 0 forbids every eviction.
    #[schemars(range(min = 0))]
    pub max_unavailable: Option<i32>,
}

/// A generated Deployment.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeploymentTemplate {
    /// Labels and annotations.
    pub metadata: Option<MetadataTemplate>,
    /// Whether new pods start before or after old ones stop. The default is `RollingUpdate`.
    pub deployment_strategy: Option<DeploymentStrategy>,
}

string_enum! {
    /// How many IP families a Service has.
    IpFamilyPolicy {
        /// One.
        SingleStack = "SingleStack",
        /// Two where the cluster has two.
        PreferDualStack = "PreferDualStack",
        /// Two.
        RequireDualStack = "RequireDualStack",
    }
}

string_enum! {
    /// An IP family.
    IpFamily {
        /// IPv4.
        IPv4 = "IPv4",
        /// IPv6.
        IPv6 = "IPv6",
    }
}

string_enum! {
    /// How a Deployment replaces its pods.
    DeploymentStrategy {
        /// New pods start before old ones stop.
        RollingUpdate = "RollingUpdate",
        /// Old pods stop before new ones start.
        Recreate = "Recreate",
    }
}
