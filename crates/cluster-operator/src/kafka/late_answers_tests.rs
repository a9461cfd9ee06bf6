use std::future::{pending, ready};

use super::*;

type Answer = Result<u32, Silence>;

fn away() -> Silence {
    Silence::new(SilenceKind::Unreachable, "away")
}

fn cluster() -> ObjectRef {
    ObjectRef::new("ns", "c")
}

fn asking() -> (Asking<u8, u32>, Queue<ObjectRef>) {
    let queue = Queue::new();
    (Asking::new(queue.clone()), queue)
}

async fn slow(takes: Duration, answer: Answer) -> Answer {
    tokio::time::sleep(takes).await;
    answer
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_comes_at_once_is_used_at_once() {
    let (asking, queue) = asking();
    assert_eq!(
        asking.answer(&cluster(), 0, &Patience::default(), slow(Duration::from_millis(50), Ok(1))).await.ok(),
        Some(1)
    );
    // The next pass asks again: nothing is kept.
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(2))).await.ok(), Some(2));
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pass_goes_on_without_a_slow_answer_which_then_brings_the_next_pass() {
    let (asking, queue) = asking();
    let began = Instant::now();
    assert_eq!(
        asking.answer(&cluster(), 0, &Patience::default(), slow(Duration::from_secs(5), Ok(1))).await.ok(),
        None
    );
    assert!(began.elapsed() < Duration::from_secs(1));
    // Passes meanwhile ask nothing and do not wait at all.
    let before = Instant::now();
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(9))).await.ok(), None);
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(queue.next().await, Some(cluster()));
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), pending::<Answer>()).await.ok(), Some(1));
    // It was used once.
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(2))).await.ok(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_is_not_used() {
    let (asking, queue) = asking();
    assert_eq!(
        asking.answer(&cluster(), 0, &Patience::default(), slow(Duration::from_secs(1), Ok(1))).await.ok(),
        None
    );
    queue.next().await;
    tokio::time::sleep(FRESH).await;
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(2))).await.ok(), Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_slow_kafka_gets_both_questions_answered() {
    let queue = Queue::new();
    let (views, configs) = (Asking::<u8, u32>::new(queue.clone()), Asking::<u8, u32>::second(queue.clone()));
    // Slower than a pass waits, and than an answer stays fresh.
    let question = |answer| slow(FRESH * 5, Ok(answer));
    let mut both = None;
    for _ in 0..4 {
        if let Ok(view) = views.answer(&cluster(), 0, &Patience::default(), question(1)).await {
            both = configs
                .answer(&cluster(), 0, &Patience::default(), question(2))
                .await
                .ok()
                .map(|configs| (view, configs));
        }
        if both.is_some() {
            break;
        }
        queue.next().await;
        queue.done(&cluster());
    }
    assert_eq!(both, Some((1, 2)));
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_not_repeated_at_once_and_brings_another_pass() {
    let (asking, queue) = asking();
    let failure = || ready(Answer::Err(away()));
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), failure()).await.ok(), None);
    let failed = Instant::now();
    assert_eq!(
        asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(1))).await.ok(),
        None,
        "not asked so soon"
    );
    assert_eq!(queue.next().await, Some(cluster()));
    assert_eq!(failed.elapsed(), PAUSE.0);
    queue.done(&cluster());
    // Ever more seldom.
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), failure()).await.ok(), None);
    let failed = Instant::now();
    queue.next().await;
    assert_eq!(failed.elapsed(), PAUSE.0 * 2);
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(1))).await.ok(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_never_answered_ends() {
    let (asking, queue) = asking();
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), pending::<Answer>()).await.ok(), None);
    queue.next().await;
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(1))).await.ok(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn one_cluster_does_not_keep_another_waiting() {
    let (asking, _) = asking();
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), pending::<Answer>()).await.ok(), None);
    assert_eq!(
        asking.answer(&ObjectRef::new("ns", "d"), 0, &Patience::default(), ready(Answer::Ok(1))).await.ok(),
        Some(1)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_forgotten_is_asked_anew() {
    let (asking, _) = asking();
    assert_eq!(
        asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Err(away()))).await.ok(),
        None
    );
    asking.forget(&cluster());
    assert_eq!(asking.answer(&cluster(), 0, &Patience::default(), ready(Answer::Ok(1))).await.ok(), Some(1));
}

#[tokio::test(start_paused = true)]
async fn an_answer_or_a_failure_counts_only_for_its_own_question() {
    let (asking, queue) = asking();
    // It is about pods of which one was replaced meanwhile.
    assert_eq!(
        asking.answer(&cluster(), 1, &Patience::default(), slow(Duration::from_secs(1), Ok(1))).await.ok(),
        None
    );
    queue.next().await;
    assert_eq!(asking.answer(&cluster(), 2, &Patience::default(), ready(Answer::Ok(2))).await.ok(), Some(2));
    assert_eq!(
        asking.answer(&cluster(), 1, &Patience::default(), ready(Answer::Ok(3))).await.ok(),
        Some(3),
        "the late one is gone"
    );
    // A question under way about something else is not waited for.
    assert_eq!(asking.answer(&cluster(), 1, &Patience::default(), pending::<Answer>()).await.ok(), None);
    assert_eq!(asking.answer(&cluster(), 2, &Patience::default(), ready(Answer::Ok(4))).await.ok(), Some(4));
    assert_eq!(
        asking.answer(&cluster(), 1, &Patience::default(), ready(Answer::Err(away()))).await.ok(),
        None
    );
    assert_eq!(asking.answer(&cluster(), 2, &Patience::default(), ready(Answer::Ok(5))).await.ok(), Some(5));
}

#[tokio::test(start_paused = true)]
async fn why_there_is_no_answer_is_known_until_there_is_one() {
    let (asking, _) = asking();
    let slow_failure = slow(Duration::from_secs(5), Err(away()));
    let yet = asking.answer(&cluster(), 0, &Patience::default(), slow_failure).await.unwrap_err();
    assert_eq!((yet.kind, yet.why.as_str()), (SilenceKind::UnderWay, "Kafka has not answered yet"));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(
        asking.answer(&cluster(), 0, &Patience::default(), pending::<Answer>()).await,
        Err(away()),
        "not asked so soon"
    );
    tokio::time::sleep(PAUSE.0).await;
    assert_eq!(
        asking.answer(&cluster(), 0, &Patience::default(), pending::<Answer>()).await,
        Err(away()),
        "asked again"
    );
}

#[tokio::test(start_paused = true)]
async fn a_pass_waits_once_for_a_kafka_that_does_not_answer_however_much_it_asks() {
    let queue = Queue::new();
    let (views, replicas) = (Asking::<u8, u32>::new(queue.clone()), Asking::<u8, u32>::second(queue.clone()));
    let (patience, began) = (Patience::default(), Instant::now());
    for number in 0..3 {
        assert!(views.answer(&cluster(), number, &patience, pending::<Answer>()).await.is_err());
        assert!(replicas.answer(&cluster(), number, &patience, pending::<Answer>()).await.is_err());
    }
    assert_eq!(began.elapsed(), WAIT);
    // What waits no more is asked all the same, and brings the next pass.
    let slow = slow(Duration::from_millis(1), Ok(7));
    assert!(views.answer(&cluster(), 9, &patience, slow).await.is_err());
    assert_eq!(queue.next().await, Some(cluster()));
    assert_eq!(views.answer(&cluster(), 9, &Patience::default(), pending::<Answer>()).await, Ok(7));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_takes_its_time_is_no_trouble_before_its_time_is_over() {
    let (asking, queue) = asking();
    let silence = async || {
        let asked = asking.answer(&cluster(), 0, &Patience::default(), pending::<Answer>()).await;
        asked.unwrap_err().kind
    };
    assert_eq!(silence().await, SilenceKind::UnderWay);
    assert_eq!(silence().await, SilenceKind::UnderWay, "the same question goes on");
    tokio::time::sleep(USUAL).await;
    assert_eq!(silence().await, SilenceKind::Late, "it takes unusually long");
    assert_eq!(queue.next().await, Some(cluster()));
    assert_eq!(silence().await, SilenceKind::Late, "there was none in time");
}
