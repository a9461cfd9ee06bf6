//! Logs: one structured line for each event, as text or as JSON, on standard output.

use std::io::IsTerminal;

use api::env as names;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use crate::env::Env;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people: `2026-01-31T08:00:00Z  INFO target: message key=value`.
    Text,
    /// For machines: one JSON object per line.
    Json,
}

/// What to log and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// `off`, `error`, `warn`, `info`, `debug` or `trace`, or filter directives like `info,operator_runtime::watch=debug`.
    pub filter: String,
    /// Text or JSON.
    pub format: Format,
}

impl Settings {
    /// From `STRIMZI_LOG_LEVEL` (Strimzi's level names; default INFO) and `KASTELLAN_LOG_FORMAT` (`text` or `json`; default text).
    pub fn from_env(env: &Env) -> Self {
        let level = env.string(names::LOG_LEVEL, names::LOG_LEVEL_DEFAULT);
        let filter = filter_of(&level).unwrap_or_else(|| {
            env.error(
                names::LOG_LEVEL,
                Some(&level),
                "write one of OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE, ALL, or directives like info,topic_operator=debug",
            );
            "info".to_owned()
        });
        let format = match env.choice(names::own::LOG_FORMAT, "text", &["text", "json"]) {
            "json" => Format::Json,
            _ => Format::Text,
        };
        Self { filter, format }
    }
}

/// Strimzi's level name, or filter directives, as a filter; `None` when it is neither.
pub fn filter_of(level: &str) -> Option<String> {
    let name = match level.to_ascii_uppercase().as_str() {
        "OFF" => "off",
        "FATAL" | "ERROR" => "error",
        "WARN" | "WARNING" => "warn",
        "INFO" => "info",
        "DEBUG" => "debug",
        "TRACE" | "ALL" => "trace",
        _ => {
            let directives = level.contains('=') && targets(level).is_some();
            // Behind the directives, so that these stand.
            return directives.then(|| format!("{level},{SECRETIVE}"));
        }
    };
    // What failed is told where it was asked for.
    let quiet = if matches!(name, "debug" | "trace") { "info" } else { "off" };
    Some(format!(
        "{name},kube_runtime={quiet},hyper_util={quiet},rustls={quiet},tower={quiet},h2={quiet},{SECRETIVE}"
    ))
}

/// Directives as a filter of targets; spans, which the programs have none of, cannot be named. `None`: they are none.
fn targets(directives: &str) -> Option<Targets> {
    let parts: Vec<&str> = directives.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    parts.join(",").parse().ok()
}

/// Never logged, whatever is asked for: the Kubernetes client quotes an answer that it cannot read, a Secret too.
const SECRETIVE: &str = "kube_client::client=off";

/// The level of the log that runs.
#[derive(Debug)]
pub struct LogLevel(reload::Handle<Targets, Registry>);

impl LogLevel {
    /// Sets another filter, of the form of [`Settings::filter`]. A filter that cannot be read changes nothing.
    pub fn set(&self, filter: &str) {
        if let Some(filter) = targets(filter) {
            // It fails when logging has ended, and then there is nothing to set.
            let _ = self.0.reload(filter);
        }
    }
}

/// Starts logging. A second call in one process changes nothing (tests share a process).
pub fn init(settings: &Settings) -> LogLevel {
    let filter =
        targets(&settings.filter).unwrap_or_else(|| Targets::new().with_default(tracing::Level::INFO));
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_ansi(std::io::stdout().is_terminal());
    let _ = match settings.format {
        Format::Text => registry.with(lines).try_init(),
        Format::Json => registry.with(lines.json().flatten_event(true).with_current_span(false)).try_init(),
    };
    LogLevel(handle)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::apps::v1::Deployment;

    use super::*;

    #[test]
    fn level_names_of_strimzi_are_understood() {
        for (level, starts) in [("INFO", "info,"), ("all", "trace,"), ("Fatal", "error,"), ("OFF", "off,")] {
            assert!(filter_of(level).unwrap().starts_with(starts), "{level}");
        }
        let directives = filter_of("info,topic_operator=debug").unwrap();
        assert!(directives.starts_with("info,topic_operator=debug,"), "{directives}");
        assert_eq!(filter_of("loud"), None);
        assert_eq!(filter_of("a=loud"), None);
    }

    #[test]
    fn directives_are_taken_with_blanks_and_commas_too_many() {
        let filter = targets(&filter_of("warn, ,topic_operator=debug,").unwrap()).unwrap();
        let wanted = |target, level| filter.would_enable(target, &level);
        assert!(wanted("topic_operator::plan", tracing::Level::DEBUG));
        assert!(wanted("other", tracing::Level::WARN) && !wanted("other", tracing::Level::INFO));
    }

    /// What a server answers that is none of ours: the client of the API server logs some of it, as it came.
    const ANSWER: &str = r#"{"kind":"Secret","data":{"password":"aHVudGVyMg=="}}"#;

    /// An API server that answers everything with the text of a Secret, as a failure or as another object than was asked for.
    async fn bad_api_server(code: u16) -> kube::Client {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        crate::client::install_crypto_provider();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let head = format!(
                    "HTTP/1.1 {code} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                    ANSWER.len()
                );
                let _ = stream.write_all(format!("{head}{ANSWER}").as_bytes()).await;
            }
        });
        kube::Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap()
    }

    /// What is logged with a filter while such servers are asked for an object.
    async fn logged(filter: Targets) -> String {
        let log = LogLines::default();
        let writer = log.clone();
        let lines = tracing_subscriber::fmt::layer().with_writer(move || writer.clone());
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(filter).with(lines));
        for code in [500, 200, 201] {
            let client = bad_api_server(code).await;
            let deployments: kube::Api<Deployment> = kube::Api::namespaced(client.clone(), "ns");
            assert!(deployments.get("name").await.is_err());
            let key = crate::watch::ObjectRef::new("ns", "name");
            if let Err(error) = crate::apply::Applier::new(client).get::<Deployment>(&key).await {
                tracing::error!(target: "topic_operator", %error, "cannot read a Deployment");
            }
        }
        drop(guard);
        String::from_utf8(log.0.lock().unwrap().clone()).unwrap()
    }

    #[tokio::test]
    async fn answers_of_the_api_server_are_never_logged() {
        let all = logged(Targets::new().with_default(tracing::Level::TRACE)).await;
        assert!(all.contains("aHVudGVyMg=="), "the client logs nothing any more: {all}");
        for level in [
            "INFO",
            "TRACE",
            "info,topic_operator=debug",
            "kube_client::client=trace",
            "trace,kube_client=trace",
        ] {
            let text = logged(targets(&filter_of(level).unwrap()).unwrap()).await;
            assert!(!text.contains("password") && !text.contains("aHVudGVyMg"), "{level}: {text}");
        }
    }

    #[derive(Clone, Default)]
    struct LogLines(std::sync::Arc<std::sync::Mutex<Vec<u8>>>);

    impl std::io::Write for LogLines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_wrong_level_is_reported_with_the_choices() {
        let env = Env::from_map([("STRIMZI_LOG_LEVEL", "loud"), ("KASTELLAN_LOG_FORMAT", "JSON")]);
        assert_eq!(Settings::from_env(&env).format, Format::Json);
        assert!(env.finish().unwrap_err().to_string().contains("STRIMZI_LOG_LEVEL='loud'"));
    }
}
