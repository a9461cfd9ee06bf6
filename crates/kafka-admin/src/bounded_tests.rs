use kafka_protocol::messages::{
    AddRaftVoterRequest, AlterClientQuotasRequest, AlterPartitionReassignmentsRequest,
    AlterReplicaLogDirsRequest, AlterUserScramCredentialsRequest, ApiVersionsRequest,
    ConsumerGroupDescribeRequest, CreateAclsRequest, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteAclsRequest, DeleteTopicsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
    DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest, DescribeLogDirsRequest,
    DescribeQuorumRequest, DescribeTopicPartitionsRequest, DescribeUserScramCredentialsRequest,
    ElectLeadersRequest, IncrementalAlterConfigsRequest, ListGroupsRequest, ListOffsetsRequest,
    ListPartitionReassignmentsRequest, MetadataRequest, OffsetFetchRequest, RemoveRaftVoterRequest,
    SaslAuthenticateRequest, SaslHandshakeRequest, UnregisterBrokerRequest, UpdateFeaturesRequest,
};
use kafka_protocol::messages::{MetadataResponse, metadata_response};
use kafka_protocol::protocol::{Encodable, Message, Request, StrBytes};

use super::*;
use crate::wire::{decode, versions};

const MOST: usize = 64 * 1024 * 1024;

/// The most address space that this process ever had. Bytes.
fn peak() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() * 1024
}

/// Answers that consist of small lengths, flags and numbers up to where a length of four billion stands.
fn claims_of<R: Request>() -> usize {
    let mut refused = 0;
    for version in versions::<R>().min..=R::VERSIONS.max {
        for filler in 0..4_u8 {
            for offset in 0..100 {
                for claim in [&[0xff, 0xff, 0xff, 0xff, 0x0f][..], &[0x7f, 0xff, 0xff, 0xff]] {
                    let mut answer = vec![0, 0, 0, 1];
                    answer.resize(4 + offset, filler);
                    answer.extend_from_slice(claim);
                    answer.resize(answer.len() + 50, filler);
                    let decoded = decode::<R>(answer.into(), version, MOST);
                    refused += usize::from(decoded.is_err_and(|reason| reason.contains("claims")));
                }
            }
        }
    }
    refused
}

macro_rules! each {
    ($look:ident: $($request:ident),+ $(,)?) => { [$((stringify!($request), $look::<$request>())),+] };
}

#[test]
fn no_answer_gets_memory_for_more_items_than_it_has_bytes() {
    let before = peak();
    let refused = each!(claims_of:
        AddRaftVoterRequest, AlterClientQuotasRequest, AlterPartitionReassignmentsRequest,
        AlterReplicaLogDirsRequest, AlterUserScramCredentialsRequest, ApiVersionsRequest,
        ConsumerGroupDescribeRequest, CreateAclsRequest, CreatePartitionsRequest, CreateTopicsRequest,
        DescribeGroupsRequest, ListGroupsRequest, ListOffsetsRequest, OffsetFetchRequest, DeleteAclsRequest, DeleteTopicsRequest,
        DescribeAclsRequest, DescribeClientQuotasRequest, DescribeClusterRequest, DescribeConfigsRequest,
        DescribeLogDirsRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest,
        DescribeUserScramCredentialsRequest,
        ElectLeadersRequest, IncrementalAlterConfigsRequest, ListPartitionReassignmentsRequest,
        MetadataRequest, RemoveRaftVoterRequest, SaslAuthenticateRequest, SaslHandshakeRequest,
        UnregisterBrokerRequest, UpdateFeaturesRequest,
    );
    for (name, refused) in refused {
        assert!(refused > 0, "{name} was never refused: its answers have no length, or it is not seen");
    }
    let grown = peak() - before;
    // The smallest claim is one of two billion items. Threads of tests beside this one take address space, too.
    assert!(grown < 1536 * 1024 * 1024, "{grown} bytes were asked for");
}

/// Every request of the client is among those above. Types within a request, such as a topic of it, are not requests.
#[test]
fn all_answers_that_are_decoded_are_tried() {
    let tried = include_str!("bounded_tests.rs");
    let mut requests = 0;
    for file in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/src")).unwrap() {
        let path = file.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        if !name.ends_with(".rs") || name.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for word in text.split(|c: char| !c.is_alphanumeric()) {
            let is_part = ["CoordinatorRequest", "TopicRequest"].contains(&word);
            let is_request = word.len() > 7 && word.ends_with("Request") && !is_part;
            requests += usize::from(is_request);
            assert!(!is_request || tried.contains(word), "{name}: {word}");
        }
    }
    assert!(requests > 30, "the files were not read");
}

/// A flag with its highest bit set looks like the beginning of a length: what follows is looked at all the same.
#[test]
fn a_length_cannot_hide_behind_a_flag() {
    for flag in [0x80, 0xff] {
        let mut buffer =
            Bounded::new(vec![flag, 0x80, 0x80, 0x80, 0x80, 0x0f, 1, 1, 1, 1].into(), false, MOST);
        let read = (0..6).try_for_each(|_| buffer.try_get_u8().map(drop));
        assert!(read.is_err(), "{flag:x}");
    }
}

fn topics(count: usize, partitions: usize) -> MetadataResponse {
    let partition = metadata_response::MetadataResponsePartition::default()
        .with_partition_index(1_000_000)
        .with_leader_epoch(i32::MAX)
        .with_replica_nodes(vec![i32::MAX.into(); 3])
        .with_isr_nodes(vec![i32::MAX.into(); 3]);
    let topic = metadata_response::MetadataResponseTopic::default()
        .with_name(Some(StrBytes::from_string("t".repeat(200)).into()))
        .with_is_internal(true)
        .with_topic_authorized_operations(i32::MIN)
        .with_partitions(vec![partition; partitions]);
    MetadataResponse::default().with_topics(vec![topic; count]).with_throttle_time_ms(i32::MAX)
}

fn encoded(answer: &impl Encodable, version: i16) -> Bytes {
    // The number of the answer, and no fields in its header.
    let mut bytes = vec![0, 0, 0, 1, 0];
    answer.encode(&mut bytes, version).unwrap();
    bytes.into()
}

#[test]
fn a_sound_answer_is_read_whatever_numbers_stand_in_it() {
    let version = MetadataRequest::VERSIONS.max;
    for answer in
        [topics(1, 1), topics(3, 20_000), topics(70_000, 0), topics(1, 70_000), MetadataResponse::default()]
    {
        let decoded = decode::<MetadataRequest>(encoded(&answer, version), version, MOST).unwrap();
        assert!(decoded == answer);
    }
}

#[test]
fn an_answer_that_takes_too_much_memory_is_refused() {
    let version = MetadataRequest::VERSIONS.max;
    let bytes = encoded(&topics(1, 20_000), version);
    let reason = decode::<MetadataRequest>(bytes, version, 2 * 1024 * 1024).unwrap_err();
    assert!(reason.contains("more than 2097152 bytes of memory"), "{reason}");
}
