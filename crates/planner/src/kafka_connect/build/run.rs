//! One attempt to build an image, as it is seen: the pod with Buildah, or the last Build that was asked for of OpenShift.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::openshift::builds::Build;
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{Deletion, ObjectId};

use super::outcome::{self, Outcome};
use super::{ImageBuild, openshift};

/// An attempt.
#[derive(Debug)]
pub(super) struct Run<'a> {
    /// What it is, with its name.
    pub words: String,
    /// Its metadata.
    pub metadata: &'a ObjectMeta,
    /// Whether it was made for this very resource, and not for an earlier one of its name.
    pub is_owned: bool,
    /// How far it is.
    pub outcome: Outcome,
    /// Whether it stays when it has ended: OpenShift keeps the last Builds, with their logs.
    pub stays: bool,
    object: ObjectId,
}

impl<'a> Run<'a> {
    /// Out of a pod.
    pub(super) fn of_pod(pod: &'a Pod, build: &ImageBuild, patience: SignedDuration, now: Timestamp) -> Self {
        let object = pod_id(&build.owner.namespace, pod);
        Self {
            words: format!("pod {}", object.name),
            metadata: &pod.metadata,
            is_owned: is_owned(&pod.metadata, &build.owner.uid),
            outcome: outcome::of(pod, &build.output, patience, now),
            stays: false,
            object,
        }
    }

    /// Out of the Builds of a BuildConfig with this UID: the last of them, unless it is the Build that is over and done with.
    pub(super) fn of_builds(
        builds: &'a BTreeMap<String, Arc<Build>>,
        asked: &ImageBuild,
        build_config: &str,
        settled: Option<&str>,
        patience: SignedDuration,
        now: Timestamp,
    ) -> Option<Self> {
        let asked_for = builds.values().filter(|build| openshift::is_asked_for(build));
        let own = asked_for.filter(|build| is_owned(&build.metadata, build_config));
        let last = own.max_by_key(|build| openshift::number(build))?;
        if settled.is_some() && last.metadata.uid.as_deref() == settled {
            return None;
        }
        let metadata = &last.metadata;
        let (namespace, name) =
            (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref().unwrap_or_default());
        Some(Self {
            words: format!("Build {name}"),
            metadata,
            is_owned: true,
            outcome: outcome::of_build(last, asked, patience, now),
            stays: outcome::has_ended(last),
            object: openshift::build_id(namespace, name),
        })
    }

    /// An annotation of it.
    pub(super) fn annotation(&self, key: &str) -> Option<&str> {
        self.metadata.annotations.as_ref()?.get(key).map(String::as_str)
    }

    /// Its deletion.
    pub(super) fn removal(&self) -> Deletion {
        Deletion { object: self.object.clone(), uid: self.metadata.uid.clone() }
    }
}

/// The deletion of the pod of a build.
pub(super) fn removal(pod: &Pod, namespace: &str) -> Deletion {
    Deletion { object: pod_id(namespace, pod), uid: pod.metadata.uid.clone() }
}

fn pod_id(namespace: &str, pod: &Pod) -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        namespace: Some(namespace.to_owned()),
        name: pod.metadata.name.clone().unwrap_or_default(),
    }
}

fn is_owned(metadata: &ObjectMeta, uid: &str) -> bool {
    metadata.owner_references.iter().flatten().any(|owner| owner.uid == uid)
}
