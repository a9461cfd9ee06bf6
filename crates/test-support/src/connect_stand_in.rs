//! A stand-in for the REST API of Kafka Connect: connectors in memory, whose names say how they behave.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Connectors whose name begins so are never made: the worker does not answer.
pub const HANGS: &str = "hangs-";
/// Connectors whose name begins so are made, and no worker starts them: the list of connectors has them not.
pub const UNSTARTED: &str = "unstarted-";
/// Connectors whose name begins so are refused.
pub const REFUSED: &str = "refused-";

#[derive(Debug, Default)]
struct State {
    connectors: BTreeMap<String, Connector>,
    requests: Vec<String>,
    /// Requests that are answered with a rebalance.
    rebalances: usize,
    away: bool,
    refuses_removals: bool,
    /// What is said of the offsets of every connector, in place of something short.
    offsets: Option<Value>,
}

impl State {
    fn offsets(&self) -> Value {
        let short = || json!({"offsets": [{"partition": {"f": "x"}, "offset": {"position": 5}}]});
        self.offsets.clone().unwrap_or_else(short)
    }
}

#[derive(Debug, Clone)]
struct Connector {
    config: Value,
    state: &'static str,
    failed_tasks: bool,
}

/// The stand-in. It ends when it is dropped.
#[derive(Debug)]
pub struct ConnectStandIn {
    address: String,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

impl Drop for ConnectStandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl ConnectStandIn {
    /// Listens on a free port.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_at("127.0.0.1:0").await
    }

    /// Listens on an address of this machine.
    pub async fn start_at(address: &str) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(address).await.context("bind a port for connect")?;
        let address = listener.local_addr().context("ask for the port of connect")?.to_string();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(converse(stream, Arc::clone(&shared)));
            }
        });
        Ok(Self { address, state, task })
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Names of the connectors that there are.
    pub fn names(&self) -> Vec<String> {
        lock(&self.state).connectors.keys().cloned().collect()
    }

    /// The options of a connector.
    pub fn config(&self, name: &str) -> Option<Value> {
        lock(&self.state).connectors.get(name).map(|connector| connector.config.clone())
    }

    /// Puts a connector there that nobody asked for.
    pub fn put(&self, name: &str) {
        let config = json!({"name": name, "connector.class": "A"});
        let connector = Connector { config, state: "RUNNING", failed_tasks: false };
        lock(&self.state).connectors.insert(name.to_owned(), connector);
    }

    /// Has the tasks of a connector fail.
    pub fn fail(&self, name: &str) {
        if let Some(connector) = lock(&self.state).connectors.get_mut(name) {
            connector.failed_tasks = true;
        }
    }

    /// Answers so many changes with a rebalance.
    pub fn rebalance(&self, times: usize) {
        lock(&self.state).rebalances = times;
    }

    /// Closes every connection without an answer, or ends that.
    pub fn set_away(&self, away: bool) {
        lock(&self.state).away = away;
    }

    /// Refuses to remove connectors, or ends that.
    pub fn refuse_removals(&self, refuses: bool) {
        lock(&self.state).refuses_removals = refuses;
    }

    /// Says this of the offsets of every connector.
    pub fn say_offsets(&self, offsets: Value) {
        lock(&self.state).offsets = Some(offsets);
    }

    /// The requests since the last call: method and path.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut lock(&self.state).requests)
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn converse(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut read = Vec::new();
    while let Some((method, path, body)) = request(&mut stream, &mut read).await {
        if lock(&state).away {
            return;
        }
        let (status, answer) = answer(&state, &method, &path, &body);
        if status == 0 {
            // As long as anybody waits.
            tokio::time::sleep(Duration::from_mins(10)).await;
            return;
        }
        let text = if answer.is_null() { String::new() } else { answer.to_string() };
        let head = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            text.len()
        );
        if stream.write_all(format!("{head}{text}").as_bytes()).await.is_err() {
            return;
        }
    }
}

/// The next request: method, path and body.
async fn request(stream: &mut TcpStream, read: &mut Vec<u8>) -> Option<(String, String, Value)> {
    loop {
        let text = String::from_utf8_lossy(read).into_owned();
        if let Some((head, rest)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            let length = length.unwrap_or_default();
            if rest.len() >= length {
                let mut words = head.split_whitespace();
                let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
                let body = serde_json::from_str(&rest[..length]).unwrap_or_default();
                read.drain(..head.len() + 4 + length);
                return Some((method, path, body));
            }
        }
        let mut buffer = vec![0; 16 * 1024];
        let count = stream.read(&mut buffer).await.ok().filter(|count| *count > 0)?;
        read.extend_from_slice(&buffer[..count]);
    }
}

/// The answer; the status 0 stands for none.
fn answer(state: &Mutex<State>, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let mut state = lock(state);
    state.requests.push(format!("{method} {path}"));
    let said = |status: u16, message: &str| (status, json!({"error_code": status, "message": message}));
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let is_expanded = query.contains("expand=info");
    let parts: Vec<String> = path.trim_matches('/').split('/').map(decoded).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    if method != "GET" && state.rebalances > 0 {
        state.rebalances -= 1;
        return said(
            409,
            "Cannot complete request momentarily due to stale configuration (typically caused by a concurrent config change)",
        );
    }
    match (method, parts.as_slice()) {
        ("GET", ["connectors"]) if !is_expanded => {
            (200, state.connectors.keys().cloned().collect::<Vec<_>>().into())
        }
        ("GET", ["connectors"]) => {
            let started = state
                .connectors
                .iter()
                .filter(|(name, connector)| !name.starts_with(UNSTARTED) || connector.state == "STOPPED");
            let all = started.map(|(name, connector)| (name.clone(), shown(name, connector)));
            (200, all.collect::<serde_json::Map<_, _>>().into())
        }
        ("GET", ["connector-plugins"]) => (200, json!([{"class": "A", "type": "source", "version": "1"}])),
        ("POST", ["connectors"]) => {
            let name = body["name"].as_str().unwrap_or_default().to_owned();
            if name.starts_with(HANGS) {
                return (0, Value::Null);
            }
            if name.starts_with(REFUSED) {
                return said(
                    400,
                    "Connector configuration is invalid and contains the following 1 error(s):\nno",
                );
            }
            if state.connectors.contains_key(&name) {
                return said(409, &format!("Connector {name} already exists"));
            }
            let first = match body["initial_state"].as_str() {
                Some("PAUSED") => "PAUSED",
                Some("STOPPED") => "STOPPED",
                _ => "RUNNING",
            };
            let connector = Connector { config: body["config"].clone(), state: first, failed_tasks: false };
            state.connectors.insert(name, connector);
            (201, json!({}))
        }
        (_, ["connectors", name, rest @ ..]) => {
            let name = (*name).to_owned();
            if !state.connectors.contains_key(&name) {
                return said(404, &format!("Connector {name} not found"));
            }
            if (method, rest) == ("DELETE", &[]) {
                if state.refuses_removals {
                    return said(500, "Request timed out");
                }
                state.connectors.remove(&name);
                return (204, Value::Null);
            }
            let Some(connector) = state.connectors.get_mut(&name) else { return (500, Value::Null) };
            match (method, rest) {
                ("PUT", ["config"]) => connector.config = body.clone(),
                ("PUT", ["pause"]) => connector.state = "PAUSED",
                ("PUT", ["resume"]) => connector.state = "RUNNING",
                ("PUT", ["stop"]) => connector.state = "STOPPED",
                ("POST", ["restart"]) => connector.failed_tasks = false,
                ("GET", []) => return (200, shown(&name, connector)["info"].clone()),
                ("GET", ["topics"]) => return (200, json!({name: {"topics": ["b", "a"]}})),
                ("GET", ["offsets"]) => {
                    return (200, state.offsets());
                }
                _ => {}
            }
            (200, json!({}))
        }
        _ => said(404, "there is no such path"),
    }
}

/// A part of a path without its escapes.
fn decoded(part: &str) -> String {
    let mut pieces = part.split('%');
    let mut text = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if byte.is_ascii() => {
                text.push(char::from(byte));
                text.push_str(&piece[2..]);
            }
            _ => text.extend(['%'].into_iter().chain(piece.chars())),
        }
    }
    text
}

fn shown(name: &str, connector: &Connector) -> Value {
    let task = if connector.failed_tasks { "FAILED" } else { connector.state };
    let tasks = match connector.state {
        "STOPPED" => json!([]),
        _ => {
            json!([{"id": 0, "state": task, "worker_id": "w:8083", "trace": connector.failed_tasks.then_some("java.lang.X: boom")}])
        }
    };
    json!({
        "info": {"name": name, "config": connector.config, "tasks": [], "type": "source"},
        "status": {"name": name, "connector": {"state": connector.state, "worker_id": "w:8083"}, "tasks": tasks,
            "type": "source"},
    })
}
