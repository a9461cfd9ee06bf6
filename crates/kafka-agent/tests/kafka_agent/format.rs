//! Formatting by the agent against formatting by Kafka's own storage tool.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{CLUSTER, DIRECTORY};
use kafka_agent::config::AgentConfig;
use kafka_agent::storage::apply::{Formatting, StorageTool, format_natively, tool_arguments};
use kafka_agent::storage::plan::StoragePlan;
use kafka_agent::storage::{METADATA_LOG, checkpoint, features, meta};

const LISTENER: &str = "CONTROLPLANE-9090";

fn config(root: &Path, roles: &str) -> AgentConfig {
    let text = format!(
        r#"{{"nodeId":1,"podName":"p","roles":{roles},"metadataLogDir":"{0}/d0/log","logDirs":["{0}/d0/log","{0}/d1/log"]}}"#,
        root.display()
    );
    serde_json::from_str(&text).unwrap()
}

fn server_properties(root: &Path, roles: &str, quorum: &str) -> PathBuf {
    let broker = roles.contains("broker");
    let controller = roles.contains("controller");
    let mut listeners = Vec::new();
    if controller {
        listeners.push("CONTROLPLANE-9090://localhost:9090");
    }
    if broker {
        listeners.push("REPLICATION-9091://localhost:9091");
    }
    let path = root.join("server.properties");
    let text = format!(
        "node.id=1\nprocess.roles={}\ncontroller.listener.names={LISTENER}\n{quorum}\nlisteners={}\n\
         listener.security.protocol.map={LISTENER}:PLAINTEXT,REPLICATION-9091:PLAINTEXT\n\
         metadata.log.dir={2}/d0/log\nlog.dirs={2}/d0/log,{2}/d1/log\n{3}",
        roles.replace(['[', ']', '"'], ""),
        listeners.join(","),
        root.display(),
        if broker { "inter.broker.listener.name=REPLICATION-9091\n" } else { "" }
    );
    fs::write(&path, text).unwrap();
    path
}

/// Formats one node by both, into directories of their own, and compares everything that was written.
fn compare(release: &features::Release, roles: &str, static_voters: bool, initial_controllers: Option<&str>) {
    let ours = tempfile::tempdir().unwrap();
    let theirs = tempfile::tempdir().unwrap();
    let quorum = if static_voters {
        "controller.quorum.voters=1@localhost:9090"
    } else {
        "controller.quorum.bootstrap.servers=localhost:9090"
    };
    let formatting = Formatting {
        cluster_id: CLUSTER,
        metadata_version: release.name,
        controller_listeners: Some(LISTENER),
        now: 1_795_241_017_825,
    };
    let plan = |config: &AgentConfig| StoragePlan {
        format: config.all_directories(),
        initial_controllers: initial_controllers.map(str::to_owned),
        ..StoragePlan::default()
    };
    let own = config(ours.path(), roles);
    format_natively(&plan(&own), &own, &formatting, release).unwrap();

    let mut other = config(theirs.path(), roles);
    other.static_voters = static_voters;
    for directory in other.all_directories() {
        fs::create_dir_all(directory).unwrap();
    }
    let tool = StorageTool {
        program: "java".into(),
        class_path: crate::support::class_path(),
        server_properties: server_properties(theirs.path(), roles, quorum),
    };
    let arguments = tool_arguments(&plan(&other), &other, &formatting, &tool);
    let output = Command::new(&tool.program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}: {}", release.name, String::from_utf8_lossy(&output.stdout));

    for directory in ["d0/log", "d1/log"] {
        let what = format!("{} {roles} {directory}", release.name);
        let (ours, theirs) = (ours.path().join(directory), theirs.path().join(directory));
        assert_eq!(files(&ours), files(&theirs), "{what}");
        let file = checkpoint::BOOTSTRAP_FILE;
        assert_eq!(without_times(&ours.join(file)), without_times(&theirs.join(file)), "{what}");
        let file = Path::new(METADATA_LOG).join(checkpoint::VOTERS_FILE);
        if ours.join(&file).exists() {
            assert_eq!(without_times(&ours.join(&file)), without_times(&theirs.join(&file)), "{what}");
        }
        let meta_of = |at: &Path| meta::parse(&fs::read_to_string(at.join(meta::FILE)).unwrap()).unwrap();
        let (mine, its) = (meta_of(&ours), meta_of(&theirs));
        assert_eq!((&mine.cluster_id, mine.node_id), (&its.cluster_id, its.node_id), "{what}");
        if directory == "d0/log" && initial_controllers.is_some() {
            assert_eq!(mine.directory_id.as_deref(), Some(DIRECTORY), "{what}");
            assert_eq!(mine.directory_id, its.directory_id, "{what}");
        }
        assert_eq!(its.directory_id.unwrap().len(), mine.directory_id.unwrap().len(), "{what}");
    }
}

/// Paths of all files below a directory.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                found.push(path.strip_prefix(directory).unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The bytes of a snapshot file with all times, and the checksums over them, set to nought.
fn without_times(path: &Path) -> Vec<u8> {
    let mut bytes = fs::read(path).unwrap();
    let mut at = 0;
    while at < bytes.len() {
        let length = 12 + u32::from_be_bytes(bytes[at + 8..at + 12].try_into().unwrap()) as usize;
        bytes[at + 17..at + 21].fill(0);
        bytes[at + 27..at + 43].fill(0);
        if at == 0 {
            // The time in the snapshot's header.
            bytes[73..81].fill(0);
        }
        at += length;
    }
    bytes
}

#[test]
fn every_known_metadata_version_is_formatted_as_by_kafkas_own_tool() {
    for release in features::releases() {
        compare(release, r#"["broker"]"#, false, None);
    }
}

#[test]
fn first_voters_are_written_as_by_kafkas_own_tool() {
    let release = features::release("4.3").unwrap();
    let voters = format!("2@c2.example:9090:KEXY6aqzQY-32P5TStzaFg,1@c1.example:9090:{DIRECTORY}");
    compare(release, r#"["broker","controller"]"#, false, Some(&voters));
    compare(release, r#"["controller"]"#, false, None);
    compare(release, r#"["broker","controller"]"#, true, None);
}
