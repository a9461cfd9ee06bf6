//! A roll that does not go on: what it waits for, since when, and when that is looked at again.

use api::conditions::{Condition, reasons};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

/// A wait that is over sooner is a part of every roll and is not announced.
const ANNOUNCED_AFTER: SignedDuration = SignedDuration::from_secs(10);

/// Seconds until it is looked whether an answer that was on its way came: it brings a look itself, but not when it does not come.
const UNDER_WAY_SECONDS: u64 = 6;

/// A roll that does not go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// What it waits for, in words.
    pub why: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// What kind of wait it is.
    pub kind: WaitKind,
}

/// What kind of wait it is that a roll does not go on for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum WaitKind {
    /// A part of every roll: a pod is on its way up or down.
    PodUnderWay,
    /// A part of every roll: an answer is on its way that usually comes within moments.
    AnswerUnderWay,
    /// Something keeps the restart from being safe, and may pass by itself.
    Unsafe,
    /// The resource has to be corrected first.
    Refused,
}

impl Waiting {
    /// A restart that goes now and that could not be made for a while; `None`: not for long enough to say so.
    pub(crate) fn put_off(pods: &str, why: &str, since: Timestamp, now: Timestamp) -> Option<Self> {
        let why = format!("restart of pod {pods} waits: {why}");
        (now.duration_since(since) >= ANNOUNCED_AFTER).then_some(Self { why, since, kind: WaitKind::Unsafe })
    }

    /// Seconds until a look at what is waited for. Nothing announces that a replica has caught up.
    pub fn look_again_seconds(&self, now: Timestamp) -> u64 {
        match self.kind {
            WaitKind::AnswerUnderWay => return UNDER_WAY_SECONDS,
            WaitKind::PodUnderWay | WaitKind::Refused => return 15,
            WaitKind::Unsafe => {}
        }
        match now.duration_since(self.since).as_secs() {
            ..60 => 2,
            60..600 => 10,
            _ => 30,
        }
    }

    /// Whether this is a part of every roll.
    pub fn is_usual(&self) -> bool {
        matches!(self.kind, WaitKind::PodUnderWay | WaitKind::AnswerUnderWay)
    }

    /// Whether it is time to say so in an event and in the log.
    pub fn is_announced(&self, now: Timestamp) -> bool {
        let is_late = || now.duration_since(self.since) >= ANNOUNCED_AFTER;
        !self.is_usual() && (self.kind == WaitKind::Refused || is_late())
    }
}

/// The wait of which a status tells; `None`: it tells of none.
pub(crate) fn said(conditions: &[Condition]) -> Option<Waiting> {
    let condition = condition(conditions)?;
    let (since, why) = (since(condition)?, condition.message.clone()?);
    Some(Waiting { why, since, kind: WaitKind::Unsafe })
}

/// Since when a status says that a roll waits; `None`: it does not.
pub(crate) fn said_since(conditions: &[Condition]) -> Option<Timestamp> {
    condition(conditions).and_then(since)
}

fn condition(conditions: &[Condition]) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.reason.as_deref() == Some(reasons::ROLLING_UPDATE_WAITS))
}

fn since(condition: &Condition) -> Option<Timestamp> {
    condition.last_transition_time.as_ref()?.parse().ok()
}
