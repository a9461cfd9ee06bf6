//! Groups of consumers: which there are, who is in them, what they have committed.

use std::collections::BTreeMap;

use kafka_protocol::messages::consumer_group_describe_response as consumer;
use kafka_protocol::messages::describe_groups_response as classic;
use kafka_protocol::messages::list_groups_response::ListedGroup;
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::offset_fetch_response::OffsetFetchResponseGroup;
use kafka_protocol::messages::{
    ConsumerGroupDescribeRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest, ListGroupsResponse,
    OffsetFetchRequest,
};

use crate::batch::Weight;
use crate::client::Route;
use crate::error::check;
use crate::values::{string, text};
use crate::{Admin, AdminError, ErrorCode, KafkaError, Outcomes};

/// Parts of the limit of one request that a group takes, so that fifty groups go into one: each answers with every
/// partition that it has ever committed an offset of.
const GROUP_WEIGHT: usize = 40;

/// A group as its coordinator lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupListing {
    /// Id.
    pub id: String,
    /// `classic`, `consumer`, `share` or `streams`, in the spelling of the broker.
    pub kind: String,
    /// `consumer` where members consume; Connect's workers have `connect`. Empty for a group that never had a member.
    pub protocol: String,
    /// For example `Stable` or `Empty`.
    pub state: String,
}

/// The members of a group.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GroupMembers {
    /// How many there are.
    pub count: usize,
    /// What they consume: partitions by topic, sorted, each once.
    pub assigned: BTreeMap<String, Vec<i32>>,
}

/// Committed offsets: by topic, the partitions and where each is.
pub type Committed = Vec<(String, Vec<(i32, i64)>)>;

fn listing(group: &ListedGroup) -> GroupListing {
    GroupListing {
        id: string(&group.group_id.0),
        kind: string(&group.group_type),
        protocol: string(&group.protocol_type),
        state: string(&group.group_state),
    }
}

#[allow(clippy::ptr_arg, reason = "it is handed to where items are strings")]
fn weigh(id: &String) -> Weight {
    Weight { bytes: id.len() + 20, records: GROUP_WEIGHT }
}

fn group_ids(ids: Vec<String>) -> Vec<GroupId> {
    ids.into_iter().map(|id| GroupId(text(id))).collect()
}

impl Admin {
    /// The groups that this broker coordinates.
    pub async fn list_groups(&self, broker: i32) -> Result<Vec<GroupListing>, AdminError> {
        let request = ListGroupsRequest::default();
        let check = |answer: &ListGroupsResponse| check(answer.error_code, None);
        let answer = self.call("list groups", Route::Node(broker), request, check).await?;
        Ok(answer.groups.iter().map(listing).collect())
    }

    /// The members of groups of the kind `classic` that this broker coordinates.
    pub async fn describe_classic_groups(
        &self,
        coordinator: i32,
        ids: Vec<String>,
    ) -> Result<Outcomes<String, GroupMembers>, AdminError> {
        let describe = |ids: Vec<String>| {
            let request = DescribeGroupsRequest::default().with_groups(group_ids(ids));
            self.call("describe groups", Route::Node(coordinator), request, |_| Ok(()))
        };
        let answers = self.batched(ids, weigh, describe).await?;
        let groups = answers.iter().flat_map(|answer| &answer.groups);
        Ok(groups.map(|group| (string(&group.group_id.0), classic_members(group))).collect())
    }

    /// The members of groups of the kind `consumer` that this broker coordinates.
    pub async fn describe_consumer_groups(
        &self,
        coordinator: i32,
        ids: Vec<String>,
    ) -> Result<Outcomes<String, GroupMembers>, AdminError> {
        let describe = |ids: Vec<String>| {
            let request = ConsumerGroupDescribeRequest::default().with_group_ids(group_ids(ids));
            self.call("describe consumer groups", Route::Node(coordinator), request, |_| Ok(()))
        };
        let answers = self.batched(ids, weigh, describe).await?;
        let groups = answers.iter().flat_map(|answer| &answer.groups);
        Ok(groups.map(|group| (string(&group.group_id.0), consumer_members(group))).collect())
    }

    /// Everything that groups which this broker coordinates have committed.
    pub async fn committed_offsets(
        &self,
        coordinator: i32,
        ids: Vec<String>,
    ) -> Result<Outcomes<String, Committed>, AdminError> {
        let fetch = |ids: Vec<String>| {
            // No topics: all of them.
            let group =
                |id| OffsetFetchRequestGroup::default().with_group_id(GroupId(text(id))).with_topics(None);
            let request = OffsetFetchRequest::default().with_groups(ids.into_iter().map(group).collect());
            self.call("fetch committed offsets", Route::Node(coordinator), request, |answer| {
                check(answer.error_code, None)
            })
        };
        let answers = self.batched(ids, weigh, fetch).await?;
        let groups = answers.iter().flat_map(|answer| &answer.groups);
        Ok(groups.map(|group| (string(&group.group_id.0), committed(group))).collect())
    }
}

/// A group without members whose offsets are kept is not one for the group coordinator any more.
fn gone(code: i16) -> bool {
    ErrorCode(code) == ErrorCode::GROUP_ID_NOT_FOUND
}

fn classic_members(group: &classic::DescribedGroup) -> Result<GroupMembers, KafkaError> {
    if gone(group.error_code) {
        return Ok(GroupMembers::default());
    }
    check(group.error_code, group.error_message.as_ref())?;
    let mut members = GroupMembers { count: group.members.len(), assigned: BTreeMap::new() };
    if group.protocol_type.as_str() == "consumer" {
        for member in &group.members {
            // What cannot be read is the member's own format.
            let _ = assignment(&member.member_assignment, &mut members.assigned);
        }
    }
    tidy(&mut members.assigned);
    Ok(members)
}

fn consumer_members(group: &consumer::DescribedGroup) -> Result<GroupMembers, KafkaError> {
    if gone(group.error_code) {
        return Ok(GroupMembers::default());
    }
    check(group.error_code, group.error_message.as_ref())?;
    let mut members = GroupMembers { count: group.members.len(), assigned: BTreeMap::new() };
    for topic in group.members.iter().flat_map(|member| &member.assignment.topic_partitions) {
        members.assigned.entry(string(&topic.topic_name.0)).or_default().extend(&topic.partitions);
    }
    tidy(&mut members.assigned);
    Ok(members)
}

fn tidy(assigned: &mut BTreeMap<String, Vec<i32>>) {
    for partitions in assigned.values_mut() {
        partitions.sort_unstable();
        partitions.dedup();
    }
}

fn committed(group: &OffsetFetchResponseGroup) -> Result<Committed, KafkaError> {
    check(group.error_code, None)?;
    let topics = group.topics.iter().map(|topic| {
        let good =
            topic.partitions.iter().filter(|found| found.error_code == 0 && found.committed_offset >= 0);
        let partitions = good.map(|found| (found.partition_index, found.committed_offset));
        (string(&topic.name.0), partitions.collect())
    });
    Ok(topics.collect())
}

/// Reads what the leader of a group has given to a member: version, then a list of topics, each with a list of partitions.
/// The bytes come from a client; a length is believed only as far as there are bytes.
fn assignment(bytes: &[u8], into: &mut BTreeMap<String, Vec<i32>>) -> Option<()> {
    let mut rest = bytes;
    let mut take = |count: usize| {
        let (taken, left) = rest.split_at_checked(count)?;
        rest = left;
        Some(taken)
    };
    // A member that has not been given anything.
    if bytes.is_empty() {
        return Some(());
    }
    let _version = take(2)?;
    let topics = i32::from_be_bytes(take(4)?.try_into().ok()?);
    for _ in 0..topics {
        let length = usize::try_from(i16::from_be_bytes(take(2)?.try_into().ok()?)).ok()?;
        let topic = std::str::from_utf8(take(length)?).ok()?.to_owned();
        let count = i32::from_be_bytes(take(4)?.try_into().ok()?);
        let partitions = into.entry(topic).or_default();
        for _ in 0..count {
            partitions.push(i32::from_be_bytes(take(4)?.try_into().ok()?));
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> (Option<()>, BTreeMap<String, Vec<i32>>) {
        let mut found = BTreeMap::new();
        let complete = assignment(bytes, &mut found);
        (complete, found)
    }

    #[test]
    fn what_a_member_was_given_is_read_as_far_as_it_goes() {
        let whole =
            [&[0, 1, 0, 0, 0, 1, 0, 3][..], b"abc", &[0, 0, 0, 2, 0, 0, 0, 7, 0, 0, 0, 9], &[0xff; 4]]
                .concat();
        assert_eq!(read(&whole), (Some(()), BTreeMap::from([("abc".to_owned(), vec![7, 9])])));
        assert_eq!(read(&[]), (Some(()), BTreeMap::new()));
        for length in 1..whole.len() - 4 {
            assert!(read(&whole[..length]).0.is_none(), "{length} bytes");
        }
        // Claims of two thousand million topics and partitions.
        assert!(read(&[0, 1, 0x7f, 0xff, 0xff, 0xff]).0.is_none());
        assert!(read(&[0, 1, 0, 0, 0, 1, 0, 0, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3]).0.is_none());
    }
}
