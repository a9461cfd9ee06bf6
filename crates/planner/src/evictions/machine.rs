//! Whether a machine is one that a pod has to leave.

use k8s_openapi::api::core::v1::{Node, Pod, Taint, Toleration};

/// The taint of a machine that was cordoned. Kubernetes sets it a moment later than the field.
pub(super) const CORDON: &str = "node.kubernetes.io/unschedulable";

/// Effects of a taint that keep pods away.
const EFFECTS: [&str; 2] = ["NoSchedule", "NoExecute"];

/// Whether a pod is to stay on its machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stay {
    /// The machine is ready, and would take the pod again.
    Welcome,
    /// The machine is cordoned, and would take the pod nevertheless.
    Tolerates,
    /// The machine is not ready, or would not take the pod again: it is cordoned, or has a taint, as autoscalers set before they
    /// remove it.
    Leave,
}

/// Whether the pod is to stay on the machine.
pub(super) fn stay(node: &Node, pod: &Pod) -> Stay {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let is_ready =
        conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let spec = node.spec.as_ref();
    let is_cordoned = spec.and_then(|spec| spec.unschedulable).unwrap_or(false);
    let taints = spec.and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    let tolerations = pod.spec.as_ref().and_then(|spec| spec.tolerations.as_deref()).unwrap_or_default();
    let cordon = Taint { key: CORDON.to_owned(), effect: EFFECTS[0].to_owned(), ..Taint::default() };
    let keeps_away = |taint: &Taint| {
        EFFECTS.contains(&taint.effect.as_str()) && !tolerations.iter().any(|given| tolerates(given, taint))
    };
    if !is_ready || (is_cordoned && keeps_away(&cordon)) || taints.iter().any(keeps_away) {
        Stay::Leave
    } else if is_cordoned {
        Stay::Tolerates
    } else {
        Stay::Welcome
    }
}

fn tolerates(toleration: &Toleration, taint: &Taint) -> bool {
    let fits =
        |given: Option<&String>, known: &str| given.is_none_or(|given| given.is_empty() || given == known);
    if !fits(toleration.effect.as_ref(), &taint.effect) || !fits(toleration.key.as_ref(), &taint.key) {
        return false;
    }
    match toleration.operator.as_deref() {
        Some("Exists") => true,
        // Without a key only `Exists` is possible.
        None | Some("" | "Equal") => {
            toleration.value.as_deref().unwrap_or_default() == taint.value.as_deref().unwrap_or_default()
        }
        Some(_) => false,
    }
}
