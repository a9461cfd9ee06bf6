//! Makes the keys, certificates, passwords and identifiers that a plan asks for. No policy.

use std::collections::BTreeMap;

use operator_runtime::clock;
use thiserror::Error;
use tokio::task::JoinSet;

use pki::Material;
use pki::MaterialRequest;
use pki::PkiError;

/// What was made, by identifier.
pub type Made = BTreeMap<String, Material>;

/// What can go wrong while keys are made.
#[derive(Debug, Error)]
pub enum Error {
    /// A key or certificate could not be made.
    #[error("cannot make {id}: {source}")]
    Make {
        /// What was to be made.
        id: String,
        /// Why it failed.
        source: PkiError,
    },
    /// The thread that made it ended early.
    #[error("making keys was interrupted: {0}")]
    Interrupted(#[from] tokio::task::JoinError),
}

/// Makes everything that was asked for, on threads of its own: an RSA key takes long enough to hold up other passes.
pub async fn make(requests: Vec<MaterialRequest>) -> Result<Made, Error> {
    let mut tasks = JoinSet::new();
    for request in requests {
        tasks.spawn_blocking(move || {
            let id = request.id().to_owned();
            match issuer::make(&request, clock::now()) {
                Ok(material) => Ok((id, material)),
                Err(source) => Err(Error::Make { id, source }),
            }
        });
    }
    let mut made = Made::new();
    while let Some(finished) = tasks.join_next().await {
        let (id, material) = finished??;
        made.insert(id, material);
    }
    Ok(made)
}
