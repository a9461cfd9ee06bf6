//! The configuration models are those of Kafka, and judge as Kafka does.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use planner::kafka::config::model::{self, ConfigOption, ValueType};
use planner::versions;

/// The versions that have a model of their own.
fn models() -> BTreeSet<&'static str> {
    versions::supported().iter().map(|version| version.model.as_str()).collect()
}

fn libs(version: &str) -> PathBuf {
    let cache = test_support::binaries::cache().unwrap();
    let folders = ["kafka", "kafka-models"].map(|kind| cache.join(kind).join(version).join("libs"));
    let found = folders.iter().find(|folder| folder.is_dir());
    found
        .unwrap_or_else(|| panic!("{} is missing: run e2e/kubernetes/build.sh kafka", folders[1].display()))
        .join("*")
}

fn java(source: &Path, version: &str, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new("java")
        .arg("-cp")
        .arg(libs(version))
        .arg(source)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("java must be on the path");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

#[test]
fn each_checked_in_model_is_what_kafka_says() {
    let mut files = BTreeSet::new();
    for version in models() {
        let name = format!("kafka-{version}.json");
        let checked_in = std::fs::read_to_string(folder("config-model").join(&name)).unwrap();
        let made = java(&folder("config-model/ConfigModel.java"), version, &[version], "");
        let same = checked_in.as_bytes() == made.stdout;
        assert!(same, "{name} is not what Kafka says: run crates/planner/config-model/generate.sh {version}");
        files.insert(name);
    }
    let present = std::fs::read_dir(folder("config-model")).unwrap();
    let present = present.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let present: BTreeSet<String> = present.filter(|name| name.starts_with("kafka-")).collect();
    assert_eq!(present, files, "every model belongs to a version of the table");
}

/// Values at and beyond every bound of an option, and spellings.
fn values(option: &ConfigOption) -> BTreeSet<String> {
    let mut values: BTreeSet<String> = [
        "",
        " ",
        "true",
        "TRUE",
        "yes",
        "0",
        "-1",
        "1",
        " 5 ",
        "+6",
        "1.5",
        ".5",
        "1.",
        "0.5d",
        "1e2",
        "1e",
        "NaN",
        "-Infinity",
        "inf",
        "infinity",
        "32768",
        "2147483648",
        "9223372036854775808",
        "0x10",
        "1_000",
        "x",
        "x,",
        "x,,y",
        "x , y",
        "x,x",
        ",",
    ]
    .map(str::to_owned)
    .into();
    for bound in [option.min, option.max].into_iter().flatten() {
        for number in [bound - 1.0, bound, bound + 1.0] {
            values.insert(number.to_string());
        }
    }
    for known in option.values.iter().chain(&option.items).chain(&option.default) {
        values.extend([known.clone(), known.to_uppercase(), format!("{known},{known}"), format!("{known},")]);
    }
    values
}

#[test]
fn the_models_judge_as_kafka_does() {
    for version in models() {
        let model = model::of(version);
        let mut pairs = Vec::new();
        for (name, option) in &model.options {
            // Whether a class can be loaded only the image knows. These decide about the node itself: no user sets them.
            if option.kind != ValueType::Class && !planner::kafka::config::user::is_forbidden(name) {
                pairs.extend(values(option).into_iter().map(|value| (name, value)));
            }
        }
        let input = pairs.iter().fold(String::new(), |mut input, (name, value)| {
            writeln!(input, "{name}\t{value}").unwrap();
            input
        });
        let output = java(&folder("tests/java/JudgeOptions.java"), version, &[], &input);
        let told = String::from_utf8(output.stdout).unwrap();
        let verdicts: Vec<&str> = told.lines().collect();
        assert_eq!(verdicts.len(), pairs.len());
        let mut others = Vec::new();
        for ((name, value), verdict) in pairs.iter().zip(verdicts) {
            let complaint = model.complaint(name, value);
            if complaint.is_none() != verdict.starts_with("yes") {
                others.push(format!("{name}={value:?}: Kafka says {verdict:?}, the model {complaint:?}"));
            }
        }
        assert!(pairs.len() > 5000, "{}", pairs.len());
        assert!(others.is_empty(), "{version}: {} differences\n{}", others.len(), others.join("\n"));
    }
}
