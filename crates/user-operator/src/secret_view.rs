//! What is kept of a user's Secret: as much as decisions need, and no key and no key store.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use api::kinds;
use api::names::keys;
use api::{KafkaUser, annotations, cert_manager, labels, principals};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use operator_runtime::apply::own_entry;
use pki::{CertificateInfo, CertificatePem, Password, PrivateKeyPem};
use serde_json::Value;

/// Every key that this operator writes.
pub(crate) const ALL_KEYS: [&str; 7] = [
    keys::CA_CRT,
    keys::USER_CRT,
    keys::USER_KEY,
    keys::USER_P12,
    keys::USER_PASSWORD,
    keys::PASSWORD,
    keys::SASL_JAAS_CONFIG,
];

/// What was found of a user's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// There is none.
    Missing,
    /// It or its key cannot be read, they do not belong together, or it is another user's.
    Broken,
    /// The Secret has a certificate that ends at this time.
    Valid(Timestamp),
}

/// A user's Secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SecretView {
    /// Grows with every change of the Secret.
    pub version: u64,
    /// Identity of the Secret.
    pub uid: String,
    /// Name and uid of the KafkaUser that owns it.
    pub owner: Option<(String, String)>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// How many of the labels and annotations were put there by this operator; none: it is not known.
    pub own_metadata: Option<usize>,
    /// Which of [`ALL_KEYS`] it has, as bits.
    pub keys: u8,
    /// The user's certificate.
    pub certificate: Certificate,
    /// Since when it is valid.
    pub since: Option<Timestamp>,
    /// Hash of it, to tell it from others.
    pub mark: Option<u64>,
    /// The certificate that cert-manager keeps here for a user.
    pub offer: Certificate,
    /// Hash of that.
    pub offer_mark: Option<u64>,
    /// Hash of the authority's certificate in it.
    pub authority: Option<u64>,
    /// The password of a SCRAM user: Kafka is told when it changes.
    pub password: Option<Password>,
    /// Whether the JAAS configuration names this user and password.
    pub jaas_fits: bool,
}

impl SecretView {
    /// What a Secret says to the operator whose Secret names begin with `prefix`.
    pub(crate) fn of(secret: &Secret, prefix: &str) -> Self {
        let name = secret.name_any();
        let user = name.strip_prefix(prefix).unwrap_or(&name);
        let text = |key: &str| {
            let bytes = &secret.data.as_ref()?.get(key)?.0;
            std::str::from_utf8(bytes).ok().filter(|text| !text.is_empty())
        };
        let mut present = 0;
        for (bit, key) in ALL_KEYS.iter().enumerate() {
            if secret
                .data
                .as_ref()
                .is_some_and(|data| data.get(*key).is_some_and(|value| !value.0.is_empty()))
            {
                present |= 1 << bit;
            }
        }
        let owner = secret.owner_references().iter().find(|owner| owner.kind == kinds::KAFKA_USER);
        let password = text(keys::PASSWORD);
        let fits = password
            .zip(text(keys::SASL_JAAS_CONFIG))
            .is_some_and(|(password, jaas)| jaas == jaas_config(user, password));
        let (mut certificate, own) = certificate(text(keys::USER_CRT), text(keys::USER_KEY));
        // Kafka knows the user by all of the subject. Of what cert-manager keeps, that is looked at before it is taken over.
        if own.as_ref().is_some_and(|own| own.subject != principals::by_certificate(user)) {
            certificate = Certificate::Broken;
        }
        let (offer, offered) = self::certificate(text(cert_manager::TLS_CRT), text(cert_manager::TLS_KEY));
        let mark = |info: &CertificateInfo| hash(&info.sha256_thumbprint);
        Self {
            version: secret.resource_version().and_then(|version| version.parse().ok()).unwrap_or(0),
            uid: secret.uid().unwrap_or_default(),
            owner: owner.map(|owner| (owner.name.clone(), owner.uid.clone())),
            labels: secret.labels().clone(),
            annotations: secret.annotations().clone(),
            own_metadata: own_metadata(secret),
            keys: present,
            certificate,
            since: own.as_ref().map(|own| own.not_before),
            mark: own.as_ref().map(mark),
            offer,
            offer_mark: offered.as_ref().map(mark),
            authority: text(keys::CA_CRT).map(hash),
            password: password.map(Password::new),
            jaas_fits: fits,
        }
    }

    /// About how many bytes of memory it takes. Who may write Secrets could have the operator keep very much of them.
    pub(crate) fn bytes(&self) -> usize {
        let pairs = self.labels.iter().chain(&self.annotations);
        let texts: usize = pairs.map(|(key, value)| key.len() + value.len() + 2 * size_of::<String>()).sum();
        let owner = self.owner.as_ref().map_or(0, |(name, uid)| name.len() + uid.len());
        let password = self.password.as_ref().map_or(0, |password| password.expose().len());
        size_of::<Self>() + self.uid.len() + texts + owner + password
    }

    /// Whether it has a key, which has to be one of [`ALL_KEYS`].
    pub(crate) fn has(&self, key: &str) -> bool {
        ALL_KEYS.iter().position(|known| *known == key).is_some_and(|bit| self.keys & (1 << bit) != 0)
    }

    /// Whether a new certificate was asked for by annotation.
    pub(crate) fn force_renew(&self) -> bool {
        annotations::is_true(Some(&self.annotations), annotations::FORCE_RENEW)
    }

    /// Whether cert-manager keeps a certificate in it.
    pub(crate) fn is_of_cert_manager(&self) -> bool {
        self.offer != Certificate::Missing || self.annotations.contains_key(cert_manager::CERTIFICATE_NAME)
    }

    /// Whether it was made by a user operator.
    pub(crate) fn is_of_users(&self) -> bool {
        self.labels.get(labels::KIND).is_some_and(|kind| kind == kinds::KAFKA_USER)
    }
}

fn own_metadata(secret: &Secret) -> Option<usize> {
    let own = own_entry(secret.metadata.managed_fields.clone()?)?;
    let fields = own.first().and_then(|entry| entry.fields_v1.as_ref());
    let count = |kind: &str| {
        let owned = fields.and_then(|fields| fields.0.pointer(&format!("/f:metadata/f:{kind}")));
        owned.and_then(Value::as_object).map_or(0, |owned| owned.keys().filter(|key| *key != ".").count())
    };
    Some(count("labels") + count("annotations"))
}

/// Hash of a certificate text, to compare texts without keeping them.
pub(crate) fn hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.trim().hash(&mut hasher);
    hasher.finish()
}

/// The line by which Kafka's clients log in with a password.
pub(crate) fn jaas_config(user: &str, password: &str) -> String {
    let mut escaped = String::with_capacity(password.len());
    for c in password.chars() {
        escape(c, &mut escaped);
    }
    format!(
        "org.apache.kafka.common.security.scram.ScramLoginModule required username=\"{user}\" password=\"{escaped}\";"
    )
}

/// Writes a character of a quoted text as Java's `StreamTokenizer` reads it back, by which Kafka's clients read the line: a
/// line break would end the text. Other control characters are escaped too, so that the line is one in a file of properties.
fn escape(c: char, out: &mut String) {
    match c {
        '\\' | '"' => out.extend(['\\', c]),
        '\n' => out.push_str("\\n"),
        '\r' => out.push_str("\\r"),
        '\t' => out.push_str("\\t"),
        // Always three digits: a digit that follows is not taken for a part of the escape.
        '\0'..='\x1f' | '\x7f' => {
            let code = u32::from(c);
            let digit = |place: u32| char::from_digit(code >> (3 * place) & 7, 8).unwrap_or('0');
            out.extend(['\\', digit(2), digit(1), digit(0)]);
        }
        c => out.push(c),
    }
}

/// What was found of a certificate, and what it says.
fn certificate(certificate: Option<&str>, key: Option<&str>) -> (Certificate, Option<CertificateInfo>) {
    let (Some(certificate), Some(key)) = (certificate, key) else { return (Certificate::Missing, None) };
    let Ok(info) = pki::parse_certificate(&CertificatePem::new(certificate)) else {
        return (Certificate::Broken, None);
    };
    let fits = issuer::key_matches_certificate(&PrivateKeyPem::new(key), &info).unwrap_or(false);
    (if fits { Certificate::Valid(info.not_after) } else { Certificate::Broken }, Some(info))
}

/// Labels and annotations that a user's Secret has to carry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Metadata {
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// Annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Labels or annotations that a user's Secret cannot carry.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    /// Among the labels of the resource.
    #[error(transparent)]
    Label(#[from] labels::LabelError),
    /// In the template.
    #[error(
        "spec.template.secret.metadata.{field} sets {keys}: keys that begin with {} or {} are those of the operators, remove them",
        labels::STRIMZI_DOMAIN,
        labels::KASTELLAN_DOMAIN
    )]
    Reserved {
        /// `labels` or `annotations`.
        field: &'static str,
        /// The keys, with commas between them.
        keys: String,
    },
}

/// What a template asks for, unless it has keys by which operators are driven.
fn from_template(
    field: &'static str,
    asked: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, MetadataError> {
    let asked = asked.cloned().unwrap_or_default();
    let keys: Vec<&str> = asked.keys().map(String::as_str).filter(|key| labels::is_reserved(key)).collect();
    if keys.is_empty() { Ok(asked) } else { Err(MetadataError::Reserved { field, keys: keys.join(", ") }) }
}

impl Metadata {
    /// What the resource asks for.
    pub(crate) fn of(user: &KafkaUser) -> Result<Self, MetadataError> {
        let template = user.spec.template.as_ref().and_then(|template| template.secret.as_ref());
        let template = template.and_then(|secret| secret.metadata.as_ref());
        let mut all = from_template("labels", template.and_then(|metadata| metadata.labels.as_ref()))?;
        all.extend(labels::ExclusionPattern::default().inherited(user.metadata.labels.as_ref())?);
        let name = user.name_any();
        let part_of = labels::valid_value(&format!("strimzi-{name}"));
        let instance = labels::valid_value(&name);
        for (key, value) in [
            (labels::KIND, kinds::KAFKA_USER),
            (labels::KUBERNETES_NAME, labels::MANAGED_BY_USER_OPERATOR),
            (labels::KUBERNETES_INSTANCE, instance.as_str()),
            (labels::KUBERNETES_PART_OF, part_of.as_str()),
            (labels::KUBERNETES_MANAGED_BY, labels::MANAGED_BY_USER_OPERATOR),
        ] {
            all.insert(key.to_owned(), value.to_owned());
        }
        Ok(Self {
            labels: all,
            annotations: from_template(
                "annotations",
                template.and_then(|metadata| metadata.annotations.as_ref()),
            )?,
        })
    }

    /// Whether a Secret carries all of it, nothing that was asked for earlier, and belongs to the resource.
    pub(crate) fn is_on(&self, view: &SecretView, user: &KafkaUser) -> bool {
        let within = |wanted: &BTreeMap<String, String>, live: &BTreeMap<String, String>| {
            wanted.iter().all(|(key, value)| live.get(key) == Some(value))
        };
        let wanted = self.labels.len() + self.annotations.len();
        view.own_metadata.is_none_or(|own| own <= wanted)
            && within(&self.labels, &view.labels)
            && within(&self.annotations, &view.annotations)
            && view.owner.as_ref().is_some_and(|(_, uid)| Some(uid) == user.metadata.uid.as_ref())
    }
}

/// The reference by which the Secret goes away with the resource.
pub(crate) fn owner_reference(user: &KafkaUser) -> OwnerReference {
    OwnerReference {
        api_version: KafkaUser::api_version(&()).into_owned(),
        kind: KafkaUser::kind(&()).into_owned(),
        name: user.name_any(),
        uid: user.uid().unwrap_or_default(),
        controller: Some(false),
        block_owner_deletion: Some(false),
    }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// The quoted text after `password=`, as `java.io.StreamTokenizer` reads it; none when it does not end.
    fn read_as_java(line: &str) -> Option<String> {
        let (_, rest) = line.split_once("password=\"")?;
        let mut rest = rest.chars().peekable();
        let mut out = String::new();
        loop {
            match rest.next()? {
                '"' => return Some(out),
                '\n' | '\r' => return None,
                '\\' => match rest.next()? {
                    first @ '0'..='7' => {
                        let mut code = first.to_digit(8)?;
                        let more = if first <= '3' { 2 } else { 1 };
                        for _ in 0..more {
                            let Some(digit) = rest.peek().and_then(|c| c.to_digit(8)) else { break };
                            code = code * 8 + digit;
                            rest.next();
                        }
                        out.push(char::from_u32(code)?);
                    }
                    'a' => out.push('\x07'),
                    'b' => out.push('\x08'),
                    'f' => out.push('\x0c'),
                    'n' => out.push('\n'),
                    'r' => out.push('\r'),
                    't' => out.push('\t'),
                    'v' => out.push('\x0b'),
                    other => out.push(other),
                },
                c => out.push(c),
            }
        }
    }

    #[test]
    fn what_a_secret_has_the_operator_keep_is_counted() {
        let long = "x".repeat(100_000);
        let secret = |value: Value| {
            let secret: Secret = serde_json::from_value(value).unwrap();
            SecretView::of(&secret, "").bytes()
        };
        let name = "u";
        let small = secret(json!({"metadata": {"name": name}}));
        let annotated = secret(json!({"metadata": {"name": name, "annotations": {"a": long}}}));
        let password = ByteString(long.clone().into_bytes());
        let with_password = secret(json!({"metadata": {"name": name}, "data": {"password": password}}));
        assert!(small < 1000 && annotated > 100_000 && with_password > 100_000);
    }

    #[test]
    fn a_line_break_does_not_end_a_password() {
        for password in
            ["echo made this\n", "\n", "\r\n", "a\x00001", "\x1b7", "tab\t", "\\n", "\"; x=\"", "\x7f"]
        {
            let line = jaas_config("u", password);
            assert_eq!(read_as_java(&line).as_deref(), Some(password), "{line}");
            assert_eq!(line.lines().count(), 1);
        }
        assert!(jaas_config("u", "plain ünicode").ends_with(" username=\"u\" password=\"plain ünicode\";"));
    }

    proptest! {
        #[test]
        fn java_reads_every_password_back(password in prop_oneof![any::<String>(), "[\\x00-\\x7f0-7\\\\\"]{0,30}"]) {
            let line = jaas_config("u", &password);
            let read = read_as_java(&line);
            prop_assert_eq!(read.as_deref(), Some(password.as_str()));
            prop_assert!(!line.contains(['\n', '\r', '\0']));
        }
    }

    #[test]
    fn keys_that_drive_operators_are_refused_in_a_template() {
        let user = |metadata: &str| -> KafkaUser {
            let text = format!(
                "{{\"apiVersion\":\"kafka.strimzi.io/v1\",\"kind\":\"KafkaUser\",\"metadata\":{{\"name\":\"u\"}},\"spec\":{{\"template\":{{\"secret\":{{\"metadata\":{metadata}}}}}}}}}"
            );
            serde_json::from_str(&text).unwrap()
        };
        let refused = |metadata: &str| Metadata::of(&user(metadata)).unwrap_err().to_string();
        let text = refused(r#"{"annotations":{"strimzi.io/force-renew":"true"}}"#);
        assert!(
            text.contains("spec.template.secret.metadata.annotations sets strimzi.io/force-renew"),
            "{text}"
        );
        let text = refused(r#"{"labels":{"kastellan.io/a":"b","strimzi.io/cluster":"other","team":"x"}}"#);
        assert!(text.contains("metadata.labels sets kastellan.io/a, strimzi.io/cluster:"), "{text}");
        let taken =
            Metadata::of(&user(r#"{"labels":{"team":"x"},"annotations":{"example.strimzi.io/a":"b"}}"#))
                .unwrap();
        assert_eq!(taken.labels["team"], "x");
        assert!(taken.annotations.contains_key("example.strimzi.io/a"));
    }
}
