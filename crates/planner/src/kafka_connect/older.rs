//! KafkaConnect resources of older versions: what they mean today.

use std::collections::BTreeMap;

use api::KafkaConnect;
use api::conditions::reasons;

use crate::findings::Findings;
use crate::workers::properties::Group;
use crate::workers::without_effect;

/// The group and its topics. Older resources have them among the options, and may leave them out.
pub(super) fn group(
    connect: &KafkaConnect,
    options: &mut BTreeMap<String, String>,
    findings: &mut Findings,
) -> Group {
    let spec = &connect.spec;
    let mut read = |field: &str, option: &str, own: Option<&String>, default: &str| {
        let other = options.remove(option);
        match (own, other) {
            (Some(own), None) => own.clone(),
            (Some(own), Some(other)) => {
                if *own != other {
                    findings.problem(
                        format!("spec.config.{option}"),
                        format!("is another value than spec.{field}: remove it"),
                    );
                }
                own.clone()
            }
            (None, Some(other)) => {
                let message = format!("spec.config.{option}: write spec.{field} instead");
                findings.warn(reasons::DEPRECATED_FIELDS, message);
                other
            }
            (None, None) => {
                let message = format!("spec.{field} is missing: {default:?} is used; write it");
                findings.warn(reasons::DEPRECATED_FIELDS, message);
                default.to_owned()
            }
        }
    };
    Group {
        id: read("groupId", "group.id", spec.group_id.as_ref(), "connect-cluster"),
        config_topic: read(
            "configStorageTopic",
            "config.storage.topic",
            spec.config_storage_topic.as_ref(),
            "connect-cluster-configs",
        ),
        status_topic: read(
            "statusStorageTopic",
            "status.storage.topic",
            spec.status_storage_topic.as_ref(),
            "connect-cluster-status",
        ),
        offset_topic: read(
            "offsetStorageTopic",
            "offset.storage.topic",
            spec.offset_storage_topic.as_ref(),
            "connect-cluster-offsets",
        ),
    }
}

/// Says which fields are deprecated, unknown, or not carried out.
pub(super) fn say(connect: &KafkaConnect, findings: &mut Findings) {
    let spec = &connect.spec;
    let rack_init_image = spec.client_rack_init_image.is_some();
    without_effect::say(&connect.metadata, rack_init_image, findings);
    if spec.build.as_ref().is_some_and(|build| build.output.additional_kaniko_options.is_some()) {
        let message = "spec.build.output.additionalKanikoOptions: without effect: Buildah builds images, not Kaniko; remove it, and \
                       write what is still needed into additionalBuildOptions or additionalPushOptions";
        findings.warn(reasons::FIELDS_WITHOUT_EFFECT, message);
    }
}
