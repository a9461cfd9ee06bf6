//! Taking tiered storage away. Kafka does not start while a topic has `remote.storage.enable=true` and the node has no remote storage, and
//! a topic whose segments are there loses them: so that waits for a confirmation.

use api::{Kafka, annotations, names};

use crate::findings::Findings;
use crate::kafka::cluster::Cluster;
use crate::kafka::config::plug_in_lines::REMOTE_STORAGE;
use crate::kafka::observed::Observed;

/// Finds that nodes have remote storage, the resource has none any more, and nobody has confirmed that.
pub(crate) fn check(kafka: &Kafka, cluster: &Cluster, observed: &Observed, findings: &mut Findings) {
    let is_confirmed =
        annotations::is_true(kafka.metadata.annotations.as_ref(), annotations::REMOVE_TIERED_STORAGE);
    let is_asked_for = cluster.tiered_storage.is_some() || kafka.spec.kafka.tiered_storage.is_some();
    if is_asked_for || is_confirmed {
        return;
    }
    let is_on = format!("{REMOTE_STORAGE}=true");
    let has_it =
        cluster.nodes().into_iter().filter_map(|node| observed.config_maps.get(&cluster.pod_name(node))).any(
            |map| {
                let text = map.data.as_ref().and_then(|data| data.get(names::keys::SERVER_CONFIG));
                text.is_some_and(|text| text.lines().any(|line| line == is_on))
            },
        );
    if has_it {
        findings.problem(
            "spec.kafka.tieredStorage",
            format!(
                "is gone, and no node would start while a topic has remote.storage.enable=true: put it back, take the option off all topics \
                 (remote.storage.enable=false with remote.log.delete.on.disable=true deletes what is in the remote storage), and then confirm the \
                 removal with the annotation {}: \"true\"",
                annotations::REMOVE_TIERED_STORAGE
            ),
        );
    }
}
