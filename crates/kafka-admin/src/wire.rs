//! Frames of the Kafka protocol: length, header, body.

use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::messages::{RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes, VersionRange};
use tokio::io::{AsyncRead, AsyncReadExt};

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

/// Reads header and body of an answer.
pub(crate) fn decode<R: Request>(mut frame: Bytes, version: i16) -> Result<R::Response, String> {
    ResponseHeader::decode(&mut frame, R::Response::header_version(version))
        .map_err(|error| format!("{error:#}"))?;
    R::Response::decode(&mut frame, version).map_err(|error| format!("{error:#}"))
}

/// Reads one frame without its length, which may be `limit` bytes at most.
pub(crate) async fn read_frame<T: AsyncRead + Unpin>(reader: &mut T, limit: usize) -> std::io::Result<Bytes> {
    let length = usize::try_from(reader.read_i32().await?).unwrap_or(usize::MAX);
    if !(4..=limit).contains(&length) {
        return Err(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            format!(
                "a frame of {length} bytes, of which {limit} are read at most, is not from kafka; is this a listener with tls?"
            ),
        ));
    }
    let mut frame = BytesMut::with_capacity(length);
    while frame.len() < length {
        let missing = length - frame.len();
        if (&mut *reader).take(missing as u64).read_buf(&mut frame).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(frame.freeze())
}

/// The number by which an answer finds its request.
pub(crate) fn correlation_id(frame: &Bytes) -> i32 {
    i32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]])
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
