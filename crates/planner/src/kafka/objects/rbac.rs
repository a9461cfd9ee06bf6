//! ServiceAccounts and what they may do. Kafka's own pods need no right at all, unless they must read a label of
//! their Kubernetes node.

use api::{labels, names};
use serde_json::{Value, json};

use super::meta::{Object, component_labels, kafka_labels};
use crate::kafka::cluster::{Cluster, EntityOperator};
use objects::DesiredObject;

/// The ClusterRole that lets a pod read the Kubernetes nodes.
const BROKER_CLUSTER_ROLE: &str = "strimzi-kafka-broker";
const RBAC: &str = "rbac.authorization.k8s.io/v1";
const RBAC_GROUP: &str = "rbac.authorization.k8s.io";

/// `<c>-kafka`.
pub fn kafka_service_account(cluster: &Cluster) -> DesiredObject {
    Object::new(cluster, "v1", "ServiceAccount", names::kafka(&cluster.name), kafka_labels(cluster))
        .template(cluster.templates.get("serviceAccount"))
        .build()
}

/// Lets the pods read the Kubernetes nodes, for the rack.
pub fn kafka_cluster_role_binding(cluster: &Cluster) -> DesiredObject {
    let name = names::kafka_init_cluster_role_binding(&cluster.namespace, &cluster.name);
    Object::new(cluster, RBAC, "ClusterRoleBinding", name, kafka_labels(cluster))
        .namespace(None)
        .template(cluster.templates.get("clusterRoleBinding"))
        .set("roleRef", json!({"apiGroup": RBAC_GROUP, "kind": "ClusterRole", "name": BROKER_CLUSTER_ROLE}))
        .set("subjects", json!([subject(cluster, &names::kafka(&cluster.name))]))
        .build()
}

fn subject(cluster: &Cluster, name: &str) -> Value {
    json!({"kind": "ServiceAccount", "name": name, "namespace": cluster.namespace})
}

/// `<c>-entity-operator`.
pub fn entity_operator_service_account(cluster: &Cluster, entity: &EntityOperator) -> DesiredObject {
    let name = names::entity_operator::deployment(&cluster.name);
    let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
    Object::new(cluster, "v1", "ServiceAccount", name, labels)
        .template(entity.templates.get("serviceAccount"))
        .build()
}

/// The Roles of the entity operator, one in each namespace that it works in, each with only what is needed there.
pub fn entity_operator_roles(cluster: &Cluster, entity: &EntityOperator) -> Vec<DesiredObject> {
    let mut namespaces = std::collections::BTreeSet::from([cluster.namespace.clone()]);
    for container in [&entity.topic, &entity.user].into_iter().flatten() {
        namespaces.insert(container.watched_namespace.clone());
    }
    let mut roles = Vec::new();
    for namespace in namespaces {
        let watches = |container: &Option<crate::kafka::cluster::EntityContainer>| {
            container.as_ref().is_some_and(|container| container.watched_namespace == namespace)
        };
        let own = namespace == cluster.namespace;
        let mut rules = rules(cluster, watches(&entity.topic), watches(&entity.user), own, entity);
        if watches(&entity.topic) {
            rules.push(namespace_rule(&namespace));
        }
        let name = names::entity_operator::deployment(&cluster.name);
        let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
        let role = Object::new(cluster, RBAC, "Role", name, labels)
            .template(entity.templates.get("entityOperatorRole"))
            .set("rules", Value::Array(rules))
            .namespace(Some(namespace));
        roles.push(role.build());
    }
    roles
}

/// A topic's finalizer must not hold up its namespace: the topic operator looks whether that is being deleted.
fn namespace_rule(namespace: &str) -> Value {
    json!({"apiGroups": [""], "resources": ["namespaces"], "resourceNames": [namespace], "verbs": ["get"]})
}

fn rules(cluster: &Cluster, topics: bool, users: bool, own: bool, entity: &EntityOperator) -> Vec<Value> {
    let resource = |resources: &[&str], verbs: &[&str]| json!({"apiGroups": ["kafka.strimzi.io"], "resources": resources, "verbs": verbs});
    let mut rules = Vec::new();
    if topics {
        rules.push(resource(&["kafkatopics"], &["get", "list", "watch", "patch"]));
        rules.push(resource(&["kafkatopics/status"], &["update"]));
    }
    if users {
        rules.push(resource(&["kafkausers"], &["list", "watch"]));
        rules.push(resource(&["kafkausers/status"], &["patch"]));
        // The Secrets of users have names of the users' choosing.
        let verbs = ["get", "list", "watch", "create", "patch", "delete"];
        rules.push(json!({"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}));
    }
    if own && entity.topic.is_some() {
        // A topic's finalizer must not outlive the cluster: the topic operator watches the one Kafka resource.
        rules.push(json!({
            "apiGroups": ["kafka.strimzi.io"],
            "resources": ["kafkas"],
            "resourceNames": [cluster.name],
            "verbs": ["get", "list", "watch"],
        }));
    }
    if own && !users {
        // Only the operators' own certificates and the authorities that they trust or sign with.
        let mut secrets = vec![names::cluster_ca_cert_secret(&cluster.name)];
        if entity.topic.is_some() {
            secrets.push(names::entity_operator::topic_operator_certs_secret(&cluster.name));
        }
        if entity.user.is_some() {
            secrets.push(names::entity_operator::user_operator_certs_secret(&cluster.name));
            secrets.push(names::clients_ca_cert_secret(&cluster.name));
            secrets.push(names::clients_ca_key_secret(&cluster.name));
        }
        let verbs = ["get", "list", "watch"];
        rules.push(
            json!({"apiGroups": [""], "resources": ["secrets"], "resourceNames": secrets, "verbs": verbs}),
        );
    }
    rules
}

/// One binding per operator and namespace that it works in.
pub fn entity_operator_role_bindings(cluster: &Cluster, entity: &EntityOperator) -> Vec<DesiredObject> {
    let operators = [
        (
            &entity.topic,
            names::entity_operator::topic_operator(&cluster.name),
            names::entity_operator::topic_operator_role_binding(&cluster.name),
            labels::component::ENTITY_TOPIC_OPERATOR,
            "topicOperatorRoleBinding",
        ),
        (
            &entity.user,
            names::entity_operator::user_operator(&cluster.name),
            names::entity_operator::user_operator_role_binding(&cluster.name),
            labels::component::ENTITY_USER_OPERATOR,
            "userOperatorRoleBinding",
        ),
    ];
    let role = names::entity_operator::deployment(&cluster.name);
    let mut bindings = Vec::new();
    for (container, component, binding, component_type, template) in operators {
        let Some(container) = container else { continue };
        let namespaces = std::collections::BTreeSet::from([&cluster.namespace, &container.watched_namespace]);
        for namespace in namespaces {
            let labels = component_labels(cluster, &component, component_type);
            let object = Object::new(cluster, RBAC, "RoleBinding", binding.clone(), labels)
                .template(entity.templates.get(template))
                .set("roleRef", json!({"apiGroup": RBAC_GROUP, "kind": "Role", "name": role}))
                .set("subjects", json!([subject(cluster, &role)]))
                .namespace(Some(namespace.clone()));
            bindings.push(object.build());
        }
    }
    bindings
}
