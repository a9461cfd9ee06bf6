use std::sync::Arc;

use api::KafkaConnector;
use objects::Stored;
use operator_runtime::apply::Applier;
use operator_runtime::client;
use operator_runtime::env::{Env, Namespaces};
use operator_runtime::limits::{Largest, Limits};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::*;
use crate::caches::KAFKA_BRIDGE;
use crate::deleted_pods::DeletedPods;
use crate::kafka::observe::Observer;
use crate::kafka_connector::addresses::ConnectAddresses;
use crate::kafka_connector::apis::{Apis, Look};
use crate::kafka_connector::resources::Resources;
use crate::kafka_connector::sharers::{self, Sharers};
use crate::pod_set::errors::PodErrors;
use crate::room::Room;
use crate::{node_pools, unreadable, workers};
use planner::settings::PlanSettings;
use planner::workers::plan_size::Repeated;
use planner::workers::sharing::{Field, Sharing};
use test_support::ConnectStandIn;
use tokio::time::Instant;

fn object<K: Resource + DeserializeOwned>(value: Value) -> (ObjectRef, K)
where
    K::DynamicType: Default,
{
    let object: K = serde_json::from_value(value).unwrap();
    (ObjectRef::of(&object), object)
}

/// Metadata of an object of a resource.
fn made_for(kind: &str, cluster: &str, name: &str) -> Value {
    json!({"name": name, "namespace": "ns", "labels": {
        "strimzi.io/cluster": cluster, "strimzi.io/kind": kind,
        "strimzi.io/controller": "strimzipodset", "strimzi.io/controller-name": format!("{cluster}-p"),
    }})
}

fn kind_of<K: Resource + DeserializeOwned + Send + Sync + 'static>(values: Vec<Value>) -> Cache<K>
where
    K::DynamicType: Default,
{
    Cache::fixed(values.into_iter().map(object))
}

fn plain(kind: &str, objects: Vec<(ObjectRef, Plain)>) -> PlainKind {
    PlainKind { api_version: "v1".to_owned(), kind: kind.to_owned(), cache: Cache::fixed(objects) }
}

fn plain_object(owner: OwnerRef, namespace: &str, name: &str) -> (ObjectRef, Plain) {
    let whole: ConfigMap =
        serde_json::from_value(json!({"metadata": {"name": name, "namespace": namespace}})).unwrap();
    let body = Some(Arc::new(Stored::of(&whole).unwrap()));
    let role = Some("role".to_owned());
    (
        ObjectRef::new(namespace, name),
        Plain {
            owner,
            facts: LiveObject { body, ..LiveObject::of(&whole.metadata) },
            role,
            rest_api: None,
            status: None,
            taken: crate::caches::Taken::default(),
            last_build: None,
            not_ready: None,
            weight: 0.into(),
        },
    )
}

/// The caches of an operator with these clusters, each with one pool, and a KafkaConnect of each name.
fn caches(clusters: &[String]) -> Caches {
    let owners = || ["Kafka", "KafkaConnect"].into_iter();
    let each = |make: &dyn Fn(&str, &str) -> Value| -> Vec<Value> {
        clusters.iter().flat_map(|cluster| owners().map(|kind| make(kind, cluster))).collect()
    };
    let infix = |kind: &str| if kind == "Kafka" { "p" } else { "connect" };
    let whole = |kind: &str, cluster: &str| {
        let name = format!("{cluster}-{}", infix(kind));
        json!({"metadata": made_for(kind, cluster, &name)})
    };
    let pod_set = |kind: &str, cluster: &str| {
        let name = format!("{cluster}-{}", infix(kind));
        let mut metadata = made_for(kind, cluster, &name);
        let pool = json!({"apiVersion": "v1", "kind": "KafkaNodePool", "name": format!("{cluster}-pool"),
            "uid": format!("{cluster}-pool-uid")});
        metadata["ownerReferences"] = if kind == "Kafka" { json!([pool]) } else { json!([]) };
        json!({"metadata": metadata, "spec": {"selector": {}, "pods": [{}]}})
    };
    let kafka_of = |cluster: &String| {
        json!({"metadata": {"name": cluster, "namespace": "ns"}, "spec": {"kafka": {"listeners": []},
            "entityOperator": {"topicOperator": {"watchedNamespace": format!("topics-of-{cluster}")}}},
            "status": {"clusterId": format!("id-of-{cluster}")}})
    };
    let pool_of = |cluster: &String| {
        json!({"metadata": {"name": format!("{cluster}-pool"), "namespace": "ns",
                "uid": format!("{cluster}-pool-uid"), "labels": {"strimzi.io/cluster": cluster}},
            "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}},
            "status": {"clusterId": format!("id-of-{cluster}"), "nodeIds": [0]}})
    };
    let owner = |cluster: &String| kafka(&ObjectRef::new("ns", cluster));
    let bindings = clusters.iter().map(|cluster| {
        let name = names::entity_operator::topic_operator_role_binding(cluster);
        plain_object(owner(cluster), &format!("topics-of-{cluster}"), &name)
    });
    let roles =
        clusters.iter().map(|cluster| plain_object(owner(cluster), &format!("topics-of-{cluster}"), "role"));
    let services = clusters.iter().map(|cluster| {
        let name = format!("{cluster}-kafka-out-bootstrap");
        let (key, mut plain) = plain_object(owner(cluster), "ns", &name);
        let whole = json!({"metadata": {"name": name, "namespace": "ns"}, "spec": {"clusterIP": "10.0.0.1"},
            "status": {"loadBalancer": {"ingress": [{"hostname": format!("{cluster}.example.org")}]}}});
        plain.status = crate::caches::service_status(&whole);
        let whole = Stored::of(&serde_json::from_value::<Service>(whole).unwrap()).unwrap();
        plain.facts.body = Some(Arc::new(whole));
        (key, plain)
    });
    Caches::of(Watched {
        namespaces: Namespaces::All,
        largest_cluster: Largest::DEFAULT,
        most_references: 100,
        kafkas: kind_of(clusters.iter().map(kafka_of).collect()),
        connects: Cache::fixed([]),
        bridges: Cache::fixed([]),
        mirror_makers: Cache::fixed([]),
        first_mirror_makers: Cache::fixed([]),
        pools: kind_of(clusters.iter().map(pool_of).collect()),
        pod_sets: kind_of(each(&pod_set)),
        pods: kind_of(each(&whole)),
        claims: kind_of(each(&whole)),
        secrets: kind_of(each(&whole)),
        config_maps: kind_of(each(&whole)),
        deployments: kind_of(each(&whole)),
        plain: vec![
            plain(ROLE, roles.collect()),
            plain(ROLE_BINDING, bindings.collect()),
            plain(SERVICE, services.collect()),
        ],
        cluster_role_bindings: plain("ClusterRoleBinding", Vec::new()),
        rare: Vec::new(),
        builds: Cache::fixed([]),
        referenced_secrets: Cache::fixed([]),
        referenced_config_maps: Cache::fixed([]),
    })
}

fn scanned(caches: &Caches) -> usize {
    let plain = caches.plain.iter().map(|kind| kind.cache.scanned()).sum::<usize>();
    caches.kafkas.scanned()
        + caches.connects.scanned()
        + caches.bridges.scanned()
        + caches.mirror_makers.scanned()
        + caches.pools.scanned()
        + caches.pod_sets.scanned()
        + caches.pods.scanned()
        + caches.claims.scanned()
        + caches.secrets.scanned()
        + caches.config_maps.scanned()
        + caches.deployments.scanned()
        + caches.referenced_secrets.scanned()
        + caches.referenced_config_maps.scanned()
        + caches.cluster_role_bindings.cache.scanned()
        + plain
}

#[tokio::test]
async fn a_pass_looks_at_no_object_of_another_resource() {
    client::install_crypto_provider();
    let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let applier = Applier::new(kube::Client::try_from(config).unwrap());
    let clusters: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
    let caches = caches(&clusters);
    let observer =
        Observer::new(caches.clone(), applier, Arc::new(PlanSettings::default()), &Limits::default());
    let key = ObjectRef::new("ns", "c42");
    let before = scanned(&caches);
    let kafka = caches.kafkas.get(&key).unwrap();
    let (observed, _) = observer.observe(&key, Arc::clone(&kafka)).await.unwrap().unwrap();
    assert!(observed.exposed.services.is_empty(), "no listener has Services of its own: none is decoded");
    let mut kafka = serde_json::to_value(&*kafka).unwrap();
    kafka["spec"]["kafka"]["listeners"] =
        json!([{"name": "out", "port": 9094, "type": "loadbalancer", "tls": false}]);
    let kafka = Arc::new(serde_json::from_value(kafka).unwrap());
    let (observed, referred) = observer.observe(&key, kafka).await.unwrap().unwrap();
    assert_eq!(referred, 0);
    let sets: Vec<&String> = observed.pod_sets.keys().collect();
    assert_eq!(sets, ["c42-p"], "and not that of the KafkaConnect");
    assert_eq!(observed.pools.len(), 1);
    let [(name, service)] = &observed.exposed.services.iter().collect::<Vec<_>>()[..] else {
        panic!("{:?}", observed.exposed)
    };
    let balancer = service.status.as_ref().unwrap().load_balancer.as_ref().unwrap();
    let hosts = balancer.ingress.iter().flatten().filter_map(|ingress| ingress.hostname.as_deref());
    assert_eq!(
        (name.as_str(), hosts.collect::<Vec<_>>()),
        ("c42-kafka-out-bootstrap", vec!["c42.example.org"])
    );
    for names in [
        observed.pods.keys().collect::<Vec<_>>(),
        observed.claims.keys().collect(),
        observed.secrets.keys().collect(),
        observed.config_maps.keys().collect(),
        observed.deployments.keys().collect(),
    ] {
        assert_eq!(names, ["c42-p"]);
    }
    let others: Vec<&str> = observed.others.keys().map(|object| object.kind.as_str()).collect();
    assert_eq!(others, [ROLE, ROLE_BINDING, SERVICE]);
    let mut noted = observed.clone();
    unreadable::note_parts(&caches, &key, &mut noted);
    assert_eq!(noted.incomplete, None);
    let pool = &observed.pools[0];
    assert_eq!(node_pools::concerned(&caches, pool), [key.clone()].into());
    node_pools::membership(&caches, pool);
    let bindings = caches.topic_bindings(&key);
    assert_eq!((bindings.len(), bindings[0].namespace.as_str()), (1, "topics-of-c42"));
    assert_eq!(caches.kafkas_watching("topics-of-c42"), std::slice::from_ref(&key));
    // Both pods carry the name of this pod set.
    assert_eq!(caches.pods_of_set(&ObjectRef::new("ns", "c42-p")).len(), 2);
    assert_eq!(scanned(&caches), before, "a list of everything was read");
}

/// A KafkaConnect, a KafkaMirrorMaker2 and a KafkaBridge of each of these names.
fn beside_kafka(names: &[String]) -> Watched {
    let group = |name: &str| {
        json!({"bootstrapServers": "kafka:9092", "groupId": name, "configStorageTopic": format!("{name}-c"),
            "statusStorageTopic": format!("{name}-s"), "offsetStorageTopic": format!("{name}-o")})
    };
    let whole =
        |name: &String, spec: Value| json!({"metadata": {"name": name, "namespace": "ns"}, "spec": spec});
    let mirrors = |name: &String| {
        let mut target = group(&format!("mirrors-{name}"));
        target["alias"] = json!("t");
        let source = json!({"source": {"alias": "s", "bootstrapServers": "s:1"}, "sourceConnector": {}});
        whole(name, json!({"target": target, "mirrors": [source]}))
    };
    Watched {
        connects: kind_of(names.iter().map(|name| whole(name, group(name))).collect()),
        mirror_makers: kind_of(names.iter().map(mirrors).collect()),
        bridges: kind_of(names.iter().map(|name| whole(name, json!({"bootstrapServers": "k:1"}))).collect()),
        ..caches(names).watched
    }
}

#[tokio::test]
async fn no_pass_beside_kafka_looks_at_an_object_of_another_resource() {
    client::install_crypto_provider();
    let config = kube::Config::new("http://127.0.0.1:9".parse().unwrap());
    let applier = Applier::new(kube::Client::try_from(config).unwrap());
    let names: Vec<String> = (0..100).map(|number| format!("c{number}")).collect();
    let caches = Caches::of(beside_kafka(&names));
    let observer = workers::observe::Observer::new(
        caches.clone(),
        applier,
        Arc::new(PlanSettings::default()),
        &Limits::default(),
        PodErrors::default(),
        Room::default(),
    );
    let connectors = connectors(&names);
    let resources = Resources::of(connectors.clone(), &caches);
    let key = ObjectRef::new("ns", "c42");
    let scanned_before = scanned(&caches) + connectors.scanned();

    let repeated = Repeated { workers: Some(1), bytes: 1, connectors: 0 };
    for (owner, owned) in [
        (OwnerRef::new(KAFKA_CONNECT, key.clone()), 1),
        (OwnerRef::new(KAFKA_MIRROR_MAKER2, key.clone()), 0),
        (OwnerRef::new(KAFKA_BRIDGE, key.clone()), 0),
    ] {
        let deleted = DeletedPods::default();
        let seen = observer.observe(&owner, References::default(), repeated, &deleted).await.unwrap();
        let (observed, _) = seen.unwrap();
        assert_eq!((observed.pods.len(), observed.pod_sets.len()), (owned, owned), "{owner:?}");
        assert_eq!((observed.secrets.len(), observed.config_maps.len()), (owned, owned), "{owner:?}");
    }
    let connect = caches.connects.get(&key).unwrap();
    let mirrors = caches.mirror_makers.get(&key).unwrap();
    assert!(caches.bridges.get(&key).is_some());
    assert!(caches.sharing(&key, &connect).is_empty());
    assert!(caches.sharing_of_mirror_maker(&key, &mirrors).is_empty());
    let connector = ObjectRef::new("ns", "connector-of-c42");
    assert_eq!(resources.of_cluster(&key), [connector.clone()].into());
    assert!(resources.is_declared(&key, &connector.name) && !resources.is_declared(&key, "connector-of-c41"));
    assert!(resources.unreadable("ns").is_empty() && resources.sharing_connectors(&key).is_empty());
    assert_eq!(scanned(&caches) + connectors.scanned(), scanned_before, "a list of everything was read");
}

/// A connector for each KafkaConnect.
fn connectors(names: &[String]) -> Cache<KafkaConnector> {
    let of = |cluster: &String| {
        json!({"metadata": {"name": format!("connector-of-{cluster}"), "namespace": "ns",
            "labels": {"strimzi.io/cluster": cluster}}, "spec": {"class": "A"}})
    };
    kind_of(names.iter().map(of).collect())
}

#[test]
fn a_pool_is_near_the_cluster_of_its_label_of_its_status_and_of_its_pod_sets() {
    let clusters: Vec<String> = ["a", "b"].map(str::to_owned).into();
    let watched = caches(&clusters).watched;
    let pool = |name: &str, uid: &str, cluster: Option<&str>, id: Option<&str>| {
        let labels = cluster.map(|cluster| json!({"strimzi.io/cluster": cluster}));
        json!({"metadata": {"name": name, "namespace": "ns", "uid": uid, "labels": labels},
            "spec": {"replicas": 1, "roles": ["broker"], "storage": {"type": "ephemeral"}},
            "status": {"clusterId": id, "nodeIds": [0]}})
    };
    let pools = vec![
        pool("labelled", "1", Some("a"), None),
        pool("known", "2", None, Some("id-of-a")),
        // The pod set of cluster a says that this one owns it.
        pool("a-pool", "a-pool-uid", Some("b"), None),
        pool("other", "4", Some("b"), Some("id-of-b")),
    ];
    let caches = Caches::of(Watched { pools: kind_of(pools), ..watched });
    let near = |cluster: &str, id: &str| -> Vec<String> {
        caches.pools_near(&ObjectRef::new("ns", cluster), Some(id)).into_keys().collect()
    };
    assert_eq!(near("a", "id-of-a"), ["a-pool", "known", "labelled"]);
    assert_eq!(near("b", "id-of-b"), ["a-pool", "other"]);
}

#[test]
fn what_is_looked_after_exists_by_kind_and_name_and_is_accepted_by_the_selector() {
    let watched = caches(&["c".to_owned()]).watched;
    let mirror_maker = KafkaMirrorMaker2::new("d", api::KafkaMirrorMaker2Spec::default());
    let mirror_makers = Cache::fixed([(ObjectRef::new("ns", "d"), mirror_maker)]);
    let caches = Caches::of(Watched { mirror_makers, ..watched });
    let looks_after =
        |kind: &str, name: &str| caches.looks_after(&OwnerRef::new(kind, ObjectRef::new("ns", name)));
    assert!(looks_after("Kafka", "c") && looks_after("KafkaMirrorMaker2", "d"));
    assert!(!looks_after("Kafka", "d") && !looks_after("KafkaMirrorMaker2", "c"));
    assert!(!looks_after("KafkaBridge", "c"), "no pod set is made for that kind");
}

#[tokio::test]
async fn a_claim_or_a_pod_set_without_the_label_of_its_kind_is_still_the_clusters() {
    let metadata =
        |name: &str| json!({"name": name, "namespace": "ns", "labels": {"strimzi.io/cluster": "a"}});
    let watched = Watched {
        claims: kind_of(vec![json!({"metadata": metadata("data-a")})]),
        pod_sets: kind_of(vec![
            json!({"metadata": metadata("a-pool"), "spec": {"selector": {}, "pods": []}}),
        ]),
        ..caches(&[]).watched
    };
    let caches = Caches::of(watched);
    let owner = kafka(&ObjectRef::new("ns", "a"));
    assert!(caches.claims_of(&owner).contains_key("data-a"));
    assert!(caches.pod_sets_of(&owner).contains_key("a-pool"));
    let connect = OwnerRef::new("KafkaConnect", ObjectRef::new("ns", "a"));
    assert!(caches.claims_of(&connect).is_empty() && caches.pod_sets_of(&connect).is_empty());
}

#[test]
fn a_connect_of_another_namespace_counts_when_its_workers_and_ones_own_are_ready() {
    let connect = |namespace: &str, name: &str| {
        json!({"metadata": {"name": name, "namespace": namespace}, "spec": {
            "bootstrapServers": "shop-kafka-bootstrap.b.svc:9092", "groupId": "etl", "configStorageTopic": format!("{name}-c"),
            "statusStorageTopic": format!("{name}-s"), "offsetStorageTopic": format!("{name}-o")}})
    };
    let worker = |namespace: &str, name: &str, ready: &str| {
        json!({"metadata": {"name": format!("{name}-connect-0"), "namespace": namespace, "labels": {
                "strimzi.io/controller": "strimzipodset", "strimzi.io/controller-name": format!("{name}-connect")}},
            "status": {"conditions": [{"type": "Ready", "status": ready}]}})
    };
    let with = |pods: Vec<Value>| {
        let connects = kind_of(vec![connect("a", "spy"), connect("b", "prod"), connect("b", "beside")]);
        Caches::of(Watched { connects, pods: kind_of(pods), ..caches(&[]).watched })
    };
    let names = |caches: &Caches, namespace: &str, name: &str| -> Vec<String> {
        let key = ObjectRef::new(namespace, name);
        let connect = caches.connects.get(&key).unwrap();
        caches.sharing(&key, &connect).into_iter().map(|other| other.name).collect()
    };
    for (pods, of_prod, of_spy) in [
        (vec![worker("b", "prod", "True")], vec!["beside"], vec![]),
        (vec![worker("b", "prod", "True"), worker("a", "spy", "False")], vec!["beside"], vec![]),
        (vec![worker("b", "prod", "True"), worker("a", "spy", "True")], vec!["spy", "beside"], vec!["prod"]),
    ] {
        let caches = with(pods);
        assert_eq!(names(&caches, "b", "prod"), of_prod);
        assert_eq!(names(&caches, "a", "spy"), of_spy);
    }
}

#[test]
fn what_is_written_in_one_namespace_brings_no_pass_to_others() {
    let connect = |namespace: &str, name: &str| {
        json!({"metadata": {"name": name, "namespace": namespace}, "spec": {
            "bootstrapServers": "shop-kafka-bootstrap.b.svc:9092", "groupId": "etl", "configStorageTopic": "c",
            "statusStorageTopic": "s", "offsetStorageTopic": "o"}})
    };
    let mut all: Vec<Value> = (0..300).map(|number| connect("a", &format!("spy-{number}"))).collect();
    all.extend([connect("b", "prod"), connect("b", "beside")]);
    let caches = Caches::of(Watched { connects: kind_of(all), ..caches(&[]).watched });
    let told: Arc<std::sync::Mutex<BTreeMap<String, usize>>> = Arc::default();
    let tells = Arc::clone(&told);
    caches.on_change_of_sharing(move |other| {
        let mut all = tells.lock().unwrap();
        *all.entry(format!("{}/{}", other.namespace, other.name)).or_default() += 1;
    });
    let told = told.lock().unwrap();
    // Each of four fields says it.
    assert_eq!(
        (told.get("b/prod"), told.get("b/beside")),
        (Some(&4), Some(&4)),
        "by the other one of the namespace alone"
    );
    let work: usize = told.values().sum();
    assert!(work <= 302 * 100, "the work grows with all resources together: {work}");
}

#[tokio::test]
async fn workers_of_another_namespace_hold_removals_only_where_they_show_the_same_connectors() {
    let (own, theirs) = (ConnectStandIn::start().await.unwrap(), ConnectStandIn::start().await.unwrap());
    let connect = |namespace: &str| {
        json!({"metadata": {"name": "c", "namespace": namespace, "uid": namespace}, "spec": {
            "bootstrapServers": "k:9092", "groupId": "g", "configStorageTopic": "c", "statusStorageTopic": "s",
            "offsetStorageTopic": "o"}})
    };
    let connects = kind_of(vec![connect("a"), connect("b")]);
    let caches = Caches::of(Watched { connects, ..caches(&[]).watched });
    let given = format!("a/c={},b/c={}", own.address(), theirs.address());
    let env = Env::from_map([(api::env::own::CONNECT_ADDRESSES, given)]);
    let apis = Arc::new(Apis::new(caches.clone(), ConnectAddresses::from_env(&env), 1 << 20));
    let judges = Sharers::new(caches, Arc::clone(&apis), Arc::clone(&apis));
    let key = ObjectRef::new("a", "c");
    let holds = async |namespace: &str| {
        let Look::Here(listed) = apis.of(&key, None).unwrap().look(Instant::now()).await else {
            panic!("it does not answer")
        };
        let (kind, name) = (KAFKA_CONNECT, "c".to_owned());
        let other =
            Sharing { kind, namespace: namespace.to_owned(), name, field: Field::GroupId, is_apart: false };
        let (of, own) = (crate::caches::connect(&key), sharers::connectors(&listed));
        let mut all = [other];
        let mut now = Instant::now() + std::time::Duration::from_secs(20);
        for _ in 0..2 {
            judges.judge(&of, &own, &mut all, now).await;
            now += std::time::Duration::from_secs(20);
        }
        all[0].shares_connectors()
    };
    own.put("old");
    assert!(!holds("b").await, "its workers have nothing of this");
    theirs.put("other");
    assert!(!holds("b").await, "they have something else");
    assert!(holds("a").await, "in one namespace what is written counts");
    theirs.put("old");
    assert!(holds("b").await, "they have it, too");
    theirs.set_away(true);
    assert!(holds("b").await, "for a while nobody knows");
}
