//! Changes of a storage that cannot be made, while a volume leaves it.

use serde_json::json;

use super::disks::Disks;
use super::{moves, said};
use crate::common::warning_with;

#[test]
fn a_removal_goes_on_beside_a_change_that_is_refused() {
    let mut disks = Disks::start();
    for number in 0..13 {
        disks.put(&format!("orders-{number}"), 1, 1);
    }
    disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
    disks.ask(&[0]);
    disks.pass();
    disks.pass();
    assert_eq!(disks.moving(), 10);
    disks.world.pool(1, |pool| pool["spec"]["storage"]["volumes"][0]["size"] = json!("1Mi"));
    let plan = disks.pass();
    assert!(warning_with(&plan, "KafkaStorage").unwrap().contains("cannot shrink"));
    assert!(said(&plan).contains("13 replicas on node 1, which are moved"), "{}", said(&plan));
    assert!(disks.moving() == 10 && disks.cordoned.contains_key(&1), "{:?}", disks.cordoned);
    disks.arrive(10);
    assert_eq!(moves(&disks.pass()), 3, "the others follow");
    disks.arrive(3);
    for _ in 0..8 {
        disks.pass();
    }
    assert_eq!((disks.mounted(1), disks.live_claims(1)), ([0].into(), [0].into()));
    assert!(disks.rates.is_empty() && disks.cordoned.is_empty(), "{:?} {:?}", disks.rates, disks.cordoned);
    disks.ask(&[0]);
    disks.finish();
}

#[test]
fn no_volume_begins_to_leave_with_a_change_that_is_refused() {
    let mut disks = Disks::start();
    disks.annotate(&json!({"kastellan.io/drain-volumes": "true"}));
    disks.ask(&[0]);
    disks.world.pool(1, |pool| pool["spec"]["storage"]["volumes"][0]["size"] = json!("1Mi"));
    for _ in 0..5 {
        let plan = disks.pass();
        assert!(warning_with(&plan, "KafkaStorage").is_some() && said(&plan).is_empty());
    }
    assert_eq!((disks.mounted(1), disks.mounted(2)), ([0, 1].into(), [0, 1].into()));
}
