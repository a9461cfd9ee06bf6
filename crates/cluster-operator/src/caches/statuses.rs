//! What others say in the statuses of objects that operators made.

use api::cert_manager::IssuedCertificateStatus;
use k8s_openapi::api::core::v1::ServiceStatus;
use serde_json::Value;

/// Who leads from elsewhere to a Route or TLSRoute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Host names that routers gave it.
    pub hosts: Vec<String>,
    /// How many Gateways took it.
    pub gateways: usize,
}

impl Taken {
    /// Out of the status of an object.
    pub(super) fn of(object: &Value) -> Self {
        let list = |name: &str| object["status"][name].as_array().map(Vec::as_slice).unwrap_or_default();
        let hosts = list("ingress").iter().filter_map(|router| router["host"].as_str());
        Self {
            hosts: hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect(),
            gateways: list("parents").len(),
        }
    }
}

/// The status of a Service that others reach from elsewhere.
pub(super) fn service_status(service: &Value) -> Option<Box<ServiceStatus>> {
    let status: ServiceStatus = objects::typed(&service["status"]).ok()?;
    let balancer = status.load_balancer.as_ref()?;
    balancer.ingress.as_ref().is_some_and(|all| !all.is_empty()).then(|| Box::new(status))
}

/// Why a Certificate is not ready, in the words of cert-manager.
pub(super) fn why_not_ready(status: &Value) -> Option<String> {
    objects::typed::<IssuedCertificateStatus>(status).ok()?.not_ready()
}
