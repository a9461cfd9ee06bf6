//! Templates and labels: what a user adds to generated objects arrives there, or is refused with the reason; nothing is
//! dropped, and nothing restarts for a label of a custom resource.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::common::{World, condition, object};
use planner::kafka::plan::{Plan, plan};
use serde_json::{Value, json};

fn world(kafka: Value, pool: Value, entity: Value) -> World {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|resource| {
        resource["spec"]["kafka"]["template"] = kafka;
        resource["spec"]["entityOperator"]["template"] = entity;
    });
    world.pool(0, |resource| resource["spec"]["template"] = pool);
    world
}

/// What the status says; empty: the templates are taken.
fn refusal(world: &World) -> String {
    let plan = plan(&world.observed, world.now);
    if !plan.needs.is_empty() {
        return String::new();
    }
    assert!(plan.apply.is_empty());
    condition(&plan, "NotReady").unwrap()["message"].as_str().unwrap().to_owned()
}

const NONE: Value = Value::Null;

fn secret_volume(name: &str) -> Value {
    json!({"name": name, "secret": {"secretName": "s"}})
}

fn mount(name: &str, path: &str) -> Value {
    json!({"name": name, "mountPath": path})
}

/// Templates of the Kafka, of the pool and of the entity operator, and what the refusal must say.
#[allow(clippy::too_many_lines, reason = "a table of cases")]
fn refused() -> Vec<(Value, Value, Value, Vec<&'static str>)> {
    let mut cases = vec![
        // Mounts outside the users' folder.
        (
            json!({"pod": {"volumes": [secret_volume("v")]}, "kafkaContainer": {"volumeMounts": [mount("v", "/opt/kafka/libs")]}}),
            NONE,
            NONE,
            vec![
                "spec.kafka.template.kafkaContainer.volumeMounts[0].mountPath: \"/opt/kafka/libs\"",
                "below /mnt",
            ],
        ),
        (
            NONE,
            json!({"pod": {"volumes": [secret_volume("v")]}, "initContainer": {"volumeMounts": [mount("v", "/mnt/../opt")]}}),
            NONE,
            vec!["KafkaNodePool dual spec.template.initContainer.volumeMounts[0].mountPath: \"/mnt/../opt\""],
        ),
        (
            NONE,
            NONE,
            json!({"pod": {"volumes": [secret_volume("v")]}, "topicOperatorContainer": {"volumeMounts": [mount("v", "/mntx")]}}),
            vec!["spec.entityOperator.template.topicOperatorContainer.volumeMounts[0].mountPath: \"/mntx\""],
        ),
        (
            json!({"pod": {"volumes": [secret_volume("v")]}, "kafkaContainer": {"volumeMounts": [mount("v", "/mnt/a"), mount("v", "/mnt/a/")]}}),
            NONE,
            NONE,
            vec!["kafkaContainer.volumeMounts[1].mountPath: \"/mnt/a/\" is used twice"],
        ),
        // Volumes: of two sources, of the operator, missing, hidden.
        (
            json!({"pod": {"volumes": [secret_volume("x"), secret_volume("x")]}}),
            NONE,
            NONE,
            vec!["spec.kafka.template.pod.volumes[1].name: \"x\" is used twice"],
        ),
        (
            NONE,
            json!({"pod": {"volumes": [secret_volume("x")],
                "templatedVolumes": [{"name": "x", "secret": {"secretName": "s-{nodeId}"}}]}}),
            NONE,
            vec!["KafkaNodePool dual spec.template.pod.templatedVolumes[0].name: \"x\" is used twice"],
        ),
        (
            NONE,
            json!({"pod": {"volumes": [secret_volume("data-0")]}}),
            NONE,
            vec!["spec.template.pod.volumes[0].name: \"data-0\" is a volume of the operator"],
        ),
        (
            NONE,
            NONE,
            json!({"pod": {"volumes": [secret_volume("strimzi-to-tmp")]}}),
            vec![
                "spec.entityOperator.template.pod.volumes[0].name: \"strimzi-to-tmp\" is a volume of the operator",
            ],
        ),
        (
            json!({"pod": {"volumes": [{"secret": {"secretName": "s"}}]}}),
            NONE,
            NONE,
            vec!["spec.kafka.template.pod.volumes[0].name: is missing"],
        ),
        (
            json!({"pod": {"volumes": [secret_volume("A_b")]}}),
            NONE,
            NONE,
            vec!["spec.kafka.template.pod.volumes[0].name: \"A_b\"", "lower-case"],
        ),
        (
            json!({"kafkaContainer": {"volumeMounts": [mount("nowhere", "/mnt/a")]}}),
            NONE,
            NONE,
            vec!["kafkaContainer.volumeMounts[0].name: there is no volume \"nowhere\"", "pod.volumes"],
        ),
        (
            json!({"pod": {"volumes": [secret_volume("v")]}, "kafkaContainer": {"volumeMounts": [mount("v", "/mnt/v")]}}),
            json!({"pod": {"metadata": {"labels": {"a": "b"}}}}),
            NONE,
            vec![
                "spec.kafka.template.kafkaContainer.volumeMounts[0].name: volume \"v\" is hidden",
                "KafkaNodePool dual spec.template.pod",
                "repeat the volume there",
            ],
        ),
        // Variables.
        (
            json!({"kafkaContainer": {"env": [{"name": "A", "value": "1"}, {"name": "A", "value": "2"}]}}),
            NONE,
            NONE,
            vec!["kafkaContainer.env[1].name: \"A\" is used twice"],
        ),
        (
            json!({"kafkaContainer": {"env": [{"name": "a=b", "value": "1"}, {"value": "1"}]}}),
            NONE,
            NONE,
            vec!["kafkaContainer.env[0].name: \"a=b\"", "kafkaContainer.env[1].name: is missing"],
        ),
        (
            json!({"kafkaContainer": {"env": [{"name": "KAFKA_CLUSTER_NAME", "value": "x"}]}}),
            NONE,
            NONE,
            vec![
                "spec.kafka.template.kafkaContainer.env[0].name: \"KAFKA_CLUSTER_NAME\" is set by the operator",
            ],
        ),
        (
            NONE,
            NONE,
            json!({"topicOperatorContainer": {"env": [{"name": "STRIMZI_NAMESPACE", "value": "kube-system"}]},
                "userOperatorContainer": {"env": [{"name": "STRIMZI_CA_KEY_NAME", "value": "x"}]}}),
            vec![
                "spec.entityOperator.template.topicOperatorContainer.env[0].name: \"STRIMZI_NAMESPACE\" is set by the operator",
                "spec.entityOperator.template.userOperatorContainer.env[0].name: \"STRIMZI_CA_KEY_NAME\"",
            ],
        ),
    ];
    for name in ["JAVA_HOME", "KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "RUST_LOG"]
    {
        let container = json!({"env": [{"name": name, "value": "x"}]});
        cases.push((
            json!({"initContainer": container}),
            json!({"kafkaContainer": container}),
            json!({"topicOperatorContainer": container, "userOperatorContainer": container}),
            vec![
                "spec.kafka.template.initContainer.env[0].name",
                "KafkaNodePool dual spec.template.kafkaContainer.env[0].name",
                "spec.entityOperator.template.topicOperatorContainer.env[0].name",
                "spec.entityOperator.template.userOperatorContainer.env[0].name",
                "no template may set it",
            ],
        ));
    }
    // Labels and annotations of the operators, in every section there is.
    for section in [
        "pod",
        "bootstrapService",
        "brokersService",
        "externalBootstrapService",
        "perPodService",
        "persistentVolumeClaim",
        "podDisruptionBudget",
        "clusterCaCert",
        "serviceAccount",
        "clusterRoleBinding",
        "podSet",
    ] {
        cases.push((
            json!({section: {"metadata": {"labels": {"strimzi.io/foo": "x"}, "annotations": {"kastellan.io/y": "x"}}}}),
            NONE,
            NONE,
            vec!["metadata.labels.strimzi.io/foo: is reserved", "metadata.annotations.kastellan.io/y: is reserved"],
        ));
    }
    cases.extend([
        (
            NONE,
            json!({"pod": {"metadata": {"annotations": {"strimzi.io/manual-rolling-update": "true"}}}}),
            json!({"deployment": {"metadata": {"labels": {"strimzi.io/kind": "x"}}}}),
            vec![
                "KafkaNodePool dual spec.template.pod.metadata.annotations.strimzi.io/manual-rolling-update: is reserved",
                "spec.entityOperator.template.deployment.metadata.labels.strimzi.io/kind: is reserved",
            ],
        ),
        (
            json!({"pod": {"metadata": {"labels": {"bad key": "x", "good": "bad value"}, "annotations": {"a//b": "x"}}}}),
            NONE,
            NONE,
            vec!["labels.bad key", "labels.good: \"bad value\"", "annotations.a//b"],
        ),
    ]);
    cases
}

#[test]
fn what_a_template_cannot_ask_for_is_refused_with_the_reason() {
    for (kafka, pool, entity, parts) in refused() {
        let what = format!("{kafka} {pool} {entity}");
        let message = refusal(&world(kafka, pool, entity));
        assert!(!message.is_empty(), "accepted: {what}");
        for part in parts {
            assert!(message.contains(part), "{what}: {message:?} does not say {part:?}");
        }
    }
}

#[test]
fn one_mistake_in_the_kafka_is_said_once_for_all_pools() {
    let mut world =
        world(json!({"kafkaContainer": {"volumeMounts": [mount("nowhere", "/mnt/a")]}}), NONE, NONE);
    let mut second = world.observed.pools[0].as_ref().clone();
    second.metadata.name = Some("second".to_owned());
    world.observed.pools.push(Arc::new(second));
    assert_eq!(refusal(&world).matches("nowhere").count(), 1);
}

#[test]
fn a_mistake_in_a_template_of_a_running_cluster_leaves_it_as_it_is() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["template"] = json!({"pod": {"metadata": {"labels": {"strimzi.io/a": "b"}}}});
    });
    let plan = world.plan();
    assert!(plan.apply.is_empty() && plan.roll.wanted.is_empty() && plan.delete.is_empty());
}

fn container<'a>(pod: &'a Value, name: &str) -> &'a Value {
    let lists = ["initContainers", "containers"].map(|list| pod["spec"][list].as_array());
    let mut all = lists.into_iter().flatten().flatten();
    all.find(|container| container["name"] == name).unwrap()
}

fn variables(container: &Value) -> BTreeMap<String, Value> {
    let all = container["env"].as_array().unwrap().iter();
    all.map(|variable| (variable["name"].as_str().unwrap().to_owned(), variable["value"].clone())).collect()
}

fn pod(plan: &Plan) -> &Value {
    &object(plan, "StrimziPodSet", "my-dual")["spec"]["pods"][0]
}

#[test]
fn what_a_template_may_ask_for_arrives() {
    let mut world = world(
        json!({
            "pod": {
                "metadata": {"labels": {"team": "template"}, "annotations": {"example.com/a": "b"}},
                "volumes": [secret_volume("v")],
                "templatedVolumes": [{"name": "t", "configMap": {"name": "m-{nodeId}-{nodePodName}"}}],
            },
            "kafkaContainer": {
                "env": [{"name": "KAFKA_OPTS", "value": "-Dx=y"}],
                "volumeMounts": [mount("v", "/mnt"), mount("t", "/mnt/t")],
            },
        }),
        NONE,
        json!({
            "pod": {"metadata": {"labels": {"team": "template"}}},
            "topicOperatorContainer": {"env": [{"name": "STRIMZI_USE_FINALIZERS", "value": "false"}]},
            "userOperatorContainer": {"env": [{"name": "KASTELLAN_USER_KEY_ALGORITHM", "value": "rsa-4096"}]},
        }),
    );
    world.kafka(|kafka| kafka["metadata"]["labels"] = json!({"team": "resource"}));
    world.pool(0, |pool| pool["metadata"]["labels"]["team"] = json!("resource"));
    assert_eq!(refusal(&world), "");
    let plan = world.plan();
    let pod = pod(&plan);
    assert_eq!(
        pod["metadata"]["labels"]["team"], "template",
        "a template is closer to the pod than the pool"
    );
    assert_eq!(pod["metadata"]["annotations"]["example.com/a"], "b");
    let kafka = container(pod, "kafka");
    assert_eq!(variables(kafka)["KAFKA_OPTS"], "-Dx=y");
    let mounts: Vec<&Value> = kafka["volumeMounts"].as_array().unwrap().iter().collect();
    assert!(mounts.contains(&&mount("v", "/mnt")) && mounts.contains(&&mount("t", "/mnt/t")));
    let volumes = pod["spec"]["volumes"].as_array().unwrap();
    assert!(volumes.contains(&json!({"name": "t", "configMap": {"name": "m-0-my-dual-0"}})));
    let entity = &object(&plan, "Deployment", "my-entity-operator")["spec"]["template"];
    assert_eq!(entity["metadata"]["labels"]["team"], "template");
    assert_eq!(variables(container(entity, "topic-operator"))["STRIMZI_USE_FINALIZERS"], "false");
    assert_eq!(variables(container(entity, "user-operator"))["KASTELLAN_USER_KEY_ALGORITHM"], "rsa-4096");
}

#[test]
fn a_common_label_that_the_operator_sets_stays_and_the_status_says_so() {
    let labels = json!({"metadata": {"labels": {"app.kubernetes.io/name": "mine", "app.kubernetes.io/component": "c"}}});
    let mut world = world(json!({"bootstrapService": labels, "pod": labels}), NONE, NONE);
    let plan = world.plan();
    for labels in [
        &object(&plan, "Service", "my-kafka-bootstrap")["metadata"]["labels"],
        &pod(&plan)["metadata"]["labels"],
    ] {
        assert_eq!(labels["app.kubernetes.io/name"], "kafka");
        assert_eq!(labels["app.kubernetes.io/component"], "c");
    }
    let message = condition(&plan, "Warning").unwrap()["message"].as_str().unwrap().to_owned();
    for part in ["spec.kafka.template.", "app.kubernetes.io/name", "\"mine\""] {
        assert!(message.contains(part), "{message:?} does not say {part:?}");
    }
}

/// Puts a label on a custom resource, or takes it off.
fn label(resource: &mut Value, key: &str, value: &Value) {
    let labels = resource["metadata"].as_object_mut().unwrap().entry("labels").or_insert_with(|| json!({}));
    if value.is_null() {
        labels.as_object_mut().unwrap().remove(key);
    } else {
        labels[key] = value.clone();
    }
}

/// The Deployment of the entity operator in a plan.
fn entity_operator(plan: &Plan) -> &Value {
    object(plan, "Deployment", "my-entity-operator")
}

#[test]
fn a_label_of_a_resource_restarts_nothing_and_reaches_pods_with_their_next_restart() {
    let mut world = World::load("dual-role.input.yaml");
    let first = world.settle();
    for team in [json!("a"), json!("b"), NONE] {
        world.kafka(|kafka| label(kafka, "team", &team));
        world.pool(0, |pool| label(pool, "team", &team));
        let plan = world.plan();
        assert!(plan.roll.wanted.is_empty(), "{:?}", plan.roll.wanted);
        let deployment = entity_operator(&plan);
        assert_eq!(
            deployment["spec"],
            entity_operator(&first)["spec"],
            "a new template would start a new pod"
        );
        let carried = |object: &Value| object["metadata"]["labels"].get("team").cloned().unwrap_or_default();
        assert_eq!(carried(deployment), team);
        assert_eq!(carried(object(&plan, "Service", "my-kafka-bootstrap")), team);
        assert_eq!(carried(object(&plan, "ConfigMap", "my-dual-0")), team);
        assert_eq!(carried(pod(&plan)), team, "a new pod gets the label");
        world.apply(&plan);
        world.run_everything();
    }
    // What restarts the pod of the entity operator anyway brings the labels along, and they stay.
    world.kafka(|kafka| {
        kafka["metadata"]["labels"] = json!({"team": "c"});
        kafka["spec"]["entityOperator"]["topicOperator"]["resources"] =
            json!({"limits": {"memory": "300Mi"}});
    });
    for _ in 0..2 {
        let plan = world.plan();
        assert_eq!(entity_operator(&plan)["spec"]["template"]["metadata"]["labels"]["team"], "c");
        world.apply(&plan);
    }
    world.kafka(|kafka| kafka["metadata"]["labels"] = NONE);
    let plan = world.plan();
    assert_eq!(entity_operator(&plan)["spec"]["template"]["metadata"]["labels"]["team"], "c");
    assert_eq!(entity_operator(&plan)["metadata"]["labels"].get("team"), None);
}

#[test]
fn a_label_of_a_template_restarts_the_pods_because_it_was_asked_for() {
    let mut world = World::load("dual-role.input.yaml");
    let first = world.settle();
    let labels = json!({"pod": {"metadata": {"labels": {"inject": "true"}}}});
    world.kafka(|kafka| {
        kafka["spec"]["kafka"]["template"] = labels.clone();
        kafka["spec"]["entityOperator"]["template"] = labels;
    });
    let plan = world.plan();
    assert_eq!(plan.roll.wanted.len(), 3);
    assert_ne!(entity_operator(&plan)["spec"]["template"], entity_operator(&first)["spec"]["template"]);
}

#[test]
fn a_label_that_somebody_put_on_the_live_template_does_not_become_ours() {
    let mut world = World::load("dual-role.input.yaml");
    world.settle();
    world.kafka(|kafka| kafka["metadata"]["labels"] = json!({"team": "a"}));
    let live = Arc::make_mut(world.observed.deployments.get_mut("my-entity-operator").unwrap());
    let template = live.spec.as_mut().unwrap().template.metadata.as_mut().unwrap();
    template.labels.as_mut().unwrap().insert("by".to_owned(), "hand".to_owned());
    // What the server says of our fields: all labels of the template but the one that was made by hand.
    let keys = template.labels.as_ref().unwrap().keys().filter(|key| *key != "by");
    let labels: serde_json::Map<String, Value> = keys.map(|key| (format!("f:{key}"), json!({}))).collect();
    let fields = json!({"f:spec": {"f:template": {"f:metadata": {"f:labels": labels}}}});
    live.metadata.managed_fields = Some(vec![
        serde_json::from_value(json!(
            {"manager": "strimzi-kafka-operator", "operation": "Apply", "fieldsV1": fields}
        ))
        .unwrap(),
    ]);
    let plan = world.plan();
    let labels = &entity_operator(&plan)["spec"]["template"]["metadata"]["labels"];
    assert_eq!((labels.get("by"), labels.get("team")), (None, None), "{labels}");
}

#[test]
fn what_the_api_server_tells_apart_by_a_key_is_there_once_or_refused() {
    let alias = |ip: &str, name: &str| json!({"ip": ip, "hostnames": [name]});
    let pod = json!({"pod": {
        "hostAliases": [alias("192.0.2.1", "a"), alias("192.0.2.2", "b"), alias("192.0.2.1", "c")],
        "imagePullSecrets": [{"name": "one"}, {"name": "two"}, {"name": "one"}],
    }});
    let plan = world(pod.clone(), NONE, pod).plan();
    let of_kafka = &object(&plan, "StrimziPodSet", "my-dual")["spec"]["pods"][0]["spec"];
    for spec in [of_kafka, &entity_operator(&plan)["spec"]["template"]["spec"]] {
        let aliases = json!([{"ip": "192.0.2.1", "hostnames": ["a", "c"]}, alias("192.0.2.2", "b")]);
        assert_eq!(spec["hostAliases"], aliases);
        assert_eq!(spec["imagePullSecrets"], json!([{"name": "one"}, {"name": "two"}]));
    }
    let spread = |key: &str, otherwise: &str| json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": otherwise});
    for (constraints, said) in [
        (json!([spread("zone", "DoNotSchedule"), spread("zone", "DoNotSchedule")]), "[1]: there is another"),
        (json!([{"maxSkew": 1}]), "[0].topologyKey: is missing"),
        (json!([spread("zone", "Sometimes")]), "[0].whenUnsatisfiable: \"Sometimes\" is not known"),
    ] {
        let message = refusal(&world(NONE, NONE, json!({"pod": {"topologySpreadConstraints": constraints}})));
        assert!(
            message.contains(&format!("spec.entityOperator.template.pod.topologySpreadConstraints{said}")),
            "{message}"
        );
    }
    let both = json!({"pod": {"topologySpreadConstraints": [spread("zone", "DoNotSchedule"), spread("zone", "ScheduleAnyway")]}});
    assert_eq!(refusal(&world(both, NONE, NONE)), "");
}
