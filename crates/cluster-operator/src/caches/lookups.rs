//! Finds in the caches what belongs to one resource. What a look-up costs does not depend on how many other resources there
//! are, so passes use these and no lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::cert_manager;
use api::kinds;
use api::names;
use api::openshift::builds::Build;
use api::{Kafka, KafkaBridge, KafkaConnect, KafkaMirrorMaker2, KafkaNodePool, StrimziPodSet};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use kube::{Resource, ResourceExt};
use objects::ObjectId;
use operator_runtime::watch::{Cache, Index, ObjectRef, OwnerRef, Unreadable, UnreadableIndex};

use super::owners::{cluster_id, cluster_id_of_pool, cluster_of, pod_set_of, pool_of};
use super::sharing::Groups;
use super::{Caches, KAFKA, KAFKA_CONNECT, KAFKA_MIRROR_MAKER2, Plain, PlainKind, Watched, kafka};
use planner::kafka::deleted_cluster::TopicBinding;
use planner::kafka::exposed::{Route, TlsRoute};
use planner::kafka::references::References;
use planner::kafka::watched_namespace;
use planner::live_object::{LiveObject, LiveObjects};

pub(super) const ROLE: &str = "Role";
pub(super) const ROLE_BINDING: &str = "RoleBinding";
/// Routes by name.
pub(super) type Routes = BTreeMap<String, Arc<Route>>;
/// TLSRoutes by name.
pub(super) type TlsRoutes = BTreeMap<String, Arc<TlsRoute>>;

pub(super) const SERVICE: &str = "Service";
pub(super) const ROUTE: &str = "Route";
pub(super) const TLS_ROUTE: &str = "TLSRoute";
pub(super) const BUILD_CONFIG: &str = "BuildConfig";

/// What is found by what.
#[derive(Clone)]
pub struct Lookups {
    pods: Index<Pod, OwnerRef>,
    pods_of_sets: Index<Pod>,
    pod_sets: Index<StrimziPodSet, OwnerRef>,
    /// By the node pool that owns them.
    pod_sets_of_pools: Index<StrimziPodSet>,
    /// Those that a node pool owns, by the value of the label `strimzi.io/cluster`.
    pod_sets_with_pools: Index<StrimziPodSet>,
    claims: Index<PersistentVolumeClaim, OwnerRef>,
    secrets: Index<Secret, OwnerRef>,
    config_maps: Index<ConfigMap, OwnerRef>,
    deployments: Index<Deployment, OwnerRef>,
    builds: Index<Build, OwnerRef>,
    plain: Vec<(PlainKind, Index<Plain, OwnerRef>)>,
    role_bindings_of_roles: Option<Index<Plain>>,
    /// By their own namespace and the name of the cluster that they belong to, whatever its namespace.
    role_bindings_by_name: Option<Index<Plain>>,
    /// By the value of the label `strimzi.io/cluster`.
    pools: Index<KafkaNodePool>,
    /// By namespace and the id of the cluster that their status says they have nodes in.
    pools_of_ids: Index<KafkaNodePool>,
    /// By namespace and cluster id.
    kafkas_of_ids: Index<Kafka>,
    /// By the Secrets and `ConfigMaps` that they refer to.
    kafkas_of_references: Index<Kafka>,
    /// By the Secrets and `ConfigMaps` that they refer to.
    connects_of_references: Index<KafkaConnect>,
    /// Resources whose workers share names.
    pub(super) groups: Groups,
    /// By the Secrets and `ConfigMaps` that they refer to.
    bridges_of_references: Index<KafkaBridge>,
    /// By the Secrets and `ConfigMaps` that they refer to.
    mirror_makers_of_references: Index<KafkaMirrorMaker2>,
    /// By the other namespaces that their entity operators are to work in.
    kafkas_of_watched_namespaces: Index<Kafka, String>,
    unreadable: Vec<(String, UnreadableIndex<OwnerRef>)>,
}

impl Lookups {
    /// Follows the caches.
    pub(super) fn of(watched: &Watched) -> Self {
        let plain = watched.all_plain();
        let most_references = watched.most_references;
        let role_bindings = watched.plain.iter().find(|plain| plain.kind == ROLE_BINDING);
        Self {
            pods: by_labels(&watched.pods),
            pods_of_sets: Index::of(&watched.pods, |_, pod| pod_set_of(pod)),
            pod_sets: by_labels_or_kafka(&watched.pod_sets),
            pod_sets_of_pools: Index::of(&watched.pod_sets, |_, set| pool_of(set)),
            pod_sets_with_pools: Index::of(&watched.pod_sets, |key, set: &StrimziPodSet| {
                pool_of(set).and_then(|_| Some(ObjectRef::new(&key.namespace, cluster_of(set)?)))
            }),
            claims: by_labels_or_kafka(&watched.claims),
            secrets: by_labels(&watched.secrets),
            config_maps: by_labels(&watched.config_maps),
            deployments: by_labels(&watched.deployments),
            builds: by_labels(&watched.builds),
            plain: plain
                .map(|kind| (kind.clone(), Index::of(&kind.cache, |_, plain| [plain.owner.clone()])))
                .collect(),
            role_bindings_of_roles: role_bindings.map(|kind| {
                Index::of(&kind.cache, |key, plain| {
                    plain.role.as_ref().map(|role| ObjectRef::new(&key.namespace, role))
                })
            }),
            role_bindings_by_name: role_bindings.map(|kind| {
                Index::of(&kind.cache, |key, plain| {
                    Some(ObjectRef::new(&key.namespace, &plain.owner.object.name))
                })
            }),
            pools: Index::of(&watched.pools, |key, pool: &KafkaNodePool| {
                cluster_of(pool).map(|cluster| ObjectRef::new(&key.namespace, cluster))
            }),
            pools_of_ids: Index::of(&watched.pools, |key, pool: &KafkaNodePool| {
                cluster_id_of_pool(pool).map(|id| ObjectRef::new(&key.namespace, id))
            }),
            kafkas_of_ids: Index::of(&watched.kafkas, |key, kafka| {
                cluster_id(kafka).map(|id| ObjectRef::new(&key.namespace, id))
            }),
            kafkas_of_references: Index::of(&watched.kafkas, move |key, kafka| {
                referred_to(key, References::of(kafka), most_references)
            }),
            connects_of_references: Index::of(&watched.connects, move |key, connect| {
                referred_to(key, planner::kafka_connect::references::of(connect), most_references)
            }),
            bridges_of_references: Index::of(&watched.bridges, move |key, bridge| {
                referred_to(key, planner::kafka_bridge::references::of(bridge), most_references)
            }),
            groups: Groups::of(watched),
            mirror_makers_of_references: Index::of(&watched.mirror_makers, move |key, resource| {
                referred_to(key, planner::kafka_mirror_maker2::references::of(resource), most_references)
            }),
            kafkas_of_watched_namespaces: Index::of(&watched.kafkas, |_, kafka| {
                watched_namespace::others(kafka)
            }),
            unreadable: unreadable(watched),
        }
    }
}

impl Caches {
    /// Bytes that the objects of a resource take when a pass reads them.
    pub fn bytes_of(&self, owner: &OwnerRef) -> usize {
        let found = &self.lookups;
        let plain = found.plain.iter().map(|(_, index)| index.bytes_when_read(owner));
        let bytes = [
            found.pods.bytes_when_read(owner),
            found.pod_sets.bytes_when_read(owner),
            found.claims.bytes_when_read(owner),
            found.secrets.bytes_when_read(owner),
            found.config_maps.bytes_when_read(owner),
            found.deployments.bytes_when_read(owner),
            found.builds.bytes_when_read(owner),
            found.pools.bytes_when_read(&owner.object),
        ];
        bytes.into_iter().chain(plain).sum()
    }

    /// Bytes that a pod set and the pods with its labels take when a pass reads them.
    pub fn bytes_of_set(&self, set: &ObjectRef) -> usize {
        self.pod_sets.bytes_when_read(set) + self.lookups.pods_of_sets.bytes_when_read(set)
    }

    /// Pods of a resource, by name.
    pub fn pods_of(&self, owner: &OwnerRef) -> BTreeMap<String, Arc<Pod>> {
        by_name(&self.lookups.pods, owner)
    }

    /// Whether this operator looks after a resource: it exists, and the selector accepts it. A resource
    /// that cannot be read exists too.
    pub fn looks_after(&self, resource: &OwnerRef) -> bool {
        let OwnerRef { kind, object } = resource;
        if kind == KAFKA {
            return self.kafkas.contains(object) || self.kafkas.unreadable(object).is_some();
        }
        if kind == KAFKA_CONNECT {
            return self.connects.contains(object) || self.connects.unreadable(object).is_some();
        }
        kind == KAFKA_MIRROR_MAKER2
            && (self.mirror_makers.contains(object) || self.mirror_makers.unreadable(object).is_some())
    }

    /// Pods that a pod set controls.
    pub fn pods_of_set(&self, set: &ObjectRef) -> Vec<Arc<Pod>> {
        self.lookups.pods_of_sets.owned_by(set).into_values().collect()
    }

    /// Pod sets of a resource, by name.
    pub fn pod_sets_of(&self, owner: &OwnerRef) -> BTreeMap<String, Arc<StrimziPodSet>> {
        by_name(&self.lookups.pod_sets, owner)
    }

    /// Pod sets that a node pool owns.
    pub fn pod_sets_of_pool(&self, pool: &ObjectRef) -> Vec<Arc<StrimziPodSet>> {
        self.lookups.pod_sets_of_pools.owned_by(pool).into_values().collect()
    }

    /// Volume claims of a resource, by name.
    pub fn claims_of(&self, owner: &OwnerRef) -> BTreeMap<String, Arc<PersistentVolumeClaim>> {
        by_name(&self.lookups.claims, owner)
    }

    /// Secrets that were made for a resource, by name.
    pub fn secrets_of(&self, owner: &OwnerRef) -> BTreeMap<String, Arc<Secret>> {
        by_name(&self.lookups.secrets, owner)
    }

    /// Of the Secrets that were made for a resource those that can be read and take no more than `room` bytes together, by name: first those
    /// with the given names, then those that could be a node's, the small ones before the large ones.
    pub fn secrets_within(
        &self,
        owner: &OwnerRef,
        first: &[String],
        mut room: usize,
    ) -> BTreeMap<String, Arc<Secret>> {
        // Or that in which cert-manager keeps a certificate for it.
        let without_suffix = |name: &str| name.strip_suffix(names::ISSUED_SUFFIX).unwrap_or(name).to_owned();
        let of_a_node = |name: &str| name.rsplit_once('-').is_some_and(|(_, id)| id.parse::<u32>().is_ok());
        let mut keys: Vec<(bool, usize, ObjectRef)> = Vec::new();
        for key in self.lookups.secrets.keys_of(owner) {
            let is_first = first.contains(&without_suffix(&key.name));
            if (is_first || of_a_node(&without_suffix(&key.name))) && self.secrets.unreadable(&key).is_none()
            {
                keys.push((!is_first, self.secrets.bytes_when_read(&key), key));
            }
        }
        keys.sort();
        let mut found = BTreeMap::new();
        for (_, bytes, key) in keys {
            let Some(left) = room.checked_sub(bytes) else { continue };
            if let Some(secret) = self.secrets.get(&key) {
                room = left;
                found.insert(key.name, secret);
            }
        }
        found
    }

    /// Node pools with the label of a cluster, by name, if all of them take no more than so many bytes together.
    pub fn labelled_pools_within(
        &self,
        cluster: &ObjectRef,
        room: usize,
    ) -> BTreeMap<String, Arc<KafkaNodePool>> {
        if self.lookups.pools.bytes_when_read(cluster) > room {
            return BTreeMap::new();
        }
        by_name(&self.lookups.pools, cluster)
    }

    /// `ConfigMaps` that were made for a resource, by name.
    pub fn config_maps_of(&self, owner: &OwnerRef) -> BTreeMap<String, Arc<ConfigMap>> {
        by_name(&self.lookups.config_maps, owner)
    }

    /// Deployments of a resource, by name.
    pub fn deployments_of(&self, owner: &OwnerRef) -> BTreeMap<String, Arc<Deployment>> {
        by_name(&self.lookups.deployments, owner)
    }

    /// Whether a node pool carries the label of a cluster.
    pub fn has_labelled_pools(&self, cluster: &ObjectRef) -> bool {
        !self.lookups.pools.owned_by(cluster).is_empty()
    }

    /// Every node pool that may belong to a cluster, by name: those with its label, those whose status names its id, and
    /// those that own pod sets of it.
    pub fn pools_near(
        &self,
        cluster: &ObjectRef,
        cluster_id: Option<&str>,
    ) -> BTreeMap<String, Arc<KafkaNodePool>> {
        let mut found = by_name(&self.lookups.pools, cluster);
        if let Some(id) = cluster_id {
            found.extend(by_name(&self.lookups.pools_of_ids, &ObjectRef::new(&cluster.namespace, id)));
        }
        for set in self.lookups.pod_sets_with_pools.owned_by(cluster).into_values() {
            if let Some(pool) = pool_of(&set).and_then(|pool| self.pools.get(&pool)) {
                found.insert(pool.name_any(), pool);
            }
        }
        found
    }

    /// Kafka resources of a namespace with a cluster id.
    pub fn kafkas_with_id(&self, namespace: &str, cluster_id: &str) -> Vec<Arc<Kafka>> {
        self.lookups.kafkas_of_ids.owned_by(&ObjectRef::new(namespace, cluster_id)).into_values().collect()
    }

    /// Kafka resources that refer to a Secret or `ConfigMap` of this name.
    pub fn kafkas_referring_to(&self, object: &ObjectRef) -> Vec<ObjectRef> {
        self.lookups.kafkas_of_references.owned_by(object).into_keys().collect()
    }

    /// KafkaConnect resources that refer to a Secret or `ConfigMap` of this name.
    pub fn connects_referring_to(&self, object: &ObjectRef) -> Vec<ObjectRef> {
        self.lookups.connects_of_references.owned_by(object).into_keys().collect()
    }

    /// KafkaBridge resources that refer to a Secret or `ConfigMap` of this name.
    pub fn bridges_referring_to(&self, object: &ObjectRef) -> Vec<ObjectRef> {
        self.lookups.bridges_of_references.owned_by(object).into_keys().collect()
    }

    /// KafkaMirrorMaker2 resources that refer to a Secret or `ConfigMap` of this name.
    pub fn mirror_makers_referring_to(&self, object: &ObjectRef) -> Vec<ObjectRef> {
        self.lookups.mirror_makers_of_references.owned_by(object).into_keys().collect()
    }

    /// Kafka resources of other namespaces whose entity operator is to work in this one.
    pub fn kafkas_watching(&self, namespace: &str) -> Vec<ObjectRef> {
        self.lookups.kafkas_of_watched_namespaces.owned_by(&namespace.to_owned()).into_keys().collect()
    }

    /// All objects of a resource whose kind planning does not look into, also those in other namespaces that its entity
    /// operator works in.
    pub fn plain_of(&self, owner: &OwnerRef) -> LiveObjects {
        let mut found = BTreeMap::new();
        for (kind, index) in &self.lookups.plain {
            for (key, plain) in index.owned_by(owner) {
                if kind.kind == ROLE_BINDING && key.namespace != owner.object.namespace {
                    found.extend(self.role_of(owner, &key.namespace, &plain));
                }
                found.insert(kind.reference(key), plain.facts.clone());
            }
        }
        found
    }

    /// The bodies of the Services of a resource, by name, but of those that every Kafka has. Few plans look into them, so that they are kept as text.
    pub fn services_of(&self, owner: &OwnerRef) -> BTreeMap<String, Arc<Service>> {
        let services = self.lookups.plain.iter().find(|(kind, _)| kind.kind == SERVICE);
        let found = services.map(|(_, index)| index.owned_by(owner)).unwrap_or_default();
        let name = &owner.object.name;
        let of_every_kafka = [names::bootstrap_service(name), names::brokers_service(name)];
        let body = |(key, plain): (ObjectRef, Arc<Plain>)| {
            if of_every_kafka.contains(&key.name) {
                return None;
            }
            let mut service: Service = plain.facts.body.as_ref()?.parse()?;
            service.status = plain.status.as_deref().cloned();
            Some((key.name, Arc::new(service)))
        };
        found.into_iter().filter_map(body).collect()
    }

    /// What leads from elsewhere to the Routes and TLSRoutes of a resource, by name.
    pub fn routes_of(&self, owner: &OwnerRef) -> (Routes, TlsRoutes) {
        let of_kind = |kind: &str| {
            let kinds = self.lookups.plain.iter().find(|(known, _)| known.kind == kind);
            kinds.map(|(_, index)| index.owned_by(owner)).unwrap_or_default().into_iter()
        };
        let routes = of_kind(ROUTE)
            .map(|(key, plain)| (key.name, Arc::new(Route { hosts: plain.taken.hosts.clone() })));
        let tls_routes = of_kind(TLS_ROUTE)
            .map(|(key, plain)| (key.name, Arc::new(TlsRoute { parents: plain.taken.gateways })));
        (routes.collect(), tls_routes.collect())
    }

    /// Why Certificates of a resource are not ready, in cert-manager's words, by name.
    pub fn issuance_of(&self, owner: &OwnerRef) -> BTreeMap<String, String> {
        let kind = self.lookups.plain.iter().find(|(kind, _)| kind.kind == cert_manager::CERTIFICATE);
        let found = kind.map(|(_, index)| index.owned_by(owner)).unwrap_or_default();
        found.into_iter().filter_map(|(key, plain)| Some((key.name, plain.not_ready.clone()?))).collect()
    }

    /// Builds of OpenShift of a resource, by name; `None`: they are not known.
    pub fn builds_of(&self, owner: &OwnerRef) -> Option<BTreeMap<String, Arc<Build>>> {
        self.builds.is_ready().then(|| by_name(&self.lookups.builds, owner))
    }

    /// The number of the last Build of each BuildConfig of a resource, by name.
    pub fn build_configs_of(&self, owner: &OwnerRef) -> BTreeMap<String, i64> {
        let kind = self.lookups.plain.iter().find(|(kind, _)| kind.kind == BUILD_CONFIG);
        let found = kind.map(|(_, index)| index.owned_by(owner)).unwrap_or_default();
        found.into_iter().filter_map(|(key, plain)| Some((key.name, plain.last_build?))).collect()
    }

    /// The Role of an older name that a binding in another namespace refers to, while nobody owns it, and whether a cluster of
    /// another namespace refers to it too: it says of itself only the name of the cluster.
    fn role_of(&self, owner: &OwnerRef, namespace: &str, binding: &Plain) -> Option<(ObjectId, LiveObject)> {
        let role = ObjectRef::new(namespace, binding.role.as_ref()?);
        let roles = self.plain.iter().find(|plain| plain.kind == ROLE)?;
        let facts = roles.cache.get(&role).map(|role| role.facts.clone()).filter(|facts| !facts.owned)?;
        let bindings = self.lookups.role_bindings_of_roles.as_ref()?.owned_by(&role);
        let shared = bindings.values().any(|plain| plain.owner != *owner);
        Some((roles.reference(role), LiveObject { shared, ..facts }))
    }

    /// Where topic operators of clusters of this name work: that of this cluster, and that of a namesake which works in the
    /// namespace of this one.
    pub fn topic_bindings(&self, cluster: &ObjectRef) -> Vec<TopicBinding> {
        let own = names::entity_operator::topic_operator_role_binding(&cluster.name);
        let Some((_, index)) = self.lookups.plain.iter().find(|(kind, _)| kind.kind == ROLE_BINDING) else {
            return Vec::new();
        };
        let mut bindings = index.owned_by(&kafka(cluster));
        // That of a namesake may be here, too.
        bindings.extend(self.lookups.role_bindings_by_name.iter().flat_map(|index| index.owned_by(cluster)));
        bindings.retain(|key, plain| {
            let elsewhere = names::entity_operator::elsewhere(&plain.owner.object.namespace, &own);
            key.name == own || key.name == elsewhere
        });
        let binding = |(key, plain): (ObjectRef, Arc<Plain>)| TopicBinding {
            namespace: key.namespace,
            cluster_namespace: plain.owner.object.namespace.clone(),
            cluster: plain.owner.object.name.clone(),
        };
        bindings.into_iter().map(binding).collect()
    }

    /// What of a resource cannot be read, each with its kind.
    pub fn unreadable_of(&self, owner: &OwnerRef) -> Vec<(&str, ObjectRef, Arc<Unreadable>)> {
        let kinds = self.lookups.unreadable.iter();
        kinds
            .flat_map(|(kind, index)| {
                index.owned_by(owner).into_iter().map(|(key, found)| (kind.as_str(), key, found))
            })
            .collect()
    }

    /// Adds a handler that is told whose an object is that cannot be read, or can be again.
    pub fn on_unreadable_part(&self, handler: impl Fn(&OwnerRef) + Clone + Send + Sync + 'static) {
        for (_, index) in &self.lookups.unreadable {
            index.on_change(handler.clone());
        }
    }
}

/// The objects that a resource refers to and that are read.
fn referred_to(key: &ObjectRef, mut references: References, most: usize) -> Vec<ObjectRef> {
    // What is beyond is not read.
    references.split_off(most);
    let References { secrets, config_maps } = references;
    secrets.into_iter().chain(config_maps).map(|name| ObjectRef::new(&key.namespace, name)).collect()
}

fn by_labels<K>(cache: &Cache<K>) -> Index<K, OwnerRef>
where
    K: Resource + Send + Sync + 'static,
{
    Index::of(cache, |_, object: &K| OwnerRef::of_labels(object.meta()))
}

/// For kinds that are watched also without the label `strimzi.io/kind`. An object that lost it counts as a Kafka's: taken
/// for gone, it would be made anew over what runs, or given up.
fn by_labels_or_kafka<K>(cache: &Cache<K>) -> Index<K, OwnerRef>
where
    K: Resource + Send + Sync + 'static,
{
    Index::of(cache, |key, object: &K| {
        let labels = object.meta().labels.as_ref()?;
        let cluster = ObjectRef::new(&key.namespace, labels.get(api::labels::CLUSTER)?);
        Some(
            labels
                .get(api::labels::KIND)
                .map_or_else(|| kafka(&cluster), |kind| OwnerRef::new(kind, cluster.clone())),
        )
    })
}

fn by_name<K, O>(index: &Index<K, O>, owner: &O) -> BTreeMap<String, Arc<K>>
where
    K: Send + Sync + 'static,
    O: Clone + Eq + std::hash::Hash + Send + Sync + 'static,
{
    index.owned_by(owner).into_iter().map(|(key, object)| (key.name, object)).collect()
}

fn unreadable(watched: &Watched) -> Vec<(String, UnreadableIndex<OwnerRef>)> {
    fn of<T: Send + Sync + 'static>(kind: &str, cache: &Cache<T>) -> (String, UnreadableIndex<OwnerRef>) {
        (kind.to_owned(), UnreadableIndex::of(cache, owner_of_unreadable))
    }
    let mut all = vec![
        of(kinds::KAFKA_NODE_POOL, &watched.pools),
        of(kinds::STRIMZI_POD_SET, &watched.pod_sets),
        of("Pod", &watched.pods),
        of("PersistentVolumeClaim", &watched.claims),
        of("Secret", &watched.secrets),
        of("ConfigMap", &watched.config_maps),
        of("Deployment", &watched.deployments),
    ];
    all.extend(watched.plain.iter().map(|kind| of(&kind.kind, &kind.cache)));
    all
}

/// Whose an object is that cannot be read. An object without the label of a kind may be a Kafka's, as
/// node pools are.
fn owner_of_unreadable(key: &ObjectRef, unreadable: &Unreadable) -> Option<OwnerRef> {
    let cluster = ObjectRef::new(&key.namespace, unreadable.cluster()?);
    let kind = unreadable.metadata.labels.as_ref().and_then(|labels| labels.get(api::labels::KIND));
    Some(kind.map_or_else(|| kafka(&cluster), |kind| OwnerRef::new(kind, cluster.clone())))
}

#[cfg(test)]
#[path = "lookups_tests.rs"]
mod tests;
