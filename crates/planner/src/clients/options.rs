//! The options of a client of Kafka, in the notation of Kafka's own clients.

use api::agent::{JAAS_PLACEHOLDER, container};
use api::connect::DIRECTORY_PROVIDER;

use super::files::ClientFiles;
use super::{Access, Authentication, Mechanism, Trust};

/// Who puts the files together that a client reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The agent of the pod, which also resolves placeholders before the client starts: key stores are files.
    Agent,
    /// The agent, but that it is a connector which is configured: a password is a placeholder that the worker resolves, and that
    /// stays one in Connect's topics.
    Connector,
    /// Nobody: values are placeholders for whole files. Of a password with quotation marks it is the program that takes care.
    Program,
    /// Nobody, and the placeholders are resolved by Kafka's own configuration providers.
    Kafka,
}

/// Names and values for one client whose pod has an agent. Files are those of `files`; a password is a placeholder.
pub fn of(access: &Access, files: &ClientFiles) -> Vec<(String, String)> {
    in_form(access, files, Form::Agent)
}

/// The same for a client that is configured by a connector.
pub fn of_connector(access: &Access, files: &ClientFiles) -> Vec<(String, String)> {
    in_form(access, files, Form::Connector)
}

/// Names and values for one client. Files are those of `files`; a password is a placeholder.
pub fn in_form(access: &Access, files: &ClientFiles, form: Form) -> Vec<(String, String)> {
    let mut options = Vec::new();
    let mut set = |name: &str, value: String| options.push((name.to_owned(), value));
    let folder = files.own_folder();
    let own = |file: &str| format!("${{{DIRECTORY_PROVIDER}:{folder}:{file}}}");
    if access.has_own_trust() {
        set("ssl.truststore.type", "PEM".to_owned());
        match form {
            Form::Agent | Form::Connector => set("ssl.truststore.location", files.trusted_path()),
            Form::Program | Form::Kafka => set("ssl.truststore.certificates", files.trusted_placeholder()),
        }
    }
    match &access.authentication {
        Authentication::None => {}
        Authentication::Certificate { .. } => {
            set("ssl.keystore.type", "PEM".to_owned());
            if matches!(form, Form::Agent | Form::Connector) {
                set("ssl.keystore.location", files.key_store_path());
            } else {
                set("ssl.keystore.certificate.chain", own(ClientFiles::CERTIFICATE));
                set("ssl.keystore.key", own(ClientFiles::KEY));
            }
        }
        Authentication::Password { mechanism, username, .. } => {
            let (name, module) = match mechanism {
                Mechanism::ScramSha256 => ("SCRAM-SHA-256", SCRAM),
                Mechanism::ScramSha512 => ("SCRAM-SHA-512", SCRAM),
                Mechanism::Plain => ("PLAIN", PLAIN),
            };
            set("sasl.mechanism", name.to_owned());
            let (username, file) = (in_quotes(username), ClientFiles::PASSWORD);
            let password = match form {
                Form::Agent | Form::Program => format!("${{{JAAS_PLACEHOLDER}:{folder}:{file}}}"),
                Form::Kafka => own(file),
                Form::Connector => {
                    format!("${{{DIRECTORY_PROVIDER}:{}:{}}}", container::JAAS_PASSWORDS, files.name)
                }
            };
            set(
                "sasl.jaas.config",
                format!("{module} required username=\"{username}\" password=\"{password}\";"),
            );
        }
        Authentication::Custom { options, .. } => {
            for (name, value) in options {
                set(name, value.clone());
            }
        }
    }
    set("security.protocol", protocol(access).to_owned());
    options
}

const SCRAM: &str = "org.apache.kafka.common.security.scram.ScramLoginModule";
const PLAIN: &str = "org.apache.kafka.common.security.plain.PlainLoginModule";

fn protocol(access: &Access) -> &'static str {
    let sasl = matches!(
        access.authentication,
        Authentication::Password { .. } | Authentication::Custom { sasl: true, .. }
    );
    match (sasl, access.trust != Trust::NoTls) {
        (true, true) => "SASL_SSL",
        (true, false) => "SASL_PLAINTEXT",
        (false, true) => "SSL",
        (false, false) => "PLAINTEXT",
    }
}

/// A text of one line as it stands between the quotation marks of a value in a JAAS configuration.
fn in_quotes(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}
