//! Why pods are restarted, whatever runs in them.

use serde::Serialize;

/// Why a pod is restarted; the names are the reasons of the Kubernetes events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum RestartReason {
    /// An old CA certificate is no longer trusted.
    CaCertRemoved,
    /// A CA certificate was renewed.
    CaCertRenewed,
    /// The key of the cluster CA was replaced.
    ClusterCaCertKeyReplaced,
    /// An option changed that Kafka reads only at start.
    ConfigChangeRequiresRestart,
    /// A volume's file system must be resized.
    FileSystemResizeNeeded,
    /// A user asked for it with an annotation.
    ManualRollingUpdate,
    /// The pod was made from an older template.
    PodHasOldRevision,
    /// The pod has older resources.
    PodHasOldResourceRevision,
    /// The certificate of the node changed.
    KafkaCertificatesChanged,
    /// What runs in it takes connections and has answered nothing for long.
    PodUnresponsive,
}

impl RestartReason {
    /// Whether the restart brings certificates or trust.
    pub fn is_about_certificates(self) -> bool {
        matches!(
            self,
            Self::CaCertRemoved
                | Self::CaCertRenewed
                | Self::ClusterCaCertKeyReplaced
                | Self::KafkaCertificatesChanged
        )
    }

    /// Whether the new pod differs from the old one, so that it may need another machine.
    pub fn is_about_the_pod(self) -> bool {
        matches!(self, Self::PodHasOldRevision | Self::PodHasOldResourceRevision)
    }

    /// The reason as written into events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CaCertRemoved => "CaCertRemoved",
            Self::CaCertRenewed => "CaCertRenewed",
            Self::ClusterCaCertKeyReplaced => "ClusterCaCertKeyReplaced",
            Self::ConfigChangeRequiresRestart => "ConfigChangeRequiresRestart",
            Self::FileSystemResizeNeeded => "FileSystemResizeNeeded",
            Self::ManualRollingUpdate => "ManualRollingUpdate",
            Self::PodHasOldRevision => "PodHasOldRevision",
            Self::PodHasOldResourceRevision => "PodHasOldResourceRevision",
            Self::KafkaCertificatesChanged => "KafkaCertificatesChanged",
            Self::PodUnresponsive => "PodUnresponsive",
        }
    }
}
