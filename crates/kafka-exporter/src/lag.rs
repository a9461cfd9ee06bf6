//! The lag of groups, in records and in seconds: what is known of partitions from one collection to the next.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::snapshot::{Partition, Position, Snapshot};
use crate::timeline::Timeline;

/// The timelines of the partitions that groups consume.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timelines(HashMap<String, BTreeMap<i32, Timeline>>);

/// A question to Kafka: which record of a partition is the first that is not older than a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Question {
    /// Place of the topic in the snapshot.
    pub topic: usize,
    /// Number of the partition.
    pub partition: i32,
    /// The broker that can answer.
    pub leader: i32,
    /// Milliseconds since 1970.
    pub time: i64,
}

impl Timelines {
    /// Takes over where the partitions of a snapshot end, which was seen at `now`, and forgets partitions that nobody consumes.
    pub(crate) fn follow(&mut self, snapshot: &Snapshot, now: i64) {
        let mut before = std::mem::take(&mut self.0);
        for consumed in snapshot.groups.iter().flat_map(|group| &group.consumed) {
            let Some(topic) = snapshot.topics.get(consumed.topic) else { continue };
            let mut known = before.remove(&topic.name).unwrap_or_default();
            let after = self.0.entry(topic.name.clone()).or_default();
            for position in &consumed.positions {
                let Some(partition) = topic.partition(position.partition) else { continue };
                if after.contains_key(&partition.index) {
                    continue;
                }
                let mut timeline = known.remove(&partition.index).unwrap_or_default();
                if let Some(end) = partition.end {
                    timeline.ends(end, now);
                }
                after.insert(partition.index, timeline);
            }
            if !known.is_empty() {
                // Other groups may consume these.
                before.insert(topic.name.clone(), known);
            }
        }
    }

    /// What to ask Kafka, `most` questions at most, one for a partition.
    pub(crate) fn questions(&self, snapshot: &Snapshot, now: i64, most: usize) -> Vec<Question> {
        let (mut questions, mut asked) = (Vec::new(), BTreeSet::new());
        for consumed in snapshot.groups.iter().flat_map(|group| &group.consumed) {
            let Some(topic) = snapshot.topics.get(consumed.topic) else { continue };
            let Some(timelines) = self.0.get(&topic.name) else { continue };
            for position in &consumed.positions {
                let Some(partition) = topic.partition(position.partition) else { continue };
                let Some(offset) = waiting(partition, position.committed) else { continue };
                let timeline = timelines.get(&partition.index);
                let Some(time) = timeline.and_then(|timeline| timeline.question(offset, now)) else {
                    continue;
                };
                let Some(leader) = partition.leader else { continue };
                if questions.len() == most {
                    return questions;
                }
                if asked.insert((consumed.topic, partition.index)) {
                    let partition = partition.index;
                    questions.push(Question { topic: consumed.topic, partition, leader, time });
                }
            }
        }
        questions
    }

    /// Takes over Kafka's answer: offset and time of the record, if there is one.
    pub(crate) fn answered(
        &mut self,
        topic: &str,
        question: Question,
        offset: Option<i64>,
        written: Option<i64>,
        now: i64,
    ) {
        let timelines = self.0.get_mut(topic);
        if let Some(timeline) = timelines.and_then(|timelines| timelines.get_mut(&question.partition)) {
            timeline.answered(question.time, offset, written, now);
        }
    }

    /// Fills in the lag of every group.
    pub(crate) fn fill(&self, snapshot: &mut Snapshot, now: i64) {
        let topics = &snapshot.topics;
        for consumed in snapshot.groups.iter_mut().flat_map(|group| &mut group.consumed) {
            let Some(topic) = topics.get(consumed.topic) else { continue };
            let timelines = self.0.get(&topic.name);
            for position in &mut consumed.positions {
                let Some(partition) = topic.partition(position.partition) else { continue };
                let timeline = timelines.and_then(|timelines| timelines.get(&partition.index));
                lag(position, partition, timeline, now);
            }
        }
    }
}

fn lag(position: &mut Position, partition: &Partition, timeline: Option<&Timeline>, now: i64) {
    let (Some(committed), Some(end)) = (position.committed, partition.end) else { return };
    position.lag = Some(end.saturating_sub(committed).max(0));
    position.lag_seconds = match waiting(partition, Some(committed)) {
        None => Some(0.0),
        Some(offset) => timeline
            .and_then(|timeline| timeline.came(offset))
            .map(|came| now.saturating_sub(came).max(0) as f64 / 1_000.0),
    };
}

/// The oldest record that is there and that a group with this offset has not consumed.
fn waiting(partition: &Partition, committed: Option<i64>) -> Option<i64> {
    let offset = committed?.max(partition.start.unwrap_or(0));
    (offset < partition.end?).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{Consumed, Group, Topic};

    const NOW: i64 = 1_800_000_000_000;

    /// Two groups that have committed these offsets of the partitions of a topic, which begin at 10.
    fn snapshot(ends: &[Option<i64>], committed: &[&[Option<i64>]]) -> Snapshot {
        let partitions = ends.iter().enumerate().map(|(index, end)| Partition {
            index: index as i32,
            leader: Some(7),
            start: Some(10),
            end: *end,
            ..Partition::default()
        });
        let group = |offsets: &&[Option<i64>]| {
            let positions = offsets.iter().enumerate().map(|(index, committed)| Position {
                partition: index as i32,
                committed: *committed,
                ..Position::default()
            });
            Group {
                consumed: vec![Consumed { topic: 0, positions: positions.collect() }],
                ..Group::default()
            }
        };
        Snapshot {
            topics: vec![Topic { name: "orders".into(), partitions: partitions.collect() }],
            groups: committed.iter().map(group).collect(),
            ..Snapshot::default()
        }
    }

    fn positions(snapshot: &Snapshot) -> Vec<(Option<i64>, Option<f64>)> {
        let consumed = snapshot.groups.iter().flat_map(|group| &group.consumed);
        consumed.flat_map(|consumed| &consumed.positions).map(|it| (it.lag, it.lag_seconds)).collect()
    }

    #[test]
    fn lag_counts_what_is_behind_the_committed_offset_in_records_and_in_seconds() {
        let mut timelines = Timelines::default();
        for (end, now) in [(100, NOW), (200, NOW + 10_000), (300, NOW + 20_000)] {
            let ends = [Some(end), Some(50), None];
            timelines.follow(
                &snapshot(&ends, &[&[Some(150), Some(50), Some(3)], &[Some(300), Some(60), None]]),
                now,
            );
        }
        let now = NOW + 20_000;
        let mut last = snapshot(
            &[Some(300), Some(50), None],
            &[&[Some(150), Some(50), Some(3)], &[Some(300), Some(60), None]],
        );
        timelines.fill(&mut last, now);
        assert_eq!(
            positions(&last),
            [
                (Some(150), Some(15.0)),
                (Some(0), Some(0.0)),
                // The broker did not say where it ends.
                (None, None),
                (Some(0), Some(0.0)),
                // The topic was made anew, and the group has not noticed.
                (Some(0), Some(0.0)),
                (None, None),
            ]
        );
        assert_eq!(timelines.questions(&last, now, 10), []);
    }

    #[test]
    fn what_is_older_than_the_exporter_is_asked_of_kafka_once_for_a_partition() {
        let mut timelines = Timelines::default();
        let mut seen = snapshot(&[Some(100), Some(100)], &[&[Some(20), Some(100)], &[Some(30), Some(3)]]);
        timelines.follow(&seen, NOW);
        timelines.fill(&mut seen, NOW);
        assert_eq!(positions(&seen)[0], (Some(80), None), "not known yet");
        let questions = timelines.questions(&seen, NOW, 10);
        let asked: Vec<(i32, i32)> =
            questions.iter().map(|question| (question.partition, question.leader)).collect();
        assert_eq!(asked, [(0, 7), (1, 7)]);
        assert_eq!(timelines.questions(&seen, NOW, 1).len(), 1);
        // The oldest record that is left, 10, has waited for 40 s; that the group is at 3 makes no difference.
        timelines.answered("orders", questions[1], Some(10), Some(NOW - 40_000), NOW);
        timelines.fill(&mut seen, NOW);
        assert_eq!(positions(&seen)[3], (Some(97), Some(40.0)));
    }

    #[test]
    fn partitions_that_nobody_consumes_any_more_are_forgotten() {
        let mut timelines = Timelines::default();
        timelines.follow(&snapshot(&[Some(1), Some(1)], &[&[Some(0), Some(0)]]), NOW);
        timelines.follow(&snapshot(&[Some(1), Some(1)], &[&[Some(0)], &[Some(0)]]), NOW);
        assert_eq!(timelines.0["orders"].len(), 1);
        timelines.follow(&snapshot(&[Some(1)], &[]), NOW);
        assert!(timelines.0.is_empty());
    }
}
