//! The connection to Kafka: made from the settings and the TLS Secrets, renewed when a Secret changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kafka_admin::{Admin, AdminConfig, Sasl, TlsConfig};
use kube::Client;
use prometheus::{
    IntCounter,
    core::{Collector, Desc},
    proto::MetricFamily,
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{
    env::Namespaces,
    metrics::Metrics,
    watch::{Cache, Watch},
};

/// How long one call to Kafka may take, attempts on other brokers included.
const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// How to reach Kafka.
#[derive(Clone, Debug)]
pub struct Connection {
    /// `host:port` of brokers.
    pub bootstrap: Vec<String>,
    /// Client id shown to brokers.
    pub client_id: String,
    /// SASL, if any.
    pub sasl: Option<Sasl>,
    /// TLS, unless the connection is plain text.
    pub tls: Option<TlsSettings>,
    /// Namespace of the Secrets that `tls` names.
    pub namespace: String,
}

/// The Secrets for the connection to Kafka, and what is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsSettings {
    /// Secret with the certificates to trust: every key that ends in `.crt`.
    pub trusted_secret: String,
    /// The operator's own certificate, if it shows one.
    pub identity: Option<IdentitySecret>,
    /// Whether the broker's certificate has to carry the name that was connected to.
    pub verify_hostname: bool,
}

/// Where the operator's own certificate is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdentitySecret {
    /// Name of the Secret.
    pub secret: String,
    /// Key of the private key in that Secret.
    pub key_name: String,
    /// Key of the certificate in that Secret.
    pub certificate_name: String,
}

/// A Secret that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unusable(String);

type Data = BTreeMap<String, String>;

/// Makes the admin client as soon as the Secrets are there, and keeps its certificates up to date. The channel holds
/// `None` until then. The requests it sends are counted as `kastellan_kafka_requests_total`.
pub fn connect(
    client: &Client,
    connection: Connection,
    metrics: &Metrics,
    shutdown: &CancellationToken,
) -> watch::Receiver<Option<Admin>> {
    let (sender, receiver) = watch::channel(None);
    if let Err(error) = count_requests(metrics, receiver.clone()) {
        tracing::error!(%error, "cannot count the requests to Kafka");
    }
    let mut config = AdminConfig::brokers(connection.bootstrap)
        .with_client_id(connection.client_id)
        .with_request_timeout(CALL_DEADLINE);
    if let Some(sasl) = connection.sasl {
        config = config.with_sasl(sasl);
    }
    let Some(tls) = connection.tls else {
        match Admin::new(config) {
            Ok(admin) => {
                let _ = sender.send(Some(admin));
            }
            Err(error) => tracing::error!(%error, "cannot make a Kafka client"),
        }
        return receiver;
    };
    let namespaces = Namespaces::Some(vec![connection.namespace]);
    let (notify, changes) = mpsc::unbounded_channel();
    let watch = |name: &str| {
        let cache = Watch::<Secret>::namespaced(client, &namespaces)
            .fields(&format!("metadata.name={name}"))
            .start(shutdown, |secret: Secret| Some(text_of(secret)));
        let notify = notify.clone();
        cache.on_change(move |_| {
            let _ = notify.send(());
        });
        cache
    };
    let trusted = watch(&tls.trusted_secret);
    let identity = tls.identity.as_ref().map(|identity| watch(&identity.secret));
    let follow = follow(config, tls, trusted, identity, changes, sender);
    let shutdown = shutdown.clone();
    tokio::spawn(async move { shutdown.run_until_cancelled(follow).await });
    receiver
}

async fn follow(
    config: AdminConfig,
    tls: TlsSettings,
    trusted: Cache<Data>,
    identity: Option<Cache<Data>>,
    mut changes: mpsc::UnboundedReceiver<()>,
    sender: watch::Sender<Option<Admin>>,
) {
    let mut admin: Option<Admin> = None;
    let mut complaint = String::new();
    trusted.ready().await;
    if let Some(identity) = &identity {
        identity.ready().await;
    }
    loop {
        match tls_config(&tls, first(&trusted).as_deref(), identity.as_ref().and_then(first).as_deref()) {
            Ok(new) => {
                let done = match &admin {
                    Some(admin) => admin.update_tls(&new).map(|()| None),
                    None => Admin::new(config.clone().with_tls(new)).map(Some),
                };
                match done {
                    Ok(made) => {
                        complaint.clear();
                        if let Some(made) = made {
                            admin = Some(made.clone());
                            let _ = sender.send(Some(made));
                        } else {
                            tracing::info!("took over renewed certificates for the connection to Kafka");
                        }
                    }
                    Err(error) => complain(&mut complaint, error.to_string()),
                }
            }
            Err(error) => complain(&mut complaint, error.to_string()),
        }
        if changes.recv().await.is_none() {
            return;
        }
    }
}

/// Says a thing once, not at every event.
fn complain(last: &mut String, now: String) {
    if *last != now {
        tracing::error!(problem = %now, "the certificates for the connection to Kafka cannot be used; waiting for the Secret to change");
        *last = now;
    }
}

fn first(cache: &Cache<Data>) -> Option<Arc<Data>> {
    cache.list().into_iter().next()
}

fn is(key: &str, extension: &str) -> bool {
    key.rsplit_once('.').is_some_and(|(_, end)| end == extension)
}

/// The textual entries of a Secret: certificates and keys are PEM; key stores and passwords are not kept.
fn text_of(secret: Secret) -> Data {
    secret
        .data
        .unwrap_or_default()
        .into_iter()
        .filter(|(key, _)| !is(key, "p12") && !is(key, "password"))
        .filter_map(|(key, value)| Some((key, String::from_utf8(value.0).ok()?)))
        .collect()
}

fn tls_config(
    settings: &TlsSettings,
    trusted: Option<&Data>,
    identity: Option<&Data>,
) -> Result<TlsConfig, Unusable> {
    let name = &settings.trusted_secret;
    let trusted = trusted.ok_or_else(|| Unusable(format!("Secret {name} does not exist")))?;
    let certificates: Vec<&str> =
        trusted.iter().filter(|(key, _)| is(key, "crt")).map(|(_, pem)| pem.trim_end()).collect();
    if certificates.is_empty() {
        return Err(Unusable(format!("Secret {name} has no key that ends in .crt")));
    }
    let mut config =
        TlsConfig::new(certificates.join("\n") + "\n").with_verify_hostname(settings.verify_hostname);
    if let Some(IdentitySecret { secret: name, key_name, certificate_name }) = &settings.identity {
        let identity = identity.ok_or_else(|| Unusable(format!("Secret {name} does not exist")))?;
        let part = |key: &str| {
            identity.get(key).cloned().ok_or_else(|| Unusable(format!("Secret {name} has no key {key}")))
        };
        config = config.with_identity(part(certificate_name)?, part(key_name)?);
    }
    Ok(config)
}

fn count_requests(metrics: &Metrics, admin: watch::Receiver<Option<Admin>>) -> prometheus::Result<()> {
    let total = IntCounter::new("kastellan_kafka_requests_total", "Requests sent to Kafka")?;
    metrics.register(Requests { admin, total }).map(drop)
}

/// Asks the client at each scrape.
#[derive(Clone, Debug)]
struct Requests {
    admin: watch::Receiver<Option<Admin>>,
    total: IntCounter,
}

impl Collector for Requests {
    fn desc(&self) -> Vec<&Desc> {
        self.total.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let sent = self.admin.borrow().as_ref().map_or(0, Admin::requests_sent);
        self.total.inc_by(sent.saturating_sub(self.total.get()));
        self.total.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> TlsSettings {
        TlsSettings {
            trusted_secret: "ca".into(),
            identity: Some(IdentitySecret {
                secret: "own".into(),
                key_name: "k".into(),
                certificate_name: "c".into(),
            }),
            verify_hostname: true,
        }
    }

    fn data(pairs: &[(&str, &str)]) -> Data {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn every_crt_is_trusted_and_the_identity_is_taken_by_its_keys() {
        let trusted = data(&[("ca.crt", "A\n"), ("ca-2025.crt", "B\n"), ("other", "C")]);
        let own = data(&[("k", "KEY"), ("c", "CERT")]);
        let config = tls_config(&settings(), Some(&trusted), Some(&own)).unwrap();
        assert_eq!(config.trusted_certificates_pem, "B\nA\n");
        assert_eq!(config.identity.unwrap().certificate_chain_pem, "CERT");
    }

    #[test]
    fn a_missing_secret_or_key_is_named() {
        let trusted = data(&[("ca.crt", "A")]);
        let text = |r: Result<TlsConfig, Unusable>| r.err().unwrap().to_string();
        assert_eq!(text(tls_config(&settings(), None, None)), "Secret ca does not exist");
        assert!(text(tls_config(&settings(), Some(&data(&[])), None)).contains("no key that ends in .crt"));
        let own = data(&[("c", "CERT")]);
        assert_eq!(text(tls_config(&settings(), Some(&trusted), Some(&own))), "Secret own has no key k");
        assert_eq!(text(tls_config(&settings(), Some(&trusted), None)), "Secret own does not exist");
    }
}
