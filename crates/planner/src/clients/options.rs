//! The options of a client of Kafka, in the notation of Kafka's own clients.

use api::agent::{JAAS_PLACEHOLDER, container};
use api::connect::DIRECTORY_PROVIDER;

use super::files::ClientFiles;
use super::{Access, Authentication, Mechanism, Trust};

/// Names and values for one client. Files are those of `files`; a password is a placeholder that the agent resolves.
pub fn of(access: &Access, files: &ClientFiles) -> Vec<(String, String)> {
    let (folder, file) = (files.own_folder(), ClientFiles::PASSWORD);
    with_password(access, files, &format!("${{{JAAS_PLACEHOLDER}:{folder}:{file}}}"))
}

/// The same for a client that is configured by a connector: a password is a placeholder that the worker resolves, and that stays
/// one in Connect's topics.
pub fn of_connector(access: &Access, files: &ClientFiles) -> Vec<(String, String)> {
    let (folder, file) = (container::JAAS_PASSWORDS, &files.name);
    with_password(access, files, &format!("${{{DIRECTORY_PROVIDER}:{folder}:{file}}}"))
}

fn with_password(access: &Access, files: &ClientFiles, password: &str) -> Vec<(String, String)> {
    let mut options = Vec::new();
    let mut set = |name: &str, value: String| options.push((name.to_owned(), value));
    if access.has_own_trust() {
        set("ssl.truststore.type", "PEM".to_owned());
        set("ssl.truststore.location", files.trusted_path());
    }
    match &access.authentication {
        Authentication::None => {}
        Authentication::Certificate { .. } => {
            set("ssl.keystore.type", "PEM".to_owned());
            set("ssl.keystore.location", files.key_store_path());
        }
        Authentication::Password { mechanism, username, .. } => {
            let (name, module) = match mechanism {
                Mechanism::ScramSha256 => ("SCRAM-SHA-256", SCRAM),
                Mechanism::ScramSha512 => ("SCRAM-SHA-512", SCRAM),
                Mechanism::Plain => ("PLAIN", PLAIN),
            };
            set("sasl.mechanism", name.to_owned());
            let username = in_quotes(username);
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
