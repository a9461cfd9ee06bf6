use super::*;

#[tokio::test(start_paused = true)]
async fn a_key_waits_once_and_runs_again_when_it_changed_meanwhile() {
    let queue = Queue::new();
    assert!(queue.add("a"));
    assert!(!queue.add("a"));
    assert_eq!(queue.next().await, Some("a"));
    assert!(queue.add("a"), "it changed during its pass");
    assert_eq!(queue.len(), 0, "one pass at a time");
    queue.done(&"a");
    assert_eq!(queue.next().await, Some("a"));
    queue.done(&"a");
    assert!(queue.is_empty() && queue.running() == 0);
}

#[tokio::test(start_paused = true)]
async fn changes_go_before_periodic_work() {
    let queue = Queue::new();
    for key in ["r1", "r2", "r3"] {
        queue.add_resync(key);
    }
    queue.add("new");
    queue.add("r3");
    let mut order = Vec::new();
    for _ in 0..4 {
        let (key, priority) = queue.next_with_priority().await.unwrap();
        order.push((key, priority == Priority::Change));
    }
    assert_eq!(order, [("new", true), ("r3", true), ("r1", false), ("r2", false)]);
}

#[tokio::test(start_paused = true)]
async fn of_two_reminders_the_earlier_one_counts() {
    let queue = Queue::new();
    let began = Instant::now();
    queue.add_after("a", Duration::from_mins(1));
    queue.add_after("a", Duration::from_secs(5));
    queue.add_after("a", Duration::from_secs(30));
    assert_eq!(queue.next().await, Some("a"));
    assert_eq!(began.elapsed().as_secs(), 5);
    queue.done(&"a");
    let later = tokio::time::timeout(Duration::from_mins(2), queue.next()).await;
    assert!(later.is_err(), "the other reminders are gone");
}

#[tokio::test(start_paused = true)]
async fn failures_are_repeated_ever_later_and_a_success_starts_over() {
    let queue = Queue::new();
    queue.add("a");
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let key = queue.next().await.unwrap();
        pauses.push(queue.failed(&key));
    }
    for (index, pause) in pauses.iter().enumerate() {
        let full = FIRST_BACKOFF.saturating_mul(1 << index).min(LONGEST_BACKOFF);
        assert!(*pause >= full / 2 && *pause <= full, "{index}: {pause:?}");
    }
    let key = queue.next().await.unwrap();
    queue.done(&key);
    queue.add("a");
    let key = queue.next().await.unwrap();
    assert!(queue.failed(&key) <= FIRST_BACKOFF);
}

#[tokio::test(start_paused = true)]
async fn a_change_does_not_wait_for_the_back_off() {
    let queue = Queue::new();
    queue.add("a");
    let key = queue.next().await.unwrap();
    queue.failed(&key);
    let began = Instant::now();
    queue.add("a");
    assert_eq!(queue.next().await, Some("a"));
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_batch_lingers_for_more_and_is_bounded() {
    let queue = Queue::new();
    queue.add(0);
    let producer = queue.clone();
    tokio::spawn(async move {
        for key in 1..10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
            producer.add(key);
        }
    });
    let batch = queue.take_batch(100, Duration::from_millis(55)).await;
    assert_eq!(batch, [0, 1, 2, 3, 4, 5]);
    let rest = queue.take_batch(2, Duration::from_millis(100)).await;
    assert_eq!(rest, [6, 7]);
    batch.iter().chain(&rest).for_each(|key| queue.done(key));
    assert_eq!(queue.running(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_full_batch_does_not_linger() {
    let queue = Queue::new();
    (0..5).for_each(|key| {
        queue.add(key);
    });
    let began = Instant::now();
    assert_eq!(queue.take_batch(5, Duration::from_secs(1)).await.len(), 5);
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test]
async fn many_workers_do_every_key_once_and_none_twice_at_a_time() {
    use std::collections::HashSet;
    let queue: Queue<u32> = Queue::new();
    let busy = Arc::new(Mutex::new(HashSet::new()));
    let seen = Arc::new(Mutex::new(HashSet::new()));
    let workers: Vec<_> = (0..8)
        .map(|_| {
            let (queue, busy, seen) = (queue.clone(), Arc::clone(&busy), Arc::clone(&seen));
            tokio::spawn(async move {
                while let Some(key) = queue.next().await {
                    assert!(busy.lock().unwrap().insert(key), "two passes of {key} at once");
                    tokio::task::yield_now().await;
                    busy.lock().unwrap().remove(&key);
                    queue.done(&key);
                    let all = {
                        let mut seen = seen.lock().unwrap();
                        seen.insert(key);
                        seen.len() == 500
                    };
                    if all {
                        queue.close();
                    }
                }
            })
        })
        .collect();
    for round in 0..3 {
        for key in 0..500 {
            if round == 1 {
                queue.add_resync(key)
            } else {
                queue.add(key)
            };
        }
        tokio::task::yield_now().await;
    }
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(seen.lock().unwrap().len(), 500);
}

#[tokio::test(start_paused = true)]
async fn periodic_work_is_spread_over_the_interval() {
    let queue: Queue<u32> = Queue::new();
    let shutdown = CancellationToken::new();
    let times = Arc::new(Mutex::new(Vec::new()));
    let began = Instant::now();
    let (resync, log) = (queue.clone(), Arc::clone(&times));
    let minute = Duration::from_mins(1);
    let stop = shutdown.clone();
    let task = tokio::spawn(async move {
        let note = move |_: &u32| log.lock().unwrap().push(began.elapsed().as_secs());
        resync.resync_every(minute * 2, minute, stop, || (0..6).collect(), note).await;
    });
    tokio::time::sleep(minute * 7 / 2).await;
    shutdown.cancel();
    task.await.unwrap();
    let times = times.lock().unwrap().clone();
    assert_eq!(times, [120, 130, 140, 150, 160, 170]);
    assert_eq!(queue.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_nobody_waits_for_any_more_loses_no_key() {
    let queue = Queue::new();
    queue.add("a");
    queue.add("b");
    let dropped = tokio::time::timeout(Duration::from_secs(1), queue.take_batch(9, Duration::from_mins(1)));
    assert!(dropped.await.is_err());
    assert_eq!(queue.running(), 0);
    assert_eq!(queue.take_batch(9, Duration::ZERO).await, ["a", "b"]);
}
