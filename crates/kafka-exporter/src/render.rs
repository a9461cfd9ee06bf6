//! A snapshot as text for Prometheus, under the names that dashboards know.
//!
//! It is written line by line, and not by way of the `prometheus` crate's objects: these would take about fifteen times as
//! much memory as the text, which is long.

use std::fmt::Display;
use std::io::Write as _;

use crate::snapshot::{Group, Partition, Position, Snapshot, Topic};

/// The metrics of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rendered {
    /// The text.
    pub text: Vec<u8>,
    /// Lines for which there was no room.
    pub left_out: usize,
}

/// Writes a snapshot into `most` bytes. `room` is how long the text will be, about.
pub(crate) fn render(snapshot: &Snapshot, most: usize, room: usize) -> Rendered {
    let mut writer = Writer { text: Vec::with_capacity(room.min(most)), most, left_out: 0 };
    brokers(&mut writer, snapshot);
    topics(&mut writer, &snapshot.topics);
    groups(&mut writer, snapshot);
    Rendered { text: writer.text, left_out: writer.left_out }
}

/// Writes lines as long as there is room.
struct Writer {
    text: Vec<u8>,
    most: usize,
    left_out: usize,
}

impl Writer {
    /// Begins a metric. All of them are gauges, as dashboards expect.
    fn metric<'a>(&'a mut self, name: &'static str, help: &'static str) -> Metric<'a> {
        Metric { writer: self, name, help, begun: false }
    }
}

/// A metric that is being written; without a line it has no head either.
struct Metric<'a> {
    writer: &'a mut Writer,
    name: &'static str,
    help: &'static str,
    begun: bool,
}

impl Metric<'_> {
    fn line(&mut self, labels: &[(&str, &dyn Display)], value: impl Display) {
        let Writer { text, most, left_out } = &mut *self.writer;
        let before = text.len();
        // Writing into memory does not fail.
        if !self.begun {
            let _ = write!(text, "# HELP {0} {1}\n# TYPE {0} gauge\n", self.name, self.help);
        }
        let _ = text.write_all(self.name.as_bytes());
        for (index, (label, content)) in labels.iter().enumerate() {
            let _ = write!(text, "{}{label}=\"", if index == 0 { '{' } else { ',' });
            let _ = write!(Escaped(text), "{content}");
            text.push(b'"');
        }
        let _ = writeln!(text, "{} {value}", if labels.is_empty() { "" } else { "}" });
        if text.len() > *most {
            text.truncate(before);
            *left_out += 1;
        } else {
            self.begun = true;
        }
    }
}

/// Writes the value of a label.
struct Escaped<'a>(&'a mut Vec<u8>);

impl std::io::Write for Escaped<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        for byte in bytes {
            match byte {
                b'\\' => self.0.extend_from_slice(b"\\\\"),
                b'"' => self.0.extend_from_slice(b"\\\""),
                b'\n' => self.0.extend_from_slice(b"\\n"),
                other => self.0.push(*other),
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn brokers(writer: &mut Writer, snapshot: &Snapshot) {
    writer.metric("kafka_brokers", "Brokers of the cluster").line(&[], snapshot.brokers.len());
    let mut info = writer.metric("kafka_broker_info", "Address of each broker");
    for (id, address) in &snapshot.brokers {
        info.line(&[("address", address), ("id", id)], 1);
    }
}

/// A figure of a partition, if it is known.
type OfPartition = fn(&Partition) -> Option<i64>;

/// A figure of a group's position, if it is known.
type OfPosition = fn(&Position) -> Option<i64>;

fn topics(writer: &mut Writer, topics: &[Topic]) {
    let mut count = writer.metric("kafka_topic_partitions", "Partitions of the topic");
    for topic in topics {
        count.line(&[("topic", &topic.name)], topic.partitions.len());
    }
    let metrics: [(&'static str, &'static str, OfPartition); 7] = [
        ("kafka_topic_partition_current_offset", "Offset of the next record", |partition| partition.end),
        ("kafka_topic_partition_oldest_offset", "Offset of the oldest record", |partition| partition.start),
        ("kafka_topic_partition_leader", "Id of the broker that leads the partition", |partition| {
            partition.leader.map(i64::from)
        }),
        ("kafka_topic_partition_leader_is_preferred", "1 if the first replica leads, else 0", |partition| {
            Some(partition.preferred.into())
        }),
        ("kafka_topic_partition_replicas", "Replicas of the partition", |partition| {
            Some(partition.replicas.into())
        }),
        ("kafka_topic_partition_in_sync_replica", "Replicas in sync", |partition| {
            Some(partition.in_sync.into())
        }),
        (
            "kafka_topic_partition_under_replicated_partition",
            "1 if a replica is not in sync, else 0",
            |partition| Some((partition.in_sync < partition.replicas).into()),
        ),
    ];
    for (name, help, value) in metrics {
        let mut metric = writer.metric(name, help);
        for topic in topics {
            for partition in &topic.partitions {
                if let Some(value) = value(partition) {
                    metric.line(&[("partition", &partition.index), ("topic", &topic.name)], value);
                }
            }
        }
    }
}

fn groups(writer: &mut Writer, snapshot: &Snapshot) {
    let mut info = writer.metric("kafka_consumergroup_info", "Type and state of each group");
    for group in &snapshot.groups {
        info.line(&[("consumergroup", &group.id), ("state", &group.state), ("type", &group.kind)], 1);
    }
    let mut members = writer.metric("kafka_consumergroup_members", "Members of the group");
    for group in &snapshot.groups {
        if let Some(count) = group.members {
            members.line(&[("consumergroup", &group.id)], count);
        }
    }
    let mut offset = writer.metric(
        "kafka_consumergroup_current_offset",
        "Offset that the group has committed, -1 where it has committed only those of other partitions of the topic",
    );
    each_position(snapshot, |group, topic, position| {
        offset.line(&labels(group, topic, position), position.committed.unwrap_or(-1));
    });
    let mut lag = writer.metric(
        "kafka_consumergroup_lag",
        "Records that the group has not consumed, -1 where it has committed no offset",
    );
    each_position(snapshot, |group, topic, position| match (position.committed, position.lag) {
        (_, Some(records)) => lag.line(&labels(group, topic, position), records),
        (None, None) => lag.line(&labels(group, topic, position), -1),
        (Some(_), None) => {}
    });
    let mut seconds = writer.metric(
        "kafka_consumergroup_lag_seconds",
        "Seconds for which the oldest record that the group has not consumed has waited",
    );
    each_position(snapshot, |group, topic, position| {
        if let Some(waited) = position.lag_seconds {
            seconds.line(&labels(group, topic, position), format_args!("{waited:.3}"));
        }
    });
    sums(writer, snapshot);
}

fn sums(writer: &mut Writer, snapshot: &Snapshot) {
    let metrics: [(&'static str, &'static str, OfPosition); 2] = [
        (
            "kafka_consumergroup_current_offset_sum",
            "Sum of the offsets that the group has committed",
            |position| position.committed,
        ),
        (
            "kafka_consumergroup_lag_sum",
            "Records of all partitions of the topic that the group has not consumed",
            |position| position.lag,
        ),
    ];
    for (name, help, value) in metrics {
        let mut metric = writer.metric(name, help);
        for group in &snapshot.groups {
            for consumed in &group.consumed {
                let Some(topic) = snapshot.topics.get(consumed.topic) else { continue };
                let sum = consumed.positions.iter().filter_map(value).fold(0, i64::saturating_add);
                metric.line(&[("consumergroup", &group.id), ("topic", &topic.name)], sum);
            }
        }
    }
}

fn labels<'a>(group: &'a Group, topic: &'a Topic, position: &'a Position) -> [(&'a str, &'a dyn Display); 3] {
    [("consumergroup", &group.id), ("partition", &position.partition), ("topic", &topic.name)]
}

fn each_position(snapshot: &Snapshot, mut line: impl FnMut(&Group, &Topic, &Position)) {
    for group in &snapshot.groups {
        for consumed in &group.consumed {
            let Some(topic) = snapshot.topics.get(consumed.topic) else { continue };
            for position in &consumed.positions {
                line(group, topic, position);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::Consumed;

    fn snapshot() -> Snapshot {
        let partition = |index, end| Partition {
            index,
            leader: Some(1),
            preferred: index == 0,
            replicas: 3,
            in_sync: if index == 0 { 3 } else { 2 },
            start: Some(5),
            end,
        };
        let position =
            |partition, committed, lag, lag_seconds| Position { partition, committed, lag, lag_seconds };
        Snapshot {
            brokers: vec![(0, "my-kafka-0:9091".into()), (1, "my-kafka-1:9091".into())],
            topics: vec![Topic {
                name: "orders".into(),
                partitions: vec![partition(0, Some(100)), partition(1, Some(70)), partition(2, None)],
            }],
            groups: vec![Group {
                id: "a \"quoted\" \\ group\nof two lines".into(),
                kind: "consumer".into(),
                state: "Stable".into(),
                members: Some(2),
                consumed: vec![Consumed {
                    topic: 0,
                    positions: vec![
                        position(0, Some(90), Some(10), Some(12.5)),
                        position(1, None, None, None),
                        position(2, Some(4), None, None),
                    ],
                }],
            }],
        }
    }

    #[test]
    fn the_text_has_the_names_and_labels_that_dashboards_know() {
        let rendered = render(&snapshot(), usize::MAX, 0);
        let text = String::from_utf8(rendered.text).unwrap();
        let group = r#"consumergroup="a \"quoted\" \\ group\nof two lines""#;
        for line in [
            "# TYPE kafka_brokers gauge\nkafka_brokers 2\n".to_owned(),
            "kafka_broker_info{address=\"my-kafka-1:9091\",id=\"1\"} 1\n".to_owned(),
            "kafka_topic_partitions{topic=\"orders\"} 3\n".to_owned(),
            "kafka_topic_partition_current_offset{partition=\"1\",topic=\"orders\"} 70\n".to_owned(),
            "kafka_topic_partition_oldest_offset{partition=\"2\",topic=\"orders\"} 5\n".to_owned(),
            "kafka_topic_partition_leader{partition=\"0\",topic=\"orders\"} 1\n".to_owned(),
            "kafka_topic_partition_leader_is_preferred{partition=\"1\",topic=\"orders\"} 0\n".to_owned(),
            "kafka_topic_partition_replicas{partition=\"0\",topic=\"orders\"} 3\n".to_owned(),
            "kafka_topic_partition_in_sync_replica{partition=\"1\",topic=\"orders\"} 2\n".to_owned(),
            "kafka_topic_partition_under_replicated_partition{partition=\"1\",topic=\"orders\"} 1\n"
                .to_owned(),
            format!("kafka_consumergroup_info{{{group},state=\"Stable\",type=\"consumer\"}} 1\n"),
            format!("kafka_consumergroup_members{{{group}}} 2\n"),
            format!("kafka_consumergroup_current_offset{{{group},partition=\"0\",topic=\"orders\"}} 90\n"),
            format!("kafka_consumergroup_current_offset{{{group},partition=\"1\",topic=\"orders\"}} -1\n"),
            format!("kafka_consumergroup_lag{{{group},partition=\"0\",topic=\"orders\"}} 10\n"),
            format!("kafka_consumergroup_lag{{{group},partition=\"1\",topic=\"orders\"}} -1\n"),
            format!("kafka_consumergroup_lag_seconds{{{group},partition=\"0\",topic=\"orders\"}} 12.500\n"),
            format!("kafka_consumergroup_current_offset_sum{{{group},topic=\"orders\"}} 94\n"),
            format!("kafka_consumergroup_lag_sum{{{group},topic=\"orders\"}} 10\n"),
        ] {
            assert!(text.contains(&line), "{line} is missing in\n{text}");
        }
        // What is not known is not said.
        assert!(!text.contains("current_offset{partition=\"2\""), "{text}");
        assert_eq!(text.matches("\nkafka_consumergroup_lag{").count(), 2, "{text}");
        assert_eq!(text.matches("# TYPE kafka_consumergroup_lag_seconds gauge").count(), 1, "{text}");
    }

    #[test]
    fn a_text_that_would_be_too_long_has_whole_lines_and_counts_the_others() {
        let whole = render(&snapshot(), usize::MAX, 0);
        assert_eq!(whole.left_out, 0);
        for most in 0..whole.text.len() {
            let part = render(&snapshot(), most, 0);
            assert!(part.text.len() <= most && part.left_out > 0, "{most}");
            assert!(part.text.is_empty() || part.text.ends_with(b"\n"), "{most}");
        }
    }
}
