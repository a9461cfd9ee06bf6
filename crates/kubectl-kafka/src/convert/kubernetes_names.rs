//! Names of Kubernetes made out of names that need not be such.

use std::collections::BTreeSet;

use api::limits;

/// A label of DNS as near to a text as can be, of at most that many characters; `otherwise` where nothing is left of it.
pub(super) fn label(text: &str, most: usize, otherwise: &str) -> String {
    let mapped: String = text
        .to_lowercase()
        .chars()
        .map(|c| if c.is_ascii_lowercase() || c.is_ascii_digit() { c } else { '-' })
        .take(most)
        .collect();
    let trimmed = mapped.trim_matches('-');
    if trimmed.is_empty() { otherwise.chars().take(most).collect() } else { trimmed.to_owned() }
}

/// The name of an object as near to a text as can be: labels of DNS with dots between them.
pub(super) fn object(text: &str, otherwise: &str) -> String {
    let parts =
        text.split('.').map(|part| label(part, limits::DNS_LABEL, "")).filter(|part| !part.is_empty());
    let name: String = parts.collect::<Vec<_>>().join(".").chars().take(limits::DNS_NAME).collect();
    let name = name.trim_matches(['-', '.']);
    if name.is_empty() { otherwise.to_owned() } else { name.to_owned() }
}

/// The name, with a number behind it where it is taken; then it is taken.
pub(super) fn unique(name: &str, most: usize, separator: &str, taken: &mut BTreeSet<String>) -> String {
    let mut candidate = name.to_owned();
    let mut number = 2;
    while taken.contains(&candidate) {
        let end = format!("{separator}{number}");
        let room = most.saturating_sub(end.len());
        let start: String = name.chars().take(room).collect();
        candidate = format!("{}{end}", start.trim_end_matches(['-', '.']));
        number += 1;
    }
    taken.insert(candidate.clone());
    candidate
}
