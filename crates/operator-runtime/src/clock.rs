//! The wall clock. Plans never read it: they are given `now`.

use jiff::{Timestamp, Unit};

/// The present moment.
pub fn now() -> Timestamp {
    Timestamp::now()
}

/// The moment cut to microseconds, as `MicroTime` fields hold it.
pub fn to_microseconds(at: Timestamp) -> Timestamp {
    at.round(Unit::Microsecond).unwrap_or(at)
}
