//! The context of a trace (W3C Trace Context): from a request into the records that it sends.

use http::HeaderMap;

use crate::requests::NewRecord;
use crate::traces::span::Active;

/// Headers of a request that belong to it.
const NAMES: [&str; 2] = ["traceparent", "tracestate"];

/// Longest header that is passed on. Bytes.
const LONGEST: usize = 512;

/// The context of a request: names and values.
pub(crate) fn context(headers: &HeaderMap) -> Vec<(String, Vec<u8>)> {
    let one = |name: &str| {
        headers.get(name).map(http::HeaderValue::as_bytes).filter(|value| value.len() <= LONGEST)
    };
    // Without a parent a state means nothing.
    if !one("traceparent").is_some_and(is_parent) {
        return Vec::new();
    }
    NAMES.iter().filter_map(|&name| Some((name.to_owned(), one(name)?.to_vec()))).collect()
}

/// The valid `traceparent` of a request.
pub(crate) fn parent(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(NAMES[0]).filter(|value| value.len() <= LONGEST)?;
    valid(value.as_bytes())
}

/// A text that is a `traceparent`.
pub(crate) fn valid(value: &[u8]) -> Option<&str> {
    std::str::from_utf8(value).ok().filter(|_| is_parent(value))
}

/// The context of what a request causes: where spans are exported, its own span is the parent.
pub(crate) fn passed_on(headers: &HeaderMap, active: Option<&Active>) -> Vec<(String, Vec<u8>)> {
    let mut all = context(headers);
    if let Some(active) = active {
        all.retain(|(name, _)| name != NAMES[0]);
        all.insert(0, (NAMES[0].to_owned(), active.context().into_bytes()));
    }
    all
}

/// Gives the context to records that have none of their own.
pub(crate) fn add(context: &[(String, Vec<u8>)], records: &mut [NewRecord]) {
    for record in records {
        let has_own = record.headers.iter().any(|(name, _)| NAMES.contains(&name.as_str()));
        if !has_own {
            record.headers.extend(context.iter().cloned());
        }
    }
}

/// `00-<32 digits>-<16 digits>-<2 digits>`, in lower-case hexadecimal, and later versions with more behind it.
fn is_parent(value: &[u8]) -> bool {
    let digits = |range: std::ops::Range<usize>| {
        value.get(range).is_some_and(|part| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
    };
    let is_dash = |at: usize| value.get(at) == Some(&b'-');
    let shaped = digits(0..2)
        && is_dash(2)
        && digits(3..35)
        && is_dash(35)
        && digits(36..52)
        && is_dash(52)
        && digits(53..55);
    let zero = |range: std::ops::Range<usize>| {
        value.get(range).is_some_and(|part| part.iter().all(|byte| *byte == b'0'))
    };
    shaped && !zero(3..35) && !zero(36..52) && value.get(0..2) != Some(b"ff")
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn the_context_of_a_request_goes_into_records_without_one() {
        let mut headers = HeaderMap::new();
        headers.insert("tracestate", HeaderValue::from_static("a=b"));
        assert!(context(&headers).is_empty());
        headers.insert("traceparent", HeaderValue::from_static(PARENT));
        let own =
            NewRecord { headers: vec![("traceparent".to_owned(), b"mine".to_vec())], ..NewRecord::default() };
        let mut records = [NewRecord::default(), own.clone()];
        add(&context(&headers), &mut records);
        assert_eq!(records[0].headers[0], ("traceparent".to_owned(), PARENT.as_bytes().to_vec()));
        assert_eq!(records[0].headers[1].0, "tracestate");
        assert_eq!(records[1], own);
    }

    #[test]
    fn what_is_no_context_is_left_out() {
        assert!(is_parent(PARENT.as_bytes()));
        for wrong in ["", "00", &PARENT.to_uppercase(), &PARENT.replace('4', "g"), &"0".repeat(55)] {
            assert!(!is_parent(wrong.as_bytes()), "{wrong}");
        }
        assert!(!is_parent(b"00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
    }
}
