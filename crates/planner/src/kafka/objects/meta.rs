//! The labels of the objects of a Kafka cluster.

use api::{labels, names};
pub(crate) use objects::Pairs;

use crate::kafka::cluster::{Cluster, Pool};
use crate::workload::labels as shared;

/// The labels of an object of a component.
pub(crate) fn component_labels(cluster: &Cluster, name: &str, component_type: &str) -> Pairs {
    shared::component_labels(&cluster.owner(), name, component_type)
}

/// The labels of the objects of Kafka itself.
pub(crate) fn kafka_labels(cluster: &Cluster) -> Pairs {
    component_labels(cluster, &names::kafka(&cluster.name), labels::component::KAFKA)
}

/// The labels of the objects of a pool: the pool's own labels are handed on, not those of the Kafka resource.
pub(crate) fn pool_labels(cluster: &Cluster, pool: &Pool) -> Pairs {
    let mut all = pool.labels.clone();
    all.extend(own_pool_labels(cluster, pool));
    all
}

/// The labels of the objects of a pool without those that are handed on from the pool.
pub(crate) fn own_pool_labels(cluster: &Cluster, pool: &Pool) -> Pairs {
    let name = names::kafka(&cluster.name);
    let mut all = shared::own_component_labels(&cluster.owner(), &name, labels::component::KAFKA);
    all.insert(labels::POOL_NAME.to_owned(), pool.name.clone());
    all
}

/// The labels by which the pods of Kafka are selected.
pub(crate) fn kafka_selector(cluster: &Cluster) -> Pairs {
    labels::selector(&kafka_labels(cluster))
}
