//! Reads requests without changing what they carry: a value of a record is a piece of the request's own text, so that the order of
//! its names and every digit of its numbers reach Kafka.

use memchr::memchr2;
use serde::de::IgnoredAny;

/// Text that is not the JSON that was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonError {
    /// Not JSON, or text behind it.
    #[error("read json: {0}")]
    Malformed(String),
    /// JSON of another type.
    #[error("{path}: must be {expected}")]
    Type {
        /// Where, as a JSON pointer.
        path: String,
        /// What it should be, with its article.
        expected: &'static str,
    },
    /// A name that nobody knows.
    #[error("{path}: '{name}' is not a known property")]
    Unknown {
        /// Where.
        path: String,
        /// The name.
        name: String,
    },
    /// A list that is longer than it may be.
    #[error("{path}: at most {most} items")]
    TooMany {
        /// Where.
        path: String,
        /// How many there may be.
        most: usize,
    },
    /// A name that must be there.
    #[error("{path}: '{name}' is missing")]
    Missing {
        /// Where.
        path: String,
        /// The name.
        name: &'static str,
    },
}

/// A piece of JSON text that is known to be one whole value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw<'a>(&'a str);

/// The type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean,
    /// A number.
    Number,
    /// A text.
    Text,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> Raw<'a> {
    /// The only value of a text.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(bytes)
            .map_err(|error| JsonError::Malformed(format!("not UTF-8 after byte {}", error.valid_up_to())))?;
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| JsonError::Malformed(error.to_string()))?;
        Ok(Self(text.trim_matches(BLANKS)))
    }

    /// Its text.
    #[cfg(test)]
    pub(crate) fn text(self) -> &'a str {
        self.0
    }

    /// Its type.
    pub(crate) fn kind(self) -> Kind {
        match self.0.as_bytes().first() {
            Some(b'n') | None => Kind::Null,
            Some(b't' | b'f') => Kind::Boolean,
            Some(b'"') => Kind::Text,
            Some(b'[') => Kind::Array,
            Some(b'{') => Kind::Object,
            Some(_) => Kind::Number,
        }
    }

    /// The members of an object, in the order of the text.
    pub(crate) fn members(self, path: &str) -> Result<Vec<(String, Raw<'a>)>, JsonError> {
        let wrong = || JsonError::Type { path: path.to_owned(), expected: "an object" };
        let mut rest = self.0.strip_prefix('{').ok_or_else(wrong)?;
        let mut members = Vec::new();
        loop {
            rest = rest.trim_start_matches(BLANKS);
            if let Some(after) = rest.strip_prefix(',') {
                rest = after.trim_start_matches(BLANKS);
            }
            if rest.starts_with('}') || rest.is_empty() {
                return Ok(members);
            }
            let (name, after) = next(rest).ok_or_else(wrong)?;
            let name: String = serde_json::from_str(name.0).map_err(|_| wrong())?;
            let after = after.trim_start_matches(BLANKS).strip_prefix(':').ok_or_else(wrong)?;
            let (value, after) = next(after.trim_start_matches(BLANKS)).ok_or_else(wrong)?;
            if members.len() == MOST_MEMBERS {
                return Err(JsonError::TooMany { path: path.to_owned(), most: MOST_MEMBERS });
            }
            members.push((name, value));
            rest = after;
        }
    }

    /// The items of an array, of which there may be so many: a list of short items takes many times the memory of its text.
    pub(crate) fn items(self, path: &str, most: usize) -> Result<Vec<Raw<'a>>, JsonError> {
        let wrong = || JsonError::Type { path: path.to_owned(), expected: "an array" };
        let mut rest = self.0.strip_prefix('[').ok_or_else(wrong)?;
        let mut items = Vec::new();
        loop {
            rest = rest.trim_start_matches(BLANKS);
            if let Some(after) = rest.strip_prefix(',') {
                rest = after.trim_start_matches(BLANKS);
            }
            if rest.starts_with(']') || rest.is_empty() {
                return Ok(items);
            }
            let (item, after) = next(rest).ok_or_else(wrong)?;
            if items.len() == most {
                return Err(JsonError::TooMany { path: path.to_owned(), most });
            }
            items.push(item);
            rest = after;
        }
    }

    /// A text.
    pub(crate) fn string(self, path: &str) -> Result<String, JsonError> {
        self.read(path, Kind::Text, "a string")
    }

    /// A whole number.
    pub(crate) fn integer(self, path: &str) -> Result<i64, JsonError> {
        self.whole(path, "an integer of 64 bits")
    }

    /// A whole number of 32 bits.
    pub(crate) fn small_integer(self, path: &str) -> Result<i32, JsonError> {
        self.whole(path, "an integer of 32 bits")
    }

    /// Yes or no.
    pub(crate) fn boolean(self, path: &str) -> Result<bool, JsonError> {
        self.read(path, Kind::Boolean, "true or false")
    }

    /// `1.0` is a whole number, too.
    fn whole<T: TryFrom<i64>>(self, path: &str, expected: &'static str) -> Result<T, JsonError> {
        /// Beyond it not every whole number has a text with a point.
        const EXACT: f64 = 9_007_199_254_740_992.0;
        let wrong = || JsonError::Type { path: path.to_owned(), expected };
        let number = self.read::<i64>(path, Kind::Number, expected).or_else(|_| {
            let number: f64 = self.read(path, Kind::Number, expected)?;
            if number.fract() == 0.0 && number.abs() <= EXACT { Ok(number as i64) } else { Err(wrong()) }
        })?;
        T::try_from(number).map_err(|_| wrong())
    }

    fn read<T: serde::de::DeserializeOwned>(
        self,
        path: &str,
        kind: Kind,
        expected: &'static str,
    ) -> Result<T, JsonError> {
        let read = if self.kind() == kind { serde_json::from_str(self.0).ok() } else { None };
        read.ok_or_else(|| JsonError::Type { path: path.to_owned(), expected })
    }

    /// The text without the blanks between its parts.
    pub(crate) fn compact(self) -> Vec<u8> {
        let mut rest = self.0.as_bytes();
        let mut out = Vec::with_capacity(rest.len());
        while let Some(first) = rest.first() {
            let end = match first {
                b'"' => text_end(rest).unwrap_or(rest.len()),
                _ => 1,
            };
            let (part, after) = rest.split_at(end.min(rest.len()));
            if !matches!(first, b' ' | b'\t' | b'\n' | b'\r') {
                out.extend_from_slice(part);
            }
            rest = after;
        }
        out
    }
}

/// Members of an object at most. No object of the API has a dozen.
const MOST_MEMBERS: usize = 64;

/// The blanks of JSON.
const BLANKS: [char; 4] = [' ', '\t', '\n', '\r'];

/// The value at the beginning of a text that was read as JSON before, and what is behind it.
fn next(text: &str) -> Option<(Raw<'_>, &str)> {
    let bytes = text.as_bytes();
    let end = match bytes.first()? {
        b'"' => text_end(bytes)?,
        b'{' | b'[' => nested_end(bytes)?,
        _ => bytes
            .iter()
            .position(|byte| matches!(byte, b',' | b']' | b'}' | b' ' | b'\t' | b'\n' | b'\r'))
            .unwrap_or(bytes.len()),
    };
    Some((Raw(text.get(..end)?), text.get(end..)?))
}

/// Position behind the closing quote of a text. Most of what goes through the bridge are texts, and each byte of them is looked at here
/// several times.
fn text_end(bytes: &[u8]) -> Option<usize> {
    let mut at = 1;
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at + 1);
        }
        at += 2;
    }
}

/// Position behind the bracket that closes the first one.
fn nested_end(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut depth) = (0, 0_usize);
    loop {
        match bytes.get(at)? {
            b'"' => at += text_end(bytes.get(at..)?)?,
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' => {
                depth = depth.checked_sub(1)?;
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_text() {
        let text = br#" {"a" : {"z":1.10, "b":[1,2 , "}\""]} ,"n":12345678901234567890,"t":"\u00e4\n"} "#;
        let members = Raw::parse(text).unwrap().members("/").unwrap();
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "n", "t"]);
        assert_eq!(members[0].1.compact(), br#"{"z":1.10,"b":[1,2,"}\""]}"#);
        assert_eq!(members[1].1.text(), "12345678901234567890");
        assert_eq!(members[2].1.string("/t").unwrap(), "ä\n");
        assert_eq!(members[0].1.members("/a").unwrap()[1].1.items("/a/b", 9).unwrap().len(), 3);
    }

    #[test]
    fn what_is_no_json_or_another_type_is_refused_with_its_place() {
        for text in [&b"{"[..], b"", b"{} {}", b"{\"a\":\"\xff\"}", b"[1,]"] {
            assert!(matches!(Raw::parse(text), Err(JsonError::Malformed(_))), "{text:?}");
        }
        let number = Raw::parse(b"1.5").unwrap();
        assert_eq!(number.integer("/x").unwrap_err().to_string(), "/x: must be an integer of 64 bits");
        assert_eq!(Raw::parse(b"3.0").unwrap().small_integer("/x"), Ok(3));
        assert_eq!(Raw::parse(b"-9223372036854775808").unwrap().integer("/x"), Ok(i64::MIN));
        assert!(Raw::parse(b"1e30").unwrap().integer("/x").is_err());
        assert!(Raw::parse(b"2147483648").unwrap().small_integer("/x").is_err());
        assert!(Raw::parse(b"\"a\"").unwrap().members("/x").is_err());
        assert!(Raw::parse(b"{}").unwrap().items("/x", 9).is_err());
        assert!(Raw::parse(b"[]").unwrap().items("/x", 9).unwrap().is_empty());
        let three = Raw::parse(b"[0,0,0]").unwrap();
        assert_eq!(three.items("/x", 3).unwrap().len(), 3);
        assert_eq!(three.items("/x", 2).unwrap_err().to_string(), "/x: at most 2 items");
    }

    #[test]
    fn deep_nesting_is_refused_and_ends() {
        let deep = "[".repeat(100_000);
        assert!(Raw::parse(deep.as_bytes()).is_err());
    }
}
