//! The watches of the cluster operator: one per kind, shared by all that need it. What belongs to one resource is found with
//! [`lookups`].

pub mod lookups;
pub mod owners;
pub mod rest_service;
pub mod sharing;
mod statuses;

use std::fmt::Debug;
use std::ops::Deref;
use std::sync::Arc;

use api::cert_manager::{self, IssuedCertificate};
use api::gateway::TlsRoute;
use api::kinds;
use api::openshift::Route;
use api::openshift::builds::{Build, BuildConfig};
use api::{
    Kafka, KafkaBridge, KafkaBridgeSpec, KafkaConnect, KafkaConnectSpec, KafkaMirrorMaker, KafkaMirrorMaker2,
    KafkaMirrorMaker2Spec, KafkaMirrorMakerSpec, KafkaNodePool, KafkaNodePoolSpec, KafkaSpec, StrimziPodSet,
    labels, last_applied,
};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{
    ConfigMap, PersistentVolumeClaim, Pod, Secret, Service, ServiceAccount, ServiceStatus,
};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, Role, RoleBinding};
use kube::{Client, Resource};
use objects::{ObjectId, Stored};
use operator_runtime::env::{LabelSelector, Namespaces};
use operator_runtime::limits::{Largest, Limits};
use operator_runtime::memory;
use operator_runtime::referenced_objects;
use operator_runtime::server::Health;
use operator_runtime::watch::{Cache, ObjectRef, OwnerRef, Watch, Weight};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use self::lookups::Lookups;
use self::owners::cluster_of;
use self::rest_service::RestService;
pub use self::statuses::Taken;
use self::statuses::{service_status, why_not_ready};
use planner::live_object::LiveObject;

pub(crate) use api::kinds::{KAFKA, KAFKA_BRIDGE, KAFKA_CONNECT, KAFKA_MIRROR_MAKER, KAFKA_MIRROR_MAKER2};

/// An object of a kind that planning does not look into.
#[derive(Debug)]
pub struct Plain {
    /// The resource that it belongs to.
    pub owner: OwnerRef,
    /// What planning knows of it. Its body is there, for comparison with the desired object, and without its status.
    pub facts: LiveObject,
    /// The role that it refers to, if it is a binding.
    pub role: Option<String>,
    /// Under which addresses others reach it, if it is a Service that has some.
    pub status: Option<Box<ServiceStatus>>,
    /// Where it leads, if it is the Service of a REST API.
    pub rest_api: Option<Box<RestService>>,
    /// Who leads to it from elsewhere, if it is a Route or TLSRoute.
    pub taken: Taken,
    /// The number of its last Build, if it is a BuildConfig.
    pub last_build: Option<i64>,
    /// Why it is not ready, if it is a Certificate of cert-manager.
    pub not_ready: Option<String>,
    /// What it takes.
    pub weight: Weight,
}

/// A kind of object that planning does not look into.
#[derive(Clone)]
pub struct PlainKind {
    /// For instance `networking.k8s.io/v1`.
    pub api_version: String,
    /// For instance `NetworkPolicy`.
    pub kind: String,
    /// Its objects.
    pub cache: Cache<Plain>,
}

impl PlainKind {
    /// Names an object of the kind.
    pub fn reference(&self, key: ObjectRef) -> ObjectId {
        ObjectId {
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            namespace: Some(key.namespace).filter(|namespace| !namespace.is_empty()),
            name: key.name,
        }
    }
}

/// All caches, and what is found in them by what. Cheap to clone.
#[derive(Clone)]
pub struct Caches {
    watched: Watched,
    lookups: Lookups,
}

impl Deref for Caches {
    type Target = Watched;

    fn deref(&self) -> &Watched {
        &self.watched
    }
}

/// The caches alone. Cheap to clone.
#[derive(Clone)]
pub struct Watched {
    /// Where the operator works.
    pub namespaces: Namespaces,
    /// What the objects of one cluster may take while they are read.
    pub largest_cluster: Largest,
    /// Secrets and ConfigMaps of the user's own that are read for one cluster.
    pub most_references: usize,
    /// Kafka resources that the selector accepts.
    pub kafkas: Cache<Kafka>,
    /// KafkaConnect resources that the selector accepts. The process does not wait for them: an installation may lack the kind.
    pub connects: Cache<KafkaConnect>,
    /// KafkaBridge resources that the selector accepts. The process does not wait for them either.
    pub bridges: Cache<KafkaBridge>,
    /// KafkaMirrorMaker2 resources that the selector accepts. The process does not wait for them either.
    pub mirror_makers: Cache<KafkaMirrorMaker2>,
    /// KafkaMirrorMaker resources, for MirrorMaker 1, that the selector accepts. The process does not wait for them either.
    pub first_mirror_makers: Cache<KafkaMirrorMaker>,
    /// Node pools.
    pub pools: Cache<KafkaNodePool>,
    /// Pod sets.
    pub pod_sets: Cache<StrimziPodSet>,
    /// Pods of clusters.
    pub pods: Cache<Pod>,
    /// Volume claims of clusters.
    pub claims: Cache<PersistentVolumeClaim>,
    /// Secrets of clusters, without those of users.
    pub secrets: Cache<Secret>,
    /// ConfigMaps of clusters.
    pub config_maps: Cache<ConfigMap>,
    /// Deployments of clusters.
    pub deployments: Cache<Deployment>,
    /// The other kinds.
    pub plain: Vec<PlainKind>,
    /// The bindings by which brokers read their rack. They are cluster-wide: an installation may lack the right to watch
    /// them, and works without, so nothing waits for this cache.
    pub cluster_role_bindings: PlainKind,
    /// Routes, TLSRoutes, BuildConfigs and Certificates of cert-manager. Few installations know these kinds, so nothing waits for these caches.
    pub rare: Vec<PlainKind>,
    /// Builds of OpenShift. Nothing waits for them either; without them no image is built there.
    pub builds: Cache<Build>,
    /// Resource versions of Secrets that belong to no cluster: of users' own, and of KafkaUsers.
    pub referenced_secrets: Cache<String>,
    /// Resource versions of ConfigMaps that this operator did not make.
    pub referenced_config_maps: Cache<String>,
}

impl Watched {
    /// Services.
    pub fn services(&self) -> impl Iterator<Item = &PlainKind> {
        self.plain.iter().filter(|kind| kind.kind == lookups::SERVICE)
    }

    /// The kinds that planning does not look into, those that an installation may lack included.
    pub fn all_plain(&self) -> impl Iterator<Item = &PlainKind> {
        self.plain.iter().chain([&self.cluster_role_bindings]).chain(&self.rare)
    }
}

impl Caches {
    /// Starts every watch. The process is ready when all first lists are in.
    pub fn start(
        client: &Client,
        namespaces: &Namespaces,
        selector: &LabelSelector,
        limits: &Limits,
        health: &Health,
        shutdown: &CancellationToken,
    ) -> Self {
        let start = Start { client, namespaces, limits, largest: limits.largest_object, health, shutdown };
        let small = Start { largest: limits.largest_secret, ..start };
        let pod_sets = Start { largest: limits.largest_pod_set(), ..start };
        Self::of(Watched {
            namespaces: namespaces.clone(),
            largest_cluster: limits.largest_cluster,
            most_references: limits.references,
            kafkas: start.typed(selector.to_query().as_deref(), |kafka: &mut Kafka| {
                last_applied::note::<KafkaSpec>(KAFKA, &mut kafka.metadata);
            }),
            connects: start.optional_typed(selector.to_query().as_deref(), |connect: &mut KafkaConnect| {
                last_applied::note::<KafkaConnectSpec>(KAFKA_CONNECT, &mut connect.metadata);
            }),
            bridges: start.optional_typed(selector.to_query().as_deref(), |bridge: &mut KafkaBridge| {
                last_applied::note::<KafkaBridgeSpec>(KAFKA_BRIDGE, &mut bridge.metadata);
            }),
            mirror_makers: start.optional_typed(
                selector.to_query().as_deref(),
                |resource: &mut KafkaMirrorMaker2| {
                    last_applied::note::<KafkaMirrorMaker2Spec>(KAFKA_MIRROR_MAKER2, &mut resource.metadata);
                },
            ),
            first_mirror_makers: start.optional_typed(
                selector.to_query().as_deref(),
                |resource: &mut KafkaMirrorMaker| {
                    last_applied::note::<KafkaMirrorMakerSpec>(KAFKA_MIRROR_MAKER, &mut resource.metadata);
                },
            ),
            // Also those without a label: they are told what they lack.
            pools: start.typed(None, |pool: &mut KafkaNodePool| {
                last_applied::note::<KafkaNodePoolSpec>(kinds::KAFKA_NODE_POOL, &mut pool.metadata);
            }),
            pod_sets: pod_sets.typed(Some(labels::CLUSTER), |_| {}),
            pods: start.typed(Some(labels::SELECTOR_OF_ANY_KIND), |pod: &mut Pod| {
                pod.metadata.managed_fields = None;
            }),
            claims: start.typed(Some(labels::CLUSTER), |_| {}),
            secrets: small.typed(Some(labels::SELECTOR_OF_CLUSTERS), |_| {}),
            config_maps: small.typed(Some(labels::SELECTOR_OF_CLUSTERS), |_| {}),
            deployments: start.typed(Some(labels::SELECTOR_OF_CLUSTERS), |_| {}),
            plain: vec![
                start.plain::<Service>(),
                start.plain::<ServiceAccount>(),
                start.plain::<Role>(),
                start.plain::<RoleBinding>(),
                start.plain::<NetworkPolicy>(),
                start.plain::<PodDisruptionBudget>(),
                start.plain::<Ingress>(),
            ],
            rare: vec![
                start.optional::<Route>(),
                start.optional::<TlsRoute>(),
                start.optional::<BuildConfig>(),
                start.optional::<IssuedCertificate>(),
            ],
            builds: start.optional_typed(Some(labels::SELECTOR_OF_CLUSTERS), |build: &mut Build| {
                build.metadata.managed_fields = None;
            }),
            cluster_role_bindings: start.cluster_role_bindings(),
            referenced_secrets: start.versions::<Secret>(labels::SELECTOR_OF_NO_CLUSTER),
            referenced_config_maps: start.versions::<ConfigMap>(labels::SELECTOR_OF_NO_KIND),
        })
    }

    /// With look-ups that follow the caches.
    pub fn of(watched: Watched) -> Self {
        Self { lookups: Lookups::of(&watched), watched }
    }

    /// Waits until the first list of every kind is in.
    pub async fn ready(&self) {
        self.kafkas.ready().await;
        self.pools.ready().await;
        self.pod_sets.ready().await;
        self.pods.ready().await;
        self.claims.ready().await;
        self.secrets.ready().await;
        self.config_maps.ready().await;
        self.deployments.ready().await;
        for kind in &self.plain {
            kind.cache.ready().await;
        }
        self.referenced_secrets.ready().await;
        self.referenced_config_maps.ready().await;
    }
}

/// A Kafka resource as the owner of objects.
pub fn kafka(cluster: &ObjectRef) -> OwnerRef {
    OwnerRef::new(KAFKA, cluster.clone())
}

/// A KafkaConnect resource as the owner of objects.
pub fn connect(cluster: &ObjectRef) -> OwnerRef {
    OwnerRef::new(KAFKA_CONNECT, cluster.clone())
}

/// A KafkaBridge resource as the owner of objects.
pub fn bridge(resource: &ObjectRef) -> OwnerRef {
    OwnerRef::new(KAFKA_BRIDGE, resource.clone())
}

/// A KafkaMirrorMaker2 resource as the owner of objects.
pub fn mirror_maker(key: &ObjectRef) -> OwnerRef {
    OwnerRef::new(KAFKA_MIRROR_MAKER2, key.clone())
}

/// A KafkaMirrorMaker resource as the owner of objects.
pub fn first_mirror_maker(key: &ObjectRef) -> OwnerRef {
    OwnerRef::new(KAFKA_MIRROR_MAKER, key.clone())
}

/// The cluster that a cluster-wide binding belongs to: that of its subject. Its name does not tell: cluster `c` of
/// namespace `a-b` and cluster `b-c` of namespace `a` have the same.
pub fn cluster_of_binding(binding: &ClusterRoleBinding) -> Option<ObjectRef> {
    let subject = binding.subjects.as_ref()?.first()?;
    Some(ObjectRef::new(subject.namespace.clone()?, cluster_of(binding)?))
}

/// Bytes that the facts take, themselves included.
fn memory_of(facts: &LiveObject) -> usize {
    let LiveObject { uid, kind, cluster, component, controller, .. } = facts;
    let of_controller = controller.iter().flat_map(|owner| [&owner.group, &owner.kind, &owner.name]);
    let texts = [uid, kind, cluster, component].into_iter().flatten().chain(of_controller);
    size_of::<LiveObject>() + texts.map(|text| text.len() + 32).sum::<usize>()
}

fn plain_kind<K>(cache: Cache<Plain>) -> PlainKind
where
    K: Resource,
    K::DynamicType: Default,
{
    let dynamic = K::DynamicType::default();
    PlainKind {
        api_version: K::api_version(&dynamic).into_owned(),
        kind: K::kind(&dynamic).into_owned(),
        cache,
    }
}

/// A kind that is watched in the operator's namespaces.
trait Watchable:
    Resource<Scope = NamespaceResourceScope, DynamicType: Default>
    + Clone
    + DeserializeOwned
    + Serialize
    + Debug
    + Send
    + Sync
    + 'static
{
}

impl<K> Watchable for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType: Default>
        + Clone
        + DeserializeOwned
        + Serialize
        + Debug
        + Send
        + Sync
        + 'static
{
}

/// What every watch has in common.
#[derive(Clone, Copy)]
struct Start<'a> {
    client: &'a Client,
    namespaces: &'a Namespaces,
    limits: &'a Limits,
    largest: Largest,
    health: &'a Health,
    shutdown: &'a CancellationToken,
}

impl Start<'_> {
    fn typed<K: Watchable>(
        &self,
        labels: Option<&str>,
        trim: impl Fn(&mut K) + Send + Sync + 'static,
    ) -> Cache<K> {
        let cache = Watch::<K>::namespaced(self.client, self.namespaces)
            .labels(labels)
            .within(self.limits)
            .largest(self.largest)
            .start_packed(self.shutdown, trim);
        cache.gate_readiness(self.health);
        cache
    }

    /// Nothing waits for such a cache: an installation may lack the kind, or the right to watch it.
    fn optional_typed<K: Watchable>(
        &self,
        labels: Option<&str>,
        trim: impl Fn(&mut K) + Send + Sync + 'static,
    ) -> Cache<K> {
        Watch::<K>::namespaced(self.client, self.namespaces)
            .labels(labels)
            .within(self.limits)
            .largest(self.largest)
            .optional()
            .start_packed(self.shutdown, trim)
    }

    fn plain<K: Watchable>(&self) -> PlainKind {
        let kind = self.plain_from::<K>(Watch::<K>::namespaced(self.client, self.namespaces));
        kind.cache.gate_readiness(self.health);
        kind
    }

    fn optional<K: Watchable>(&self) -> PlainKind {
        self.plain_from::<K>(Watch::<K>::namespaced(self.client, self.namespaces).optional())
    }

    fn plain_from<K: Watchable>(&self, watch: Watch<K>) -> PlainKind {
        let cache = watch.labels(Some(labels::SELECTOR_OF_CLUSTERS)).within(self.limits).start_weighed(
            self.shutdown,
            |object: K| {
                let mut owner = OwnerRef::of_labels(object.meta())?;
                let stored = Stored::of(&object).ok()?;
                let mut role = None;
                let kind = K::kind(&K::DynamicType::default()).into_owned();
                if [lookups::ROLE, lookups::ROLE_BINDING].contains(&kind.as_str()) {
                    let (value, meta) = (stored.value(), object.meta());
                    role = value["roleRef"]["name"].as_str().map(str::to_owned);
                    let (namespace, name) = (meta.namespace.as_deref()?, meta.name.as_deref()?);
                    // What gives rights in a namespace that an entity operator works in belongs to the cluster of that.
                    let cluster = &owner.object.name;
                    if let Some(elsewhere) = owners::elsewhere(&kind, namespace, name, cluster, &value) {
                        owner.object.namespace = elsewhere;
                    }
                }
                let (mut status, mut rest_api, mut taken) = (None, None, Taken::default());
                let (mut last_build, mut not_ready) = (None, None);
                match kind.as_str() {
                    lookups::SERVICE => {
                        let service = serde_json::to_value(&object).ok();
                        status = service.as_ref().and_then(service_status);
                        let rest = |service| RestService::of(&owner, object.meta(), service);
                        rest_api = service.as_ref().and_then(rest);
                    }
                    lookups::ROUTE | lookups::TLS_ROUTE => {
                        taken =
                            serde_json::to_value(&object).ok().as_ref().map(Taken::of).unwrap_or_default();
                    }
                    cert_manager::CERTIFICATE => {
                        let certificate = serde_json::to_value(&object).ok();
                        not_ready = certificate.and_then(|certificate| why_not_ready(&certificate["status"]));
                    }
                    lookups::BUILD_CONFIG => {
                        let config = serde_json::to_value(&object).ok();
                        last_build = config.and_then(|config| config["status"]["lastVersion"].as_i64());
                    }
                    _ => {}
                }
                let mut facts = LiveObject::of(object.meta());
                let of_facts = memory_of(&facts);
                let hosts: usize = taken.hosts.iter().map(|host| host.len() + 32).sum();
                // A pass reads Services as their type, and of other kinds no more than this.
                let is_read = kind == lookups::SERVICE;
                let read = of_facts + hosts + if is_read { memory::size_of(&object) } else { 0 };
                let names = [
                    Some(&owner.kind),
                    Some(&owner.object.namespace),
                    Some(&owner.object.name),
                    role.as_ref(),
                ];
                let names: usize = names.into_iter().flatten().map(String::len).sum();
                let of_status =
                    status.as_ref().map_or(0, memory::size_of) + not_ready.as_ref().map_or(0, String::len);
                let weight = Weight { kept: stored.bytes() + of_facts + names + of_status + hosts, read };
                facts.body = Some(Arc::new(stored));
                Some(Plain { owner, facts, role, status, rest_api, taken, last_build, not_ready, weight })
            },
            |plain| plain.weight,
        );
        plain_kind::<K>(cache)
    }

    fn cluster_role_bindings(&self) -> PlainKind {
        let watch = Watch::<ClusterRoleBinding>::all(self.client)
            .labels(Some(labels::SELECTOR_OF_CLUSTERS))
            .within(self.limits)
            .optional();
        plain_kind::<ClusterRoleBinding>(watch.start(self.shutdown, |binding: ClusterRoleBinding| {
            let object = Stored::of(&binding).ok()?;
            let kind = OwnerRef::of_labels(binding.meta())?.kind;
            let owner = OwnerRef::new(kind, cluster_of_binding(&binding)?);
            let facts = LiveObject { body: Some(Arc::new(object)), ..LiveObject::of(binding.meta()) };
            let (taken, weight) = (Taken::default(), Weight::from(0));
            let (role, status, rest_api, last_build, not_ready) = (None, None, None, None, None);
            Some(Plain { owner, facts, role, status, rest_api, taken, last_build, not_ready, weight })
        }))
    }

    fn versions<K: Watchable>(&self, selector: &str) -> Cache<String> {
        let cache = referenced_objects::versions::<K>(self.client, self.namespaces, selector, self.shutdown);
        cache.gate_readiness(self.health);
        cache
    }
}
