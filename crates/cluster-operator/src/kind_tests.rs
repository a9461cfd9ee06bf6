use std::convert::Infallible;
use std::sync::Mutex;

use jiff::Timestamp;
use planner::completion::ROUNDS;
use planner::plan::Plan;
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use super::*;

#[derive(Debug, PartialEq, Error)]
enum Error {
    #[error(transparent)]
    NeverComplete(#[from] NeverComplete),
    #[error(transparent)]
    Lapsed(#[from] Lapsed),
    #[error("{0}")]
    Word(&'static str),
}

/// Counts up to a number: asks for it, and calls each number below it.
struct Counting {
    cache: Cache<Infallible>,
    log: Mutex<Vec<String>>,
    limit: Option<usize>,
}

impl Counting {
    fn to(limit: Option<usize>) -> Self {
        Self { cache: Cache::fixed([]), log: Mutex::default(), limit }
    }

    fn note(&self, line: impl Into<String>) {
        self.log.lock().unwrap().push(line.into());
    }
}

/// The number, when it is known.
struct Limit(Option<usize>);

type Numbers = Plan<(), usize, ()>;

impl Observation for Limit {
    type Plan = Numbers;
    type Answer = Option<usize>;

    fn plan(&self, _: Timestamp) -> Numbers {
        match self.0 {
            Some(limit) => Plan { calls: (0..limit).collect(), ..Plan::default() },
            None => Plan::asking(vec![()]),
        }
    }

    fn answer(&mut self, (): (), limit: Option<usize>) {
        self.0 = limit;
    }
}

impl Kind for Counting {
    const NAME: &'static str = "Counting";
    type Resource = Infallible;
    type Observed = Limit;
    type Said = usize;
    type Error = Error;

    fn resources(&self) -> &Cache<Infallible> {
        &self.cache
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<Limit>, Error> {
        match key.name.as_str() {
            "gone" => Ok(Seen::Settled(Outcome::Done)),
            "faulty" => panic!("a fault"),
            "endless" => std::future::pending().await,
            _ => Ok(Seen::Live(Limit(None))),
        }
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

    async fn write(&self, _: &ObjectRef, _: &Limit, _: &mut Numbers) -> Result<(), Error> {
        self.note("write");
        Ok(())
    }

    async fn call(&self, _: &ObjectRef, _: &Limit, call: &usize) -> Result<usize, Error> {
        self.note(format!("call {call}"));
        if *call == 0 { Err(Error::Word("zero")) } else { Ok(*call) }
    }

    async fn finish(
        &self,
        _: &ObjectRef,
        _: &Limit,
        _: &Numbers,
        said: Vec<Result<usize, Error>>,
    ) -> Result<Outcome, Error> {
        self.note(format!("finish {said:?}"));
        said.into_iter().collect::<Result<Vec<_>, _>>().map(|_| Outcome::Done)
    }

    async fn failed(
        &self,
        _: &ObjectRef,
        _: &Limit,
        plan: Option<&Numbers>,
        error: Error,
    ) -> Result<Outcome, Error> {
        self.note(format!("failed {}", plan.is_some()));
        Err(error)
    }

    async fn interrupted(&self, key: &ObjectRef, why: &Interruption) {
        self.note(format!("{} {why}", key.name));
    }
}

async fn pass(limit: Option<usize>, name: &str, mandate: Mandate) -> (Result<Outcome, Error>, Vec<String>) {
    let driver = Driver::new(Counting::to(limit), mandate);
    let outcome = driver.pass(&ObjectRef::new("ns", name)).await;
    let log = driver.kind().log.lock().unwrap().clone();
    (outcome, log)
}

#[tokio::test]
async fn a_call_that_fails_keeps_no_other_from_being_made_and_fails_the_pass() {
    let (outcome, log) = pass(Some(2), "a", Mandate::unlimited()).await;
    assert_eq!(outcome, Err(Error::Word("zero")));
    let expected =
        ["answer", "write", "call 0", "call 1", "finish [Err(Word(\"zero\")), Ok(1)]", "failed true"];
    assert_eq!(log, expected);
}

#[tokio::test]
async fn a_resource_that_is_settled_is_not_planned() {
    let (outcome, log) = pass(Some(2), "gone", Mandate::unlimited()).await;
    assert_eq!((outcome, log), (Ok(Outcome::Done), Vec::new()));
}

#[tokio::test]
async fn a_plan_that_asks_for_ever_is_given_up() {
    let (outcome, log) = pass(None, "a", Mandate::unlimited()).await;
    assert_eq!(outcome, Err(Error::NeverComplete(NeverComplete)));
    assert_eq!(log.len(), ROUNDS + 1);
    assert_eq!(log.last().unwrap(), "failed false");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_carried_out_by_a_leader_that_could_not_renew_its_lease() {
    let mandate = Mandate::for_a_lease(Duration::from_secs(10), CancellationToken::new());
    tokio::time::advance(Duration::from_secs(10)).await;
    let (outcome, log) = pass(Some(2), "a", mandate).await;
    assert_eq!((outcome, log), (Err(Error::Lapsed(Lapsed)), vec!["answer".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_or_does_not_end_is_told_of_by_whoever_leads() {
    let interrupted = |name: &'static str, mandate: Mandate| async move {
        let driver = Arc::new(Driver::new(Counting::to(Some(0)), mandate));
        let key = ObjectRef::new("ns", name);
        let outcome = Arc::clone(&driver).pass_within(key, Duration::from_mins(1)).await;
        let log = driver.kind().log.lock().unwrap().clone();
        (outcome, log)
    };
    let (outcome, log) = interrupted("endless", Mandate::unlimited()).await;
    assert!(outcome.unwrap_err().contains("longer than 60 s"));
    assert_eq!(log, ["endless it took longer than 60 s and was stopped"]);
    let (outcome, log) = interrupted("faulty", Mandate::unlimited()).await;
    assert!(outcome.is_err() && log.len() == 1 && log[0].starts_with("faulty it was interrupted"), "{log:?}");
    let lapsed = Mandate::for_a_lease(Duration::from_secs(10), CancellationToken::new());
    let (outcome, log) = interrupted("endless", lapsed).await;
    assert!(outcome.is_err() && log.is_empty(), "another process leads: {log:?}");
    let (outcome, _) = interrupted("fine", Mandate::unlimited()).await;
    assert_eq!(outcome, Ok(Outcome::Done));
}
