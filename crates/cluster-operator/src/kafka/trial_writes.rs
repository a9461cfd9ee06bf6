//! Asks the API server whether it would take writes of objects with overrides of users', without making them, and remembers what
//! it refused: a resource that has settled with a refused override asks nothing for a while. No policy.

use std::collections::hash_map::DefaultHasher;
use std::collections::{BTreeMap, HashMap};
use std::hash::{Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{StreamExt, stream};
use objects::ObjectId;
use operator_runtime::apply::{Applier, REQUEST_DEADLINE};
use operator_runtime::watch::ObjectRef;
use planner::kafka::need::{Admission, TrialWrite};
use planner::kafka::refused_overrides::TRIED_AGAIN_SECONDS;
use serde_json::Value;
use tokio::time::Instant;

use super::dry_run;

/// Trials of one plan under way at a time.
const CONCURRENCY: usize = 8;

/// How long a refusal counts.
const REMEMBERED: Duration = Duration::from_secs(TRIED_AGAIN_SECONDS);

/// What was refused of all clusters.
#[derive(Debug, Default)]
pub(crate) struct TrialWrites(Mutex<HashMap<ObjectRef, BTreeMap<ObjectId, Refusal>>>);

/// A refusal.
#[derive(Debug, Clone)]
struct Refusal {
    /// Hash of the object that was refused.
    of: u64,
    why: String,
    at: Instant,
}

impl TrialWrites {
    /// What the API server says of each write; of those that it refused a moment ago it is not asked.
    pub(crate) async fn answer(
        &self,
        applier: &Applier,
        key: &ObjectRef,
        trials: &[TrialWrite],
    ) -> BTreeMap<ObjectId, Admission> {
        let asked = self.answer_by(key, trials, |object| dry_run::write(applier, object));
        // An API server that says nothing costs the time of one request, however much is asked.
        tokio::time::timeout(REQUEST_DEADLINE, asked).await.unwrap_or_else(|_| {
            let unknown = || Admission::Unknown("the API server does not answer".to_owned());
            trials.iter().map(|trial| (trial.object.clone(), unknown())).collect()
        })
    }

    async fn answer_by<'a, F>(
        &self,
        key: &ObjectRef,
        trials: &'a [TrialWrite],
        ask: impl Fn(&'a Value) -> F,
    ) -> BTreeMap<ObjectId, Admission>
    where
        F: Future<Output = Result<Admission, String>>,
    {
        let known = self.lock().remove(key).unwrap_or_default();
        let mut asked = Vec::with_capacity(trials.len());
        for trial in trials {
            asked.push(one(trial, known.get(&trial.object), &ask));
        }
        let said: Vec<_> = stream::iter(asked).buffered(CONCURRENCY).collect().await;
        let refused = said.iter().filter(|(.., admission)| matches!(admission, Admission::Refused(_)));
        let refused: BTreeMap<ObjectId, Refusal> =
            refused.map(|(trial, refusal, _)| (trial.object.clone(), refusal.clone())).collect();
        if !refused.is_empty() {
            self.lock().insert(key.clone(), refused);
        }
        said.into_iter().map(|(trial, _, admission)| (trial.object.clone(), admission)).collect()
    }

    /// Forgets a cluster that is gone.
    pub(crate) fn forget(&self, key: &ObjectRef) {
        self.lock().remove(key);
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ObjectRef, BTreeMap<ObjectId, Refusal>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is said of one write, and what to remember if it is refused. `known`: what was said of another write of its object.
async fn one<'a, F>(
    trial: &'a TrialWrite,
    known: Option<&Refusal>,
    ask: impl Fn(&'a Value) -> F,
) -> (&'a TrialWrite, Refusal, Admission)
where
    F: Future<Output = Result<Admission, String>>,
{
    let of = hash(&trial.with);
    if let Some(told) = known.filter(|told| told.of == of && told.at.elapsed() < REMEMBERED) {
        return (trial, told.clone(), Admission::Refused(told.why.clone()));
    }
    let admission = judged(trial, ask).await;
    let why = if let Admission::Refused(why) = &admission { why.clone() } else { String::new() };
    (trial, Refusal { of, why, at: Instant::now() }, admission)
}

/// What is said of one write. Where the same object is refused without the override too, the override is not to blame, and the
/// write itself tells what is; but of an object that is there, what is wrong with its content is left alone.
async fn judged<'a, F>(trial: &'a TrialWrite, ask: impl Fn(&'a Value) -> F) -> Admission
where
    F: Future<Output = Result<Admission, String>>,
{
    let refused = match ask(&trial.with).await {
        Ok(Admission::Refused(why)) => why,
        Ok(other) => return other,
        Err(why) => return Admission::Unknown(why),
    };
    match ask(&trial.without).await {
        Ok(Admission::Refused(why)) if !trial.is_there || why == refused => Admission::Unknown(refused),
        _ => Admission::Refused(refused),
    }
}

fn hash(object: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    object.to_string().hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use serde_json::json;

    use super::*;

    fn trial(name: &str, with: &str) -> TrialWrite {
        let object = ObjectId {
            api_version: "v1".to_owned(),
            kind: "Service".to_owned(),
            namespace: Some("ns".to_owned()),
            name: name.to_owned(),
        };
        TrialWrite { object, with: json!({"is": with}), without: json!({"is": "plain"}), is_there: false }
    }

    /// Answers the trials; returns what was said of each and what was asked. What is `bad` is refused.
    async fn answers(
        memory: &TrialWrites,
        trials: &[TrialWrite],
        bad: &[&str],
    ) -> (Vec<Admission>, Vec<String>) {
        let asked = RefCell::new(Vec::new());
        let key = ObjectRef::new("ns", "c");
        let said = memory.answer_by(&key, trials, |object| {
            let is = object["is"].as_str().unwrap_or_default().to_owned();
            asked.borrow_mut().push(is.clone());
            let said = if bad.contains(&is.as_str()) { Admission::Refused(is) } else { Admission::Accepted };
            async move { Ok(said) }
        });
        let said = said.await;
        (trials.iter().map(|trial| said[&trial.object].clone()).collect(), asked.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_refused_is_asked_again_when_it_changed_or_after_a_while_and_what_was_taken_is_always_asked()
     {
        let memory = TrialWrites::default();
        let (good, wrong) = (trial("good", "fine"), trial("wrong", "odd"));
        let both = [good, wrong];
        let refused = || Admission::Refused("odd".to_owned());
        let (said, asked) = answers(&memory, &both, &["odd"]).await;
        assert_eq!((said, asked.len()), (vec![Admission::Accepted, refused()], 3), "{asked:?}");
        let (said, asked) = answers(&memory, &both, &["odd"]).await;
        assert_eq!((said, asked), (vec![Admission::Accepted, refused()], vec!["fine".to_owned()]));
        let (said, _) = answers(&memory, &[trial("wrong", "mended")], &["odd"]).await;
        assert_eq!(said, [Admission::Accepted]);
        answers(&memory, &both[1..], &["odd"]).await;
        tokio::time::advance(REMEMBERED).await;
        let (said, asked) = answers(&memory, &both[1..], &[]).await;
        assert_eq!((said, asked), (vec![Admission::Accepted], vec!["odd".to_owned()]));
    }

    #[tokio::test]
    async fn an_override_is_not_to_blame_for_what_is_refused_without_it_too() {
        let bad = ["odd", "plain"];
        let new = trial("new", "odd");
        let there = TrialWrite { is_there: true, ..trial("there", "odd") };
        let (said, _) = answers(&TrialWrites::default(), &[new, there], &bad).await;
        assert!(matches!(&said[..], [Admission::Unknown(_), Admission::Refused(_)]), "{said:?}");
    }
}
