//! What a pass finds out of connectors beside those that the resource asks for, and how much it takes to plan these.

use std::collections::BTreeSet;

use api::KafkaMirrorMaker2;
use connect_client::Listing;
use operator_runtime::memory::size_of;
use operator_runtime::watch::ObjectRef;
use planner::kafka_mirror_maker2::repeated;

use super::memory::Memory;
use crate::kafka_connector::apis::Api;

/// Notes connectors that the resource does not ask for.
pub(super) async fn see_others(
    key: &ObjectRef,
    api: &Api,
    all: &Listing,
    wanted: &BTreeSet<String>,
    memory: &mut Memory,
) {
    memory.removals.see(&memory.wanted, wanted);
    memory.wanted.clone_from(wanted);
    memory.removals.add(all.keys().filter(|name| !wanted.contains(*name)).cloned());
    // The list has no connector without a state, such as one whose start hangs.
    if api.lists_names() {
        match api.connect.connector_names().await {
            Ok(names) => {
                memory.removals.add(names.into_iter().filter(|name| !wanted.contains(name)));
                api.has_listed_names();
            }
            Err(error) => {
                tracing::warn!(mirror_maker = %key, %error, "the names of connectors were not listed");
            }
        }
    }
}

/// Bytes that a plan of the connectors takes: each has a copy of what is said of the target.
pub(super) fn bytes_of_connectors(resource: &KafkaMirrorMaker2, bytes: usize) -> usize {
    let repeated = repeated::of(resource);
    repeated
        .map_or(0, |repeated| repeated.connectors.saturating_mul(size_of(&repeated)).saturating_add(bytes))
}
