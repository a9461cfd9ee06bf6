//! Images with plug-ins as a user has them built: Buildah in a pod, a registry, workers from the image by its digest, and what the
//! status says of builds that fail, that a namespace refuses, or whose image wants something to be run in them. Their plug-in is Debezium:
//! `change_data` has it carry rows.

mod change_data;

use std::time::Duration;

use anyhow::{Context, Result};
use api::{KafkaConnect, StrimziPodSet};
use e2e::files::FileServer;
use e2e::{Scenario, has_condition, is_pod_ready};
use k8s_openapi::api::core::v1::{Namespace, Pod};
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

const MINUTES: Duration = Duration::from_mins(6);

const KAFKA: &str = r"
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: dual, labels: {strimzi.io/cluster: shop}}
spec:
  replicas: 1
  roles: [controller, broker]
  storage: {type: ephemeral}
  jvmOptions: {'-Xmx': 256m}
  resources: {requests: {cpu: 50m, memory: 512Mi}}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: shop}
spec:
  kafka:
    listeners: [{name: plain, port: 9092, type: internal, tls: false}]
    config: {offsets.topic.replication.factor: 1, default.replication.factor: 1, min.insync.replicas: 1}
";

/// Debezium's connector for PostgreSQL.
const CLASS: &str = "io.debezium.connector.postgresql.PostgresConnector";

fn variable(name: &str) -> Result<String> {
    std::env::var(name).with_context(|| format!("{name} is not set: run `make e2e`"))
}

/// The archive of the connector.
fn archive() -> Result<Vec<u8>> {
    let folder = variable("KASTELLAN_CONNECT_PLUG_INS")?;
    let mut files = std::fs::read_dir(&folder).context(folder)?.filter_map(Result::ok);
    let found = files.find(|file| file.file_name().to_string_lossy().ends_with(".tar.gz"));
    Ok(std::fs::read(found.context("no archive of a connector")?.path())?)
}

/// One worker without anything of its own.
fn worker_group(name: &str) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnect",
        "metadata": {"name": name, "annotations": {"strimzi.io/use-connector-resources": "true"}},
        "spec": {
            "replicas": 1,
            "bootstrapServers": "shop-kafka-bootstrap:9092",
            "groupId": name,
            "configStorageTopic": format!("{name}-configs"),
            "statusStorageTopic": format!("{name}-statuses"),
            "offsetStorageTopic": format!("{name}-offsets"),
            "config": {"config.storage.replication.factor": 1, "offset.storage.replication.factor": 1,
                "status.storage.replication.factor": 1},
            "jvmOptions": {"-Xmx": "256m"},
            "resources": {"requests": {"cpu": "50m", "memory": "512Mi"}},
        },
    })
}

/// Workers whose plug-in comes from this address, in a build.
fn connect(name: &str, registry: &str, url: &str, sum: Option<&str>) -> Value {
    let type_ = if url.ends_with(".jar") { "jar" } else { "tgz" };
    let mut artifact = json!({"type": type_, "url": url});
    if let Some(sum) = sum {
        artifact["sha512sum"] = json!(sum);
    }
    let mut connect = worker_group(name);
    connect["spec"]["build"] = json!({
        "output": {"type": "docker", "image": format!("{registry}/team/{name}:1")},
        "plugins": [{"name": "debezium", "artifacts": [artifact]}],
    });
    connect["spec"]["template"] = json!({
        // Where images with short names are, and that the registry has no TLS: Buildah's own file of settings.
        "buildPod": {"volumes": [{"name": "registries", "configMap": {"name": "registries"}}]},
        "buildContainer": {
            "volumeMounts": [{"name": "registries", "mountPath": "/mnt/registries"}],
            "env": [{"name": "CONTAINERS_REGISTRIES_CONF", "value": "/mnt/registries/registries.conf"}],
        },
    });
    connect
}

fn registries(registry: &str) -> Value {
    let settings = format!(
        "[[registry]]\nprefix = \"docker.io/kastellan\"\nlocation = \"{registry}/kastellan\"\ninsecure = true\n\n\
         [[registry]]\nlocation = \"{registry}\"\ninsecure = true\n"
    );
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "registries"}, "data": {"registries.conf": settings}})
}

/// The message of the condition of this type.
fn message(connect: &KafkaConnect, type_: &str) -> String {
    let conditions = connect.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut found = conditions.filter(|one| one.type_ == type_);
    found.next().and_then(|one| one.message.clone()).unwrap_or_default()
}

async fn not_ready(scenario: &Scenario, name: &str, words: &str) -> Result<String> {
    let said = |connect: Option<&KafkaConnect>| {
        connect.is_some_and(|connect| message(connect, "NotReady").contains(words))
    };
    let what = format!("NotReady with {words:?}");
    let connect = scenario.until(name, &what, MINUTES, said).await?.context("no resource")?;
    Ok(message(&connect, "NotReady"))
}

/// Waits until a worker is ready that has another image than before; the image that the pod set says it has.
async fn image_of_workers(scenario: &Scenario, name: &str, before: Option<&str>) -> Result<String> {
    let annotation = |set: &StrimziPodSet| {
        let all = set.metadata.annotations.as_ref()?;
        all.get(api::annotations::CONNECT_BUILD_IMAGE).cloned()
    };
    let set = format!("{name}-connect");
    let is_new = |found: Option<&StrimziPodSet>| {
        found.and_then(annotation).is_some_and(|image| Some(image.as_str()) != before)
    };
    let found = scenario.until(&set, "an image that was built", MINUTES, is_new).await?;
    let image = found.as_ref().and_then(annotation).context("no image")?;
    let has_image = |pod: Option<&Pod>| {
        pod.is_some_and(|pod| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            is_pod_ready(pod) && containers.into_iter().any(|one| one.image.as_deref() == Some(&image))
        })
    };
    scenario.until(&format!("{set}-0"), "a worker from the image", MINUTES, has_image).await?;
    Ok(image)
}

/// Waits until the workers have said that they know the plug-in.
async fn plug_in_is_known(scenario: &Scenario, name: &str) -> Result<()> {
    let knows = |connect: Option<&KafkaConnect>| {
        connect.is_some_and(|connect| {
            let status = connect.status.as_ref();
            let plug_ins = status.and_then(|status| status.connector_plugins.as_ref());
            has_condition(status, "Ready")
                && status.and_then(|status| status.observed_generation) == connect.metadata.generation
                && plug_ins.into_iter().flatten().any(|one| one.class.as_deref() == Some(CLASS))
        })
    };
    scenario.until(name, "Ready with the plug-in", MINUTES, knows).await?;
    Ok(())
}

#[tokio::test]
async fn builds_bring_plug_ins_to_workers_and_are_made_anew_when_asked_for() -> Result<()> {
    let registry = variable("KASTELLAN_REGISTRY")?;
    let server = FileServer::start("debezium.tar.gz", archive()?).await?;
    let url = server.url(&variable("KASTELLAN_HOST_ADDRESS")?);
    let scenario = Scenario::new("e2e-build").await?;
    scenario.apply_value(&registries(&registry)).await?;
    let wrong = "0a".repeat(64);
    scenario.apply_value(&connect("spoiled", &registry, &url, Some(&wrong))).await?;
    let mut pipes = connect("pipes", &registry, &url, None);
    change_data::with_password(&mut pipes);
    change_data::prepare(&scenario, &registry).await?;
    scenario.apply_value(&pipes).await?;
    scenario.apply(KAFKA).await?;

    let why = not_ready(&scenario, "spoiled", "attempt 1 of pod spoiled-connect-build").await?;
    scenario.stage("a file that differs ends its build");
    assert!(why.contains("has the SHA-512 sum") && why.contains(&wrong), "{why}");
    let first = image_of_workers(&scenario, "pipes", None).await?;
    plug_in_is_known(&scenario, "pipes").await?;
    scenario.stage("the workers have the image and know the plug-in");
    assert!(first.starts_with(&format!("{registry}/team/pipes@sha256:")), "{first}");
    change_data::rows_arrive(&scenario, "pipes").await?;

    // Other inputs are built at once, whatever the pause after a failure is. Asked for, the same ones are built again.
    scenario.apply_value(&connect("spoiled", &registry, &url, None)).await?;
    let asked = json!({"metadata": {"annotations": {api::annotations::FORCE_REBUILD: "true"}}});
    let sets = scenario.api::<StrimziPodSet>();
    sets.patch("pipes-connect", &PatchParams::default(), &Patch::Merge(&asked)).await?;
    image_of_workers(&scenario, "pipes", Some(&first)).await?;
    scenario.stage("the image was made anew");
    let set = sets.get("pipes-connect").await?;
    let left = set.metadata.annotations.as_ref().and_then(|all| all.get(api::annotations::FORCE_REBUILD));
    assert_ne!(left.map(String::as_str), Some("true"));
    image_of_workers(&scenario, "spoiled", None).await?;
    scenario.stage("the other one has its image, too");
    let gone = |pod: Option<&Pod>| pod.is_none();
    for name in ["pipes-connect-build", "spoiled-connect-build"] {
        scenario.until::<Pod>(name, "the end of the pod", MINUTES, gone).await?;
    }
    scenario.remove().await
}

/// A pod that makes an image which wants something to be run in each build that begins with it, and pushes it.
fn maker_of(image: &str) -> [Value; 2] {
    let dockerfile = "FROM docker.io/kastellan/kafka:4.3.1\nONBUILD RUN [\"touch\", \"/opt/kafka/ran\"]\n";
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "eager"}, "data": {"Dockerfile": dockerfile}});
    let container = |name: &str, command: Value| {
        json!({
            "name": name,
            "image": format!("docker.io/kastellan/buildah:{}", env!("CARGO_PKG_VERSION")),
            "command": command,
            "env": [
                {"name": "STORAGE_DRIVER", "value": "vfs"},
                {"name": "CONTAINERS_REGISTRIES_CONF", "value": "/mnt/registries/registries.conf"},
            ],
            "volumeMounts": [
                {"name": "eager", "mountPath": "/eager"},
                {"name": "registries", "mountPath": "/mnt/registries"},
                {"name": "storage", "mountPath": "/var/lib/containers"},
            ],
        })
    };
    let program = "/usr/bin/buildah";
    let make = json!([
        program,
        "build",
        "--isolation=chroot",
        "--format=docker",
        format!("--tag={image}"),
        "/eager"
    ]);
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "eager"},
        "spec": {
            "restartPolicy": "Never",
            "initContainers": [container("make", make)],
            "containers": [container("push", json!([program, "push", image]))],
            "volumes": [
                {"name": "eager", "configMap": {"name": "eager"}},
                {"name": "registries", "configMap": {"name": "registries"}},
                {"name": "storage", "emptyDir": {}},
            ],
        },
    });
    [map, pod]
}

#[tokio::test]
async fn builds_run_nothing_of_the_image_that_they_begin_with() -> Result<()> {
    let registry = variable("KASTELLAN_REGISTRY")?;
    let server = FileServer::start("a.jar", b"abc".to_vec()).await?;
    let url = server.url(&variable("KASTELLAN_HOST_ADDRESS")?);
    let scenario = Scenario::new("e2e-build-eager").await?;
    scenario.apply_value(&registries(&registry)).await?;
    let image = format!("{registry}/team/eager:1");
    for object in maker_of(&image) {
        scenario.apply_value(&object).await?;
    }
    let is_over = |pod: Option<&Pod>| {
        let phase = pod.and_then(|pod| pod.status.as_ref()?.phase.as_deref());
        phase.is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
    };
    let pod = scenario.until("eager", "the end of the pod", MINUTES, is_over).await?;
    let phase = pod.and_then(|pod| pod.status?.phase);
    anyhow::ensure!(
        phase.as_deref() == Some("Succeeded"),
        "the image with ONBUILD could not be made: {phase:?}"
    );
    let mut connect = connect("pipes", &registry, &url, None);
    connect["spec"]["image"] = json!(image);
    scenario.apply_value(&connect).await?;
    let why = not_ready(&scenario, "pipes", "has ONBUILD RUN").await?;
    assert!(why.contains("container build ended with code"), "{why}");
    scenario.remove().await
}

#[tokio::test]
async fn builds_are_refused_by_a_restricted_namespace_and_the_status_says_so() -> Result<()> {
    let registry = variable("KASTELLAN_REGISTRY")?;
    let scenario = Scenario::new("e2e-build-restricted").await?;
    let label = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    let namespaces: Api<Namespace> = Api::all(scenario.client.clone());
    namespaces.patch(&scenario.namespace, &PatchParams::default(), &Patch::Merge(&label)).await?;
    scenario.apply_value(&registries(&registry)).await?;
    scenario.apply_value(&connect("pipes", &registry, "http://files.example/a.jar", None)).await?;
    let why = not_ready(&scenario, "pipes", "pipes-connect-build").await?;
    assert!(why.contains("\"restricted\"") && why.contains("enforce \"baseline\""), "{why}");
    scenario.remove().await
}
