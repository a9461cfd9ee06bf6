//! A build by the means of OpenShift: the BuildConfig with a Dockerfile in it, of which OpenShift starts Builds when it is asked to.
//!
//! A Build is OpenShift's own pod, which knows a Dockerfile and nothing else of ours. So the files of plug-ins are brought in a first stage,
//! by the same program out of the operator's image as in a pod with Buildah, and the image that they are added to needs no tool here
//! either.

use api::annotations;
use api::connect::PLUG_INS_FOLDER;
use api::openshift::builds::{
    self, BuildConfig, BuildConfigSpec, BuildOutput, BuildSource, BuildStrategy, BuildTarget, DockerStrategy,
};
use k8s_openapi::api::core::v1::{LocalObjectReference, ResourceRequirements};
use kube_core::Resource;
use objects::{DesiredObject, Object, ObjectId, add_labels};

use super::dockerfile::{FETCHED, Fetch, PROGRAM, words};
use super::reference::{is_same_repository, with_registry};
use super::{ImageBuild, Target, Way};
use crate::settings::PlanSettings;

/// The stage in which the files of plug-ins are brought.
const STAGE: &str = "plug-ins";
/// How many Builds of each outcome OpenShift keeps, with their logs.
const HISTORY: i32 = 5;
/// The registry inside of OpenShift, in which ImageStreams have their images.
const INNER_REGISTRY: &str = "image-registry.openshift-image-registry.svc:5000";

/// The Dockerfile.
pub(super) fn dockerfile(base: &str, fetches: &[Fetch], settings: &PlanSettings) -> String {
    let mut lines = vec![
        format!("FROM {} AS {STAGE}", with_registry(&settings.operator_image)),
        // The user of that image may not write there.
        "USER 0:0".to_owned(),
        format!("WORKDIR {FETCHED}"),
    ];
    lines.extend(fetches.iter().map(|fetch| {
        let mut command = vec![PROGRAM.to_owned()];
        command.extend(words(fetch));
        // In this form neither a shell nor a variable comes in; and no "<<" begins a text of several lines.
        format!("RUN {}", serde_json::Value::from(command).to_string().replace('<', "\\u003c"))
    }));
    lines.push(format!("FROM {}", with_registry(base)));
    lines.push(format!("COPY --from={STAGE} {FETCHED}/ {PLUG_INS_FOLDER}/"));
    lines.join("\n") + "\n"
}

/// The BuildConfig.
pub(super) fn config(build: &ImageBuild, settings: &PlanSettings) -> DesiredObject {
    let mut labels = build.labels();
    add_labels(&mut labels, &settings.image_builds.custom_labels);
    let body = BuildConfig { status: None, ..BuildConfig::new(&build.name(), spec(build, settings)) };
    let template = build.templates.build_config.as_ref();
    let template = template.and_then(|template| template.metadata.as_ref());
    Object::new(&build.owner, build.name(), labels, body).template(template).build()
}

/// What Builds are made of.
pub(super) fn spec(build: &ImageBuild, settings: &PlanSettings) -> BuildConfigSpec {
    let secret = |name: Option<&String>| name.map(|name| LocalObjectReference { name: name.clone() });
    let kind = match build.way {
        Way::OpenShift(Target::ImageStream) => "ImageStreamTag",
        Way::OpenShift(Target::Registry) | Way::Buildah => "DockerImage",
    };
    let docker_strategy = DockerStrategy { pull_secret: secret(build.pull_secret.as_ref()) };
    let is_given = |resources: &ResourceRequirements| *resources != ResourceRequirements::default();
    BuildConfigSpec {
        source: BuildSource { type_: "Dockerfile".to_owned(), dockerfile: build.dockerfile.clone() },
        strategy: BuildStrategy { type_: "Docker".to_owned(), docker_strategy },
        output: BuildOutput {
            to: BuildTarget { kind: kind.to_owned(), name: build.output.clone() },
            push_secret: secret(build.push_secret.as_ref()),
        },
        resources: build.resources.clone().filter(is_given),
        run_policy: "Serial".to_owned(),
        completion_deadline_seconds: i64::try_from(settings.image_builds.timeout_seconds).ok(),
        successful_builds_history_limit: Some(HISTORY),
        failed_builds_history_limit: Some(HISTORY),
    }
}

/// The name of a Build of a BuildConfig.
pub(super) fn build_name(build_config: &str, number: i64) -> String {
    format!("{build_config}-{number}")
}

/// Which Build of its BuildConfig it is.
pub(super) fn number(build: &builds::Build) -> i64 {
    let annotation = build.metadata.annotations.as_ref().and_then(|all| all.get(builds::BUILD_NUMBER));
    let name = || build.metadata.name.as_deref()?.rsplit_once('-').map(|(_, number)| number);
    annotation.map(String::as_str).or_else(name).and_then(|text| text.parse().ok()).unwrap_or(0)
}

/// Whether an operator asked for the Build: others may start some too.
pub(super) fn is_asked_for(build: &builds::Build) -> bool {
    build.metadata.annotations.as_ref().is_some_and(|all| all.contains_key(annotations::BUILD_INPUTS))
}

/// Names a Build.
pub(super) fn build_id(namespace: &str, name: &str) -> ObjectId {
    id::<builds::Build>(namespace, name)
}

/// Names the BuildConfig.
pub(super) fn config_id(build: &ImageBuild) -> ObjectId {
    id::<BuildConfig>(&build.owner.namespace, &build.name())
}

fn id<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> ObjectId {
    ObjectId {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        namespace: Some(namespace.to_owned()),
        name: name.to_owned(),
    }
}

/// Names the ImageStream that the image goes into; `None`: it goes into none.
pub(super) fn image_stream(build: &ImageBuild) -> Option<ObjectId> {
    let (name, _) =
        build.output.split_once(':').filter(|_| build.way == Way::OpenShift(Target::ImageStream))?;
    Some(ObjectId {
        api_version: format!("{}/{}", builds::IMAGE_GROUP, builds::VERSION),
        kind: "ImageStream".to_owned(),
        namespace: Some(build.owner.namespace.clone()),
        name: name.to_owned(),
    })
}

/// Under which name the image of an ImageStream is pulled.
pub(super) fn inner_name(namespace: &str, stream_and_tag: &str) -> String {
    format!("{INNER_REGISTRY}/{namespace}/{stream_and_tag}")
}

/// Whether an image lies where that of a build is to go. Its tag says nothing: workers get the image by its digest.
pub(super) fn is_output(build: &ImageBuild, image: &str) -> bool {
    if build.way != Way::OpenShift(Target::ImageStream) {
        return is_same_repository(image, &build.output);
    }
    // An administrator may have given the registry inside of OpenShift another name: a Service is it in any case.
    let is_service = |host: &str| host.split(':').next().is_some_and(|name| name.ends_with(".svc"));
    let wanted = format!("{}/{}", build.owner.namespace, build.output);
    image.split_once('/').is_some_and(|(host, path)| is_service(host) && is_same_repository(path, &wanted))
}

/// Whether a text can be the name of an ImageStream and its tag.
pub(super) fn is_stream_and_tag(text: &str) -> bool {
    let is_name = |name: &str| {
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-_".contains(&byte);
        let ends =
            |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        let bytes = name.as_bytes();
        bytes.len() <= 253 && name.bytes().all(inner) && ends(bytes.first()) && ends(bytes.last())
    };
    let is_tag = |tag: &str| {
        let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        (1..=128).contains(&tag.len()) && tag.bytes().all(inner) && !tag.starts_with(['.', '-'])
    };
    text.split_once(':').is_some_and(|(name, tag)| is_name(name) && is_tag(tag))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_stream_is_named_with_its_tag_and_without_a_registry() {
        for good in ["pipes:latest", "a.b-c_d:1.0_X"] {
            assert!(is_stream_and_tag(good), "{good}");
        }
        for bad in
            ["pipes", "pipes:", ":1", "r.example/pipes:1", "r:5000/a:1", "Pipes:1", "a:b:c", "a:-1", "-a:1"]
        {
            assert!(!is_stream_and_tag(bad), "{bad}");
        }
    }

    #[test]
    fn no_word_of_a_command_is_read_as_anything_else() {
        let fetch = Fetch {
            command: "file",
            plug_in: "files".to_owned(),
            folder: "0a".to_owned(),
            arguments: vec![("name", "$HOME <<EOF \\ \"x\".jar".to_owned())],
            switches: vec!["insecure"],
        };
        let settings =
            PlanSettings { operator_image: "r.example/operator:1".to_owned(), ..PlanSettings::default() };
        let text = dockerfile("kafka:4", &[fetch], &settings);
        let line = text.lines().find(|line| line.starts_with("RUN ")).unwrap();
        assert!(!line.contains('<') && !line.ends_with('\\'), "{line}");
        let words: Vec<String> = serde_json::from_str(line.strip_prefix("RUN ").unwrap()).unwrap();
        let name = "--name=$HOME <<EOF \\ \"x\".jar";
        assert_eq!(words, ["/plug-in-fetcher", "file", "--to=/plug-ins/files/0a", name, "--insecure"]);
    }
}
