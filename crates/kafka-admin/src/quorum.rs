//! The KRaft quorum: voters, observers, changes of the voters (KIP-853).

use std::collections::BTreeMap;

use kafka_protocol::messages::add_raft_voter_request::Listener;
use kafka_protocol::messages::describe_quorum_request::{PartitionData, TopicData};
use kafka_protocol::messages::describe_quorum_response::ReplicaState;
use kafka_protocol::messages::{AddRaftVoterRequest, DescribeQuorumRequest, RemoveRaftVoterRequest};
use uuid::Uuid;

use crate::client::{Route, misrouted};
use crate::error::check;
use crate::values::{string, text, topic_name};
use crate::{Admin, AdminError};

/// The quorum as its leader sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// The active controller.
    pub leader_id: Option<i32>,
    /// Grows with each election.
    pub leader_epoch: i32,
    /// Offset up to which the metadata log is committed.
    pub high_watermark: i64,
    /// Controllers that vote, by id.
    pub voters: Vec<QuorumReplica>,
    /// Nodes that follow without a vote: brokers, and controllers that were not added (yet), by id.
    pub observers: Vec<QuorumReplica>,
    /// Listeners of the voters.
    pub endpoints: BTreeMap<i32, Vec<Endpoint>>,
}

/// A node that has the metadata log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuorumReplica {
    /// `node.id`.
    pub id: i32,
    /// Id of its metadata log directory; `None` in a quorum of fixed voters.
    pub directory_id: Option<Uuid>,
    /// End of its log; -1 while unknown.
    pub log_end_offset: i64,
    /// Records that it is behind the leader.
    pub lag: i64,
    /// When it last fetched from the leader, by the leader's clock. Milliseconds since 1970.
    pub last_fetch_ms: Option<i64>,
    /// When it last had everything, by the leader's clock. Milliseconds since 1970.
    pub last_caught_up_ms: Option<i64>,
}

impl Quorum {
    /// When the leader last had everything, by its own clock: now. Milliseconds since 1970; `None`: there is no leader, or it does not say.
    pub fn leader_caught_up_ms(&self) -> Option<i64> {
        let mut all = self.voters.iter().chain(&self.observers);
        all.find(|node| Some(node.id) == self.leader_id)?.last_caught_up_ms
    }
}

impl QuorumReplica {
    /// Milliseconds by which it is behind what [`Quorum::leader_caught_up_ms`] says; `None`: it never had everything.
    pub fn behind_ms(&self, newest: i64) -> Option<i64> {
        self.last_caught_up_ms.map(|caught_up| newest.saturating_sub(caught_up))
    }
}

/// Address of a controller.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Endpoint {
    /// Name of the listener.
    pub listener: String,
    /// Host.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// A controller that is to vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voter {
    /// `node.id`.
    pub id: i32,
    /// Id of its metadata log directory.
    pub directory_id: Uuid,
    /// Where the others reach it.
    pub endpoints: Vec<Endpoint>,
}

fn replicas(states: &[ReplicaState], leader_end: i64) -> Vec<QuorumReplica> {
    let replica = |state: &ReplicaState| QuorumReplica {
        id: state.replica_id.0,
        directory_id: (!state.replica_directory_id.is_nil()).then_some(state.replica_directory_id),
        log_end_offset: state.log_end_offset,
        lag: (leader_end - state.log_end_offset).max(0),
        last_fetch_ms: (state.last_fetch_timestamp >= 0).then_some(state.last_fetch_timestamp),
        last_caught_up_ms: (state.last_caught_up_timestamp >= 0).then_some(state.last_caught_up_timestamp),
    };
    let mut replicas: Vec<_> = states.iter().map(replica).collect();
    replicas.sort_by_key(|replica| replica.id);
    replicas
}

impl Admin {
    /// Voters and observers of the metadata quorum, and how far each has got.
    pub async fn describe_quorum(&self) -> Result<Quorum, AdminError> {
        // The metadata log is the only partition of a topic of this name.
        let request = DescribeQuorumRequest::default().with_topics(vec![
            TopicData::default()
                .with_topic_name(topic_name("__cluster_metadata"))
                .with_partitions(vec![PartitionData::default().with_partition_index(0)]),
        ]);
        let answer = self
            .call("describe quorum", Route::Controller, request, |answer| {
                check(answer.error_code, answer.error_message.as_ref())?;
                let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
                misrouted(partitions.clone().map(|partition| partition.error_code))?;
                for partition in partitions {
                    check(partition.error_code, partition.error_message.as_ref())?;
                }
                Ok(())
            })
            .await?;
        let Some(log) = answer.topics.first().and_then(|topic| topic.partitions.first()) else {
            let reason = "the answer to describe quorum is empty".to_owned();
            return Err(AdminError::Protocol { address: "the controller".to_owned(), reason });
        };
        let (listed, most) = (log.current_voters.len() + log.observers.len(), self.config().max_nodes);
        if listed.max(answer.nodes.len()) > most {
            let reason = format!("the quorum has {listed} members, and {most} are read at most");
            return Err(AdminError::Protocol { address: "the controller".to_owned(), reason });
        }
        let leader = log.leader_id.0;
        let states = log.current_voters.iter().chain(&log.observers);
        let leader_end = states
            .clone()
            .find(|state| state.replica_id.0 == leader)
            .map_or(log.high_watermark, |state| state.log_end_offset);
        let endpoints = answer.nodes.iter().map(|node| {
            let listeners = node.listeners.iter().map(|listener| Endpoint {
                listener: string(&listener.name),
                host: string(&listener.host),
                port: listener.port,
            });
            (node.node_id.0, listeners.collect())
        });
        Ok(Quorum {
            leader_id: (leader >= 0).then_some(leader),
            leader_epoch: log.leader_epoch,
            high_watermark: log.high_watermark,
            voters: replicas(&log.current_voters, leader_end),
            observers: replicas(&log.observers, leader_end),
            endpoints: endpoints.collect(),
        })
    }

    /// Gives a controller a vote. It must be running as an observer and have caught up. For quorums whose controllers do not join by
    /// themselves: no program calls it yet.
    ///
    /// # Errors
    /// When the quorum refused it, or did not answer in time: in the second case it may have the vote all the same, which the
    /// description of the quorum tells. A vote that the controller has already is an error, too.
    pub async fn add_raft_voter(&self, voter: Voter) -> Result<(), AdminError> {
        let listener = |endpoint: Endpoint| {
            Listener::default()
                .with_name(text(endpoint.listener))
                .with_host(text(endpoint.host))
                .with_port(endpoint.port)
        };
        let request = AddRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_timeout_ms(self.server_timeout_ms())
            .with_voter_id(voter.id)
            .with_voter_directory_id(voter.directory_id)
            .with_listeners(voter.endpoints.into_iter().map(listener).collect());
        self.call("add raft voter", Route::Controller, request, |answer| {
            check(answer.error_code, answer.error_message.as_ref())
        })
        .await
        .map(|_| ())
    }

    /// Takes a controller's vote away.
    pub async fn remove_raft_voter(&self, id: i32, directory_id: Uuid) -> Result<(), AdminError> {
        let request = RemoveRaftVoterRequest::default()
            .with_cluster_id(None)
            .with_voter_id(id)
            .with_voter_directory_id(directory_id);
        self.call("remove raft voter", Route::Controller, request, |answer| {
            check(answer.error_code, answer.error_message.as_ref())
        })
        .await
        .map(|_| ())
    }
}
