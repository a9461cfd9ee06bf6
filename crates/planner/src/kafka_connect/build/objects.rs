//! The objects of an image build: the ConfigMap with the Dockerfile, the ServiceAccount, and the pod; or the ConfigMap and the BuildConfig
//! of OpenShift.
//!
//! The pod has no shell and no script of its own, but four containers, one after the other: the operator's image brings the files of
//! plug-ins, Buildah pulls the image that they are added to, builds, and pushes. Only the container that pulls has the credentials for
//! pulling, only the container that pushes has those for pushing, and nothing out of the image that was pulled runs in any of them. The
//! digest of the new image is the termination message of the last container; of a container that fails, Kubernetes keeps the end of its
//! log there.

use std::collections::{BTreeMap, BTreeSet};

use api::common::pod_template::ContainerTemplate;
use api::{annotations, names};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, Container, KeyToPath, Pod, PodSpec, SeccompProfile, SecretVolumeSource,
    SecurityContext, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{DesiredObject, Object, Pairs, add_labels, json};

use super::dockerfile::{ALL, FETCHED, PROGRAM};
use super::{ImageBuild, Way, openshift, reference};
use crate::fingerprint;
use crate::settings::PlanSettings;
use crate::workers::BuildAnnotations;
use crate::workload::templates::Taken;
use crate::workload::{container, pod, rbac, volume};

/// The section of a template with the containers of a build.
pub(crate) const CONTAINER_TEMPLATE: &str = "buildContainer";

/// The container that brings the files of plug-ins.
const FETCH: &str = "fetch";
/// The container that pulls the image that they are added to.
pub(crate) const PULL: &str = "pull";
/// The container that builds. The container that pushes has the name of the pod.
const BUILD: &str = "build";
/// The program, whatever folders the environment names for programs.
const BUILDAH: &str = "/usr/bin/buildah";
/// Buildah runs what a Dockerfile, or an image by its `ONBUILD`, wants to have run with this program, which is not there.
pub(crate) const NO_RUNTIME: &str = "/nothing-runs-in-an-image-build";
/// The user of the container that brings files.
const FETCH_USER: i64 = 1000;
/// Where the Dockerfile is, and the list of files.
const DOCKERFILE_FOLDER: &str = "/dockerfile";
const DOCKERFILE_VOLUME: &str = "dockerfile";
/// The volume with the files of plug-ins.
const FETCHED_VOLUME: &str = "plug-ins";
/// Where Buildah keeps images.
const STORAGE_FOLDER: &str = "/var/lib/containers";
const STORAGE_VOLUME: &str = "storage";
/// Where Buildah puts what it unpacks.
const TMP_FOLDER: &str = "/var/tmp";
const TMP_VOLUME: &str = "tmp";
/// Where the credentials for registries are, each in its own container, and the file with them.
const PUSH_SECRET: &str = "push-secret";
const PULL_SECRET: &str = "pull-secret";
const CREDENTIALS_FILE: &str = "config.json";
/// The variable that names this file.
const CREDENTIALS_VARIABLE: &str = "REGISTRY_AUTH_FILE";
/// Permissions of that file.
const CREDENTIALS_MODE: i32 = 0o440;
/// What Buildah can do as root, all of it within what the pod security level "baseline" allows.
const CAPABILITIES: [&str; 8] =
    ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "SETFCAP", "SETGID", "SETUID", "SYS_CHROOT"];
/// The file whose content becomes the termination message.
const TERMINATION_MESSAGE: &str = "/dev/termination-log";

/// What is remembered from one attempt to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Attempt {
    /// Which one it is, from 1.
    pub number: u32,
    /// Whether it was asked for by annotation.
    pub forced: bool,
}

impl Attempt {
    /// The annotations that remember it.
    fn annotations(self, build: &ImageBuild, settings: &PlanSettings) -> Pairs {
        let mut all = Pairs::from([
            (annotations::BUILD_INPUTS.to_owned(), inputs(build, settings)),
            (annotations::BUILD_ATTEMPT.to_owned(), self.number.to_string()),
        ]);
        if self.forced {
            all.insert(annotations::BUILD_FORCED.to_owned(), "true".to_owned());
        }
        all
    }
}

/// What is there as long as the resource asks for builds. `settled` is the UID of the Build that is over and done with.
pub(crate) fn lasting(
    build: &ImageBuild,
    attempt: Attempt,
    settled: Option<&str>,
    settings: &PlanSettings,
) -> Vec<DesiredObject> {
    let name = names::connect::dockerfile_config_map(&build.owner.name);
    let is_pod = build.way == Way::Buildah;
    let mut data = BTreeMap::from([(names::keys::DOCKERFILE.to_owned(), build.dockerfile.clone())]);
    data.extend(is_pod.then(|| (names::keys::PLUG_INS.to_owned(), build.plug_ins.clone())));
    let annotations = Some(attempt.annotations(build, settings));
    let metadata = ObjectMeta { annotations, ..ObjectMeta::default() };
    let body = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
    let map = Object::new(&build.owner, name, build.labels(), body)
        .maybe_annotation(annotations::BUILD_SETTLED, settled.filter(|_| !is_pod));
    let template = build.templates.build_service_account.as_ref();
    let builder = if is_pod {
        rbac::service_account(&build.owner, build.name(), build.labels(), template)
    } else {
        openshift::config(build, settings)
    };
    vec![map.build(), builder]
}

/// The annotations by which a Build of OpenShift is known.
pub(super) fn annotations(build: &ImageBuild, attempt: Attempt, settings: &PlanSettings) -> Pairs {
    let mut all = attempt.annotations(build, settings);
    all.insert(annotations::CONNECT_BUILD_REVISION.to_owned(), build.revision.clone());
    all
}

/// The pod of a build.
pub(crate) fn pod(build: &ImageBuild, attempt: Attempt, settings: &PlanSettings) -> DesiredObject {
    let template = build.templates.build_pod.as_ref();
    let mut labels = build.labels();
    add_labels(&mut labels, &settings.image_builds.custom_labels);
    let mut object = Object::new(&build.owner, build.name(), labels, body(build, settings))
        .template(template.and_then(|template| template.metadata.as_ref()))
        .annotation(annotations::CONNECT_BUILD_REVISION, &build.revision);
    for (key, value) in attempt.annotations(build, settings) {
        object = object.annotation(&key, value);
    }
    object.build()
}

/// Fingerprint of everything that a build is started with.
pub(crate) fn inputs(build: &ImageBuild, settings: &PlanSettings) -> String {
    let body = match build.way {
        Way::Buildah => json(&body(build, settings)).to_string(),
        Way::OpenShift(_) => json(&openshift::spec(build, settings)).to_string(),
    };
    fingerprint::long(format!("{}\n{}\n{body}", build.revision, build.credentials).as_bytes())
}

/// What the pod has whatever the templates say.
pub(crate) fn taken(build: &ImageBuild, settings: &PlanSettings) -> Taken {
    let containers = [pull(build, settings), push(build, settings)];
    let variables: BTreeSet<String> = containers.iter().flat_map(container::variable_names).collect();
    Taken {
        volumes: volume::names(&volumes(build, settings)),
        variables: BTreeMap::from([(CONTAINER_TEMPLATE, variables)]),
    }
}

fn body(build: &ImageBuild, settings: &PlanSettings) -> Pod {
    let template = build.templates.build_container.as_ref();
    let templated = |mut container: Container| {
        container::apply_template(&mut container, template);
        container
    };
    let mut fetch = fetch(build, settings);
    // It needs no more rights than it has.
    let without_rights = template.map(|all| ContainerTemplate { security_context: None, ..all.clone() });
    container::apply_template(&mut fetch, without_rights.as_ref());
    let before = vec![fetch, templated(pull(build, settings)), templated(make(build, settings))];
    let mut spec = PodSpec {
        service_account_name: Some(build.name()),
        automount_service_account_token: Some(false),
        restart_policy: Some("Never".to_owned()),
        active_deadline_seconds: i64::try_from(settings.image_builds.timeout_seconds).ok(),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        volumes: Some(volumes(build, settings)),
        init_containers: Some(before),
        containers: vec![templated(push(build, settings))],
        ..PodSpec::default()
    };
    pod::apply_template(&mut spec, build.templates.build_pod.as_ref(), &[]);
    if settings.image_builds.user_namespaces {
        // Who administers the nodes wants it for all builds: a template may ask for more safety, and not for less.
        spec.host_users = Some(false);
    }
    Pod { spec: Some(spec), ..Pod::default() }
}

/// Brings the files of plug-ins, as an ordinary user.
fn fetch(build: &ImageBuild, settings: &PlanSettings) -> Container {
    let list = format!("{DOCKERFILE_FOLDER}/{}", names::keys::PLUG_INS);
    let security = SecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(FETCH_USER),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..container::security()
    };
    let made = Container {
        name: FETCH.to_owned(),
        image: Some(settings.operator_image.clone()),
        command: Some(vec![PROGRAM.to_owned(), ALL.to_owned(), list]),
        volume_mounts: Some(vec![dockerfile_mount(), volume::mount(FETCHED_VOLUME, FETCHED)]),
        security_context: Some(security),
        ..Container::default()
    };
    completed(made, build, settings)
}

/// Pulls the image that plug-ins are added to.
fn pull(build: &ImageBuild, settings: &PlanSettings) -> Container {
    let mut arguments = vec!["pull".to_owned()];
    arguments.extend(build.options.pull.iter().cloned());
    arguments.push(reference::with_registry(&build.base));
    let credentials = build.pull_secret.as_ref().map(|_| PULL_SECRET);
    buildah(build, settings, PULL, arguments, credentials)
}

/// Adds the files.
fn make(build: &ImageBuild, settings: &PlanSettings) -> Container {
    let mut arguments = vec![
        "build".to_owned(),
        "--pull=never".to_owned(),
        // What the image has in ONBUILD would run as root here.
        "--isolation=oci".to_owned(),
        format!("--runtime={NO_RUNTIME}"),
        format!("--file={DOCKERFILE_FOLDER}/{}", names::keys::DOCKERFILE),
        format!("--tag={}", build.output),
    ];
    arguments.extend(build.options.build.iter().cloned());
    arguments.push(FETCHED.to_owned());
    let mut made = buildah(build, settings, BUILD, arguments, None);
    let mounts = made.volume_mounts.get_or_insert_default();
    mounts.extend([dockerfile_mount(), volume::read_only(FETCHED_VOLUME, FETCHED)]);
    made
}

/// Pushes the image.
fn push(build: &ImageBuild, settings: &PlanSettings) -> Container {
    let mut arguments = vec!["push".to_owned(), format!("--digestfile={TERMINATION_MESSAGE}")];
    arguments.extend(build.options.push.iter().cloned());
    arguments.extend([build.output.clone(), format!("docker://{}", build.output)]);
    let credentials = build.push_secret.as_ref().map(|_| PUSH_SECRET);
    buildah(build, settings, &build.name(), arguments, credentials)
}

/// A container with Buildah, and with the credentials in the volume of this name.
fn buildah(
    build: &ImageBuild,
    settings: &PlanSettings,
    name: &str,
    arguments: Vec<String>,
    credentials: Option<&str>,
) -> Container {
    // Needs nothing of the Kubernetes node: no file system of its own.
    let mut environment = vec![container::variable("STORAGE_DRIVER", "vfs")];
    let mut mounts =
        vec![volume::mount(STORAGE_VOLUME, STORAGE_FOLDER), volume::mount(TMP_VOLUME, TMP_FOLDER)];
    if let Some(volume) = credentials {
        let file = format!("/{volume}/{CREDENTIALS_FILE}");
        environment.push(container::variable(CREDENTIALS_VARIABLE, file));
        mounts.push(volume::read_only(volume, &format!("/{volume}")));
    }
    let mut command = vec![BUILDAH.to_owned()];
    command.extend(arguments);
    let made = Container {
        name: name.to_owned(),
        image: Some(settings.image_builds.buildah_image.clone()),
        command: Some(command),
        env: Some(environment),
        volume_mounts: Some(mounts),
        security_context: Some(security()),
        ..Container::default()
    };
    completed(made, build, settings)
}

fn completed(made: Container, build: &ImageBuild, settings: &PlanSettings) -> Container {
    let made = Container {
        termination_message_path: Some(TERMINATION_MESSAGE.to_owned()),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        ..made
    };
    container::completed(made, build.resources.as_ref(), &settings.pod_defaults())
}

/// The one exception among all pods: an image has files of many users, and only root can make them. It gets no capability
/// beyond those for files, other users, and a root folder of its own.
fn security() -> SecurityContext {
    let capabilities = Capabilities {
        drop: Some(vec!["ALL".to_owned()]),
        add: Some(CAPABILITIES.iter().map(|&name| name.to_owned()).collect()),
    };
    SecurityContext {
        run_as_user: Some(0),
        run_as_non_root: Some(false),
        allow_privilege_escalation: Some(false),
        capabilities: Some(capabilities),
        ..SecurityContext::default()
    }
}

fn volumes(build: &ImageBuild, settings: &PlanSettings) -> Vec<Volume> {
    let dockerfile = names::connect::dockerfile_config_map(&build.owner.name);
    let most = format!("{}Gi", settings.image_builds.folder_gib);
    let mut all = vec![volume::config_map(DOCKERFILE_VOLUME, &dockerfile)];
    all.extend([FETCHED_VOLUME, STORAGE_VOLUME, TMP_VOLUME].map(|name| volume::empty(name, Some(&most))));
    all.extend(build.pull_secret.as_deref().map(|secret| credentials(PULL_SECRET, secret)));
    all.extend(build.push_secret.as_deref().map(|secret| credentials(PUSH_SECRET, secret)));
    all
}

/// A volume with the credentials for registries in a Secret.
fn credentials(volume: &str, secret: &str) -> Volume {
    let item = KeyToPath {
        key: names::keys::DOCKER_CONFIG.to_owned(),
        path: CREDENTIALS_FILE.to_owned(),
        ..KeyToPath::default()
    };
    let source = SecretVolumeSource {
        secret_name: Some(secret.to_owned()),
        default_mode: Some(CREDENTIALS_MODE),
        items: Some(vec![item]),
        ..SecretVolumeSource::default()
    };
    Volume { name: volume.to_owned(), secret: Some(source), ..Volume::default() }
}

fn dockerfile_mount() -> VolumeMount {
    volume::read_only(DOCKERFILE_VOLUME, DOCKERFILE_FOLDER)
}

/// Annotations that tell which build the pods of a pod set are from.
pub(crate) fn annotations_of(revision: &str, image: &str) -> BuildAnnotations {
    let revision = (annotations::CONNECT_BUILD_REVISION.to_owned(), revision.to_owned());
    let image = (annotations::CONNECT_BUILD_IMAGE.to_owned(), image.to_owned());
    BuildAnnotations { set: Pairs::from([revision.clone(), image]), pod: Pairs::from([revision]) }
}
