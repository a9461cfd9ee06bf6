//! Where records stand, as Kafka acknowledged them and as they were read, and the proof that nothing was lost.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail, ensure};

/// A partition and an offset in it.
pub(crate) type Place = (i32, i64);

/// Numbers of records by the places where they stand.
pub(crate) type Places = BTreeMap<Place, u64>;

/// What Kafka said that it has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Acknowledged {
    /// Records of which it said where they stand.
    pub(crate) places: Places,
    /// Records of which it said that it had them already, and not where.
    pub(crate) unplaced: BTreeSet<u64>,
}

impl Acknowledged {
    /// How many records.
    pub(crate) fn len(&self) -> usize {
        self.places.len() + self.unplaced.len()
    }

    /// Whether all of it was read.
    pub(crate) fn is_read(&self, read: &Places) -> bool {
        self.missing(read).is_empty()
    }

    /// Records that were not read.
    pub(crate) fn missing(&self, read: &Places) -> BTreeSet<u64> {
        let unread = self.places.iter().filter(|(place, _)| !read.contains_key(place));
        let mut seen = BTreeSet::new();
        if !self.unplaced.is_empty() {
            seen.extend(read.values().copied());
        }
        unread.map(|(_, number)| *number).chain(self.unplaced.difference(&seen).copied()).collect()
    }

    /// Each acknowledged record is what stands at its offset, no record stands at two, and numbers rise within a partition, as they were
    /// sent.
    ///
    /// # Errors
    /// The first record of which that is not so.
    pub(crate) fn compare(&self, read: &Places) -> Result<()> {
        for (place, number) in &self.places {
            let found = read.get(place);
            ensure!(
                found == Some(number),
                "record {number} was acknowledged at {place:?}, where {found:?} stands"
            );
        }
        let mut before: Option<(Place, u64)> = None;
        let mut seen = BTreeMap::new();
        for (place, number) in read {
            if let Some(other) = seen.insert(number, place) {
                bail!("record {number} stands at {other:?} and at {place:?}");
            }
            if let Some((last, earlier)) = before
                && last.0 == place.0
                && earlier > *number
            {
                bail!("record {number} at {place:?} comes after record {earlier} at {last:?}");
            }
            before = Some((*place, *number));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acknowledged(places: &[(Place, u64)], unplaced: &[u64]) -> Acknowledged {
        Acknowledged {
            places: places.iter().copied().collect(),
            unplaced: unplaced.iter().copied().collect(),
        }
    }

    fn refused(read: &[(Place, u64)]) -> String {
        let kept = acknowledged(&[((0, 0), 0), ((1, 0), 1), ((0, 1), 2)], &[]);
        kept.compare(&read.iter().copied().collect()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_read_as_it_was_acknowledged_is_right_whatever_others_wrote_between() {
        let kept = acknowledged(&[((0, 0), 0), ((1, 0), 1), ((0, 5), 2)], &[3]);
        let read = Places::from([((0, 0), 0), ((1, 0), 1), ((0, 5), 2), ((1, 7), 3)]);
        assert!(kept.is_read(&read));
        kept.compare(&read).unwrap();
        assert_eq!(kept.len(), 4);
    }

    #[test]
    fn a_record_that_was_lost_is_missing() {
        let kept = acknowledged(&[((0, 0), 0), ((0, 1), 2)], &[3, 4]);
        let read = Places::from([((0, 0), 0), ((1, 0), 3)]);
        assert_eq!(kept.missing(&read), [2, 4].into());
        assert!(!kept.is_read(&read));
    }

    #[test]
    fn a_record_that_is_lost_twice_there_or_in_another_order_is_told() {
        let lost = refused(&[((0, 0), 0), ((1, 0), 1)]);
        assert_eq!(lost, "record 2 was acknowledged at (0, 1), where None stands");
        let other = refused(&[((0, 0), 0), ((1, 0), 1), ((0, 1), 9)]);
        assert_eq!(other, "record 2 was acknowledged at (0, 1), where Some(9) stands");
        let twice = refused(&[((0, 0), 0), ((1, 0), 1), ((0, 1), 2), ((0, 2), 2)]);
        assert_eq!(twice, "record 2 stands at (0, 1) and at (0, 2)");
        let turned = refused(&[((0, 0), 0), ((1, 0), 1), ((0, 1), 2), ((1, 1), 8), ((1, 2), 7)]);
        assert_eq!(turned, "record 7 at (1, 2) comes after record 8 at (1, 1)");
    }
}
