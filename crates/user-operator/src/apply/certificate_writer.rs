//! Writes the Certificates of users, and the Secrets that cert-manager fills for them.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::KafkaUser;
use api::cert_manager::{CERTIFICATE, IssuedCertificate, IssuedCertificateSpec};
use api::conditions::reasons;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Api;
use kube::api::{Patch, PatchParams, Preconditions, PropagationPolicy};
use operator_runtime::apply::{Applier, ApplyError, FIELD_MANAGER, Subject};
use operator_runtime::refusal::Refusal;
use operator_runtime::watch::ObjectRef;
use tokio::sync::Semaphore;

use crate::issuance::CertificateStep;
use crate::observe::Observed;
use crate::ownership;
use crate::plan::Plan;
use crate::secret_store::SecretStore;
use crate::secret_view::{SecretView, owner_reference};

/// Writes the Certificates of users.
pub(super) struct CertificateWriter {
    applier: Applier,
    secrets: Arc<SecretStore>,
    /// Requests to Kubernetes in flight.
    requests: Arc<Semaphore>,
}

fn internal(message: impl Into<String>) -> Refusal {
    Refusal::passing(reasons::INTERNAL_ERROR, message)
}

impl CertificateWriter {
    /// Puts together what writing takes.
    pub(super) fn new(applier: Applier, secrets: Arc<SecretStore>, requests: Arc<Semaphore>) -> Self {
        Self { applier, secrets, requests }
    }

    /// Carries out what the plan says about the Certificate of a user.
    pub(super) async fn write(&self, name: &str, observed: &Observed, plan: &Plan) -> Result<(), Refusal> {
        let Some(user) = observed.user.as_deref() else { return Ok(()) };
        match &plan.certificate {
            CertificateStep::Keep => Ok(()),
            CertificateStep::Apply(spec) => {
                self.refuse_takeover(name, user, observed).await?;
                let labels =
                    plan.metadata.as_ref().map(|metadata| metadata.labels.clone()).unwrap_or_default();
                self.apply(name, user, spec, labels).await
            }
            CertificateStep::Delete => {
                let key = self.secrets.key(name);
                let _permit = self.requests.acquire().await;
                let uid = observed.issued.as_deref().map(|view| view.uid.clone());
                let own = Preconditions { uid, resource_version: None };
                let deleted =
                    self.applier.delete_under::<IssuedCertificate>(&key, own, PropagationPolicy::Background);
                deleted.await.map_err(|error| internal(format!("cannot {error}")))?;
                self.delete_offer(name, observed).await
            }
            CertificateStep::IssueAnew => {
                tracing::info!(user = %name, "has cert-manager issue a new certificate");
                let _permit = self.requests.acquire().await;
                self.delete_offer(name, observed).await
            }
        }
    }

    /// Deletes the Secret of cert-manager as it was seen.
    async fn delete_offer(&self, name: &str, observed: &Observed) -> Result<(), Refusal> {
        let uid = observed.user.as_deref().and_then(|user| user.metadata.uid.as_ref());
        let is_own = |offer: &&SecretView| offer.owner.as_ref().is_some_and(|(_, owner)| Some(owner) == uid);
        let Some(offer) = observed.offer.as_deref().filter(is_own) else { return Ok(()) };
        let preconditions = Preconditions { uid: Some(offer.uid.clone()), resource_version: None };
        let key = self.secrets.key_of_offer(name);
        let deleted = self.applier.delete_under::<Secret>(&key, preconditions, PropagationPolicy::Background);
        deleted.await.map(drop).map_err(|error| internal(format!("cannot {error}")))
    }

    /// A user must not take over what was made for another one, or for something else, whatever labels it has. What the watches do not
    /// show is looked for.
    async fn refuse_takeover(
        &self,
        name: &str,
        user: &KafkaUser,
        observed: &Observed,
    ) -> Result<(), Refusal> {
        let failed = |error: ApplyError| internal(format!("cannot {error}"));
        let (key, of_offer) = (self.secrets.key(name), self.secrets.key_of_offer(name));
        let _permit = self.requests.acquire().await;
        let mut problem = None;
        if observed.issued.is_none() {
            let only = format!("metadata.name={}", key.name);
            // A list, because that is the right that the operator has.
            let look =
                self.applier.each_metadata::<IssuedCertificate>(&key.namespace, None, Some(&only), |found| {
                    let what = (CERTIFICATE, key.name.as_str());
                    let facts = (ownership::owner_of(&found), &BTreeMap::new());
                    problem = ownership::refuse_another_owner(what, &key.name, facts, user);
                });
            look.await.map_err(failed)?;
        }
        if let (None, None) = (&problem, &observed.offer) {
            let secrets = self.api::<Secret>(&of_offer);
            let of_secret = subject("Secret", &of_offer);
            let found = self.applier.request("read", &of_secret, secrets.get_metadata_opt(&of_offer.name));
            if let Some(found) = found.await.map_err(failed)? {
                let annotations = found.metadata.annotations.clone().unwrap_or_default();
                let facts = (ownership::owner_of(&found.metadata), &annotations);
                let what = ("Secret", of_offer.name.as_str());
                problem = ownership::refuse_another_owner(what, &key.name, facts, user);
            }
        }
        problem.map_or(Ok(()), Err)
    }

    async fn apply(
        &self,
        name: &str,
        user: &KafkaUser,
        spec: &IssuedCertificateSpec,
        labels: BTreeMap<String, String>,
    ) -> Result<(), Refusal> {
        let failed = |error: ApplyError| internal(format!("cannot {error}"));
        let metadata = |key: &ObjectRef| ObjectMeta {
            name: Some(key.name.clone()),
            namespace: Some(key.namespace.clone()),
            labels: Some(labels.clone()),
            owner_references: Some(vec![owner_reference(user)]),
            ..ObjectMeta::default()
        };
        let (key, of_offer) = (self.secrets.key(name), self.secrets.key_of_offer(name));
        // Empty, so that it goes with the user; cert-manager fills it.
        let secret = Secret { metadata: metadata(&of_offer), ..Secret::default() };
        let mut certificate = IssuedCertificate::new(&key.name, spec.clone());
        certificate.metadata = metadata(&key);
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let _permit = self.requests.acquire().await;
        let (secrets, certificates) = (self.api::<Secret>(&of_offer), self.api::<IssuedCertificate>(&key));
        let patch = Patch::Apply(&secret);
        let written = secrets.patch_metadata(&of_offer.name, &params, &patch);
        self.applier.request("write", &subject("Secret", &of_offer), written).await.map_err(failed)?;
        let patch = Patch::Apply(&certificate);
        let written = certificates.patch_metadata(&key.name, &params, &patch);
        let of_certificate = subject(CERTIFICATE, &key);
        self.applier.request("write", &of_certificate, written).await.map_err(failed).map(drop)
    }

    fn api<K>(&self, key: &ObjectRef) -> Api<K>
    where
        K: kube::Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.applier.client().clone(), &key.namespace)
    }
}

/// An object in an error.
fn subject(kind: &str, key: &ObjectRef) -> Subject {
    Subject { kind: kind.to_owned(), key: key.clone() }
}
