//! What a KafkaConnect asks for, and everything that is wrong with it.

use std::collections::BTreeSet;

use api::{KafkaConnect, labels, names};
use kube_core::ResourceExt;
use objects::Owner;

use super::{older, references};
use crate::clients::files::ClientFiles;
use crate::findings::Findings;
use crate::referred::Referred;
use crate::settings::PlanSettings;
use crate::workers::read::{self, Fields, Wishes};
use crate::workers::{Client, ImagePlugIn, WorkerNames, Workers, options};

/// The name of the one Kafka cluster that the workers connect to, in names of files and volumes.
const CLIENT: &str = "client";

/// Judges a resource by itself, as if there were nothing yet. What it refers to (Secrets, ConfigMaps) is taken for given.
pub fn alone(connect: &KafkaConnect, settings: &PlanSettings) -> Findings {
    let mut findings = Findings::default();
    let workers = read(connect, settings, Referred::TakenForGiven, &mut findings);
    findings.settle(workers.is_some());
    findings
}

/// The workers that a resource asks for. What is wrong is a problem in `findings` and a default in the workers; `None`: they cannot
/// be understood.
pub(super) fn read(
    connect: &KafkaConnect,
    settings: &PlanSettings,
    referred: Referred<'_>,
    findings: &mut Findings,
) -> Option<Workers> {
    let spec = &connect.spec;
    let fields = Fields {
        metadata: &connect.metadata,
        version: spec.version.as_deref(),
        replicas: spec.replicas,
        image: spec.image.as_deref(),
        resources: spec.resources.as_ref(),
        liveness_probe: spec.liveness_probe.as_ref(),
        readiness_probe: spec.readiness_probe.as_ref(),
        jvm_options: spec.jvm_options.as_ref(),
        jmx_options: spec.jmx_options.as_ref(),
        logging: spec.logging.as_ref(),
        rack: spec.rack.as_ref(),
        metrics_config: spec.metrics_config.as_ref(),
        tracing: spec.tracing.as_ref(),
        template: spec.template.as_ref(),
        external: spec.external_configuration.as_ref(),
    };
    let mut options = options::read(spec.config.as_ref(), "spec.config", findings);
    let group = older::group(connect, &mut options, findings);
    let access = references::access(connect, findings);
    let files = ClientFiles { name: CLIENT.to_owned(), trusted_key: names::keys::CA_CRT.to_owned() };
    older::say(connect, findings);
    let wishes = Wishes {
        owner: Owner::new::<KafkaConnect>,
        names: WorkerNames::of_connect(&connect.namespace().unwrap_or_default(), &connect.name_any()),
        component_type: labels::component::KAFKA_CONNECT,
        images: (&settings.kafka_connect_images, api::env::KAFKA_CONNECT_IMAGES),
        custom_labels: &settings.custom_kafka_connect_labels,
        clients: vec![Client { access, files }],
        group: (group, "spec"),
        options,
        mirrors: false,
        closed: uses_connector_resources(connect),
        plug_ins: plug_ins(connect, findings),
    };
    read::read(&fields, wishes, (settings, referred), findings)
}

/// Whether KafkaConnector resources rule the connectors.
pub(super) fn uses_connector_resources(connect: &KafkaConnect) -> bool {
    api::annotations::is_true(
        connect.metadata.annotations.as_ref(),
        api::annotations::USE_CONNECTOR_RESOURCES,
    )
}

/// `spec.plugins`.
fn plug_ins(connect: &KafkaConnect, findings: &mut Findings) -> Vec<ImagePlugIn> {
    let mut all = Vec::new();
    let (mut names, mut images) = (BTreeSet::new(), BTreeSet::new());
    for (index, raw) in connect.spec.plugins.iter().flatten().enumerate() {
        let field = format!("spec.plugins[{index}]");
        if !names.insert(&raw.name) {
            findings.problem(
                format!("{field}.name"),
                format!("{:?} is used twice: give each plug-in a name of its own", raw.name),
            );
        }
        for (number, artifact) in raw.artifacts.iter().enumerate() {
            let field = format!("{field}.artifacts[{number}].reference");
            if artifact.reference.trim().is_empty() {
                findings.problem(field, "is missing: name an image");
            } else if !images.insert((&raw.name, &artifact.reference)) {
                findings
                    .problem(field, format!("{:?} is used twice: leave one of the two", artifact.reference));
            } else {
                all.push(ImagePlugIn {
                    name: raw.name.clone(),
                    image: artifact.reference.clone(),
                    pull_policy: artifact.pull_policy.clone(),
                });
            }
        }
    }
    all
}
