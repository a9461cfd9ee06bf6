//! Makes the keys, certificates, passwords and identifiers that a plan asks for. No policy.

use operator_runtime::clock;
use pki::{Material, MaterialRequest, PkiError};
use planner::silence::{Silence, SilenceKind};
use thiserror::Error;
use tokio::sync::Semaphore;
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

/// Keys that are being made at a time, over all clusters.
const AT_A_TIME: usize = 2;

/// Permission to make one.
static MAKING: Semaphore = Semaphore::const_new(AT_A_TIME);

/// Makes everything that was asked for, on few threads of its own: an RSA key takes long enough to hold up other passes, and
/// a thread for each key would take as much memory as a large cluster has nodes.
pub(crate) async fn make(requests: Vec<MaterialRequest>) -> Vec<(MaterialRequest, Result<Material, Error>)> {
    let mut requests = requests.into_iter();
    let (mut tasks, mut asked, mut made) = (JoinSet::new(), Vec::new(), Vec::new());
    loop {
        while tasks.len() < AT_A_TIME
            && let Some(request) = requests.next()
        {
            // The semaphore is never closed. Clusters take turns, because it serves who waits longest.
            let permit = MAKING.acquire().await.ok();
            let wanted = request.clone();
            let task = tasks.spawn_blocking(move || {
                let _permit = permit;
                issuer::make(&wanted, clock::now())
            });
            asked.push((task.id(), request));
        }
        let Some(finished) = tasks.join_next_with_id().await else { return made };
        let (id, outcome) = match finished {
            Ok((id, outcome)) => (id, outcome.map_err(Error::from)),
            Err(error) => (error.id(), Err(error.into())),
        };
        if let Some(index) = asked.iter().position(|(task, _)| *task == id) {
            made.push((asked.swap_remove(index).1, outcome));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }

    #[test]
    fn keys_for_many_nodes_are_made_on_few_threads() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let before = threads();
        let requests = (0..200).map(|number| MaterialRequest::Authority {
            id: format!("key {number}"),
            common_name: "a".to_owned(),
            organization: "b".to_owned(),
            validity_days: 1,
        });
        let (made, most) = runtime.block_on(async {
            let making = tokio::spawn(make(requests.collect()));
            let mut most = 0;
            while !making.is_finished() {
                most = most.max(threads());
                tokio::task::yield_now().await;
            }
            (making.await.unwrap(), most)
        });
        assert_eq!(made.len(), 200);
        // Other tests of this process may start some as well.
        assert!(most <= before + 20, "{most} threads, {before} before");
    }
}
