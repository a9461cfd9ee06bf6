//! The chart's policy for authors: what it keeps out, found in the definitions themselves, and whom it lets through.

use std::collections::BTreeSet;
use std::time::Duration;

use kube::Api;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use serde_json::{Value, json};
use test_support::{ApiServer, wait};

use crate::rights;

/// What gives the author of a resource more than Kafka, as it ends in the path of a field, with a value for it.
fn forbidden() -> Vec<(&'static str, Value)> {
    vec![
        ("image", json!("evil/image:1")),
        ("build", json!({"output": {"type": "docker", "image": "evil/image:1"}, "plugins": []})),
        ("externalConfiguration", json!({"volumes": [{"name": "x", "secret": {"secretName": "s"}}]})),
        ("plugins", json!([{"name": "plug", "artifacts": [{"type": "image", "reference": "evil/image:1"}]}])),
        ("securityContext", json!({"runAsUser": 0})),
        ("volumes", json!([{"name": "v", "secret": {"secretName": "s"}}])),
        ("volumes", json!([{"name": "v", "csi": {"driver": "d"}}])),
        ("volumes", json!([{"name": "v", "image": {"reference": "evil/image:1"}}])),
        ("templatedVolumes", json!([{"name": "v", "secret": {"secretName": "s"}}])),
        ("objectOverrides", json!({"Pod": {"spec": {"runtimeClassName": "r"}}})),
        ("env", json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}])),
        ("env", json!([{"name": "LD_PRELOAD", "value": "/mnt/x/a.so"}])),
        ("env", json!([{"name": "JAVA_TOOL_OPTIONS", "value": "-javaagent:/mnt/x/a.jar"}])),
        ("issuerRef", json!({"name": "everybodys", "kind": "ClusterIssuer"})),
        ("issuerRef", json!({"name": "everybodys", "kind": "Issuer", "group": "example.com"})),
    ]
}

/// Where fields of this name stand below `spec`, outside of lists.
fn paths(schema: &Value, name: &str, path: &str, found: &mut BTreeSet<String>) {
    for (field, schema) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}/{field}");
        // Pools' storage has volumes of another kind, and lists in a build or a mirror are part of what is forbidden as a whole.
        if field == name && !path.contains("/storage/") && !path.contains("/build/") {
            found.insert(path.clone());
        }
        paths(schema, name, &path, found);
    }
}

struct Kind {
    resource: ApiResource,
    schema: Value,
}

fn kinds() -> Vec<Kind> {
    let wanted = ["Kafka", "KafkaNodePool", "KafkaConnect", "KafkaMirrorMaker2", "KafkaBridge"];
    let mut kinds = Vec::new();
    for file in api::crds::all().unwrap() {
        let crd = serde_json::to_value(file.crd).unwrap();
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        if !wanted.contains(&kind) {
            continue;
        }
        let versions = crd["spec"]["versions"].as_array().unwrap();
        let stored = versions.iter().find(|version| version["storage"] == true).unwrap();
        let name = stored["name"].as_str().unwrap();
        let mut resource = ApiResource::from_gvk(&GroupVersionKind::gvk("kafka.strimzi.io", name, kind));
        crd["spec"]["names"]["plural"].as_str().unwrap().clone_into(&mut resource.plural);
        kinds.push(Kind { resource, schema: stored["schema"]["openAPIV3Schema"].clone() });
    }
    assert_eq!(kinds.len(), wanted.len());
    kinds
}

/// Parts of templates that are as little an author's as the build itself.
const BUILDS: [&str; 4] = [
    "spec.template.buildPod",
    "spec.template.buildContainer",
    "spec.template.buildServiceAccount",
    "spec.template.buildConfig",
];

/// A resource with nothing but the field. It is not complete: only a dry run that ends before that counts will do.
fn with(kind: &Kind, path: &str, value: &Value) -> Value {
    let mut object = json!({
        "apiVersion": kind.resource.api_version, "kind": kind.resource.kind, "metadata": {"name": "x"}, "spec": {},
    });
    let mut place = &mut object;
    for field in path.trim_start_matches('/').split('/') {
        place = &mut place[field];
    }
    *place = value.clone();
    object
}

#[tokio::test]
#[allow(clippy::too_many_lines, reason = "one story on a server of its own")]
async fn the_policy_keeps_out_what_is_more_than_kafka_and_leaves_the_rest_alone() {
    let server = ApiServer::start().await.unwrap();
    let mut crds: Vec<_> = api::crds::all().unwrap().into_iter().map(|file| file.crd).collect();
    // What a resource needs otherwise is not the matter here.
    for crd in &mut crds {
        for version in &mut crd.spec.versions {
            if let Some(schema) =
                version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut())
            {
                let mut text = serde_json::to_value(&*schema).unwrap();
                relax(&mut text);
                *schema = serde_json::from_value(text).unwrap();
            }
        }
    }
    server.install_crds(&crds).await.unwrap();
    let admin = server.client().await.unwrap();
    let namespace = server.create_namespace("authors").await.unwrap();
    for mut object in rights::template("author-policy", &namespace, &["authorPolicy.enabled=true"]) {
        let gvk =
            GroupVersionKind::gvk("admissionregistration.k8s.io", "v1", object["kind"].as_str().unwrap());
        let mut resource = ApiResource::from_gvk(&gvk);
        if object["kind"] == "ValidatingAdmissionPolicy" {
            "validatingadmissionpolicies".clone_into(&mut resource.plural);
        }
        object["metadata"]["namespace"].take();
        let api: Api<DynamicObject> = Api::all_with(admin.clone(), &resource);
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        api.patch(&name, &PatchParams::apply("chart").force(), &Patch::Apply(&object)).await.unwrap();
    }
    let rules = json!([{"apiGroups": ["kafka.strimzi.io"], "resources": ["*"], "verbs": ["get", "create", "patch", "update"]}]);
    bind(&admin, &namespace, "author", &rules).await;
    let author = server.client_for_service_account(&namespace, "author").await.unwrap();
    let write = async |client: &kube::Client, kind: &Kind, object: &Value, dry: bool| {
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind.resource);
        let parameters = PatchParams { dry_run: dry, ..PatchParams::apply("author").force() };
        api.patch("x", &parameters, &Patch::Apply(object)).await.map_err(|error| error.to_string())
    };
    let kinds = kinds();
    // A policy that was made holds a moment later, and the author's rights do: without these, all is refused for want of them.
    let bad = with(&kinds[0], "/spec/kafka/image", &json!("evil/image:1"));
    let holds = || async {
        let refused = write(&author, &kinds[0], &bad, true).await.err()?;
        refused.contains("policy kastellan-authors").then_some(())
    };
    wait::until(Duration::from_secs(30), "the policy holds", holds).await.unwrap();

    let mut tried = 0;
    for kind in &kinds {
        for (name, value) in forbidden() {
            let mut places = BTreeSet::new();
            paths(&kind.schema["properties"]["spec"], name, "/spec", &mut places);
            for place in places {
                let object = with(kind, &place, &value);
                let refused = write(&author, kind, &object, true).await.unwrap_err();
                let field = place.trim_start_matches('/').replace('/', ".").replace("templatedV", "v");
                let field = BUILDS.into_iter().find(|part| field.starts_with(part)).unwrap_or(&field);
                assert!(
                    refused.contains("policy kastellan-authors") && refused.contains(field),
                    "{place}: {refused}"
                );
                write(&admin, kind, &object, true).await.unwrap_or_else(|error| panic!("{place}: {error}"));
                tried += 1;
            }
        }
    }
    assert!(tried > 60, "{tried}");

    // The rest is the author's, also beside what an administrator wrote.
    let kafka = &kinds[0];
    let plain = json!([{"name": "c", "configMap": {"name": "c"}}]);
    write(&author, kafka, &with(kafka, "/spec/kafka/template/pod/volumes", &plain), true).await.unwrap();
    let environment = json!([{"name": "A", "value": "b"}]);
    let harmless = with(kafka, "/spec/kafka/template/kafkaContainer/env", &environment);
    write(&author, kafka, &harmless, true).await.unwrap();
    let own = with(kafka, "/spec/clientsCa/certManager/issuerRef", &json!({"name": "own", "kind": "Issuer"}));
    write(&author, kafka, &own, true).await.unwrap();
    // The same in the pod of a build, which has the credentials of a registry.
    let connect = kinds.iter().find(|kind| kind.resource.kind == "KafkaConnect").unwrap();
    let path = json!([{"name": "PATH", "value": "/mnt/mine"}]);
    let refused = with(connect, "/spec/template/buildContainer/env", &path);
    let refused = write(&author, connect, &refused, true).await.unwrap_err();
    assert!(refused.contains("take out spec.template.buildContainer"), "{refused}");
    write(&admin, kafka, &bad, false).await.unwrap();
    let api: Api<DynamicObject> = Api::namespaced_with(author.clone(), &namespace, &kafka.resource);
    let change = |patch: Value| {
        let api = api.clone();
        async move { api.patch("x", &PatchParams::default(), &Patch::Merge(patch)).await }
    };
    change(json!({"spec": {"kafka": {"config": {"a": "b"}}}})).await.unwrap();
    let error = change(json!({"spec": {"kafka": {"image": "evil/image:2"}}})).await.unwrap_err().to_string();
    assert!(error.contains("take out spec.kafka.image"), "{error}");

    // Listeners reach out of the namespace.
    let listener =
        |configuration: Value| json!([{"name": "ext", "port": 9094, "configuration": configuration}]);
    for configuration in [
        json!({"bootstrap": {"externalIPs": ["192.0.2.1"]}}),
        json!({"finalizers": ["example.org/stay"]}),
        json!({"perBrokerAnnotationsTemplate": {"a": "b"}}),
        json!({"brokers": [{"broker": 0, "annotations": {"a": "b"}}]}),
    ] {
        let object = with(kafka, "/spec/kafka/listeners", &listener(configuration));
        let refused = write(&author, kafka, &object, true).await.unwrap_err();
        assert!(refused.contains("policy kastellan-authors") && refused.contains("ext"), "{refused}");
        write(&admin, kafka, &object, true).await.unwrap();
    }
    let usual = listener(json!({"class": "nginx", "bootstrap": {"host": "kafka.example.org"}}));
    write(&author, kafka, &with(kafka, "/spec/kafka/listeners", &usual), true).await.unwrap();
    let place = "/spec/kafka/template/perPodIngress/metadata/annotations";
    let refused = write(&author, kafka, &with(kafka, place, &json!({"a": "b"})), true).await.unwrap_err();
    assert!(refused.contains("take out spec.kafka.template.perPodIngress"), "{refused}");

    // An issuer that an administrator wrote stays.
    let issuer = |name: &str| json!({"spec": {"clientsCa": {"certManager": {"issuerRef": {"name": name, "kind": "ClusterIssuer"}}}}});
    let of_admin: Api<DynamicObject> = Api::namespaced_with(admin.clone(), &namespace, &kafka.resource);
    of_admin.patch("x", &PatchParams::default(), &Patch::Merge(issuer("of-all"))).await.unwrap();
    change(json!({"spec": {"kafka": {"config": {"a": "c"}}}})).await.unwrap();
    let error = change(issuer("of-others")).await.unwrap_err().to_string();
    assert!(error.contains("in spec.clientsCa.certManager.issuerRef"), "{error}");

    let error =
        change(json!({"spec": {"clientsCa": {"type": "cert-manager.io"}}})).await.unwrap_err().to_string();
    assert!(error.contains("in spec.clientsCa.certManager.issuerRef"), "{error}");

    // Whoever may customize, may.
    let rules = json!([{"apiGroups": ["kafka.strimzi.io"], "resources": ["kafkas"], "verbs": ["customize"]}]);
    bind(&admin, &namespace, "author", &rules).await;
    let allowed =
        || async { change(json!({"spec": {"kafka": {"image": "evil/image:2"}}})).await.ok().map(drop) };
    wait::until(Duration::from_secs(30), "whoever may customize sets an image", allowed).await.unwrap();
}

/// Takes what makes a field necessary out of a schema.
fn relax(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            for field in
                ["required", "x-kubernetes-validations", "oneOf", "anyOf", "minItems", "minProperties"]
            {
                // A property may have that name.
                if !fields.get(field).is_some_and(Value::is_object) {
                    fields.remove(field);
                }
            }
            fields.values_mut().for_each(relax);
        }
        Value::Array(items) => items.iter_mut().for_each(relax),
        _ => {}
    }
}

/// Gives a service account further rights.
async fn bind(client: &kube::Client, namespace: &str, account: &str, rules: &Value) {
    let name = format!("{account}-{}", rules[0]["verbs"][0].as_str().unwrap());
    let objects = [
        json!({"kind": "Role", "rules": rules}),
        json!({
            "kind": "RoleBinding",
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": account, "namespace": namespace}],
        }),
    ];
    for mut object in objects {
        object["apiVersion"] = "rbac.authorization.k8s.io/v1".into();
        object["metadata"]["name"] = name.clone().into();
        let kind = object["kind"].as_str().unwrap().to_owned();
        let resource = crate::world::resource(&kind);
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        api.patch(&name, &PatchParams::apply("test").force(), &Patch::Apply(&object)).await.unwrap();
    }
}
