//! Where the REST API of a Connect cluster is.

use std::collections::BTreeMap;

use api::{names, ports};
use operator_runtime::env::Env;
use operator_runtime::watch::ObjectRef;

/// Stands for every cluster that is not named.
const ANY: &str = "*";

/// Addresses of REST APIs: those of the clusters' Services, unless others are given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectAddresses {
    given: BTreeMap<String, String>,
    /// Whether the clusters are those of KafkaMirrorMaker2 resources.
    of_mirror_makers: bool,
}

impl ConnectAddresses {
    /// Reads `namespace/name=host:port,…` for single clusters; `*=host:port` for all others. For an operator that runs outside of
    /// Kubernetes, and for tests.
    pub fn from_env(env: &Env) -> Self {
        let variable = api::env::own::CONNECT_ADDRESSES;
        let mut addresses = BTreeMap::new();
        for part in env.list(variable) {
            match part.split_once('=') {
                Some((cluster, address)) if address.contains(':') => {
                    addresses.insert(cluster.trim().to_owned(), address.trim().to_owned());
                }
                _ => env.error(variable, Some(&part), "namespace/name=host:port, or *=host:port for all"),
            }
        }
        Self { given: addresses, of_mirror_makers: false }
    }

    /// The same for the workers of KafkaMirrorMaker2 resources.
    #[must_use]
    pub fn of_mirror_makers(self) -> Self {
        Self { of_mirror_makers: true, ..self }
    }

    /// Host and port of a cluster's REST API.
    pub fn of(&self, cluster: &ObjectRef) -> String {
        let ObjectRef { namespace, name } = cluster;
        let given = self.given.get(&format!("{namespace}/{name}")).or_else(|| self.given.get(ANY));
        given.cloned().unwrap_or_else(|| {
            let host = if self.of_mirror_makers {
                names::mirror_maker2::api_host(name, namespace)
            } else {
                names::connect::api_host(name, namespace)
            };
            format!("{host}:{}", ports::CONNECT_REST)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_is_asked_through_its_service_unless_something_else_is_said() {
        let cluster = ObjectRef::new("ns", "c");
        assert_eq!(ConnectAddresses::default().of(&cluster), "c-connect-api.ns.svc:8083");
        let of_mirror_makers = ConnectAddresses::default().of_mirror_makers();
        assert_eq!(of_mirror_makers.of(&cluster), "c-mirrormaker2-api.ns.svc:8083");
        let env = Env::from_map([(api::env::own::CONNECT_ADDRESSES, "ns/c=localhost:1, *=localhost:2")]);
        let given = ConnectAddresses::from_env(&env);
        assert_eq!(given.of(&cluster), "localhost:1");
        assert_eq!(given.of(&ObjectRef::new("ns", "d")), "localhost:2");
        assert!(env.finish().is_ok());
        let env = Env::from_map([(api::env::own::CONNECT_ADDRESSES, "localhost")]);
        ConnectAddresses::from_env(&env);
        assert!(env.finish().is_err());
    }
}
