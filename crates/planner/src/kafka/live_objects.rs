//! Which live object has the name of a desired one, out of what was observed, for the comparison of the two.

use objects::{DesiredObject, Live, Write};

use super::components;
use super::observed::Observed;
use crate::live_of_owner::LiveOfOwner;

/// What writing these objects would do, in the order in which they are written. Each live object is read once.
pub(super) fn writes(observed: &Observed, mut wanted: Vec<DesiredObject>) -> Vec<Write> {
    for object in &mut wanted {
        object.beside = components::is_beside(object);
    }
    Write::all(wanted, |desired| live(observed, desired))
}

/// The live object that has the name of a desired one, as far as that is known.
pub(super) fn live<'a>(observed: &'a Observed, desired: &DesiredObject) -> Live<'a> {
    of_cluster(observed).live(desired)
}

/// All that were seen of the cluster.
pub(super) fn of_cluster(observed: &Observed) -> LiveOfOwner<'_> {
    LiveOfOwner {
        namespace: observed.kafka.as_ref().and_then(|kafka| kafka.metadata.namespace.as_ref()),
        secrets: &observed.secrets,
        config_maps: &observed.config_maps,
        deployments: &observed.deployments,
        pod_sets: &observed.pod_sets,
        claims: Some(&observed.claims),
        others: &observed.others,
        holders: &observed.holders,
    }
}
