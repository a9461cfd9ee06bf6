//! A topic's configuration: values as text, what differs, and what may be altered.

use std::collections::HashMap;

use kafka_admin::{ConfigKind, MAX_TEXT_BYTES};
use serde_json::Value;

use crate::values;

/// How Kafka reads the values of a topic's configuration, by key.
pub(crate) type Kinds = HashMap<Box<str>, ConfigKind>;

pub(crate) use rebalance::throttle::TOPIC_KEYS as THROTTLE_KEYS;

/// Key and value pairs, sorted by key, each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config(Box<[(Box<str>, Box<str>)]>);

impl Config {
    /// Sorts the pairs; of equal keys the last one counts.
    pub fn from_pairs<K: Into<Box<str>>, V: Into<Box<str>>>(pairs: impl IntoIterator<Item = (K, V)>) -> Self {
        let sorted: std::collections::BTreeMap<Box<str>, Box<str>> =
            pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self(sorted.into_iter().collect())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        let at = self.0.binary_search_by(|(k, _)| (**k).cmp(key)).ok()?;
        Some(&self.0[at].1)
    }

    /// All pairs in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (&**k, &**v))
    }

    /// What is wrong with the first pair that is too long for a request to Kafka, if one is.
    pub fn too_long(&self) -> Option<String> {
        let (key, value) = self.iter().find(|(key, value)| key.len().max(value.len()) > MAX_TEXT_BYTES)?;
        let (what, bytes) =
            if key.len() > MAX_TEXT_BYTES { ("a key of spec.config", key.len()) } else { ("", value.len()) };
        let what = if what.is_empty() { format!("spec.config.{key}") } else { what.to_owned() };
        Some(format!("{what} has {bytes} bytes: Kafka takes at most {MAX_TEXT_BYTES}, write a shorter one"))
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True without a key.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The text Kafka is given for a value of `spec.config`: lists are joined by `,`, numbers and booleans are
/// written as in the resource. The error names the key and what to write.
pub(crate) fn value_text(key: &str, value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(items) => {
            let mut texts = Vec::with_capacity(items.len());
            for item in items {
                match item {
                    Value::Array(_) => return Err(wrong_value(key, "a list inside a list")),
                    other => texts.push(value_text(key, other)?),
                }
            }
            Ok(texts.join(","))
        }
        Value::Null => Err(wrong_value(key, "null")),
        Value::Object(_) => Err(wrong_value(key, "an object")),
    }
}

fn wrong_value(key: &str, what: &str) -> String {
    format!(
        "spec.config.{key} is {what}: write a text, a number, true, false or a list of these, or remove the key"
    )
}

/// Which keys the operator may change on an existing topic (`STRIMZI_ALTERABLE_TOPIC_CONFIG`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Alterable {
    /// Every key.
    #[default]
    All,
    /// No key.
    None,
    /// These keys only.
    Only(Vec<String>),
}

impl Alterable {
    /// Reads `ALL`, `NONE` or a comma-separated list of keys; empty means `ALL`.
    pub fn parse(text: &str) -> Self {
        match text.trim() {
            "" | "ALL" => Self::All,
            "NONE" => Self::None,
            list => Self::Only(
                list.split(',').map(str::trim).filter(|k| !k.is_empty()).map(String::from).collect(),
            ),
        }
    }

    /// True when the key may be changed.
    pub fn allows(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Only(keys) => keys.iter().any(|k| k == key),
        }
    }
}

/// What has to change in Kafka so that a topic's configuration is the resource's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ConfigDiff {
    /// Keys to set, with their values.
    pub set: Vec<(String, String)>,
    /// Keys to remove, so that the broker's default counts again.
    pub remove: Vec<String>,
    /// Keys that differ and must not be altered.
    pub refused: Vec<String>,
}

/// Compares the resource's configuration with the topic's own (dynamic) configuration in Kafka, whose values are of these
/// kinds. Keys in `keep` are left alone unless the resource sets them.
pub(crate) fn diff(
    desired: &Config,
    actual: &Config,
    kinds: &Kinds,
    alterable: &Alterable,
    keep: &[&str],
) -> ConfigDiff {
    let mut out = ConfigDiff::default();
    for (key, value) in desired.iter() {
        let kind = kinds.get(key).copied().unwrap_or_default();
        if actual.get(key).is_some_and(|have| values::same(kind, have, value)) {
            continue;
        }
        if alterable.allows(key) {
            out.set.push((key.to_owned(), value.to_owned()));
        } else {
            out.refused.push(key.to_owned());
        }
    }
    for (key, _) in actual.iter() {
        if desired.get(key).is_none() && !keep.contains(&key) && alterable.allows(key) {
            out.remove.push(key.to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn values_become_text_and_lists_are_joined() {
        assert_eq!(value_text("k", &json!("x")).unwrap(), "x");
        assert_eq!(value_text("k", &json!(604_800_000)).unwrap(), "604800000");
        assert_eq!(value_text("k", &json!(0.5)).unwrap(), "0.5");
        assert_eq!(value_text("k", &json!(true)).unwrap(), "true");
        assert_eq!(value_text("k", &json!(["compact", "delete"])).unwrap(), "compact,delete");
        assert_eq!(value_text("k", &json!([])).unwrap(), "");
    }

    #[test]
    fn values_that_cannot_be_meant_name_their_key() {
        assert!(value_text("a.b", &json!(null)).unwrap_err().contains("spec.config.a.b is null"));
        assert!(value_text("a.b", &json!({"x": 1})).unwrap_err().contains("an object"));
        assert!(value_text("a.b", &json!([[1]])).unwrap_err().contains("a list inside a list"));
    }

    #[test]
    fn a_value_that_kafka_cannot_read_is_named() {
        let long = "ä".repeat(20_000);
        let config = Config::from_pairs([("a", "b"), ("x.y", &long)]);
        let problem = config.too_long().unwrap();
        assert!(
            problem.contains("spec.config.x.y has 40000 bytes") && problem.contains("32767"),
            "{problem}"
        );
        let config = Config::from_pairs([(long.as_str(), "b")]);
        let problem = config.too_long().unwrap();
        assert!(problem.contains("40000 bytes") && problem.len() < 200, "{problem}");
        assert_eq!(Config::from_pairs([("a", "b".repeat(32_767))]).too_long(), None);
    }

    #[test]
    fn a_key_that_left_the_resource_is_removed() {
        let d = diff(
            &Config::from_pairs([("retention.ms", "1")]),
            &Config::from_pairs([("retention.ms", "2"), ("cleanup.policy", "compact")]),
            &Kinds::new(),
            &Alterable::All,
            &[],
        );
        assert_eq!(d.set, [("retention.ms".into(), "1".into())]);
        assert_eq!(d.remove, ["cleanup.policy"]);
    }

    #[test]
    fn what_must_not_be_altered_is_reported_and_not_touched() {
        let policy = Alterable::parse("retention.ms, segment.bytes");
        let d = diff(
            &Config::from_pairs([("retention.ms", "1"), ("cleanup.policy", "compact")]),
            &Config::from_pairs([("min.insync.replicas", "2")]),
            &Kinds::new(),
            &policy,
            &[],
        );
        assert_eq!(d.set, [("retention.ms".into(), "1".into())]);
        assert_eq!(d.refused, ["cleanup.policy"]);
        assert!(d.remove.is_empty());
        assert_eq!(Alterable::parse(" NONE "), Alterable::None);
        assert_eq!(Alterable::parse(""), Alterable::All);
    }

    #[test]
    fn throttles_of_a_running_move_stay_unless_the_resource_sets_them() {
        let actual = Config::from_pairs([(THROTTLE_KEYS[0], "0:1"), (THROTTLE_KEYS[1], "0:2")]);
        let none = diff(&Config::default(), &actual, &Kinds::new(), &Alterable::All, &THROTTLE_KEYS);
        assert_eq!(none, ConfigDiff::default());
        let own = Config::from_pairs([(THROTTLE_KEYS[0], "*")]);
        let d = diff(&own, &actual, &Kinds::new(), &Alterable::All, &THROTTLE_KEYS);
        assert_eq!(d.set, [(THROTTLE_KEYS[0].to_owned(), "*".to_owned())]);
        assert!(d.remove.is_empty());
    }

    fn configs() -> impl Strategy<Value = Config> {
        proptest::collection::btree_map("[a-e]", "[0-3]", 0..5).prop_map(Config::from_pairs)
    }

    proptest! {
        #[test]
        fn applying_the_difference_yields_the_resources_configuration(desired in configs(), actual in configs()) {
            let d = diff(&desired, &actual, &Kinds::new(), &Alterable::All, &[]);
            let mut after: std::collections::BTreeMap<String, String> =
                actual.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
            for key in &d.remove {
                prop_assert!(after.remove(key).is_some());
            }
            after.extend(d.set.clone());
            let after = Config::from_pairs(after);
            prop_assert_eq!(&after, &desired);
            prop_assert_eq!(diff(&desired, &after, &Kinds::new(), &Alterable::All, &[]), ConfigDiff::default());
        }

        #[test]
        fn no_key_outside_the_policy_is_ever_touched(desired in configs(), actual in configs(), allowed in "[a-e]") {
            let d = diff(&desired, &actual, &Kinds::new(), &Alterable::Only(vec![allowed.clone()]), &[]);
            prop_assert!(d.set.iter().all(|(k, _)| *k == allowed));
            prop_assert!(d.remove.iter().all(|k| *k == allowed));
        }
    }
}
