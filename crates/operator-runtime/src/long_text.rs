//! Long texts that are replaced now and then, and the body of an answer that carries them.
//!
//! Clients may read as slowly as they like. What they read is handed out in small pieces, and an answer holds no text in
//! memory: a text that was replaced twice is gone, and the answer that was reading it ends without its end.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// Bytes of a text that an answer copies at a time.
const PIECE: usize = 64 * 1024;

/// A text that one task replaces and others read. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct LongText(Arc<Mutex<Texts>>);

#[derive(Debug, Default)]
struct Texts {
    current: Arc<Vec<u8>>,
    /// For the answers that are under way.
    previous: Arc<Vec<u8>>,
}

impl LongText {
    /// Puts a new text in the place of the one there is, which answers under way go on reading.
    pub fn publish(&self, text: Vec<u8>) {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        texts.previous = std::mem::replace(&mut texts.current, Arc::new(text));
    }

    /// Gives up the text before this one: who still reads it is cut off.
    pub fn forget_previous(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).previous = Arc::default();
    }

    /// Bytes of the text.
    pub fn len(&self) -> usize {
        self.current().len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The text as it is now.
    pub fn current(&self) -> Arc<Vec<u8>> {
        Arc::clone(&self.0.lock().unwrap_or_else(PoisonError::into_inner).current)
    }
}

/// The text that an answer was reading is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("read a text to its end: it was replaced meanwhile, read faster")]
pub(crate) struct Replaced;

/// The body of an answer.
#[derive(Debug, Default)]
pub(crate) struct AnswerBody(VecDeque<Part>);

#[derive(Debug)]
enum Part {
    Whole(Bytes),
    Long { text: Weak<Vec<u8>>, from: usize, to: usize },
}

impl AnswerBody {
    /// Of one short text.
    pub(crate) fn new(text: impl Into<Bytes>) -> Self {
        Self(VecDeque::from([Part::Whole(text.into())]))
    }

    /// With a long text behind it.
    pub(crate) fn and(mut self, text: &LongText) -> Self {
        let text = text.current();
        self.0.push_back(Part::Long { text: Arc::downgrade(&text), from: 0, to: text.len() });
        self
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = Replaced;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Replaced>>> {
        loop {
            let piece = match self.0.front_mut() {
                None => return Poll::Ready(None),
                Some(Part::Whole(bytes)) => std::mem::take(bytes),
                Some(Part::Long { text, from, to }) if *from < *to => {
                    let Some(text) = text.upgrade() else {
                        self.0.clear();
                        return Poll::Ready(Some(Err(Replaced)));
                    };
                    let end = (*from + PIECE).min(*to);
                    let piece = Bytes::copy_from_slice(text.get(*from..end).unwrap_or_default());
                    *from = end;
                    piece
                }
                Some(Part::Long { .. }) => Bytes::new(),
            };
            if piece.is_empty() {
                self.0.pop_front();
                continue;
            }
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
    }

    fn is_end_stream(&self) -> bool {
        self.size_hint().exact() == Some(0)
    }

    fn size_hint(&self) -> SizeHint {
        let lengths = self.0.iter().map(|part| match part {
            Part::Whole(bytes) => bytes.len(),
            Part::Long { from, to, .. } => to - from,
        });
        SizeHint::with_exact(lengths.sum::<usize>() as u64)
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;

    use super::*;

    #[tokio::test]
    async fn an_answer_reads_the_text_that_was_there_when_it_began() {
        let text = LongText::default();
        text.publish(vec![b'a'; 3 * PIECE + 5]);
        let answer = AnswerBody::new("head ").and(&text);
        assert_eq!(answer.size_hint().exact(), Some(3 * PIECE as u64 + 10));
        text.publish(b"b".to_vec());
        let read = answer.collect().await.unwrap().to_bytes();
        assert!(read.starts_with(b"head aaa") && read.ends_with(b"aaaaa") && read.len() == 3 * PIECE + 10);
        let next = AnswerBody::new("").and(&text).collect().await.unwrap().to_bytes();
        assert_eq!(next.as_ref(), b"b");
    }

    #[tokio::test]
    async fn an_answer_that_is_read_slowly_holds_nothing_in_memory() {
        let text = LongText::default();
        text.publish(vec![b'a'; 3 * PIECE]);
        let held = Arc::downgrade(&text.current());
        let mut slow = AnswerBody::new("").and(&text);
        assert!(slow.frame().await.unwrap().is_ok());
        text.publish(Vec::new());
        assert!(slow.frame().await.unwrap().is_ok());
        text.publish(Vec::new());
        assert!(held.upgrade().is_none());
        assert_eq!(slow.frame().await.unwrap().unwrap_err(), Replaced);
        assert!(slow.frame().await.is_none());
    }
}
