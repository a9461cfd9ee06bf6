//! Kafka's storage: what is in the log directories, what has to be done to them before the broker may start, and doing it.

pub mod apply;
pub mod checkpoint;
pub mod features;
pub mod meta;
pub mod observe;
pub mod plan;
pub mod quorum_state;
pub mod writable;

/// The directory of the metadata log inside its log directory.
pub const METADATA_LOG: &str = "__cluster_metadata-0";

/// A random Kafka `Uuid` in its text form (22 characters of URL-safe base64), as `kafka-storage random-uuid` makes them:
/// never one of the 100 reserved ones, never with a leading dash.
pub fn random_id() -> String {
    loop {
        let id = text_of_id(*uuid::Uuid::new_v4().as_bytes());
        if !id.starts_with('-') {
            return id;
        }
    }
}

/// Text form of a Kafka `Uuid`.
pub fn text_of_id(bytes: [u8; 16]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// Bytes of a Kafka `Uuid`; `None` when the text is not one.
pub fn bytes_of_id(text: &str) -> Option<[u8; 16]> {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_the_text_form_of_kafka() {
        let id = random_id();
        assert_eq!(id.len(), 22);
        assert_eq!(text_of_id(bytes_of_id(&id).unwrap()), id);
        assert_eq!(text_of_id(bytes_of_id("JEXY6aqzQY-32P5TStzaFg").unwrap()), "JEXY6aqzQY-32P5TStzaFg");
        assert!(bytes_of_id("short").is_none());
    }
}
