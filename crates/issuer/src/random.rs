//! Random passwords, bytes and Kafka ids, from the system's cryptographic source.

use aws_lc_rs::rand;
use base64::Engine;

use pki::{Password, PkiError};

const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const ALPHANUMERICS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// `N` random bytes.
pub fn bytes<const N: usize>() -> Result<[u8; N], PkiError> {
    let mut buffer = [0_u8; N];
    rand::fill(&mut buffer).map_err(|_| PkiError::Random)?;
    Ok(buffer)
}

/// A password of `length` letters and digits that begins with a letter, each drawn uniformly.
pub fn password(length: usize) -> Result<Password, PkiError> {
    let mut text = String::with_capacity(length);
    while text.len() < length {
        let alphabet = if text.is_empty() { LETTERS } else { ALPHANUMERICS };
        for byte in bytes::<48>()? {
            // Values beyond the last whole multiple of the alphabet's length would favour its first characters.
            let limit = 256 - 256 % alphabet.len();
            if usize::from(byte) < limit {
                text.push(char::from(alphabet[usize::from(byte) % alphabet.len()]));
                break;
            }
        }
        if text.is_empty() {
            continue;
        }
        for byte in bytes::<48>()? {
            let limit = 256 - 256 % ALPHANUMERICS.len();
            if text.len() < length && usize::from(byte) < limit {
                text.push(char::from(ALPHANUMERICS[usize::from(byte) % ALPHANUMERICS.len()]));
            }
        }
    }
    Ok(Password::new(text))
}

/// A random id in Kafka's form for cluster and directory ids: a version 4 UUID as 22 characters of URL-safe base64.
///
/// It never begins with `-`, because Kafka's command-line tools would take it for an option.
pub fn kafka_uuid() -> Result<String, PkiError> {
    loop {
        let mut id = bytes::<16>()?;
        id[6] = (id[6] & 0x0f) | 0x40;
        id[8] = (id[8] & 0x3f) | 0x80;
        let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id);
        if !text.starts_with('-') {
            return Ok(text);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn passwords_have_the_length_asked_for_and_begin_with_a_letter() {
        for length in [0, 1, 12, 32, 200] {
            let text = password(length).unwrap().expose().to_owned();
            assert_eq!(text.len(), length);
            assert!(text.chars().all(|c| c.is_ascii_alphanumeric()));
            assert!(text.chars().next().is_none_or(|c| c.is_ascii_alphabetic()));
        }
        assert_ne!(password(32).unwrap(), password(32).unwrap());
    }

    #[test]
    fn kafka_ids_have_22_characters_and_no_leading_dash() {
        for _ in 0..500 {
            let id = kafka_uuid().unwrap();
            assert_eq!(id.len(), 22);
            assert!(!id.starts_with('-'));
        }
    }
}
