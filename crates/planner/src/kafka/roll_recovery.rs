//! Nodes that recover logs which an unclean stop left, as their agents say. Pure.

use std::collections::BTreeMap;

use api::agent::RecoveryState;

use super::need::Need;
use super::observed::Observed;
use super::pod_state;
use super::roll_view::{PodState, RollNode};
use crate::silence::SilenceKind;

/// The agents that have to be asked before one of these nodes restarts: those of pods that run and are not ready. `None`: there are
/// none, they have answered, or they do not answer.
pub(super) fn need(nodes: &[RollNode], observed: &Observed) -> Option<Need> {
    let asked = asked(nodes, observed);
    if asked.is_empty() || observed.recoveries.is_some() {
        return None;
    }
    let need = Need::Recoveries(asked);
    observed.silence(&need).is_none().then_some(need)
}

/// Notes on each node what it recovers: it does not restart meanwhile, since it would begin anew. The others wait for it as for every node
/// that is down: a disk that hangs looks like a recovery, and must not keep certificates from them for ever. While the answer is on its way no node that was asked may
/// go; where the agents do not answer in their time, nothing is recovered: an agent is the first process of its pod.
/// Returns whether it is.
pub(super) fn note(nodes: &mut [RollNode], observed: &Observed) -> bool {
    let asked = asked(nodes, observed);
    if asked.is_empty() {
        return false;
    }
    let recoveries = observed.recoveries.as_ref();
    let is_under_way = recoveries.is_none()
        && observed
            .silence(&Need::Recoveries(asked.clone()))
            .is_some_and(|silence| silence.kind == SilenceKind::UnderWay);
    for node in nodes.iter_mut().filter(|node| asked.contains_key(&node.pod)) {
        let left = recoveries.and_then(|recoveries| recoveries.get(&node.pod));
        node.recovers = match left {
            Some(left) => Some(words(left)),
            None if is_under_way => Some("whether it recovers logs is not known yet".to_owned()),
            None => None,
        };
    }
    is_under_way
}

fn asked(nodes: &[RollNode], observed: &Observed) -> BTreeMap<String, Option<String>> {
    let unready = nodes.iter().filter(|node| node.broker && node.state == PodState::Unready);
    let running = unready.filter_map(|node| {
        let pod = observed.pods.get(&node.pod).filter(|pod| pod_state::kafka_runs(pod))?;
        Some((node.pod.clone(), pod.metadata.uid.clone()))
    });
    running.collect()
}

fn words(left: &RecoveryState) -> String {
    let RecoveryState { remaining_logs_to_recover: logs, remaining_segments_to_recover: segments } = left;
    format!(
        "it recovers its logs after an unclean stop, of which {logs} logs are left and {segments} segments of those at hand"
    )
}
