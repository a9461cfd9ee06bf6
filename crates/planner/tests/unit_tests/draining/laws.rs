//! Whatever happens on the way, a drain ends, and gives nothing up.

use proptest::prelude::*;
use serde_json::json;

use super::{B, Drained, listed};

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn every_drain_ends_whatever_happens_meanwhile(
        partitions in prop::collection::vec((prop::sample::subsequence(vec![0, 1, 2, 3, 4], 1..=3), any::<bool>()), 1..40),
        events in prop::collection::vec((0..6_u8, 0..5_i32, 0..12_usize), 4..12),
        replicas in 2..4_i32,
    ) {
        let mut drained = Drained::start();
        for (index, (brokers, turned)) in partitions.iter().enumerate() {
            let mut brokers = brokers.clone();
            if *turned {
                brokers.reverse();
            }
            drained.kafka.topic(&format!("t{index}"), &[&brokers]);
        }
        drained.scale_down(replicas);
        for (event, broker, count) in events {
            match event {
                0 => drop(drained.kafka.down.insert(broker)),
                1 => drop(drained.kafka.down.remove(&broker)),
                2 => drained.world.observed.draining = None,
                3 => drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(4)),
                4 => drained.world.pool(B, |pool| pool["spec"]["replicas"] = json!(replicas)),
                _ => drained.annotate(B, &json!({"kastellan.io/drain-nodes": (count % 2 == 0).to_string()})),
            }
            // A broker that is down is told nothing, and does not leave on the way.
            if !drained.kafka.down.is_empty() {
                drained.kafka.arrive(count);
            }
            drained.pass();
            drained.kafka.arrive(count);
        }
        drained.kafka.down.clear();
        drained.scale_down(replicas);
        let plan = drained.finish();
        prop_assert!(drained.kafka.is_free(), "{:?}", drained.kafka);
        prop_assert_eq!(listed(&plan).len(), 2 + usize::try_from(replicas).unwrap());
        prop_assert!(drained.kafka.holders().is_subset(&listed(&plan)));
    }
}
