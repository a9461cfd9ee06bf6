//! The second machine of the local Kubernetes, for a story that drains it, spoils a disk of it and has it lose its power. It is tainted, so
//! that only pods with a [`placement`] run there; whether these run there or on the first machine is decided by a label of the machines.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::Scenario;

/// The first machine, which has all that is not placed.
pub const FIRST: &str = "node-1";
/// The second machine.
pub const SPARE: &str = "node-2";

/// On machines with this label pods with a [`placement`] may run.
const LABEL: &str = "kastellan.io/chosen";
/// The taint of the second machine.
const TAINT: &str = "kastellan.io/machine";

/// How long a script may take.
const SCRIPT: Duration = Duration::from_mins(3);

/// What a pod template says of pods that run on the machine that was chosen last.
pub fn placement() -> Value {
    let expression = json!({"key": LABEL, "operator": "Exists"});
    json!({
        "tolerations": [{"key": TAINT, "operator": "Exists"}],
        "affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {
            "nodeSelectorTerms": [{"matchExpressions": [expression]}]}}},
    })
}

/// Pods with a [`placement`] run on this machine from now on; those that run elsewhere stay.
pub async fn choose(scenario: &Scenario, machine: &str) -> Result<()> {
    scenario.kubectl(&["label", "nodes", "--all", &format!("{LABEL}-")]).await?;
    // A story that failed in the middle of a drain has left it cordoned.
    scenario.kubectl(&["uncordon", machine]).await?;
    scenario.kubectl(&["label", "node", machine, &format!("{LABEL}=")]).await.map(drop)
}

/// Has all pods leave the second machine as an administrator does, and lets it take pods again.
pub async fn drain(scenario: &Scenario) -> Result<()> {
    let drain = ["drain", SPARE, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout=7m"];
    scenario.kubectl(&drain).await?;
    scenario.kubectl(&["uncordon", SPARE]).await.map(drop)
}

/// The file system of a claim's volume is read-only on the second machine, for every container that starts from now on.
pub async fn make_read_only(scenario: &Scenario, claim: &str) -> Result<()> {
    run("read-only.sh", &[SPARE, &scenario.namespace, claim]).await
}

/// The second machine loses its power.
pub async fn turn_off() -> Result<()> {
    run("node-power.sh", &["off", "2"]).await
}

/// The second machine comes back, also when its Node was deleted.
pub async fn turn_on() -> Result<()> {
    let taint = format!("{TAINT}=spare:NoSchedule");
    run("node-power.sh", &["on", "2", &taint]).await
}

async fn run(script: &str, arguments: &[&str]) -> Result<()> {
    let path = format!("{}/kubernetes/{script}", env!("CARGO_MANIFEST_DIR"));
    let command = Command::new(&path).args(arguments).kill_on_drop(true).output();
    let output = tokio::time::timeout(SCRIPT, command).await.with_context(|| format!("{script} hangs"))??;
    if !output.status.success() {
        bail!("{script} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
