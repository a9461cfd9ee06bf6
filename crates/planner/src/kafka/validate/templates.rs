//! The templates of a Kafka and of its pools.

use std::sync::Arc;

use api::common::pod_template::ContainerTemplate;
use api::common::sections::Sections;
use api::{Kafka, KafkaNodePool};
use kube_core::ResourceExt;

use super::Findings;
use crate::kafka::cluster::Cluster;
use crate::kafka::objects::{entity_operator, kafka_exporter, pod};
use crate::settings::PlanSettings;
use crate::workload::templates::{Taken, TemplateVolumes, check, check_container, check_pod};

/// Path of the template of the Kafka nodes.
const KAFKA: &str = "spec.kafka.template";
/// Path of the template of the exporter.
const EXPORTER: &str = "spec.kafkaExporter.template";
/// Path of the template of the entity operator.
const ENTITY: &str = "spec.entityOperator.template";

/// Checks every template; `cluster` is what the resources mean.
pub(super) fn validate(
    kafka: &Kafka,
    pools: &[Arc<KafkaNodePool>],
    cluster: &Cluster,
    settings: &PlanSettings,
    findings: &mut Findings,
) {
    let spec = &kafka.spec;
    if let Some(template) = &spec.kafka.template {
        check(template, KAFKA, findings);
    }
    if let Some(template) = spec.cruise_control.as_ref().and_then(|section| section.template.as_ref()) {
        check(template, "spec.cruiseControl.template", findings);
    }
    for raw in pools {
        let Some(pool) = cluster.pools.iter().find(|pool| pool.name == raw.name_any()) else { continue };
        let field = format!("KafkaNodePool {} spec.template", pool.name);
        findings.of_node_pools(|findings| {
            if let Some(template) = &raw.spec.template {
                check(template, &field, findings);
            }
            check_pool(kafka, raw, &field, &pod::taken(cluster, pool, settings), findings);
        });
    }
    if let Some(exporter) = &cluster.kafka_exporter {
        let template = &exporter.templates;
        check(template, EXPORTER, findings);
        let taken = kafka_exporter::taken(cluster, exporter, settings);
        let field = format!("{EXPORTER}.pod");
        if let Some(pod) = &template.pod {
            check_pod(pod, &field, &taken, findings);
        }
        let volumes = TemplateVolumes { field, pod: template.pod.as_ref(), hidden: None };
        for (section, container) in template.containers() {
            let field = format!("{EXPORTER}.{section}");
            check_container(container, &field, section, &volumes, &taken, findings);
        }
    }
    let template = spec.entity_operator.as_ref().and_then(|section| section.template.as_ref());
    if let (Some(template), Some(entity)) = (template, &cluster.entity_operator) {
        check(template, ENTITY, findings);
        let taken = entity_operator::taken(cluster, entity, settings);
        let field = format!("{ENTITY}.pod");
        if let Some(pod) = &template.pod {
            check_pod(pod, &field, &taken, findings);
        }
        let volumes = TemplateVolumes { field, pod: template.pod.as_ref(), hidden: None };
        for (section, container) in template.containers() {
            // The section of an operator that is not wanted makes no container.
            if taken.variables.contains_key(section) {
                let field = format!("{ENTITY}.{section}");
                check_container(container, &field, section, &volumes, &taken, findings);
            }
        }
    }
}

/// Checks what holds for the pods of one pool: its own sections, and those of the Kafka resource that it does not have.
fn check_pool(kafka: &Kafka, raw: &KafkaNodePool, field: &str, taken: &Taken, findings: &mut Findings) {
    let shared = kafka.spec.kafka.template.as_ref();
    let own = raw.spec.template.as_ref();
    let shared_pod = shared.and_then(|template| template.pod.as_ref());
    let volumes = match own.and_then(|template| template.pod.as_ref()) {
        Some(pod) => TemplateVolumes { field: format!("{field}.pod"), pod: Some(pod), hidden: shared_pod },
        None => TemplateVolumes { field: format!("{KAFKA}.pod"), pod: shared_pod, hidden: None },
    };
    if let Some(pod) = volumes.pod {
        check_pod(pod, &volumes.field, taken, findings);
    }
    for section in taken.variables.keys() {
        let (container, field) = match container(own, section) {
            Some(container) => (container, format!("{field}.{section}")),
            None => match container(shared, section) {
                Some(container) => (container, format!("{KAFKA}.{section}")),
                None => continue,
            },
        };
        check_container(container, &field, section, &volumes, taken, findings);
    }
}

fn container<'a>(template: Option<&'a impl Sections>, section: &str) -> Option<&'a ContainerTemplate> {
    let mut all = template?.containers().into_iter();
    all.find(|(name, _)| *name == section).map(|(_, container)| container)
}
