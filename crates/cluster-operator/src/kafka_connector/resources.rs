//! The watched resources: KafkaConnectors, and of KafkaConnects as much as connectors depend on.

use std::collections::BTreeSet;

use api::conditions::types;
use api::{KafkaConnect, KafkaConnector, KafkaConnectorSpec, annotations, labels, last_applied};
use kube::{Client, Resource};
use operator_runtime::watch::{Cache, Index, ObjectRef, Watch};
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;

/// What of a Connect cluster its connectors depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Facts {
    /// UID of the resource.
    pub uid: Option<String>,
    /// Whether connector resources rule its connectors.
    pub uses_resources: bool,
    /// Whether it is left alone as its annotation asks for.
    pub is_paused: bool,
    /// Number of workers that it is to have.
    pub workers: i32,
    /// Whether its status says that it is ready.
    pub is_ready: bool,
}

/// Number of workers of a resource that does not say it.
const WORKERS_DEFAULT: i32 = 3;

impl From<&KafkaConnect> for Facts {
    fn from(connect: &KafkaConnect) -> Self {
        let is_true = |key| annotations::is_true(connect.metadata.annotations.as_ref(), key);
        let conditions = connect.status.iter().flat_map(|status| status.conditions.iter().flatten());
        Self {
            uid: connect.metadata.uid.clone(),
            uses_resources: is_true(annotations::USE_CONNECTOR_RESOURCES),
            is_paused: is_true(annotations::PAUSE_RECONCILIATION),
            workers: connect.spec.replicas.unwrap_or(WORKERS_DEFAULT),
            is_ready: conditions.into_iter().any(|condition| condition.is(types::READY)),
        }
    }
}

/// The caches. Cheap to clone.
#[derive(Clone)]
pub(super) struct Resources {
    /// Connect clusters that the selector accepts.
    pub connects: Cache<Facts>,
    /// All connectors.
    pub connectors: Cache<KafkaConnector>,
    of_clusters: Index<KafkaConnector>,
}

impl Resources {
    /// Starts the watches. The process does not wait for them: an installation may lack the kinds, or the right to watch them.
    pub(super) fn start(client: &Client, settings: &Settings, stop: &CancellationToken) -> Self {
        let selector = settings.selector.to_query();
        let connects = Watch::<KafkaConnect>::namespaced(client, &settings.namespaces)
            .labels(selector.as_deref())
            .within(&settings.limits)
            .optional()
            .start(stop, |connect: KafkaConnect| Some(Facts::from(&connect)));
        // Also those without a label: they are told what they lack.
        let connectors = Watch::<KafkaConnector>::namespaced(client, &settings.namespaces)
            .within(&settings.limits)
            .optional()
            .start_packed(stop, |connector: &mut KafkaConnector| {
                last_applied::note::<KafkaConnectorSpec>("KafkaConnector", &mut connector.metadata);
            });
        let of_clusters = Index::of(&connectors, |key, connector: &KafkaConnector| cluster(key, connector));
        Self { connects, connectors, of_clusters }
    }

    /// Waits until both first lists are in.
    pub(super) async fn ready(&self) {
        self.connects.ready().await;
        self.connectors.ready().await;
    }

    /// The connectors that name a cluster.
    pub(super) fn of_cluster(&self, cluster: &ObjectRef) -> BTreeSet<ObjectRef> {
        self.of_clusters.keys_of(cluster)
    }

    /// Names of the connectors that are declared for a cluster. A resource that cannot be read counts as a declaration.
    pub(super) fn declared(&self, cluster: &ObjectRef) -> BTreeSet<String> {
        let readable = self.of_cluster(cluster).into_iter().map(|key| key.name);
        let unreadable = self.connectors.all_unreadable().into_iter().map(|(key, _)| key);
        let near = unreadable.filter(|key| key.namespace == cluster.namespace).map(|key| key.name);
        readable.chain(near).collect()
    }
}

/// The cluster that a connector names.
pub(super) fn cluster(key: &ObjectRef, connector: &KafkaConnector) -> Option<ObjectRef> {
    let name = connector.meta().labels.as_ref()?.get(labels::CLUSTER).filter(|name| !name.is_empty())?;
    Some(ObjectRef::new(&key.namespace, name))
}
