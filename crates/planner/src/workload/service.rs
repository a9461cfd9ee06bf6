//! Services.

use api::common::template::InternalServiceTemplate;
use k8s_openapi::api::core::v1::{ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::Pairs;

/// A Service inside the Kubernetes cluster.
pub(crate) fn spec(
    template: Option<&InternalServiceTemplate>,
    selector: Pairs,
    ports: Vec<ServicePort>,
) -> ServiceSpec {
    let families = template.and_then(|template| template.ip_families.as_ref());
    ServiceSpec {
        type_: Some("ClusterIP".to_owned()),
        selector: Some(selector),
        ports: Some(ports),
        ip_family_policy: template
            .and_then(|template| template.ip_family_policy)
            .map(|policy| policy.to_string()),
        ip_families: families.map(|families| families.iter().map(ToString::to_string).collect()),
        ..ServiceSpec::default()
    }
}

/// A TCP port that leads to the port of the same name of a container.
pub(crate) fn port(name: &str, number: i32) -> ServicePort {
    ServicePort {
        name: Some(name.to_owned()),
        port: number,
        target_port: Some(IntOrString::String(name.to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    }
}
