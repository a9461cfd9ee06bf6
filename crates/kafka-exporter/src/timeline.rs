//! How long the oldest record that a group has not consumed has waited.
//!
//! A partition's timeline is a short list of points: at a time `at`, the records below `offset` were there, and those from it
//! on were not. Points come from two sources, both of which the collection asks anyway or cheaply:
//!
//! - the end of the partition as each collection finds it, at the time at which it does;
//! - for what is older than that, Kafka's answer to "which is the first record that is not older than this time", which
//!   names an offset and the time of the record there.
//!
//! With a committed offset `c` below the end, the last point `(o, a)` with `o <= c` and the first point `(p, b)` with `p > c`,
//! the record at `c` came about at `a + (c - o) / (p - o) * (b - a)`, and
//!
//! ```text
//! lag in seconds = now - (a + (c - o) / (p - o) * (b - a))        0 when c is the end
//! ```
//!
//! The two points are exact, so the figure is wrong by `b - a` at most. [`Timeline::question`] says which time to ask about
//! to come closer; it stops when `b - a` is an eighth of the figure, or below [`FINE`].

/// The most points of one partition.
const MOST: usize = 24;

/// Times closer than this are not told apart. Milliseconds.
pub(crate) const FINE: i64 = 15_000;

/// How far back the first question goes. Milliseconds.
const FIRST_STEP: i64 = 60_000;

/// How many times further back each following one goes.
const STEP: i64 = 4;

/// At this time, in milliseconds since 1970, records below the offset were there, and those from it on were not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Point {
    offset: i64,
    at: i64,
}

/// What is known of when the records of one partition came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Timeline {
    /// Ascending in both; of one offset at most two: the first and the last time at which the partition ended there.
    points: Vec<Point>,
}

impl Timeline {
    /// The partition ends at `end` now.
    pub(crate) fn ends(&mut self, end: i64, now: i64) {
        if self.points.last().is_some_and(|last| last.offset > end) {
            // The topic was made anew, or records were lost: nothing of what is known holds.
            self.points.clear();
        }
        self.insert(Point { offset: end, at: now });
        self.thin(now);
    }

    /// Kafka's answer to [`Self::question`]: the first record that is not older than `asked` is at `offset`, and its time is
    /// `written`. Without an offset every record is older.
    pub(crate) fn answered(&mut self, asked: i64, offset: Option<i64>, written: Option<i64>, now: i64) {
        let Some(end) = self.points.last().map(|last| last.offset) else { return };
        let offset = offset.map_or(end, |offset| offset.min(end));
        // A client may put any time on a record.
        let (asked, written) = (asked.clamp(0, now), written.map(|written| written.min(now)));
        self.insert(Point { offset, at: asked });
        if let Some(written) = written.filter(|written| *written > asked) {
            self.insert(Point { offset, at: written });
        }
        self.thin(now);
    }

    /// When the record at this offset came, which is below the end; `None` while that is not known.
    pub(crate) fn came(&self, offset: i64) -> Option<i64> {
        let (before, after) = self.around(offset)?;
        let part = (offset - before.offset) as f64 / (after.offset - before.offset) as f64;
        Some(before.at + (part * (after.at - before.at) as f64) as i64)
    }

    /// The time to ask about, in milliseconds since 1970, to know better when the record at this offset came.
    pub(crate) fn question(&self, offset: i64, now: i64) -> Option<i64> {
        let oldest = self.points.first()?;
        if oldest.offset > offset {
            let age = (now - oldest.at).max(0);
            let asked = now.saturating_sub(age.saturating_mul(STEP).max(FIRST_STEP)).max(0);
            return (asked < oldest.at).then_some(asked);
        }
        let (before, after) = self.around(offset)?;
        let gap = after.at - before.at;
        let coarse = gap > FINE && gap > (now - before.at) / 8;
        coarse.then_some(before.at + gap / 2)
    }

    /// The points between which the record at this offset came.
    fn around(&self, offset: i64) -> Option<(Point, Point)> {
        let next = self.points.partition_point(|point| point.offset <= offset);
        let before = *self.points.get(next.checked_sub(1)?)?;
        Some((before, *self.points.get(next)?))
    }

    /// Puts a point where its offset belongs, at a time between those of its neighbours.
    fn insert(&mut self, point: Point) {
        let first = self.points.partition_point(|known| known.offset < point.offset);
        let behind = self.points.partition_point(|known| known.offset <= point.offset);
        let earliest = first.checked_sub(1).and_then(|index| self.points.get(index)).map(|known| known.at);
        let latest = self.points.get(behind).map(|known| known.at);
        let mut at = point.at.max(earliest.unwrap_or(point.at));
        at = at.min(latest.unwrap_or(at));
        let known = &mut self.points[first..behind];
        match known {
            [] => self.points.insert(first, Point { at, ..point }),
            [only] if only.at == at => {}
            [only] => {
                let place = if only.at < at { behind } else { first };
                self.points.insert(place, Point { at, ..point });
            }
            [from, .., to] => {
                from.at = from.at.min(at);
                to.at = to.at.max(at);
            }
        }
    }

    /// Takes out, while there are too many, the point that is missed least: where a gap is small beside its age.
    fn thin(&mut self, now: i64) {
        while self.points.len() > MOST {
            let missed = |index: &usize| {
                let gap = self.points[index + 1].at - self.points[index - 1].at;
                let age = (now - self.points[*index].at).max(1);
                (gap as f64 / age as f64 * 1e9) as i64
            };
            // The last two are the newest, and the first is as far back as is known.
            let Some(index) = (1..self.points.len() - 2).min_by_key(missed) else { return };
            self.points.remove(index);
        }
        self.points.shrink_to(self.points.len() + 2);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_800_000_000_000;
    const SECOND: i64 = 1_000;

    #[test]
    fn records_that_come_at_a_steady_rate_have_waited_as_long_as_their_number_says() {
        let mut timeline = Timeline::default();
        // Ten records a second, looked at every ten seconds, for five minutes.
        for step in 0..=30 {
            timeline.ends(step * 100, NOW + step * 10 * SECOND);
        }
        let now = NOW + 300 * SECOND;
        for lag in [1, 50, 99, 100, 101, 1_000, 2_999] {
            let waited = now - timeline.came(3_000 - lag).unwrap();
            let right = lag * 100;
            assert!((waited - right).abs() <= right / 8 + 1, "{lag} records: {waited} ms instead of {right}");
            assert_eq!(timeline.question(3_000 - lag, now), None, "{lag}");
        }
        assert_eq!(timeline.came(3_000), None, "that record has not come");
        assert!(timeline.points.len() <= MOST);
    }

    #[test]
    fn a_record_after_a_long_silence_came_at_the_end_of_it() {
        let mut timeline = Timeline::default();
        for step in 0..=360 {
            timeline.ends(100, NOW + step * 10 * SECOND);
        }
        let end = NOW + 3_600 * SECOND;
        timeline.ends(101, end + 10 * SECOND);
        let came = timeline.came(100).unwrap();
        assert!((end..=end + 10 * SECOND).contains(&came), "{} s too early", (end - came) / SECOND);
    }

    #[test]
    fn a_topic_that_was_made_anew_begins_anew() {
        let mut timeline = Timeline::default();
        timeline.ends(1_000, NOW);
        timeline.ends(5, NOW + SECOND);
        assert_eq!(timeline.points, [Point { offset: 5, at: NOW + SECOND }]);
    }

    /// A partition whose records came at these times, as Kafka answers for it.
    struct Log(Vec<i64>);

    impl Log {
        fn answer(&self, asked: i64) -> (Option<i64>, Option<i64>) {
            let found = self.0.iter().position(|time| *time >= asked);
            (found.map(|index| index as i64), found.map(|index| self.0[index]))
        }
    }

    /// Asks until there is nothing to ask any more. Gives back when the record came, and how many questions it took.
    fn find(log: &Log, offset: i64, now: i64) -> (Option<i64>, usize) {
        let mut timeline = Timeline::default();
        timeline.ends(log.0.len() as i64, now);
        for asked in 0..60 {
            let Some(question) = timeline.question(offset, now) else {
                return (timeline.came(offset), asked);
            };
            let (at, written) = log.answer(question);
            timeline.answered(question, at, written, now);
        }
        panic!("no end of questions: {timeline:?}");
    }

    #[test]
    fn an_exporter_that_has_just_started_asks_kafka_how_old_records_are() {
        let day = 86_400 * SECOND;
        let log = Log((0..1_000).map(|index| NOW - 30 * day + index * day / 40).collect());
        for offset in [0, 1, 500, 998, 999] {
            let (came, questions) = find(&log, offset, NOW);
            let right = log.0[offset as usize];
            let age = NOW - right;
            assert!((came.unwrap() - right).abs() <= age / 7, "{offset}: {came:?} instead of {right}");
            assert!(questions <= 16, "{questions} questions for {offset}");
        }
    }

    #[test]
    fn records_without_a_time_leave_the_figure_open_and_end_the_questions() {
        let mut timeline = Timeline::default();
        timeline.ends(10, NOW);
        for _ in 0..60 {
            let Some(question) = timeline.question(3, NOW) else { break };
            timeline.answered(question, None, None, NOW);
        }
        assert_eq!(timeline.question(3, NOW), None);
        assert_eq!(timeline.came(3), None);
    }

    proptest! {
        #[test]
        fn whatever_kafka_answers_the_points_stay_in_order_and_few(
            steps in prop::collection::vec((any::<bool>(), -5..2_000_i64, any::<i64>(), -100..100_000_i64), 1..200),
        ) {
            let (mut timeline, mut now) = (Timeline::default(), NOW);
            for (own, offset, time, ahead) in steps {
                now += ahead;
                if own {
                    timeline.ends(offset.max(0), now);
                } else {
                    timeline.answered(time, (offset >= 0).then_some(offset), Some(time), now);
                }
                prop_assert!(timeline.points.len() <= MOST);
                for pair in timeline.points.windows(2) {
                    prop_assert!(pair[0].offset <= pair[1].offset && pair[0].at <= pair[1].at, "{timeline:?}");
                }
                let _ = (timeline.came(offset), timeline.question(offset, now));
            }
        }

        #[test]
        fn the_figure_is_right_to_an_eighth_however_the_records_came(
            gaps in prop::collection::vec(0..4_000_000_i64, 2..300), place in any::<prop::sample::Index>(),
        ) {
            let mut times: Vec<i64> = gaps.iter().scan(NOW, |at, gap| { *at -= gap; Some(*at) }).collect();
            times.reverse();
            let log = Log(times);
            let offset = place.index(log.0.len()) as i64;
            let (came, _) = find(&log, offset, NOW);
            let (came, right) = (came.unwrap(), log.0[offset as usize]);
            prop_assert!((came - right).abs() <= FINE + (NOW - right.min(came)) / 7, "{came} instead of {right}");
        }
    }
}
