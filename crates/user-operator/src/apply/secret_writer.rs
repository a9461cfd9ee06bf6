//! Writes of the users' Secrets: makes what the plan asks for, and puts it there.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::conditions::reasons;
use api::{KafkaUser, annotations, labels};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{Patch, PatchParams, Preconditions, PropagationPolicy};
use kube::{Api, ResourceExt};
use operator_runtime::apply::{Applier, ApplyError, FIELD_MANAGER, Subject};
use operator_runtime::refusal::Refusal;
use pki::{Password, PkiError, Unverified};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, watch};

use crate::authority::{Current, Signer};
use crate::ownership;
use crate::plan::Plan;
use crate::secret_content::{self, Data, Order};
use crate::secret_step::SecretStep;
use crate::secret_store::SecretStore;
use crate::secret_view::{ALL_KEYS, Metadata, SecretView, owner_reference};
use crate::settings::Settings;

/// Keys made at the same time: each takes a processor.
const KEYS_AT_ONCE: usize = 2;

/// Writes users' Secrets.
pub(super) struct SecretWriter {
    settings: Arc<Settings>,
    applier: Applier,
    authority: watch::Receiver<Option<Current>>,
    secrets: Arc<SecretStore>,
    /// Requests to Kubernetes in flight.
    requests: Arc<Semaphore>,
    keys: Semaphore,
}

/// One user's Secret, on its way.
pub(super) struct Target<'a> {
    /// The user's name.
    pub name: &'a str,
    /// Its resource; `None`: there is none any more.
    pub user: Option<&'a KafkaUser>,
    /// The Secret, as it is.
    pub live: Option<&'a SecretView>,
    /// What has to be done.
    pub plan: &'a Plan,
}

fn internal(message: impl Into<String>) -> Refusal {
    Refusal::passing(reasons::INTERNAL_ERROR, message)
}

impl SecretWriter {
    /// Puts together what writing takes.
    pub(super) fn new(
        settings: Arc<Settings>,
        applier: Applier,
        authority: watch::Receiver<Option<Current>>,
        secrets: Arc<SecretStore>,
        requests: Arc<Semaphore>,
    ) -> Self {
        Self { settings, applier, authority, secrets, requests, keys: Semaphore::new(KEYS_AT_ONCE) }
    }

    /// Carries out what the plan says about the Secret; gives back the password that it holds from now on, if that is new.
    pub(super) async fn write(
        &self,
        target: &Target<'_>,
        now: Timestamp,
    ) -> Result<Option<Password>, Refusal> {
        self.secrets.begin(target.name);
        let done = self.carry_out(target, now).await;
        self.secrets.end(target.name);
        done
    }

    /// Looks past the watch for a Secret that the watch does not show, such as a Secret that lost its labels: clients use what is
    /// in it. Refuses a Secret that was made for something else.
    pub(super) async fn find(&self, user: &KafkaUser) -> Result<Option<Arc<SecretView>>, Refusal> {
        let name = user.name_any();
        self.secrets.begin(&name);
        let found = self.read(&name, user).await;
        if let Ok(Some(view)) = &found {
            tracing::warn!(user = %name, "the Secret of the user lacks labels: keeps what is in it");
            self.secrets.note(&name, view.clone());
        }
        self.secrets.end(&name);
        found.map(|view| view.map(Arc::new))
    }

    async fn read(&self, user_name: &str, user: &KafkaUser) -> Result<Option<SecretView>, Refusal> {
        let name = &self.secrets.key(user_name).name;
        let subject = self.subject(user_name);
        let failed = |error: ApplyError| internal(format!("cannot {error}"));
        let _permit = self.requests.acquire().await;
        let Some(found) = self
            .applier
            .request("read", &subject, self.api().get_metadata_opt(name))
            .await
            .map_err(failed)?
        else {
            return self.refuse_name_of_cluster(name).await.map(|()| None);
        };
        // The contents of a Secret that is not a user's are none of our business.
        if let Some(problem) = ownership::refuse_takeover(name, &found.metadata, user) {
            return Err(problem);
        }
        let found = self.applier.request("read", &subject, self.api().get_opt(name)).await.map_err(failed)?;
        Ok(found.map(|secret| SecretView::of(&secret, &self.settings.plan.secret_prefix)))
    }

    /// A new Secret must not have the name of a Secret that the cluster needs: the cluster operator would find it taken. Nodes
    /// have the name of their pool and a number; which pools there are, the Secrets of their nodes tell.
    async fn refuse_name_of_cluster(&self, name: &str) -> Result<(), Refusal> {
        let Some(cluster) = &self.settings.plan.cluster else { return Ok(()) };
        let mut taken = ownership::is_of_the_cluster(cluster, name);
        if let (false, Some(pod_set)) = (taken, ownership::pod_set_of_node(cluster, name)) {
            let selector = format!("{}={cluster},{}=Kafka", labels::CLUSTER, labels::KIND);
            let namespace = &self.settings.namespace;
            let look = self.applier.each_metadata::<Secret>(namespace, Some(&selector), None, |metadata| {
                let other = metadata.name.as_deref();
                let other = other.and_then(|name| ownership::pod_set_of_node(cluster, name));
                taken |= other == Some(pod_set);
            });
            look.await.map_err(|error| internal(format!("cannot look for Secrets of nodes: {error}")))?;
        }
        if taken { Err(ownership::of_the_cluster(name, cluster)) } else { Ok(()) }
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.applier.client().clone(), &self.settings.namespace)
    }

    /// The Secret of a user in an error.
    fn subject(&self, user: &str) -> Subject {
        Subject { kind: "Secret".to_owned(), key: self.secrets.key(user) }
    }

    async fn carry_out(&self, target: &Target<'_>, now: Timestamp) -> Result<Option<Password>, Refusal> {
        match (&target.plan.secret, target.user) {
            (SecretStep::Keep, _) => Ok(None),
            (SecretStep::Delete, _) | (_, None) => self.delete(target).await.map(|()| None),
            (SecretStep::Issue { validity_days, reasons }, Some(user)) => {
                if target.live.is_some() {
                    let why: Vec<String> = reasons.iter().map(ToString::to_string).collect();
                    tracing::info!(user = %target.name, why = %why.join("; "), "issues a new certificate");
                }
                let Some(Ok(ca)) = self.authority.borrow().clone() else {
                    return Err(internal("the clients CA cannot be used"));
                };
                let order = self.order(target.name, *validity_days);
                let issue = move || match &ca.signer {
                    Signer::Own(authority) => secret_content::issue(&order, authority, &ca.text, now),
                    Signer::Issuer => Err(PkiError::Issue {
                        subject: order.user.clone(),
                        reason: "an issuer signs".to_owned(),
                    }),
                };
                let data = self.make(issue).await?;
                self.apply(target, user, data).await.map(|()| None)
            }
            (SecretStep::Take, Some(user)) => self.take(target, user, now).await.map(|()| None),
            (SecretStep::Refresh, Some(user)) => self.refresh(target, user).await.map(|()| None),
            (SecretStep::Password(password), Some(user)) => {
                let password = match password {
                    Some(password) => password.clone(),
                    None => issuer::password(self.settings.password_length)
                        .map_err(|error| internal(error.to_string()))?,
                };
                self.apply(target, user, secret_content::password(target.name, &password)).await?;
                Ok(Some(password))
            }
        }
    }

    fn order(&self, user: &str, validity_days: u32) -> Order {
        Order {
            user: user.to_owned(),
            validity_days,
            algorithm: self.settings.plan.algorithm,
            pkcs12: self.settings.plan.pkcs12,
        }
    }

    /// Makes a Secret's contents on a blocking thread.
    async fn make<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PkiError> + Send + 'static,
    ) -> Result<T, Refusal> {
        let _permit = self.keys.acquire().await;
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(data)) => Ok(data),
            Ok(Err(error)) => Err(internal(error.to_string())),
            Err(_) => Err(internal("making the user's credentials was interrupted")),
        }
    }

    /// Copies what cert-manager keeps for the user, once it is verified.
    async fn take(&self, target: &Target<'_>, user: &KafkaUser, now: Timestamp) -> Result<(), Refusal> {
        let Some(Ok(ca)) = self.authority.borrow().clone() else {
            return Err(internal("the clients CA cannot be used"));
        };
        let key = self.secrets.key_of_offer(target.name);
        let offered = {
            let _permit = self.requests.acquire().await;
            self.applier.get::<Secret>(&key).await.map_err(|error| internal(error.to_string()))?
        };
        let Some(offered) = offered.and_then(|secret| secret.data) else {
            return Err(internal(format!("Secret {key} is gone or empty; waiting for cert-manager")));
        };
        let order = self.order(target.name, self.settings.plan.validity_days);
        let taken = self.make(move || Ok(secret_content::taken(&order, &ca.text, &offered, now))).await?;
        let data = taken.map_err(|why| Refusal {
            reason: reasons::CERTIFICATE_NOT_ISSUED,
            message: self.words_about(&why, target.name),
            retry: false,
        })?;
        if target.live.is_some() {
            tracing::info!(user = %target.name, "takes over a new certificate of cert-manager");
        }
        self.apply(target, user, data).await
    }

    /// Why what cert-manager keeps for a user was not found good, and what can be done.
    fn words_about(&self, why: &Unverified, user: &str) -> String {
        let (key, offer) = (self.secrets.key(user), self.secrets.key_of_offer(user));
        let what = format!("the certificate in the Secret {} cannot be used: {why}", offer.name);
        match why {
            Unverified::UnknownAuthority { .. } => format!(
                "{what}, those of spec.clientsCa.certManager.caCert: add it there, or, if it is a former one, have the certificate \
                 issued anew (cmctl renew -n {} {})",
                key.namespace, key.name
            ),
            _ => what,
        }
    }

    /// Brings metadata and key store up to date; key and certificate stay.
    async fn refresh(&self, target: &Target<'_>, user: &KafkaUser) -> Result<(), Refusal> {
        let key = self.secrets.key(target.name);
        let live = {
            let _permit = self.requests.acquire().await;
            self.applier.get::<Secret>(&key).await.map_err(|error| internal(error.to_string()))?
        };
        let Some(live) = live else {
            self.secrets.deleted(target.name);
            return Err(internal(format!("Secret {key} is gone; making it anew")));
        };
        let order = self.order(target.name, self.settings.plan.validity_days);
        let live = live.data.unwrap_or_default();
        let data = self.make(move || secret_content::refresh(&order, &live)).await?;
        self.apply(target, user, data).await
    }

    /// Writes a Secret, and takes out of it what an earlier kind of authentication or another tool left.
    async fn apply(&self, target: &Target<'_>, user: &KafkaUser, data: Data) -> Result<(), Refusal> {
        let name = self.secrets.key(target.name).name;
        let api = self.api();
        let subject = self.subject(target.name);
        let failed = |error: ApplyError| internal(format!("cannot {error}"));
        let _permit = self.requests.acquire().await;
        let Metadata { labels, annotations } = target
            .plan
            .metadata
            .clone()
            .unwrap_or(Metadata { labels: BTreeMap::new(), annotations: BTreeMap::new() });
        let wanted_keys: Vec<String> = data.keys().cloned().collect();
        let secret = Secret {
            metadata: ObjectMeta {
                name: Some(name.clone()),
                namespace: Some(self.settings.namespace.clone()),
                labels: Some(labels),
                annotations: (!annotations.is_empty()).then_some(annotations),
                owner_references: Some(vec![owner_reference(user)]),
                ..ObjectMeta::default()
            },
            type_: Some("Opaque".to_owned()),
            data: Some(data),
            ..Secret::default()
        };
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let mut written = self
            .applier
            .request("write", &subject, api.patch(&name, &params, &Patch::Apply(&secret)))
            .await
            .map_err(failed)?;
        // Only what is new fulfils the request for it.
        let issued = matches!(target.plan.secret, SecretStep::Issue { .. } | SecretStep::Take);
        if let Some(patch) = leftovers(&written, &wanted_keys, issued) {
            let params =
                PatchParams { field_manager: Some(FIELD_MANAGER.to_owned()), ..PatchParams::default() };
            written = self
                .applier
                .request("write", &subject, api.patch(&name, &params, &Patch::Merge(&patch)))
                .await
                .map_err(failed)?;
        }
        let view = SecretView::of(&written, &self.settings.plan.secret_prefix);
        self.secrets.note(target.name, view);
        Ok(())
    }

    /// Deletes a Secret as it was seen: a Secret that was written since, for example by the operator of another cluster, may be in use.
    async fn delete(&self, target: &Target<'_>) -> Result<(), Refusal> {
        let Some(view) = target.live else { return Ok(()) };
        let _permit = self.requests.acquire().await;
        let preconditions = Preconditions {
            uid: Some(view.uid.clone()),
            resource_version: (view.version > 0).then(|| view.version.to_string()),
        };
        let key = self.secrets.key(target.name);
        let deleted = self.applier.delete_under::<Secret>(&key, preconditions, PropagationPolicy::Background);
        deleted.await.map_err(|error| internal(format!("cannot {error}")))?;
        self.secrets.deleted(target.name);
        Ok(())
    }
}

/// The patch that removes entries that the user does not need any more, and the request for a new certificate that was fulfilled.
fn leftovers(secret: &Secret, wanted: &[String], issued: bool) -> Option<Value> {
    let mut data = serde_json::Map::new();
    for key in ALL_KEYS {
        let present = secret.data.as_ref().is_some_and(|data| data.contains_key(key));
        if present && !wanted.iter().any(|name| name == key) {
            data.insert(key.to_owned(), Value::Null);
        }
    }
    let forced = issued && secret.annotations().contains_key(annotations::FORCE_RENEW);
    match (data.is_empty(), forced) {
        (true, false) => None,
        (_, false) => Some(json!({ "data": data })),
        (_, true) => {
            Some(json!({ "metadata": { "annotations": { annotations::FORCE_RENEW: null } }, "data": data }))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_request_for_a_new_certificate_stays_until_there_is_one() {
        let secret: Secret = serde_json::from_value(json!({
            "metadata": {"name": "a", "annotations": {annotations::FORCE_RENEW: "true"}},
            "data": {"user.crt": "", "password": ""},
        }))
        .unwrap();
        let wanted = ["user.crt".to_owned()];
        assert_eq!(leftovers(&secret, &wanted, false), Some(json!({"data": {"password": null}})));
        let fulfilled = leftovers(&secret, &wanted, true).unwrap();
        assert_eq!(fulfilled["metadata"]["annotations"], json!({annotations::FORCE_RENEW: null}));
    }
}
