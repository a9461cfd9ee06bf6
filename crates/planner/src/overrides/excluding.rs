//! Values that the API server does not take beside each other. An override may have each of them, and the object that it makes would be
//! refused with every pass, so that nothing else of the cluster would be written.

use serde_json::Value;

use super::kind::Kind;

/// Fields of a Service that its type has to be `LoadBalancer` for.
const OF_LOAD_BALANCERS: &[&str] =
    &["allocateLoadBalancerNodePorts", "loadBalancerClass", "loadBalancerSourceRanges"];

/// What the API server would refuse of an object, in words.
pub(super) fn complaints(kind: Kind, object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    let has = |name: &str| !spec[name].is_null();
    let mut found = Vec::new();
    match kind {
        Kind::PodDisruptionBudget if has("minAvailable") && has("maxUnavailable") => found.push(
            "spec.maxUnavailable stands beside spec.minAvailable, and a budget has one of them: write null for the other".to_owned(),
        ),
        Kind::Service => service(spec, &mut found),
        Kind::Deployment => {
            if spec["strategy"]["type"] == "Recreate" && !spec["strategy"]["rollingUpdate"].is_null() {
                found.push(
                    "spec.strategy.rollingUpdate stands beside the type Recreate: write rollingUpdate: null".to_owned(),
                );
            }
            let ready = spec["minReadySeconds"].as_i64().unwrap_or(0);
            let deadline = spec["progressDeadlineSeconds"].as_i64().unwrap_or(600);
            if deadline <= ready {
                found.push(format!(
                    "spec.minReadySeconds is {ready} and has to be less than spec.progressDeadlineSeconds ({deadline})"
                ));
            }
        }
        _ => {}
    }
    found
}

fn service(spec: &Value, found: &mut Vec<String>) {
    let type_ = spec["type"].as_str().unwrap_or("ClusterIP");
    for name in OF_LOAD_BALANCERS.iter().filter(|name| type_ != "LoadBalancer" && !spec[**name].is_null()) {
        found.push(format!("spec.{name} is for Services of the type LoadBalancer, and this one is a {type_}: name those alone"));
    }
    let is_outside = matches!(type_, "LoadBalancer" | "NodePort") || !spec["externalIPs"].is_null();
    if !is_outside && !spec["externalTrafficPolicy"].is_null() {
        found.push(format!(
            "spec.externalTrafficPolicy is for Services that are reached from outside, and this one is a {type_}: name those alone"
        ));
    }
    let port = spec["healthCheckNodePort"].as_i64().unwrap_or(0);
    if port != 0 && !(type_ == "LoadBalancer" && spec["externalTrafficPolicy"] == "Local") {
        found.push(
            "spec.healthCheckNodePort is for the type LoadBalancer with externalTrafficPolicy: Local: take it out".to_owned(),
        );
    }
    if !spec["sessionAffinityConfig"].is_null() && spec["sessionAffinity"] != "ClientIP" {
        found.push("spec.sessionAffinityConfig needs sessionAffinity: ClientIP: write both".to_owned());
    }
    let families = spec["ipFamilies"].as_array().map_or(0, Vec::len);
    if families > 1 && spec["ipFamilyPolicy"] == "SingleStack" {
        found.push(
            "spec.ipFamilies has two families, which needs ipFamilyPolicy: PreferDualStack or RequireDualStack".to_owned(),
        );
    }
}
