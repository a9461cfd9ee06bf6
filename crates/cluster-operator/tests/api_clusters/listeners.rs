//! What leads to listeners from outside, against a real API server.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::core::DynamicObject;
use kube::{Api, ResourceExt};
use serde_json::{Value, json};
use test_support::{ApiServer, wait};

use crate::world::{DEADLINE, World, kafka, pool};

/// A definition of somebody else's, of which only the names matter here.
fn definition(group: &str, plural: &str, kind: &str) -> CustomResourceDefinition {
    let free = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
    serde_json::from_value(json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"),
            "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}},
        "spec": {"group": group, "scope": "Namespaced",
            "names": {"plural": plural, "singular": kind.to_lowercase(), "kind": kind, "listKind": format!("{kind}List")},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {"type": "object", "properties": {"spec": free, "status": free}}}}]},
    }))
    .unwrap()
}

async fn says(world: &World, kind: &str, name: &str, status: Value) {
    let patch = Patch::Merge(json!({"status": status}));
    world.api(kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
}

/// What a node tells clients, item by item.
async fn told(world: &World, pod: &str) -> Vec<String> {
    let map = world.get("ConfigMap", pod).await;
    let file = map.data["data"]["server.config"].as_str().unwrap();
    let list = api::properties::parse(file).unwrap().get("advertised.listeners").unwrap().to_owned();
    list.split(',').map(str::to_owned).collect()
}

fn with_listeners(listeners: &Value) -> Value {
    let mut kafka = kafka("c");
    kafka["spec"]["kafka"]["listeners"] = listeners.clone();
    kafka["spec"]["kafka"]["config"] = json!({});
    kafka["spec"].as_object_mut().unwrap().remove("entityOperator");
    kafka
}

#[tokio::test]
async fn a_broker_starts_when_what_leads_to_it_has_addresses_and_follows_them() {
    let world = World::start("listeners").await;
    world.apply(&pool("c", "dual", 1)).await;
    let balanced = json!({"name": "lb", "port": 9094, "type": "loadbalancer", "tls": true});
    let by_port = json!({"name": "np", "port": 9095, "type": "nodeport", "tls": false});
    let by_host = json!({"name": "ing", "port": 9096, "type": "ingress", "tls": true, "configuration": {
        "class": "nginx", "hostTemplate": "b{nodeId}.example.org", "bootstrap": {"host": "start.example.org"}}});
    let inside = json!({"name": "cip", "port": 9097, "type": "cluster-ip", "tls": false});
    world.apply(&with_listeners(&json!([balanced, by_port, by_host, inside]))).await;
    world
        .until("Kafka", "c", "says for what it waits", |kafka| {
            kafka.data["status"]
                .to_string()
                .contains("Service c-dual-lb-0 has no address of a load balancer yet")
        })
        .await;
    world.gone("Pod", "c-dual-0").await;
    says(&world, "Service", "c-dual-lb-0", json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}})).await;
    let start = json!({"loadBalancer": {"ingress": [{"hostname": "lb.example.org"}]}});
    says(&world, "Service", "c-kafka-lb-bootstrap", start).await;
    world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let ports = world.get("Service", "c-dual-np-0").await;
    let port = &ports.data["spec"]["ports"][0]["nodePort"];
    let told_now = told(&world, "c-dual-0").await;
    for address in [
        "LB-9094://192.0.2.1:9094".to_owned(),
        format!(
            "NP-9095://${{strimzifile:/opt/kafka/init/external.address:nodeport.default.address}}:{port}"
        ),
        "ING-9096://b0.example.org:443".to_owned(),
        format!("CIP-9097://c-dual-cip-0.{}.svc:9097", world.namespace),
    ] {
        assert!(told_now.contains(&address), "{address}: {told_now:?}");
    }
    world
        .until("Kafka", "c", "says where clients begin", |kafka| {
            let listeners = &kafka.data["status"]["listeners"];
            listeners[0]["bootstrapServers"] == "lb.example.org:9094"
                && listeners[2]["bootstrapServers"] == "start.example.org:443"
        })
        .await;
    let ingress = world.get("Ingress", "c-dual-ing-0").await;
    assert_eq!(ingress.data["spec"]["rules"][0]["host"], "b0.example.org");

    // The load balancer is another one: the broker is told, with one restart.
    let before = world.get("Pod", "c-dual-0").await.uid();
    says(&world, "Service", "c-dual-lb-0", json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.2"}]}})).await;
    let follows = || async {
        let all = told(&world, "c-dual-0").await;
        all.contains(&"LB-9094://192.0.2.2:9094".to_owned()).then_some(())
    };
    wait::until(DEADLINE, "the broker is told its new address", follows).await.unwrap();
    let is_new = |pod: &DynamicObject| pod.uid() != before && pod.data["status"]["phase"] == "Running";
    let restarted = world.until("Pod", "c-dual-0", "is a new pod", is_new).await;
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    assert_eq!(world.get("Pod", "c-dual-0").await.uid(), restarted.uid(), "it restarts once");

    // What leaves the resource leaves Kubernetes.
    world.apply(&with_listeners(&json!([inside]))).await;
    for (kind, name) in [
        ("Service", "c-dual-lb-0"),
        ("Service", "c-kafka-lb-bootstrap"),
        ("Service", "c-dual-np-0"),
        ("Ingress", "c-dual-ing-0"),
        ("Ingress", "c-kafka-ing-bootstrap"),
    ] {
        world.gone(kind, name).await;
    }
    world.exists("Service", "c-dual-cip-0").await;
}

#[tokio::test]
async fn one_load_balancer_serves_a_whole_cluster_through_a_proxy() {
    let world = World::start("single-address").await;
    world.apply(&pool("c", "dual", 2)).await;
    let single = json!({"name": "one", "port": 9094, "type": "loadbalancer", "tls": true,
        "configuration": {"singleAddress": {"firstBrokerPort": 19090}}});
    let inside = json!({"name": "in", "port": 9092, "type": "internal", "tls": false});
    world.apply(&with_listeners(&json!([inside, single]))).await;
    let deployment = world.exists("Deployment", "c-kafka-one-proxy").await;
    assert_eq!(deployment.data["spec"]["replicas"], 2);
    for kind in ["NetworkPolicy", "PodDisruptionBudget"] {
        world.exists(kind, "c-kafka-one-proxy").await;
    }
    let files =
        |map: &DynamicObject| map.data["data"]["clusters.json"].as_str().unwrap_or_default().to_owned();
    world
        .until("ConfigMap", "c-kafka-one-proxy", "leads to both brokers", |map| {
            files(map).contains("c-dual-one-0") && files(map).contains("c-dual-one-1")
        })
        .await;
    let service = world.get("Service", "c-kafka-one-bootstrap").await;
    assert_eq!(service.data["spec"]["type"], "LoadBalancer");
    assert_eq!(world.get("Service", "c-dual-one-0").await.data["spec"]["type"], "ClusterIP");
    let start = json!({"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}});
    says(&world, "Service", "c-kafka-one-bootstrap", start).await;
    world.until("Pod", "c-dual-1", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let told_now = told(&world, "c-dual-1").await;
    assert!(told_now.contains(&"ONE-9094://192.0.2.1:19091".to_owned()), "{told_now:?}");
    world
        .until("Kafka", "c", "says where clients begin", |kafka| {
            kafka.data["status"]["listeners"][1]["bootstrapServers"] == "192.0.2.1:9094"
        })
        .await;
    // Nothing is written again and again.
    let version = |object: &DynamicObject| object.resource_version();
    let before = world.get("Deployment", "c-kafka-one-proxy").await;
    let map = world.get("ConfigMap", "c-kafka-one-proxy").await;
    world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
    assert_eq!(version(&world.get("Deployment", "c-kafka-one-proxy").await), version(&before));
    assert_eq!(version(&world.get("ConfigMap", "c-kafka-one-proxy").await), version(&map));

    world.apply(&with_listeners(&json!([inside]))).await;
    for kind in ["Deployment", "ConfigMap", "NetworkPolicy", "PodDisruptionBudget"] {
        world.gone(kind, "c-kafka-one-proxy").await;
    }
    world.gone("Service", "c-kafka-one-bootstrap").await;
    world.gone("Service", "c-dual-one-1").await;
}

#[tokio::test]
async fn routes_and_tls_routes_are_made_where_their_kinds_exist() {
    // A server of its own: the kinds come to none of the other tests.
    let server: &'static ApiServer = Box::leak(Box::new(ApiServer::start().await.unwrap()));
    let client = server.client().await.unwrap();
    let definitions = [
        definition("route.openshift.io", "routes", "Route"),
        definition("gateway.networking.k8s.io", "tlsroutes", "TLSRoute"),
    ];
    let all: Api<CustomResourceDefinition> = Api::all(client);
    for definition in &definitions {
        all.create(&kube::api::PostParams::default(), definition).await.unwrap();
    }
    let mut world = World::without_operator(server, "routes").await;
    world.start_operator().await;
    world.apply(&pool("c", "dual", 1)).await;
    let route = json!({"name": "rt", "port": 9094, "type": "route", "tls": true});
    let tls_route = json!({"name": "gw", "port": 9095, "type": "tlsroute", "tls": true, "configuration": {
        "hostTemplate": "b{nodeId}.example.org", "bootstrap": {"host": "start.example.org"},
        "parentRefs": [{"name": "edge", "namespace": "infra"}]}});
    world.apply(&with_listeners(&json!([route, tls_route]))).await;
    world.exists("Route", "c-kafka-rt-bootstrap").await;
    let made = world.exists("TLSRoute", "c-dual-gw-0").await;
    assert_eq!(made.data["spec"]["parentRefs"][0]["name"], "edge");
    for name in ["c-kafka-rt-bootstrap", "c-dual-rt-0"] {
        let host = format!("{name}.apps.example.org");
        says(&world, "Route", name, json!({"ingress": [{"host": host, "routerName": "default"}]})).await;
    }
    for name in ["c-kafka-gw-bootstrap", "c-dual-gw-0"] {
        let parent =
            json!({"parentRef": {"name": "edge"}, "controllerName": "example.org/edge", "conditions": []});
        says(&world, "TLSRoute", name, json!({"parents": [parent]})).await;
    }
    world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    let addresses = told(&world, "c-dual-0").await;
    assert!(addresses.contains(&"RT-9094://c-dual-rt-0.apps.example.org:443".to_owned()), "{addresses:?}");
    assert!(addresses.contains(&"GW-9095://b0.example.org:443".to_owned()), "{addresses:?}");
    world
        .apply(&with_listeners(&json!([{"name": "in", "port": 9096, "type": "internal", "tls": false}])))
        .await;
    world.gone("Route", "c-dual-rt-0").await;
    world.gone("TLSRoute", "c-kafka-gw-bootstrap").await;
}

#[tokio::test]
async fn a_service_that_cannot_be_made_holds_up_nothing_but_itself() {
    let world = World::start("taken-port").await;
    let taken = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "other"}, "spec": {
        "type": "NodePort", "ports": [{"port": 80}]}});
    let other = world.apply(&taken).await;
    let port = &other.data["spec"]["ports"][0]["nodePort"];
    world.apply(&pool("c", "dual", 1)).await;
    let by_port = json!({"name": "np", "port": 9095, "type": "nodeport", "tls": false,
        "configuration": {"bootstrap": {"nodePort": port}}});
    let mut kafka = with_listeners(&json!([by_port]));
    world.apply(&kafka).await;
    world.until("Pod", "c-dual-0", "runs", |pod| pod.data["status"]["phase"] == "Running").await;
    world
        .until("Kafka", "c", "names the port", |kafka| {
            let status = kafka.data["status"].to_string();
            status.contains("c-kafka-np-bootstrap") && status.contains("already allocated")
        })
        .await;
    // What changes meanwhile is carried out.
    kafka["spec"]["kafka"]["config"] = json!({"queued.max.requests": 400});
    world.apply(&kafka).await;
    world
        .until("ConfigMap", "c-dual-0", "has the option", |map| {
            map.data["data"]["server.config"]
                .as_str()
                .is_some_and(|text| text.contains("queued.max.requests=400"))
        })
        .await;
    world.delete("Service", "other").await;
    world.exists("Service", "c-kafka-np-bootstrap").await;
}
