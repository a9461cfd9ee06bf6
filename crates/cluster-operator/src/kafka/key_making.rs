//! Makes the keys, certificates, passwords and identifiers that a plan asks for. No policy.

use operator_runtime::clock;
use pki::{Material, MaterialRequest, PkiError};
use planner::kafka::need::{Silence, SilenceKind};
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};

/// What can go wrong while a key is made.
#[derive(Debug, Error)]
pub enum Error {
    /// A key or certificate could not be made.
    #[error(transparent)]
    Make(#[from] PkiError),
    /// The thread that made it ended early.
    #[error("making keys was interrupted: {0}")]
    Interrupted(#[from] JoinError),
}

impl From<Error> for Silence {
    fn from(error: Error) -> Self {
        Self::new(SilenceKind::Refused, error.to_string())
    }
}

/// Makes everything that was asked for, on threads of its own: an RSA key takes long enough to hold up other passes.
pub async fn make(requests: Vec<MaterialRequest>) -> Vec<(MaterialRequest, Result<Material, Error>)> {
    let mut tasks = JoinSet::new();
    let mut asked = Vec::with_capacity(requests.len());
    for request in requests {
        let wanted = request.clone();
        let task = tasks.spawn_blocking(move || issuer::make(&wanted, clock::now()));
        asked.push((task.id(), request));
    }
    let mut made = Vec::with_capacity(asked.len());
    while let Some(finished) = tasks.join_next_with_id().await {
        let (id, outcome) = match finished {
            Ok((id, outcome)) => (id, outcome.map_err(Error::from)),
            Err(error) => (error.id(), Err(error.into())),
        };
        if let Some(index) = asked.iter().position(|(task, _)| *task == id) {
            made.push((asked.swap_remove(index).1, outcome));
        }
    }
    made
}
