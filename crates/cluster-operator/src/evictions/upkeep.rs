//! Keeps the Secret of the webhook and what the API server knows of it. Each process looks for itself, and uses what another one made.

use std::time::Duration;

use api::{FIELD_MANAGER, labels, names};
use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use kube::{Api, ResourceExt};
use operator_runtime::apply::{Applier, ApplyError, Subject};
use operator_runtime::clock;
use operator_runtime::server::Gate;
use operator_runtime::watch::ObjectRef;
use planner::evictions::certificate::Upkeep as Due;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::identity::{Door, Identity, IdentityError};
use super::settings::EvictionSettings;

/// Between two looks. A Secret that was taken away is made anew by then, and what another process made is used.
const LOOK: Duration = Duration::from_secs(30);

/// How often another process may be first.
const ATTEMPTS: usize = 5;

const KIND: &str = "ValidatingWebhookConfiguration";

#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Request(#[from] ApplyError),
    #[error(transparent)]
    Identity(#[from] IdentityError),
    #[error("make a certificate for the webhook for evictions: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
    #[error(
        "Secret {0} has not the label {key}={value}, so another client made it: delete or rename it",
        key = labels::KUBERNETES_MANAGED_BY,
        value = labels::MANAGED_BY_CLUSTER_OPERATOR
    )]
    Foreign(ObjectRef),
    #[error("write Secret {0}: other clients changed it again and again")]
    Contended(ObjectRef),
    #[error("Secret {0} is missing, which evictionWebhook.existingSecret of the chart names")]
    NoSecret(ObjectRef),
    /// The path is a secret, and the API server repeats what it does not take.
    #[error("{0}")]
    NotTold(String),
    #[error("{KIND} {0} is missing: install the chart with evictionWebhook.enabled=true")]
    Missing(&'static str),
}

/// The upkeep of the webhook.
pub(super) struct Upkeep {
    applier: Applier,
    secret: ObjectRef,
    host: String,
    /// Others look after the Secret, and tell the API server.
    is_given: bool,
    door: Door,
}

impl Upkeep {
    pub(super) fn new(applier: Applier, settings: &EvictionSettings, door: Door) -> Self {
        let EvictionSettings { namespace, secret, .. } = settings;
        let secret_name = secret.as_deref().unwrap_or(names::EVICTION_WEBHOOK);
        Self {
            applier,
            secret: ObjectRef::new(namespace, secret_name),
            host: names::service_dns(names::EVICTION_WEBHOOK, namespace),
            is_given: secret.is_some(),
            door,
        }
    }

    /// Looks now and then, until the end. The gate opens after the first look, whatever came of it.
    pub(super) async fn run(self, gate: Gate, stop: CancellationToken) {
        let mut told = String::new();
        loop {
            match self.look().await {
                Ok(()) => told.clear(),
                Err(error) => {
                    let error = error.to_string();
                    if error != told {
                        tracing::warn!(%error, "evictions may go past the cluster operator");
                        told = error;
                    }
                }
            }
            gate.open();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    async fn look(&self) -> Result<(), Error> {
        let identity = if self.is_given { self.given().await? } else { self.identity().await? };
        if self.door.open(&identity)? {
            tracing::info!(secret = %self.secret, "the webhook for evictions is served with this certificate");
        }
        if self.is_given { Ok(()) } else { self.tell(&identity).await }
    }

    async fn given(&self) -> Result<Identity, Error> {
        let live = self.applier.get::<Secret>(&self.secret).await?;
        let live = live.ok_or_else(|| Error::NoSecret(self.secret.clone()))?;
        Ok(Identity::given(&live)?)
    }

    /// What stands in the Secret, made or renewed where that is due.
    async fn identity(&self) -> Result<Identity, Error> {
        for _ in 0..ATTEMPTS {
            let live = self.applier.get::<Secret>(&self.secret).await?;
            let found = live.as_ref().and_then(|live| Identity::read(live, &self.host, clock::now()));
            let former = match found {
                Some((identity, Due::Keep)) => return Ok(identity),
                Some((identity, _)) => Some(identity),
                None => None,
            };
            let host = self.host.clone();
            let making = move || Identity::make(&host, former.as_ref(), clock::now());
            let made = tokio::task::spawn_blocking(making).await??;
            match self.write(live.as_ref(), &made).await {
                Ok(true) => {
                    tracing::info!(secret = %self.secret, "the webhook for evictions has a new certificate");
                    return Ok(made);
                }
                Ok(false) => {}
                // Another process was first: what it made counts.
                Err(Error::Request(error)) if error.is_conflict() => {}
                Err(error) => return Err(error),
            }
        }
        Err(Error::Contended(self.secret.clone()))
    }

    /// `false`: the Secret went meanwhile.
    async fn write(&self, live: Option<&Secret>, made: &Identity) -> Result<bool, Error> {
        let Some(live) = live else {
            self.applier.create(&self.secret.namespace, &made.secret(&self.secret.namespace)).await?;
            return Ok(true);
        };
        let managed = live.labels().get(labels::KUBERNETES_MANAGED_BY).map(String::as_str);
        if managed != Some(labels::MANAGED_BY_CLUSTER_OPERATOR) {
            return Err(Error::Foreign(self.secret.clone()));
        }
        // Only what was seen is changed.
        let seen = json!({"uid": live.uid(), "resourceVersion": live.resource_version()});
        let patch = json!({"metadata": seen, "data": made.data()});
        Ok(self.applier.merge::<Secret>(&self.secret, &patch).await?)
    }

    /// Tells the API server whom to trust, and where to ask.
    async fn tell(&self, identity: &Identity) -> Result<(), Error> {
        let name = names::EVICTION_WEBHOOK;
        let key = ObjectRef::new("", name);
        let live = self.applier.get::<ValidatingWebhookConfiguration>(&key).await?;
        let live = live.ok_or(Error::Missing(name))?;
        let bundle = ByteString(identity.authorities.as_str().as_bytes().to_vec());
        let path = identity.path();
        let is_told = live.webhooks.iter().flatten().any(|webhook| {
            let config = &webhook.client_config;
            let known = config.service.as_ref().and_then(|service| service.path.as_deref());
            webhook.name == names::EVICTION_WEBHOOK_ENTRY
                && config.ca_bundle.as_ref() == Some(&bundle)
                && known == Some(path.as_str())
        });
        if is_told {
            return Ok(());
        }
        let client = json!({"caBundle": bundle, "service": {"path": path}});
        let told = json!({
            "apiVersion": "admissionregistration.k8s.io/v1", "kind": KIND, "metadata": {"name": name},
            "webhooks": [{"name": names::EVICTION_WEBHOOK_ENTRY, "clientConfig": client}],
        });
        let api: Api<ValidatingWebhookConfiguration> = Api::all(self.applier.client().clone());
        let (params, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&told));
        let subject = Subject { kind: KIND.to_owned(), key };
        self.applier
            .request("write the certificate into", &subject, api.patch(name, &params, &patch))
            .await
            .map_err(|error| Error::NotTold(error.to_string().replace(&path, "/evictions/…")))?;
        tracing::info!("the API server asks before pods are evicted");
        Ok(())
    }
}
