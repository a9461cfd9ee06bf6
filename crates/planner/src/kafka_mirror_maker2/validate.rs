//! What a KafkaMirrorMaker2 asks for, and everything that is wrong with it.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::names::mirror_maker2 as names;
use api::{KafkaMirrorMaker2, labels};
use kube_core::ResourceExt;
use objects::Owner;

use super::asked;
use super::connectors::{self, End, MirrorWanted, Surroundings};
use super::form::{self, Form};
use super::group;
use crate::clients::files::ClientFiles;
use crate::findings::Findings;
use crate::referred::Referred;
use crate::settings::PlanSettings;
use crate::workers::properties::Group;
use crate::workers::read::{self, Fields, Wishes};
use crate::workers::{Client, WorkerNames, Workers, options, without_effect};
use crate::{fingerprint, words};

/// The name of the cluster that is mirrored to, in names of files and volumes.
const TARGET: &str = "target";

/// Mirrors that a message names.
const NAMED_MIRRORS: usize = 5;

/// What a resource asks for.
pub(super) struct Asked<'a> {
    /// Its workers.
    pub workers: Workers,
    /// Their connectors.
    pub connectors: Vec<MirrorWanted<'a>>,
}

/// Judges a resource by itself, as if there were nothing yet. What it refers to (Secrets, ConfigMaps) is taken for given.
pub fn alone(resource: &KafkaMirrorMaker2, settings: &PlanSettings) -> Findings {
    let mut findings = Findings::default();
    let asked = read(resource, settings, Referred::TakenForGiven, &mut findings);
    if let Some(asked) = &asked {
        asked::of(resource, &asked.connectors, &mut findings);
    }
    findings.settle(asked.is_some());
    findings
}

/// Reads a resource. What is wrong is a problem in `findings`; `None`: it cannot be understood.
pub(super) fn read<'a>(
    resource: &'a KafkaMirrorMaker2,
    settings: &PlanSettings,
    referred: Referred<'_>,
    findings: &mut Findings,
) -> Option<Asked<'a>> {
    let rack_init_image = resource.spec.client_rack_init_image.is_some();
    without_effect::say(&resource.metadata, rack_init_image, findings);
    let form = form::read(resource, findings)?;
    let section = format!("{}.config", form.target.section);
    let mut target_options = options::read(form.target.config, &section, findings);
    let group = group::of(&form, &mut target_options, findings);
    let target = Client { access: form.target.access(findings), files: target_files() };
    let mut clients = vec![target];
    let mut source_options = Vec::new();
    for pair in &form.mirrors {
        let access = pair.source.access(findings);
        clients.push(Client { access, files: source_files(pair.source.alias) });
        let section = format!("{}.config", pair.source.section);
        source_options.push(options_of_source(pair.source.config, &section, findings));
    }
    let workers = workers(resource, &clients, group, target_options.clone(), (settings, referred), findings)?;
    say_idle(&form, findings);
    let around = Surroundings::from(&workers);
    let target = End { alias: form.target.alias, client: clients.first()?, options: target_options };
    let mut connectors = Vec::new();
    for ((pair, client), options) in form.mirrors.iter().zip(clients.iter().skip(1)).zip(source_options) {
        let source = End { alias: pair.source.alias, client, options };
        connectors.extend(connectors::of(pair, &source, &target, around, findings));
    }
    Some(Asked { workers, connectors })
}

/// Names mirrors that mirror nothing.
fn say_idle(form: &Form<'_>, findings: &mut Findings) {
    let idle: Vec<&str> = form
        .mirrors
        .iter()
        .filter(|pair| pair.connectors().next().is_none())
        .map(|pair| pair.section.as_str())
        .collect();
    if !idle.is_empty() {
        let message = format!(
            "{}: has neither sourceConnector nor checkpointConnector: nothing is mirrored",
            words::first(idle, NAMED_MIRRORS, ", ")
        );
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
    }
}

fn workers(
    resource: &KafkaMirrorMaker2,
    clients: &[Client],
    group: Group,
    options: BTreeMap<String, String>,
    (settings, referred): (&PlanSettings, Referred<'_>),
    findings: &mut Findings,
) -> Option<Workers> {
    let spec = &resource.spec;
    let fields = Fields {
        metadata: &resource.metadata,
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
    let wishes = Wishes {
        owner: Owner::new::<KafkaMirrorMaker2>,
        names: WorkerNames::of_mirror_maker(&resource.namespace().unwrap_or_default(), &resource.name_any()),
        component_type: labels::component::KAFKA_MIRROR_MAKER_2,
        images: (&settings.kafka_mirror_maker2_images, api::env::KAFKA_MIRROR_MAKER_2_IMAGES),
        custom_labels: &settings.custom_kafka_mirror_maker2_labels,
        clients: clients.to_vec(),
        group: (group, "spec.target"),
        options,
        mirrors: true,
        closed: true,
        plug_ins: Vec::new(),
    };
    read::read(&fields, wishes, (settings, referred), findings)
}

fn target_files() -> ClientFiles {
    ClientFiles { name: TARGET.to_owned(), trusted_key: api::names::keys::CA_CRT.to_owned() }
}

/// By the alias, so that another mirror in the resource changes nothing of this one.
fn source_files(alias: &str) -> ClientFiles {
    ClientFiles {
        name: format!("source-{}", fingerprint::short(alias.as_bytes())),
        trusted_key: names::trusted_key(alias),
    }
}

/// Options of the clients of a source: those of workers have no meaning there.
fn options_of_source(
    raw: Option<&api::schema::FreeMap>,
    section: &str,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut options = options::read(raw, section, findings);
    for name in group::OF_WORKERS {
        if options.remove(name).is_some() {
            findings.problem(
                format!("{section}.{name}"),
                "is an option of the workers, which stand beside the target: remove it",
            );
        }
    }
    options
}
