//! How long a roll takes where every process takes the same time to start.

use std::collections::BTreeMap;

use super::clusters::{self, Shape, ephemeral_nodes};
use super::random::Random;
use super::run::{change, is_current, is_well, roll_mind, settle, step};
use super::simulation::{Fault, Simulation};

const BROKERS: u64 = 50;
const RACKS: u64 = 3;

/// Milliseconds that a roll of all nodes takes, and the batches of brokers that it is made of.
fn roll(most: u64) -> (u64, Vec<usize>) {
    let mut random = Random::of(7);
    let shape = Shape::of_brokers(BROKERS, most, false);
    let (cluster, mind) = roll_mind(shape.world(), &shape, &mut random);
    let mut kafka = clusters::kafka(&cluster, &ephemeral_nodes(&cluster, &shape), &mut random);
    for node in kafka.nodes.values_mut() {
        node.rack = format!("rack-{}", node.id as u64 % RACKS);
    }
    clusters::spread_over_racks(&mut kafka, &mut random);
    kafka.written_per_second = 50;
    kafka.copied_per_second = 2000;
    for one in &mut kafka.metadata.partitions {
        one.min_isr = one.replicas.len().saturating_sub(1).max(1);
    }
    let mut simulation = Simulation::new(random, kafka, mind, Fault::None);
    simulation.kubernetes.start_ms = Some(20_000);
    settle(&mut simulation);
    let began = simulation.now;
    change(&mut simulation, 2);
    while !(is_well(&simulation) && is_current(&simulation)) && simulation.now < began + 10_000_000 {
        step(&mut simulation, false);
    }
    assert_eq!(simulation.violation, None);
    assert!(is_current(&simulation), "{:?}", simulation.waits);
    let is_broker = |id: &i32| simulation.kafka.nodes[id].broker;
    let of_brokers = simulation.batches.iter().filter(|batch| batch.iter().all(is_broker));
    (simulation.now - began, of_brokers.map(std::collections::BTreeSet::len).collect())
}

#[test]
fn fifty_brokers_in_three_racks_roll_in_full_batches_and_a_third_of_the_time() {
    let (serial_ms, batches) = roll(1);
    assert_eq!(batches, vec![1; BROKERS as usize]);
    let mut took = BTreeMap::new();
    for most in [3, 5] {
        let (ms, batches) = roll(most);
        let full = |rack: u64| (BROKERS - rack).div_ceil(RACKS).div_ceil(most) as usize;
        let fewest: usize = (0..RACKS).map(full).sum();
        assert_eq!((batches.iter().sum::<usize>(), batches.len()), (BROKERS as usize, fewest), "{batches:?}");
        took.insert(most, ms);
    }
    println!("one by one {serial_ms} ms, in batches {took:?}");
    assert!(
        took[&3] * 20 <= serial_ms * 9 && took[&5] * 3 <= serial_ms,
        "{serial_ms} ms one by one, {took:?}"
    );
}
