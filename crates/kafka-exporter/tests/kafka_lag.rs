//! The exporter against a real Kafka node and a real consumer.

// Helpers of tests count as tests; the figures are whole numbers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::float_cmp)]

mod common;

use std::cell::RefCell;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use common::{DEADLINE, Exporter, Scrape, scrape};
use kafka_admin::{Admin, AdminConfig, NewTopic};
use test_support::kafka::{Authority, Identity};
use test_support::{KafkaNode, KafkaOptions, Log, free_port, wait};

/// The program of `e2e/client`: where the variable says, or where `make test-kafka` builds it.
fn client() -> PathBuf {
    const BUILT: &str = "x86_64-unknown-linux-gnu/release/kafka-client";
    let named = std::env::var_os("KASTELLAN_KAFKA_CLIENT").map(PathBuf::from);
    // This test lies some folders below the one that cargo builds in.
    let this = std::env::current_exe().unwrap();
    let program =
        named.or_else(|| this.ancestors().map(|folder| folder.join(BUILT)).find(|path| path.is_file()));
    let program = program.filter(|path| path.is_file());
    program
        .expect("there is no kafka-client: `make test-kafka` builds it, KASTELLAN_KAFKA_CLIENT may name it")
}

fn run_client(node: &KafkaNode, topic: &str, job: &[&str]) -> Command {
    let mut command = Command::new(client());
    command.args(["--bootstrap", &node.bootstrap(), "--topic", topic]).args(job);
    command
}

async fn produce(node: &KafkaNode, topic: &str, count: u32) {
    let mut command = run_client(node, topic, &["produce", &count.to_string()]);
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A consumer that has committed what it consumed and consumes nothing more. It dies with this.
struct Paused(Child);

impl Paused {
    async fn start(node: &KafkaNode, topic: &str, count: u32, group: &str) -> Self {
        let job = ["consume", &count.to_string(), "--group", group, "--pause", "600"];
        let mut child = run_client(node, topic, &job).stdout(Stdio::piped()).spawn().unwrap();
        let output = child.stdout.take().unwrap();
        let lines = std::io::BufRead::lines(std::io::BufReader::new(output));
        let paused =
            tokio::task::spawn_blocking(move || lines.map_while(Result::ok).any(|line| line == "paused"));
        assert!(paused.await.unwrap(), "the consumer ended");
        Self(child)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn admin(node: &KafkaNode) -> Admin {
    Admin::new(AdminConfig::brokers([node.bootstrap()])).unwrap()
}

async fn make_topic(node: &KafkaNode, name: &str, partitions: i32) {
    let topic = NewTopic { partitions: Some(partitions), ..NewTopic::new(name) };
    let made = admin(node).create_topics(vec![topic], false).await.unwrap();
    assert!(made[name].is_ok(), "{made:?}");
}

async fn start() -> KafkaNode {
    KafkaNode::start(KafkaOptions::default()).await.unwrap()
}

/// What is not as it should be of a consumer that has read 100 of 1,000 records, and whose next record has waited for so many seconds.
fn wrong_of_paused(seen: &Scrape, of: &[(&str, &str); 3], waited: &Range<f64>) -> Vec<String> {
    let mut wrong = Vec::new();
    let seconds = seen.value("kafka_consumergroup_lag_seconds", of);
    if seconds.is_none_or(|seconds| !waited.contains(&seconds)) {
        wrong.push(format!("it has waited for {seconds:?} s instead of {waited:?}"));
    }
    for (name, labels, value) in [
        ("kafka_consumergroup_lag", &of[..], 900.0),
        ("kafka_consumergroup_current_offset", &of[..], 100.0),
        ("kafka_consumergroup_lag_sum", &of[..2], 900.0),
        ("kafka_consumergroup_members", &of[..1], 1.0),
        ("kafka_consumergroup_info", &[of[0], ("state", "Stable"), ("type", "classic")][..], 1.0),
        ("kafka_topic_partition_current_offset", &of[1..], 1_000.0),
        ("kafka_topic_partition_oldest_offset", &of[1..], 0.0),
        ("kafka_topic_partition_leader", &of[1..], 0.0),
        ("kafka_topic_partition_leader_is_preferred", &of[1..], 1.0),
        ("kafka_topic_partition_under_replicated_partition", &of[1..], 0.0),
        ("kafka_brokers", &[], 1.0),
        ("kafka_exporter_last_collection_success", &[], 1.0),
        ("kafka_exporter_unanswered", &[("of", "partitions")][..], 0.0),
        ("kafka_exporter_unanswered", &[("of", "groups")][..], 0.0),
    ] {
        let found = seen.value(name, labels);
        if found != Some(value) {
            wrong.push(format!("{name} of {labels:?} is {found:?} instead of {value}"));
        }
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lag_of_a_paused_consumer_is_shown_in_records_and_in_seconds() {
    let node = start().await;
    make_topic(&node, "letters", 1).await;
    let bootstrap = node.bootstrap();
    let server = ("KAFKA_EXPORTER_KAFKA_SERVER", bootstrap.as_str());
    let early = Exporter::start(&[server]).await;
    early
        .until("kafka_topic_partition_current_offset", &[("topic", "letters")], |offset| offset == 0.0)
        .await;
    let began = Instant::now();
    produce(&node, "letters", 1_000).await;
    let produced = Instant::now();
    let _paused = Paused::start(&node, "letters", 100, "readers").await;
    // It was not there when the records came: it has to ask Kafka how old they are.
    let late = Exporter::start(&[server, ("KAFKA_EXPORTER_TOPIC_EXCLUDE_REGEX", "^__")]).await;
    let of = [("consumergroup", "readers"), ("topic", "letters"), ("partition", "0")];
    for (exporter, tolerance) in [(&early, 5.0), (&late, 16.0)] {
        // The group may be seen first while it forms, or while not all is known of it.
        let wrong = RefCell::new(Vec::new());
        let right = wait::until(DEADLINE, "all figures are right", || async {
            let seen = exporter.scrape().await;
            let longest = began.elapsed().as_secs_f64() + tolerance;
            let shortest = produced.elapsed().as_secs_f64() - tolerance;
            *wrong.borrow_mut() = wrong_of_paused(&seen, &of, &(shortest..longest));
            wrong.borrow().is_empty().then_some(())
        });
        right.await.unwrap_or_else(|error| panic!("{error}: {:?}", wrong.borrow()));
    }
    assert_eq!(late.scrape().await.value("kafka_topic_partitions", &[("topic", "__consumer_offsets")]), None);
    // The figure grows with the time, and the records with what is produced.
    let first = early.scrape().await.value("kafka_consumergroup_lag_seconds", &of).unwrap();
    produce(&node, "letters", 50).await;
    early.until("kafka_consumergroup_lag", &of, |records| records == 950.0).await;
    early.until("kafka_consumergroup_lag_seconds", &of, |waited| waited > first + 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_without_members_are_left_out_when_that_is_asked_for() {
    let node = start().await;
    make_topic(&node, "letters", 2).await;
    commit(&node, "letters", 2, &["gone".to_owned()]).await;
    let bootstrap = node.bootstrap();
    let server = ("KAFKA_EXPORTER_KAFKA_SERVER", bootstrap.as_str());
    let all = Exporter::start(&[server]).await;
    let of = [("consumergroup", "gone"), ("topic", "letters"), ("partition", "1")];
    let seen = all.until("kafka_consumergroup_current_offset", &of, |offset| offset == 0.0).await;
    assert_eq!(seen.value("kafka_consumergroup_members", &of[..1]), Some(0.0));
    assert_eq!(seen.value("kafka_consumergroup_lag_seconds", &of), Some(0.0));
    let connected = Exporter::start(&[server, ("KAFKA_EXPORTER_OFFSET_SHOW_ALL", "false")]).await;
    let seen = connected.until("kafka_consumergroup_members", &of[..1], |count| count == 0.0).await;
    assert_eq!(seen.value("kafka_consumergroup_current_offset", &of), None, "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kafka_that_hangs_delays_no_scrape_and_is_told_of() {
    let node = start().await;
    let bootstrap = node.bootstrap();
    let exporter = Exporter::start(&[("KAFKA_EXPORTER_KAFKA_SERVER", &bootstrap)]).await;
    exporter.until("kafka_exporter_last_collection_success", &[], |success| success == 1.0).await;
    node.pause().unwrap();
    let told = async {
        loop {
            let began = Instant::now();
            let seen = exporter.scrape().await;
            assert!(began.elapsed() < Duration::from_secs(2), "a scrape took {:?}", began.elapsed());
            let success = seen.value("kafka_exporter_last_collection_success", &[]).unwrap();
            if success == 0.0 {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let seen = tokio::time::timeout(DEADLINE, told).await.expect("it is not told that Kafka hangs");
    assert!(seen.value("kafka_exporter_snapshot_age_seconds", &[]).unwrap() > 1.0, "{seen:?}");
    assert!(seen.value("kafka_exporter_collections_failed_total", &[]).unwrap() >= 1.0, "{seen:?}");
    node.resume().unwrap();
    exporter.until("kafka_exporter_last_collection_success", &[], |success| success == 1.0).await;
    exporter.until("kafka_exporter_snapshot_age_seconds", &[], |age| age < 1.0).await;
}

fn write_identity(folder: &Path, trusted: &str, identity: &Identity) {
    std::fs::write(folder.join("ca.crt"), trusted).unwrap();
    std::fs::write(folder.join("own.key"), &identity.key).unwrap();
    std::fs::write(folder.join("own.pem"), &identity.certificate).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_that_are_replaced_are_used_without_a_restart() {
    let node = start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let stranger = Authority::new("stranger").unwrap();
    let strange = stranger.client("admin").unwrap();
    write_identity(folder.path(), node.ca_pem(), &strange);
    let (bootstrap, trusted) = (node.tls_bootstrap(), folder.path().display().to_string());
    let (certificate, key) = (path("own.pem"), path("own.key"));
    let variables: [(&str, &str); 4] = [
        ("KAFKA_EXPORTER_KAFKA_SERVER", &bootstrap),
        ("KASTELLAN_EXPORTER_TRUSTED_CERTIFICATES", &trusted),
        ("KASTELLAN_EXPORTER_CERTIFICATE", &certificate),
        ("KASTELLAN_EXPORTER_KEY", &key),
    ];
    let log = Log::default();
    let exporter = Exporter::saying(&variables, &log).await;
    exporter.until("kafka_exporter_collections_failed_total", &[], |failed| failed >= 2.0).await;
    assert_eq!(exporter.scrape().await.value("kafka_brokers", &[]), None);
    write_identity(folder.path(), node.ca_pem(), &node.client_identity("admin").unwrap());
    exporter.until("kafka_brokers", &[], |count| count == 1.0).await;
    // A half-written file is no reason to give up what works.
    std::fs::write(folder.path().join("own.key"), "").unwrap();
    exporter.until("kafka_exporter_last_collection_success", &[], |success| success == 0.0).await;
    let own = node.client_identity("admin").unwrap();
    write_identity(folder.path(), node.ca_pem(), &own);
    exporter.until("kafka_exporter_last_collection_success", &[], |success| success == 1.0).await;

    // A variable or a template leaves of a PEM key a single line.
    std::fs::write(folder.path().join("own.key"), own.key.replace('\n', "")).unwrap();
    exporter.until("kafka_exporter_last_collection_success", &[], |success| success == 0.0).await;
    let log = log.text();
    assert!(log.contains("TRACE") || log.contains("DEBUG"), "everything was logged");
    for key in [own.key, strange.key] {
        let body: String = key.lines().nth(1).unwrap().chars().take(48).collect();
        let bytes = format!("{:?}", body.as_bytes());
        assert!(!log.contains(&body) && !log.contains(bytes.trim_matches(['[', ']'])), "a key is in the log");
    }
}

/// Commits offset 0 of every partition for each group.
async fn commit(node: &KafkaNode, topic: &str, partitions: i32, groups: &[String]) {
    common::groups::commit(node, topic, partitions, groups).await.unwrap();
}

/// A process that is killed with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_groups_of_ten_partitions_take_little_memory_and_time() {
    let options = KafkaOptions::default().with_config("offsets.topic.num.partitions", "4");
    let node = KafkaNode::start(options).await.unwrap();
    make_topic(&node, "orders-of-the-whole-company", 10).await;
    let groups: Vec<String> = (0..1_000).map(|index| format!("service-of-team-{index:04}")).collect();
    commit(&node, "orders-of-the-whole-company", 10, &groups).await;
    produce(&node, "orders-of-the-whole-company", 1_000).await;
    let free = free_port().unwrap();
    let process = Command::new(env!("CARGO_BIN_EXE_kafka-exporter"))
        .env("KAFKA_EXPORTER_KAFKA_SERVER", node.bootstrap())
        .env("KASTELLAN_EXPORTER_INTERVAL_MS", "500")
        .env("KASTELLAN_EXPORTER_PORT", free.to_string())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = process.id();
    let _process = Process(process);
    let last = [("consumergroup", "service-of-team-0999"), ("partition", "9")];
    let shown =
        || async { scrape(free).await.ok()?.value("kafka_consumergroup_lag_seconds", &last).map(|_| ()) };
    wait::until(DEADLINE, "all groups are shown", shown).await.unwrap();
    // Some collections and scrapes later.
    let (mut times, mut own) = (Vec::new(), 0);
    for _ in 0..20 {
        let began = Instant::now();
        let seen = scrape(free).await.unwrap();
        times.push(began.elapsed());
        assert!(seen.value("process_resident_memory_bytes", &[]).unwrap() > 1e6);
        own = own.max(own_memory(pid));
        assert!(seen.0.matches("\nkafka_consumergroup_lag{").count() >= 10_000);
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    times.sort_unstable();
    // Of twenty scrapes one or another is slow because the machine has other work.
    let median = times[times.len() / 2];
    eprintln!("{own} KiB of its own, half of the scrapes within {median:?}");
    // The rest of the 20 MB that it may take is the program itself, of which a release has less than this one.
    assert!(own < MOST_KIB, "{own} KiB of its own");
    assert!(median < Duration::from_millis(200), "scrapes took {times:?}");
}

/// What a process may have in memory beside its program, in KiB.
const MOST_KIB: u64 = 15 * 1024;

/// What a process has in memory beside its program, in KiB.
fn own_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
