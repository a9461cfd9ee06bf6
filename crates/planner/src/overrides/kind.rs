//! The kinds of objects that can be overridden.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::Ingress;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use objects::{json, typed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The kinds that can be overridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Deployment.
    Deployment,
    /// An Ingress.
    Ingress,
    /// The pod of a node.
    Pod,
    /// A `PodDisruptionBudget`.
    PodDisruptionBudget,
    /// A Service.
    Service,
    /// A `ServiceAccount`.
    ServiceAccount,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::Deployment,
        Self::Ingress,
        Self::Pod,
        Self::PodDisruptionBudget,
        Self::Service,
        Self::ServiceAccount,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::Ingress => "Ingress",
            Self::Pod => "Pod",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::Service => "Service",
            Self::ServiceAccount => "ServiceAccount",
        }
    }

    /// The kind of a name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The object as Kubernetes reads it: without what its type does not have.
    ///
    /// # Errors
    /// When a value is of another type than its field.
    pub fn as_read(self, object: &Value) -> Result<Value, serde_json::Error> {
        fn read<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, serde_json::Error> {
            typed::<T>(object).map(|read| json(&read))
        }
        match self {
            Self::Deployment => read::<Deployment>(object),
            Self::Ingress => read::<Ingress>(object),
            Self::Pod => read::<Pod>(object),
            Self::PodDisruptionBudget => read::<PodDisruptionBudget>(object),
            Self::Service => read::<Service>(object),
            Self::ServiceAccount => read::<ServiceAccount>(object),
        }
    }
}
