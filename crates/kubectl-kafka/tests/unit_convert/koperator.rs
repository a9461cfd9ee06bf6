use kubectl_kafka::convert::{Weight, summary, text};
use serde_json::json;

use crate::{converted, find, input, notes, says};

#[test]
fn brokers_become_pools_of_those_that_are_alike_and_keep_their_ids() {
    let conversion = converted(&input("koperator"));
    let pool = find(&conversion, "KafkaNodePool", "default");
    assert_eq!(pool["metadata"]["namespace"], "streaming");
    assert_eq!(pool["metadata"]["annotations"]["strimzi.io/next-node-ids"], "[0-2]");
    let spec = &pool["spec"];
    assert_eq!((&spec["replicas"], &spec["roles"]), (&json!(3), &json!(["broker"])));
    assert_eq!(
        spec["storage"],
        json!({"type": "jbod", "volumes": [
            {"id": 0, "type": "persistent-claim", "size": "10Gi", "class": "fast"},
            {"id": 1, "type": "persistent-claim", "size": "20Gi"},
        ]})
    );
    assert_eq!(spec["resources"]["requests"], json!({"cpu": "1", "memory": "4Gi"}));
    assert_eq!(
        spec["jvmOptions"],
        json!({"-Xmx": "2G", "-Xms": "2G", "-XX": {"UseG1GC": "true", "MaxGCPauseMillis": "20"},
            "javaSystemProperties": [{"name": "sun.net.inetaddr.ttl", "value": "60"}]})
    );
    let pod = &spec["template"]["pod"];
    assert_eq!(pod["metadata"]["annotations"], json!({"owner": "data"}));
    assert_eq!(pod["terminationGracePeriodSeconds"], 120);
    assert_eq!(pod["tolerations"][0]["key"], "kafka");
    let affinity = pod["affinity"].to_string();
    assert!(
        affinity.contains(r#""values":["nvme"]"#) && affinity.contains("kubernetes.io/hostname"),
        "{affinity}"
    );
    assert_eq!(spec["template"]["kafkaContainer"]["env"], json!([{"name": "TZ", "value": "Europe/Berlin"}]));
    let spare = find(&conversion, "KafkaNodePool", "spare");
    assert_eq!(spare["metadata"]["annotations"]["strimzi.io/next-node-ids"], "[10]");
    assert_eq!(
        spare["spec"]["storage"]["volumes"],
        json!([{"id": 0, "type": "ephemeral", "sizeLimit": "5Gi"}])
    );
    let controllers = find(&conversion, "KafkaNodePool", "controller");
    assert_eq!(controllers["spec"]["storage"]["volumes"][0]["class"], "fast");
    assert_eq!(controllers["spec"]["template"]["pod"]["tolerations"][0]["key"], "kafka");
    let kafka = find(&conversion, "Kafka", "events");
    assert_eq!(kafka["spec"]["kafka"]["nodeConfig"], json!({"2": {"num.io.threads": 16}}));
    says(&conversion, Weight::Changed, &["spec.brokers[2] num.io.threads", "= 16", "nodeConfig"]);
    says(&conversion, Weight::Lost, &["spec.brokers[3].brokerConfig.containers", "busybox"]);
    says(&conversion, Weight::Lost, &["spec.envs[1]", "CLASSPATH+"]);
    says(&conversion, Weight::Changed, &["mountPath", "/kafka-logs-2", "/var/lib/kafka/data-1"]);
}

#[test]
fn what_holds_for_the_cluster_becomes_fields_of_the_kafka_resource() {
    let conversion = converted(&input("koperator"));
    let kafka = find(&conversion, "Kafka", "events");
    assert_eq!(kafka["metadata"]["labels"], json!({"team": "data"}));
    let spec = &kafka["spec"]["kafka"];
    assert_eq!(
        spec["config"],
        json!({"auto.create.topics.enable": false, "background.threads": 20, "default.replication.factor": 3,
            "min.insync.replicas": 2})
    );
    assert_eq!(
        spec["authorization"],
        json!({"type": "simple", "superUsers": ["CN=admin", "CN=ops,O=example"]})
    );
    assert_eq!(spec["rack"], json!({"topologyKey": "topology.kubernetes.io/zone"}));
    assert_eq!(spec["template"]["podDisruptionBudget"], json!({"maxUnavailable": 2}));
    assert_eq!(
        spec["template"]["bootstrapService"]["metadata"]["annotations"],
        json!({"example.com/team": "data"})
    );
    assert_eq!(kafka["spec"]["entityOperator"], json!({"topicOperator": {}, "userOperator": {}}));
    for words in [
        ["spec.alertManagerConfig", "upScaleLimit", "autoscaler"],
        ["spec.cruiseControlConfig", "topicConfig", "KafkaRebalance"],
        ["spec.unheardOf", "{\"a\":1}", "not known"],
        ["brokerAnnotations.prometheus.io/port", "9020", "9404"],
    ] {
        says(&conversion, Weight::Lost, &words);
    }
    for words in [
        ["spec.zkAddresses", "zookeeper-client.zookeeper:2181", "controllers"],
        ["spec.clusterImage", "2.13-3.4.1", "apache/kafka"],
        ["spec.readOnlyConfig.inter.broker.protocol.version", "3.4", "metadataVersion"],
        ["spec.rackAwareness.labels", "region", "topology.kubernetes.io/zone"],
    ] {
        says(&conversion, Weight::Changed, &words);
    }
}

#[test]
fn listeners_keep_name_port_encryption_and_authentication() {
    let conversion = converted(&input("koperator"));
    let listeners = find(&conversion, "Kafka", "events")["spec"]["kafka"]["listeners"].clone();
    assert_eq!(
        listeners,
        json!([
            {"name": "internal", "port": 29092, "type": "internal", "tls": true, "authentication": {"type": "tls"}},
            {"name": "plaintextfo", "port": 9092, "type": "internal", "tls": false},
            {"name": "external", "port": 9094, "type": "loadbalancer", "tls": false, "configuration": {
                "bootstrap": {"annotations": {"example.com/balancer": "internal"}},
                "advertisedHostTemplate": "kafka.example.com",
                "singleAddress": {"bootstrapPort": 29092, "firstBrokerPort": 19090},
            }},
            {"name": "nodes", "port": 9095, "type": "nodeport", "tls": true, "authentication": {"type": "scram-sha-512"},
                "configuration": {
                    "externalTrafficPolicy": "Local",
                    "advertisedHostTemplate": "events-{nodeId}.streaming.example.com",
                    "brokers": [
                        {"broker": 0, "nodePort": 32000}, {"broker": 1, "nodePort": 32001},
                        {"broker": 2, "nodePort": 32002}, {"broker": 10, "nodePort": 32010},
                    ],
                }},
        ])
    );
    says(&conversion, Weight::Changed, &["internalListeners[2].containerPort", "9020", "9092"]);
    says(&conversion, Weight::Changed, &["externalStartingPort", "19090", "singleAddress", "29092"]);
    // A broker whose number leaves no port has an address of its own.
    let far = input("koperator").replace("id: 10\n", "id: 60000\n");
    let conversion = converted(&far);
    let external =
        find(&conversion, "Kafka", "events")["spec"]["kafka"]["listeners"][2]["configuration"].clone();
    assert_eq!(external["bootstrap"]["alternativeNames"], json!(["kafka.example.com"]));
    assert_eq!(external.get("singleAddress"), None);
    says(&conversion, Weight::Lost, &["hostnameOverride", "kafka.example.com", "advertisedHostTemplate"]);
}

#[test]
fn nodes_with_roles_of_their_own_keep_them() {
    let conversion = converted(&input("koperator-kraft"));
    let controllers = find(&conversion, "KafkaNodePool", "default");
    assert_eq!(
        (&controllers["spec"]["replicas"], &controllers["spec"]["roles"]),
        (&json!(3), &json!(["controller"]))
    );
    assert_eq!(controllers["metadata"]["annotations"]["strimzi.io/next-node-ids"], "[0-2]");
    let brokers = find(&conversion, "KafkaNodePool", "broker");
    assert_eq!(brokers["metadata"]["annotations"]["strimzi.io/next-node-ids"], "[100-102]");
    assert_eq!(conversion.resources().count(), 3);
}

#[test]
fn a_product_made_from_koperator_is_understood() {
    let conversion = converted(&input("tenxcloud"));
    let pool = find(&conversion, "KafkaNodePool", "broker");
    assert_eq!(pool["spec"]["jvmOptions"], json!({"-Xmx": "4096m", "-Xms": "4096m"}));
    assert_eq!(pool["spec"]["resources"]["limits"], json!({"cpu": "2", "memory": "8Gi"}));
    assert_eq!(pool["spec"]["storage"]["volumes"][0]["class"], "2-38");
    let config = &find(&conversion, "Kafka", "kafka-olm")["spec"]["kafka"]["config"];
    assert_eq!(config["auto.create.topics.enable"], true);
    assert_eq!(config["socket.request.max.bytes"], 1_195_725_956);
    says(&conversion, Weight::Lost, &["spec.kafkaManager"]);
    says(&conversion, Weight::Lost, &["spec.brokerConfigs[0]", "externalPort", "29637", "nodeport"]);
    let all = format!("{}{}", text(&conversion).unwrap(), summary(&conversion));
    assert!(!all.contains("'123'") && !all.contains("\"123\"") && !all.contains("= 123"), "{all}");
}

#[test]
fn topics_and_users_are_put_to_their_cluster() {
    let conversion =
        converted(&format!("{}---\n{}", input("koperator"), input("koperator-topics-and-users")));
    let topic = find(&conversion, "KafkaTopic", "orders");
    assert_eq!(topic["metadata"]["namespace"], "streaming");
    assert_eq!(topic["metadata"]["labels"], json!({"strimzi.io/cluster": "events"}));
    assert_eq!(topic["metadata"]["annotations"], json!({"strimzi.io/managed": "false"}));
    assert_eq!(
        topic["spec"],
        json!({"topicName": "Orders_v1", "partitions": 3, "config": {"retention.ms": 604_800_000, "cleanup.policy": "delete"}})
    );
    let user = find(&conversion, "KafkaUser", "shop");
    assert_eq!(user["spec"]["authentication"], json!({"type": "tls", "validityDays": 2, "renewalDays": 1}));
    assert_eq!(
        user["spec"]["authorization"],
        json!({"type": "simple", "acls": [
            {"resource": {"type": "topic", "name": "Orders_v1", "patternType": "literal"},
                "operations": ["Read", "Write", "Create", "Describe"]},
            {"resource": {"type": "topic", "name": "shop-", "patternType": "prefix"},
                "operations": ["Write", "Create", "Describe"]},
            {"resource": {"type": "group", "name": "*", "patternType": "literal"}, "operations": ["Read"]},
        ]})
    );
    let other = find(&conversion, "KafkaUser", "elsewhere");
    assert_eq!(other["spec"], json!({"authentication": {"type": "tls-external"}}));
    says(&conversion, Weight::Changed, &["spec.clusterRef.namespace", "streaming"]);
    says(&conversion, Weight::Changed, &["spec.secretName", "shop-secret"]);
    says(&conversion, Weight::Lost, &["spec.topicGrants[3].patternType", "any"]);
    says(&conversion, Weight::Lost, &["spec.dnsNames", "shop.example.com"]);
}

#[test]
fn rights_are_left_out_where_the_cluster_gives_none() {
    let cluster =
        input("koperator").replace("    authorizer.class.name=kafka.security.authorizer.AclAuthorizer\n", "");
    let conversion = converted(&format!("{}---\n{cluster}", input("koperator-topics-and-users")));
    assert_eq!(find(&conversion, "KafkaUser", "shop")["spec"].get("authorization"), None);
    says(&conversion, Weight::Lost, &["spec.topicGrants", "{type: simple}"]);
    says(&conversion, Weight::Lost, &["spec.readOnlyConfig.super.users"]);
}

#[test]
fn no_secret_is_printed_and_what_needs_one_refers_to_it() {
    let conversion = converted(&input("koperator-sasl"));
    let all = format!("{}{}{:?}", text(&conversion).unwrap(), summary(&conversion), notes(&conversion));
    assert!(!all.contains("hunter2"), "{all}");
    let kafka = find(&conversion, "Kafka", "kafka");
    let reference = "${dir:/mnt/converted-options:external.oauthbearer.sasl.jaas.config}";
    let listeners = kafka["spec"]["kafka"]["listeners"].as_array().unwrap();
    let external = listeners.iter().find(|one| one["name"] == "external").unwrap();
    assert_eq!(
        external["authentication"],
        json!({"type": "custom", "sasl": true, "listenerConfig": {
            "sasl.enabled.mechanisms": "OAUTHBEARER",
            "sasl.oauthbearer.token.endpoint.url": "https://idp.example.com/token",
            "sasl.oauthbearer.jwks.endpoint.url": "https://idp.example.com/keys",
            "oauthbearer.sasl.jaas.config": reference,
        }})
    );
    let config = &kafka["spec"]["kafka"]["config"];
    assert_eq!(config["config.providers"], "dir");
    for pool in ["broker", "controller"] {
        let template = &find(&conversion, "KafkaNodePool", pool)["spec"]["template"];
        assert_eq!(template["pod"]["volumes"][0]["secret"]["secretName"], "kafka-converted-options");
        assert_eq!(template["kafkaContainer"]["volumeMounts"][0]["mountPath"], "/mnt/converted-options");
    }
    let env = &find(&conversion, "KafkaNodePool", "broker")["spec"]["template"]["kafkaContainer"]["env"];
    assert_eq!(env[0]["valueFrom"]["secretKeyRef"]["name"], "db");
    for words in [
        &["oauthbearer.sasl.jaas.config", "kubectl create secret generic kafka-converted-options"][..],
        &["envs[0]", "DB_PASSWORD", "secretKeyRef"],
        &["brokerAnnotations.example.com/api-token", "(not shown)"],
        &["kafkaJvmPerfOpts", "javax.net.ssl.keyStorePassword"],
        &["containers", "(not shown)"],
    ] {
        says(&conversion, Weight::Lost, words);
    }
}

/// A cluster of two brokers with a configuration for both and options of their own.
fn two(config: &str, first: &str, second: &str) -> String {
    format!(
        "apiVersion: kafka.banzaicloud.io/v1beta1\nkind: KafkaCluster\nmetadata: {{name: a, namespace: b}}\nspec:\n  \
         brokerConfigGroups:\n    g: {config}\n  brokers:\n    - {{id: 0, brokerConfigGroup: g, readOnlyConfig: \"{first}\"}}\n    \
         - {{id: 1, brokerConfigGroup: g, readOnlyConfig: \"{second}\"}}\n    - {{id: 2, brokerConfigGroup: g, readOnlyConfig: \"{second}\"}}\n"
    )
}

#[test]
fn options_of_single_brokers_stay_theirs_and_what_all_have_is_the_clusters() {
    let storage = "{storageConfigs: [{mountPath: /a, emptyDir: {}}]}";
    let first = r"num.io.threads=9\nlog.retention.hours=24\nmin.insync.replicas=1\nssl.keystore.password=x";
    let second = r"num.io.threads=9\nlog.retention.hours=48\nsuper.users=User:a\nnot.an.option=1";
    let conversion = converted(&two(storage, first, second));
    let spec = &find(&conversion, "Kafka", "a")["spec"]["kafka"];
    assert_eq!(spec["config"]["num.io.threads"], 9);
    assert_eq!(
        spec["nodeConfig"],
        json!({"0": {"log.retention.hours": 24}, "1-2": {"log.retention.hours": 48}})
    );
    for words in [
        ["spec.brokers[0] min.insync.replicas", "the same on all brokers"],
        ["spec.brokers[1] super.users", "spec.kafka.authorization"],
        ["spec.brokers[1]", "not.an.option"],
        ["spec.brokers[0]", "ssl.keystore.password"],
    ] {
        says(&conversion, Weight::Lost, &words);
    }
    assert!(!text(&conversion).unwrap().contains("password=x"));
}

#[test]
fn what_kubernetes_does_not_have_in_its_own_structures_is_named() {
    let config = "{storageConfigs: [{mountPath: /a, pvcSpec: {acessModes: [x], resources: {requests: {storage: 1Gi}}}}], \
        resourceRequirements: {request: {cpu: 1}, limits: {memory: 1Gi}}, \
        affinity: {nodeAffinity: {required: {}, preferred: [1]}}, \
        tolerations: [{key: a, efect: NoSchedule}], \
        podSecurityContext: {fsGroups: 1}, securityContext: {runAsUsr: 1, runAsUser: 2}, \
        volumes: [{name: extra, configMap: {name: s, defaultmode: 1}}], \
        volumeMounts: [{name: extra, mountPath: /mnt/a, readonly: true}], \
        envs: [{name: A, valeu: x}]}";
    let conversion = converted(&two(config, "", ""));
    for (path, value) in [
        ("storageConfigs[0].pvcSpec.acessModes", "x"),
        ("resourceRequirements.request", "cpu"),
        ("affinity.nodeAffinity.preferred", "1"),
        ("tolerations[0].efect", "NoSchedule"),
        ("podSecurityContext.fsGroups", "1"),
        ("securityContext.runAsUsr", "1"),
        ("volumes[0].configMap.defaultmode", "1"),
        ("volumeMounts[0].readonly", "true"),
        ("envs[0].valeu", "x"),
    ] {
        says(&conversion, Weight::Lost, &[path, value, "no field that Kubernetes has here"]);
    }
    let pool = find(&conversion, "KafkaNodePool", "g");
    let container = &pool["spec"]["template"]["kafkaContainer"];
    assert_eq!(container["securityContext"], json!({"runAsUser": 2}));
    assert_eq!(pool["spec"]["resources"], json!({"limits": {"memory": "1Gi"}}));
}
