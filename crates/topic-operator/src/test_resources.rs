//! Resources for unit tests.

use rebalance::PartitionState;

use crate::{
    config::Config,
    resource::TopicResource,
    topic::{ResourceRef, TopicStatus},
};

/// A managed, selected KafkaTopic `ns/<name>` without any wish beyond existing.
pub(crate) fn resource(name: &str) -> TopicResource {
    TopicResource {
        reference: ResourceRef::new("ns", name),
        uid: format!("uid-{name}").into(),
        created: 100,
        resource_version: "1".into(),
        generation: 1,
        deleting: false,
        selected: true,
        home: true,
        managed: true,
        paused: false,
        finalizers: Box::default(),
        topic_name: name.into(),
        partitions: None,
        replicas: None,
        config: Ok(Config::default()),
        unknown_fields: None,
        status: TopicStatus::default(),
    }
}

/// A partition whose replicas are all in sync, led by the first.
pub(crate) fn partition(index: i32, replicas: &[i32]) -> PartitionState {
    PartitionState {
        index,
        leader: replicas[0],
        replicas: replicas.to_vec(),
        isr: replicas.to_vec(),
        adding: vec![],
        removing: vec![],
    }
}
