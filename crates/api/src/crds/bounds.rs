//! How large numbers may be.

/// The largest floating-point number that is an integer of 64 bits.
pub const LARGEST_INTEGER: i64 = i64::MAX - 1023;
