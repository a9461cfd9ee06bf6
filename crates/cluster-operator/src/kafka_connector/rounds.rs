//! The round over all connectors of a Connect cluster (see [`crate::kind`]): one list, and what follows from it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::{KafkaConnect, KafkaConnectStatus};
use connect_client::{ConnectError, Listing};
use operator_runtime::controller::Outcome;
use operator_runtime::leader::Mandate;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::completion::Observation;
use planner::kafka_connector::round::{
    self, Declared, Keeps, Names, NamesNeeded, ObservedRound, Removal, RoundPlan,
};
use planner::workers::sharing::Sharing;
use tokio::time::Instant;

use super::apis::{Api, Apis, Look};
use super::calls;
use super::driver::fingerprint;
use super::feed::Queues;
use super::memory::Memories;
use super::resources::Resources;
use super::sharers::Sharers;
use crate::caches;
use crate::kind::{After, AnswersOf, Done, Error, Kind, Seen};
use crate::lock::lock;

/// Makes the rounds.
pub(super) struct Rounds {
    pub resources: Resources,
    /// The resources that the rounds are about.
    pub connects: Cache<KafkaConnect>,
    pub apis: Arc<Apis>,
    /// Who has the same connectors.
    pub sharers: Arc<Sharers>,
    pub memories: Arc<Memories>,
    pub queues: Queues,
    pub mandate: Mandate,
    /// Time between two rounds over a cluster.
    pub interval: Duration,
    /// Whose topics were asked for last, by cluster.
    pub turns: Mutex<HashMap<ObjectRef, String>>,
}

/// A round over a cluster.
pub(super) struct Round {
    connect: Arc<KafkaConnect>,
    /// `None`: there is no address under which it could be asked.
    api: Option<Arc<Api>>,
    observed: ObservedRound,
}

impl Observation for Round {
    type Plan = RoundPlan;
    type Answer = <ObservedRound as Observation>::Answer;

    fn plan(&self, now: jiff::Timestamp) -> RoundPlan {
        self.observed.plan(now)
    }

    fn answer(&mut self, need: NamesNeeded, names: Self::Answer) {
        self.observed.answer(need, names);
    }
}

impl Kind for Rounds {
    const NAME: &'static str = "connectors of Connect clusters";
    const CALLS_AT_A_TIME: usize = 8;
    /// The status is that of a pass over the KafkaConnect.
    const TELLS: bool = false;
    type Resource = KafkaConnect;
    type Observed = Round;
    /// Whether there was a connector to remove.
    type Said = Result<bool, ConnectError>;

    fn resources(&self) -> &Cache<KafkaConnect> {
        &self.connects
    }

    async fn observe(&self, cluster: &ObjectRef) -> Result<Seen<Round>, Error> {
        let Some((facts, connect)) = self.resources.clusters.get(cluster).zip(self.connects.get(cluster))
        else {
            return Ok(Seen::Settled(Outcome::Done));
        };
        if !facts.uses_resources || facts.workers == 0 {
            return Ok(Seen::Settled(Outcome::Done));
        }
        let api = self.apis.of(cluster, facts.uid.as_deref()).ok();
        let mut listed = None;
        let look = match &api {
            None => round::Look::NoAddress,
            Some(api) => match api.look(Instant::now()).await {
                Look::Away { .. } | Look::Unusable(_) => round::Look::Away,
                Look::Here(all) => {
                    let resources = &self.resources;
                    api.lanes.retain(|name| all.contains_key(name) || resources.is_declared(cluster, name));
                    let with_fingerprint =
                        all.iter().map(|(name, listed)| (name.clone(), fingerprint(Some(listed))));
                    let look = round::Look::Here(with_fingerprint.collect());
                    listed = Some(all);
                    look
                }
            },
        };
        let lists_names = api.as_ref().is_some_and(|api| api.lists_names());
        let keeps_all = if facts.is_paused {
            Some(Keeps::Paused)
        } else if !self.resources.are_listed(&cluster.namespace) {
            Some(Keeps::Unlisted)
        } else {
            self.is_shared(cluster, listed.as_deref(), lists_names).await.then_some(Keeps::Shared)
        };
        let observed = ObservedRound {
            look,
            absent: fingerprint(None),
            declared: self.declared(cluster),
            unreadable: self.resources.unreadable(&cluster.namespace),
            left: self.queues.left(cluster),
            names: if lists_names { Names::Needed } else { Names::NotNeeded },
            keeps_all,
            last_turn: lock(&self.turns).get(cluster).cloned(),
            interval: self.interval,
        };
        Ok(Seen::Live(Round { connect, api, observed }))
    }

    fn looked_after<'a>(&self, round: &'a Round) -> Option<&'a Arc<KafkaConnect>> {
        Some(&round.connect)
    }

    async fn answer(
        &self,
        cluster: &ObjectRef,
        round: &Round,
        needs: Vec<NamesNeeded>,
    ) -> Result<AnswersOf<Self>, Error> {
        let mut answers = Vec::with_capacity(needs.len());
        for need in needs {
            let names = match &round.api {
                None => None,
                Some(api) => match api.connect.connector_names().await {
                    Ok(names) => Some(names.into_iter().collect()),
                    Err(error) => {
                        tracing::warn!(%cluster, %error, "the names of connectors were not listed");
                        None
                    }
                },
            };
            answers.push((need, names));
        }
        Ok(answers)
    }

    /// Brings passes over connectors.
    async fn before(&self, cluster: &ObjectRef, _: &Round, plan: &RoundPlan) -> Result<(), Error> {
        let key = |name: &String| ObjectRef::new(&cluster.namespace, name);
        for name in &plan.ask_topics {
            self.memories.change(&key(name), |memory| memory.topics_wanted = true);
        }
        if let Some(last) = plan.ask_topics.last() {
            lock(&self.turns).insert(cluster.clone(), last.clone());
        }
        for name in &plan.wake {
            self.queues.connectors.add_resync(key(name));
        }
        for name in &plan.forget {
            self.queues.forget_left(cluster, name);
        }
        Ok(())
    }

    /// Removes a connector, if this process still leads and still nobody declares it: its turn may come late.
    async fn call(
        &self,
        cluster: &ObjectRef,
        round: &Round,
        Removal(name): &Removal,
    ) -> Result<Result<bool, ConnectError>, Error> {
        let Some(api) = &round.api else { return Ok(Ok(false)) };
        let still = || self.mandate.check().is_ok() && !self.resources.is_declared(cluster, name);
        let removed = calls::remove(api, name, still).await;
        match &removed {
            Ok(_) => self.queues.forget_left(cluster, name),
            Err(error) => {
                self.mandate.check()?;
                tracing::warn!(%cluster, connector = name, %error, "a connector that no resource declares was not removed");
                self.queues.note_left(cluster, [name.clone()]);
            }
        }
        Ok(removed)
    }

    fn has_done(removed: &Result<bool, ConnectError>) -> bool {
        matches!(removed, Ok(true))
    }

    async fn after(
        &self,
        _: &ObjectRef,
        round: &Round,
        plan: &RoundPlan,
        done: Done<Result<bool, ConnectError>>,
    ) -> Result<After<KafkaConnectStatus>, Error> {
        let mut after = After::default();
        let mut are_gone = true;
        for said in done.said {
            are_gone &= said?.is_ok();
        }
        if !are_gone {
            after.look_again = Some(round::RETRY);
        } else if let (true, Some(api)) = (plan.is_complete, &round.api) {
            api.has_listed_names();
        }
        Ok(after)
    }

    fn forget(&self, cluster: &ObjectRef) {
        self.apis.forget(cluster);
        self.sharers.forget(&caches::connect(cluster));
        self.queues.forget_all_left(cluster);
        lock(&self.turns).remove(cluster);
    }
}

impl Rounds {
    /// Whether another cluster has the connectors of this one, as far as that matters: when there may be something to remove.
    async fn is_shared(&self, cluster: &ObjectRef, listed: Option<&Listing>, lists_names: bool) -> bool {
        let mut sharing = self.resources.sharing_connectors(cluster);
        let (Some(listed), false) = (listed, sharing.is_empty()) else { return !sharing.is_empty() };
        let declared = self.resources.of_cluster(cluster);
        let is_left = |name: &String| !declared.contains(&ObjectRef::new(&cluster.namespace, name));
        if !(lists_names || !self.queues.left(cluster).is_empty() || listed.keys().any(is_left)) {
            return true;
        }
        self.sharers.judge(&caches::connect(cluster), listed, &mut sharing).await;
        sharing.iter().any(Sharing::shares_connectors)
    }

    /// The connectors that name a cluster, and what passes over them saw.
    fn declared(&self, cluster: &ObjectRef) -> BTreeMap<String, Declared> {
        let declared = self.resources.of_cluster(cluster).into_iter().map(|key| {
            let known = self.memories.read(&key, |memory| (memory.shown, memory.waits));
            let (shown, waits) = known.unwrap_or_default();
            (key.name, Declared { shown, waits })
        });
        declared.collect()
    }
}
