//! Why something is not as its resource asks: what the plans of the topic and the user operator say, and their statuses show.

use api::conditions::reasons;

/// Why a resource cannot be carried out, or a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Reason of the condition.
    pub reason: &'static str,
    /// What is wrong and what to do: field, value and what to write instead.
    pub message: String,
    /// Whether trying again may help without a change of the resource.
    pub retry: bool,
}

impl Refusal {
    /// What stays refused until somebody changes the resource.
    pub fn new(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: false }
    }

    /// What may pass by itself.
    pub fn passing(reason: &'static str, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), retry: true }
    }

    /// A value that its author has to correct.
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(reasons::INVALID_RESOURCE, message)
    }

    /// All refusals of one resource as one: the reason of the first, and every message once.
    pub fn joined<'a>(refusals: impl IntoIterator<Item = &'a Self>) -> Option<Self> {
        let mut all = refusals.into_iter();
        let mut joined = all.next()?.clone();
        let mut messages = vec![joined.message.clone()];
        for refusal in all {
            joined.retry |= refusal.retry;
            if !messages.contains(&refusal.message) {
                messages.push(refusal.message.clone());
            }
        }
        joined.message = messages.join("; ");
        Some(joined)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_joined_under_the_first_reason_and_no_message_comes_twice() {
        let all = [
            Refusal::new(reasons::NOT_SUPPORTED, "a"),
            Refusal::passing(reasons::KAFKA_ERROR, "b"),
            Refusal::new(reasons::NOT_SUPPORTED, "a"),
        ];
        assert_eq!(Refusal::joined(&all), Some(Refusal::passing(reasons::NOT_SUPPORTED, "a; b")));
        assert_eq!(Refusal::joined([]), None);
    }
}
