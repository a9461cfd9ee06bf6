//! Listeners that are reached from elsewhere: what leads to them, and under which addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{World, condition, kafka_status, object, warning_with};
use planner::kafka::exposed::{Route, TlsRoute};
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

/// Three nodes of both roles and one listener.
fn world(type_: &str, tls: bool, configuration: &Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["listeners"] =
            json!([{"name": "ext", "port": 9094, "type": type_, "tls": tls, "configuration": configuration}]);
    });
    // Its Services are made.
    let plan = world.plan();
    world.apply(&plan);
    world
}

/// The pods that a plan makes, by name, with the addresses that they tell clients.
fn told(plan: &Plan) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for pod in object(plan, "StrimziPodSet", "my-dual")["spec"]["pods"].as_array().unwrap() {
        let name = pod["metadata"]["name"].as_str().unwrap();
        let file = object(plan, "ConfigMap", name)["data"]["server.config"].as_str().unwrap();
        let list = api::properties::parse(file).unwrap().get("advertised.listeners").unwrap().to_owned();
        let own = list.split(',').find_map(|item| item.strip_prefix("EXT-9094://")).unwrap_or("nothing");
        found.insert(name.to_owned(), own.to_owned());
    }
    found
}

fn bootstrap(plan: &Plan) -> String {
    kafka_status(plan)["listeners"][0]["bootstrapServers"].as_str().unwrap().to_owned()
}

fn not_ready(plan: &Plan) -> String {
    condition(plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

fn refusal(type_: &str, tls: bool, configuration: &Value) -> String {
    let plan = world(type_, tls, configuration).plan();
    assert!(plan.apply.is_empty(), "{type_} {configuration}");
    not_ready(&plan)
}

#[test]
fn brokers_behind_load_balancers_start_when_these_have_addresses_and_keep_the_old_ones_meanwhile() {
    let mut world = world("loadbalancer", true, &json!({}));
    let plan = world.plan();
    world.apply(&plan);
    assert_eq!(told(&plan), BTreeMap::new(), "no pod before its broker knows its address");
    assert!(not_ready(&plan).contains("Service my-dual-ext-0 has no address of a load balancer yet"));
    let service = object(&plan, "Service", "my-dual-ext-1");
    assert_eq!(service["spec"]["type"], "LoadBalancer");
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Cluster");
    assert_eq!(service["spec"]["selector"]["strimzi.io/pod-name"], "my-dual-1");
    assert_eq!(service["metadata"]["ownerReferences"][0]["kind"], "KafkaNodePool");
    // One of them comes first, and the brokers wait for the name with which clients begin: it stands in their certificates.
    world.balance("my-dual-ext-1", Some("192.0.2.1"));
    assert_eq!(told(&world.plan()), BTreeMap::new());
    world.balance("my-kafka-ext-bootstrap", Some("start.example.org"));
    let plan = world.plan();
    assert_eq!(told(&plan), BTreeMap::from([("my-dual-1".to_owned(), "192.0.2.1:9094".to_owned())]));
    world.balance("my-dual-ext-0", Some("zero.example.org"));
    world.balance("my-dual-ext-2", Some("192.0.2.2"));
    let plan = world.settle();
    assert_eq!(told(&plan)["my-dual-0"], "zero.example.org:9094");
    assert_eq!(bootstrap(&plan), "start.example.org:9094");
    assert!(condition(&plan, "Ready").is_some());
    let names = |world: &World, pod: &str| {
        let secret = &world.observed.secrets[pod];
        let text = String::from_utf8(secret.data.as_ref().unwrap()[&format!("{pod}.crt")].0.clone()).unwrap();
        let leaf = pki::CertificateChain::parse(&text).unwrap().first().info.clone();
        let ips = leaf.ip_addresses.iter().map(ToString::to_string);
        leaf.dns_names.iter().cloned().chain(ips).collect::<Vec<_>>()
    };
    for name in ["start.example.org", "zero.example.org"] {
        assert!(names(&world, "my-dual-0").contains(&name.to_owned()), "{name}");
    }
    assert!(names(&world, "my-dual-1").contains(&"192.0.2.1".to_owned()));
    // The load balancer is made anew: nothing restarts until it has its next address.
    let before = world.observed.secrets["my-dual-1"].clone();
    world.balance("my-dual-ext-1", None);
    world.balance("my-kafka-ext-bootstrap", None);
    let plan = world.plan();
    assert_eq!(told(&plan)["my-dual-1"], "192.0.2.1:9094");
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert!(warning_with(&plan, "ListenerAddressUnknown").unwrap().contains("my-dual-ext-1"));
    assert_eq!(bootstrap(&plan), "start.example.org:9094", "clients begin where they began");
    world.apply(&plan);
    assert_eq!(world.observed.secrets["my-dual-1"].data, before.data, "no new certificate either");
    world.balance("my-dual-ext-1", Some("192.0.2.9"));
    world.balance("my-kafka-ext-bootstrap", Some("start.example.org"));
    let plan = world.plan();
    assert_eq!(told(&plan)["my-dual-1"], "192.0.2.9:9094");
    assert_eq!(plan.roll.now, ["my-dual-1"], "it is told its new address");
}

#[test]
fn without_a_bootstrap_load_balancer_clients_begin_at_the_brokers() {
    let configuration = json!({"createBootstrapService": false, "class": "edge", "finalizers": ["a.example/b"],
        "loadBalancerSourceRanges": ["192.0.2.0/24"], "allocateLoadBalancerNodePorts": false, "externalTrafficPolicy": "Local",
        "ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"], "publishNotReadyAddresses": true,
        "perBrokerLabelsTemplate": {"team": "t{nodeId}"}, "perBrokerAnnotationsTemplate": {"dns": "{nodePodName}.example.org"},
        "brokers": [{"broker": 1, "advertisedHost": "one.example.org", "loadBalancerIP": "192.0.2.7", "labels": {"team": "own"}}]});
    let mut world = world("loadbalancer", false, &configuration);
    let plan = world.plan();
    world.apply(&plan);
    assert!(!plan.apply.iter().any(|object| object.reference.name == "my-kafka-ext-bootstrap"));
    assert_eq!(told(&plan)["my-dual-1"], "one.example.org:9094", "the load balancer need not say it");
    let service = object(&plan, "Service", "my-dual-ext-1");
    let metadata = &service["metadata"];
    assert_eq!(metadata["finalizers"], json!(["a.example/b"]));
    assert_eq!(metadata["labels"]["team"], "own");
    assert_eq!(metadata["annotations"]["dns"], "my-dual-1.example.org");
    assert_eq!(object(&plan, "Service", "my-dual-ext-2")["metadata"]["labels"]["team"], "t2");
    for (field, value) in [
        ("loadBalancerClass", json!("edge")),
        ("loadBalancerSourceRanges", json!(["192.0.2.0/24"])),
        ("allocateLoadBalancerNodePorts", json!(false)),
        ("externalTrafficPolicy", json!("Local")),
        ("ipFamilyPolicy", json!("PreferDualStack")),
        ("ipFamilies", json!(["IPv6", "IPv4"])),
        ("publishNotReadyAddresses", json!(true)),
        ("loadBalancerIP", json!("192.0.2.7")),
    ] {
        assert_eq!(service["spec"][field], value, "{field}");
    }
    world.balance("my-dual-ext-0", Some("192.0.2.1"));
    world.balance("my-dual-ext-2", Some("192.0.2.2"));
    assert_eq!(bootstrap(&world.settle()), "192.0.2.1:9094,one.example.org:9094,192.0.2.2:9094");
}

#[test]
fn one_more_broker_changes_no_certificate_of_the_others() {
    let mut world = world("loadbalancer", true, &json!({"createBootstrapService": false}));
    let plan = world.plan();
    world.apply(&plan);
    for id in 0..3 {
        world.balance(&format!("my-dual-ext-{id}"), Some(&format!("192.0.2.{id}")));
    }
    world.settle();
    let before = world.observed.secrets["my-dual-0"].data.clone();
    world.pool(0, |pool| pool["spec"]["replicas"] = json!(4));
    let plan = world.plan();
    world.apply(&plan);
    world.balance("my-dual-ext-3", Some("192.0.2.3"));
    let plan = world.settle();
    assert_eq!(world.observed.secrets["my-dual-0"].data, before);
    assert_eq!((told(&plan).len(), plan.roll.wanted.len()), (4, 0), "{:?}", plan.roll.wanted);
}

#[test]
fn founders_of_a_quorum_stay_voters_while_their_pods_wait_for_an_address() {
    let mut world = world("loadbalancer", false, &json!({}));
    let plan = world.plan();
    world.apply(&plan);
    world.balance("my-kafka-ext-bootstrap", Some("192.0.2.9"));
    world.balance("my-dual-ext-0", Some("192.0.2.0"));
    world.balance("my-dual-ext-1", Some("192.0.2.1"));
    let plan = world.plan();
    world.apply(&plan);
    world.run_everything();
    let quorum = world.observed.view.as_mut().unwrap().quorum.as_mut().unwrap();
    quorum.voters.insert(2, "directory-2".to_owned());
    assert_eq!(world.plan().calls, []);
}

#[test]
fn a_new_listener_restarts_brokers_once_its_addresses_are_known_and_not_before() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.kafka(|kafka| {
        let listeners = kafka["spec"]["kafka"]["listeners"].as_array_mut().unwrap();
        listeners.push(json!({"name": "ext", "port": 9097, "type": "loadbalancer", "tls": true}));
    });
    let plan = world.settle();
    assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
    assert!(warning_with(&plan, "ListenerAddressUnknown").is_some());
    for id in 0..3 {
        world.balance(&format!("my-dual-ext-{id}"), Some(&format!("192.0.2.{id}")));
    }
    let plan = world.settle();
    assert!(plan.roll.wanted.is_empty(), "the certificates would change once more: {:?}", plan.roll.wanted);
    world.balance("my-kafka-ext-bootstrap", Some("192.0.2.9"));
    let plan = world.plan();
    world.apply(&plan);
    assert_eq!(plan.roll.wanted.len(), 3);
    for pod in ["my-dual-0", "my-dual-1", "my-dual-2"] {
        world.restart(pod);
    }
    let plan = world.settle();
    assert!(plan.roll.wanted.is_empty() && condition(&plan, "Ready").is_some(), "{:?}", plan.roll.wanted);
}

#[test]
fn a_listener_that_leaves_the_node_ports_does_not_take_their_placeholder_along() {
    let mut world = world("nodeport", false, &json!({}));
    let plan = world.plan();
    world.apply(&plan);
    world.settle();
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"][0]["type"] = json!("loadbalancer"));
    let plan = world.plan();
    assert_eq!(told(&plan)["my-dual-0"], "nothing", "no pod can fill the placeholder any more");
}

#[test]
fn node_ports_are_told_with_the_address_of_the_node_that_the_pod_runs_on() {
    let configuration = json!({"preferredNodePortAddressType": "Hostname", "externalTrafficPolicy": "Local",
        "bootstrap": {"nodePort": 32000, "externalIPs": ["192.0.2.3"]},
        "brokers": [{"broker": 0, "nodePort": 32100}, {"broker": 1, "advertisedHost": "one.example.org", "advertisedPort": 12000}]});
    let mut world = world("nodeport", false, &configuration);
    let plan = world.settle();
    let addresses = told(&plan);
    let host = "${strimzifile:/opt/kafka/init/external.address:nodeport.hostname.address}";
    assert_eq!(addresses["my-dual-0"], format!("{host}:32100"));
    assert_eq!(addresses["my-dual-1"], "one.example.org:12000");
    assert!(addresses["my-dual-2"].starts_with(host) && addresses["my-dual-2"].contains(":310"));
    assert_eq!(bootstrap(&plan), "worker:32000");
    let service = object(&plan, "Service", "my-kafka-ext-bootstrap");
    assert_eq!(service["spec"]["externalIPs"], json!(["192.0.2.3"]));
    assert_eq!(service["spec"]["externalTrafficPolicy"], "Local");
    // The pods ask for the address of their node.
    let binding = plan.apply.iter().any(|object| object.reference.kind == "ClusterRoleBinding");
    let agent = object(&plan, "ConfigMap", "my-dual-0")["data"]["agent.config"].as_str().unwrap();
    let agent: Value = serde_json::from_str(agent).unwrap();
    assert!(binding && agent["nodePortAddresses"] == true, "{agent}");
    assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.waiting_for);
    assert!(plan.roll.wanted.is_empty());
}

#[test]
fn a_cluster_ip_listener_has_a_service_for_each_broker_and_its_names_in_the_certificates() {
    let mut world = world("cluster-ip", true, &json!({"advertisedPortTemplate": "20000 + {nodeId} * 10"}));
    let plan = world.settle();
    assert_eq!(told(&plan)["my-dual-2"], "my-dual-ext-2.s1.svc:20020");
    assert_eq!(bootstrap(&plan), "my-kafka-ext-bootstrap.s1.svc:9094");
    let service = object(&plan, "Service", "my-dual-ext-2");
    assert_eq!(service["spec"]["type"], "ClusterIP");
    assert_eq!(service["spec"]["ports"][0]["targetPort"], "tcp-ext");
    // The Services of the cluster lead to it no more.
    let names = |name: &str| {
        let ports = object(&plan, "Service", name)["spec"]["ports"].as_array().unwrap().clone();
        ports.iter().map(|port| port["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names("my-kafka-bootstrap"), ["tcp-replication"]);
    assert!(!names("my-kafka-brokers").contains(&"tcp-ext".to_owned()));
}

#[test]
fn ingresses_routes_and_tls_routes_lead_to_the_services_by_host_names() {
    let hosts = json!({"class": "nginx", "hostTemplate": "b{nodeId}.example.org",
        "bootstrap": {"host": "start.example.org", "annotations": {"x": "z"}}, "brokers": [{"broker": 1, "host": "one.example.org"}]});
    let plan = world("ingress", true, &hosts).settle();
    assert_eq!(told(&plan)["my-dual-0"], "b0.example.org:443");
    assert_eq!(told(&plan)["my-dual-1"], "one.example.org:443");
    assert_eq!(bootstrap(&plan), "start.example.org:443");
    let ingress = object(&plan, "Ingress", "my-kafka-ext-bootstrap");
    assert_eq!(ingress["spec"]["ingressClassName"], "nginx");
    assert_eq!(ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/ssl-passthrough"], "true");
    assert_eq!(ingress["metadata"]["annotations"]["x"], "z");
    let backend = &ingress["spec"]["rules"][0]["http"]["paths"][0]["backend"]["service"];
    assert_eq!(*backend, json!({"name": "my-kafka-ext-bootstrap", "port": {"number": 9094}}));

    // The hosts of Routes are made by the router.
    let mut openshift = world("route", true, &json!({}));
    let plan = openshift.plan();
    assert!(told(&plan).is_empty() && not_ready(&plan).contains("Route my-dual-ext-0 has no host yet"));
    let route = object(&plan, "Route", "my-dual-ext-0");
    assert_eq!(route["apiVersion"], "route.openshift.io/v1");
    assert_eq!(route["spec"]["tls"]["termination"], "passthrough");
    assert!(route["spec"].get("host").is_none());
    for name in ["my-dual-ext-0", "my-dual-ext-1", "my-dual-ext-2", "my-kafka-ext-bootstrap"] {
        let route = Route { hosts: vec![format!("{name}.apps.example.org")] };
        openshift.observed.exposed.routes.insert(name.to_owned(), Arc::new(route));
    }
    let plan = openshift.settle();
    assert_eq!(told(&plan)["my-dual-0"], "my-dual-ext-0.apps.example.org:443");
    assert_eq!(bootstrap(&plan), "my-kafka-ext-bootstrap.apps.example.org:443");

    let gateway = json!({"hostTemplate": "b{nodeId}.example.org", "bootstrap": {"host": "start.example.org"},
        "parentRefs": [{"name": "edge", "namespace": "infra", "sectionName": "tls"}]});
    let mut gateway = world("tlsroute", true, &gateway);
    let plan = gateway.plan();
    let route = object(&plan, "TLSRoute", "my-dual-ext-0");
    assert_eq!(route["apiVersion"], "gateway.networking.k8s.io/v1");
    assert_eq!(route["spec"]["hostnames"], json!(["b0.example.org"]));
    assert_eq!(
        route["spec"]["parentRefs"],
        json!([{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "edge", "namespace": "infra", "sectionName": "tls"}]),
        "with what the definition fills in: lists are compared as a whole"
    );
    assert_eq!(
        route["spec"]["rules"][0]["backendRefs"],
        json!([{"group": "", "kind": "Service", "name": "my-dual-ext-0", "port": 9094, "weight": 1}])
    );
    assert!(not_ready(&plan).contains("TLSRoute my-dual-ext-0 has been taken by no Gateway yet"));
    for name in ["my-dual-ext-0", "my-dual-ext-1", "my-dual-ext-2", "my-kafka-ext-bootstrap"] {
        gateway.observed.exposed.tls_routes.insert(name.to_owned(), Arc::new(TlsRoute { parents: 1 }));
    }
    let plan = gateway.settle();
    assert_eq!(told(&plan)["my-dual-2"], "b2.example.org:443");
    assert_eq!(bootstrap(&plan), "start.example.org:443");
}

#[test]
fn names_that_no_service_can_have_are_refused_before_anything_is_made() {
    let mut world = world("cluster-ip", false, &json!({}));
    world.pool(0, |pool| pool["metadata"]["name"] = json!("p".repeat(56)));
    let plan = world.plan();
    assert!(plan.apply.is_empty());
    assert!(not_ready(&plan).contains("the name of a Service"), "{}", not_ready(&plan));
}

#[test]
fn the_old_listener_called_external_keeps_its_names() {
    let mut world = world("nodeport", false, &json!({}));
    world.kafka(|kafka| kafka["spec"]["kafka"]["listeners"][0]["name"] = json!("external"));
    let plan = world.plan();
    object(&plan, "Service", "my-dual-0");
    object(&plan, "Service", "my-kafka-external-bootstrap");
}

#[test]
fn what_a_type_does_not_know_is_named_all_at_once() {
    let all = json!({"class": "a", "externalTrafficPolicy": "Local", "loadBalancerSourceRanges": ["::/0"],
        "ipFamilyPolicy": "SingleStack", "ipFamilies": ["IPv4"], "createBootstrapService": true, "finalizers": ["a.b/c"],
        "preferredNodePortAddressType": "Hostname", "publishNotReadyAddresses": true, "perBrokerAnnotationsTemplate": {},
        "perBrokerLabelsTemplate": {}, "hostTemplate": "a", "allocateLoadBalancerNodePorts": true, "parentRefs": [],
        "bootstrap": {"host": "a", "nodePort": 1, "loadBalancerIP": "1.2.3.4", "annotations": {}, "labels": {}, "externalIPs": []},
        "brokers": [{"broker": 0, "host": "a", "nodePort": 1, "loadBalancerIP": "1.2.3.4", "annotations": {}, "labels": {},
            "externalIPs": []}]});
    let message = refusal("internal", false, &all);
    for name in [
        "class",
        "externalTrafficPolicy",
        "loadBalancerSourceRanges",
        "ipFamilyPolicy",
        "ipFamilies",
        "createBootstrapService",
        "finalizers",
        "preferredNodePortAddressType",
        "publishNotReadyAddresses",
        "perBrokerAnnotationsTemplate",
        "perBrokerLabelsTemplate",
        "hostTemplate",
        "allocateLoadBalancerNodePorts",
        "parentRefs",
        "bootstrap.host",
        "bootstrap.nodePort",
        "bootstrap.loadBalancerIP",
        "bootstrap.annotations",
        "bootstrap.labels",
        "bootstrap.externalIPs",
        "brokers[0].host",
        "brokers[0].nodePort",
        "brokers[0].loadBalancerIP",
        "brokers[0].annotations",
        "brokers[0].labels",
        "brokers[0].externalIPs",
    ] {
        assert!(message.contains(&format!("configuration.{name}: does not apply")), "{name}: {message}");
    }
    assert!(
        refusal("nodeport", false, &json!({"useServiceDnsDomain": true}))
            .contains("only to internal, cluster-ip")
    );
}

#[test]
fn what_a_type_cannot_do_without_and_what_no_template_can_say_is_named() {
    for (type_, tls, configuration, said) in [
        ("route", false, json!({}), "listeners[0].tls: a listener of type \"route\""),
        ("ingress", false, json!({"bootstrap": {"host": "a"}}), "listeners[0].tls"),
        ("ingress", true, json!({}), "bootstrap.host: is missing"),
        (
            "ingress",
            true,
            json!({"bootstrap": {"host": "a"}, "brokers": [{"broker": 0, "host": "b"}]}),
            "host of broker 1",
        ),
        (
            "tlsroute",
            true,
            json!({"bootstrap": {"host": "a"}, "hostTemplate": "b{nodeId}"}),
            "parentRefs: is missing",
        ),
        (
            "tlsroute",
            true,
            json!({"parentRefs": [{"name": "a"}], "hostTemplate": "b"}),
            "bootstrap.host: is missing",
        ),
        (
            "ingress",
            true,
            json!({"bootstrap": {"host": "a/b"}, "hostTemplate": "b{nodeId}"}),
            "is not a host name",
        ),
        (
            "ingress",
            true,
            json!({"bootstrap": {"host": "a"}, "hostTemplate": "{node}"}),
            "unknown placeholder",
        ),
        (
            "nodeport",
            false,
            json!({"advertisedPortTemplate": "1 / 2"}),
            "advertisedPortTemplate: \"1 / 2\" has an unexpected",
        ),
        ("nodeport", false, json!({"advertisedPortTemplate": "65535 + {nodeId}"}), "yields 65536 for node 1"),
        (
            "nodeport",
            false,
            json!({"bootstrap": {"labels": {"strimzi.io/cluster": "b"}}}),
            "is set by the operator",
        ),
    ] {
        let message = refusal(type_, tls, &configuration);
        assert!(message.contains(said), "{said}: {message}");
    }
}

#[test]
fn the_examples_become_ready() {
    for (example, listeners) in [("listeners.yaml", 4), ("addresses-from-outside.yaml", 3)] {
        let mut world = World::example(example);
        let plan = world.plan();
        assert_eq!(condition(&plan, "NotReady").unwrap()["reason"], "Creating");
        world.apply(&plan);
        world.give_addresses();
        let plan = world.settle();
        assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.waiting_for);
        let told = kafka_status(&plan)["listeners"].clone();
        assert_eq!(told.as_array().unwrap().len(), listeners);
        assert!(!told.to_string().contains("\"bootstrapServers\":\"\""), "{told}");
    }
}

#[test]
fn a_load_balancer_keeps_the_class_that_kubernetes_lets_nobody_change() {
    let mut world = World::load("dual-role.input.yaml");
    let ask = |world: &mut World, class: Value| {
        world.kafka(|kafka| {
            kafka["spec"]["kafka"]["listeners"] = json!([{"name": "ext", "port": 9094, "type": "loadbalancer", "tls": true,
                "configuration": {"class": class}}]);
        });
    };
    ask(&mut world, json!("a.example/b"));
    let plan = world.plan();
    world.apply(&plan);
    for class in [json!("c.example/d"), Value::Null] {
        ask(&mut world, class);
        let plan = world.plan();
        let service = object(&plan, "Service", "my-kafka-ext-bootstrap");
        assert_eq!(service["spec"]["loadBalancerClass"], "a.example/b");
        let words = warning_with(&plan, "LoadBalancerClassStays").unwrap();
        assert!(words.contains("a.example/b"), "{words}");
    }
}
