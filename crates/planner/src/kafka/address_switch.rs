//! A listener on its way to a single address, or back: its addresses change, and clients have to find the new ones.

use api::conditions::reasons;
use api::names;

use super::cluster::{Cluster, Listener, Warning};
use super::objects::proxy;
use super::observed::Observed;
use super::restart::Restart;

/// Says which listeners are under way. `restarts` are those that are due.
pub(super) fn warnings(cluster: &Cluster, observed: &Observed, restarts: &[Restart]) -> Vec<Warning> {
    let listeners =
        cluster.listeners.iter().filter(|listener| is_under_way(cluster, listener, observed, restarts));
    let warning = |listener: &Listener| {
        let name = &listener.name;
        let change = if listener.single_address().is_some() {
            "all brokers get one address (singleAddress)"
        } else {
            "each broker gets an address of its own (no singleAddress any more)"
        };
        Warning {
            reason: reasons::LISTENER_ADDRESSES_CHANGE.to_owned(),
            message: format!(
                "listener {name}: {change}; the former addresses are gone, and clients reach a broker again when it was restarted with the new \
                 one: give clients that must go on another listener before you change this one"
            ),
        }
    };
    listeners.map(warning).collect()
}

fn is_under_way(cluster: &Cluster, listener: &Listener, observed: &Observed, restarts: &[Restart]) -> bool {
    let bootstrap = names::external_bootstrap_service(&cluster.name, &listener.name);
    let service = observed.exposed.services.get(&bootstrap).and_then(|service| service.spec.as_ref());
    let Some(service) = service.filter(|_| listener.own_services().is_some()) else { return false };
    let is_single = listener.single_address().is_some();
    let leads_to_proxy = service.selector.as_ref() == Some(&proxy::selector(cluster, listener));
    let deployment = observed.deployments.get(&names::proxy::deployment(&cluster.name, &listener.name));
    let since = deployment.and_then(|found| found.metadata.creation_timestamp.as_ref());
    // A broker that was started before there was a proxy tells its former address.
    let is_older = |restart: &&Restart| {
        let pod = cluster
            .nodes()
            .into_iter()
            .find(|node| node.id == restart.node)
            .map(|node| cluster.pod_name(node));
        let pod = pod.and_then(|pod| observed.pods.get(&pod));
        let started = pod.and_then(|pod| pod.metadata.creation_timestamp.as_ref());
        started.zip(since).is_some_and(|(started, since)| started.0 < since.0)
    };
    leads_to_proxy != is_single || is_single && restarts.iter().any(|restart| is_older(&restart))
}
