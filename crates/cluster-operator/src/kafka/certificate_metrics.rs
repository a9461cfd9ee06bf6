//! When the authorities of clusters end, as a metric with the name and the labels that Strimzi's dashboards and alerts ask for.

use api::names;
use api::names::keys;
use k8s_openapi::api::core::v1::Secret;
use operator_runtime::metrics::Metrics;
use operator_runtime::watch::{Cache, ObjectRef};
use pki::CertificateChain;
use prometheus::{GaugeVec, Opts};

const NAME: &str = "strimzi_certificate_expiration_timestamp_ms";

const LABELS: [&str; 3] = ["cluster", "resource_namespace", "type"];

/// The two authorities of a cluster: the value of the label `type`, and the name of the Secret with the certificate.
const AUTHORITIES: [(&str, fn(&str) -> String); 2] =
    [("cluster-ca", names::cluster_ca_cert_secret), ("client-ca", names::clients_ca_cert_secret)];

/// `strimzi_certificate_expiration_timestamp_ms{cluster,resource_namespace,type}`: when the certificate of an authority ends, or the
/// first of those that stand with it, in milliseconds since 1970.
#[derive(Debug, Clone)]
pub(crate) struct CertificateMetrics(GaugeVec);

impl CertificateMetrics {
    /// Registers it.
    ///
    /// # Errors
    /// When there is a metric of this name already.
    pub(crate) fn new(metrics: &Metrics) -> prometheus::Result<Self> {
        let help = "Milliseconds since 1970 at which the certificate of an authority ends";
        GaugeVec::new(Opts::new(NAME, help), &LABELS).and_then(|gauge| metrics.register(gauge)).map(Self)
    }

    /// Shows what the Secrets of a cluster hold. What cannot be read ends at no known time.
    pub(crate) fn show(&self, key: &ObjectRef, secrets: &Cache<Secret>) {
        for (authority, name) in AUTHORITIES {
            let labels = [&*key.name, &*key.namespace, authority];
            let secret = secrets.get(&ObjectRef::new(&key.namespace, name(&key.name)));
            match secret.and_then(|secret| ends_ms(&secret)) {
                Some(ends) => self.0.with_label_values(&labels).set(ends),
                None => drop(self.0.remove_label_values(&labels)),
            }
        }
    }

    /// The cluster is gone.
    pub(crate) fn remove(&self, key: &ObjectRef) {
        for (authority, _) in AUTHORITIES {
            // There is nothing to remove where no certificate was ever read.
            drop(self.0.remove_label_values(&[&*key.name, &*key.namespace, authority]));
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "milliseconds of the year 9999 have 48 bits")]
fn ends_ms(secret: &Secret) -> Option<f64> {
    let text = std::str::from_utf8(&secret.data.as_ref()?.get(keys::CA_CRT)?.0).ok()?;
    Some(CertificateChain::parse(text).ok()?.ends().as_millisecond() as f64)
}
