//! The REST APIs of all Connect clusters: one client and one list of connectors for each.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use api::common::connector::ConnectorPlugin;
use api::ports;
use connect_client::{AnswerRoom, Connect, ConnectConfig, ConnectError, Listing};
use jiff::Timestamp;
use operator_runtime::clock;
use operator_runtime::watch::ObjectRef;
use tokio::time::Instant;

use super::addresses::ConnectAddresses;
use super::lanes::{self, Lanes};
use crate::caches::Caches;
use crate::lock::lock;

/// Longest time for the list of connectors.
const LIST: Duration = Duration::from_secs(10);

/// Plug-ins that a status names, and characters of what is said of each.
const MOST_PLUGINS: usize = 1000;
const LONGEST_NAME: usize = 250;

/// How many times the bound of one answer all of them together may take.
const TOGETHER: usize = 4;

/// Shortest time between two lists of one cluster.
const PACE: Duration = Duration::from_millis(50);

/// How long a list is kept for passes that come.
const KEPT: Duration = Duration::from_secs(5);

/// First and longest pause before a cluster is asked again that did not answer.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15));

/// What a Connect cluster says of its connectors.
#[derive(Debug, Clone)]
pub enum Look {
    /// All of them, by name.
    Here(Arc<Listing>),
    /// No worker answers.
    Away {
        /// Since when.
        since: Timestamp,
    },
    /// The answer cannot be used: why.
    Unusable(String),
}

/// The APIs of all clusters.
pub struct Apis {
    known: Mutex<HashMap<ObjectRef, Arc<Api>>>,
    caches: Caches,
    addresses: ConnectAddresses,
    longest_answer: usize,
    /// For the large answers of all clusters together.
    room: AnswerRoom,
}

impl Apis {
    /// With a bound for the length of an answer in bytes.
    pub fn new(caches: Caches, addresses: ConnectAddresses, longest_answer: usize) -> Self {
        let room = AnswerRoom::new(longest_answer.saturating_mul(TOGETHER));
        Self { known: Mutex::default(), caches, addresses, longest_answer, room }
    }

    /// The APIs of other clusters, whose large answers have the same room.
    #[must_use]
    pub fn beside(&self, addresses: ConnectAddresses) -> Self {
        let (caches, room) = (self.caches.clone(), self.room.clone());
        Self { known: Mutex::default(), caches, addresses, longest_answer: self.longest_answer, room }
    }

    /// The API of a cluster whose resource has this UID. It is asked at the address of its own Service and by no name: what a name
    /// leads to is up to whoever may write the Service.
    ///
    /// # Errors
    /// Why there is no such address, in words.
    pub fn of(&self, cluster: &ObjectRef, uid: Option<&str>) -> Result<Arc<Api>, String> {
        let address = self.address(cluster, uid)?;
        let mut known = self.lock();
        if let Some(api) = known.get(cluster).filter(|api| api.connect.address() == address) {
            return Ok(Arc::clone(api));
        }
        let config = ConnectConfig::new(address)
            .with_deadline(lanes::DEADLINE)
            .with_longest_answer(self.longest_answer)
            .with_room(self.room.clone())
            .with_at_once(lanes::AT_ONCE);
        let api = Arc::new(Api::new(cluster.clone(), config));
        known.insert(cluster.clone(), Arc::clone(&api));
        Ok(api)
    }

    /// Host and port: those that the administrator gives, or those of the Service.
    fn address(&self, cluster: &ObjectRef, uid: Option<&str>) -> Result<String, String> {
        if let Some(given) = self.addresses.of(cluster) {
            return Ok(given);
        }
        let (name, owner) = self.addresses.service(cluster);
        let key = ObjectRef::new(&cluster.namespace, &name);
        let found =
            self.caches.services().find_map(|kind| kind.cache.get(&key)).filter(|found| found.owner == owner);
        let Some(service) = found.as_ref().and_then(|found| found.rest_api.as_ref()) else {
            return Err(format!("there is no Service {name} that was made for it"));
        };
        let address = service.address_for(uid).map_err(|why| format!("Service {name} {why}"))?;
        Ok(SocketAddr::new(address, ports::CONNECT_REST as u16).to_string())
    }

    /// Ends the connections to a cluster that is gone.
    pub fn forget(&self, cluster: &ObjectRef) {
        self.lock().remove(cluster);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, Arc<Api>>> {
        lock(&self.known)
    }
}

/// The API of one cluster.
#[derive(Debug)]
pub struct Api {
    cluster: ObjectRef,
    /// The client, whose calls have the deadline of the lanes.
    pub connect: Connect,
    looked: tokio::sync::Mutex<Looked>,
    /// Calls about single connectors.
    pub lanes: Lanes,
    first_round: AtomicBool,
}

/// The last list.
#[derive(Debug, Default)]
struct Looked {
    began: Option<Instant>,
    ended: Option<Instant>,
    /// `None`: it was let go of.
    look: Option<Look>,
    /// Lists in a row that failed.
    failures: u32,
    away_since: Option<Timestamp>,
}

impl Api {
    /// Of a cluster that was not asked yet.
    pub(super) fn new(cluster: ObjectRef, config: ConnectConfig) -> Self {
        Self {
            cluster,
            connect: Connect::new(config),
            looked: tokio::sync::Mutex::default(),
            lanes: Lanes::default(),
            first_round: AtomicBool::new(true),
        }
    }

    /// All connectors, from a list that was begun no earlier than this: everybody who waits for one shares it. A cluster that did not
    /// answer is not asked again before its time.
    pub async fn look(self: &Arc<Self>, not_before: Instant) -> Look {
        let mut looked = self.looked.lock().await;
        if let Some(look) = looked.look.clone() {
            let is_bad = !matches!(look, Look::Here(_));
            let pause = PAUSES.0.saturating_mul(1 << looked.failures.saturating_sub(1).min(8)).min(PAUSES.1);
            let waits = is_bad && looked.ended.is_some_and(|ended| ended.elapsed() < pause);
            if waits || looked.began.is_some_and(|began| began >= not_before) {
                return look;
            }
        }
        if let (Some(began), Some(ended)) = (looked.began, looked.ended) {
            // A worker has other things to do, too.
            tokio::time::sleep_until(ended + PACE.max(ended - began)).await;
        }
        looked.began = Some(Instant::now());
        // The room that the former list takes is for the next one.
        looked.look = None;
        let answer = self.connect.with_deadline(LIST).connectors().await;
        looked.ended = Some(Instant::now());
        let look = match answer {
            Ok(connectors) => {
                if looked.failures > 0 {
                    tracing::info!(cluster = %self.cluster, "Kafka Connect answers again");
                }
                (looked.failures, looked.away_since) = (0, None);
                Look::Here(Arc::new(connectors))
            }
            Err(error) => {
                tracing::warn!(cluster = %self.cluster, %error, "Kafka Connect did not list its connectors");
                looked.failures = looked.failures.saturating_add(1);
                let since = *looked.away_since.get_or_insert_with(clock::now);
                match &error {
                    ConnectError::TooLong { .. }
                    | ConnectError::TooLarge { .. }
                    | ConnectError::Malformed { .. } => Look::Unusable(error.to_string()),
                    _ => Look::Away { since },
                }
            }
        };
        looked.look = Some(look.clone());
        if matches!(look, Look::Here(_)) {
            tokio::spawn(let_go(Arc::downgrade(self)));
        }
        look
    }

    /// Whether the names of all connectors have still to be listed, those without a state included.
    pub fn lists_names(&self) -> bool {
        self.first_round.load(Ordering::Relaxed)
    }

    /// Notes that everything that no resource declares was removed, of all names.
    pub fn has_listed_names(&self) {
        self.first_round.store(false, Ordering::Relaxed);
    }

    /// The classes of connectors that the workers offer, for the status of the cluster; in order.
    pub async fn connector_plugins(&self) -> Result<Vec<ConnectorPlugin>, ConnectError> {
        let listed = self.connect.with_deadline(LIST).connector_plugins().await?;
        let short = |text: String| text.chars().take(LONGEST_NAME).collect::<String>();
        let plugins = listed.into_iter().take(MOST_PLUGINS).map(|plugin| ConnectorPlugin {
            class: Some(short(plugin.class)),
            type_: Some(short(plugin.type_)),
            version: plugin.version.map(short),
        });
        let mut plugins: Vec<ConnectorPlugin> = plugins.collect();
        plugins.sort_by(|one, other| (&one.class, &one.version).cmp(&(&other.class, &other.version)));
        Ok(plugins)
    }
}

/// Lets go of a list that nobody asked for again for a while: with many connectors it is large.
async fn let_go(api: Weak<Api>) {
    tokio::time::sleep(KEPT).await;
    let Some(api) = api.upgrade() else { return };
    let mut looked = api.looked.lock().await;
    if matches!(looked.look, Some(Look::Here(_))) && looked.ended.is_some_and(|ended| ended.elapsed() >= KEPT)
    {
        looked.look = None;
    }
}
