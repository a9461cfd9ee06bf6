//! The part of OpenShift's kinds that the operators write and read: Routes (`route.openshift.io/v1`), and [`builds`]. The definitions are
//! OpenShift's.

pub mod builds;

use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

/// Leads traffic from outside to a Service.
#[skip_serializing_none]
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "route.openshift.io",
    version = "v1",
    kind = "Route",
    namespaced,
    status = "RouteStatus",
    schema = "disabled",
    derive = "PartialEq",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
pub struct RouteSpec {
    /// Host name; the router makes one where there is none.
    pub host: Option<String>,
    /// The Service.
    pub to: RouteTarget,
    /// Its port.
    pub port: Option<RoutePort>,
    /// What becomes of TLS.
    pub tls: Option<RouteTls>,
}

/// What the routers say.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteStatus {
    /// The routers that took it.
    pub ingress: Option<Vec<RouteIngress>>,
}

/// What a router says.
#[skip_serializing_none]
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteIngress {
    /// The host under which it took the Route.
    pub host: Option<String>,
}

/// Where a Route leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTarget {
    /// `Service`.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// The port of the Service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoutePort {
    /// Number or name.
    pub target_port: IntOrString,
}

/// What becomes of TLS.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouteTls {
    /// `passthrough`.
    pub termination: String,
}
