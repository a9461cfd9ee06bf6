//! Reads `bootstrapServers`, `tls` and `authentication`.

use std::collections::BTreeMap;

use api::common::client_auth::{
    ClientAuthentication, ClientAuthenticationType, ClientTls, TrustedCertificate,
};

use super::{Access, Authentication, Keys, Mechanism, Trust, TrustedKeys};
use crate::findings::Findings;
use crate::option_text::as_text;
use crate::text;

/// Items of a list of trusted certificates: each is looked up in its Secret in every pass.
const MOST_TRUSTED: usize = 100;

/// The longest key of a Secret.
const LONGEST_PATTERN: usize = 253;

/// How the options of custom authentication have to begin.
const CUSTOM_OPTIONS: [&str; 2] = ["sasl.", "ssl.keystore."];

/// What is written in the place of OAuth.
const OAUTH: &str = "\"oauth\" is no type of its own any more: write type: custom with sasl: true and, in config, sasl.mechanism: \
    OAUTHBEARER, sasl.login.callback.handler.class: io.strimzi.kafka.oauth.client.JaasClientOauthLoginCallbackHandler and the \
    former options in sasl.jaas.config; the image needs the classes of strimzi-kafka-oauth";

impl Access {
    /// Reads the sections below a path. What is wrong is a problem, and left out.
    pub fn read(
        section: &str,
        bootstrap_servers: &str,
        tls: Option<&ClientTls>,
        authentication: Option<&ClientAuthentication>,
        findings: &mut Findings,
    ) -> Self {
        let field = format!("{section}.bootstrapServers");
        if bootstrap_servers.trim().is_empty() {
            findings.problem(field, "is missing: write the addresses of Kafka, host:port,host:port");
        } else {
            text::plain(bootstrap_servers, &field, "a list of addresses", findings);
        }
        Self {
            bootstrap_servers: bootstrap_servers.to_owned(),
            section: section.to_owned(),
            trust: trust(section, tls, findings),
            authentication: authentication
                .and_then(|raw| read_authentication(&format!("{section}.authentication"), raw, findings))
                .unwrap_or(Authentication::None),
        }
    }
}

fn trust(section: &str, tls: Option<&ClientTls>, findings: &mut Findings) -> Trust {
    let Some(tls) = tls else { return Trust::NoTls };
    let listed = tls.trusted_certificates.as_deref().unwrap_or_default();
    if listed.is_empty() {
        return Trust::PublicAuthorities;
    }
    if listed.len() > MOST_TRUSTED {
        findings.problem(
            format!("{section}.tls.trustedCertificates"),
            format!(
                "{} items are more than {MOST_TRUSTED}: name keys with a pattern, such as \"*.crt\"",
                listed.len()
            ),
        );
        return Trust::Certificates(Vec::new());
    }
    let field = |index: usize| format!("{section}.tls.trustedCertificates[{index}]");
    let read = listed.iter().enumerate().filter_map(|(index, raw)| trusted(field(index), raw, findings));
    Trust::Certificates(read.collect())
}

fn trusted(field: String, raw: &TrustedCertificate, findings: &mut Findings) -> Option<TrustedKeys> {
    if raw.secret_name.is_empty() {
        findings.problem(format!("{field}.secretName"), "is missing: name the Secret with the certificates");
        return None;
    }
    let keys = match (&raw.certificate, &raw.pattern) {
        (Some(key), None) => Keys::One(key.clone()),
        (None, Some(pattern)) if pattern.len() > LONGEST_PATTERN => {
            findings.problem(
                format!("{field}.pattern"),
                format!("is longer than {LONGEST_PATTERN} characters, as no key of a Secret is: write a shorter one"),
            );
            return None;
        }
        (None, Some(pattern)) => Keys::Matching(pattern.clone()),
        (None, None) => {
            findings.problem(
                field,
                "names no key: write certificate with the key of the Secret, or pattern, for example \"*.crt\"",
            );
            return None;
        }
        (Some(_), Some(_)) => {
            findings.problem(field, "has both certificate and pattern: leave one of the two");
            return None;
        }
    };
    Some(TrustedKeys { field, secret: raw.secret_name.clone(), keys })
}

fn read_authentication(
    field: &str,
    raw: &ClientAuthentication,
    findings: &mut Findings,
) -> Option<Authentication> {
    match raw.type_ {
        ClientAuthenticationType::Tls => {
            let Some(own) = &raw.certificate_and_key else {
                findings.problem(
                    format!("{field}.certificateAndKey"),
                    "is missing: name a Secret and its keys with the certificate and the private key",
                );
                return None;
            };
            Some(Authentication::Certificate {
                secret: own.secret_name.clone(),
                certificate: own.certificate.clone(),
                key: own.key.clone(),
            })
        }
        ClientAuthenticationType::ScramSha256 => password(field, raw, Mechanism::ScramSha256, findings),
        ClientAuthenticationType::ScramSha512 => password(field, raw, Mechanism::ScramSha512, findings),
        ClientAuthenticationType::Plain => password(field, raw, Mechanism::Plain, findings),
        ClientAuthenticationType::Custom => Some(Authentication::Custom {
            sasl: raw.sasl.unwrap_or(false),
            options: custom_options(field, raw, findings),
        }),
        ClientAuthenticationType::Oauth => {
            findings.problem(format!("{field}.type"), OAUTH);
            None
        }
    }
}

fn password(
    field: &str,
    raw: &ClientAuthentication,
    mechanism: Mechanism,
    findings: &mut Findings,
) -> Option<Authentication> {
    let username = raw.username.clone().filter(|name| !name.is_empty());
    match &username {
        None => findings.problem(format!("{field}.username"), "is missing: write the name of the user"),
        Some(name) => text::plain(name, &format!("{field}.username"), "the name of a user", findings),
    }
    if raw.password_secret.is_none() {
        findings.problem(
            format!("{field}.passwordSecret"),
            "is missing: name a Secret and its key with the password",
        );
    }
    let (username, secret) = (username?, raw.password_secret.as_ref()?);
    Some(Authentication::Password {
        mechanism,
        username,
        secret: secret.secret_name.clone(),
        key: secret.password.clone(),
    })
}

fn custom_options(
    field: &str,
    raw: &ClientAuthentication,
    findings: &mut Findings,
) -> BTreeMap<String, String> {
    let mut options = BTreeMap::new();
    for (name, value) in raw.config.iter().flatten() {
        let path = format!("{field}.config.{name}");
        if !text::option_name(name, &format!("{field}.config"), findings) {
            continue;
        }
        if !CUSTOM_OPTIONS.iter().any(|prefix| name.starts_with(prefix)) {
            findings.problem(
                path,
                "is no option of authentication: write only options that begin with sasl. or ssl.keystore. here",
            );
            continue;
        }
        match as_text(value) {
            Some(value) => drop(options.insert(name.clone(), value)),
            None => findings.problem(path, "must be text, a number, true, false or a list of them"),
        }
    }
    options
}
