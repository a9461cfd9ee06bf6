//! The objects of an image build: the ConfigMap with the Dockerfile, the ServiceAccount, and the pod.
//!
//! The pod has no shell and no script of its own: Buildah builds in one container and pushes in the next, out of one folder. The digest of
//! the image is the termination message of the second; of a container that fails, Kubernetes keeps the end of its log there.

use std::collections::BTreeMap;

use api::{annotations, names};
use k8s_openapi::api::core::v1::{
    Capabilities, ConfigMap, Container, KeyToPath, Pod, PodSpec, SecretVolumeSource, SecurityContext, Volume,
    VolumeMount,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{DesiredObject, Object, Pairs, add_labels, json};

use super::ImageBuild;
use crate::fingerprint;
use crate::settings::PlanSettings;
use crate::workers::BuildAnnotations;
use crate::workload::templates::Taken;
use crate::workload::{container, pod, rbac, volume};

/// The section of a template with the containers of a build.
pub(crate) const CONTAINER_TEMPLATE: &str = "buildContainer";

/// The container that builds. The one that pushes has the name of the pod.
const BUILD: &str = "build";
/// Where the Dockerfile is: the folder that is built.
const DOCKERFILE_FOLDER: &str = "/dockerfile";
const DOCKERFILE_VOLUME: &str = "dockerfile";
/// Where Buildah keeps images.
const STORAGE_FOLDER: &str = "/var/lib/containers";
const STORAGE_VOLUME: &str = "storage";
/// Where Buildah puts what it unpacks.
const TMP_FOLDER: &str = "/var/tmp";
const TMP_VOLUME: &str = "tmp";
/// Where the credentials for registries are, and the file with them.
const CREDENTIALS_FOLDER: &str = "/push-secret";
const CREDENTIALS_VOLUME: &str = "push-secret";
const CREDENTIALS_FILE: &str = "config.json";
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

/// What is there as long as the resource asks for builds.
pub(crate) fn lasting(build: &ImageBuild, attempt: Attempt, settings: &PlanSettings) -> Vec<DesiredObject> {
    let name = names::connect::dockerfile_config_map(&build.owner.name);
    let data = BTreeMap::from([(names::keys::DOCKERFILE.to_owned(), build.dockerfile.clone())]);
    let annotations = Some(attempt.annotations(build, settings));
    let metadata = ObjectMeta { annotations, ..ObjectMeta::default() };
    let body = ConfigMap { metadata, data: Some(data), ..ConfigMap::default() };
    let template = build.templates.build_service_account.as_ref();
    vec![
        Object::new(&build.owner, name, build.labels(), body).build(),
        rbac::service_account(&build.owner, build.name(), build.labels(), template),
    ]
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
    let pod = json(&body(build, settings)).to_string();
    fingerprint::long(format!("{}\n{}\n{pod}", build.revision, build.credentials).as_bytes())
}

/// What the pod has whatever the templates say.
pub(crate) fn taken(build: &ImageBuild, settings: &PlanSettings) -> Taken {
    let container = own_buildah(build, settings, BUILD, Vec::new());
    Taken {
        volumes: volume::names(&volumes(build)),
        variables: BTreeMap::from([(CONTAINER_TEMPLATE, container::variable_names(&container))]),
    }
}

fn body(build: &ImageBuild, settings: &PlanSettings) -> Pod {
    let template = build.templates.build_pod.as_ref();
    let output = || build.output.clone();
    let mut make = vec![
        "build".to_owned(),
        format!("--file={DOCKERFILE_FOLDER}/{}", names::keys::DOCKERFILE),
        format!("--tag={}", output()),
    ];
    make.extend(build.build_options.iter().cloned());
    make.push(DOCKERFILE_FOLDER.to_owned());
    let mut push = vec!["push".to_owned(), format!("--digestfile={TERMINATION_MESSAGE}")];
    push.extend(build.push_options.iter().cloned());
    push.extend([output(), format!("docker://{}", output())]);
    let mut spec = PodSpec {
        service_account_name: Some(build.name()),
        automount_service_account_token: Some(false),
        restart_policy: Some("Never".to_owned()),
        active_deadline_seconds: i64::try_from(settings.image_builds.timeout_seconds).ok(),
        image_pull_secrets: pod::pull_secrets(&settings.pod_defaults()),
        host_users: settings.image_builds.user_namespaces.then_some(false),
        volumes: Some(volumes(build)),
        init_containers: Some(vec![buildah(build, settings, BUILD, make)]),
        containers: vec![buildah(build, settings, &build.name(), push)],
        ..PodSpec::default()
    };
    pod::apply_template(&mut spec, template, &[]);
    Pod { spec: Some(spec), ..Pod::default() }
}

fn buildah(build: &ImageBuild, settings: &PlanSettings, name: &str, arguments: Vec<String>) -> Container {
    let mut made = own_buildah(build, settings, name, arguments);
    container::apply_template(&mut made, build.templates.build_container.as_ref());
    made
}

/// The container without the user's additions.
fn own_buildah(build: &ImageBuild, settings: &PlanSettings, name: &str, arguments: Vec<String>) -> Container {
    let mut environment = vec![
        // Needs nothing of the Kubernetes node: no file system of its own, no container runtime.
        container::variable("STORAGE_DRIVER", "vfs"),
        container::variable("BUILDAH_ISOLATION", "chroot"),
    ];
    if build.push_secret.is_some() {
        environment.push(container::variable(
            "REGISTRY_AUTH_FILE",
            format!("{CREDENTIALS_FOLDER}/{CREDENTIALS_FILE}"),
        ));
    }
    let mut command = vec!["buildah".to_owned()];
    command.extend(arguments);
    let made = Container {
        name: name.to_owned(),
        image: Some(settings.image_builds.buildah_image.clone()),
        command: Some(command),
        env: Some(environment),
        volume_mounts: Some(mounts(build)),
        termination_message_path: Some(TERMINATION_MESSAGE.to_owned()),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        security_context: Some(security()),
        ..Container::default()
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

fn volumes(build: &ImageBuild) -> Vec<Volume> {
    let dockerfile = names::connect::dockerfile_config_map(&build.owner.name);
    let mut all = vec![
        volume::config_map(DOCKERFILE_VOLUME, &dockerfile),
        volume::empty(STORAGE_VOLUME, None),
        volume::empty(TMP_VOLUME, None),
    ];
    if let Some(secret) = &build.push_secret {
        let item = KeyToPath {
            key: names::keys::DOCKER_CONFIG.to_owned(),
            path: CREDENTIALS_FILE.to_owned(),
            ..KeyToPath::default()
        };
        let source = SecretVolumeSource {
            secret_name: Some(secret.clone()),
            default_mode: Some(CREDENTIALS_MODE),
            items: Some(vec![item]),
            ..SecretVolumeSource::default()
        };
        all.push(Volume { name: CREDENTIALS_VOLUME.to_owned(), secret: Some(source), ..Volume::default() });
    }
    all
}

fn mounts(build: &ImageBuild) -> Vec<VolumeMount> {
    let mut all = vec![
        volume::read_only(DOCKERFILE_VOLUME, DOCKERFILE_FOLDER),
        volume::mount(STORAGE_VOLUME, STORAGE_FOLDER),
        volume::mount(TMP_VOLUME, TMP_FOLDER),
    ];
    all.extend(build.push_secret.as_ref().map(|_| volume::read_only(CREDENTIALS_VOLUME, CREDENTIALS_FOLDER)));
    all
}

/// Annotations that tell which build the pods of a pod set are from.
pub(crate) fn annotations_of(revision: &str, image: &str) -> BuildAnnotations {
    let revision = (annotations::CONNECT_BUILD_REVISION.to_owned(), revision.to_owned());
    let image = (annotations::CONNECT_BUILD_IMAGE.to_owned(), image.to_owned());
    BuildAnnotations { set: Pairs::from([revision.clone(), image]), pod: Pairs::from([revision]) }
}
