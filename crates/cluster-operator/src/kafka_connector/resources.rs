//! The watched resources: KafkaConnectors, and of KafkaConnects as much as connectors depend on.

use std::collections::BTreeSet;
use std::time::Duration;

use api::kinds;
use api::{KafkaConnector, KafkaConnectorSpec, labels, last_applied};
use kube::{Client, Resource};
use operator_runtime::watch::{Cache, Index, ObjectRef, UnreadableIndex, Watch};
use planner::workers::sharing::Sharing;
use tokio_util::sync::CancellationToken;

use super::clusters::Clusters;
use crate::caches::Caches;
use crate::settings::Settings;

/// How long the first lists usually take.
const FIRST_LISTS: Duration = Duration::from_secs(20);

/// The caches. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Resources {
    /// Connect clusters that the selector accepts.
    pub(super) clusters: Clusters,
    /// All connectors.
    pub(super) connectors: Cache<KafkaConnector>,
    of_clusters: Index<KafkaConnector>,
    /// By namespace.
    unreadable: UnreadableIndex<String>,
    caches: Caches,
}

impl Resources {
    /// Starts the watch. The process does not wait for it: an installation may lack the kind, or the right to watch it.
    pub(super) fn start(
        client: &Client,
        caches: &Caches,
        settings: &Settings,
        stop: &CancellationToken,
    ) -> Self {
        // Also those without a label: they are told what they lack.
        let connectors = Watch::<KafkaConnector>::namespaced(client, &settings.namespaces)
            .within(&settings.limits)
            .optional()
            .start_packed(stop, |connector: &mut KafkaConnector| {
                last_applied::note::<KafkaConnectorSpec>(kinds::KAFKA_CONNECTOR, &mut connector.metadata);
            });
        Self::of(connectors, caches)
    }

    /// Over the connectors in a cache.
    pub(crate) fn of(connectors: Cache<KafkaConnector>, caches: &Caches) -> Self {
        let of_clusters = Index::of(&connectors, |key, connector: &KafkaConnector| cluster(key, connector));
        let unreadable = UnreadableIndex::of(&connectors, |key, _| Some(key.namespace.clone()));
        let caches = caches.clone();
        Self { clusters: Clusters::default(), connectors, of_clusters, unreadable, caches }
    }

    /// Waits until the first lists are in: those of connectors and of their clusters only for so long as usual, since the right to
    /// watch them may be missing in some namespace, and the others do not wait for it.
    pub(super) async fn ready(&self) {
        self.caches.ready().await;
        let both = async {
            self.caches.connects.ready().await;
            self.connectors.ready().await;
        };
        if tokio::time::timeout(FIRST_LISTS, both).await.is_err() {
            tracing::warn!(
                "KafkaConnects or KafkaConnectors could not be listed in every namespace: the rights to list and watch them may be missing; \
                 connectors are looked after where they could, and nothing is removed where not"
            );
        }
    }

    /// Whether the connectors of a namespace are known.
    pub(super) fn are_listed(&self, namespace: &str) -> bool {
        self.connectors.is_listed(namespace)
    }

    /// Other clusters that say, or whose workers may say, that they have the connectors of this one: nobody declares those of both.
    pub(crate) fn sharing_connectors(&self, cluster: &ObjectRef) -> Vec<Sharing> {
        let Some(connect) = self.caches.connects.get(cluster) else { return Vec::new() };
        let all = self.caches.sharing(cluster, &connect);
        all.into_iter().filter(|sharing| sharing.field.shares_connectors()).collect()
    }

    /// The connectors that name a cluster.
    pub(crate) fn of_cluster(&self, cluster: &ObjectRef) -> BTreeSet<ObjectRef> {
        self.of_clusters.keys_of(cluster)
    }

    /// Names of the connectors of a namespace whose resources cannot be read: each counts as a declaration, for whichever cluster.
    pub(crate) fn unreadable(&self, namespace: &str) -> BTreeSet<String> {
        self.unreadable.owned_by(&namespace.to_owned()).into_keys().map(|key| key.name).collect()
    }

    /// Whether a connector is declared for a cluster.
    pub(crate) fn is_declared(&self, cluster: &ObjectRef, name: &str) -> bool {
        let key = ObjectRef::new(&cluster.namespace, name);
        if self.connectors.unreadable(&key).is_some() {
            return true;
        }
        let connector = self.connectors.get(&key);
        connector.and_then(|connector| self::cluster(&key, &connector)).as_ref() == Some(cluster)
    }
}

/// The cluster that a connector names.
pub(super) fn cluster(key: &ObjectRef, connector: &KafkaConnector) -> Option<ObjectRef> {
    let name = connector.meta().labels.as_ref()?.get(labels::CLUSTER).filter(|name| !name.is_empty())?;
    Some(ObjectRef::new(&key.namespace, name))
}
