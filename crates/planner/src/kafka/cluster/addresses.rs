//! The addresses of the listeners.

use std::collections::BTreeMap;

use super::Listener;

/// Host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// Host name or IP address.
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
}
