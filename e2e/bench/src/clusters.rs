//! Kafka clusters: how long, how much processor time and memory until the pods of many new ones exist, and what follows
//! ([`crate::settled`]).

use std::{path::Path, time::Instant};

use anyhow::{Context as _, bail};
use api::{Kafka, KafkaNodePool};
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api,
    api::{ApiResource, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
};
use serde_json::{Value, json};

use crate::{
    hosts::Hosts,
    kafka_stand_in,
    operator::Operator,
    report::{number, progress, row},
    settled,
    world::{self, IN_FLIGHT, World},
};

/// Nodes of each cluster, all controllers and brokers.
pub(crate) const NODES: usize = 3;
/// Where the operator serves its metrics.
pub(crate) const PORT: u16 = 18_080;
/// What a cluster consists of: group, version, kind.
const KINDS: &[(&str, &str, &str)] = &[
    ("", "v1", "Secret"),
    ("", "v1", "ConfigMap"),
    ("", "v1", "ServiceAccount"),
    ("", "v1", "Service"),
    ("", "v1", "PersistentVolumeClaim"),
    ("policy", "v1", "PodDisruptionBudget"),
    ("networking.k8s.io", "v1", "NetworkPolicy"),
    ("core.strimzi.io", "v1", "StrimziPodSet"),
    ("", "v1", "Pod"),
];

/// The limits that figures are printed beside.
struct Limits {
    seconds: &'static str,
    cpu: &'static str,
    megabytes: &'static str,
    threads: &'static str,
    settled: settled::Limits,
}

/// Measures and prints.
pub(crate) async fn run(binary: &Path, counts: &[usize]) -> anyhow::Result<()> {
    for count in counts {
        let none = settled::Limits { resident: "-", peak: "-", pass: "-" };
        let limits = match count {
            50 => Limits { seconds: "10", cpu: "2", megabytes: "40", threads: "-", settled: none },
            500 => {
                let settled = settled::Limits { resident: "100", peak: "120", pass: "5" };
                Limits { seconds: "80", cpu: "-", megabytes: "120", threads: "8", settled }
            }
            _ => Limits { seconds: "-", cpu: "-", megabytes: "-", threads: "-", settled: none },
        };
        new_clusters(binary, *count, &limits).await?;
    }
    Ok(())
}

async fn new_clusters(binary: &Path, count: usize, limits: &Limits) -> anyhow::Result<()> {
    progress(format!("clusters: starting an API server; {count} clusters"));
    let world = World::start().await?;
    let variables = [
        ("KUBECONFIG", world.kubeconfig.display().to_string()),
        ("STRIMZI_NAMESPACE", world.namespace.clone()),
        ("KASTELLAN_OPERATOR_IMAGE", "kastellan/operator:bench".to_owned()),
        ("KASTELLAN_HTTP_PORT", PORT.to_string()),
        // No pass of the timer among those that are measured.
        ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000".to_owned()),
    ];
    let hosts = Hosts::of(settled::host_names(&world.namespace, count), kafka_stand_in::ADDRESS);
    let (kafkas, pools): (Api<Kafka>, Api<KafkaNodePool>) = (world.api(), world.api());
    world::create_all(&pools, (0..count).map(pool).collect::<anyhow::Result<_>>()?).await?;
    world::create_all(&kafkas, (0..count).map(kafka).collect::<anyhow::Result<_>>()?).await?;
    let began = Instant::now();
    let operator = match &hosts {
        Ok(hosts) => Operator::start_command(hosts.command(binary), PORT, &variables)?,
        Err(_) => Operator::start(binary, PORT, &variables)?,
    };
    let threads = until_pods_exist(&world, &operator, count * NODES).await?;
    let took = began.elapsed().as_secs_f64();
    let usage = operator.usage()?;
    // The others are written while the operator has nothing to do.
    let bare = bare(&world).await?;
    let what = format!("{count} new clusters of {NODES} nodes until all pods exist, s");
    let strimzi = if count == 50 { " (Strimzi: 155)" } else { "" };
    row(format!("{what}{strimzi}"), number(took, 1), limits.seconds);
    row("  times the bare calls", number(took / bare, 2), "-");
    row(
        format!("  CPU s{}", if count == 50 { " (Strimzi: 261)" } else { "" }),
        number(usage.cpu, 1),
        limits.cpu,
    );
    let strimzi = if count == 50 { " (Strimzi: 342)" } else { "" };
    row(format!("  MB resident at most{strimzi}"), number(usage.peak, 1), limits.megabytes);
    row("  threads at most", threads, limits.threads);
    match &hosts {
        Ok(hosts) => {
            let begun = settled::Begun { world: &world, binary, variables: &variables, hosts, count };
            begun.measure(operator, &limits.settled).await
        }
        Err(error) => {
            row(format!("  until all {count} clusters are Ready, and a periodic pass"), "-", "-");
            row(format!("    not measured: {error:#}"), "-", "-");
            Ok(())
        }
    }
}

/// Waits until so many pods exist; the most threads that the operator was seen with.
async fn until_pods_exist(world: &World, operator: &Operator, count: usize) -> anyhow::Result<usize> {
    let pods: Api<Pod> = world.api();
    let began = Instant::now();
    let mut threads = 0;
    loop {
        threads = threads.max(operator.threads()?);
        // A list of one object tells how many remain, and costs the server next to nothing.
        let page = pods.list_metadata(&ListParams::default().limit(1)).await.context("list pods")?;
        let remaining = page.metadata.remaining_item_count.unwrap_or(0);
        if page.items.len() + usize::try_from(remaining).unwrap_or(0) >= count {
            return Ok(threads);
        }
        if began.elapsed().as_secs() > 600 {
            bail!("{} of {count} pods exist after 600 s", page.items.len() as i64 + remaining);
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

/// The same objects written once more, into another namespace, by bare calls; how long that took, s.
async fn bare(world: &World) -> anyhow::Result<f64> {
    progress("the same objects as bare calls");
    let other = world.other_namespace().await?;
    let mut objects = Vec::new();
    for (group, version, kind) in KINDS {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &world.namespace, &resource);
        let found =
            api.list(&ListParams::default().labels("strimzi.io/cluster")).await.context("list objects")?;
        objects.extend(found.items.into_iter().map(|object| (resource.clone(), stripped(object, &resource))));
    }
    let began = Instant::now();
    stream::iter(objects)
        .map(|(resource, object)| {
            let api: Api<DynamicObject> = Api::namespaced_with(world.client.clone(), &other, &resource);
            async move {
                let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
                let parameters = PatchParams::apply("bare").force();
                api.patch(&name, &parameters, &Patch::Apply(&object)).await.map(drop).with_context(|| name)
            }
        })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await
        .context("write an object")?;
    Ok(began.elapsed().as_secs_f64())
}

/// What was written, without what the server added.
fn stripped(object: DynamicObject, resource: &ApiResource) -> Value {
    let mut body = object.data;
    for field in ["status", "secrets"] {
        if let Some(fields) = body.as_object_mut() {
            fields.remove(field);
        }
    }
    if resource.kind == "Service"
        && let Some(spec) = body["spec"].as_object_mut()
    {
        for field in ["clusterIP", "clusterIPs"] {
            if spec.get(field).is_some_and(|value| !value.to_string().contains("None")) {
                spec.remove(field);
            }
        }
    }
    body["apiVersion"] = resource.api_version.clone().into();
    body["kind"] = resource.kind.clone().into();
    body["metadata"] = json!({
        "name": object.metadata.name,
        "labels": object.metadata.labels,
        "annotations": object.metadata.annotations,
    });
    body
}

/// Name of a cluster.
pub(crate) fn name(at: usize) -> String {
    format!("cluster-{at}")
}

/// Name of its only pool.
pub(crate) fn pool_name(at: usize) -> String {
    format!("dual-{at}")
}

/// The pool of a cluster.
pub(crate) fn pool(at: usize) -> anyhow::Result<KafkaNodePool> {
    let pool = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool",
        "metadata": {"name": pool_name(at), "labels": {"strimzi.io/cluster": name(at)}},
        "spec": {
            "replicas": NODES, "roles": ["controller", "broker"],
            "storage": {"type": "jbod", "volumes": [
                {"id": 0, "type": "persistent-claim", "size": "100Gi", "kraftMetadata": "shared"}]},
        },
    });
    serde_json::from_value(pool).context("make a KafkaNodePool")
}

/// A cluster; the first one knows racks.
pub(crate) fn kafka(at: usize) -> anyhow::Result<Kafka> {
    let mut kafka = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "Kafka",
        "metadata": {"name": name(at)},
        "spec": {"kafka": {
            "version": "4.3.1",
            "listeners": [
                {"name": "plain", "port": 9092, "type": "internal", "tls": false},
                {"name": "tls", "port": 9093, "type": "internal", "tls": true},
            ],
            "config": {"default.replication.factor": 3, "min.insync.replicas": 2},
        }},
    });
    if at == 0 {
        kafka["spec"]["kafka"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    }
    serde_json::from_value(kafka).context("make a Kafka")
}
