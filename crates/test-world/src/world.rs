//! A namespace in an API server, and operators in it.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::NamespaceResourceScope;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Api, Client, Resource};
use operator_runtime::metrics::Metrics;
use serde_json::{Value, json};
use test_support::{ApiServer, Log, api_server, wait};

use crate::behind::Behind;
use crate::conditions::{is_current, is_ready, refusal};
use crate::held_watch::HeldWatch;
use crate::operator::{self, Running, UnderTest};
use crate::{DEADLINE, definitions};

/// A namespace in an API server that has the definitions, and the operators of one kind in it.
pub struct World<O: UnderTest> {
    /// The API server.
    pub server: &'static ApiServer,
    /// The namespace.
    pub namespace: String,
    /// A client that may do everything.
    pub client: Client,
    /// What the operator looks after, in the namespace.
    pub resources: Api<O::Resource>,
    /// The environment of the operator that is started next.
    pub variables: BTreeMap<String, String>,
    /// The service account (namespace and name) that it runs as; none: it may do everything.
    pub account: Option<(String, String)>,
    /// What all operators of this world said.
    pub log: Log,
    /// How much they say.
    pub level: &'static str,
    /// Holds back what they are told of some objects.
    pub held: Option<HeldWatch>,
    /// Answers some of their requests in place of the API server.
    pub behind: Option<Behind>,
    /// The metrics of the operator that was started last.
    pub metrics: Metrics,
    operators: Vec<Running<O>>,
}

impl<O: UnderTest<Resource: Resource<Scope = NamespaceResourceScope>>> World<O> {
    /// A new namespace whose name begins with `prefix`. The operator does not run yet.
    pub async fn new(server: &'static ApiServer, prefix: &str) -> Self {
        let namespace = server.create_namespace(prefix).await.unwrap();
        Self::within(server, &namespace).await
    }

    /// In a namespace that exists.
    pub async fn within(server: &'static ApiServer, namespace: &str) -> Self {
        let client = server.client().await.unwrap();
        let mut world = Self {
            server,
            namespace: namespace.to_owned(),
            resources: Api::namespaced(client.clone(), namespace),
            client,
            variables: BTreeMap::new(),
            account: None,
            log: Log::default(),
            level: "INFO",
            held: None,
            behind: None,
            metrics: Metrics::new().unwrap(),
            operators: Vec::new(),
        };
        world.set("STRIMZI_NAMESPACE", namespace);
        world
    }

    /// Sets an environment variable for the operator that is started next.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    /// Replaces the definitions by those that bound no number, and waits until the server takes a resource with this spec, which those of
    /// before refuse. It takes a moment to serve the new ones, and a watch of the old ones ends in silence.
    pub async fn drop_bounds(&self, spec: Value) {
        self.server.install_crds(&api_server::without_bounds(definitions()).unwrap()).await.unwrap();
        let kind = ApiResource::erase::<O::Resource>(&());
        let api: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), &self.namespace, &kind);
        let probe: DynamicObject = serde_json::from_value(json!({
            "apiVersion": kind.api_version, "kind": kind.kind, "metadata": {"name": "probe"}, "spec": spec,
        }))
        .unwrap();
        let dry_run = PostParams { dry_run: true, ..PostParams::default() };
        let served = || async { api.create(&dry_run, &probe).await.ok() };
        wait::until(DEADLINE, "the definitions without bounds are served", served).await.unwrap();
    }

    /// Starts an operator.
    pub async fn start_operator(&mut self) {
        let account = self.account.clone();
        let (log, fronts) = (&self.log, (self.held.as_ref(), self.behind.as_ref()));
        let running = Running::start(self.server, account, &self.variables, log, self.level, fronts).await;
        self.metrics = running.metrics.clone();
        self.operators.push(running);
    }

    /// The operator that was started last.
    pub fn operator(&self) -> &Running<O> {
        self.operators.last().unwrap()
    }

    /// Ends the operator that was started first, as SIGTERM does.
    pub async fn stop_operator(&mut self) {
        self.operators.remove(0).stop().await;
    }

    /// Ends the operator that was started first, as SIGKILL does: at once, wherever it is.
    pub fn kill_operator(&mut self) {
        drop(self.operators.remove(0));
    }

    /// A metric of the operator that was started last, summed over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        operator::metric(&self.metrics, name, "")
    }

    /// Changes a resource.
    pub async fn patch(&self, name: &str, patch: Value) -> O::Resource {
        self.resources.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap()
    }

    /// Deletes a resource.
    pub async fn delete(&self, name: &str) {
        self.resources.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until a resource is gone.
    pub async fn gone(&self, name: &str) {
        wait::for_absence(&self.resources, name, DEADLINE).await.unwrap();
    }

    /// Waits until a resource is as it should be.
    pub async fn until(
        &self,
        name: &str,
        what: &str,
        condition: impl Fn(&O::Resource) -> bool,
    ) -> O::Resource {
        wait::for_object(&self.resources, name, DEADLINE, what, condition).await.unwrap()
    }

    /// Waits until the resource as it is now is Ready.
    pub async fn ready(&self, name: &str) -> O::Resource {
        self.until(name, "is ready", |resource| is_current(resource) && is_ready(resource)).await
    }

    /// Waits until the resource as it is now is refused for a reason that is accepted; the answer is reason and message.
    pub async fn refused_for(&self, name: &str, accept: impl Fn(&str) -> bool) -> (String, String) {
        let refused = |resource: &O::Resource| {
            let refusal = refusal(resource).filter(|_| is_current(resource))?;
            let reason = refusal.reason.filter(|reason| accept(reason))?;
            Some((reason, refusal.message.unwrap_or_default()))
        };
        let resource = self.until(name, "is refused", |resource| refused(resource).is_some()).await;
        refused(&resource).unwrap()
    }

    /// Name and version of every resource, to see what was written.
    pub async fn versions(&self) -> BTreeSet<String> {
        let list = self.resources.list(&ListParams::default()).await.unwrap();
        let versions = list.items.iter().map(|resource| {
            let meta = resource.meta();
            format!("{:?} {:?} {:?}", meta.name, meta.uid, meta.resource_version)
        });
        versions.collect()
    }
}
