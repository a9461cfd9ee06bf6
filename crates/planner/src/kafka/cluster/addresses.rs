//! The addresses of the listeners.

use std::collections::{BTreeMap, BTreeSet};

use super::Listener;

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or IP address; on a node port a placeholder, which the pod fills with the address of its Kubernetes node.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The addresses of all listeners, as far as they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// What each broker tells clients, by node id and name of the listener.
    pub of_brokers: BTreeMap<i32, BTreeMap<String, Address>>,
    /// Where clients begin, by name of the listener.
    pub bootstrap: BTreeMap<String, Vec<Address>>,
    /// Names and addresses for the certificates beside what brokers tell clients, by name of the listener: where clients
    /// begin, and how the Services are called.
    pub names: BTreeMap<String, BTreeSet<String>>,
    /// The same of single brokers, by node id and name of the listener.
    pub names_of_brokers: BTreeMap<i32, BTreeMap<String, BTreeSet<String>>>,
    /// For what each broker waits, by node id, in words; those that know all of their addresses are absent.
    pub unknown_of_brokers: BTreeMap<i32, Vec<String>>,
    /// For what clients still wait, in words.
    pub unknown_bootstrap: Vec<String>,
    /// How far each listener is that gets a single address or loses it, by name of the listener.
    pub switches: BTreeMap<String, AddressSwitch>,
}

/// How far a listener is that gets a single address for all of its brokers, or loses it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSwitch {
    /// It gets one, and its proxy is not available: clients go the former way.
    AwaitsProxy,
    /// The proxy is available, and the Service for all brokers does not lead to it yet.
    ProxyReady,
    /// The Service leads to the proxy, and brokers are told so one after the other.
    ToProxy,
    /// It has one no more, and brokers are told their own addresses one after the other.
    FromProxy,
}

impl Addresses {
    /// What a broker tells clients; `None`: it is not known yet.
    pub fn of_broker(&self, id: i32, listener: &Listener) -> Option<&Address> {
        self.of_brokers.get(&id)?.get(&listener.name)
    }

    /// Where clients begin.
    pub fn bootstrap(&self, listener: &Listener) -> &[Address] {
        self.bootstrap.get(&listener.name).map(Vec::as_slice).unwrap_or_default()
    }

    /// Whether all addresses are known that certificates of a broker name.
    pub fn are_known(&self, id: i32) -> bool {
        self.unknown_bootstrap.is_empty() && !self.unknown_of_brokers.contains_key(&id)
    }
}
