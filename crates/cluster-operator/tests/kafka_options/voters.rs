//! Controllers of a real quorum lose their votes: what Kafka does then, on which the operator's order rests.

use std::collections::BTreeSet;
use std::time::Duration;

use cluster_operator::kafka::kafka_calls;
use kafka_admin::{Admin, AdminConfig, NewTopic};
use kafka_agent::config::AgentConfig;
use kafka_agent::storage::{METADATA_LOG, apply, observe, plan, quorum_state};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::observed::QuorumView;
use test_support::kafka::{KafkaCluster, KafkaNode, KafkaOptions};
use test_support::wait;

const DEADLINE: Duration = Duration::from_mins(1);

/// More than any voter that is well lags behind, on a busy machine too.
const FAR_MS: i64 = 4_000;

fn lines(lines: &[(&str, &str)]) -> Vec<(String, String)> {
    lines.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn joining(joins: bool) -> Vec<(String, String)> {
    lines(&[("controller.quorum.auto.join.enable", if joins { "true" } else { "false" })])
}

/// Waits until Kafka describes its quorum as it should be.
async fn until(admin: &Admin, what: &str, right: impl Fn(&QuorumView) -> bool) -> QuorumView {
    let right = &right;
    let ask = || async {
        let quorum = kafka_calls::view(admin).await.ok()?.quorum?;
        right(&quorum).then_some(quorum)
    };
    wait::until(DEADLINE, what, ask).await.unwrap()
}

/// Waits until these vote, have a leader and have all caught up.
async fn until_all_vote(admin: &Admin, ids: &[i32]) -> QuorumView {
    let ids: BTreeSet<i32> = ids.iter().copied().collect();
    until(admin, &format!("{ids:?} vote and have caught up"), |quorum| {
        let near = |id: &i32| quorum.lag_ms.get(id).is_some_and(|lag| *lag < FAR_MS);
        quorum.leader >= 0
            && quorum.voters.keys().copied().collect::<BTreeSet<i32>>() == ids
            && ids.iter().all(near)
    })
    .await
}

/// Takes a vote away, as a plan does.
async fn remove(admin: &Admin, id: i32) {
    let quorum = kafka_calls::view(admin).await.unwrap().quorum.unwrap();
    let call = AdminCall::RemoveVoter { controller: id, directory_id: quorum.voters[&id].clone() };
    kafka_calls::make(admin, &call).await.unwrap();
}

/// Waits until the quorum takes a node for a broker that serves.
async fn until_active(admin: &Admin, broker: i32) {
    let active =
        || async { kafka_calls::view(admin).await.ok()?.active_brokers.contains(&broker).then_some(()) };
    wait::until(DEADLINE, "it is a broker", active).await.unwrap();
}

/// What the agent of a pod does to the storage before Kafka starts.
fn prepare_storage(node: &KafkaNode) {
    let directory = node.log_dir(0);
    let config = serde_json::json!({
        "nodeId": node.id(), "podName": "p", "roles": ["broker"], "metadataLogDir": directory, "logDirs": [directory]
    });
    let config: AgentConfig = serde_json::from_value(config).unwrap();
    let storage = observe::observe(&config).unwrap();
    let cluster_id = storage.metadata.meta.as_ref().unwrap().cluster_id.as_deref().unwrap();
    let plan = plan::plan(&config, cluster_id, &storage).unwrap();
    let metadata_version = "4.3-IV0";
    let formatting = apply::Formatting { cluster_id, metadata_version, controller_listeners: None, now: 0 };
    let nowhere = std::path::PathBuf::from("/nowhere");
    let tool = apply::StorageTool {
        program: nowhere.clone(),
        class_path: String::new(),
        server_properties: nowhere,
    };
    apply::apply(&plan, &config, &formatting, &tool, &str::to_owned).unwrap();
}

/// Restarts a node as its pod does, whose agent looks at the storage before Kafka starts.
async fn restart(cluster: &mut KafkaCluster, id: i32, config: &[(String, String)]) {
    let node = cluster.node(usize::try_from(id).unwrap());
    node.stop().await.unwrap();
    node.set_config(config).unwrap();
    prepare_storage(node);
    node.start_again().await.unwrap();
}

/// Has a stopped node remember that it voted for itself in its last election, which another node won.
fn remember_candidacy(node: &KafkaNode) {
    let path = node.log_dir(0).join(METADATA_LOG).join(quorum_state::FILE);
    let mut state: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(state["leaderId"].as_i64() >= Some(0), "{state}");
    state["votedId"] = node.id().into();
    state["votedDirectoryId"] = node.directory_id().unwrap().into();
    std::fs::write(&path, state.to_string()).unwrap();
}

#[tokio::test]
async fn a_controller_that_was_started_not_to_join_stays_out_and_three_become_one_by_way_of_two() {
    let config = joining(true);
    let options = KafkaOptions { tls: false, authorizer: false, config, ..KafkaOptions::default() };
    let mut cluster = KafkaCluster::start(3, options).await.unwrap();
    let admin = Admin::new(AdminConfig::brokers(cluster.bootstrap())).unwrap();
    until_all_vote(&admin, &[0, 1, 2]).await;

    // Why the vote is not taken first: the node gets it again by itself.
    remove(&admin, 2).await;
    until_all_vote(&admin, &[0, 1, 2]).await;

    restart(&mut cluster, 2, &joining(false)).await;
    until_all_vote(&admin, &[0, 1, 2]).await;
    remove(&admin, 2).await;
    until(&admin, "it follows without a vote", |quorum| quorum.observers.contains_key(&2)).await;
    // Another start of another node takes longer than a controller takes to join.
    restart(&mut cluster, 1, &joining(false)).await;
    until_all_vote(&admin, &[0, 1]).await;

    // On the same disk, which knows of its vote, it goes on as a broker.
    let plain = format!("PLAIN://{}", cluster.nodes()[2].bootstrap());
    let plain = plain.as_str();
    let broker = [("process.roles", "broker"), ("listeners", plain), ("advertised.listeners", plain)];
    until(&admin, "it follows the leader", |quorum| quorum.observers.contains_key(&2)).await;
    let node = cluster.node(2);
    node.stop().await.unwrap();
    node.set_config(&lines(&broker)).unwrap();
    // Why the agent takes out the vote of a candidate that lost: Kafka would never start again.
    remember_candidacy(node);
    let refused = node.start_again().await.unwrap_err().to_string();
    assert!(refused.contains("must be in the set of voters"), "{refused}");
    restart(&mut cluster, 2, &lines(&broker)).await;
    until_active(&admin, 2).await;

    // The last step: of two that run, each can do without the other.
    until_all_vote(&admin, &[0, 1]).await;
    remove(&admin, 1).await;
    until_all_vote(&admin, &[0]).await;
    let node = cluster.node(1);
    node.stop().await.unwrap();
    let topic = NewTopic { assignments: [(0, vec![2, 0])].into(), ..NewTopic::new("decided") };
    for created in admin.create_topics(vec![topic], false).await.unwrap().into_values() {
        created.unwrap();
    }
    until_all_vote(&admin, &[0]).await;
}
