//! Typed settings from environment variables. All mistakes are collected, so that one start shows all of them.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

/// One variable that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvError {
    /// Name of the variable.
    pub name: String,
    /// Its value; `None` when it is not set, or when it is a secret.
    pub value: Option<String>,
    /// What to write instead.
    pub instead: String,
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}='{}' cannot be used: {}", self.name, value, self.instead),
            None => write!(f, "{} is not set or cannot be used: {}", self.name, self.instead),
        }
    }
}

/// Every variable that cannot be used, in the order in which they were read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read settings from the environment: {}", join(.0))]
pub struct EnvErrors(pub Vec<EnvError>);

fn join(errors: &[EnvError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// The namespaces a process watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// The whole cluster.
    All,
    /// Only these, sorted, without duplicates, at least one.
    Some(Vec<String>),
}

impl Namespaces {
    /// Whether objects of this namespace are watched.
    pub fn contains(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Some(names) => names.iter().any(|n| n == namespace),
        }
    }
}

impl fmt::Display for Namespaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Some(names) => f.write_str(&names.join(",")),
        }
    }
}

/// Labels that an object must carry: `key=value,key=value`. The empty selector matches everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LabelSelector(pub BTreeMap<String, String>);

impl LabelSelector {
    /// Whether an object with these labels is selected.
    pub fn matches(&self, labels: Option<&BTreeMap<String, String>>) -> bool {
        self.0.iter().all(|(key, value)| labels.is_some_and(|have| have.get(key) == Some(value)))
    }

    /// Whether it selects everything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The form that the Kubernetes API takes; `None` when it selects everything.
    pub fn to_query(&self) -> Option<String> {
        (!self.0.is_empty()).then(|| self.to_string())
    }
}

impl fmt::Display for LabelSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<String> = self.0.iter().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

/// Reads settings. A variable that is set to the empty string counts as not set, as in Strimzi's operators.
#[derive(Debug, Default)]
pub struct Env {
    values: HashMap<String, String>,
    errors: RefCell<Vec<EnvError>>,
}

impl Env {
    /// The variables of this process. Values that are not UTF-8 are left out.
    pub fn from_process() -> Self {
        let values = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect();
        Self { values, errors: RefCell::default() }
    }

    /// Variables from pairs, for tests.
    pub fn from_map<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let values = pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        Self { values, errors: RefCell::default() }
    }

    /// The value, or `None` when it is not set or empty.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.values.get(name).map(|value| value.trim()).filter(|value| !value.is_empty()).map(str::to_owned)
    }

    /// The value, or the default.
    pub fn string(&self, name: &str, default: &str) -> String {
        self.optional(name).unwrap_or_else(|| default.to_owned())
    }

    /// The value; when there is none, the error is noted and the empty string returned.
    pub fn required(&self, name: &str) -> String {
        self.optional(name).unwrap_or_else(|| {
            self.error(name, None, "it is required, set it to a value that is not empty");
            String::new()
        })
    }

    /// `true` or `false`, in any case.
    pub fn bool(&self, name: &str, default: bool) -> bool {
        let Some(value) = self.optional(name) else { return default };
        match value.to_ascii_lowercase().as_str() {
            "true" => true,
            "false" => false,
            _ => {
                self.error(name, Some(&value), "write true or false");
                default
            }
        }
    }

    /// A whole number within the range.
    pub fn integer(&self, name: &str, default: i64, range: RangeInclusive<i64>) -> i64 {
        let Some(value) = self.optional(name) else { return default };
        match value.parse::<i64>() {
            Ok(number) if range.contains(&number) => number,
            _ => {
                let instead = format!("write a whole number from {} to {}", range.start(), range.end());
                self.error(name, Some(&value), &instead);
                default
            }
        }
    }

    /// How many batches may be in flight: what Strimzi calls the size of a pool of threads. Beyond 64, more make nothing faster.
    pub fn batches(&self, name: &str, default: i64) -> usize {
        const MOST: i64 = 64;
        self.integer(name, default, 1..=i64::MAX).min(MOST) as usize
    }

    /// A duration written as a positive number of milliseconds.
    pub fn duration_ms(&self, name: &str, default: Duration) -> Duration {
        let Some(value) = self.optional(name) else { return default };
        match value.parse::<u64>() {
            Ok(millis) if millis > 0 => Duration::from_millis(millis),
            _ => {
                let instead = format!(
                    "write milliseconds as a whole number above 0, for example {}",
                    default.as_millis()
                );
                self.error(name, Some(&value), &instead);
                default
            }
        }
    }

    /// Comma-separated words without the blanks around them; empty when not set.
    pub fn list(&self, name: &str) -> Vec<String> {
        let value = self.optional(name).unwrap_or_default();
        value.split(',').map(str::trim).filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// One of the given words, in any case; returned as it is spelled in `choices`.
    pub fn choice(&self, name: &str, default: &'static str, choices: &[&'static str]) -> &'static str {
        let Some(value) = self.optional(name) else { return default };
        if let Some(found) = choices.iter().find(|choice| choice.eq_ignore_ascii_case(&value)) {
            return found;
        }
        self.error(name, Some(&value), &format!("write one of {}", choices.join(", ")));
        default
    }

    /// Namespaces to watch: `*` or not set means all, else a comma-separated list.
    pub fn namespaces(&self, name: &str) -> Namespaces {
        let mut names = self.list(name);
        if names.is_empty() || names == ["*"] {
            return Namespaces::All;
        }
        for namespace in &names {
            if !is_dns_label(namespace) {
                let instead = format!(
                    "'{namespace}' is not a namespace name; write * for all, or names separated by commas, each of lower-case letters, digits and '-'"
                );
                self.error(name, Some(&names.join(",")), &instead);
                return Namespaces::All;
            }
        }
        names.sort();
        names.dedup();
        Namespaces::Some(names)
    }

    /// Labels as `key=value,key=value`; the empty selector when not set.
    pub fn label_selector(&self, name: &str) -> LabelSelector {
        LabelSelector(self.pairs(name, ','))
    }

    /// Whitespace-separated `version=image` pairs, as in `STRIMZI_KAFKA_IMAGES`.
    pub fn images(&self, name: &str) -> BTreeMap<String, String> {
        self.pairs(name, ' ')
    }

    fn pairs(&self, name: &str, separator: char) -> BTreeMap<String, String> {
        let value = self.optional(name).unwrap_or_default();
        let mut pairs = BTreeMap::new();
        let is_separator = |c: char| c == separator || c.is_whitespace();
        for part in value.split(is_separator).filter(|part| !part.is_empty()) {
            match part.split_once('=') {
                Some((key, word)) if !key.is_empty() => {
                    pairs.insert(key.trim().to_owned(), word.trim().to_owned());
                }
                _ => {
                    let between = if separator == ',' { "a comma" } else { "a blank" };
                    let instead =
                        format!("'{part}' has no '='; write key=value, with {between} between the pairs");
                    self.error(name, Some(&value), &instead);
                    return BTreeMap::new();
                }
            }
        }
        pairs
    }

    /// Notes a mistake that the caller found. Leave `value` out for secrets.
    pub fn error(&self, name: &str, value: Option<&str>, instead: &str) {
        self.errors.borrow_mut().push(EnvError {
            name: name.to_owned(),
            value: value.map(str::to_owned),
            instead: instead.to_owned(),
        });
    }

    /// Fails with everything that was noted.
    pub fn finish(&self) -> Result<(), EnvErrors> {
        let errors = self.errors.borrow().clone();
        if errors.is_empty() { Ok(()) } else { Err(EnvErrors(errors)) }
    }
}

fn is_dns_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !name.is_empty()
        && name.len() <= 63
        && name.chars().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_named_together_with_what_to_write() {
        let env = Env::from_map([("A", "maybe"), ("B", "12x"), ("C", "Ns_1"), ("D", "novalue"), ("N", "7")]);
        assert!(env.bool("A", true));
        assert_eq!(env.duration_ms("B", Duration::from_mins(2)), Duration::from_mins(2));
        env.namespaces("C");
        env.label_selector("D");
        env.required("E");
        env.integer("N", 1, 1..=5);
        let text = env.finish().unwrap_err().to_string();
        for part in [
            "A='maybe' cannot be used: write true or false",
            "B='12x'",
            "for example 120000",
            "'Ns_1' is not a namespace name",
            "'novalue' has no '='",
            "E is not set",
            "from 1 to 5",
        ] {
            assert!(text.contains(part), "{part} is missing in {text}");
        }
    }

    #[test]
    fn unset_and_empty_variables_take_defaults() {
        let env = Env::from_map([("A", ""), ("B", "  ")]);
        assert_eq!(env.string("A", "x"), "x");
        assert!(env.bool("B", true));
        assert_eq!(env.namespaces("A"), Namespaces::All);
        assert!(env.label_selector("A").is_empty());
        assert!(env.finish().is_ok());
    }

    #[test]
    fn lists_namespaces_selectors_and_images_are_parsed() {
        let env = Env::from_map([
            ("NS", "b, a,,b"),
            ("STAR", "*"),
            ("SEL", "a=b, c=d"),
            ("IMG", "4.3.1=repo/kafka:4.3.1\n4.2.0=repo/kafka:4.2.0 "),
        ]);
        assert_eq!(env.namespaces("NS"), Namespaces::Some(vec!["a".into(), "b".into()]));
        assert_eq!(env.namespaces("STAR"), Namespaces::All);
        let selector = env.label_selector("SEL");
        assert_eq!(selector.to_query().as_deref(), Some("a=b,c=d"));
        let labels = BTreeMap::from([("a".to_owned(), "b".to_owned())]);
        assert!(!selector.matches(Some(&labels)));
        assert_eq!(env.images("IMG").get("4.2.0").map(String::as_str), Some("repo/kafka:4.2.0"));
        assert!(env.finish().is_ok());
    }

    #[test]
    fn choices_ignore_case() {
        let env = Env::from_map([("P", "ifnotpresent"), ("Q", "Sometimes")]);
        assert_eq!(env.choice("P", "Always", &["Always", "IfNotPresent"]), "IfNotPresent");
        env.choice("Q", "Always", &["Always", "IfNotPresent"]);
        assert!(env.finish().unwrap_err().to_string().contains("one of Always, IfNotPresent"));
    }
}
