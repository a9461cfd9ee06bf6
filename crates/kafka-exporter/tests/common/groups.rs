//! Committed offsets of consumer groups that have no consumers. The bench has this file too.

use std::time::Duration;

use anyhow::Context as _;
use kafka_protocol::messages::offset_commit_request::{
    OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use kafka_protocol::messages::{
    FindCoordinatorRequest, GroupId, OffsetCommitRequest, OffsetCommitResponse, RequestHeader,
    ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use test_support::{KafkaNode, wait};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Until Kafka has made the topic of the offsets, on a machine that is busy with much else.
const DEADLINE: Duration = Duration::from_mins(1);

/// Sends requests one after another on one connection, and gives back the bodies of the answers.
async fn exchange<R: Request>(
    node: &KafkaNode,
    version: i16,
    requests: &[R],
) -> anyhow::Result<Vec<R::Response>> {
    let mut stream = TcpStream::connect(node.bootstrap()).await.context("connect to Kafka")?;
    let mut answers = Vec::new();
    for request in requests {
        let mut frame = Vec::new();
        let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
        header.encode(&mut frame, R::header_version(version))?;
        request.encode(&mut frame, version)?;
        stream.write_i32(i32::try_from(frame.len())?).await.context("ask Kafka")?;
        stream.write_all(&frame).await.context("ask Kafka")?;
        let length = stream.read_i32().await.context("read Kafka's answer")?;
        let mut answer = vec![0; usize::try_from(length)?];
        stream.read_exact(&mut answer).await.context("read Kafka's answer")?;
        let mut answer = answer.as_slice();
        ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
        answers.push(R::Response::decode(&mut answer, version)?);
    }
    Ok(answers)
}

fn text(value: &str) -> StrBytes {
    StrBytes::from_string(value.to_owned())
}

/// Commits offset 0 of every partition for each group, as a client without a group's protocol does.
pub(crate) async fn commit(
    node: &KafkaNode,
    topic: &str,
    partitions: i32,
    groups: &[String],
) -> anyhow::Result<()> {
    let request = |group: &String| {
        let partition = |index| OffsetCommitRequestPartition::default().with_partition_index(index);
        let topic = OffsetCommitRequestTopic::default()
            .with_name(TopicName(text(topic)))
            .with_partitions((0..partitions).map(partition).collect());
        OffsetCommitRequest::default()
            .with_group_id(GroupId(text(group)))
            .with_generation_id_or_member_epoch(-1)
            .with_topics(vec![topic])
    };
    let requests: Vec<OffsetCommitRequest> = groups.iter().map(request).collect();
    let good = |answer: &OffsetCommitResponse| {
        answer.topics.iter().flat_map(|topic| &topic.partitions).all(|partition| partition.error_code == 0)
    };
    let first = groups.first().context("there is no group")?;
    // The first look for a coordinator makes the topic of the offsets.
    let find = FindCoordinatorRequest::default().with_coordinator_keys(vec![text(first)]);
    // It takes the commits of one group before those of another, whose partition of the topic it has yet to load. All may be sent again.
    wait::until(DEADLINE, "the coordinator takes all commits", || async {
        exchange(node, 4, std::slice::from_ref(&find)).await.ok()?;
        exchange(node, 8, &requests).await.ok()?.iter().all(good).then_some(())
    })
    .await
}
