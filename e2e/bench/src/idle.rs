//! The timer's look at everything when nothing changed.

use std::time::Duration;

use crate::{
    operator::Operator,
    report::{number, row},
    world::World,
};

/// Between two looks: longer than one takes, short enough for several.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);
/// Looks that are measured.
const LOOKS: f64 = 4.0;

/// Prints what a look costs. `operator` was started with [`INTERVAL`]; `resources` are those that it could write.
pub(crate) async fn measure(
    world: &World,
    operator: &mut Operator,
    kind: &str,
    count: usize,
    resources: &[&str],
) -> anyhow::Result<()> {
    const REQUESTS: &str = "kastellan_kafka_requests_total";
    const DONE: &str = "strimzi_reconciliations_total";
    // The start and one look are over, and with them whatever a first look has to do.
    operator.until(DONE, 2.0 * count as f64).await?;
    let before = (operator.usage()?.cpu, operator.metric(REQUESTS).await, operator.metric(DONE).await);
    let writes = world.writes(resources).await?;
    operator.until(DONE, before.2 + LOOKS * count as f64).await?;
    let looks = (operator.metric(DONE).await - before.2) / count as f64;
    let cpu = (operator.usage()?.cpu - before.0) / looks;
    let requests = (operator.metric(REQUESTS).await - before.1) / looks;
    let writes = world.writes(resources).await? - writes;
    row(format!("a look at {count} unchanged {kind}, CPU s"), number(cpu, 2), "0.5");
    row("  Kafka requests", number(requests, 1), "20");
    row("  writes to Kubernetes", number(writes, 0), "0");
    Ok(())
}
