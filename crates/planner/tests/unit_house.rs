//! The rules of the house that a compiler does not know: what decides stays pure, objects are typed, no long files.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test stops at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates that must stay pure.
const PURE: &[&str] = &["objects", "pki", "planner", "rebalance"];

/// What they must not reach: runtimes, clients, random sources and what makes keys.
const FORBIDDEN: &[&str] = &[
    "aws-lc-rs",
    "fastrand",
    "getrandom",
    "hyper",
    "issuer",
    "kafka-admin",
    "kube",
    "kube-client",
    "kube-runtime",
    "mio",
    "operator-runtime",
    "rand",
    "rcgen",
    "reqwest",
    "ring",
    "rustls",
    "socket2",
    "tokio",
];

/// The most lines of a Rust file: a longer one has two subjects.
const LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Rust files below a folder.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            found.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn what_decides_reaches_no_network_no_chance_and_no_key_making() {
    for package in PURE {
        let output = Command::new(env!("CARGO"))
            .args([
                "tree",
                "--offline",
                "--locked",
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--package",
                package,
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let tree = String::from_utf8(output.stdout).unwrap();
        let reached: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(reached.contains(package), "{tree}");
        let forbidden: Vec<&&str> = reached.iter().filter(|name| FORBIDDEN.contains(name)).collect();
        assert!(forbidden.is_empty(), "{package} reaches {forbidden:?}");
    }
}

/// The part of a file that ends up in a program, for files that keep their tests at the end.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap()
}

#[test]
fn generated_objects_are_typed() {
    // Objects of a status without a schema.
    const FREE: &[&str] = &["crates/planner/src/kafka/status.rs"];
    let mut untyped = Vec::new();
    for folder in ["crates/planner/src", "crates/objects/src"] {
        for file in rust_files(&root().join(folder)) {
            let name = file.strip_prefix(root()).unwrap().display().to_string();
            let text = std::fs::read_to_string(&file).unwrap();
            if !name.ends_with("_tests.rs")
                && !FREE.contains(&name.as_str())
                && production(&text).contains("json!(")
            {
                untyped.push(name);
            }
        }
    }
    assert!(untyped.is_empty(), "made with json! instead of the types of Kubernetes: {untyped:#?}");
}

#[test]
fn no_rust_file_has_more_lines_than_one_subject_needs() {
    let mut long = Vec::new();
    for folder in ["crates", "e2e"] {
        for file in rust_files(&root().join(folder)) {
            let lines = std::fs::read_to_string(&file).unwrap().lines().count();
            if lines > LINES {
                long.push(format!("{} has {lines} lines", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(long.is_empty(), "at most {LINES} lines: {long:#?}");
}
