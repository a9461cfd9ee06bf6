//! A played Kafka and a played Kubernetes answer the planner over time, while things go wrong: pods come back late, followers fall behind,
//! machines vanish, caches are behind, answers are late or never come, and the operator dies between any two of its actions. Every
//! restart that the plan asks for is held against the laws (`laws.rs`), with what the disks really hold.
//!
//! `KASTELLAN_SIMULATOR_SEED` begins with another seed, `KASTELLAN_SIMULATOR_STEPS` goes on for so many steps.

mod clusters;
mod controller;
mod kafka;
mod kubernetes;
mod laws;
mod log;
mod mind;
mod node;
mod operator;
mod partition;
mod quorum;
mod random;
mod restarts;
mod run;
mod simulation;
mod timing;

use run::{Kind, many, one};
use simulation::Fault;

/// A number from the environment.
fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap())
}

#[test]
fn no_restart_takes_a_record_a_minimum_or_a_majority_whatever_goes_wrong() {
    let seed = number("KASTELLAN_SIMULATOR_SEED", 1);
    let steps = number("KASTELLAN_SIMULATOR_STEPS", 4000);
    let counts = many(seed, steps, Kind::Roll, Fault::None).unwrap_or_else(|found| panic!("{found}"));
    println!("from seed {seed}: {counts:?}");
    assert!(counts.restarts > 0 && counts.batches > 0 && counts.finished > 0);
    // They are due in about three of a hundred clusters.
    assert!(
        steps < 500_000 || counts.unresponsive_restarts > 0,
        "no node that answers nothing was restarted"
    );
}

#[test]
fn the_whole_plan_keeps_the_laws_too() {
    let steps = number("KASTELLAN_SIMULATOR_WHOLE_STEPS", 1200);
    let seed = number("KASTELLAN_SIMULATOR_SEED", 1);
    let counts = many(seed, steps, Kind::Whole, Fault::None).unwrap_or_else(|found| panic!("{found}"));
    println!("whole plan from seed {seed}: {counts:?}");
    assert!(counts.restarts > 0 && counts.finished > 0);
}

#[test]
fn a_kafka_that_lies_is_found_out() {
    let found = many(1, 20_000, Kind::Roll, Fault::Lies).unwrap_err();
    println!("{found}");
}

#[test]
fn an_operator_that_does_not_look_twice_is_found_out() {
    let found = many(1, 60_000, Kind::Roll, Fault::Careless).unwrap_err();
    println!("{found}");
}

#[test]
fn an_operator_that_restarts_a_rack_without_a_look_is_found_out() {
    let found = many(1, 20_000, Kind::Roll, Fault::Greedy).unwrap_err();
    println!("{found}");
}

#[test]
fn an_operator_that_restarts_what_answers_nothing_without_a_look_is_found_out() {
    let found = many(1, 60_000, Kind::Roll, Fault::Hasty).unwrap_err();
    println!("{found}");
}

#[test]
fn seeds_that_found_something_once() {
    for seed in [100_795] {
        if let Err(found) = one(seed, Kind::Roll, Fault::None) {
            panic!("{found}");
        }
    }
}
