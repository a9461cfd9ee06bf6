//! What the pod of an image build, or OpenShift's Build, says of how far it is.

use api::openshift::builds::Build;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};

use super::objects::{NO_RUNTIME, PULL};
use super::reference::{by_digest, is_digest, is_image};
use super::{ImageBuild, openshift};
use crate::pod_words::words;
use crate::words::shortened;

/// Lines of a failed build that are passed on, and their characters.
const LAST_LINES: usize = 8;
const LONGEST_WORDS: usize = 1000;

/// How much longer than it may take a build goes on for whoever is not told of its end.
const UNENDED: SignedDuration = SignedDuration::from_mins(1);

/// What Buildah says where it may not make the user namespace in which it works without being root outside.
const NO_USER_NAMESPACE: &str = "CLONE_NEWUSER";
const USER_NAMESPACE_HINT: &str = " (the seccomp profile of the Kubernetes node, or its kernel, keeps pods from making user \
                                   namespaces, which Buildah needs: name another seccompProfile in \
                                   spec.template.buildContainer.securityContext, or other nodes in spec.template.buildPod.affinity)";

/// What is said of an image that wants something to be run in each build that begins with it.
const ON_BUILD_HINT: &str = " (the image that the build begins with has ONBUILD RUN, and nothing of it runs in a build: name another image in \
                             spec.image, or build the image elsewhere)";

/// What registries say to who has no credentials for an image.
const REFUSALS: [&str; 4] =
    ["unauthorized", "authentication required", "access denied", "access to the resource is denied"];
const PULL_HINT: &str = " (spec.template.buildConfig.pullSecret names the Secret with the credentials for pulling the image that the build \
                         begins with; that of spec.build.output.pushSecret is for pushing alone)";

/// How far a build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It runs, or has not begun; with what the pod says about why.
    Runs(Option<String>),
    /// The image is in its registry.
    Done {
        /// Its name with its digest.
        image: String,
    },
    /// It failed.
    Failed {
        /// Why, with the last lines of its log.
        why: String,
        /// When.
        at: Option<Timestamp>,
    },
}

/// Reads the pod, which pushes to this name. A pod that no Kubernetes node takes never begins, and so never ends: after `patience` that is a failure too.
pub(crate) fn of(pod: &Pod, output: &str, patience: SignedDuration, now: Timestamp) -> Outcome {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or("Pending");
    match phase {
        "Succeeded" => succeeded(pod, output),
        "Failed" => {
            let reason = status.and_then(|status| status.reason.as_deref());
            let message = status.and_then(|status| status.message.as_deref());
            let own = match (reason, message) {
                (Some("DeadlineExceeded"), _) => {
                    Some(format!("it took longer than {} s", patience.as_secs()))
                }
                (Some(reason), Some(message)) => Some(format!("{reason}: {message}")),
                (Some(text), None) | (None, Some(text)) => Some(text.to_owned()),
                (None, None) => None,
            };
            let ended = ended(pod).find(|(_, ended)| ended.exit_code != 0);
            let container = ended.map(|(name, ended)| words_of(name, ended));
            let both: Vec<String> = own.into_iter().chain(container).collect();
            let why = if both.is_empty() {
                "the pod failed and says no reason".to_owned()
            } else {
                both.join("; ")
            };
            Outcome::Failed { why, at: last_end(pod) }
        }
        _ => {
            let created = pod.metadata.creation_timestamp.as_ref().map(|time| time.0);
            let began = status.and_then(|status| status.start_time.as_ref()).map(|time| time.0);
            let words = words(pod);
            match created {
                Some(created) if began.is_none() && now.duration_since(created) > patience => {
                    let why = words.unwrap_or_else(|| "no reason is known".to_owned());
                    Outcome::Failed { why: format!("the pod did not start: {why}"), at: None }
                }
                // Its machine ends it, and may be away.
                _ if began.is_some_and(|began| now.duration_since(began) > patience + UNENDED) => {
                    let seconds = patience.as_secs();
                    let why = format!(
                        "it took longer than {seconds} s, and the machine of the pod does not say that it ended"
                    );
                    Outcome::Failed { why, at: None }
                }
                _ => Outcome::Runs(words),
            }
        }
    }
}

fn succeeded(pod: &Pod, output: &str) -> Outcome {
    let mut messages = ended(pod).filter_map(|(_, ended)| ended.message.as_deref().map(str::trim));
    match messages.find(|message| is_digest(message)) {
        Some(digest) => Outcome::Done { image: by_digest(output, digest) },
        None => Outcome::Failed {
            why: "it ended well and left no digest of the image in its termination message".to_owned(),
            at: last_end(pod),
        },
    }
}

/// Whether a Build is over, however it ended.
pub(crate) fn has_ended(build: &Build) -> bool {
    let phase = build.status.as_ref().map(|status| status.phase.as_str());
    phase.is_some_and(|phase| ["Complete", "Failed", "Error", "Cancelled"].contains(&phase))
}

/// Reads a Build of OpenShift, for this image. A Build that no Kubernetes node takes never begins, and so never ends: after `patience` that is a failure too.
pub(crate) fn of_build(
    build: &Build,
    asked: &ImageBuild,
    patience: SignedDuration,
    now: Timestamp,
) -> Outcome {
    let Some(status) = &build.status else { return Outcome::Runs(None) };
    let at = status.completion_timestamp.as_ref().map(|time| time.0);
    let said: Vec<&str> =
        [&status.reason, &status.message].into_iter().flatten().map(String::as_str).collect();
    let said = shortened(&said.join(": "));
    if status.phase == "Complete" {
        let image = status.output_docker_image_reference.as_deref().filter(|image| is_image(image));
        let digest = status.output.as_ref().and_then(|output| output.to.as_ref()?.image_digest.as_deref());
        return match image.zip(digest.filter(|digest| is_digest(digest))) {
            Some((image, digest)) if openshift::is_output(asked, image) => {
                Outcome::Done { image: by_digest(image, digest) }
            }
            Some((image, _)) => Outcome::Failed {
                why: format!(
                    "its image went to {image}, and spec.build.output.image is {:?}: it was started with another output than that of \
                     its BuildConfig",
                    asked.output
                ),
                at,
            },
            None => Outcome::Failed {
                why: "it ended well, and its status has no name and digest of the image".to_owned(),
                at,
            },
        };
    }
    if has_ended(build) {
        let log = status.log_snippet.as_deref().map(last_lines).filter(|log| !log.is_empty());
        let said = if said.is_empty() { format!("its phase is {}", status.phase) } else { said };
        let why = [Some(said), log].into_iter().flatten().collect::<Vec<_>>().join(": ");
        return Outcome::Failed { why, at };
    }
    let created = build.metadata.creation_timestamp.as_ref().map(|time| time.0);
    let began = status.start_timestamp.as_ref().map(|time| time.0);
    let seconds = patience.as_secs();
    let late = |since: Timestamp, time: SignedDuration| now.duration_since(since) > time;
    match (began, created) {
        (Some(began), _) if late(began, patience + UNENDED) => {
            let why = format!("it took longer than {seconds} s, and OpenShift does not say that it ended");
            Outcome::Failed { why, at: None }
        }
        (None, Some(created)) if late(created, patience) => {
            let said = if said.is_empty() { "no reason is known".to_owned() } else { said };
            Outcome::Failed { why: format!("it did not start within {seconds} s: {said}"), at: None }
        }
        _ => Outcome::Runs(Some(said).filter(|said| !said.is_empty())),
    }
}

fn ended(pod: &Pod) -> impl Iterator<Item = (&str, &ContainerStateTerminated)> {
    let status = pod.status.iter();
    let all = status.flat_map(|status| {
        status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten())
    });
    all.filter_map(|container| {
        Some((container.name.as_str(), container.state.as_ref()?.terminated.as_ref()?))
    })
}

fn last_end(pod: &Pod) -> Option<Timestamp> {
    ended(pod).filter_map(|(_, ended)| ended.finished_at.as_ref().map(|time| time.0)).max()
}

fn words_of(name: &str, ended: &ContainerStateTerminated) -> String {
    let reason = ended.reason.as_deref().filter(|reason| *reason != "Error");
    let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let code = ended.exit_code;
    let log = ended.message.as_deref().map(last_lines).unwrap_or_default();
    let log = format!("{log}{}", hint(name, ended.message.as_deref().unwrap_or_default()));
    match log.as_str() {
        "" => format!("container {name} ended with code {code}{reason}"),
        log => format!("container {name} ended with code {code}{reason}: {log}"),
    }
}

/// What mends a failure that is known.
fn hint(container: &str, log: &str) -> &'static str {
    if log.contains(NO_USER_NAMESPACE) {
        USER_NAMESPACE_HINT
    } else if log.contains(NO_RUNTIME) {
        ON_BUILD_HINT
    } else if container == PULL && REFUSALS.iter().any(|words| log.contains(words)) {
        PULL_HINT
    } else {
        ""
    }
}

/// The last lines of a log on one line, and not longer than a status should be.
fn last_lines(text: &str) -> String {
    let lines: Vec<String> = text
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect();
    let last = lines[lines.len().saturating_sub(LAST_LINES)..].join(" | ");
    let length = last.chars().count();
    if length <= LONGEST_WORDS {
        return last;
    }
    let end: String = last.chars().skip(length - LONGEST_WORDS).collect();
    format!("…{end}")
}
