//! A namespace in an API server, a broker, a worker, and the cluster operator.

use api::KafkaConnector;
use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use test_support::kafka::connect::TEST_CLASS;
use test_support::{ConnectWorker, KafkaNode, KafkaOptions};
use test_world::conditions;

/// The operator under test.
type ClusterOperator = crate::operator::ClusterOperator<KafkaConnector>;

/// The cluster of every connector.
pub(crate) const CLUSTER: &str = "c";

pub(crate) struct World {
    pub common: test_world::World<ClusterOperator>,
    pub worker: ConnectWorker,
    _kafka: KafkaNode,
}

impl World {
    /// With a worker of its own and a KafkaConnect resource for it.
    pub(crate) async fn start() -> Self {
        let settings =
            KafkaOptions { tls: false, authorizer: false, heap_mb: 320, ..KafkaOptions::default() };
        let kafka = KafkaNode::start(settings).await.unwrap();
        let worker = ConnectWorker::start(&kafka, "connect").await.unwrap();
        let mut common = test_world::World::new(test_world::shared_server().await, "connectors").await;
        common.set("KASTELLAN_OPERATOR_IMAGE", "kastellan/operator:test");
        common.set("STRIMZI_LEADER_ELECTION_ENABLED", "false");
        common.set("KASTELLAN_CONNECT_ADDRESSES", &format!("*={}", worker.address()));
        common.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000");
        let world = Self { common, worker, _kafka: kafka };
        world
            .apply(&json!({
                "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect",
                "metadata": {"name": CLUSTER, "annotations": {"strimzi.io/use-connector-resources": "true"}},
                "spec": {"replicas": 1, "bootstrapServers": "k:9092", "groupId": "connect", "configStorageTopic": "c",
                    "statusStorageTopic": "s", "offsetStorageTopic": "o"},
            }))
            .await;
        world
    }

    pub(crate) async fn apply(&self, object: &Value) {
        let (kind, name) = (object["kind"].as_str().unwrap(), object["metadata"]["name"].as_str().unwrap());
        let (group, version) = object["apiVersion"].as_str().unwrap().split_once('/').unwrap_or(("", "v1"));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> =
            Api::namespaced_with(self.common.client.clone(), &self.common.namespace, &resource);
        api.patch(name, &PatchParams::apply("user").force(), &Patch::Apply(object)).await.unwrap();
    }

    /// Applies a connector of the tests' own class, unless the fields say another one.
    pub(crate) async fn connector(&self, name: &str, spec: &Value) {
        let mut whole = json!({"class": TEST_CLASS, "tasksMax": 1, "config": {}});
        for (field, value) in spec.as_object().unwrap() {
            whole[field] = value.clone();
        }
        self.apply(&json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector", "spec": whole,
            "metadata": {"name": name, "labels": {"strimzi.io/cluster": CLUSTER}},
        }))
        .await;
    }

    /// Waits until a connector, as it is now, is ready and Connect has it in this state.
    pub(crate) async fn ready_as(&self, name: &str, state: &str) -> KafkaConnector {
        let met = |connector: &KafkaConnector| {
            conditions::is_current(connector)
                && conditions::is_ready(connector)
                && self::state(connector) == state
        };
        self.common.until(name, &format!("is ready and {state}"), met).await
    }

    /// Waits until a connector, as it is now, is not ready for a reason; the message.
    pub(crate) async fn refused(&self, name: &str, reason: &str) -> String {
        self.common.refused_for(name, |given| given == reason).await.1
    }
}

/// What Connect says that the connector does.
pub(crate) fn state(connector: &KafkaConnector) -> String {
    let status = connector.status.as_ref().and_then(|status| status.connector_status.as_ref());
    let state =
        status.and_then(|status| status.get("connector")?.get("state")?.as_str().map(ToOwned::to_owned));
    state.unwrap_or_default()
}
