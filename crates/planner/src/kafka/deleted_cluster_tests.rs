use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;

const OURS: &str = annotations::FINALIZER_TOPIC_OPERATOR;

fn named<K: DeserializeOwned>(metadata: &Value) -> BTreeMap<String, Arc<K>> {
    let name = metadata["name"].as_str().unwrap().to_owned();
    let object =
        serde_json::from_value(json!({"metadata": metadata, "spec": {"selector": {}, "pods": []}})).unwrap();
    BTreeMap::from([(name, Arc::new(object))])
}

fn owned(name: &str, kind: &str) -> Value {
    json!({"name": name, "labels": {"strimzi.io/kind": "Kafka"}, "ownerReferences": [
        {"apiVersion": "kafka.strimzi.io/v1", "kind": kind, "name": "x", "uid": "u"}]})
}

fn remains() -> Remains {
    Remains {
        namespace: "ns".to_owned(),
        name: "c".to_owned(),
        exists: Some(false),
        bundle_is_current: true,
        binding_is_known: true,
        topics: Some(Ok(Vec::new())),
        gone_since: Some(now() - jiff::SignedDuration::from_mins(1)),
        ..Remains::default()
    }
}

fn topic(name: &str, deleted_at: Option<Timestamp>) -> HeldTopic {
    HeldTopic {
        namespace: "ns".to_owned(),
        name: name.to_owned(),
        resource_version: Some("7".to_owned()),
        finalizers: vec!["other".to_owned(), OURS.to_owned()],
        deleted_at,
    }
}

fn now() -> Timestamp {
    "2026-06-01T12:00:00Z".parse().unwrap()
}

fn names_of(plan: &Plan) -> Vec<String> {
    plan.delete.iter().map(|gone| format!("{} {}", gone.object.kind, gone.object.name)).collect()
}

#[test]
fn what_the_pools_own_goes_and_the_rest_is_left_to_the_garbage_collector() {
    let mut remains = remains();
    remains.pod_sets = named(&owned("c-p", "KafkaNodePool"));
    remains.secrets = named(&owned("c-p-0", "KafkaNodePool"));
    remains.secrets.extend(named(&owned("c-cluster-ca", "Kafka")));
    remains.config_maps = named(&owned("c-p-0", "KafkaNodePool"));
    remains.config_maps.extend(named(&owned("c-entity-topic-operator-config", "Kafka")));
    let plan = plan(&remains, now());
    assert_eq!(names_of(&plan), ["StrimziPodSet c-p", "Secret c-p-0", "ConfigMap c-p-0"]);
    assert!(plan.apply.is_empty() && plan.calls.is_empty() && plan.status.kafka.is_none());
}

#[test]
fn a_resource_that_is_replaced_at_once_leaves_the_nodes_alone() {
    let mut remains = remains();
    remains.seen = true;
    remains.pod_sets = named(&owned("c-p", "KafkaNodePool"));
    let gone = now();
    remains.gone_since = Some(gone);
    let planned = plan(&remains, gone + jiff::SignedDuration::from_secs(3));
    assert_eq!((planned.delete.len(), planned.look_again_seconds()), (0, Some(7)));
    assert_eq!(names_of(&plan(&remains, gone + jiff::SignedDuration::from_secs(10))), ["StrimziPodSet c-p"]);
    assert_eq!(planned.forgets, Forgotten::Nothing, "it is gone since then");
    remains.pod_sets.clear();
    let planned = plan(&remains, gone);
    assert_eq!(planned.look_again_seconds(), None, "there is nothing to wait for");
    assert_eq!(planned.forgets, Forgotten::Cluster);
}

#[test]
fn what_is_remembered_of_a_cluster_is_forgotten_with_it_and_not_before() {
    let forgets = |remains: Remains| plan(&remains, now()).forgets;
    assert_eq!(forgets(remains()), Forgotten::Cluster);
    assert_eq!(forgets(Remains { exists: Some(true), ..remains() }), Forgotten::Absence);
    assert_eq!(forgets(Remains { exists: None, ..remains() }), Forgotten::Nothing, "that is asked first");
    assert_eq!(forgets(Remains { terminating: true, ..remains() }), Forgotten::Nothing);
    let unlisted = Silence::new(SilenceKind::Refused, "no");
    assert_eq!(forgets(Remains { topics: Some(Err(unlisted)), ..remains() }), Forgotten::Nothing);
}

#[test]
fn what_lies_outside_the_namespace_goes_and_what_lies_in_it_has_an_owner() {
    let object = |kind: &str, namespace: Option<&str>| ObjectId {
        api_version: "rbac.authorization.k8s.io/v1".to_owned(),
        kind: kind.to_owned(),
        namespace: namespace.map(str::to_owned),
        name: "it".to_owned(),
    };
    let mut remains = remains();
    let facts = |uid: &str| LiveObject { uid: Some(uid.to_owned()), owned: true, ..LiveObject::default() };
    remains.others = BTreeMap::from([
        (object("Role", Some("ns")), facts("1")),
        (object("RoleBinding", Some("elsewhere")), facts("2")),
        (object("ClusterRoleBinding", None), facts("3")),
    ]);
    let plan = plan(&remains, now());
    assert_eq!(names_of(&plan), ["ClusterRoleBinding it", "RoleBinding it"]);
    assert_eq!(plan.delete[0].uid.as_deref(), Some("3"), "another one of the name is another one");
}

#[test]
fn topics_lose_the_finalizer_and_no_other() {
    let mut remains = remains();
    remains.seen = true;
    let mut free = topic("free", None);
    free.finalizers.pop();
    remains.topics = Some(Ok(vec![topic("orders", None), free]));
    let plan = plan(&remains, now());
    assert_eq!(plan.finalizers.len(), 1);
    assert_eq!(plan.finalizers[0].object.name, "orders");
    assert_eq!(plan.finalizers[0].finalizers, ["other"]);
    assert_eq!(plan.finalizers[0].resource_version.as_deref(), Some("7"));
}

#[test]
fn a_resource_that_is_being_deleted_only_lets_its_topics_go() {
    let mut remains = remains();
    remains.terminating = true;
    remains.pod_sets = named(&owned("c-p", "KafkaNodePool"));
    remains.topics = Some(Ok(vec![topic("orders", None)]));
    let plan = plan(&remains, now());
    assert_eq!((plan.finalizers.len(), plan.delete.len()), (1, 0));
}

#[test]
fn topics_of_a_cluster_without_any_trace_are_released_only_when_nobody_looks_after_them() {
    let now = now();
    let ago = |seconds: i64| Some(now - jiff::SignedDuration::from_secs(seconds));
    let mut remains = remains();
    remains.topics =
        Some(Ok(vec![topic("alive", None), topic("just-now", ago(20)), topic("stuck", ago(61))]));
    let planned = plan(&remains, now);
    let released: Vec<&str> = planned.finalizers.iter().map(|one| one.object.name.as_str()).collect();
    assert_eq!((released, planned.look_again_seconds()), (vec!["stuck"], Some(40)));
    // A pool shows that there was a cluster.
    remains.pools = true;
    assert_eq!(plan(&remains, now).finalizers.len(), 3);
}

fn service() -> ObjectId {
    ObjectId {
        api_version: "v1".to_owned(),
        kind: "Service".to_owned(),
        namespace: Some("ns".to_owned()),
        name: "c-kafka-bootstrap".to_owned(),
    }
}

#[test]
fn copies_of_a_living_clusters_objects_are_no_trace_of_a_deleted_one() {
    let copied = |name: &str| json!({"name": name, "labels": {"strimzi.io/kind": "Kafka"}});
    let mut remains = remains();
    remains.topics = Some(Ok(vec![topic("alive", None)]));
    remains.secrets = named(&copied("c-cluster-ca-cert"));
    remains.config_maps = named(&copied("c-p-0"));
    remains.others = BTreeMap::from([(service(), LiveObject::default())]);
    // A set of pods that is of Connect.
    remains.pod_sets = named(&json!({"name": "c-connect", "labels": {"strimzi.io/kind": "KafkaConnect"}}));
    assert!(plan(&remains, now()).finalizers.is_empty());
    remains.secrets = named(&owned("c-trustbundle", "Kafka"));
    assert_eq!(plan(&remains, now()).finalizers.len(), 1);
}

#[test]
fn a_grant_speaks_for_the_namesakes_that_it_names() {
    let data = BTreeMap::from([("clusters".to_owned(), "kafka/c, kafka/d ns/c,c".to_owned())]);
    assert_eq!(granted_namesakes(&data, "ns", "c"), [("kafka".to_owned(), "c".to_owned())].into());
    assert!(granted_namesakes(&BTreeMap::new(), "ns", "c").is_empty());
}

#[test]
fn a_cluster_that_was_deleted_without_its_objects_keeps_them() {
    let mut remains = remains();
    remains.seen = true;
    remains.pod_sets = named(&owned("c-p", "KafkaNodePool"));
    remains.topics = Some(Ok(vec![topic("orders", None)]));
    remains.secrets = named(&json!({"name": "c-trustbundle"}));
    let kept = plan(&remains, now());
    assert!(kept.delete.is_empty() && kept.finalizers.is_empty());
    remains.secrets = named(&owned("c-trustbundle", "Kafka"));
    assert_eq!(names_of(&plan(&remains, now())), ["StrimziPodSet c-p"]);
    // Somebody cleared away the Secret: the others of the objects that had an owner tell.
    remains.secrets.clear();
    let service_with = |owned| {
        BTreeMap::from([(service(), LiveObject { made_by_operator: true, owned, ..LiveObject::default() })])
    };
    remains.others = service_with(false);
    assert!(plan(&remains, now()).delete.is_empty());
    remains.others = service_with(true);
    assert_eq!(names_of(&plan(&remains, now())), ["StrimziPodSet c-p"]);
    remains.others.clear();
    let managed = json!({"app.kubernetes.io/managed-by": "strimzi-cluster-operator"});
    remains.secrets = named(&json!({"name": "c-cluster-operator-certs", "labels": managed}));
    assert!(plan(&remains, now()).delete.is_empty());
}

#[test]
fn topics_that_could_not_be_listed_are_asked_for_again() {
    let mut remains = remains();
    remains.topics = Some(Err(Silence::new(SilenceKind::Late, "no answer")));
    assert!(plan(&remains, now()).look_again_seconds().is_some());
}

#[test]
fn a_topic_operator_serves_the_namespaces_it_was_given() {
    let binding = |namespace: &str, cluster_namespace: &str, cluster: &str| TopicBinding {
        namespace: namespace.to_owned(),
        cluster_namespace: cluster_namespace.to_owned(),
        cluster: cluster.to_owned(),
    };
    let bindings = [binding("ns", "ns", "c"), binding("topics", "ns", "c"), binding("topics", "ns", "d")];
    assert_eq!(topic_namespaces("ns", "c", &bindings), ["ns".to_owned(), "topics".to_owned()].into());
    // The topics there belong to a namesake that lives.
    assert!(topic_namespaces("topics", "c", &bindings).is_empty());
    assert_eq!(topic_namespaces("other", "c", &bindings), ["other".to_owned()].into());
}

#[test]
fn topics_are_asked_for_before_anything_goes_and_once() {
    let mut remains = remains();
    remains.seen = true;
    remains.topics = None;
    let mut asked = Vec::new();
    let answer = |need: &Need| {
        asked.push(need.clone());
        Answer::HeldTopics(vec![topic("orders", None)])
    };
    let (_, plan) = crate::completion::complete(remains, now(), answer).unwrap();
    assert_eq!(asked, [Need::HeldTopics]);
    assert_eq!(plan.finalizers.len(), 1);
}

/// A cluster of which a trust bundle is left, as a cache has it, and what a plan asks for, in order.
fn asked_of(answers: impl Fn(&Need) -> Answer) -> (Vec<Need>, Plan) {
    let remains = Remains {
        secrets: named(&owned("c-trustbundle", "Kafka")),
        pod_sets: named(&owned("c-p", "KafkaNodePool")),
        exists: None,
        bundle_is_current: false,
        binding_is_known: false,
        topics: None,
        ..remains()
    };
    let mut asked = Vec::new();
    let completed = crate::completion::complete(remains, now(), |need| {
        asked.push(need.clone());
        answers(need)
    });
    (asked, completed.unwrap().1)
}

fn answer(need: &Need) -> Answer {
    match need {
        Need::ResourceExists => Answer::ResourceExists(false),
        Need::TrustBundle => {
            let metadata = serde_json::from_value(owned("c-trustbundle", "Kafka")).unwrap();
            Answer::TrustBundle(Some(Box::new(metadata)))
        }
        Need::ClusterRoleBinding => Answer::ClusterRoleBinding(None),
        _ => Answer::HeldTopics(Vec::new()),
    }
}

#[test]
fn what_decides_about_everything_is_asked_first() {
    let (asked, plan) = asked_of(answer);
    let all = [Need::ResourceExists, Need::TrustBundle, Need::ClusterRoleBinding, Need::HeldTopics];
    assert_eq!(asked, all);
    assert_eq!(names_of(&plan), ["StrimziPodSet c-p"]);
}

#[test]
fn a_resource_that_exists_all_the_same_loses_nothing() {
    let (asked, plan) = asked_of(|need| match need {
        Need::ResourceExists => Answer::ResourceExists(true),
        other => panic!("{other:?}"),
    });
    let nothing = Plan { forgets: Forgotten::Absence, ..Plan::default() };
    assert_eq!((asked, plan), (vec![Need::ResourceExists], nothing));
}

#[test]
fn a_bundle_whose_owner_was_taken_away_says_that_the_objects_are_to_stay() {
    let (asked, plan) = asked_of(|need| match need {
        Need::TrustBundle => {
            let made = json!({"app.kubernetes.io/managed-by": "strimzi-cluster-operator"});
            let metadata = json!({"name": "c-trustbundle", "labels": made});
            Answer::TrustBundle(Some(Box::new(serde_json::from_value(metadata).unwrap())))
        }
        other => answer(other),
    });
    assert!(!asked.contains(&Need::HeldTopics), "{asked:?}");
    assert!(plan.delete.is_empty() && !plan.waiting_for.is_empty());
}

#[test]
fn nothing_goes_while_it_is_not_known_whether_the_resource_is_gone() {
    for silent in [Need::ResourceExists, Need::TrustBundle, Need::ClusterRoleBinding] {
        let (_, plan) = asked_of(|need| match need {
            need if *need == silent => Answer::Unknown(Silence::new(SilenceKind::Late, "no answer")),
            other => answer(other),
        });
        assert!(plan.delete.is_empty() && plan.finalizers.is_empty(), "{silent:?}");
        assert!(plan.failure.as_ref().unwrap().contains("no answer"), "{silent:?}");
    }
}
