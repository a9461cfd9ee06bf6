//! Which folders of kinds are imported from where, and that the architecture page names them.

use std::collections::BTreeSet;

use api::kinds;

use super::imports;
use super::{paths_in, production, root, rust_files};

/// The kinds that have a folder, or a file, of their own. Pod sets are not among them: those of all kinds stand on them.
const KINDS: &[&str] = &[
    "kafka",
    "kafka_bridge",
    "kafka_connect",
    "kafka_connector",
    "kafka_mirror_maker",
    "kafka_mirror_maker2",
    "node_pool",
    "node_pools",
];

/// Which kind may use which other one, because it is a part of it or works in its way.
const MAY: &[(&str, &str)] = &[
    // A pool belongs to a Kafka cluster.
    ("kafka", "node_pools"),
    ("node_pool", "kafka"),
    // What workers offer is asked through the API by which their connectors are looked after.
    ("kafka_connect", "kafka_connector"),
    // What is mirrored is mirrored by connectors.
    ("kafka_mirror_maker2", "kafka_connector"),
];

/// What wires the kinds together, and reads their settings.
const WIRES: &[&str] = &["controller", "run", "settings"];

/// What every kind has for the steps of its passes. Alone they are the words of what all kinds share and, below `kafka`, of a Kafka.
const STEPS: &[&str] = &["Answer", "Call", "Draft", "Live", "Need", "Observed", "Plan", "View"];

/// The files with what all kinds share.
const SHARED_STEPS: &[&str] = &["plan.rs", "view.rs"];

fn kind_of(module: &[String]) -> Option<&'static str> {
    let first = module.first()?;
    KINDS.iter().copied().find(|kind| kind == first)
}

#[test]
fn what_kinds_share_is_in_no_folder_of_a_kind() {
    let mut wrong = Vec::new();
    for package in ["planner", "cluster-operator"] {
        for (from, to) in imports::edges(&root().join("crates").join(package).join("src")) {
            let Some(used) = kind_of(&to) else { continue };
            let user = kind_of(&from);
            let may = user.is_some_and(|user| user == used || MAY.contains(&(user, used)));
            let wires = from.first().is_none_or(|first| WIRES.contains(&first.as_str()));
            if !may && !wires {
                wrong.push(format!("{package}: {} uses {}", from.join("::"), to.join("::")));
            }
        }
    }
    assert!(wrong.is_empty(), "put what kinds share beside their folders: {wrong:#?}");
}

#[test]
fn the_types_for_the_steps_of_a_kind_bear_its_name() {
    let src = root().join("crates/planner/src");
    let mut twins = Vec::new();
    for file in rust_files(&src) {
        let path = file.strip_prefix(&src).unwrap().display().to_string();
        if path.starts_with("kafka/") || SHARED_STEPS.contains(&path.as_str()) {
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        for line in production(&text).lines() {
            let words: Vec<&str> =
                line.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
            if let ["pub", "struct" | "enum" | "type" | "trait", name, ..] = words[..]
                && STEPS.contains(&name)
            {
                twins.push(format!("{path}: {name}"));
            }
        }
    }
    assert!(twins.is_empty(), "give them the name of the kind: {twins:#?}");
}

/// Lines of the programs' own code that spell the name of a kind, which stands in `api::kinds`.
fn spelled() -> Vec<String> {
    const NAMES: &[&str] = &[
        kinds::KAFKA,
        kinds::KAFKA_NODE_POOL,
        kinds::KAFKA_CONNECT,
        kinds::KAFKA_CONNECTOR,
        kinds::KAFKA_MIRROR_MAKER2,
        kinds::KAFKA_BRIDGE,
        kinds::KAFKA_TOPIC,
        kinds::KAFKA_USER,
        kinds::KAFKA_REBALANCE,
        kinds::STRIMZI_POD_SET,
    ];
    let mut found = Vec::new();
    for package in
        ["planner", "cluster-operator", "objects", "operator-runtime", "topic-operator", "user-operator"]
    {
        for file in rust_files(&root().join("crates").join(package).join("src")) {
            if file.file_stem().is_some_and(|stem| stem.to_string_lossy().ends_with("tests")) {
                continue;
            }
            let text = std::fs::read_to_string(&file).unwrap();
            let code = production(&text).lines().filter(|line| !line.trim_start().starts_with("//"));
            let spells = |line: &&str| NAMES.iter().any(|name| line.contains(&format!("\"{name}\"")));
            found.extend(code.filter(spells).map(|line| format!("{}: {}", file.display(), line.trim())));
        }
    }
    found
}

#[test]
fn the_names_of_kinds_are_spelled_once() {
    assert_eq!(spelled(), Vec::<String>::new(), "they stand in api::kinds");
}

#[test]
fn the_architecture_page_names_every_kind_and_every_folder() {
    let root = root();
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let named = paths_in(&page);
    let mut wanted = BTreeSet::new();
    for folder in ["planner", "cluster-operator"] {
        let src = root.join("crates").join(folder).join("src");
        for file in rust_files(&src) {
            let path = file.strip_prefix(&src).unwrap().display().to_string();
            // The steps of a kind, and the folders of what decides.
            let text = std::fs::read_to_string(&file).unwrap();
            if text.lines().any(|line| line.starts_with("impl Kind for ")) && !path.ends_with("_tests.rs") {
                wanted.insert(path.clone());
            }
            if let (Some((first, _)), "planner") = (path.split_once('/'), folder) {
                wanted.insert(format!("{first}/"));
            }
        }
    }
    assert!(wanted.len() > 10, "{wanted:?}");
    let missing: Vec<&String> = wanted
        .iter()
        .filter(|path| {
            !named
                .iter()
                .any(|word| word.contains(path.as_str()) || format!("{word}/").contains(path.as_str()))
        })
        .collect();
    assert!(missing.is_empty(), "docs/architecture.md does not name {missing:#?}");
}
