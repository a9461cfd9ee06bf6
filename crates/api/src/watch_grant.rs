//! The ConfigMap by which a namespace lets the entity operator of a cluster elsewhere work in it
//! (`spec.entityOperator.*.watchedNamespace`, docs/security.md).

use std::collections::BTreeMap;

use crate::topic_grant;

/// Its name.
pub const NAME: &str = "kastellan-watch-grant";

/// The key with the clusters whose topic operator may work in the namespace, as `namespace/name`, separated by commas or
/// blanks.
pub const TOPIC_OPERATOR: &str = "topicOperator";

/// The key with the clusters whose user operator may, which holds all rights on Secrets there; of the same form.
pub const USER_OPERATOR: &str = "userOperator";

/// Whether the ConfigMap's data lets the operator that `key` is about in, of the cluster `name` in `namespace`.
pub fn lets_in(data: &BTreeMap<String, String>, key: &str, namespace: &str, name: &str) -> bool {
    let text = data.get(key).map_or("", String::as_str);
    topic_grant::listed(text).any(|cluster| cluster == (namespace, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_operator_is_let_in_by_itself() {
        let data = BTreeMap::from([(TOPIC_OPERATOR.to_owned(), "kafka/a, kafka/b".to_owned())]);
        assert!(lets_in(&data, TOPIC_OPERATOR, "kafka", "b"));
        assert!(!lets_in(&data, USER_OPERATOR, "kafka", "b"));
        assert!(!lets_in(&data, TOPIC_OPERATOR, "other", "b"));
    }
}
