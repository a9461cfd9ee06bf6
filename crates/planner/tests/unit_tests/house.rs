//! The rules of the house that a compiler does not know: what decides stays pure, arrows point down, objects are typed, no
//! long files.

mod imports;
mod kinds;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// The crates that must stay pure.
const PURE: &[&str] = &["objects", "pki", "planner", "rebalance"];

/// What they must not reach: runtimes, clients, random sources and what makes keys.
/// `time` comes along with the reader of certificates: a crate that does not name it cannot ask it.
const FORBIDDEN: &[&str] = &[
    "async-std",
    "aws-lc-rs",
    "chrono",
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
    "smol",
    "socket2",
    "tokio",
    "uuid",
];

/// The crates from the top floor down, as in docs/architecture.md: each uses only what stands on a lower floor.
const FLOORS: &[&[&str]] = &[
    &[
        "cluster-operator",
        "topic-operator",
        "user-operator",
        "kafka-agent",
        "kafka-bridge",
        "plug-in-fetcher",
        "kafka-exporter",
        "kubectl-kafka",
    ],
    &["operator-runtime"],
    &["planner"],
    &["issuer", "objects", "rebalance"],
    &["api", "connect-client", "kafka-admin", "pki"],
    &["no-schema"],
];

/// Tests and what they need: they may use every crate, and no crate on a floor uses them.
const BESIDE: &[&str] = &["bench", "e2e", "kafka-client", "test-support", "test-world"];

/// What the images are made for. The packages of other platforms need not be on this machine.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// What `make binaries` builds.
const PROGRAMS: &[&str] = &[
    "cluster-operator",
    "kafka-agent",
    "kafka-bridge",
    "plug-in-fetcher",
    "kafka-client",
    "kafka-exporter",
    "kubectl-kafka",
    "topic-operator",
    "user-operator",
];

/// What programs must not be built of, because a new user waits for it: JSON schemas, which only the definitions need,
/// and a second way to serve HTTP, to watch, or to encrypt.
const NEEDLESS: &[&str] = &["axum", "kube-runtime", "ring", "rsa", "schemars"];

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

/// What Cargo prints.
fn cargo(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO"));
    let output = command.args(arguments).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Every package that Cargo knows, with the packages that its library or binary is made of, tests and build scripts not
/// counted.
struct Packages {
    /// Name by id.
    names: BTreeMap<String, String>,
    /// Ids by id.
    needs: BTreeMap<String, Vec<String>>,
    /// Ids of the crates of this workspace.
    members: Vec<String>,
}

impl Packages {
    fn read() -> Self {
        let arguments =
            ["metadata", "--offline", "--locked", "--format-version", "1", "--filter-platform", PLATFORM];
        let metadata: Value = serde_json::from_str(&cargo(&arguments)).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let names = metadata["packages"].as_array().unwrap().iter();
        let needs = metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| {
            let normal = |need: &&Value| {
                need["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null())
            };
            let needs = node["deps"].as_array().unwrap().iter().filter(normal);
            (text(&node["id"]), needs.map(|need| text(&need["pkg"])).collect())
        });
        Self {
            names: names.map(|package| (text(&package["id"]), text(&package["name"]))).collect(),
            needs: needs.collect(),
            members: metadata["workspace_members"].as_array().unwrap().iter().map(text).collect(),
        }
    }
}

// Not by `cargo metadata`: that shows each dependency with the features that all crates of the workspace together ask for.
#[test]
fn what_decides_reaches_no_network_no_chance_and_no_key_making() {
    for package in PURE {
        let arguments =
            ["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--package", package];
        let tree = cargo(&arguments);
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
fn programs_are_built_of_nothing_that_they_do_not_need() {
    for package in PROGRAMS {
        // The metadata knows only the features that the whole workspace has together; these are a program's own.
        let arguments =
            ["tree", "--offline", "--locked", "--edges", "normal", "--prefix", "none", "--package", package];
        let tree = cargo(&arguments);
        let reached: BTreeSet<&str> =
            tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert!(reached.contains(package), "the tree was not understood: {tree}");
        let needless: Vec<&&str> = reached.iter().filter(|name| NEEDLESS.contains(name)).collect();
        assert!(needless.is_empty(), "{package} is built of {needless:?}");
    }
}

#[test]
fn a_person_s_command_line_asks_nobody() {
    let arguments = [
        "tree",
        "--offline",
        "--locked",
        "--edges",
        "normal",
        "--prefix",
        "none",
        "--package",
        "kubectl-kafka",
    ];
    let tree = cargo(&arguments);
    let reached: Vec<&str> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    assert!(reached.contains(&"planner"), "{tree}");
    // So far it reads files only; what will talk to Kubernetes comes with its subcommand.
    let network: Vec<&&str> =
        reached.iter().filter(|name| ["hyper", "kube-client", "socket2", "tokio"].contains(name)).collect();
    assert!(network.is_empty(), "{network:?}");
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
fn a_variable_of_ours_is_named_in_one_file() {
    // Help texts name it inside a longer text.
    const NAMES: &str = "crates/api/src/env.rs";
    let mut elsewhere = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.ends_with("test-support") || !folder.join("src").is_dir() {
            continue;
        }
        for file in rust_files(&folder.join("src")) {
            let name = file.strip_prefix(root()).unwrap().display().to_string();
            let text = std::fs::read_to_string(&file).unwrap();
            let code = production(&text);
            // Neither written out, nor under a second name.
            let again =
                |line: &str| line.contains("const ") && line.contains(" &str = ") && line.contains("own::");
            let is_again = code.contains("\"KASTELLAN_") || code.lines().any(again);
            if name != NAMES && !name.ends_with("_tests.rs") && is_again {
                elsewhere.push(name);
            }
        }
    }
    assert!(elsewhere.is_empty(), "write the name into {NAMES} and use it from there: {elsewhere:#?}");
}

#[test]
fn no_crate_uses_one_of_its_own_floor_or_of_a_higher_one() {
    let packages = Packages::read();
    let floor = |name: &str| FLOORS.iter().position(|floor| floor.contains(&name));
    let mut upwards = Vec::new();
    for id in &packages.members {
        let name = packages.names[id].as_str();
        let Some(own) = floor(name) else {
            assert!(BESIDE.contains(&name), "{name} stands on no floor: give it one in FLOORS");
            continue;
        };
        for need in packages.needs[id].iter().map(|need| packages.names[need].as_str()) {
            let is_below = floor(need).is_some_and(|floor| floor > own);
            let is_ours = floor(need).is_some() || BESIDE.contains(&need);
            if is_ours && !is_below {
                upwards.push(format!("{name} uses {need}"));
            }
        }
    }
    assert!(upwards.is_empty(), "arrows that do not point down: {upwards:?}");
}

#[test]
fn no_files_of_a_crate_import_each_other_in_a_circle() {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        for circle in imports::circles(&folder.join("src")) {
            let files = circle.iter().map(|file| file.strip_prefix(root()).unwrap().display().to_string());
            found.push(files.collect::<Vec<_>>().join(" -> "));
        }
    }
    assert!(found.is_empty(), "import circles: {found:#?}");
}

#[test]
fn a_circle_of_imports_is_found_and_what_is_none_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("lib.rs", "mod a;\nmod b;\nmod c;\npub use b::Thing;\n");
    write("a.rs", "use crate::{Thing, c::{self, C}};\nmod inner;\npub struct A;\n");
    write("a/inner.rs", "use super::A;\n");
    write(
        "b.rs",
        "// use crate::c::C;\npub struct Thing;\nfn text() -> impl Fn() + use<> { \"use crate::c;\" }\n",
    );
    write("c.rs", "pub struct C;\n#[cfg(test)]\nmod tests {\n    use crate::a::A;\n}\n");
    assert_eq!(imports::circles(folder.path()), Vec::<Vec<PathBuf>>::new());
    write("b.rs", "pub struct Thing(crate::a::A);\n");
    let circles = imports::circles(folder.path());
    assert_eq!(circles, [vec![folder.path().join("a.rs"), folder.path().join("b.rs")]]);
}

/// Words in backquotes that look like a file or a folder.
fn paths_in(text: &str) -> Vec<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let ends = [".rs", ".yaml", ".toml", ".md", "/"];
    quoted.filter(|word| !word.contains(' ') && ends.iter().any(|end| word.ends_with(end))).collect()
}

#[test]
fn every_file_that_the_architecture_page_names_exists() {
    let root = root();
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let mut known = Vec::new();
    for folder in ["crates", "charts", "e2e", "docs", "crds"] {
        collect_paths(&root.join(folder), &root, &mut known);
    }
    let named = paths_in(&page);
    assert!(named.len() > 60, "the page was not understood");
    let exists = |path: &str| {
        let path = path.trim_end_matches('/');
        if path.contains("/src/") || path.starts_with("charts/") {
            return root.join("crates").join(path).exists() || root.join(path).exists();
        }
        // Where the text says which crate it speaks of, a path may leave the crate out.
        root.join(path).exists() || known.iter().any(|known: &String| known.ends_with(&format!("/{path}")))
    };
    let missing: Vec<&str> = named.into_iter().filter(|path| !exists(path)).collect();
    assert!(missing.is_empty(), "docs/architecture.md names files that do not exist: {missing:#?}");
}

#[test]
fn the_architecture_page_names_every_crate() {
    let page = std::fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let floors = page.split("\n## Crates\n").nth(1).unwrap();
    let missing: Vec<_> = FLOORS.iter().copied().flatten().filter(|name| !floors.contains(**name)).collect();
    assert!(missing.is_empty(), "docs/architecture.md, Crates: {missing:?}");
}

fn collect_paths(folder: &Path, root: &Path, known: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        known.push(format!("/{}", path.strip_prefix(root).unwrap().display()));
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect_paths(&path, root, known);
        }
    }
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
