//! `quorum-state`, in which a node remembers the last election of the quorum: who leads, and for whom it voted.
//!
//! Kafka starts a node that voted for itself as a candidate, also when another node won that election, and since 4.0 it keeps
//! such a vote in the file. A candidate has to be a voter: a controller that left the quorum since then never starts again, neither
//! as a controller nor as a broker ("Local replica must be in the set of voters", `QuorumState.initialize`). If it is the only
//! voter by now, it takes itself for the winner of an election that another node won. An election that is won is over: a node that
//! knows of the leader of an epoch gives nobody else a vote in it, so that a vote for itself can be forgotten.

use std::path::Path;

use serde::Deserialize;

use crate::files::{self, FileError};

/// The file in the directory of the metadata log.
pub const FILE: &str = "quorum-state";

/// Kafka's id for nobody.
const NOBODY: i32 = -1;

/// Kafka's id for no directory: 16 bytes of zeros.
const NO_DIRECTORY: &str = "AAAAAAAAAAAAAAAAAAAAAA";

/// What a node remembers of the last election.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Election {
    /// The node that won it; -1: the node knows of none.
    pub leader_id: i32,
    /// Its epoch.
    pub leader_epoch: i32,
    /// For which node it voted; -1: for none.
    pub voted_id: i32,
}

impl Election {
    /// Whether the node was a candidate and another node won.
    pub fn was_lost_by(self, node_id: i32) -> bool {
        self.voted_id == node_id && self.leader_id > NOBODY && self.leader_id != node_id
    }
}

/// The election that a metadata log remembers. `None`: none, or the file cannot be read; then Kafka decides what to do with it.
pub fn read(metadata_log: &Path) -> Option<Election> {
    serde_json::from_str(&files::read_optional(&metadata_log.join(FILE)).ok()??).ok()
}

/// Takes the vote out of the file; everything else in it stays. A file that is none of Kafka's is left as it is.
pub fn forget_vote(metadata_log: &Path) -> Result<(), FileError> {
    let path = metadata_log.join(FILE);
    let text = files::read(&path)?;
    let Ok(mut state) = serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&text) else {
        return Ok(());
    };
    state.insert("votedId".to_owned(), NOBODY.into());
    if state.contains_key("votedDirectoryId") {
        state.insert("votedDirectoryId".to_owned(), NO_DIRECTORY.into());
    }
    files::write(&path, serde_json::Value::Object(state).to_string().as_bytes(), 0o644)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_vote_for_oneself_in_an_election_that_another_won_is_over() {
        let lost = |leader_id, voted_id| Election { leader_id, leader_epoch: 7, voted_id }.was_lost_by(2);
        assert!(lost(1, 2));
        assert!(!lost(-1, 2), "undecided");
        assert!(!lost(2, 2), "won");
        assert!(!lost(1, 0) && !lost(1, -1), "a vote for another, or none");
    }

    #[test]
    fn the_vote_goes_and_everything_else_stays() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(read(directory.path()), None);
        let file = directory.path().join(FILE);
        for (before, after) in [
            (
                r#"{"leaderId":1,"leaderEpoch":7,"votedId":2,"votedDirectoryId":"Kastellan-dir-0000002A","data_version":1}"#,
                r#"{"leaderId":1,"leaderEpoch":7,"votedId":-1,"votedDirectoryId":"AAAAAAAAAAAAAAAAAAAAAA","data_version":1}"#,
            ),
            (
                r#"{"leaderId":1,"leaderEpoch":7,"votedId":2,"currentVoters":[{"voterId":1}],"data_version":0}"#,
                r#"{"leaderId":1,"leaderEpoch":7,"votedId":-1,"currentVoters":[{"voterId":1}],"data_version":0}"#,
            ),
        ] {
            std::fs::write(&file, before).unwrap();
            assert_eq!(read(directory.path()), Some(Election { leader_id: 1, leader_epoch: 7, voted_id: 2 }));
            forget_vote(directory.path()).unwrap();
            let value = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap();
            assert_eq!(value(&std::fs::read_to_string(&file).unwrap()), value(after));
        }
        std::fs::write(&file, "{").unwrap();
        assert_eq!(read(directory.path()), None, "left to Kafka");
    }
}
