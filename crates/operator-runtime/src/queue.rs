//! A keyed work queue; the loop that empties it is the `Controller`.
//!
//! A key waits at most once, is worked on by one pass at a time, and gets another pass when it changed during a pass. New work goes in
//! front of periodic work. There is no bound: a key is small, and dropping one would be worse.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::{Debug, Display};
use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

/// First pause after a failed pass.
pub const FIRST_BACKOFF: Duration = Duration::from_millis(500);

/// Longest pause after failed passes.
pub const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// Exponential pauses with jitter.
#[derive(Debug, Clone)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    /// Pauses grow from `first` by doubling to `longest`.
    pub fn new(first: Duration, longest: Duration) -> Self {
        Self { first, longest, failures: 0 }
    }

    /// The next pause: between half of and the full step, so that many who failed together come back apart.
    pub fn pause(&mut self) -> Duration {
        let pause = backoff(self.first, self.longest, self.failures);
        self.failures = self.failures.saturating_add(1);
        pause
    }

    /// After a success.
    pub fn reset(&mut self) {
        self.failures = 0;
    }
}

fn backoff(first: Duration, longest: Duration, failures: u32) -> Duration {
    let full = first.saturating_mul(1 << failures.min(20)).min(longest);
    full / 2 + (full / 2).mul_f64(random_fraction())
}

/// From 0 to below 1. Each `RandomState` has other keys, which is random enough for jitter.
fn random_fraction() -> f64 {
    (RandomState::new().hash_one(0_u8) >> 11) as f64 / (1_u64 << 53) as f64
}

/// Who asked for a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Priority {
    /// The timer.
    Resync,
    /// A change, a failure or a reminder.
    Change,
}

struct State<K> {
    changed: VecDeque<K>,
    resync: VecDeque<K>,
    waiting: HashMap<K, Priority>,
    /// Keys in a pass, and whether they need another one afterwards.
    running: HashMap<K, Option<Priority>>,
    due: BTreeMap<(Instant, u64), K>,
    delayed: HashMap<K, (Instant, u64)>,
    failures: HashMap<K, u32>,
    sequence: u64,
    closed: bool,
}

struct Shared<K> {
    state: Mutex<State<K>>,
    wake: Notify,
    first_backoff: Duration,
    longest_backoff: Duration,
}

/// A work queue. Cheap to clone; all clones are the same queue.
pub struct Queue<K> {
    shared: Arc<Shared<K>>,
}

impl<K> Clone for Queue<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Default for Queue<K> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K: Clone + Eq + Hash + Send + 'static> Queue<K> {
    /// An empty queue with the usual back-off (0.5 s to 60 s).
    pub fn new() -> Self {
        Self::with_backoff(FIRST_BACKOFF, LONGEST_BACKOFF)
    }

    /// An empty queue with its own back-off after failures.
    pub fn with_backoff(first: Duration, longest: Duration) -> Self {
        let state = State {
            changed: VecDeque::new(),
            resync: VecDeque::new(),
            waiting: HashMap::new(),
            running: HashMap::new(),
            due: BTreeMap::new(),
            delayed: HashMap::new(),
            failures: HashMap::new(),
            sequence: 0,
            closed: false,
        };
        let shared = Shared {
            state: Mutex::new(state),
            wake: Notify::new(),
            first_backoff: first,
            longest_backoff: longest,
        };
        Self { shared: Arc::new(shared) }
    }

    fn lock(&self) -> MutexGuard<'_, State<K>> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for a pass because something changed. `false` when one is waiting already.
    pub fn add(&self, key: K) -> bool {
        self.put(key, Priority::Change)
    }

    /// Asks for a pass behind all that changed. `false` when one is waiting already.
    pub fn add_resync(&self, key: K) -> bool {
        self.put(key, Priority::Resync)
    }

    fn put(&self, key: K, priority: Priority) -> bool {
        let added = self.lock().put(key, priority);
        self.shared.wake.notify_one();
        added
    }

    /// Asks for a pass after this time. An earlier request for the key stays, a later one is replaced.
    pub fn add_after(&self, key: K, after: Duration) {
        if after.is_zero() {
            self.add(key);
            return;
        }
        self.lock().delay(key, Instant::now() + after);
        self.shared.wake.notify_one();
    }

    /// The next key; its pass must end with [`Queue::done`] or [`Queue::failed`]. `None` after [`Queue::close`].
    pub async fn next(&self) -> Option<K> {
        self.next_with_priority().await.map(|(key, _)| key)
    }

    /// As [`Queue::next`], with who asked for it.
    pub async fn next_with_priority(&self) -> Option<(K, Priority)> {
        loop {
            let notified = self.shared.wake.notified();
            let next_due = {
                let mut state = self.lock();
                if state.closed {
                    self.shared.wake.notify_one();
                    return None;
                }
                state.promote(Instant::now());
                if let Some(found) = state.pop() {
                    if !state.is_idle() {
                        self.shared.wake.notify_one();
                    }
                    return Some(found);
                }
                state.due.keys().next().map(|(at, _)| *at)
            };
            match next_due {
                None => notified.await,
                Some(at) => tokio::select! {
                    () = notified => {}
                    () = sleep_until(at) => {}
                },
            }
        }
    }

    /// Waits for a key, then `linger` for more, and takes up to `max` keys. Each must be given back. Empty after [`Queue::close`]. Dropped half-way,
    /// it puts back what it took.
    pub async fn take_batch(&self, max: usize, linger: Duration) -> Vec<K> {
        let Some(first) = self.next().await else { return Vec::new() };
        let mut batch = Taken { queue: self, keys: vec![first] };
        let until = Instant::now() + linger;
        loop {
            let notified = self.shared.wake.notified();
            {
                let mut state = self.lock();
                state.promote(Instant::now());
                while batch.keys.len() < max {
                    let Some((key, _)) = state.pop() else { break };
                    batch.keys.push(key);
                }
                if batch.keys.len() >= max || state.closed || Instant::now() >= until {
                    if !state.is_idle() || state.closed {
                        self.shared.wake.notify_one();
                    }
                    return std::mem::take(&mut batch.keys);
                }
            }
            tokio::select! {
                () = notified => {}
                () = sleep_until(until) => {}
            }
        }
    }

    /// The pass of the key ended well: its back-off is forgotten.
    pub fn done(&self, key: &K) {
        let mut state = self.lock();
        state.failures.remove(key);
        state.finish(key);
        drop(state);
        self.shared.wake.notify_one();
    }

    /// The pass of the key failed: it gets another one after the returned back-off, or at once when it changed meanwhile.
    pub fn failed(&self, key: &K) -> Duration {
        let mut state = self.lock();
        let failures = state.failures.entry(key.clone()).or_insert(0);
        let pause = backoff(self.shared.first_backoff, self.shared.longest_backoff, *failures);
        *failures = failures.saturating_add(1);
        state.delay(key.clone(), Instant::now() + pause);
        state.finish(key);
        drop(state);
        self.shared.wake.notify_one();
        pause
    }

    /// Forgets a key that no longer exists: its back-off and its reminder. A pass that waits already still runs.
    pub fn forget(&self, key: &K) {
        let mut state = self.lock();
        state.failures.remove(key);
        state.undelay(key);
    }

    /// Keys that wait (not those in a pass, not delayed ones).
    pub fn len(&self) -> usize {
        self.lock().waiting.len()
    }

    /// Whether no key waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Keys in a pass.
    pub fn running(&self) -> usize {
        self.lock().running.len()
    }

    /// Ends all waiting in [`Queue::next`].
    pub fn close(&self) {
        self.lock().closed = true;
        self.shared.wake.notify_one();
    }

    /// Asks for a pass of all keys in every `interval`, evenly spread over `spread` (0: all at once, for batches). The first round starts
    /// after one interval: the first list of a watch brings the first pass. `on_key` is for counting. Ends with `shutdown`.
    pub async fn resync_every(
        &self,
        interval: Duration,
        spread: Duration,
        shutdown: CancellationToken,
        keys: impl Fn() -> Vec<K> + Send,
        on_key: impl Fn(&K) + Send,
    ) {
        let spread = spread.min(interval);
        let round = async {
            let mut start = Instant::now();
            loop {
                // A machine that slept does not catch up.
                start = (start + interval).max(Instant::now());
                sleep_until(start).await;
                let keys = keys();
                let count = u32::try_from(keys.len()).unwrap_or(u32::MAX).max(1);
                for (index, key) in keys.into_iter().enumerate() {
                    let offset = spread.mul_f64(index as f64 / f64::from(count));
                    // Steps below 20 ms would only wake the process.
                    if offset > start.elapsed() + Duration::from_millis(20) {
                        sleep_until(start + offset).await;
                    }
                    on_key(&key);
                    self.add_resync(key);
                }
            }
        };
        shutdown.run_until_cancelled(round).await;
    }
}

/// Keys of a batch that is not complete yet; they go back into the queue when the caller that waits for the batch gives up.
struct Taken<'a, K: Clone + Eq + Hash + Send + 'static> {
    queue: &'a Queue<K>,
    keys: Vec<K>,
}

impl<K: Clone + Eq + Hash + Send + 'static> Drop for Taken<'_, K> {
    fn drop(&mut self) {
        if self.keys.is_empty() {
            return;
        }
        let mut state = self.queue.lock();
        for key in self.keys.drain(..) {
            state.running.remove(&key);
            state.put(key, Priority::Change);
        }
        drop(state);
        self.queue.shared.wake.notify_one();
    }
}

impl<K: Clone + Eq + Hash> State<K> {
    fn put(&mut self, key: K, priority: Priority) -> bool {
        if let Some(again) = self.running.get_mut(&key) {
            let news = again.is_none();
            *again = (*again).max(Some(priority));
            return news;
        }
        self.undelay(&key);
        match self.waiting.get(&key).copied() {
            Some(waiting) if waiting >= priority => false,
            Some(_) => {
                // It waits among the periodic ones: the place there is skipped when its turn comes.
                self.waiting.insert(key.clone(), priority);
                self.changed.push_back(key);
                false
            }
            None => {
                self.waiting.insert(key.clone(), priority);
                match priority {
                    Priority::Change => self.changed.push_back(key),
                    Priority::Resync => self.resync.push_back(key),
                }
                true
            }
        }
    }

    fn pop(&mut self) -> Option<(K, Priority)> {
        while let Some(key) = self.changed.pop_front() {
            if let Some(priority) = self.waiting.remove(&key) {
                self.running.insert(key.clone(), None);
                return Some((key, priority));
            }
        }
        while let Some(key) = self.resync.pop_front() {
            if self.waiting.get(&key) == Some(&Priority::Resync) {
                self.waiting.remove(&key);
                self.running.insert(key.clone(), None);
                return Some((key, Priority::Resync));
            }
        }
        None
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty()
    }

    fn finish(&mut self, key: &K) {
        if let Some(Some(priority)) = self.running.remove(key) {
            self.put(key.clone(), priority);
        }
    }

    fn delay(&mut self, key: K, at: Instant) {
        if self.waiting.contains_key(&key) {
            return;
        }
        if self.delayed.get(&key).is_some_and(|(earlier, _)| *earlier <= at) {
            return;
        }
        self.undelay(&key);
        self.sequence += 1;
        let slot = (at, self.sequence);
        self.delayed.insert(key.clone(), slot);
        self.due.insert(slot, key);
    }

    fn undelay(&mut self, key: &K) {
        if let Some(slot) = self.delayed.remove(key) {
            self.due.remove(&slot);
        }
    }

    fn promote(&mut self, now: Instant) {
        while let Some(first) = self.due.first_entry() {
            if first.key().0 > now {
                return;
            }
            let key = first.remove();
            self.delayed.remove(&key);
            self.put(key, Priority::Change);
        }
    }
}

impl<K: Debug> Debug for Queue<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("Queue")
            .field("waiting", &state.waiting.len())
            .field("running", &state.running)
            .field("delayed", &state.delayed.len())
            .finish_non_exhaustive()
    }
}

/// A key in a log line.
pub trait Key: Clone + Eq + Hash + Display + Send + Sync + 'static {}
impl<T: Clone + Eq + Hash + Display + Send + Sync + 'static> Key for T {}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
