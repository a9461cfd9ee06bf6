//! One admin client per cluster, with the operator's own certificate.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kafka_admin::{Admin, AdminConfig, AdminError, TlsConfig};
use kube::ResourceExt;
use operator_runtime::clock;
use operator_runtime::watch::ObjectRef;

use planner::kafka::certificates::access::access;
use planner::kafka::observed::Observed;
use planner::pod_set::plan::is_ready;

/// Longest time for one call. Brokers that are up answer within milliseconds; a pass must not hang on one that is not.
const CALL_DEADLINE: Duration = Duration::from_secs(10);

/// Longest answer that is read: three times the list of 100,000 partitions of three replicas in 10,000 topics. The brokers
/// of all tenants share one operator, which must not run out of its 256 MiB because one of them answers nonsense; decoded,
/// an answer takes up to some nine times its length.
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;

/// The clients of all clusters.
#[derive(Default)]
pub struct Clients {
    known: Mutex<HashMap<ObjectRef, (u64, Admin)>>,
}

impl Clients {
    /// The client for the brokers of a cluster; `None` while its certificates are not there yet.
    pub fn get(&self, key: &ObjectRef, observed: &Observed) -> Result<Option<Admin>, AdminError> {
        let Some(tls) = tls(observed) else { return Ok(None) };
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
            .with_max_answer_bytes(MAX_ANSWER_BYTES);
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

/// Whom the operator trusts and what it shows, as far as anything is there.
fn tls(observed: &Observed) -> Option<TlsConfig> {
    let access = access(observed, clock::now())?;
    Some(TlsConfig::new(access.trusted).with_identity(access.certificate, access.key.0))
}
