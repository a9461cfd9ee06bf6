//! The bounds of the client, against a server of a few lines.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use connect_client::{AnswerRoom, Connect, ConnectConfig, ConnectError, Restart};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What the server saw.
#[derive(Default)]
struct Seen {
    connections: AtomicUsize,
    under_way: AtomicUsize,
    most: AtomicUsize,
    last: std::sync::Mutex<String>,
}

/// Answers every request with this, after a pause.
async fn serve(answer: &'static str, pause: Duration) -> (String, Arc<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Arc::new(Seen::default());
    let noting = Arc::clone(&seen);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            noting.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(converse(stream, answer, pause, Arc::clone(&noting)));
        }
    });
    (address, seen)
}

async fn converse(mut stream: TcpStream, answer: &'static str, pause: Duration, seen: Arc<Seen>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read) = stream.read(&mut buffer).await {
        if read == 0 {
            return;
        }
        let request = String::from_utf8_lossy(&buffer[..read]).into_owned();
        request.lines().next().unwrap_or_default().clone_into(&mut seen.last.lock().unwrap());
        let now = seen.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        seen.most.fetch_max(now, Ordering::SeqCst);
        tokio::time::sleep(pause).await;
        seen.under_way.fetch_sub(1, Ordering::SeqCst);
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

const EMPTY: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";

#[tokio::test]
async fn connections_are_used_again_and_no_more_requests_are_under_way_than_there_may_be() {
    let (address, seen) = serve(EMPTY, Duration::from_millis(30)).await;
    let connect = Connect::new(ConnectConfig::new(address).with_at_once(3));
    let calls = (0..12).map(|_| {
        let connect = connect.clone();
        tokio::spawn(async move { connect.connectors().await.unwrap() })
    });
    for call in calls.collect::<Vec<_>>() {
        assert!(call.await.unwrap().is_empty());
    }
    assert_eq!(seen.most.load(Ordering::SeqCst), 3);
    assert!(seen.connections.load(Ordering::SeqCst) <= 4);
}

#[tokio::test]
async fn a_worker_that_says_nothing_is_late_and_one_that_is_not_there_cannot_be_reached() {
    let (address, _) = serve(EMPTY, Duration::from_mins(1)).await;
    let connect = Connect::new(ConnectConfig::new(address).with_deadline(Duration::from_millis(200)));
    let late = connect.connectors().await.unwrap_err();
    assert!(matches!(late, ConnectError::Late { .. }) && late.is_silence(), "{late}");
    let nowhere = Connect::new(ConnectConfig::new("127.0.0.1:1")).topics("a").await.unwrap_err();
    assert!(matches!(nowhere, ConnectError::Unreachable { .. }) && nowhere.is_silence());
    let words = nowhere.to_string();
    assert!(words.contains("topics of connector 'a'") && words.contains("127.0.0.1:1"), "{words}");
    assert!(words.contains("refused"), "{words}");
}

#[tokio::test]
async fn a_long_answer_is_not_read_and_what_is_none_says_nothing_of_its_text() {
    let long = "HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n{\"a";
    let (address, _) = serve(long, Duration::ZERO).await;
    let connect = Connect::new(ConnectConfig::new(address).with_longest_answer(1000));
    let error = connect.connectors().await.unwrap_err();
    assert!(matches!(error, ConnectError::TooLong { limit: 1000, .. }), "{error}");
    let (address, _) = serve("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{\"hunter2", Duration::ZERO).await;
    let error = Connect::new(ConnectConfig::new(address)).connectors().await.unwrap_err();
    assert!(matches!(error, ConnectError::Malformed { .. }), "{error}");
    assert!(!error.to_string().contains("hunter"), "{error}");
}

/// Answers as a worker that wants to do harm: short, and of very many items.
fn dense(item: &str, count: usize) -> &'static str {
    let body = format!("[{}]", vec![item; count].join(","));
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).leak()
}

#[tokio::test]
async fn an_answer_that_would_take_much_more_memory_than_its_text_is_not_read() {
    let (address, _) = serve(dense("\"\"", 100_000), Duration::ZERO).await;
    let connect = Connect::new(ConnectConfig::new(address).with_longest_answer(1 << 20));
    let error = connect.connector_names().await.unwrap_err();
    assert!(matches!(error, ConnectError::TooLarge { .. }), "{error}");
    let (address, _) = serve(dense("\"\"", 10_000), Duration::ZERO).await;
    let connect = Connect::new(ConnectConfig::new(address).with_longest_answer(1 << 20));
    assert_eq!(connect.connector_names().await.unwrap().len(), 10_000);
}

#[tokio::test]
async fn large_answers_wait_for_room_and_small_ones_do_not() {
    let room = AnswerRoom::new(1 << 20);
    let map = format!(
        "{{\"a\": {{\"info\": {{\"name\": \"a\", \"config\": {{\"k\": \"{}\"}}}}, \"status\": {{\"name\": \"a\", \
        \"connector\": {{\"state\": \"RUNNING\"}}}}}}}}",
        "x".repeat(600_000)
    );
    let large: &'static str = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{map}", map.len()).leak();
    let (address, _) = serve(large, Duration::ZERO).await;
    let client = |address: &str| {
        let config =
            ConnectConfig::new(address).with_deadline(Duration::from_secs(2)).with_room(room.clone());
        Connect::new(config)
    };
    let (one, other) = (client(&address), client(&address));
    let held = one.connectors().await.unwrap();
    let late = other.connectors().await.unwrap_err();
    assert!(matches!(late, ConnectError::Late { .. }), "{late}");
    let (small, _) = serve(EMPTY, Duration::ZERO).await;
    assert!(client(&small).connectors().await.unwrap().is_empty());
    drop(held);
    assert_eq!(other.connectors().await.unwrap().len(), 1);
    let roomy = Connect::new(ConnectConfig::new(&*address).with_deadline(Duration::from_secs(5)));
    let (first, second) = (roomy.connectors().await.unwrap(), roomy.connectors().await.unwrap());
    assert_eq!(first.len(), second.len(), "a list that is kept does not keep the next one from being read");
}

#[tokio::test]
async fn names_and_options_of_a_call_stand_in_its_address() {
    let (address, seen) = serve("HTTP/1.1 204 No Content\r\n\r\n", Duration::ZERO).await;
    let connect = Connect::new(ConnectConfig::new(address));
    let last = || seen.last.lock().unwrap().clone();
    connect.restart("a->b", Restart { include_tasks: true, only_failed: false }).await.unwrap();
    assert_eq!(last(), "POST /connectors/a-%3Eb/restart?includeTasks=true&onlyFailed=false HTTP/1.1");
    connect.restart_task("a", 3).await.unwrap();
    assert_eq!(last(), "POST /connectors/a/tasks/3/restart HTTP/1.1");
    connect.stop("a").await.unwrap();
    assert_eq!(last(), "PUT /connectors/a/stop HTTP/1.1");
    connect.reset_offsets("a").await.unwrap();
    assert_eq!(last(), "DELETE /connectors/a/offsets HTTP/1.1");
    connect.set_logger("org.apache.kafka", "DEBUG").await.unwrap();
    assert_eq!(last(), "PUT /admin/loggers/org.apache.kafka?scope=cluster HTTP/1.1");
}
