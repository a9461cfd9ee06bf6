//! Certificates that Kafka reads again when they change: which class does it, and which files are in use.
//!
//! The class is our own (`java/`), because Kafka never changes what the client of its metadata quorum shows and trusts. It says in a
//! file what it read; the agent compares that with the mounted files, so that the operator hears of those alone that are in use on
//! every connection.

use std::collections::BTreeSet;
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
    /// The file of the authority of the nodes.
    nodes: PathBuf,
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

/// Lets the class make the TLS engines of all listeners and clients that have their certificates in PEM files; `None`: there are none, the
/// jar is missing, or some listener has a class or a type of files of the user's own, so that only a restart brings it a new certificate.
pub fn prepare(keystores: &[KeyStore], properties: &mut Properties, layout: &Layout) -> Option<Certificates> {
    if !layout.tls_jar().exists() {
        tracing::warn!(jar = %layout.tls_jar().display(), "missing: Kafka reads certificates at its start alone");
        return None;
    }
    let own = layout.absolute(Path::new(container::NODE_KEYSTORE)).display().to_string();
    let mut of_user = None;
    let mut prefixes = BTreeSet::new();
    for (name, _) in properties.iter() {
        let prefix = name
            .strip_suffix("ssl.keystore.location")
            .or_else(|| name.strip_suffix("ssl.truststore.location"));
        let Some(prefix) = prefix else { continue };
        let is_pem = |store: &str| {
            let has = |what: &str| properties.get(&format!("{prefix}ssl.{store}.{what}"));
            has("location").is_none() || has("type") == Some("PEM")
        };
        let is_ours = is_pem("keystore")
            && is_pem("truststore")
            && properties.get(&format!("{prefix}ssl.engine.factory.class")).is_none();
        if is_ours {
            prefixes.insert(prefix.to_owned());
        } else {
            of_user = Some(prefix.to_owned());
        }
    }
    if let Some(prefix) = of_user {
        tracing::info!(
            prefix,
            "TLS is set up in a way of the user's own: Kafka reads certificates at its start alone"
        );
        return None;
    }
    if prefixes.is_empty() {
        return None;
    }
    for prefix in prefixes {
        let key_store = properties.get(&format!("{prefix}ssl.keystore.location"));
        // The subject of a node's own certificate is its principal; that of a user's certificate for a listener is nobody's.
        if key_store.is_some_and(|store| store != own) {
            properties.set(format!("{prefix}ssl.allow.dn.changes"), "true");
        }
        properties.set(format!("{prefix}ssl.engine.factory.class"), container::TLS_CLASS);
    }
    Some(Certificates {
        keystores: keystores.to_vec(),
        trust_bundle: layout.trust_bundle(),
        nodes: layout.absolute(Path::new(container::CLUSTER_TRUST)),
        status: layout.tls_status(),
    })
}

impl Certificates {
    /// The arguments of the JVM that name the file in which the class says what it uses, and the authority of the nodes.
    pub fn jvm_arguments(&self) -> [String; 2] {
        [
            format!("-Dkastellan.tls.status={}", self.status.display()),
            format!("-Dkastellan.tls.nodes={}", self.nodes.display()),
        ]
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
        let mut note = |file: &Path, content: &str| {
            found.files.insert(file.display().to_string(), tls::hash(content.as_bytes()));
        };
        for store in &self.keystores {
            // The key store is made of the mounted files; until it is, Kafka cannot have them.
            let Ok(Some(certificates)) = files::read_optional(&store.certificates) else { continue };
            let Ok(made) = keystore::render(store) else { continue };
            // The file may have changed between the two looks.
            let is_of_it = made.trim_end().ends_with(certificates.trim_end());
            if is_of_it && is_used(&pairs, &store.target, &made) {
                note(&store.certificates, &certificates);
            }
        }
        for file in authorities(&self.trust_bundle) {
            if let Ok(Some(content)) = files::read_optional(&file)
                && is_used(&pairs, &file, &content)
            {
                note(&file, &content);
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

/// The files of the trust bundle.
fn authorities(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut all: Vec<_> = entries.map(|entry| entry.path()).collect();
    all.retain(|path| path.extension().is_some_and(|extension| extension == "crt"));
    all.sort();
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> (tempfile::TempDir, Layout) {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        for folder in ["opt/kastellan", "var/opt/kafka", "opt/kafka/trust-bundle"] {
            std::fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        (root, layout)
    }

    #[test]
    fn whatever_has_its_certificates_in_pem_files_gets_the_class() {
        let (_root, layout) = layout();
        let own = layout.absolute(Path::new(container::NODE_KEYSTORE)).display().to_string();
        let text = format!(
            "listener.name.a-1.ssl.keystore.type=PEM\nlistener.name.a-1.ssl.keystore.location={own}\n\
             listener.name.b-2.ssl.keystore.type=PEM\nlistener.name.b-2.ssl.keystore.location=/b.pem\n\
             x.ssl.truststore.type=PEM\nx.ssl.truststore.location=/t\n"
        );
        let mut properties = crate::properties::parse(&text).unwrap();
        assert!(prepare(&[], &mut properties, &layout).is_none(), "there is no jar");
        std::fs::write(layout.tls_jar(), "").unwrap();
        assert!(prepare(&[], &mut properties, &layout).is_some());
        let class = |prefix: &str| properties.get(&format!("{prefix}ssl.engine.factory.class"));
        assert_eq!(class("listener.name.a-1."), Some(container::TLS_CLASS));
        assert_eq!(class("x."), Some(container::TLS_CLASS));
        let may_change = |prefix: &str| properties.get(&format!("{prefix}ssl.allow.dn.changes"));
        assert_eq!(
            (may_change("listener.name.a-1."), may_change("listener.name.b-2.")),
            (None, Some("true"))
        );
        // One listener in a way of the user's own is enough: what is reported counts for all files.
        for more in
            ["y.ssl.truststore.location=/t\n", "listener.name.a-1.ssl.engine.factory.class=com.example.Own\n"]
        {
            let mut own = crate::properties::parse(&format!("{text}{more}")).unwrap();
            let before = own.clone();
            assert!(prepare(&[], &mut own, &layout).is_none(), "{more}");
            assert_eq!(own, before);
        }
        let mut none = crate::properties::parse("listeners=PLAIN://:9092\n").unwrap();
        assert!(prepare(&[], &mut none, &layout).is_none());
    }

    #[test]
    fn a_file_is_in_use_when_nothing_is_left_that_has_a_former_content_of_it() {
        let (_root, layout) = layout();
        let (file, unused) =
            (layout.trust_bundle().join("cluster-ca.crt"), layout.trust_bundle().join("clients-ca.crt"));
        std::fs::write(&file, "new").unwrap();
        std::fs::write(&unused, "other").unwrap();
        let certificates = Certificates {
            keystores: Vec::new(),
            trust_bundle: layout.trust_bundle(),
            nodes: PathBuf::new(),
            status: layout.tls_status(),
        };
        assert!(certificates.in_use().error.unwrap().contains("not said yet"));
        let said = |hash: &str, older: u64, error: &str| {
            let pair = serde_json::json!([{"keyStore": null, "keyStoreSha256": "", "trustStore": file,
                "trustStoreSha256": hash, "error": error, "older": older, "factories": 2}]);
            std::fs::write(layout.tls_status(), pair.to_string()).unwrap();
            certificates.in_use()
        };
        let (former, present) = (tls::hash(b"old"), tls::hash(b"new"));
        let names = |found: &CertificatesInUse| found.files.keys().cloned().collect::<Vec<_>>();
        let unused = unused.display().to_string();
        assert_eq!(names(&said(&former, 0, "")), std::slice::from_ref(&unused));
        assert_eq!(
            names(&said(&present, 3, "")),
            std::slice::from_ref(&unused),
            "three connections are older"
        );
        let found = said(&present, 0, &"x".repeat(1000));
        assert_eq!(names(&found), [unused, file.display().to_string()]);
        assert_eq!(found.files[&file.display().to_string()], present);
        assert_eq!(found.error.unwrap().len(), LONGEST_ERROR);
    }
}
