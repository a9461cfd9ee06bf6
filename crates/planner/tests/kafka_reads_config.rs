//! Kafka itself accepts the `server.config` that the planner writes, for every combination of roles, and Java reads back
//! what was meant.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Output};

use common::{World, java_properties, object};
use serde_json::json;

/// Runs a program under `tests/java` over files.
fn java(program: &str, class_path: &Path, files: &[std::path::PathBuf]) -> Output {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/java").join(program);
    Command::new("java")
        .arg("-cp")
        .arg(class_path)
        .arg(source)
        .args(files)
        .output()
        .expect("java must be on the path")
}

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
    let output = java("ReadConfig.java", &libs.join("*"), &files);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.matches("node ").count(), 9, "{told}");
}

#[test]
fn java_reads_back_what_was_meant() {
    let odd = [
        "",
        " ",
        "  lead and trail  ",
        "\\",
        "ends in \\\\\\",
        "two\nlines\r\nthree\rfour",
        "\t\u{c}\0\u{1}\u{7f}",
        "a=b:c#d!e",
        "#comment",
        "\\u006cisteners",
        "\u{fc}\u{20ac}\u{1f600}",
        "User:CN=a,O=b",
        "\nsuper.users=User:ANONYMOUS",
    ];
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        let spec = &mut kafka["spec"]["kafka"];
        for (index, value) in odd.iter().enumerate() {
            spec["config"][format!("odd.{index}")] = json!(value);
        }
        spec["authorization"]["superUsers"] = json!(["CN=J\u{fc}rgen \\ M"]);
        spec["logging"] = json!({"type": "inline", "loggers": {"a.B$": "DE\\BUG \u{fc}"}});
    });
    let plan = world.plan();
    let folder = tempfile::tempdir().unwrap();
    let data = &object(&plan, "ConfigMap", "my-dual-0")["data"];
    let mut files = Vec::new();
    let mut meant = BTreeMap::new();
    let units =
        |text: &str| text.encode_utf16().fold("x".to_owned(), |digits, unit| format!("{digits}{unit:04x}"));
    let mut expect = |file: &Path, name: &str, value: &str| {
        let key = (units(file.to_str().unwrap()), units(name));
        meant.insert(key, units(value));
    };
    for key in ["server.config", "log4j2.properties"] {
        let text = data[key].as_str().unwrap();
        let file = folder.path().join(key);
        std::fs::write(&file, text).unwrap();
        // The model of Java that the property tests use agrees with Java.
        for (name, value) in java_properties::load(text) {
            expect(&file, &name, &value);
        }
        files.push(file);
    }
    for (index, value) in odd.iter().enumerate() {
        expect(&files[0], &format!("odd.{index}"), value);
    }
    let users = api::principals::super_users("my").join(";");
    expect(&files[0], "super.users", &format!("{users};User:CN=J\u{fc}rgen \\ M"));
    // Not what the planner would write, but what the agent may write through the same function.
    let names = folder.path().join("names");
    let text: String = odd.iter().map(|name| api::properties::line(name, &format!("v{name}"))).collect();
    std::fs::write(&names, text).unwrap();
    for name in odd {
        expect(&names, name, &format!("v{name}"));
    }
    files.push(names);
    let output = java("ReadProperties.java", folder.path(), &files);
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    let read: BTreeMap<(String, String), String> = told
        .lines()
        .filter_map(|line| line.strip_prefix("entry "))
        .map(|line| {
            let parts: Vec<&str> = line.split(' ').collect();
            ((parts[0].to_owned(), parts[1].to_owned()), parts[2].to_owned())
        })
        .collect();
    assert_eq!(read, meant);
}
