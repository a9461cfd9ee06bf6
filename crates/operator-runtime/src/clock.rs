//! The wall clock. Plans never read it: they are given `now`.

use jiff::{Timestamp, Unit};

/// The present moment.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// `2026-01-31T08:00:00Z`: RFC 3339 in UTC without fractions, as Kubernetes writes times in conditions.
pub fn rfc3339_seconds(at: Timestamp) -> String {
    let whole = Timestamp::from_second(at.as_second()).unwrap_or(at);
    whole.to_string()
}

/// The moment cut to microseconds, as `MicroTime` fields hold it.
pub fn to_microseconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Microsecond).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_carry_no_fraction_and_end_in_z() {
        let at = Timestamp::new(1_700_000_000, 987_654_321).unwrap();
        assert_eq!(rfc3339_seconds(at), "2023-11-14T22:13:20Z");
    }
}
