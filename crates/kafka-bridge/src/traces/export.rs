//! The queue of finished spans, and the task that sends them to the collector in batches.
//!
//! Nobody waits for a collector: a span that finds the queue full is dropped and counted, and so is a batch that is not taken.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::Full;
use hyper_util::rt::TokioIo;
use operator_runtime::client::install_crypto_provider;
use prometheus::IntCounter;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::{Duration, Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::sync::CancellationToken;

use crate::trace;
use crate::traces::settings::{Sampling, TraceSettings};
use crate::traces::span::{Active, text};

/// Files with the public authorities, where systems have them; the first is that of our image.
const PUBLIC_AUTHORITIES: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// Time for the last spans when the process ends.
const LAST: Duration = Duration::from_secs(2);

/// Why spans were not taken. Says no address and no header.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    #[error("read the authorities of its certificate from {0}: there are none, or they cannot be read")]
    Authorities(String),
    #[error("its name cannot be that of a certificate")]
    Name,
    #[error("connect: {0}")]
    Connect(#[from] std::io::Error),
    #[error("send: {0}")]
    Send(#[from] hyper::Error),
    #[error("make a request: {0}")]
    Request(#[from] http::Error),
    #[error("it answers with {0}")]
    Refused(StatusCode),
    #[error("it does not answer in time")]
    Slow,
}

/// Where finished spans go. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Traces {
    sampling: Sampling,
    queue: Sender<Value>,
    dropped: IntCounter,
}

impl Traces {
    /// Starts the task that sends them, until the end.
    pub(crate) fn start(
        settings: TraceSettings,
        dropped: IntCounter,
        shutdown: CancellationToken,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, spans) = channel(settings.queue);
        let sampling = settings.sampling;
        let exporter = Exporter { settings, dropped: dropped.clone(), is_told: false };
        let task = tokio::spawn(exporter.run(spans, shutdown));
        (Self { sampling, queue, dropped }, task)
    }

    /// A request begins.
    pub(crate) fn begin(&self, headers: &HeaderMap) -> Active {
        Active::begin(trace::parent(headers), self.sampling)
    }

    /// A request was answered.
    pub(crate) fn end(&self, active: &Active, method: &str, path: &str, code: StatusCode) {
        if active.is_sampled() && self.queue.try_send(active.end(method, path, code.as_u16())).is_err() {
            self.dropped.inc();
        }
    }
}

struct Exporter {
    settings: TraceSettings,
    dropped: IntCounter,
    /// Whether it was told that the collector takes nothing.
    is_told: bool,
}

impl Exporter {
    async fn run(mut self, mut spans: Receiver<Value>, shutdown: CancellationToken) {
        loop {
            let mut batch = Vec::new();
            let first = tokio::select! {
                first = spans.recv() => first,
                () = shutdown.cancelled() => break,
            };
            let Some(first) = first else { return };
            batch.push(first);
            let until = Instant::now() + self.settings.delay;
            while batch.len() < self.settings.batch {
                let next = tokio::select! {
                    next = timeout_at(until, spans.recv()) => next,
                    () = shutdown.cancelled() => break,
                };
                let Ok(Some(span)) = next else { break };
                batch.push(span);
            }
            self.export(batch, &shutdown).await;
        }
        // Requests that were under way end after the shutdown has begun: this task is the last that is waited for.
        spans.close();
        let mut rest = Vec::new();
        while let Ok(span) = spans.try_recv() {
            rest.push(span);
        }
        if !rest.is_empty() {
            self.export(rest, &shutdown).await;
        }
    }

    async fn export(&mut self, spans: Vec<Value>, shutdown: &CancellationToken) {
        let count = spans.len();
        let body = body(&self.settings, &spans);
        let end = async {
            shutdown.cancelled().await;
            tokio::time::sleep(LAST).await;
        };
        let sent = tokio::select! {
            sent = timeout(self.settings.timeout, send(&self.settings, body)) => sent.unwrap_or(Err(ExportError::Slow)),
            () = end => Err(ExportError::Slow),
        };
        match sent {
            Ok(()) => {
                if std::mem::take(&mut self.is_told) {
                    tracing::info!("the collector of traces takes them again");
                }
            }
            Err(error) => {
                self.dropped.inc_by(count as u64);
                if !std::mem::replace(&mut self.is_told, true) {
                    let host = self.settings.endpoint.host();
                    tracing::warn!(host, %error, "traces are lost: the collector does not take them");
                }
            }
        }
    }
}

/// The spans in OTLP's JSON.
fn body(settings: &TraceSettings, spans: &[Value]) -> Bytes {
    let attributes: Vec<Value> = settings.resource.iter().map(|(key, value)| text(key, value)).collect();
    let scope = json!({"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")});
    let all = json!({"resourceSpans": [{
        "resource": {"attributes": attributes},
        "scopeSpans": [{"scope": scope, "spans": spans}],
    }]});
    all.to_string().into()
}

async fn send(settings: &TraceSettings, body: Bytes) -> Result<(), ExportError> {
    let host = settings.endpoint.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let is_encrypted = settings.endpoint.scheme_str() == Some("https");
    let port = settings.endpoint.port_u16().unwrap_or(if is_encrypted { 443 } else { 80 });
    let mut request = Request::post(settings.endpoint.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, format!("{host}:{port}"))
        .body(Full::new(body))?;
    request.headers_mut().extend(settings.headers.clone());
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let stream = TcpStream::connect((bare, port)).await?;
    let code = if is_encrypted {
        let name = ServerName::try_from(bare.to_owned()).map_err(|_| ExportError::Name)?;
        let stream = connector(settings.certificate.as_deref())?.connect(name, stream).await?;
        exchange(stream, request).await?
    } else {
        exchange(stream, request).await?
    };
    if code.is_success() { Ok(()) } else { Err(ExportError::Refused(code)) }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>) -> Result<StatusCode, hyper::Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::pin!(connection);
    let answered = sender.send_request(request);
    tokio::pin!(answered);
    tokio::select! {
        answer = answered.as_mut() => Ok(answer?.status()),
        ended = connection => {
            ended?;
            Ok(answered.await?.status())
        }
    }
}

fn connector(certificate: Option<&Path>) -> Result<TlsConnector, ExportError> {
    install_crypto_provider();
    let path = certificate.or_else(|| PUBLIC_AUTHORITIES.iter().map(Path::new).find(|path| path.is_file()));
    let path = path.unwrap_or(Path::new(PUBLIC_AUTHORITIES[0]));
    let unreadable = || ExportError::Authorities(path.display().to_string());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|_| unreadable())?;
    roots.add_parsable_certificates(certificates.flatten());
    if roots.is_empty() {
        return Err(unreadable());
    }
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::traces::settings;

    fn settings(port: u16, more: &'static [(&'static str, &'static str)]) -> TraceSettings {
        let find = |name: &str| match name {
            "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(format!("http://127.0.0.1:{port}")),
            "OTEL_BSP_SCHEDULE_DELAY" => Some("20".to_owned()),
            "OTEL_EXPORTER_OTLP_HEADERS" => Some("authorization=hunter2".to_owned()),
            _ => more.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()),
        };
        settings::read("web", find).0.unwrap()
    }

    fn counter() -> IntCounter {
        IntCounter::new("dropped", "dropped").unwrap()
    }

    /// Answers one request, and gives it back.
    async fn answered(listener: &TcpListener, answer: &str) -> String {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut text = String::new();
        let mut bytes = vec![0; 65536];
        while !text.ends_with("}]}") {
            let count = stream.read(&mut bytes).await.unwrap();
            text.push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        text
    }

    #[tokio::test]
    async fn finished_requests_reach_the_collector_and_the_last_ones_before_the_end() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let shutdown = CancellationToken::new();
        let dropped = counter();
        let (traces, task) = Traces::start(settings(port, &[]), dropped.clone(), shutdown.clone());
        let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers =
            HeaderMap::from_iter([("traceparent".parse().unwrap(), HeaderValue::from_static(parent))]);
        traces.end(&traces.begin(&headers), "GET", "/topics", StatusCode::OK);
        let request = answered(&listener, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /v1/traces HTTP/1.1") && head.contains("hunter2"), "{head}");
        let body: Value = serde_json::from_str(body).unwrap();
        let all = &body["resourceSpans"][0];
        assert_eq!(all["resource"]["attributes"][0], text("service.name", "web"));
        assert_eq!(all["scopeSpans"][0]["spans"][0]["traceId"], "4bf92f3577b34da6a3ce929d0e0e4736");
        // Not even what is for the collector alone is in a span.
        assert!(!body.to_string().contains("hunter2"));
        traces.end(&traces.begin(&HeaderMap::new()), "GET", "/last", StatusCode::OK);
        shutdown.cancel();
        let last = answered(&listener, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await;
        assert!(last.contains("/last"));
        task.await.unwrap();
        assert_eq!(dropped.get(), 1, "the collector did not take the last one");
    }

    #[tokio::test]
    async fn a_collector_that_takes_nothing_costs_no_request_anything() {
        // No collector listens there, and then a collector that never answers.
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let dropped = counter();
        let more = &[("OTEL_BSP_MAX_QUEUE_SIZE", "10"), ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "5")];
        let shutdown = CancellationToken::new();
        let (traces, task) = Traces::start(settings(port, more), dropped.clone(), shutdown.clone());
        for _ in 0..1000 {
            traces.end(&traces.begin(&HeaderMap::new()), "GET", "/", StatusCode::OK);
        }
        assert!(dropped.get() >= 980, "{}", dropped.get());
        shutdown.cancel();
        drop(listener);
        task.await.unwrap();
        assert_eq!(dropped.get(), 1000);
    }
}
