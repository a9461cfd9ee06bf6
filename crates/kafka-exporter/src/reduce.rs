//! From Kafka's answers to what is kept of them, as far as there is room.

use std::collections::{BTreeMap, HashMap, HashSet};

use kafka_admin::{Committed, TopicDescription};

use crate::snapshot::{Consumed, Partition, Position, Topic};

/// How much is kept: Kafka may name any number of topics, groups and offsets.
#[derive(Debug)]
pub(crate) struct Room {
    left: usize,
    refused: usize,
}

impl Room {
    /// For this many entries.
    pub(crate) fn new(entries: usize) -> Self {
        Self { left: entries, refused: 0 }
    }

    /// Takes room for all of these entries, or for none.
    pub(crate) fn take(&mut self, entries: usize) -> bool {
        if entries <= self.left {
            self.left -= entries;
            return true;
        }
        self.refused += entries;
        false
    }

    /// Entries for which there was none.
    pub(crate) fn refused(&self) -> usize {
        self.refused
    }
}

/// Topics by name, their partitions by number.
pub(crate) fn topics(described: impl Iterator<Item = TopicDescription>, room: &mut Room) -> Vec<Topic> {
    let mut topics = Vec::new();
    for topic in described {
        if !room.take(topic.partitions.len() + 1) {
            continue;
        }
        let partition = |found: &kafka_admin::PartitionDescription| Partition {
            index: found.index,
            leader: found.leader,
            preferred: found.leader.is_some() && found.replicas.first().copied() == found.leader,
            replicas: u32::try_from(found.replicas.len()).unwrap_or(u32::MAX),
            in_sync: u32::try_from(found.isr.len()).unwrap_or(u32::MAX),
            start: None,
            end: None,
        };
        let mut partitions: Vec<Partition> = topic.partitions.iter().map(partition).collect();
        partitions.sort_by_key(|partition| partition.index);
        partitions.dedup_by_key(|partition| partition.index);
        topics.push(Topic { name: topic.name, partitions });
    }
    topics.sort_by(|one, other| one.name.cmp(&other.name));
    topics
}

/// What a group has committed of these topics: of each of which it has committed anything, every partition; with
/// `assigned`, only the partitions that its members have.
pub(crate) fn consumed(
    topics: &[Topic],
    committed: &Committed,
    assigned: Option<&BTreeMap<String, Vec<i32>>>,
    room: &mut Room,
) -> Vec<Consumed> {
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for (name, offsets) in committed {
        let Ok(place) = topics.binary_search_by(|topic| topic.name.cmp(name)) else { continue };
        let Some(topic) = topics.get(place).filter(|_| seen.insert(place)) else { continue };
        let offsets: HashMap<i32, i64> = offsets.iter().copied().collect();
        let theirs = |partition: &&Partition| {
            assigned.is_none_or(|assigned| {
                assigned.get(name).is_some_and(|theirs| theirs.binary_search(&partition.index).is_ok())
            })
        };
        let wanted: Vec<i32> =
            topic.partitions.iter().filter(theirs).map(|partition| partition.index).collect();
        if !wanted.iter().any(|index| offsets.contains_key(index)) || !room.take(wanted.len()) {
            continue;
        }
        let position = |index: i32| Position {
            partition: index,
            committed: offsets.get(&index).copied(),
            ..Position::default()
        };
        all.push(Consumed { topic: place, positions: wanted.into_iter().map(position).collect() });
    }
    all.sort_by_key(|consumed| consumed.topic);
    all
}

#[cfg(test)]
mod tests {
    use kafka_admin::{PartitionDescription, Uuid};

    use super::*;

    fn described(name: &str, count: i32) -> TopicDescription {
        let partition = |index| PartitionDescription {
            index,
            leader: (index != 1).then_some(4),
            leader_epoch: 0,
            replicas: vec![if index == 2 { 5 } else { 4 }, 6],
            isr: vec![4],
            offline: Vec::new(),
        };
        let partitions = (0..count).rev().map(partition).collect();
        TopicDescription { name: name.into(), id: Uuid::nil(), internal: false, partitions }
    }

    #[allow(clippy::type_complexity, reason = "what is left of each topic: partitions and offsets")]
    fn kept(consumed: &[Consumed]) -> Vec<(usize, Vec<(i32, Option<i64>)>)> {
        let positions = |it: &Consumed| it.positions.iter().map(|it| (it.partition, it.committed)).collect();
        consumed.iter().map(|it| (it.topic, positions(it))).collect()
    }

    #[test]
    fn a_topic_of_which_anything_is_committed_is_shown_with_all_its_partitions() {
        let mut room = Room::new(100);
        let topics = topics([described("b", 2), described("a", 3)].into_iter(), &mut room);
        assert_eq!(topics[0].name, "a");
        let preferred: Vec<bool> = topics[0].partitions.iter().map(|it| it.preferred).collect();
        assert_eq!(preferred, [true, false, false]);
        let committed: Committed = vec![
            ("b".into(), vec![(9, 1)]),
            ("gone".into(), vec![(0, 1)]),
            ("a".into(), vec![(2, 30), (0, 10), (7, 1)]),
            ("a".into(), vec![(1, 1)]),
        ];
        let all = consumed(&topics, &committed, None, &mut room);
        assert_eq!(kept(&all), [(0, vec![(0, Some(10)), (1, None), (2, Some(30))])]);
        let assigned = BTreeMap::from([("a".to_owned(), vec![1, 2]), ("b".to_owned(), vec![0])]);
        let theirs = consumed(&topics, &committed, Some(&assigned), &mut room);
        assert_eq!(kept(&theirs), [(0, vec![(1, None), (2, Some(30))])]);
        assert_eq!(consumed(&topics, &committed, Some(&BTreeMap::new()), &mut room), []);
    }

    #[test]
    fn what_there_is_no_room_for_is_counted() {
        let mut room = Room::new(8);
        let topics =
            topics([described("a", 3), described("b", 100), described("c", 1)].into_iter(), &mut room);
        assert_eq!(topics.iter().map(|it| it.name.as_str()).collect::<Vec<_>>(), ["a", "c"]);
        let committed: Committed = vec![("a".into(), vec![(0, 1)]), ("c".into(), vec![(0, 1)])];
        assert_eq!(kept(&consumed(&topics, &committed, None, &mut room)), [(1, vec![(0, Some(1))])]);
        assert_eq!(room.refused(), 101 + 3);
    }
}
