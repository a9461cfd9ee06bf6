//! Reads from Kafka's log lines how much of the log recovery is left. Best effort: a user may turn these lines off.

use std::collections::BTreeMap;

/// How far the recovery after an unclean stop has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Logs that were not closed in order, as counted before the start.
    expected: usize,
    /// Directory to (loaded, all) logs, as Kafka said last.
    directories: BTreeMap<String, (usize, usize)>,
    /// Partition to segments that are left, as Kafka said last.
    segments: BTreeMap<String, usize>,
}

impl Recovery {
    /// A recovery of `expected` logs.
    pub fn new(expected: usize) -> Self {
        Self { expected, ..Self::default() }
    }

    /// Whether there is anything to recover.
    pub fn needed(&self) -> bool {
        self.expected > 0
    }

    /// Takes in a line of Kafka's output.
    pub fn read(&mut self, line: &str) {
        if let Some((before, directory)) = line.rsplit_once(" completed in ") {
            // "Completed load of Log(…) with 2 segments … in 7ms (3/12 completed in /var/lib/kafka/data/kafka-log0)"
            let counts = before.rsplit_once('(').and_then(|(_, counts)| fraction(counts));
            if let (Some(counts), Some(directory)) = (counts, directory.split(')').next()) {
                self.directories.insert(directory.to_owned(), counts);
            }
        } else if let Some((_, rest)) = line.split_once("Recovering unflushed segment ") {
            // "Recovering unflushed segment 0. 1/3 recovered for my-topic-0."; Kafka 4.3 leaves out the total ("1 recovered"),
            // so that nothing can be said of its segments.
            let Some((_, rest)) = rest.split_once(". ") else { return };
            let Some((counts, partition)) = rest.split_once(" recovered for ") else { return };
            if let Some((done, all)) = fraction(counts) {
                self.segments
                    .insert(partition.trim_end().trim_end_matches('.').to_owned(), all.saturating_sub(done));
            }
        }
    }

    /// Logs that are still to be loaded.
    pub fn remaining_logs(&self) -> usize {
        if self.directories.is_empty() {
            return self.expected;
        }
        self.directories.values().map(|(done, all)| all.saturating_sub(*done)).sum()
    }

    /// Segments that are still to be read, of the logs that are being recovered.
    pub fn remaining_segments(&self) -> usize {
        self.segments.values().sum()
    }
}

fn fraction(text: &str) -> Option<(usize, usize)> {
    let (done, all) = text.trim().split_once('/')?;
    Some((done.parse().ok()?, all.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_remaining_work_is_read_from_kafkas_lines() {
        let mut recovery = Recovery::new(5);
        assert!(recovery.needed());
        assert_eq!((recovery.remaining_logs(), recovery.remaining_segments()), (5, 0));
        recovery.read("[2026-11-21 06:00:00,000] INFO [LogLoader partition=t-0, dir=/d] Recovering unflushed segment 0. 1/3 recovered for t-0. (kafka.x)");
        recovery.read("INFO Completed load of Log(dir=/d/t-1, topic=t) with 1 segments, in 7ms (2/5 completed in /d) (kafka.log.LogManager)");
        assert_eq!((recovery.remaining_logs(), recovery.remaining_segments()), (3, 2));
        recovery.read("INFO Completed load of Log(dir=/d/t-0) (5/5 completed in /d)");
        assert_eq!(recovery.remaining_logs(), 0);
        recovery.read("INFO [LogLoader partition=t-13, dir=/d] Recovering unflushed segment 0. 0 recovered for t-13. (x)");
        assert_eq!(recovery.remaining_segments(), 2, "a line without a total says nothing");
        recovery.read("something else completed in time");
        recovery.read("Recovering unflushed segment 0");
        assert_eq!(recovery.remaining_logs(), 0);
        assert!(!Recovery::default().needed());
    }
}
