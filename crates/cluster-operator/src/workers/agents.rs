//! Asks the agents of workers which jars they did not find. They have no certificate: what they say is a warning in a status, and nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use api::agent::container::BROKER_STATE;
use api::agent::{AgentReport, PlugIn};
use futures::{StreamExt as _, stream};
use planner::workers::observed::Missing;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longest time for the answer of one agent.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer in bytes; an agent says far less.
const LONGEST: u64 = 16 * 1024;
/// Agents that are asked at a time.
const AT_ONCE: usize = 8;
/// Jars that one agent is believed to miss: it looks for no more.
const MOST: usize = 8;

/// What these agents did not find, by pod. Those that do not answer have nothing to tell: an agent of an older pod does not listen.
pub(crate) async fn missing(agents: BTreeMap<String, IpAddr>) -> Missing {
    let ask_one = |(pod, address): (String, IpAddr)| async move {
        let answer = tokio::time::timeout(DEADLINE, ask(address)).await.ok().flatten();
        answer.filter(|missing| !missing.is_empty()).map(|missing| (pod, missing))
    };
    let answers = stream::iter(agents).map(ask_one).buffer_unordered(AT_ONCE);
    answers.filter_map(std::future::ready).collect().await
}

async fn ask(address: IpAddr) -> Option<BTreeSet<PlugIn>> {
    let at = SocketAddr::new(address, api::ports::KAFKA_AGENT as u16);
    let mut stream = TcpStream::connect(at).await.ok()?;
    let request = format!("GET {BROKER_STATE} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.take(LONGEST).read_to_end(&mut answer).await.ok()?;
    read(&answer)
}

fn read(answer: &[u8]) -> Option<BTreeSet<PlugIn>> {
    let text = std::str::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    if !head.starts_with("HTTP/1.1 200 ") {
        return None;
    }
    let report: AgentReport = serde_json::from_str(body.trim()).ok()?;
    let known = |one: &PlugIn| !matches!(one, PlugIn::RemoteStorageManager { .. });
    Some(report.missing_plug_ins.into_iter().filter(known).take(MOST).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_for_what_it_is() {
        let good = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"brokerState\":3,\"missingPlugIns\":[{\"type\":\"tracing\"}]}";
        assert_eq!(read(good), Some(BTreeSet::from([PlugIn::Tracing])));
        assert_eq!(read(b"HTTP/1.1 200 OK\r\n\r\n{}"), Some(BTreeSet::new()));
        for other in [&b"HTTP/1.1 404 Not Found\r\n\r\n{}"[..], b"{}", b"", b"HTTP/1.1 200 OK\r\n\r\n<html>"]
        {
            assert_eq!(read(other), None);
        }
        let class = "x".repeat(5000);
        let foreign = format!(
            "HTTP/1.1 200 OK\r\n\r\n{{\"missingPlugIns\":[{{\"type\":\"remoteStorageManager\",\"class\":\"{class}\"}}]}}"
        );
        assert_eq!(read(foreign.as_bytes()), Some(BTreeSet::new()), "words of others come into no status");
    }
}
