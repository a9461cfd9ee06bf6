//! OpenTelemetry's own environment variables.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use api::env::open_telemetry as names;
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use crate::http::routes::decode;

/// Path of the collector below its base address.
const TRACES: &str = "v1/traces";

/// Spans that wait at a time, those of one request to the collector, and the time between two requests.
const QUEUE: usize = 2048;
const BATCH: usize = 512;
const DELAY: Duration = Duration::from_secs(5);

/// Time for one request to the collector.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Which requests without a trace of their own begin one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampling {
    /// Whether a request that is part of a trace follows what that says.
    pub follows_parent: bool,
    /// Part of the others, from 0 to 1.
    pub ratio: f64,
}

/// Where traces go.
#[derive(Clone)]
pub struct TraceSettings {
    /// The collector.
    pub endpoint: Uri,
    /// Headers of requests to it. They may have a password.
    pub headers: HeaderMap,
    /// PEM file with the authorities of its certificate; without it the public ones count.
    pub certificate: Option<PathBuf>,
    /// Time for one request.
    pub timeout: Duration,
    /// What the spans are about: names and values, with `service.name`.
    pub resource: Vec<(String, String)>,
    /// What begins a trace.
    pub sampling: Sampling,
    /// Spans that wait at a time.
    pub queue: usize,
    /// Spans of one request.
    pub batch: usize,
    /// Time between two requests.
    pub delay: Duration,
}

impl fmt::Debug for TraceSettings {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // An address may have a password in it, and headers have one.
        out.debug_struct("TraceSettings").field("host", &self.endpoint.host()).finish_non_exhaustive()
    }
}

/// Reads the variables. `None`: nothing is exported. What has no effect is told in sentences without values.
pub(crate) fn read(
    service: &str,
    variable: impl Fn(&str) -> Option<String>,
) -> (Option<TraceSettings>, Vec<String>) {
    let mut reader = Reader { variable, warnings: Vec::new() };
    let settings = reader.settings(service);
    (settings, reader.warnings)
}

struct Reader<Variable> {
    variable: Variable,
    warnings: Vec<String>,
}

impl<Variable: Fn(&str) -> Option<String>> Reader<Variable> {
    fn text(&self, name: &str) -> Option<String> {
        (self.variable)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// The variable for traces, or the one for everything that is exported.
    fn of_traces(&self, (own, general): (&'static str, &'static str)) -> Option<(&'static str, String)> {
        [own, general].into_iter().find_map(|name| Some((name, self.text(name)?)))
    }

    fn complain<T>(&mut self, name: &str, instead: &str) -> Option<T> {
        self.warnings.push(format!("the variable {name} has no effect: {instead}"));
        None
    }

    fn number<T: FromStr>(&mut self, name: &str, default: T) -> T {
        match self.text(name).map(|text| text.parse()) {
            None => default,
            Some(Ok(number)) => number,
            Some(Err(_)) => self.complain(name, "write a number").unwrap_or(default),
        }
    }

    fn settings(&mut self, service: &str) -> Option<TraceSettings> {
        if self.text(names::DISABLED).is_some_and(|text| text.eq_ignore_ascii_case("true")) {
            return None;
        }
        match self.text(names::EXPORTER).as_deref() {
            None | Some("otlp") => {}
            Some("none") => return None,
            Some(_) => return self.complain(names::EXPORTER, "write otlp or none"),
        }
        let endpoint = self.endpoint()?;
        let (name, protocol) = self.of_traces(names::PROTOCOL).unwrap_or((names::PROTOCOL.1, String::new()));
        if !["", "http/json", "http/protobuf"].contains(&protocol.as_str()) {
            let instead = "traces go over HTTP: write http/json, and the collector's port for HTTP, which is 4318 as a rule";
            return self.complain(name, instead);
        }
        let certificate = self.of_traces(names::CERTIFICATE).map(|(_, path)| path.into());
        let timeout = match self.of_traces(names::TIMEOUT) {
            Some((name, _)) => Duration::from_millis(self.number(name, TIMEOUT.as_millis() as u64)),
            None => TIMEOUT,
        };
        let delay = Duration::from_millis(self.number(names::DELAY, DELAY.as_millis() as u64));
        Some(TraceSettings {
            endpoint,
            headers: self.headers(),
            certificate,
            timeout: timeout.clamp(Duration::from_millis(1), Duration::from_mins(1)),
            resource: self.resource(service),
            sampling: self.sampling(),
            queue: self.number(names::QUEUE, QUEUE).clamp(1, 100_000),
            batch: self.number(names::BATCH, BATCH).clamp(1, 10_000),
            delay: delay.clamp(Duration::from_millis(1), Duration::from_mins(10)),
        })
    }

    fn endpoint(&mut self) -> Option<Uri> {
        let (name, text) = self.of_traces(names::ENDPOINT)?;
        let whole =
            if name == names::ENDPOINT.0 { text } else { format!("{}/{TRACES}", text.trim_end_matches('/')) };
        let uri = whole.parse::<Uri>().ok();
        let is_usable =
            |uri: &Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        match uri.filter(is_usable) {
            Some(uri) => Some(uri),
            None => self.complain(name, "write an address such as http://collector:4318"),
        }
    }

    /// `name=value,…`, percent-encoded.
    fn pairs(&mut self, name: &str) -> Vec<(String, String)> {
        let text = self.text(name).unwrap_or_default();
        let mut pairs = Vec::new();
        for pair in text.split(',').filter(|pair| !pair.trim().is_empty()) {
            let decoded = pair.split_once('=').and_then(|(key, value)| {
                Some((decode(key.trim())?, decode(value.trim())?)).filter(|(key, _)| !key.is_empty())
            });
            if let Some(pair) = decoded {
                pairs.push(pair);
            } else {
                let instead = "an item of it is not name=value with percent-encoding; it is left out";
                self.complain::<()>(name, instead);
            }
        }
        pairs
    }

    fn headers(&mut self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let Some((name, _)) = self.of_traces(names::HEADERS) else { return headers };
        for (key, value) in self.pairs(name) {
            match (key.parse::<HeaderName>(), HeaderValue::from_str(&value)) {
                (Ok(key), Ok(mut value)) => {
                    value.set_sensitive(true);
                    headers.insert(key, value);
                }
                _ => {
                    self.complain::<()>(name, "an item of it is no header of HTTP; it is left out");
                }
            }
        }
        headers
    }

    fn resource(&mut self, service: &str) -> Vec<(String, String)> {
        const NAME: &str = "service.name";
        let mut all = self.pairs(names::RESOURCE);
        match self.text(names::SERVICE) {
            Some(name) => {
                all.retain(|(key, _)| key != NAME);
                all.push((NAME.to_owned(), name));
            }
            None if all.iter().any(|(key, _)| key == NAME) => {}
            None => all.push((NAME.to_owned(), service.to_owned())),
        }
        all
    }

    fn sampling(&mut self) -> Sampling {
        let usual = Sampling { follows_parent: true, ratio: 1.0 };
        let Some(sampler) = self.text(names::SAMPLER) else { return usual };
        let (follows_parent, kind) = match sampler.strip_prefix("parentbased_") {
            Some(kind) => (true, kind),
            None => (false, sampler.as_str()),
        };
        let ratio = match kind {
            "always_on" => 1.0,
            "always_off" => 0.0,
            "traceidratio" => self.number(names::SAMPLER_ARGUMENT, 1.0_f64).clamp(0.0, 1.0),
            _ => {
                let instead =
                    "write always_on, always_off, traceidratio, or one of them with parentbased_ before it";
                return self.complain(names::SAMPLER, instead).unwrap_or(usual);
            }
        };
        Sampling { follows_parent, ratio }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pairs: &[(&str, &str)]) -> (Option<TraceSettings>, String) {
        let find =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let (settings, warnings) = read("web", find);
        (settings, warnings.join("\n"))
    }

    #[test]
    fn the_usual_variables_are_understood() {
        assert!(of(&[]).0.is_none(), "nobody named a collector");
        let (settings, warnings) = of(&[
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "https://collector:4318/base/"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20hunter2, x-team=a"),
            ("OTEL_RESOURCE_ATTRIBUTES", "service.name=other,zone=eu"),
            ("OTEL_SERVICE_NAME", "shop-bridge"),
            ("OTEL_TRACES_SAMPLER", "parentbased_traceidratio"),
            ("OTEL_TRACES_SAMPLER_ARG", "0.25"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"),
        ]);
        let settings = settings.unwrap();
        assert_eq!(settings.endpoint.to_string(), "https://collector:4318/base/v1/traces");
        assert_eq!(settings.headers["authorization"], "Bearer hunter2");
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(settings.resource, [pair("zone", "eu"), pair("service.name", "shop-bridge")]);
        assert_eq!(settings.sampling, Sampling { follows_parent: true, ratio: 0.25 });
        assert_eq!(settings.delay, Duration::from_millis(100));
        assert!(warnings.is_empty(), "{warnings}");
        assert!(!format!("{settings:?}").contains("hunter2"));
        let own = of(&[
            ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c/x"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://d"),
        ]);
        assert_eq!(own.0.unwrap().endpoint.to_string(), "http://c/x");
        let end = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        assert!(of(&[end, ("OTEL_TRACES_EXPORTER", "none")]).0.is_none());
        assert!(of(&[end, ("OTEL_SDK_DISABLED", "true")]).0.is_none());
    }

    #[test]
    fn what_has_no_effect_is_named_without_its_value() {
        let end = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c");
        for wrong in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "hunter2"),
            ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc hunter2"),
            ("OTEL_TRACES_EXPORTER", "hunter2"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2"),
            ("OTEL_TRACES_SAMPLER", "hunter2"),
            ("OTEL_EXPORTER_OTLP_TIMEOUT", "hunter2"),
            ("OTEL_BSP_MAX_QUEUE_SIZE", "hunter2"),
        ] {
            let (_, warnings) = of(&[wrong, end]);
            assert!(warnings.contains(wrong.0) && !warnings.contains("hunter2"), "{wrong:?}: {warnings}");
        }
    }
}
