//! One request as a span, and the context of a trace that it is part of.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::traces::settings::Sampling;

/// Records whose traces a request for records is linked to.
const MOST_LINKS: usize = 128;

/// Kind of a span in OTLP: an answered request.
const SERVER: u8 = 2;
/// Code of a span in OTLP: it failed.
const FAILED: u8 = 2;

/// Places of a `traceparent`: `00-<trace>-<span>-<flags>`.
const TRACE: std::ops::Range<usize> = 3..35;
const PARENT: std::ops::Range<usize> = 36..52;
const FLAGS: std::ops::Range<usize> = 53..55;

/// A span that is open. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Active(Arc<Open>);

#[derive(Debug)]
struct Open {
    trace: String,
    span: String,
    parent: Option<String>,
    is_sampled: bool,
    begun: SystemTime,
    more: Mutex<More>,
}

#[derive(Debug, Default)]
struct More {
    topic: Option<String>,
    records: Option<usize>,
    links: Vec<(String, String)>,
}

/// A random number. Each bit that a UUID has fixed meets a random one of the other.
fn random() -> u128 {
    Uuid::new_v4().as_u128() ^ Uuid::new_v4().as_u128().rotate_left(32)
}

impl Active {
    /// Of a request with this context, which is a valid one.
    pub(crate) fn begin(parent: Option<&str>, sampling: Sampling) -> Self {
        let part = |range: std::ops::Range<usize>| parent.and_then(|parent| parent.get(range));
        let trace = part(TRACE).map_or_else(|| format!("{:032x}", random()), str::to_owned);
        let parents_flag =
            part(FLAGS).and_then(|flags| u8::from_str_radix(flags, 16).ok()).map(|flags| flags & 1 == 1);
        let is_sampled = match parents_flag {
            Some(is_sampled) if sampling.follows_parent => is_sampled,
            _ => is_within(&trace, sampling.ratio),
        };
        Self(Arc::new(Open {
            trace,
            span: format!("{:016x}", random() as u64),
            parent: part(PARENT).map(str::to_owned),
            is_sampled,
            begun: SystemTime::now(),
            more: Mutex::default(),
        }))
    }

    /// Whether it goes to the collector.
    pub(crate) fn is_sampled(&self) -> bool {
        self.0.is_sampled
    }

    /// The `traceparent` of what this request causes.
    pub(crate) fn context(&self) -> String {
        format!("00-{}-{}-0{}", self.0.trace, self.0.span, u8::from(self.0.is_sampled))
    }

    fn more(&self) -> MutexGuard<'_, More> {
        self.0.more.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// So many records went to a topic.
    pub(crate) fn sent(&self, topic: &str, records: usize) {
        let mut more = self.more();
        more.topic = Some(topic.to_owned());
        more.records = Some(records);
    }

    /// So many records were handed out; some have contexts, which are valid ones.
    pub(crate) fn received(&self, records: usize, contexts: &[String]) {
        let mut more = self.more();
        more.records = Some(records);
        let links = contexts.iter().take(MOST_LINKS);
        let parts = links.filter_map(|one| Some((one.get(TRACE)?.to_owned(), one.get(PARENT)?.to_owned())));
        more.links = parts.collect();
    }

    /// The span in OTLP's JSON. `path` is that of the table of routes.
    pub(crate) fn end(&self, method: &str, path: &str, code: u16) -> Value {
        let open = &self.0;
        let more = self.more();
        let mut attributes = vec![
            text("http.request.method", method),
            text("http.route", path),
            number("http.response.status_code", code.into()),
        ];
        if let Some(topic) = &more.topic {
            attributes.push(text("messaging.system", "kafka"));
            attributes.push(text("messaging.destination.name", topic));
        }
        if let Some(records) = more.records {
            attributes.push(number("messaging.batch.message_count", records as u64));
        }
        let link = |(trace, span): &(String, String)| json!({"traceId": trace, "spanId": span});
        let mut span = json!({
            "traceId": open.trace,
            "spanId": open.span,
            "name": if path.is_empty() { method.to_owned() } else { format!("{method} {path}") },
            "kind": SERVER,
            "startTimeUnixNano": nanoseconds(open.begun),
            "endTimeUnixNano": nanoseconds(SystemTime::now()),
            "attributes": attributes,
            "links": more.links.iter().map(link).collect::<Vec<_>>(),
            "status": if code >= 500 { json!({"code": FAILED}) } else { json!({}) },
        });
        if let Some(parent) = &open.parent {
            span["parentSpanId"] = json!(parent);
        }
        span
    }
}

/// The last half of an id decides, so that all who see the trace decide alike.
fn is_within(trace: &str, ratio: f64) -> bool {
    let last = trace.get(16..32).and_then(|half| u64::from_str_radix(half, 16).ok()).unwrap_or(u64::MAX);
    let part = last as f64 / 2_f64.powi(64);
    ratio >= 1.0 || part < ratio
}

pub(crate) fn text(key: &str, value: &str) -> Value {
    json!({"key": key, "value": {"stringValue": value}})
}

fn number(key: &str, value: u64) -> Value {
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_nanos()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const ALL: Sampling = Sampling { follows_parent: true, ratio: 1.0 };

    #[test]
    fn a_span_continues_the_trace_of_its_request_and_says_names_and_numbers() {
        let active = Active::begin(Some(PARENT), ALL);
        active.sent("orders", 3);
        active.clone().received(3, &[PARENT.to_owned()]);
        let span = active.end("POST", "/topics/{topicname}", 503);
        assert_eq!(span["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(span["parentSpanId"], "00f067aa0ba902b7");
        assert_eq!(span["name"], "POST /topics/{topicname}");
        assert_eq!(span["status"]["code"], 2);
        assert_eq!(span["links"][0]["spanId"], "00f067aa0ba902b7");
        assert!(
            span["attributes"].as_array().unwrap().contains(&text("messaging.destination.name", "orders"))
        );
        let own = span["spanId"].as_str().unwrap();
        assert!(own.len() == 16 && own != "00f067aa0ba902b7");
        assert_eq!(active.context(), format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{own}-01"));
    }

    #[test]
    fn who_began_a_trace_decides_whether_it_is_kept() {
        let begin = |parent: Option<&str>, ratio: f64, follows_parent: bool| {
            Active::begin(parent, Sampling { follows_parent, ratio }).is_sampled()
        };
        let not_kept = PARENT.replace("-01", "-00");
        assert!(!begin(Some(&not_kept), 1.0, true) && begin(Some(PARENT), 0.0, true));
        assert!(begin(Some(&not_kept), 1.0, false) && !begin(Some(PARENT), 0.0, false));
        assert!(begin(None, 1.0, true) && !begin(None, 0.0, true));
        let kept = (0..1000).filter(|_| begin(None, 0.5, true)).count();
        assert!((300..700).contains(&kept), "{kept}");
        assert!(Active::begin(None, ALL).end("GET", "", 200)["parentSpanId"].is_null());
    }
}
