//! What the API server has beside Kubernetes' own kinds, found out once at the start: a kind that comes later is seen after the next
//! start.

use api::openshift::builds;
use operator_runtime::apply::{Applier, REQUEST_DEADLINE};
use operator_runtime::queue::{Backoff, FIRST_BACKOFF, LONGEST_BACKOFF};
use planner::settings::OpenShiftBuilds;

/// What there is of OpenShift for builds. Asks until the API server answers.
pub(crate) async fn openshift_builds(applier: &Applier) -> OpenShiftBuilds {
    let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
    loop {
        // The list of groups has those of other servers behind the API server also while these do not answer.
        let why = match tokio::time::timeout(REQUEST_DEADLINE, applier.client().list_api_groups()).await {
            Ok(Ok(list)) => {
                let has = |group: &str| {
                    let found = list.groups.iter().find(|known| known.name == group);
                    found.is_some_and(|group| group.versions.iter().any(|one| one.version == builds::VERSION))
                };
                return OpenShiftBuilds {
                    builds: has(builds::GROUP),
                    image_streams: has(builds::IMAGE_GROUP),
                };
            }
            Ok(Err(kube::Error::Api(status))) if status.code == 403 => {
                let why = status.message;
                tracing::warn!(
                    why,
                    "may not find out which kinds the API server has: no image is built by OpenShift"
                );
                return OpenShiftBuilds::default();
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", REQUEST_DEADLINE.as_secs()),
        };
        tracing::warn!(why, "cannot find out which kinds the API server has");
        tokio::time::sleep(backoff.pause()).await;
    }
}
