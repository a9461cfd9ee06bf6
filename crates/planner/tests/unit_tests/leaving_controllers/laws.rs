//! Whatever happens on the way, and wherever the operator dies, controllers leave without taking the majority along, and in the end those
//! vote that are asked for.

use proptest::prelude::*;
use serde_json::json;

use super::quorum::{C, D, Dies, Played};

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn no_plan_takes_the_majority_and_the_voters_are_those_that_are_asked_for(
        events in prop::collection::vec((0..11_u8, 2..11_i32, 0..6_i32, 0..8_usize), 4..24),
        replicas in 1..6_i32,
        others in 0..4_i32,
    ) {
        let mut played = Played::start();
        played.add_pool("d", others, &["controller"]);
        for (event, node, count, death) in events {
            match event {
                0 => played.scale(C, count),
                1 => played.scale(D, count),
                2 | 3 => drop(played.down.insert(node)),
                4 => played.down.clear(),
                5 => played.silent = !played.silent,
                6 => {
                    let roles = if count % 2 == 0 { json!(["controller"]) } else { json!(["controller", "broker"]) };
                    played.world.pool(D, |pool| pool["spec"]["roles"] = roles);
                }
                7 => drop(played.late.insert(node)),
                8 | 9 => played.fall_behind(node % 3 != 0, node % 3 != 1),
                _ => played.catch_up(),
            }
            let dies = [Dies::AtOnce, Dies::AfterObjects, Dies::AfterVotes].get(death).copied();
            for pass in 0..=count {
                // In the middle of what the event has begun.
                played.pass_of(dies.filter(|_| pass == count / 2).unwrap_or(Dies::Never));
            }
        }
        played.silent = false;
        played.catch_up();
        played.down.clear();
        played.late.clear();
        played.scale(C, replicas);
        played.scale(D, others);
        let plan = played.finish();
        prop_assert_eq!(played.voters.len(), usize::try_from(replicas + others).unwrap(), "{:?}", plan.held);
    }
}
