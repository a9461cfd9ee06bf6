//! What keeps a vote, and what the status says then.

use serde_json::json;

use super::quorum::{B, C, Played, listed, removed};
use super::{ids, joins};
use crate::common::{object, warning_with};
use api::annotations;

#[test]
fn a_vote_is_not_taken_while_one_of_those_that_stay_is_not_well() {
    let mut played = Played::start();
    played.scale(C, 4);
    played.pass();
    played.down = ids(&[3]);
    let plan = played.plan();
    assert!(removed(&plan).is_empty());
    let waits = warning_with(&plan, "ControllerRemoval").unwrap();
    assert!(waits.contains("controller 6") && waits.contains("controller 3 has not caught up"), "{waits}");
    assert!(plan.look_again_seconds().is_some(), "nothing tells when it has");
    played.down.clear();
    assert_eq!(removed(&played.plan()), [6]);
}

#[test]
fn a_controller_that_is_down_loses_its_vote_only_while_a_majority_of_the_others_is_up() {
    let mut played = Played::start();
    played.scale(C, 4);
    played.down = ids(&[6, 5]);
    // Its pod does not come up again.
    played.late = ids(&[6]);
    let plan = played.plan();
    assert_eq!(removed(&plan), [6], "3 of the 4 that are left are up");
    let mut played = Played::start();
    played.scale(C, 3);
    played.world.pool(C, |pool| {
        pool["metadata"]["annotations"] = json!({"strimzi.io/remove-node-ids": "[5, 6]"});
    });
    played.voters = ids(&[2, 3, 5, 6]);
    played.down = ids(&[5]);
    played.late = ids(&[4]);
    let plan = played.plan();
    assert!(removed(&plan).is_empty());
    assert!(warning_with(&plan, "ControllerRemoval").unwrap().contains("controller 4 has not joined"));
}

#[test]
fn the_vote_of_a_node_that_is_gone_goes_only_while_the_others_can_decide() {
    let mut played = Played::start();
    played.voters.extend([8, 9]);
    assert_eq!(removed(&played.plan()), [8]);
    played.down = ids(&[5, 6]);
    // 8 and 9 are gone, 5 and 6 are down: three of seven decide nothing.
    let plan = played.plan();
    assert!(removed(&plan).is_empty());
    assert!(warning_with(&plan, "ControllerRemoval").unwrap().contains("the quorum has no leader"));
    played.down = ids(&[6]);
    assert_eq!(removed(&played.pass()), [8]);
    assert_eq!(removed(&played.pass()), [9]);
}

#[test]
fn nothing_is_begun_while_nobody_says_who_votes_and_what_is_begun_goes_on() {
    let mut played = Played::start();
    played.scale(C, 3);
    played.silent = true;
    let plan = played.plan();
    assert!(plan.roll.wanted.is_empty() && joins(&plan, "my-c-6"));
    let held = warning_with(&plan, "ScaleDownPreventionCheck").unwrap();
    assert!(held.contains("while the quorum has no leader that answers"), "{held}");
    played.silent = false;
    played.pass();
    played.silent = true;
    let plan = played.plan();
    assert!(!joins(&plan, "my-c-6") && !joins(&plan, "my-c-5"), "it is not restarted for each silence");
    assert_eq!(listed(&plan, "c").len(), 5);
    played.silent = false;
    played.finish();
    assert_eq!(played.voters, ids(&[2, 3, 4]));
}

#[test]
fn the_last_controllers_stay() {
    let mut played = Played::start();
    played.scale(C, 0);
    for _ in 0..5 {
        let plan = played.pass();
        assert!(plan.roll.wanted.is_empty() && removed(&plan).is_empty());
        let held = warning_with(&plan, "ScaleDownPreventionCheck").unwrap();
        assert!(held.contains("are the last controllers") && held.contains("replicas"), "{held}");
    }
    played.world.pool(B, |pool| pool["spec"]["roles"] = json!(["controller", "broker"]));
    played.finish();
    assert_eq!(played.voters, ids(&[1]));
}

#[test]
fn a_deleted_pool_with_votes_is_held_whatever_loss_of_records_is_taken() {
    let mut played = Played::start();
    played.add_pool("d", 1, &["controller"]);
    played.finish();
    played.delete_pool(C);
    played.world.kafka(|kafka| {
        kafka["metadata"]["annotations"] = json!({annotations::SKIP_BROKER_SCALEDOWN_CHECK: "true"});
    });
    let plan = played.pass();
    assert!(plan.finalizers.is_empty(), "its pods would go with it: {:?}", plan.finalizers);
    played.finish();
    assert_eq!(played.plan().finalizers.len(), 1);
    assert_eq!(played.voters, ids(&[7]));
}

#[test]
fn controllers_with_disks_that_end_with_their_pods_do_not_found_a_quorum_beside_the_one_that_is() {
    let founders = |played: &mut Played, pod: &str| {
        let plan = played.plan();
        let agent = object(&plan, "ConfigMap", pod)["data"]["agent.config"].clone();
        let agent: serde_json::Value = serde_json::from_str(agent.as_str().unwrap()).unwrap();
        agent["initialControllers"].as_str().map(|all| all.split(',').count())
    };
    let mut played = Played::start();
    let ephemeral =
        json!({"type": "jbod", "volumes": [{"id": 0, "type": "ephemeral", "kraftMetadata": "shared"}]});
    for set in played.world.observed.pod_sets.values_mut() {
        let all = std::sync::Arc::make_mut(set).metadata.annotations.as_mut().unwrap();
        if all["strimzi.io/storage"].contains("deleteClaim\":true") {
            all.insert("strimzi.io/storage".to_owned(), ephemeral.to_string());
        }
    }
    played.world.observed.claims.retain(|name, _| !name.contains("-my-c-"));
    played.world.pool(C, |pool| pool["spec"]["storage"] = ephemeral.clone());
    assert_eq!(founders(&mut played, "my-c-2"), Some(5));
    played.scale(C, 3);
    played.finish();
    assert_eq!(founders(&mut played, "my-c-2"), Some(3), "all that vote are founders");
    played.scale(C, 4);
    played.world.pool(C, |pool| {
        pool["metadata"]["annotations"] = json!({"strimzi.io/next-node-ids": "[20]"});
    });
    played.finish();
    assert_eq!(founders(&mut played, "my-c-2"), None, "three of four would be a quorum of their own");
}
