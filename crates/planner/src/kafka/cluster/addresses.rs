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
