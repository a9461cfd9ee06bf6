//! One address for all brokers of a listener: the proxy, its Service, and what clients are told.

use std::collections::BTreeMap;

use crate::common::exposure::{exposed, world};
use crate::common::{World, condition, kafka_status, object, warning_with};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

fn told(plan: &Plan, pod: &str) -> String {
    let file = object(plan, "ConfigMap", pod)["data"]["server.config"].as_str().unwrap();
    let list = api::properties::parse(file).unwrap().get("advertised.listeners").unwrap().to_owned();
    list.split(',').find_map(|item| item.strip_prefix("EXT-9094://")).unwrap_or("nothing").to_owned()
}

fn file(plan: &Plan, name: &str) -> String {
    object(plan, "ConfigMap", "my-kafka-ext-proxy")["data"][name].as_str().unwrap().to_owned()
}

/// The resources of a file of the proxy, by name.
fn resources(plan: &Plan, name: &str) -> BTreeMap<String, Value> {
    let file: Value = serde_json::from_str(&file(plan, name)).unwrap();
    let all = file["resources"].as_array().unwrap().iter();
    all.map(|resource| (resource["name"].as_str().unwrap().to_owned(), resource.clone())).collect()
}

fn exists(plan: &Plan, kind: &str, name: &str) -> bool {
    plan.apply.iter().any(|object| object.reference.kind == kind && object.reference.name == name)
}

fn message(plan: &Plan) -> String {
    condition(plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

fn refusal(type_: &str, configuration: &Value) -> String {
    let plan = world(type_, configuration).plan();
    assert!(plan.apply.is_empty(), "{type_} {configuration}");
    message(&plan)
}

#[test]
fn one_load_balancer_has_a_port_for_each_broker_and_one_for_the_start() {
    let mut world = exposed("loadbalancer", &json!({"singleAddress": {}}));
    let plan = world.plan();
    assert!(message(&plan).contains("Service my-kafka-ext-bootstrap has no address of a load balancer yet"));
    let service = &object(&plan, "Service", "my-kafka-ext-bootstrap")["spec"];
    assert_eq!(service["type"], "LoadBalancer");
    let ports: Vec<String> = service["ports"]
        .as_array()
        .unwrap()
        .iter()
        .map(|port| format!("{} {} {}", port["name"].as_str().unwrap(), port["port"], port["targetPort"]))
        .collect();
    assert_eq!(
        ports,
        [
            "tcp-ext 9094 9094",
            "tcp-broker-0 20000 20000",
            "tcp-broker-1 20001 20001",
            "tcp-broker-2 20002 20002"
        ]
    );
    let of_proxy = json!({"strimzi.io/cluster": "my", "strimzi.io/kind": "Kafka", "strimzi.io/name": "my-kafka-ext-proxy"});
    assert_eq!(service["selector"], of_proxy);
    let of_broker = object(&plan, "Service", "my-dual-ext-1");
    assert_eq!(of_broker["spec"]["type"], "ClusterIP");
    assert_eq!(of_broker["spec"]["selector"]["strimzi.io/pod-name"], "my-dual-1");

    world.balance("my-kafka-ext-bootstrap", Some("kafka.example.org"));
    let plan = world.settle();
    assert_eq!(told(&plan, "my-dual-0"), "kafka.example.org:20000");
    assert_eq!(told(&plan, "my-dual-2"), "kafka.example.org:20002");
    assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.waiting_for);
    assert_eq!(kafka_status(&plan)["listeners"][0]["bootstrapServers"], "kafka.example.org:9094");
    // TLS ends in the brokers: their certificates have the one name.
    let secret = &world.observed.secrets["my-dual-2"];
    let text = String::from_utf8(secret.data.as_ref().unwrap()["my-dual-2.crt"].0.clone()).unwrap();
    let names = pki::CertificateChain::parse(&text).unwrap().first().info.dns_names.clone();
    assert!(names.iter().any(|name| name == "kafka.example.org"), "{names:?}");
}

#[test]
fn the_proxy_runs_as_restricted_as_it_can_and_reads_its_files_again() {
    let mut world = exposed("loadbalancer", &json!({"singleAddress": {"replicas": 3}}));
    let plan = world.plan();
    let deployment = &object(&plan, "Deployment", "my-kafka-ext-proxy")["spec"];
    assert_eq!(deployment["replicas"], 3);
    let pod = &deployment["template"]["spec"];
    assert_eq!(pod["automountServiceAccountToken"], false);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0];
    assert_eq!(container["image"], "envoyproxy/envoy:distroless-v1.40.0");
    assert_eq!(
        container["securityContext"],
        json!({"allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]}})
    );
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/ready");
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthy");
    assert_eq!(container["lifecycle"]["preStop"]["sleep"]["seconds"], 15);
    let folder = container["volumeMounts"][1]["mountPath"].as_str().unwrap();
    let bootstrap: Value = serde_json::from_str(&file(&plan, "bootstrap.json")).unwrap();
    for (source, name) in [("lds_config", "listeners.json"), ("cds_config", "clusters.json")] {
        let wanted = json!({"path": format!("{folder}/{name}"), "watched_directory": {"path": folder}});
        assert_eq!(bootstrap["dynamic_resources"][source]["path_config_source"], wanted);
    }
    assert_eq!(
        bootstrap["admin"]["address"],
        json!({"pipe": {"path": "/tmp/admin.sock"}}),
        "nobody else can"
    );
    assert_eq!(bootstrap["node"], json!({"id": "my-kafka-ext-proxy", "cluster": "my"}));
    let budget = &object(&plan, "PodDisruptionBudget", "my-kafka-ext-proxy")["spec"];
    assert_eq!(budget["maxUnavailable"], 1);
    assert_eq!(budget["selector"]["matchLabels"]["strimzi.io/name"], "my-kafka-ext-proxy");
}

#[test]
fn ports_lead_to_brokers_and_the_one_for_the_start_to_all_that_answer() {
    let mut world = exposed(
        "loadbalancer",
        &json!({"singleAddress": {"bootstrapPort": 29092, "firstBrokerPort": 19090}}),
    );
    let plan = world.plan();
    let listeners = resources(&plan, "listeners.json");
    assert_eq!(listeners.keys().collect::<Vec<_>>(), ["bootstrap", "broker-0", "broker-1", "broker-2"]);
    assert_eq!(
        listeners["bootstrap"]["address"]["socket_address"],
        json!({"address": "0.0.0.0", "port_value": 29092})
    );
    assert_eq!(
        listeners["broker-2"],
        json!({
            "@type": "type.googleapis.com/envoy.config.listener.v3.Listener",
            "name": "broker-2",
            "address": {"socket_address": {"address": "0.0.0.0", "port_value": 19092}},
            "filter_chains": [{"filters": [{"name": "tcp", "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                "stat_prefix": "broker-2", "cluster": "broker-2", "idle_timeout": "0s", "max_connect_attempts": 3}}]}],
            "per_connection_buffer_limit_bytes": 32768,
        })
    );
    let clusters = resources(&plan, "clusters.json");
    let hosts = |name: &str| -> Vec<String> {
        let all = clusters[name]["load_assignment"]["endpoints"][0]["lb_endpoints"].as_array().unwrap();
        let address = |one: &Value| one["endpoint"]["address"]["socket_address"].clone();
        all.iter()
            .map(|one| {
                format!("{}:{}", address(one)["address"].as_str().unwrap(), address(one)["port_value"])
            })
            .collect()
    };
    let of = |id: i32| format!("my-dual-ext-{id}.s1.svc.cluster.local.:9094");
    assert_eq!(hosts("broker-1"), [of(1)]);
    assert_eq!(hosts("bootstrap"), [of(0), of(1), of(2)]);
    for cluster in clusters.values() {
        assert_eq!(cluster["health_checks"][0]["tcp_health_check"], json!({}));
        assert_eq!(cluster["health_checks"][0]["healthy_threshold"], 1);
        assert!(cluster["circuit_breakers"]["thresholds"][0]["max_connections"].as_i64().unwrap() > 100_000);
    }
}

#[test]
fn the_proxy_takes_no_more_than_it_has_memory_for() {
    let limits = |resources: Value| {
        let mut world = exposed("loadbalancer", &json!({"singleAddress": resources}));
        let plan = world.plan();
        let deployment = object(&plan, "Deployment", "my-kafka-ext-proxy");
        let limits = &deployment["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"];
        let bootstrap: Value = serde_json::from_str(&file(&plan, "bootstrap.json")).unwrap();
        let [connections, heap] =
            ["0/typed_config/max_active_downstream_connections", "1/typed_config/max_heap_size_bytes"].map(
                |place| bootstrap.pointer(&format!("/overload_manager/resource_monitors/{place}")).cloned(),
            );
        // Whoever asks how the proxy is has an answer also when there are no connections left.
        let health = &bootstrap["static_resources"]["listeners"][0];
        assert_eq!(health["ignore_global_conn_limit"], true);
        let manager = &health["filter_chains"][0]["filters"][0]["typed_config"];
        assert_eq!(manager["request_headers_timeout"], "5s");
        for route in manager["route_config"]["virtual_hosts"][0]["routes"].as_array().unwrap() {
            let exact = json!({"name": ":path", "string_match": {"exact": route["match"]["path"]}});
            assert_eq!(route["match"]["headers"][1], exact, "nothing after the path");
        }
        json!([limits["memory"], connections, heap, bootstrap["overload_manager"]["actions"][0]["name"]])
    };
    let stops = "envoy.overload_actions.stop_accepting_connections";
    assert_eq!(limits(json!({})), json!(["512Mi", 10922, 512 << 20, stops]));
    let own = json!({"resources": {"limits": {"memory": "96Mi"}}});
    assert_eq!(limits(own), json!(["96Mi", 2048, 96 << 20, stops]));
    let none = json!({"resources": {"requests": {"memory": "96Mi"}}});
    assert_eq!(limits(none), json!([null, 50_000, null, null]));
}

#[test]
fn the_proxy_takes_the_clients_and_the_brokers_take_the_proxy_alone() {
    let mut world = exposed("loadbalancer", &json!({"singleAddress": {}}));
    let peers = json!([{"ipBlock": {"cidr": "192.0.2.0/24"}}]);
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"][0]["networkPolicyPeers"] = peers.clone());
    let plan = world.plan();
    let rules = object(&plan, "NetworkPolicy", "my-kafka-ext-proxy")["spec"]["ingress"].clone();
    let ports: Vec<&Value> = rules[0]["ports"].as_array().unwrap().iter().map(|port| &port["port"]).collect();
    assert_eq!(ports, [9094, 20000, 20001, 20002]);
    assert_eq!(rules[0]["from"], peers);
    assert_eq!((&rules[1]["ports"][0]["port"], &rules[1]["from"]), (&json!(9404), &Value::Null));
    let of_kafka = object(&plan, "NetworkPolicy", "my-network-policy-kafka")["spec"]["ingress"].clone();
    let rule = of_kafka.as_array().unwrap().iter().find(|rule| rule["ports"][0]["port"] == 9094).unwrap();
    let labels = &rule["from"][0]["podSelector"]["matchLabels"];
    assert_eq!(labels["strimzi.io/name"], "my-kafka-ext-proxy");
    assert_eq!(rule["from"].as_array().unwrap().len(), 1);
}

#[test]
fn a_broker_more_restarts_no_proxy_and_changes_no_port_of_another() {
    let mut world = exposed("loadbalancer", &json!({"singleAddress": {}}));
    world.balance("my-kafka-ext-bootstrap", Some("192.0.2.1"));
    let before = world.settle();
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(4));
    let plan = world.plan();
    world.apply(&plan);
    let plan = world.settle();
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert_eq!(told(&plan, "my-dual-3"), "192.0.2.1:20003");
    assert_eq!(
        object(&plan, "Deployment", "my-kafka-ext-proxy")["spec"]["template"],
        object(&before, "Deployment", "my-kafka-ext-proxy")["spec"]["template"]
    );
    let (old, new) = (resources(&before, "listeners.json"), resources(&plan, "listeners.json"));
    assert!(old.iter().all(|(name, listener)| new[name] == *listener));
    assert!(new.contains_key("broker-3"));
    let (old, new) = (resources(&before, "clusters.json"), resources(&plan, "clusters.json"));
    assert!(old.iter().filter(|(name, _)| *name != "bootstrap").all(|(name, cluster)| new[name] == *cluster));
}

#[test]
fn within_kubernetes_and_on_node_ports_there_is_one_address_too() {
    let mut world = exposed(
        "cluster-ip",
        &json!({"singleAddress": {"firstBrokerPort": 30000}, "useServiceDnsDomain": true}),
    );
    let plan = world.settle();
    assert_eq!(told(&plan, "my-dual-1"), "my-kafka-ext-bootstrap.s1.svc.cluster.local:30001");
    assert_eq!(object(&plan, "Service", "my-kafka-ext-bootstrap")["spec"]["type"], "ClusterIP");

    let configuration = json!({"singleAddress": {}, "bootstrap": {"nodePort": 32000},
        "brokers": [{"broker": 1, "nodePort": 32001}, {"broker": 2, "advertisedHost": "edge.example.org", "advertisedPort": 443}]});
    let mut world = exposed("nodeport", &configuration);
    let plan = world.settle();
    let placeholder = "${strimzifile:/opt/kafka/init/external.address:nodeport.default.address}";
    assert_eq!(told(&plan, "my-dual-1"), format!("{placeholder}:32001"));
    assert_eq!(told(&plan, "my-dual-2"), "edge.example.org:443");
    let service = &world.observed.exposed.services["my-kafka-ext-bootstrap"];
    let ports = service.spec.as_ref().unwrap().ports.clone().unwrap();
    let zero =
        ports.iter().find(|port| port.name.as_deref() == Some("tcp-broker-0")).unwrap().node_port.unwrap();
    assert_eq!(told(&plan, "my-dual-0"), format!("{placeholder}:{zero}"));
    assert_eq!(kafka_status(&plan)["listeners"][0]["addresses"][0]["port"], 32000);
    let of_broker = object(&plan, "Service", "my-dual-ext-1");
    assert!(of_broker["spec"]["ports"][0]["nodePort"].is_null(), "{of_broker}");
}

#[test]
fn the_options_of_the_listener_are_those_of_the_one_service() {
    let configuration = json!({"singleAddress": {"resources": {"limits": {"memory": "128Mi"}}},
        "class": "edge", "loadBalancerSourceRanges": ["192.0.2.0/24"], "externalTrafficPolicy": "Local",
        "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"],
        "bootstrap": {"loadBalancerIP": "192.0.2.7", "annotations": {"a": "b"}},
        "perBrokerLabelsTemplate": {"team": "t{nodeId}"}});
    let mut world = exposed("loadbalancer", &configuration);
    let plan = world.plan();
    let service = object(&plan, "Service", "my-kafka-ext-bootstrap");
    for (field, value) in [
        ("loadBalancerClass", json!("edge")),
        ("loadBalancerSourceRanges", json!(["192.0.2.0/24"])),
        ("externalTrafficPolicy", json!("Local")),
        ("ipFamilies", json!(["IPv6", "IPv4"])),
        ("loadBalancerIP", json!("192.0.2.7")),
    ] {
        assert_eq!(service["spec"][field], value, "{field}");
    }
    assert_eq!(service["metadata"]["annotations"]["a"], "b");
    let of_broker = object(&plan, "Service", "my-dual-ext-1");
    assert_eq!(of_broker["metadata"]["labels"]["team"], "t1");
    for field in ["loadBalancerClass", "loadBalancerSourceRanges", "externalTrafficPolicy", "loadBalancerIP"]
    {
        assert!(of_broker["spec"][field].is_null(), "{field}");
    }
    assert_eq!(
        resources(&plan, "listeners.json")["broker-0"]["address"]["socket_address"],
        json!({"address": "::", "port_value": 20000, "ipv4_compat": true})
    );
    let container =
        &object(&plan, "Deployment", "my-kafka-ext-proxy")["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["resources"], json!({"limits": {"memory": "128Mi"}}));
}

#[test]
fn without_the_option_the_proxy_goes_and_each_broker_has_its_address_again() {
    let mut world = exposed("loadbalancer", &json!({"singleAddress": {}}));
    world.balance("my-kafka-ext-bootstrap", Some("192.0.2.1"));
    world.settle();
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"][0].as_object_mut().unwrap().remove("configuration");
    });
    let plan = world.plan();
    let mut gone: Vec<String> =
        plan.delete.iter().map(|gone| format!("{} {}", gone.object.kind, gone.object.name)).collect();
    gone.sort();
    let name = "my-kafka-ext-proxy";
    let kinds = ["ConfigMap", "Deployment", "NetworkPolicy", "PodDisruptionBudget"];
    assert_eq!(gone, kinds.map(|kind| format!("{kind} {name}")));
    assert_eq!(object(&plan, "Service", "my-dual-ext-1")["spec"]["type"], "LoadBalancer");
    assert_eq!(
        told(&plan, "my-dual-1"),
        "192.0.2.1:20001",
        "what clients were told holds until there is more"
    );
    // The whole listener goes.
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"] =
            json!([{"name": "in", "port": 9092, "type": "internal", "tls": false}]);
    });
    let plan = world.plan();
    assert!(plan.delete.iter().any(|gone| gone.object.name == name && gone.object.kind == "Deployment"));
}

#[test]
fn nothing_is_led_to_what_belongs_to_somebody_else() {
    let mut world = world("loadbalancer", &json!({"singleAddress": {}}));
    world.strangers.insert(("Service", "my-dual-ext-1"), json!({"name": "my-dual-ext-1", "namespace": "s1"}));
    for _ in 0..2 {
        let plan = world.plan();
        world.apply(&plan);
    }
    let plan = world.plan();
    let clusters = resources(&plan, "clusters.json");
    assert_eq!(clusters.keys().collect::<Vec<_>>(), ["bootstrap", "broker-0", "broker-2"]);
    assert!(!file(&plan, "clusters.json").contains("my-dual-ext-1"));
    assert!(warning_with(&plan, "ForeignObject").unwrap().contains("my-dual-ext-1"));

    let mut world = self::world("loadbalancer", &json!({"singleAddress": {}}));
    world.strangers.insert(
        ("ConfigMap", "my-kafka-ext-proxy"),
        json!({"name": "my-kafka-ext-proxy", "namespace": "s1"}),
    );
    for _ in 0..2 {
        let plan = world.plan();
        world.apply(&plan);
    }
    world.balance("my-kafka-ext-bootstrap", Some("192.0.2.1"));
    let plan = world.plan();
    assert!(!exists(&plan, "Deployment", "my-kafka-ext-proxy"), "it would run with files of somebody else's");
    assert!(exists(&plan, "StrimziPodSet", "my-dual"), "the brokers do without it");
}

#[test]
fn what_does_not_go_with_a_single_address_is_refused_with_what_to_write() {
    for (type_, configuration, says) in [
        (
            "internal",
            json!({"singleAddress": {}}),
            "listeners[0].configuration.singleAddress: does not apply",
        ),
        (
            "ingress",
            json!({"singleAddress": {}, "bootstrap": {"host": "a.example"}, "hostTemplate": "b{nodeId}.example"}),
            "only to loadbalancer, nodeport, cluster-ip",
        ),
        (
            "loadbalancer",
            json!({"singleAddress": {"bootstrapPort": 1023}}),
            "singleAddress.bootstrapPort: 1023 cannot be used",
        ),
        (
            "loadbalancer",
            json!({"singleAddress": {"bootstrapPort": 9404}}),
            "singleAddress.bootstrapPort: 9404 cannot be used",
        ),
        ("loadbalancer", json!({"singleAddress": {"bootstrapPort": 65536}}), "from 1024 to 65535"),
        (
            "loadbalancer",
            json!({"singleAddress": {"firstBrokerPort": 80}}),
            "singleAddress.firstBrokerPort: 80 cannot be used",
        ),
        (
            "loadbalancer",
            json!({"singleAddress": {"firstBrokerPort": 65534}}),
            "65534 leaves broker 2 without a port",
        ),
        (
            "loadbalancer",
            json!({"singleAddress": {"firstBrokerPort": 9093}}),
            "9093 gives broker 1 the port 9094, with which clients begin",
        ),
        (
            "loadbalancer",
            json!({"singleAddress": {"firstBrokerPort": 9402}}),
            "9402 gives broker 2 the port 9404",
        ),
        (
            "loadbalancer",
            json!({"singleAddress": {"replicas": 0}}),
            "singleAddress.replicas: 0 is not possible",
        ),
        ("loadbalancer", json!({"singleAddress": {"replicas": 21}}), "write a number from 1 to 20"),
        (
            "loadbalancer",
            json!({"singleAddress": {}, "createBootstrapService": false}),
            "createBootstrapService: false does not go",
        ),
        ("nodeport", json!({"singleAddress": {}, "externalTrafficPolicy": "Local"}), "write Cluster"),
        (
            "loadbalancer",
            json!({"singleAddress": {}, "brokers": [{"broker": 0, "loadBalancerIP": "192.0.2.1"}]}),
            "brokers[0].loadBalancerIP: does not go with singleAddress",
        ),
        (
            "nodeport",
            json!({"singleAddress": {}, "brokers": [{"broker": 0, "externalIPs": ["192.0.2.1"]}]}),
            "brokers[0].externalIPs: does not go with singleAddress",
        ),
    ] {
        let said = refusal(type_, &configuration);
        assert!(said.contains(says), "{type_} {configuration}: {said}");
    }
}

#[test]
fn a_name_that_leaves_no_room_for_the_proxy_is_refused() {
    let mut world = world("loadbalancer", &json!({"singleAddress": {}}));
    world.kafka(|kafka| kafka["metadata"]["name"] = json!("a".repeat(48)));
    for pool in 0..world.observed.pools.len() {
        world.pool(pool, |pool| pool["metadata"]["labels"]["strimzi.io/cluster"] = json!("a".repeat(48)));
    }
    assert!(message(&world.plan()).contains("metadata.name"));
}

#[test]
fn the_files_of_the_largest_cluster_are_small_enough_to_be_read() {
    let mut world = world("loadbalancer", &json!({"singleAddress": {}}));
    world.pool(0, |pool| {
        pool["spec"]["replicas"] = json!(3);
    });
    let mut brokers = serde_json::to_value(world.observed.pools[0].as_ref()).unwrap();
    brokers["metadata"]["name"] = json!("brokers-with-a-name");
    brokers["metadata"]["uid"] = json!("other");
    brokers["spec"]["roles"] = json!(["broker"]);
    brokers["spec"]["replicas"] = json!(297);
    world.observed.pools.push(std::sync::Arc::new(serde_json::from_value(brokers).unwrap()));
    for _ in 0..2 {
        let plan = world.plan();
        world.apply(&plan);
    }
    let plan = world.plan();
    let length = file(&plan, "listeners.json").len() + file(&plan, "clusters.json").len();
    assert_eq!(resources(&plan, "listeners.json").len(), 301);
    // What the operator reads again of one ConfigMap (KASTELLAN_MAX_SECRET_KIB), and Kubernetes stores of one, is more.
    assert!(length < 450 * 1024, "{length}");
}

#[test]
fn the_example_becomes_ready() {
    let mut world = World::example("single-address.yaml");
    for _ in 0..2 {
        let plan = world.plan();
        world.apply(&plan);
    }
    world.balance("one-address-kafka-external-bootstrap", Some("192.0.2.1"));
    let plan = world.settle();
    assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.waiting_for);
    let file = object(&plan, "ConfigMap", "one-address-dual-2")["data"]["server.config"].as_str().unwrap();
    assert!(file.contains("EXTERNAL-9094://kafka.example.org:19092"), "{file}");
}
