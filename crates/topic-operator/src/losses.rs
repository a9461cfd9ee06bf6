//! How many topics may go because their resources are missing.
//!
//! Without finalizers the operator sees of a deletion no more than that a resource is not there. Resources may also be lost:
//! with the definition of their kind, or because an administrator restored an older state of the API server. So only a part of the
//! topics goes at a time, and an administrator has time to bring the resources back.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

/// The time over which deletions are counted.
const WINDOW: Duration = Duration::from_mins(10);
/// So many deletions are never suspicious.
const FEW: usize = 20;
/// Of more resources than that, this part: one in ten.
const PART: usize = 10;
/// Until a topic that has to wait is looked at again.
pub(crate) const PAUSE: Duration = Duration::from_mins(5);

/// Deletions of topics whose resources are missing.
#[derive(Debug, Default)]
pub(crate) struct Losses {
    recent: VecDeque<Instant>,
    told: Option<Instant>,
}

impl Losses {
    /// Whether one more topic may go now; `resources` is how many there still are.
    pub(crate) fn allow(&mut self, now: Instant, resources: usize) -> bool {
        while self.recent.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        let allowed = self.recent.len() < FEW.max((resources + self.recent.len()) / PART);
        if allowed {
            self.recent.push_back(now);
        } else if self.told.is_none_or(|at| now.duration_since(at) >= WINDOW) {
            self.told = Some(now);
            tracing::error!(
                deleted = self.recent.len(),
                "many KafkaTopics are gone at once: the other topics stay in Kafka for now and go little by little; if the resources were lost by mistake, make them again, or stop the operator"
            );
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(losses: &mut Losses, now: Instant, tries: usize, resources: usize) -> usize {
        (0..tries).filter(|_| losses.allow(now, resources)).count()
    }

    #[test]
    fn few_go_at_once_and_of_many_a_part() {
        let begun = Instant::now();
        let mut losses = Losses::default();
        assert_eq!(allowed(&mut losses, begun, 100, 0), FEW);
        assert_eq!(allowed(&mut losses, begun + WINDOW / 2, 100, 0), 0);
        assert_eq!(allowed(&mut losses, begun + WINDOW, 100, 0), FEW);
        let mut losses = Losses::default();
        assert_eq!(allowed(&mut losses, begun, 1000, 1801), 200);
    }
}
