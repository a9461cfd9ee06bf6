//! The levels of features, as Kafka says them.

/// The feature whose level is the metadata version.
pub const METADATA: &str = "metadata.version";
/// The feature whose level says how the controllers find each other.
pub const KRAFT: &str = "kraft.version";

/// The level of a feature, as Kafka says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeatureView {
    /// Level in force; 0: the feature is off.
    pub level: i16,
    /// Highest level that the node supports which was asked; `None`: it does not know the feature.
    pub supported: Option<i16>,
}
