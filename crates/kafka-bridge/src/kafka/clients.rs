//! The clients that all requests share, and the configuration of those that consumers have of their own.
//!
//! Passwords and certificates are read again now and then. When they have changed, new clients take the place of the old ones,
//! which finish what they have.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::AdminClient;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::Producer as _;

use crate::error::ApiError;
use crate::kafka::options::{self, OptionError, Role};
use crate::kafka::producer::Producer;
use crate::kafka::said::Said;
use crate::metrics::BridgeMetrics;
use crate::settings::{KafkaOptions, Settings};

/// How long an old producer may take for what it has.
const LAST_RECORDS: Duration = Duration::from_mins(2);

/// Clients that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientsError {
    /// An option.
    #[error(transparent)]
    Option(#[from] OptionError),
    /// The library refuses.
    #[error("make a client of kafka: {0}")]
    Client(String),
}

impl ClientsError {
    fn client(error: &KafkaError) -> Self {
        Self::Client(match error {
            // The error quotes the value.
            KafkaError::ClientConfig(_, _, name, _) => format!("its option {name} cannot be used"),
            other => other.to_string(),
        })
    }
}

/// The configurations of all clients.
#[derive(Debug)]
struct Configs {
    producer: ClientConfig,
    consumer: ClientConfig,
    admin: ClientConfig,
}

struct Current {
    options: KafkaOptions,
    configs: Configs,
    producer: Option<Arc<Producer>>,
    /// Made with the first question.
    admin: Option<Arc<AdminClient<Said>>>,
}

/// The clients.
#[allow(missing_debug_implementations, reason = "the clients of the library have none")]
pub(crate) struct Clients {
    file: Option<PathBuf>,
    producer_enabled: bool,
    metrics: BridgeMetrics,
    told: Mutex<BTreeSet<String>>,
    current: RwLock<Current>,
}

impl Clients {
    /// Makes the producer; the other clients are made when they are needed. `file` is read again by [`Self::refresh`].
    pub(crate) fn new(
        settings: &Settings,
        file: Option<PathBuf>,
        metrics: BridgeMetrics,
    ) -> Result<Self, ClientsError> {
        let options = settings.kafka.clone();
        let told = Mutex::default();
        let configs = configs(&options, &told)?;
        let producer_enabled = settings.producer_enabled;
        let producer = if producer_enabled { Some(make_producer(&configs, &metrics)?) } else { None };
        metrics.producers.set(i64::from(producer.is_some()));
        let current = RwLock::new(Current { options, configs, producer, admin: None });
        Ok(Self { file, producer_enabled, metrics, told, current })
    }

    /// The producer. A producer that met a fatal error is replaced.
    pub(crate) fn producer(&self) -> Result<Arc<Producer>, ApiError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        let disabled = || {
            let text = "The producer is disabled: set http.producer.enabled to true to send records.";
            ApiError::new(http::StatusCode::SERVICE_UNAVAILABLE, text)
        };
        let producer = current.producer.clone().ok_or_else(disabled)?;
        drop(current);
        if producer.fatal().is_none() {
            return Ok(producer);
        }
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_same = current.producer.as_ref().is_some_and(|now| Arc::ptr_eq(now, &producer));
        if is_same {
            let new = make_producer(&current.configs, &self.metrics)
                .map_err(|error| ApiError::internal(error.to_string()))?;
            if let Some(old) = current.producer.replace(new) {
                retire(old);
            }
        }
        current.producer.clone().ok_or_else(disabled)
    }

    /// The client for questions, and for new topics.
    pub(crate) fn admin(&self) -> Result<Arc<AdminClient<Said>>, ApiError> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(admin) = &current.admin {
            return Ok(Arc::clone(admin));
        }
        drop(current);
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(admin) = &current.admin {
            return Ok(Arc::clone(admin));
        }
        let made = AdminClient::from_config_and_context(&current.configs.admin, Said::new("admin"));
        let admin = made.map_err(|error| ApiError::kafka("make an admin client", &error))?;
        Ok(Arc::clone(current.admin.insert(Arc::new(admin))))
    }

    /// The configuration that a new consumer starts from.
    pub(crate) fn consumer_config(&self) -> ClientConfig {
        self.current.read().unwrap_or_else(PoisonError::into_inner).configs.consumer.clone()
    }

    /// Reads the file again, and replaces the clients if anything that concerns Kafka has changed.
    pub(crate) fn refresh(&self) {
        let Some(file) = &self.file else { return };
        let settings = match Settings::from_file(file) {
            Ok(settings) => settings,
            Err(error) => {
                self.tell(&format!(
                    "the configuration cannot be read again, the clients stay as they are: {error}"
                ));
                return;
            }
        };
        if self.current.read().unwrap_or_else(PoisonError::into_inner).options == settings.kafka {
            return;
        }
        if let Err(error) = self.replace(settings.kafka) {
            self.tell(&format!("the clients stay as they are: {error}"));
        }
    }

    fn replace(&self, options: KafkaOptions) -> Result<(), ClientsError> {
        let configs = configs(&options, &self.told)?;
        let producer =
            if self.producer_enabled { Some(make_producer(&configs, &self.metrics)?) } else { None };
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let old = std::mem::replace(&mut *current, Current { options, configs, producer, admin: None });
        drop(current);
        tracing::info!(
            "passwords, certificates or options of Kafka's clients have changed: new clients are used from now on"
        );
        if let Some(producer) = old.producer {
            retire(producer);
        }
        Ok(())
    }

    fn tell(&self, text: &str) {
        tell_once(&self.told, text);
    }

    /// Waits until the records that were taken are with Kafka.
    pub(crate) fn flush(&self, timeout: Duration) {
        let producer = self.current.read().unwrap_or_else(PoisonError::into_inner).producer.clone();
        if let Some(producer) = producer
            && let Err(error) = producer.native().flush(timeout)
        {
            tracing::warn!(%error, "records are lost that were sent with async=true: Kafka did not take them in time");
        }
    }
}

/// Says the same thing once.
fn tell_once(told: &Mutex<BTreeSet<String>>, text: &str) {
    if told.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned()) {
        tracing::warn!("{text}");
    }
}

fn configs(options: &KafkaOptions, told: &Mutex<BTreeSet<String>>) -> Result<Configs, ClientsError> {
    let one = |role: Role, own| -> Result<ClientConfig, OptionError> {
        let mapped = options::map(role, &options.with(own))?;
        for warning in &mapped.warnings {
            tell_once(told, warning);
        }
        Ok(mapped.config)
    };
    Ok(Configs {
        producer: one(Role::Producer, &options.producer)?,
        consumer: one(Role::Consumer, &options.consumer)?,
        admin: one(Role::Admin, &options.admin)?,
    })
}

fn make_producer(configs: &Configs, metrics: &BridgeMetrics) -> Result<Arc<Producer>, ClientsError> {
    let made = Producer::new(&configs.producer, metrics.clone());
    made.map(Arc::new).map_err(|error| ClientsError::client(&error))
}

/// Lets an old producer finish what it has.
fn retire(producer: Arc<Producer>) {
    std::thread::spawn(move || {
        if let Err(error) = producer.native().flush(LAST_RECORDS) {
            tracing::warn!(%error, "an old producer did not finish in time");
        }
    });
}
