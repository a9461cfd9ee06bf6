//! The Routes of listeners on OpenShift. They pass TLS through to the brokers.

use api::openshift::{Route, RoutePort, RouteSpec, RouteTarget, RouteTls};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use objects::DesiredObject;

use super::listener_target::Target;

/// The Route to a Service of a listener.
pub(super) fn to(target: &Target<'_>) -> DesiredObject {
    let spec = RouteSpec {
        // Without one the router makes it.
        host: target.entry.host.clone(),
        to: RouteTarget { kind: "Service".to_owned(), name: target.service.clone() },
        port: Some(RoutePort { target_port: IntOrString::Int(i32::from(target.listener.port)) }),
        tls: Some(RouteTls { termination: "passthrough".to_owned() }),
    };
    let object = target.object(target.route.clone(), Route::new(&target.route, spec));
    object.template(target.route_template(false)).build()
}
