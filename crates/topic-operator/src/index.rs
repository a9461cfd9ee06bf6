//! All KafkaTopics the operator is responsible for, in memory, and who manages which topic.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use crate::{plan::Claim, resource::TopicResource, topic::ResourceRef};

/// The resources, and for each topic the resources that want it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    resources: HashMap<ResourceRef, Arc<TopicResource>>,
    claims: HashMap<Arc<str>, Vec<ResourceRef>>,
    paused: usize,
    changing: BTreeSet<ResourceRef>,
}

/// What an update of the index asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changed {
    /// The resource itself has to be looked at.
    pub itself: bool,
    /// Other resources for the same topic have to be looked at: the owner may be another one now.
    pub others: Vec<ResourceRef>,
}

impl Index {
    /// How many resources there are.
    pub(crate) fn len(&self) -> usize {
        self.resources.len()
    }

    #[cfg(test)]
    /// True without resources.
    pub(crate) fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// How many of them are paused.
    pub(crate) fn paused(&self) -> usize {
        self.paused
    }

    /// A resource.
    pub(crate) fn get(&self, reference: &ResourceRef) -> Option<&Arc<TopicResource>> {
        self.resources.get(reference)
    }

    /// Every resource's name.
    pub(crate) fn references(&self) -> impl Iterator<Item = &ResourceRef> {
        self.resources.keys()
    }

    #[cfg(test)]
    /// Every resource.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Arc<TopicResource>> {
        self.resources.values()
    }

    /// True when a resource reports a running replication factor change.
    pub(crate) fn a_change_runs(&self) -> bool {
        !self.changing.is_empty()
    }

    /// Takes in a state of a resource, seen or written. A state older than the known one is ignored.
    pub(crate) fn upsert(&mut self, resource: TopicResource) -> Changed {
        let reference = resource.reference.clone();
        let known = self.resources.get(&reference).cloned();
        if let Some(known) = &known {
            if resource.uid == known.uid && (resource.is_older_than(known) || known.has_ended()) {
                return Changed::default();
            }
            if !resource.differs_from(known) {
                if resource.resource_version != known.resource_version {
                    self.resources.insert(reference, Arc::new(resource));
                }
                return Changed::default();
            }
        }
        let mut others = Vec::new();
        if let Some(known) = &known {
            self.drop_claim(known, &mut others);
        }
        self.paused += usize::from(resource.paused);
        if resource.status.replicas_change.is_some() {
            self.changing.insert(reference.clone());
        }
        let claimants = self.claims.entry(resource.topic_key()).or_default();
        others.extend(claimants.iter().filter(|r| **r != reference).cloned());
        claimants.push(reference.clone());
        self.resources.insert(reference.clone(), Arc::new(resource));
        others.sort();
        others.dedup();
        others.retain(|r| *r != reference);
        Changed { itself: true, others }
    }

    /// Forgets a resource that is gone; the answer has the resources that may now manage its topic.
    pub(crate) fn remove(
        &mut self,
        reference: &ResourceRef,
    ) -> (Option<Arc<TopicResource>>, Vec<ResourceRef>) {
        let Some(known) = self.resources.get(reference).cloned() else { return (None, Vec::new()) };
        let mut others = Vec::new();
        self.drop_claim(&known, &mut others);
        self.resources.remove(reference);
        (Some(known), others)
    }

    fn drop_claim(&mut self, known: &TopicResource, others: &mut Vec<ResourceRef>) {
        self.paused -= usize::from(known.paused);
        self.changing.remove(&known.reference);
        let topic = known.claimed_topic();
        if let Some(claimants) = self.claims.get_mut(topic) {
            claimants.retain(|r| *r != known.reference);
            others.extend(claimants.iter().cloned());
            if claimants.is_empty() {
                self.claims.remove(topic);
            }
        }
    }

    /// Which resource manages the topic that a resource wants: the resource that manages it already, else one in the cluster's own
    /// namespace, else the oldest, else the first by name. Only resources that `count` have a say, and none that was let go.
    pub(crate) fn claim(&self, resource: &TopicResource, count: impl Fn(&TopicResource) -> bool) -> Claim {
        let claimants = self.claims.get(resource.claimed_topic()).map_or(&[][..], Vec::as_slice);
        if claimants.len() < 2 {
            return Claim::Owner { heir: None };
        }
        let candidates: Vec<&Arc<TopicResource>> = claimants
            .iter()
            .filter_map(|r| self.resources.get(r))
            .filter(|c| c.managed && c.selected && count(c) && (!c.deleting || c.has_finalizer()))
            .collect();
        // Not only while it is Ready: trouble that passes must not hand its records to another resource.
        let rank = |c: &&&Arc<TopicResource>| {
            (c.status.topic_name.is_some(), c.home, Reverse(c.created), Reverse(c.reference.clone()))
        };
        match candidates.iter().max_by_key(rank) {
            Some(owner) if owner.reference != resource.reference && resource.managed => {
                Claim::TakenBy(owner.reference.clone())
            }
            _ => {
                let heirs = candidates.iter().filter(|c| c.reference != resource.reference && !c.deleting);
                Claim::Owner { heir: heirs.max_by_key(rank).map(|heir| heir.reference.clone()) }
            }
        }
    }

    /// True when a resource has its finalizer on and the topic is the one that it wants.
    pub(crate) fn is_held(&self, topic: &str) -> bool {
        let claimants = self.claims.get(topic).into_iter().flatten();
        claimants.filter_map(|r| self.resources.get(r)).any(|c| c.has_finalizer())
    }

    /// True when a resource that `count`s wants the topic to exist.
    pub(crate) fn is_wanted(&self, topic: &str, count: impl Fn(&TopicResource) -> bool) -> bool {
        self.claims.get(topic).is_some_and(|claimants| {
            claimants
                .iter()
                .filter_map(|r| self.resources.get(r))
                .any(|c| c.managed && c.selected && !c.deleting && count(c))
        })
    }
}

#[cfg(test)]
mod tests {
    use api::conditions::reasons;
    use operator_runtime::refusal::Refusal;

    use super::*;
    use crate::{
        status::{Verdict, compose},
        test_resources::resource,
    };
    use proptest::prelude::*;

    fn named(name: &str, topic: &str, created: i64) -> TopicResource {
        let mut r = resource(name);
        r.topic_name = topic.into();
        r.created = created;
        r
    }

    fn ready(mut r: TopicResource) -> TopicResource {
        let verdict = Verdict::Looked {
            topic_id: Some("id".into()),
            refusals: vec![],
            warnings: vec![],
            replicas_change: None,
        };
        r.status = compose(&r, &verdict, "now");
        r
    }

    fn owner_of(index: &Index, name: &str) -> Claim {
        index.claim(index.get(&ResourceRef::new("ns", name)).unwrap(), |_| true)
    }

    #[test]
    fn the_oldest_resource_manages_a_topic() {
        let mut index = Index::default();
        index.upsert(named("young", "t", 200));
        let changed = index.upsert(named("old", "t", 100));
        assert_eq!(changed.others, [ResourceRef::new("ns", "young")]);
        assert_eq!(owner_of(&index, "old"), Claim::Owner { heir: Some(ResourceRef::new("ns", "young")) });
        assert_eq!(owner_of(&index, "young"), Claim::TakenBy(ResourceRef::new("ns", "old")));
    }

    #[test]
    fn a_resource_that_lost_its_last_finalizer_does_not_come_back_with_its_former_state() {
        let mut index = Index::default();
        let mut going = ready(named("going", "t", 100));
        going.deleting = true;
        going.finalizers = [api::annotations::FINALIZER_TOPIC_OPERATOR.into()].into();
        index.upsert(going.clone());
        let mut heir = named("heir", "t", 200);
        heir.finalizers = going.finalizers.clone();
        index.upsert(heir);
        // The answer to the write has the version of the state before, which the watch may tell of later.
        let ended = TopicResource { finalizers: [].into(), ..going.clone() };
        index.upsert(ended);
        assert_eq!(index.upsert(going), Changed::default());
        assert_eq!(owner_of(&index, "heir"), Claim::Owner { heir: None });
    }

    #[test]
    fn a_resource_that_is_ready_keeps_the_topic() {
        let mut index = Index::default();
        index.upsert(named("old", "t", 100));
        index.upsert(ready(named("young", "t", 200)));
        assert_eq!(owner_of(&index, "old"), Claim::TakenBy(ResourceRef::new("ns", "young")));
    }

    #[test]
    fn a_resource_that_manages_a_topic_keeps_it_through_trouble() {
        let mut index = Index::default();
        index.upsert(named("old", "t", 100));
        let mut young = ready(named("young", "t", 200));
        let lost = Verdict::Refused(Refusal::new(reasons::KAFKA_ERROR, "Kafka cannot be reached"));
        young.status = compose(&young, &lost, "now");
        index.upsert(young);
        assert_eq!(owner_of(&index, "old"), Claim::TakenBy(ResourceRef::new("ns", "young")));
    }

    #[test]
    fn who_may_not_have_a_topic_has_no_say_in_it() {
        let mut index = Index::default();
        index.upsert(ready(named("greedy", "t", 100)));
        index.upsert(named("own", "t", 200));
        let own = index.get(&ResourceRef::new("ns", "own")).unwrap();
        let count = |r: &TopicResource| &*r.reference.name != "greedy";
        assert_eq!(index.claim(own, count), Claim::Owner { heir: None });
        index.remove(&ResourceRef::new("ns", "own"));
        assert!(index.is_wanted("t", |_| true) && !index.is_wanted("t", count));
    }

    #[test]
    fn a_granted_namespace_never_takes_a_topic_from_the_clusters_own() {
        let mut index = Index::default();
        let mut guest = named("guest", "t", 100);
        guest.home = false;
        index.upsert(guest);
        index.upsert(named("own", "t", 200));
        assert_eq!(owner_of(&index, "guest"), Claim::TakenBy(ResourceRef::new("ns", "own")));
    }

    #[test]
    fn a_resource_that_was_let_go_has_no_say_though_the_watch_still_shows_it() {
        let mut index = Index::default();
        let mut going = ready(named("old", "t", 100));
        going.finalizers = [api::annotations::FINALIZER_TOPIC_OPERATOR.into()].into();
        going.deleting = true;
        index.upsert(going.clone());
        let mut heir = named("young", "t", 200);
        heir.deleting = true;
        heir.finalizers = going.finalizers.clone();
        index.upsert(heir);
        assert_eq!(
            owner_of(&index, "old"),
            Claim::Owner { heir: None },
            "an heir that goes inherits nothing"
        );
        assert_eq!(owner_of(&index, "young"), Claim::TakenBy(ResourceRef::new("ns", "old")));
        going.finalizers = Box::default();
        going.resource_version = "2".into();
        index.upsert(going);
        assert_eq!(
            owner_of(&index, "young"),
            Claim::Owner { heir: None },
            "nobody else is left to delete it"
        );
    }

    #[test]
    fn an_unmanaged_resource_is_nobodys_rival() {
        let mut index = Index::default();
        let mut off = named("off", "t", 100);
        off.managed = false;
        index.upsert(off);
        index.upsert(named("on", "t", 200));
        assert_eq!(owner_of(&index, "on"), Claim::Owner { heir: None });
    }

    #[test]
    fn when_the_manager_goes_the_others_are_looked_at() {
        let mut index = Index::default();
        index.upsert(named("old", "t", 100));
        index.upsert(named("young", "t", 200));
        let (gone, others) = index.remove(&ResourceRef::new("ns", "old"));
        assert!(gone.is_some());
        assert_eq!(others, [ResourceRef::new("ns", "young")]);
        assert_eq!(owner_of(&index, "young"), Claim::Owner { heir: None });
    }

    #[test]
    fn a_renamed_resource_keeps_holding_the_topic_it_made() {
        let mut index = Index::default();
        let mut r = ready(named("a", "one", 100));
        r.topic_name = "two".into();
        index.upsert(r);
        index.upsert(named("b", "one", 200));
        index.upsert(named("c", "two", 300));
        assert_eq!(owner_of(&index, "b"), Claim::TakenBy(ResourceRef::new("ns", "a")));
        assert_eq!(owner_of(&index, "c"), Claim::Owner { heir: None });
    }

    #[test]
    fn an_own_write_that_comes_back_and_a_stale_state_ask_for_nothing() {
        let mut index = Index::default();
        let mut r = named("a", "t", 1);
        r.resource_version = "5".into();
        assert!(index.upsert(r.clone()).itself);
        let mut written = ready(r.clone());
        written.resource_version = "7".into();
        assert!(index.upsert(written.clone()).itself);
        assert_eq!(index.upsert(written), Changed::default());
        r.resource_version = "6".into();
        assert_eq!(index.upsert(r), Changed::default());
        assert!(index.get(&ResourceRef::new("ns", "a")).unwrap().status.is_ready());
    }

    proptest! {
        #[test]
        fn a_topic_has_exactly_one_owner_among_those_who_want_it(
            states in proptest::collection::vec((0..4_i64, any::<bool>(), any::<bool>(), any::<bool>()), 1..6)
        ) {
            let mut index = Index::default();
            for (i, (created, managed, home, is_ready)) in states.iter().enumerate() {
                let mut r = named(&format!("r{i}"), "t", *created);
                r.home = *home;
                if *is_ready {
                    r = ready(r);
                }
                r.managed = *managed;
                index.upsert(r);
            }
            let owners = index
                .all()
                .filter(|r| r.managed)
                .filter(|r| matches!(index.claim(r, |_| true), Claim::Owner { .. }))
                .count();
            prop_assert_eq!(owners, usize::from(states.iter().any(|s| s.1)));
            let all: Vec<ResourceRef> = index.references().cloned().collect();
            for r in all {
                index.remove(&r);
            }
            prop_assert!(index.is_empty() && index.claims.is_empty());
        }
    }
}
