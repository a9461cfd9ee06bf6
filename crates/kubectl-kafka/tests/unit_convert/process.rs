use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::input;

fn run(arguments: &[&str], stdin: &str) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kubectl-kafka"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // Who does not read its input closes it.
    let _ = pipe.write_all(stdin.as_bytes());
    drop(pipe);
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().unwrap(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn what_was_lost_decides_the_exit_code() {
    let (code, out, said) = run(&["convert", "-f", "-"], &input("krallistic"));
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("kind: Kafka\n") && said.contains("resources: 5; not expressed: 0;"), "{out}{said}");
    let (code, out, said) = run(&["convert", "-f", "-"], &input("koperator"));
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("not expressed: spec.unheardOf"), "{said}");
    assert!(out.contains("# Not expressed here") && out.contains("spec.unheardOf"), "{out}");
    let (code, out, said) = run(&["convert", "-q", "-f", "-"], &input("koperator"));
    assert!(code == 2 && said.is_empty() && out.contains("spec.unheardOf"), "{said}");
    let (code, out, said) =
        run(&["convert", "-f", "-"], &input("krallistic").replace("brokerCount", "count"));
    assert!(code == 1 && out.is_empty() && said.contains("spec.brokerCount"), "{code} {out} {said}");
}

#[test]
fn several_files_are_read_as_one() {
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = vec!["convert".to_owned()];
    for name in ["koperator", "koperator-topics-and-users"] {
        let path = folder.path().join(name);
        std::fs::write(&path, input(name)).unwrap();
        arguments.extend(["-f".to_owned(), path.display().to_string()]);
    }
    let (code, out, said) = run(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), "");
    assert_eq!(code, 2, "{said}");
    assert!(out.contains("kind: KafkaUser") && out.contains("acls:"), "{out}");
}

#[test]
fn wrong_usage_and_missing_files_are_told() {
    for arguments in [&["convert"][..], &["convert", "--frobnicate"], &["unknown"], &[]] {
        let (code, out, said) = run(arguments, "");
        assert!(code == 64 && out.is_empty() && !said.is_empty(), "{arguments:?}: {code} {out} {said}");
    }
    let (code, _, said) = run(&["convert", "-f", "/does/not/exist"], "");
    assert!(code == 1 && said.contains("error: cannot read /does/not/exist"), "{said}");
    let (code, _, said) = run(&["convert", "-f", "-"], "a: b\n");
    assert!(code == 1 && said.contains("nothing to convert"), "{said}");
}

#[test]
fn help_says_what_is_read_and_what_the_exit_codes_mean() {
    let (code, out, _) = run(&["convert", "--help"], "");
    assert_eq!(code, 0);
    for part in ["krallistic.github.com", "koperator", "Exit codes", "kubectl kafka convert -f", "secret"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (code, out, _) = run(&["--version"], "");
    assert!(code == 0 && out.contains(env!("CARGO_PKG_VERSION")), "{out}");
}
