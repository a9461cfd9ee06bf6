//! What `spec.build` asks for, and everything that is wrong with it.

use std::collections::{BTreeMap, BTreeSet};

use api::KafkaConnect;
use api::conditions::reasons;
use api::env::own;
use api::kafka_connect::KafkaConnectTemplate;
use api::kafka_connect::build::{Artifact, ArtifactType, Build, BuildOutputType, MavenScope};
use api::names::keys;

use super::dockerfile::{self, Fetch};
use super::reference::{is_image, is_same_repository};
use super::{ImageBuild, Options, Target, Way, objects, openshift, options};
use crate::clients::credentials::Secrets;
use crate::findings::Findings;
use crate::fingerprint;
use crate::settings::PlanSettings;
use crate::workers::Workers;
use crate::workload::templates::{TemplateVolumes, check_container, check_pod};

/// Digits of a SHA-512 sum.
const SUM: usize = 128;
/// The fields with the names of Secrets.
const PUSH_SECRET: &str = "spec.build.output.pushSecret";
const PULL_SECRET: &str = "spec.template.buildConfig.pullSecret";
/// The way of an image that goes into an ImageStream.
const STREAM: Way = Way::OpenShift(Target::ImageStream);
/// Longest address.
const LONGEST_URL: usize = 2048;
/// Longest name of a file.
const LONGEST_NAME: usize = 255;

/// The build that a resource asks for, if it does. `workers` have the image that the plug-ins are added to. What is wrong is a problem
/// in `findings`.
pub(crate) fn read(
    connect: &KafkaConnect,
    workers: &Workers,
    secrets: &Secrets<'_>,
    settings: &PlanSettings,
    findings: &mut Findings,
) -> Option<ImageBuild> {
    let build = connect.spec.build.as_ref()?;
    let way = way(build, settings);
    if way == Way::Buildah && settings.image_builds.buildah_image.is_empty() {
        findings.problem(
            "spec.build",
            "this installation has no image of Buildah, and so builds no images: build the image elsewhere and name it in spec.image, or \
             have the administrator set image.registry or buildah.image of the chart",
        );
        return None;
    }
    if connect.spec.plugins.as_ref().is_some_and(|plugins| !plugins.is_empty()) {
        findings.problem("spec.plugins", "cannot be used together with spec.build: remove one of the two");
    }
    let base = &workers.image;
    if !base.is_empty() && !is_image(base) {
        findings.problem("spec.image", format!("{base:?} is no name of an image that others can be made of"));
    }
    output(build, way, base, &workers.owner.namespace, settings, findings);
    let fetches = fetches(build, findings);
    let output = &build.output;
    let (dockerfile, plug_ins) = (dockerfile::text(base), dockerfile::list(&fetches));
    // A new version of the operator brings the same files: it is no reason to build. Nor is it that OpenShift builds from now on.
    let kind = if way == STREAM { " in an ImageStream" } else { "" };
    let inputs = format!("{dockerfile}{plug_ins}{}{kind}", output.image);
    let dockerfile = match way {
        Way::Buildah => dockerfile,
        Way::OpenShift(_) => openshift::dockerfile(base, &fetches, settings),
    };
    let secret = |name: Option<&String>| name.filter(|name| !name.is_empty()).cloned();
    let push_secret = secret(output.push_secret.as_ref()).filter(|_| way != STREAM);
    let pull_secret = secret(pull_secret(connect));
    let named = [(PUSH_SECRET, &push_secret), (PULL_SECRET, &pull_secret)];
    let credentials = named
        .map(|(field, name)| name.as_deref().map(|name| credentials(field, name, way, secrets, findings)))
        .map(Option::unwrap_or_default);
    let made = ImageBuild {
        owner: workers.owner.clone(),
        way,
        output: output.image.clone(),
        base: base.clone(),
        pull_secret,
        push_secret,
        credentials: credentials.join(" "),
        options: if way == Way::Buildah { options::of(output, findings) } else { Options::default() },
        dockerfile,
        plug_ins,
        revision: fingerprint::long(inputs.as_bytes()),
        resources: build.resources.clone(),
        templates: workers.templates.clone(),
    };
    if way == Way::Buildah {
        templates(&made, settings, findings);
    } else {
        without_effect(connect, build, way, findings);
    }
    Some(made)
}

/// By which means the image is built.
fn way(build: &Build, settings: &PlanSettings) -> Way {
    if !settings.image_builds.openshift.builds {
        return Way::Buildah;
    }
    match build.output.type_ {
        BuildOutputType::Docker => Way::OpenShift(Target::Registry),
        BuildOutputType::ImageStream => STREAM,
    }
}

/// What is for the pod with Buildah alone: OpenShift makes the pods of its Builds itself.
fn without_effect(connect: &KafkaConnect, build: &Build, way: Way, findings: &mut Findings) {
    let template = connect.spec.template.as_ref();
    let output = &build.output;
    let is_any = |options: Option<&Vec<String>>| options.is_some_and(|all| !all.is_empty());
    let of_template = |is_there: fn(&KafkaConnectTemplate) -> bool| template.is_some_and(is_there);
    let fields = [
        ("spec.build.output.additionalBuildOptions", is_any(output.additional_build_options.as_ref())),
        ("spec.build.output.additionalPushOptions", is_any(output.additional_push_options.as_ref())),
        ("spec.template.buildPod", of_template(|all| all.build_pod.is_some())),
        ("spec.template.buildContainer", of_template(|all| all.build_container.is_some())),
        ("spec.template.buildServiceAccount", of_template(|all| all.build_service_account.is_some())),
    ];
    for (field, _) in fields.into_iter().filter(|(_, is_there)| *is_there) {
        let words = format!(
            "{field} has no effect, because OpenShift builds the image in a pod of its own: remove it"
        );
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, words);
    }
    if way == STREAM && output.push_secret.is_some() {
        let words = format!(
            "{PUSH_SECRET} has no effect, because OpenShift pushes into an ImageStream itself: remove it"
        );
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, words);
    }
}

fn output(
    build: &Build,
    way: Way,
    base: &str,
    namespace: &str,
    settings: &PlanSettings,
    findings: &mut Findings,
) {
    let output = &build.output;
    let field = "spec.build.output.image";
    let mut pushed = output.image.clone();
    if output.type_ == BuildOutputType::ImageStream {
        let openshift = settings.image_builds.openshift;
        if !openshift.builds || !openshift.image_streams {
            let missing = if openshift.builds { "image.openshift.io/v1" } else { "build.openshift.io/v1" };
            findings.problem(
                "spec.build.output.type",
                format!(
                    "imagestream needs OpenShift, and the API server had no {missing} when the operator started: write docker, with the \
                     name of an image in a registry in {field}"
                ),
            );
            return;
        }
        if !openshift::is_stream_and_tag(&output.image) {
            findings.problem(
                field,
                format!(
                    "{:?} is no name of an ImageStream of the namespace and its tag: write NAME:TAG, without a registry",
                    output.image
                ),
            );
            return;
        }
        pushed = openshift::inner_name(namespace, &output.image);
    }
    refuse_names(&output.image, &pushed, way, base, settings, findings);
}

/// Refuses an image under whose name nothing may be pushed.
fn refuse_names(
    given: &str,
    pushed: &str,
    way: Way,
    base: &str,
    settings: &PlanSettings,
    findings: &mut Findings,
) {
    let field = "spec.build.output.image";
    let form = if way == STREAM { "NAME:TAG" } else { "REGISTRY/NAME:TAG" };
    if !is_image(pushed) || pushed.contains('@') {
        findings.problem(field, format!("{given:?} is no name that an image can be pushed to: write {form}"));
    } else if pushed == base {
        findings.problem(field, "is the image that plug-ins are added to: write another name or tag here");
    } else if let Some(image) = settings.images().find(|image| is_same_repository(image, pushed)) {
        // Whoever can push there would give the operator, or the clusters of others, another program under a tag that is pulled later.
        findings.problem(
            field,
            format!(
                "{given:?} is in the repository of {image:?}, which this installation runs itself: write another repository, {form}"
            ),
        );
    }
}

/// The Secret with the credentials for the image that a build begins with.
pub(in crate::kafka_connect) fn pull_secret(connect: &KafkaConnect) -> Option<&String> {
    connect.spec.template.as_ref()?.build_config.as_ref()?.pull_secret.as_ref()
}

/// A fingerprint of the credentials for registries: a coarse one, because it stands where more people can read it than the Secret.
fn credentials(field: &str, name: &str, way: Way, secrets: &Secrets<'_>, findings: &mut Findings) -> String {
    if let Some(why) = secrets.not_read.get(name) {
        findings.problem(field, format!("Secret {name:?} is not read: {why}"));
        return String::new();
    }
    let Some(secret) = secrets.read.get(name) else {
        findings.problem(
            field,
            format!("Secret {name:?} does not exist in the namespace: create it, or correct the name"),
        );
        return String::new();
    };
    // OpenShift makes Secrets of the older type for its own registry.
    let keys_read = [keys::DOCKER_CONFIG, keys::OLDER_DOCKER_CONFIG];
    let keys_read = if way == Way::Buildah { &keys_read[..1] } else { &keys_read[..] };
    let content = secret.data.as_ref().and_then(|data| keys_read.iter().find_map(|&key| data.get(key)));
    let Some(content) = content else {
        findings.problem(
            field,
            format!(
                "Secret {name:?} has no key {:?}: make one with \"kubectl create secret docker-registry\"",
                keys::DOCKER_CONFIG
            ),
        );
        return String::new();
    };
    fingerprint::coarse(&content.0)
}

fn fetches(build: &Build, findings: &mut Findings) -> Vec<Fetch> {
    let mut all = Vec::new();
    let (mut names, mut places) = (BTreeSet::new(), BTreeMap::new());
    for (index, plug_in) in build.plugins.iter().enumerate() {
        let field = format!("spec.build.plugins[{index}]");
        if !is_plug_in(&plug_in.name) {
            findings.problem(
                format!("{field}.name"),
                format!(
                    "{:?} is no name of a folder: write lower-case letters, digits, \"-\" and \"_\"",
                    plug_in.name
                ),
            );
            continue;
        }
        if !names.insert(&plug_in.name) {
            findings.problem(
                format!("{field}.name"),
                format!("{:?} is used twice: give each plug-in a name of its own", plug_in.name),
            );
        }
        for (number, artifact) in plug_in.artifacts.iter().enumerate() {
            let field = format!("{field}.artifacts[{number}]");
            let Some(fetch) = fetch(&plug_in.name, artifact, &field, findings) else { continue };
            let place = (fetch.plug_in.clone(), fetch.folder.clone(), artifact.file_name.clone());
            match places.insert(place, field.clone()) {
                None => all.push(fetch),
                Some(before) => {
                    findings.problem(field, format!("is the same as {before}: leave one of the two"));
                }
            }
        }
    }
    all
}

fn is_plug_in(name: &str) -> bool {
    let ends = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let inner = |byte: u8| ends(&byte) || byte == b'-' || byte == b'_';
    (2..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(inner)
        && name.as_bytes().first().is_some_and(ends)
        && name.as_bytes().last().is_some_and(ends)
}

fn fetch(plug_in: &str, artifact: &Artifact, field: &str, findings: &mut Findings) -> Option<Fetch> {
    if artifact.type_ == ArtifactType::Maven {
        return maven(plug_in, artifact, field, findings);
    }
    let url = url(artifact.url.as_deref(), &format!("{field}.url"), findings)?;
    let folder = fingerprint::short(url.as_bytes());
    let mut arguments = Vec::new();
    let command = match artifact.type_ {
        ArtifactType::Tgz => "tgz",
        ArtifactType::Zip => "zip",
        ArtifactType::Jar => {
            arguments.push(("name", format!("{folder}.jar")));
            "file"
        }
        ArtifactType::Other | ArtifactType::Maven => {
            let name = artifact.file_name.as_deref().unwrap_or(&folder);
            if !is_file_name(name) {
                findings.problem(
                    format!("{field}.fileName"),
                    format!("{name:?} is no name of a file in a folder: write one without \"/\" and control characters"),
                );
                return None;
            }
            arguments.push(("name", name.to_owned()));
            "file"
        }
    };
    let is_open = artifact.insecure == Some(true) || url.to_ascii_lowercase().starts_with("http://");
    if is_open && artifact.sha512sum.is_none() {
        findings.warn(
            reasons::UNPROTECTED_DOWNLOAD,
            format!(
                "{field}: whoever is on the way can put another file into the image: name its sha512sum, or an address with https:// \
                 whose certificate is verified"
            ),
        );
    }
    arguments.push(("url", url));
    if let Some(sum) = &artifact.sha512sum {
        if sum.len() != SUM || !sum.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            findings.problem(
                format!("{field}.sha512sum"),
                format!(
                    "{sum:?} is no SHA-512 sum: write its {SUM} hexadecimal digits, as sha512sum prints them"
                ),
            );
            return None;
        }
        arguments.push(("sha512", sum.to_ascii_lowercase()));
    }
    let mut switches = Vec::new();
    if artifact.insecure == Some(true) {
        switches.push("insecure");
    }
    Some(Fetch { command, plug_in: plug_in.to_owned(), folder, arguments, switches })
}

/// Whether a text can name a file in a folder.
fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= LONGEST_NAME
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
        && name != "."
        && name != ".."
}

fn url(url: Option<&str>, field: &str, findings: &mut Findings) -> Option<String> {
    let Some(url) = url.filter(|url| !url.is_empty()) else {
        findings.problem(field, "is missing: write the address of the file");
        return None;
    };
    let lower = url.to_ascii_lowercase();
    let rest = lower.strip_prefix("https://").or_else(|| lower.strip_prefix("http://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let is_graphic = url.bytes().all(|byte| byte.is_ascii_graphic());
    if host.is_none_or(str::is_empty) || !is_graphic || url.len() > LONGEST_URL {
        findings.problem(
            field,
            format!(
                "{url:?} is no address that a file can be loaded from: write one that begins with https://"
            ),
        );
        return None;
    }
    if host.is_some_and(|host| host.contains('@')) {
        findings.problem(
            field,
            "has a user or a password in it, which everybody could read who may read the resource: put the file where it can \
             be had without one",
        );
        return None;
    }
    Some(url.to_owned())
}

fn maven(plug_in: &str, artifact: &Artifact, field: &str, findings: &mut Findings) -> Option<Fetch> {
    let mut arguments = Vec::new();
    let mut is_whole = true;
    for (name, value) in
        [("group", &artifact.group), ("artifact", &artifact.artifact), ("version", &artifact.version)]
    {
        let given = value.as_deref().unwrap_or_default();
        if is_coordinate(given) {
            arguments.push((name, given.to_owned()));
        } else {
            findings.problem(
                format!("{field}.{name}"),
                format!("{given:?} is no part of a Maven coordinate: write letters, digits, \".\", \"-\" and \"_\""),
            );
            is_whole = false;
        }
    }
    let repository = artifact.repository.as_deref().filter(|repository| !repository.is_empty());
    let mut addresses = Vec::new();
    if let Some(given) = repository {
        addresses.push(("repository", given, format!("{field}.repository")));
    }
    for (index, mirror) in artifact.mirrors.iter().flatten().enumerate() {
        addresses.push(("mirror", &mirror.url, format!("{field}.mirrors[{index}].url")));
    }
    for (name, given, field) in addresses {
        match url(Some(given), &field, findings) {
            Some(url) => arguments.push((name, url)),
            None => is_whole = false,
        }
    }
    let scope = artifact.include_scope.unwrap_or(MavenScope::Runtime);
    if matches!(scope, MavenScope::Provided | MavenScope::System) {
        findings.warn(
            reasons::FIELDS_WITHOUT_EFFECT,
            format!(
                "{field}.includeScope: nothing that an artifact brings along has the scope {scope}, so that no file comes: write \
                 runtime, compile or test"
            ),
        );
    }
    arguments.push(("scope", scope.to_string()));
    let coordinate: Vec<&str> = arguments.iter().take(3).map(|(_, value)| value.as_str()).collect();
    let folder = fingerprint::short(coordinate.join("/").as_bytes());
    is_whole.then(|| Fetch {
        command: "maven",
        plug_in: plug_in.to_owned(),
        folder,
        arguments,
        switches: Vec::new(),
    })
}

/// Whether a text can be a part of a Maven coordinate, which becomes a part of an address and of a file name.
fn is_coordinate(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
    (1..=LONGEST_NAME).contains(&text.len())
        && text.bytes().all(inner)
        && !text.starts_with(['.', '-'])
        && !text.contains("..")
}

fn templates(build: &ImageBuild, settings: &PlanSettings, findings: &mut Findings) {
    let (pod, container) = (build.templates.build_pod.as_ref(), build.templates.build_container.as_ref());
    let taken = objects::taken(build, settings);
    let field = "spec.template.buildPod".to_owned();
    if let Some(pod) = pod {
        check_pod(pod, &field, &taken, findings);
        if pod.host_users == Some(true) && settings.image_builds.user_namespaces {
            findings.warn(
                reasons::FIELDS_WITHOUT_EFFECT,
                format!(
                    "{field}.hostUsers: true has no effect: this installation builds in user namespaces ({}); remove the field",
                    own::BUILD_USER_NAMESPACES
                ),
            );
        }
    }
    if let Some(container) = container {
        let volumes = TemplateVolumes { field, pod, hidden: None };
        let section = objects::CONTAINER_TEMPLATE;
        check_container(container, &format!("spec.template.{section}"), section, &volumes, &taken, findings);
    }
}
