//! The class of a load balancer, which Kubernetes lets nobody change while the Service is there.

use api::conditions::reasons;
use objects::DesiredObject;
use serde_json::Value;

use super::cluster::Warning;
use super::observed::Observed;

/// The type of Services that have a class.
const LOAD_BALANCER: &str = "LoadBalancer";

/// Leaves every Service the class that it has, and says where another one is asked for: the API server would refuse the Service with every
/// pass, and nothing else of the cluster would be written.
pub(super) fn keep(observed: &Observed, desired: &mut [DesiredObject]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for object in desired.iter_mut().filter(|object| object.reference.kind == "Service") {
        let name = &object.reference.name;
        let live = observed.exposed.services.get(name).and_then(|service| service.spec.as_ref());
        let Some(live) = live.filter(|live| live.type_.as_deref() == Some(LOAD_BALANCER)) else { continue };
        let spec = &mut object.object["spec"];
        let has = live.load_balancer_class.as_deref();
        let asked = spec["loadBalancerClass"].as_str();
        if spec["type"] != LOAD_BALANCER || asked == has {
            continue;
        }
        let words = |class: Option<&str>| {
            class.map_or_else(|| "no class".to_owned(), |class| format!("the class {class}"))
        };
        warnings.push(Warning {
            reason: reasons::LOAD_BALANCER_CLASS_STAYS.to_owned(),
            message: format!(
                "Service {name} has {} and keeps it, though {} is asked for: Kubernetes lets nobody change it; delete the Service, \
                 and it is made anew, with another address",
                words(has),
                words(asked),
            ),
        });
        spec["loadBalancerClass"] = has.map_or(Value::Null, Value::from);
    }
    warnings
}
