use std::sync::Mutex;

use api::KafkaBridge;
use api::kafka_bridge::KafkaBridgeStatus;
use jiff::Timestamp;
use kube::{Client, Config};
use objects::{Deletion, DesiredObject, FinalizerChange, Live, Precondition, Write};
use operator_runtime::leader::Lapsed;
use planner::completion::{NeverComplete, ROUNDS};
use planner::findings::{Held, HeldPart};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;

/// A lease that ends while the call of the resource `late` is made.
const LEASE: Duration = Duration::from_secs(2);

type Log = Arc<Mutex<Vec<String>>>;

/// Counts up to a number: asks for it, and calls each number below it.
struct Counting {
    cache: Cache<KafkaBridge>,
    log: Log,
    limit: Option<usize>,
    /// What the plan says besides.
    besides: Numbers,
}

impl Counting {
    fn note(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
}

/// The number, when it is known.
struct Limit {
    resource: Arc<KafkaBridge>,
    number: Option<usize>,
    besides: Numbers,
}

type Numbers = Plan<(), usize, Option<KafkaBridgeStatus>>;

impl Observation for Limit {
    type Plan = Numbers;
    type Answer = Option<usize>;

    fn plan(&self, _: Timestamp) -> Numbers {
        match self.number {
            Some(limit) => Plan { calls: (0..limit).collect(), ..self.besides.clone() },
            None => Plan::asking(vec![()]),
        }
    }

    fn answer(&mut self, (): (), limit: Option<usize>) {
        self.number = limit;
    }
}

impl Kind for Counting {
    const NAME: &'static str = "Counting";
    type Resource = KafkaBridge;
    type Observed = Limit;
    type Said = usize;

    fn resources(&self) -> &Cache<KafkaBridge> {
        &self.cache
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<Limit>, Error> {
        match key.name.as_str() {
            "gone" => Ok(Seen::Settled(Outcome::Done)),
            "faulty" => panic!("a fault"),
            "endless" => std::future::pending().await,
            "unread" => Err(Error::of_kafka("it cannot be read".to_owned())),
            _ => Ok(Seen::Live(Limit {
                resource: Arc::new(bridge(&key.name)),
                number: None,
                besides: self.besides.clone(),
            })),
        }
    }

    fn looked_after<'a>(&self, observed: &'a Limit) -> Option<&'a Arc<KafkaBridge>> {
        Some(&observed.resource)
    }

    async fn answer(
        &self,
        _: &ObjectRef,
        _: &Limit,
        needs: Vec<()>,
    ) -> Result<Vec<((), Option<usize>)>, Error> {
        self.note("answer");
        Ok(needs.into_iter().map(|need| (need, self.limit)).collect())
    }

    async fn before(&self, _: &ObjectRef, _: &Limit, _: &Numbers) -> Result<(), Error> {
        self.note("before");
        Ok(())
    }

    async fn call(&self, key: &ObjectRef, _: &Limit, call: &usize) -> Result<usize, Error> {
        self.note(format!("call {call}"));
        if key.name == "late" {
            tokio::time::sleep(LEASE).await;
        }
        if *call == 0 && key.name != "late" { Err(Error::Told("zero".to_owned())) } else { Ok(*call) }
    }
}

fn bridge(name: &str) -> KafkaBridge {
    serde_json::from_value(json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaBridge",
        "metadata": {"name": name, "namespace": "ns", "uid": "u"}, "spec": {"bootstrapServers": "k:9092"},
    }))
    .unwrap()
}

/// An API server that notes which requests change something, and refuses those with these letters in their paths.
async fn api_server(log: Log, refused: &'static str) -> Client {
    operator_runtime::client::install_crypto_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut text = String::new();
            let mut buffer = [0; 4096];
            let (head, body) = loop {
                let read = stream.read(&mut buffer).await.unwrap();
                text.push_str(&String::from_utf8_lossy(&buffer[..read]));
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| {
                    line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse::<usize>().ok()
                });
                if body.len() >= length.unwrap_or(0) {
                    break (head.to_owned(), body.to_owned());
                }
            };
            let mut words = head.split_whitespace();
            let (method, path) = (words.next().unwrap(), words.next().unwrap());
            let path = path.split('?').next().unwrap().rsplit("/namespaces/ns/").next().unwrap();
            let body: Value = serde_json::from_str(&body).unwrap_or_default();
            let said = [
                &body["reason"],
                &body["metadata"]["finalizers"],
                &body["status"]["conditions"][0]["reason"],
            ];
            let said: Vec<String> =
                said.iter().filter(|value| !value.is_null()).map(ToString::to_string).collect();
            log.lock().unwrap().push(format!("{method} {path} {}", said.join(" ")).trim().to_owned());
            let code = if !refused.is_empty() && path.contains(refused) { 500 } else { 200 };
            let answer = if code == 500 || method == "DELETE" {
                json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "message": "no", "reason": "no", "code": code,
                    "status": if code == 200 { "Success" } else { "Failure" }})
            } else {
                json!({"apiVersion": "v1", "kind": "Any", "metadata": {"name": "any", "resourceVersion": "2"}})
            };
            let answer = answer.to_string();
            let head = format!(
                "HTTP/1.1 {code} x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    });
    Client::try_from(Config::new(address.parse().unwrap())).unwrap()
}

async fn driver(
    limit: Option<usize>,
    besides: Numbers,
    mandate: Mandate,
    refused: &'static str,
) -> Driver<Counting> {
    let log = Log::default();
    let client = api_server(Arc::clone(&log), refused).await;
    let applier = Applier::new(client.clone());
    let events = Events::start(client, events::CLUSTER_OPERATOR, "test");
    let names = ["a", "endless", "faulty", "late", "unread"];
    let cache = Cache::fixed(names.map(|name| (ObjectRef::new("ns", name), bridge(name))));
    Driver::new(Counting { cache, log, limit, besides }, Means { applier, events, mandate })
}

fn log(driver: &Driver<Counting>) -> Vec<String> {
    driver.kind().log.lock().unwrap().clone()
}

/// How many lines of the log have these letters.
fn count(driver: &Driver<Counting>, letters: &str) -> usize {
    log(driver).iter().filter(|line| line.contains(letters)).count()
}

async fn pass(limit: Option<usize>, name: &str, mandate: Mandate) -> (Result<Outcome, Error>, Vec<String>) {
    let driver = driver(limit, Numbers::default(), mandate, "").await;
    let outcome = driver.pass(&ObjectRef::new("ns", name)).await;
    (outcome, log(&driver))
}

fn object(kind: &str, name: &str) -> ObjectId {
    let (kind, name) = (kind.to_owned(), name.to_owned());
    ObjectId { api_version: "v1".to_owned(), kind, namespace: Some("ns".to_owned()), name }
}

/// A plan that says something in every one of its fields, but for needs and calls.
fn everything() -> Numbers {
    let reference = object("Secret", "made");
    let body = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "made", "namespace": "ns"}});
    let made = DesiredObject { reference, object: body, precondition: Precondition::None, beside: false };
    let event = |reason: &str, occasion| PlannedEvent {
        reason: reason.to_owned(),
        text: "it is so".to_owned(),
        pod: None,
        occasion,
    };
    Plan {
        apply: vec![Write::of(made, &Live::Absent)],
        delete: vec![Deletion { object: object("Secret", "unwanted"), uid: None }],
        finalizers: vec![FinalizerChange {
            object: object("ConfigMap", "held"),
            finalizers: vec!["other".to_owned()],
            resource_version: Some("1".to_owned()),
        }],
        held: vec![Held {
            part: HeldPart::Storage { pool: "p".to_owned() },
            reason: "Held".to_owned(),
            message: "m".to_owned(),
            approval: None,
        }],
        events: vec![
            event("Lasts", Occasion::Lasting { episode: "1".to_owned() }),
            event("Called0", Occasion::Called { call: 0, action: "Count", is_warning: false }),
            event("Called1", Occasion::Called { call: 1, action: "Count", is_warning: false }),
        ],
        status: Some(KafkaBridgeStatus {
            conditions: Some(vec![api::conditions::Condition::not_ready("Planned", "m")]),
            ..KafkaBridgeStatus::default()
        }),
        look_again: Some(Duration::from_secs(7)),
        waiting_for: vec!["something".to_owned()],
        ..Numbers::default()
    }
}

#[tokio::test]
async fn a_call_that_fails_keeps_no_other_from_being_made_and_fails_the_pass() {
    let (outcome, log) = pass(Some(2), "a", Mandate::unlimited()).await;
    assert_eq!(outcome.unwrap_err().to_string(), "zero");
    assert_eq!(log, ["answer", "before", "call 0", "call 1"]);
}

#[tokio::test]
async fn all_that_a_plan_says_is_carried_out_whatever_the_kind() {
    let mut driver = driver(Some(2), everything(), Mandate::unlimited(), "").await;
    let key = ObjectRef::new("ns", "a");
    let outcome = driver.pass(&key).await;
    assert_eq!(outcome.unwrap_err().to_string(), "zero");
    while count(&driver, "Called1") == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (events, others): (Vec<String>, Vec<String>) =
        log(&driver).into_iter().partition(|line| line.starts_with("POST events"));
    let expected = [
        "answer",
        "before",
        "PATCH secrets/made",
        "PATCH configmaps/held [\"other\"]",
        "DELETE secrets/unwanted",
        "call 0",
        "call 1",
    ];
    assert_eq!(others, expected);
    assert_eq!(events, ["POST events \"Lasts\"", "POST events \"Called1\""], "call 0 was not made");
    // Without calls that fail the status is written and the pass is repeated as planned; what lasts is told of once.
    driver.kind.limit = Some(0);
    assert_eq!(driver.pass(&key).await.unwrap(), Outcome::Again(Duration::from_secs(7)));
    let last = log(&driver).pop().unwrap();
    assert_eq!(last, "PATCH kafkabridges/a/status \"Planned\"");
    assert_eq!(count(&driver, "Lasts"), 1);
    // What could not be made fails the pass, and the status says so already.
    driver.kind.besides.failure = Some("it cannot be made".to_owned());
    assert_eq!(driver.pass(&key).await.unwrap_err().to_string(), "it cannot be made");
    assert_eq!(log(&driver).pop().unwrap(), "PATCH kafkabridges/a/status \"Planned\"");
}

#[tokio::test]
async fn what_cannot_be_deleted_holds_up_no_call_and_the_status_tells_of_it_in_the_end() {
    let driver = driver(Some(0), everything(), Mandate::unlimited(), "unwanted").await;
    let error = driver.pass(&ObjectRef::new("ns", "a")).await.unwrap_err();
    assert!(error.to_string().contains("unwanted"), "{error}");
    let last = log(&driver).into_iter().rfind(|line| line.starts_with("PATCH")).unwrap();
    assert_eq!(last, "PATCH kafkabridges/a/status \"KubernetesError\"");
}

#[tokio::test]
async fn a_resource_that_is_settled_is_not_planned() {
    let (outcome, log) = pass(Some(2), "gone", Mandate::unlimited()).await;
    assert_eq!((outcome.unwrap(), log), (Outcome::Done, Vec::new()));
}

#[tokio::test]
async fn a_resource_that_cannot_be_observed_is_told_so() {
    let (outcome, log) = pass(Some(2), "unread", Mandate::unlimited()).await;
    assert_eq!(outcome.unwrap_err().to_string(), "it cannot be read");
    assert_eq!(log, ["PATCH kafkabridges/unread/status \"KafkaError\""]);
}

#[tokio::test]
async fn a_plan_that_asks_for_ever_is_given_up() {
    let (outcome, log) = pass(None, "a", Mandate::unlimited()).await;
    assert!(matches!(outcome, Err(Error::NeverComplete(NeverComplete))));
    assert_eq!(log.len(), ROUNDS + 1);
    assert_eq!(log.last().unwrap(), "PATCH kafkabridges/a/status \"InternalError\"");
}

#[tokio::test]
async fn caches_that_are_behind_are_asked_again_after_a_pause_that_grows_and_no_status_tells_of_it() {
    let mut plan = everything();
    plan.events.clear();
    let mut driver = driver(Some(0), plan, Mandate::unlimited(), "").await;
    // The resource goes while it is planned.
    driver.kind.cache = Cache::fixed([]);
    let key = ObjectRef::new("ns", "a");
    let mut pauses = Vec::new();
    for _ in 0..3 {
        let error = Error::Apply(carry_out::Error::Outdated { kind: "K".to_owned(), name: "n".to_owned() });
        let Outcome::Again(pause) =
            driver.failed(&key, Some(&Arc::new(bridge("a"))), None, error).await.unwrap()
        else {
            panic!("it is not repeated")
        };
        pauses.push(pause);
    }
    assert!(pauses.windows(2).all(|pair| pair[1] == pair[0] * 2), "{pauses:?}");
    assert!(
        matches!(driver.pass(&key).await.unwrap(), Outcome::Again(pause) if pause == pauses[0]),
        "it was forgotten"
    );
    assert_eq!(log(&driver), ["answer", "before"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_carried_out_by_a_leader_that_could_not_renew_its_lease() {
    let mandate = Mandate::for_a_lease(Duration::from_secs(10), CancellationToken::new());
    tokio::time::advance(Duration::from_secs(10)).await;
    let (outcome, log) = pass(Some(2), "a", mandate).await;
    assert!(matches!(outcome, Err(Error::Lapsed(Lapsed))));
    assert_eq!(log, ["answer"]);
}

#[tokio::test]
async fn no_status_is_written_when_the_lease_ends_during_a_call() {
    let mandate = Mandate::for_a_lease(LEASE, CancellationToken::new());
    let driver = driver(Some(2), everything(), mandate, "").await;
    let error = driver.pass(&ObjectRef::new("ns", "late")).await.unwrap_err();
    assert!(matches!(error, Error::Lapsed(Lapsed)), "{error}");
    assert!(!log(&driver).iter().any(|line| line.contains("/status")), "{:?}", log(&driver));
}

#[tokio::test]
async fn a_pass_that_panics_or_does_not_end_is_told_of_by_the_process_that_leads() {
    let interrupted = |name: &'static str, mandate: Mandate| async move {
        let driver = Arc::new(driver(Some(0), Numbers::default(), mandate, "").await);
        let key = ObjectRef::new("ns", name);
        let outcome = Arc::clone(&driver).pass_within(key, Duration::from_millis(50)).await;
        (outcome, log(&driver))
    };
    let (outcome, log) = interrupted("endless", Mandate::unlimited()).await;
    assert!(outcome.unwrap_err().contains("longer than"));
    assert_eq!(log, ["PATCH kafkabridges/endless/status \"InternalError\""]);
    let (outcome, log) = interrupted("faulty", Mandate::unlimited()).await;
    assert!(outcome.is_err());
    assert_eq!(log, ["PATCH kafkabridges/faulty/status \"InternalError\""]);
    let lapsed = Mandate::for_a_lease(Duration::from_nanos(1), CancellationToken::new());
    let (outcome, log) = interrupted("endless", lapsed).await;
    assert!(outcome.is_err() && log.is_empty(), "another process leads: {log:?}");
    let (outcome, _) = interrupted("a", Mandate::unlimited()).await;
    assert_eq!(outcome, Ok(Outcome::Done));
}
