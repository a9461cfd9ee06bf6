//! Frames of the Kafka protocol: length, header, body.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::bounded::Bounded;

/// Room that is made for a frame before any of it has come. Bytes.
const FIRST_ROOM: usize = 64 * 1024;

/// What stands in front of a request's body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Head<'a> {
    pub version: i16,
    pub correlation_id: i32,
    pub client_id: &'a str,
}

/// Writes a whole frame.
pub(crate) fn encode<R: Request>(request: &R, head: Head<'_>) -> Result<BytesMut, String> {
    let mut frame = BytesMut::with_capacity(512);
    frame.put_i32(0);
    RequestHeader::default()
        .with_request_api_key(R::KEY)
        .with_request_api_version(head.version)
        .with_correlation_id(head.correlation_id)
        .with_client_id(Some(StrBytes::from_string(head.client_id.to_owned())))
        .encode(&mut frame, R::header_version(head.version))
        .map_err(|error| format!("{error:#}"))?;
    request.encode(&mut frame, head.version).map_err(|error| format!("{error:#}"))?;
    let length = i32::try_from(frame.len() - 4).map_err(|_| "the request is larger than 2 GiB".to_owned())?;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// Reads header and body of an answer, whose values may take `most` bytes of memory.
pub(crate) fn decode<R: Request>(frame: Bytes, version: i16, most: usize) -> Result<R::Response, String> {
    measured::<R>(frame, version, most).map(|(answer, _)| answer).map_err(|unread| unread.reason)
}

/// Why an answer was not read.
#[derive(Debug)]
pub(crate) struct Unread {
    pub reason: String,
    /// Whether its values take more memory than they may.
    pub is_memory: bool,
}

/// The same, with the memory that the answer takes, its bytes included.
pub(crate) fn measured<R: Request>(
    frame: Bytes,
    version: i16,
    most: usize,
) -> Result<(R::Response, usize), Unread> {
    let mut frame = Bounded::new(frame, !is_flexible::<R>(version), most);
    let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version));
    let answer = header.and_then(|_| R::Response::decode(&mut frame, version));
    let is_memory = frame.taken() > most;
    match answer {
        Ok(answer) => Ok((answer, frame.taken())),
        Err(error) => Err(Unread { reason: frame.explain(|| format!("{error:#}")), is_memory }),
    }
}

/// Whether an answer has the format in which every length is seen before room is made for it.
fn is_flexible<R: Request>(version: i16) -> bool {
    R::header_version(version) >= 2
}

/// The versions of a request whose answers can be read without trust.
pub(crate) fn versions<R: Request>() -> VersionRange {
    let VersionRange { min, max } = R::VERSIONS;
    let flexible = (min..=max).find(|version| is_flexible::<R>(*version));
    VersionRange { min: flexible.unwrap_or(min), max }
}

/// Reads one frame without its length, which may be `limit` bytes at most.
pub(crate) async fn read_frame<T: AsyncRead + Unpin>(reader: &mut T, limit: usize) -> std::io::Result<Bytes> {
    let length = read_length(reader, limit).await?;
    let id = reader.read_i32().await?;
    read_body(reader, id, length).await
}

/// Reads the length of a frame; an error of kind `FileTooLarge` when it is longer than `limit`.
pub(crate) async fn read_length<T: AsyncRead + Unpin>(
    reader: &mut T,
    limit: usize,
) -> std::io::Result<usize> {
    let length = usize::try_from(reader.read_i32().await?).unwrap_or(usize::MAX);
    if (4..=limit).contains(&length) {
        return Ok(length);
    }
    Err(std::io::Error::new(
        std::io::ErrorKind::FileTooLarge,
        format!(
            "a frame of {length} bytes, of which {limit} are read at most, is not from kafka; is this a listener with tls?"
        ),
    ))
}

/// Reads the rest of a frame of this length, which begins with the number by which an answer finds its request.
pub(crate) async fn read_body<T: AsyncRead + Unpin>(
    reader: &mut T,
    id: i32,
    length: usize,
) -> std::io::Result<Bytes> {
    // Not all at once: a length is claimed sooner than the bytes are sent.
    let mut frame = BytesMut::with_capacity(length.min(FIRST_ROOM));
    frame.put_i32(id);
    while frame.len() < length {
        let missing = length - frame.len();
        if (&mut *reader).take(missing as u64).read_buf(&mut frame).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}

/// The newest version that both sides know.
pub(crate) fn common_version(ours: VersionRange, theirs: (i16, i16)) -> Option<i16> {
    let version = ours.max.min(theirs.1);
    (version >= ours.min && version >= theirs.0).then_some(version)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AdminConfig;

    #[test]
    fn the_newest_common_version_is_used() {
        let ours = VersionRange { min: 2, max: 7 };
        assert_eq!(common_version(ours, (0, 9)), Some(7));
        assert_eq!(common_version(ours, (0, 5)), Some(5));
        assert_eq!(common_version(ours, (0, 1)), None);
        assert_eq!(common_version(ours, (8, 9)), None);
    }

    #[tokio::test]
    async fn a_tls_alert_is_not_taken_for_a_frame() {
        let mut alert: &[u8] = &[0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 0x50];
        let limit = AdminConfig::brokers(["b:1"]).max_answer_bytes;
        assert!(read_frame(&mut alert, limit).await.unwrap_err().to_string().contains("listener with tls"));
    }

    #[tokio::test]
    async fn an_answer_is_read_up_to_the_limit_and_no_further() {
        let mut whole: &[u8] = &[0, 0, 0, 5, 1, 2, 3, 4, 5];
        assert_eq!(read_frame(&mut whole, 5).await.unwrap().as_ref(), [1, 2, 3, 4, 5]);
        let mut longer: &[u8] = &[0, 0, 0, 6, 1, 2, 3, 4, 5, 6];
        let error = read_frame(&mut longer, 5).await.unwrap_err().to_string();
        assert!(error.contains("a frame of 6 bytes, of which 5 are read at most"), "{error}");
    }
}
