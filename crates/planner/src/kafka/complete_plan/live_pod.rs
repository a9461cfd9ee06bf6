//! How far the pod of a node is from the planned pod.

use k8s_openapi::api::core::v1::Pod;

use super::Draft;
use crate::kafka::cluster::Node;
use crate::kafka::roll_view::PodState;
use crate::kafka::{lost, pod_state, restart_reasons, unresponsive};
use crate::pod_words::{is_long_unready, is_ready};

impl Draft<'_> {
    /// Notes whether the pod of a node is there, ready and current.
    pub(super) fn look_at_pod(&mut self, node: Node<'_>, desired: &Pod) {
        let observed = self.observed;
        let progress = &mut self.progress;
        let name = self.cluster.pod_name(node);
        let Some(live) = observed.pods.get(&name) else {
            match observed.pod_errors.get(&name) {
                Some(error) => {
                    // Nobody makes it while that lasts.
                    progress.stuck = true;
                    progress.pod_has_words(error.words(&name));
                }
                None => progress.waiting_for.push(format!("pod {name} does not exist yet")),
            }
            return;
        };
        let situation = pod_state::situation(observed, &name, self.now);
        if situation.state == PodState::Missing {
            if situation.long {
                progress.stuck = true;
                progress.pod_has(lost::of_going(&name, live, observed));
                if lost::claims_are_to_go(live, observed, self.now) {
                    self.plan.roll.wanted.extend(restart_reasons::of_claims(node, &name, live));
                }
            } else {
                progress.waiting_for.push(format!("pod {name} is stopping"));
            }
            progress.stuck |= is_long_unready(live, self.now);
            return;
        }
        let options = self.options.restarts.get(&node.id).map(Vec::as_slice).unwrap_or_default();
        if let Some(restart) =
            restart_reasons::of_running(self.cluster, node, live, desired, options, observed, &self.taking_up)
        {
            let departs = node.pool.departing.contains(&node.id);
            if !self.hold.takes(&restart, live, departs, self.now) {
                let notes = restart.notes.join(", ");
                progress.waiting_for.push(format!("pod {name} is to be restarted: {notes}"));
            }
            self.plan.roll.wanted.push(restart);
        } else {
            progress.resizes(&name, restart_reasons::resize(self.cluster, live, desired));
        }
        if !is_ready(live) {
            match (lost::of_unready(&name, live, observed), pod_state::words(live)) {
                (Some(warning), _) => progress.pod_has(warning),
                (None, words) if unresponsive::is_unresponsive(&name, observed, self.now) => {
                    let before = words.map(|words| format!("; before that, {words}")).unwrap_or_default();
                    progress.pod_has_words(unresponsive::not_ready(&name) + &before);
                }
                (None, Some(words)) => progress.pod_has_words(format!("pod {name} is not ready: {words}")),
                (None, None) => progress.waiting_for.push(format!("pod {name} is not ready")),
            }
            progress.stuck |= is_long_unready(live, self.now);
        }
    }
}
