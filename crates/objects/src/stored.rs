//! Live objects as they are kept while nobody reads them.

use std::fmt;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A live object in the form that it is compared in, at a fraction of the memory of a JSON tree: its text, compressed.
#[derive(Clone, PartialEq, Eq)]
pub struct Stored(Box<[u8]>);

impl fmt::Debug for Stored {
    /// Without the text: an object may hold what is nobody's business.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} bytes", self.0.len())
    }
}

impl Stored {
    /// From a live object. Its status is left out.
    ///
    /// # Errors
    /// When it cannot be written as JSON.
    pub fn of(object: &impl Serialize) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(object)?;
        if let Some(fields) = value.as_object_mut() {
            fields.remove("status");
        }
        Ok(Self(lz4_flex::compress_prepend_size(&serde_json::to_vec(&value)?).into_boxed_slice()))
    }

    /// About how many bytes of memory it takes.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.0.len()
    }

    /// The object as JSON.
    pub fn value(&self) -> Value {
        self.parse().unwrap_or(Value::Null)
    }

    /// The object as its type; `None` when it is of another type.
    pub fn parse<K: DeserializeOwned>(&self) -> Option<K> {
        let text = lz4_flex::decompress_size_prepended(&self.0).ok()?;
        serde_json::from_str(std::str::from_utf8(&text).ok()?).ok()
    }
}
