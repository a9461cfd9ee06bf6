//! The levels of features, as Kafka says them.

/// The feature whose level is the metadata version.
pub const METADATA: &str = "metadata.version";
/// The feature whose level says how the controllers find each other.
pub const KRAFT: &str = "kraft.version";

/// Bytes of the longest name of a feature that is taken note of.
pub const LONGEST_NAME: usize = 100;

/// Whether a text is a name as Kafka's features have them. Such a name may stand in a message and in a command line as it is.
pub fn is_name(text: &str) -> bool {
    let is_part = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '.';
    !text.is_empty() && text.len() <= LONGEST_NAME && text.chars().all(is_part)
}

/// The level of a feature, as Kafka says it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FeatureView {
    /// Level in force; 0: the feature is off.
    pub level: i16,
    /// Highest level that the asked node supports; `None`: it does not know the feature.
    pub supported: Option<i16>,
}
