//! What can be a host name: it stands in a list of the advertised listeners, joined by commas.

/// Longest name in DNS.
const LONGEST: usize = 253;

/// What is wrong with a host name or address, as the end of a sentence that begins with it; `None`: nothing.
pub(super) fn complaint(name: &str) -> Option<&'static str> {
    let is_known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    let is_address = || {
        let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        bare.parse::<std::net::Ipv6Addr>().is_ok()
    };
    if name.len() > LONGEST {
        return Some("is too long for a host name: use at most 253 characters");
    }
    let is_host = !name.is_empty() && (name.chars().all(is_known) || is_address());
    (!is_host).then_some(
        "is not a host name: use letters, digits, '.', '-' and '_', or an IP address; the port has a field of its own",
    )
}
