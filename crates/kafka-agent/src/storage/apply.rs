//! Carries a [`StoragePlan`] out.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::checkpoint::{self, VotersError};
use super::features::{self, Release};
use super::plan::{MetadataMove, StoragePlan};
use super::{METADATA_LOG, meta, quorum_state, text_of_id};
use crate::config::AgentConfig;
use crate::files::{self, FileError};

/// The storage could not be prepared.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A file could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The initial voters are not readable.
    #[error(transparent)]
    Voters(#[from] VotersError),
    /// A directory could not be moved or removed.
    #[error("cannot {action} {path}: {source}")]
    Directory {
        /// What was tried.
        action: &'static str,
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Kafka's tool could not be started.
    #[error("cannot start kafka's storage tool ({program}): {source}")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Kafka's tool refused.
    #[error("kafka's storage tool failed ({status}): {output}")]
    Tool {
        /// Its exit status.
        status: std::process::ExitStatus,
        /// What it said.
        output: String,
    },
    /// The server configuration names no controller listener.
    #[error(
        "server.config has no controller.listener.names, which formatting with initial controllers needs"
    )]
    NoControllerListener,
}

/// What formatting needs to know.
#[derive(Clone, Debug)]
pub struct Formatting<'a> {
    /// Id of the cluster.
    pub cluster_id: &'a str,
    /// `metadata.version` of a new cluster.
    pub metadata_version: &'a str,
    /// `controller.listener.names` of the server configuration.
    pub controller_listeners: Option<&'a str>,
    /// Milliseconds since 1970.
    pub now: i64,
}

/// Kafka's own storage tool, for metadata versions that the agent does not know.
#[derive(Clone, Debug)]
pub struct StorageTool {
    /// The JVM.
    pub program: PathBuf,
    /// Kafka's jars.
    pub class_path: String,
    /// Kafka's configuration.
    pub server_properties: PathBuf,
}

/// Moves, removes, forgets and formats as planned. Returns whether Kafka's own tool was needed. `mask` takes out of the tool's output
/// what must not be shown: it quotes options that it does not like.
pub fn apply(
    plan: &StoragePlan,
    config: &AgentConfig,
    formatting: &Formatting<'_>,
    tool: &StorageTool,
    mask: &dyn Fn(&str) -> String,
) -> Result<bool, ApplyError> {
    if let Some(metadata_move) = &plan.move_metadata_log {
        move_metadata_log(metadata_move)?;
    }
    for path in &plan.remove {
        match fs::remove_dir_all(path) {
            Ok(()) => {}
            Err(error) if files::is_disk_failure(&error) => {
                tracing::warn!(path = %path.display(), %error, "an old metadata log stays: its disk failed");
            }
            Err(source) => {
                return Err(ApplyError::Directory { action: "remove", path: path.clone(), source });
            }
        }
    }
    if plan.forget_vote.is_some() {
        quorum_state::forget_vote(&config.metadata_log_dir.join(METADATA_LOG))?;
    }
    if plan.format.is_empty() {
        return Ok(false);
    }
    if let Some(release) = features::release(formatting.metadata_version) {
        format_natively(plan, config, formatting, release)?;
        Ok(false)
    } else {
        format_with_tool(plan, config, formatting, tool, mask)?;
        Ok(true)
    }
}

/// Writes what Kafka's storage tool would write. A disk that fails is left to Kafka, which does without it, unless it is
/// that of the metadata log.
pub fn format_natively(
    plan: &StoragePlan,
    config: &AgentConfig,
    formatting: &Formatting<'_>,
    release: &Release,
) -> Result<(), ApplyError> {
    for directory in &plan.format {
        match format_directory(directory, plan, config, formatting, release) {
            Err(ApplyError::File(error))
                if error.is_disk_failure() && *directory != config.metadata_log_dir =>
            {
                tracing::warn!(%error, "a disk cannot be formatted: Kafka runs without it");
            }
            formatted => formatted?,
        }
    }
    Ok(())
}

/// `meta.properties` comes last: it marks the directory as formatted.
fn format_directory(
    directory: &Path,
    plan: &StoragePlan,
    config: &AgentConfig,
    formatting: &Formatting<'_>,
    release: &Release,
) -> Result<(), ApplyError> {
    files::write(
        &directory.join(checkpoint::BOOTSTRAP_FILE),
        &checkpoint::bootstrap(release, formatting.now),
        0o644,
    )?;
    let mut id = super::random_id();
    if *directory == config.metadata_log_dir
        && let Some(list) = &plan.initial_controllers
    {
        let voters = checkpoint::parse_voters(list)?;
        let listener = formatting
            .controller_listeners
            .and_then(|names| names.split(',').next())
            .map(str::trim)
            .ok_or(ApplyError::NoControllerListener)?;
        if let Some(own) = voters.iter().find(|voter| voter.id == config.node_id) {
            id = text_of_id(own.directory_id);
        }
        let file = directory.join(METADATA_LOG).join(checkpoint::VOTERS_FILE);
        files::write(&file, &checkpoint::voters(&voters, listener, formatting.now), 0o644)?;
    }
    let text = meta::write(formatting.cluster_id, config.node_id, &id);
    files::write(&directory.join(meta::FILE), text.as_bytes(), 0o644)?;
    Ok(())
}

/// Arguments of Kafka's storage tool.
pub fn tool_arguments(
    plan: &StoragePlan,
    config: &AgentConfig,
    formatting: &Formatting<'_>,
    tool: &StorageTool,
) -> Vec<String> {
    let mut arguments: Vec<String> =
        ["-Xmx128m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", &tool.class_path]
            .map(str::to_owned)
            .into();
    arguments
        .extend(["kafka.tools.StorageTool", "format", "--ignore-formatted", "--config"].map(str::to_owned));
    arguments.push(tool.server_properties.display().to_string());
    arguments.extend(["--cluster-id".to_owned(), formatting.cluster_id.to_owned()]);
    arguments.extend(["--release-version".to_owned(), formatting.metadata_version.to_owned()]);
    match &plan.initial_controllers {
        Some(voters) => arguments.extend(["--initial-controllers".to_owned(), voters.clone()]),
        None if !config.static_voters => arguments.push("--no-initial-controllers".to_owned()),
        None => {}
    }
    arguments
}

fn format_with_tool(
    plan: &StoragePlan,
    config: &AgentConfig,
    formatting: &Formatting<'_>,
    tool: &StorageTool,
    mask: &dyn Fn(&str) -> String,
) -> Result<(), ApplyError> {
    for directory in &plan.format {
        fs::create_dir_all(directory).map_err(|source| ApplyError::Directory {
            action: "create",
            path: directory.clone(),
            source,
        })?;
    }
    let output = Command::new(&tool.program)
        .args(tool_arguments(plan, config, formatting, tool))
        .output()
        .map_err(|source| ApplyError::Start { program: tool.program.clone(), source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    let text = mask(String::from_utf8_lossy(&text).trim());
    Err(ApplyError::Tool { status: output.status, output: text })
}

/// Moves the metadata log to another volume: a copy beside the target, a rename, and only then the removal.
fn move_metadata_log(MetadataMove { from, to, with_votes }: &MetadataMove) -> Result<(), ApplyError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ApplyError::Directory { action, path, source }
    };
    let part = to.with_extension("part");
    if part.exists() {
        fs::remove_dir_all(&part).map_err(failed("remove", &part))?;
    }
    fs::create_dir_all(&part).map_err(failed("create", &part))?;
    for entry in fs::read_dir(from).map_err(failed("read", from))? {
        let entry = entry.map_err(failed("read", from))?;
        let votes = entry.file_name() == quorum_state::FILE;
        if (votes && !with_votes) || entry.path().is_dir() {
            continue;
        }
        let target = part.join(entry.file_name());
        fs::copy(entry.path(), &target).map_err(failed("copy to", &target))?;
        fs::File::open(&target).and_then(|file| file.sync_all()).map_err(failed("copy to", &target))?;
    }
    if to.exists() {
        fs::remove_dir_all(to).map_err(failed("remove", to))?;
    }
    fs::rename(&part, to).map_err(failed("move to", to))?;
    fs::remove_dir_all(from).map_err(failed("remove", from))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::{observe, plan};

    const CLUSTER: &str = "MkU3OEVBNTcwNTJENDM2Qg";

    fn config(root: &Path, directories: &[&str]) -> AgentConfig {
        let mut config: AgentConfig = serde_json::from_str(
            r#"{"nodeId":0,"podName":"p","roles":["broker"],"metadataLogDir":"/","logDirs":[]}"#,
        )
        .unwrap();
        config.log_dirs = directories.iter().map(|name| root.join(name)).collect();
        config.metadata_log_dir = config.log_dirs[0].clone();
        config
    }

    fn prepare(config: &AgentConfig) -> Vec<Option<String>> {
        let storage = observe::observe(config).unwrap();
        let plan = plan::plan(config, CLUSTER, &storage).unwrap();
        let formatting = Formatting {
            cluster_id: CLUSTER,
            metadata_version: "4.3-IV0",
            controller_listeners: Some("CONTROLPLANE-9090"),
            now: 1,
        };
        let tool = StorageTool {
            program: "/nowhere".into(),
            class_path: String::new(),
            server_properties: "/".into(),
        };
        assert!(!apply(&plan, config, &formatting, &tool, &str::to_owned).unwrap());
        let after = observe::observe(config).unwrap();
        assert!(
            after
                .all()
                .all(|directory| directory.meta.as_ref().unwrap().cluster_id.as_deref() == Some(CLUSTER))
        );
        after.all().map(|directory| directory.meta.as_ref().unwrap().directory_id.clone()).collect()
    }

    #[test]
    fn disks_keep_their_ids_and_a_new_disk_gets_its_own() {
        let root = tempfile::tempdir().unwrap();
        let first = prepare(&config(root.path(), &["d0/log", "d1/log"]));
        let second = prepare(&config(root.path(), &["d0/log", "d1/log", "d2/log"]));
        assert_eq!(first, second[..2]);
        assert!(second[2].is_some() && !first.contains(&second[2]));
    }

    #[test]
    fn the_metadata_log_follows_its_volume_and_the_votes_follow_a_static_voter() {
        for static_voters in [false, true] {
            let root = tempfile::tempdir().unwrap();
            let of = |directories: &[&str]| AgentConfig { static_voters, ..config(root.path(), directories) };
            prepare(&of(&["d0", "d1"]));
            let old = root.path().join("d0").join(METADATA_LOG);
            fs::create_dir_all(&old).unwrap();
            fs::write(old.join("00000000000000000000.log"), "records").unwrap();
            fs::write(old.join(quorum_state::FILE), "{}").unwrap();
            prepare(&of(&["d1", "d0"]));
            let new = root.path().join("d1").join(METADATA_LOG);
            assert_eq!(fs::read_to_string(new.join("00000000000000000000.log")).unwrap(), "records");
            assert!(!old.exists());
            assert_eq!(new.join(quorum_state::FILE).exists(), static_voters);
        }
    }

    #[test]
    fn a_vote_in_an_election_that_another_node_won_is_forgotten_before_kafka_starts() {
        let root = tempfile::tempdir().unwrap();
        let config = config(root.path(), &["d0"]);
        prepare(&config);
        let file = root.path().join("d0").join(METADATA_LOG).join(quorum_state::FILE);
        let state = |leader: i32, voted: i32| {
            let none = "AAAAAAAAAAAAAAAAAAAAAA";
            let directory = if voted < 0 { none } else { "JEXY6aqzQY-32P5TStzaFg" };
            serde_json::json!({
                "leaderId": leader, "leaderEpoch": 7, "votedId": voted, "votedDirectoryId": directory, "data_version": 1
            })
        };
        for (before, after) in
            [(state(1, 0), state(1, -1)), (state(-1, 0), state(-1, 0)), (state(0, 0), state(0, 0))]
        {
            files::write(&file, before.to_string().as_bytes(), 0o644).unwrap();
            prepare(&config);
            let left: serde_json::Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
            assert_eq!(left, after, "{before}");
        }
    }

    #[test]
    fn the_tool_gets_the_voters_or_is_told_that_there_are_none() {
        let root = tempfile::tempdir().unwrap();
        let mut config = config(root.path(), &["d0"]);
        let formatting =
            Formatting { cluster_id: CLUSTER, metadata_version: "9.9", controller_listeners: None, now: 1 };
        let tool =
            StorageTool { program: "java".into(), class_path: "x".into(), server_properties: "/s".into() };
        let mut plan = StoragePlan::default();
        let arguments = |plan: &StoragePlan, config: &AgentConfig| {
            tool_arguments(plan, config, &formatting, &tool).join(" ")
        };
        assert!(arguments(&plan, &config).ends_with("--release-version 9.9 --no-initial-controllers"));
        config.static_voters = true;
        assert!(arguments(&plan, &config).ends_with("--release-version 9.9"));
        plan.initial_controllers = Some("0@h:1:JEXY6aqzQY-32P5TStzaFg".to_owned());
        assert!(arguments(&plan, &config).ends_with("--initial-controllers 0@h:1:JEXY6aqzQY-32P5TStzaFg"));
    }
}
