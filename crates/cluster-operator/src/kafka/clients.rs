//! One admin client per cluster, with the operator's own certificate.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Secret;
use kafka_admin::{Admin, AdminConfig, AdminError, AnswerRoom, TlsConfig};
use kube::ResourceExt;
use operator_runtime::watch::ObjectRef;

use super::observed::Observed;
use crate::podset::plan::is_ready;

/// Longest time for one call. Brokers that are up answer within milliseconds; a pass must not hang on one that is not.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// Variable with the longest answer of a broker that is read, in MiB.
pub const MAX_ANSWER: &str = "KASTELLAN_MAX_ANSWER_MIB";

/// Default of [`MAX_ANSWER`]: three times the list of 100,000 partitions of three replicas in 10,000 topics. The brokers of
/// all tenants share one operator, which must not run out of its 256 MiB because one of them answers nonsense.
pub const MAX_ANSWER_DEFAULT: i64 = 16;

/// How many times the longest answer the values of one answer may take in memory.
const DECODED: usize = 3;

/// How many times the longest answer all clusters together may be reading.
const TOGETHER: usize = 4;

/// The clients of all clusters.
pub struct Clients {
    known: Mutex<HashMap<ObjectRef, (u64, Admin)>>,
    longest: usize,
    room: AnswerRoom,
}

impl Clients {
    /// With a bound for the length of an answer in bytes.
    pub fn new(longest_answer: usize) -> Self {
        Self {
            known: Mutex::default(),
            longest: longest_answer,
            room: AnswerRoom::new(longest_answer * TOGETHER),
        }
    }

    /// The client for the brokers of a cluster; `None` while its certificates are not there yet.
    pub fn get(&self, key: &ObjectRef, observed: &Observed) -> Result<Option<Admin>, AdminError> {
        let Some(tls) = tls(key, observed) else { return Ok(None) };
        let mut hasher = DefaultHasher::new();
        tls.trusted_certificates_pem.hash(&mut hasher);
        if let Some(identity) = &tls.identity {
            (&identity.certificate_chain_pem, &identity.key_pem).hash(&mut hasher);
        }
        let fingerprint = hasher.finish();
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, admin)) = known.get_mut(key) {
            if *last != fingerprint {
                admin.update_tls(&tls)?;
                *last = fingerprint;
            }
            return Ok(Some(admin.clone()));
        }
        let bootstrap = format!(
            "{}.{}.svc:{}",
            api::names::bootstrap_service(&key.name),
            key.namespace,
            api::ports::REPLICATION
        );
        let config = AdminConfig::brokers([bootstrap])
            .with_tls(tls)
            .with_client_id("strimzi-cluster-operator")
            .with_request_timeout(CALL_DEADLINE)
            .with_max_answer_bytes(self.longest)
            .with_max_answer_memory(self.longest * DECODED)
            .with_answer_room(self.room.clone());
        let admin = Admin::new(config)?;
        known.insert(key.clone(), (fingerprint, admin.clone()));
        Ok(Some(admin))
    }

    /// Ends the client of a cluster that is gone.
    pub fn forget(&self, key: &ObjectRef) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// Whether a broker is ready: only then does the cluster's Service lead to anybody.
pub fn can_answer(observed: &Observed) -> bool {
    observed.pods.values().any(|pod| {
        pod.labels().get(api::labels::BROKER_ROLE).is_some_and(|role| role == "true") && is_ready(pod)
    })
}

fn tls(key: &ObjectRef, observed: &Observed) -> Option<TlsConfig> {
    let authority = observed.secrets.get(&api::names::cluster_ca_cert_secret(&key.name))?;
    let own = observed.secrets.get(&api::names::cluster_operator_certs_secret(&key.name))?;
    let certificate = text(own, "cluster-operator.crt")?;
    let private = text(own, "cluster-operator.key")?;
    Some(TlsConfig::new(certificates(authority)).with_identity(certificate, private))
}

/// Every certificate of an authority's Secret, old ones too: during a replacement both are in use.
fn certificates(secret: &Arc<Secret>) -> String {
    let mut all = String::new();
    for (name, value) in secret.data.iter().flatten() {
        if name.ends_with(".crt") {
            all.push_str(&String::from_utf8_lossy(&value.0));
            all.push('\n');
        }
    }
    all
}

fn text(secret: &Secret, key: &str) -> Option<String> {
    String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).ok()
}
