//! ServiceAccounts and what they may do. Kafka's own pods need no right at all, unless they must read a label of
//! their Kubernetes node.

use std::collections::BTreeSet;

use api::{cert_manager, labels, names};
use k8s_openapi::api::rbac::v1::{ClusterRoleBinding, PolicyRule, Role, RoleBinding, Subject};
use objects::{DesiredObject, Object};

use super::meta::{component_labels, kafka_labels};
use crate::kafka::cluster::{Cluster, EntityContainer, EntityOperator};
use crate::workload::rbac::{self, only, role_ref, rule};

/// `<c>-kafka`.
pub fn kafka_service_account(cluster: &Cluster) -> DesiredObject {
    let template = cluster.templates.service_account.as_ref();
    rbac::service_account(&cluster.owner(), names::kafka(&cluster.name), kafka_labels(cluster), template)
}

fn subject(cluster: &Cluster, account: String) -> Subject {
    rbac::subject(&cluster.namespace, account)
}

/// Lets the pods read the Kubernetes nodes, for the rack.
pub fn kafka_cluster_role_binding(cluster: &Cluster) -> DesiredObject {
    let name = names::kafka_init_cluster_role_binding(&cluster.namespace, &cluster.name);
    let template = cluster.templates.cluster_role_binding.as_ref();
    let body = ClusterRoleBinding {
        role_ref: role_ref("ClusterRole", names::BROKER_CLUSTER_ROLE),
        subjects: Some(vec![subject(cluster, names::kafka(&cluster.name))]),
        ..ClusterRoleBinding::default()
    };
    Object::new(&cluster.owner(), name, kafka_labels(cluster), body)
        .namespace(None)
        .template(template.and_then(|template| template.metadata.as_ref()))
        .build()
}

/// The Roles of the entity operator, one in each namespace that it works in, each with only what is needed there.
pub fn entity_operator_roles(cluster: &Cluster, entity: &EntityOperator) -> Vec<DesiredObject> {
    let mut namespaces = BTreeSet::from([cluster.namespace.clone()]);
    for container in [&entity.topic, &entity.user].into_iter().flatten() {
        namespaces.insert(container.watched_namespace.clone());
    }
    let template = entity.templates.entity_operator_role.as_ref();
    let mut roles = Vec::new();
    for namespace in namespaces {
        let watches = |container: &Option<EntityContainer>| {
            container.as_ref().is_some_and(|container| container.watched_namespace == namespace)
        };
        let own = namespace == cluster.namespace;
        let mut rules = rules(cluster, watches(&entity.topic), watches(&entity.user), own, entity);
        if watches(&entity.topic) {
            rules.push(namespace_rule(&namespace));
        }
        let name = names::entity_operator::deployment(&cluster.name);
        let labels = component_labels(cluster, &name, labels::component::ENTITY_OPERATOR);
        let name = name_in(cluster, &namespace, name);
        let role =
            Object::new(&cluster.owner(), name, labels, Role { rules: Some(rules), ..Role::default() })
                .template(template.and_then(|template| template.metadata.as_ref()))
                .namespace(Some(namespace));
        roles.push(role.build());
    }
    roles
}

/// The name of a Role or RoleBinding of the entity operator in a namespace.
fn name_in(cluster: &Cluster, namespace: &str, own: String) -> String {
    if *namespace == cluster.namespace {
        own
    } else {
        names::entity_operator::elsewhere(&cluster.namespace, &own)
    }
}

/// A topic's finalizer must not hold up its namespace: the topic operator looks whether that is being deleted.
fn namespace_rule(namespace: &str) -> PolicyRule {
    only(&[namespace.to_owned()], rule("", "namespaces", &["get"]))
}

fn rules(
    cluster: &Cluster,
    topics: bool,
    users: bool,
    own: bool,
    entity: &EntityOperator,
) -> Vec<PolicyRule> {
    let mut rules = Vec::new();
    if topics {
        rules.push(rule(api::GROUP, "kafkatopics", &["get", "list", "watch", "patch"]));
        rules.push(rule(api::GROUP, "kafkatopics/status", &["update"]));
    }
    if users {
        rules.push(rule(api::GROUP, "kafkausers", &["list", "watch"]));
        rules.push(rule(api::GROUP, "kafkausers/status", &["patch"]));
        // The Secrets of users have names of the users' choosing.
        rules.push(rule("", "secrets", &["get", "list", "watch", "create", "patch", "delete"]));
        if cluster.clients_ca.issuer.is_some() {
            rules.push(rule(
                cert_manager::GROUP,
                "certificates",
                &["list", "watch", "create", "patch", "delete"],
            ));
        }
    }
    if own && entity.topic.is_some() {
        // A topic's finalizer must not outlive the cluster: the topic operator watches the one Kafka resource.
        rules.push(only(
            std::slice::from_ref(&cluster.name),
            rule(api::GROUP, "kafkas", &["get", "list", "watch"]),
        ));
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
        rules.push(only(&secrets, rule("", "secrets", &["get", "list", "watch"])));
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
            &entity.templates.topic_operator_role_binding,
        ),
        (
            &entity.user,
            names::entity_operator::user_operator(&cluster.name),
            names::entity_operator::user_operator_role_binding(&cluster.name),
            labels::component::ENTITY_USER_OPERATOR,
            &entity.templates.user_operator_role_binding,
        ),
    ];
    let mut bindings = Vec::new();
    for (container, component, binding, component_type, template) in operators {
        let Some(container) = container else { continue };
        let namespaces = BTreeSet::from([&cluster.namespace, &container.watched_namespace]);
        for namespace in namespaces {
            let labels = component_labels(cluster, &component, component_type);
            let account = names::entity_operator::deployment(&cluster.name);
            let body = RoleBinding {
                role_ref: role_ref("Role", &name_in(cluster, namespace, account.clone())),
                subjects: Some(vec![subject(cluster, account)]),
                ..RoleBinding::default()
            };
            let name = name_in(cluster, namespace, binding.clone());
            let object = Object::new(&cluster.owner(), name, labels, body)
                .template(template.as_ref().and_then(|template| template.metadata.as_ref()))
                .namespace(Some(namespace.clone()));
            bindings.push(object.build());
        }
    }
    bindings
}
