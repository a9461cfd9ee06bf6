//! The group of the workers of a KafkaMirrorMaker2 and its topics, and the names that they have for themselves.

use std::collections::{BTreeMap, BTreeSet};

use api::KafkaMirrorMaker2;

use super::form::{self, Form};
use crate::findings::Findings;
use crate::workers::options;
use crate::workers::properties::Group;
use crate::workers::sharing::{self, GroupKey};

/// Options that are those of the workers, and none of a client.
pub(super) const OF_WORKERS: [&str; 4] =
    ["group.id", "config.storage.topic", "status.storage.topic", "offset.storage.topic"];

/// The group and its topics. Older resources have them among the options, and may leave them out.
pub(super) fn of(form: &Form<'_>, options: &mut BTreeMap<String, String>, findings: &mut Findings) -> Group {
    let section = &form.target.section;
    let target = form.group;
    let mut read = |own: Option<&String>, field: &str, option: &str, default: &str| {
        let other = options.remove(option);
        match (own, other) {
            (Some(own), None) => own.clone(),
            (Some(own), Some(other)) => {
                if *own != other {
                    let message = format!("is another value than {section}.{field}: remove it");
                    findings.problem(format!("{section}.config.{option}"), message);
                }
                own.clone()
            }
            (None, other) => other.unwrap_or_else(|| default.to_owned()),
        }
    };
    Group {
        id: read(target.map(|target| &target.group_id), "groupId", OF_WORKERS[0], "mirrormaker2-cluster"),
        config_topic: read(
            target.map(|target| &target.config_storage_topic),
            "configStorageTopic",
            OF_WORKERS[1],
            "mirrormaker2-cluster-configs",
        ),
        status_topic: read(
            target.map(|target| &target.status_storage_topic),
            "statusStorageTopic",
            OF_WORKERS[2],
            "mirrormaker2-cluster-status",
        ),
        offset_topic: read(
            target.map(|target| &target.offset_storage_topic),
            "offsetStorageTopic",
            OF_WORKERS[3],
            "mirrormaker2-cluster-offsets",
        ),
    }
}

/// The names that the workers of a resource have for themselves; none where it has no workers.
pub fn keys(resource: &KafkaMirrorMaker2) -> BTreeSet<GroupKey> {
    if resource.spec.replicas == Some(0) {
        return BTreeSet::new();
    }
    // Its own pass says what is wrong with it.
    let mut findings = Findings::default();
    let Some(form) = form::read(resource, &mut findings) else { return BTreeSet::new() };
    let mut options = options::read(form.target.config, "spec.target.config", &mut findings);
    let group = of(&form, &mut options, &mut findings);
    let namespace = resource.metadata.namespace.as_deref().unwrap_or_default();
    sharing::keys(form.target.bootstrap_servers(), namespace, group)
}
