//! Schemathesis against the bridge.

use std::process::Stdio;
use std::time::Duration;

use test_support::{KafkaNode, binaries};
use tokio::process::Command;

use crate::common::{KAFKA, Served};
use crate::topic;

/// Names of a topic and a consumer that are there: most requests with made-up names find nothing.
const NAMES: &str = r#"
[parameters]
"path.topicname" = "orders"
"path.groupid" = "readers"
"path.name" = "c"
"#;

/// Which mistakes of requests and answers count. The state of Kafka decides whether a valid request can be carried out (422).
const CONFIGURATION: &str = r#"
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "404", "406", "409", "422", "503"]
ensure_resource_availability.enabled = false
use_after_free.enabled = false
"#;

pub(crate) async fn every_answer_is_one_that_the_served_description_has(node: &KafkaNode) {
    let served = Served::start(node, "bridge.id=web\n").await;
    topic(&served, "orders", 3).await;
    served.consumer("readers", r#"{"name":"c","auto.offset.reset":"earliest"}"#).await;
    served
        .post("/consumers/readers/instances/c/subscription", KAFKA, r#"{"topics":["orders"]}"#)
        .await
        .expect(204);
    let folder = tempfile::tempdir().unwrap();
    // Streams and questions for records last as long as a client waits, so those with names that are there are few.
    for (kind, names, examples, more) in [
        ("any", "", "12", &["--phases", "fuzzing,stateful"][..]),
        ("named", NAMES, "3", &["--phases", "fuzzing", "--exclude-method", "DELETE"][..]),
    ] {
        let file = folder.path().join(format!("{kind}.toml"));
        std::fs::write(&file, format!("{CONFIGURATION}{names}")).unwrap();
        let program = binaries::cache().unwrap().join("schemathesis/bin/schemathesis");
        assert!(
            program.is_file(),
            "{} is missing: run 'e2e/kubernetes/build.sh schemathesis'",
            program.display()
        );
        let address = format!("http://127.0.0.1:{}", served.port);
        let mut command = Command::new(program);
        command.arg("--config-file").arg(&file).arg("run").arg(format!("{address}/openapi"));
        command.args([
            "--url",
            &address,
            "--max-examples",
            examples,
            "--seed",
            "1",
            "--generation-database",
            "none",
        ]);
        command
            .args(["--request-timeout", "40", "--workers", "2", "--no-color", "--warnings", "off"])
            .args(more);
        command.current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
        let run = tokio::time::timeout(Duration::from_mins(4), command.output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(run.status.success(), "{kind}: {said}{}", String::from_utf8_lossy(&run.stderr));
    }
    served.stop().await;
}
