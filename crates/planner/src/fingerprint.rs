//! Short fingerprints for annotations: they tell whether something changed, they protect nothing.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// The first 8 hexadecimal digits of the SHA-256 sum.
pub(crate) fn short(bytes: &[u8]) -> String {
    hex(bytes, 4)
}

/// The first 40 hexadecimal digits of the SHA-256 sum.
pub(crate) fn long(bytes: &[u8]) -> String {
    hex(bytes, 20)
}

/// The whole SHA-256 sum.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(bytes, 32)
}

fn hex(bytes: &[u8], length: usize) -> String {
    let sum = Sha256::digest(bytes);
    let mut text = String::with_capacity(2 * length);
    for byte in sum.iter().take(length) {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}
