//! A namespace of its own for each scenario, and the waits and client pods that scenarios are told with.

pub mod edge;
pub mod files;
pub mod flow;
pub mod held;
pub mod machine;
pub mod outside;
pub mod storage_class;
pub mod tokens;

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use api::Kafka;
use futures::TryStreamExt;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, LogParams, Patch, PatchParams, PostParams, WatchEvent,
    WatchParams,
};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// A namespace and a client for it.
pub struct Scenario {
    /// The client of an administrator.
    pub client: Client,
    /// Name of the namespace.
    pub namespace: String,
    started: Instant,
}

impl Scenario {
    /// An empty namespace of this name; what an earlier run left in it is gone. With `KASTELLAN_E2E_SUFFIX` the name ends with it, so
    /// that the same test can run several times at once.
    pub async fn new(namespace: &str) -> Result<Self> {
        let suffix = std::env::var("KASTELLAN_E2E_SUFFIX").unwrap_or_default();
        let namespace = &format!("{namespace}{suffix}");
        operator_runtime::client::install_crypto_provider();
        let client = operator_runtime::client::connect("kastellan-e2e").await?;
        let scenario = Self { client, namespace: namespace.to_owned(), started: Instant::now() };
        scenario.remove().await?;
        let api: Api<Namespace> = Api::all(scenario.client.clone());
        let wanted = serde_json::from_value(json!({"metadata": {"name": namespace}}))?;
        api.create(&PostParams::default(), &wanted).await?;
        Ok(scenario)
    }

    /// Deletes the namespace and waits until it is gone.
    pub async fn remove(&self) -> Result<()> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        if api.get_opt(&self.namespace).await?.is_none() {
            return Ok(());
        }
        api.delete(&self.namespace, &DeleteParams::default()).await?;
        let watch = WatchParams::default().fields(&format!("metadata.name={}", self.namespace)).timeout(120);
        let mut events = std::pin::pin!(api.watch(&watch, "0").await?);
        while api.get_opt(&self.namespace).await?.is_some() {
            if events.try_next().await?.is_none() {
                bail!("namespace {} is still there after 120 s", self.namespace);
            }
        }
        Ok(())
    }

    /// Says what comes next.
    #[expect(clippy::print_stdout, reason = "a scenario of minutes tells where it is")]
    pub fn stage(&self, text: &str) {
        println!("[{:6.1} s] {text}", self.started.elapsed().as_secs_f64());
    }

    /// The API of a kind in the namespace.
    pub fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope>,
        K::DynamicType: Default,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Applies every document of a manifest.
    pub async fn apply(&self, manifest: &str) -> Result<()> {
        for document in manifest.split("\n---") {
            if document.lines().all(|line| line.trim().is_empty() || line.starts_with('#')) {
                continue;
            }
            let object: Value = serde_saphyr::from_str(document)?;
            self.apply_value(&object).await?;
        }
        Ok(())
    }

    /// Applies one object.
    pub async fn apply_value(&self, object: &Value) -> Result<()> {
        let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let (group, version) = text("/apiVersion").split_once('/').unwrap_or(("", text("/apiVersion")));
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, text("/kind")));
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &resource);
        let parameters = PatchParams::apply("e2e").force();
        api.patch(text("/metadata/name"), &parameters, &Patch::Apply(object))
            .await
            .with_context(|| format!("cannot apply {} {}", text("/kind"), text("/metadata/name")))?;
        Ok(())
    }

    /// Waits until a Kafka resource is ready as it is now.
    pub async fn until_ready(&self, cluster: &str, deadline: Duration) -> Result<Kafka> {
        let found = Box::pin(self.until::<Kafka>(cluster, "Ready", deadline, is_ready)).await?;
        found.context("the Kafka resource is gone")
    }

    /// Waits until the object of this name fulfils the condition; `None` stands for an object that is not there.
    pub async fn until<K>(
        &self,
        name: &str,
        what: &str,
        deadline: Duration,
        accept: impl Fn(Option<&K>) -> bool,
    ) -> Result<Option<K>>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug + Send + 'static,
        K::DynamicType: Default,
    {
        let api: Api<K> = self.api();
        // On the heap: it is large, and a scenario has many.
        let wait = Box::pin(async {
            loop {
                let list = api.list(&ListParams::default().fields(&format!("metadata.name={name}"))).await?;
                let version = list.metadata.resource_version.clone().unwrap_or_default();
                let current = list.items.into_iter().next();
                if accept(current.as_ref()) {
                    return Ok::<_, anyhow::Error>(current);
                }
                let watch = WatchParams::default().fields(&format!("metadata.name={name}")).timeout(60);
                let mut events = std::pin::pin!(api.watch(&watch, &version).await?);
                while let Some(event) = events.try_next().await? {
                    match event {
                        WatchEvent::Added(object) | WatchEvent::Modified(object) if accept(Some(&object)) => {
                            return Ok(Some(object));
                        }
                        WatchEvent::Deleted(_) if accept(None) => return Ok(None),
                        WatchEvent::Error(_) => break,
                        _ => {}
                    }
                }
            }
        });
        if let Ok(outcome) = tokio::time::timeout(deadline, wait).await {
            return outcome;
        }
        let last = api.get_opt(name).await?;
        bail!("{name}: {what} did not come within {} s; last seen: {last:#?}", deadline.as_secs())
    }

    /// Waits until a pod is ready that is not the former one of its name; its UID.
    pub async fn until_replaced(&self, pod: &str, former: Option<&String>) -> Result<String> {
        let is_new = |found: Option<&Pod>| {
            found.is_some_and(|found| is_pod_ready(found) && found.uid().as_ref() != former)
        };
        let found =
            Box::pin(self.until::<Pod>(pod, "a new ready pod", Duration::from_mins(8), is_new)).await?;
        found.and_then(|found| found.uid()).context("the pod is gone")
    }

    /// Pods of a cluster's Kafka nodes by name, with their UIDs.
    pub async fn kafka_pods(&self, cluster: &str) -> Result<BTreeMap<String, String>> {
        let selector = format!("strimzi.io/cluster={cluster},strimzi.io/component-type=kafka");
        let pods = self.api::<Pod>().list(&ListParams::default().labels(&selector)).await?;
        Ok(pods.items.iter().map(|pod| (pod.name_any(), pod.uid().unwrap_or_default())).collect())
    }

    /// What a broker tells clients of a listener.
    pub async fn told(&self, pod: &str, listener: &str) -> Result<String> {
        let map = self.api::<ConfigMap>().get(pod).await?;
        let file = map.data.and_then(|mut data| data.remove("server.config")).context("no configuration")?;
        let line = file.lines().find_map(|line| line.strip_prefix("advertised.listeners="));
        let prefix = format!("{}-", listener.to_uppercase());
        let item = line.context("no line")?.split(',').find(|item| item.starts_with(&prefix));
        let (_, address) = item.and_then(|item| item.split_once("://")).context("no such listener")?;
        Ok(address.to_owned())
    }

    /// Runs kubectl in the namespace; what it printed, or why it failed.
    pub async fn kubectl(&self, arguments: &[&str]) -> Result<String> {
        let command = tokio::process::Command::new("kubectl")
            .args(["--namespace", &self.namespace])
            .args(arguments)
            .kill_on_drop(true)
            .output();
        let output =
            tokio::time::timeout(Duration::from_mins(12), command).await.context("kubectl hangs")??;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            bail!("kubectl {arguments:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(text)
    }

    /// Runs one of Kafka's own tools in the pod of a node.
    pub async fn tool(&self, pod: &str, class: &str, arguments: &[&str]) -> Result<String> {
        let run = "/opt/kafka/bin/kafka-run-class.sh";
        let mut all = vec!["exec", pod, "--container", "kafka", "--", run, class];
        all.extend(arguments);
        self.kubectl(&all).await
    }

    /// Where clients of the listener at a port begin, as the status says.
    pub async fn bootstrap(&self, cluster: &str, port: u16) -> Result<String> {
        let kafka = self.api::<Kafka>().get(cluster).await?;
        let listeners = kafka.status.iter().flat_map(|status| status.listeners.iter().flatten());
        let is_at_port = |address: &&str| address.ends_with(&format!(":{port}"));
        let addresses = listeners.filter_map(|listener| listener.bootstrap_servers.as_deref());
        let address = addresses.flat_map(|all| all.split(',')).find(is_at_port);
        address
            .map(str::to_owned)
            .with_context(|| format!("the status of {cluster} has no listener at {port}"))
    }

    /// Starts the client of the quick start in a pod; the name of its Job. It uses the listener at this port by the address that the
    /// status reports.
    pub async fn start_client(
        &self,
        cluster: &str,
        user: &str,
        port: u16,
        arguments: &[&str],
    ) -> Result<String> {
        let image = std::env::var("KASTELLAN_CLIENT_IMAGE")
            .context("KASTELLAN_CLIENT_IMAGE is not set: run `make e2e`")?;
        let name = format!("client-{:x}", self.started.elapsed().as_millis());
        let manifest = include_str!("../client-job.yaml")
            .replace("JOB", &name)
            .replace("IMAGE", &image)
            .replace("ARGS", &arguments.iter().map(|one| format!("{one:?}")).collect::<Vec<_>>().join(", "))
            .replace("CLUSTER-kafka-bootstrap:PORT", &self.bootstrap(cluster, port).await?)
            .replace("TOPICNAME", "orders")
            .replace("secretName: USER", &format!("secretName: {user}"))
            .replace("value: USER}", &format!("value: {user}}}"))
            .replace("CLUSTER-", &format!("{cluster}-"));
        self.apply(&manifest).await?;
        Ok(name)
    }

    /// Waits until a pod of a Job, or another one of this label, prints a line with these words.
    pub async fn until_log(&self, selector: &str, words: &str, deadline: Duration) -> Result<()> {
        let looked = async {
            loop {
                let pods = self.api::<Pod>().list(&ListParams::default().labels(selector)).await?;
                for pod in pods.items.iter().map(ResourceExt::name_any) {
                    // There is no log before the container has started.
                    let end = LogParams { tail_lines: Some(1_000), ..LogParams::default() };
                    let Ok(log) = self.api::<Pod>().logs(&pod, &end).await else { continue };
                    if log.contains(words) {
                        return Ok::<_, anyhow::Error>(());
                    }
                }
                tokio::time::sleep(Duration::from_millis(500)).await;
            }
        };
        let outcome = tokio::time::timeout(deadline, looked).await;
        outcome.with_context(|| format!("no pod with {selector} printed {words:?} in time"))?
    }

    /// Runs the client of the quick start in a pod; what it printed, or why it failed.
    pub async fn client(&self, cluster: &str, user: &str, port: u16, arguments: &[&str]) -> Result<String> {
        let name = self.start_client(cluster, user, port, arguments).await?;
        let job = self
            .until::<Job>(&name, "its end", Duration::from_mins(6), |job| {
                let conditions =
                    job.and_then(|job| job.status.as_ref()?.conditions.clone()).unwrap_or_default();
                conditions
                    .iter()
                    .any(|one| one.status == "True" && matches!(&*one.type_, "Complete" | "Failed"))
            })
            .await?
            .context("the job is gone")?;
        let pods = self.api::<Pod>().list(&ListParams::default().labels(&format!("job-name={name}"))).await?;
        let pod = pods.items.first().context("the job has no pod")?.name_any();
        let log = self.api::<Pod>().logs(&pod, &LogParams::default()).await?;
        if job.status.and_then(|status| status.succeeded).unwrap_or(0) == 0 {
            bail!("the client failed: {log}");
        }
        Ok(log)
    }
}

/// Where clients of a listener begin, as the status says.
pub fn bootstrap_of(kafka: &Kafka, listener: &str) -> Result<String> {
    let mut all = kafka.status.iter().flat_map(|status| status.listeners.iter().flatten());
    let found = all.find(|status| status.name.as_deref() == Some(listener));
    found
        .and_then(|status| status.bootstrap_servers.clone())
        .with_context(|| format!("the status has no address of {listener}"))
}

/// Whether programs on this machine reach pods, Services and ports of Kubernetes nodes by their addresses.
pub fn is_beside_cluster() -> bool {
    std::env::var_os("KASTELLAN_BESIDE_CLUSTER").is_some()
}

/// Whether a Kafka resource is ready as it is now.
pub fn is_ready(kafka: Option<&Kafka>) -> bool {
    kafka.is_some_and(|kafka| {
        let status = kafka.status.as_ref();
        let observed = status.and_then(|status| status.observed_generation);
        observed == kafka.metadata.generation && has_condition(status, "Ready")
    })
}

/// Whether a pod is ready and stays.
pub fn is_pod_ready(pod: &Pod) -> bool {
    pod.metadata.deletion_timestamp.is_none() && has_condition(pod.status.as_ref(), "Ready")
}

/// Whether a resource of ours has a condition of this type with status True.
pub fn has_condition(status: Option<&impl serde::Serialize>, kind: &str) -> bool {
    let Some(status) = status.and_then(|status| serde_json::to_value(status).ok()) else { return false };
    let conditions = status.get("conditions").and_then(Value::as_array).cloned().unwrap_or_default();
    conditions.iter().any(|one| one["type"] == kind && one["status"] == "True")
}
