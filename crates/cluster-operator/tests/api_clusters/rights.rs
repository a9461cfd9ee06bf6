//! The chart's roles and bindings, rendered by Helm and given to a service account of a test.

use std::process::{Command, Output};

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use test_support::ApiServer;
use test_support::stand_in::Fate;

use crate::world::{OWNED, World, condition, kafka, resource};

/// The chart's service account.
pub(crate) const ACCOUNT: &str = "strimzi-cluster-operator";

/// Applies the roles and bindings of a release in this namespace. Cluster-wide bindings get a name of their own per
/// namespace, so that tests do not take each other's rights.
pub(crate) async fn grant(client: &Client, namespace: &str, values: &[&str]) {
    for mut object in rendered(namespace, values) {
        let kind = object["kind"].as_str().unwrap().to_owned();
        let mut name = object["metadata"]["name"].as_str().unwrap().to_owned();
        if kind == "ClusterRoleBinding" {
            name = format!("{name}-{namespace}");
            object["metadata"]["name"] = name.clone().into();
        }
        let resource =
            ApiResource::from_gvk(&GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", &kind));
        let api: Api<DynamicObject> = match object["metadata"]["namespace"].as_str() {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        api.patch(&name, &PatchParams::apply("chart").force(), &Patch::Apply(&object)).await.unwrap();
    }
}

fn rendered(namespace: &str, values: &[&str]) -> Vec<Value> {
    template("rbac", namespace, values)
}

/// What a template of the chart makes of these values.
pub(crate) fn template(name: &str, namespace: &str, values: &[&str]) -> Vec<Value> {
    let file = format!("templates/{name}.yaml");
    let output = helm(namespace, values, &["--show-only", &file]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = text.split("\n---\n").map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    documents.filter(|document| document["kind"].is_string()).collect()
}

/// Why the chart makes nothing of these values.
pub(crate) fn refusal(namespace: &str, values: &[&str]) -> String {
    let output = helm(namespace, values, &[]);
    assert!(!output.status.success());
    String::from_utf8(output.stderr).unwrap()
}

fn helm(namespace: &str, values: &[&str], more: &[&str]) -> Output {
    // Where the machine has Helm of its own, none is built.
    let built = test_support::binaries::cache().unwrap().join("bin/helm");
    let helm = if built.exists() { built } else { "helm".into() };
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/kastellan");
    let mut command = Command::new(helm);
    command.args(["template", "release", chart, "--namespace", namespace]).args(more);
    for value in values {
        command.args(["--set", value]);
    }
    command.output().unwrap()
}

/// An installation that may make nothing outside of its namespace: it has Roles, and does what takes no more.
#[tokio::test]
async fn without_global_resources_clusters_are_made_and_a_rack_says_what_it_lacks() {
    let values = ["createGlobalResources=false"];
    let namespaced = |object: &Value| object["metadata"]["namespace"].is_string();
    assert!(rendered("ns", &values).iter().all(namespaced), "nothing is global");
    let server = ApiServer::shared().await.unwrap();
    let mut world = World::with_chart(server, "roles", &values, |_| Fate::Running).await;
    world.set("KASTELLAN_CLUSTER_ROLE_BINDINGS", "false");
    world.start_operator().await;
    world.usual("c").await;
    world.exists("Deployment", "c-entity-operator").await;

    let mut racked = kafka("c");
    racked["spec"]["kafka"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    world.apply(&racked).await;
    let warned = |kafka: &DynamicObject| condition(kafka, "Warning", "ClusterRoleBindingNotMade").is_some();
    let said = world.until("Kafka", "c", "says what the rack lacks", warned).await;
    assert!(condition(&said, "NotReady", "KubernetesError").is_none(), "{:?}", said.data["status"]);

    world.delete("Kafka", "c").await;
    world.gone("StrimziPodSet", "c-dual").await;
}

/// NetworkPolicies of clusters elsewhere let in the operator's namespace, not any with a pod that looks like it.
#[test]
fn the_operator_knows_its_namespace_and_its_rights() {
    let variables = |values: &[&str]| -> Vec<(String, String)> {
        let objects = template("deployment", "ns", values);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let env = container["env"].as_array().unwrap();
        env.iter().map(|entry| (text(&entry["name"]), text(&entry["value"]))).collect()
    };
    let value_of = |values: &[&str], name: &str| -> Vec<String> {
        let all = variables(values).into_iter();
        all.filter(|(known, _)| known == name).map(|(_, value)| value).collect()
    };
    let labels = "STRIMZI_OPERATOR_NAMESPACE_LABELS";
    assert_eq!(value_of(&[], labels), ["kubernetes.io/metadata.name=ns"]);
    assert_eq!(value_of(&["operatorNamespaceLabels.team=a"], labels), ["team=a"]);
    let own = ["extraEnvs[0].name=STRIMZI_OPERATOR_NAMESPACE_LABELS", "extraEnvs[0].value=team=b"];
    assert_eq!(value_of(&own, labels), ["team=b"], "given by the user, and once");
    let bindings = "KASTELLAN_CLUSTER_ROLE_BINDINGS";
    assert_eq!(value_of(&[], bindings), ["true"]);
    assert_eq!(value_of(&["createGlobalResources=false"], bindings), ["false"]);
    let image = [r"kafka.images.4\.3\.1=registry.example.com/kafka@sha256:0a"];
    assert_eq!(value_of(&image, "STRIMZI_KAFKA_IMAGES"), ["4.3.1=registry.example.com/kafka@sha256:0a"]);

    let policies = template("network-policy", "ns", &["operatorNetworkPolicy.enabled=true"]);
    assert_eq!(policies[0]["spec"]["ingress"], json!([{"ports": [{"port": "http", "protocol": "TCP"}]}]));
}

/// The right that makes pods from nothing is nobody's; whoever may look sees all kinds.
#[test]
fn aggregated_roles_give_the_kinds_that_people_write() {
    let roles = template("aggregate-roles", "ns", &["createAggregateRoles=true"]);
    let rules = |name: &str| {
        let role = roles.iter().find(|role| role["metadata"]["name"] == name).unwrap();
        role["rules"].as_array().unwrap().clone()
    };
    let kinds: Vec<String> =
        api::crds::all().unwrap().into_iter().map(|file| file.crd.spec.names.plural).collect();
    let resources = |rules: &[Value]| -> Vec<String> {
        let all = rules.iter().flat_map(|rule| rule["resources"].as_array().unwrap());
        all.map(|name| name.as_str().unwrap().to_owned()).collect()
    };
    let (admin, view) = (resources(&rules("strimzi-admin")), resources(&rules("strimzi-view")));
    for kind in kinds {
        assert!(view.contains(&kind), "{kind}");
        assert_eq!(admin.contains(&kind), kind != "strimzipodsets", "{kind}");
    }
    for rule in rules("strimzi-view") {
        assert_eq!(rule["verbs"], json!(["get", "list", "watch"]));
    }
}

/// The admission plug-in OwnerReferencesPermissionEnforcement asks for `delete` where owner references change.
#[test]
fn what_gets_an_owner_may_also_be_deleted() {
    let owned = OWNED.map(|kind| resource(kind).plural);
    let roles = rendered("ns", &["watchAnyNamespace=true"]);
    let rules = roles.iter().flat_map(|role| role["rules"].as_array().into_iter().flatten());
    let has = |rule: &Value, field: &str, text: &str| {
        rule[field].as_array().into_iter().flatten().any(|found| found == text)
    };
    let written: Vec<&Value> = rules.filter(|rule| has(rule, "verbs", "patch")).collect();
    for kind in owned {
        let of_kind = written.iter().filter(|rule| has(rule, "resources", &kind));
        assert_ne!(of_kind.clone().count(), 0, "{kind}");
        of_kind.for_each(|rule| assert!(has(rule, "verbs", "delete"), "{rule}"));
    }
}

/// The tests of this tier run with these rights; this one keeps out what they cannot miss.
#[test]
fn the_chart_grants_nothing_sweeping() {
    for role in rendered("ns", &["watchAnyNamespace=true"]) {
        for rule in role["rules"].as_array().into_iter().flatten() {
            let texts = |field: &str| -> Vec<&str> {
                rule[field].as_array().into_iter().flatten().filter_map(Value::as_str).collect()
            };
            let (resources, verbs) = (texts("resources"), texts("verbs"));
            for verb in ["*", "escalate", "bind", "impersonate", "deletecollection"] {
                assert!(!verbs.contains(&verb), "{rule}");
            }
            assert!(!resources.contains(&"*"), "{rule}");
            // Everything else is applied, which is `patch`. OpenShift asks for this right when a Route with a host is patched. The
            // topic operator replaces statuses, of which it may have thousands.
            let updated = |name: &&str| {
                name.ends_with("/finalizers")
                    || ["leases", "kafkatopics/status", "routes/custom-host"].contains(name)
            };
            let updated = resources.iter().all(updated);
            assert!(updated || !verbs.contains(&"update"), "{rule}");
        }
    }
}
