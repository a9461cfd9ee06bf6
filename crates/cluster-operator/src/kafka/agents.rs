//! Asks the agents of Kafka's pods which jars they did not find, whether they recover logs, which certificates are in use, and for how
//! long their Kafka has answered nothing, with the operator's own certificate. No policy.
//!
//! What an agent said of a start of its container is remembered until there is another start: it looks once.

use std::collections::{BTreeMap, HashMap};
use std::mem::discriminant;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::agent::container::{BROKER_STATE, RECOVERY};
use api::agent::{AgentReport, CertificatesInUse, PlugIn, RecoveryState, Unresponsive};
use futures::{Stream, StreamExt as _, stream};
use kafka_admin::AdminError;
use operator_runtime::queue::Queue;
use operator_runtime::watch::ObjectRef;
use planner::kafka::observed::Observed;
use planner::silence::{Silence, SilenceKind};
use rustls_pki_types::ServerName;
use serde::Deserialize;
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
/// The longest pause before agents are asked again whether Kafka answers, when they do not answer themselves: a pod may be in that state for days.
const UNRESPONSIVE_PAUSE: Duration = Duration::from_mins(2);
/// Status line of a good answer.
const GOOD: &str = "HTTP/1.1 200 ";

/// Why it is not known what an agent says.
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
    recovering: Asking<BTreeMap<String, Option<String>>, BTreeMap<String, RecoveryState>>,
    in_use: Asking<BTreeMap<String, String>, InUse>,
    unresponsive: Asking<BTreeMap<String, String>, BTreeMap<String, Unresponsive>>,
}

/// Which certificates pods use, by their names.
type InUse = BTreeMap<String, Option<CertificatesInUse>>;

impl Agents {
    /// `queue` gets the clusters whose agents answer late.
    pub(super) fn new(queue: &Queue<ObjectRef>) -> Self {
        Self {
            known: Arc::default(),
            asking: Asking::new(queue.clone()),
            recovering: Asking::new(queue.clone()),
            in_use: Asking::new(queue.clone()),
            unresponsive: Asking::new(queue.clone()).with_longest_pause(UNRESPONSIVE_PAUSE),
        }
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
            let at = addresses(unknown.keys(), observed);
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

    /// Which of these pods recover logs, as far as their agents answer: at this moment, since that passes.
    pub(super) async fn recoveries(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        pods: &BTreeMap<String, Option<String>>,
        patience: &Patience,
    ) -> Result<BTreeMap<String, RecoveryState>, Silence> {
        let what_is_left = |state| match state {
            Recovering::Yes(left) => Some(left),
            Recovering::No => None,
        };
        let question = gathered(key, observed, pods.keys().cloned().collect(), recovery, what_is_left);
        self.recovering.answer(key, pods.clone(), patience, question).await
    }

    /// Which certificates these pods use, as far as their agents answer: at this moment. `pods`: the UID of each.
    pub(super) async fn certificates_in_use(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        pods: &BTreeMap<String, String>,
        patience: &Patience,
    ) -> Result<InUse, Silence> {
        let question = gathered(key, observed, pods.keys().cloned().collect(), report, |report| {
            Some(report.certificates)
        });
        self.in_use.answer(key, pods.clone(), patience, question).await
    }

    /// For how long the Kafka of each of these pods has sent nothing back to its agent, of those that answer nothing, as far as
    /// their agents say: at this moment. `pods`: a mark of the present start of each.
    pub(super) async fn unresponsive_nodes(
        &self,
        key: &ObjectRef,
        observed: &Observed,
        pods: &BTreeMap<String, String>,
        patience: &Patience,
    ) -> Result<BTreeMap<String, Unresponsive>, Silence> {
        let question =
            gathered(key, observed, pods.keys().cloned().collect(), report, |report| report.unresponsive);
        self.unresponsive.answer(key, pods.clone(), patience, question).await
    }

    /// Ends the questions to a cluster that is gone.
    pub(super) fn forget(&self, key: &ObjectRef) {
        self.unresponsive.forget(key);
        self.recovering.forget(key);
        self.in_use.forget(key);
        self.asking.forget(key);
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
    let mut answers = ask_each(key, speech, pods.keys().cloned().collect(), at, report);
    let mut failure = None;
    while let Some((pod, answer)) = answers.next().await {
        match answer {
            Ok(report) => {
                let start = pods.get(&pod).cloned().unwrap_or_default();
                // A cluster that is gone is not remembered.
                if let Some(known) = lock(known).get_mut(key) {
                    known.insert(pod, (start, lasting(report)));
                }
            }
            Err(error) => failure = failure.or(Some(error)),
        }
    }
    failure.map_or(Ok(()), Err)
}

/// What these pods say, as far as their agents answer: what one of them says counts although another one is silent. `read` takes what
/// counts out of an answer, and `keep` leaves out the pods of which there is nothing to tell.
fn gathered<T: Send + 'static, K: Send + 'static>(
    key: &ObjectRef,
    observed: &Observed,
    pods: Vec<String>,
    read: fn(&[u8]) -> Option<T>,
    keep: fn(T) -> Option<K>,
) -> impl Future<Output = Result<BTreeMap<String, K>, Silence>> + Send + use<T, K> {
    let (of, speech) = (key.clone(), admin_clients::speech(observed));
    let at = addresses(pods.iter(), observed);
    async move {
        let Some(speech) = speech else {
            return Err(Silence::new(
                SilenceKind::Tls,
                "the operator has no certificate for the cluster yet",
            ));
        };
        let mut found = BTreeMap::new();
        let (mut answers, mut failure) = (ask_each(&of, &speech, pods, &at, read), None);
        while let Some((pod, answer)) = answers.next().await {
            match answer.map(keep) {
                Ok(Some(told)) => drop(found.insert(pod, told)),
                Ok(None) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(error) if found.is_empty() => Err(Silence::from(error)),
            _ => Ok(found),
        }
    }
}

/// Asks the agents of these pods, several at a time; `read` takes what counts out of an answer.
fn ask_each<'a, T: 'a>(
    key: &'a ObjectRef,
    speech: &'a Speech,
    pods: Vec<String>,
    at: &'a BTreeMap<String, IpAddr>,
    read: fn(&[u8]) -> Option<T>,
) -> impl Stream<Item = (String, Result<T, Error>)> + Unpin + 'a {
    let ask_one = move |pod: String| async move {
        let host = api::names::pod_dns(&key.name, &pod, &key.namespace);
        let asked = tokio::time::timeout(DEADLINE, ask(&pod, host, at.get(&pod), speech, read)).await;
        let answer = asked.unwrap_or_else(|_| Err(Error::Late { pod: pod.clone() }));
        (pod, answer)
    };
    Box::pin(stream::iter(pods).map(ask_one).buffer_unordered(AT_ONCE))
}

/// Where those of these pods are that the cluster's own pod sets control.
fn addresses<'a>(pods: impl Iterator<Item = &'a String>, observed: &Observed) -> BTreeMap<String, IpAddr> {
    let of = |pod: &String| admin_clients::own_address(observed.pods.get(pod)?, observed);
    pods.filter_map(|pod| Some((pod.clone(), of(pod)?))).collect()
}

/// Asks the agent of a pod: at its address `at` where no certificate proves who answers, since its name may lead anywhere.
async fn ask<T>(
    pod: &str,
    host: String,
    at: Option<&IpAddr>,
    speech: &Speech,
    read: fn(&[u8]) -> Option<T>,
) -> Result<T, Error> {
    let failed = |source| Error::Connection { pod: pod.to_owned(), source };
    let port = u16::try_from(api::ports::KAFKA_AGENT).unwrap_or_default();
    let Speech::Tls(tls) = speech else {
        let own = at.ok_or_else(|| std::io::Error::other("no pod of the cluster's own has an address"));
        let stream = TcpStream::connect((*own.map_err(failed)?, port)).await;
        return converse(pod, stream.map_err(failed)?, read).await;
    };
    let connect = TcpStream::connect((host.as_str(), port));
    let config = kafka_admin::client_config(tls)
        .map_err(|source| Error::Certificate { pod: pod.to_owned(), source })?;
    let stream = connect.await.map_err(failed)?;
    let name = ServerName::try_from(host).map_err(|error| failed(std::io::Error::other(error)))?;
    converse(pod, TlsConnector::from(config).connect(name, stream).await.map_err(failed)?, read).await
}

/// Asks the agent of a pod over a connection.
async fn converse<T>(
    pod: &str,
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    read: fn(&[u8]) -> Option<T>,
) -> Result<T, Error> {
    let failed = |source| Error::Connection { pod: pod.to_owned(), source };
    // The connection is of use once.
    let request = format!("GET {BROKER_STATE} HTTP/1.1\r\nHost: agent\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.map_err(failed)?;
    let mut answer = Vec::new();
    // An agent may close the connection without a farewell: what counts is that the answer is whole.
    let ended = stream.take(LONGEST).read_to_end(&mut answer).await;
    match (read(&answer), ended) {
        (Some(said), _) => Ok(said),
        (None, Err(error)) => Err(failed(error)),
        (None, Ok(_)) => Err(Error::Answer { pod: pod.to_owned() }),
    }
}

/// The report in an answer, with each kind of plug-in once: whoever answers for an agent fills no memory. A class of tiered storage is
/// none of them, because Kafka does not start without it.
fn report(answer: &[u8]) -> Option<AgentReport> {
    let read: AgentReport = serde_json::from_str(body(answer)?).ok()?;
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
    Some(AgentReport { missing_plug_ins: kept, certificates, unresponsive: read.unresponsive })
}

/// What of a report lasts until the next start of the container: which certificates are in use and whether Kafka answers changes.
fn lasting(report: AgentReport) -> AgentReport {
    AgentReport { missing_plug_ins: report.missing_plug_ins, ..AgentReport::default() }
}

/// Whether a node recovers its logs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Recovering {
    No,
    Yes(RecoveryState),
}

/// Whether a node recovers its logs, in an answer.
fn recovery(answer: &[u8]) -> Option<Recovering> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct State {
        broker_state: u8,
        recovery_state: Option<RecoveryState>,
    }
    let state: State = serde_json::from_str(body(answer)?).ok()?;
    Some(if state.broker_state == RECOVERY {
        Recovering::Yes(state.recovery_state.unwrap_or_default())
    } else {
        Recovering::No
    })
}

/// The body of a good answer.
fn body(answer: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(answer).ok().filter(|text| text.starts_with(GOOD))?;
    Some(text.split_once("\r\n\r\n")?.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_of_a_recovery_is_read() {
        let said = |body: &str| recovery(format!("{GOOD}OK\r\n\r\n{body}").as_bytes());
        let left = r#"{"brokerState":2,"recoveryState":{"remainingLogsToRecover":3,"remainingSegmentsToRecover":5}}"#;
        let expected = RecoveryState { remaining_logs_to_recover: 3, remaining_segments_to_recover: 5 };
        assert_eq!(said(left), Some(Recovering::Yes(expected)));
        assert_eq!(said(r#"{"brokerState":2}"#), Some(Recovering::Yes(RecoveryState::default())));
        for other in [r#"{"brokerState":1}"#, r#"{"brokerState":3,"missingPlugIns":[]}"#] {
            assert_eq!(said(other), Some(Recovering::No), "{other}");
        }
        assert_eq!((said("{}"), said("")), (None, None));
    }

    #[test]
    fn an_answer_is_read_and_what_is_none_is_not() {
        let good = "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n{\"brokerState\":3,\"missingPlugIns\":[{\"type\":\"metricsReporter\"}]}";
        assert_eq!(report(good.as_bytes()).unwrap().missing_plug_ins, [PlugIn::MetricsReporter]);
        let silent = "HTTP/1.1 200 OK\r\n\r\n{\"brokerState\":3,\"unresponsive\":{\"brokerForSeconds\":301}}";
        let silent = report(silent.as_bytes()).unwrap();
        assert_eq!(silent.unresponsive.and_then(|told| told.longest_seconds()), Some(301));
        assert_eq!(lasting(silent), AgentReport::default(), "it is asked again, not remembered");
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
