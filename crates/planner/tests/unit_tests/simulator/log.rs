//! The records of one replica: how many, and under which leader each was written.

/// A replica's log. A record is told from others by its place and by the leader epoch under which it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Log {
    /// Leader epochs, each with the place of its first record.
    epochs: Vec<(u32, u64)>,
    /// The place behind the last record.
    end: u64,
    /// Up to here the replica knows records as committed.
    pub high_watermark: u64,
}

impl Log {
    /// The place behind the last record.
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// A leader writes records.
    pub(super) fn append(&mut self, epoch: u32, records: u64) {
        if records > 0 && self.epochs.last().is_none_or(|(last, _)| *last != epoch) {
            self.epochs.push((epoch, self.end));
        }
        self.end += records;
    }

    /// The first records of a log.
    pub(super) fn prefix(&self, end: u64) -> Self {
        let mut first = self.clone();
        first.truncate(end);
        first
    }

    /// Up to where two logs have the same records.
    pub(super) fn agrees_until(&self, other: &Self) -> u64 {
        let shorter = self.end.min(other.end);
        for (index, mine) in self.epochs.iter().enumerate() {
            match other.epochs.get(index) {
                Some(theirs) if theirs == mine => {}
                Some(theirs) => return mine.1.min(theirs.1).min(shorter),
                None => return mine.1.min(shorter),
            }
        }
        other.epochs.get(self.epochs.len()).map_or(shorter, |theirs| theirs.1.min(shorter))
    }

    /// Whether all of another log is in this one.
    pub(super) fn holds(&self, other: &Self) -> bool {
        self.agrees_until(other) == other.end
    }

    /// Takes off what comes behind a place.
    pub(super) fn truncate(&mut self, end: u64) {
        self.end = self.end.min(end);
        self.epochs.retain(|(_, start)| *start < end);
        self.high_watermark = self.high_watermark.min(end);
    }

    /// A follower takes records over, so many at most, after it has taken off what its leader does not have.
    pub(super) fn follow(&mut self, leader: &Self, records: u64) {
        let agreed = self.agrees_until(leader);
        self.truncate(agreed);
        let end = (self.end + records).min(leader.end);
        *self = Self { high_watermark: self.high_watermark, ..leader.prefix(end) };
        self.high_watermark = leader.high_watermark.min(self.end).max(self.high_watermark);
    }
}

#[test]
fn logs_agree_until_another_leader_wrote() {
    let mut first = Log::default();
    first.append(1, 10);
    let mut second = first.clone();
    assert!(first.holds(&second));
    first.append(2, 5);
    second.append(3, 7);
    assert_eq!((first.agrees_until(&second), second.agrees_until(&first)), (10, 10));
    second.follow(&first, 3);
    assert_eq!((second.end(), second.holds(&first.prefix(13))), (13, true));
    assert!(!Log::default().holds(&first) && first.holds(&Log::default()));
}
