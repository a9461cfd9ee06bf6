use std::future::{pending, ready};

use super::*;

type Answer = Result<u32, String>;

fn cluster() -> ObjectRef {
    ObjectRef::new("ns", "c")
}

fn asking() -> (Asking<u32>, Queue<ObjectRef>) {
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
    assert_eq!(asking.answer(&cluster(), slow(Duration::from_millis(50), Ok(1))).await, Some(1));
    // The next pass asks again: nothing is kept.
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(2))).await, Some(2));
    assert!(queue.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pass_goes_on_without_a_slow_answer_which_then_brings_the_next_pass() {
    let (asking, queue) = asking();
    let began = Instant::now();
    assert_eq!(asking.answer(&cluster(), slow(Duration::from_secs(5), Ok(1))).await, None);
    assert!(began.elapsed() < Duration::from_secs(1));
    // Passes meanwhile ask nothing and do not wait at all.
    let before = Instant::now();
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(9))).await, None);
    assert_eq!(before.elapsed(), Duration::ZERO);
    assert_eq!(queue.next().await, Some(cluster()));
    assert_eq!(began.elapsed().as_secs(), 5);
    assert_eq!(asking.answer(&cluster(), pending::<Answer>()).await, Some(1));
    // It was used once.
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(2))).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_is_not_used() {
    let (asking, queue) = asking();
    assert_eq!(asking.answer(&cluster(), slow(Duration::from_secs(1), Ok(1))).await, None);
    queue.next().await;
    tokio::time::sleep(FRESH).await;
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(2))).await, Some(2));
}

#[tokio::test(start_paused = true)]
async fn a_slow_kafka_gets_both_questions_answered() {
    let queue = Queue::new();
    let (views, configs) = (Asking::new(queue.clone()), Asking::second(queue.clone()));
    // Slower than a pass waits, and than an answer stays fresh.
    let question = |answer| slow(FRESH * 5, Ok(answer));
    let mut both = None;
    for _ in 0..4 {
        if let Some(view) = views.answer(&cluster(), question(1)).await {
            both = configs.answer(&cluster(), question(2)).await.map(|configs| (view, configs));
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
    let failure = || ready(Answer::Err("away".to_owned()));
    assert_eq!(asking.answer(&cluster(), failure()).await, None);
    let failed = Instant::now();
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(1))).await, None, "not asked so soon");
    assert_eq!(queue.next().await, Some(cluster()));
    assert_eq!(failed.elapsed(), PAUSE.0);
    queue.done(&cluster());
    // Ever more seldom.
    assert_eq!(asking.answer(&cluster(), failure()).await, None);
    let failed = Instant::now();
    queue.next().await;
    assert_eq!(failed.elapsed(), PAUSE.0 * 2);
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(1))).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_question_that_is_never_answered_ends() {
    let (asking, queue) = asking();
    assert_eq!(asking.answer(&cluster(), pending::<Answer>()).await, None);
    queue.next().await;
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(1))).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn one_cluster_does_not_keep_another_waiting() {
    let (asking, _) = asking();
    assert_eq!(asking.answer(&cluster(), pending::<Answer>()).await, None);
    assert_eq!(asking.answer(&ObjectRef::new("ns", "d"), ready(Answer::Ok(1))).await, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_cluster_that_is_forgotten_is_asked_anew() {
    let (asking, _) = asking();
    assert_eq!(asking.answer(&cluster(), ready(Answer::Err("away".to_owned()))).await, None);
    asking.forget(&cluster());
    assert_eq!(asking.answer(&cluster(), ready(Answer::Ok(1))).await, Some(1));
}
