//! The running bridge: its ports, its tasks, its end.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::consumer::registry::Registry;
use crate::http::answer::AnswerRoom;
use crate::http::body::Bodies;
use crate::http::server::{self, ListenError, Port, Serving};
use crate::http::tls::{Certificate, TlsError};
use crate::kafka::clients::{Clients, ClientsError};
use crate::metrics::BridgeMetrics;
use crate::service::{Service, Surface};
use crate::settings::{Http, Settings};
use crate::traces::export::Traces;

/// Between two looks at passwords and certificates for Kafka.
const REFRESH: Duration = Duration::from_secs(30);

/// Connections of probes and scrapes.
const MANAGEMENT_CONNECTIONS: usize = 64;

/// Time for the request of a probe or a scrape, and for the parts of its answer.
const MANAGEMENT_PATIENCE: Duration = Duration::from_secs(5);

/// What the last records get of the time for the end at least.
const LAST_FLUSH: Duration = Duration::from_secs(5);

/// Why the bridge cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A client of Kafka.
    #[error(transparent)]
    Clients(#[from] ClientsError),
    /// A port.
    #[error(transparent)]
    Listen(#[from] ListenError),
    /// The certificate of the API.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The figures.
    #[error("register metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// A bridge that serves.
#[derive(Debug)]
pub struct Bridge {
    /// Port of the API.
    pub port: u16,
    /// Port of health and metrics.
    pub management_port: u16,
    done: JoinHandle<()>,
}

impl Bridge {
    /// Starts to serve; `file` is the file of the settings, which is read again for passwords and certificates.
    pub async fn start(
        settings: Settings,
        file: Option<PathBuf>,
        shutdown: CancellationToken,
    ) -> Result<Self, StartError> {
        for name in &settings.unknown {
            tracing::warn!("the setting {name} has no effect: nobody knows it");
        }
        let metrics = BridgeMetrics::new()?;
        let clients = Arc::new(Clients::new(&settings, file, metrics.clone())?);
        let certificate = settings.http.tls.as_ref().map(Certificate::read).transpose()?;
        let api = Port::listen(&settings.http.host, settings.http.port).await?;
        let management = Port::listen(&settings.http.host, settings.http.management_port).await?;
        let (port, management_port) = (api.number(), management.number());
        let registry = Arc::new(Registry::new(
            Arc::clone(&clients),
            settings.prefetch,
            metrics.clone(),
            settings.id.clone(),
            settings.consumer_timeout,
            settings.max_consumers,
        ));
        if let Some(certificate) = certificate.clone() {
            tokio::spawn(certificate.follow(shutdown.clone()));
        }
        let http = settings.http.clone();
        // Spans of the last requests go out after them.
        let last_answer = CancellationToken::new();
        let (traces, exporting) = settings
            .traces
            .clone()
            .map(|traces| Traces::start(traces, metrics.dropped_spans.clone(), last_answer.clone()))
            .unzip();
        let service = Arc::new(Service {
            bodies: Bodies::new(http.max_body, http.max_pending, http.request_timeout),
            answers: AnswerRoom::new(http.max_answers, http.request_timeout, http.write_timeout),
            cors: http.cors.clone(),
            consumer_enabled: settings.consumer_enabled,
            metrics_enabled: settings.metrics,
            tracing: settings.tracing,
            traces,
            scheme: if certificate.is_some() { "https" } else { "http" },
            address: format!("{}:{port}", if http.host == "0.0.0.0" { "localhost" } else { &http.host }),
            max_poll_records: settings.max_poll_records,
            shutdown: shutdown.clone(),
            clients,
            registry,
            metrics,
        });
        let serving = work(service, http, api, management, certificate);
        let done = tokio::spawn(async move {
            serving.await;
            last_answer.cancel();
            if let Some(exporting) = exporting {
                let _ = exporting.await;
            }
        });
        Ok(Self { port, management_port, done })
    }

    /// Waits for the end, which begins with the shutdown.
    pub async fn wait(self) -> Result<(), tokio::task::JoinError> {
        self.done.await
    }
}

async fn work(
    service: Arc<Service>,
    http: Http,
    api: Port,
    management: Port,
    certificate: Option<Certificate>,
) {
    let shutdown = service.shutdown.clone();
    let closing = CancellationToken::new();
    let serving = Serving {
        most: http.max_connections,
        head_timeout: http.idle_timeout,
        write_timeout: http.write_timeout,
        keeps_connections: true,
        certificate,
        connections: service.metrics.connections.clone(),
        shutdown: closing.clone(),
        patience: http.shutdown_timeout,
    };
    // Probes are answered until the last request is.
    let managed = CancellationToken::new();
    let for_management = Serving {
        most: MANAGEMENT_CONNECTIONS,
        // Whoever reaches the port must not keep the probes out.
        head_timeout: MANAGEMENT_PATIENCE,
        write_timeout: MANAGEMENT_PATIENCE,
        keeps_connections: false,
        certificate: None,
        connections: prometheus::IntGauge::new("unused", "unused")
            .unwrap_or_else(|_| serving.connections.clone()),
        shutdown: managed.clone(),
        patience: Duration::from_secs(1),
    };
    let handler = |surface: Surface| {
        let service = Arc::clone(&service);
        move |request| Arc::clone(&service).answer(surface, request)
    };
    let probes = tokio::spawn(server::serve(management, for_management, handler(Surface::Management)));
    let tending = {
        let (service, shutdown) = (Arc::clone(&service), shutdown.clone());
        tokio::spawn(async move { service.registry.tend(&shutdown).await })
    };
    let refreshing = tokio::spawn(refresh(Arc::clone(&service), shutdown.clone()));
    // Whoever sends requests here learns only now that others are to get them: until then they are answered.
    let delaying = {
        let shutdown = shutdown.clone();
        tokio::spawn(async move {
            shutdown.cancelled().await;
            tokio::time::sleep(http.shutdown_delay).await;
            closing.cancel();
        })
    };
    // Requests that wait for records end early.
    let waking = {
        let (service, shutdown) = (Arc::clone(&service), shutdown.clone());
        tokio::spawn(async move {
            shutdown.cancelled().await;
            service.registry.end_all(http.shutdown_timeout).await;
        })
    };
    let begun = async {
        shutdown.cancelled().await;
        Instant::now()
    };
    let ((), begun) = tokio::join!(server::serve(api, serving, handler(Surface::Api)), begun);
    for task in [tending, refreshing, waking, delaying] {
        let _ = task.await;
    }
    let left = (http.shutdown_delay + http.shutdown_timeout).saturating_sub(begun.elapsed()).max(LAST_FLUSH);
    let clients = Arc::clone(&service.clients);
    let _ = tokio::task::spawn_blocking(move || clients.flush(left)).await;
    managed.cancel();
    let _ = probes.await;
}

async fn refresh(service: Arc<Service>, shutdown: CancellationToken) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = tokio::time::sleep(REFRESH) => {}
        }
        let clients = Arc::clone(&service.clients);
        let _ = tokio::task::spawn_blocking(move || clients.refresh()).await;
    }
}
