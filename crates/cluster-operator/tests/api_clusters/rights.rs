//! The chart's roles and bindings, rendered by Helm and given to a service account of a test.

use std::process::Command;

use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::Value;

use crate::world::{OWNED, resource};

/// The chart's service account.
pub const ACCOUNT: &str = "strimzi-cluster-operator";

/// Applies the roles and bindings of a release in this namespace. Cluster-wide bindings get a name of their own per
/// namespace, so that tests do not take each other's rights.
pub async fn grant(client: &Client, namespace: &str, values: &[&str]) {
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
    // Where the machine has Helm of its own, none is built.
    let built = test_support::binaries::cache().unwrap().join("bin/helm");
    let helm = if built.exists() { built } else { "helm".into() };
    let chart = concat!(env!("CARGO_MANIFEST_DIR"), "/../../charts/kastellan");
    let mut command = Command::new(helm);
    command.args([
        "template",
        "release",
        chart,
        "--namespace",
        namespace,
        "--show-only",
        "templates/rbac.yaml",
    ]);
    for value in values {
        command.args(["--set", value]);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = text.split("\n---\n").map(|text| serde_saphyr::from_str::<Value>(text).unwrap());
    documents.filter(|document| document["kind"].is_string()).collect()
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
            // Everything else is applied, which is `patch`. The topic operator replaces statuses, of which it may have thousands.
            let updated = |name: &&str| {
                name.ends_with("/finalizers") || ["leases", "kafkatopics/status"].contains(name)
            };
            let updated = resources.iter().all(updated);
            assert!(updated || !verbs.contains(&"update"), "{rule}");
        }
    }
}
