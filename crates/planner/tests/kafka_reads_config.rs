//! Kafka itself accepts the `server.config` that the planner writes, for every combination of roles.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::path::Path;
use std::process::Command;

use common::World;

#[test]
fn kafka_accepts_what_is_written_for_brokers_controllers_and_both() {
    let libs = test_support::binaries::cache().unwrap().join("kafka/4.3.1/libs");
    assert!(libs.is_dir(), "{} is missing: run e2e/kubernetes/build.sh kafka", libs.display());
    let folder = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for input in ["dual-role.input.yaml", "split-pools.input.yaml"] {
        let plan = World::load(input).plan();
        for object in plan.apply.iter().filter(|object| object.reference.kind == "ConfigMap") {
            let Some(text) = object.object["data"]["server.config"].as_str() else { continue };
            let file = folder.path().join(&object.reference.name);
            std::fs::write(&file, text).unwrap();
            files.push(file);
        }
    }
    assert_eq!(files.len(), 9);
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java/ReadConfig.java");
    let output = Command::new("java")
        .arg("-cp")
        .arg(libs.join("*"))
        .arg(source)
        .args(&files)
        .output()
        .expect("java must be on the path");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.matches("node ").count(), 9, "{told}");
}
