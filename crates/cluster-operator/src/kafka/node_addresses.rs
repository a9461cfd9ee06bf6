//! The addresses of Kubernetes nodes, for listeners with node ports. Nodes are read one by one and remembered for a while: a watch
//! would bring every heartbeat of every node of the Kubernetes cluster. No policy.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use operator_runtime::apply::Applier;
use operator_runtime::watch::ObjectRef;
use planner::kafka::exposed::NodeAddresses;
use planner::silence::{Silence, SilenceKind};
use tokio::time::Instant;

/// How long the addresses of a node are taken for unchanged.
const FRESH: Duration = Duration::from_mins(10);

/// Nodes that are remembered; with more, the memory begins anew.
const REMEMBERED: usize = 10_000;

/// Addresses that are kept of a node.
const ADDRESSES: usize = 16;

/// What is known of nodes. One for the whole process.
#[derive(Default)]
pub(crate) struct KubernetesNodes {
    known: Mutex<HashMap<String, (Instant, NodeAddresses)>>,
}

impl KubernetesNodes {
    /// The addresses of these Kubernetes nodes; a node that is gone has none.
    pub(crate) async fn addresses(
        &self,
        applier: &Applier,
        names: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, NodeAddresses>, Silence> {
        let mut found = BTreeMap::new();
        for name in names {
            let addresses = match self.remembered(name) {
                Some(addresses) => addresses,
                None => match self.read(applier, name).await {
                    Ok(addresses) => addresses,
                    // What was known is better than nothing, which clients could not begin at.
                    Err(silence) => self.last(name).ok_or(silence)?,
                },
            };
            found.insert(name.clone(), addresses);
        }
        Ok(found)
    }

    fn remembered(&self, name: &str) -> Option<NodeAddresses> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).filter(|(since, _)| since.elapsed() < FRESH).map(|(_, addresses)| addresses.clone())
    }

    fn last(&self, name: &str) -> Option<NodeAddresses> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(name).map(|(_, addresses)| addresses.clone())
    }

    async fn read(&self, applier: &Applier, name: &str) -> Result<NodeAddresses, Silence> {
        let node = applier.get::<Node>(&ObjectRef::new("", name)).await;
        let node = node.map_err(|error| Silence::new(SilenceKind::Late, error.to_string()))?;
        let status = node.and_then(|node| node.status).unwrap_or_default();
        let mut addresses = BTreeMap::new();
        for address in status.addresses.into_iter().flatten().take(ADDRESSES) {
            // The first of a type counts, as for the agent.
            addresses.entry(address.type_).or_insert(address.address);
        }
        let addresses = NodeAddresses(addresses);
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(name.to_owned(), (Instant::now(), addresses.clone()));
        Ok(addresses)
    }
}
