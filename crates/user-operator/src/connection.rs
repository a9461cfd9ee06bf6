//! The connection to Kafka: made from the settings and the TLS Secrets, renewed when a Secret changes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kafka_admin::{Admin, AdminConfig, TlsConfig};
use kube::Client;
use operator_runtime::{
    env::Namespaces,
    watch::{Cache, Watch},
};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::settings::{Settings, TlsSettings};

/// How long one call to Kafka may take, attempts on other brokers included.
const CALL_DEADLINE: Duration = Duration::from_secs(20);

/// A Secret that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Unusable(String);

type Data = BTreeMap<String, String>;

/// Makes the admin client as soon as the Secrets are there, and keeps its certificates up to date. The channel holds
/// `None` until then.
pub fn connect(
    client: &Client,
    settings: &Settings,
    shutdown: &CancellationToken,
) -> watch::Receiver<Option<Admin>> {
    let (sender, receiver) = watch::channel(None);
    let mut config = AdminConfig::brokers(settings.bootstrap.clone())
        .with_client_id("strimzi-user-operator")
        .with_request_timeout(CALL_DEADLINE);
    if let Some(sasl) = settings.sasl.clone() {
        config = config.with_sasl(sasl);
    }
    let Some(tls) = settings.tls.clone() else {
        match Admin::new(config) {
            Ok(admin) => {
                let _ = sender.send(Some(admin));
            }
            Err(error) => tracing::error!(%error, "cannot make a Kafka client"),
        }
        return receiver;
    };
    let (notify, changes) = mpsc::unbounded_channel();
    let watch = |name: &str| {
        let cache = Watch::<Secret>::namespaced(client, &Namespaces::Some(vec![settings.namespace.clone()]))
            .fields(&format!("metadata.name={name}"))
            .start(shutdown, |secret: Secret| Some(text_of(secret)));
        let notify = notify.clone();
        cache.on_change(move |_| {
            let _ = notify.send(());
        });
        cache
    };
    let trusted = watch(&tls.trusted_secret);
    let identity = tls.identity_secret.as_deref().map(&watch);
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
        match tls_config(&tls, first(&trusted).as_deref(), identity.as_ref().map(first)) {
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

#[allow(clippy::option_option, reason = "no Secret is named, or the named one is not there")]
fn tls_config(
    settings: &TlsSettings,
    trusted: Option<&Data>,
    identity: Option<Option<Arc<Data>>>,
) -> Result<TlsConfig, Unusable> {
    let name = &settings.trusted_secret;
    let trusted = trusted.ok_or_else(|| Unusable(format!("Secret {name} does not exist")))?;
    let certificates: Vec<&str> =
        trusted.iter().filter(|(key, _)| is(key, "crt")).map(|(_, pem)| pem.trim_end()).collect();
    if certificates.is_empty() {
        return Err(Unusable(format!("Secret {name} has no key that ends in .crt")));
    }
    let mut config = TlsConfig::new(certificates.join("\n") + "\n");
    if let Some(identity) = identity {
        let name = settings.identity_secret.as_deref().unwrap_or_default();
        let identity = identity.ok_or_else(|| Unusable(format!("Secret {name} does not exist")))?;
        let part = |key: &str| {
            identity.get(key).cloned().ok_or_else(|| Unusable(format!("Secret {name} has no key {key}")))
        };
        config = config.with_identity(part(&settings.certificate_name)?, part(&settings.key_name)?);
    }
    Ok(config)
}
