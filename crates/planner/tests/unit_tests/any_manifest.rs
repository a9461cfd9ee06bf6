//! Whatever resources the definitions let through, the types read them, and validation and planning end, with a plan of a
//! bounded size.
//!
//! In passing a few hundred clusters are tried. `make soak-manifests SOAK_SECONDS=3600` tries them for as long as that, and says of what fails the least
//! that still fails. It looks at the memory that each takes too, and has an address space of 4 GiB: what takes more than that ends the program, and
//! the file that it names at its start has the number of the cluster (`SOAK_SEED` begins with it).

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a test stops at the first surprise; a long one measures time and says how far it is"
)]

use crate::common;
mod extensions;
mod generate;
mod memory;
mod of_others;
mod references;
use crate::paths;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use api::{Kafka, KafkaNodePool};
use common::World;
use generate::{Definitions, Resources};
use planner::kafka::plan::Plan;
use planner::kafka::validate::{Specs, alone};
use planner::settings::PlanSettings;
use proptest::prelude::*;
use serde_json::{Value, json};

/// How long the plans of one cluster may take, on a machine that is busy with much else.
const LONGEST: Duration = Duration::from_mins(1);
/// Bytes that the plan of a small cluster may have as JSON: some hundred times what is usual.
const LARGEST: usize = 64 << 20;

/// Bytes that the program may have at most while it reads and plans a small cluster, beyond what it had before the first.
const MOST_MEMORY: u64 = 256 << 20;

/// A cluster that runs, before its resources become others.
fn running(is_older: bool) -> World {
    static RUNNING: [OnceLock<World>; 2] = [OnceLock::new(), OnceLock::new()];
    let make = || {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let mut world = if is_older {
            World::new(vec![generate::older_kafka()])
        } else {
            World::new(vec![read(paths::contexts::POOL), read(paths::contexts::KAFKA)])
        };
        let plan = world.settle();
        assert!(common::condition(&plan, "Ready").is_some(), "{}", common::kafka_status(&plan));
        world
    };
    RUNNING[usize::from(is_older)].get_or_init(make).clone()
}

/// The settings of the installation.
fn settings(resources: &Resources) -> PlanSettings {
    PlanSettings { object_overrides: resources.allows_overrides, ..common::settings() }
}

/// Reads and plans resources: of a cluster that there is not yet, and of one that runs.
fn drive(resources: &Resources) {
    let began = Instant::now();
    let kafka: Kafka = serde_json::from_value(resources.kafka.clone()).unwrap();
    let pools = resources.pools.iter().map(|pool| {
        let pool: KafkaNodePool = serde_json::from_value(pool.clone()).unwrap();
        Arc::new(pool)
    });
    let pools: Vec<Arc<KafkaNodePool>> = pools.collect();
    let settings = Arc::new(settings(resources));
    let _ = alone(Specs { kafka: &kafka, pools: &pools }, &settings);
    for mut world in [running(resources.was_older), World::new(Vec::new())] {
        world.observed.settings = Arc::clone(&settings);
        if let Some(seed) = resources.references {
            references::put(&mut world, seed);
        }
        let before = world.observed.kafka.as_ref().and_then(|kafka| kafka.status.clone());
        let mut kafka = kafka.clone();
        kafka.status = before;
        world.observed.kafka = Some(Arc::new(kafka));
        world.observed.pools.clone_from(&pools);
        let plan = world.plan();
        let size = serde_json::to_vec(&plan).unwrap().len();
        assert!(size < LARGEST, "a plan of {size} bytes");
        let status = plan.status.kafka.as_ref().unwrap();
        assert!(status.conditions.is_some(), "the status says something");
        assert_ends(world, plan);
    }
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
}

/// What a plan does leads, after a few passes, to plans that change nothing more.
fn assert_ends(mut world: World, mut plan: Plan) {
    let mut open = Vec::new();
    for _ in 0..4 {
        world.apply(&plan);
        world.give_addresses();
        plan = world.plan();
        let changes = plan.apply.iter().filter(|write| write.is_change());
        open = changes.map(|write| format!("{} {}", write.reference.kind, write.reference.name)).collect();
        if open.is_empty() {
            return;
        }
    }
    panic!("the same plan again and again changes {open:?}");
}

fn fails(resources: &Resources) -> Option<String> {
    caught(|| drive(resources)).err()
}

/// Does something that may panic: then with which words.
fn caught<T>(act: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(act)).map_err(|caught| {
        let text = caught.downcast_ref::<String>().cloned();
        text.or_else(|| caught.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
    })
}

/// The same resources without what is not needed to fail.
fn least(mut resources: Resources) -> Resources {
    loop {
        let mut smaller = None;
        for manifest in 0..=resources.pools.len() {
            let at = |resources: &mut Resources| -> Value {
                if manifest == 0 {
                    resources.kafka["spec"].take()
                } else {
                    resources.pools[manifest - 1]["spec"].take()
                }
            };
            let spec = at(&mut resources.clone());
            for without in each_without(&spec) {
                let mut candidate = resources.clone();
                if manifest == 0 {
                    candidate.kafka["spec"] = without;
                } else {
                    candidate.pools[manifest - 1]["spec"] = without;
                }
                let reads = serde_json::from_value::<Kafka>(candidate.kafka.clone()).is_ok()
                    && candidate
                        .pools
                        .iter()
                        .all(|pool| serde_json::from_value::<KafkaNodePool>(pool.clone()).is_ok());
                if reads && fails(&candidate).is_some() {
                    smaller = Some(candidate);
                    break;
                }
            }
            if smaller.is_some() {
                break;
            }
        }
        match smaller {
            Some(candidate) => resources = candidate,
            None => return resources,
        }
    }
}

/// A value with each of its parts taken out.
fn each_without(value: &Value) -> Vec<Value> {
    let mut all = Vec::new();
    match value {
        Value::Object(object) => {
            for (key, inner) in object {
                let mut without = object.clone();
                without.remove(key);
                all.push(Value::Object(without));
                for smaller in each_without(inner) {
                    let mut with = object.clone();
                    with.insert(key.clone(), smaller);
                    all.push(Value::Object(with));
                }
            }
        }
        Value::Array(items) => {
            for index in 0..items.len() {
                let mut without = items.clone();
                without.remove(index);
                all.push(Value::Array(without));
                for smaller in each_without(&items[index]) {
                    let mut with = items.clone();
                    with[index] = smaller;
                    all.push(Value::Array(with));
                }
            }
        }
        _ => {}
    }
    all
}

fn definitions() -> &'static Definitions {
    static DEFINITIONS: OnceLock<Definitions> = OnceLock::new();
    DEFINITIONS.get_or_init(Definitions::read)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 0, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_definitions_let_through_is_planned(seed in any::<u64>()) {
        let resources = definitions().resources(seed);
        if let Some(why) = fails(&resources) {
            let least = least(resources);
            return Err(TestCaseError::fail(format!("{why}\n{}\n{}", least.kafka, json!(least.pools))));
        }
    }
}

#[test]
fn properties_of_every_sort_are_reached() {
    for path in [
        "spec.kafka.listeners",
        "spec.objectOverrides",
        "spec.kafka.nodeConfig",
        "spec.kafka.listeners[].configuration.singleAddress.resources.limits",
        "spec.zookeeper",
        "spec.zookeeper.storage",
        "spec.kafka.replicas",
        "spec.kafka.storage.volumes[].size",
        "spec.storage.overrides[].class",
    ] {
        assert!(definitions().reach(path), "{path}");
    }
    let all: Vec<Resources> = (0..400).map(|seed| definitions().resources(seed)).collect();
    let in_some = |is_so: &dyn Fn(&Resources) -> bool| all.iter().any(|one| is_so(one) && !is_refused(one));
    assert!(in_some(&|one| one.allows_overrides && one.kafka["spec"]["objectOverrides"].is_object()));
    assert!(in_some(&|one| one.kafka["spec"]["kafka"]["nodeConfig"].is_object()));
    assert!(in_some(&|one| one.kafka.to_string().contains("singleAddress")));
    assert!(in_some(&|one| one.was_older && one.pools.is_empty()));
    assert!(in_some(&|one| one.kafka.to_string().contains(r#"\"type\":\"none\""#)));
}

/// Does nothing unless `SOAK_SECONDS` says for how long.
#[test]
fn soak() {
    let seconds = std::env::var("SOAK_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    let (began, mut tried, mut refused) = (Instant::now(), 0_u64, 0_u64);
    let first = std::env::var("SOAK_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1_u64);
    let at = std::env::temp_dir().join(format!("kastellan-soak-{}", std::process::id()));
    if seconds > 0 {
        println!("{} has the number of the cluster that is being tried", at.display());
        let _ = (running(false), running(true));
    }
    let (mut found, mut most, before) = (Vec::<String>::new(), 0, memory::now());
    let report = |tried, refused, found: &[String], most: u64| {
        let (time, found, most) = (began.elapsed().as_secs(), found.len(), most >> 20);
        format!(
            "{tried} clusters in {time} s, {refused} refused, at most {most} MiB more than before, {found} found"
        )
    };
    while began.elapsed() < Duration::from_secs(seconds) {
        let number = first.wrapping_add(tried);
        let resources = definitions().resources(number.wrapping_mul(0x9e37_79b9));
        tried += 1;
        std::fs::write(&at, number.to_string()).unwrap();
        memory::begin();
        let failure = fails(&resources);
        let taken = memory::most().saturating_sub(before);
        most = most.max(taken);
        if taken > MOST_MEMORY {
            println!(
                "FOUND cluster {number} takes {taken} bytes\n{}\n{}",
                resources.kafka,
                json!(resources.pools)
            );
            found.push(format!("cluster {number} takes {taken} bytes"));
        }
        if let Some(why) = failure {
            let least = least(resources);
            println!("FOUND cluster {number}: {why}\n{}\n{}", least.kafka, json!(least.pools));
            found.push(why);
        } else if is_refused(&resources) {
            refused += 1;
        }
        if tried.is_multiple_of(1000) {
            println!("{}", report(tried, refused, &found, most));
        }
    }
    println!("{}", report(tried, refused, &found, most));
    let _ = std::fs::remove_file(&at);
    assert!(found.is_empty(), "{found:?}");
}

fn is_refused(resources: &Resources) -> bool {
    let kafka: Kafka = serde_json::from_value(resources.kafka.clone()).unwrap();
    let pools = resources.pools.iter().map(|pool| Arc::new(serde_json::from_value(pool.clone()).unwrap()));
    alone(Specs { kafka: &kafka, pools: &pools.collect::<Vec<_>>() }, &settings(resources)).is_err()
}
