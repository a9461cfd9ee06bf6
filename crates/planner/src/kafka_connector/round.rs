//! A round over all connectors of a Connect cluster: one list of them, and what follows from it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use api::KafkaConnectStatus;
use api::conditions::events;
use jiff::Timestamp;
use serde::Serialize;

use super::rotation;
use super::undeclared::undeclared;
use crate::completion::{Observation, plan_with_common};
use crate::plan::{self, Occasion, PlannedEvent};

/// Removals of one round; the others have the next one.
const REMOVED_IN_A_ROUND: usize = 1000;

/// When to try again to remove what could not be removed.
pub const RETRY: Duration = Duration::from_secs(10);

/// When to ask a cluster again that does not answer; whoever asks it has a pause of its own.
const AWAY: Duration = Duration::from_secs(2);

/// Tells whether a connector changed in Connect.
pub type Fingerprint = u64;

/// What Connect says of its connectors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// There is no address under which it could be asked. The event of its Service brings the next round.
    NoAddress,
    /// It does not answer, or the answer cannot be used.
    Away,
    /// Its connectors with their fingerprints: all that have a state.
    Here(BTreeMap<String, Fingerprint>),
}

/// A connector of which there is a resource that can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Declared {
    /// What the last pass over it saw; `None`: there was none.
    pub shown: Option<Fingerprint>,
    /// Whether it waits for a Connect that is away.
    pub waits: bool,
}

/// Names of connectors that the list may lack: of those that have no state yet, such as one whose start hangs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Names {
    /// They were listed before, and everything that no resource declares was removed.
    #[default]
    NotNeeded,
    /// They have to be listed once.
    Needed,
    /// These.
    Listed(BTreeSet<String>),
    /// They could not be listed.
    Unknown,
}

/// A Connect cluster in which connector resources rule the connectors.
#[derive(Debug, Clone)]
pub struct ObservedRound {
    /// What Connect says.
    pub look: Look,
    /// The fingerprint of a connector that Connect has not.
    pub absent: Fingerprint,
    /// The connectors that name the cluster.
    pub declared: BTreeMap<String, Declared>,
    /// Connectors of which there is a resource that cannot be read, whichever cluster it names.
    pub unreadable: BTreeSet<String>,
    /// Connectors whose resources left the cluster and that are not known to be gone.
    pub left: BTreeSet<String>,
    /// Names that the list may lack.
    pub names: Names,
    /// Why nothing is removed, if so.
    pub keeps_all: Option<Keeps>,
    /// Whose topics were asked for last.
    pub last_turn: Option<String>,
    /// Time between two rounds.
    pub interval: Duration,
}

/// Why nothing is removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeps {
    /// A person paused the cluster and works on it by hand.
    Paused,
    /// Not all connector resources are known.
    Unlisted,
    /// Another cluster sees the same connectors: nobody declares those of both.
    Shared,
}

/// What has to be known first: the names of all connectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct NamesNeeded;

/// A connector that no resource declares is removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal(pub String);

/// What a plan of a round has in common with those of other kinds. It writes no status.
type Common = plan::Plan<NamesNeeded, Removal, Option<KafkaConnectStatus>>;

/// What a round does.
#[derive(Debug, Clone, Default, Serialize)]
pub struct RoundPlan {
    /// What it has in common with the plans of other kinds.
    #[serde(flatten)]
    pub common: Common,
    /// Connectors over whose resources a pass is brought, before anything is removed.
    pub wake: BTreeSet<String>,
    /// Those of which Connect is asked for their topics.
    pub ask_topics: Vec<String>,
    /// Connectors that left and need not be remembered: they come again with the list.
    pub forget: BTreeSet<String>,
    /// Whether everything that no resource declares is gone when all calls are made: then the names need not be listed again.
    pub is_complete: bool,
}

plan_with_common!(RoundPlan, Common);

impl Observation for ObservedRound {
    type Plan = RoundPlan;
    type Answer = Option<BTreeSet<String>>;

    fn plan(&self, _: Timestamp) -> RoundPlan {
        let mut plan = RoundPlan::default();
        let all = match &self.look {
            Look::NoAddress => {
                plan.wake = self.declared.keys().cloned().collect();
                return plan;
            }
            Look::Away => {
                // Connectors that were ready are told in a moment, if it stays so.
                let shown = self.declared.iter().filter(|(_, declared)| !declared.waits);
                plan.wake = shown.map(|(name, _)| name.clone()).collect();
                plan.look_again_after(AWAY);
                return plan;
            }
            Look::Here(all) => all,
        };
        if self.keeps_all.is_none() {
            if self.names == Names::Needed {
                return Common::asking(vec![NamesNeeded]).into();
            }
            self.remove(all, &mut plan);
        }
        let names: Vec<&str> = all.keys().map(String::as_str).collect();
        plan.ask_topics = rotation::next(&names, self.last_turn.as_deref());
        for (name, declared) in &self.declared {
            let now = all.get(name).copied().unwrap_or(self.absent);
            if declared.waits || declared.shown != Some(now) || plan.ask_topics.contains(name) {
                plan.wake.insert(name.clone());
            }
        }
        let is_done = self.keeps_all.is_some() || plan.is_complete;
        plan.look_again_after(if is_done { self.interval } else { RETRY });
        plan
    }

    fn answer(&mut self, _: NamesNeeded, names: Option<BTreeSet<String>>) {
        self.names = names.map_or(Names::Unknown, Names::Listed);
    }
}

impl ObservedRound {
    /// Removes what no resource declares.
    fn remove(&self, all: &BTreeMap<String, Fingerprint>, plan: &mut RoundPlan) {
        let listed = match &self.names {
            Names::Listed(names) => Some(names),
            Names::NotNeeded | Names::Needed | Names::Unknown => None,
        };
        let known = all.keys().chain(&self.left).chain(listed.into_iter().flatten());
        let declared = self.declared.keys().chain(&self.unreadable).cloned().collect();
        let undeclared = undeclared(known.map(String::as_str), &declared);
        plan.is_complete = self.names != Names::Unknown && undeclared.len() <= REMOVED_IN_A_ROUND;
        plan.forget = self.left.iter().filter(|name| all.contains_key(*name)).cloned().collect();
        for (call, name) in undeclared.into_iter().take(REMOVED_IN_A_ROUND).enumerate() {
            plan.events.push(PlannedEvent {
                reason: events::CONNECTOR_REMOVED.to_owned(),
                text: format!("connector {name} was removed, since no KafkaConnector declares it"),
                pod: None,
                occasion: Occasion::Called { call, action: events::MANAGE_CONNECTOR, is_warning: false },
            });
            plan.calls.push(Removal(name));
        }
    }
}
