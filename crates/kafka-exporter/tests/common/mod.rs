//! An exporter in this process, scraped over HTTP.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

pub(crate) mod groups;

use std::time::Duration;

use kafka_exporter::Settings;
use operator_runtime::env::Env;
use operator_runtime::metrics::Metrics;
use operator_runtime::server::{Health, Server, Style};
use operator_runtime::telemetry;
use test_support::Log;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Generous, because the machine may be compiling.
pub(crate) const DEADLINE: Duration = Duration::from_mins(1);

/// Ends when it is dropped.
pub(crate) struct Exporter {
    port: u16,
    _end: DropGuard,
}

impl Exporter {
    /// Collects every 300 ms.
    pub(crate) async fn start(variables: &[(&str, &str)]) -> Self {
        Self::saying(variables, &Log::default()).await
    }

    /// As [`Self::start`]; all that it says goes into a log.
    pub(crate) async fn saying(variables: &[(&str, &str)], log: &Log) -> Self {
        let mut all =
            vec![("KASTELLAN_EXPORTER_INTERVAL_MS", "300"), ("KASTELLAN_EXPORTER_DEADLINE_MS", "6000")];
        all.extend(variables);
        let settings = Settings::from_env(&Env::from_map(all)).unwrap();
        let level = Env::from_map([("STRIMZI_LOG_LEVEL", "TRACE")]);
        let (log, filter) = (log.clone(), telemetry::Settings::from_env(&level).filter);
        let end = CancellationToken::new();
        let (guard, (sender, port)) = (end.clone().drop_guard(), tokio::sync::oneshot::channel());
        // One thread of its own, as in the program.
        std::thread::spawn(move || {
            log.take_in_this_thread(&filter).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let (metrics, health) = (Metrics::new().unwrap(), Health::new());
                let server = Server::bind(0, Style::Text, health.clone(), metrics.clone()).await.unwrap();
                sender.send(server.port()).unwrap();
                tokio::spawn(server.run(end.clone()));
                kafka_exporter::run(settings, metrics, health, end).await.unwrap();
            });
        });
        Self { port: port.await.unwrap(), _end: guard }
    }

    pub(crate) async fn scrape(&self) -> Scrape {
        scrape(self.port).await.unwrap()
    }

    /// Waits until a metric has the value.
    pub(crate) async fn until(
        &self,
        name: &str,
        labels: &[(&str, &str)],
        right: impl Fn(f64) -> bool,
    ) -> Scrape {
        let what = format!("{name} of {labels:?} is as it should be");
        let right = &right;
        test_support::wait::until(DEADLINE, &what, || async {
            let scrape = self.scrape().await;
            scrape.value(name, labels).is_some_and(right).then_some(scrape)
        })
        .await
        .unwrap()
    }
}

/// What a scrape gave.
#[derive(Debug)]
pub(crate) struct Scrape(pub String);

impl Scrape {
    /// The value of a metric that has these labels.
    pub(crate) fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let line = self.0.lines().find(|line| {
            let rest = line.strip_prefix(name);
            rest.is_some_and(|rest| rest.starts_with([' ', '{']))
                && labels.iter().all(|(label, value)| line.contains(&format!("{label}=\"{value}\"")))
        });
        line?.rsplit(' ').next()?.parse().ok()
    }
}

pub(crate) async fn scrape(port: u16) -> std::io::Result<Scrape> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    Ok(Scrape(answer))
}
