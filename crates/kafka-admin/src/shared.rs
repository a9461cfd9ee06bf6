//! What all connections of a client have in common.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use rustls::ClientConfig;

use crate::config::{AdminConfig, Security, TlsConfig};
use crate::lookup::Lookups;
use crate::{AdminError, tls};

/// What all connections of a client have in common.
pub(crate) struct Shared {
    pub config: AdminConfig,
    tls: RwLock<Option<Arc<ClientConfig>>>,
    /// Counts the changes of `tls`: an older connection is replaced when nothing is under way on it.
    identity: AtomicU64,
    requests: AtomicU64,
    /// Its look-ups of host names.
    pub lookups: Lookups,
}

impl Shared {
    pub(crate) fn new(mut config: AdminConfig) -> Result<Self, AdminError> {
        let tls = match &mut config.security {
            Security::Plaintext => None,
            Security::Tls(settings) => {
                let tls = tls::client_config(settings)?;
                // They were read; a client for each of hundreds of clusters keeps no texts.
                settings.trusted_certificates_pem = String::new();
                settings.identity = None;
                Some(tls)
            }
        };
        Ok(Self {
            config,
            tls: RwLock::new(tls),
            identity: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            lookups: Lookups::default(),
        })
    }

    pub(crate) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn update_tls(&self, settings: &TlsConfig) -> Result<(), AdminError> {
        let fresh = tls::client_config(settings)?;
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        self.identity.fetch_add(1, Ordering::Release);
        Ok(())
    }

    /// How often trust and identity were replaced.
    pub(crate) fn identity(&self) -> u64 {
        self.identity.load(Ordering::Acquire)
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}
