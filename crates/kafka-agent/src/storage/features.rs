//! Which feature levels a new cluster starts with, for each metadata version that the agent formats natively.

/// A metadata version and the features that Kafka's storage tool enables with it.
#[derive(Debug, PartialEq, Eq)]
pub struct Release {
    /// Name, as in `metadata.version` (`4.3-IV0`).
    pub name: &'static str,
    /// Its feature level.
    pub level: i16,
    /// Further features with their levels, in the order of their names; those at level 0 are not recorded.
    pub features: &'static [(&'static str, i16)],
}

const GROUP: (&str, i16) = ("group.version", 1);
const ELIGIBLE: (&str, i16) = ("eligible.leader.replicas.version", 1);
const SHARE: (&str, i16) = ("share.version", 1);
const STREAMS: (&str, i16) = ("streams.version", 1);
const TRANSACTION: (&str, i16) = ("transaction.version", 2);

/// Source: `kafka-storage version-mapping --release-version …` of Kafka 4.3.1, and the records that `kafka-storage format`
/// writes; a test compares each row with the tool.
const RELEASES: [Release; 6] = [
    Release { name: "4.0-IV3", level: 25, features: &[GROUP, TRANSACTION] },
    Release { name: "4.1-IV0", level: 26, features: &[ELIGIBLE, GROUP, TRANSACTION] },
    Release { name: "4.1-IV1", level: 27, features: &[ELIGIBLE, GROUP, TRANSACTION] },
    Release { name: "4.2-IV0", level: 28, features: &[ELIGIBLE, GROUP, SHARE, TRANSACTION] },
    Release { name: "4.2-IV1", level: 29, features: &[ELIGIBLE, GROUP, SHARE, STREAMS, TRANSACTION] },
    Release { name: "4.3-IV0", level: 30, features: &[ELIGIBLE, GROUP, SHARE, STREAMS, TRANSACTION] },
];

/// The metadata version called `name` (`4.3-IV0`, or `4.3` for the last of a release); `None`: the agent does not know it,
/// and Kafka's own tool has to format.
pub fn release(name: &str) -> Option<&'static Release> {
    let name = name.trim();
    RELEASES.iter().rev().find(|release| {
        release.name == name || release.name.strip_prefix(name).is_some_and(|rest| rest.starts_with("-IV"))
    })
}

/// All metadata versions the agent formats natively, oldest first.
pub fn releases() -> &'static [Release] {
    &RELEASES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_found_by_full_and_by_short_name() {
        assert_eq!(release("4.3-IV0").unwrap().level, 30);
        assert_eq!(release("4.2").unwrap().name, "4.2-IV1");
        assert_eq!(release("4.1-IV0\n").unwrap().level, 26);
        assert!(release("3.9").is_none());
        assert!(release("4").is_none());
        assert!(release("4.4-IV0").is_none());
    }

    #[test]
    fn features_stand_in_the_order_of_kafka() {
        for release in releases() {
            assert!(release.features.is_sorted(), "{}", release.name);
        }
    }
}
