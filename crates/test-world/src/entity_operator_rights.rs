//! The Roles and RoleBindings that the cluster operator gives to an entity operator.

use std::sync::Arc;

use api::{Kafka, watch_grant};
use jiff::Timestamp;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use planner::kafka::{objects::rbac, observed::Observed, settled::settle};
use planner::settings::PlanSettings;
use serde_json::{Value, json};

/// The Roles and the RoleBindings of a cluster in `home`; `spec` holds the sections of the resource beside `kafka`, and `watched` is the
/// other namespace in which its entity operator is to work. Without their owner, which no test needs.
pub fn generated(cluster: &str, home: &str, watched: &str, spec: &Value) -> (Vec<Value>, Vec<Value>) {
    let mut kafka = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": cluster, "namespace": home, "uid": "u"},
        "spec": spec,
    });
    let plain = json!({"name": "plain", "port": 9092, "type": "internal", "tls": false});
    kafka["spec"]["kafka"] = json!({"listeners": [plain]});
    let kafka: Kafka = typed(kafka);
    let pool = typed(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": "p", "namespace": home, "uid": "p", "labels": {"strimzi.io/cluster": cluster}},
        "spec": {"replicas": 1, "roles": ["controller", "broker"], "storage": {"type": "ephemeral"}},
    }));
    let settings = PlanSettings {
        kafka_images: [("4.3.1".to_owned(), "kafka".to_owned())].into(),
        entity_operator_watched_namespace: true,
        ..PlanSettings::default()
    };
    let grant = [watch_grant::TOPIC_OPERATOR, watch_grant::USER_OPERATOR]
        .map(|operator| (operator.to_owned(), format!("{home}/{cluster}")));
    let observed = Observed {
        kafka: Some(Arc::new(kafka)),
        pools: vec![Arc::new(pool)],
        settings: Arc::new(settings),
        watch_grants: [(watched.to_owned(), grant.into())].into(),
        ..Observed::default()
    };
    let cluster = settle(observed.kafka.as_ref().unwrap(), &observed, Timestamp::UNIX_EPOCH).unwrap().cluster;
    let entity = cluster.entity_operator.clone().unwrap();
    let objects = |desired: Vec<objects::DesiredObject>| {
        let without_owner = |mut object: Value| {
            object["metadata"].as_object_mut().unwrap().remove("ownerReferences");
            object
        };
        desired.into_iter().map(|d| without_owner(d.object)).collect()
    };
    (
        objects(rbac::entity_operator_roles(&cluster, &entity)),
        objects(rbac::entity_operator_role_bindings(&cluster, &entity)),
    )
}

/// Writes Roles and RoleBindings as the cluster operator does.
pub async fn apply(client: &Client, objects: &[Value]) {
    for object in objects {
        let kind = object["kind"].as_str().unwrap();
        let namespace = object["metadata"]["namespace"].as_str().unwrap();
        let name = object["metadata"]["name"].as_str().unwrap();
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind));
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let params = PatchParams::apply("cluster-operator").force();
        api.patch(name, &params, &Patch::Apply(object)).await.unwrap();
    }
}

fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}
