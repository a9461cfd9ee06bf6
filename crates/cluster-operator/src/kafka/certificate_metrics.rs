//! When the authorities of clusters end, as a metric with the name and the labels that Strimzi's dashboards and alerts ask for.

use std::collections::HashMap;
use std::sync::Mutex;

use api::names;
use api::names::keys;
use k8s_openapi::api::core::v1::Secret;
use operator_runtime::metrics::Metrics;
use operator_runtime::watch::{Cache, ObjectRef};
use pki::CertificateChain;
use prometheus::{GaugeVec, Opts};

use crate::lock::lock;

const NAME: &str = "strimzi_certificate_expiration_timestamp_ms";

const LABELS: [&str; 3] = ["cluster", "resource_namespace", "type"];

/// The two authorities of a cluster: the value of the label `type`, and the name of the Secret with the certificate.
const AUTHORITIES: [(&str, SecretName); 2] =
    [("cluster-ca", names::cluster_ca_cert_secret), ("client-ca", names::clients_ca_cert_secret)];

/// The name of a Secret of a cluster.
type SecretName = fn(&str) -> String;

/// `strimzi_certificate_expiration_timestamp_ms{cluster,resource_namespace,type}`: when the certificate of an authority ends, or the
/// first of those that stand with it, in milliseconds since 1970.
#[derive(Debug)]
pub(crate) struct CertificateMetrics {
    ends: GaugeVec,
    /// The versions of the Secrets that it shows: others are read.
    shown: Mutex<HashMap<ObjectRef, String>>,
}

impl CertificateMetrics {
    /// Registers it.
    ///
    /// # Errors
    /// When there is a metric of this name already.
    pub(crate) fn new(metrics: &Metrics) -> prometheus::Result<Self> {
        let help = "Milliseconds since 1970 at which the certificate of an authority ends";
        let ends = GaugeVec::new(Opts::new(NAME, help), &LABELS).and_then(|gauge| metrics.register(gauge))?;
        Ok(Self { ends, shown: Mutex::default() })
    }

    /// Shows what the Secrets of a cluster hold. A certificate that cannot be read has no metric.
    pub(crate) fn show(&self, key: &ObjectRef, secrets: &Cache<Secret>) {
        for (authority, name) in AUTHORITIES {
            let labels = [&*key.name, &*key.namespace, authority];
            let named = ObjectRef::new(&key.namespace, name(&key.name));
            let secret = secrets.get(&named);
            let version = secret.as_ref().and_then(|secret| secret.metadata.resource_version.clone());
            let shown = match version {
                Some(version) => lock(&self.shown).insert(named, version.clone()) == Some(version),
                None => lock(&self.shown).remove(&named).is_none(),
            };
            if shown {
                continue;
            }
            match secret.and_then(|secret| ends_ms(&secret)) {
                Some(ends) => self.ends.with_label_values(&labels).set(ends),
                None => drop(self.ends.remove_label_values(&labels)),
            }
        }
    }

    /// The cluster is gone.
    pub(crate) fn remove(&self, key: &ObjectRef) {
        for (authority, name) in AUTHORITIES {
            lock(&self.shown).remove(&ObjectRef::new(&key.namespace, name(&key.name)));
            // There is nothing to remove where no certificate was ever read.
            drop(self.ends.remove_label_values(&[&*key.name, &*key.namespace, authority]));
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of the year 9999 have 48 bits")]
fn ends_ms(secret: &Secret) -> Option<f64> {
    let text = std::str::from_utf8(&secret.data.as_ref()?.get(keys::CA_CRT)?.0).ok()?;
    Some(CertificateChain::parse(text).ok()?.ends().as_millisecond() as f64)
}
