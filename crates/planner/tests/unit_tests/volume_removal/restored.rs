//! Clusters whose pod sets are lost, or were never in the backup that they were restored from: what a volume that is no longer asked for holds is
//! known again only when its broker runs.

use std::collections::BTreeSet;
use std::sync::Arc;

use planner::kafka::plan::Plan;
use serde_json::json;

use super::disks::{Disks, claims, volumes};
use super::said;

/// Takes the pod set of the brokers away, and their pods.
fn lose(disks: &mut Disks, pods: bool) {
    disks.world.observed.pod_sets.remove("my-b");
    if pods {
        disks.world.observed.pods.retain(|name, _| !name.starts_with("my-b-"));
    }
}

fn deleted_claims(plan: &Plan) -> Vec<&str> {
    let gone = plan.delete.iter().filter(|gone| gone.object.kind == "PersistentVolumeClaim");
    gone.map(|gone| gone.object.name.as_str()).collect()
}

/// A claim of a volume that left the pool, and was kept.
fn keep_claim(disks: &mut Disks, name: &str) {
    let like = name.replace("data-1-", "data-0-");
    let mut claim = serde_json::to_value(disks.world.observed.claims[&like].as_ref()).unwrap();
    claim["metadata"]["name"] = json!(name);
    claim["metadata"]["annotations"]["strimzi.io/delete-claim"] = json!("false");
    claim["metadata"]["ownerReferences"] = json!([]);
    claim["spec"]["resources"]["requests"]["storage"] = json!("7Gi");
    claim["spec"]["storageClassName"] = json!("slow");
    disks.world.observed.claims.insert(name.to_owned(), Arc::new(serde_json::from_value(claim).unwrap()));
}

#[test]
fn a_volume_stays_until_its_broker_says_that_nothing_is_on_it() {
    for pods_are_gone in [true, false] {
        let mut disks = Disks::start();
        disks.put("orders-0", 1, 1);
        disks.ask(&[0]);
        lose(&mut disks, pods_are_gone);
        for _ in 0..2 {
            let plan = disks.world.plan();
            for node in [1, 2] {
                assert_eq!((volumes(&plan, node), claims(&plan, node)), ([0, 1].into(), [0, 1].into()));
            }
            assert_eq!(deleted_claims(&plan), Vec::<&str>::new());
            assert!(said(&plan).contains("volume 1 stays: what it holds on nodes 1, 2"), "{}", said(&plan));
            disks.world.apply(&plan);
        }
        disks.world.run_everything();
        for _ in 0..8 {
            disks.pass();
        }
        assert!(said(&disks.pass()).contains("1 replica on node 1"));
        assert_eq!((disks.mounted(1), disks.mounted(2)), ([0, 1].into(), [0].into()));
        assert_eq!((disks.live_claims(1), disks.live_claims(2)), ([0, 1].into(), [0].into()));
        disks.put("orders-0", 1, 0);
        disks.finish();
        assert_eq!((disks.mounted(1), disks.live_claims(1)), ([0].into(), [0].into()));
    }
}

#[test]
fn the_metadata_log_goes_to_a_volume_that_stays() {
    let mut disks = Disks::start();
    disks.ask(&[1]);
    lose(&mut disks, true);
    let plan = disks.world.plan();
    assert_eq!(volumes(&plan, 1), [0, 1].into());
    disks.world.apply(&plan);
    disks.world.run_everything();
    disks.finish();
    assert_eq!((disks.metadata(1), disks.mounted(1)), (1, [1].into()));
}

#[test]
fn a_kept_claim_of_an_earlier_volume_is_mounted_only_where_neither_pod_set_nor_pod_tells() {
    let mut disks = Disks::start();
    disks.ask(&[0]);
    disks.finish();
    keep_claim(&mut disks, "data-1-my-b-1");
    let nothing = BTreeSet::from([0]);
    assert_eq!(volumes(&disks.pass(), 1), nothing, "the pod set tells what its pods have");
    lose(&mut disks, false);
    assert_eq!(volumes(&disks.world.plan(), 1), nothing, "the pods tell");
    lose(&mut disks, true);
    let plan = disks.world.plan();
    assert_eq!((volumes(&plan, 1), volumes(&plan, 2)), ([0, 1].into(), nothing.clone()));
    disks.world.apply(&plan);
    let claim = disks.world.observed.claims["data-1-my-b-1"].spec.as_ref().unwrap();
    let size = &claim.resources.as_ref().unwrap().requests.as_ref().unwrap()["storage"].0;
    assert_eq!((size.as_str(), claim.storage_class_name.as_deref()), ("7Gi", Some("slow")), "as it was");
    // Its broker says that nothing is on it, and the claim is kept once more.
    disks.world.run_everything();
    disks.finish();
    assert_eq!((disks.mounted(1), disks.live_claims(1)), (nothing.clone(), [0, 1].into()));
    assert_eq!(volumes(&disks.pass(), 1), nothing);
}

#[test]
fn a_claim_that_is_deleted_already_does_not_come_back() {
    let mut disks = Disks::start();
    disks.ask(&[0]);
    lose(&mut disks, true);
    for claim in ["data-1-my-b-1", "data-1-my-b-2"] {
        let claim = Arc::make_mut(disks.world.observed.claims.get_mut(claim).unwrap());
        claim.metadata.deletion_timestamp =
            Some(serde_json::from_value(json!("2026-06-01T12:00:00Z")).unwrap());
    }
    assert_eq!(volumes(&disks.world.plan(), 1), [0].into());
}
