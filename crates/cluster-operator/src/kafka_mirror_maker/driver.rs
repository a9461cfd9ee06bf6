//! What the steps of a pass (see [`crate::kind`]) mean for a KafkaMirrorMaker resource.

use std::sync::Arc;

use api::KafkaMirrorMaker;
use operator_runtime::watch::{Cache, ObjectRef};
use planner::kafka_mirror_maker::observed::LiveMirrorMaker;
use planner::kafka_mirror_maker::view::MirrorMakerView;
use planner::references::References;
use planner::workers::need::WorkerNeed;

use crate::caches::{self, Caches, KAFKA_MIRROR_MAKER};
use crate::deleted_pods::DeletedPods;
use crate::kind::{AnswersOf, Error, Kind, Means, Seen};
use crate::room::BUSY;
use crate::workers::observe::Observer;
use crate::workers::{self, Found};
use planner::workers::plan_size::Repeated;

/// Looks after KafkaMirrorMaker resources. One for the whole process.
pub(crate) struct FirstMirrorMakers {
    caches: Caches,
    means: Means,
    observer: Observer,
}

impl FirstMirrorMakers {
    /// From the parts that all passes share.
    pub(crate) fn new(caches: Caches, means: Means, observer: Observer) -> Self {
        Self { caches, means, observer }
    }
}

impl Kind for FirstMirrorMakers {
    const NAME: &'static str = KAFKA_MIRROR_MAKER;
    type Resource = KafkaMirrorMaker;
    type Observed = MirrorMakerView;
    type Said = ();

    fn resources(&self) -> &Cache<KafkaMirrorMaker> {
        &self.caches.first_mirror_makers
    }

    async fn observe(&self, key: &ObjectRef) -> Result<Seen<MirrorMakerView>, Error> {
        let owner = caches::first_mirror_maker(key);
        let resource = match workers::find(self.resources(), &self.observer, &owner).await? {
            Found::Live(resource) => resource,
            Found::Other(seen) => return Ok(seen),
        };
        // What it refers to is read for the KafkaMirrorMaker2.
        let repeated =
            Repeated { workers: Some(1), bytes: self.resources().bytes_when_read(key), connectors: 0 };
        let (references, deleted_pods) = (References::default(), DeletedPods::default());
        let seen = self.observer.observe(&owner, references, repeated, &deleted_pods).await?;
        let Some((observed, place)) = seen else { return Ok(Seen::Settled(BUSY)) };
        let made = self.caches.mirror_makers.get(key);
        Ok(Seen::Placed(MirrorMakerView::Live(Box::new(LiveMirrorMaker { resource, made, observed })), place))
    }

    fn looked_after<'a>(&self, view: &'a MirrorMakerView) -> Option<&'a Arc<KafkaMirrorMaker>> {
        view.looked_after()
    }

    async fn answer(
        &self,
        _: &ObjectRef,
        _: &MirrorMakerView,
        needs: Vec<WorkerNeed>,
    ) -> Result<AnswersOf<Self>, Error> {
        Ok(workers::answer(&self.means.applier, &self.caches, needs).await)
    }

    /// There are none.
    async fn call(&self, _: &ObjectRef, _: &MirrorMakerView, (): &()) -> Result<(), Error> {
        Ok(())
    }
}
