//! Messages that name their own type.

use serde::Serialize;

/// A message that names its own type.
#[derive(Debug, Serialize)]
pub struct Any<T> {
    #[serde(rename = "@type")]
    type_url: &'static str,
    #[serde(flatten)]
    message: T,
}

/// A message that can stand where any message can.
pub trait Message: Sized {
    /// The URL of its type.
    const TYPE_URL: &'static str;

    /// The message with its type.
    fn any(self) -> Any<Self> {
        Any { type_url: Self::TYPE_URL, message: self }
    }
}
