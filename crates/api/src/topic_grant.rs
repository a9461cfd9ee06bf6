//! The ConfigMap by which a namespace lets the topic operators of clusters elsewhere serve its KafkaTopics
//! (docs/topics-in-other-namespaces.md).

use std::collections::BTreeMap;

/// Its name.
pub const NAME: &str = "kastellan-topic-grant";

/// The key in it: clusters as `namespace/name`, separated by commas or blanks.
pub const KEY: &str = "clusters";

/// The clusters that it names, as namespace and name. What is not of that form is left out.
pub fn clusters(data: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    listed(data.get(KEY).map_or("", String::as_str))
}

/// The clusters in a text of the form that grants have.
pub(crate) fn listed(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.split(|c: char| c == ',' || c.is_whitespace()).filter_map(|word| word.split_once('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_named_with_their_namespace() {
        let data = BTreeMap::from([(KEY.to_owned(), "kafka/a, kafka/b\nbare".to_owned())]);
        assert_eq!(clusters(&data).collect::<Vec<_>>(), [("kafka", "a"), ("kafka", "b")]);
        assert_eq!(clusters(&BTreeMap::new()).count(), 0);
    }
}
