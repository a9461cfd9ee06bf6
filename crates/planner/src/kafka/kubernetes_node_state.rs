//! How a Kubernetes node is.

use k8s_openapi::api::core::v1::Node;

/// Taints of a Kubernetes node.
const UNREACHABLE: &str = "node.kubernetes.io/unreachable";
const OUT_OF_SERVICE: &str = "node.kubernetes.io/out-of-service";

/// How a Kubernetes node is, as far as its pods depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KubernetesNode {
    /// Kubernetes does not know it any more.
    Gone,
    /// A user says that it is switched off.
    OutOfService,
    /// Its kubelet does not answer.
    Unreachable,
    /// It is there.
    Present,
}

impl KubernetesNode {
    /// How it is; `None`: there is no such object.
    pub fn of(node: Option<&Node>) -> Self {
        let Some(node) = node else { return Self::Gone };
        let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
        let has = |key: &str| taints.iter().any(|taint| taint.key == key);
        match (has(OUT_OF_SERVICE), has(UNREACHABLE)) {
            (true, _) => Self::OutOfService,
            (false, true) => Self::Unreachable,
            (false, false) => Self::Present,
        }
    }

    /// As part of a sentence about it; `None`: nothing is wrong with it.
    pub(super) fn words(self) -> Option<&'static str> {
        match self {
            Self::Gone => Some("is gone"),
            Self::OutOfService => Some("is out of service"),
            Self::Unreachable => Some("does not answer"),
            Self::Present => None,
        }
    }
}
