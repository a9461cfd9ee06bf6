//! The components of a Kafka cluster: what has a name of its own in the label `strimzi.io/name`. Whatever is said or done for one
//! component and not for another is a column of this table.

use api::labels::{self, component};
use api::names::{self, cruise_control, entity_operator, kafka_exporter, proxy};
use objects::DesiredObject;

/// A component.
#[derive(Debug)]
pub(super) struct Component {
    /// The value of the label `strimzi.io/component-type` on its objects.
    pub type_: &'static str,
    /// The section of the Kafka resource with the template of its pods; `None`: its pods have no template.
    pub section: Option<&'static str>,
    /// Whether it runs beside Kafka's pods, so that neither these nor calls to Kafka wait for it.
    pub beside: bool,
    /// Whether it works with certificates, so that it waits while an authority is not the cluster's.
    pub needs_authorities: bool,
    /// The name of the Deployment that runs it; `None`: pod sets do.
    deployment: Option<Name>,
    /// Its name, which its NetworkPolicy, PodDisruptionBudget and ServiceAccount have too.
    name: Name,
    /// The names of its other objects in the namespace of the cluster.
    others: &'static [fn(&str) -> String],
}

/// How a component is named.
#[derive(Debug, Clone, Copy)]
enum Name {
    /// After the cluster.
    OfCluster(fn(&str) -> String),
    /// After the cluster and a listener; whether a name is of this form.
    OfListener(fn(&str, &str) -> bool),
}

/// Kafka itself.
pub(super) const KAFKA: Component = Component {
    type_: component::KAFKA,
    section: Some("spec.kafka"),
    beside: false,
    needs_authorities: true,
    deployment: None,
    name: Name::OfCluster(names::kafka),
    others: &[],
};

/// The Deployment with the topic operator and the user operator.
pub(super) const ENTITY_OPERATOR: Component = Component {
    type_: component::ENTITY_OPERATOR,
    section: Some("spec.entityOperator"),
    beside: true,
    needs_authorities: true,
    deployment: Some(Name::OfCluster(entity_operator::deployment)),
    name: Name::OfCluster(entity_operator::deployment),
    others: &[],
};

/// What the topic operator alone uses.
pub(super) const TOPIC_OPERATOR: Component = Component {
    type_: component::ENTITY_TOPIC_OPERATOR,
    name: Name::OfCluster(entity_operator::topic_operator),
    others: &[
        entity_operator::topic_operator_certs_secret,
        entity_operator::topic_operator_config_map,
        entity_operator::topic_operator_cruise_control_secret,
        entity_operator::topic_operator_role_binding,
    ],
    ..ENTITY_OPERATOR
};

/// What the user operator alone uses.
pub(super) const USER_OPERATOR: Component = Component {
    type_: component::ENTITY_USER_OPERATOR,
    name: Name::OfCluster(entity_operator::user_operator),
    others: &[
        entity_operator::user_operator_certs_secret,
        entity_operator::user_operator_config_map,
        entity_operator::user_operator_role_binding,
    ],
    ..ENTITY_OPERATOR
};

/// The exporter of lag and offsets.
pub(super) const KAFKA_EXPORTER: Component = Component {
    type_: component::KAFKA_EXPORTER,
    section: Some("spec.kafkaExporter"),
    beside: true,
    needs_authorities: true,
    deployment: Some(Name::OfCluster(kafka_exporter::deployment)),
    name: Name::OfCluster(kafka_exporter::deployment),
    others: &[kafka_exporter::certs_secret],
};

/// The proxy of each listener with a single address.
pub(super) const PROXY: Component = Component {
    type_: component::KAFKA_PROXY,
    section: None,
    beside: true,
    needs_authorities: false,
    deployment: Some(Name::OfListener(proxy::is_of)),
    name: Name::OfListener(proxy::is_of),
    others: &[],
};

/// All of them.
pub(super) const ALL: [&Component; 6] =
    [&KAFKA, &ENTITY_OPERATOR, &TOPIC_OPERATOR, &USER_OPERATOR, &KAFKA_EXPORTER, &PROXY];

/// Names of the Deployments whose pods connect to the port between brokers, whether they exist or not.
pub(super) fn clients(cluster: &str) -> [String; 3] {
    [
        entity_operator::deployment(cluster),
        kafka_exporter::deployment(cluster),
        cruise_control::deployment(cluster),
    ]
}

/// The component with this name.
pub(super) fn named(cluster: &str, name: &str) -> Option<&'static Component> {
    ALL.into_iter().find(|component| component.name.is(cluster, name))
}

/// The component that the Deployment with this name runs.
pub(super) fn of_deployment(cluster: &str, name: &str) -> Option<&'static Component> {
    let is_run = |component: &&Component| component.deployment.is_some_and(|of| of.is(cluster, name));
    ALL.into_iter().find(is_run)
}

/// The component beside Kafka's pods that an object in the namespace of the cluster belongs to by its name.
pub(super) fn beside(cluster: &str, object: &str) -> Option<&'static Component> {
    let is_of = |component: &&Component| {
        component.name.is(cluster, object) || component.others.iter().any(|name| name(cluster) == object)
    };
    ALL.into_iter().filter(|component| component.beside).find(is_of)
}

/// Whether an object is of a component beside Kafka's pods.
pub(super) fn is_beside(object: &DesiredObject) -> bool {
    let labels = object.object.get("metadata").and_then(|metadata| metadata.get("labels"));
    let type_ = labels.and_then(|labels| labels.get(labels::COMPONENT_TYPE)?.as_str());
    ALL.into_iter().any(|component| component.beside && Some(component.type_) == type_)
}

impl Component {
    /// The name of the Deployment for which its object of this name is made.
    pub(super) fn deployment(&self, cluster: &str, object: &str) -> Option<String> {
        self.deployment.map(|name| match name {
            Name::OfCluster(of) => of(cluster),
            Name::OfListener(_) => object.to_owned(),
        })
    }
}

impl Name {
    fn is(self, cluster: &str, name: &str) -> bool {
        match self {
            Self::OfCluster(of) => of(cluster) == name,
            Self::OfListener(is_of) => is_of(cluster, name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_(component: Option<&Component>) -> Option<&str> {
        component.map(|component| component.type_)
    }

    #[test]
    fn a_component_is_known_by_its_name_and_by_those_of_its_objects() {
        assert_eq!(type_(named("c", "c-kafka")), Some("kafka"));
        assert_eq!(type_(named("c", "c-kafka-ext-proxy")), Some("kafka-proxy"));
        assert_eq!(type_(named("c", "d-kafka")), None);
        assert_eq!(type_(of_deployment("c", "c-entity-operator")), Some("entity-operator"));
        assert_eq!(type_(of_deployment("c", "c-entity-topic-operator")), None, "it has no Deployment");
        assert_eq!(type_(of_deployment("c", "c-kafka")), None);
        let deployment = |object: &str| beside("c", object)?.deployment("c", object);
        assert_eq!(deployment("c-entity-user-operator-certs").as_deref(), Some("c-entity-operator"));
        assert_eq!(deployment("c-kafka-ext-proxy").as_deref(), Some("c-kafka-ext-proxy"));
        for (object, component) in [
            ("c-entity-operator", Some("entity-operator")),
            ("c-entity-topic-operator-config", Some("entity-topic-operator")),
            ("c-entity-user-operator-certs", Some("entity-user-operator")),
            ("c-kafka-exporter-certs", Some("kafka-exporter")),
            ("c-kafka-ext-proxy", Some("kafka-proxy")),
            ("c-kafka", None),
            // A pod of a pool with a name that begins alike.
            ("c-entity-operator-0", None),
            ("c-kafka-exporter-0", None),
        ] {
            assert_eq!(type_(beside("c", object)), component, "{object}");
        }
    }
}
