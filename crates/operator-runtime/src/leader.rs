//! Leader election on a `coordination.k8s.io/v1` Lease, in the form that Java Strimzi operators use, so that both exclude each other.
//!
//! Time is judged by the own clock only: a foreign lease is taken over when it has not changed for its whole duration *since it was
//! seen*, so that clocks that differ cannot make two leaders. Writes carry the resource version that was read.

mod config;
mod mandate;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{ObjectMeta, PostParams, WatchEvent, WatchParams};
use kube::{Api, Client};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};
use tokio_util::sync::CancellationToken;

pub use self::config::LeaderConfig;
pub use self::mandate::{Lapsed, Mandate};
use crate::clock;

/// A lease whose `renewTime` is this many lease durations ago is taken over as soon as it is seen that its holder does not renew it.
const LONG_DEAD: u32 = 4;

/// Retry periods for which such a lease has to be seen unchanged, but at least the renew deadline: the clocks may differ, and
/// a leader that lives renews it once in each, or gives up.
const LONG_DEAD_PERIODS: u32 = 2;

/// Lower bound of that time, against clocks that differ.
const LONG_DEAD_MINIMUM: Duration = Duration::from_mins(1);

/// Why an election cannot go on. Passing faults of the API server are retried and never reported here.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// The service account may not work with the Lease.
    #[error(
        "elect a leader with lease {namespace}/{name}: {source}; grant get, list, watch, create and update on leases.coordination.k8s.io"
    )]
    Forbidden {
        /// Namespace of the Lease.
        namespace: String,
        /// Name of the Lease.
        name: String,
        /// The server's answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// The namespace of the Lease does not exist.
    #[error(
        "elect a leader with lease {namespace}/{name}: namespace '{namespace}' does not exist; create it, or set STRIMZI_LEADER_ELECTION_LEASE_NAMESPACE"
    )]
    NoNamespace {
        /// Namespace of the Lease.
        namespace: String,
        /// Name of the Lease.
        name: String,
    },
}

/// What to do about the Lease as it was last seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// It is free, or ours already: write our name.
    Take,
    /// Another process leads; look again when it changes, at the latest after this time.
    Wait(Duration),
}

/// `unchanged` is how long this very state of the Lease has been known.
fn decide(lease: &Lease, config: &LeaderConfig, unchanged: Duration, wall: Timestamp) -> Decision {
    let Some(spec) = &lease.spec else { return Decision::Take };
    let holder = spec.holder_identity.as_deref().unwrap_or_default();
    if holder.is_empty() || holder == config.identity {
        return Decision::Take;
    }
    let duration = spec
        .lease_duration_seconds
        .and_then(|seconds| u64::try_from(seconds).ok())
        .map_or(config.lease_duration, Duration::from_secs);
    let long_dead = spec.renew_time.as_ref().is_some_and(|renewed| {
        let age = Duration::try_from(wall.duration_since(renewed.0)).unwrap_or_default();
        age > (duration * LONG_DEAD).max(LONG_DEAD_MINIMUM)
    });
    // A leader that lives gives up after its renew deadline, whatever the clocks say.
    let quick = (config.retry_period * LONG_DEAD_PERIODS).max(config.renew_deadline);
    let enough = if long_dead { duration.min(quick) } else { duration };
    if unchanged >= enough { Decision::Take } else { Decision::Wait(enough.saturating_sub(unchanged)) }
}

/// The Lease with us as its holder.
fn held(current: Option<&Lease>, config: &LeaderConfig, now: Timestamp) -> Lease {
    let now = clock::to_microseconds(now);
    let old = current.and_then(|lease| lease.spec.clone()).unwrap_or_default();
    let mine = old.holder_identity.as_deref() == Some(config.identity.as_str());
    let transitions = old.lease_transitions.unwrap_or(0);
    let new_holder = current.is_some() && !mine;
    let mut metadata = current.map(|lease| lease.metadata.clone()).unwrap_or_default();
    metadata.managed_fields = None;
    Lease {
        metadata: ObjectMeta {
            name: Some(config.lease_name.clone()),
            namespace: Some(config.lease_namespace.clone()),
            ..metadata
        },
        spec: Some(LeaseSpec {
            holder_identity: Some(config.identity.clone()),
            lease_duration_seconds: Some(config.lease_seconds() as i32),
            acquire_time: if mine { old.acquire_time } else { Some(MicroTime(now)) },
            renew_time: Some(MicroTime(now)),
            lease_transitions: Some(if new_holder { transitions + 1 } else { transitions }),
            ..LeaseSpec::default()
        }),
    }
}

/// The Lease given back: no holder, so that the next one need not wait.
fn released(current: &Lease, now: Timestamp) -> Lease {
    let now = clock::to_microseconds(now);
    let mut lease = current.clone();
    lease.metadata.managed_fields = None;
    let transitions = lease.spec.as_ref().and_then(|spec| spec.lease_transitions);
    lease.spec = Some(LeaseSpec {
        holder_identity: None,
        lease_duration_seconds: Some(1),
        acquire_time: Some(MicroTime(now)),
        renew_time: Some(MicroTime(now)),
        lease_transitions: transitions,
        ..LeaseSpec::default()
    });
    lease
}

/// Takes part in an election.
#[derive(Clone)]
pub struct LeaderElector {
    api: Api<Lease>,
    config: LeaderConfig,
}

/// We lead, until [`Leadership::lost`] is cancelled or [`Leadership::release`] is called.
pub struct Leadership {
    lost: CancellationToken,
    stop: CancellationToken,
    renewal: JoinHandle<()>,
    mandate: Mandate,
}

impl Leadership {
    /// Cancelled when the lease could not be renewed in time or another process holds it: stop all work and exit with code 1.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Whether this process leads still, for work that must not be done by two.
    pub fn mandate(&self) -> Mandate {
        self.mandate.clone()
    }

    /// Stops renewing and frees the Lease. Call it after all work has ended.
    pub async fn release(self) {
        self.stop.cancel();
        let _ = self.renewal.await;
    }
}

impl LeaderElector {
    /// An elector that has not started.
    pub fn new(client: Client, config: LeaderConfig) -> Self {
        let api = Api::namespaced(client, &config.lease_namespace);
        Self { api, config }
    }

    /// Waits until this process leads. `None` when `shutdown` came first.
    pub async fn acquire(&self, shutdown: &CancellationToken) -> Result<Option<Leadership>, LeaderError> {
        let lease = tokio::select! {
            () = shutdown.cancelled() => return Ok(None),
            lease = self.campaign() => lease?,
        };
        tracing::info!(lease = %self.config.lease_name, namespace = %self.config.lease_namespace, identity = %self.config.identity, "leading");
        let lost = CancellationToken::new();
        let stop = CancellationToken::new();
        let mandate = Mandate::for_a_lease(self.config.renew_deadline, lost.clone());
        let renewal = self.clone().renew(lease, mandate.clone(), lost.clone(), stop.clone());
        let renewal = tokio::spawn(renewal);
        Ok(Some(Leadership { lost, stop, renewal, mandate }))
    }

    async fn campaign(&self) -> Result<Lease, LeaderError> {
        let mut seen: Option<(Lease, Instant)> = None;
        let mut told_holder = String::new();
        loop {
            let lease = match self.request(self.api.get_opt(&self.config.lease_name)).await {
                Ok(Some(lease)) => lease,
                Ok(None) => {
                    let wanted = held(None, &self.config, clock::now());
                    match self.request(self.api.create(&PostParams::default(), &wanted)).await {
                        Ok(lease) => return Ok(lease),
                        Err(error) => self.after_error(error).await?,
                    }
                    continue;
                }
                Err(error) => {
                    self.after_error(error).await?;
                    continue;
                }
            };
            if let Some(won) = self.consider(lease, &mut seen, &mut told_holder).await? {
                return Ok(won);
            }
        }
    }

    /// Follows one state of the Lease and its changes until it can be taken. `None`: read it afresh.
    async fn consider(
        &self,
        mut lease: Lease,
        seen: &mut Option<(Lease, Instant)>,
        told_holder: &mut String,
    ) -> Result<Option<Lease>, LeaderError> {
        let mut changes = None;
        loop {
            let known = seen
                .as_ref()
                .filter(|(old, _)| old.metadata.resource_version == lease.metadata.resource_version);
            let since = known.map_or_else(Instant::now, |(_, since)| *since);
            *seen = Some((lease.clone(), since));
            let decision = decide(&lease, &self.config, since.elapsed(), clock::now());
            let wait = match decision {
                Decision::Take => {
                    let wanted = held(Some(&lease), &self.config, clock::now());
                    return match self
                        .request(self.api.replace(&self.config.lease_name, &PostParams::default(), &wanted))
                        .await
                    {
                        Ok(lease) => Ok(Some(lease)),
                        Err(error) => self.after_error(error).await.map(|()| None),
                    };
                }
                Decision::Wait(wait) => wait,
            };
            let holder =
                lease.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
            if *told_holder != holder {
                tracing::info!(lease = %self.config.lease_name, holder = %holder, "waiting for leadership");
                *told_holder = holder;
            }
            if changes.is_none() {
                let version = lease.metadata.resource_version.clone().unwrap_or_default();
                let params =
                    WatchParams::default().fields(&format!("metadata.name={}", self.config.lease_name));
                match self.request(self.api.watch(&params, &version)).await {
                    Ok(stream) => changes = Some(stream.boxed()),
                    Err(error) => {
                        tracing::debug!(%error, "watch the lease; reading it again instead");
                        sleep(self.config.retry_period.min(wait)).await;
                        return Ok(None);
                    }
                }
            }
            let Some(stream) = changes.as_mut() else { return Ok(None) };
            match timeout(wait, stream.try_next()).await {
                Ok(Ok(Some(WatchEvent::Added(new) | WatchEvent::Modified(new)))) => lease = new,
                // Its holder did not renew it in time, or nothing is new: decide again.
                Err(_) | Ok(Ok(Some(WatchEvent::Bookmark(_)))) => {}
                Ok(Ok(Some(WatchEvent::Deleted(_)))) => return Ok(None),
                Ok(Ok(Some(WatchEvent::Error(_)) | None) | Err(_)) => {
                    sleep(self.config.retry_period.min(Duration::from_millis(200))).await;
                    return Ok(None);
                }
            }
        }
    }

    async fn renew(
        self,
        mut lease: Lease,
        mandate: Mandate,
        lost: CancellationToken,
        stop: CancellationToken,
    ) {
        let mut deadline = Instant::now() + self.config.renew_deadline;
        loop {
            let next = (Instant::now() + self.config.retry_period).min(deadline);
            tokio::select! {
                () = stop.cancelled() => {
                    self.release(&lease).await;
                    return;
                }
                () = sleep_until(next) => {}
            }
            // Others count from the moment the server wrote the lease, which is not before this one.
            let asked = Instant::now();
            let renewed = mandate.begin_renewal();
            let renewal = timeout_at(deadline, self.renew_once(&lease)).await;
            let reason = match renewal {
                Ok(Renewal::Done(new)) => {
                    lease = new;
                    renewed();
                    deadline = asked + self.config.renew_deadline;
                    continue;
                }
                Ok(Renewal::Repeat(new)) => {
                    lease = new.unwrap_or(lease);
                    if Instant::now() < deadline {
                        continue;
                    }
                    "the lease could not be renewed in time".to_owned()
                }
                Ok(Renewal::Lost(reason)) => reason,
                Err(_) => "the lease could not be renewed in time".to_owned(),
            };
            tracing::error!(lease = %self.config.lease_name, namespace = %self.config.lease_namespace, reason, "leadership lost");
            lost.cancel();
            return;
        }
    }

    async fn renew_once(&self, lease: &Lease) -> Renewal {
        let name = &self.config.lease_name;
        let wanted = held(Some(lease), &self.config, clock::now());
        let error = match self.request(self.api.replace(name, &PostParams::default(), &wanted)).await {
            Ok(new) => return Renewal::Done(new),
            Err(error) => error,
        };
        let written_by_others =
            matches!(&error, Failure::Api(error) if is_code(error, 409) || is_code(error, 404));
        if !written_by_others {
            tracing::warn!(lease = %name, %error, "renew the lease; trying again");
            return Renewal::Repeat(None);
        }
        // By a person with an annotation, or by another operator that believes we are gone.
        match self.request(self.api.get_opt(name)).await {
            Ok(Some(new)) => {
                let holder =
                    new.spec.as_ref().and_then(|spec| spec.holder_identity.clone()).unwrap_or_default();
                if holder == self.config.identity {
                    return Renewal::Repeat(Some(new));
                }
                Renewal::Lost(format!("it is held by '{holder}'"))
            }
            Ok(None) => Renewal::Lost("the lease was deleted".to_owned()),
            Err(error) => {
                tracing::warn!(lease = %name, %error, "read the lease; trying again");
                Renewal::Repeat(None)
            }
        }
    }

    async fn release(&self, lease: &Lease) {
        let wanted = released(lease, clock::now());
        match self.request(self.api.replace(&self.config.lease_name, &PostParams::default(), &wanted)).await {
            Ok(_) => tracing::info!(lease = %self.config.lease_name, "leadership released"),
            Err(error) => {
                tracing::warn!(lease = %self.config.lease_name, %error, "release the lease; the next leader has to wait until it ends");
            }
        }
    }

    /// A request that may take as long as a renewal period at most.
    async fn request<T>(&self, request: impl Future<Output = kube::Result<T>>) -> Result<T, Failure> {
        match timeout(self.config.retry_period.max(Duration::from_secs(1)), request).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(Failure::Api(Box::new(error))),
            Err(_) => Err(Failure::Timeout),
        }
    }

    /// Errors that will not pass by themselves end the election; the others wait for the next try.
    async fn after_error(&self, error: Failure) -> Result<(), LeaderError> {
        let (name, namespace) = (self.config.lease_name.clone(), self.config.lease_namespace.clone());
        match error {
            Failure::Api(source) if is_code(&source, 403) || is_code(&source, 401) => {
                Err(LeaderError::Forbidden { namespace, name, source })
            }
            Failure::Api(source) if is_code(&source, 404) => {
                Err(LeaderError::NoNamespace { namespace, name })
            }
            Failure::Api(source) if is_code(&source, 409) => Ok(()),
            other => {
                tracing::warn!(lease = %name, namespace = %namespace, error = %other, "elect a leader; trying again");
                sleep(self.config.retry_period).await;
                Ok(())
            }
        }
    }
}

/// How one attempt to renew ended.
enum Renewal {
    Done(Lease),
    /// Try again, with the newer state of the Lease if there is one.
    Repeat(Option<Lease>),
    Lost(String),
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Api(Box<kube::Error>),
    #[error("no answer in time")]
    Timeout,
}

fn is_code(error: &kube::Error, code: u16) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == code)
}

#[cfg(test)]
#[path = "leader_tests.rs"]
mod tests;
