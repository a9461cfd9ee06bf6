//! Options of Java virtual machines.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{JsonSchema, string_enum};

/// Options of a Java virtual machine.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JvmOptions {
    /// `-XX` options by name, for example `UseG1GC: "true"`. `true` and `false` become `+` and `-`.
    #[serde(rename = "-XX")]
    pub xx: Option<BTreeMap<String, String>>,
    /// Largest heap, in bytes or with the suffix `m` or `g`. Without it the heap follows the memory limit.
    #[serde(rename = "-Xmx")]
    #[schemars(regex(pattern = r"^[0-9]+[mMgG]?$"))]
    pub xmx: Option<String>,
    /// Heap at start, in bytes or with the suffix `m` or `g`. The default is the virtual machine's.
    #[serde(rename = "-Xms")]
    #[schemars(regex(pattern = r"^[0-9]+[mMgG]?$"))]
    pub xms: Option<String>,
    /// Whether garbage collections are logged. The default is false.
    pub gc_logging_enabled: Option<bool>,
    /// System properties, given to the virtual machine as `-D` options.
    pub java_system_properties: Option<Vec<SystemProperty>>,
}

/// A Java system property.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SystemProperty {
    /// Name of the property.
    pub name: Option<String>,
    /// Value of the property.
    pub value: Option<String>,
}

/// Remote JMX. With an empty object the port 9999 is open to everybody in the Kubernetes cluster.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JmxOptions {
    /// Who may connect. Without it everybody may.
    pub authentication: Option<JmxAuthentication>,
}

/// Who may connect to JMX.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct JmxAuthentication {
    /// `password`: a user and a password are made and put into a Secret.
    #[serde(rename = "type")]
    pub type_: JmxAuthenticationType,
}

string_enum! {
    /// How JMX clients prove who they are.
    JmxAuthenticationType {
        /// By a password that is made by the operator.
        Password = "password",
    }
}
