//! The configuration model of a Kafka version: name, type, range and run-time scope of every broker option. Produced
//! from Kafka itself by `config-model/generate.sh`.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use serde::Deserialize;

use crate::versions::KafkaVersion;

/// The model of one version.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Model {
    /// Metadata versions that the version can run with, and their feature levels, oldest first.
    pub metadata_versions: Vec<(String, i16)>,
    /// Highest level of each other feature that the version can run with.
    pub features: BTreeMap<String, i16>,
    /// Options by name.
    pub options: BTreeMap<String, ConfigOption>,
}

/// One option.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConfigOption {
    /// Type of its value.
    #[serde(rename = "type")]
    pub kind: ValueType,
    /// Whether it can change at run time.
    pub scope: Scope,
    /// Kafka's default as text; `None`: no default.
    pub default: Option<String>,
    /// Smallest number.
    pub min: Option<f64>,
    /// Largest number.
    pub max: Option<f64>,
    /// Allowed values; empty: any.
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether `values` are compared without case.
    #[serde(default)]
    pub ignore_case: bool,
    /// Whether text, or a list, must not be empty.
    #[serde(default)]
    pub non_empty: bool,
    /// Allowed items of a list; empty: any.
    #[serde(default)]
    pub items: Vec<String>,
}

/// Type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    /// `true` or `false`.
    Boolean,
    /// Text.
    String,
    /// 32 bits.
    Int,
    /// 16 bits.
    Short,
    /// 64 bits.
    Long,
    /// Floating point.
    Double,
    /// Items separated by commas.
    List,
    /// Name of a Java class.
    Class,
    /// Text that is never shown.
    Password,
}

/// Whether an option can change at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Only with a restart.
    ReadOnly,
    /// On one broker.
    PerBroker,
    /// On one broker or on all at once.
    ClusterWide,
}

impl KafkaVersion {
    /// The options that this version knows.
    pub fn model(&self) -> &'static Model {
        of(&self.model)
    }
}

impl Model {
    /// The feature level of a metadata version, by its full name or a prefix of it (`4.3` is the newest `4.3-…`).
    pub fn metadata_level(&self, version: &str) -> Option<(&str, i16)> {
        let exact = self.metadata_versions.iter().find(|(name, _)| name == version);
        let found = exact.or_else(|| {
            let family = format!("{version}-");
            self.metadata_versions.iter().rev().find(|(name, _)| name.starts_with(&family))
        });
        found.map(|(name, level)| (name.as_str(), *level))
    }

    /// The full name of a feature level.
    pub fn metadata_name(&self, level: i16) -> Option<&str> {
        self.metadata_versions.iter().find(|(_, known)| *known == level).map(|(name, _)| name.as_str())
    }

    /// Whether the option can change for all brokers at run time. Options that Kafka changes per broker only
    /// (key stores, listeners) count as fixed: they hang together with the pod. So do the providers, which resolve what
    /// stands in the file when it is read.
    pub fn is_live(&self, name: &str) -> bool {
        name != "config.providers"
            && self.options.get(name).is_some_and(|option| option.scope == Scope::ClusterWide)
    }

    /// What is wrong with a value, in words; `None`: nothing, or the option is not known here.
    pub fn complaint(&self, name: &str, value: &str) -> Option<String> {
        let option = self.options.get(name)?;
        // Resolved in the pod; what comes out cannot be judged here.
        if value.contains("${") {
            return None;
        }
        let text = value.trim();
        match option.kind {
            ValueType::Boolean => {
                let known = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
                (!known).then(|| format!("{name} must be true or false, not {value:?}"))
            }
            ValueType::Short => option.number::<i16>(name, text, "a whole number of 16 bits"),
            ValueType::Int => option.number::<i32>(name, text, "a whole number of 32 bits"),
            ValueType::Long => option.number::<i64>(name, text, "a whole number"),
            ValueType::Double => option.number::<f64>(name, text, "a number"),
            ValueType::String if option.non_empty && text.is_empty() => {
                Some(format!("{name} must not be empty"))
            }
            ValueType::String => option.one_of(name, text),
            ValueType::List => option.list(name, text),
            ValueType::Class | ValueType::Password => None,
        }
    }
}

impl ConfigOption {
    fn list(&self, name: &str, text: &str) -> Option<String> {
        if text.is_empty() {
            return self.non_empty.then(|| format!("{name} must list something"));
        }
        let mut wrong = text.split(',').map(str::trim).filter(|item| {
            item.is_empty() || !self.items.is_empty() && !self.items.iter().any(|known| known == item)
        });
        match wrong.next()? {
            "" => Some(format!("{name} has an empty item: leave out the comma beside it")),
            item => Some(format!("{name} may list {}, not {item:?}", self.items.join(", "))),
        }
    }

    fn number<T: JavaNumber>(&self, name: &str, text: &str, what: &str) -> Option<String> {
        let Some(number) = T::read(text) else {
            return Some(format!("{name} must be {what}, not {text:?}"));
        };
        if !self.values.is_empty() {
            return self.one_of(name, text.strip_prefix('+').unwrap_or(text));
        }
        let number = number.into_double();
        // Whether something that is no number lies within bounds is not asked: Kafka lets it pass.
        let too_small = self.min.is_some_and(|min| number < min);
        let too_large = self.max.is_some_and(|max| number > max);
        if !too_small && !too_large {
            return None;
        }
        let bounds = match (self.min, self.max) {
            (Some(min), Some(max)) => format!("between {min} and {max}"),
            (Some(min), None) => format!("at least {min}"),
            (None, Some(max)) => format!("at most {max}"),
            (None, None) => return None,
        };
        Some(format!("{name} must be {bounds}, not {text}"))
    }

    fn one_of(&self, name: &str, text: &str) -> Option<String> {
        if self.values.is_empty() {
            return None;
        }
        let found = self
            .values
            .iter()
            .any(|value| if self.ignore_case { value.eq_ignore_ascii_case(text) } else { value == text });
        (!found).then(|| format!("{name} must be one of {}, not {text:?}", self.values.join(", ")))
    }
}

/// Numbers as Java reads them.
trait JavaNumber: Sized {
    /// Reads one.
    fn read(text: &str) -> Option<Self>;
    /// For comparison with bounds.
    fn into_double(self) -> f64;
}

impl JavaNumber for i16 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn into_double(self) -> f64 {
        f64::from(self)
    }
}

impl JavaNumber for i32 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn into_double(self) -> f64 {
        f64::from(self)
    }
}

impl JavaNumber for i64 {
    fn read(text: &str) -> Option<Self> {
        text.parse().ok()
    }
    fn into_double(self) -> f64 {
        self as f64
    }
}

impl JavaNumber for f64 {
    /// With a letter for the type at its end, if there is one; the words of Rust for what is no number are not Java's.
    fn read(text: &str) -> Option<Self> {
        let digits = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
        let signless = text.strip_prefix(['+', '-']).unwrap_or(text);
        match signless {
            "NaN" | "Infinity" => text.parse().ok(),
            _ if digits.ends_with(|c: char| c.is_ascii_digit() || c == '.') => digits.parse().ok(),
            _ => None,
        }
    }
    fn into_double(self) -> f64 {
        self
    }
}

/// The model of a version in `config-model/`; an unknown one gets the newest. Parsed once, when first used.
pub fn of(version: &str) -> &'static Model {
    static MODEL_4_2_1: OnceLock<Model> = OnceLock::new();
    static MODEL_4_3_1: OnceLock<Model> = OnceLock::new();
    match version {
        "4.2.1" => MODEL_4_2_1.get_or_init(|| parse(include_str!("../../../config-model/kafka-4.2.1.json"))),
        _ => MODEL_4_3_1.get_or_init(|| parse(include_str!("../../../config-model/kafka-4.3.1.json"))),
    }
}

/// The files are checked in and a test reads them; an empty model judges nothing.
fn parse(text: &str) -> Model {
    let none = Model { metadata_versions: Vec::new(), features: BTreeMap::new(), options: BTreeMap::new() };
    serde_json::from_str(text).unwrap_or(none)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_against_kafkas_own_types_and_ranges() {
        let model = of("4.3.1");
        assert_eq!(model.complaint("num.io.threads", "8"), None);
        assert_eq!(
            model.complaint("num.io.threads", "many").as_deref(),
            Some("num.io.threads must be a whole number of 32 bits, not \"many\"")
        );
        assert_eq!(
            model.complaint("num.io.threads", "0").as_deref(),
            Some("num.io.threads must be at least 1, not 0")
        );
        assert!(model.complaint("compression.type", "rar").is_some_and(|text| text.contains("zstd")));
        assert!(model.complaint("auto.create.topics.enable", "yes").is_some());
        assert!(model.complaint("log.cleanup.policy", "shred").is_some());
        assert_eq!(model.complaint("log.cleanup.policy", "compact,delete"), None);
        assert_eq!(model.complaint("my.own.plugin.option", "anything"), None);
        assert_eq!(model.complaint("num.io.threads", "${strimzienv:THREADS}"), None);
    }

    #[test]
    fn metadata_versions_have_levels_and_families() {
        let model = of("4.3.1");
        assert_eq!(model.metadata_level("4.3-IV0"), Some(("4.3-IV0", 30)));
        assert_eq!(model.metadata_level("4.2"), Some(("4.2-IV1", 29)));
        assert_eq!(model.metadata_level("9.9"), None);
        assert_eq!(model.metadata_name(29), Some("4.2-IV1"));
    }

    #[test]
    fn what_can_change_live_is_known() {
        let model = of("4.3.1");
        assert!(model.is_live("num.io.threads"));
        assert!(!model.is_live("log.dirs"));
        assert!(!model.is_live("config.providers"));
        assert!(!model.is_live("ssl.cipher.suites"));
        assert!(!model.is_live("my.own.plugin.option"));
    }
}
