//! Taking tiered storage away. Kafka does not start while a topic has `remote.storage.enable=true` and the node has no remote storage, and
//! a topic whose segments are there loses them: so that waits for a confirmation, and for the topics.

use api::{Kafka, annotations, names};

use crate::findings::Findings;
use crate::kafka::config::plug_in_lines::REMOTE_STORAGE;
use crate::kafka::need::Need;
use crate::kafka::observed::{Observed, TieredTopics};
use crate::silence::SilenceKind;

/// The option of a topic that has remote storage.
const TOPIC_OPTION: &str = TieredTopics::OPTION;

/// Whether nodes have remote storage, and the resource has none any more.
pub(crate) fn is_taken_out(observed: &Observed) -> bool {
    let is_on = format!("{REMOTE_STORAGE}=true");
    let is_asked_for = |kafka: &Kafka| kafka.spec.kafka.tiered_storage.is_some();
    observed.kafka.as_ref().is_some_and(|kafka| !is_asked_for(kafka))
        && observed.config_maps.values().any(|map| {
            let text = map.data.as_ref().and_then(|data| data.get(names::keys::SERVER_CONFIG));
            text.is_some_and(|text| text.lines().any(|line| line == is_on))
        })
}

/// Refuses a resource without tiered storage while topics have it, and until somebody has confirmed that.
pub(crate) fn check(kafka: &Kafka, observed: &Observed, findings: &mut Findings) {
    if !is_taken_out(observed) {
        return;
    }
    let is_confirmed =
        annotations::is_true(kafka.metadata.annotations.as_ref(), annotations::REMOVE_TIERED_STORAGE);
    let silence = observed.silence(&Need::TieredTopics);
    let (some, topics) = match (&observed.tiered_topics, silence) {
        (Some(topics), _) if topics.count > 0 => (true, has_it(topics)),
        (Some(_), _) if is_confirmed => return,
        (Some(_), _) => (false, "no topic has it now".to_owned()),
        // The answer brings the next pass.
        (None, Some(silence)) if !is_confirmed || silence.kind == SilenceKind::UnderWay => {
            (true, format!("which topics have it is not known: {silence}"))
        }
        (None, None) if !is_confirmed => {
            (true, "which topics have it is not known: no broker is ready".to_owned())
        }
        (None, _) => return,
    };
    let mend = if some {
        format!(
            "put it back, take the option off all topics ({TOPIC_OPTION}=false with remote.log.delete.on.disable=true deletes what is in the \
             remote storage), and then confirm"
        )
    } else {
        "put it back, or confirm".to_owned()
    };
    findings.problem(
        "spec.kafka.tieredStorage",
        format!(
            "is gone, and no node would start while a topic has {TOPIC_OPTION}=true ({topics}): {mend} the removal with the annotation {}: \
             \"true\"",
            annotations::REMOVE_TIERED_STORAGE
        ),
    );
}

/// Which topics have remote storage, in words.
fn has_it(topics: &TieredTopics) -> String {
    let more = topics.count - topics.first.len().min(topics.count);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let have = if topics.count == 1 { "has" } else { "have" };
    format!("{}{more} {have} it", topics.first.join(", "))
}
