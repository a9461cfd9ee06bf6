//! What users' templates may ask for. One mechanism for the templates of all kinds: whatever cannot be taken as it is
//! written is refused with the reason; nothing is dropped.

use std::collections::{BTreeMap, BTreeSet};

use api::agent::container::USERS;
use api::common::pod_template::{ContainerTemplate, PodTemplate};
use api::common::sections::Sections;
use api::common::template::MetadataTemplate;
use api::conditions::reasons;
use api::{env, labels, limits};

use crate::findings::Findings;

/// Sections of objects that every broker has once for each listener, or every node for each volume.
const REPEATED: &[&str] = &["perPodIngress", "perPodRoute", "perPodService", "persistentVolumeClaim"];

/// What the operator itself puts into the pods that a template is for.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    /// Names of its volumes.
    pub volumes: BTreeSet<String>,
    /// Names of its environment variables in each container, by the section of the container's template.
    pub variables: BTreeMap<&'static str, BTreeSet<String>>,
}

/// Where the pods of a template get their volumes from.
#[derive(Debug)]
pub(crate) struct TemplateVolumes<'a> {
    /// Path of the pod template that counts.
    pub field: String,
    /// The pod template that counts.
    pub pod: Option<&'a PodTemplate>,
    /// The pod template of the Kafka resource, where that of a pool hides it.
    pub hidden: Option<&'a PodTemplate>,
}

/// Checks what can be said of a template without knowing the pods that it is for. `field` is its path.
pub(crate) fn check(template: &impl Sections, field: &str, findings: &mut Findings) {
    for (section, metadata) in template.metadata() {
        let field = format!("{field}.{section}.metadata");
        check_metadata(metadata, &field, findings);
        check_length(metadata, section, &field, findings);
    }
    for (section, container) in template.containers() {
        check_variables(container, &format!("{field}.{section}.env"), findings);
        check_mount_paths(container, &format!("{field}.{section}.volumeMounts"), findings);
    }
    if let Some(pod) = template.pod() {
        check_spreading(pod, &format!("{field}.pod.topologySpreadConstraints"), findings);
        check_volume_names(pod, &format!("{field}.pod"), findings);
    }
}

/// Checks a container's template against the pod that it becomes part of. `field` is the path of the container's
/// template, `section` its name.
pub(crate) fn check_container(
    container: &ContainerTemplate,
    field: &str,
    section: &str,
    volumes: &TemplateVolumes<'_>,
    taken: &Taken,
    findings: &mut Findings,
) {
    let nothing = BTreeSet::new();
    let own = taken.variables.get(section).unwrap_or(&nothing);
    for (index, variable) in container.env.iter().flatten().enumerate() {
        if let Some(name) = variable.name.as_ref().filter(|name| own.contains(*name)) {
            findings.problem(
                format!("{field}.env[{index}].name"),
                format!("{name:?} is set by the operator: remove it"),
            );
        }
    }
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let (path, name) = (format!("{field}.volumeMounts[{index}].name"), &mount.name);
        if taken.volumes.contains(name) || has_volume(volumes.pod, name) {
            continue;
        }
        let pod = &volumes.field;
        if has_volume(volumes.hidden, name) {
            findings.problem(
                path,
                format!(
                    "volume {name:?} is hidden by {pod}, which replaces the pod template of the Kafka resource as a whole: \
                     repeat the volume there, or remove the mount"
                ),
            );
        } else {
            findings.problem(
                path,
                format!("there is no volume {name:?}: add it to {pod}.volumes, or remove the mount"),
            );
        }
    }
}

/// Checks that a pod's template does not name a volume of the operator. `field` is its path.
pub(crate) fn check_pod(pod: &PodTemplate, field: &str, taken: &Taken, findings: &mut Findings) {
    for (path, name) in volume_names(pod, field) {
        if let Some(name) = name.filter(|name| taken.volumes.contains(*name)) {
            findings.problem(path, format!("{name:?} is a volume of the operator: choose another name"));
        }
    }
}

fn check_metadata(metadata: &MetadataTemplate, field: &str, findings: &mut Findings) {
    for (key, value) in metadata.labels.iter().flatten() {
        let path = format!("{field}.labels.{key}");
        if labels::is_reserved(key) {
            reserved(path, findings);
        } else if !limits::is_key(key) {
            no_key(path, findings);
        } else if !limits::is_label_value(value) {
            findings.problem(
                path,
                format!(
                    "{value:?} is no value of a label: write at most {} letters, digits, \"-\", \"_\" and \".\", with a letter \
                     or a digit at both ends",
                    limits::LABEL_VALUE
                ),
            );
        } else if labels::is_set_by_operators(key) {
            findings.warn(
                reasons::TEMPLATE_LABEL_IGNORED,
                format!("{path}: {value:?} is not taken, because the operator sets this label: remove it"),
            );
        }
    }
    for key in metadata.annotations.iter().flatten().map(|(key, _)| key) {
        let path = format!("{field}.annotations.{key}");
        if labels::is_reserved(key) {
            reserved(path, findings);
        } else if !limits::is_key(&key.to_ascii_lowercase()) {
            // The API server compares keys of annotations in lower case.
            no_key(path, findings);
        }
    }
}

/// Kubernetes takes no more than some annotations, and what is repeated very often has to be short.
fn check_length(metadata: &MetadataTemplate, section: &str, field: &str, findings: &mut Findings) {
    let repeated = REPEATED.contains(&section);
    for (name, pairs) in [("labels", &metadata.labels), ("annotations", &metadata.annotations)] {
        let bytes: usize = pairs.iter().flatten().map(|(key, value)| key.len() + value.len()).sum();
        let (most, why) = if repeated {
            (limits::REPEATED_METADATA, "because very many objects get them")
        } else {
            (limits::ANNOTATIONS, "as Kubernetes takes no more")
        };
        if bytes > most {
            findings.problem(
                format!("{field}.{name}"),
                format!("has {bytes} bytes, and may have {most}, {why}: write less"),
            );
        }
    }
}

fn reserved(path: String, findings: &mut Findings) {
    findings.problem(
        path,
        format!(
            "is reserved: remove it, keys that start with {} or {} are for the operators alone",
            labels::STRIMZI_DOMAIN,
            labels::KASTELLAN_DOMAIN
        ),
    );
}

fn no_key(path: String, findings: &mut Findings) {
    findings.problem(
        path,
        format!(
            "is no key of a label or an annotation: write at most {} letters, digits, \"-\", \"_\" and \".\", if you like \
             after a DNS name and \"/\"",
            limits::KEY_NAME
        ),
    );
}

/// The API server tells these constraints apart by two of their properties, and takes none without them.
fn check_spreading(pod: &PodTemplate, field: &str, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, constraint) in pod.topology_spread_constraints.iter().flatten().enumerate() {
        let (key, otherwise) = (&constraint.topology_key, &constraint.when_unsatisfiable);
        if key.is_empty() {
            findings.problem(
                format!("{field}[{index}].topologyKey"),
                "is missing: name a label of Kubernetes nodes, for example topology.kubernetes.io/zone",
            );
        } else if !["DoNotSchedule", "ScheduleAnyway"].contains(&otherwise.as_str()) {
            findings.problem(
                format!("{field}[{index}].whenUnsatisfiable"),
                format!("{otherwise:?} is not known: write DoNotSchedule or ScheduleAnyway"),
            );
        } else if !seen.insert((key, otherwise)) {
            findings.problem(
                format!("{field}[{index}]"),
                format!("there is another constraint with {key:?} and {otherwise}: leave one of the two"),
            );
        }
    }
}

fn check_variables(container: &ContainerTemplate, field: &str, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, variable) in container.env.iter().flatten().enumerate() {
        let path = format!("{field}[{index}].name");
        let Some(name) = variable.name.as_deref().filter(|name| !name.is_empty()) else {
            findings.problem(path, "is missing: name the environment variable");
            continue;
        };
        if !name.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'=') {
            findings.problem(
                path,
                format!("{name:?} is no name of an environment variable: write letters, digits and \"_\""),
            );
        } else if env::is_reserved(name) {
            findings.problem(
                path,
                format!(
                    "{name:?} decides which programs the container runs or with whom they talk, so no template may set it: \
                     remove it"
                ),
            );
        } else if !seen.insert(name) {
            findings.problem(path, format!("{name:?} is used twice: leave one of the two"));
        }
    }
}

fn check_mount_paths(container: &ContainerTemplate, field: &str, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (index, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let path = format!("{field}[{index}].mountPath");
        let Some(place) = below_root(&mount.mount_path) else {
            findings.problem(
                path,
                format!(
                    "{:?} is not below {USERS}: mount the volume there, all other folders belong to the operator and \
                     to the image",
                    mount.mount_path
                ),
            );
            continue;
        };
        if !seen.insert(place) {
            findings.problem(
                path,
                format!("{:?} is used twice: give each mount a folder of its own", mount.mount_path),
            );
        }
    }
}

/// Whether a volume of the users' may be mounted there.
pub(crate) fn is_below_root(path: &str) -> bool {
    below_root(path).is_some()
}

/// The folder as a list of names, when it is the users' folder or below.
fn below_root(path: &str) -> Option<Vec<&str>> {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let below = path.starts_with('/') && format!("/{}", parts.first()?) == USERS;
    (below && !parts.contains(&"..") && !path.contains(':')).then_some(parts)
}

fn check_volume_names(pod: &PodTemplate, field: &str, findings: &mut Findings) {
    let mut seen = BTreeSet::new();
    for (path, name) in volume_names(pod, field) {
        let Some(name) = name else {
            findings.problem(path, "is missing: name the volume");
            continue;
        };
        if !limits::is_dns_label(name) {
            findings.problem(
                path,
                format!(
                    "{name:?} is no name of a volume: write at most {} lower-case letters, digits and \"-\"",
                    limits::DNS_LABEL
                ),
            );
        } else if !seen.insert(name) {
            findings.problem(path, format!("{name:?} is used twice: give each volume a name of its own"));
        }
    }
}

/// Names of the volumes that a pod template adds, with the path of each.
fn volume_names<'a>(pod: &'a PodTemplate, field: &str) -> Vec<(String, Option<&'a str>)> {
    let plain = pod.volumes.iter().flatten().map(|volume| volume.name.as_deref());
    let templated = pod.templated_volumes.iter().flatten().map(|volume| volume.name.as_deref());
    let mut all = Vec::new();
    for (index, name) in plain.enumerate() {
        all.push((format!("{field}.volumes[{index}].name"), name));
    }
    for (index, name) in templated.enumerate() {
        all.push((format!("{field}.templatedVolumes[{index}].name"), name));
    }
    all
}

fn has_volume(pod: Option<&PodTemplate>, name: &str) -> bool {
    pod.is_some_and(|pod| volume_names(pod, "").iter().any(|(_, known)| *known == Some(name)))
}
