//! Evictions that the API server asks the operator about, by the webhook of the chart. What is not the chart's: the Service leads to this
//! machine, since there is no network of a Kubernetes cluster.

use k8s_openapi::ByteString;
use k8s_openapi::api::admissionregistration::v1::ValidatingWebhookConfiguration;
use k8s_openapi::api::core::v1::{Node, Pod, Secret};
use kube::api::{ApiResource, DeleteParams, DynamicObject, EvictParams, Patch, PatchParams, PostParams};
use kube::core::{GroupVersionKind, Status};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};
use test_support::stand_in::{Fate, NODE};
use test_support::{free_port, wait};

use crate::rights;
use crate::world::{DEADLINE, World};

const VALUES: [&str; 1] = ["evictionWebhook.enabled=true"];
const NAME: &str = "kastellan-evictions";
const MARK: &str = "strimzi.io/manual-rolling-update";

/// The chart's objects, but for what leads to the operator.
async fn install(client: &Client, namespace: &str, port: u16) {
    for mut object in rights::template("eviction-webhook", namespace, &VALUES) {
        let is_service = object["kind"] == "Service";
        let group = if is_service { "" } else { "admissionregistration.k8s.io" };
        if is_service {
            object["spec"] = json!({"type": "ExternalName", "externalName": "localhost"});
        } else {
            object["webhooks"][0]["clientConfig"]["service"]["port"] = json!(port);
        }
        let gvk = GroupVersionKind::gvk(group, "v1", object["kind"].as_str().unwrap());
        let resource = ApiResource::from_gvk(&gvk);
        let api: Api<DynamicObject> = if is_service {
            Api::namespaced_with(client.clone(), namespace, &resource)
        } else {
            Api::all_with(client.clone(), &resource)
        };
        api.patch(NAME, &PatchParams::apply("helm").force(), &Patch::Apply(&object)).await.unwrap();
    }
}

/// The machine of all pods. It is ready.
async fn machine(client: &Client) -> Api<Node> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = serde_json::from_value(json!({"metadata": {"name": NODE}})).unwrap();
    nodes.create(&PostParams::default(), &node).await.unwrap();
    let ready = json!({"status": {"conditions": [{"type": "Ready", "status": "True"}]}});
    nodes.patch_status(NODE, &PatchParams::default(), &Patch::Merge(&ready)).await.unwrap();
    // The API server gives each new machine a taint, which a controller takes off when it is ready.
    change(&nodes, &json!({"spec": {"taints": null}})).await;
    nodes
}

async fn change(nodes: &Api<Node>, patch: &Value) {
    nodes.patch(NODE, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
}

struct Drain {
    world: World,
    pods: Api<Pod>,
    nodes: Api<Node>,
}

impl Drain {
    async fn start() -> Self {
        let server = test_world::own_server().await;
        let mut world = World::with_chart(server, "evictions", &VALUES, |_| Fate::Running).await;
        let port = free_port().unwrap();
        install(&world.client, &world.namespace, port).await;
        world.set("KASTELLAN_EVICTION_WEBHOOK", "true");
        world.set("KASTELLAN_EVICTION_WEBHOOK_PORT", &port.to_string());
        // Nobody counts pods for budgets here.
        world.set("STRIMZI_POD_DISRUPTION_BUDGET_GENERATION", "false");
        world.start_operator().await;
        let pods = Api::namespaced(world.client.clone(), &world.namespace);
        let nodes = machine(&world.client).await;
        world.usual("c").await;
        let drain = Self { world, pods, nodes };
        drain.is_asked().await;
        drain
    }

    /// Waits until the API server asks the operator, which says of a new pod on a good machine that it has moved.
    async fn is_asked(&self) {
        let params = EvictParams { post_options: dry(), ..EvictParams::default() };
        let asked = || async {
            let answer = self.pods.evict("c-dual-2", &params).await;
            let is_told = |status: &Status| status.code == 404 && status.message.contains("successor");
            matches!(answer, Err(kube::Error::Api(status)) if is_told(&status)).then_some(())
        };
        let waited = wait::until(DEADLINE, "the API server asks the operator", asked).await;
        waited.unwrap_or_else(|error| panic!("{error}\n{}", self.world.log.text()));
    }

    /// Asks as kubectl does, with its options in the eviction itself: the client of these tests names them otherwise.
    async fn evict(&self, pod: &str, query: &str, options: &Value) -> Result<Value, kube::Error> {
        let path = format!("/api/v1/namespaces/{}/pods/{pod}/eviction?{query}", self.world.namespace);
        let eviction = json!({"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod},
            "deleteOptions": options});
        let request = http::Request::post(path).header("Content-Type", "application/json");
        self.world.client.request(request.body(eviction.to_string().into_bytes()).unwrap()).await
    }

    /// The answer to an eviction that is refused.
    async fn refused(&self, pod: &str, query: &str, options: &Value) -> Status {
        match self.evict(pod, query, options).await {
            Err(kube::Error::Api(status)) => *status,
            other => panic!("{pod}: {other:?}"),
        }
    }

    /// Asks like `kubectl drain`, and is told this.
    async fn told(&self, pod: &str, code: u16, words: &[&str]) {
        let status = self.refused(pod, "", &Value::Null).await;
        assert_eq!(status.code, code, "{status:?}");
        for word in words {
            assert!(status.message.contains(word), "{word}: {}", status.message);
        }
    }

    async fn is_marked(&self, pod: &str) -> bool {
        self.pods.get(pod).await.unwrap().annotations().contains_key(MARK)
    }

    async fn bundle(&self) -> Option<ByteString> {
        let all: Api<ValidatingWebhookConfiguration> = Api::all(self.world.client.clone());
        all.get(NAME).await.unwrap().webhooks?.remove(0).client_config.ca_bundle
    }
}

fn dry() -> PostParams {
    PostParams { dry_run: true, ..PostParams::default() }
}

#[tokio::test]
async fn draining_a_machine_restarts_the_nodes_of_kafka_on_it_and_evicts_all_else() {
    let mut drain = Drain::start().await;
    let pod = drain.pods.get("c-dual-0").await.unwrap();

    // A dry run writes nothing, in whichever way it is asked for; kubectl writes it into the eviction.
    change(&drain.nodes, &json!({"spec": {"unschedulable": true}})).await;
    for (query, options) in [("dryRun=All", Value::Null), ("", json!({"dryRun": ["All"]}))] {
        assert_eq!(drain.refused("c-dual-0", query, &options).await.code, 429);
    }
    assert!(!drain.is_marked("c-dual-0").await);

    // An eviction for another pod of the name is refused as ever.
    let other = json!({"preconditions": {"uid": "other"}});
    assert_eq!(drain.refused("c-dual-0", "", &other).await.code, 409);

    // Nothing is done while nobody is to touch the cluster.
    let pause =
        |value: Value| json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": value}}});
    drain.world.patch("Kafka", "c", pause(json!("true"))).await;
    drain.told("c-dual-0", 429, &["strimzi.io/pause-reconciliation", "kafkas.kafka.strimzi.io c"]).await;
    assert!(!drain.is_marked("c-dual-0").await);
    drain.world.patch("Kafka", "c", pause(Value::Null)).await;

    // The pod is restarted instead, and its successor, on a good machine, is not.
    drain.told("c-dual-0", 429, &["pod c-dual-0", "the cluster operator restarts it", "Kafka c "]).await;
    let is_to_restart = |kafka: &DynamicObject| {
        let status = kafka.data["status"].to_string();
        status.contains("pod c-dual-0 is to be restarted: it was asked for with an annotation")
    };
    drain.world.until("Kafka", "c", "restarts the pod in its turn", is_to_restart).await;
    // Its turn does not come, since no Kafka runs here that says whether it may.
    drain.world.delete("Pod", "c-dual-0").await;
    let is_new = |found: &DynamicObject| found.uid() != pod.uid();
    drain.world.until("Pod", "c-dual-0", "is a new pod", is_new).await;
    change(&drain.nodes, &json!({"spec": {"unschedulable": null}})).await;
    drain.told("c-dual-0", 404, &["c-dual-0", "successor"]).await;
    assert!(!drain.is_marked("c-dual-0").await);

    // A pod of other people's is evicted.
    change(&drain.nodes, &json!({"spec": {"unschedulable": true}})).await;
    let foreign = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "other"},
        "spec": {"containers": [{"name": "a", "image": "a"}]}});
    drain.world.apply(&foreign).await;
    drain.pods.evict("other", &EvictParams::default()).await.unwrap();
    drain.world.gone("Pod", "other").await;
    change(&drain.nodes, &json!({"spec": {"unschedulable": null}})).await;

    // Without an operator, and with one that comes back: evictions are Kubernetes' own business meanwhile.
    drain.world.stop_operator().await;
    drain.pods.evict("c-dual-1", &EvictParams::default()).await.unwrap();
    drain.world.gone("Pod", "c-dual-1").await;
    drain.world.start_operator().await;
    drain.world.exists("Pod", "c-dual-1").await;
    drain.is_asked().await;
}

#[tokio::test]
async fn a_secret_that_was_taken_away_or_broken_is_made_anew_and_the_webhook_goes_on() {
    let drain = Drain::start().await;
    let secrets: Api<Secret> = Api::namespaced(drain.world.client.clone(), &drain.world.namespace);
    let first = secrets.get(NAME).await.unwrap();
    assert!(!drain.world.log.text().contains(path_token(&first).as_str()), "the path is a secret");
    let mut before = drain.bundle().await;
    for fault in ["deleted", "broken"] {
        if fault == "deleted" {
            secrets.delete(NAME, &DeleteParams::default()).await.unwrap();
        } else {
            let broken = json!({"stringData": {"tls.key": "nothing"}});
            secrets.patch(NAME, &PatchParams::default(), &Patch::Merge(&broken)).await.unwrap();
        }
        let told = || async {
            let bundle = drain.bundle().await;
            (bundle != before).then_some(bundle)
        };
        before = wait::until(DEADLINE, "the API server trusts a new authority", told).await.unwrap();
        assert_eq!(before.as_ref(), secrets.get(NAME).await.unwrap().data.unwrap().get("ca.crt"), "{fault}");
        drain.is_asked().await;
    }
    assert_ne!(path_token(&first), path_token(&secrets.get(NAME).await.unwrap()));
}

fn path_token(secret: &Secret) -> String {
    String::from_utf8(secret.data.as_ref().unwrap()["path-token"].0.clone()).unwrap()
}

/// What no test that installs it would see.
#[test]
fn the_chart_asks_about_evictions_in_watched_namespaces_alone() {
    let webhook = |values: &[&str]| {
        let mut objects = rights::template("eviction-webhook", "ns", &[&VALUES[..], values].concat());
        objects.pop().unwrap()["webhooks"][0].take()
    };
    let namespaces = |values: &[&str]| webhook(values)["namespaceSelector"]["matchExpressions"].clone();
    let but_system =
        json!({"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["kube-system"]});
    let watched = json!({"key": "kubernetes.io/metadata.name", "operator": "In", "values": ["ns", "a", "b"]});
    assert_eq!(namespaces(&["watchNamespaces={a,b,ns}"]), json!([but_system, watched]));
    assert_eq!(namespaces(&["watchAnyNamespace=true"]), json!([but_system]));
    assert_eq!(webhook(&[])["failurePolicy"], "Ignore");

    let container = |values: &[&str]| {
        let mut objects = rights::template("deployment", "ns", values);
        objects.pop().unwrap()["spec"]["template"]["spec"]["containers"][0].take()
    };
    let on = json!({"name": "KASTELLAN_EVICTION_WEBHOOK", "value": "true"});
    let port = json!({"name": "evictions", "containerPort": 8443});
    let has = |values: &[&str], field: &str, entry: &Value| {
        container(values)[field].as_array().unwrap().contains(entry)
    };
    assert!(has(&VALUES, "env", &on) && has(&VALUES, "ports", &port));
    assert!(!has(&[], "env", &on) && !has(&[], "ports", &port));

    let with_policy = [VALUES[0], "operatorNetworkPolicy.enabled=true"];
    let policy = rights::template("network-policy", "ns", &with_policy).remove(0);
    let entry = json!({"ports": [{"port": "evictions", "protocol": "TCP"}]});
    assert!(policy["spec"]["ingress"].as_array().unwrap().contains(&entry), "{policy}");

    // With a certificate of the user's own the operator has no right on webhooks.
    let rules = |values: &[&str]| {
        let all = rights::template("rbac", "ns", &[&VALUES[..], values].concat());
        all.iter().any(|role| role.to_string().contains("validatingwebhookconfigurations"))
    };
    let own = ["existingSecret=mine", "pathToken=abcdefghijklmnopqrst", "caBundle=AAAA"]
        .map(|value| format!("evictionWebhook.{value}"));
    let own = own.each_ref().map(String::as_str);
    assert!(rules(&[]) && !rules(&own));
    let client = webhook(&own)["clientConfig"].clone();
    assert_eq!(client["caBundle"], "AAAA");
    assert_eq!(client["service"]["path"], "/evictions/abcdefghijklmnopqrst");
    let mine = json!({"name": "KASTELLAN_EVICTION_WEBHOOK_SECRET", "value": "mine"});
    assert!(has(&[&VALUES[..], &own].concat(), "env", &mine));
    let refused = rights::refusal("ns", &[VALUES[0], own[0]]);
    assert!(refused.contains("evictionWebhook.pathToken"), "{refused}");

    let refused = rights::refusal("ns", &[VALUES[0], "createGlobalResources=false"]);
    assert!(refused.contains("set createGlobalResources=true"), "{refused}");
}
