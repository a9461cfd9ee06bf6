//! The live objects through which clients reach listeners.

use std::collections::BTreeMap;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;

/// Objects of one cluster, by name, with what Kubernetes wrote into them.
#[derive(Debug, Clone, Default)]
pub struct Exposed {
    /// Services.
    pub services: BTreeMap<String, Arc<Service>>,
    /// Ingresses. Nothing watches them yet, as no listener makes one.
    pub ingresses: BTreeMap<String, Arc<Ingress>>,
    /// Routes (`route.openshift.io/v1`). Nothing watches them yet, as no listener makes one.
    pub routes: BTreeMap<String, Arc<Route>>,
}

/// What matters of a Route.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Route {
    /// The hosts under which a router admitted it, `status.ingress[].host`.
    pub hosts: Vec<String>,
}
