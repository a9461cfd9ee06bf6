//! What a property needs beside it to mean something: a listener of the right type, a volume to mount, a rack.

use serde_json::Value;

/// The cluster in which every property is tried. It has every section that a property could need, as long as none is in the way.
pub(crate) const KAFKA: &str = r#"{
    "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
    "metadata": {"name": "my", "namespace": "s1", "uid": "kafka-uid", "generation": 1},
    "spec": {
        "kafka": {
            "listeners": [
                {"name": "plain", "port": 9092, "type": "internal", "tls": false},
                {"name": "tls", "port": 9093, "type": "internal", "tls": true, "authentication": {"type": "tls"}}
            ],
            "authorization": {"type": "simple"},
            "config": {"default.replication.factor": 1, "min.insync.replicas": 1}
        },
        "entityOperator": {"topicOperator": {}, "userOperator": {}},
        "kafkaExporter": {}
    }
}"#;

/// Its one pool, with one node: what shows in one node need not be planned for more.
pub(crate) const POOL: &str = r#"{
    "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
    "metadata": {"name": "nodes", "namespace": "s1", "uid": "pool-uid", "labels": {"strimzi.io/cluster": "my"}},
    "spec": {
        "replicas": 1, "roles": ["controller", "broker"],
        "storage": {"type": "persistent-claim", "size": "100Gi"}
    }
}"#;

/// What is set before a property is tried: a part of its path, the place, and the value there. All that fit are set, in this order.
/// A place that does not begin with `spec` is in the same section as the property.
#[rustfmt::skip]
const CONTEXTS: &[(&str, &str, &str)] = &[
    // Listeners by type.
    ("spec.kafka.listeners[].", "spec.kafka.listeners", r#"[{"name": "first", "port": 9092, "type": "internal", "tls": true}]"#),
    ("listeners[].tls", "spec.kafka.listeners", r#"[{"name": "first", "port": 9092, "type": "internal", "tls": false}]"#),
    ("listeners[].type", "spec.kafka.listeners", r#"[{"name": "first", "port": 9092, "type": "internal", "tls": false}]"#),
    ("authentication.sasl", "listeners[].authentication", r#"{"type": "custom", "sasl": true}"#),
    ("authentication.listenerConfig", "listeners[].authentication", r#"{"type": "custom", "sasl": true}"#),
    ("configuration.allocateLoadBalancerNodePorts", "listeners[].type", r#""loadbalancer""#),
    ("configuration.bootstrap.annotations", "listeners[].type", r#""cluster-ip""#),
    ("configuration.bootstrap.labels", "listeners[].type", r#""cluster-ip""#),
    ("configuration.bootstrap.externalIPs", "listeners[].type", r#""nodeport""#),
    ("configuration.bootstrap.host", "listeners[].type", r#""route""#),
    ("configuration.bootstrap.loadBalancerIP", "listeners[].type", r#""loadbalancer""#),
    ("configuration.bootstrap.nodePort", "listeners[].type", r#""nodeport""#),
    ("configuration.brokers[]", "listeners[].configuration.brokers", r#"[{"broker": 0}]"#),
    ("configuration.brokers[].annotations", "listeners[].type", r#""cluster-ip""#),
    ("configuration.brokers[].labels", "listeners[].type", r#""cluster-ip""#),
    ("configuration.brokers[].externalIPs", "listeners[].type", r#""nodeport""#),
    ("configuration.brokers[].host", "listeners[].type", r#""route""#),
    ("configuration.brokers[].loadBalancerIP", "listeners[].type", r#""loadbalancer""#),
    ("configuration.brokers[].nodePort", "listeners[].type", r#""nodeport""#),
    ("configuration.brokers[].broker", "listeners[].configuration.brokers[].advertisedHost", r#""b.example.org""#),
    ("configuration.class", "listeners[].type", r#""loadbalancer""#),
    ("configuration.createBootstrapService", "listeners[].type", r#""loadbalancer""#),
    ("configuration.externalTrafficPolicy", "listeners[].type", r#""loadbalancer""#),
    ("configuration.finalizers", "listeners[].type", r#""loadbalancer""#),
    ("configuration.hostTemplate", "listeners[].type", r#""route""#),
    ("configuration.ipFamilies", "listeners[].type", r#""cluster-ip""#),
    ("configuration.ipFamilyPolicy", "listeners[].type", r#""cluster-ip""#),
    ("configuration.loadBalancerSourceRanges", "listeners[].type", r#""loadbalancer""#),
    ("configuration.parentRefs[]", "listeners[].type", r#""tlsroute""#),
    ("configuration.parentRefs[]", "listeners[].configuration", r#"{"bootstrap": {"host": "b.example.org"}, "hostTemplate": "b{nodeId}.example.org", "parentRefs": [{"name": "gateway"}]}"#),
    ("configuration.perBroker", "listeners[].type", r#""cluster-ip""#),
    ("configuration.preferredNodePortAddressType", "listeners[].type", r#""nodeport""#),
    ("configuration.publishNotReadyAddresses", "listeners[].type", r#""cluster-ip""#),
    ("configuration.brokerCertChainAndKey", "listeners[].configuration.brokerCertChainAndKey", r#"{"secretName": "mine", "certificate": "a.crt", "key": "a.key"}"#),
    // A peer has at least one part.
    ("networkPolicyPeers[].ipBlock.except", "networkPolicyPeers[].ipBlock", r#"{"cidr": "192.0.2.0/24"}"#),
    ("spec.kafka.version", "spec.kafka.metadataVersion", r#""4.2""#),
    ("spec.kafka.authorization.authorizerClass", "spec.kafka.authorization", r#"{"type": "custom", "authorizerClass": "org.example.C"}"#),
    ("spec.kafka.authorization.supportsAdminApi", "spec.kafka.authorization", r#"{"type": "custom", "authorizerClass": "org.example.C"}"#),
    ("spec.kafka.authorization.type", "spec.kafka.authorization", r#"{"type": "custom", "authorizerClass": "org.example.C"}"#),
    ("spec.kafka.rack.envVarName", "spec.kafka.rack", r#"{"type": "environment-variable", "envVarName": "RACK"}"#),
    ("spec.kafka.rack.topologyKey", "spec.kafka.rack", r#"{"topologyKey": "zone"}"#),
    ("spec.kafka.rack.type", "spec.kafka.rack", r#"{"topologyKey": "zone", "envVarName": "RACK"}"#),
    ("spec.kafka.brokerRackInitImage", "spec.kafka.rack", r#"{"topologyKey": "zone"}"#),
    ("template.clusterRoleBinding", "spec.kafka.rack", r#"{"topologyKey": "zone"}"#),
    // Logging in a ConfigMap of the user's.
    ("logging.valueFrom.configMapKeyRef.optional", "logging", r#"{"type": "external", "valueFrom": {"configMapKeyRef": {"name": "missing", "key": "a", "optional": true}}}"#),
    ("logging.valueFrom.configMapKeyRef.key", "logging", r#"{"type": "external", "valueFrom": {"configMapKeyRef": {"name": "logs", "key": "a"}}}"#),
    ("logging.valueFrom.configMapKeyRef.name", "logging", r#"{"type": "external", "valueFrom": {"configMapKeyRef": {"name": "logs", "key": "a"}}}"#),
    ("logging.type", "logging", r#"{"type": "inline", "loggers": {"rootLogger.level": "DEBUG"}, "valueFrom": {"configMapKeyRef": {"name": "logs", "key": "a"}}}"#),
    // Metrics, JMX, quotas, tiered storage.
    ("metricsConfig.valueFrom", "metricsConfig", r#"{"type": "jmxPrometheusExporter", "valueFrom": {"configMapKeyRef": {"name": "rules", "key": "a"}}}"#),
    ("metricsConfig.valueFrom.configMapKeyRef.optional", "metricsConfig", r#"{"type": "jmxPrometheusExporter", "valueFrom": {"configMapKeyRef": {"name": "missing", "key": "a", "optional": true}}}"#),
    ("metricsConfig.type", "metricsConfig", r#"{"type": "jmxPrometheusExporter", "valueFrom": {"configMapKeyRef": {"name": "rules", "key": "a"}}}"#),
    ("metricsConfig.values", "metricsConfig", r#"{"type": "strimziMetricsReporter"}"#),
    // Claims for devices have names.
    ("resources.claims[].request", "resources.claims", r#"[{"name": "gpu"}]"#),
    ("jmxSecret.metadata", "spec.kafka.jmxOptions", r#"{"authentication": {"type": "password"}}"#),
    ("quotas.consumerByteRate", "quotas", r#"{"type": "kafka"}"#),
    ("quotas.producerByteRate", "quotas", r#"{"type": "kafka"}"#),
    ("quotas.requestPercentage", "quotas", r#"{"type": "kafka"}"#),
    ("quotas.controllerMutationRate", "quotas", r#"{"type": "kafka"}"#),
    ("quotas.excludedPrincipals", "quotas", r#"{"type": "strimzi"}"#),
    ("quotas.minAvailable", "quotas", r#"{"type": "strimzi"}"#),
    ("quotas.type", "quotas", r#"{"type": "strimzi", "producerByteRate": 1000}"#),
    ("tieredStorage", "spec.kafka.tieredStorage", r#"{"type": "custom", "remoteStorageManager": {"className": "org.example.Storage", "classPath": "/mnt/kafka-libs/*"}}"#),
    // Java system properties are pairs.
    ("javaSystemProperties[]", "javaSystemProperties", r#"[{"name": "a", "value": "b"}]"#),
    // Parts of pods.
    (".env[].", "env", r#"[{"name": "MY_VARIABLE", "value": "x"}]"#),
    (".env[].valueFrom.configMapKeyRef.", "env", r#"[{"name": "MY_VARIABLE", "valueFrom": {"configMapKeyRef": {"name": "a", "key": "b"}}}]"#),
    (".env[].valueFrom.secretKeyRef.", "env", r#"[{"name": "MY_VARIABLE", "valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}]"#),
    ("Container.volumeMounts[].", "Container.volumeMounts", r#"[{"name": "extra", "mountPath": "/mnt/x"}]"#),
    ("Container.volumeMounts[].", "template.pod.volumes", r#"[{"name": "extra", "secret": {"secretName": "a"}}, {"name": "more", "emptyDir": {}}]"#),
    ("kafkaExporter.template.container.volumeMounts[].", "container.volumeMounts", r#"[{"name": "extra", "mountPath": "/mnt/x"}]"#),
    ("kafkaExporter.template.container.volumeMounts[].", "template.pod.volumes", r#"[{"name": "extra", "secret": {"secretName": "a"}}, {"name": "more", "emptyDir": {}}]"#),
    ("pod.volumes[].", "pod.volumes", r#"[{"name": "extra"}]"#),
    ("pod.volumes[].name", "pod.volumes", r#"[{"name": "extra", "emptyDir": {}}]"#),
    ("pod.templatedVolumes[].", "pod.templatedVolumes", r#"[{"name": "extra"}]"#),
    ("pod.templatedVolumes[].name", "pod.templatedVolumes", r#"[{"name": "extra", "secret": {"secretName": "a"}}]"#),
    ("pod.topologySpreadConstraints[].", "pod.topologySpreadConstraints", r#"[{"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}]"#),
    // Storage.
    ("spec.storage.sizeLimit", "spec.storage", r#"{"type": "ephemeral"}"#),
    ("spec.storage.type", "spec.storage", r#"{"type": "ephemeral", "size": "1Gi", "volumes": [{"id": 3, "type": "ephemeral"}]}"#),
    ("spec.storage.volumes[].", "spec.storage", r#"{"type": "jbod", "volumes": [{"id": 5, "type": "persistent-claim", "size": "1Gi"}, {"id": 1, "type": "ephemeral"}]}"#),
    ("spec.storage.volumes[].sizeLimit", "spec.storage.volumes[].type", r#""ephemeral""#),
    ("spec.storage.volumes[].type", "spec.storage.volumes[].type", r#""ephemeral""#),
];

/// Sections of templates that belong to objects of a listener, with its type.
const OBJECTS_OF_LISTENERS: &[(&str, &str)] = &[
    ("Route", "route"),
    ("Ingress", "ingress"),
    ("externalBootstrapService", "cluster-ip"),
    ("perPodService", "cluster-ip"),
];

fn listener_of(type_: &str) -> String {
    let configuration =
        r#"{"bootstrap": {"host": "b.example.org"}, "hostTemplate": "b{nodeId}.example.org"}"#;
    let has_hosts = ["route", "tlsroute", "ingress"].contains(&type_);
    let configuration = if has_hosts { configuration } else { "{}" };
    format!(
        r#"[{{"name": "first", "port": 9092, "type": "{type_}", "tls": true, "configuration": {configuration}}}]"#
    )
}

/// A listener of a type in which an option of it is tried.
pub(crate) fn listener(type_: &str, option: &str) -> Context {
    let mut listeners: Value = serde_json::from_str(&listener_of(type_)).unwrap();
    let configuration = &mut listeners[0]["configuration"];
    if type_ == "tlsroute" {
        configuration["parentRefs"] = serde_json::json!([{"name": "gateway"}]);
    }
    if type_ == "internal" {
        listeners[0]["configuration"] = serde_json::json!({});
    }
    if option.starts_with("brokers[]") {
        listeners[0]["configuration"]["brokers"] = serde_json::json!([{"broker": 0}]);
    }
    if option.starts_with("brokerCertChainAndKey") {
        let own = serde_json::json!({"secretName": "mine", "certificate": "a.crt", "key": "a.key"});
        listeners[0]["configuration"]["brokerCertChainAndKey"] = own;
    }
    Context { kind: "Kafka", path: "spec.kafka.listeners".to_owned(), value: listeners }
}

/// A property that is set before another one is tried.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Context {
    /// The kind of resource.
    pub kind: &'static str,
    pub path: String,
    pub value: Value,
}

/// What is set before a property of a kind is tried.
pub(crate) fn of(kind: &'static str, path: &str) -> Vec<Context> {
    let mut all = Vec::new();
    for (part, until, value) in CONTEXTS {
        let Some(at) = path.find(part) else { continue };
        // The place is named whole, or by its end: then it is in the same template or listener as the property.
        let place = if let Some(whole) = until.strip_prefix("spec.kafka.").map(|_| (*until).to_owned()) {
            whole
        } else if until.starts_with("spec.") {
            (*until).to_owned()
        } else if let Some(rest) = until.strip_prefix("template.") {
            format!("{}template.{rest}", &path[..path.find("template.").unwrap()])
        } else if let Some(found) = path[..at + part.len()].rfind(until) {
            format!("{}{until}", &path[..found])
        } else {
            let first = until.split("[]").next().unwrap();
            let found = path.find(first).unwrap_or_else(|| panic!("{path} has no {first}"));
            format!("{}{until}", &path[..found])
        };
        let kind = if place.starts_with("spec.kafka.") { "Kafka" } else { kind };
        all.push(Context { kind, path: place, value: serde_json::from_str(value).unwrap() });
    }
    for (part, type_) in OBJECTS_OF_LISTENERS {
        if path.contains("template.") && path.contains(part) {
            let value = serde_json::from_str(&listener_of(type_)).unwrap();
            all.push(Context { kind: "Kafka", path: "spec.kafka.listeners".to_owned(), value });
        }
    }
    all
}

/// Ends of paths whose other value is refused: a key that does not fit, a text that has to be there.
pub(crate) const REFUSALS_COUNT: &[&str] =
    &["brokerCertChainAndKey.key", "tieredStorage.type", "valueFrom.configMapKeyRef.optional"];
