//! One task for each node: it owns the connection, writes requests and hands out the answers.
//!
//! Requests are written one after another without waiting for answers; a second task reads the answers and finds
//! the waiting call by its correlation id. Nobody else touches the connection, so that no lock is needed across I/O.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::VersionRange;
use rustls::ClientConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::config::{AdminConfig, Security, TlsConfig};
use crate::connect::{Stream, connect, io_error};
use crate::wire::{Head, common_version, correlation_id, read_frame};
use crate::{AdminError, tls};

/// How long the number of an answer that is too long may be on its way.
const NUMBER_DEADLINE: Duration = Duration::from_secs(1);

/// What all connections of a client have in common.
pub(crate) struct Shared {
    pub config: AdminConfig,
    tls: RwLock<Option<Arc<ClientConfig>>>,
    /// Counts the changes of `tls`: an older connection is replaced when nothing is under way on it.
    identity: AtomicU64,
    requests: AtomicU64,
}

impl Shared {
    pub(crate) fn new(config: AdminConfig) -> Result<Self, AdminError> {
        let tls = match &config.security {
            Security::Plaintext => None,
            Security::Tls(settings) => Some(tls::client_config(settings)?),
        };
        Ok(Self { config, tls: RwLock::new(tls), identity: AtomicU64::new(0), requests: AtomicU64::new(0) })
    }

    pub(crate) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn update_tls(&self, settings: &TlsConfig) -> Result<(), AdminError> {
        let fresh = tls::client_config(settings)?;
        *self.tls.write().unwrap_or_else(PoisonError::into_inner) = Some(fresh);
        self.identity.fetch_add(1, Ordering::Release);
        Ok(())
    }

    pub(crate) fn count_request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }
}

/// Writes a request's frame once the version is known.
pub(crate) type Encode = Box<dyn FnOnce(Head<'_>) -> Result<BytesMut, String> + Send>;
type Reply = oneshot::Sender<Result<Answer, AdminError>>;

/// An answer: the version it is written in, and its bytes.
pub(crate) struct Answer {
    pub version: i16,
    pub frame: Bytes,
}

/// What a node's task is asked to do.
pub(crate) enum Command {
    /// Send a request.
    Call { name: &'static str, key: i16, versions: VersionRange, encode: Encode, reply: Reply },
    /// Give up the connection if it is older than this: a call on it was not answered in time.
    Reset { older_than: Instant },
}

/// Starts a node's task; it ends when the last sender is gone.
pub(crate) fn spawn(address: String, shared: Arc<Shared>) -> mpsc::Sender<Command> {
    let (sender, commands) = mpsc::channel(64);
    tokio::spawn(serve(address, shared, commands));
    sender
}

async fn serve(address: String, shared: Arc<Shared>, mut commands: mpsc::Receiver<Command>) {
    let mut link: Option<Link> = None;
    loop {
        let command = match &mut link {
            None => commands.recv().await.map(Some),
            Some(open) => tokio::select! {
                command = commands.recv() => command.map(Some),
                _ = &mut open.reader => Some(None),
            },
        };
        match command {
            None => return,
            Some(None) => link = None,
            Some(Some(Command::Reset { older_than })) => {
                if link.as_ref().is_some_and(|open| open.since <= older_than) {
                    tracing::debug!(%address, "gave up a kafka connection that does not answer");
                    link = None;
                }
            }
            Some(Some(Command::Call { name, key, versions, encode, reply })) => {
                if reply.is_closed() {
                    continue;
                }
                if link.as_ref().is_some_and(|open| open.is_stale(&shared)) {
                    link = None;
                }
                if link.is_none() {
                    match Link::open(&address, &shared).await {
                        Ok(fresh) => link = Some(fresh),
                        Err(error) => {
                            // Everybody who queued up meanwhile learns it too, instead of one attempt each.
                            let _ = reply.send(Err(error.clone()));
                            refuse_queued(&mut commands, &error);
                            continue;
                        }
                    }
                }
                let Some(open) = &mut link else { continue };
                let request = Call { name, key, versions, encode, reply };
                if !open.send(request, &shared).await {
                    link = None;
                }
            }
        }
    }
}

fn refuse_queued(commands: &mut mpsc::Receiver<Command>, error: &AdminError) {
    while let Ok(command) = commands.try_recv() {
        if let Command::Call { reply, .. } = command {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

struct Call {
    name: &'static str,
    key: i16,
    versions: VersionRange,
    encode: Encode,
    reply: Reply,
}

/// Calls that wait for their answers on one connection.
#[derive(Default)]
struct Waiting(Mutex<HashMap<i32, (i16, Reply)>>);

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, (i16, Reply)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: &AdminError) {
        let all = std::mem::take(&mut *self.lock());
        for (_, reply) in all.into_values() {
            let _ = reply.send(Err(error.clone()));
        }
    }
}

/// An open connection.
struct Link {
    address: String,
    writer: WriteHalf<Box<dyn Stream>>,
    reader: JoinHandle<()>,
    waiting: Arc<Waiting>,
    versions: HashMap<i16, (i16, i16)>,
    next_id: i32,
    since: Instant,
    expires: Option<Instant>,
    identity: u64,
}

impl Link {
    async fn open(address: &str, shared: &Shared) -> Result<Self, AdminError> {
        let identity = shared.identity.load(Ordering::Acquire);
        let ready = connect(address, shared).await?;
        let (read, writer) = tokio::io::split(ready.stream);
        let waiting = Arc::new(Waiting::default());
        let reader = tokio::spawn(read_answers(
            address.to_owned(),
            read,
            shared.config.max_answer_bytes,
            Arc::clone(&waiting),
        ));
        tracing::debug!(%address, "connected to kafka");
        Ok(Self {
            address: address.to_owned(),
            writer,
            reader,
            waiting,
            versions: ready.versions,
            next_id: 0,
            since: Instant::now(),
            expires: ready.expires,
            identity,
        })
    }

    /// Whether the login has ended or the identity was replaced, and nothing would be lost by connecting anew.
    fn is_stale(&self, shared: &Shared) -> bool {
        let old = self.identity != shared.identity.load(Ordering::Acquire)
            || self.expires.is_some_and(|end| end <= Instant::now());
        old && self.waiting.lock().is_empty()
    }

    /// Writes a request. Returns whether the connection is still good.
    async fn send(&mut self, call: Call, shared: &Shared) -> bool {
        let theirs = self.versions.get(&call.key).copied();
        let Some(version) = theirs.and_then(|theirs| common_version(call.versions, theirs)) else {
            let error = AdminError::Unsupported { address: self.address.clone(), call: call.name };
            let _ = call.reply.send(Err(error));
            return true;
        };
        self.next_id = self.next_id.wrapping_add(1) & i32::MAX;
        let correlation_id = self.next_id;
        let head = Head { version, correlation_id, client_id: &shared.config.client_id };
        let frame = match (call.encode)(head) {
            Ok(frame) => frame,
            Err(reason) => {
                let error = AdminError::Protocol { address: self.address.clone(), reason };
                let _ = call.reply.send(Err(error));
                return true;
            }
        };
        self.waiting.lock().insert(correlation_id, (version, call.reply));
        shared.count_request();
        let writing = async {
            self.writer.write_all(&frame).await?;
            self.writer.flush().await
        };
        let result = timeout(shared.config.request_timeout, writing).await;
        match result {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                self.waiting.fail(&lost(&self.address, &error));
                false
            }
            Err(_) => false,
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
        let reason = "it was closed before the answer came".to_owned();
        self.waiting.fail(&AdminError::Disconnected { address: self.address.clone(), reason });
    }
}

fn lost(address: &str, error: &std::io::Error) -> AdminError {
    match io_error(address, error, "the server closed it") {
        AdminError::Connect { address, reason } => AdminError::Disconnected { address, reason },
        other => other,
    }
}

/// An answer is longer than what is read, which ends the connection. The call that it is for, whose number stands first, is
/// told so; the others may be made again.
async fn too_long(
    address: &str,
    read: &mut BufReader<ReadHalf<Box<dyn Stream>>>,
    limit: usize,
    waiting: &Waiting,
) {
    if let Ok(Ok(number)) = timeout(NUMBER_DEADLINE, read.read_i32()).await {
        let found = waiting.lock().remove(&number);
        if let Some((_, reply)) = found {
            let reason = format!("it has more than {limit} bytes");
            let _ = reply.send(Err(AdminError::TooLong { address: address.to_owned(), reason }));
        }
    }
    let reason = "the answer to another call was too long".to_owned();
    waiting.fail(&AdminError::Disconnected { address: address.to_owned(), reason });
}

async fn read_answers(address: String, read: ReadHalf<Box<dyn Stream>>, limit: usize, waiting: Arc<Waiting>) {
    let mut read = BufReader::with_capacity(16 * 1024, read);
    loop {
        match read_frame(&mut read, limit).await {
            Ok(frame) => {
                let found = waiting.lock().remove(&correlation_id(&frame));
                if let Some((version, reply)) = found {
                    let _ = reply.send(Ok(Answer { version, frame }));
                }
            }
            Err(error) if error.kind() == std::io::ErrorKind::FileTooLarge => {
                too_long(&address, &mut read, limit, &waiting).await;
                return;
            }
            Err(error) => {
                waiting.fail(&lost(&address, &error));
                return;
            }
        }
    }
}
