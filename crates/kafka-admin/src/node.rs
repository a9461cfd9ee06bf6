//! One task for each node: it owns the connection, writes requests and hands out the answers.
//!
//! Requests are written one after another without waiting for answers; a second task reads the answers and finds
//! the waiting call by its correlation id. No other task touches the connection, so that no lock is needed across I/O.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    AddRaftVoterRequest, ApiVersionsRequest, DescribeClusterRequest, DescribeQuorumRequest,
    RemoveRaftVoterRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
};
use kafka_protocol::protocol::{Request, VersionRange};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::AdminError;
use crate::budget::{Budget, CONNECTION, Spent};
use crate::connect::{LONGEST_DESCRIPTION, Stream, connect, io_error};
use crate::room::{AnswerRoom, Room};
use crate::shared::Shared;
use crate::wire::{Head, common_version, read_body, read_length};

/// How long the number of an answer that is too long may be on its way.
const NUMBER_DEADLINE: Duration = Duration::from_secs(1);

/// Longest time for a long answer to come once it has begun.
const LONG_ANSWER_DEADLINE: Duration = Duration::from_secs(3);

/// Bytes that are read ahead of an answer: its length, its number and short answers. An idle connection keeps the room for
/// them, and the rest of an answer is read to where it stays.
const READ_AHEAD: usize = 512;

/// Writes a request's frame once the version is known.
pub(crate) type Encode = Box<dyn FnOnce(Head<'_>) -> Result<BytesMut, String> + Send>;
type Reply = oneshot::Sender<Result<Answer, AdminError>>;

/// An answer: the version it is written in, and its bytes.
pub(crate) struct Answer {
    pub version: i16,
    pub frame: Bytes,
    /// Held until it is decoded.
    pub room: Option<Room>,
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
                    // What it takes to connect is several times what the task needs while it waits.
                    match Box::pin(Link::open(&address, &shared)).await {
                        Ok(fresh) => link = Some(fresh),
                        Err(error) => {
                            // The calls that queued up meanwhile get the same error, instead of one attempt each.
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
struct Waiting(Mutex<HashMap<i32, Awaited>>);

/// A call that waits for its answer.
struct Awaited {
    version: i16,
    /// Longest answer in bytes.
    longest: usize,
    reply: Reply,
}

impl Waiting {
    fn lock(&self) -> MutexGuard<'_, HashMap<i32, Awaited>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: &AdminError) {
        let all = std::mem::take(&mut *self.lock());
        for awaited in all.into_values() {
            let _ = awaited.reply.send(Err(error.clone()));
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
        if let Some(budget) = &shared.config.budget {
            let spent = |spent: Spent| AdminError::TooLong {
                address: address.to_owned(),
                reason: format!("it is another connection: {spent}"),
            };
            // A client that is given up must not get its turn later.
            let limit = shared.config.connect_timeout;
            let turn = timeout(limit, budget.take(CONNECTION)).await;
            let none = |_| AdminError::Connect {
                address: address.to_owned(),
                reason: format!("others left no memory for it within {} ms", limit.as_millis()),
            };
            turn.map_err(none)?.map_err(spent)?;
        }
        let identity = shared.identity();
        let ready = connect(address, shared).await?;
        let (read, writer) = tokio::io::split(ready.stream);
        let waiting = Arc::new(Waiting::default());
        let config = &shared.config;
        let answers = Answers {
            address: address.to_owned(),
            longest: config.max_answer_bytes,
            room: config.answer_room.clone(),
            budget: config.budget.clone(),
            deadline: config.request_timeout,
            waiting: Arc::clone(&waiting),
        };
        let reader = tokio::spawn(answers.read(read));
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
        let old = self.identity != shared.identity() || self.expires.is_some_and(|end| end <= Instant::now());
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
        let longest = longest_answer(call.key).min(shared.config.max_answer_bytes);
        self.waiting.lock().insert(correlation_id, Awaited { version, longest, reply: call.reply });
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

/// Longest answer to a request by its key: those that are about nodes and not about topics are short. Bytes.
fn longest_answer(key: i16) -> usize {
    const ABOUT_NODES: [i16; 7] = [
        ApiVersionsRequest::KEY,
        DescribeClusterRequest::KEY,
        DescribeQuorumRequest::KEY,
        UpdateFeaturesRequest::KEY,
        UnregisterBrokerRequest::KEY,
        AddRaftVoterRequest::KEY,
        RemoveRaftVoterRequest::KEY,
    ];
    if ABOUT_NODES.contains(&key) { LONGEST_DESCRIPTION } else { usize::MAX }
}

fn too_long() -> std::io::Error {
    std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer to another call was too long")
}

/// Reads the answers of one connection.
struct Answers {
    address: String,
    longest: usize,
    room: Option<AnswerRoom>,
    budget: Option<Budget>,
    deadline: Duration,
    waiting: Arc<Waiting>,
}

impl Answers {
    async fn read(self, read: ReadHalf<Box<dyn Stream>>) {
        let mut read = BufReader::with_capacity(READ_AHEAD, read);
        loop {
            let Err(error) = self.next(&mut read).await else { continue };
            if error.kind() == std::io::ErrorKind::FileTooLarge
                && let Ok(Ok(id)) = timeout(NUMBER_DEADLINE, read.read_i32()).await
            {
                self.refuse(id, format!("it has more than {} bytes", self.longest));
            }
            self.waiting.fail(&lost(&self.address, &error));
            return;
        }
    }

    /// Tells a call that its answer is too long, which ends the connection; the other calls may be made again.
    fn refuse(&self, id: i32, reason: String) {
        let found = self.waiting.lock().remove(&id);
        if let Some(awaited) = found {
            let address = self.address.clone();
            let _ = awaited.reply.send(Err(AdminError::TooLong { address, reason }));
        }
    }

    /// Reads one answer and hands it to its call.
    async fn next(&self, read: &mut (impl AsyncRead + Unpin)) -> std::io::Result<()> {
        let length = read_length(read, self.longest).await?;
        let id = read.read_i32().await?;
        let longest = self.waiting.lock().get(&id).map_or(self.longest, |awaited| awaited.longest);
        if length > longest {
            self.refuse(id, format!("it has more than {longest} bytes"));
            return Err(too_long());
        }
        let room = match (&self.budget, &self.room) {
            (Some(budget), _) => {
                if let Err(spent) = budget.take(length).await {
                    self.refuse(id, spent.to_string());
                    return Err(too_long());
                }
                None
            }
            (None, Some(room)) => room.take(length).await,
            (None, None) => None,
        };
        // A connection that holds room which others wait for must not be slow.
        let holds_room = room.is_some() || self.budget.as_ref().is_some_and(Budget::holds_room);
        let deadline = if holds_room { LONG_ANSWER_DEADLINE.min(self.deadline) } else { self.deadline };
        let body = timeout(deadline, read_body(read, id, length)).await;
        let frame = body.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        let found = self.waiting.lock().remove(&id);
        if let Some(awaited) = found {
            let _ = awaited.reply.send(Ok(Answer { version: awaited.version, frame, room }));
        }
        Ok(())
    }
}
