//! Whether a pod may be evicted. An eviction asks the pod's budget alone, which counts pods and knows nothing of partitions: a node of
//! Kafka is therefore restarted by its operator in place of being evicted, under the rules of every roll.

pub mod certificate;
mod machine;

use api::{CORE_GROUP, GROUP, annotations, conditions, kinds, labels};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{Node, Pod};

use self::machine::Stay;

/// A pod that is younger, and whose machine takes pods, is taken for the successor of the pod that was to be evicted: `kubectl drain`
/// asks by name until no pod has it, and would have the new pod restarted again and again.
const YOUNG: SignedDuration = SignedDuration::from_mins(10);

/// What becomes of an eviction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is for Kubernetes to decide.
    Allow,
    /// It is refused, to be tried again; the operator restarts the pod meanwhile.
    RollIt {
        /// Whether the pod has yet to be marked for its restart.
        mark: bool,
        /// What to tell.
        message: String,
    },
    /// It is refused, not to be tried again: the pod that was meant is gone.
    MovedAlready(String),
    /// It is refused, to be tried again, and nothing is done.
    NotNow(String),
}

/// The machine of a pod, which Kubernetes calls a node.
#[derive(Debug, Clone, PartialEq)]
pub enum Machine {
    /// The pod has none yet.
    None,
    /// Kubernetes does not know it any more.
    Gone,
    /// It is not known how it is, because of this.
    Unknown(String),
    /// It is like this.
    Found(Box<Node>),
}

/// The Kafka resource of a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// This operator does not look after it, or it is being deleted.
    NotOurs,
    /// Its reconciliation is paused.
    Paused,
    /// It is not known, because of this.
    Unknown(String),
    /// This operator looks after it.
    LookedAfter,
}

/// A pod of Kafka that is to be evicted: a broker, a controller, or both.
#[derive(Debug, Clone, Copy)]
pub struct KafkaPod<'a> {
    pod: &'a Pod,
    /// The name of its Kafka resource.
    pub cluster: &'a str,
    /// Its UID.
    pub uid: &'a str,
    /// The name of its machine, if it has one.
    pub machine: Option<&'a str>,
}

impl<'a> KafkaPod<'a> {
    /// `None`: the eviction is none of ours. `only`: the UID that the eviction is for; without it, for whichever pod has the name.
    pub fn of(pod: &'a Pod, only: Option<&str>) -> Option<Self> {
        let metadata = &pod.metadata;
        let label = |key: &str| metadata.labels.as_ref().and_then(|all| all.get(key)).map(String::as_str);
        let of_set = metadata.owner_references.iter().flatten().any(|owner| {
            owner.controller == Some(true)
                && owner.kind == kinds::STRIMZI_POD_SET
                && owner.api_version.split('/').next() == Some(CORE_GROUP)
        });
        let is_ours = of_set
            && label(labels::KIND) == Some(kinds::KAFKA)
            && label(labels::CONTROLLER) == Some(labels::CONTROLLER_POD_SET);
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let ends = metadata.deletion_timestamp.is_some() || matches!(phase, Some("Succeeded" | "Failed"));
        let uid = metadata.uid.as_deref()?;
        // Kubernetes itself refuses an eviction that is for another pod.
        let is_meant = only.is_none_or(|only| only == uid);
        if !is_ours || ends || !is_meant {
            return None;
        }
        let machine = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
        Some(Self {
            pod,
            cluster: label(labels::CLUSTER)?,
            uid,
            machine: machine.filter(|name| !name.is_empty()),
        })
    }

    /// What becomes of its eviction.
    pub fn verdict(&self, owner: &Owner, machine: &Machine, now: Timestamp) -> Verdict {
        let (pod, cluster) = (self.name(), self.cluster);
        match owner {
            Owner::NotOurs => return Verdict::Allow,
            Owner::Paused => {
                return Verdict::NotNow(format!(
                    "pod {pod} is not restarted while the reconciliation of its Kafka {cluster} is paused: take the annotation \
                     {} off kafkas.{GROUP} {cluster}, or delete the pod yourself",
                    annotations::PAUSE_RECONCILIATION
                ));
            }
            Owner::Unknown(why) => {
                return Verdict::NotNow(format!(
                    "it is not known whether pod {pod} may be restarted, because its Kafka {cluster} cannot be read: {why}"
                ));
            }
            Owner::LookedAfter => {}
        }
        let is_young = self.age(now) < YOUNG;
        let named = self.machine.unwrap_or_default();
        match machine {
            Machine::Unknown(why) => Verdict::NotNow(format!(
                "it is not known whether pod {pod} has to leave its node {named}, because that cannot be read: {why}"
            )),
            Machine::None => Verdict::MovedAlready(format!(
                "pod {pod} has no node yet: the pod that was to be evicted is gone, and this one is its successor"
            )),
            Machine::Gone => self.roll(),
            Machine::Found(node) => match machine::stay(node, self.pod) {
                Stay::Welcome if is_young => Verdict::MovedAlready(format!(
                    "pod {pod} is younger than {} minutes, and its node {named} takes pods: the pod that was to be evicted is \
                     gone, and this one is its successor. To move it from {named}, cordon that first",
                    YOUNG.as_mins()
                )),
                Stay::Tolerates if is_young => Verdict::NotNow(format!(
                    "pod {pod} was restarted and came back to its node {named} although that is cordoned, because it tolerates \
                     {}: take this toleration out of the pod template of Kafka {cluster} or of the node pool",
                    machine::CORDON
                )),
                Stay::Welcome | Stay::Tolerates | Stay::Leave => self.roll(),
            },
        }
    }

    fn roll(&self) -> Verdict {
        let (pod, cluster) = (self.name(), self.cluster);
        let is_marked =
            annotations::is_true(self.pod.metadata.annotations.as_ref(), annotations::MANUAL_ROLLING_UPDATE);
        Verdict::RollIt {
            mark: !is_marked,
            message: format!(
                "pod {pod} is not evicted: the cluster operator restarts it, as soon as no partition loses its last copy in sync \
                 or falls below min.insync.replicas. Try again until then, as kubectl drain does. What the restart waits for \
                 stands in the status of Kafka {cluster} (condition {})",
                conditions::reasons::ROLLING_UPDATE_WAITS
            ),
        }
    }

    fn name(&self) -> &str {
        self.pod.metadata.name.as_deref().unwrap_or_default()
    }

    /// A pod whose time of creation is not known is an old one.
    fn age(&self, now: Timestamp) -> SignedDuration {
        let made = self.pod.metadata.creation_timestamp.as_ref();
        made.map_or(SignedDuration::MAX, |made| now.duration_since(made.0))
    }
}
