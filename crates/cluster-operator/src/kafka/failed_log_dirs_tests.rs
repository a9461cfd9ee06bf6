use std::sync::atomic::{AtomicUsize, Ordering};

use kafka_admin::KafkaError;

use super::*;

const PATH: &str = "/var/lib/kafka/data-1/kafka-log1";

fn dir(path: &str, code: Option<ErrorCode>) -> LogDir {
    LogDir {
        path: path.to_owned(),
        error: code.map(|code| KafkaError::new(code, "")),
        total_bytes: None,
        usable_bytes: None,
        replicas: BTreeMap::new(),
    }
}

fn broken() -> Vec<LogDir> {
    vec![dir("/var/lib/kafka/data-0/kafka-log1", None), dir(PATH, Some(ErrorCode::KAFKA_STORAGE_ERROR))]
}

/// What is known of one cluster, and how often brokers were asked.
struct Asked {
    memory: FailedLogDirMemory,
    queue: Queue<ObjectRef>,
    key: ObjectRef,
    times: Arc<AtomicUsize>,
}

impl Asked {
    fn new() -> Self {
        let queue = Queue::default();
        let (memory, key) = (FailedLogDirMemory::new(&queue), ObjectRef::new("ns", "c"));
        Self { memory, queue, key, times: Arc::default() }
    }

    /// A pass while the brokers with these starts are ready, and answer so after this time.
    async fn pass(
        &self,
        brokers: &[(i32, &str)],
        after: Duration,
        answer: impl Fn(i32) -> Result<Vec<LogDir>, AdminError> + Clone + Send + Sync + 'static,
    ) -> FailedLogDirs {
        let brokers = brokers.iter().map(|(id, start)| (*id, (*start).to_owned())).collect();
        let times = Arc::clone(&self.times);
        let ask = move |due: Vec<i32>| {
            times.fetch_add(due.len(), Ordering::Relaxed);
            stream::iter(due).then(move |id| {
                let answer = answer(id);
                async move {
                    tokio::time::sleep(after).await;
                    (id, answer)
                }
            })
        };
        self.memory.known_failures(&self.key, &brokers, &Patience::default(), ask).await
    }

    fn times(&self) -> usize {
        self.times.load(Ordering::Relaxed)
    }
}

fn silent(id: i32) -> Result<Vec<LogDir>, AdminError> {
    Err(AdminError::UnknownNode(id))
}

fn told() -> FailedLogDirs {
    [(1, BTreeSet::from([PATH.to_owned()]))].into()
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_said_counts_until_it_says_something_else_or_starts_anew() {
    let asked = Asked::new();
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(broken())).await, told());
    // A minute has not passed.
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await, told());
    assert_eq!(asked.times(), 1);
    // It does not answer.
    tokio::time::advance(SHORTEST_PAUSE).await;
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, silent).await, told());
    assert_eq!(asked.times(), 2);
    tokio::time::advance(SHORTEST_PAUSE).await;
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await, FailedLogDirs::new());
    assert_eq!(
        asked.pass(&[(1, "b")], Duration::ZERO, |_| Ok(broken())).await,
        told(),
        "it is asked at once"
    );
    assert_eq!(asked.pass(&[(1, "c")], Duration::ZERO, silent).await, FailedLogDirs::new());
    asked.memory.forget(&asked.key);
    assert!(lock(&asked.memory.known).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_answer_is_asked_more_and_more_seldom_also_when_it_is_not_ready_for_moments() {
    for period in 2..=8 {
        let asked = Asked::new();
        for minute in 0..6 * 60 {
            // Another broker is there, which was asked a moment ago.
            let brokers: &[_] = if minute % period == 0 { &[(0, "a")] } else { &[(0, "a"), (1, "a")] };
            asked.pass(brokers, Duration::ZERO, |id| if id == 1 { silent(1) } else { Ok(Vec::new()) }).await;
            tokio::time::advance(Duration::from_mins(1)).await;
        }
        // After 1, 2, 4, 8, 16 and 32 minutes, and then every hour or so.
        let times = asked.times() - 6 * 60;
        assert!((9..=13).contains(&times), "{times} times, not ready every {period} minutes");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_answers_at_last_is_asked_as_often_as_any_other() {
    let asked = Asked::new();
    let minutes = async |count: u64| tokio::time::advance(Duration::from_mins(count)).await;
    for _ in 0..6 {
        asked.pass(&[(1, "a")], Duration::ZERO, silent).await;
        minutes(60).await;
    }
    asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await;
    for _ in 0..5 {
        minutes(1).await;
        asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await;
    }
    assert_eq!(asked.times(), 6 + 1 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_pass_does_not_wait_for_a_disk_that_hangs_and_late_news_bring_another_one() {
    let asked = Asked::new();
    let began = Instant::now();
    let answer = |id: i32| if id == 1 { Ok(broken()) } else { Ok(Vec::new()) };
    assert_eq!(asked.pass(&[(0, "a"), (1, "a")], Duration::from_secs(3), answer).await, FailedLogDirs::new());
    assert!(began.elapsed() < Duration::from_secs(1));
    assert_eq!(asked.queue.next().await.as_ref(), Some(&asked.key));
    assert_eq!(asked.pass(&[(0, "a"), (1, "a")], Duration::ZERO, silent).await, told());
    assert_eq!(asked.times(), 2);
}

#[test]
fn only_errors_of_the_storage_count_and_few_of_them() {
    let code = Some(ErrorCode::KAFKA_STORAGE_ERROR);
    let others = [None, Some(ErrorCode::UNKNOWN_SERVER_ERROR)].map(|code| dir("/a", code));
    assert!(
        failed_paths(&others).is_empty()
            && failed_paths(&[dir(&"x".repeat(LONGEST_PATH + 1), code)]).is_empty()
    );
    let many: Vec<LogDir> = (0..5000).map(|number| dir(&format!("/{number}"), code)).collect();
    assert_eq!(failed_paths(&many).len(), MOST_LOG_DIRS);
}
