//! One collection: what Kafka is asked, and in which order.
//!
//! Committed offsets are read before the ends of partitions, so that no group seems to be ahead of a partition. A broker
//! that does not answer is asked nothing more in the same collection; what only it knows is missing, and counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use futures::{StreamExt, stream};
use kafka_admin::{
    Admin, AdminError, Committed, GroupListing, GroupMembers, ListedOffset, OffsetAt, Outcomes,
    TopicDescription, TopicPartition,
};
use operator_runtime::clock;
use tokio::time::{Instant, timeout_at};

use crate::lag::{Question, Timelines};
use crate::reduce::{Room, consumed, topics};
use crate::settings::Settings;
use crate::snapshot::{Group, Missing, Partition, Snapshot, Topic};

/// Requests under way at a time.
const TOGETHER: usize = 4;

/// Groups of one request.
const GROUPS_TOGETHER: usize = 50;

/// Partitions of one request.
const PARTITIONS_TOGETHER: usize = 2_000;

/// How often in one collection Kafka is asked how old records are.
const ROUNDS: usize = 3;

/// Partitions of one such round.
const QUESTIONS: usize = 500;

/// What one collection found, and what it did not.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Collection {
    /// What it found.
    pub snapshot: Snapshot,
    /// What it did not.
    pub missing: Missing,
    /// Brokers that did not answer, and what was the matter.
    pub silent: BTreeMap<i32, String>,
}

/// Asks Kafka.
struct Asker<'a> {
    admin: &'a Admin,
    until: Instant,
    /// Brokers that did not answer.
    silent: Mutex<BTreeMap<i32, String>>,
}

impl Asker<'_> {
    /// Waits for the answer of any broker.
    async fn any<T>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, AdminError>>,
    ) -> Result<T, AdminError> {
        let after = self.until.saturating_duration_since(Instant::now());
        let answer = timeout_at(self.until, answer).await;
        answer.unwrap_or(Err(AdminError::Timeout { call, after, last: None }))
    }

    /// Waits for the answer of one broker; nothing when there is none.
    async fn of<T>(
        &self,
        broker: i32,
        call: &'static str,
        answer: impl Future<Output = Result<T, AdminError>>,
    ) -> Option<T> {
        let silent = || self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if silent().contains_key(&broker) {
            return None;
        }
        let error = match self.any(call, answer).await {
            Ok(answer) => return Some(answer),
            Err(error) => error,
        };
        if error.kafka_error().is_none() {
            silent().entry(broker).or_insert_with(|| error.to_string());
        }
        None
    }
}

/// Collects everything once. `timelines` goes on from one collection to the next.
pub(crate) async fn collect(
    admin: &Admin,
    settings: &Settings,
    timelines: &mut Timelines,
) -> Result<Collection, AdminError> {
    let until = Instant::now() + settings.deadline;
    let asker = Asker { admin, until, silent: Mutex::default() };
    let mut room = Room::new(settings.bounds.entries);
    let mut missing = Missing::default();
    let cluster = asker.any("describe cluster", admin.describe_cluster()).await?;
    let listed = asker.any("describe topics", admin.list_topics()).await?;
    let wanted = listed.into_values().filter(|topic: &TopicDescription| settings.topics.takes(&topic.name));
    let mut topics = topics(wanted, &mut room);
    let running = cluster.nodes.values().filter(|node| !node.fenced);
    let brokers: Vec<(i32, String)> =
        running.filter(|_| room.take(1)).map(|node| (node.id, node.address())).collect();

    let coordinated = list_groups(&asker, settings, &brokers, &mut room, &mut missing).await;
    let groups = groups(&asker, settings, coordinated, &topics, &mut room, &mut missing).await;
    let now = ends(&asker, &mut topics, &mut missing).await;
    missing.no_room = room.refused();

    let mut snapshot = Snapshot { brokers, topics, groups };
    timelines.follow(&snapshot, now);
    for _ in 0..ROUNDS {
        let questions = timelines.questions(&snapshot, now, QUESTIONS);
        if questions.is_empty() {
            break;
        }
        ask(&asker, &snapshot.topics, questions, timelines, now).await;
    }
    timelines.fill(&mut snapshot, now);
    let silent = asker.silent.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Collection { snapshot, missing, silent })
}

/// The groups to export, by coordinator.
async fn list_groups(
    asker: &Asker<'_>,
    settings: &Settings,
    brokers: &[(i32, String)],
    room: &mut Room,
    missing: &mut Missing,
) -> BTreeMap<i32, Vec<GroupListing>> {
    let list = |id: i32| async move { (id, asker.of(id, "list groups", asker.admin.list_groups(id)).await) };
    let mut answers = stream::iter(brokers.iter().map(|(id, _)| list(*id))).buffer_unordered(TOGETHER);
    let (mut found, mut seen) = (BTreeMap::<i32, Vec<GroupListing>>::new(), BTreeSet::new());
    while let Some((id, answer)) = answers.next().await {
        let Some(groups) = answer else {
            missing.brokers += 1;
            continue;
        };
        for group in groups {
            // A group that moves to another coordinator may be listed by both.
            if settings.groups.takes(&group.id) && room.take(1) && seen.insert(group.id.clone()) {
                found.entry(id).or_default().push(group);
            }
        }
    }
    found
}

/// What is asked of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Members and offsets.
    Classic,
    /// Members, by another call, and offsets.
    Consumer,
    /// Offsets.
    Streams,
    /// Nothing: offsets of groups of this kind mean something else.
    Share,
}

impl Kind {
    fn of(group: &GroupListing) -> Self {
        match group.kind.to_ascii_lowercase().as_str() {
            "consumer" => Self::Consumer,
            "streams" => Self::Streams,
            "share" => Self::Share,
            _ => Self::Classic,
        }
    }
}

/// Members and committed offsets of groups.
async fn groups(
    asker: &Asker<'_>,
    settings: &Settings,
    coordinated: BTreeMap<i32, Vec<GroupListing>>,
    topics: &[Topic],
    room: &mut Room,
    missing: &mut Missing,
) -> Vec<Group> {
    let mut jobs = Vec::new();
    for (broker, listed) in coordinated {
        let mut kinds: BTreeMap<Kind, Vec<GroupListing>> = BTreeMap::new();
        for group in listed {
            kinds.entry(Kind::of(&group)).or_default().push(group);
        }
        for (kind, mut listed) in kinds {
            while !listed.is_empty() {
                let rest = listed.split_off(listed.len().min(GROUPS_TOGETHER));
                jobs.push((broker, kind, std::mem::replace(&mut listed, rest)));
            }
        }
    }
    let mut answers = stream::iter(jobs.into_iter().map(|(broker, kind, listed)| async move {
        let (members, offsets) = group_answers(asker, broker, kind, &listed).await;
        (kind, listed, members, offsets)
    }))
    .buffer_unordered(TOGETHER);
    let mut groups = Vec::new();
    while let Some((kind, listed, mut members, mut offsets)) = answers.next().await {
        for group in listed {
            let members = members.as_mut().and_then(|all| all.remove(&group.id)?.ok());
            let offsets = offsets.as_mut().and_then(|all| all.remove(&group.id)?.ok());
            let unknown_members = members.is_none() && matches!(kind, Kind::Classic | Kind::Consumer);
            if unknown_members || (offsets.is_none() && kind != Kind::Share) {
                missing.groups += 1;
            }
            let shown = settings.show_all || members.as_ref().is_none_or(|members| members.count > 0);
            let assigned = members.as_ref().filter(|_| !settings.show_all).map(|members| &members.assigned);
            let offsets = offsets.filter(|_| shown).unwrap_or_default();
            groups.push(Group {
                consumed: consumed(topics, &offsets, assigned, room),
                members: members.as_ref().map(|members| members.count),
                id: group.id,
                kind: group.kind,
                state: group.state,
            });
        }
    }
    groups.sort_by(|one, other| one.id.cmp(&other.id));
    groups
}

type Answers<T> = Option<Outcomes<String, T>>;

async fn group_answers(
    asker: &Asker<'_>,
    broker: i32,
    kind: Kind,
    listed: &[GroupListing],
) -> (Answers<GroupMembers>, Answers<Committed>) {
    let admin = asker.admin;
    let ids = || listed.iter().map(|group| group.id.clone()).collect::<Vec<String>>();
    let members = async {
        match kind {
            Kind::Classic => {
                asker.of(broker, "describe groups", admin.describe_classic_groups(broker, ids())).await
            }
            Kind::Consumer => {
                asker.of(broker, "describe groups", admin.describe_consumer_groups(broker, ids())).await
            }
            Kind::Streams | Kind::Share => None,
        }
    };
    let offsets = async {
        if kind == Kind::Share {
            return None;
        }
        asker.of(broker, "fetch committed offsets", admin.committed_offsets(broker, ids())).await
    };
    futures::join!(members, offsets)
}

/// Fills in where partitions begin and end. Gives back when that was known, in milliseconds since 1970.
async fn ends(asker: &Asker<'_>, topics: &mut [Topic], missing: &mut Missing) -> i64 {
    let mut led: BTreeMap<i32, Vec<TopicPartition>> = BTreeMap::new();
    for topic in topics.iter() {
        for partition in &topic.partitions {
            let Some(leader) = partition.leader else { continue };
            led.entry(leader).or_default().push(TopicPartition::new(topic.name.clone(), partition.index));
        }
    }
    let parts =
        led.iter().flat_map(|(leader, all)| all.chunks(PARTITIONS_TOGETHER).map(|part| (*leader, part)));
    let jobs =
        parts.flat_map(|(leader, part)| [(leader, part, OffsetAt::Start), (leader, part, OffsetAt::End)]);
    let mut answers = stream::iter(jobs.map(|(leader, part, at)| async move {
        let wanted = part.iter().map(|partition| (partition.clone(), at)).collect();
        (at, asker.of(leader, "list offsets", asker.admin.list_offsets(leader, wanted)).await)
    }))
    .buffer_unordered(TOGETHER);
    while let Some((at, answer)) = answers.next().await {
        for (name, place) in answer.into_iter().flatten() {
            let Some(partition) = partition(topics, &name) else { continue };
            let offset = place.ok().and_then(|place| place.offset);
            match at {
                OffsetAt::Start => partition.start = offset,
                _ => partition.end = offset,
            }
        }
    }
    let all = topics.iter().flat_map(|topic| &topic.partitions);
    missing.partitions = all.filter(|partition| partition.end.is_none() || partition.start.is_none()).count();
    clock::now().as_millisecond()
}

fn partition<'a>(topics: &'a mut [Topic], name: &TopicPartition) -> Option<&'a mut Partition> {
    let topic = topics.binary_search_by(|topic| topic.name.cmp(&name.topic)).ok()?;
    let partitions = &mut topics.get_mut(topic)?.partitions;
    let place = partitions.binary_search_by_key(&name.partition, |partition| partition.index).ok()?;
    partitions.get_mut(place)
}

/// What the leader of some partitions was asked, and what it said.
type Answered = (Vec<Question>, Option<Outcomes<TopicPartition, ListedOffset>>);

/// Asks Kafka how old records are.
async fn ask(
    asker: &Asker<'_>,
    topics: &[Topic],
    questions: Vec<Question>,
    timelines: &mut Timelines,
    now: i64,
) {
    let mut by_leader: BTreeMap<i32, Vec<Question>> = BTreeMap::new();
    for question in questions {
        by_leader.entry(question.leader).or_default().push(question);
    }
    let name = |question: &Question| {
        let topic = topics.get(question.topic).map(|topic| topic.name.clone()).unwrap_or_default();
        TopicPartition::new(topic, question.partition)
    };
    let jobs = by_leader.into_iter().map(|(leader, questions)| async move {
        let wanted =
            questions.iter().map(|question| (name(question), OffsetAt::Time(question.time))).collect();
        (questions, asker.of(leader, "list offsets", asker.admin.list_offsets(leader, wanted)).await)
    });
    let answers: Vec<Answered> = stream::iter(jobs).buffer_unordered(TOGETHER).collect().await;
    for (questions, answer) in answers {
        let Some(mut places) = answer else { continue };
        for question in questions {
            let name = name(&question);
            if let Some(Ok(place)) = places.remove(&name) {
                timelines.answered(&name.topic, question, place.offset, place.timestamp, now);
            }
        }
    }
}
