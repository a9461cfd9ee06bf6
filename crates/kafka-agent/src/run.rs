//! `run`: from the mounted configuration to a running Kafka, and until its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use api::names::keys;

use crate::config::{AgentConfig, RackSource, Role};
use crate::files::{self, FileError};
use crate::kubernetes::{self, LookupError};
use crate::layout::Layout;
use crate::node_info::{self, NodeError};
use crate::process::{self, Signals};
use crate::recovery::Recovery;
use crate::render::{self, Rendered};
use crate::server::{self, Shared};
use crate::storage::{apply, observe, plan};
use crate::{heap, jars, jmx, jvm, keystore, plug_ins, termination, tls, watch};

/// The node cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// `agent.config` is not understood.
    #[error("cannot read agent.config: {0}; is the agent older than the cluster operator?")]
    Config(serde_json::Error),
    /// A key store could not be made.
    #[error(transparent)]
    KeyStore(#[from] keystore::KeyStoreError),
    /// The agent's own TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] tls::TlsError),
    /// The Kubernetes node could not be looked up.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// The Kubernetes node lacks something.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// A placeholder could not be resolved.
    #[error(transparent)]
    Render(#[from] render::RenderError),
    /// The storage could not be read.
    #[error(transparent)]
    Observe(#[from] observe::ObserveError),
    /// The storage must not be used.
    #[error(transparent)]
    Storage(#[from] plan::StorageError),
    /// The storage could not be prepared.
    #[error(transparent)]
    Apply(#[from] apply::ApplyError),
    /// The class path could not be made.
    #[error(transparent)]
    Jvm(#[from] jvm::JvmError),
    /// A class is not there.
    #[error(transparent)]
    PlugIn(#[from] plug_ins::NoStorageManager),
    /// Remote JMX cannot be had.
    #[error(transparent)]
    Jmx(#[from] jmx::JmxError),
    /// The agent cannot answer.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Port or socket.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// The agent cannot hear what it is told.
    #[error("cannot listen to signals: {0}")]
    Signals(std::io::Error),
    /// The preparation broke off.
    #[error("the preparation of the storage broke off: {0}")]
    Task(#[from] tokio::task::JoinError),
    /// The JVM could not be started or watched.
    #[error("cannot run the JVM {program}: {source}; the image must have `java` on its PATH or in JAVA_HOME")]
    Start {
        /// The program.
        program: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// Runs the node until Kafka ends; returns the exit code for the container. `port` is that of the HTTPS endpoint.
pub async fn run(layout: &Layout, port: u16) -> Result<u8, RunError> {
    let mut signals = Signals::listen().map_err(RunError::Signals)?;
    let shared = Arc::new(Shared::default());
    let start = tokio::select! {
        biased;
        signal = signals.stop_asked() => {
            tracing::info!("asked to stop before Kafka was started");
            return Ok(128 + u8::try_from(signal.as_raw()).unwrap_or_default());
        }
        prepared = prepare(layout, port, &shared) => prepared?,
    };
    let Start { config, jmx, program, arguments, recovery } = start;
    let jvm = process::start(&program, &arguments, &shared)
        .map_err(|source| RunError::Start { program: program.clone(), source })?;
    shared.node().started(recovery);
    tokio::select! {
        code = process::watch_over(jvm, &shared, &mut signals) => {
            let code = code.map_err(|source| RunError::Start { program, source })?;
            tracing::info!(code, "Kafka ended");
            if !shared.node().is_stopping() {
                termination::leave_message(layout, &termination::of_kafka(code));
            }
            Ok(code)
        }
        // These never end.
        () = watch::listeners(&config, &shared) => Ok(1),
        () = watch::key_material(&config, &shared) => Ok(1),
        () = watch::jmx_password(&config, jmx, layout) => Ok(1),
    }
}

/// All that Kafka's start needs.
struct Start {
    config: AgentConfig,
    /// Who may connect to remote JMX.
    jmx: Option<jmx::Credentials>,
    program: PathBuf,
    arguments: Vec<String>,
    recovery: Recovery,
}

/// Everything that comes before the JVM.
async fn prepare(layout: &Layout, port: u16, shared: &Arc<Shared>) -> Result<Start, RunError> {
    let text = files::read(&layout.custom_config(keys::AGENT_CONFIG))?;
    let mut config: AgentConfig = serde_json::from_str(&text).map_err(RunError::Config)?;
    for store in &config.keystores {
        keystore::update(store)?;
    }
    watch::load_identity(&config, shared)?;
    let socket = layout.socket();
    if let Some(directory) = socket.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|source| FileError::Write { path: directory.to_owned(), source })?;
    }
    server::serve_socket(&socket, shared.clone())
        .map_err(|source| RunError::Listen { address: socket.display().to_string(), source })?;
    server::serve_port(port, shared.clone())
        .await
        .map_err(|source| RunError::Listen { address: format!("port {port}"), source })?;

    look_up_node(&config, layout).await?;
    let server_config = files::read(&layout.custom_config(keys::SERVER_CONFIG))?;
    let mut server_config = render::render(keys::SERVER_CONFIG, &server_config, &ContainerSource { layout })?;
    config.jvm.extra_class_path.extend(jars::below(&layout.further_jars()));
    config.jvm.extra_class_path.retain(|jar| !plug_ins::is_exporter(jar));
    let class_path = jvm::class_path(&layout.libs(), &config.jvm.extra_class_path)?;
    add_plug_ins(&mut config, layout, &class_path, &mut server_config, shared)?;
    files::write(&layout.server_properties(), server_config.properties.to_text().as_bytes(), 0o600)?;

    let mut credentials = None;
    if let Some(remote) = &config.jmx {
        credentials = jmx::read(remote)?;
        let arguments = jmx::prepare(remote, credentials.as_ref(), layout)?;
        config.jvm.extra_jvm_arguments.extend(arguments);
    }
    let program = jvm::program(std::env::var("JAVA_HOME").ok().as_deref());
    let environment = heap::options_of_environment(|name| std::env::var(name).ok());
    let memory = heap::flags(&config.jvm, &environment, heap::container_memory(layout));
    let configuration = layout.server_properties();
    let kafka = jvm::Program { class: "kafka.Kafka", configuration };
    let arguments = jvm::arguments(&config.jvm, layout, &memory, &class_path, &kafka);
    // Formatting by Kafka's own tool and moving a metadata log take their time; meanwhile probes and signals are answered.
    let storage = {
        let (config, layout, program) = (config.clone(), layout.clone(), program.clone());
        move || prepare_storage(&config, &layout, &server_config, &class_path, &program)
    };
    let recovery = tokio::task::spawn_blocking(storage).await??;
    tracing::info!(
        pod = config.pod_name,
        node = config.node_id,
        heap = memory.join(" "),
        milliseconds = shared.now().as_millis(),
        "starting Kafka"
    );
    Ok(Start { config, jmx: credentials, program, arguments, recovery })
}

/// Looks for the jars of others that the node is to run with.
fn add_plug_ins(
    config: &mut AgentConfig,
    layout: &Layout,
    class_path: &str,
    server_config: &mut Rendered,
    shared: &Shared,
) -> Result<(), RunError> {
    if config.plug_ins.is_empty() {
        return Ok(());
    }
    let rules = layout.custom_config(keys::METRICS_CONFIG);
    let places = plug_ins::Places {
        class_path: class_path.split(':').map(PathBuf::from).collect(),
        folders: [layout.libs(), layout.further_jars()],
        exporter_rules: &rules,
    };
    let outcome = plug_ins::apply(&config.plug_ins, &places, &mut server_config.properties)?;
    for plug_in in &outcome.missing {
        tracing::warn!(field = plug_in.field(), "no jar of {} is there: Kafka runs without", plug_in.name());
    }
    config.jvm.extra_jvm_arguments.extend(outcome.arguments);
    shared.node().plug_ins_missing(outcome.missing);
    Ok(())
}

/// Writes `rack.id` and `external.address` if the configuration needs them; otherwise nothing is asked.
async fn look_up_node(config: &AgentConfig, layout: &Layout) -> Result<(), RunError> {
    if !config.has_role(Role::Broker) {
        return Ok(());
    }
    write_node_files(config.rack.as_ref(), config.node_port_addresses, layout).await
}

/// Writes `rack.id` for a program that has no agent: the value of a label of the Kubernetes node.
pub async fn write_rack(label: String, layout: &Layout) -> Result<u8, RunError> {
    write_node_files(Some(&RackSource::TopologyLabel { key: label }), false, layout).await?;
    Ok(0)
}

/// Writes what the configuration needs to know of the Kubernetes node: `rack.id` for a rack that is a label of it, and
/// `external.address`.
pub(crate) async fn write_node_files(
    rack: Option<&RackSource>,
    node_port_addresses: bool,
    layout: &Layout,
) -> Result<(), RunError> {
    let label = match rack {
        Some(RackSource::TopologyLabel { key }) => Some(key),
        _ => None,
    };
    let (rack, addresses) = (layout.rack_file(), layout.external_address_file());
    // The two files live as long as the pod, and a pod stays on its node: a container that starts again, maybe while the
    // API server is away, has no need to ask.
    let asks_rack = label.is_some() && !rack.exists();
    let asks_addresses = node_port_addresses && !addresses.exists();
    if !asks_rack && !asks_addresses {
        return Ok(());
    }
    let (name, node) = kubernetes::look_up_node(layout).await?;
    if let Some(key) = label {
        files::write(&rack, node_info::rack(&name, &node, key)?.as_bytes(), 0o644)?;
    }
    if node_port_addresses {
        let text = node_info::external_addresses(&name, &node)?;
        files::write(&addresses, text.as_bytes(), 0o644)?;
    }
    Ok(())
}

fn prepare_storage(
    config: &AgentConfig,
    layout: &Layout,
    server_config: &Rendered,
    class_path: &str,
    program: &Path,
) -> Result<Recovery, RunError> {
    let cluster_id = files::read(&layout.custom_config("cluster.id"))?;
    let cluster_id = cluster_id.trim();
    let metadata_version = files::read(&layout.custom_config("metadata.version"))?;
    let storage = observe::observe(config)?;
    for reason in storage.failures() {
        tracing::warn!(reason, "a disk failed: Kafka runs without it");
    }
    let plan = plan::plan(config, cluster_id, &storage)?;
    if plan != plan::StoragePlan::default() {
        tracing::info!(
            format = ?plan.format,
            voters = plan.initial_controllers.as_deref().unwrap_or("none"),
            move_metadata_log = ?plan.move_metadata_log,
            remove = ?plan.remove,
            "preparing the storage"
        );
    }
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let formatting = apply::Formatting {
        cluster_id,
        metadata_version: metadata_version.trim(),
        controller_listeners: server_config.properties.get("controller.listener.names"),
        now: i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX),
    };
    let tool = apply::StorageTool {
        program: program.to_owned(),
        class_path: class_path.to_owned(),
        server_properties: layout.server_properties(),
    };
    let hides_secrets = |text: &str| server_config.mask(text);
    if apply::apply(&plan, config, &formatting, &tool, &hides_secrets)? {
        tracing::info!(metadata_version = formatting.metadata_version, "formatted by Kafka's own tool");
    }
    // A controller alone has no logs but the metadata log, which needs no recovery worth waiting for.
    Ok(Recovery::new(if config.has_role(Role::Broker) { storage.to_recover() } else { 0 }))
}

/// Placeholders take their values from the container's environment and files.
pub(crate) struct ContainerSource<'a> {
    /// Where its files are.
    pub(crate) layout: &'a Layout,
}

impl render::Source for ContainerSource<'_> {
    fn variable(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> Result<String, String> {
        let path = self.layout.absolute(path);
        // A link in a volume of the user's own may lead anywhere.
        let real = path.canonicalize().map_err(|error| error.to_string())?;
        let folders = render::FOLDERS.iter().map(|folder| self.layout.absolute(Path::new(folder)));
        let mut real_folders = folders.filter_map(|folder| folder.canonicalize().ok());
        if !real_folders.any(|folder| real.starts_with(folder)) {
            return Err("it is a link that leads out of the folders for such files".to_owned());
        }
        std::fs::read_to_string(real).map_err(|error| error.to_string())
    }
}
