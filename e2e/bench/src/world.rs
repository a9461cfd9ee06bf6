//! The API server that an operator works on, and what is asked of it.

use std::{collections::BTreeMap, fmt::Debug, path::PathBuf};

use anyhow::Context as _;
use futures::{StreamExt, TryStreamExt, stream};
use k8s_openapi::{
    NamespaceResourceScope, api::rbac::v1::ClusterRoleBinding,
    apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition,
};
use kube::{Api, Client, Resource, api::PostParams};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::json;
use test_support::ApiServer;

/// Requests in flight when resources are made, and in the bare calls: as many as the operators have.
pub(crate) const IN_FLIGHT: usize = 32;
/// The labels of all resources.
pub(crate) const CLUSTER: &str = "strimzi.io/cluster=my";
/// Operators and the bare calls log in as pods do, with the token of a service account: checking a client's certificate
/// costs the API server more.
const ACCOUNT: &str = "operator";

/// An API server with the custom resources, and a namespace.
pub(crate) struct World {
    pub client: Client,
    pub namespace: String,
    pub kubeconfig: PathBuf,
    server: ApiServer,
}

impl World {
    pub(crate) async fn start() -> anyhow::Result<Self> {
        Self::with(&api::crds::all()?.into_iter().map(|file| file.crd).collect::<Vec<_>>()).await
    }

    /// One that serves each kind in the version alone that it stores. The API server keeps all objects in memory once for each
    /// version that it serves, which for tens of thousands of topics is more than this machine has.
    pub(crate) async fn of_stored_versions() -> anyhow::Result<Self> {
        let mut crds: Vec<_> = api::crds::all()?.into_iter().map(|file| file.crd).collect();
        for version in crds.iter_mut().flat_map(|crd| &mut crd.spec.versions) {
            version.served = version.storage;
        }
        Self::with(&crds).await
    }

    async fn with(crds: &[CustomResourceDefinition]) -> anyhow::Result<Self> {
        let server = ApiServer::start().await?;
        server.install_crds(crds).await?;
        let namespace = server.create_namespace("bench").await?;
        grant_everything(&server.client().await?, &namespace).await?;
        Ok(Self {
            client: server.client_for_service_account(&namespace, ACCOUNT).await?,
            kubeconfig: server.service_account_kubeconfig_file(&namespace, ACCOUNT).await?,
            namespace,
            server,
        })
    }

    /// A namespace for the bare calls, which the operator does not watch.
    pub(crate) async fn other_namespace(&self) -> anyhow::Result<String> {
        self.server.create_namespace("bare").await
    }

    pub(crate) fn api<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>,
    {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    /// Writes of these resources (plural) so far, by anybody, as the API server counts them.
    pub(crate) async fn writes(&self, resources: &[&str]) -> anyhow::Result<f64> {
        self.server
            .requests(resources, &["POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"])
            .await
    }

    /// Reads of these resources so far, by anybody, without watches.
    pub(crate) async fn reads(&self, resources: &[&str]) -> anyhow::Result<f64> {
        self.server.requests(resources, &["GET", "LIST"]).await
    }
}

async fn grant_everything(admin: &Client, namespace: &str) -> anyhow::Result<()> {
    let binding: ClusterRoleBinding = serde_json::from_value(json!({
        "metadata": {"name": "bench"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}],
    }))?;
    let bindings: Api<ClusterRoleBinding> = Api::all(admin.clone());
    bindings.create(&PostParams::default(), &binding).await.context("bind a role")?;
    Ok(())
}

/// The labels by which operators know their resources.
pub(crate) fn labels() -> BTreeMap<String, String> {
    CLUSTER.split_once('=').map(|(k, v)| (k.to_owned(), v.to_owned())).into_iter().collect()
}

/// Makes objects, many at a time.
pub(crate) async fn create_all<K>(api: &Api<K>, objects: Vec<K>) -> anyhow::Result<()>
where
    K: Resource + Clone + DeserializeOwned + Serialize + Debug,
{
    stream::iter(objects)
        .map(|object| async move { api.create(&PostParams::default(), &object).await.map(drop) })
        .buffer_unordered(IN_FLIGHT)
        .try_collect::<()>()
        .await
        .context("create resources")
}
