//! The labels of generated objects, whatever kind they are made for.

use api::labels::{DefaultLabels, MANAGED_BY_CLUSTER_OPERATOR};
use objects::{Owner, Pairs};

/// The labels of an object of a component: those of the operator over those that the owner hands on. `name` is the
/// component's.
pub(crate) fn component_labels(owner: &Owner, name: &str, component_type: &str) -> Pairs {
    labelled(owner, &owner.labels, name, component_type)
}

/// The labels of an object of a component without those that the owner hands on.
pub(crate) fn own_component_labels(owner: &Owner, name: &str, component_type: &str) -> Pairs {
    labelled(owner, &Pairs::new(), name, component_type)
}

fn labelled(owner: &Owner, inherited: &Pairs, name: &str, component_type: &str) -> Pairs {
    let default = DefaultLabels {
        kind: &owner.kind,
        cluster: &owner.name,
        name,
        component_type,
        managed_by: MANAGED_BY_CLUSTER_OPERATOR,
    };
    default.with(inherited)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_of_two_kinds_with_one_name_are_told_apart() {
        let inherited = Pairs::from([("team".to_owned(), "a".to_owned())]);
        let of = |owner: Owner| component_labels(&owner, "c-connect", "kafka-connect");
        let connect = of(Owner::new::<api::KafkaConnect>("c", "ns", "u", &inherited));
        let kafka = of(Owner::new::<api::Kafka>("c", "ns", "u", &inherited));
        assert_eq!(connect["strimzi.io/kind"], "KafkaConnect");
        assert_eq!(connect["team"], "a");
        assert_ne!(api::labels::selector(&connect), api::labels::selector(&kafka));
        let owner = Owner::new::<api::KafkaConnect>("c", "ns", "u", &inherited);
        assert_eq!(own_component_labels(&owner, "c-connect", "kafka-connect").get("team"), None);
    }
}
