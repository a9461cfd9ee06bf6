//! What a pass over a Kafka resource has in view, and what is planned of it.

use std::sync::Arc;

use api::Kafka;
use jiff::Timestamp;

use crate::kafka::call_time::CallTime;
use crate::kafka::late_answers::Patience;
use crate::kind::Seen;
use crate::room::Place;
use planner::completion::Observation;
use planner::kafka::answer::Answer;
use planner::kafka::deleted_cluster::Remains;
use planner::kafka::need::Need;
use planner::kafka::observed::Observed;
use planner::kafka::plan::Plan;
use planner::kafka::unplanned::{self, Unplanned};

/// What stands behind the name of a Kafka resource.
pub(crate) enum ClusterView {
    /// A cluster that is looked after.
    Live(Box<LiveCluster>),
    /// What is left of a cluster whose resource goes or is gone.
    Leaving(Box<Leaving>),
    /// A resource whose cluster is left as it is.
    Unplanned(Arc<Kafka>, Unplanned),
}

/// A cluster that is looked after.
pub(crate) struct LiveCluster {
    pub kafka: Arc<Kafka>,
    pub observed: Observed,
    /// How long the pass still waits for Kafka.
    pub patience: Patience,
    /// How long the pass has for changes of Kafka.
    pub call_time: CallTime,
    /// Its memory.
    pub _place: Place,
}

impl LiveCluster {
    /// What a pass sees of a cluster that is looked after.
    pub(crate) fn seen(kafka: Arc<Kafka>, observed: Observed, place: Place) -> Seen<ClusterView> {
        Seen::Live(ClusterView::Live(Box::new(Self {
            kafka,
            observed,
            patience: Patience::default(),
            call_time: CallTime::default(),
            _place: place,
        })))
    }
}

/// A cluster that goes.
pub(crate) struct Leaving {
    pub remains: Remains,
    /// Its memory.
    pub _place: Place,
}

impl Observation for ClusterView {
    type Plan = Plan;
    type Answer = Answer;

    fn prepare(&mut self, now: Timestamp) {
        if let Self::Live(live) = self {
            live.observed.prepare(now);
        }
    }

    fn plan(&self, now: Timestamp) -> Plan {
        match self {
            Self::Live(live) => live.observed.plan(now),
            Self::Leaving(leaving) => leaving.remains.plan(now),
            Self::Unplanned(kafka, why) => unplanned::plan(kafka, why, now),
        }
    }

    fn answer(&mut self, need: Need, answer: Answer) {
        match self {
            Self::Live(live) => live.observed.answer(need, answer),
            Self::Leaving(leaving) => leaving.remains.answer(need, answer),
            Self::Unplanned(..) => {}
        }
    }
}
