//! All consumers by group and name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use regex::Regex;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::consumer::held::Reads;
use crate::consumer::instance::Instance;
use crate::error::ApiError;
use crate::kafka::clients::Clients;
use crate::kafka::topics::Topics;
use crate::kafka::waiting::{Work, blocking};
use crate::metrics::BridgeMetrics;
use crate::prefetch::Budget;
use crate::requests::{NewConsumer, Subscription};

/// How long a client waits until its consumer has left the group.
const LEAVING: Duration = Duration::from_secs(10);

/// Between two looks for unused consumers.
const IDLE_LOOK: Duration = Duration::from_secs(1);

/// Between two looks at which topics match a pattern.
const PATTERN_LOOK: u32 = 30;

/// The largest regular expression. Bytes of its compiled form.
const LARGEST_PATTERN: usize = 64 * 1024;

/// Group and name.
type Key = (String, String);

/// A place in the map.
enum Place {
    /// The consumer is being made.
    Taken,
    /// It is there.
    There(Arc<Instance>),
}

/// The consumers.
#[allow(missing_debug_implementations, reason = "the instances have none")]
pub(crate) struct Registry {
    clients: Arc<Clients>,
    budget: Arc<Budget>,
    metrics: BridgeMetrics,
    id: Option<String>,
    timeout: Option<Duration>,
    most: usize,
    places: Mutex<HashMap<Key, Place>>,
}

impl Registry {
    /// None yet.
    pub(crate) fn new(
        clients: Arc<Clients>,
        prefetch: usize,
        metrics: BridgeMetrics,
        id: Option<String>,
        timeout: Option<Duration>,
        most: usize,
    ) -> Self {
        let budget = Budget::new(prefetch);
        Self { clients, budget, metrics, id, timeout, most, places: Mutex::default() }
    }

    fn places(&self) -> MutexGuard<'_, HashMap<Key, Place>> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a consumer and gives back its name.
    pub(crate) async fn create(&self, group: &str, new: NewConsumer) -> Result<String, ApiError> {
        let prefix = self.id.as_deref().unwrap_or("kafka-bridge-consumer");
        let name = new.name.clone().unwrap_or_else(|| format!("{prefix}-{}", Uuid::new_v4()));
        let key = (group.to_owned(), name.clone());
        {
            let mut places = self.places();
            if places.contains_key(&key) {
                return Err(ApiError::new(
                    StatusCode::CONFLICT,
                    "A consumer instance with the specified name already exists in the HTTP Bridge.",
                ));
            }
            if places.len() >= self.most {
                return Err(ApiError::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    format!(
                        "no more than {} consumers: delete some, or set kastellan.consumer.max higher",
                        self.most
                    ),
                ));
            }
            places.insert(key.clone(), Place::Taken);
        }
        // Should the client go away meanwhile, its place is free again.
        let reserved = Reserved { registry: self, key: &key };
        let share = self.budget.share().ok_or_else(|| {
            ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "no more consumers: what all of them together may prefetch is given away; delete some, or set kastellan.consumer.prefetch.bytes higher",
            )
        })?;
        let (config, group, of_name) = (self.clients.consumer_config(), group.to_owned(), name.clone());
        let made =
            blocking(Work::Births, move || Instance::new(config, &group, &of_name, &new, share)).await??;
        std::mem::forget(reserved);
        self.places().insert(key, Place::There(Arc::new(made)));
        self.count();
        Ok(name)
    }

    /// A consumer.
    pub(crate) fn find(&self, group: &str, name: &str) -> Result<Arc<Instance>, ApiError> {
        match self.places().get(&(group.to_owned(), name.to_owned())) {
            Some(Place::There(instance)) => Ok(Arc::clone(instance)),
            _ => Err(ApiError::no_consumer()),
        }
    }

    /// Ends a consumer; it has left its group afterwards, if Kafka answers.
    pub(crate) async fn delete(&self, group: &str, name: &str) -> Result<(), ApiError> {
        let key = (group.to_owned(), name.to_owned());
        let instance = {
            let mut places = self.places();
            match places.remove(&key) {
                Some(Place::There(instance)) => instance,
                other => {
                    // It is being made: its place stays taken.
                    places.extend(other.map(|place| (key, place)));
                    return Err(ApiError::no_consumer());
                }
            }
        };
        self.count();
        // The client is done with what it got.
        instance.done().await;
        let gone = end(instance);
        let _ = tokio::time::timeout(LEAVING, gone.cancelled()).await;
        Ok(())
    }

    /// Subscribes a consumer.
    pub(crate) async fn subscribe(
        &self,
        instance: &Instance,
        subscription: Subscription,
    ) -> Result<(), ApiError> {
        match subscription {
            Subscription::Topics(topics) => instance.subscribe(topics, None).await,
            Subscription::Pattern(text) => {
                let pattern = regex::RegexBuilder::new(&format!("^(?:{text})$"))
                    .size_limit(LARGEST_PATTERN)
                    .build()
                    .map_err(|_| {
                        ApiError::unprocessable(
                            "/topic_pattern: must be a regular expression such as orders-.*",
                        )
                    })?;
                let topics = Topics(self.clients.admin()?).names().await?;
                instance.subscribe(matching(&pattern, &topics), Some(pattern)).await
            }
        }
    }

    fn count(&self) {
        let places = self.places();
        let there = places.values().filter(|place| matches!(place, Place::There(_))).count();
        drop(places);
        self.metrics.consumers.set(there as i64);
        self.metrics.prefetch.set(self.budget.given() as i64);
    }

    fn all(&self) -> Vec<Arc<Instance>> {
        let places = self.places();
        let there = |place: &Place| match place {
            Place::There(instance) => Some(Arc::clone(instance)),
            Place::Taken => None,
        };
        places.values().filter_map(there).collect()
    }

    /// Ends unused consumers and looks for topics that match patterns, until the end.
    pub(crate) async fn tend(&self, shutdown: &CancellationToken) {
        let mut round = 0_u32;
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(IDLE_LOOK) => {}
            }
            self.end_unused();
            round = round.wrapping_add(1);
            if round.is_multiple_of(PATTERN_LOOK) {
                self.look_at_patterns().await;
            }
        }
    }

    fn end_unused(&self) {
        let Some(timeout) = self.timeout else { return };
        for instance in self.all() {
            if instance.unused() < timeout {
                continue;
            }
            tracing::info!(
                group = instance.group,
                consumer = instance.name,
                "a consumer ends: nobody has used it for {} s (http.timeoutSeconds)",
                timeout.as_secs()
            );
            let key = (instance.group.clone(), instance.name.clone());
            {
                // Another consumer may have its name by now.
                let mut places = self.places();
                let is_there =
                    matches!(places.get(&key), Some(Place::There(there)) if Arc::ptr_eq(there, &instance));
                if !is_there {
                    continue;
                }
                places.remove(&key);
            }
            self.metrics.idle_consumers.inc();
            end(instance);
        }
        self.count();
    }

    async fn look_at_patterns(&self) {
        let patterns = self.all().into_iter().filter_map(|instance| {
            let reads = instance.held().reads.clone();
            match reads {
                Reads::Pattern(pattern, topics) => Some((instance, pattern, topics)),
                _ => None,
            }
        });
        let patterns: Vec<(Arc<Instance>, Regex, Vec<String>)> = patterns.collect();
        if patterns.is_empty() {
            return;
        }
        let names = match self.clients.admin() {
            Ok(admin) => Topics(admin).names().await,
            Err(error) => Err(error),
        };
        let names = match names {
            Ok(names) => names,
            Err(error) => {
                return tracing::warn!(%error, "new topics that match patterns are not found for now");
            }
        };
        for (instance, pattern, before) in patterns {
            let now = matching(&pattern, &names);
            if now != before
                && let Err(error) = instance.match_again(now, &pattern).await
            {
                tracing::warn!(group = instance.group, consumer = instance.name, %error, "subscribe again");
            }
        }
    }

    /// Ends all consumers, so that others get their partitions at once.
    pub(crate) async fn end_all(&self, patience: Duration) {
        let places = std::mem::take(&mut *self.places());
        let instances = places.into_values().filter_map(|place| match place {
            Place::There(instance) => Some(instance),
            Place::Taken => None,
        });
        let leaving: Vec<CancellationToken> = instances.map(end).collect();
        let all = async {
            for gone in leaving {
                gone.cancelled().await;
            }
        };
        if tokio::time::timeout(patience, all).await.is_err() {
            tracing::warn!("some consumers have not left their groups in time");
        }
    }
}

/// Lets go of a consumer. The answer is cancelled when it has left its group.
fn end(instance: Arc<Instance>) -> CancellationToken {
    let gone = instance.gone.clone();
    instance.end.cancel();
    // Who still uses it has been told, and lets go of it, too.
    drop(instance);
    gone
}

/// A place that is freed again unless the consumer was made.
struct Reserved<'a> {
    registry: &'a Registry,
    key: &'a Key,
}

impl Drop for Reserved<'_> {
    fn drop(&mut self) {
        self.registry.places().remove(self.key);
    }
}

/// The topics that match; Kafka's own are left out, as its clients leave them out.
fn matching(pattern: &Regex, topics: &[String]) -> Vec<String> {
    const INTERNAL: [&str; 3] = ["__consumer_offsets", "__transaction_state", "__share_group_state"];
    let wanted = |topic: &&String| !INTERNAL.contains(&topic.as_str()) && pattern.is_match(topic);
    topics.iter().filter(wanted).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_whole_names_and_no_internal_topic() {
        let topics: Vec<String> =
            ["__consumer_offsets", "orders", "orders-eu", "my-orders"].map(str::to_owned).to_vec();
        let pattern = |text: &str| Regex::new(&format!("^(?:{text})$")).unwrap();
        assert_eq!(matching(&pattern("orders.*"), &topics), ["orders", "orders-eu"]);
        assert_eq!(matching(&pattern(".*"), &topics).len(), 3);
    }
}
