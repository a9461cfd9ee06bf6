//! Words that messages of all kinds have in common.

use std::fmt::Display;

/// The first of many texts, and how many more there are: `a; b; and 3 more` with the separator `"; "`.
pub(crate) fn first<T: Display>(
    texts: impl IntoIterator<Item = T, IntoIter: ExactSizeIterator>,
    most: usize,
    separator: &str,
) -> String {
    let texts = texts.into_iter();
    let more = texts.len().saturating_sub(most);
    let mut shown: Vec<String> = texts.take(most).map(|text| text.to_string()).collect();
    if more > 0 {
        shown.push(format!("and {more} more"));
    }
    shown.join(separator)
}

/// Longest text of Kubernetes that is passed on, in characters.
const LONGEST: usize = 500;

/// Words of a container, of the scheduler or of the API server on one line, and not longer than a status should be.
pub(crate) fn shortened(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= LONGEST {
        return line;
    }
    let mut short: String = line.chars().take(LONGEST).collect();
    short.push('…');
    short
}

/// Characters of a user's value that a message repeats.
const LONGEST_QUOTED: usize = 100;

/// A value of the user's between quotation marks; of a long one the beginning.
pub(crate) fn quoted(value: &str) -> String {
    let short: String = value.chars().take(LONGEST_QUOTED).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    format!("{short:?}{more}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_many_are_named_and_the_others_counted() {
        assert_eq!(first(["a", "b"], 2, "; "), "a; b");
        assert_eq!(first(["a", "b", "c", "d"], 2, "; "), "a; b; and 2 more");
        assert_eq!(first::<&str>([], 2, ", "), "");
    }

    #[test]
    fn of_a_long_value_the_beginning_is_repeated() {
        assert_eq!(quoted("a\n\"b"), r#""a\n\"b""#);
        assert_eq!(quoted(&"ä".repeat(100)).chars().count(), 102);
        assert_eq!(quoted(&"ä".repeat(1000)).chars().count(), 103);
    }
}
