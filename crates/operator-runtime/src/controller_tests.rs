use std::sync::{Arc, Mutex};

use super::*;

type Log = Arc<Mutex<Vec<String>>>;

fn controller(queue: &Queue<String>) -> Controller<String> {
    Controller::new("Test", queue.clone()).concurrency(4).deadline(Duration::from_secs(30))
}

/// Runs the pass function until the log has `count` lines.
async fn run<Fut>(
    queue: Queue<String>,
    count: usize,
    pass: impl Fn(String) -> Fut + Send + Sync + 'static,
) -> Vec<String>
where
    Fut: Future<Output = (String, Result<Outcome, String>)> + Send + 'static,
{
    let log = Log::default();
    let shutdown = CancellationToken::new();
    let (stop, lines) = (shutdown.clone(), Arc::clone(&log));
    let work = controller(&queue).run(shutdown, move |key| {
        let (lines, stop, future) = (Arc::clone(&lines), stop.clone(), pass(key));
        async move {
            let (line, result) = future.await;
            let mut lines = lines.lock().unwrap();
            lines.push(line);
            if lines.len() >= count {
                stop.cancel();
            }
            result
        }
    });
    work.await;
    log.lock().unwrap().clone()
}

/// Runs the batch function until it has been called `count` times and the last call has ended; each line is a batch.
async fn run_batches<Fut>(
    controller: Controller<String>,
    count: usize,
    work: impl Fn(Vec<String>) -> Fut + Send + Sync + 'static,
) -> Vec<String>
where
    Fut: Future<Output = Said<String, String>> + Send + 'static,
{
    let log = Log::default();
    let shutdown = CancellationToken::new();
    let (stop, lines) = (shutdown.clone(), Arc::clone(&log));
    let running = controller.run_batches(shutdown, move |keys| {
        let (stop, lines) = (stop.clone(), Arc::clone(&lines));
        lines.lock().unwrap().push(keys.join(" "));
        let work = work(keys);
        async move {
            let said = work.await;
            if lines.lock().unwrap().len() >= count {
                stop.cancel();
            }
            said
        }
    });
    running.await;
    log.lock().unwrap().clone()
}

fn done(keys: Vec<String>) -> Said<String, String> {
    keys.into_iter().map(|key| (key, Ok(Outcome::Done))).collect()
}

fn queue_of(keys: &[&str]) -> Queue<String> {
    let queue = Queue::new();
    for key in keys {
        queue.add((*key).to_owned());
    }
    queue
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_panics_hangs_or_fails_does_not_stop_the_others() {
    let log = run(queue_of(&["panics", "hangs", "fails", "works"]), 2, |key| async move {
        match key.as_str() {
            "panics" => panic!("as the test wants it"),
            "hangs" => std::future::pending().await,
            "fails" => (key, Err("no".to_owned())),
            _ => (key, Ok(Outcome::Done)),
        }
    });
    assert_eq!(log.await, ["fails", "works"]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_that_hangs_is_ended_and_repeated() {
    let first = Mutex::new(true);
    let log = run(queue_of(&["k"]), 1, move |key| {
        let hang = std::mem::take(&mut *first.lock().unwrap());
        async move {
            if hang {
                std::future::pending::<()>().await;
            }
            (key, Ok(Outcome::Done))
        }
    });
    assert_eq!(log.await, ["k"]);
}

#[tokio::test(start_paused = true)]
async fn a_pass_can_ask_to_be_called_again_later() {
    let began = tokio::time::Instant::now();
    let log = run(queue_of(&["k"]), 3, move |_| async move {
        (began.elapsed().as_secs().to_string(), Ok(Outcome::Again(Duration::from_mins(1))))
    });
    assert_eq!(log.await, ["0", "60", "120"]);
}

#[tokio::test(start_paused = true)]
async fn keys_are_gathered_into_batches_of_a_bounded_size() {
    let controller =
        controller(&queue_of(&["a", "b", "c"])).concurrency(1).gather(2, Duration::from_millis(15));
    let log = run_batches(controller, 2, |keys| async move { done(keys) });
    assert_eq!(log.await, ["a b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn no_more_batches_run_at_once_than_are_allowed() {
    let (running, most) = (Arc::new(Mutex::new(0_usize)), Arc::new(Mutex::new(0_usize)));
    let keys: Vec<String> = (0..10).map(|key| key.to_string()).collect();
    let queue = queue_of(&keys.iter().map(String::as_str).collect::<Vec<_>>());
    let seen = Arc::clone(&most);
    let log = run_batches(controller(&queue).concurrency(3), 10, move |keys| {
        let (running, seen) = (Arc::clone(&running), Arc::clone(&seen));
        async move {
            {
                let (mut running, mut seen) = (running.lock().unwrap(), seen.lock().unwrap());
                *running += 1;
                *seen = (*seen).max(*running);
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            *running.lock().unwrap() -= 1;
            done(keys)
        }
    });
    assert_eq!(log.await.len(), 10);
    assert_eq!(*most.lock().unwrap(), 3);
}

#[tokio::test(start_paused = true)]
async fn of_a_batch_that_breaks_off_half_way_each_key_is_worked_on_alone_and_only_the_bad_one_again() {
    let controller = controller(&queue_of(&["a", "bad", "c"])).gather(9, Duration::ZERO);
    let tries = Mutex::new(0);
    let log = run_batches(controller, 5, move |keys| {
        let mut tries = tries.lock().unwrap();
        *tries += usize::from(keys.contains(&"bad".to_owned()));
        let breaks_off = keys.contains(&"bad".to_owned()) && *tries < 3;
        async move {
            assert!(!breaks_off, "as the test wants it");
            done(keys)
        }
    });
    assert_eq!(log.await, ["a bad c", "a", "bad", "c", "bad"]);
}

#[tokio::test(start_paused = true)]
async fn a_key_whose_answer_never_comes_is_worked_on_again_and_keeps_no_other_waiting() {
    let queue = queue_of(&["hangs", "b"]);
    let late = queue.clone();
    let controller = controller(&queue).concurrency(1).gather(9, Duration::ZERO);
    let log = run_batches(controller, 5, move |keys| {
        let late = late.clone();
        async move {
            if keys.contains(&"hangs".to_owned()) {
                late.add("new".to_owned());
                std::future::pending::<()>().await;
            }
            done(keys)
        }
    });
    let lines = log.await;
    // A batch of both keys, a batch for each key alone; then the key that was added meanwhile, and the key that hangs again.
    assert_eq!(lines[..3], ["hangs b", "hangs", "b"]);
    assert!(lines[3..].iter().any(|line| line.contains("new")), "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_left_out_of_the_answer_is_worked_on_again() {
    let log =
        run_batches(controller(&queue_of(&["a", "b"])).gather(9, Duration::ZERO), 2, |keys| async move {
            done(keys.into_iter().filter(|key| key == "a").collect())
        });
    assert_eq!(log.await, ["a b", "b"]);
}

#[tokio::test(start_paused = true)]
async fn what_failed_and_has_said_so_is_worked_on_again_with_back_off() {
    let began = tokio::time::Instant::now();
    let times = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&times);
    let log = run_batches(controller(&queue_of(&["k"])), 3, move |keys| {
        seen.lock().unwrap().push(began.elapsed());
        async move { keys.into_iter().map(|key| (key, Ok(Outcome::Retry))).collect() }
    });
    log.await;
    let times = times.lock().unwrap();
    let least = crate::queue::FIRST_BACKOFF / 2;
    assert!(times[1] >= least && times[2] >= times[1] + least, "{times:?}");
}
