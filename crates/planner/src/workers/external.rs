//! What `spec.externalConfiguration` of an older resource adds to its workers.

use std::collections::BTreeSet;

use api::common::external_configuration::{
    EXTERNAL_CONFIGURATION_FOLDER, EXTERNAL_VOLUME_PREFIX, ExternalConfiguration, ExternalVolume,
};
use api::common::pod_template::ContainerEnvVar;
use api::conditions::reasons;
use api::limits::is_dns_label;
use k8s_openapi::api::core::v1::{EnvVar, Volume, VolumeMount};

use crate::findings::Findings;
use crate::fingerprint;
use crate::text;
use crate::workload::volume;

/// Path of the section.
const FIELD: &str = "spec.externalConfiguration";
/// How names of variables begin that are not for users.
const RESERVED: [&str; 2] = ["KAFKA_", "STRIMZI_"];
/// Longest name of a folder.
const LONGEST: usize = 255;

/// Variables and volumes of workers.
#[derive(Debug, Clone, Default)]
pub(crate) struct External {
    /// The variables.
    pub variables: Vec<EnvVar>,
    /// The volumes and where they are.
    pub volumes: Vec<(Volume, VolumeMount)>,
}

/// Reads the section.
pub(crate) fn read(raw: Option<&ExternalConfiguration>, findings: &mut Findings) -> External {
    let mut external = External::default();
    let Some(raw) = raw else { return external };
    findings.warn(
        reasons::DEPRECATED_FIELDS,
        format!(
            "{FIELD}: v1 does not have it: write its variables into spec.template.connectContainer.env, its volumes into \
             spec.template.pod.volumes and spec.template.connectContainer.volumeMounts, with paths below /mnt"
        ),
    );
    for (index, variable) in raw.env.iter().flatten().enumerate() {
        external.variables.extend(self::variable(variable, &format!("{FIELD}.env[{index}]"), findings));
    }
    let mut names = BTreeSet::new();
    for (index, volume) in raw.volumes.iter().flatten().enumerate() {
        let field = format!("{FIELD}.volumes[{index}]");
        let Some(made) = self::volume(volume, &field, findings) else { continue };
        if names.insert(made.0.name.clone()) {
            external.volumes.push(made);
        } else {
            findings.problem(format!("{field}.name"), "is used twice: give each volume a name of its own");
        }
    }
    external
}

fn variable(raw: &ContainerEnvVar, field: &str, findings: &mut Findings) -> Option<EnvVar> {
    let name = raw.name.as_deref().unwrap_or_default();
    if name.is_empty() {
        findings.problem(format!("{field}.name"), "is missing: write the name of the variable");
        return None;
    }
    text::environment_variable(name, &format!("{field}.name"), findings);
    if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
        findings.warn(
            reasons::FIELDS_WITHOUT_EFFECT,
            format!("{field}: {name:?} has no effect, because names with this beginning are not for users: write another one"),
        );
        return None;
    }
    let source = raw.value_from.as_ref();
    let sources = source.map_or(0, |source| {
        usize::from(source.secret_key_ref.is_some()) + usize::from(source.config_map_key_ref.is_some())
    });
    if sources != 1 || raw.value.is_some() {
        findings.problem(
            format!("{field}.valueFrom"),
            "has to have either secretKeyRef or configMapKeyRef: write one of them, and nothing else",
        );
        return None;
    }
    Some(raw.clone().into())
}

fn volume(raw: &ExternalVolume, field: &str, findings: &mut Findings) -> Option<(Volume, VolumeMount)> {
    let folder = raw.name.as_deref().unwrap_or_default();
    let is_folder = (1..=LONGEST).contains(&folder.len())
        && !folder.contains(['/', '\\', ':', '$'])
        && !folder.chars().any(char::is_control)
        && folder != "."
        && folder != "..";
    if !is_folder {
        findings.problem(
            format!("{field}.name"),
            format!(
                "{:?} is no name of a folder: write lower-case letters, digits and \"-\"",
                text::start(folder)
            ),
        );
        return None;
    }
    if raw.config_map.is_some() == raw.secret.is_some() {
        findings.problem(field, "has to have either secret or configMap: write one of them");
        return None;
    }
    let plain = format!("{EXTERNAL_VOLUME_PREFIX}{}", folder.to_ascii_lowercase().replace(['.', '_'], "-"));
    let name = if is_dns_label(&plain) {
        plain
    } else {
        format!("{EXTERNAL_VOLUME_PREFIX}{}", fingerprint::short(folder.as_bytes()))
    };
    let mount = volume::read_only(&name, &format!("{EXTERNAL_CONFIGURATION_FOLDER}/{folder}"));
    let (config_map, secret) = (raw.config_map.clone(), raw.secret.clone());
    Some((Volume { name, config_map, secret, ..Volume::default() }, mount))
}
