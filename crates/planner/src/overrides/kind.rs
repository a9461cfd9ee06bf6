//! The kinds of objects that can be overridden.

use api::gateway::TlsRoute;
use api::openshift::Route;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use objects::{json, typed};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The kinds that can be overridden.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// A `ClusterRoleBinding`.
    ClusterRoleBinding,
    /// A `ConfigMap`.
    ConfigMap,
    /// A Deployment.
    Deployment,
    /// An Ingress.
    Ingress,
    /// A `NetworkPolicy`.
    NetworkPolicy,
    /// The claim of a volume of a node.
    PersistentVolumeClaim,
    /// The pod of a node.
    Pod,
    /// A `PodDisruptionBudget`.
    PodDisruptionBudget,
    /// A Role.
    Role,
    /// A `RoleBinding`.
    RoleBinding,
    /// A Route of OpenShift.
    Route,
    /// A Service.
    Service,
    /// A `ServiceAccount`.
    ServiceAccount,
    /// A `TLSRoute` of the Gateway API.
    TlsRoute,
}

impl Kind {
    /// All of them.
    pub(super) const ALL: [Self; 14] = [
        Self::ClusterRoleBinding,
        Self::ConfigMap,
        Self::Deployment,
        Self::Ingress,
        Self::NetworkPolicy,
        Self::PersistentVolumeClaim,
        Self::Pod,
        Self::PodDisruptionBudget,
        Self::Role,
        Self::RoleBinding,
        Self::Route,
        Self::Service,
        Self::ServiceAccount,
        Self::TlsRoute,
    ];

    /// Its name.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::ConfigMap => "ConfigMap",
            Self::Deployment => "Deployment",
            Self::Ingress => "Ingress",
            Self::NetworkPolicy => "NetworkPolicy",
            Self::PersistentVolumeClaim => "PersistentVolumeClaim",
            Self::Pod => "Pod",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::Role => "Role",
            Self::RoleBinding => "RoleBinding",
            Self::Route => "Route",
            Self::Service => "Service",
            Self::ServiceAccount => "ServiceAccount",
            Self::TlsRoute => "TLSRoute",
        }
    }

    /// The kind of a name.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The object as Kubernetes reads it: without what its type does not have.
    ///
    /// # Errors
    /// When a value is of another type than its field.
    pub(super) fn as_read(self, object: &Value) -> Result<Value, serde_json::Error> {
        fn read<T: DeserializeOwned + Serialize>(object: &Value) -> Result<Value, serde_json::Error> {
            typed::<T>(object).map(|read| json(&read))
        }
        match self {
            Self::ClusterRoleBinding => read::<ClusterRoleBinding>(object),
            Self::ConfigMap => read::<ConfigMap>(object),
            Self::Deployment => read::<Deployment>(object),
            Self::Ingress => read::<Ingress>(object),
            Self::NetworkPolicy => read::<NetworkPolicy>(object),
            Self::PersistentVolumeClaim => read::<PersistentVolumeClaim>(object),
            Self::Pod => read::<Pod>(object),
            Self::PodDisruptionBudget => read::<PodDisruptionBudget>(object),
            Self::Role => read::<Role>(object),
            Self::RoleBinding => read::<RoleBinding>(object),
            Self::Route => read::<Route>(object),
            Self::Service => read::<Service>(object),
            Self::ServiceAccount => read::<ServiceAccount>(object),
            Self::TlsRoute => read::<TlsRoute>(object),
        }
    }
}
