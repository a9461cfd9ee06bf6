//! What a person sees while the scripts build: which part of how many, since when, and what a failed one printed last.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails there")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Stands in for Go: downloads a lot, takes its time, and builds or fails.
const GO: &str = r#"#!/bin/sh
if [ "$1" = env ]; then
  echo go1.26.0
  exit
fi
i=0
while [ $i -lt 300 ]; do
  echo "go: downloading example.com/module$i v1.0.0" >&2
  i=$((i + 1))
done
sleep "${TAKES:-0}"
while [ $# -gt 0 ]; do
  if [ "$1" = -o ]; then
    program=$2
  fi
  shift
done
if [ -n "${FAILS:-}" ]; then
  echo "main.go:7: undefined: frobnicate" >&2
  exit 1
fi
: >"$program"
chmod 755 "$program"
"#;

/// A machine on which nothing is built yet.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let go = folder.path().join("bin/go");
        fs::create_dir_all(go.parent().unwrap()).unwrap();
        fs::write(&go, GO).unwrap();
        fs::set_permissions(&go, fs::Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn cache(&self) -> PathBuf {
        self.0.path().join("cache")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let path = format!("{}:{}", self.0.path().join("bin").display(), std::env::var("PATH").unwrap());
        command.env("PATH", path).env("KASTELLAN_CACHE", self.cache()).env("TERM", "xterm");
        command.env_remove("NO_COLOR");
        command
    }

    fn build(&self, environment: &[(&str, &str)]) -> Output {
        let mut command = self.command(build_script().to_str().unwrap());
        command.arg("control-plane").envs(environment.iter().copied()).output().unwrap()
    }
}

fn build_script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kubernetes/build.sh")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

#[test]
fn a_first_build_shows_its_parts_and_keeps_what_tools_print_in_logs() {
    let machine = Machine::new();
    let output = machine.build(&[]);
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("downloading"), "{said}");
    for part in ["etcd (1 of 3)", "kube-apiserver (2 of 3)", "kube-controller-manager (3 of 3)"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains('\u{1b}'), "no colours outside a terminal: {said:?}");
    let log = fs::read_to_string(machine.cache().join("logs/etcd.log")).unwrap();
    assert!(log.contains("go: downloading example.com/module299"), "{log}");

    let again = machine.build(&[("FAILS", "yes")]);
    assert!(again.status.success(), "what is up to date is not built again");
}

#[test]
fn a_part_that_fails_shows_what_it_printed_last_and_where_the_rest_is() {
    let machine = Machine::new();
    let output = machine.build(&[("FAILS", "yes")]);
    let said = said(&output);
    assert!(!output.status.success());
    assert!(said.contains("undefined: frobnicate") && said.contains("logs/etcd.log"), "{said}");
    assert!(said.lines().count() < 30, "only the end: {said}");
    assert!(!said.contains("kube-apiserver"), "it ends there: {said}");
}

#[test]
fn a_terminal_shows_for_how_long_a_part_has_been_built() {
    let machine = Machine::new();
    let mut command = machine.command("script");
    command
        .args(["--quiet", "--return", "--command"])
        .arg(format!("{} control-plane", build_script().display()));
    let output = command.arg("/dev/null").env("TAKES", "3.5").output().unwrap();
    let said = said(&output);
    assert!(output.status.success(), "{said}");
    // The shell counts whole seconds of the clock: what is shown goes from one to three at times.
    let is_shown = |time: &str| said.contains(&format!(" {time}  go: downloading"));
    assert!((is_shown("0:02") || is_shown("0:03")) && said.contains('\u{1b}'), "{said:?}");
    assert!(
        said.contains("downloading example.com/module299"),
        "the latest line of the log is shown: {said:?}"
    );
    assert!(!said.contains("module7 "), "and no other: {said:?}");
}

#[test]
fn the_image_of_the_operators_has_the_public_authorities() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    for program in [
        "cluster-operator",
        "topic-operator",
        "user-operator",
        "kafka-agent",
        "kafka-exporter",
        "kafka-bridge",
        "plug-in-fetcher",
        "kastellan-tls.jar",
    ] {
        fs::write(at(program), "").unwrap();
        fs::set_permissions(at(program), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/operator.sh");
    let make = |authorities: &str| {
        fs::write(at("authorities"), authorities).unwrap();
        let image = at("image.tar");
        let arguments = ["1", image.to_str().unwrap(), folder.path().to_str().unwrap()];
        Command::new(&script).args(arguments).env("AUTHORITIES", at("authorities")).output().unwrap()
    };
    let refused = make("");
    assert!(!refused.status.success() && said(&refused).contains("ca-certificates"), "{}", said(&refused));
    let made = make(&"-----BEGIN CERTIFICATE-----\n".repeat(50));
    assert!(made.status.success(), "{}", said(&made));
    // The layer is a tar within the tar.
    let unpack = "tar -xOf \"$0\" --wildcards '*[0-9a-f].tar' | tar -xO ./etc/ssl/certs/ca-certificates.crt";
    let found = Command::new("sh").args(["-c", unpack]).arg(at("image.tar")).output().unwrap();
    assert!(said(&found).matches("BEGIN CERTIFICATE").count() == 50, "{}", said(&found));
}
