//! What has to be done to the storage before Kafka may start. Pure.

use std::path::PathBuf;

use super::METADATA_LOG;
use super::meta::MetaProperties;
use super::observe::{Directory, Storage};
use super::quorum_state::Election;
use crate::config::AgentConfig;

/// What to do, in this order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoragePlan {
    /// The metadata log of an earlier metadata log directory, to be moved into the present one.
    pub move_metadata_log: Option<MetadataMove>,
    /// Metadata logs that are no longer in use. Kafka would take up the old one if the metadata volume moved back.
    pub remove: Vec<PathBuf>,
    /// The election that the node was a candidate in and another node won, if the metadata log that Kafka is to start with remembers
    /// the vote: the vote goes, once the log is in its place.
    pub forget_vote: Option<Election>,
    /// Directories to format, the metadata log directory first: a stop in between must not look like a moved volume.
    pub format: Vec<PathBuf>,
    /// The voters to format with, when this node makes the first generation of a dynamic quorum.
    pub initial_controllers: Option<String>,
}

/// A metadata log that goes to another volume.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetadataMove {
    /// Where it lies.
    pub from: PathBuf,
    /// Where it has to be.
    pub to: PathBuf,
    /// Whether `quorum-state`, in which the node remembers for whom it voted, goes along. A voter of a static quorum is
    /// known by its node id alone: it stays the same voter, and must not vote twice. In a dynamic quorum the directory is
    /// part of who the voter is: on another volume the node is another one, which has not voted yet.
    pub with_votes: bool,
}

/// The storage must not be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// Data of another cluster.
    #[error(
        "{} belongs to cluster {found}, but this node is to run cluster {expected}: it holds the data of another Kafka \
         cluster. To go on with that data, write `{found}` into the Kafka resource's status.clusterId; to throw it away, \
         delete the node's PersistentVolumeClaims", path.display()
    )]
    OtherCluster {
        /// The directory.
        path: PathBuf,
        /// Its cluster.
        found: String,
        /// The cluster it should belong to.
        expected: String,
    },
    /// Data of another node.
    #[error(
        "{} belongs to node {found} of the cluster, but this pod is node {expected}: the wrong volume is mounted. \
         Bind the PersistentVolumeClaim of this pod to its own volume, or delete it to begin with an empty one", path.display()
    )]
    OtherNode {
        /// The directory.
        path: PathBuf,
        /// Its node.
        found: i32,
        /// The node it should belong to.
        expected: i32,
    },
    /// Partitions without the file that says whose they are.
    #[error(
        "{} holds {partitions} partitions but no meta.properties, so it cannot be said whose data this is. Restore the \
         file (version=1, cluster.id, node.id, directory.id), or empty the directory", path.display()
    )]
    Unlabelled {
        /// The directory.
        path: PathBuf,
        /// How many partitions.
        partitions: usize,
    },
    /// A disk cannot be read, and what is on it decides what the node is.
    #[error(
        "{reason}, and {} has no metadata log, so it cannot be told whether this node is new or has its metadata log on \
         that disk. Repair or replace the disk, or take its volume out of the pool's storage", path.display()
    )]
    UnknownPast {
        /// The metadata log directory.
        path: PathBuf,
        /// What is wrong with the other disk.
        reason: String,
    },
    /// The node is not among the voters it should format with.
    #[error("initial controllers of agent.config do not contain this node ({node_id}): {voters}")]
    NotAVoter {
        /// The node.
        node_id: i32,
        /// The voters.
        voters: String,
    },
}

/// Decides what to do with `storage` so that it serves node `config.node_id` of cluster `cluster_id`.
pub fn plan(config: &AgentConfig, cluster_id: &str, storage: &Storage) -> Result<StoragePlan, StorageError> {
    for directory in storage.all() {
        match &directory.meta {
            Some(meta) => check_owner(directory, meta, config.node_id, cluster_id)?,
            None if directory.partitions > 0 => {
                return Err(StorageError::Unlabelled {
                    path: directory.path.clone(),
                    partitions: directory.partitions,
                });
            }
            None => {}
        }
    }
    if !storage.metadata.metadata_log
        && let Some(reason) = storage.failures().next()
    {
        return Err(StorageError::UnknownPast {
            path: storage.metadata.path.clone(),
            reason: reason.to_owned(),
        });
    }
    let mut plan = StoragePlan::default();
    let mut election = storage.metadata.election;
    for directory in &storage.others {
        if !directory.metadata_log {
            continue;
        }
        let old = directory.path.join(METADATA_LOG);
        // With two old ones there is no telling which is newer; then the quorum's other members have the log.
        if storage.metadata.metadata_log || plan.move_metadata_log.is_some() {
            plan.remove.push(old);
        } else {
            election = directory.election.filter(|_| config.static_voters);
            plan.move_metadata_log = Some(MetadataMove {
                from: old,
                to: storage.metadata.path.join(METADATA_LOG),
                with_votes: config.static_voters,
            });
        }
    }
    plan.forget_vote = election.filter(|election| election.was_lost_by(config.node_id));
    for directory in storage.all() {
        if directory.meta.is_none() && directory.failure.is_none() {
            plan.format.push(directory.path.clone());
        }
    }
    // Only a node that never held anything may write the first voters: a node that lost a disk has forgotten its votes,
    // and must come back as a new member of the quorum instead.
    let never_formatted = storage.all().all(|directory| directory.meta.is_none() && !directory.metadata_log);
    if never_formatted && !config.static_voters {
        if let Some(voters) = &config.initial_controllers {
            let own = format!("{}@", config.node_id);
            if !voters.split(',').any(|voter| voter.trim().starts_with(&own)) {
                return Err(StorageError::NotAVoter { node_id: config.node_id, voters: voters.clone() });
            }
        }
        plan.initial_controllers.clone_from(&config.initial_controllers);
    }
    Ok(plan)
}

fn check_owner(
    directory: &Directory,
    meta: &MetaProperties,
    node_id: i32,
    cluster_id: &str,
) -> Result<(), StorageError> {
    if let Some(found) = &meta.cluster_id
        && found != cluster_id
    {
        return Err(StorageError::OtherCluster {
            path: directory.path.clone(),
            found: found.clone(),
            expected: cluster_id.to_owned(),
        });
    }
    if let Some(found) = meta.node_id
        && found != node_id
    {
        return Err(StorageError::OtherNode { path: directory.path.clone(), found, expected: node_id });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";
    const VOTERS: &str = "0@h:9090:JEXY6aqzQY-32P5TStzaFg";

    fn config() -> AgentConfig {
        let text = r#"{"nodeId":0,"podName":"p","roles":["broker","controller"],"metadataLogDir":"/d0","logDirs":["/d0","/d1"]}"#;
        let mut config: AgentConfig = serde_json::from_str(text).unwrap();
        config.initial_controllers = Some(VOTERS.to_owned());
        config
    }

    fn empty(path: &str) -> Directory {
        Directory { path: path.into(), ..Directory::default() }
    }

    fn formatted(path: &str) -> Directory {
        let meta = MetaProperties {
            cluster_id: Some(CLUSTER.to_owned()),
            node_id: Some(0),
            directory_id: Some("KEXY6aqzQY-32P5TStzaFg".to_owned()),
        };
        Directory { meta: Some(meta), ..empty(path) }
    }

    fn with_log(directory: Directory) -> Directory {
        Directory { metadata_log: true, ..directory }
    }

    fn decide(metadata: Directory, other: Directory) -> Result<StoragePlan, StorageError> {
        plan(&config(), CLUSTER, &Storage { metadata, others: vec![other] })
    }

    #[test]
    fn a_new_node_formats_everything_with_the_first_voters() {
        let plan = decide(empty("/d0"), empty("/d1")).unwrap();
        assert_eq!(plan.format, [PathBuf::from("/d0"), PathBuf::from("/d1")]);
        assert_eq!(plan.initial_controllers.as_deref(), Some(VOTERS));
    }

    #[test]
    fn a_formatted_node_is_left_alone() {
        assert_eq!(decide(with_log(formatted("/d0")), formatted("/d1")).unwrap(), StoragePlan::default());
    }

    #[test]
    fn a_disk_added_later_is_formatted_without_touching_the_quorum() {
        let plan = decide(with_log(formatted("/d0")), empty("/d1")).unwrap();
        assert_eq!((plan.format, plan.initial_controllers), (vec![PathBuf::from("/d1")], None));
    }

    #[test]
    fn a_lost_metadata_disk_never_brings_back_a_voter_that_forgot_its_votes() {
        let plan = decide(empty("/d0"), formatted("/d1")).unwrap();
        assert_eq!((plan.format, plan.initial_controllers), (vec![PathBuf::from("/d0")], None));
    }

    #[test]
    fn a_moved_metadata_volume_takes_its_log_along() {
        let plan = decide(empty("/d0"), with_log(formatted("/d1"))).unwrap();
        let log = |at: &str| PathBuf::from(at).join(METADATA_LOG);
        let moved = MetadataMove { from: log("/d1"), to: log("/d0"), with_votes: false };
        assert_eq!(plan.move_metadata_log, Some(moved));
        assert!(plan.remove.is_empty());
        let both = decide(with_log(formatted("/d0")), with_log(formatted("/d1"))).unwrap();
        assert_eq!((both.move_metadata_log, both.remove), (None, vec![log("/d1")]));
    }

    #[test]
    fn a_vote_in_an_election_that_another_node_won_goes_from_the_log_that_kafka_starts_with() {
        let of = |leader_id, voted_id| Some(Election { leader_id, leader_epoch: 7, voted_id });
        let remembers = |directory, election| Directory { election, ..directory };
        let forgets = |static_voters, metadata, other| {
            let config = AgentConfig { static_voters, ..config() };
            plan(&config, CLUSTER, &Storage { metadata, others: vec![other] }).unwrap().forget_vote
        };
        for static_voters in [false, true] {
            let in_place = |election| {
                forgets(static_voters, remembers(with_log(formatted("/d0")), election), formatted("/d1"))
            };
            assert_eq!(in_place(of(1, 0)), of(1, 0));
            assert_eq!((in_place(of(-1, 0)), in_place(of(0, 0)), in_place(of(1, 2))), (None, None, None));
        }
        // A log that is moved brings its votes along in a static quorum, and none in a dynamic one. What is left at its new place goes.
        let moved = |static_voters, old, new| {
            let metadata = remembers(formatted("/d0"), new);
            forgets(static_voters, metadata, remembers(with_log(formatted("/d1")), old))
        };
        assert_eq!((moved(true, of(1, 0), None), moved(false, of(1, 0), None)), (of(1, 0), None));
        assert_eq!((moved(true, of(-1, 0), of(1, 0)), moved(false, None, of(1, 0))), (None, None));
    }

    #[test]
    fn static_voters_keep_their_votes_and_write_no_voters() {
        let mut config = config();
        config.static_voters = true;
        let storage = Storage { metadata: with_log(formatted("/d0")), others: Vec::new() };
        assert_eq!(plan(&config, CLUSTER, &storage).unwrap(), StoragePlan::default());
        let storage = Storage { metadata: empty("/d0"), others: vec![with_log(formatted("/d1"))] };
        assert!(plan(&config, CLUSTER, &storage).unwrap().move_metadata_log.unwrap().with_votes);
        let storage = Storage { metadata: empty("/d0"), others: Vec::new() };
        assert_eq!(plan(&config, CLUSTER, &storage).unwrap().initial_controllers, None);
    }

    #[test]
    fn a_failed_disk_is_left_to_kafka_unless_it_may_hold_what_the_node_is() {
        let failed = || Directory { failure: Some("cannot read /d1: broken".to_owned()), ..empty("/d1") };
        assert_eq!(decide(with_log(formatted("/d0")), failed()).unwrap(), StoragePlan::default());
        for metadata in [empty("/d0"), formatted("/d0")] {
            let message = decide(metadata, failed()).unwrap_err().to_string();
            assert!(message.starts_with("cannot read /d1: broken, and /d0 has no metadata log"), "{message}");
        }
    }

    #[test]
    fn data_of_somebody_else_is_refused_with_what_to_do() {
        let mut other = formatted("/d1");
        other.meta.as_mut().unwrap().cluster_id = Some("other".to_owned());
        let message = decide(formatted("/d0"), other).unwrap_err().to_string();
        assert!(
            message.contains("/d1 belongs to cluster other") && message.contains("status.clusterId"),
            "{message}"
        );
        let mut other = formatted("/d0");
        other.meta.as_mut().unwrap().node_id = Some(4);
        let message = decide(other, formatted("/d1")).unwrap_err().to_string();
        assert!(message.contains("belongs to node 4") && message.contains("this pod is node 0"), "{message}");
        let unlabelled = Directory { partitions: 3, ..empty("/d1") };
        assert!(decide(formatted("/d0"), unlabelled).unwrap_err().to_string().contains("no meta.properties"));
    }

    #[test]
    fn a_node_that_is_no_voter_is_not_formatted_as_one() {
        let mut config = config();
        config.node_id = 5;
        let storage = Storage { metadata: empty("/d0"), others: Vec::new() };
        assert!(
            plan(&config, CLUSTER, &storage)
                .unwrap_err()
                .to_string()
                .contains("do not contain this node (5)")
        );
    }
}
