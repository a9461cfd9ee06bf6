//! Which image the workers have now, and whether there is to be a build. Level-triggered: everything is read from the pod of the
//! build, or the Builds of OpenShift, from the annotations of the pod set, which tell what is in use, and from those of the ConfigMap with
//! the Dockerfile, which remember the attempts.

use api::conditions::reasons;
use api::{annotations, names};
use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use objects::{Deletion, DesiredObject, Live, Stage, Write};

use super::objects::Attempt;
use super::outcome::Outcome;
use super::run::{Run, removal};
use super::start::{self, Started};
use super::{ImageBuild, Way, objects as made, openshift};
use crate::findings::Warning;
use crate::kafka_connect::call::StartBuild;
use crate::live_object;
use crate::orphans;
use crate::pod_words::{PATIENCE, does_not_go};
use crate::workers::need::WorkerNeed;
use crate::workers::observed::ObservedWorkers;
use crate::workers::plan::AGAIN_SECONDS;
use crate::workers::{BuildAnnotations, Workers};

/// Seconds until the first failed build is tried again; each further time doubles.
const FIRST_PAUSE: u64 = 60;
/// The longest pause.
const LONGEST_PAUSE: u64 = 30 * 60;

/// Seconds until a pod that is to go is looked at again.
const GOING: u64 = 60;

/// What is decided.
#[derive(Debug, Default)]
pub(crate) struct Decision {
    /// What has to be known first: then nothing else is decided.
    pub needs: Vec<WorkerNeed>,
    /// The image of the workers; `None`: there is none yet, and there can be no workers.
    pub image: Option<String>,
    /// What the pod set and the pods say of it.
    pub annotations: BuildAnnotations,
    /// Objects to write.
    pub apply: Vec<Write>,
    /// Objects to delete.
    pub delete: Vec<Deletion>,
    /// The Build that OpenShift is to start.
    pub start: Option<StartBuild>,
    /// What is waited for.
    pub waiting_for: Vec<String>,
    /// Whether the build failed.
    pub failed: bool,
    /// What deserves a look.
    pub warnings: Vec<Warning>,
    /// Seconds after which to look again without an event.
    pub look_again: Option<u64>,
    /// The Build that is over and done with from now on, by its UID.
    settled: Option<String>,
}

/// Decides. `build` is `None` for a resource without builds: then what is left of earlier ones goes. Pure.
pub(crate) fn decide(
    build: Option<&ImageBuild>,
    workers: &Workers,
    observed: &ObservedWorkers,
    now: Timestamp,
) -> Decision {
    let mut decision = Decision::default();
    let pod = observed.pods.get(&names::connect::build(&workers.owner.name)).map(AsRef::as_ref);
    let desired = match build {
        None => {
            decision.image = Some(workers.image.clone());
            decision.delete.extend(pod.map(|pod| removal(pod, &workers.owner.namespace)));
            Vec::new()
        }
        Some(build) => {
            let situation = Situation::of(build, workers, observed, now);
            let attempt = situation.decide(&mut decision);
            if build.way != Way::Buildah {
                decision.delete.extend(pod.map(|pod| removal(pod, &workers.owner.namespace)));
            }
            let settled = decision.settled.as_deref().or(situation.settled);
            let mut lasting = made::lasting(build, attempt, settled, observed.settings.as_ref());
            leave_to_others(workers, observed, &mut lasting, &mut decision);
            lasting
        }
    };
    decision.delete.extend(orphaned(workers, observed, &desired));
    // Workers do without a build.
    let desired = desired.into_iter().map(|object| DesiredObject { beside: true, ..object }).collect();
    let mut writes = Write::all(desired, |wanted| observed.live(wanted));
    writes.append(&mut decision.apply);
    decision.apply = writes;
    decision
}

/// Takes out of what is wanted what belongs to another owner. Then nothing is built, and workers stay as they are.
fn leave_to_others(
    workers: &Workers,
    observed: &ObservedWorkers,
    lasting: &mut Vec<DesiredObject>,
    decision: &mut Decision,
) {
    let claimant = workers.claimant();
    let lasts = lasting.iter().map(|object| &object.reference);
    let wanted = lasts.chain(decision.apply.iter().map(|write| &write.reference));
    let strangers = match observed.strangers(&claimant, wanted) {
        Ok(strangers) => strangers,
        Err(need) => {
            decision.needs.push(need);
            return;
        }
    };
    if strangers.is_empty() {
        return;
    }
    lasting.retain(|wanted| strangers.iter().all(|stranger| stranger.object != wanted.reference));
    decision.failed = true;
    decision.look_again = Some(decision.look_again.map_or(AGAIN_SECONDS, |other| other.min(AGAIN_SECONDS)));
    if !decision.apply.is_empty() || decision.start.is_some() {
        decision.apply.clear();
        decision.start = None;
        decision.waiting_for.clear();
    }
    for stranger in strangers {
        let message = stranger.words(&claimant);
        decision.waiting_for.push(message.clone());
        decision.warnings.push(Warning { reason: reasons::FOREIGN_OBJECT.to_owned(), message });
    }
}

/// What a decision rests on.
struct Situation<'a> {
    build: &'a ImageBuild,
    observed: &'a ObservedWorkers,
    /// The image in use, and the revision that it was built from, if it was.
    in_use: Option<(Option<&'a str>, String)>,
    /// What this build is started with.
    inputs: String,
    /// Whether the annotation of the pod set asks for a build.
    asked: bool,
    /// What the ConfigMap remembers: the number is that of attempts with the same inputs.
    remembered: Option<Attempt>,
    /// The Build that is over and done with, which the ConfigMap remembers by its UID.
    settled: Option<&'a str>,
    patience: SignedDuration,
    now: Timestamp,
}

/// What is seen of attempts.
enum Seen<'a> {
    /// There is none that matters any more.
    Nothing,
    /// One.
    Run(Box<Run<'a>>),
    /// That is not known.
    Unknown,
}

impl<'a> Situation<'a> {
    fn of(build: &'a ImageBuild, workers: &Workers, observed: &'a ObservedWorkers, now: Timestamp) -> Self {
        let set = observed.pod_sets.get(&workers.names.component);
        let annotation = |key: &str| set?.metadata.annotations.as_ref()?.get(key).map(String::as_str);
        let built =
            annotation(annotations::CONNECT_BUILD_REVISION).zip(annotation(annotations::CONNECT_BUILD_IMAGE));
        let container = |pod: &serde_json::Value| {
            let containers = pod["spec"]["containers"].as_array()?;
            let worker = containers.iter().find(|found| found["name"] == workers.names.component.as_str())?;
            worker["image"].as_str().map(str::to_owned)
        };
        let in_use = match built {
            Some((revision, image)) => Some((Some(revision), image.to_owned())),
            // Workers that run without a built image go on until there is one.
            None => set.and_then(|set| set.spec.pods.first()).and_then(container).map(|image| (None, image)),
        };
        let inputs = made::inputs(build, observed.settings.as_ref());
        let map = observed.config_maps.get(&names::connect::dockerfile_config_map(&build.owner.name));
        // A build that was asked for is asked for with other credentials too.
        let remembered = map.map(|map| Attempt {
            number: attempt_of(&map.metadata, &inputs).map_or(1, |attempt| attempt.number),
            forced: is_forced(&map.metadata),
        });
        let asked = annotation(annotations::FORCE_REBUILD) == Some("true");
        let settled = map.and_then(|map| map.metadata.annotations.as_ref()?.get(annotations::BUILD_SETTLED));
        let settled = settled.map(String::as_str);
        let seconds = observed.settings.image_builds.timeout_seconds;
        let patience = SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX));
        Self { build, observed, in_use, inputs, asked, remembered, settled, patience, now }
    }

    fn seen(&self) -> Seen<'a> {
        let (build, observed) = (self.build, self.observed);
        let run = if build.way == Way::Buildah {
            let pod = observed.pods.get(&build.name());
            pod.map(|pod| Run::of_pod(pod, build, self.patience, self.now))
        } else {
            let Some(builds) = &observed.builds else { return Seen::Unknown };
            let config = observed.others.get(&openshift::config_id(build));
            let uid = config.and_then(|config| config.uid.as_deref());
            uid.and_then(|uid| Run::of_builds(builds, build, uid, self.settled, self.patience, self.now))
        };
        run.map_or(Seen::Nothing, |run| Seen::Run(Box::new(run)))
    }

    /// The attempt that is to be remembered.
    fn decide(&self, decision: &mut Decision) -> Attempt {
        self.keep(decision);
        let remembered = self.remembered.unwrap_or(Attempt { number: 1, forced: false });
        if self.asked && remembered.forced {
            // The annotation is the user's: it can only be overwritten. The ConfigMap remembers it from now on.
            let key = annotations::FORCE_REBUILD.to_owned();
            decision.annotations.set.insert(key, "false".to_owned());
        }
        let forced = self.asked || remembered.forced;
        let attempt = Attempt { forced, ..remembered };
        let is_needless = self.is_current() && !forced;
        let run = match self.seen() {
            Seen::Run(run) if is_needless && run.stays => return Attempt { number: 1, forced },
            Seen::Run(run) => run,
            Seen::Unknown | Seen::Nothing if is_needless => return Attempt { number: 1, forced },
            Seen::Nothing => {
                self.start(attempt, decision);
                return attempt;
            }
            Seen::Unknown => {
                decision.look_again = Some(AGAIN_SECONDS);
                decision.waiting_for.push(start::UNSEEN.to_owned());
                return attempt;
            }
        };
        if let Some(since) = &run.metadata.deletion_timestamp {
            if self.now.duration_since(since.0) > PATIENCE {
                let why = match self.build.way {
                    Way::Buildah => does_not_go(&self.build.name()),
                    Way::OpenShift(_) => format!("{} is to go and does not: delete it", run.words),
                };
                let message = format!("no image can be built: {why}");
                decision.failed = true;
                decision.warnings.push(Warning { reason: reasons::IMAGE_BUILD_FAILED.to_owned(), message });
            }
            decision.look_again = Some(GOING);
            decision.waiting_for.push(format!("{} of an earlier image build is going", run.words));
            return attempt;
        }
        let own = attempt_of(run.metadata, &self.inputs).filter(|_| run.is_owned);
        if let (Outcome::Done { image }, true) = (&run.outcome, self.is_answer(&run, forced)) {
            return self.take(&run, image, attempt, decision);
        }
        match (own, &run.outcome) {
            (Some(own), Outcome::Runs(words)) if own.forced || !forced => {
                let words = words.as_ref().map(|words| format!(": {words}")).unwrap_or_default();
                decision.waiting_for.push(format!("the image is being built by {}{words}", run.words));
                Attempt { number: own.number, forced }
            }
            (Some(own), Outcome::Failed { why, at }) if own.forced || !forced => {
                let number = self.failed(&run, own.number, (why, *at), decision);
                Attempt { number, forced }
            }
            // It is of another build than is asked for now.
            _ => {
                dismiss(&run, decision);
                decision.waiting_for.push(format!("{} of another image build is replaced", run.words));
                Attempt { number: 1, forced }
            }
        }
    }

    /// Whether the image in use is of what is asked for.
    fn is_current(&self) -> bool {
        self.in_use.as_ref().is_some_and(|(revision, _)| *revision == Some(self.build.revision.as_str()))
    }

    /// Whether the image of an attempt is what is asked for.
    fn is_answer(&self, run: &Run<'_>, forced: bool) -> bool {
        run.annotation(annotations::CONNECT_BUILD_REVISION) == Some(&self.build.revision)
            && run.is_owned
            && (!forced || run.annotation(annotations::BUILD_FORCED) == Some("true"))
    }

    /// The workers stay with the image that they have.
    fn keep(&self, decision: &mut Decision) {
        let Some((revision, image)) = &self.in_use else { return };
        decision.image = Some(image.clone());
        if let Some(revision) = revision {
            decision.annotations = made::annotations_of(revision, image);
        }
    }

    fn start(&self, attempt: Attempt, decision: &mut Decision) {
        if self.build.way != Way::Buildah {
            match start::build(self.build, attempt, self.observed) {
                Started::Asks(need) => decision.needs.push(need),
                Started::Waits { words, failed } => {
                    decision.look_again = Some(AGAIN_SECONDS);
                    decision.failed = failed;
                    let reason = reasons::IMAGE_BUILD_FAILED.to_owned();
                    decision.warnings.extend(failed.then(|| Warning { reason, message: words.clone() }));
                    decision.waiting_for.push(words);
                }
                Started::Begins(build) => {
                    let config = &build.build_config;
                    decision.waiting_for.push(format!("the image is to be built by BuildConfig {config}"));
                    decision.start = Some(build);
                }
            }
            return;
        }
        let pod = made::pod(self.build, attempt, self.observed.settings.as_ref());
        let mut write = Write::of(pod, &Live::Absent);
        // A namespace that refuses the pod keeps nothing else from being done.
        write.stage = Stage::Beside;
        decision.apply.push(write);
        decision.waiting_for.push(format!("the image is to be built by pod {}", self.build.name()));
    }

    /// The image is that of the workers from now on. The pod goes when the pod set tells of the image.
    fn take(&self, run: &Run<'_>, image: &str, attempt: Attempt, decision: &mut Decision) -> Attempt {
        let is_told = self.is_current()
            && self.in_use.as_ref().is_some_and(|(_, in_use)| in_use == image)
            && !self.asked;
        let asked = decision.annotations.set.remove(annotations::FORCE_REBUILD);
        decision.annotations = made::annotations_of(&self.build.revision, image);
        decision.annotations.set.extend(asked.map(|value| (annotations::FORCE_REBUILD.to_owned(), value)));
        decision.image = Some(image.to_owned());
        if !is_told {
            return attempt;
        }
        dismiss(run, decision);
        Attempt { number: 1, forced: false }
    }

    /// The number of the attempt to be remembered.
    fn failed(
        &self,
        run: &Run<'_>,
        number: u32,
        (why, at): (&str, Option<Timestamp>),
        decision: &mut Decision,
    ) -> u32 {
        decision.failed = true;
        let words = &run.words;
        let pause = pause(number);
        let created = run.metadata.creation_timestamp.as_ref().map(|time| time.0);
        let passed = self.now.duration_since(at.or(created).unwrap_or(self.now)).as_secs();
        let left = pause.saturating_sub(u64::try_from(passed).unwrap_or_default());
        decision.waiting_for.push(format!(
            "attempt {number} of {words} to build the image failed, the next one comes after {pause} s: {why}"
        ));
        decision.warnings.push(Warning {
            reason: reasons::IMAGE_BUILD_FAILED.to_owned(),
            message: format!("{words} could not build the image; workers that run stay as they are: {why}"),
        });
        decision.look_again = Some(left.max(1));
        if left > 0 {
            return number;
        }
        // The next attempt has a pod of the same name.
        dismiss(run, decision);
        number.saturating_add(1)
    }
}

/// An attempt counts no more: a pod goes, and so does a Build that has not ended.
fn dismiss(run: &Run<'_>, decision: &mut Decision) {
    if run.stays {
        decision.settled.clone_from(&run.metadata.uid);
    } else {
        decision.delete.push(run.removal());
    }
}

/// Seconds between the end of an attempt and the next one.
fn pause(number: u32) -> u64 {
    FIRST_PAUSE
        .saturating_mul(1_u64.checked_shl(number.saturating_sub(1)).unwrap_or(u64::MAX))
        .min(LONGEST_PAUSE)
}

/// The attempt that an object tells of, if it is one with these inputs.
fn attempt_of(metadata: &ObjectMeta, inputs: &str) -> Option<Attempt> {
    let all = metadata.annotations.as_ref()?;
    let of = |key: &str| all.get(key).map(String::as_str);
    let number = of(annotations::BUILD_ATTEMPT).and_then(|text| text.parse().ok()).unwrap_or(1);
    let forced = is_forced(metadata);
    (of(annotations::BUILD_INPUTS) == Some(inputs)).then_some(Attempt { number, forced })
}

fn is_forced(metadata: &ObjectMeta) -> bool {
    let annotation = metadata.annotations.as_ref().and_then(|all| all.get(annotations::BUILD_FORCED));
    annotation.is_some_and(|value| value == "true")
}

/// What is left of builds that nothing asks for.
fn orphaned(workers: &Workers, observed: &ObservedWorkers, desired: &[DesiredObject]) -> Vec<Deletion> {
    let mut found = observed.others.clone();
    live_object::add(&mut found, &observed.namespace, observed.config_maps.values());
    let components = [names::connect::build(&workers.owner.name)];
    orphans::of(&workers.claimant(), &components, found, desired, |_, _| None)
}
