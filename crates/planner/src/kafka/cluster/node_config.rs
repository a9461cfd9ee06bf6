//! Options of single nodes, as `spec.kafka.nodeConfig` says them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

/// The node ids that a key names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeIds(Vec<RangeInclusive<i32>>);

impl NodeIds {
    /// Characters of a key: each part of it is compared with each node.
    pub const LONGEST: usize = 253;

    /// Reads ids and ranges with commas between them: `3`, `3-5`, `0, 3-5`.
    ///
    /// # Errors
    /// What is wrong with the key, and what to write instead.
    pub fn parse(key: &str) -> Result<Self, String> {
        if key.len() > Self::LONGEST {
            return Err(format!("has more than {} characters: write ranges, or several keys", Self::LONGEST));
        }
        let wrong = || {
            "is no list of node ids: write an id (3), a range (3-5) or several of them (0, 3-5)".to_owned()
        };
        let id = |text: &str| {
            let text = text.trim();
            let digits = text.bytes().all(|byte| byte.is_ascii_digit());
            text.parse::<i32>().ok().filter(|_| digits).ok_or_else(wrong)
        };
        let range = |part: &str| match part.split_once('-') {
            None => id(part).map(|id| id..=id),
            Some((first, last)) => {
                let (first, last) = (id(first)?, id(last)?);
                if first > last {
                    Err(format!("has a range that ends before it begins: write {last}-{first}"))
                } else {
                    Ok(first..=last)
                }
            }
        };
        key.split(',').map(range).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the key names the node.
    pub fn contains(&self, id: i32) -> bool {
        self.0.iter().any(|range| range.contains(&id))
    }

    /// Parts of the key that name none of the nodes.
    pub fn without_node(&self, nodes: &BTreeSet<i32>) -> Vec<String> {
        let empty = self.0.iter().filter(|range| nodes.range((*range).clone()).next().is_none());
        let text = |range: &RangeInclusive<i32>| match (range.start(), range.end()) {
            (first, last) if first == last => first.to_string(),
            (first, last) => format!("{first}-{last}"),
        };
        empty.map(text).collect()
    }
}

/// Two keys that have the same node, and the option to which they give different values.
pub(super) type Contradiction<'a> = (&'a str, &'a str, &'a str);

/// `spec.kafka.nodeConfig` with options that can be taken as they are.
#[derive(Debug, Clone, Default)]
pub struct NodeConfig(pub Vec<(String, NodeIds, BTreeMap<String, String>)>);

impl NodeConfig {
    /// The options of a node; and of each option to which two keys give different values, both keys and its name.
    pub fn of(&self, id: i32) -> (BTreeMap<String, String>, Vec<Contradiction<'_>>) {
        let mut options: BTreeMap<&str, (&str, &str)> = BTreeMap::new();
        let mut conflicts = Vec::new();
        for (key, _, own) in self.0.iter().filter(|(_, ids, _)| ids.contains(id)) {
            for (name, value) in own {
                match options.get(name.as_str()) {
                    Some((_, other)) if *other == value => {}
                    Some((first, _)) => conflicts.push((*first, key.as_str(), name.as_str())),
                    None => drop(options.insert(name, (key, value))),
                }
            }
        }
        let owned = options.into_iter().map(|(name, (_, value))| (name.to_owned(), value.to_owned()));
        (owned.collect(), conflicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_ids_ranges_and_lists_of_them() {
        let ids = |key: &str| {
            let ids = NodeIds::parse(key).unwrap();
            (0..20).filter(|id| ids.contains(*id)).collect::<Vec<i32>>()
        };
        assert_eq!(ids("3"), [3]);
        assert_eq!(ids("3-5"), [3, 4, 5]);
        assert_eq!(ids(" 0, 3 - 4,19"), [0, 3, 4, 19]);
        assert_eq!(ids("17-2147483647"), [17, 18, 19]);
        for wrong in ["", "a", "-1", "1-", "1--2", "5-3", "1,", "[1]", "+1", "2147483648", &"1,".repeat(200)]
        {
            assert!(NodeIds::parse(wrong).is_err(), "{wrong}");
        }
        assert!(NodeIds::parse("5-3").unwrap_err().contains("3-5"));
    }

    #[test]
    fn what_names_no_node_is_known() {
        let ids = NodeIds::parse("0, 3, 1-2, 7-9").unwrap();
        assert_eq!(ids.without_node(&BTreeSet::from([0, 2])), ["3", "7-9"]);
    }
}
