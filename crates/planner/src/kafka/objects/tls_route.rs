//! The TLSRoutes of listeners, for the Gateway API.

use api::gateway::{TlsRoute, TlsRouteBackend, TlsRouteRule, TlsRouteSpec};
use api::kafka::listeners::ParentRef;
use objects::DesiredObject;

use super::listener_target::Target;

/// The TLSRoute to a Service of a listener.
pub(super) fn to(target: &Target<'_>, parents: &[ParentRef]) -> DesiredObject {
    // The definition fills defaults into lists that are compared as a whole.
    let parents = parents.iter().map(|parent| ParentRef {
        group: parent.group.clone().or_else(|| Some("gateway.networking.k8s.io".to_owned())),
        kind: parent.kind.clone().or_else(|| Some("Gateway".to_owned())),
        ..parent.clone()
    });
    let backend = TlsRouteBackend {
        group: String::new(),
        weight: 1,
        kind: "Service".to_owned(),
        name: target.service.clone(),
        port: i32::from(target.listener.port),
    };
    let spec = TlsRouteSpec {
        parent_refs: parents.collect(),
        hostnames: target.entry.host.clone().into_iter().collect(),
        rules: vec![TlsRouteRule { backend_refs: vec![backend] }],
    };
    let object = target.object(target.route.clone(), TlsRoute::new(&target.route, spec));
    object.template(target.route_template(false)).build()
}
