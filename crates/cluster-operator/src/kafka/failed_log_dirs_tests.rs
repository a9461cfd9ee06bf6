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
        answer: impl Fn(i32) -> Result<Vec<LogDir>, NoAnswer> + Clone + Send + Sync + 'static,
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

fn silent(id: i32) -> Result<Vec<LogDir>, NoAnswer> {
    Err(NoAnswer::Silent(AdminError::UnknownNode(id)))
}

/// What broker 1 says: these paths, or nothing yet.
fn told(paths: Option<&[&str]>) -> FailedLogDirs {
    let paths = paths.map(|paths| paths.iter().map(|path| (*path).to_owned()).collect());
    [(1, LogDirFailures { paths, is_silent: false })].into()
}

#[tokio::test(start_paused = true)]
async fn what_a_broker_said_counts_until_it_says_something_else_or_starts_anew() {
    let asked = Asked::new();
    let failed = told(Some(&[PATH]));
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(broken())).await, failed);
    // A minute has not passed.
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await, failed);
    assert_eq!(asked.times(), 1);
    // It does not answer.
    tokio::time::advance(PAUSE).await;
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, silent).await, failed);
    assert_eq!(asked.times(), 2);
    tokio::time::advance(PAUSE).await;
    assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await, told(Some(&[])));
    assert_eq!(
        asked.pass(&[(1, "b")], Duration::ZERO, |_| Ok(broken())).await,
        failed,
        "it is asked at once"
    );
    assert_eq!(asked.pass(&[(1, "c")], Duration::ZERO, silent).await, told(None));
    asked.memory.forget(&asked.key);
    assert!(lock(&asked.memory.known).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_does_not_answer_is_asked_three_times_for_each_start_also_when_it_is_not_ready_for_moments()
 {
    for period in 2..=8 {
        let asked = Asked::new();
        for (start, times) in [("a", 3), ("b", 6)] {
            for minute in 0..6 * 60 {
                // Another broker is there all the time.
                let brokers: &[_] = if minute % period == 0 { &[(0, "a")] } else { &[(0, "a"), (1, start)] };
                asked
                    .pass(brokers, Duration::ZERO, |id| if id == 1 { silent(1) } else { Ok(Vec::new()) })
                    .await;
                tokio::time::advance(PAUSE).await;
            }
            let of_other = if start == "a" { 6 * 60 } else { 2 * 6 * 60 };
            assert_eq!(asked.times() - of_other, times, "not ready every {period} minutes");
        }
        let last = asked.pass(&[(0, "a"), (1, "b")], Duration::ZERO, |_| Ok(Vec::new())).await;
        assert!(last[&1].is_silent && last[&1].paths.is_none() && !last[&0].is_silent, "{last:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_cannot_be_reached_counts_as_silent_no_time() {
    let asked = Asked::new();
    let away = |id: i32| Err(NoAnswer::NotAsked(AdminError::UnknownNode(id)));
    for _ in 0..60 {
        assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, away).await, told(None));
        tokio::time::advance(PAUSE).await;
    }
    assert_eq!(asked.times(), 60);
}

#[tokio::test(start_paused = true)]
async fn a_broker_that_answers_at_last_is_asked_as_often_as_any_other() {
    let asked = Asked::new();
    for _ in 0..2 {
        asked.pass(&[(1, "a")], Duration::ZERO, silent).await;
        tokio::time::advance(Duration::from_mins(30)).await;
    }
    asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await;
    for _ in 0..5 {
        tokio::time::advance(PAUSE).await;
        asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(Vec::new())).await;
    }
    assert_eq!(asked.times(), 2 + 1 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_pass_does_not_wait_for_a_disk_that_hangs_and_late_news_bring_another_one() {
    let asked = Asked::new();
    let began = Instant::now();
    let answer = |id: i32| if id == 1 { Ok(broken()) } else { Ok(Vec::new()) };
    let brokers = [(0, "a"), (1, "a")];
    let early = asked.pass(&brokers, Duration::from_secs(3), answer).await;
    assert!(early.values().all(|told| *told == LogDirFailures::default()), "{early:?}");
    assert!(began.elapsed() < Duration::from_millis(200));
    assert_eq!(asked.queue.next().await.as_ref(), Some(&asked.key));
    let late = asked.pass(&brokers, Duration::ZERO, silent).await;
    assert_eq!(late[&1], told(Some(&[PATH]))[&1]);
    assert_eq!(asked.times(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_question_that_takes_long_is_not_asked_again_meanwhile_and_ends_with_its_cluster() {
    let asked = Asked::new();
    let places = asked.memory.places.clone();
    // The brokers of other clusters take their time.
    let all = places.acquire_many(u32::try_from(CLUSTERS_AT_A_TIME).unwrap()).await.unwrap();
    for _ in 0..5 {
        assert_eq!(asked.pass(&[(1, "a")], Duration::ZERO, |_| Ok(broken())).await, told(None));
        tokio::time::advance(PAUSE).await;
    }
    assert_eq!(asked.times(), 1);
    drop(all);
    assert_eq!(asked.queue.next().await.as_ref(), Some(&asked.key));
    assert_eq!(
        asked.pass(&[(1, "a")], Duration::from_secs(20), |_| Ok(Vec::new())).await,
        told(Some(&[PATH]))
    );
    asked.memory.forget(&asked.key);
    // Its place is free again, before an answer came.
    let began = Instant::now();
    drop(places.acquire_many(u32::try_from(CLUSTERS_AT_A_TIME).unwrap()).await.unwrap());
    assert!(began.elapsed() < Duration::from_secs(1));
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
