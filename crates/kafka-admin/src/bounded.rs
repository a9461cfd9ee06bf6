//! Reads answers of nodes that are not trusted.
//!
//! The codec makes room for as many items as an answer claims to have, before it reads the first of them: fifteen bytes
//! can claim 137 GB, and a process that is refused memory ends. All lengths go through two methods of the buffer that the
//! codec reads from, so this buffer sees each before the codec does: [`Buf::try_get_u8`] brings the bytes of a length in
//! the formats of today, and [`Buf::try_get_i32`] those of the few answers in an older format. A length that more bytes
//! would be needed for than are left is an error. Every byte that can be a length counts as one: flags are 0 or 1, so
//! that a sound answer has none that is refused for it.

use bytes::{Buf, Bytes, TryGetError};
use kafka_protocol::protocol::buf::ByteBuf;

/// Items beyond what can be there that are let through: tags of fields are no lengths, and are small.
const SLACK: usize = 64;

/// Longer claims are those of lists: a text has at most 32,767 bytes.
const LONG_LIST: usize = 65_535;

/// The fewest bytes that the items of a long list have on average. A list of topics has 26 for each, one of users 13.
const LEAST_ITEM: usize = 8;

/// What a decoded value takes in memory for each length that is read, at most: texts share the memory of the answer.
const VALUE_BYTES: usize = 64;

/// An answer, and what its values may take in memory.
#[derive(Debug)]
pub(crate) struct Bounded {
    bytes: Bytes,
    /// Whether lists have lengths of four bytes.
    old_format: bool,
    /// Memory of the values so far.
    taken: usize,
    most: usize,
    refused: Option<String>,
}

impl Bounded {
    /// `most` bounds the memory of the decoded values.
    pub(crate) fn new(bytes: Bytes, old_format: bool, most: usize) -> Self {
        let taken = bytes.len();
        Self { bytes, old_format, taken, most, refused: None }
    }

    /// Why the answer could not be read: because it was refused, or because of what the codec says.
    pub(crate) fn explain(&self, codec: impl FnOnce() -> String) -> String {
        self.refused.clone().unwrap_or_else(codec)
    }

    /// Memory of what was read so far.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    fn refuse(&mut self, requested: usize, reason: String) -> Result<(), TryGetError> {
        self.refused.get_or_insert(reason);
        Err(TryGetError { requested, available: self.bytes.len() })
    }

    /// Checks that there can be so many items.
    fn claim(&mut self, items: usize, left: usize) -> Result<(), TryGetError> {
        let possible = if items > LONG_LIST { left / LEAST_ITEM } else { left + SLACK };
        if items > possible {
            return self.refuse(items, format!("the answer claims {items} items in {left} bytes"));
        }
        self.taken += VALUE_BYTES;
        if self.taken > self.most {
            let most = self.most;
            return self.refuse(0, format!("the answer takes more than {most} bytes of memory"));
        }
        Ok(())
    }
}

/// The length that the bytes begin with, and how many bytes it takes.
fn length(bytes: &[u8]) -> (usize, usize) {
    let mut value = 0_usize;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        value |= usize::from(byte & 0x7f) << (index * 7);
        if byte & 0x80 == 0 {
            return (value, index + 1);
        }
    }
    (value, bytes.len().min(5))
}

impl Buf for Bounded {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, count: usize) {
        self.bytes.advance(count);
    }

    fn try_get_u8(&mut self) -> Result<u8, TryGetError> {
        let (length, size) = length(self.bytes.chunk());
        // Lengths are one more than what they count: 0 stands for nothing at all.
        self.claim(length.saturating_sub(1), self.bytes.len().saturating_sub(size))?;
        self.bytes.try_get_u8()
    }

    fn try_get_i32(&mut self) -> Result<i32, TryGetError> {
        let value = self.bytes.try_get_i32()?;
        if self.old_format {
            self.claim(usize::try_from(value).unwrap_or(0), self.bytes.len())?;
        }
        Ok(value)
    }
}

impl ByteBuf for Bounded {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.bytes.peek_bytes(range)
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        self.bytes.get_bytes(size)
    }
}

#[cfg(test)]
#[path = "bounded_tests.rs"]
mod tests;
