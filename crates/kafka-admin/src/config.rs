//! How to reach a cluster: addresses, TLS, login, time limits.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use crate::budget::Budget;
use crate::reach::Reach;
use crate::room::AnswerRoom;

/// Settings of an [`crate::Admin`].
#[derive(Debug, Clone)]
pub struct AdminConfig {
    /// Addresses `host:port` of which at least one must answer. IPv6 addresses stand in brackets.
    pub bootstrap: Vec<String>,
    /// Which kind of node the addresses name.
    pub bootstrap_kind: BootstrapKind,
    /// Encryption. Default: none.
    pub security: Security,
    /// Login with a password, on top of `security`. Default: none.
    pub sasl: Option<Sasl>,
    /// Name of the client in Kafka's logs, quotas and metrics. Default `kastellan-admin`.
    pub client_id: String,
    /// Time limit of one request with all its retries. A call that is split into several requests has this limit
    /// for each of them. Default 30 s.
    pub request_timeout: Duration,
    /// Time limit for a connection to be ready for use (TCP, TLS, version exchange, login). Default 10 s.
    pub connect_timeout: Duration,
    /// A call with more items than fit is split so that no request is larger. Bytes, default 900,000.
    pub max_request_bytes: usize,
    /// Longest answer that is read; a longer one ends the connection. Bytes, default 64 MiB.
    ///
    /// The longest answer of a sound cluster is the list of its topics: 100,000 partitions of three replicas take some
    /// 5 MB, and 32 MB where each is a topic of its own with five replicas and the longest name. Configurations are
    /// asked for 1,000 topics at a time, some 2 MB. Decoded, an answer takes several times its length, so that a process
    /// with little memory that does not trust its brokers should take less.
    pub max_answer_bytes: usize,
    /// What the values of one answer may take in memory once it is decoded. Bytes, default 512 MiB.
    pub max_answer_memory: usize,
    /// Room that this client shares with others for long answers. Default: none, they take what they need.
    pub answer_room: Option<AnswerRoom>,
    /// What this client may take in memory altogether; it takes no other room then. Default: as much as its answers need.
    pub budget: Option<Budget>,
    /// How many requests of one split call run at once. Default 4.
    pub concurrency: usize,
    /// Which addresses of nodes are followed beside the bootstrap addresses. Default: all that the nodes name.
    pub reach: Option<Reach>,
    /// Nodes of a cluster that are read at most. Default 10,000.
    pub max_nodes: usize,
    /// Where hosts are: no name server is asked, and no other host is connected to. For connections on which nothing proves who the
    /// server is. Default: name servers are asked.
    pub hosts: Option<BTreeMap<String, IpAddr>>,
    /// The cluster that is meant: each connection is asked for the id of its cluster first, and is of no use for anything else when it
    /// is another one. Default: any cluster.
    pub cluster_id: Option<String>,
}

impl AdminConfig {
    /// Settings for a client that talks to brokers.
    pub fn brokers(bootstrap: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self {
            bootstrap: bootstrap.into_iter().map(Into::into).collect(),
            bootstrap_kind: BootstrapKind::Brokers,
            security: Security::Plaintext,
            sasl: None,
            client_id: "kastellan-admin".to_owned(),
            request_timeout: Duration::from_secs(30),
            connect_timeout: Duration::from_secs(10),
            max_request_bytes: 900_000,
            max_answer_bytes: 64 * 1024 * 1024,
            max_answer_memory: 512 * 1024 * 1024,
            answer_room: None,
            budget: None,
            concurrency: 4,
            reach: None,
            max_nodes: 10_000,
            hosts: None,
            cluster_id: None,
        }
    }

    /// Settings for a client that talks to KRaft controllers (KIP-919).
    pub fn controllers(bootstrap: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Self { bootstrap_kind: BootstrapKind::Controllers, ..Self::brokers(bootstrap) }
    }

    /// With TLS.
    pub fn with_tls(mut self, tls: TlsConfig) -> Self {
        self.security = Security::Tls(tls);
        self
    }

    /// With a login.
    pub fn with_sasl(mut self, sasl: Sasl) -> Self {
        self.sasl = Some(sasl);
        self
    }

    /// With another client id.
    pub fn with_client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// With another time limit for each request.
    pub fn with_request_timeout(mut self, limit: Duration) -> Self {
        self.request_timeout = limit;
        self
    }

    /// With another limit for the length of an answer.
    pub fn with_max_answer_bytes(mut self, limit: usize) -> Self {
        self.max_answer_bytes = limit;
        self
    }

    /// With another limit for what the values of an answer take in memory.
    pub fn with_max_answer_memory(mut self, limit: usize) -> Self {
        self.max_answer_memory = limit;
        self
    }

    /// With room for long answers that is shared with other clients.
    pub fn with_answer_room(mut self, room: AnswerRoom) -> Self {
        self.answer_room = Some(room);
        self
    }

    /// With a bound for everything together.
    pub fn with_budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Follows only addresses of these nodes, beside the bootstrap addresses.
    pub fn with_reach(mut self, reach: Reach) -> Self {
        self.reach = Some(reach);
        self
    }

    /// With another limit for the nodes of a cluster.
    pub fn with_max_nodes(mut self, limit: usize) -> Self {
        self.max_nodes = limit;
        self
    }

    /// Connects to these hosts alone, at these addresses.
    pub fn with_hosts(mut self, hosts: BTreeMap<String, IpAddr>) -> Self {
        self.hosts = Some(hosts);
        self
    }

    /// Speaks with nodes of the cluster of this id alone.
    pub fn with_cluster_id(mut self, id: impl Into<String>) -> Self {
        self.cluster_id = Some(id.into());
        self
    }

    /// Why an address is not connected to; `None`: it is.
    pub(crate) fn refuses(&self, address: &str) -> Option<String> {
        let reach = self.reach.as_ref()?;
        let is_known = self.bootstrap.iter().any(|known| known == address) || reach.includes(address);
        (!is_known).then(|| {
            format!(
                "it is named as the address of a node and is none of the cluster's, which are {}",
                reach.words()
            )
        })
    }

    /// With another time limit for a connection.
    pub fn with_connect_timeout(mut self, limit: Duration) -> Self {
        self.connect_timeout = limit;
        self
    }
}

/// Which kind of node the bootstrap addresses name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootstrapKind {
    /// Brokers: every call; changes are forwarded to the active controller by Kafka itself.
    Brokers,
    /// KRaft controllers: cluster, quorum, features, dynamic configuration, broker registrations.
    Controllers,
}

/// Encryption of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Security {
    /// None.
    Plaintext,
    /// TLS 1.2 or 1.3.
    Tls(TlsConfig),
}

/// Trust and identity for TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsConfig {
    /// Certificates of the authorities that may have signed the servers' certificates, one after another.
    pub trusted_certificates_pem: String,
    /// The client's own certificate; needed where the listener asks for one.
    pub identity: Option<TlsIdentity>,
    /// Whether the server's certificate must name the host that was called. Default true.
    pub verify_hostname: bool,
}

impl TlsConfig {
    /// Trust in these authorities, no identity, host names verified.
    pub fn new(trusted_certificates_pem: impl Into<String>) -> Self {
        Self {
            trusted_certificates_pem: trusted_certificates_pem.into(),
            identity: None,
            verify_hostname: true,
        }
    }

    /// With a client certificate (its own first, then those between it and the authority) and its private key.
    pub fn with_identity(
        mut self,
        certificate_chain_pem: impl Into<String>,
        key_pem: impl Into<String>,
    ) -> Self {
        self.identity = Some(TlsIdentity {
            certificate_chain_pem: certificate_chain_pem.into(),
            key_pem: key_pem.into(),
        });
        self
    }

    /// With or without the check of the host name.
    pub fn with_verify_hostname(mut self, verify: bool) -> Self {
        self.verify_hostname = verify;
        self
    }
}

/// A client certificate and its key.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsIdentity {
    /// The client's certificate first, then those between it and the authority.
    pub certificate_chain_pem: String,
    /// Private key, not encrypted: PKCS #8, PKCS #1 or SEC 1.
    pub key_pem: String,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("certificate_chain_pem", &self.certificate_chain_pem)
            .field("key_pem", &"<hidden>")
            .finish()
    }
}

/// Login with a user name and a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Sasl {
    /// `PLAIN`: the password itself is sent; use with TLS only.
    Plain {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// `SCRAM-SHA-256`.
    ScramSha256 {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
    /// `SCRAM-SHA-512`.
    ScramSha512 {
        /// User name.
        username: String,
        /// Password.
        password: String,
    },
}

impl Sasl {
    /// By the name of the mechanism, whatever its case; `None` when it is not supported.
    pub fn of(mechanism: &str, username: String, password: String) -> Option<Self> {
        match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => Some(Self::Plain { username, password }),
            "SCRAM-SHA-256" => Some(Self::ScramSha256 { username, password }),
            "SCRAM-SHA-512" => Some(Self::ScramSha512 { username, password }),
            _ => None,
        }
    }

    /// The mechanism's registered name.
    pub fn mechanism(&self) -> &'static str {
        match self {
            Self::Plain { .. } => "PLAIN",
            Self::ScramSha256 { .. } => "SCRAM-SHA-256",
            Self::ScramSha512 { .. } => "SCRAM-SHA-512",
        }
    }

    /// User name and password.
    pub(crate) fn credentials(&self) -> (&str, &str) {
        match self {
            Self::Plain { username, password }
            | Self::ScramSha256 { username, password }
            | Self::ScramSha512 { username, password } => (username, password),
        }
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sasl({}, {}, <hidden>)", self.mechanism(), self.credentials().0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_hides_keys_and_passwords() {
        let config = AdminConfig::brokers(["a:1"])
            .with_tls(TlsConfig::new("ca").with_identity("chain", "SECRETKEY"))
            .with_sasl(Sasl::ScramSha512 { username: "me".into(), password: "SECRETWORD".into() });
        let text = format!("{config:?}");
        assert!(!text.contains("SECRETKEY") && !text.contains("SECRETWORD"), "{text}");
        assert!(text.contains("SCRAM-SHA-512, me"), "{text}");
    }
}
