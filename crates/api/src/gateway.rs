//! The part of the Gateway API's TLSRoutes (`gateway.networking.k8s.io/v1`) that the operators write. The definition is that
//! of the Gateway API.

use kube_derive::CustomResource;
use serde::{Deserialize, Serialize};

use crate::kafka::listeners::ParentRef;

/// Leads TLS from Gateways to Services, by the host name in it.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[kube(
    group = "gateway.networking.k8s.io",
    version = "v1",
    kind = "TLSRoute",
    root = "TlsRoute",
    namespaced,
    status = "TlsRouteStatus",
    schema = "disabled",
    derive = "PartialEq",
    crates(kube_core = "::kube_core")
)]
#[serde(rename_all = "camelCase")]
pub struct TlsRouteSpec {
    /// The Gateways that it attaches to.
    pub parent_refs: Vec<ParentRef>,
    /// Host names.
    pub hostnames: Vec<String>,
    /// Where it leads.
    pub rules: Vec<TlsRouteRule>,
}

/// What the Gateways say.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TlsRouteStatus {
    /// Those that took it.
    #[serde(default)]
    pub parents: Vec<TlsRouteParent>,
}

/// What a Gateway says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsRouteParent {
    /// The Gateway.
    pub parent_ref: ParentRef,
}

/// Where a TLSRoute leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsRouteRule {
    /// The Services.
    pub backend_refs: Vec<TlsRouteBackend>,
}

/// A Service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsRouteBackend {
    /// API group: empty, as that of Services.
    pub group: String,
    /// `Service`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its port.
    pub port: i32,
    /// Its share of the connections.
    pub weight: i32,
}
