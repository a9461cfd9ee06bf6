//! How far mirrors are: whom the operator asks beside its passes, and what comes of the answers.

use std::collections::{BTreeMap, BTreeSet};

use api::KafkaMirrorMaker2;
use api::kafka_mirror_maker2::{Mirror, MirrorStatus};
use api::names::mirror_maker2 as names;
use api::schema::FreeMap;
use jiff::Timestamp;
use serde_json::Value;

use super::form::{self, Side};
use crate::clients::login::{self, Login};
use crate::findings::Findings;
use crate::referred::Referred;
use crate::workers::observed::ObservedWorkers;

/// Partitions of one mirror that are asked for. Of more than that the lag is not told.
pub const MOST_PARTITIONS: usize = 20_000;

/// Whose names of topics are known.
const POLICIES: [&str; 2] = [
    "org.apache.kafka.connect.mirror.DefaultReplicationPolicy",
    "org.apache.kafka.connect.mirror.IdentityReplicationPolicy",
];

/// A topic and the number of a partition.
pub type Partition = (String, i32);

/// How far a mirror is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Records of the source that are not mirrored yet; `None`: not known.
    pub lag: Option<i64>,
    /// When the offsets of a group were mirrored last; `None`: not known, or never.
    pub last_checkpoint: Option<Timestamp>,
}

/// What is known of the mirrors of a resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Known {
    /// The installation has it switched off: no cluster is asked.
    #[default]
    Off,
    /// No cluster was asked yet.
    NotYet,
    /// This, by the alias of the source.
    Asked(BTreeMap<String, Progress>),
}

/// Whom to ask how far the mirrors of a resource are.
#[derive(Debug, Clone)]
pub struct Question {
    /// The cluster that is mirrored to; `None`: it is not asked.
    pub target: Option<Login>,
    /// The mirrors.
    pub mirrors: Vec<Asked>,
}

/// Whom to ask about one mirror.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Alias of the source.
    pub alias: String,
    /// The source; `None`: it is not asked.
    pub source: Option<Login>,
    /// The connector that mirrors records, if there is one.
    pub connector: Option<String>,
    /// The topic at the target with the mirrored offsets of groups, if there is one and its name is known.
    pub checkpoints: Option<String>,
}

/// Whom to ask about a resource; `None`: it is not understood.
pub fn question(resource: &KafkaMirrorMaker2, observed: &ObservedWorkers) -> Option<Question> {
    let form = form::read(resource, &mut Findings::default())?;
    let target = login_of(&form.target, observed);
    let mirrors = form.mirrors.iter().map(|pair| {
        let alias = pair.source.alias;
        let is_mirrored = pair.mirror.source_connector.is_some();
        Asked {
            alias: alias.to_owned(),
            source: is_mirrored.then(|| login_of(&pair.source, observed)).flatten(),
            connector: is_mirrored.then(|| names::connector(alias, form.target.alias, form::SOURCE)),
            checkpoints: checkpoints(alias, pair.mirror),
        }
    });
    Some(Question { target, mirrors: mirrors.collect() })
}

fn login_of(side: &Side<'_>, observed: &ObservedWorkers) -> Option<Login> {
    let Referred::Read { secrets, .. } = observed.referred() else { return None };
    let algorithm = side.config.and_then(|config| config.get("ssl.endpoint.identification.algorithm"));
    let verifies_hosts = algorithm.is_none_or(|algorithm| algorithm.as_str() != Some(""));
    login::of(&side.access(&mut Findings::default()), verifies_hosts, &secrets)
}

/// The topic with the mirrored offsets of groups, as Kafka's own policies call it.
fn checkpoints(alias: &str, mirror: &Mirror) -> Option<String> {
    let config = mirror.checkpoint_connector.as_ref()?.config.as_ref();
    let option = |name: &str| text(config?, name);
    if option("replication.policy.class").is_some_and(|class| !POLICIES.contains(&class.as_str())) {
        return None;
    }
    let separates = option("replication.policy.internal.topic.separator.enabled");
    let separator = if separates.is_some_and(|value| value.eq_ignore_ascii_case("false")) {
        ".".to_owned()
    } else {
        option("replication.policy.separator").unwrap_or_else(|| ".".to_owned())
    };
    Some(format!("{alias}{separator}checkpoints{separator}internal"))
}

fn text(config: &FreeMap, name: &str) -> Option<String> {
    match config.get(name)? {
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// The last record of each partition that was mirrored, out of what Connect says of the offsets of a connector. `None`: nothing was
/// mirrored, or there are more partitions than are asked for.
pub fn mirrored(offsets: &Value, alias: &str) -> Option<BTreeMap<Partition, i64>> {
    let listed = offsets["offsets"].as_array().filter(|listed| listed.len() <= MOST_PARTITIONS)?;
    let one = |item: &Value| {
        let partition = &item["partition"];
        let is_own = partition["cluster"].as_str() == Some(alias);
        let index = i32::try_from(partition["partition"].as_i64()?).ok()?;
        let last = item["offset"]["offset"].as_i64()?;
        let topic = partition["topic"].as_str().filter(|topic| topic.len() <= LONGEST_TOPIC)?;
        is_own.then_some(((topic.to_owned(), index), last))
    };
    let found: BTreeMap<Partition, i64> = listed.iter().filter_map(one).collect();
    (!found.is_empty()).then_some(found)
}

/// The longest name of a topic that Kafka takes, in bytes.
const LONGEST_TOPIC: usize = 249;

/// The topics of partitions.
pub fn topics(mirrored: &BTreeMap<Partition, i64>) -> BTreeSet<String> {
    mirrored.keys().map(|(topic, _)| topic.clone()).collect()
}

/// Records that are not mirrored yet. The source says where its partitions `begin` and `end`; `None`: not of each of them.
pub fn lag(
    mirrored: &BTreeMap<Partition, i64>,
    begin: &BTreeMap<Partition, i64>,
    end: &BTreeMap<Partition, i64>,
) -> Option<i64> {
    let mut lag = 0_i64;
    for (partition, end) in end {
        // What was deleted at the source is not mirrored any more.
        let begin = *begin.get(partition)?;
        let next = mirrored.get(partition).map_or(begin, |last| last.saturating_add(1).max(begin));
        lag = lag.saturating_add(end.saturating_sub(next).max(0));
    }
    Some(lag)
}

/// What the status says.
pub(super) fn shown(progress: &BTreeMap<String, Progress>) -> Vec<MirrorStatus> {
    let one = |(alias, progress): (&String, &Progress)| MirrorStatus {
        source_alias: Some(alias.clone()),
        lag: progress.lag,
        last_checkpoint: progress.last_checkpoint.map(api::conditions::format_time),
    };
    progress.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(entries: &[(&str, i32, i64)]) -> BTreeMap<Partition, i64> {
        entries.iter().map(|(topic, index, offset)| (((*topic).to_owned(), *index), *offset)).collect()
    }

    #[test]
    fn lag_is_what_the_source_has_beyond_what_was_mirrored() {
        let of = |cluster: &str, topic: &str, partition: i64, offset: &Value| {
            json!({
            "partition": {"cluster": cluster, "topic": topic, "partition": partition}, "offset": offset})
        };
        let nothing = Value::Null;
        let offsets = json!({"offsets": [
            of("here", "orders", 0, &json!({"offset": 99})), of("here", "orders", 1, &json!({"offset": 9})),
            of("here", "gone", 0, &nothing), of("elsewhere", "orders", 2, &json!({"offset": 1})), {"partition": {"f": "x"}}]});
        let mirrored = mirrored(&offsets, "here").unwrap();
        assert_eq!(mirrored, at(&[("orders", 0, 99), ("orders", 1, 9)]));
        assert_eq!(topics(&mirrored), BTreeSet::from(["orders".to_owned()]));
        let begin = at(&[("orders", 0, 0), ("orders", 1, 50), ("orders", 2, 5)]);
        // One is mirrored whole, of one the rest was deleted before it was mirrored but for the last ten, of one nothing is.
        let end = at(&[("orders", 0, 100), ("orders", 1, 60), ("orders", 2, 25)]);
        assert_eq!(lag(&mirrored, &begin, &end), Some(30));
        assert_eq!(
            lag(&mirrored, &at(&[("orders", 0, 0)]), &end),
            None,
            "what is not known whole is not told"
        );
        assert_eq!(super::mirrored(&json!({"offsets": []}), "here"), None, "nothing mirrored is no lag of 0");
        let many: Vec<Value> =
            (0..=20_000).map(|number| of("here", "t", number, &json!({"offset": 1}))).collect();
        assert_eq!(super::mirrored(&json!({"offsets": many}), "here"), None);
    }

    #[test]
    fn topics_of_checkpoints_are_called_as_the_policy_calls_them() {
        let named = |config: &Value| {
            let mirror: Mirror =
                serde_json::from_value(json!({"checkpointConnector": {"config": config}})).unwrap();
            checkpoints("here", &mirror)
        };
        assert_eq!(named(&json!({})).as_deref(), Some("here.checkpoints.internal"));
        let separator = json!({"replication.policy.separator": "-"});
        assert_eq!(named(&separator).as_deref(), Some("here-checkpoints-internal"));
        let old = json!({"replication.policy.separator": "-", "replication.policy.internal.topic.separator.enabled": false});
        assert_eq!(named(&old).as_deref(), Some("here.checkpoints.internal"));
        assert_eq!(named(&json!({"replication.policy.class": "com.example.Own"})), None);
        assert_eq!(checkpoints("here", &Mirror::default()), None);
    }
}
