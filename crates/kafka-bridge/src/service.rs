//! From a request to its answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::{ACCEPT, CONNECTION, CONTENT_TYPE, HeaderMap, HeaderValue};
use http::request::Parts;
use http::{Method, Request, StatusCode};
use hyper::body::Incoming;
use rdkafka::topic_partition_list::Offset;
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::consumer::held::AnswerBounds;
use crate::consumer::instance::Instance;
use crate::consumer::polling;
use crate::consumer::registry::Registry;
use crate::error::{ApiError, status_of};
use crate::events;
use crate::format::{self, EVENT_STREAM, JSON, KAFKA_JSON};
use crate::http::answer::{self, Answer, AnswerRoom};
use crate::http::body::Bodies;
use crate::http::cors::{Cors, Verdict};
use crate::http::routes::{self, Found, Operation};
use crate::http::wire::Wire;
use crate::kafka::clients::Clients;
use crate::kafka::producer::Outcome;
use crate::kafka::topics::Topics;
use crate::metrics::BridgeMetrics;
use crate::requests;
use crate::traces::export::Traces;
use crate::traces::span::Active;
use crate::{base_uri, openapi, trace};

/// How long a request for records waits where it does not say.
const POLL_TIMEOUT: Duration = Duration::from_millis(100);

/// How long it may wait.
const LONGEST_POLL: Duration = Duration::from_mins(5);

/// Content type of the figures.
const METRICS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// On which port a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surface {
    /// That of the API: everything.
    Api,
    /// That of probes and Prometheus.
    Management,
}

/// Everything that answers need.
#[allow(missing_debug_implementations, reason = "the clients of the library have none")]
pub(crate) struct Service {
    /// Clients of Kafka.
    pub clients: Arc<Clients>,
    /// Consumers.
    pub registry: Arc<Registry>,
    /// Figures.
    pub metrics: BridgeMetrics,
    /// Bounds of bodies.
    pub bodies: Bodies,
    /// Room for answers with records.
    pub answers: AnswerRoom,
    /// Pages of other origins.
    pub cors: Option<Cors>,
    /// Whether there may be consumers.
    pub consumer_enabled: bool,
    /// Whether the port of the API has `/metrics`.
    pub metrics_enabled: bool,
    /// Whether contexts of traces are passed on.
    pub tracing: bool,
    /// Where spans of requests go.
    pub traces: Option<Traces>,
    /// `http` or `https`.
    pub scheme: &'static str,
    /// Our own address, for requests that name no host.
    pub address: String,
    /// Records of one answer.
    pub max_poll_records: usize,
    /// The end.
    pub shutdown: CancellationToken,
}

impl Service {
    /// Answers a request.
    pub(crate) async fn answer(self: Arc<Self>, surface: Surface, request: Request<Incoming>) -> Answer {
        self.metrics.active_requests.inc();
        let begun = Instant::now();
        let (mut parts, body) = request.into_parts();
        let traces = self.traces.as_ref().filter(|_| surface == Surface::Api);
        let traced = traces.map(|traces| (traces, traces.begin(&parts.headers)));
        if let Some((_, active)) = &traced {
            parts.extensions.insert(active.clone());
        }
        let judged = match (&self.cors, surface) {
            (Some(cors), Surface::Api) => cors.judge(&parts.method, &parts.headers),
            _ => Verdict::Silent,
        };
        let (path, mut answer) = match &judged {
            Verdict::Preflight(code, _) => ("", answer::empty(*code)),
            Verdict::Refused => {
                let text = "CORS Rejected - Invalid origin";
                ("", answer::failed(&ApiError::new(StatusCode::FORBIDDEN, text)))
            }
            Verdict::Silent | Verdict::Allowed(_) => self.routed(surface, &parts, body).await,
        };
        if let Verdict::Allowed(headers) | Verdict::Preflight(_, headers) = judged {
            answer.headers_mut().extend(headers);
        }
        if self.shutdown.is_cancelled() {
            // The next request finds a process that stays.
            answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some((traces, active)) = traced {
            traces.end(&active, method(&parts.method), path, answer.status());
        }
        if surface == Surface::Api {
            self.metrics.answered(method(&parts.method), path, answer.status().as_u16(), begun.elapsed());
        }
        self.metrics.active_requests.dec();
        answer
    }

    /// The answer, with the path of the table of routes.
    async fn routed(&self, surface: Surface, parts: &Parts, body: Incoming) -> (&'static str, Answer) {
        let (operation, names, path) = match routes::find(&parts.method, parts.uri.path()) {
            Found::Route(operation, names, path) => (operation, names, path),
            Found::OtherMethods(methods) => return ("", answer::other_methods(&methods)),
            Found::Nothing => return ("", answer::failed(&ApiError::not_found("There is no such path."))),
        };
        let is_for_both = matches!(
            operation,
            Operation::Info | Operation::Healthy | Operation::Ready | Operation::OpenApi | Operation::Metrics
        );
        let answered = if is_for_both {
            self.about_itself(surface, operation)
        } else if surface == Surface::Management {
            Err(ApiError::not_found("There is no such path on this port."))
        } else {
            self.operation(operation, &names, parts, body).await
        };
        (path, answered.unwrap_or_else(|error| answer::failed(&error)))
    }

    fn about_itself(&self, surface: Surface, operation: Operation) -> Result<Answer, ApiError> {
        Ok(match operation {
            Operation::Ready if self.shutdown.is_cancelled() => {
                answer::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
            Operation::Healthy | Operation::Ready => answer::empty(StatusCode::OK),
            Operation::OpenApi => answer::with(StatusCode::OK, JSON, openapi::TEXT),
            Operation::Metrics if surface == Surface::Api && !self.metrics_enabled => {
                return Err(ApiError::not_found("The metrics endpoint is not enabled."));
            }
            Operation::Metrics => {
                let text = self.metrics.render();
                let text = text.map_err(|error| ApiError::internal(format!("collect metrics: {error}")))?;
                answer::with(StatusCode::OK, METRICS_TEXT, text)
            }
            _ => {
                let info = json!({"bridge_version": env!("CARGO_PKG_VERSION")});
                answer::with(StatusCode::OK, JSON, info.to_string())
            }
        })
    }

    async fn operation(
        &self,
        operation: Operation,
        names: &[String],
        parts: &Parts,
        body: Incoming,
    ) -> Result<Answer, ApiError> {
        let name = |index: usize| names.get(index).map_or("", String::as_str);
        let accept = header(&parts.headers, &ACCEPT);
        if operation != Operation::Poll && !format::accepts(accept, &[KAFKA_JSON, JSON]) {
            return Err(not_acceptable(KAFKA_JSON));
        }
        let is_about_topics = matches!(
            operation,
            Operation::ListTopics
                | Operation::GetTopic
                | Operation::ListPartitions
                | Operation::GetPartition
                | Operation::GetOffsets
        );
        if is_about_topics {
            return self.ask(operation, names).await;
        }
        let content_type = header(&parts.headers, &CONTENT_TYPE);
        let is_send = matches!(operation, Operation::Send | Operation::SendToPartition);
        // Before the body is read.
        let format = if is_send { Some(format::of_content(content_type)?) } else { None };
        if parts.method == Method::POST && !is_send {
            format::check_content(content_type)?;
        }
        let body = self.bodies.read(body).await?;
        self.metrics.bodies(body.bytes.len(), 0);
        if let Some(format) = format {
            let partition = match operation {
                Operation::SendToPartition => Some(partition(name(1))?),
                _ => None,
            };
            return self.send(name(0), partition, format, &body.bytes, parts).await;
        }
        if operation == Operation::CreateTopic {
            let new = requests::topic(&body.bytes)?;
            Topics(self.clients.admin()?).create(&new).await?;
            return Ok(answer::empty(StatusCode::CREATED));
        }
        if !self.consumer_enabled {
            let text = "Consumers are disabled: set http.consumer.enabled to true to use them.";
            return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, text));
        }
        if operation == Operation::CreateConsumer {
            return self.create_consumer(name(0), &body.bytes, &parts.headers).await;
        }
        let instance = self.registry.find(name(0), name(1))?;
        if operation == Operation::DeleteConsumer {
            // What is held here would keep it from ending.
            drop(instance);
            self.registry.delete(name(0), name(1)).await?;
            return Ok(answer::empty(StatusCode::NO_CONTENT));
        }
        self.consumer(operation, instance, &body.bytes, parts).await
    }

    /// Questions about topics.
    async fn ask(&self, operation: Operation, names: &[String]) -> Result<Answer, ApiError> {
        let name = |index: usize| names.get(index).map_or("", String::as_str);
        let topics = Topics(self.clients.admin()?);
        match operation {
            Operation::ListTopics => shown(&topics.names().await?),
            Operation::GetTopic => shown(&topics.topic(name(0)).await?),
            Operation::ListPartitions => shown(&topics.partitions(name(0)).await?),
            Operation::GetPartition => shown(&topics.partition(name(0), partition(name(1))?).await?),
            _ => shown(&topics.offsets(name(0), partition(name(1))?).await?),
        }
    }

    async fn send(
        &self,
        topic: &str,
        to: Option<i32>,
        format: format::Format,
        body: &[u8],
        parts: &Parts,
    ) -> Result<Answer, ApiError> {
        let producer = self.clients.producer()?;
        let is_async = flag(parts, "async")?;
        let mut records = requests::records(body, format, to.is_some())?;
        if !requests::is_topic_name(topic) {
            return Err(ApiError::not_found("The specified topic was not found."));
        }
        let active = parts.extensions.get::<Active>();
        for record in &mut records {
            record.partition = to.or(record.partition);
        }
        if self.tracing {
            trace::add(&trace::passed_on(&parts.headers, active), &mut records);
        }
        if let Some(active) = active {
            active.sent(topic, records.len());
        }
        if is_async {
            let taken = producer.send_and_forget(topic, &records).await;
            taken.map_err(|code| ApiError::new(status_of(code), format!("send records: {code}")))?;
            return Ok(answer::empty(StatusCode::NO_CONTENT));
        }
        let outcomes = producer.send(topic, &records).await;
        let body = offsets(topic, &outcomes);
        self.metrics.bodies(0, body.len());
        Ok(answer::json(body))
    }

    async fn create_consumer(
        &self,
        group: &str,
        body: &[u8],
        headers: &HeaderMap,
    ) -> Result<Answer, ApiError> {
        let new = requests::consumer(body)?;
        if group.len() > requests::LONGEST_GROUP {
            let most = requests::LONGEST_GROUP;
            return Err(ApiError::unprocessable(format!(
                "groupid: the name of a group has at most {most} bytes"
            )));
        }
        let name = self.registry.create(group, new).await?;
        let uri = base_uri::of(headers, self.scheme, &self.address, group, &name);
        Ok(answer::json(json!({"instance_id": name, "base_uri": uri}).to_string()))
    }

    async fn consumer(
        &self,
        operation: Operation,
        instance: Arc<Instance>,
        body: &[u8],
        parts: &Parts,
    ) -> Result<Answer, ApiError> {
        let using = instance.in_use();
        match operation {
            Operation::Subscribe => self.registry.subscribe(&instance, requests::subscription(body)?).await?,
            Operation::ListSubscriptions => return Ok(answer::json(instance.subscription().await?)),
            Operation::Unsubscribe => instance.unsubscribe().await?,
            Operation::Assign => instance.assign(&requests::partitions(body)?).await?,
            Operation::Commit => instance.commit(requests::commits(body)?).await?,
            Operation::Seek => instance.seek(&requests::seeks(body)?, None).await?,
            Operation::SeekToBeginning => {
                instance.seek(&requests::partitions(body)?, Some(Offset::Beginning)).await?;
            }
            Operation::SeekToEnd => instance.seek(&requests::partitions(body)?, Some(Offset::End)).await?,
            _ => {
                let accept = header(&parts.headers, &ACCEPT);
                let mut bounds = self.bounds(parts, &instance)?;
                instance.end_stream().await;
                if format::wants_events(accept) {
                    bounds.max_bytes = None;
                    let wire = wire_of(parts);
                    let pieces = events::stream(using, instance, bounds, self.metrics.clone(), wire);
                    return Ok(answer::stream(EVENT_STREAM, pieces));
                }
                return self.poll(accept, &instance, bounds, parts).await;
            }
        }
        Ok(answer::empty(StatusCode::NO_CONTENT))
    }

    fn bounds(&self, parts: &Parts, instance: &Instance) -> Result<AnswerBounds, ApiError> {
        let max_bytes = number(parts, "max_bytes")?;
        Ok(AnswerBounds {
            records: self.max_poll_records,
            soft_bytes: instance.share.answer(),
            max_bytes: max_bytes.map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX)),
        })
    }

    async fn poll(
        &self,
        accept: Option<&str>,
        instance: &Arc<Instance>,
        bounds: AnswerBounds,
        parts: &Parts,
    ) -> Result<Answer, ApiError> {
        let media_type = instance.format.media_type();
        if !format::accepts(accept, &[media_type, KAFKA_JSON, JSON]) {
            return Err(ApiError::new(
                StatusCode::NOT_ACCEPTABLE,
                format!(
                    "The format of the consumer does not match the embedded format in the Accept header: accept {media_type}."
                ),
            ));
        }
        let timeout = number(parts, "timeout")?.map_or(POLL_TIMEOUT, Duration::from_millis).min(LONGEST_POLL);
        let (written, room) = polling::poll_in(instance, timeout, bounds, Some(&self.answers)).await?;
        for (topic, (records, bytes)) in &written.by_topic {
            self.metrics.consumed(topic, *records, *bytes);
        }
        if let Some(active) = parts.extensions.get::<Active>() {
            active.received(written.by_topic.values().map(|(records, _)| records).sum(), &written.contexts);
        }
        self.metrics.bodies(0, written.body.len());
        let body = match room {
            Some(room) => {
                let wire = wire_of(parts);
                let due = wire.due(self.answers.due(written.body.len()));
                let delivery = written.answer.map(|answer| instance.delivery(answer, wire));
                answer::Taken { bytes: written.body, delivery, _due: Some(due), _room: room }.begin()
            }
            None => written.body.into(),
        };
        Ok(answer::with(StatusCode::OK, media_type, body))
    }
}

/// The connection of a request.
fn wire_of(parts: &Parts) -> Wire {
    parts.extensions.get::<Wire>().cloned().unwrap_or_default()
}

fn not_acceptable(media_type: &str) -> ApiError {
    ApiError::new(StatusCode::NOT_ACCEPTABLE, format!("the answer is JSON: accept {media_type}"))
}

fn shown(value: &impl Serialize) -> Result<Answer, ApiError> {
    let body =
        serde_json::to_vec(value).map_err(|error| ApiError::internal(format!("write json: {error}")))?;
    Ok(answer::json(body))
}

fn header<'a>(headers: &'a HeaderMap, name: &http::HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

/// A method as a label: clients may invent any.
fn method(method: &Method) -> &str {
    match *method {
        Method::GET | Method::POST | Method::DELETE | Method::OPTIONS | Method::HEAD | Method::PUT => {
            method.as_str()
        }
        _ => "other",
    }
}

fn partition(text: &str) -> Result<i32, ApiError> {
    let number = text.parse().ok().filter(|number| *number >= 0);
    number.ok_or_else(|| ApiError::bad_request("partitionid: must be a number from 0 to 2147483647"))
}

fn number(parts: &Parts, name: &str) -> Result<Option<u64>, ApiError> {
    let wrong = || ApiError::bad_request(format!("{name}: must be a whole number that is not negative"));
    match routes::query(parts.uri.query(), name) {
        Ok(None) => Ok(None),
        // The description has numbers of 64 bits with a sign.
        Ok(Some(text)) => {
            text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok()).map(Some).ok_or_else(wrong)
        }
        Err(()) => Err(wrong()),
    }
}

fn flag(parts: &Parts, name: &str) -> Result<bool, ApiError> {
    match routes::query(parts.uri.query(), name).as_ref().map(Option::as_deref) {
        Ok(None | Some("false")) => Ok(false),
        Ok(Some("true")) => Ok(true),
        _ => Err(ApiError::bad_request(format!("{name}: must be true or false"))),
    }
}

/// What became of each record, as the API shows it.
fn offsets(topic: &str, outcomes: &[Outcome]) -> Vec<u8> {
    use std::io::Write;
    let mut body = Vec::with_capacity(16 + outcomes.len() * 32);
    body.extend_from_slice(b"{\"offsets\":[");
    for (index, outcome) in outcomes.iter().enumerate() {
        if index > 0 {
            body.push(b',');
        }
        match outcome {
            Outcome::Sent { partition, offset } => {
                // Writing into memory does not fail.
                let _ = write!(body, "{{\"partition\":{partition},\"offset\":{offset}}}");
            }
            Outcome::Failed(code) => {
                let error =
                    ApiError::new(status_of(*code), format!("send a record to topic {topic}: {code}"));
                body.extend_from_slice(&error.body());
            }
        }
    }
    body.extend_from_slice(b"]}");
    body
}

#[cfg(test)]
mod tests {
    use rdkafka::error::RDKafkaErrorCode;

    use super::*;

    #[test]
    fn each_record_has_its_offset_or_its_error() {
        let outcomes =
            [Outcome::Sent { partition: 2, offset: 7 }, Outcome::Failed(RDKafkaErrorCode::UnknownPartition)];
        let body: serde_json::Value = serde_json::from_slice(&offsets("t", &outcomes)).unwrap();
        assert_eq!(body["offsets"][0], json!({"partition": 2, "offset": 7}));
        assert_eq!(body["offsets"][1]["error_code"], 404);
        assert!(body["offsets"][1]["message"].as_str().unwrap().contains("topic t"));
        assert_eq!(offsets("t", &[]), b"{\"offsets\":[]}");
    }

    #[test]
    fn numbers_in_a_path_are_checked() {
        assert_eq!(partition("7").unwrap(), 7);
        for wrong in ["", "-1", "1.5", "x", "2147483648"] {
            assert_eq!(partition(wrong).unwrap_err().code, StatusCode::BAD_REQUEST, "{wrong}");
        }
    }
}
