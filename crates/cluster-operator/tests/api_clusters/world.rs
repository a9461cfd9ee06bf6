//! A namespace in an API server, a stand-in for the kubelet, and an operator under the chart's rights.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use api::Kafka;
use kube::Api;
use kube::ResourceExt;
use kube::api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use test_support::stand_in::Fate;
use test_support::{ApiServer, PodReadyStandIn, wait};

use crate::rights;

pub(crate) use test_world::conditions::is_current;
pub(crate) use test_world::{DEADLINE, install};

/// For what an event brings, on a machine that is busy with other tests too: far less than the time between two rounds over
/// everything, which would bring it as well.
pub(crate) const PROMPT: Duration = Duration::from_secs(30);

/// For what must not wait for Kafka or for the next look at a roll: less than their ten seconds.
const AT_ONCE: Duration = Duration::from_secs(9);

const SUCCEEDED: &str = "strimzi_reconciliations_successful_total";

/// Kinds of which a cluster has objects.
pub(crate) const OWNED: [&str; 12] = [
    "Secret",
    "ConfigMap",
    "Service",
    "ServiceAccount",
    "PersistentVolumeClaim",
    "Pod",
    "Deployment",
    "NetworkPolicy",
    "PodDisruptionBudget",
    "Role",
    "RoleBinding",
    "StrimziPodSet",
];

/// The operator under test.
type ClusterOperator = crate::operator::ClusterOperator<Kafka>;

pub(crate) struct World {
    common: test_world::World<ClusterOperator>,
    _pods: PodReadyStandIn,
}

impl Deref for World {
    type Target = test_world::World<ClusterOperator>;

    fn deref(&self) -> &Self::Target {
        &self.common
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.common
    }
}

impl World {
    /// In the shared server, with an operator that watches the one namespace and pods that run and become no more than that.
    pub(crate) async fn start(prefix: &str) -> Self {
        let mut world = Self::without_operator(ApiServer::shared().await.unwrap(), prefix).await;
        world.start_operator().await;
        world
    }

    pub(crate) async fn without_operator(server: &'static ApiServer, prefix: &str) -> Self {
        Self::with(server, prefix, Fate::Running).await
    }

    pub(crate) async fn with(server: &'static ApiServer, prefix: &str, fate: Fate) -> Self {
        Self::with_fates(server, prefix, move |_| fate).await
    }

    /// The function decides by the name of a pod.
    pub(crate) async fn with_fates(
        server: &'static ApiServer,
        prefix: &str,
        fate: impl Fn(&str) -> Fate + Send + Sync + 'static,
    ) -> Self {
        Self::with_chart(server, prefix, &[], fate).await
    }

    /// With these values of the chart.
    pub(crate) async fn with_chart(
        server: &'static ApiServer,
        prefix: &str,
        values: &[&str],
        fate: impl Fn(&str) -> Fate + Send + Sync + 'static,
    ) -> Self {
        install(server, test_world::definitions()).await;
        let mut common = test_world::World::new(server, prefix).await;
        rights::grant(&common.client, &common.namespace, values).await;
        let own = common.namespace.clone();
        let pods = PodReadyStandIn::start_with(&common.client, move |pod| {
            if pod.namespace().as_deref() == Some(&own) { fate(&pod.name_any()) } else { Fate::Pending }
        });
        common.set("STRIMZI_OPERATOR_NAMESPACE", &common.namespace.clone());
        common.set("KASTELLAN_OPERATOR_IMAGE", "kastellan/operator:test");
        common.set("STRIMZI_LEADER_ELECTION_ENABLED", "false");
        common.account = Some((common.namespace.clone(), rights::ACCOUNT.to_owned()));
        Self { common, _pods: pods }
    }

    /// A metric of Kafka resources, of the operator that was started last.
    pub(crate) fn metric(&self, name: &str) -> u64 {
        self.operator().metric(name, "kind=\"Kafka\"") as u64
    }

    /// Waits for some more passes over Kafka resources to succeed.
    pub(crate) async fn passes(&self, more: u64) {
        self.reaches(self.metric(SUCCEEDED) + more).await;
    }

    async fn reaches(&self, passes: u64) {
        let reached = || async { (self.metric(SUCCEEDED) >= passes).then_some(()) };
        wait::until(DEADLINE, "more passes succeed", reached).await.unwrap();
    }

    pub(crate) fn api(&self, kind: &str) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource(kind))
    }

    pub(crate) async fn apply(&self, object: &Value) -> DynamicObject {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let parameters = PatchParams::apply("user").force();
        self.api(kind).patch(name, &parameters, &Patch::Apply(object)).await.unwrap()
    }

    pub(crate) async fn patch(&self, kind: &str, name: &str, patch: Value) -> DynamicObject {
        self.api(kind).patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    /// Changes an object of a cluster twice, and waits for a pass after each
    /// change: the second, if not the first, saw one of them.
    pub(crate) async fn has_it_looked_at(&self, api: &Api<DynamicObject>, name: &str) {
        for change in ["1", "2"] {
            let before = self.metric(SUCCEEDED);
            let change = json!({"metadata": {"annotations": {"change": change}}});
            api.patch(name, &PatchParams::default(), &Patch::Merge(change)).await.unwrap();
            self.reaches(before + 1).await;
        }
    }

    pub(crate) async fn get(&self, kind: &str, name: &str) -> DynamicObject {
        self.api(kind).get(name).await.unwrap()
    }

    pub(crate) async fn delete(&self, kind: &str, name: &str) {
        self.api(kind).delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub(crate) async fn gone(&self, kind: &str, name: &str) {
        wait::for_absence(&self.api(kind), name, DEADLINE).await.unwrap();
    }

    pub(crate) async fn until(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        condition: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        wait::for_object(&self.api(kind), name, DEADLINE, what, condition).await.unwrap()
    }

    /// As [`Self::until`], but soon.
    pub(crate) async fn promptly(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        condition: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        wait::for_object(&self.api(kind), name, PROMPT, what, condition).await.unwrap()
    }

    /// As [`Self::until`], but before Kafka's time to answer is over.
    pub(crate) async fn at_once(
        &self,
        kind: &str,
        name: &str,
        what: &str,
        condition: impl Fn(&DynamicObject) -> bool,
    ) -> DynamicObject {
        wait::for_object(&self.api(kind), name, AT_ONCE, what, condition).await.unwrap()
    }

    pub(crate) async fn exists(&self, kind: &str, name: &str) -> DynamicObject {
        self.until(kind, name, "exists", |_| true).await
    }

    /// Makes the usual cluster and waits until all its pods run and it has settled.
    pub(crate) async fn usual(&self, cluster: &str) {
        self.apply(&pool(cluster, "dual", 3)).await;
        self.apply(&kafka(cluster)).await;
        self.running(cluster, 3).await;
    }

    /// Waits until the pods run, and the cluster's status says that it waits for them, and it has settled.
    pub(crate) async fn running(&self, cluster: &str, pods: i32) {
        for node in 0..pods {
            let name = format!("{cluster}-dual-{node}");
            self.until("Pod", &name, "runs", |pod| pod.data["status"]["phase"] == "Running").await;
        }
        self.settled(cluster).await;
    }

    /// Waits as [`Self::deploying`] does, and for what is written a moment later into statuses of the cluster's objects: the counts
    /// of its pod sets, and what the stand-in says of claims and of the entity operator. From then on [`Self::versions`] changes
    /// only with a reason.
    pub(crate) async fn settled(&self, cluster: &str) -> DynamicObject {
        let kafka = self.deploying(cluster).await;
        let entity_operator = &kafka.data["spec"]["entityOperator"];
        if ["topicOperator", "userOperator"].iter().any(|part| entity_operator[part].is_object()) {
            let name = format!("{cluster}-entity-operator");
            self.until("Deployment", &name, "has the status of what it is now", is_current).await;
        }
        let written = || async {
            let claims = self.of_cluster("PersistentVolumeClaim", cluster).await;
            let sets = self.of_cluster("StrimziPodSet", cluster).await;
            let pods = self.of_cluster("Pod", cluster).await;
            let are_bound = claims.iter().all(|claim| claim.data["status"]["phase"] == "Bound");
            (are_bound && sets.iter().all(|set| counts(set, &pods))).then_some(())
        };
        let what = format!("the claims of {cluster} are bound and its pod sets count their pods");
        wait::until(DEADLINE, &what, written).await.unwrap();
        kafka
    }

    /// Waits until the resource as it is now is carried out as far as it goes while no pod is ready.
    pub(crate) async fn deploying(&self, cluster: &str) -> DynamicObject {
        self.until("Kafka", cluster, "is being deployed", |kafka| {
            is_current(kafka) && condition(kafka, "NotReady", "Creating").is_some()
        })
        .await
    }

    /// Waits until the resource as it is now is refused, with these words; the answer is the message.
    pub(crate) async fn refused(&self, cluster: &str, words: &[&str]) -> String {
        let message = |kafka: &DynamicObject| {
            let conditions = kafka.data["status"]["conditions"].as_array()?;
            let bad = conditions.iter().find(|condition| condition["type"] == "NotReady")?;
            Some(bad["message"].as_str()?.to_owned())
        };
        let kafka = self
            .until("Kafka", cluster, &format!("is refused with {words:?}"), |kafka| {
                is_current(kafka)
                    && message(kafka).is_some_and(|text| words.iter().all(|word| text.contains(word)))
            })
            .await;
        message(&kafka).unwrap()
    }

    /// The objects of a cluster that are of one kind.
    async fn of_cluster(&self, kind: &str, cluster: &str) -> Vec<DynamicObject> {
        let selector = ListParams::default().labels(&format!("strimzi.io/cluster={cluster}"));
        self.api(kind).list(&selector).await.unwrap().items
    }

    /// UID and version of every object of a cluster. Pods, whose status the stand-in writes, by UID only.
    pub(crate) async fn versions(&self, cluster: &str) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for kind in OWNED {
            for object in self.of_cluster(kind, cluster).await {
                let mut version = object.uid().unwrap();
                if kind != "Pod" {
                    version = format!("{version} {}", object.resource_version().unwrap());
                }
                found.insert(format!("{kind} {}", object.name_any()), version);
            }
        }
        found
    }
}

/// Whether the status of a pod set says how many of its pods there are, and how many of them are as they stand in it. A pod of which
/// that is not so may wait for its restart without an end.
fn counts(set: &DynamicObject, pods: &[DynamicObject]) -> bool {
    const REVISION: &str = "strimzi.io/revision";
    let listed: Vec<&Value> = set.data["spec"]["pods"].as_array().into_iter().flatten().collect();
    let is_there = |wanted: &Value| {
        let metadata = &wanted["metadata"];
        let (name, revision) = (metadata["name"].as_str(), metadata["annotations"][REVISION].as_str());
        pods.iter().any(|pod| {
            pod.metadata.name.as_deref() == name
                && pod.annotations().get(REVISION).map(String::as_str) == revision
        })
    };
    let present = listed.iter().filter(|wanted| is_there(wanted)).count();
    let status = &set.data["status"];
    is_current(set) && status["pods"] == listed.len() && status["currentPods"] == present
}

pub(crate) fn resource(kind: &str) -> ApiResource {
    let (group, version) = match kind {
        "Deployment" | "StatefulSet" => ("apps", "v1"),
        "NetworkPolicy" | "Ingress" => ("networking.k8s.io", "v1"),
        "Route" => ("route.openshift.io", "v1"),
        "Build" | "BuildConfig" => ("build.openshift.io", "v1"),
        "ImageStream" => ("image.openshift.io", "v1"),
        "TLSRoute" => ("gateway.networking.k8s.io", "v1"),
        "PodDisruptionBudget" => ("policy", "v1"),
        "Role" | "RoleBinding" | "ClusterRole" | "ClusterRoleBinding" => ("rbac.authorization.k8s.io", "v1"),
        "StorageClass" => ("storage.k8s.io", "v1"),
        "Lease" => ("coordination.k8s.io", "v1"),
        "Event" => ("events.k8s.io", "v1"),
        "StrimziPodSet" => ("core.strimzi.io", "v1"),
        "KafkaMirrorMaker" => ("kafka.strimzi.io", "v1beta2"),
        _ if kind.starts_with("Kafka") => ("kafka.strimzi.io", "v1"),
        _ => ("", "v1"),
    };
    let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
    match kind {
        "NetworkPolicy" => "networkpolicies".clone_into(&mut resource.plural),
        "StorageClass" => "storageclasses".clone_into(&mut resource.plural),
        _ => {}
    }
    resource
}

pub(crate) fn condition<'a>(object: &'a DynamicObject, type_: &str, reason: &str) -> Option<&'a Value> {
    let conditions = object.data["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == type_ && condition["reason"] == reason)
}

pub(crate) fn kafka(name: &str) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka", "metadata": {"name": name},
        "spec": {
            "kafka": {
                "version": "4.3.1",
                "listeners": [
                    {"name": "plain", "port": 9092, "type": "internal", "tls": false},
                    {"name": "tls", "port": 9093, "type": "internal", "tls": true, "authentication": {"type": "tls"}},
                ],
                "authorization": {"type": "simple"},
                "config": {"default.replication.factor": 3, "min.insync.replicas": 2},
            },
            "entityOperator": {"topicOperator": {}, "userOperator": {}},
        },
    })
}

pub(crate) fn pool(cluster: &str, name: &str, replicas: i32) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": cluster}},
        "spec": {
            "replicas": replicas, "roles": ["controller", "broker"],
            "storage": {"type": "jbod", "volumes": [
                {"id": 0, "type": "persistent-claim", "size": "2Gi", "kraftMetadata": "shared"},
            ]},
        },
    })
}
