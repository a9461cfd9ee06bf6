//! What others say in the status of an object that leads clients to pods.

use serde_json::Value;

/// Who leads from elsewhere to a Route or TLSRoute.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Taken {
    /// Host names that routers gave it.
    pub hosts: Vec<String>,
    /// How many Gateways took it.
    pub gateways: usize,
}

impl Taken {
    /// Out of the status of an object.
    pub(super) fn of(object: &Value) -> Self {
        let list = |name: &str| object["status"][name].as_array().map(Vec::as_slice).unwrap_or_default();
        let hosts = list("ingress").iter().filter_map(|router| router["host"].as_str());
        Self {
            hosts: hosts.filter(|host| !host.is_empty()).map(str::to_owned).collect(),
            gateways: list("parents").len(),
        }
    }
}
