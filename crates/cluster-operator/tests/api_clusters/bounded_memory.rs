//! With the memory that the chart gives it, the operator survives what a tenant may write, and serves the others meanwhile.

use std::sync::Mutex;
use std::time::Duration;

use futures::future::join_all;
use kube::api::{DeleteParams, GetParams, ListParams};
use kube::core::Request;
use serde_json::{Value, json};
use test_support::stand_in::Fate;
use test_support::{ApiServer, wait};

use crate::connectors::{connect, connector};
use crate::hostile::{create, deep, start_unbounded_server, unbounded_server};
use crate::hostile_broker::{Answer, HostileBroker, hosts};
use crate::process::Process;
use crate::world::{DEADLINE, World, kafka, pool};

/// How long the pods of a new cluster may take.
const SERVED: Duration = Duration::from_secs(30);

/// Nearly what the API server stores of one object.
const LARGE: usize = 1_000_000;

/// Two namespaces that one operator watches: a tenant's, and the one of everybody else.
struct Tenants {
    hostile: World,
    others: World,
    clusters: u32,
}

impl Tenants {
    /// Sees that the operator is well, and that a new cluster of the others has its pods in time.
    async fn others_are_served(&mut self, operator: &Process, after: &str) {
        self.clusters += 1;
        let cluster = format!("good-{}", self.clusters);
        let pool_name = format!("pool-{}", self.clusters);
        self.others.apply(&pool(&cluster, &pool_name, 3)).await;
        self.others.apply(&kafka(&cluster)).await;
        for node in 0..3 {
            let name = format!("{cluster}-{pool_name}-{node}");
            wait::for_object(&self.others.api("Pod"), &name, SERVED, "exists", |_| true).await.unwrap();
        }
        operator.is_well(after);
    }

    /// Waits until the status of a resource has these words. The client of this test could not read all of them.
    async fn says(&self, kind: &str, name: &str, words: &[&str]) {
        let api = self.hostile.api(kind);
        let seen = Mutex::new(String::new());
        let status = || async {
            let request = Request::new(api.resource_url()).get(name, &GetParams::default()).unwrap();
            let text = self.hostile.client.request_text(request).await.unwrap();
            let status = text.rfind("\"status\":{\"").map_or("", |start| &text[start..]);
            status.clone_into(&mut seen.lock().unwrap());
            words.iter().all(|word| status.contains(word)).then_some(())
        };
        let said = wait::until(DEADLINE, "its status has these words", status).await;
        let seen = seen.into_inner().unwrap();
        said.unwrap_or_else(|error| panic!("{kind} {name}, {words:?}: {error}; it is {seen:?}"));
    }

    async fn create_all(&self, objects: &[Value]) {
        for some in objects.chunks(8) {
            join_all(some.iter().map(|object| create(&self.hostile, object))).await;
        }
    }
}

/// The API server of one test. It ends with the test, also with a test that fails: the gigabytes that the server holds are missing elsewhere.
struct Own(&'static ApiServer);

impl Drop for Own {
    fn drop(&mut self) {
        self.0.stop();
    }
}

fn labelled(kind: &str, name: &str, cluster: &str, data: &Value) -> Value {
    json!({"apiVersion": "v1", "kind": kind, "data": data, "metadata": {"name": name,
        "labels": {"strimzi.io/cluster": cluster, "strimzi.io/kind": "Kafka"}}})
}

/// Lists without anything in them: each takes many times the memory of its text.
fn lists() -> Value {
    Value::Array(vec![json!([]); LARGE / 3])
}

/// Base64 without any pattern.
fn noise(seed: u32) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let digits = (0..480_000).map(|_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        char::from(DIGITS[(state >> 7) as usize % 64])
    });
    digits.collect()
}

/// Clusters of one node whose brokers answer to do harm: name, pod, and address of the broker.
fn evil_brokers() -> Vec<(String, String, String)> {
    let broker = |number: usize| {
        (format!("evil-{number}"), format!("evil-{number}-p{number}-0"), format!("127.0.92.{}", number + 1))
    };
    (0..6).map(broker).collect()
}

/// A cluster of one node.
fn cluster(name: &str) -> Value {
    let mut cluster = kafka(name);
    cluster["spec"]["kafka"]["config"] = json!({});
    cluster
}

/// What is written once and made very often: for each listener, volume and node, and by aliases.
async fn repeated(tenants: &Tenants) {
    let listeners = |count: usize, type_: &str| {
        let one = |n: usize| {
            json!({"name": format!("l{n}"), "port": 9100 + n, "type": type_, "tls": true, "configuration": {
                "bootstrap": {"host": format!("l{n}.example.org")}, "hostTemplate": format!("{{nodeId}}.l{n}.example.org")}})
        };
        (0..count).map(one).collect::<Vec<_>>()
    };
    let annotated = |bytes: usize| json!({"metadata": {"annotations": {"a": "x".repeat(bytes)}}});
    let mut services = cluster("services");
    services["spec"]["kafka"]["listeners"] = json!(listeners(30, "cluster-ip"));
    for listener in services["spec"]["kafka"]["listeners"].as_array_mut().unwrap() {
        listener.as_object_mut().unwrap().remove("configuration");
    }
    services["spec"]["kafka"]["template"] = json!({"perPodService": annotated(1_200_000)});
    let mut ingresses = cluster("ingresses");
    ingresses["spec"]["kafka"]["listeners"] = json!(listeners(30, "ingress"));
    let volume = |id: usize| json!({"id": id, "type": "persistent-claim", "size": "1Gi"});
    let mut volumes = pool("volumes", "volumes", 1);
    volumes["spec"]["storage"] =
        json!({"type": "jbod", "volumes": (0..2000).map(volume).collect::<Vec<_>>()});
    volumes["spec"]["template"] = json!({"persistentVolumeClaim": annotated(300_000)});
    let mut rules = cluster("rules");
    rules["spec"]["kafka"]["metricsConfig"] = json!({"type": "jmxPrometheusExporter",
        "valueFrom": {"configMapKeyRef": {"name": "rules", "key": "rules.yml"}}});
    let again = vec!["*a"; 10_000].join(", ");
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "rules"},
        "data": {"rules.yml": format!("rules: [&a {}, {again}]", "x".repeat(60_000))}});
    let objects = [
        map,
        pool("services", "services", 10),
        services,
        pool("ingresses", "ingresses", 300),
        ingresses,
        volumes,
        cluster("volumes"),
        pool("rules", "rules", 10),
        rules,
    ];
    tenants.create_all(&objects).await;
    for (name, words) in [
        ("services", ["spec.kafka.template.perPodService", "KASTELLAN_MAX_CLUSTER_MIB"]),
        ("ingresses", ["spec.kafka.listeners[", "KASTELLAN_MAX_CLUSTER_MIB"]),
        (
            "volumes",
            ["KafkaNodePool volumes spec.template.persistentVolumeClaim", "KASTELLAN_MAX_CLUSTER_MIB"],
        ),
        ("rules", ["rules.yml", "aliases"]),
    ] {
        tenants.says("Kafka", name, &words).await;
    }
}

/// What every worker of Kafka Connect repeats, and references that are written many times.
async fn workers(tenants: &Tenants) {
    let connect = |name: &str| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect", "metadata": {"name": name},
            "spec": {"replicas": 300, "bootstrapServers": "kafka:9092", "groupId": name, "configStorageTopic": name,
                "statusStorageTopic": name, "offsetStorageTopic": name}})
    };
    let mut objects = Vec::new();
    for number in 0..8 {
        let mut wide = connect(&format!("wide-{number}"));
        wide["spec"]["template"] =
            json!({"connectContainer": {"env": [{"name": "A", "value": "x".repeat(LARGE)}]}});
        objects.push(wide);
    }
    let mut trusting = connect("trusting");
    trusting["spec"]["replicas"] = json!(1);
    let one = json!({"secretName": "s", "pattern": "*"});
    trusting["spec"]["tls"] = json!({"trustedCertificates": vec![one; 5000]});
    objects.push(trusting);
    tenants.create_all(&objects).await;
    tenants.says("KafkaConnect", "wide-7", &["300 workers", "KASTELLAN_MAX_CLUSTER_MIB"]).await;
    tenants.says("KafkaConnect", "trusting", &["spec.tls.trustedCertificates: 5000"]).await;
}

/// Bridges, of which a Deployment says once what all pods repeat, and connectors, whose options are whatever is written.
async fn bridges_and_connectors(tenants: &Tenants) {
    let bridge = |name: &str| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaBridge", "metadata": {"name": name},
            "spec": {"replicas": 1, "bootstrapServers": "kafka:9092", "http": {"port": 8080}}})
    };
    let mut objects = Vec::new();
    for number in 0..8 {
        let mut wide = bridge(&format!("wide-{number}"));
        wide["spec"]["template"] =
            json!({"bridgeContainer": {"env": [{"name": "A", "value": "x".repeat(LARGE)}]}});
        let mut deep = bridge(&format!("lists-{number}"));
        deep["spec"]["producer"] = json!({"config": {"a": lists()}});
        let mut connector = connector("home", &format!("lists-{number}"), &json!({}));
        connector["spec"]["config"] = json!({"a": lists()});
        objects.extend([wide, deep, connector]);
        let options: serde_json::Map<String, Value> =
            (0..30_000).map(|n| (format!("option.{n}"), json!("x"))).collect();
        let mut optional = bridge(&format!("options-{number}"));
        optional["spec"]["producer"] = json!({"config": options});
        objects.push(optional);
    }
    let one = json!({"secretName": "s", "pattern": "*"});
    let mut trusting = bridge("trusting");
    trusting["spec"]["tls"] = json!({"trustedCertificates": vec![one; 5000]});
    let mut origins = bridge("origins");
    origins["spec"]["http"]["cors"] =
        json!({"allowedOrigins": vec!["a"; LARGE / 4], "allowedMethods": ["GET"]});
    objects.extend([trusting, origins, connect("home")]);
    tenants.create_all(&objects).await;
    tenants.says("KafkaBridge", "lists-7", &["KASTELLAN_MAX_OBJECT_KIB"]).await;
    tenants.says("KafkaBridge", "options-7", &["conditions"]).await;
    tenants.says("KafkaBridge", "trusting", &["spec.tls.trustedCertificates: 5000"]).await;
    tenants.says("KafkaBridge", "wide-7", &["conditions"]).await;
    tenants.says("KafkaBridge", "origins", &["conditions"]).await;
    tenants.says("KafkaConnector", "lists-7", &["KASTELLAN_MAX_OBJECT_KIB"]).await;
}

/// Deletes all resources of a kind that the tenant has written.
async fn delete_all(tenants: &Tenants, kind: &str) {
    let request = Request::new(tenants.hostile.api(kind).resource_url());
    let request = request.delete_collection(&DeleteParams::default(), &ListParams::default()).unwrap();
    tenants.hostile.client.request_text(request).await.unwrap();
}

/// What each connector of a KafkaMirrorMaker2 repeats, and certificates that each of its sources trusts.
async fn mirrors(tenants: &Tenants) {
    let mirror = |name: &str, mirrors: Vec<Value>| {
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaMirrorMaker2", "metadata": {"name": name},
            "spec": {"replicas": 1, "mirrors": mirrors, "target": {"alias": "t", "bootstrapServers": "t:1", "groupId": name,
                "configStorageTopic": name, "statusStorageTopic": name, "offsetStorageTopic": name}}})
    };
    let one = |number: usize| {
        json!({"source": {"alias": format!("a{number}"), "bootstrapServers": "h:1"}, "sourceConnector": {},
            "checkpointConnector": {}})
    };
    let mut objects = Vec::new();
    let mut repeating = mirror("repeating", (0..400).map(one).collect());
    let options = (0..11).map(|number| (format!("o{number}"), json!("x".repeat(60_000))));
    repeating["spec"]["target"]["config"] = options.collect::<serde_json::Map<_, _>>().into();
    objects.push(repeating);
    objects.push(mirror("many-mirrors", (0..2000).map(one).collect()));
    let pem = "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n".repeat(4000);
    objects.push(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "trusted"}, "stringData": {"a": pem}}));
    let mut trusting = mirror("trusting-mirrors", (0..400).map(one).collect());
    for mirror in trusting["spec"]["mirrors"].as_array_mut().unwrap() {
        mirror["source"]["tls"] = json!({"trustedCertificates": [{"secretName": "trusted", "pattern": "*"}]});
    }
    objects.push(trusting);
    tenants.create_all(&objects).await;
    for (name, words) in [
        ("repeating", vec!["target for each connector", "KASTELLAN_MAX_CLUSTER_MIB"]),
        ("many-mirrors", vec!["2000 items are more than 500"]),
        ("trusting-mirrors", vec!["NotReady"]),
    ] {
        tenants.says("KafkaMirrorMaker2", name, &words).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_tenant_writes_leaves_the_operator_up_and_the_others_served() {
    // A server of its own, which gives its memory back at the end: it keeps every state of all the large resources.
    let server: &'static ApiServer = Box::leak(Box::new(start_unbounded_server().await));
    let _own = Own(server);
    let hostile = World::with(server, "hostile", Fate::Running).await;
    let others = World::with(server, "others", Fate::Running).await;
    let watched = format!("watchNamespaces={{{}}}", others.namespace);
    let values = [watched.as_str()];
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("operator.log");
    let mut tenants = Tenants { hostile, others, clusters: 0 };
    let operator = Process::start(&tenants.hostile, &values, None, &log).await;
    tenants.others_are_served(&operator, "nothing").await;

    let mut wishes = pool("wishes", "wishes", 1);
    let ranges = vec!["0-100000"; 25_000].join(",");
    wishes["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": format!("[{ranges}]")});
    tenants.create_all(&[wishes, cluster("wishes")]).await;
    tenants
        .says("KafkaNodePool", "wishes", &["strimzi.io/next-node-ids is ignored", "KASTELLAN_MAX_WISHED_IDS"])
        .await;
    tenants.others_are_served(&operator, "wishes for very many node ids").await;

    tenants.create_all(&[pool("many", "many", 1000), cluster("many")]).await;
    tenants.says("Kafka", "many", &["KafkaNodePool many spec.replicas", "1000", "KASTELLAN_MAX_NODES"]).await;
    let pools: Vec<Value> = (0..50).map(|number| pool("pools", &format!("of-many-{number}"), 250)).collect();
    tenants.create_all(&pools).await;
    tenants.create_all(&[cluster("pools")]).await;
    tenants.says("Kafka", "pools", &["spec.replicas", "250", "KASTELLAN_MAX_NODES"]).await;
    tenants.others_are_served(&operator, "pools of very many nodes").await;

    repeated(&tenants).await;
    tenants.others_are_served(&operator, "what every broker repeats for each listener and volume").await;

    workers(&tenants).await;
    tenants.others_are_served(&operator, "what every worker of Kafka Connect repeats").await;

    bridges_and_connectors(&tenants).await;
    tenants.others_are_served(&operator, "large bridges and connectors").await;
    // What comes after has the machine for itself.
    delete_all(&tenants, "KafkaBridge").await;
    delete_all(&tenants, "KafkaConnector").await;

    mirrors(&tenants).await;
    tenants.others_are_served(&operator, "what connectors of mirrors repeat").await;

    let text = "eHh4".repeat(LARGE / 4);
    let secrets = (0..60).map(|n| labelled("Secret", &format!("large-{n}"), "stuffed", &json!({"a": text})));
    let maps = (0..30).map(|n| labelled("ConfigMap", &format!("large-{n}"), "stuffed", &json!({"a": text})));
    tenants.create_all(&secrets.chain(maps).collect::<Vec<_>>()).await;
    tenants.create_all(&[pool("stuffed", "stuffed", 1), cluster("stuffed")]).await;
    tenants.says("Kafka", "stuffed", &["large-", "too large", "KASTELLAN_MAX_SECRET_KIB"]).await;
    tenants.others_are_served(&operator, "Secrets and ConfigMaps with the labels of a cluster").await;

    // Each within its own bound; all of them are more than a pass may unpack.
    let text = "eHh4".repeat(100_000);
    let small = (0..220).map(|n| labelled("Secret", &format!("small-{n}"), "filled", &json!({"a": text})));
    tenants.create_all(&small.collect::<Vec<_>>()).await;
    tenants.create_all(&[pool("filled", "filled", 1), cluster("filled")]).await;
    tenants.says("Kafka", "filled", &["KASTELLAN_MAX_CLUSTER_MIB"]).await;
    // Scattered over many clusters, and such that nothing makes them smaller.
    let scattered = (0..330_u32).map(|n| {
        labelled("Secret", &format!("noise-{n}"), &format!("scattered-{}", n % 10), &json!({"a": noise(n)}))
    });
    tenants.create_all(&scattered.collect::<Vec<_>>()).await;
    tenants.create_all(&[pool("scattered-9", "scattered", 1), cluster("scattered-9")]).await;
    tenants.says("Kafka", "scattered-9", &["KASTELLAN_MAX_CACHE_MIB"]).await;
    tenants.others_are_served(&operator, "more Secrets than there is room for").await;

    let mut values_of = Vec::new();
    for number in 0..4 {
        let mut huge = cluster(&format!("huge-{number}"));
        huge["spec"]["kafka"]["config"]["a"] = lists();
        let mut of_pool = pool(&format!("huge-{number}"), &format!("huge-{number}"), 1);
        let variables =
            (0..10_000).map(|n| json!({"name": format!("VARIABLE_{n}"), "value": "x".repeat(40)}));
        of_pool["spec"]["template"] = json!({"kafkaContainer": {"env": variables.collect::<Vec<_>>()}});
        let topic = json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {"name": format!("huge-{number}"), "labels": {"strimzi.io/cluster": "huge-0"}},
            "spec": {"config": {"a": lists()}}});
        values_of.extend([huge, of_pool, topic]);
    }
    let mut nested = cluster("nested");
    nested["spec"]["kafka"]["config"]["a"] = deep();
    values_of.push(nested);
    tenants.create_all(&values_of).await;
    tenants.says("Kafka", "nested", &["nests too deeply"]).await;
    tenants.says("Kafka", "huge-3", &["InvalidResourceException"]).await;
    tenants.others_are_served(&operator, "huge values").await;

    // An operator that comes back finds all of it at once.
    drop(operator);
    let operator = Process::start(&tenants.hostile, &values, None, &log).await;
    tenants.others_are_served(&operator, "a start in the middle of all that").await;
    drop(operator);
}

#[tokio::test(flavor = "multi_thread")]
async fn brokers_that_answer_to_do_harm_leave_the_operator_up_and_the_others_served() {
    let server = unbounded_server().await;
    let fate = |pod: &str| if pod.starts_with("evil-") { Fate::Ready } else { Fate::Running };
    let hostile = World::with_fates(server, "hostile-brokers", fate).await;
    let others = World::with(server, "others", Fate::Running).await;
    let watched = format!("watchNamespaces={{{}}}", others.namespace);
    let values = [watched.as_str()];
    let logs = tempfile::tempdir().unwrap();
    let log = logs.path().join("operator.log");
    let mut tenants = Tenants { hostile, others, clusters: 0 };
    let brokers = evil_brokers();
    let named =
        brokers.iter().map(|(cluster, pod, address)| (cluster.as_str(), pod.as_str(), address.clone()));
    let hosts = hosts(&tenants.hostile.namespace, &named.collect::<Vec<_>>());
    let operator = Process::start(&tenants.hostile, &values, Some(hosts.path()), &log).await;

    let mut answering = Vec::new();
    for (number, (cluster_name, pod, address)) in brokers.iter().enumerate() {
        tenants.create_all(&[pool(cluster_name, &format!("p{number}"), 1), cluster(cluster_name)]).await;
        tenants.hostile.until("Pod", pod, "is ready", |pod| pod.data["status"]["phase"] == "Running").await;
        let answer = if number == 0 { Answer::Claim } else { Answer::Long };
        answering.push(HostileBroker::start(&tenants.hostile, cluster_name, pod, address, answer).await);
    }
    let all_have = || async { answering.iter().all(|broker| broker.answered() > 1).then_some(()) };
    wait::until(DEADLINE, "every broker has answered more than once", all_have).await.unwrap();
    for (cluster, ..) in &brokers {
        let words = if cluster == "evil-0" {
            ["Kafka has not answered yet", "claims"]
        } else {
            ["options of broker 0", "of memory"]
        };
        tenants.says("Kafka", cluster, &words).await;
    }
    tenants
        .others_are_served(&operator, "answers that claim 137 GB, and very long ones of several clusters")
        .await;
}
