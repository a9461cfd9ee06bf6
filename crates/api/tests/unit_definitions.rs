//! What the definitions say beside their properties, and that the checked-in files are those of the types.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of tests may stop at a surprise too"
)]

use std::path::Path;
use std::sync::LazyLock;

use api::common::sections::Sections;
use api::crds::{self, CrdFile};
use api::kafka::{
    CruiseControlTemplate, EntityOperatorTemplate, KafkaClusterTemplate, KafkaExporterTemplate,
};
use api::kafka_node_pool::KafkaNodePoolTemplate;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, CustomResourceDefinitionVersion,
};
use serde_json::{Value, json};

/// All definitions, made once: the large ones take a while without optimization.
fn all() -> Vec<CrdFile> {
    static ALL: LazyLock<Vec<CrdFile>> = LazyLock::new(|| crds::all().unwrap());
    ALL.clone()
}

fn version(kind: &str) -> CustomResourceDefinitionVersion {
    let file = all().into_iter().find(|file| file.crd.spec.names.kind == kind).unwrap();
    file.crd.spec.versions.into_iter().next().unwrap()
}

fn schema(kind: &str) -> Value {
    serde_json::to_value(version(kind).schema.unwrap().open_api_v3_schema.unwrap()).unwrap()
}

/// The schema at a path such as `/spec/kafka/rack`.
fn at<'a>(schema: &'a Value, path: &str) -> &'a Value {
    let mut here = schema;
    for name in path.split('/').skip(1) {
        here = if name == "[]" { &here["items"] } else { &here["properties"][name] };
    }
    assert!(here.is_object(), "{path} does not exist");
    here
}

#[test]
fn checked_in_files_are_those_of_the_types() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../crds");
    let mut names = Vec::new();
    for file in all() {
        let text = std::fs::read_to_string(folder.join(file.name)).unwrap_or_default();
        let same = text == crds::to_yaml(&file.crd).unwrap();
        assert!(same, "crds/{} is not what the types say: run `make crds`", file.name);
        names.push(file.name.to_owned());
    }
    let mut present: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".yaml"))
        .collect();
    present.sort();
    assert_eq!(present, names);
}

#[test]
fn printed_definitions_read_back_as_the_same() {
    for file in all() {
        let text = crds::to_yaml(&file.crd).unwrap();
        let read: Value = serde_saphyr::from_str(&text).unwrap();
        let read: CustomResourceDefinition = serde_json::from_value(read).unwrap();
        assert!(read == file.crd, "{} changes when it is printed", file.name);
    }
}

#[test]
fn every_definition_fits_into_one_request() {
    for file in all() {
        let yaml = crds::to_yaml(&file.crd).unwrap().len();
        let json = serde_json::to_string(&file.crd).unwrap().len();
        assert!(yaml < 900_000 && json < 900_000, "{}: {yaml} bytes of YAML, {json} of JSON", file.name);
    }
}

#[test]
fn names_short_names_and_labels_are_those_that_scripts_use() {
    let mut found = Vec::new();
    for file in all() {
        let crd = file.crd;
        let names = &crd.spec.names;
        assert_eq!(names.categories.as_deref(), Some(&["strimzi".to_owned()][..]));
        assert_eq!(crd.spec.scope, "Namespaced");
        assert_eq!(crd.spec.conversion.unwrap().strategy, "None");
        let labels = crd.metadata.labels.unwrap();
        assert_eq!(labels["app"], "strimzi");
        assert_eq!(labels["strimzi.io/crd-install"], "true");
        let (first, older) = crd.spec.versions.split_first().unwrap();
        let is_of_v1 = names.kind != "KafkaMirrorMaker";
        assert_eq!(first.name, if is_of_v1 { "v1" } else { "v1beta2" });
        assert!(first.served && first.storage);
        let older_names: Vec<&str> = older.iter().map(|version| version.name.as_str()).collect();
        let expected: &[&str] = match names.kind.as_str() {
            "KafkaTopic" | "KafkaUser" => &["v1beta2", "v1beta1", "v1alpha1"],
            "KafkaMirrorMaker" => &[],
            _ => &["v1beta2"],
        };
        assert_eq!(older_names, expected, "{}", names.kind);
        assert!(first.subresources.as_ref().unwrap().status.is_some());
        for version in older {
            assert!(version.served && !version.storage);
            assert_eq!(version.subresources, first.subresources, "{}", names.kind);
            assert_eq!(version.additional_printer_columns, first.additional_printer_columns);
        }
        found.push(format!(
            "{} {}",
            crd.metadata.name.unwrap(),
            names.short_names.clone().unwrap().join(",")
        ));
    }
    assert_eq!(
        found,
        [
            "kafkas.kafka.strimzi.io k",
            "kafkaconnects.kafka.strimzi.io kc",
            "strimzipodsets.core.strimzi.io sps",
            "kafkatopics.kafka.strimzi.io kt",
            "kafkausers.kafka.strimzi.io ku",
            "kafkanodepools.kafka.strimzi.io knp",
            "kafkabridges.kafka.strimzi.io kb",
            "kafkaconnectors.kafka.strimzi.io kctr",
            "kafkamirrormaker2s.kafka.strimzi.io kmm2",
            "kafkarebalances.kafka.strimzi.io kr",
            "kafkamirrormakers.kafka.strimzi.io kmm",
        ]
    );
}

#[test]
fn printer_columns_are_those_of_the_contract() {
    let ready = "Ready=.status.conditions[?(@.type==\"Ready\")].status";
    let warnings = "Warnings=.status.conditions[?(@.type==\"Warning\")].status";
    let cluster = r"Cluster=.metadata.labels.strimzi\.io/cluster";
    let desired = "Desired replicas=.spec.replicas";
    let template = r"Template=.metadata.annotations.strimzi\.io/rebalance-template";
    let expected: [(&str, &[&str]); 10] = [
        (
            "Kafka",
            &[
                ready,
                warnings,
                "Kafka version=.status.kafkaVersion",
                "Metadata version=.status.kafkaMetadataVersion",
            ],
        ),
        ("KafkaNodePool", &[desired, "Roles=.status.roles", "NodeIds=.status.nodeIds"]),
        ("KafkaConnect", &[desired, ready]),
        ("KafkaConnector", &[cluster, "Connector class=.spec.class", "Max Tasks=.spec.tasksMax", ready]),
        ("KafkaMirrorMaker2", &[desired, ready]),
        ("KafkaBridge", &[desired, "Bootstrap Servers=.spec.bootstrapServers", ready]),
        ("KafkaTopic", &[cluster, "Partitions=.spec.partitions", "Replication factor=.spec.replicas", ready]),
        (
            "KafkaUser",
            &[
                cluster,
                "Authentication=.spec.authentication.type",
                "Authorization=.spec.authorization.type",
                ready,
            ],
        ),
        ("KafkaRebalance", &[cluster, template, "Status=.status.conditions[*].type"]),
        (
            "StrimziPodSet",
            &[
                "Pods=.status.pods",
                "Ready Pods=.status.readyPods",
                "Current Pods=.status.currentPods",
                "Age=.metadata.creationTimestamp",
            ],
        ),
    ];
    for (kind, columns) in expected {
        let found: Vec<String> = version(kind)
            .additional_printer_columns
            .unwrap()
            .iter()
            .map(|column| format!("{}={}", column.name, column.json_path))
            .collect();
        assert_eq!(found, columns, "{kind}");
    }
    let bridge = version("KafkaBridge").additional_printer_columns.unwrap();
    assert_eq!(bridge[1].priority, Some(1), "the long column shows only with -o wide");
}

#[test]
fn kinds_with_replicas_can_be_scaled() {
    for file in all() {
        let kind = file.crd.spec.names.kind;
        let scale = file.crd.spec.versions[0].subresources.as_ref().unwrap().scale.clone();
        let found = scale
            .map(|scale| (scale.spec_replicas_path, scale.status_replicas_path, scale.label_selector_path));
        let by_replicas = (
            ".spec.replicas".to_owned(),
            ".status.replicas".to_owned(),
            Some(".status.labelSelector".to_owned()),
        );
        let expected = match kind.as_str() {
            "KafkaConnect" | "KafkaNodePool" | "KafkaBridge" | "KafkaMirrorMaker2" | "KafkaMirrorMaker" => {
                Some(by_replicas)
            }
            "KafkaConnector" => Some((".spec.tasksMax".to_owned(), ".status.tasksMax".to_owned(), None)),
            _ => None,
        };
        assert_eq!(found, expected, "{kind}");
    }
}

#[test]
fn rules_beyond_types_have_messages() {
    let rack = ["topologyKey property is required", "envVarName property is required"];
    let metrics = ["valueFrom property is required"];
    let expected: [(&str, &str, &[&str]); 10] = [
        ("Kafka", "/spec/kafka/rack", &rack),
        ("KafkaConnect", "/spec/rack", &rack),
        ("KafkaBridge", "/spec/rack", &rack),
        ("KafkaMirrorMaker2", "/spec/rack", &rack),
        ("Kafka", "/spec/kafka/metricsConfig", &metrics),
        ("KafkaConnect", "/spec/metricsConfig", &metrics),
        ("KafkaBridge", "/spec/metricsConfig", &metrics),
        ("KafkaMirrorMaker2", "/spec/metricsConfig", &metrics),
        (
            "Kafka",
            "/spec/cruiseControl/metricsConfig",
            &["valueFrom property is required", "value type not supported"],
        ),
        (
            "KafkaUser",
            "/spec/authentication",
            &[
                "validityDays and renewalDays can be set only with authentication type tls",
                "validityDays and renewalDays must be set both or not at all",
                "renewalDays must be less than validityDays",
            ],
        ),
    ];
    let mut expected_rules = 0;
    for (kind, path, messages) in expected {
        let schema = schema(kind);
        let rules = at(&schema, path)["x-kubernetes-validations"].as_array().unwrap().clone();
        let found: Vec<&str> = rules.iter().map(|rule| rule["message"].as_str().unwrap()).collect();
        assert_eq!(found, messages, "{kind} {path}");
        expected_rules += messages.len();
    }
    assert_eq!(expected_rules, 17);
    let mut rules = (0, 0);
    let of_v1 = all().into_iter().filter(|file| file.crd.spec.versions.len() > 1);
    for version in of_v1.flat_map(|file| file.crd.spec.versions) {
        let found = serde_json::to_string(&version).unwrap().matches("\"rule\":").count();
        match version.name.as_str() {
            "v1" => rules.0 += found,
            "v1beta2" => rules.1 += found,
            _ => {}
        }
    }
    // These are what only `v1` requires.
    let required = crds::older::REQUIRED_IN_V1.iter().filter(|(_, path, _)| !path.ends_with("[]"));
    let required: usize = required.map(|(_, _, names)| names.len()).sum();
    assert_eq!(rules, (expected_rules + required, expected_rules), "no rule but those of the contract");
}

#[test]
fn exclusive_properties_are_declared() {
    let kafka = schema("Kafka");
    let choices = |schema: &Value| -> Vec<String> {
        let choices = schema["oneOf"].as_array().unwrap();
        choices.iter().map(|choice| choice["required"][0].as_str().unwrap().to_owned()).collect()
    };
    let volumes = at(&kafka, "/spec/kafka/template/pod/volumes/[]");
    assert_eq!(
        choices(volumes),
        ["secret", "configMap", "emptyDir", "persistentVolumeClaim", "csi", "image"]
    );
    let templated = at(&kafka, "/spec/kafka/template/pod/templatedVolumes/[]");
    assert_eq!(choices(templated), ["secret", "configMap", "persistentVolumeClaim"]);
    let env = at(&kafka, "/spec/kafka/template/kafkaContainer/env/[]");
    assert_eq!(choices(env), ["value", "valueFrom"]);
    assert_eq!(choices(&env["properties"]["valueFrom"]), ["secretKeyRef", "configMapKeyRef"]);
    let connect = schema("KafkaConnect");
    assert_eq!(choices(at(&connect, "/spec/tls/trustedCertificates/[]")), ["certificate", "pattern"]);
    let bridge = schema("KafkaBridge");
    assert!(
        !bridge.to_string().contains("templatedVolumes"),
        "pods of Deployments have no names of their own"
    );
}

/// Walks all schemas and calls `look` with each and its path.
fn walk(schema: &Value, path: &str, look: &mut impl FnMut(&str, &Value)) {
    look(path, schema);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        walk(property, &format!("{path}.{name}"), look);
    }
    for (keyword, suffix) in [("items", "[]"), ("additionalProperties", ".*")] {
        if schema[keyword].is_object() {
            walk(&schema[keyword], &format!("{path}{suffix}"), look);
        }
    }
}

/// The same for every version.
fn walk_versions(crd: &CustomResourceDefinition, look: &mut impl FnMut(&str, &Value)) {
    for version in &crd.spec.versions {
        let schema = version.schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
        let schema = serde_json::to_value(schema).unwrap();
        walk(&schema, &format!("{} {}", crd.spec.names.kind, version.name), look);
    }
}

#[test]
fn only_v1_is_described() {
    for file in all().into_iter().filter(|file| file.crd.spec.versions.len() > 1) {
        walk_versions(&file.crd, &mut |path, schema| {
            let older = !path.split(['.', '[']).next().unwrap().ends_with(" v1");
            assert!(!older || schema.get("description").is_none(), "{path}");
        });
    }
}

#[test]
fn descriptions_say_of_what_v1_dropped_whether_it_is_carried_out() {
    let mut carried_out = Vec::new();
    for file in all() {
        let kind = file.crd.spec.names.kind.clone();
        walk_versions(&file.crd, &mut |path, schema| {
            let description = schema["description"].as_str().unwrap_or_default();
            if description.starts_with("Dropped by v1: kept, and carried out") {
                let path = path.split_once(" v1.").unwrap().1.to_owned();
                carried_out.push((kind.clone(), path));
            }
        });
    }
    carried_out.sort();
    let expected: Vec<(String, String)> = api::dropped::CARRIED_OUT
        .iter()
        .map(|(kind, path)| ((*kind).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(carried_out, expected, "each of them is one that is kept");
}

#[test]
fn schemas_are_structural() {
    for file in all() {
        walk_versions(&file.crd, &mut |path, schema| {
            for forbidden in ["$ref", "nullable", "default", "title", "definitions", "allOf", "not"] {
                assert!(schema.get(forbidden).is_none(), "{path} has {forbidden}");
            }
            if schema["x-kubernetes-int-or-string"] == true {
                assert!(schema.get("type").is_none(), "{path} has a type beside int-or-string");
                assert_eq!(schema["anyOf"], json!([{ "type": "integer" }, { "type": "string" }]), "{path}");
            } else {
                assert!(schema["type"].is_string(), "{path} has no type");
                assert!(schema.get("anyOf").is_none(), "{path} has anyOf");
            }
            for choice in schema["oneOf"].as_array().into_iter().flatten() {
                assert!(
                    choice.get("type").is_none() && choice.get("description").is_none(),
                    "{path}: {choice}"
                );
            }
        });
    }
}

/// A number that is larger than the operators' types would make the whole resource unreadable for them.
#[test]
fn every_integer_has_bounds_that_the_operators_can_read() {
    for file in all() {
        walk_versions(&file.crd, &mut |path, schema| {
            if schema["type"] != "integer" {
                return;
            }
            let bounds = [schema["minimum"].as_f64(), schema["maximum"].as_f64()];
            let [Some(least), Some(most)] = bounds else { panic!("{path} has no bounds: {schema}") };
            let largest = crds::LARGEST_INTEGER as f64;
            assert!(-largest <= least && least <= most && most <= largest, "{path}: {least} to {most}");
        });
    }
}

/// Properties whose content is a type of the Kubernetes API.
const EMBEDDED: [&str; 22] = [
    "affinity",
    "claims",
    "configMap",
    "configMapKeyRef",
    "csi",
    "dnsConfig",
    "emptyDir",
    "fromConfigMap",
    "hostAliases",
    "image",
    "imagePullSecrets",
    "limits",
    "networkPolicyPeers",
    "persistentVolumeClaim",
    "requests",
    "secret",
    "secretKeyRef",
    "securityContext",
    "toConfigMap",
    "tolerations",
    "topologySpreadConstraints",
    "volumeMounts",
];

#[test]
fn every_property_of_ours_is_described_and_none_of_kubernetes() {
    for file in all() {
        let kind = file.crd.spec.names.kind;
        walk(&schema(&kind), &kind, &mut |path, schema| {
            let parts: Vec<&str> = path.split('.').map(|part| part.trim_end_matches("[]")).collect();
            let (last, parents) = parts.split_last().unwrap();
            let ours_below = |parent: &str| {
                // Templates of Secrets and of PersistentVolumeClaims are ours and have the same names.
                !(parent == "secret" || parent == "persistentVolumeClaim")
                    || !(parts.contains(&"metadata") || *last == "metadata")
            };
            let embedded = parents.iter().any(|parent| EMBEDDED.contains(parent) && ours_below(parent))
                || path.contains("autoRebalance[].template.")
                || (kind == "StrimziPodSet" && path.contains("selector."))
                || (path.contains(".resources.") && *last == "claims")
                || (path.contains(".resources.") && (*last == "limits" || *last == "requests"));
            let has = schema.get("description").is_some();
            if embedded {
                assert!(!has, "{path} is a property of Kubernetes and has a description");
            } else if !path.ends_with("[]") && !path.ends_with(".*") && parts.len() > 1 {
                let root = parts.len() == 2 && ["apiVersion", "kind", "metadata"].contains(last);
                assert!(root || has, "{path} has no description");
            }
        });
    }
}

/// Whether a trait that code reads has all sections that the definition has.
fn has_every_section<T: Sections + serde::de::DeserializeOwned>(kind: &str, path: &str) {
    let schema = schema(kind);
    let mut all = serde_json::Map::new();
    let (mut objects, mut containers) = (Vec::new(), Vec::new());
    let unread = crds::older::unread(kind);
    for (name, section) in at(&schema, path)["properties"].as_object().unwrap() {
        let dotted = format!("{path}/{name}").trim_start_matches('/').replace('/', ".");
        if unread.contains(&dotted) {
            continue;
        }
        if section["properties"].get("metadata").is_some() {
            all.insert(name.clone(), json!({"metadata": {"labels": {"a": "b"}}}));
            objects.push(name.as_str());
        } else {
            assert!(
                section["properties"].get("env").is_some(),
                "{path}/{name} is neither object nor container"
            );
            all.insert(name.clone(), json!({"env": []}));
            containers.push(name.as_str());
        }
    }
    let template: T = serde_json::from_value(Value::Object(all.clone())).unwrap();
    let sorted = |names: Vec<&'static str>| {
        let mut names = names;
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(template.metadata().into_iter().map(|(name, _)| name).collect()), objects, "{path}");
    assert_eq!(
        sorted(template.containers().into_iter().map(|(name, _)| name).collect()),
        containers,
        "{path}"
    );
    assert!(template.pod().is_some());
}

#[test]
fn every_section_of_a_template_is_looked_at() {
    has_every_section::<KafkaClusterTemplate>("Kafka", "/spec/kafka/template");
    has_every_section::<EntityOperatorTemplate>("Kafka", "/spec/entityOperator/template");
    has_every_section::<KafkaExporterTemplate>("Kafka", "/spec/kafkaExporter/template");
    has_every_section::<CruiseControlTemplate>("Kafka", "/spec/cruiseControl/template");
    has_every_section::<KafkaNodePoolTemplate>("KafkaNodePool", "/spec/template");
}
