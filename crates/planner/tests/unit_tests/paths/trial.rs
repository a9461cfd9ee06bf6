//! A cluster with one property set to this or that, and what comes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock};

use crate::common::{self, World};
use api::conditions::{reasons, types};
use api::{Condition, watch_grant};
use issuer::{Authority, AuthorityRequest, KeyAlgorithm, LeafRequest};
use jiff::Timestamp;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use planner::completion::{Completion, Step};
use planner::kafka::need::Need;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

use super::contexts::{self, Context};
use super::{table, values};

/// Moments in the life of a cluster at which a property is tried, until it shows.
const MOMENTS: [Moment; 5] =
    [Moment::Made, Moment::Runs, Moment::New, Moment::CertificatesAge, Moment::CertificatesEnd];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Moment {
    /// Nothing is there but the resources.
    New,
    /// Its keys are made and its objects are written.
    Made,
    /// Its pods run.
    Runs,
    /// It runs, and the certificates end in 45 days, so that they are not renewed yet.
    CertificatesAge,
    /// It runs, and the certificates end in a week.
    CertificatesEnd,
}

/// What comes of resources.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Outcome {
    Refused(String),
    /// Keys and certificates are made first.
    Asks(Value),
    Planned(Box<Plan>),
}

/// The resources of a cluster.
#[derive(Clone, PartialEq)]
pub(crate) struct Manifests {
    kafka: Value,
    pool: Value,
}

impl Manifests {
    fn base() -> Self {
        let read = |text: &str| serde_json::from_str(text).unwrap();
        Self { kafka: read(contexts::KAFKA), pool: read(contexts::POOL) }
    }

    fn set(&mut self, schemas: &BTreeMap<&str, Value>, kind: &str, path: &str, value: Option<&Value>) {
        let manifest = if kind == "Kafka" { &mut self.kafka } else { &mut self.pool };
        table::set(manifest, &schemas[kind], path, value);
    }

    fn world(&self) -> World {
        let mut world = World::new(vec![self.pool.clone(), self.kafka.clone()]);
        let settings = Arc::make_mut(&mut world.observed.settings);
        settings.entity_operator_watched_namespace = true;
        refer(&mut world);
        world.default_quotas = Some(BTreeMap::new());
        world
    }
}

/// What properties refer to: Secrets with certificates, ConfigMaps with texts, and grants of other namespaces.
pub(crate) fn refer(world: &mut World) {
    static MADE: OnceLock<[BTreeMap<String, ByteString>; 2]> = OnceLock::new();
    let made = MADE.get_or_init(|| [(); 2].map(|()| certificates()));
    for (name, data) in ["mine", "other"].iter().zip(made) {
        let mut secret = Secret { data: Some(data.clone()), ..Secret::default() };
        secret.metadata.name = Some((*name).to_owned());
        world.observed.secrets.insert((*name).to_owned(), Arc::new(secret));
    }
    for name in ["logs", "some-value", "other-value"] {
        let line = |key: &str| (key.to_owned(), format!("rootLogger.level = {name}-{key}"));
        let data = ["a", "some-value", "other-value"].map(line);
        let mut map = ConfigMap { data: Some(data.into()), ..ConfigMap::default() };
        map.metadata.name = Some(name.to_owned());
        world.observed.config_maps.insert(name.to_owned(), Arc::new(map));
    }
    for name in ["rules", "more-rules"] {
        let rules = |key: &str| (key.to_owned(), format!("rules: [{{pattern: {name}-{key}}}]"));
        let mut map = ConfigMap { data: Some(["a", "b"].map(rules).into()), ..ConfigMap::default() };
        map.metadata.name = Some(name.to_owned());
        world.observed.config_maps.insert(name.to_owned(), Arc::new(map));
    }
    let grant = [watch_grant::TOPIC_OPERATOR, watch_grant::USER_OPERATOR];
    let grant = grant.map(|key| (key.to_owned(), "s1/my".to_owned()));
    world.observed.watch_grants.insert("other".to_owned(), grant.into());
}

/// Two chains of one certificate, and its key.
fn certificates() -> BTreeMap<String, ByteString> {
    let begin: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let request = AuthorityRequest {
        common_name: "mine".to_owned(),
        organization: "o".to_owned(),
        validity_days: 3000,
        algorithm: KeyAlgorithm::EcdsaP256,
    };
    let leaf = LeafRequest {
        common_name: "kafka.example.com".to_owned(),
        validity_days: 2500,
        algorithm: KeyAlgorithm::EcdsaP256,
        ..LeafRequest::default()
    };
    let authority = Authority::generate(&request, begin).unwrap();
    let made = authority.issue(&leaf, begin).unwrap();
    let (chain, key) = (made.chain.as_str().to_owned(), made.key.expose().to_owned());
    // The second chain begins with the same leaf and goes up to the root.
    let more = format!("{chain}{}", authority.certificate().as_str());
    let all = [("a.crt", chain), ("b.crt", more), ("a.key", key)];
    all.map(|(name, text)| (name.to_owned(), ByteString(text.into_bytes()))).into()
}

/// Brings a cluster to a moment.
fn at(mut world: World, moment: Moment) -> World {
    if moment != Moment::New {
        let refused =
            |plan: &Plan| common::condition(plan, "NotReady").filter(|all| all["reason"] != "Creating");
        for _ in 0..3 {
            let plan = world.plan();
            assert_eq!(refused(&plan), None);
            world.apply(&plan);
            world.give_addresses();
            // Without the address of a listener there is no pod yet.
            let has_pods = world.observed.pod_sets.values().any(|set| !set.spec.pods.is_empty());
            if has_pods && moment != Moment::Made {
                world.run_everything();
            }
        }
        world.observed.options = planner::kafka::config::live::memory::OptionMemory::default();
    }
    match moment {
        Moment::New | Moment::Made | Moment::Runs => {}
        Moment::CertificatesAge => world.now = "2027-04-17T12:00:00Z".parse().unwrap(),
        Moment::CertificatesEnd => world.now = "2027-05-25T12:00:00Z".parse().unwrap(),
    }
    world
}

/// Plans until keys have to be made, or the plan is complete.
fn outcome(world: &World) -> Outcome {
    let mut observed = world.observed.clone();
    let mut completion = Completion::new(&mut observed, world.now);
    loop {
        match completion.step(&observed).unwrap() {
            Step::Complete(plan) => return of_plan(plan),
            Step::Asks(needs) => {
                let made: Vec<&Need> =
                    needs.iter().filter(|need| matches!(need, Need::Material(_))).collect();
                if !made.is_empty() {
                    return Outcome::Asks(json!(made));
                }
                for need in needs {
                    let answer = world.answer(&need);
                    planner::completion::Observation::answer(&mut observed, need, answer);
                }
            }
        }
    }
}

fn of_plan(mut plan: Plan) -> Outcome {
    let refused = [reasons::INVALID_RESOURCE, reasons::INTERNAL_ERROR];
    let status = plan.status.kafka.as_mut().unwrap();
    let conditions = status.conditions.as_mut().unwrap();
    let refuses = |one: &&Condition| one.reason.as_ref().is_some_and(|said| refused.contains(&said.as_str()));
    let refusal = conditions.iter().find(refuses);
    if let Some(refusal) = refusal {
        return Outcome::Refused(refusal.message.clone().unwrap_or_default());
    }
    // A warning may say of a property only that it is there, unless it is made to say that the property does nothing.
    let told = [reasons::FIELDS_WITHOUT_EFFECT, reasons::LOAD_BALANCER_CLASS_STAYS];
    let says_so = |one: &Condition| one.reason.as_deref().is_some_and(|reason| told.contains(&reason));
    conditions.retain(|one| one.type_ != types::WARNING || says_so(one));
    Outcome::Planned(Box::new(plan))
}

/// Tries properties.
pub(crate) struct Trial {
    schemas: BTreeMap<&'static str, Value>,
    /// Clusters that were brought to a moment, by the resources that they began with, and what comes of those.
    worlds: Mutex<BTreeMap<(String, Moment), (World, Outcome)>>,
}

impl Trial {
    pub(crate) fn new() -> Self {
        let schemas = table::KINDS.map(|(kind, file)| (kind, table::schema(file)));
        Self { schemas: schemas.into(), worlds: Mutex::default() }
    }

    fn world(&self, manifests: &Manifests, moment: Moment) -> (World, Outcome) {
        let key = (format!("{}{}", manifests.kafka, manifests.pool), moment);
        let known = self.worlds.lock().unwrap().get(&key).cloned();
        known.unwrap_or_else(|| {
            let world = at(manifests.world(), moment);
            let outcome = outcome(&world);
            assert!(!matches!(outcome, Outcome::Refused(_)), "{outcome:?}");
            self.worlds.lock().unwrap().insert(key, (world.clone(), outcome.clone()));
            (world, outcome)
        })
    }

    /// What comes of it when the resources of a cluster become others.
    fn changed(&self, before: &Manifests, after: &Manifests, moment: Moment) -> Outcome {
        let (mut world, outcome_before) = self.world(before, moment);
        if before == after {
            return outcome_before;
        }
        let changed = after.world().observed;
        let mut kafka = changed.kafka.unwrap().as_ref().clone();
        kafka.status.clone_from(&world.observed.kafka.as_ref().unwrap().status);
        world.observed.kafka = Some(Arc::new(kafka));
        let mut pool = changed.pools[0].as_ref().clone();
        pool.status.clone_from(&world.observed.pools[0].status);
        world.observed.pools = vec![Arc::new(pool)];
        outcome(&world)
    }

    /// Tries a property; says what is wrong.
    pub(crate) fn acts(&self, kind: &'static str, path: &str) -> Result<(), String> {
        self.acts_in(kind, path, &contexts::of(kind, path))
    }

    /// Tries a property after others were set.
    pub(crate) fn acts_in(&self, kind: &'static str, path: &str, before: &[Context]) -> Result<(), String> {
        let mut context = Manifests::base();
        for Context { kind, path, value } in before {
            context.set(&self.schemas, kind, path, Some(value));
        }
        let (schema, optional) = table::property(&self.schemas[kind], path);
        let mut tried: Vec<Option<Value>> = values::of(schema, path).into_iter().map(Some).collect();
        if optional {
            tried.insert(0, None);
        }
        // What has to be there and can be only one thing acts when the section does in which it is.
        let section = path.rsplit_once('.').map(|(section, _)| section).filter(|_| tried.len() == 1);
        if section.is_some() {
            tried.insert(0, None);
        }
        let refusals_count = contexts::REFUSALS_COUNT.iter().any(|end| path.ends_with(end));
        let mut refusals = BTreeSet::new();
        for moment in MOMENTS {
            let mut first: Option<Outcome> = None;
            for value in &tried {
                let mut manifests = context.clone();
                match section.filter(|_| value.is_none()) {
                    Some(section) => manifests.set(&self.schemas, kind, section, None),
                    None => manifests.set(&self.schemas, kind, path, value.as_ref()),
                }
                let outcome = self.changed(&context, &manifests, moment);
                if let Outcome::Refused(why) = &outcome {
                    refusals.insert(format!("{}: {why}", json!(value)));
                    if !refusals_count {
                        continue;
                    }
                }
                if *first.get_or_insert_with(|| outcome.clone()) != outcome {
                    return Ok(());
                }
            }
        }
        Err(format!("{kind} {path}: {} {refusals:?}", json!(tried)))
    }
}
