//! Names of connectors as parts of an address.

use std::fmt::Write as _;

/// A name as one part of a path or as a value of a query: everything but letters, digits, `-`, `.`, `_` and `~` is escaped.
pub(crate) fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            text.push(char::from(byte));
        } else {
            // Writing into a String cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_leaves_its_part_of_the_path() {
        assert_eq!(encode("my-source.v1_~"), "my-source.v1_~");
        assert_eq!(encode("a->b.Mirror"), "a-%3Eb.Mirror");
        assert_eq!(encode("../a?b#c/ ä"), "..%2Fa%3Fb%23c%2F%20%C3%A4");
    }
}
