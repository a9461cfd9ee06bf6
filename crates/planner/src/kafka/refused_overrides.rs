//! Object overrides that the API server refuses, by a validation that the operator does not know, a policy or a webhook: they hold
//! up nothing but their own object. Whether it refuses one is asked before the write, only where the write would change something.

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use objects::{DesiredObject, Live, Precondition, Write};

use super::cluster::Warning;
use super::live_objects;
use super::need::{Admission, Need, TrialWrite};
use super::observed::Observed;
use super::planned::Plan;
use super::status::Progress;
use crate::overrides::{FIELD, Overridden};
use crate::words;

/// Seconds until an override that was refused is tried again: nothing announces that a policy was changed.
pub const TRIED_AGAIN_SECONDS: u64 = 60;

/// Objects that a warning names of those that one override is for.
const NAMED: usize = 3;

/// What becomes of an object whose override is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Outcome {
    /// The live object stays, with the override that it may have from before.
    Stays,
    /// It is written without the override, which can only add labels, annotations or the like, while pods need what else it says.
    Plain,
    /// It is not made: what leads clients in, holds data or runs a program is not made in another way than it was asked for.
    Unmade,
}

/// Takes the overrides that the API server refuses out of what is wanted; asks about those of which that is not known.
pub(super) fn take_out(
    observed: &Observed,
    overridden: &[Overridden],
    desired: &mut Vec<DesiredObject>,
    plan: &mut Plan,
    progress: &mut Progress,
) {
    let (mut trials, mut refused) = (Vec::new(), BTreeMap::new());
    for one in overridden {
        let Some(wanted) = desired.iter().find(|wanted| wanted.reference == one.reference) else { continue };
        let live = live_objects::live(observed, wanted);
        let write = Write::of(wanted.clone(), &live);
        if !write.is_change() || write.precondition != Precondition::None {
            continue;
        }
        let is_there = matches!(live, Live::Object(_) | Live::WithoutList(..));
        match observed.trials.get(&one.reference) {
            Some(Admission::Refused(why)) => {
                let outcome = Outcome::of(&one.reference.kind, is_there);
                refused.insert(one.reference.clone(), (one, outcome, why.clone()));
            }
            Some(Admission::Accepted | Admission::Unknown(_)) => {}
            None => {
                let plain = DesiredObject { object: one.without.clone(), ..wanted.clone() };
                let without = Write::of(plain, &Live::Unseen).desired.object;
                let (object, with) = (one.reference.clone(), write.desired.object);
                trials.push(TrialWrite { object, with, without, is_there });
            }
        }
    }
    if !trials.is_empty() {
        let need = Need::Writes(trials);
        if observed.silence(&need).is_none() {
            plan.needs.push(need);
            return;
        }
    }
    if refused.is_empty() {
        return;
    }
    plan.look_again_in(TRIED_AGAIN_SECONDS);
    let mut said: BTreeMap<(&str, Outcome), Vec<String>> = BTreeMap::new();
    for (reference, (one, outcome, why)) in &refused {
        let text = format!("{} {}: {}", reference.kind, reference.name, words::shortened(why));
        said.entry((&one.keys, *outcome)).or_default().push(text);
        if *outcome == Outcome::Unmade {
            progress.stuck = true;
            progress.held_by_others.insert(reference.clone());
            let what = format!("{} {}", reference.kind, reference.name);
            let waits =
                format!("{what} is not made while the API server refuses its override {FIELD}.{}", one.keys);
            progress.waiting_for.push(waits);
        }
    }
    let warning = |((keys, outcome), texts): ((&str, Outcome), Vec<String>)| Warning {
        reason: reasons::OBJECT_OVERRIDE_REFUSED.to_owned(),
        message: format!(
            "{FIELD}.{keys} is refused by the API server, and each object {} until it is mended or taken out: {}",
            outcome.words(),
            words::first(&texts, NAMED, "; ")
        ),
    };
    progress.warnings.extend(said.into_iter().map(warning));
    let without: BTreeSet<_> = refused
        .iter()
        .filter(|(_, (_, outcome, _))| *outcome != Outcome::Plain)
        .map(|(id, _)| id.clone())
        .collect();
    desired.retain(|wanted| !without.contains(&wanted.reference));
    for wanted in desired {
        if let Some((one, ..)) = refused.get(&wanted.reference) {
            wanted.object.clone_from(&one.without);
        }
    }
}

impl Outcome {
    fn of(kind: &str, is_there: bool) -> Self {
        match kind {
            "ClusterRoleBinding" | "ConfigMap" | "NetworkPolicy" | "Role" | "RoleBinding" => Self::Plain,
            "PodDisruptionBudget" | "ServiceAccount" if !is_there => Self::Plain,
            _ if is_there => Self::Stays,
            _ => Self::Unmade,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Stays => "stays as it is",
            Self::Plain => "is written without it",
            Self::Unmade => "is not made",
        }
    }
}
