//! Maps of options that users write for Kafka's clients and for programs beside Kafka: which of them are theirs to set.

use std::collections::BTreeMap;

use api::schema::FreeMap;

use crate::findings::Findings;
use crate::option_text::{as_text, is_option_name, no_option_name};

/// Which options of a map a user may set.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    /// Beginnings of the names of options that the operator decides. A resource with such an option is refused.
    pub forbidden: &'static [&'static str],
    /// Options below the forbidden beginnings that are the user's all the same.
    pub exceptions: &'static [&'static str],
    /// Where to write instead, for the message.
    pub instead: &'static str,
}

/// Options of TLS that change nothing of whom a client trusts and what it proves itself by.
pub(crate) const TLS_EXCEPTIONS: &[&str] =
    &["ssl.endpoint.identification.algorithm", "ssl.cipher.suites", "ssl.protocol", "ssl.enabled.protocols"];

/// The longest value of an option in characters: all of them go into one ConfigMap.
const LONGEST_VALUE: usize = 64 * 1024;

/// The options of the map at a path that can be taken as they are. What cannot is a problem.
pub(crate) fn read(
    raw: Option<&FreeMap>,
    path: &str,
    rules: &Rules,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for (name, value) in raw.into_iter().flatten() {
        if !is_option_name(name) {
            findings.problem(path, no_option_name(name));
            continue;
        }
        let field = format!("{path}.{name}");
        let lower = name.to_lowercase();
        let is_forbidden = rules.forbidden.iter().any(|prefix| lower.starts_with(prefix));
        if is_forbidden && !rules.exceptions.contains(&lower.as_str()) {
            findings.problem(field, format!("is set by the operator: remove it; {}", rules.instead));
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
