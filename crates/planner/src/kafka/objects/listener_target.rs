//! Names, labels, owner and templates of what leads to a listener: the same for a Service and for the Ingress or route to it.

use api::common::template::{MetadataTemplate, ResourceTemplate};
use api::kafka::template::KafkaClusterTemplate;
use api::names;
use objects::{Object, Owner, Pairs};

use super::meta::{kafka_labels, pool_labels};
use crate::kafka::addresses::broker_service;
use crate::kafka::cluster::{Cluster, Entry, Listener, Node, OwnServices};

/// One Service and what leads to it.
pub(super) struct Target<'a> {
    /// The listener.
    pub listener: &'a Listener,
    /// Whose the objects are.
    pub owner: Owner,
    /// Labels of the objects.
    pub labels: Pairs,
    /// Name of the Service.
    pub service: String,
    /// Name of the Ingress or route.
    pub route: String,
    /// What the resource says of it.
    pub entry: Entry,
    /// `spec.kafka.template`, with that of the pool over it for those of a broker.
    pub templates: &'a KafkaClusterTemplate,
    /// The broker; `None`: it is for the start.
    pub broker: Option<i32>,
}

impl<'a> Target<'a> {
    /// The Service with which clients begin.
    pub(super) fn bootstrap(cluster: &'a Cluster, listener: &'a Listener, services: &OwnServices) -> Self {
        Self {
            listener,
            owner: cluster.owner(),
            labels: kafka_labels(cluster),
            service: names::external_bootstrap_service(&cluster.name, &listener.name),
            route: names::external_bootstrap_route(&cluster.name, &listener.name, i32::from(listener.port)),
            entry: services.bootstrap.clone(),
            templates: &cluster.templates,
            broker: None,
        }
    }

    /// The Service of a broker.
    pub(super) fn broker(
        cluster: &'a Cluster,
        listener: &'a Listener,
        services: &OwnServices,
        node: Node<'a>,
    ) -> Self {
        let service = broker_service(cluster, node, listener);
        Self {
            listener,
            owner: cluster.owner_of_pool(node.pool),
            labels: pool_labels(cluster, node.pool),
            route: service.clone(),
            service,
            entry: services.of_broker(node.id, &cluster.pod_name(node)),
            templates: &node.pool.templates,
            broker: Some(node.id),
        }
    }

    /// An object with the metadata that all objects of the target have.
    pub(super) fn object<K>(&self, name: String, body: K) -> Object<K>
    where
        K: kube_core::Resource<DynamicType = ()> + serde::Serialize,
    {
        let said = MetadataTemplate {
            labels: Some(self.entry.labels.clone()),
            annotations: Some(self.entry.annotations.clone()),
        };
        Object::new(&self.owner, name, self.labels.clone(), body).template(Some(&said))
    }

    /// The template of Services.
    pub(super) fn service_template(&self) -> Option<&MetadataTemplate> {
        metadata(match self.broker {
            None => self.templates.external_bootstrap_service.as_ref(),
            Some(_) => self.templates.per_pod_service.as_ref(),
        })
    }

    /// The template of Ingresses (`ingress`) or routes.
    pub(super) fn route_template(&self, ingress: bool) -> Option<&MetadataTemplate> {
        let templates = self.templates;
        metadata(match (self.broker, ingress) {
            (None, true) => templates.external_bootstrap_ingress.as_ref(),
            (None, false) => templates.external_bootstrap_route.as_ref(),
            (Some(_), true) => templates.per_pod_ingress.as_ref(),
            (Some(_), false) => templates.per_pod_route.as_ref(),
        })
    }
}

fn metadata(template: Option<&ResourceTemplate>) -> Option<&MetadataTemplate> {
    template.and_then(|template| template.metadata.as_ref())
}
