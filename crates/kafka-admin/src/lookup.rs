//! Looks host names up. The system's resolver blocks its thread for as long as no name server answers, so it gets threads of
//! its own, few for each client: a name that is never answered keeps nothing else waiting, neither other names of other clients
//! nor what needs the blocking threads of the runtime.
//!
//! All clients together begin few look-ups at a time. A look-up that has had its time does not count there any more, but its
//! thread, which cannot be stopped, still counts for its client: clients whose names are never answered stand still by
//! themselves, and do not take the turns of the others.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};
use tokio::time::timeout;

/// Look-ups at a time in the whole process that still have time.
const TOGETHER: usize = 32;

/// Look-ups under way at a time for one client. A resolver that works answers within milliseconds.
const OF_ONE_CLIENT: usize = 2;

/// Longest time for one look-up, the wait for a thread included.
const DEADLINE: Duration = Duration::from_secs(5);

/// Stack of a thread that looks a name up. Bytes.
const STACK: usize = 512 * 1024;

static ALL: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(TOGETHER)));

/// Blocks until a name is looked up.
type Resolve = fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// The look-ups of one client.
#[derive(Debug, Clone)]
pub(crate) struct Lookups {
    own: Arc<Semaphore>,
    all: Arc<Semaphore>,
    resolve: Resolve,
    deadline: Duration,
}

impl Default for Lookups {
    fn default() -> Self {
        let system: Resolve = |host, port| (host, port).to_socket_addrs().map(Iterator::collect);
        Self::new(&ALL, system, DEADLINE)
    }
}

impl Lookups {
    fn new(all: &Arc<Semaphore>, resolve: Resolve, deadline: Duration) -> Self {
        let own = Arc::new(Semaphore::new(OF_ONE_CLIENT));
        Self { own, all: Arc::clone(all), resolve, deadline }
    }

    /// The addresses of a host.
    pub(crate) async fn addresses(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if let Ok(address) = host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(address, port)]);
        }
        if let Ok(found) = timeout(self.deadline, self.on_a_thread(host, port)).await {
            return found;
        }
        let why = format!("no answer within {} ms", self.deadline.as_millis());
        Err(io::Error::new(io::ErrorKind::TimedOut, why))
    }

    /// The permit of the client is the thread's: it cannot be stopped, and counts until it ends by itself. That of the process
    /// is held as long as a caller waits.
    async fn on_a_thread(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        let closed = |_| io::Error::other("the look-up ended without an answer");
        let own = Arc::clone(&self.own).acquire_owned().await.map_err(|_| io::Error::other("closed"))?;
        let _turn = self.all.acquire().await.map_err(|_| io::Error::other("closed"))?;
        let (answer, answered) = oneshot::channel();
        let (host, resolve) = (host.to_owned(), self.resolve);
        std::thread::Builder::new().name("look-up".to_owned()).stack_size(STACK).spawn(move || {
            let found = resolve(&host, port);
            drop(own);
            // Nobody may be waiting any more.
            let _ = answer.send(found);
        })?;
        answered.await.map_err(closed)?
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Condvar;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    const SHORT: Duration = Duration::from_millis(200);

    static HANGING: AtomicUsize = AtomicUsize::new(0);
    static LET_GO: (Mutex<bool>, Condvar) = (Mutex::new(false), Condvar::new());

    /// Of the names that begin with `lost`, none is answered until the test lets go.
    #[allow(clippy::unnecessary_wraps, reason = "it stands for the system's resolver")]
    fn resolver(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if host.starts_with("lost") {
            HANGING.fetch_add(1, Ordering::SeqCst);
            let free = LET_GO.1.wait_while(LET_GO.0.lock().unwrap(), |free| !*free).unwrap();
            drop(free);
            HANGING.fetch_sub(1, Ordering::SeqCst);
        }
        Ok(vec![SocketAddr::new(IpAddr::from([10, 0, 0, 1]), port)])
    }

    /// Of the names that begin with `never`, none is answered before the test is long over.
    #[allow(clippy::unnecessary_wraps, reason = "it stands for the system's resolver")]
    fn slow_resolver(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        if host.starts_with("never") {
            std::thread::park_timeout(Duration::from_mins(1));
        }
        Ok(vec![SocketAddr::new(IpAddr::from([10, 0, 0, 1]), port)])
    }

    #[tokio::test]
    async fn any_number_of_clients_whose_names_are_never_answered_keeps_no_other_waiting() {
        let all = Arc::new(Semaphore::new(2 * OF_ONE_CLIENT));
        let client = || Lookups::new(&all, slow_resolver, SHORT);
        let lost: Vec<Lookups> = (0..20).map(|_| client()).collect();
        for _ in 0..5 {
            let asked = lost.iter().map(|one| one.addresses("never.example", 9091));
            assert!(join_all(asked).await.iter().all(Result::is_err));
        }
        // Until every one of them has its threads at work, they take turns; then they stand still.
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while lost.iter().any(|one| one.own.available_permits() > 0) {
            assert!(tokio::time::Instant::now() < deadline, "a client waits for its turn");
            let asked = lost.iter().map(|one| one.addresses("never.example", 9091));
            assert!(join_all(asked).await.iter().all(Result::is_err));
        }
        assert_eq!(client().addresses("found.example", 9091).await.unwrap()[0].port(), 9091);
    }

    #[tokio::test]
    async fn names_that_are_never_answered_keep_no_other_clients_names_waiting() {
        let all = Arc::new(Semaphore::new(2 * OF_ONE_CLIENT));
        let client = || Lookups::new(&all, resolver, SHORT);
        let (one, other) = (client(), client());
        let lost = join_all((0..10).map(|_| one.addresses("lost.example", 9091))).await;
        assert!(lost.iter().all(|answer| answer.as_ref().unwrap_err().kind() == io::ErrorKind::TimedOut));
        assert_eq!(HANGING.load(Ordering::SeqCst), OF_ONE_CLIENT, "threads of one client");
        for _ in 0..10 {
            assert_eq!(other.addresses("found.example", 9091).await.unwrap()[0].port(), 9091);
        }
        assert!(one.addresses("found.example", 1).await.is_err(), "its threads are taken");
        assert_eq!(one.addresses("::1", 1).await.unwrap()[0].port(), 1, "an address needs none");
        // The name server is back.
        *LET_GO.0.lock().unwrap() = true;
        LET_GO.1.notify_all();
        let found = || async { one.addresses("found.example", 1).await.ok() };
        let deadline = tokio::time::Instant::now() + Duration::from_secs(20);
        while found().await.is_none() {
            assert!(tokio::time::Instant::now() < deadline, "the threads do not come back");
        }
    }
}
