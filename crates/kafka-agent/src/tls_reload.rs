//! Certificates that Kafka reads again when they change: which class does it, and which files are in use.
//!
//! The class is our own (`java/`), because Kafka never changes what the client of its metadata quorum shows and trusts. It says in a
//! file what it read; the agent compares that with the mounted files, so that the operator hears of those alone that are in use on
//! every connection.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use api::agent::container;
use serde::Deserialize;

use crate::config::{CertificatesInUse, KeyStore};
use crate::files;
use crate::keystore;
use crate::layout::Layout;
use crate::properties::Properties;
use crate::tls;

/// The longest reason in bytes that is passed on.
const LONGEST_ERROR: usize = 300;

/// Files with certificates, and where the class says which it uses.
#[derive(Clone, Debug)]
pub struct Certificates {
    keystores: Vec<KeyStore>,
    trust_bundle: PathBuf,
    status: PathBuf,
}

/// What the class says of a key store and a trust store.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Pair {
    key_store: Option<PathBuf>,
    key_store_sha256: String,
    trust_store: Option<PathBuf>,
    trust_store_sha256: String,
    error: Option<String>,
    /// Connections with an older content, and makers of connections that have not taken the newest one.
    older: u64,
}

/// Lets the class make the TLS engines of all listeners and clients that have their certificates in PEM files; `None`: there are none,
/// or the jar is missing.
pub fn prepare(keystores: &[KeyStore], properties: &mut Properties, layout: &Layout) -> Option<Certificates> {
    if !layout.tls_jar().exists() {
        tracing::warn!(jar = %layout.tls_jar().display(), "missing: Kafka reads certificates at its start alone");
        return None;
    }
    let of_files = properties.iter().filter_map(|(name, _)| {
        let prefix = name
            .strip_suffix("ssl.keystore.location")
            .or_else(|| name.strip_suffix("ssl.truststore.location"))?;
        let is_pem = |store: &str| {
            let has = |what: &str| properties.get(&format!("{prefix}ssl.{store}.{what}"));
            has("location").is_none() || has("type") == Some("PEM")
        };
        (is_pem("keystore") && is_pem("truststore")).then(|| format!("{prefix}ssl.engine.factory.class"))
    });
    let options: Vec<String> = of_files.filter(|option| properties.get(option).is_none()).collect();
    if options.is_empty() {
        return None;
    }
    for option in options {
        properties.set(option, container::TLS_CLASS);
    }
    Some(Certificates {
        keystores: keystores.to_vec(),
        trust_bundle: layout.trust_bundle(),
        status: layout.tls_status(),
    })
}

impl Certificates {
    /// The argument of the JVM that names the file in which the class says what it uses.
    pub fn jvm_argument(&self) -> String {
        format!("-Dkastellan.tls.status={}", self.status.display())
    }

    /// The mounted files that are in use on every connection.
    pub fn in_use(&self) -> CertificatesInUse {
        let pairs = files::read_optional(&self.status).ok().flatten();
        let Some(pairs) = pairs.and_then(|text| serde_json::from_str::<Vec<Pair>>(&text).ok()) else {
            return CertificatesInUse {
                error: Some("Kafka has not said yet which certificates it uses".to_owned()),
                ..CertificatesInUse::default()
            };
        };
        let mut found = CertificatesInUse {
            error: pairs.iter().find_map(|pair| pair.error.clone()),
            ..CertificatesInUse::default()
        };
        if let Some(error) = &mut found.error {
            error.truncate(error.floor_char_boundary(LONGEST_ERROR));
        }
        for store in &self.keystores {
            // The key store is made of the mounted files; until it is, Kafka cannot have them.
            let mounted = keystore::render(store).ok();
            if let Some(mounted) = mounted.filter(|mounted| is_used(&pairs, &store.target, mounted)) {
                drop(mounted);
                note(&mut found.files, &store.certificates);
            }
        }
        for file in authorities(&self.trust_bundle) {
            if files::read_optional(&file).ok().flatten().is_some_and(|text| is_used(&pairs, &file, &text)) {
                note(&mut found.files, &file);
            }
        }
        found
    }
}

/// Whether whatever uses the file has this content of it.
fn is_used(pairs: &[Pair], file: &Path, content: &str) -> bool {
    let hash = tls::hash(content.as_bytes());
    pairs.iter().all(|pair| {
        let has = |path: Option<&PathBuf>, its: &str| {
            path.is_none_or(|path| path != file) || (its == hash && pair.older == 0)
        };
        has(pair.key_store.as_ref(), &pair.key_store_sha256)
            && has(pair.trust_store.as_ref(), &pair.trust_store_sha256)
    })
}

fn note(known: &mut BTreeMap<String, String>, file: &Path) {
    if let Ok(Some(text)) = files::read_optional(file) {
        known.insert(file.display().to_string(), tls::hash(text.as_bytes()));
    }
}

/// The files of the trust bundle.
fn authorities(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries.map(|entry| entry.path()).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "crt"));
    all.sort();
    all
}
