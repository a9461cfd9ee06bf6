//! The StrimziPodSet of a pool: the list of its pods.

use std::collections::BTreeSet;

use api::{StrimziPodSet, StrimziPodSetSpec, annotations, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use objects::{DesiredObject, Object, json};
use serde_json::Value;

use super::meta::pool_labels;
use crate::kafka::cluster::{Cluster, Node, Pool, Quorum, Resizing};
use crate::kafka::config::live::taken_out;
use crate::kafka::observed::Observed;

/// What there is in Kafka that the operator set and that Kafka itself does not tell from what others set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InKafka<'a> {
    /// Whether there are default quotas of users.
    pub quotas: bool,
    /// Brokers, and their options that have a value of their own.
    pub own_options: &'a BTreeSet<(i32, String)>,
}

/// The pod set of a pool with these pods. `manual` says which live pods are to be restarted because a user asked for it;
/// `in_kafka`, what it remembers.
pub(crate) fn of_pool(
    cluster: &Cluster,
    pool: &Pool,
    pods: Vec<Value>,
    manual: Option<&ManualUpdate>,
    in_kafka: InKafka<'_>,
) -> DesiredObject {
    let all = pool_labels(cluster, pool);
    let match_labels = Some(labels::selector(&all));
    let spec = StrimziPodSetSpec {
        selector: LabelSelector { match_labels, ..LabelSelector::default() },
        pods: Vec::new(),
    };
    let name = cluster.pod_set_name(pool);
    let body = StrimziPodSet::new(&name, spec);
    let mut object = Object::new(&cluster.owner_of_pool(pool), name, all, body)
        .annotation(annotations::KAFKA_VERSION, &cluster.version.version)
        .annotation(annotations::STORAGE, &pool.storage_json);
    for (key, value) in cluster.resizing.into_iter().flat_map(Resizing::annotations) {
        object = object.annotation(key, value);
    }
    object = object.maybe_annotation(
        annotations::OPTIONS_OF_BROKERS,
        taken_out::of_brokers_annotation(in_kafka.own_options),
    );
    if in_kafka.quotas {
        object = object.annotation(annotations::DEFAULT_USER_QUOTAS, "true");
    }
    if pool.implied {
        object = object.annotation(annotations::IMPLIED_POOL, "true");
    }
    object = match &cluster.quorum {
        Quorum::Dynamic { directory_ids, formed, .. } => object
            .annotation(annotations::CONTROLLER_DIRECTORY_IDS, json(directory_ids).to_string())
            .annotation(annotations::QUORUM_FORMED, formed.to_string()),
        Quorum::Static => {
            let voters: Vec<i32> = cluster.controllers().into_iter().map(|node| node.id).collect();
            object.annotation(annotations::STATIC_CONTROLLERS, json(&voters).to_string())
        }
    };
    if let Some(manual) = manual {
        if !manual.pods.is_empty() {
            object =
                object.annotation(annotations::MANUAL_ROLLING_UPDATE_PODS, json(&manual.pods).to_string());
        }
        if manual.is_new {
            // The annotation is the user's: it can only be overwritten.
            object = object.annotation(annotations::MANUAL_ROLLING_UPDATE, "false");
        }
    }
    let template = pool.templates.pod_set.as_ref();
    let mut built = object.template(template.and_then(|template| template.metadata.as_ref())).build();
    // Put in afterwards: as a part of the body they would be copied once more, the largest part of all objects of a cluster.
    built.object["spec"]["pods"] = Value::Array(pods);
    built
}

/// A restart of all pods that was asked for with an annotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManualUpdate {
    /// UIDs of the pods that have not been restarted since.
    pub pods: BTreeSet<String>,
    /// Whether the annotation was just seen.
    pub is_new: bool,
}

impl ManualUpdate {
    /// The pods of a pool for which a restart was asked for on the pod set and that have not had it. They are remembered by
    /// what no clock can confuse.
    pub(crate) fn of(cluster: &Cluster, pool: &Pool, observed: &Observed) -> Option<Self> {
        let set = observed.pod_sets.get(&cluster.pod_set_name(pool))?;
        let all = set.metadata.annotations.as_ref()?;
        let is_new = annotations::is_true(Some(all), annotations::MANUAL_ROLLING_UPDATE);
        let before = Self::pods(set);
        let live = pool.nodes.iter().filter_map(|id| {
            let pod = observed.pods.get(&cluster.pod_name(Node { id: *id, pool }))?;
            pod.metadata.uid.clone().filter(|uid| !observed.restarted.contains(uid))
        });
        let pods: BTreeSet<String> = live.filter(|uid| is_new || before.contains(uid)).collect();
        (is_new || !pods.is_empty()).then_some(Self { pods, is_new })
    }

    /// The pods that a pod set remembers.
    pub(crate) fn pods(set: &StrimziPodSet) -> BTreeSet<String> {
        let remembered = set
            .metadata
            .annotations
            .as_ref()
            .and_then(|all| all.get(annotations::MANUAL_ROLLING_UPDATE_PODS));
        remembered.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}
