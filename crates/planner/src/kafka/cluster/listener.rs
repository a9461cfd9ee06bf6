//! The listeners for clients.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::NetworkPolicyPeer;

use super::exposure::{Advertised, Exposure, OwnServices, SingleAddress};

/// A listener for clients.
#[derive(Debug, Clone, PartialEq)]
pub struct Listener {
    /// Name in the resource.
    pub name: String,
    /// Port in the container and the Service.
    pub port: u16,
    /// Whether it speaks TLS.
    pub tls: bool,
    /// How clients prove who they are.
    pub authentication: ListenerAuthentication,
    /// Who may connect; `None`: everybody.
    pub peers: Option<Vec<NetworkPolicyPeer>>,
    /// How clients reach it.
    pub exposure: Exposure,
    /// Further DNS names and addresses of the bootstrap, for the certificates.
    pub alternative_names: Vec<String>,
    /// What the resource says of the addresses that brokers tell clients.
    pub advertised: Advertised,
    /// `max.connections`.
    pub max_connections: Option<i64>,
    /// `max.connection.creation.rate`.
    pub max_connection_creation_rate: Option<i64>,
    /// A certificate of the user's own.
    pub certificate: Option<ListenerCertificate>,
}

/// A certificate of the user's own, as it was read out of its Secret, with the key that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerCertificate {
    /// The certificate and its chain.
    pub chain: pki::CertificateChain,
    /// Its key in PKCS #8, PEM.
    pub key: pki::SecretPem,
}

impl Listener {
    /// `PLAIN-9092`: the name in Kafka's configuration.
    pub fn identifier(&self) -> String {
        api::ports::listener_identifier(&self.name, i32::from(self.port))
    }

    /// `listener.name.plain-9092.`: the prefix of its own options.
    pub fn prefix(&self) -> String {
        api::ports::listener_property_prefix(&self.name, i32::from(self.port))
    }

    /// Its own Services; `None`: those of the cluster lead to it.
    pub fn own_services(&self) -> Option<&OwnServices> {
        match &self.exposure {
            Exposure::Internal { .. } => None,
            Exposure::OwnServices(services) => Some(services),
        }
    }

    /// The proxy through which all brokers have one address; `None`: there is none.
    pub fn single_address(&self) -> Option<&SingleAddress> {
        self.own_services().and_then(|services| services.single.as_ref())
    }

    /// Name of the port in pods and Services.
    pub fn port_name(&self) -> String {
        api::ports::listener_port_name(&self.name, i32::from(self.port))
    }
}

/// How clients of a listener prove who they are.
#[derive(Debug, Clone, PartialEq)]
pub enum ListenerAuthentication {
    /// Not at all.
    None,
    /// With a certificate of the clients CA.
    Tls,
    /// With a user name and a password.
    ScramSha512,
    /// With what the user configured.
    Custom {
        /// Whether the protocol is a SASL one.
        sasl: bool,
        /// Options without the listener's prefix.
        config: BTreeMap<String, String>,
    },
}
