//! Asks the agents of Kafka's pods which jars they did not find and which certificates are in use, with the operator's own certificate.
//! No policy.
//!
//! What an agent said of jars is remembered until its container starts again: it looks once. Which certificates are in use is asked anew
//! each time.

use std::collections::{BTreeMap, HashMap};
use std::mem::discriminant;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::agent::container::BROKER_STATE;
use api::agent::{AgentReport, CertificatesInUse, PlugIn};
use futures::{Stream, StreamExt as _, stream};
use kafka_admin::AdminError;
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use planner::kafka::observed::Observed;
use planner::silence::{Silence, SilenceKind};
use rustls_pki_types::ServerName;
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::admin_clients::{self, Speech};
use super::late_answers::{Asking, Patience};

use crate::lock::lock;

/// Longest time for the answer of one agent.
const DEADLINE: Duration = Duration::from_secs(5);
/// The longest answer in bytes; an agent says far less.
const LONGEST: u64 = 64 * 1024;
/// The longest reason in characters that is passed on.
const LONGEST_REASON: usize = 300;
/// Agents that are asked at a time.
const AT_ONCE: usize = 8;
/// Status line of a good answer.
const GOOD: &str = "HTTP/1.1 200 ";

/// Why it is not known which jars an agent did not find.
#[derive(Debug, Error)]
enum Error {
    /// The operator has no certificate, or a certificate that cannot be used.
    #[error("cannot ask the agent of pod {pod}: {source}")]
    Certificate {
        /// The pod.
        pod: String,
        /// Why.
        source: AdminError,
    },
    /// The connection failed.
    #[error("cannot ask the agent of pod {pod}: {source}")]
    Connection {
        /// The pod.
        pod: String,
        /// Why.
        source: std::io::Error,
    },
    /// It takes too long.
    #[error("the agent of pod {pod} has not answered within {} s", DEADLINE.as_secs())]
    Late {
        /// The pod.
        pod: String,
    },
    /// The answer is none.
    #[error("the agent of pod {pod} answers with something else than its state")]
    Answer {
        /// The pod.
        pod: String,
    },
}

impl From<Error> for Silence {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Certificate { .. } => SilenceKind::Tls,
            Error::Connection { .. } => SilenceKind::Unreachable,
            Error::Late { .. } => SilenceKind::Late,
            Error::Answer { .. } => SilenceKind::Refused,
        };
        Self::new(kind, error.to_string())
    }
}

/// What agents said, by the name of the pod: of which start of its container, and what.
type Known = HashMap<String, (String, AgentReport)>;

/// The agents of all clusters.
pub(super) struct Agents {
    known: Arc<Mutex<HashMap<ObjectRef, Known>>>,
    asking: Asking<BTreeMap<String, String>, ()>,
    in_use: Asking<BTreeMap<String, String>, InUse>,
}

/// Which certificates pods use, by their names.
type InUse = BTreeMap<String, Option<CertificatesInUse>>;

impl Agents {
    /// `queue` gets the clusters whose agents answer late.
    pub(super) fn new(queue: &Queue<ObjectRef>) -> Self {
        Self { known: Arc::default(), asking: Asking::new(queue.clone()), in_use: Asking::new(queue.clone()) }
    }

    /// What the agents of these pods say, as far as they answer. `pods`: a mark of the present start of each.
    pub(super) async fn reports(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        pods: &BTreeMap<String, String>,
        patience: &Patience,
    ) -> Result<BTreeMap<String, AgentReport>, Silence> {
        let mut silence = None;
        let unknown = {
            let mut all = lock(&self.known);
            let known = all.entry(key.clone()).or_default();
            known.retain(|pod, (start, _)| {
                observed.pods.contains_key(pod) && pods.get(pod).is_none_or(|now| now == start)
            });
            pods.iter()
                .filter(|(pod, _)| !known.contains_key(*pod))
                .map(|(pod, start)| (pod.clone(), start.clone()))
                .collect::<BTreeMap<_, _>>()
        };
        if !unknown.is_empty() {
            let (asked, of, known) = (unknown.clone(), key.clone(), Arc::clone(&self.known));
            let speech = admin_clients::speech(observed);
            let at = addresses(&unknown, observed);
            let question = async move {
                let Some(speech) = speech else {
                    return Err(Silence::new(
                        SilenceKind::Tls,
                        "the operator has no certificate for the cluster yet",
                    ));
                };
                ask_all(&of, &speech, asked, &at, &known).await.map_err(Silence::from)
            };
            silence = self.asking.answer(key, unknown, patience, question).await.err();
        }
        let all = lock(&self.known);
        let known = all.get(key).into_iter().flatten().filter(|(pod, _)| pods.contains_key(*pod));
        let reports: BTreeMap<_, _> = known.map(|(pod, (_, report))| (pod.clone(), report.clone())).collect();
        match silence {
            Some(silence) if reports.is_empty() => Err(silence),
            _ => Ok(reports),
        }
    }

    /// Which certificates these pods use, as far as their agents answer. `pods`: the UID of each.
    pub(super) async fn certificates_in_use(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        pods: &BTreeMap<String, String>,
        patience: &Patience,
    ) -> Result<InUse, Silence> {
        let speech = admin_clients::speech(observed);
        let (of, asked, at) = (key.clone(), pods.clone(), addresses(pods, observed));
        let question = async move {
            let Some(speech) = speech else {
                return Err(Silence::new(
                    SilenceKind::Tls,
                    "the operator has no certificate for the cluster yet",
                ));
            };
            let mut answers = pin!(ask_each(&of, &speech, asked, &at));
            let (mut found, mut failure) = (InUse::new(), None);
            while let Some((pod, _, answer)) = answers.next().await {
                match answer {
                    Ok(report) => drop(found.insert(pod, report.certificates)),
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
            match failure {
                Some(error) if found.is_empty() => Err(Silence::from(error)),
                _ => Ok(found),
            }
        };
        self.in_use.answer(key, pods.clone(), patience, question).await
    }

    /// Ends the questions to a cluster that is gone.
    pub(super) fn forget(&self, key: &ObjectRef) {
        self.asking.forget(key);
        self.in_use.forget(key);
        lock(&self.known).remove(key);
    }
}

/// Asks all of them and notes what they say. The first that does not answer is the error.
async fn ask_all(
    key: &ObjectRef,
    speech: &Speech,
    pods: BTreeMap<String, String>,
    at: &BTreeMap<String, IpAddr>,
    known: &Mutex<HashMap<ObjectRef, Known>>,
) -> Result<(), Error> {
    let mut answers = pin!(ask_each(key, speech, pods, at));
    let mut failure = None;
    while let Some((pod, start, answer)) = answers.next().await {
        match answer {
            Ok(report) => {
                // A cluster that is gone is not remembered.
                if let Some(known) = lock(known).get_mut(key) {
                    // Which certificates are in use changes, and is never taken from here.
                    known.insert(pod, (start, AgentReport { certificates: None, ..report }));
                }
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(()), Err)
}

/// Asks all of them, a few at a time: the name of each, its mark, and its answer.
fn ask_each<'a>(
    key: &'a ObjectRef,
    speech: &'a Speech,
    pods: BTreeMap<String, String>,
    at: &'a BTreeMap<String, IpAddr>,
) -> impl Stream<Item = (String, String, Result<AgentReport, Error>)> + 'a {
    stream::iter(pods)
        .map(move |(pod, mark)| async move {
            let host = api::names::pod_dns(&key.name, &pod, &key.namespace);
            let asked = tokio::time::timeout(DEADLINE, ask(&pod, host, at.get(&pod), speech)).await;
            let answer = asked.unwrap_or_else(|_| Err(Error::Late { pod: pod.clone() }));
            (pod, mark, answer)
        })
        .buffer_unordered(AT_ONCE)
}

/// Where those of these pods are that the cluster's own pod sets control.
fn addresses(pods: &BTreeMap<String, String>, observed: &Observed) -> BTreeMap<String, IpAddr> {
    let of = |pod: &String| admin_clients::own_address(observed.pods.get(pod)?, observed);
    pods.keys().filter_map(|pod| Some((pod.clone(), of(pod)?))).collect()
}

/// Asks the agent of a pod: at its address `at` where no certificate proves who answers, since its name may lead anywhere.
async fn ask(pod: &str, host: String, at: Option<&IpAddr>, speech: &Speech) -> Result<AgentReport, Error> {
    let failed = |source| Error::Connection { pod: pod.to_owned(), source };
    let port = u16::try_from(api::ports::KAFKA_AGENT).unwrap_or_default();
    let Speech::Tls(tls) = speech else {
        let own = at.ok_or_else(|| std::io::Error::other("no pod of the cluster's own has an address"));
        let stream = TcpStream::connect((*own.map_err(failed)?, port)).await;
        return converse(pod, stream.map_err(failed)?).await;
    };
    let connect = TcpStream::connect((host.as_str(), port));
    let config = kafka_admin::client_config(tls)
        .map_err(|source| Error::Certificate { pod: pod.to_owned(), source })?;
    let stream = connect.await.map_err(failed)?;
    let name = ServerName::try_from(host).map_err(|error| failed(std::io::Error::other(error)))?;
    converse(pod, TlsConnector::from(config).connect(name, stream).await.map_err(failed)?).await
}

/// Asks the agent of a pod over a connection.
async fn converse(pod: &str, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<AgentReport, Error> {
    let failed = |source| Error::Connection { pod: pod.to_owned(), source };
    // The connection is of use once.
    let request = format!("GET {BROKER_STATE} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    // An agent may close the connection without a farewell: what counts is that the answer is whole.
    let ended = stream.take(LONGEST).read_to_end(&mut answer).await;
    match (report(&answer), ended) {
        (Some(report), _) => Ok(report),
        (None, Err(error)) => Err(failed(error)),
        (None, Ok(_)) => Err(Error::Answer { pod: pod.to_owned() }),
    }
}

/// The report in an answer, with each kind of plug-in once: whoever answers for an agent fills no memory. A class of tiered storage is
/// none of them, because Kafka does not start without it.
fn report(answer: &[u8]) -> Option<AgentReport> {
    let text = std::str::from_utf8(answer).ok().filter(|text| text.starts_with(GOOD))?;
    let read: AgentReport = serde_json::from_str(text.split_once("\r\n\r\n")?.1).ok()?;
    let mut kept: Vec<PlugIn> = Vec::new();
    for plug_in in read.missing_plug_ins {
        let is_known = kept.iter().any(|known| discriminant(known) == discriminant(&plug_in));
        if !is_known && !matches!(plug_in, PlugIn::RemoteStorageManager { .. }) {
            kept.push(plug_in);
        }
    }
    let certificates = read.certificates.map(|mut all| {
        all.error = all.error.map(|error| error.chars().take(LONGEST_REASON).collect());
        all
    });
    Some(AgentReport { missing_plug_ins: kept, certificates })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_and_what_is_none_is_not() {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"brokerState\":3,\"missingPlugIns\":[{\"type\":\"metricsReporter\"}]}";
        assert_eq!(report(good.as_bytes()).unwrap().missing_plug_ins, [PlugIn::MetricsReporter]);
        // An agent of before knows of no plug-ins.
        let older = "HTTP/1.1 200 OK\r\n\r\n{\"brokerState\":3}";
        assert_eq!(report(older.as_bytes()), Some(AgentReport::default()));
        for bad in ["", "HTTP/1.1 404 Not Found\r\n\r\n{}", "HTTP/1.1 200 OK\r\n\r\n{", "{}"] {
            assert_eq!(report(bad.as_bytes()), None, "{bad}");
        }
    }

    #[test]
    fn whoever_answers_for_an_agent_fills_no_memory() {
        let reporters = vec![r#"{"type":"metricsReporter"}"#; 1000].join(",");
        let port = |port| format!(r#",{{"type":"jmxPrometheusExporter","port":{port}}}"#);
        let ports = (0..200).map(port).collect::<Vec<_>>().concat();
        let class = format!(r#",{{"type":"remoteStorageManager","class":"{}"}}"#, "x".repeat(20_000));
        let answer = format!("{GOOD}OK\r\n\r\n{{\"missingPlugIns\":[{reporters}{ports}{class}]}}");
        assert!(answer.len() < usize::try_from(LONGEST).unwrap());
        let kept = report(answer.as_bytes()).unwrap().missing_plug_ins;
        assert_eq!(kept, [PlugIn::MetricsReporter, PlugIn::JmxPrometheusExporter { port: 0 }]);
    }
}
