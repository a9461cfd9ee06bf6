//! The crates that decide stay pure: their dependency trees hold nothing that reaches a network, a clock or chance.

#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::process::Command;

/// The crates that must stay pure.
const PURE: &[&str] = &["objects", "pki", "planner"];

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
        assert!(reached.len() > 5, "{tree}");
        let forbidden: Vec<&&str> = reached.iter().filter(|name| FORBIDDEN.contains(name)).collect();
        assert!(forbidden.is_empty(), "{package} reaches {forbidden:?}");
    }
}
