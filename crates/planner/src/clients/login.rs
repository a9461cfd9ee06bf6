//! What the operator itself needs to reach a cluster as a client of a resource does.

use api::ports;
use pki::SecretPem;

use super::credentials::{self, Secrets};
use super::{Access, Authentication, Mechanism, Trust};
use crate::findings::Findings;
use crate::workload::secret::text;

/// Ports of Kafka that are for brokers, controllers and operators alone. The operator may reach them where nobody else may, and there
/// it follows nobody's word.
pub const INNER_PORTS: [i32; 2] = [ports::CONTROL_PLANE, ports::REPLICATION];

/// What a client needs.
#[derive(Debug, Clone)]
pub struct Login {
    /// Addresses to begin with.
    pub addresses: Vec<String>,
    /// Encryption; `None`: there is none.
    pub tls: Option<Tls>,
    /// A user and a password.
    pub password: Option<Password>,
}

/// Whom a client trusts, and what it proves itself by.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Certificates of authorities.
    pub trusted: String,
    /// Whether the certificate of a server has to name its host.
    pub verifies_hosts: bool,
    /// A certificate and its key.
    pub identity: Option<(String, SecretPem)>,
}

/// A user and a password.
#[derive(Debug, Clone)]
pub struct Password {
    /// In which way it is proved.
    pub mechanism: Mechanism,
    /// The user.
    pub username: String,
    /// The password.
    pub password: SecretPem,
}

/// Of a client; `None`: its cluster is not asked, because the operator lacks what it takes (authorities of the Java virtual machine,
/// options of the user's own) or because an address is on one of the [`INNER_PORTS`].
pub fn of(access: &Access, verifies_hosts: bool, secrets: &Secrets<'_>) -> Option<Login> {
    let addresses: Vec<String> =
        access.bootstrap_servers.split(',').map(|address| address.trim().to_owned()).collect();
    let is_inner = |address: &String| {
        let port = address.rsplit_once(':').and_then(|(_, port)| port.parse::<i32>().ok());
        port.is_none_or(|port| INNER_PORTS.contains(&port))
    };
    if addresses.iter().any(is_inner) {
        return None;
    }
    let find = |secret: &str, key: &str| text(secrets.read.get(secret)?, key);
    let mut tls = match &access.trust {
        Trust::NoTls => None,
        Trust::PublicAuthorities => return None,
        Trust::Certificates(_) => {
            let trusted = credentials::resolve(access, secrets, &mut Findings::default()).trusted?;
            Some(Tls { trusted, verifies_hosts, identity: None })
        }
    };
    let password = match &access.authentication {
        Authentication::None => None,
        Authentication::Custom { .. } => return None,
        Authentication::Certificate { secret, certificate, key } => {
            tls.as_mut()?.identity = Some((find(secret, certificate)?, SecretPem(find(secret, key)?)));
            None
        }
        Authentication::Password { mechanism, username, secret, key } => Some(Password {
            mechanism: *mechanism,
            username: username.clone(),
            password: SecretPem(find(secret, key)?),
        }),
    };
    Some(Login { addresses, tls, password })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;

    use super::*;

    fn access(addresses: &str) -> Access {
        Access {
            bootstrap_servers: addresses.to_owned(),
            section: "spec.target".to_owned(),
            trust: Trust::NoTls,
            authentication: Authentication::Password {
                mechanism: Mechanism::ScramSha512,
                username: "u".to_owned(),
                secret: "s".to_owned(),
                key: "p".to_owned(),
            },
        }
    }

    #[test]
    fn the_operator_logs_in_as_the_resource_says_and_never_where_only_operators_may() {
        let data = BTreeMap::from([("p".to_owned(), ByteString(b"hunter2".to_vec()))]);
        let secret = Secret { data: Some(data), ..Secret::default() };
        let read = BTreeMap::from([("s".to_owned(), Arc::new(secret))]);
        let not_read = BTreeMap::new();
        let secrets = Secrets { read: &read, not_read: &not_read, largest: 1000 };
        let login = of(&access("a:9092, b:9093"), true, &secrets).unwrap();
        assert_eq!(login.addresses, ["a:9092", "b:9093"]);
        let password = login.password.clone().unwrap();
        assert_eq!((password.username.as_str(), password.password.0.as_str()), ("u", "hunter2"));
        assert!(!format!("{login:?}").contains("hunter2"));
        for inner in ["a:9092,b:9091", "a:9090", "a", "a:09091"] {
            assert!(of(&access(inner), true, &secrets).is_none(), "{inner}");
        }
        let public = Access { trust: Trust::PublicAuthorities, ..access("a:9092") };
        assert!(of(&public, true, &secrets).is_none(), "the operator has no list of authorities");
        let nobody = BTreeMap::new();
        assert!(of(&access("a:9092"), true, &Secrets { read: &nobody, ..secrets }).is_none());
    }
}
