//! `connect`: a worker of Kafka Connect, from the mounted configuration to its end.
//!
//! What it has in common with a Kafka node is that of [`crate::run`]; it has no storage, and its own REST API tells how it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::agent::JaasPassword;
use api::connect::{CONFIG_PROVIDERS, DIRECTORY_PROVIDER};

use crate::config::WorkerConfig;
use crate::files::{self, FileError};
use crate::layout::Layout;
use crate::process::{self, Signals};
use crate::properties::Properties;
use crate::recovery::Recovery;
use crate::render::{self, Rendered};
use crate::run::{ContainerSource, RunError, write_node_files};
use crate::server::{self, Shared};
use crate::{heap, jars, jmx, jvm, keystore, plug_ins, termination, watch};

/// The class that runs a worker.
const CLASS: &str = "org.apache.kafka.connect.cli.ConnectDistributed";

/// Runs the worker until it ends; returns the exit code for the container.
///
/// # Errors
/// When it cannot be started.
pub async fn run(layout: &Layout) -> Result<u8, RunError> {
    let mut signals = Signals::listen().map_err(RunError::Signals)?;
    let shared = Arc::new(Shared::default());
    let start = tokio::select! {
        biased;
        signal = signals.stop_asked() => {
            tracing::info!("asked to stop before the worker was started");
            return Ok(128 + u8::try_from(signal.as_raw()).unwrap_or_default());
        }
        prepared = prepare(layout, &shared) => prepared?,
    };
    let Start { rest_port, program, arguments } = start;
    let jvm = process::start(&program, &arguments, &shared)
        .map_err(|source| RunError::Start { program: program.clone(), source })?;
    shared.node().started(Recovery::default());
    tokio::select! {
        code = process::watch_over(jvm, &shared, &mut signals) => {
            let code = code.map_err(|source| RunError::Start { program, source })?;
            tracing::info!(code, "the worker ended");
            if !shared.node().is_stopping() {
                termination::leave_message(layout, &termination::of_kafka(code));
            }
            Ok(code)
        }
        // This never ends.
        () = watch::worker(rest_port, &shared) => Ok(1),
    }
}

/// All that the worker's start needs.
struct Start {
    rest_port: u16,
    program: PathBuf,
    arguments: Vec<String>,
}

/// Everything that comes before the JVM.
async fn prepare(layout: &Layout, shared: &Arc<Shared>) -> Result<Start, RunError> {
    let text = files::read(&layout.custom_config(api::names::keys::AGENT_CONFIG))?;
    let mut config: WorkerConfig = serde_json::from_str(&text).map_err(RunError::Config)?;
    let socket = layout.socket();
    if let Some(directory) = socket.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|source| FileError::Write { path: directory.to_owned(), source })?;
    }
    server::serve_socket(&socket, shared.clone())
        .map_err(|source| RunError::Listen { address: socket.display().to_string(), source })?;
    for store in &config.keystores {
        keystore::update(store)?;
    }
    for password in &config.jaas_passwords {
        make_ready(password)?;
    }
    write_node_files(config.rack.as_ref(), false, layout).await?;
    let file = api::names::keys::KAFKA_CONNECT_PROPERTIES;
    let properties = files::read(&layout.custom_config(file))?;
    let mut rendered = render::render(file, &properties, &ContainerSource { layout })?;
    leave_out_missing_folders(&mut rendered.properties, layout);

    config.jvm.extra_class_path.extend(jars::below(&layout.further_jars()));
    config.jvm.extra_class_path.retain(|jar| !plug_ins::is_exporter(jar));
    let class_path = jvm::class_path(&layout.libs(), &config.jvm.extra_class_path)?;
    add_plug_ins(&mut config, layout, &class_path, &mut rendered, shared)?;
    files::write(&layout.worker_properties(), rendered.properties.to_text().as_bytes(), 0o600)?;

    if let Some(remote) = &config.jmx {
        let credentials = jmx::read(remote)?;
        let arguments = jmx::prepare(remote, credentials.as_ref(), layout)?;
        config.jvm.extra_jvm_arguments.extend(arguments);
    }
    let environment = heap::options_of_environment(|name| std::env::var(name).ok());
    let memory = heap::flags(&config.jvm, &environment, heap::container_memory(layout));
    let worker = jvm::Program { class: CLASS, configuration: layout.worker_properties() };
    let arguments = jvm::arguments(&config.jvm, layout, &memory, &class_path, &worker);
    tracing::info!(
        heap = memory.join(" "),
        milliseconds = shared.now().as_millis(),
        "starting a worker of Kafka Connect"
    );
    let program = jvm::program(std::env::var("JAVA_HOME").ok().as_deref());
    Ok(Start { rest_port: config.rest_port, program, arguments })
}

/// Writes a password so that it can stand between the quotation marks of a JAAS configuration.
fn make_ready(password: &JaasPassword) -> Result<(), FileError> {
    let text = files::read(&password.source)?;
    if let Some(folder) = password.target.parent() {
        std::fs::create_dir_all(folder)
            .map_err(|source| FileError::Write { path: folder.to_owned(), source })?;
    }
    files::write(&password.target, render::jaas_password(&text).as_bytes(), 0o600)
}

/// Takes folders that are not there out of those that the provider of files may read: Kafka does not start with such a folder, and not every
/// image has `/mnt`. Where none is there the list stays, since without it every folder may be read.
fn leave_out_missing_folders(properties: &mut Properties, layout: &Layout) {
    let option = format!("{CONFIG_PROVIDERS}.{DIRECTORY_PROVIDER}.param.allowed.paths");
    let Some(listed) = properties.get(&option) else { return };
    let there = listed.split(',').filter(|folder| layout.absolute(Path::new(folder.trim())).exists());
    let there: Vec<&str> = there.collect();
    if !there.is_empty() {
        let there = there.join(",");
        properties.set(option, there);
    }
}

/// Looks for the jars of others that the worker is to run with. Those of its plug-ins count too.
fn add_plug_ins(
    config: &mut WorkerConfig,
    layout: &Layout,
    class_path: &str,
    rendered: &mut Rendered,
    shared: &Shared,
) -> Result<(), RunError> {
    if config.plug_ins.is_empty() {
        return Ok(());
    }
    let rules = layout.custom_config(api::names::keys::METRICS_CONFIG);
    let mut all: Vec<PathBuf> = class_path.split(':').map(PathBuf::from).collect();
    all.extend(jars::below(&layout.worker_plug_ins()));
    let places = plug_ins::Places {
        class_path: all,
        folders: [layout.libs(), layout.further_jars()],
        exporter_rules: &rules,
    };
    let outcome = plug_ins::apply(&config.plug_ins, &places, &mut rendered.properties)?;
    for plug_in in &outcome.missing {
        let artifact = plug_in.artifact().unwrap_or_default();
        tracing::warn!(artifact, "no jar of {} is there: the worker runs without", plug_in.name());
    }
    config.jvm.extra_jvm_arguments.extend(outcome.arguments);
    shared.node().plug_ins_missing(outcome.missing);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_made_ready_for_a_jaas_configuration() {
        let root = tempfile::tempdir().unwrap();
        let (source, target) = (root.path().join("password"), root.path().join("jaas/source"));
        std::fs::write(&source, "a\"b\\c\n").unwrap();
        make_ready(&JaasPassword { source, target: target.clone() }).unwrap();
        assert_eq!(std::fs::read_to_string(target).unwrap(), "a\\\"b\\\\c", "no line end, and escaped");
    }

    #[test]
    fn a_folder_that_the_image_lacks_keeps_no_worker_from_its_start() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("opt/kafka")).unwrap();
        let layout = Layout::new(root.path());
        let option = "config.providers.strimzidir.param.allowed.paths";
        let mut properties: Properties = [(option, "/opt/kafka,/mnt")].into_iter().collect();
        leave_out_missing_folders(&mut properties, &layout);
        assert_eq!(properties.get(option), Some("/opt/kafka"));
        let mut nowhere: Properties = [(option, "/srv")].into_iter().collect();
        leave_out_missing_folders(&mut nowhere, &layout);
        assert_eq!(nowhere.get(option), Some("/srv"), "no list would open every folder");
    }
}
