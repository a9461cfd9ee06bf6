//! The client: which node gets a request, and when it is sent again.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{DescribeClusterRequest, DescribeClusterResponse};
use kafka_protocol::protocol::Request;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep, timeout};

use crate::batch::{self, Limits, Weight};
use crate::budget::Budget;
use crate::config::{AdminConfig, BootstrapKind, Security, TlsConfig};
use crate::connect::split_address;
use crate::error::check;
use crate::node::{self, Answer, Command};
use crate::nodes::ClusterDescription;
use crate::shared::Shared;
use crate::wire::{decode, encode, measured, versions};
use crate::{AdminError, ErrorCode, KafkaError};

/// First and longest pause between two attempts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Records that one operation may write, well below the controller's limit of 10,000.
const MAX_RECORDS: usize = 2_000;

/// A client for the administration of a Kafka cluster. Cheap to clone; all clones share their connections.
///
/// Nothing is connected before the first call. Each node gets one connection on which requests are pipelined.
/// A failed connection, a node that is not (or no longer) the controller and a server that is starting are retried
/// until the time limit; a request whose connection was lost is sent again, so that a creation which Kafka carried
/// out unseen comes back as "already exists". A node whose certificate, login or protocol is wrong is passed over: a call
/// that any node can answer fails only when all of them are like that, and none is tried twice, because a failed login
/// may count.
///
/// Reads go to one broker as long as it answers. KRaft brokers learn of a change some milliseconds after it was
/// acknowledged, so that a read directly after a write may still show the older state.
#[derive(Clone)]
pub struct Admin {
    inner: Arc<Inner>,
    /// Time limit of its calls, where it is another one than that of the settings.
    limit: Option<Duration>,
}

struct Inner {
    shared: Arc<Shared>,
    routes: Mutex<Routes>,
}

/// What is known about the way to the nodes.
struct Routes {
    /// Task of each address.
    nodes: HashMap<String, mpsc::Sender<Command>>,
    /// The address for requests that any node can answer.
    current: String,
    cluster: Option<Arc<ClusterDescription>>,
}

/// Who can answer a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// Any node of the kind that the client is connected to.
    Any,
    /// The active controller. Brokers forward to it, so with brokers this is the same as `Any`.
    Controller,
    /// This node only.
    Node(i32),
}

/// The nodes that one call has tried.
#[derive(Default)]
struct Tried {
    /// The last one.
    asked: Option<String>,
    /// Those that are of no use to this call, and why.
    unusable: HashMap<String, AdminError>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("config", &self.inner.shared.config).finish_non_exhaustive()
    }
}

impl Admin {
    /// Checks the settings and makes a client; connects to nothing yet. Calls need a tokio runtime.
    pub fn new(config: AdminConfig) -> Result<Self, AdminError> {
        if config.bootstrap.is_empty() {
            return Err(AdminError::Config("no bootstrap address".to_owned()));
        }
        for address in &config.bootstrap {
            split_address(address)?;
        }
        let routes = Routes { nodes: HashMap::new(), current: config.bootstrap[0].clone(), cluster: None };
        let shared = Arc::new(Shared::new(config)?);
        Ok(Self { inner: Arc::new(Inner { shared, routes: Mutex::new(routes) }), limit: None })
    }

    /// Replaces trust and identity. Connections made from now on use them; an existing connection is replaced as soon
    /// as a request comes while none is under way on it. On an error the old ones stay in use.
    pub fn update_tls(&self, tls: &TlsConfig) -> Result<(), AdminError> {
        if self.config().security == Security::Plaintext {
            return Err(AdminError::Config("a client without tls cannot get a tls identity".to_owned()));
        }
        self.inner.shared.update_tls(tls)
    }

    /// How many requests were sent to Kafka so far, those that set up connections included.
    pub fn requests_sent(&self) -> u64 {
        self.inner.shared.requests()
    }

    /// The client's settings, as given at the start, but without the certificates and the key.
    pub fn config(&self) -> &AdminConfig {
        &self.inner.shared.config
    }

    /// The same client with another time limit for each request, with the same connections.
    pub fn within(&self, limit: Duration) -> Self {
        Self { inner: Arc::clone(&self.inner), limit: Some(limit) }
    }

    /// Time limit of one request with all its retries.
    fn request_limit(&self) -> Duration {
        self.limit.unwrap_or(self.config().request_timeout)
    }

    pub(crate) fn is_controllers(&self) -> bool {
        self.config().bootstrap_kind == BootstrapKind::Controllers
    }

    /// How long one attempt may take: short enough that another node can be tried within the call.
    fn attempt_limit(&self) -> Duration {
        self.request_limit() / 2
    }

    /// The time limit that is sent along for Kafka's own waiting. Milliseconds.
    pub(crate) fn server_timeout_ms(&self) -> i32 {
        i32::try_from((self.request_limit() / 3).as_millis()).unwrap_or(i32::MAX)
    }

    /// Sends a request, again where that helps, until the time limit.
    ///
    /// `failure` finds the error that concerns the whole answer: the one of its head, or one of an item that says that
    /// the wrong node was asked (see [`misrouted`]).
    pub(crate) async fn call<R>(
        &self,
        name: &'static str,
        route: Route,
        request: R,
        failure: impl Fn(&R::Response) -> Result<(), KafkaError>,
    ) -> Result<R::Response, AdminError>
    where
        R: Request + Send + Sync + 'static,
    {
        let limit = self.request_limit();
        let start = Instant::now();
        let request = Arc::new(request);
        let mut pause = PAUSE.0;
        let mut tried = Tried::default();
        loop {
            let attempt_start = Instant::now();
            let rest = limit.saturating_sub(start.elapsed()).min(self.attempt_limit());
            tried.asked = None;
            let error = match timeout(rest, self.attempt(name, route, &request, &mut tried)).await {
                Ok(Ok(answer)) => match failure(&answer) {
                    Ok(()) => return Ok(answer),
                    Err(error) => AdminError::Api { call: name, error },
                },
                Ok(Err(error)) => error,
                Err(_) => {
                    if let Some(address) = &tried.asked {
                        // A short remainder at the end of a call says nothing about the connection.
                        if rest >= self.attempt_limit() / 2 {
                            self.reset(address, attempt_start);
                        }
                    }
                    let address = tried.asked.clone().unwrap_or_else(|| "the cluster".to_owned());
                    let reason = format!("no answer within {} ms", rest.as_millis());
                    AdminError::Disconnected { address, reason }
                }
            };
            if error.is_of_one_node()
                && let Some(address) = tried.asked.take()
                && !tried.unusable.contains_key(&address)
                && start.elapsed() < limit
            {
                tracing::debug!(call = name, %error, "a kafka node is of no use, trying another one");
                self.move_on(&address);
                tried.unusable.insert(address, error);
                continue;
            }
            if !error.is_retriable() {
                if error.is_of_one_node() {
                    // The address may belong to another server by now.
                    self.routes().cluster = None;
                }
                return Err(error);
            }
            tracing::debug!(call = name, %error, "kafka call failed, trying again");
            self.look_elsewhere(tried.asked.as_deref());
            if start.elapsed() + pause >= limit {
                return Err(AdminError::Timeout { call: name, after: limit, last: Some(Box::new(error)) });
            }
            sleep(pause).await;
            pause = (pause * 2).min(PAUSE.1);
        }
    }

    /// Sends a request once, within the time limit, without another attempt: for requests that can block a thread of the broker, where another
    /// attempt would block a second one. A failure leaves the connection and what is known of the nodes as they are.
    pub(crate) async fn call_once<R>(
        &self,
        name: &'static str,
        route: Route,
        request: R,
    ) -> Result<R::Response, AdminError>
    where
        R: Request + Send + Sync + 'static,
    {
        let (limit, request, mut tried) = (self.request_limit(), Arc::new(request), Tried::default());
        let late = |_| AdminError::Timeout { call: name, after: limit, last: None };
        timeout(limit, self.attempt(name, route, &request, &mut tried)).await.map_err(late)?
    }

    async fn attempt<R>(
        &self,
        name: &'static str,
        route: Route,
        request: &Arc<R>,
        tried: &mut Tried,
    ) -> Result<R::Response, AdminError>
    where
        R: Request + Send + Sync + 'static,
    {
        let address = match route {
            Route::Controller if self.is_controllers() => {
                let cluster = self.cluster(tried).await?;
                let Some(leader) = cluster.controller_id.and_then(|id| cluster.nodes.get(&id)) else {
                    let error =
                        KafkaError::new(ErrorCode::NOT_CONTROLLER, "the quorum has no leader at present");
                    return Err(AdminError::Api { call: name, error });
                };
                leader.address()
            }
            Route::Any | Route::Controller => self.any_address(&tried.unusable),
            Route::Node(id) => {
                let known = self.cluster(tried).await?.nodes.get(&id).map(crate::Node::address);
                if let Some(address) = known {
                    address
                } else {
                    // It may have joined since.
                    let fresh = self.fetch_cluster(tried).await?;
                    fresh.nodes.get(&id).map(crate::Node::address).ok_or(AdminError::UnknownNode(id))?
                }
            }
        };
        self.ask(name, &address, request, tried).await
    }

    /// Asks a node, unless this call knows already that it is of no use.
    async fn ask<R>(
        &self,
        name: &'static str,
        address: &str,
        request: &Arc<R>,
        tried: &mut Tried,
    ) -> Result<R::Response, AdminError>
    where
        R: Request + Send + Sync + 'static,
    {
        tried.asked = Some(address.to_owned());
        if let Some(reason) = self.config().refuses(address) {
            return Err(AdminError::Protocol { address: address.to_owned(), reason });
        }
        match tried.unusable.get(address) {
            Some(error) => Err(error.clone()),
            None => self.exchange(name, address, request).await,
        }
    }

    async fn exchange<R>(
        &self,
        name: &'static str,
        address: &str,
        request: &Arc<R>,
    ) -> Result<R::Response, AdminError>
    where
        R: Request + Send + Sync + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let content = Arc::clone(request);
        let command = Command::Call {
            name,
            key: R::KEY,
            versions: versions::<R>(),
            encode: Box::new(move |head| encode(&*content, head)),
            reply,
        };
        let ended = || AdminError::Disconnected {
            address: address.to_owned(),
            reason: "the connection's task ended".to_owned(),
        };
        self.node(address).send(command).await.map_err(|_| ended())?;
        let Answer { version, frame, room } = answer.await.map_err(|_| ended())??;
        let decoded = match &self.config().budget {
            None => decode::<R>(frame, version, self.config().max_answer_memory),
            Some(budget) => self.decode_within::<R>(frame, version, budget).await,
        };
        drop(room);
        decoded.map_err(|reason| AdminError::Protocol { address: address.to_owned(), reason })
    }

    /// Decodes an answer with what is left of the client's memory: out of the room that it shares only where its own does not suffice.
    async fn decode_within<R: Request>(
        &self,
        frame: Bytes,
        version: i16,
        budget: &Budget,
    ) -> Result<R::Response, String> {
        let most = self.config().max_answer_memory;
        loop {
            // Its bytes were taken when they came.
            let bound = budget.left().saturating_add(frame.len()).min(most);
            match measured::<R>(frame.clone(), version, bound) {
                Ok((answer, taken)) => {
                    budget.note(taken.saturating_sub(frame.len()));
                    return Ok(answer);
                }
                Err(unread) if unread.is_memory && bound < most => {
                    if !budget.grow().await {
                        return Err(format!("the answer is too large: {}", budget.spent()));
                    }
                }
                Err(unread) => return Err(unread.reason),
            }
        }
    }

    /// The cluster as last seen.
    async fn cluster(&self, tried: &mut Tried) -> Result<Arc<ClusterDescription>, AdminError> {
        let known = self.routes().cluster.clone();
        match known {
            Some(cluster) => Ok(cluster),
            None => self.fetch_cluster(tried).await,
        }
    }

    async fn fetch_cluster(&self, tried: &mut Tried) -> Result<Arc<ClusterDescription>, AdminError> {
        let address = self.any_address(&tried.unusable);
        let request = Arc::new(self.cluster_request());
        let answer = self.ask("describe cluster", &address, &request, tried).await?;
        check(answer.error_code, answer.error_message.as_ref())
            .map_err(|error| AdminError::Api { call: "describe cluster", error })?;
        self.remember(&answer)
    }

    pub(crate) fn cluster_request(&self) -> DescribeClusterRequest {
        DescribeClusterRequest::default()
            .with_endpoint_type(if self.is_controllers() { 2 } else { 1 })
            .with_include_fenced_brokers(!self.is_controllers())
    }

    /// Keeps the ways to the nodes, and no others: each has a task, and nodes may name new addresses without end.
    pub(crate) fn remember(
        &self,
        answer: &DescribeClusterResponse,
    ) -> Result<Arc<ClusterDescription>, AdminError> {
        let read = ClusterDescription::read(answer, self.config().max_nodes);
        let mut routes = self.routes();
        let of_cluster = |reason| AdminError::Protocol { address: routes.current.clone(), reason };
        let cluster = Arc::new(read.map_err(of_cluster)?);
        let named: HashSet<String> = cluster.nodes.values().map(crate::Node::address).collect();
        let Routes { nodes, current, .. } = &mut *routes;
        nodes.retain(|address, _| {
            address == current || named.contains(address) || self.config().bootstrap.contains(address)
        });
        routes.cluster = Some(Arc::clone(&cluster));
        Ok(cluster)
    }

    fn routes(&self) -> MutexGuard<'_, Routes> {
        self.inner.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self, address: &str) -> mpsc::Sender<Command> {
        let mut routes = self.routes();
        if let Some(sender) = routes.nodes.get(address)
            && !sender.is_closed()
        {
            return sender.clone();
        }
        let sender = node::spawn(address.to_owned(), Arc::clone(&self.inner.shared));
        routes.nodes.insert(address.to_owned(), sender.clone());
        sender
    }

    fn reset(&self, address: &str, older_than: Instant) {
        let sender = self.routes().nodes.get(address).cloned();
        if let Some(sender) = sender
            && sender.try_send(Command::Reset { older_than }).is_err()
        {
            // The queue is full because the task hangs in a write: leave it to its own time limit and start another.
            self.routes().nodes.remove(address);
        }
    }

    /// The usual node, or the first that is not known to be of no use; the usual one when all are.
    fn any_address(&self, unusable: &HashMap<String, AdminError>) -> String {
        let routes = self.routes();
        let list = candidates(&self.config().bootstrap, routes.cluster.as_deref());
        let mut good = std::iter::once(&routes.current).chain(&list);
        good.find(|address| !unusable.contains_key(*address)).unwrap_or(&routes.current).clone()
    }

    /// After a failure: ask another node if the usual node failed, and forget addresses that may be old.
    fn look_elsewhere(&self, asked: Option<&str>) {
        let asked = asked.map_or_else(|| self.routes().current.clone(), str::to_owned);
        self.move_on(&asked);
        self.routes().cluster = None;
    }

    /// Makes another node the usual one if this one is.
    fn move_on(&self, asked: &str) {
        let mut routes = self.routes();
        if asked == routes.current {
            let list = candidates(&self.config().bootstrap, routes.cluster.as_deref());
            let next = list.iter().position(|address| *address == asked).map_or(0, |position| position + 1);
            routes.current.clone_from(&list[next % list.len()]);
        }
    }

    /// Splits a call into requests within the limits and runs them.
    pub(crate) async fn batched<T, O, F>(
        &self,
        items: impl IntoIterator<Item = T>,
        weigh: impl Fn(&T) -> Weight,
        request: impl Fn(Vec<T>) -> F,
    ) -> Result<Vec<O>, AdminError>
    where
        F: Future<Output = Result<O, AdminError>>,
    {
        let limits = Limits { bytes: self.config().max_request_bytes, records: MAX_RECORDS };
        let groups = batch::split(items, limits, weigh);
        batch::run(groups, self.config().concurrency, request).await
    }
}

/// Addresses that can answer what any node can: the configured ones first.
fn candidates(bootstrap: &[String], cluster: Option<&ClusterDescription>) -> Vec<String> {
    let mut all = bootstrap.to_vec();
    for node in cluster.iter().flat_map(|cluster| cluster.nodes.values()) {
        let address = node.address();
        if !node.fenced && !all.contains(&address) {
            all.push(address);
        }
    }
    all
}

/// Finds the answer "ask another node" among the codes of an answer's items: then none of them was carried out.
pub(crate) fn misrouted(codes: impl IntoIterator<Item = i16>) -> Result<(), KafkaError> {
    for code in codes {
        let code = ErrorCode(code);
        if matches!(code, ErrorCode::NOT_CONTROLLER | ErrorCode::NOT_LEADER_OR_FOLLOWER) {
            return Err(KafkaError::new(code, "the node that was asked does not lead"));
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
