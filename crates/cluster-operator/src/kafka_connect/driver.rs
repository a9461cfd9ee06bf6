//! What the steps of a pass (see [`crate::kind`]) mean for a KafkaConnect resource.

use std::sync::Arc;

use api::KafkaConnect;
use api::conditions::reasons;
use api::openshift::builds::{BuildConfig, BuildRequest, INSTANTIATE};
use k8s_openapi::api::core::v1::Pod;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::kafka_connect::call::{ConnectCall, StartBuild};
use planner::kafka_connect::observed::{ConnectView, LiveConnect};
use planner::kafka_connect::{references, status};
use planner::workers::need::WorkerNeed;
use planner::workers::observed::ObservedWorkers;
use planner::workers::plan_size::Repeated;

use crate::caches::{self, Caches, KAFKA_CONNECT};
use crate::carry_out;
use crate::deleted_pods::DeletedPods;
use crate::kafka_connector::plugins::KnownPlugins;
use crate::kind::{AnswersOf, Error, Kind, Means, Seen};
use crate::room::BUSY;
use crate::workers::observe::Observer;
use crate::workers::{self, Found};

/// Looks after KafkaConnect resources. One for the whole process.
pub(crate) struct Connects {
    caches: Caches,
    means: Means,
    observer: Observer,
    /// What workers said of their plug-ins.
    plugins: KnownPlugins,
    deleted_pods: DeletedPods,
}

impl Connects {
    /// From the parts that all passes share.
    pub(crate) fn new(caches: Caches, means: Means, observer: Observer, plugins: KnownPlugins) -> Self {
        Self { caches, means, observer, plugins, deleted_pods: DeletedPods::default() }
    }

    /// Has OpenShift start a Build; `false`: it has started another one meanwhile.
    async fn start_build(&self, key: &ObjectRef, build: &StartBuild) -> Result<bool, Error> {
        let StartBuild { namespace, build_config, last_version, annotations } = build;
        self.means.mandate.check()?;
        let request = BuildRequest::new(namespace, build_config, *last_version, annotations.clone());
        let config = ObjectRef::new(namespace, build_config);
        let (applier, action) = (&self.means.applier, "start a Build of");
        match applier.create_part::<BuildConfig, _>(action, &config, INSTANTIATE, &request).await {
            Ok(()) => {
                tracing::info!(resource = %key, build_config, number = last_version.saturating_add(1), "OpenShift starts a Build");
                Ok(true)
            }
            Err(error) if status::is_started_meanwhile(error.code(), &error.to_string()) => Ok(false),
            Err(error) => {
                let why = status::without_build(&error.to_string(), error.is_forbidden());
                Err(Error::Refused { reason: reasons::IMAGE_BUILD_FAILED, why })
            }
        }
    }
}

fn observed_of(view: &ConnectView) -> Option<&ObservedWorkers> {
    let ConnectView::Live(live) = view else { return None };
    Some(&live.observed)
}

impl Kind for Connects {
    const NAME: &'static str = KAFKA_CONNECT;
    type Resource = KafkaConnect;
    type Observed = ConnectView;
    /// Whether the pod of a worker was deleted, or a Build started.
    type Said = bool;

    fn resources(&self) -> &Cache<KafkaConnect> {
        &self.caches.connects
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<ConnectView>, Error> {
        let owner = caches::connect(key);
        let connect =
            match workers::find::<LiveConnect>(&self.caches.connects, &self.observer, &owner).await? {
                Found::Live(connect) => connect,
                Found::Other(seen) => return Ok(seen),
            };
        let bytes = self.caches.connects.bytes_when_read(key);
        let repeated = Repeated { workers: connect.spec.replicas, bytes, connectors: 0 };
        let references = references::of(&connect);
        let seen = self.observer.observe(&owner, references, repeated, &self.deleted_pods).await?;
        let Some((mut observed, place)) = seen else { return Ok(Seen::Settled(BUSY)) };
        observed.sharing = self.caches.sharing(key, &connect);
        let pods = observed.fingerprint_of_pods();
        observed.plugins = self.plugins.of(key, &pods);
        observed.missing_plug_ins = self.plugins.missing(key, &pods);
        Ok(Seen::Placed(ConnectView::Live(Box::new(LiveConnect { connect, observed })), place))
    }

    fn looked_after<'a>(&self, view: &'a ConnectView) -> Option<&'a Arc<KafkaConnect>> {
        view.looked_after()
    }

    fn pod<'a>(&self, view: &'a ConnectView, name: &str) -> Option<&'a Arc<Pod>> {
        let ConnectView::Live(live) = view else { return None };
        live.observed.pods.get(name)
    }

    async fn answer(
        &self,
        key: &ObjectRef,
        view: &ConnectView,
        needs: Vec<WorkerNeed>,
    ) -> Result<AnswersOf<Self>, Error> {
        let uid = view.looked_after().and_then(|connect| connect.metadata.uid.clone());
        let (mut answers, others) = self.plugins.answer(key, uid.as_deref(), observed_of(view), needs);
        answers.extend(workers::answer(&self.means.applier, &self.caches, others).await);
        Ok(answers)
    }

    async fn call(&self, key: &ObjectRef, view: &ConnectView, call: &ConnectCall) -> Result<bool, Error> {
        let restart = match call {
            ConnectCall::Restart(restart) => restart,
            ConnectCall::StartBuild(build) => return self.start_build(key, build).await,
        };
        let Some(pod) = self.pod(view, &restart.pod) else { return Ok(false) };
        workers::restart(&self.means, &self.deleted_pods, key, pod, restart).await
    }

    /// Only a build is beside the workers: they are looked after all the same.
    fn refused_beside(&self, view: &ConnectView, error: carry_out::Error) -> Error {
        let builds = view.looked_after().is_some_and(|connect| connect.spec.build.is_some());
        let carry_out::Error::Apply(refused) = &error else { return error.into() };
        if !builds {
            return error.into();
        }
        let why = status::without_build(&refused.to_string(), refused.is_forbidden());
        Error::Refused { reason: reasons::IMAGE_BUILD_FAILED, why }
    }

    fn has_done(deleted: &bool) -> bool {
        *deleted
    }

    fn forget(&self, key: &ObjectRef) {
        self.deleted_pods.forget(key);
        self.plugins.forget(key);
    }
}
