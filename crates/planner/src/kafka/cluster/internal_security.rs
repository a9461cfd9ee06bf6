//! How the parts of a cluster talk with each other.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// Types of encryption: the first is done without a word.
pub(crate) const ENCRYPTION: [&str; 2] = ["strimzi-tls", NONE];
/// Types of authentication: the first is done without a word.
pub(crate) const AUTHENTICATION: [&str; 2] = ["strimzi-mtls", NONE];
/// Neither.
const NONE: &str = "none";

/// How the parts of a cluster talk with each other: nodes, operators and exporter at the ports that are no clients'.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum InternalSecurity {
    /// TLS with certificates on both sides.
    #[default]
    MutualTls,
    /// TLS; nodes ask nobody for a certificate, so that everybody is `ANONYMOUS`.
    Tls,
    /// Neither encryption nor authentication.
    Plain,
}

impl InternalSecurity {
    /// With these types of encryption and authentication; `None`: there is no such type, or certificates are asked for without TLS.
    pub(crate) fn of_types(encryption: &str, authentication: &str) -> Option<Self> {
        let [tls, _] = ENCRYPTION;
        let [mutual, _] = AUTHENTICATION;
        match (encryption, authentication) {
            _ if (encryption, authentication) == (tls, mutual) => Some(Self::MutualTls),
            (_, NONE) if encryption == tls => Some(Self::Tls),
            (NONE, NONE) => Some(Self::Plain),
            _ => None,
        }
    }

    /// As a status says it; `None`: the status says nothing that is known.
    pub(crate) fn of_status(status: &BTreeMap<String, Value>) -> Option<Self> {
        let type_of = |part: &str| status.get(part)?["type"].as_str();
        Self::of_types(type_of("encryption")?, type_of("authentication")?)
    }

    /// As the status says it.
    pub(crate) fn status(self) -> BTreeMap<String, Value> {
        let (encryption, authentication) = self.types();
        let of_type = |type_: &str| Value::Object(Map::from_iter([("type".to_owned(), type_.into())]));
        BTreeMap::from([
            ("encryption".to_owned(), of_type(encryption)),
            ("authentication".to_owned(), of_type(authentication)),
        ])
    }

    /// As the annotation says it.
    pub(crate) fn annotation(self) -> String {
        let (encryption, authentication) = self.types();
        format!(
            r#"{{"encryption": {{"type": "{encryption}"}}, "authentication": {{"type": "{authentication}"}}}}"#
        )
    }

    fn types(self) -> (&'static str, &'static str) {
        let encryption = ENCRYPTION[usize::from(!self.encrypts())];
        (encryption, AUTHENTICATION[usize::from(!self.authenticates())])
    }

    /// Whether the parts speak TLS.
    pub fn encrypts(self) -> bool {
        self != Self::Plain
    }

    /// Whether nodes want a certificate of whoever connects.
    pub fn authenticates(self) -> bool {
        self == Self::MutualTls
    }
}
