//! Whether OpenShift is to start a Build now.

use objects::{ObjectId, Write};

use super::objects::Attempt;
use super::{ImageBuild, objects as made, openshift};
use crate::kafka_connect::call::StartBuild;
use crate::workers::need::WorkerNeed;
use crate::workers::observed::ObservedWorkers;

/// What is said while no Builds are seen.
pub(super) const UNSEEN: &str = "the Builds of OpenShift are not seen yet, and without them no image is built; where that lasts, the operator \
                                 may not list and watch builds of build.openshift.io: install the roles of its chart anew";

/// What is decided.
pub(super) enum Started {
    /// Something has to be known first.
    Asks(WorkerNeed),
    /// Not now.
    Waits {
        /// What is waited for.
        words: String,
        /// Whether that is a mistake.
        failed: bool,
    },
    /// It is.
    Begins(StartBuild),
}

/// Whether a Build begins. A Build is started at most once: OpenShift refuses to where the number of the last one is another by now, and
/// the last one was seen or is gone.
pub(super) fn build(build: &ImageBuild, attempt: Attempt, observed: &ObservedWorkers) -> Started {
    let settings = observed.settings.as_ref();
    let (name, namespace) = (build.name(), &build.owner.namespace);
    let waits = |words: String| Started::Waits { words, failed: false };
    let config = openshift::config(build, settings);
    let live = observed.live(&config);
    if Write::of(config, &live).is_change() {
        return waits(format!("BuildConfig {name} is to be written before the image is built"));
    }
    if let Some(stream) = openshift::image_stream(build) {
        let stream_name = stream.name.clone();
        match exists(stream, observed) {
            Ok(true) => {}
            Ok(false) => {
                let words = format!(
                    "spec.build.output.image: there is no ImageStream {stream_name:?} in the namespace: create it (oc create imagestream \
                     {stream_name}), or correct the name"
                );
                return Started::Waits { words, failed: true };
            }
            Err(started) => return started,
        }
    }
    let last_version = observed.build_configs.get(&name).copied().unwrap_or_default();
    let last = openshift::build_name(&name, last_version);
    let is_seen = observed.builds.as_ref().is_some_and(|builds| builds.contains_key(&last));
    if last_version > 0 && !is_seen {
        match exists(openshift::build_id(namespace, &last), observed) {
            Ok(true) => return waits(format!("Build {last} was started, and is not seen yet")),
            Ok(false) => {}
            Err(started) => return started,
        }
    }
    Started::Begins(StartBuild {
        namespace: namespace.clone(),
        build_config: name,
        last_version,
        annotations: made::annotations(build, attempt, settings),
    })
}

/// Whether there is an object that is in no cache.
fn exists(object: ObjectId, observed: &ObservedWorkers) -> Result<bool, Started> {
    if let Some(holder) = observed.holders.get(&object) {
        return Ok(holder.is_some());
    }
    let words = format!("whether there is {} {} is not known", object.kind, object.name);
    let need = WorkerNeed::Holders(vec![object]);
    match observed.silence(&need) {
        None => Err(Started::Asks(need)),
        Some(silence) => Err(Started::Waits { words: format!("{words}: {silence}"), failed: false }),
    }
}
