//! The annotation that asks for levels of Kafka's features.

use std::collections::BTreeMap;

use api::conditions::reasons;
use api::{Kafka, annotations};

use super::Findings;
use crate::kafka::cluster::FeatureLevels;
use crate::kafka::feature_view::{KRAFT, METADATA, is_name};
use crate::words::quoted;

/// What the annotation asks for. An annotation that cannot be understood changes no level, and holds nothing else up.
pub(super) fn read(kafka: &Kafka, findings: &mut Findings) -> FeatureLevels {
    let key = annotations::FEATURE_LEVELS;
    let text = kafka.metadata.annotations.as_ref().and_then(|all| all.get(key));
    let Some(text) = text else { return FeatureLevels::Kept };
    parse(text).unwrap_or_else(|complaint| {
        let message = format!("metadata.annotations.{key}: {complaint}; until then no level is changed");
        findings.warn(reasons::INVALID_FEATURE_LEVELS, message);
        FeatureLevels::Kept
    })
}

/// Features that the annotation names at most: Kafka has about ten.
const MOST_FEATURES: usize = 100;

fn parse(text: &str) -> Result<FeatureLevels, String> {
    if text.trim() == "latest" {
        return Ok(FeatureLevels::Latest);
    }
    let entries = text.split(',').count();
    if entries > MOST_FEATURES {
        return Err(format!("{entries} features are too many: write {MOST_FEATURES} at most, or latest"));
    }
    let mut levels = BTreeMap::new();
    for entry in text.split(',') {
        let (name, level) = entry.split_once('=').map(|(name, level)| (name.trim(), level.trim())).ok_or_else(|| {
            let entry = quoted(entry.trim());
            format!("{entry} has no level: write latest, or a list such as \"transaction.version=2, share.version=1\"")
        })?;
        refused(name).map_or(Ok(()), Err)?;
        let level = number(level).ok_or_else(|| {
            format!("{} is no level of {name}: write a whole number from 0 to {}", quoted(level), i16::MAX)
        })?;
        if levels.insert(name.to_owned(), level).is_some() {
            return Err(format!("{name} stands there twice: write one level for it"));
        }
    }
    Ok(FeatureLevels::Named(levels))
}

/// Why no level is set for a feature; `None`: it may be.
fn refused(name: &str) -> Option<String> {
    if name == METADATA {
        return Some(format!(
            "{METADATA} has a field of its own: take it out, and write spec.kafka.metadataVersion"
        ));
    }
    if name == KRAFT {
        return Some(format!(
            "{KRAFT} says how the controllers find each other, which is decided when a cluster is made: with another level, nodes \
             with controller.quorum.voters would be configured for a quorum that Kafka no longer has: take it out"
        ));
    }
    (!is_name(name)).then(|| {
        format!(
            "{} is no name of a feature: write one such as transaction.version (status.features has all)",
            quoted(name)
        )
    })
}

/// Without a sign.
fn number(text: &str) -> Option<i16> {
    text.parse().ok().filter(|_| text.starts_with(|first: char| first.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_stand_in_a_list_or_are_the_latest() {
        let named = |pairs: &[(&str, i16)]| {
            FeatureLevels::Named(pairs.iter().map(|(name, level)| ((*name).to_owned(), *level)).collect())
        };
        assert_eq!(parse(" latest "), Ok(FeatureLevels::Latest));
        assert_eq!(parse("share.version=1"), Ok(named(&[("share.version", 1)])));
        let two = named(&[("share.version", 1), ("transaction.version", 2)]);
        assert_eq!(parse("transaction.version = 2,share.version=1"), Ok(two));
    }

    #[test]
    fn what_cannot_be_understood_is_told_with_what_to_write() {
        for (text, part) in [
            ("", "has no level: write latest, or a list"),
            ("share.version=1,", "\"\" has no level"),
            ("share.version", "\"share.version\" has no level"),
            ("Share.Version=1", "\"Share.Version\" is no name of a feature: write one such as"),
            ("=1", "\"\" is no name"),
            ("share.version=one", "\"one\" is no level of share.version: write a whole number"),
            ("share.version=-1", "\"-1\" is no level"),
            ("share.version=+1", "\"+1\" is no level"),
            ("share.version=40000", "\"40000\" is no level"),
            ("share.version=1, share.version=1", "share.version stands there twice"),
            ("metadata.version=30", "write spec.kafka.metadataVersion"),
            ("kraft.version=1", "controller.quorum.voters would be configured"),
        ] {
            let complaint = parse(text).unwrap_err();
            assert!(complaint.contains(part), "{text}: {complaint}");
        }
        let long = parse(&format!("{}=1", "a".repeat(101))).unwrap_err();
        assert!(long.contains("is no name of a feature") && long.len() < 250, "{long}");
        let many = vec!["share.version=1"; 101].join(",");
        assert!(parse(&many).unwrap_err().contains("101 features are too many: write 100 at most"));
    }
}
