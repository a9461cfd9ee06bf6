//! Plays kubelet, scheduler, volume binder and Deployment controller for tests against a bare API server.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures::{StreamExt, pin_mut};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams, Preconditions};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// What becomes of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It runs and is ready.
    Ready,
    /// It runs and is not ready.
    Running,
    /// Nothing happens to it.
    Pending,
    /// Its container waits with this reason, for example `CrashLoopBackOff` or `ImagePullBackOff`.
    Waiting(&'static str),
}

/// Name of the node that all pods get.
pub const NODE: &str = "stand-in";

type Decide = Arc<dyn Fn(&Pod) -> Fate + Send + Sync>;

/// Makes pods ready, lets terminating pods go, makes Deployments available and binds volume claims, in all namespaces, until dropped.
#[derive(Debug)]
pub struct PodReadyStandIn {
    tasks: Vec<JoinHandle<()>>,
}

impl PodReadyStandIn {
    /// Every pod becomes ready at once.
    pub fn start(client: &Client) -> Self {
        Self::start_with(client, |_| Fate::Ready)
    }

    /// The function decides for each state of each pod.
    pub fn start_with(client: &Client, decide: impl Fn(&Pod) -> Fate + Send + Sync + 'static) -> Self {
        let decide: Decide = Arc::new(decide);
        let addresses = Arc::new(AtomicU32::new(1));
        let pods = each(client.clone(), move |client, pod: Pod| {
            let (decide, addresses) = (Arc::clone(&decide), Arc::clone(&addresses));
            async move { keep_pod(client, pod, &decide, &addresses).await }
        });
        let deployments = each(client.clone(), keep_deployment);
        let claims = each(client.clone(), bind_claim);
        Self { tasks: vec![tokio::spawn(pods), tokio::spawn(deployments), tokio::spawn(claims)] }
    }
}

impl Drop for PodReadyStandIn {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// Calls the function for every state of every object; what it cannot do now it gets another chance for with the next event.
async fn each<K, F, Fut>(client: Client, act: F)
where
    K: Resource + Clone + DeserializeOwned + Debug + Send + 'static,
    K::DynamicType: Default,
    F: Fn(Client, K) -> Fut,
    Fut: Future<Output = Result<(), kube::Error>>,
{
    let stream = watcher(Api::<K>::all(client.clone()), watcher::Config::default())
        .default_backoff()
        .applied_objects();
    let stream = stream.filter_map(|item| async { item.ok() });
    pin_mut!(stream);
    while let Some(object) = stream.next().await {
        for _ in 0..3 {
            match act(client.clone(), object.clone()).await {
                Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => break,
                Err(_) => tokio::time::sleep(std::time::Duration::from_millis(200)).await,
                Ok(()) => break,
            }
        }
    }
}

async fn keep_pod(
    client: Client,
    pod: Pod,
    decide: &Decide,
    addresses: &AtomicU32,
) -> Result<(), kube::Error> {
    let namespace = pod.namespace().unwrap_or_default();
    let api: Api<Pod> = Api::namespaced(client, &namespace);
    let name = pod.name_any();
    if pod.metadata.deletion_timestamp.is_some() {
        // This pod only: a late event may be about a pod that has a successor of its name.
        let this = Preconditions { uid: pod.uid(), resource_version: None };
        api.delete(&name, &DeleteParams::default().grace_period(0).preconditions(this)).await?;
        return Ok(());
    }
    let fate = decide(&pod);
    if fate == Fate::Pending {
        return Ok(());
    }
    if pod.spec.as_ref().is_none_or(|spec| spec.node_name.is_none()) {
        let binding = json!({
            "apiVersion": "v1", "kind": "Binding", "metadata": { "name": name, "namespace": namespace },
            "target": { "apiVersion": "v1", "kind": "Node", "name": NODE },
        });
        let _: Value = api.create_subresource("binding", &name, &PostParams::default(), &binding).await?;
        // The event of the binding brings the rest.
        return Ok(());
    }
    let wanted = pod_status(&pod, fate, addresses);
    let current = serde_json::to_value(&pod.status).unwrap_or_default();
    if is_within(&wanted, &current) {
        return Ok(());
    }
    let patch = status_patch(&pod.metadata, &wanted);
    api.patch_status(&name, &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

fn pod_status(pod: &Pod, fate: Fate, addresses: &AtomicU32) -> Value {
    let ready = fate == Fate::Ready;
    let word = if ready { "True" } else { "False" };
    let started = pod.creation_timestamp().map(|time| time.0.to_string()).unwrap_or_default();
    let containers: Vec<Value> = pod
        .spec
        .iter()
        .flat_map(|spec| &spec.containers)
        .map(|container| {
            let image = container.image.clone().unwrap_or_default();
            let restarts = restart_count(pod, &container.name);
            let state = match fate {
                Fate::Waiting(reason) => json!({ "waiting": { "reason": reason } }),
                _ => json!({ "running": { "startedAt": started } }),
            };
            json!({
                "name": container.name, "image": image, "imageID": image, "restartCount": restarts,
                "ready": ready, "started": ready, "state": state,
                // By these the API server knows that the machine can resize pods.
                "resources": container.resources.clone().unwrap_or_default(),
            })
        })
        .collect();
    let conditions: Vec<Value> =
        [("PodScheduled", "True"), ("Initialized", "True"), ("ContainersReady", word), ("Ready", word)]
            .iter()
            .map(|(kind, status)| json!({ "type": kind, "status": status, "lastTransitionTime": started }))
            .collect();
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap_or_else(|| {
        let number = addresses.fetch_add(1, Ordering::Relaxed);
        format!("10.244.{}.{}", number / 250 % 250, number % 250 + 1)
    });
    let phase = if matches!(fate, Fate::Waiting(_)) { "Pending" } else { "Running" };
    json!({
        "phase": phase, "conditions": conditions, "containerStatuses": containers,
        "podIP": address, "podIPs": [{ "ip": address }], "hostIP": "127.0.0.1", "startTime": started,
    })
}

/// As the status says already: a test may have written it.
fn restart_count(pod: &Pod, container: &str) -> i32 {
    let statuses = pod.status.as_ref().and_then(|status| status.container_statuses.as_ref());
    let mut statuses = statuses.into_iter().flatten();
    statuses.find(|status| status.name == container).map_or(0, |status| status.restart_count)
}

async fn keep_deployment(client: Client, deployment: Deployment) -> Result<(), kube::Error> {
    let namespace = deployment.namespace().unwrap_or_default();
    let replicas = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let time = deployment.creation_timestamp().map(|time| time.0.to_string()).unwrap_or_default();
    let wanted = json!({
        "observedGeneration": deployment.metadata.generation,
        "replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
        "conditions": [
            { "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable", "lastTransitionTime": time, "lastUpdateTime": time },
            { "type": "Progressing", "status": "True", "reason": "NewReplicaSetAvailable", "lastTransitionTime": time, "lastUpdateTime": time },
        ],
    });
    let current = serde_json::to_value(&deployment.status).unwrap_or_default();
    if deployment.metadata.deletion_timestamp.is_some() || is_within(&wanted, &current) {
        return Ok(());
    }
    let api: Api<Deployment> = Api::namespaced(client, &namespace);
    let patch = status_patch(&deployment.metadata, &wanted);
    api.patch_status(&deployment.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

async fn bind_claim(client: Client, claim: PersistentVolumeClaim) -> Result<(), kube::Error> {
    let namespace = claim.namespace().unwrap_or_default();
    let asked = claim
        .spec
        .as_ref()
        .and_then(|spec| spec.resources.as_ref())
        .and_then(|resources| resources.requests.clone());
    let wanted = json!({ "phase": "Bound", "capacity": asked });
    let current = serde_json::to_value(&claim.status).unwrap_or_default();
    if claim.metadata.deletion_timestamp.is_some() || is_within(&wanted, &current) {
        return Ok(());
    }
    let api: Api<PersistentVolumeClaim> = Api::namespaced(client, &namespace);
    let patch = status_patch(&claim.metadata, &wanted);
    api.patch_status(&claim.name_any(), &PatchParams::default(), &Patch::Merge(&patch)).await?;
    Ok(())
}

/// For this version of the object only: the watch may be behind, and a status that a test wrote in the meantime must stay.
fn status_patch(metadata: &ObjectMeta, wanted: &Value) -> Value {
    json!({ "metadata": { "resourceVersion": metadata.resource_version }, "status": wanted })
}

/// Whether every field of `wanted` stands in `current`; 0 and `null` need not.
fn is_within(wanted: &Value, current: &Value) -> bool {
    match (wanted, current) {
        (Value::Object(wanted), Value::Object(current)) => wanted.iter().all(|(name, value)| {
            let nothing = value.is_null() || value.as_i64() == Some(0);
            current.get(name).map_or(nothing, |current| is_within(value, current))
        }),
        (Value::Array(wanted), Value::Array(current)) => {
            wanted.len() == current.len()
                && wanted.iter().zip(current).all(|(one, other)| is_within(one, other))
        }
        _ => wanted == current,
    }
}
