//! KafkaMirrorMaker2 against a real API server, under the rights of the chart, with a stand-in for the REST API of Kafka Connect.

use kube::ResourceExt;
use kube::api::{Api, DynamicObject};
use serde_json::{Value, json};
use test_support::connect_stand_in::UNSTARTED;
use test_support::stand_in::Fate;
use test_support::{ApiServer, ConnectStandIn, wait};

use crate::deletion::collect;
use crate::secrecy::secret;
use crate::world::{DEADLINE, World, condition, is_current, resource};

const KIND: &str = "KafkaMirrorMaker2";
const SOURCE: &str = "src->dst.MirrorSourceConnector";
const CHECKPOINT: &str = "src->dst.MirrorCheckpointConnector";

fn mirror(name: &str) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": KIND, "metadata": {"name": name},
        "spec": {"replicas": 1,
            "target": {"alias": "dst", "bootstrapServers": "dst:9092", "groupId": name, "configStorageTopic": "configs",
                "statusStorageTopic": "statuses", "offsetStorageTopic": "offsets"},
            "mirrors": [{"source": {"alias": "src", "bootstrapServers": "src:9092", "authentication": {
                    "type": "scram-sha-512", "username": "mm", "passwordSecret": {"secretName": "mm", "password": "p"}}},
                "topicsPattern": "orders.*", "sourceConnector": {"tasksMax": 2, "autoRestart": {"enabled": true},
                    "listOffsets": {"toConfigMap": {"name": "offsets"}}},
                "checkpointConnector": {"config": {"sync.group.offsets.enabled": true}}}]}})
}

/// A world whose operator asks the stand-in.
async fn world(prefix: &str, stand_in: &ConnectStandIn) -> World {
    world_with(prefix, stand_in, &[]).await
}

async fn world_with(prefix: &str, stand_in: &ConnectStandIn, variables: &[(&str, &str)]) -> World {
    let mut world = World::with(ApiServer::shared().await.unwrap(), prefix, Fate::Ready).await;
    world.set("KASTELLAN_CONNECT_ADDRESSES", &format!("*={}", stand_in.address()));
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "1000");
    for (name, value) in variables {
        world.set(name, value);
    }
    world.start_operator().await;
    collect(&world);
    world
}

fn ready(found: &DynamicObject) -> bool {
    let conditions = found.data["status"]["conditions"].as_array();
    is_current(found)
        && conditions
            .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}

/// What workers offer is asked beside the passes.
fn told_whole(found: &DynamicObject) -> bool {
    ready(found) && found.data["status"]["connectorPlugins"].is_array()
}

async fn until(what: &str, met: impl Fn() -> bool) {
    wait::until(DEADLINE, what, || async { met().then_some(()) }).await.unwrap();
}

fn unannotated(found: &DynamicObject) -> bool {
    found.annotations().is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn connectors_are_made_of_mirrors_led_and_told_of_in_the_status() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    stand_in.put("by-hand");
    stand_in.rebalance(2);
    let world = world("mirrors", &stand_in).await;
    world.apply(&mirror("m")).await;
    let missing = |found: &DynamicObject| condition(found, "NotReady", "InvalidResourceException").is_some();
    world.until(KIND, "m", "misses its Secret", missing).await;
    assert_eq!(stand_in.names(), ["by-hand"], "nothing is done about a resource that is wrong");
    world.apply(&secret("mm", &[("p", "hunter2")])).await;
    let found = world.promptly(KIND, "m", "is ready", told_whole).await;
    assert_eq!(stand_in.names(), [CHECKPOINT, SOURCE], "what the resource does not ask for is gone");
    let config = stand_in.config(SOURCE).unwrap();
    for (name, value) in [
        ("topics", "orders.*"),
        ("tasks.max", "2"),
        ("source.cluster.alias", "src"),
        ("target.cluster.alias", "dst"),
    ] {
        assert_eq!(config[name], value, "{config}");
    }
    assert!(!config.to_string().contains("hunter2"), "{config}");
    let status = &found.data["status"];
    let url = format!("http://m-mirrormaker2-api.{}.svc:8083", world.namespace);
    assert_eq!((&status["url"], &status["replicas"]), (&json!(url), &json!(1)), "{status}");
    assert_eq!(status["connectors"][1]["name"], SOURCE, "{status}");
    assert_eq!(status["connectorPlugins"][0]["class"], "A", "{status}");
    for (kind, name) in [
        ("StrimziPodSet", "m-mirrormaker2"),
        ("Service", "m-mirrormaker2-api"),
        ("NetworkPolicy", "m-mirrormaker2"),
        ("Role", "m-mirrormaker2"),
        ("RoleBinding", "m-mirrormaker2-role"),
    ] {
        world.exists(kind, name).await;
    }

    // A settled resource: one list in a pass, and nothing is written.
    let before = found.resource_version();
    let writes = || world.log.text().matches("carry_out: written").count();
    let written = writes();
    stand_in.take_requests();
    let mut seen = Vec::new();
    wait::until(DEADLINE, "passes go by", || {
        seen.extend(stand_in.take_requests());
        let passed = seen.len() >= 3;
        async move { passed.then_some(()) }
    })
    .await
    .unwrap();
    assert!(seen.iter().all(|request| request.starts_with("GET /connectors?")), "{seen:?}");
    assert_eq!(world.get(KIND, "m").await.resource_version(), before);
    assert_eq!(writes(), written, "{}", world.log.text());

    // States, and a connector whose section goes.
    let stopped = json!({"spec": {"mirrors": [{"source": mirror("m")["spec"]["mirrors"][0]["source"],
        "sourceConnector": {"state": "stopped", "listOffsets": {"toConfigMap": {"name": "offsets"}}}}]}});
    world.patch(KIND, "m", stopped).await;
    let is_stopped = |found: &DynamicObject| {
        ready(found) && found.data["status"]["connectors"][0]["connector"]["state"] == "STOPPED"
    };
    world.promptly(KIND, "m", "has a stopped connector", is_stopped).await;
    until("the checkpoint connector is gone", || stand_in.names() == [SOURCE]).await;

    // Offsets go into a ConfigMap that goes with the resource, and the annotations go.
    let ask = json!({"metadata": {"annotations": {"strimzi.io/connector-offsets": "list", "strimzi.io/mirrormaker-connector": SOURCE}}});
    world.patch(KIND, "m", ask).await;
    world.promptly(KIND, "m", "has its offsets listed", unannotated).await;
    let offsets = world.get("ConfigMap", "offsets").await;
    let text = offsets.data["data"]["src--dst.MirrorSourceConnector.json"].as_str().unwrap();
    assert!(text.contains("\"position\": 5"), "{text}");
    assert_eq!(offsets.owner_references()[0].name, "m");
    stand_in.take_requests();
    let ask = json!({"metadata": {"annotations": {"strimzi.io/connector-offsets": "reset", "strimzi.io/mirrormaker-connector": SOURCE}}});
    world.patch(KIND, "m", ask).await;
    world.promptly(KIND, "m", "has its offsets reset", unannotated).await;
    let requests = stand_in.take_requests();
    assert!(
        requests.iter().any(|request| request.starts_with("DELETE") && request.ends_with("/offsets")),
        "{requests:?}"
    );

    world.delete(KIND, "m").await;
    for (kind, name) in
        [("StrimziPodSet", "m-mirrormaker2"), ("Pod", "m-mirrormaker2-0"), ("ConfigMap", "offsets")]
    {
        world.gone(kind, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_is_told_and_restarted_and_a_resource_of_an_older_version_works() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    let world = world("old-mirrors", &stand_in).await;
    world.apply(&secret("mm", &[("p", "hunter2")])).await;
    let mut old = mirror("old");
    old["apiVersion"] = json!("kafka.strimzi.io/v1beta2");
    let spec = old["spec"].as_object_mut().unwrap();
    let target = spec.remove("target").unwrap();
    let source = spec["mirrors"][0].as_object_mut().unwrap().remove("source").unwrap();
    spec.insert("connectCluster".to_owned(), json!("dst"));
    let target = json!({"alias": "dst", "bootstrapServers": target["bootstrapServers"]});
    spec.insert("clusters".to_owned(), json!([source, target]));
    spec["mirrors"][0]["sourceCluster"] = json!("src");
    spec["mirrors"][0]["targetCluster"] = json!("dst");
    spec.insert("rack".to_owned(), json!({"topologyKey": "topology.kubernetes.io/zone"}));
    let mut v1beta2 = resource(KIND);
    v1beta2.version = "v1beta2".to_owned();
    v1beta2.api_version = "kafka.strimzi.io/v1beta2".to_owned();
    let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &v1beta2);
    let parameters = kube::api::PatchParams::apply("user").force();
    api.patch("old", &parameters, &kube::api::Patch::Apply(&old)).await.unwrap();
    let found = world.promptly(KIND, "old", "is ready", ready).await;
    assert!(condition(&found, "Warning", "DeprecatedFields").is_some(), "{}", found.data["status"]);
    assert_eq!(stand_in.names(), [CHECKPOINT, SOURCE]);
    assert_eq!(
        stand_in.config(SOURCE).unwrap()["consumer.client.rack"],
        "${strimzidir:/opt/kafka/init:rack.id}"
    );
    let bindings: Api<DynamicObject> = Api::all_with(world.client.clone(), &resource("ClusterRoleBinding"));
    let binding = format!("strimzi-{}-old-mirrormaker2-init", world.namespace);
    assert!(bindings.get_opt(&binding).await.unwrap().is_some());

    // A restart that Connect refuses while it divides its connectors is none, and is tried again in a moment.
    stand_in.rebalance(1);
    stand_in.fail(SOURCE);
    let restarted =
        |found: &DynamicObject| found.data["status"]["autoRestartStatuses"][0]["count"] == 1 && ready(found);
    let found = world.until(KIND, "old", "restarted what failed", restarted).await;
    assert_eq!(found.data["status"]["autoRestartStatuses"][0]["connectorName"], SOURCE);
    let restart = json!({"metadata": {"annotations": {"strimzi.io/restart-connector": format!("{CHECKPOINT}:includeTasks")}}});
    stand_in.take_requests();
    world.patch(KIND, "old", restart).await;
    world.promptly(KIND, "old", "was restarted", unannotated).await;
    let requests = stand_in.take_requests();
    assert!(requests.iter().any(|request| request.contains("restart?includeTasks=true")), "{requests:?}");

    // A resource that is paused is left alone, and what is cluster-wide goes with its resource.
    let pause = json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": "true"}}});
    world.patch(KIND, "old", pause).await;
    let paused = |found: &DynamicObject| {
        found.data["status"]["conditions"].to_string().contains("ReconciliationPaused")
    };
    world.promptly(KIND, "old", "is paused", paused).await;
    stand_in.put("by-hand");
    world.delete(KIND, "old").await;
    wait::for_absence(&bindings, &binding, DEADLINE).await.unwrap();
    assert!(stand_in.names().contains(&"by-hand".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connector_that_no_worker_starts_goes_with_its_mirror_and_one_that_stays_is_told_of() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    // From before the operator started, and without a state: Connect does not list it beside the others.
    let former = format!("{UNSTARTED}former->dst.MirrorSourceConnector");
    stand_in.put(&former);
    let world = world("unstarted-mirrors", &stand_in).await;
    world.apply(&secret("mm", &[("p", "hunter2")])).await;
    let with_alias = |alias: &str| {
        let mut whole = mirror("m");
        whole["spec"]["mirrors"][0]["source"]["alias"] = json!(alias);
        whole
    };
    let wrong = format!("{UNSTARTED}wrong");
    world.apply(&with_alias(&wrong)).await;
    let names =
        ["MirrorCheckpointConnector", "MirrorSourceConnector"].map(|class| format!("{wrong}->dst.{class}"));
    until("only those of the mirror are there", || stand_in.names() == names).await;
    world.apply(&with_alias("src")).await;
    world.promptly(KIND, "m", "is ready", ready).await;
    until("those of the former alias are gone", || stand_in.names() == [CHECKPOINT, SOURCE]).await;

    // A removal that Connect refuses is tried again later and later, and told.
    stand_in.take_requests();
    stand_in.refuse_removals(true);
    let mut alone = with_alias("src");
    alone["spec"]["mirrors"][0].as_object_mut().unwrap().remove("checkpointConnector");
    world.apply(&alone).await;
    let (mut lists, mut tries) = (0, 0);
    wait::until(DEADLINE, "passes go by after a try", || {
        for request in stand_in.take_requests() {
            tries += usize::from(request.starts_with("DELETE"));
            lists += usize::from(tries > 0 && request.starts_with("GET /connectors?"));
        }
        let passed = lists >= 2;
        async move { passed.then_some(()) }
    })
    .await
    .unwrap();
    assert!(tries <= 2, "{tries} tries, and not without end");
    let found = world.get(KIND, "m").await;
    assert!(!is_current(&found), "it is not done: {}", found.data["status"]);
    stand_in.refuse_removals(false);
    until("it is removed", || stand_in.names() == [SOURCE]).await;
    world.until(KIND, "m", "is ready as it is", ready).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_that_does_not_say_how_far_it_is_holds_nothing_up() {
    let stand_in = ConnectStandIn::start().await.unwrap();
    stand_in.say_offsets(json!({"offsets": [
        {"partition": {"cluster": "src", "topic": "orders", "partition": 0}, "offset": {"offset": 5}}]}));
    // It takes connections and says nothing.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let world = world_with("silent-sources", &stand_in, &[("KASTELLAN_MIRROR_LAG", "true")]).await;
    let mut whole = mirror("m");
    let address = silent.local_addr().unwrap().to_string();
    whole["spec"]["mirrors"][0]["source"] = json!({"alias": "src", "bootstrapServers": address});
    world.apply(&whole).await;
    let found = world.promptly(KIND, "m", "is ready", ready).await;
    assert_eq!(found.data["status"]["mirrors"], Value::Null, "{}", found.data["status"]);
    wait::until(DEADLINE, "the source is asked", || async { silent.accept().await.ok() }).await.unwrap();
    // It goes on while the source is waited for.
    whole["spec"]["mirrors"][0].as_object_mut().unwrap().remove("checkpointConnector");
    world.apply(&whole).await;
    until("the checkpoint connector is gone", || stand_in.names() == [SOURCE]).await;
    let told = json!([{"sourceAlias": "src"}]);
    let is_told = |found: &DynamicObject| ready(found) && found.data["status"]["mirrors"] == told;
    world.until(KIND, "m", "tells of a mirror of which nothing is known", is_told).await;
}
