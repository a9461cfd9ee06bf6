//! One settled pass over one cluster, in memory: what it costs must not depend on how many other clusters are cached.

use std::sync::Arc;

use anyhow::{Context as _, bail};
use api::Kafka;
use cluster_operator::{
    caches::{self, Caches, Plain, PlainKind, Taken, Watched},
    carry_out::{self, PlannedFor},
    kafka::observe::Observer,
};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::{Resource, api::DynamicObject};
use objects::{ObjectId, Stored};
use operator_runtime::{
    apply::Applier,
    client,
    env::Namespaces,
    limits::{Largest, Limits},
    watch::{Cache, ObjectRef},
};
use planner::kafka::{
    answer::Answer,
    config::live::memory::OptionMemory,
    need::{Need, Silence, SilenceKind},
    observed::{BrokerConfigs, KafkaView, Observed},
};
use planner::{completion::complete, live_object::LiveObject};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    clusters, own, paper,
    report::{median, number, progress, row},
};

/// Passes that are measured with each number of clusters.
const PASSES: usize = 60;
/// Passes before those that count.
const WARM_UP: usize = 5;
const NAMESPACE: &str = "bench";
const RBAC: &str = "rbac.authorization.k8s.io/v1";
const CLUSTER_WIDE: &str = "ClusterRoleBinding";
/// The kinds of which planning does not read the body.
const PLAIN: &[(&str, &str)] = &[
    (RBAC, CLUSTER_WIDE),
    ("v1", "Service"),
    ("v1", "ServiceAccount"),
    (RBAC, "Role"),
    (RBAC, "RoleBinding"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("policy/v1", "PodDisruptionBudget"),
];

/// A cluster that has settled, as it is cached and as its Kafka answers.
struct Settled {
    observed: Observed,
    /// Objects of the kinds in [`PLAIN`].
    plain: Vec<(ObjectId, Value)>,
    now: Timestamp,
}

/// The parts of a pass, CPU ms.
#[derive(Clone, Copy)]
struct Cost {
    /// Resident memory for each cached cluster, KB.
    cached: f64,
    observe: f64,
    plan: f64,
    compare: f64,
}

/// Measures and prints.
pub(crate) async fn run(counts: &[usize]) -> anyhow::Result<()> {
    progress("passes over one cluster in memory");
    client::install_crypto_provider();
    let settled = settle()?;
    let mut first = None;
    for count in counts {
        let cost = measure(&settled, *count).await?;
        let total = cost.observe + cost.plan + cost.compare;
        row(format!("one settled pass of one cluster of {count} in memory, CPU ms"), number(total, 2), "-");
        row("  of it observing", number(cost.observe, 2), "-");
        row("  of it planning", number(cost.plan, 2), "-");
        row("  of it comparing with the live objects", number(cost.compare, 2), "-");
        row("  KB resident for each cluster that is cached", number(cost.cached, 0), "-");
        match first {
            None => first = Some((count, total)),
            Some((few, before)) => row(format!("  times that of {few}"), number(total / before, 2), "1.2"),
        }
    }
    Ok(())
}

/// The first cluster of the bench, carried on paper until nothing is left to do.
fn settle() -> anyhow::Result<Settled> {
    let (kafka, pool) = (clusters::kafka(0)?, clusters::pool(0)?);
    let document = |object: Value, kind: &str| {
        let mut object = object;
        object["metadata"]["namespace"] = NAMESPACE.into();
        object["metadata"]["uid"] = format!("uid-{}-{kind}", clusters::name(0)).into();
        object["metadata"]["generation"] = json!(1);
        object["kind"] = kind.into();
        object
    };
    let mut world = paper::World::new(vec![
        document(serde_json::to_value(kafka)?, "Kafka"),
        document(serde_json::to_value(pool)?, "KafkaNodePool"),
    ]);
    let plan = world.settle();
    world.tell_options(&[]);
    let is_plain = |reference: &ObjectId| PLAIN.iter().any(|(_, kind)| *kind == reference.kind);
    let plain = plan.apply.iter().filter(|object| is_plain(&object.reference));
    let plain = plain.map(|object| (object.reference.clone(), object.object.clone())).collect();
    Ok(Settled { plain, now: world.now, observed: world.observed })
}

async fn measure(settled: &Settled, count: usize) -> anyhow::Result<Cost> {
    let before = own::resident_kb()?;
    let caches = settled.caches(count)?;
    let cached = (own::resident_kb()? - before) / count as f64;
    // Nobody listens there: a pass that writes anything fails.
    let config = kube::Config::new("http://127.0.0.1:9".parse()?);
    let applier = Applier::new(kube::Client::try_from(config)?);
    let observer = Observer::new(
        caches.clone(),
        applier.clone(),
        Arc::clone(&settled.observed.settings),
        &Limits::default(),
    );
    let key = ObjectRef::new(NAMESPACE, clusters::name(0));
    let mut costs = Vec::new();
    for _ in 0..WARM_UP + PASSES {
        let begun = own::cpu_ms();
        let kafka = caches.kafkas.get(&key).context("the cluster is not cached")?;
        let seen = observer.observe(&key, Arc::clone(&kafka)).await?;
        let (mut observed, _) = seen.context("the cache of node pools is behind")?;
        observed.options = settled.options();
        let seen = own::cpu_ms();
        let (_, mut plan) = complete(observed, settled.now, |need| settled.answer(need))
            .map_err(|endless| anyhow::anyhow!("{endless}"))?;
        let planned = own::cpu_ms();
        if !plan.delete.is_empty() || !plan.calls.is_empty() || !plan.roll.wanted.is_empty() {
            bail!("the cluster is not settled: {:?}, {:?}, {:?}", plan.delete, plan.calls, plan.roll.wanted);
        }
        if let Some(write) = plan.apply.iter().find(|write| write.is_change()) {
            bail!("the cluster is not settled: {:?}: {:?}", write.reference, write.change);
        }
        let owner = PlannedFor::new(&caches.kafkas, &key, &*kafka);
        carry_out::writes(&applier, owner, std::mem::take(&mut plan.apply))
            .await
            .context("the cluster is not settled")?;
        let compared = own::cpu_ms();
        costs.push(Cost { cached, observe: seen - begun, plan: planned - seen, compare: compared - planned });
    }
    let of = |part: fn(&Cost) -> f64| median(costs.iter().skip(WARM_UP).map(part).collect());
    Ok(Cost { cached, observe: of(|c| c.observe), plan: of(|c| c.plan), compare: of(|c| c.compare) })
}

impl Settled {
    fn options(&self) -> OptionMemory {
        self.observed.options.clone()
    }

    /// As Kafka and Kubernetes answer; a settled cluster needs nothing made.
    fn answer(&self, need: &Need) -> Answer {
        let view = self.observed.view.clone().unwrap_or_default();
        match need {
            Need::Kafka => Answer::Kafka(KafkaView { broker_configs: BrokerConfigs::new(), ..view }),
            Need::BrokerConfigs(_) => Answer::BrokerConfigs(view.broker_configs),
            other => Answer::Unknown(Silence::new(SilenceKind::Refused, format!("{other:?} is not known"))),
        }
    }

    /// The caches of an operator with so many such clusters.
    fn caches(&self, count: usize) -> anyhow::Result<Caches> {
        let observed = &self.observed;
        let kafka = observed.kafka.as_deref().context("there is no Kafka")?;
        let copies = Copies::of(kafka, count);
        let mut plain = Vec::new();
        for (api_version, kind) in PLAIN {
            let mut all = Vec::new();
            for (_, object) in self.plain.iter().filter(|(reference, _)| reference.kind == *kind) {
                for (at, text) in copies.texts(object).enumerate() {
                    all.push(plain_object(at, &serde_json::from_str(&text)?)?);
                }
            }
            let cache = Cache::fixed(all);
            plain.push(PlainKind { api_version: (*api_version).into(), kind: (*kind).into(), cache });
        }
        let cluster_wide = plain.iter().position(|plain: &PlainKind| plain.kind == CLUSTER_WIDE);
        let cluster_role_bindings = plain.remove(cluster_wide.context("no kind is cluster-wide")?);
        Ok(Caches::of(Watched {
            namespaces: Namespaces::All,
            largest_cluster: Largest::DEFAULT,
            most_references: 100,
            kafkas: copies.cache([kafka])?,
            mirror_makers: Cache::fixed([]),
            first_mirror_makers: Cache::fixed([]),
            connects: Cache::fixed([]),
            bridges: Cache::fixed([]),
            pools: copies.cache(observed.pools.iter().map(|pool| &**pool))?,
            pod_sets: copies.cache(observed.pod_sets.values().map(|set| &**set))?,
            pods: copies.cache(observed.pods.values().map(|pod| &**pod))?,
            claims: copies.cache(observed.claims.values().map(|claim| &**claim))?,
            secrets: copies.cache(observed.secrets.values().map(|secret| &**secret))?,
            config_maps: copies.cache(observed.config_maps.values().map(|map| &**map))?,
            deployments: copies.cache(observed.deployments.values().map(|deployment| &**deployment))?,
            plain,
            cluster_role_bindings,
            rare: Vec::new(),
            builds: Cache::fixed([]),
            referenced_secrets: Cache::fixed([]),
            referenced_config_maps: Cache::fixed([]),
        }))
    }
}

fn plain_object(at: usize, value: &Value) -> anyhow::Result<(ObjectRef, Plain)> {
    let metadata: ObjectMeta = serde_json::from_value(value["metadata"].clone())?;
    let name = metadata.name.clone().context("an object has no name")?;
    let role = value["roleRef"]["name"].as_str().map(str::to_owned);
    let owner = caches::kafka(&ObjectRef::new(NAMESPACE, clusters::name(at)));
    let object: DynamicObject = serde_json::from_value(value.clone())?;
    let body = Some(Arc::new(Stored::of(&object)?));
    let key = ObjectRef::new(metadata.namespace.clone().unwrap_or_default(), name);
    let (facts, taken) = (LiveObject { body, ..LiveObject::of(&metadata) }, Taken::default());
    Ok((
        key,
        Plain {
            owner,
            facts,
            role,
            status: None,
            rest_api: None,
            last_build: None,
            not_ready: None,
            taken,
            weight: 0.into(),
        },
    ))
}

/// Makes objects of other clusters out of those of the first one: their names and identifiers differ, nothing else.
struct Copies {
    count: usize,
    id: String,
}

impl Copies {
    fn of(kafka: &Kafka, count: usize) -> Self {
        let id = kafka.status.as_ref().and_then(|status| status.cluster_id.clone());
        Self { count, id: id.unwrap_or_default() }
    }

    /// The text of the object of each cluster; the first is the object itself.
    fn texts(&self, object: &Value) -> impl Iterator<Item = String> {
        let text = object.to_string();
        (0..self.count).map(move |at| {
            if at == 0 {
                return text.clone();
            }
            let named = text.replace(&clusters::name(0), &clusters::name(at));
            let named = named.replace(&clusters::pool_name(0), &clusters::pool_name(at));
            if self.id.is_empty() { named } else { named.replace(&self.id, &format!("{}-{at}", self.id)) }
        })
    }

    fn cache<'a, K>(&self, objects: impl IntoIterator<Item = &'a K>) -> anyhow::Result<Cache<K>>
    where
        K: Resource + Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let mut all = Vec::new();
        for object in objects {
            for text in self.texts(&serde_json::to_value(object)?) {
                let object: K = serde_json::from_str(&text)?;
                all.push((ObjectRef::of(&object), object));
            }
        }
        Ok(Cache::fixed_packed(all))
    }
}
