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

/// The first 12 bits of the SHA-256 sum, for what nobody should guess who can read the fingerprint: nearly every change shows, and of all
/// guesses one in four thousand fits.
pub(crate) fn coarse(bytes: &[u8]) -> String {
    let mut text = hex(bytes, 2);
    text.truncate(3);
    text
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_coarse_fingerprint_fits_more_guesses_than_one_and_shows_a_change() {
        let all: Vec<String> = (0..10_000).map(|guess: u32| coarse(&guess.to_le_bytes())).collect();
        let different: BTreeSet<&String> = all.iter().collect();
        assert!(different.len() > 3_500 && different.len() <= 4_096, "{}", different.len());
        assert_ne!(coarse(b"before"), coarse(b"after"));
    }
}
