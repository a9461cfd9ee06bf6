//! The formats in which records are carried inside JSON, and the media types that name them.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use http::StatusCode;

use crate::error::ApiError;
use crate::json::{Kind, Raw};

/// Media type of everything but records.
pub(crate) const KAFKA_JSON: &str = "application/vnd.kafka.v2+json";
/// Media type of plain JSON.
pub(crate) const JSON: &str = "application/json";
/// Media type of a stream of events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream";

/// How keys and values of records stand in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// As JSON values.
    Json,
    /// As Base64 in a text.
    Binary,
    /// As a text.
    Text,
}

impl Format {
    /// By its name in the API.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        match name {
            "json" => Some(Self::Json),
            "binary" => Some(Self::Binary),
            "text" => Some(Self::Text),
            _ => None,
        }
    }

    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::Json => "application/vnd.kafka.json.v2+json",
            Self::Binary => "application/vnd.kafka.binary.v2+json",
            Self::Text => "application/vnd.kafka.text.v2+json",
        }
    }

    fn of_media_type(media_type: &str) -> Option<Self> {
        [Self::Json, Self::Binary, Self::Text].into_iter().find(|format| format.media_type() == media_type)
    }

    /// The bytes for Kafka of a key or a value; `None` for null.
    pub(crate) fn decode(self, value: Raw<'_>, path: &str) -> Result<Option<Vec<u8>>, ApiError> {
        if value.kind() == Kind::Null {
            return Ok(None);
        }
        let text = || {
            value.string(path).map_err(|_| {
                let format = if self == Self::Text { "text" } else { "binary" };
                ApiError::unprocessable(format!("{path}: must be a string with the format {format}"))
            })
        };
        match self {
            Self::Json => Ok(Some(value.compact())),
            Self::Text => Ok(Some(text()?.into_bytes())),
            Self::Binary => base64_bytes(&text()?, path).map(Some),
        }
    }

    /// Writes the bytes of a key or a value as JSON. `Err` says why they cannot be.
    pub(crate) fn encode(self, bytes: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), String> {
        let Some(bytes) = bytes else {
            out.extend_from_slice(b"null");
            return Ok(());
        };
        match self {
            Self::Json => {
                let raw = Raw::parse(bytes).map_err(|error| error.to_string())?;
                // Without line ends, which would end a line of an event.
                out.extend_from_slice(&raw.compact());
            }
            Self::Binary => write_base64(bytes, out),
            Self::Text => write_text(&String::from_utf8_lossy(bytes), out),
        }
        Ok(())
    }
}

/// Reads what Java's decoder reads: without padding, too, and whatever is in the last bits.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes of a Base64 text.
pub(crate) fn base64_bytes(text: &str, path: &str) -> Result<Vec<u8>, ApiError> {
    LENIENT.decode(text).map_err(|_| ApiError::unprocessable(format!("{path}: must be Base64 text")))
}

/// Writes bytes as a Base64 text with its quotes.
pub(crate) fn write_base64(bytes: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    let written = out.get_mut(start..).and_then(|room| STANDARD.encode_slice(bytes, room).ok());
    out.truncate(start + written.unwrap_or(0));
    out.push(b'"');
}

/// Writes a text with its quotes.
pub(crate) fn write_text(text: &str, out: &mut Vec<u8>) {
    // Writing into memory does not fail.
    let _ = serde_json::to_writer(out, text);
}

/// A media type without its parameters, in lower case.
fn essence(header: &str) -> String {
    header.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The format of the records in a request, by its `Content-Type`.
pub(crate) fn of_content(content_type: Option<&str>) -> Result<Format, ApiError> {
    let found = content_type.map(essence).and_then(|found| Format::of_media_type(&found));
    found.ok_or_else(|| {
        unsupported(
            content_type,
            "application/vnd.kafka.json.v2+json, application/vnd.kafka.binary.v2+json or application/vnd.kafka.text.v2+json",
        )
    })
}

/// Checks the `Content-Type` of a request without records. No header is taken for the right one.
pub(crate) fn check_content(content_type: Option<&str>) -> Result<(), ApiError> {
    let Some(header) = content_type else { return Ok(()) };
    let found = essence(header);
    if found == KAFKA_JSON || found == JSON || Format::of_media_type(&found).is_some() {
        return Ok(());
    }
    Err(unsupported(content_type, KAFKA_JSON))
}

fn unsupported(content_type: Option<&str>, instead: &str) -> ApiError {
    let found = content_type.map_or_else(|| "no Content-Type".to_owned(), |found| format!("'{found}'"));
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        format!("the content type of the request is {found}: send {instead}"),
    )
}

/// Whether one of the media types may be sent; no header permits all.
pub(crate) fn accepts(accept: Option<&str>, media_types: &[&str]) -> bool {
    let Some(accept) = accept.filter(|accept| !accept.trim().is_empty()) else { return true };
    accept.split(',').filter(|range| !refuses(range)).map(essence).any(|range| {
        range == "*/*"
            || media_types.iter().any(|known| {
                range == *known
                    || range.strip_suffix("/*").is_some_and(|group| known.split('/').next() == Some(group))
            })
    })
}

/// Whether the range says that it is not wanted: `q=0`.
fn refuses(range: &str) -> bool {
    let quality = range.split(';').skip(1).find_map(|parameter| parameter.trim().strip_prefix("q="));
    quality.and_then(|quality| quality.trim().parse::<f32>().ok()).is_some_and(|quality| quality <= 0.0)
}

/// Whether a stream of events is wanted, and nothing else would do.
pub(crate) fn wants_events(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.split(',').map(essence).next().as_deref() == Some(EVENT_STREAM))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn each_format_reads_and_writes_its_own() {
        for (format, json, bytes) in [
            (Format::Json, r#"{"b":[1,{}]}"#, &br#"{"b":[1,{}]}"#[..]),
            (Format::Json, r#""text""#, b"\"text\""),
            (Format::Binary, r#""AP8=""#, b"\x00\xff"),
            (Format::Binary, r#""""#, b""),
            (Format::Text, r#""a\"b""#, b"a\"b"),
        ] {
            assert_eq!(format.decode(raw(json), "/v").unwrap().unwrap(), bytes, "{json}");
            let mut out = Vec::new();
            format.encode(Some(bytes), &mut out).unwrap();
            assert_eq!(String::from_utf8(out).unwrap(), json);
        }
        assert_eq!(Format::Text.decode(raw("null"), "/v").unwrap(), None);
        // As Java reads it.
        assert_eq!(Format::Binary.decode(raw(r#""AP9""#), "/v").unwrap().unwrap(), b"\x00\xff");
        let mut out = Vec::new();
        Format::Binary.encode(None, &mut out).unwrap();
        assert_eq!(out, b"null");
    }

    #[test]
    fn what_a_format_cannot_hold_is_refused() {
        for (format, json) in [(Format::Binary, "\"%\""), (Format::Binary, "1"), (Format::Text, "{}")] {
            assert_eq!(format.decode(raw(json), "/v").unwrap_err().code, StatusCode::UNPROCESSABLE_ENTITY);
        }
        for bytes in [&b"not json"[..], b"", b"{} {}", b"\"\xff\""] {
            assert!(Format::Json.encode(Some(bytes), &mut Vec::new()).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn media_types_are_compared_without_parameters_and_case() {
        assert_eq!(
            of_content(Some("Application/vnd.kafka.JSON.v2+json; charset=utf-8")).unwrap(),
            Format::Json
        );
        for wrong in [None, Some("application/json"), Some("text/plain"), Some("")] {
            assert_eq!(of_content(wrong).unwrap_err().code, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{wrong:?}");
        }
        assert!(check_content(Some("application/vnd.kafka.v2+json")).is_ok() && check_content(None).is_ok());
        assert!(check_content(Some("application/x-www-form-urlencoded")).is_err());
    }

    #[test]
    fn accept_takes_wildcards_and_refuses_what_is_left_out() {
        let known = [KAFKA_JSON];
        for accept in [
            None,
            Some(""),
            Some("*/*"),
            Some("text/html, application/*;q=0.8"),
            Some("application/vnd.kafka.v2+json"),
        ] {
            assert!(accepts(accept, &known), "{accept:?}");
        }
        for accept in [Some("text/html"), Some("application/xml, image/*"), Some("*/*;q=0")] {
            assert!(!accepts(accept, &known), "{accept:?}");
        }
        assert!(wants_events(Some("text/event-stream")) && !wants_events(Some("*/*")));
    }
}
