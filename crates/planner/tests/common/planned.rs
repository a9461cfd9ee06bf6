//! What a plan says and makes.

use planner::kafka::log_dirs_view::{BrokerLogDirs, LogDirView, LogDirsView};
use planner::kafka::plan::Plan;
use serde_json::Value;

/// The planned status of the Kafka resource, as it is written.
pub(crate) fn kafka_status(plan: &Plan) -> Value {
    serde_json::to_value(&plan.status.kafka).unwrap()
}

/// The planned status of a pool, as it is written.
pub(crate) fn pool_status(plan: &Plan, pool: &str) -> Value {
    serde_json::to_value(&plan.status.pools[pool]).unwrap()
}

/// The condition of a type in a planned status.
pub(crate) fn condition(plan: &Plan, type_: &str) -> Option<Value> {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == type_).cloned()
}

/// A planned object.
pub(crate) fn object<'a>(plan: &'a Plan, kind: &str, name: &str) -> &'a Value {
    let found =
        plan.apply.iter().find(|object| object.reference.kind == kind && object.reference.name == name);
    &found.unwrap_or_else(|| panic!("there is no {kind} {name}")).object
}

/// The message of the warning with a reason in the planned status.
pub(crate) fn warning_with(plan: &Plan, reason: &str) -> Option<String> {
    let status = kafka_status(plan);
    let conditions = status["conditions"].as_array()?;
    let found = conditions.iter().find(|one| one["type"] == "Warning" && one["reason"] == reason)?;
    found["message"].as_str().map(str::to_owned)
}

/// What brokers say that cannot use the disk with this volume and have their metadata log on that with the id 0.
pub(crate) fn broken_disks(volume: i32, brokers: impl IntoIterator<Item = i32>) -> LogDirsView {
    let of_broker = |broker: i32| {
        let path = |volume: i32| format!("/var/lib/kafka/data-{volume}/kafka-log{broker}");
        let broken = LogDirView {
            error: Some("KafkaStorageException: disk error".to_owned()),
            ..LogDirView::default()
        };
        let dirs = [(path(0), LogDirView::default()), (path(volume), broken)].into();
        (broker, BrokerLogDirs { metadata: Some(path(0)), dirs, ..BrokerLogDirs::default() })
    };
    LogDirsView { brokers: brokers.into_iter().map(of_broker).collect(), ..LogDirsView::default() }
}
