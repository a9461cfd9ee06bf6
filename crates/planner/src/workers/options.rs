//! `config` of workers and of clients: which options are the user's.

use std::collections::BTreeMap;

use api::schema::FreeMap;

use crate::findings::Findings;
use crate::option_text::{as_text, is_option_name, no_option_name};

/// Options that the operator decides. A resource with an option that starts with one of these is refused.
const FORBIDDEN_PREFIXES: &[&str] = &[
    "ssl.",
    "sasl.",
    "security.",
    "listeners",
    "plugin.path",
    "rest.",
    "bootstrap.servers",
    "consumer.interceptor.classes",
    "producer.interceptor.classes",
    "prometheus.metrics.reporter.",
];

/// Options below the forbidden prefixes that are the user's all the same.
const EXCEPTIONS: &[&str] =
    &["ssl.endpoint.identification.algorithm", "ssl.cipher.suites", "ssl.protocol", "ssl.enabled.protocols"];

/// The longest value of an option in characters: all of them go into one ConfigMap.
const LONGEST_VALUE: usize = 64 * 1024;

/// The options that can be taken as they are. What cannot is a problem. `section` is the path of the options.
pub(crate) fn read(
    raw: Option<&FreeMap>,
    section: &str,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for (name, value) in raw.into_iter().flatten() {
        if !is_option_name(name) {
            findings.problem(section, no_option_name(name));
            continue;
        }
        let field = format!("{section}.{name}");
        let lower = name.to_lowercase();
        let is_forbidden = FORBIDDEN_PREFIXES.iter().any(|prefix| lower.starts_with(prefix));
        if is_forbidden && !EXCEPTIONS.contains(&lower.as_str()) {
            findings.problem(
                field,
                "is set by the operator: remove it; addresses, TLS, authentication and metrics have sections of their own",
            );
            continue;
        }
        match as_text(value).filter(|text| text.chars().count() <= LONGEST_VALUE) {
            Some(text) => drop(options.insert(name.clone(), text)),
            None => findings.problem(
                field,
                format!("must be text of at most {LONGEST_VALUE} characters, a number, true, false or a list of them"),
            ),
        }
    }
    options
}
