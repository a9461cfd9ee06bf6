//! Image builds where OpenShift does them. Custom resources with the schemas of OpenShift's own definitions stand in for its aggregated API;
//! these cannot have the sub-resource `instantiate`, which [`OpenShift`] answers as its API server does: by the rules of its
//! definitions, and with a Build.

use std::sync::{Arc, Mutex};

use futures::FutureExt;
use http::Method;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use test_support::openapi::OpenApi;
use test_support::stand_in::Fate;
use test_support::{ApiServer, wait};
use test_world::behind::{Answer, Asked, Behind};
use tokio::sync::OnceCell;

use crate::secrecy::secret;
use crate::world::{DEADLINE, World, is_current, resource};

const BUILD: &str = "pipes-connect-build";
const V1: &str = "com.github.openshift.api.build.v1";

static SERVER: OnceCell<&'static ApiServer> = OnceCell::const_new();

/// A server of its own, with the kinds of OpenShift: they come to none of the other tests.
async fn openshift() -> &'static ApiServer {
    *SERVER
        .get_or_init(|| async {
            let server: &'static ApiServer = Box::leak(Box::new(ApiServer::start().await.unwrap()));
            let document = OpenApi::openshift().unwrap();
            let client = server.client().await.unwrap();
            let all: Api<CustomResourceDefinition> = Api::all(client.clone());
            for (definition, kind) in [
                (format!("{V1}.BuildConfig"), ("build.openshift.io", "BuildConfig", "buildconfigs")),
                (format!("{V1}.Build"), ("build.openshift.io", "Build", "builds")),
                (
                    "com.github.openshift.api.image.v1.ImageStream".to_owned(),
                    ("image.openshift.io", "ImageStream", "imagestreams"),
                ),
            ] {
                let definition = document.custom_resource(&definition, kind).unwrap();
                all.create(&PostParams::default(), &definition).await.unwrap();
            }
            // The operator looks for them once, at its start.
            let served = || async {
                let groups = client.list_api_groups().await.ok()?.groups;
                let has = |name: &str| groups.iter().any(|group| group.name == name);
                (has("build.openshift.io") && has("image.openshift.io")).then_some(())
            };
            wait::until(DEADLINE, "the kinds are served", served).await.unwrap();
            // The storage of a kind is set up at the first read, and until then reads are refused.
            for kind in ["BuildConfig", "Build", "ImageStream"] {
                let all: Api<DynamicObject> = Api::all_with(client.clone(), &resource(kind));
                let read = || async { all.list(&ListParams::default()).await.ok() };
                wait::until(DEADLINE, &format!("{kind} can be read"), read).await.unwrap();
            }
            server
        })
        .await
}

/// What OpenShift's API server does with BuildConfigs.
struct OpenShift {
    client: Client,
    document: OpenApi,
    /// What was wrong with the objects that came.
    problems: Mutex<Vec<String>>,
    /// The BuildRequests.
    requests: Mutex<Vec<Value>>,
}

impl OpenShift {
    async fn of(server: &ApiServer) -> Arc<Self> {
        let client = server.client().await.unwrap();
        let document = OpenApi::openshift().unwrap();
        Arc::new(Self { client, document, problems: Mutex::default(), requests: Mutex::default() })
    }

    fn behind(self: &Arc<Self>) -> Behind {
        let openshift = Arc::clone(self);
        Behind::of("/buildconfigs/", move |asked| {
            let openshift = Arc::clone(&openshift);
            async move { openshift.answer(asked).await }.boxed()
        })
    }

    async fn answer(&self, asked: Asked) -> Option<Answer> {
        let is_request = asked.path.ends_with("/instantiate");
        let definition = if is_request { "BuildRequest" } else { "BuildConfig" };
        let problems = self.document.problems(&format!("{V1}.{definition}"), &asked.body);
        self.problems.lock().unwrap().extend(problems);
        assert_eq!(asked.method, if is_request { Method::POST } else { Method::PATCH });
        if !is_request {
            return None;
        }
        self.requests.lock().unwrap().push(asked.body.clone());
        let parts: Vec<&str> = asked.path.split('/').collect();
        let [.., "namespaces", namespace, "buildconfigs", name, "instantiate"] = parts[..] else {
            panic!("{}", asked.path);
        };
        Some(self.instantiate(namespace, name, &asked.body).await)
    }

    async fn instantiate(&self, namespace: &str, name: &str, request: &Value) -> Answer {
        let configs: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource("BuildConfig"));
        let builds: Api<DynamicObject> =
            Api::namespaced_with(self.client.clone(), namespace, &resource("Build"));
        let config = configs.get(name).await.unwrap();
        let last = config.data["status"]["lastVersion"].as_i64().unwrap_or(0);
        if request["lastVersion"].as_i64().is_some_and(|seen| seen != last) {
            let message =
                format!("the LastVersion({last}) on build config {namespace}/{name} does not match");
            let status = json!({"apiVersion": "v1", "kind": "Status", "status": "Failure", "reason": "BadRequest",
                "message": message, "code": 400});
            return (400, status);
        }
        let number = last + 1;
        let status = Patch::Merge(json!({"status": {"lastVersion": number}}));
        configs.patch_status(name, &PatchParams::default(), &status).await.unwrap();
        let mut annotations = request["metadata"]["annotations"].clone();
        annotations["openshift.io/build.number"] = json!(number.to_string());
        let owner = json!({"apiVersion": "build.openshift.io/v1", "kind": "BuildConfig", "name": name,
            "uid": config.uid().unwrap(), "controller": true});
        let build = json!({"apiVersion": "build.openshift.io/v1", "kind": "Build",
            "metadata": {"name": format!("{name}-{number}"), "labels": config.metadata.labels, "annotations": annotations,
                "ownerReferences": [owner]},
            "spec": {"strategy": config.data["spec"]["strategy"]}, "status": {"phase": "New"}});
        let build: DynamicObject = serde_json::from_value(build).unwrap();
        let made = builds.create(&PostParams::default(), &build).await.unwrap();
        (201, serde_json::to_value(made).unwrap())
    }

    fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }
}

async fn world(openshift: Option<&Arc<OpenShift>>, prefix: &str) -> World {
    let mut world = World::with(self::openshift().await, prefix, Fate::Ready).await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
    world.behind = openshift.map(OpenShift::behind);
    world.start_operator().await;
    world
}

/// A resource whose image comes from one artifact.
fn pipes(output: &Value) -> Value {
    json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect", "metadata": {"name": "pipes"},
        "spec": {"replicas": 1, "bootstrapServers": "shop-kafka-bootstrap:9092", "groupId": "pipes",
            "configStorageTopic": "configs", "statusStorageTopic": "statuses", "offsetStorageTopic": "offsets",
            "build": {"output": output, "resources": {"limits": {"memory": "1Gi", "cpu": "1"}},
                "plugins": [{"name": "files", "artifacts": [{"type": "jar", "url": "https://files.example/a.jar"}]}]}}})
}

fn digest(of: char) -> String {
    format!("sha256:{}", of.to_string().repeat(64))
}

async fn says(world: &World, build: &str, status: Value) {
    let status = Patch::Merge(json!({"status": status}));
    world.api("Build").patch_status(build, &PatchParams::default(), &status).await.unwrap();
}

async fn told(world: &World, type_: &str, words: &str) {
    let is_told = |connect: &DynamicObject| {
        let conditions = connect.data["status"]["conditions"].as_array();
        let mut conditions = conditions.into_iter().flatten();
        is_current(connect)
            && conditions.any(|condition| {
                condition["type"] == type_
                    && condition["message"].as_str().unwrap_or_default().contains(words)
            })
    };
    world.promptly("KafkaConnect", "pipes", &format!("says {type_}: {words}"), is_told).await;
}

/// The workers have this image.
async fn run(world: &World, image: &str) {
    let has_image = |pod: &DynamicObject| pod.data["spec"]["containers"][0]["image"] == image;
    world.promptly("Pod", "pipes-connect-0", &format!("has {image}"), has_image).await;
    told(world, "Ready", "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn openshift_builds_the_image_and_nothing_that_it_is_sent_breaks_its_definitions() {
    let openshift_api = OpenShift::of(openshift().await).await;
    let world = world(Some(&openshift_api), "openshift").await;
    let mut registry = secret("registry", &[(".dockerconfigjson", "{}")]);
    registry["type"] = json!("kubernetes.io/dockerconfigjson");
    world.apply(&registry).await;
    let output =
        json!({"type": "docker", "image": "registry.example:5000/team/pipes:1", "pushSecret": "registry"});
    let mut connect = pipes(&output);
    connect["spec"]["template"] = json!({"buildConfig": {"pullSecret": "registry"}});
    world.apply(&connect).await;
    let build = world.promptly("Build", "pipes-connect-build-1", "is started", |_| true).await;
    assert_eq!(build.labels()["strimzi.io/cluster"], "pipes");
    says(
        &world,
        "pipes-connect-build-1",
        json!({"phase": "Running", "startTimestamp": "2999-01-01T00:00:00Z"}),
    )
    .await;
    told(&world, "NotReady", "the image is being built by Build pipes-connect-build-1").await;
    let failed = json!({"phase": "Failed", "reason": "DockerBuildFailed", "message": "Dockerfile build strategy has failed.",
        "logSnippet": "STEP 4\nerror: status 404"});
    says(&world, "pipes-connect-build-1", failed).await;
    told(&world, "NotReady", "Dockerfile build strategy has failed.: STEP 4 | error: status 404").await;

    // Other inputs are built at once.
    connect["spec"]["build"]["plugins"][0]["artifacts"][0]["url"] = json!("https://files.example/b.jar");
    world.apply(&connect).await;
    world.promptly("Build", "pipes-connect-build-2", "is started", |_| true).await;
    let complete = |letter| {
        json!({"phase": "Complete", "outputDockerImageReference": "registry.example:5000/team/pipes:1",
            "output": {"to": {"imageDigest": digest(letter)}}})
    };
    says(&world, "pipes-connect-build-2", complete('a')).await;
    run(&world, &format!("registry.example:5000/team/pipes@{}", digest('a'))).await;

    // And so is what is asked for.
    let force = json!({"metadata": {"annotations": {"strimzi.io/force-rebuild": "true"}}});
    world.patch("StrimziPodSet", "pipes-connect", force).await;
    world.promptly("Build", "pipes-connect-build-3", "is started", |_| true).await;
    says(&world, "pipes-connect-build-3", complete('b')).await;
    run(&world, &format!("registry.example:5000/team/pipes@{}", digest('b'))).await;

    let seen: Vec<Value> =
        openshift_api.requests().iter().map(|request| request["lastVersion"].clone()).collect();
    assert_eq!(seen, [0, 1, 2], "one request for each");
    assert_eq!(*openshift_api.problems.lock().unwrap(), Vec::<String>::new());
    connect["spec"].as_object_mut().unwrap().remove("build");
    world.apply(&connect).await;
    world.gone("BuildConfig", BUILD).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_stream_is_waited_for_and_a_build_that_is_refused_is_told_of() {
    let openshift_api = OpenShift::of(openshift().await).await;
    let mut world = world(Some(&openshift_api), "streams").await;
    world.apply(&pipes(&json!({"type": "imagestream", "image": "pipes:latest"}))).await;
    told(&world, "NotReady", "there is no ImageStream \"pipes\" in the namespace").await;
    assert!(openshift_api.requests().is_empty());
    world.apply(&json!({"apiVersion": "image.openshift.io/v1", "kind": "ImageStream", "metadata": {"name": "pipes"}})).await;
    let config = world.exists("BuildConfig", BUILD).await;
    assert_eq!(
        config.data["spec"]["output"]["to"],
        json!({"kind": "ImageStreamTag", "name": "pipes:latest"})
    );
    world.exists("Build", "pipes-connect-build-1").await;
    assert_eq!(*openshift_api.problems.lock().unwrap(), Vec::<String>::new());
    world.stop_operator().await;

    // Without the server behind it, the API server knows no "instantiate".
    world.behind = None;
    world.delete("Build", "pipes-connect-build-1").await;
    world.start_operator().await;
    told(&world, "NotReady", "the image cannot be built, and workers that run stay as they are").await;
}
