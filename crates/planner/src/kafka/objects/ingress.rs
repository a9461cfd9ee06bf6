//! The Ingresses of listeners. They pass TLS through to the brokers, by the host name in it.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};
use objects::DesiredObject;

use super::listener_target::Target;

/// What makes ingress controllers pass TLS through.
const PASS_THROUGH: [(&str, &str); 3] = [
    ("ingress.kubernetes.io/ssl-passthrough", "true"),
    ("nginx.ingress.kubernetes.io/ssl-passthrough", "true"),
    ("nginx.ingress.kubernetes.io/backend-protocol", "HTTPS"),
];

/// The Ingress to a Service of a listener.
pub(super) fn to(target: &Target<'_>, class: Option<&str>) -> DesiredObject {
    let host = target.entry.host.clone().unwrap_or_default();
    let service = IngressServiceBackend {
        name: target.service.clone(),
        port: Some(ServiceBackendPort { number: Some(i32::from(target.listener.port)), name: None }),
    };
    let path = HTTPIngressPath {
        path: Some("/".to_owned()),
        path_type: "Prefix".to_owned(),
        backend: IngressBackend { service: Some(service), resource: None },
    };
    let rule =
        IngressRule { host: Some(host.clone()), http: Some(HTTPIngressRuleValue { paths: vec![path] }) };
    let spec = IngressSpec {
        ingress_class_name: class.map(str::to_owned),
        rules: Some(vec![rule]),
        tls: Some(vec![IngressTLS { hosts: Some(vec![host]), secret_name: None }]),
        ..IngressSpec::default()
    };
    let body = Ingress { spec: Some(spec), ..Ingress::default() };
    let mut object = target.object(target.route.clone(), body);
    for (key, value) in PASS_THROUGH {
        object = object.annotation(key, value);
    }
    object.template(target.route_template(true)).build()
}
