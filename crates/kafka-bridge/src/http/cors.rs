//! Which pages of other origins may use the API.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderMap, HeaderValue, ORIGIN, VARY,
};
use http::{Method, StatusCode};
use regex::Regex;

/// Headers that a page may send.
const HEADERS: &str =
    "accept, authorization, content-type, origin, traceparent, tracestate, x-requested-with";

/// Seconds for which a browser may remember an answer.
const MAX_AGE: &str = "600";

/// Origins and methods.
#[derive(Debug, Clone)]
pub struct Cors {
    any: bool,
    origins: Vec<Regex>,
    methods: String,
}

/// What CORS says of a request.
#[derive(Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing: no page of another origin asks.
    Silent,
    /// The answer gets these headers.
    Allowed(HeaderMap),
    /// The question before the request; it is answered with this code and these headers.
    Preflight(StatusCode, HeaderMap),
    /// A page of an origin that is not allowed.
    Refused,
}

impl Cors {
    /// Origins as texts, `*`, or regular expressions that match the whole of an origin.
    pub fn new(origins: &[String], methods: &[String]) -> Result<Self, String> {
        let mut expressions = Vec::new();
        for origin in origins.iter().filter(|origin| origin.as_str() != "*") {
            // A plain origin has dots, which mean themselves there.
            let is_plain =
                origin.bytes().all(|byte| byte.is_ascii_alphanumeric() || b":/.-_".contains(&byte));
            let text = if is_plain { regex::escape(origin) } else { origin.clone() };
            let whole = Regex::new(&format!("^(?:{text})$")).map_err(|_| origin.clone())?;
            expressions.push(whole);
        }
        let any = origins.iter().any(|origin| origin == "*");
        Ok(Self { any, origins: expressions, methods: methods.join(", ") })
    }

    /// Judges a request.
    pub fn judge(&self, method: &Method, headers: &HeaderMap) -> Verdict {
        let Some(origin) = headers.get(ORIGIN) else { return Verdict::Silent };
        let known = origin.to_str().is_ok_and(|origin| {
            self.any || self.origins.iter().any(|expression| expression.is_match(origin))
        });
        if !known {
            return Verdict::Refused;
        }
        let mut answer = HeaderMap::new();
        let shown = if self.any { HeaderValue::from_static("*") } else { origin.clone() };
        answer.insert(ACCESS_CONTROL_ALLOW_ORIGIN, shown);
        answer.insert(VARY, HeaderValue::from_static("origin"));
        if *method != Method::OPTIONS || !headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD) {
            return Verdict::Allowed(answer);
        }
        if let Ok(methods) = HeaderValue::from_str(&self.methods) {
            answer.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        answer.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        answer.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(MAX_AGE));
        Verdict::Preflight(StatusCode::NO_CONTENT, answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(http::HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    fn cors(origins: &[&str]) -> Cors {
        let origins: Vec<String> = origins.iter().map(|&origin| origin.to_owned()).collect();
        Cors::new(&origins, &["GET".to_owned(), "POST".to_owned()]).unwrap()
    }

    #[test]
    fn a_known_origin_is_allowed_and_others_are_refused() {
        let cors = cors(&["https://strimzi.io", "https://.*\\.example\\.com"]);
        assert_eq!(cors.judge(&Method::GET, &HeaderMap::new()), Verdict::Silent);
        for origin in ["https://strimzi.io", "https://a.example.com"] {
            let Verdict::Allowed(answer) = cors.judge(&Method::GET, &headers(&[(ORIGIN, origin)])) else {
                panic!("{origin} is refused")
            };
            assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], origin);
        }
        for origin in ["https://strimzixio", "https://strimzi.io.evil.com", "null"] {
            assert_eq!(cors.judge(&Method::GET, &headers(&[(ORIGIN, origin)])), Verdict::Refused, "{origin}");
        }
    }

    #[test]
    fn the_question_before_a_request_is_answered_with_methods_and_headers() {
        let asked = headers(&[(ORIGIN, "https://x"), (ACCESS_CONTROL_REQUEST_METHOD, "POST")]);
        let Verdict::Preflight(code, answer) = cors(&["*"]).judge(&Method::OPTIONS, &asked) else {
            panic!("not answered")
        };
        assert_eq!(code, StatusCode::NO_CONTENT);
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_METHODS], "GET, POST");
        assert_eq!(answer[ACCESS_CONTROL_ALLOW_ORIGIN], "*");
        assert!(answer[ACCESS_CONTROL_ALLOW_HEADERS].to_str().unwrap().contains("content-type"));
    }
}
