//! The clients CA, out of its Secrets, followed as they change: two, or one where an issuer has the key.

use std::sync::Arc;

use api::annotations;
use api::names::keys;
use issuer::Authority;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use operator_runtime::{
    env::Namespaces,
    watch::{Cache, Watch},
};
use pki::{CertificateChain, CertificatePem, PrivateKeyPem};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::{secret_view, settings::Settings};

/// Who signs the certificates of users.
#[derive(Debug)]
pub(crate) enum Signer {
    /// This operator, with key and certificate.
    Own(Box<Authority>),
    /// An issuer of cert-manager. Certificates are verified with those of the authority.
    Issuer,
}

/// The clients CA, ready to sign, or to verify with.
#[derive(Debug)]
pub(crate) struct ClientsCa {
    /// Who signs.
    pub signer: Signer,
    /// When its certificate ends; of several, the first one.
    pub ends: Timestamp,
    /// The text of its certificate, as users get it.
    pub text: String,
    /// [`secret_view::hash`] of that text.
    pub hash: u64,
    /// Whether every node of the cluster trusts it, as far as the cluster operator tells.
    pub trusted: bool,
}

/// What is kept of one of the Secrets.
struct Part {
    text: Option<PrivateKeyPem>,
    trusted_by_all: Option<String>,
}

/// The clients CA, or what is wrong with it.
pub(crate) type Current = Result<Arc<ClientsCa>, String>;

/// Follows the Secrets of the clients CA. `None` until all were looked for.
pub(crate) fn follow(
    client: &Client,
    settings: &Settings,
    shutdown: &CancellationToken,
) -> watch::Receiver<Option<Current>> {
    let (sender, receiver) = watch::channel(None);
    let (notify, mut changes) = mpsc::unbounded_channel();
    let start = |name: &str, key: &'static str| {
        let cache =
            Watch::<Secret>::namespaced(client, &Namespaces::Some(vec![settings.ca_namespace.clone()]))
                .fields(&format!("metadata.name={name}"))
                .start(shutdown, move |secret: Secret| {
                    let bytes = secret.data.unwrap_or_default().remove(key).map(|bytes| bytes.0);
                    let annotations = secret.metadata.annotations.unwrap_or_default();
                    Some(Part {
                        text: bytes.and_then(|bytes| String::from_utf8(bytes).ok()).map(PrivateKeyPem::new),
                        trusted_by_all: annotations.get(annotations::TRUSTED_BY_ALL_PODS).cloned(),
                    })
                });
        let notify = notify.clone();
        cache.on_change(move |_| {
            let _ = notify.send(());
        });
        cache
    };
    let certificate = start(&settings.ca_cert_secret, keys::CA_CRT);
    let key = settings.ca_key_secret.clone().map(|name| (start(&name, keys::CA_KEY), name));
    let certificate_name = settings.ca_cert_secret.clone();
    let trusted = settings.trusted_clients_ca.clone();
    let shutdown = shutdown.clone();
    let following = async move {
        certificate.ready().await;
        if let Some((key, _)) = &key {
            key.ready().await;
        }
        loop {
            let key = key.as_ref().map(|(key, name)| (name.as_str(), key));
            let current = load((&certificate_name, &certificate), key, trusted.as_deref());
            if let Err(problem) = &current {
                tracing::error!(%problem, "the clients CA cannot be used; waiting for its Secrets to change");
            }
            let _ = sender.send(Some(current));
            if changes.recv().await.is_none() {
                return;
            }
            while changes.try_recv().is_ok() {}
        }
    };
    tokio::spawn(async move { shutdown.run_until_cancelled(following).await });
    receiver
}

type Entry = Cache<Part>;

/// `trusted`: identifier of the clients CA that every broker trusts; `None`: an annotation of the Secret with the certificate says it.
fn load(certificate: (&str, &Entry), key: Option<(&str, &Entry)>, trusted: Option<&str>) -> Current {
    let text_of = |(name, cache): (&str, &Entry), entry: &str| {
        let found = cache.list().into_iter().next().ok_or(format!("Secret {name} does not exist"))?;
        let text = found.text.clone().ok_or(format!("Secret {name} has no key {entry}"))?;
        Ok::<PrivateKeyPem, String>(text)
    };
    let text = text_of(certificate, keys::CA_CRT)?.expose().to_owned();
    let chain = CertificateChain::parse(&text)
        .map_err(|error| format!("the key {} of Secret {}: {error}", keys::CA_CRT, certificate.0))?;
    let signer = match key {
        None => Signer::Issuer,
        Some(key) => {
            let key_pem = text_of(key, keys::CA_KEY)?;
            let authority = Authority::load(&CertificatePem::new(text.as_str()), &key_pem)
                .map_err(|error| format!("Secrets {} and {}: {error}", certificate.0, key.0))?;
            Signer::Own(Box::new(authority))
        }
    };
    let first = &chain.first().info;
    let told = certificate.1.list().into_iter().next().and_then(|part| part.trusted_by_all.clone());
    // Where no annotation tells either, as beside an operator that runs alone, no certificate waits.
    let trusted = trusted.map_or_else(
        || told.is_none_or(|thumbprint| thumbprint == first.sha256_thumbprint),
        |id| id == first.authority_id(),
    );
    let hash = secret_view::hash(&text);
    Ok(Arc::new(ClientsCa { signer, ends: first.not_after, hash, text, trusted }))
}
