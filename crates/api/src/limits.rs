//! How long the names and values of Kubernetes and of certificates may be, in characters, and which characters they have.

/// The name of a Service and the host name of a pod: a label of DNS (RFC 1123).
pub const DNS_LABEL: usize = 63;
/// The value of a label of Kubernetes.
pub const LABEL_VALUE: usize = 63;
/// The name part of the key of a label or an annotation.
pub const KEY_NAME: usize = 63;
/// The prefix of such a key, and the name of any object: a name of DNS.
pub const DNS_NAME: usize = 253;
/// Keys and values of all annotations of an object, in bytes.
pub const ANNOTATIONS: usize = 256 * 1024;
/// Keys and values of labels, or of annotations, that a user gives to every broker's objects for a listener or a volume, in bytes. A bound
/// of the operator's own.
pub const REPEATED_METADATA: usize = 4096;
/// The common name of a certificate (RFC 5280, `ub-common-name`).
pub const COMMON_NAME: usize = 64;

/// Whether the text is a label of DNS: lower-case letters, digits and `-`, with a letter or a digit at both ends.
pub fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    text.len() <= DNS_LABEL && has_proper_ends(text) && text.bytes().all(inner)
}

/// Whether the text is a name of DNS: labels of DNS with dots between them.
pub fn is_dns_name(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_part = |part: &str| has_proper_ends(part) && part.bytes().all(inner);
    text.len() <= DNS_NAME && text.split('.').all(is_part)
}

/// Whether the text can be the value of a label; an empty one can.
pub fn is_label_value(text: &str) -> bool {
    text.is_empty() || text.len() <= LABEL_VALUE && is_word(text)
}

/// Whether the text can be the key of a label or an annotation: a name, with a prefix and `/` before it or without.
pub fn is_key(text: &str) -> bool {
    match text.split_once('/') {
        None => text.len() <= KEY_NAME && is_word(text),
        Some((prefix, name)) => is_dns_name(prefix) && name.len() <= KEY_NAME && is_word(name),
    }
}

/// Letters, digits, `-`, `_` and `.`, with a letter or a digit at both ends.
fn is_word(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    end(text.bytes().next()) && end(text.bytes().last()) && text.bytes().all(inner)
}

fn has_proper_ends(text: &str) -> bool {
    let end = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    end(text.bytes().next()) && end(text.bytes().last())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_apart_as_the_api_server_does() {
        assert!(is_dns_label("a-1") && is_dns_label(&"a".repeat(63)));
        for wrong in ["", "a.b", "-a", "a-", "A", "a_b", &"a".repeat(64)] {
            assert!(!is_dns_label(wrong), "{wrong}");
        }
        assert!(is_dns_name("a.b-c.d") && !is_dns_name("a..b") && !is_dns_name(".a") && !is_dns_name(""));
    }

    #[test]
    fn labels_are_told_apart_as_the_api_server_does() {
        for right in ["team", "a.b/team", "A_b.c", "example.com/A"] {
            assert!(is_key(right), "{right}");
        }
        for wrong in ["", "/a", "a/", "a/b/c", "A.b/c", "a b", "-a", "a/-b"] {
            assert!(!is_key(wrong), "{wrong}");
        }
        assert!(is_label_value("") && is_label_value("A.b_c-1"));
        assert!(!is_label_value("a b") && !is_label_value("-a") && !is_label_value(&"a".repeat(64)));
    }
}
