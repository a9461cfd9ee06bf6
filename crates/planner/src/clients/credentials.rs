//! Reads what a client trusts and proves itself by out of the Secrets that were observed.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Secret;
use pki::{CertificatePem, PrivateKeyPem};

use super::{Access, Authentication, Keys, Trust, TrustedKeys, glob};
use crate::findings::Findings;
use crate::fingerprint;
use crate::workload::secret::text;

/// The hash of a client that uses no Secret.
const NOTHING: &str = "0";

/// The Secrets that were observed.
#[derive(Debug, Clone, Copy)]
pub struct Secrets<'a> {
    /// Those that are there, by name.
    pub read: &'a BTreeMap<String, Arc<Secret>>,
    /// Those that are there and were not read, each with why.
    pub not_read: &'a BTreeMap<String, String>,
    /// Bytes of trusted certificates that all clients of a resource may have: they go into one Secret.
    pub largest: usize,
}

/// What the Secrets of a client say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// The trusted certificates, without anything else that was in the Secrets.
    pub trusted: Option<String>,
    /// A hash of all that the client is started with: exactly the keys that the resource names, and no other.
    pub hash: String,
}

/// Reads the Secrets of a client. What is missing or cannot be used is a problem.
pub fn resolve(access: &Access, secrets: &Secrets<'_>, findings: &mut Findings) -> Credentials {
    resolve_all([access], secrets, findings).pop().unwrap_or_default()
}

/// Reads the Secrets of all clients of a resource, in their order. What is missing or cannot be used is a problem. When their trusted
/// certificates are too much for one Secret, that is the last one, and the other clients are not looked at.
pub fn resolve_all<'a>(
    clients: impl IntoIterator<Item = &'a Access>,
    secrets: &Secrets<'a>,
    findings: &mut Findings,
) -> Vec<Credentials> {
    let mut parsed = Parsed::default();
    let (mut all, mut taken) = (Vec::new(), 0);
    for access in clients {
        let room = secrets.largest.saturating_sub(taken);
        let credentials = of_client(access, secrets, room, &mut parsed, findings);
        taken += credentials.trusted.as_ref().map_or(0, String::len);
        all.push(credentials);
        if taken > secrets.largest {
            break;
        }
    }
    all
}

fn of_client<'a>(
    access: &'a Access,
    secrets: &Secrets<'a>,
    room: usize,
    parsed: &mut Parsed<'a>,
    findings: &mut Findings,
) -> Credentials {
    let mut used = Used::default();
    let trusted = match &access.trust {
        Trust::NoTls | Trust::PublicAuthorities => None,
        Trust::Certificates(all) => {
            let mut trusted = Trusted { room, ..Trusted::default() };
            for keys in all {
                certificates(keys, secrets, (&mut trusted, parsed), findings);
                if trusted.is_full() {
                    break;
                }
            }
            used.add("trusted", trusted.pem.as_bytes());
            Some(trusted.pem)
        }
    };
    let field = format!("{}.authentication", access.section);
    match &access.authentication {
        Authentication::None | Authentication::Custom { .. } => {}
        Authentication::Certificate { secret: name, certificate, key } => {
            let field = format!("{field}.certificateAndKey");
            if let Some(secret) = find(secrets, name, &format!("{field}.secretName"), findings) {
                own_certificate(secret, name, &field, (certificate, key), &mut used, findings);
            }
        }
        Authentication::Password { secret: name, key, .. } => {
            let field = format!("{field}.passwordSecret");
            if let Some(secret) = find(secrets, name, &format!("{field}.secretName"), findings)
                && let Some(password) = value(secret, name, &format!("{field}.password"), key, findings)
            {
                used.add("password", password.as_bytes());
            }
        }
    }
    Credentials { trusted, hash: used.hash() }
}

/// Checks the certificate of a server and its key in a Secret. `field` is the path of the reference. Returns a hash of both.
pub fn of_server(
    secret: &str,
    keys: (&str, &str),
    field: &str,
    secrets: &Secrets<'_>,
    findings: &mut Findings,
) -> String {
    let mut used = Used::default();
    if let Some(found) = find(secrets, secret, &format!("{field}.secretName"), findings) {
        own_certificate(found, secret, field, keys, &mut used, findings);
    }
    used.hash()
}

/// What goes into the hash: parts of known length, so that no two sets of them are one text.
#[derive(Default)]
struct Used(String);

impl Used {
    fn add(&mut self, what: &str, bytes: &[u8]) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{what} {} {}", bytes.len(), fingerprint::long(bytes));
    }

    fn hash(&self) -> String {
        if self.0.is_empty() { NOTHING.to_owned() } else { fingerprint::short(self.0.as_bytes()) }
    }
}

fn find<'a>(secrets: &Secrets<'a>, name: &str, field: &str, findings: &mut Findings) -> Option<&'a Secret> {
    if let Some(why) = secrets.not_read.get(name) {
        findings.problem(field, format!("Secret {name:?} is not read: {why}"));
        return None;
    }
    let found = secrets.read.get(name).map(AsRef::as_ref);
    if found.is_none() {
        findings.problem(
            field,
            format!("Secret {name:?} does not exist in the namespace: create it, or correct the name"),
        );
    }
    found
}

/// The text under a key that has to be there.
fn value(secret: &Secret, name: &str, field: &str, key: &str, findings: &mut Findings) -> Option<String> {
    let found = text(secret, key);
    if found.is_none() {
        let present = secret.data.as_ref().is_some_and(|data| data.contains_key(key));
        let what = if present { "no text under the key" } else { "no key" };
        findings.problem(field, format!("Secret {name:?} has {what} {key:?}"));
    }
    found
}

/// What was read of keys of Secrets, by both: several clients may trust the same, and reading takes time.
type Parsed<'a> = BTreeMap<(&'a str, &'a str), Result<Vec<Vec<u8>>, String>>;

/// The trusted certificates of a client: each once, however often it is named.
#[derive(Default)]
struct Trusted {
    pem: String,
    known: BTreeSet<Vec<u8>>,
    /// Bytes that there is room for.
    room: usize,
}

impl Trusted {
    fn add(&mut self, der: &[u8]) {
        if !self.known.contains(der) {
            self.pem.push_str(CertificatePem::from_der(der).as_str());
            self.known.insert(der.to_vec());
        }
    }

    fn is_full(&self) -> bool {
        self.pem.len() > self.room
    }
}

/// Adds the certificates under the keys of a Secret, one after the other.
fn certificates<'a>(
    keys: &'a TrustedKeys,
    secrets: &Secrets<'a>,
    (trusted, parsed): (&mut Trusted, &mut Parsed<'a>),
    findings: &mut Findings,
) {
    let TrustedKeys { field, secret: name, keys } = keys;
    let Some(secret) = find(secrets, name, &format!("{field}.secretName"), findings) else {
        return;
    };
    let (part, names) = match keys {
        Keys::One(key) => ("certificate", vec![key.as_str()]),
        Keys::Matching(pattern) => {
            let all = secret.data.iter().flatten().map(|(key, _)| key.as_str());
            ("pattern", all.filter(|key| glob::matches(pattern, key)).collect())
        }
    };
    let field = format!("{field}.{part}");
    if let (Keys::Matching(pattern), true) = (keys, names.is_empty()) {
        findings.problem(&field, format!("no key of Secret {name:?} matches {pattern:?}"));
    }
    for key in names {
        if !parsed.contains_key(&(name.as_str(), key)) {
            let Some(text) = value(secret, name, &field, key, findings) else { continue };
            parsed.insert((name, key), read_certificates(text));
        }
        match &parsed[&(name.as_str(), key)] {
            Ok(ders) => ders.iter().for_each(|der| trusted.add(der)),
            Err(error) => findings.problem(
                &field,
                format!("the key {key:?} of Secret {name:?} holds no certificates: {error}"),
            ),
        }
        if trusted.is_full() {
            return findings.problem(
                &field,
                format!(
                    "the trusted certificates of the resource, up to key {key:?} of Secret {name:?} here, take more than {} KiB ({} of the \
                     operator): trust the authorities and not every single certificate, or raise the limit",
                    secrets.largest / 1024,
                    api::env::own::MAX_SECRET_KIB
                ),
            );
        }
    }
}

/// The certificates of a text in their order, each once.
fn read_certificates(text: String) -> Result<Vec<Vec<u8>>, String> {
    let mut known = BTreeSet::new();
    let ders = CertificatePem::new(text).ders().map_err(|error| error.to_string())?;
    Ok(ders.into_iter().map(|der| der.to_vec()).filter(|der| known.insert(der.clone())).collect())
}

/// Checks the certificate of a client and its key, which the agent of the pod puts together.
fn own_certificate(
    secret: &Secret,
    name: &str,
    field: &str,
    (certificate, key): (&str, &str),
    used: &mut Used,
    findings: &mut Findings,
) {
    if let Some(pem) = value(secret, name, &format!("{field}.certificate"), certificate, findings) {
        if let Err(error) = CertificatePem::new(&*pem).ders() {
            findings.problem(
                format!("{field}.certificate"),
                format!("the key {certificate:?} of Secret {name:?} cannot be used: {error}"),
            );
        }
        used.add("certificate", pem.as_bytes());
    }
    if let Some(pem) = value(secret, name, &format!("{field}.key"), key, findings) {
        if let Err(error) = PrivateKeyPem::new(&*pem).in_pkcs8() {
            findings.problem(
                format!("{field}.key"),
                format!("the key {key:?} of Secret {name:?} cannot be used: {error}"),
            );
        }
        used.add("key", pem.as_bytes());
    }
}
