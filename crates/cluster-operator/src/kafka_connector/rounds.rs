//! The round over all connectors of a Connect cluster: one list, and what follows from it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use api::conditions::events;
use connect_client::ConnectError;
use connect_client::model::Listed;
use futures::{StreamExt as _, stream};
use k8s_openapi::api::core::v1::ObjectReference;
use operator_runtime::controller::Outcome;
use operator_runtime::events::{Events, Note, Severity};
use operator_runtime::leader::{Lapsed, Mandate};
use operator_runtime::watch::ObjectRef;
use planner::kafka_connector::rotation;
use planner::kafka_connector::undeclared::undeclared;
use tokio::time::Instant;

use super::apis::{Api, Apis, Look};
use super::calls;
use super::clusters::Facts;
use super::driver::fingerprint;
use super::feed::Queues;
use super::memory::Memories;
use super::resources::Resources;

/// Removals at a time.
const REMOVALS: usize = 8;

/// Removals of one round; the others have the next one.
const REMOVED_IN_A_ROUND: usize = 1000;

/// When to try again to remove what could not be removed.
const RETRY: Duration = Duration::from_secs(10);

/// When to ask a cluster again that does not answer; it has a pause of its own.
const AWAY: Duration = Duration::from_secs(2);

/// Makes the rounds.
pub(super) struct Rounds {
    pub resources: Resources,
    pub apis: Arc<Apis>,
    pub memories: Arc<Memories>,
    pub queues: Queues,
    pub events: Events,
    pub mandate: Mandate,
    /// Time between two rounds over a cluster.
    pub interval: Duration,
    /// Whose topics were asked for last, by cluster.
    pub turns: Mutex<HashMap<ObjectRef, String>>,
}

impl Rounds {
    /// One round.
    ///
    /// # Errors
    /// When another process may lead.
    pub(super) async fn round(self: Arc<Self>, cluster: ObjectRef) -> Result<Outcome, Lapsed> {
        let Some(facts) = self.resources.clusters.get(&cluster) else {
            self.apis.forget(&cluster);
            self.queues.forget_all_left(&cluster);
            self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(&cluster);
            return Ok(Outcome::Done);
        };
        if !facts.uses_resources || facts.workers == 0 {
            return Ok(Outcome::Done);
        }
        let Ok(api) = self.apis.of(&cluster, facts.uid.as_deref()) else {
            // The event of its Service brings the next round.
            self.wake(&cluster, |_, _| true);
            return Ok(Outcome::Done);
        };
        let all = match api.look(Instant::now()).await {
            Look::Here(all) => all,
            Look::Away { .. } | Look::Unusable(_) => {
                // Those that were ready are told in a moment, if it stays so.
                self.wake(&cluster, |_, shown| shown);
                return Ok(Outcome::Again(AWAY));
            }
        };
        api.lanes.retain(|name| all.contains_key(name) || self.resources.is_declared(&cluster, name));
        let turn = self.turn(&cluster, &all);
        self.wake(&cluster, |key, _| {
            let is_turn = turn.contains(&key.name);
            if is_turn {
                self.memories.change(key, |memory| memory.topics_wanted = true);
            }
            let now = fingerprint(all.get(&key.name));
            let changed = self.memories.read(key, |memory| memory.waits || memory.shown != Some(now));
            is_turn || changed.unwrap_or(true)
        });
        // Whoever paused the cluster works on it by hand. Connectors that two clusters see nobody declares for both.
        let removes = !facts.is_paused
            && self.resources.are_listed(&cluster.namespace)
            && !self.resources.shares_connectors(&cluster);
        if removes && !self.remove_undeclared(&cluster, &facts, &api, &all).await? {
            return Ok(Outcome::Again(RETRY));
        }
        Ok(Outcome::Again(self.interval))
    }

    /// Brings a pass over connectors of a cluster: those that the function accepts. It is told whether a connector has been seen in Connect.
    fn wake(&self, cluster: &ObjectRef, accept: impl Fn(&ObjectRef, bool) -> bool) {
        for key in self.resources.of_cluster(cluster) {
            let shown = self.memories.read(&key, |memory| !memory.waits).unwrap_or(true);
            if accept(&key, shown) {
                self.queues.connectors.add_resync(key);
            }
        }
    }

    /// Whose topics are asked for in this round.
    fn turn(&self, cluster: &ObjectRef, all: &BTreeMap<String, Listed>) -> Vec<String> {
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = rotation::next(&names, turns.get(cluster).map(String::as_str));
        if let Some(last) = turn.last() {
            turns.insert(cluster.clone(), last.clone());
        }
        turn
    }

    /// Removes what nobody declares. `false`: some of it could not be removed.
    async fn remove_undeclared(
        &self,
        cluster: &ObjectRef,
        facts: &Facts,
        api: &Arc<Api>,
        all: &BTreeMap<String, Listed>,
    ) -> Result<bool, Lapsed> {
        // The list has no connector without a state, such as one whose start hangs.
        let left = self.queues.left(cluster);
        let mut complete = true;
        let mut names = BTreeSet::new();
        if api.lists_names() {
            match api.connect.connector_names().await {
                Ok(all) => names.extend(all),
                Err(error) => {
                    tracing::warn!(%cluster, %error, "the names of connectors were not listed");
                    complete = false;
                }
            }
        }
        let known = all.keys().chain(&left).chain(&names).map(String::as_str);
        let undeclared = undeclared(known, &self.resources.declared(cluster));
        complete &= undeclared.len() <= REMOVED_IN_A_ROUND;
        // What comes again with the list, or is declared and will, need not be remembered.
        left.iter()
            .filter(|name| all.contains_key(*name))
            .for_each(|name| self.queues.forget_left(cluster, name));
        let removals = undeclared.into_iter().take(REMOVED_IN_A_ROUND).map(|name| async move {
            let removed = self.remove(cluster, api, &name).await;
            (name, removed)
        });
        let mut removals = stream::iter(removals).buffer_unordered(REMOVALS);
        while let Some((name, removed)) = removals.next().await {
            match removed {
                Ok(was_there) => {
                    self.queues.forget_left(cluster, &name);
                    if was_there {
                        self.tell_removed(cluster, facts, &name);
                    }
                }
                Err(error) => {
                    self.mandate.check()?;
                    tracing::warn!(%cluster, connector = name, %error, "a connector that no resource declares was not removed");
                    self.queues.note_left(cluster, [name]);
                    complete = false;
                }
            }
        }
        if complete {
            api.has_listed_names();
        }
        Ok(complete)
    }

    /// Removes a connector, if this process still leads and still nobody declares it: its turn may come late.
    async fn remove(&self, cluster: &ObjectRef, api: &Api, name: &str) -> Result<bool, ConnectError> {
        let still = || self.mandate.check().is_ok() && !self.resources.is_declared(cluster, name);
        calls::remove(api, name, still).await
    }

    fn tell_removed(&self, cluster: &ObjectRef, facts: &Facts, name: &str) {
        tracing::info!(%cluster, connector = name, "removed a connector that no KafkaConnector declares");
        self.events.publish(Note {
            regarding: ObjectReference {
                api_version: Some(format!("{}/{}", api::GROUP, api::VERSION)),
                kind: Some("KafkaConnect".to_owned()),
                namespace: Some(cluster.namespace.clone()),
                name: Some(cluster.name.clone()),
                uid: facts.uid.clone(),
                ..ObjectReference::default()
            },
            related: None,
            reason: events::CONNECTOR_REMOVED.to_owned(),
            action: events::MANAGE_CONNECTOR.to_owned(),
            text: format!("connector {name} was removed, since no KafkaConnector declares it"),
            severity: Severity::Normal,
        });
    }
}
