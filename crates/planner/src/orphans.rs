//! Live objects that nothing wants any more, of a resource of any kind: those that its labels say it made, of the components
//! that the operator makes, and that no plan wants. What stays all the same is spelled out.

use std::collections::BTreeSet;

use objects::{Deletion, DesiredObject, ObjectId};

use crate::live_object::{LiveObject, LiveObjects};
use crate::ownership::Claimant;

/// What to delete. `components` are the values of the label `strimzi.io/name` of what the operator makes; `stays` is what the
/// kind of the resource says of an object that nothing wants: whether it stays, or nothing.
pub fn of(
    claimant: &Claimant<'_>,
    components: &[String],
    live: LiveObjects,
    wanted: &[DesiredObject],
    stays: impl Fn(&ObjectId, &LiveObject) -> Option<bool>,
) -> Vec<Deletion> {
    let keep: BTreeSet<&ObjectId> = wanted.iter().map(|object| &object.reference).collect();
    let orphans = live.into_iter().filter(|(object, facts)| {
        !keep.contains(object)
            && is_ours(claimant, components, facts)
            && !facts.shared
            && !stays(object, facts).unwrap_or_else(|| is_a_copy(claimant, object, facts))
    });
    orphans.map(|(object, facts)| Deletion { object, uid: facts.uid }).collect()
}

/// Whether the labels say that the object belongs to one of the components of this resource.
fn is_ours(claimant: &Claimant<'_>, components: &[String], facts: &LiveObject) -> bool {
    facts.made_by_operator
        && facts.kind.as_deref() == Some(claimant.kind)
        && facts.cluster.as_deref() == Some(claimant.name)
        && facts.component.as_ref().is_some_and(|component| components.contains(component))
}

/// Nothing outside the namespace can have an owner; in it, what has none is a copy that a user made.
fn is_a_copy(claimant: &Claimant<'_>, object: &ObjectId, facts: &LiveObject) -> bool {
    object.namespace.as_deref() == Some(claimant.namespace) && !facts.owned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: &str, name: &str) -> ObjectId {
        ObjectId {
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            namespace: Some("ns".to_owned()),
            name: name.to_owned(),
        }
    }

    fn of_connect(component: &str) -> LiveObject {
        LiveObject {
            uid: Some("u".to_owned()),
            kind: Some("KafkaConnect".to_owned()),
            cluster: Some("c".to_owned()),
            component: Some(component.to_owned()),
            made_by_operator: true,
            owned: true,
            ..LiveObject::default()
        }
    }

    #[test]
    fn what_a_resource_of_any_kind_made_and_does_not_want_goes_with_the_exceptions_of_its_kind() {
        let connect = Claimant { kind: "KafkaConnect", namespace: "ns", name: "c", parts: Vec::new() };
        let components = ["c-connect".to_owned()];
        let elsewhere = ObjectId { namespace: None, ..object("ClusterRoleBinding", "wide") };
        let live = LiveObjects::from([
            (object("Service", "old"), of_connect("c-connect")),
            (object("Service", "of-another-component"), of_connect("c-build")),
            (
                object("Service", "kafkas"),
                LiveObject { kind: Some("Kafka".to_owned()), ..of_connect("c-connect") },
            ),
            (
                object("Service", "others"),
                LiveObject { cluster: Some("d".to_owned()), ..of_connect("c-connect") },
            ),
            (object("Service", "copy"), LiveObject { owned: false, ..of_connect("c-connect") }),
            (object("Service", "by-hand"), LiveObject { made_by_operator: false, ..of_connect("c-connect") }),
            (object("Role", "shared"), LiveObject { shared: true, ..of_connect("c-connect") }),
            (object("Secret", "excepted"), of_connect("c-connect")),
            (elsewhere, LiveObject { owned: false, ..of_connect("c-connect") }),
        ]);
        let gone =
            of(&connect, &components, live, &[], |object, _| (object.kind == "Secret").then_some(true));
        let names: Vec<&str> = gone.iter().map(|gone| gone.object.name.as_str()).collect();
        assert_eq!(names, ["wide", "old"]);
        assert_eq!(gone[1].uid.as_deref(), Some("u"), "what was made in its place meanwhile stays");
    }
}
