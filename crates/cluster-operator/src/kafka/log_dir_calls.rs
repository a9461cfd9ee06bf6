//! What brokers are asked about their log directories, and the calls that move replicas between those of one broker. No policy.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt;
use kafka_admin::{
    Admin, AdminError, ConfigChange, ConfigResource, ConfigSelection, ConfigSource, ErrorCode, LogDir,
    TopicPartition,
};
use planner::kafka::log_dirs_view::{
    BrokerLogDirs, CORDONED, DirReplica, LogDirView, LogDirsView, METADATA, MOST_LISTED, RATE, Way,
};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::call_error::{Error, call};

/// Longest time for one question to one broker: a broker that is silent must not keep the answers of the others from coming in time.
const SILENT: Duration = Duration::from_secs(4);

/// Longest time for all brokers together, within that for an answer to a plan: a broker that has not answered by then is silent.
const WHOLE: Duration = Duration::from_secs(12);

/// Brokers that are asked for a few options at a time. Who does not tell these is asked for nothing that takes more.
const AT_A_TIME: usize = 64;

/// Brokers that are asked for their directories at a time: each answer lists all replicas of its broker.
const LONG_AT_A_TIME: usize = 4;

/// Log directories of one broker beside those that are asked about. A pool has at most 100 volumes.
const MOST_DIRECTORIES: usize = 200;

/// The longest value of an option that is taken note of, in bytes.
const LONGEST_VALUE: usize = 16 << 10;

/// What each of these brokers says of its log directories; of those with these paths, with replicas. Answers that came are kept however many
/// others do not come. A broker that tells no options takes nothing from the others; a broker that tells these and is silent then keeps one of
/// the few places for a while, and where many do so, the last brokers are not asked in time. Each look begins with a broker chosen by
/// chance, so that these are not always the same.
pub async fn look(admin: &Admin, asked: &BTreeMap<i32, BTreeSet<String>>) -> LogDirsView {
    let admin = admin.within(SILENT);
    let options = |id| options(&admin, id);
    let dirs = |id| dirs(&admin, id, &asked[&id]);
    each(from_any(asked.keys().copied().collect(), any_number()), options, dirs).await
}

/// The brokers in the order in which a look asks them, beginning with the one that a number leads to.
fn from_any(mut brokers: Vec<i32>, number: usize) -> Vec<i32> {
    let first = number.checked_rem(brokers.len()).unwrap_or_default();
    brokers.rotate_left(first);
    brokers
}

/// A number by chance.
fn any_number() -> usize {
    usize::try_from(RandomState::new().hash_one(()) >> 32).unwrap_or_default()
}

/// Asks each broker for its options, and then for its directories.
async fn each<O, D>(
    brokers: impl IntoIterator<Item = i32>,
    options: impl Fn(i32) -> O,
    dirs: impl Fn(i32) -> D,
) -> LogDirsView
where
    O: Future<Output = Result<BrokerLogDirs, Error>>,
    D: Future<Output = Result<BTreeMap<String, LogDirView>, Error>>,
{
    let ends = Instant::now() + WHOLE;
    let places = Semaphore::new(LONG_AT_A_TIME);
    let (options, dirs, places) = (&options, &dirs, &places);
    let of_broker = |id: i32| async move {
        let has_place = AtomicBool::new(false);
        let told = async {
            let options = options(id).await?;
            // It is never closed.
            let _place = places.acquire().await;
            // A place that the deadline itself made free comes too late.
            has_place.store(Instant::now() < ends, Ordering::Relaxed);
            Ok::<_, Error>(BrokerLogDirs { dirs: dirs(id).await?, ..options })
        };
        let seconds = WHOLE.as_secs();
        let answer = match tokio::time::timeout_at(ends, told).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) if has_place.load(Ordering::Relaxed) => {
                Err(format!("it has not told its log directories within {seconds} s"))
            }
            Err(_) => Err(format!("it was not asked in time: other brokers took {seconds} s")),
        };
        (id, answer)
    };
    let mut answers = futures::stream::iter(brokers.into_iter().map(of_broker)).buffer_unordered(AT_A_TIME);
    let mut view = LogDirsView::default();
    while let Some((id, answer)) = answers.next().await {
        match answer {
            Ok(dirs) => drop(view.brokers.insert(id, dirs)),
            Err(why) => drop(view.silent.insert(id, why)),
        }
    }
    view
}

/// The options of a broker about its directories.
async fn options(admin: &Admin, id: i32) -> Result<BrokerLogDirs, Error> {
    let names = [METADATA, CORDONED, RATE].map(str::to_owned);
    let broker = ConfigResource::Broker(id);
    let action = format!("describe the options of broker {id}");
    let mut described = admin
        .describe_configs([broker.clone()], ConfigSelection::Names(names.into()))
        .await
        .map_err(call(&action))?;
    let options = described.remove(&broker).unwrap_or_else(|| Ok(BTreeMap::new()));
    let options = options.map_err(|source| Error::Refused { action, source })?;
    let options: BTreeMap<_, _> = options
        .into_iter()
        .filter(|(_, entry)| entry.value.as_ref().is_none_or(|value| value.len() <= LONGEST_VALUE))
        .collect();
    let value = |name: &str| options.get(name).and_then(|entry| entry.value.clone());
    let cordoned = options.get(CORDONED).map(|entry| {
        let text = entry.value.as_deref().unwrap_or_default();
        text.split(',').map(str::trim).filter(|one| !one.is_empty()).map(str::to_owned).collect()
    });
    let rate = options.get(RATE).filter(|entry| entry.source == ConfigSource::DynamicBroker);
    let rate = rate.and_then(|entry| entry.value.clone());
    Ok(BrokerLogDirs { metadata: value(METADATA), cordoned, rate, dirs: BTreeMap::new() })
}

/// The directories of a broker.
async fn dirs(
    admin: &Admin,
    id: i32,
    paths: &BTreeSet<String>,
) -> Result<BTreeMap<String, LogDirView>, Error> {
    let action = format!("describe the log directories of broker {id}");
    let mut told = admin.describe_log_dirs([id]).await.map_err(call(&action))?;
    let dirs = told.remove(&id).unwrap_or(Err(AdminError::UnknownNode(id))).map_err(call(&action))?;
    Ok(reduce(&dirs, paths))
}

/// What of the directories of a broker a plan wants to know: all replicas are counted, and a few listed.
fn reduce(dirs: &[LogDir], paths: &BTreeSet<String>) -> BTreeMap<String, LogDirView> {
    // Where each replica that moves is, and where it goes to.
    let mut to: BTreeMap<&TopicPartition, &str> = BTreeMap::new();
    for dir in dirs {
        let futures = dir.replicas.iter().filter(|(_, replica)| replica.future);
        to.extend(futures.map(|(partition, _)| (partition, dir.path.as_str())));
    }
    let mut from: BTreeMap<&TopicPartition, &str> = BTreeMap::new();
    for dir in dirs {
        let present =
            dir.replicas.iter().filter(|(partition, replica)| !replica.future && to.contains_key(partition));
        from.extend(present.map(|(partition, _)| (partition, dir.path.as_str())));
    }
    let of_dir = |dir: &LogDir| {
        let mut view = LogDirView {
            error: dir.error.as_ref().map(ToString::to_string),
            usable: dir.usable_bytes.and_then(|bytes| u64::try_from(bytes).ok()),
            count: dir.replicas.len(),
            ..LogDirView::default()
        };
        let (mut on_the_way, mut staying) = (Vec::new(), Vec::new());
        for (partition, replica) in &dir.replicas {
            let way = match (replica.future, to.get(partition), from.get(partition)) {
                (true, _, Some(from)) => Way::From((*from).to_owned()),
                (false, Some(to), _) => Way::To((*to).to_owned()),
                _ => Way::None,
            };
            view.moving += usize::from(matches!(way, Way::To(_)));
            let list = if way == Way::None { &mut staying } else { &mut on_the_way };
            if paths.contains(&dir.path) && list.len() < MOST_LISTED {
                list.push(DirReplica {
                    topic: partition.topic.clone(),
                    partition: partition.partition,
                    size: u64::try_from(replica.size).unwrap_or_default(),
                    way,
                });
            }
        }
        on_the_way.append(&mut staying);
        on_the_way.truncate(MOST_LISTED);
        view.replicas = on_the_way;
        (dir.path.clone(), view)
    };
    let (asked, others): (Vec<_>, Vec<_>) = dirs.iter().partition(|dir| paths.contains(&dir.path));
    asked.into_iter().chain(others.into_iter().take(MOST_DIRECTORIES)).map(of_dir).collect()
}

/// Moves replicas between the log directories of a broker, behind the rate of these moves. A replica that went meanwhile is left to the
/// next look.
pub(super) async fn move_replicas(
    admin: &Admin,
    broker: i32,
    rate: Option<u64>,
    moves: &BTreeMap<String, BTreeMap<i32, String>>,
) -> Result<(), Error> {
    if let Some(rate) = rate {
        let action = format!("throttle the moves between the log directories of broker {broker}");
        let changes = vec![ConfigChange::set(RATE, rate.to_string())];
        let changes = BTreeMap::from([(ConfigResource::Broker(broker), changes)]);
        for outcome in
            admin.incremental_alter_configs(changes, false).await.map_err(call(&action))?.into_values()
        {
            outcome.map_err(|source| Error::Refused { action: action.clone(), source })?;
        }
    }
    if moves.is_empty() {
        return Ok(());
    }
    let action = format!("move replicas between the log directories of broker {broker}");
    let all = moves.iter().flat_map(|(topic, partitions)| {
        partitions
            .iter()
            .map(move |(index, path)| (TopicPartition::new(topic.as_str(), *index), path.clone()))
    });
    for (partition, outcome) in
        admin.alter_replica_log_dirs(broker, all.collect()).await.map_err(call(&action))?
    {
        let Err(source) = outcome else { continue };
        let is_late = matches!(
            source.code,
            ErrorCode::UNKNOWN_TOPIC_OR_PARTITION
                | ErrorCode::REPLICA_NOT_AVAILABLE
                | ErrorCode::NOT_LEADER_OR_FOLLOWER
        );
        if !is_late {
            return Err(Error::Refused { action: format!("{action} ({partition})"), source });
        }
        tracing::info!(%partition, error = %source, "the replica is not as it was a moment ago, and is looked at again");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use kafka_admin::LogDirReplica;

    use super::*;

    fn dir(path: &str, replicas: &[(&str, bool)]) -> LogDir {
        let replica = |(topic, future): &(&str, bool)| {
            (TopicPartition::new(*topic, 0), LogDirReplica { size: 7, offset_lag: 0, future: *future })
        };
        LogDir {
            path: path.to_owned(),
            error: None,
            total_bytes: Some(100),
            usable_bytes: Some(50),
            replicas: replicas.iter().map(replica).collect(),
        }
    }

    fn told(free: u64) -> BTreeMap<String, LogDirView> {
        [("/a".to_owned(), LogDirView { usable: Some(free), ..LogDirView::default() })].into()
    }

    fn silent(id: i32) -> Error {
        call("ask")(AdminError::UnknownNode(id))
    }

    #[tokio::test(start_paused = true)]
    async fn a_broker_that_is_slow_or_silent_leaves_the_answers_of_all_others() {
        // One in three tells nothing within its time, one tells its options and then nothing, and one takes its time for both.
        let options = async |id: i32| match id % 3 {
            0 => {
                tokio::time::sleep(SILENT).await;
                Err(silent(id))
            }
            _ => Ok(BrokerLogDirs { rate: Some(id.to_string()), ..BrokerLogDirs::default() }),
        };
        let dirs = async |id: i32| match id {
            1 => std::future::pending().await,
            id => {
                tokio::time::sleep(Duration::from_millis(200)).await;
                Ok(told(id as u64))
            }
        };
        let began = Instant::now();
        let view = each(0..60, options, dirs).await;
        assert!(began.elapsed() <= WHOLE);
        let answered: Vec<i32> = view.brokers.keys().copied().collect();
        let expected: Vec<i32> = (0..60).filter(|id| id % 3 != 0 && *id != 1).collect();
        assert_eq!(answered, expected);
        assert_eq!((view.brokers[&2].rate.as_deref(), &view.brokers[&2].dirs), (Some("2"), &told(2)));
        assert_eq!(view.silent.len(), 21);
        assert!(view.silent[&1].contains("within 12 s"), "{}", view.silent[&1]);
    }

    #[tokio::test(start_paused = true)]
    async fn brokers_that_never_tell_their_directories_keep_no_other_from_being_asked_for_good() {
        let options = async |_| Ok(BrokerLogDirs::default());
        // More of them than there are places, and each keeps its place to the end.
        let dirs = async |id: i32| if id < 6 { std::future::pending().await } else { Ok(told(1)) };
        let mut answered = BTreeSet::new();
        for look in 0..3 {
            let brokers = from_any((0..9).collect(), look * 4);
            answered.extend(each(brokers, options, dirs).await.brokers.into_keys());
        }
        assert_eq!(answered, BTreeSet::from([6, 7, 8]));
        assert!(from_any(Vec::new(), 7).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_got_no_place_in_time_is_told_from_who_did_not_answer() {
        let options = async |_| Ok(BrokerLogDirs::default());
        let dirs = async |id: i32| {
            if id < 4 {
                return Ok(told(1));
            }
            tokio::time::sleep(SILENT).await;
            Err(silent(id))
        };
        let view = each(0..40, options, dirs).await;
        assert_eq!(view.brokers.keys().copied().collect::<Vec<_>>(), [0, 1, 2, 3], "what came is kept");
        assert!(view.silent[&4].contains("cannot ask"), "{}", view.silent[&4]);
        assert_eq!(view.silent[&39], "it was not asked in time: other brokers took 12 s");
    }

    #[test]
    fn of_a_directory_with_very_many_replicas_all_are_counted_and_a_few_listed() {
        let names: Vec<String> = (0..5000).map(|number| format!("t{number:04}")).collect();
        let mut many: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), false)).collect();
        many.push(("x", false));
        let dirs = [dir("/a", &many), dir("/b", &[("x", true), ("y", false)]), dir("/c", &[("y", true)])];
        let reduced = reduce(&dirs, &BTreeSet::from(["/a".to_owned(), "/c".to_owned()]));
        let a = &reduced["/a"];
        assert_eq!((a.count, a.moving, a.replicas.len()), (5001, 1, MOST_LISTED));
        assert_eq!((a.replicas[0].topic.as_str(), &a.replicas[0].way), ("x", &Way::To("/b".to_owned())));
        assert_eq!((reduced["/b"].count, reduced["/b"].replicas.len()), (2, 0), "nobody asked for it");
        assert_eq!(reduced["/c"].replicas[0].way, Way::From("/b".to_owned()));
        assert_eq!(reduced["/c"].moving, 0);
    }
}
