//! What every process has in common that the agent runs in a JVM: from the signals to its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::names::keys;

use crate::config::{JvmSettings, PlugIn, RackSource, RemoteJmx};
use crate::files::{self, FileError};
use crate::layout::Layout;
use crate::process::{self, Signals};
use crate::recovery::Recovery;
use crate::render::{self, Rendered};
use crate::run_error::RunError;
use crate::server::{self, Shared};
use crate::storage::writable;
use crate::{heap, jars, jmx, jvm, kubernetes, node_info, plug_ins, termination};

/// A process whose start is prepared.
pub(crate) trait Prepared {
    /// How it is started.
    fn jvm(&self) -> &Command;

    /// What it has to do before it serves.
    fn recovery(&mut self) -> Recovery {
        Recovery::default()
    }

    /// The directories that it has to be able to write.
    fn log_directories(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    /// What the agent does for it all the time. Never ends.
    async fn watch(self, layout: &Layout, shared: &Arc<Shared>);
}

/// Prepares a process and runs it until it ends; returns the exit code for the container. `name` is what the log calls it.
///
/// # Errors
/// When it cannot be started.
pub(crate) async fn run<P: Prepared>(
    layout: &Layout,
    name: &str,
    prepare: impl AsyncFnOnce(&Arc<Shared>) -> Result<P, RunError>,
) -> Result<u8, RunError> {
    let mut signals = Signals::listen().map_err(RunError::Signals)?;
    let shared = Arc::new(Shared::default());
    let mut prepared = tokio::select! {
        biased;
        signal = signals.stop_asked() => {
            tracing::info!("asked to stop before {name} was started");
            return Ok(128 + u8::try_from(signal.as_raw()).unwrap_or_default());
        }
        prepared = prepare(&shared) => prepared?,
    };
    let Command { program, arguments, .. } = prepared.jvm().clone();
    let jvm = process::start(&program, &arguments, &shared)
        .map_err(|source| RunError::Start { program: program.clone(), source })?;
    shared.node().started(prepared.recovery());
    let disks = prepared.log_directories();
    tokio::select! {
        code = process::watch_over(jvm, &shared, &mut signals) => {
            let code = code.map_err(|source| RunError::Start { program, source })?;
            tracing::info!(code, "{name} ended");
            if !shared.node().is_stopping() {
                termination::leave_message(layout, &termination::of_jvm(code, &writable::failures(&disks)));
            }
            Ok(code)
        }
        // This never ends.
        () = prepared.watch(layout, &shared) => Ok(1),
    }
}

/// How a JVM is started.
#[derive(Clone, Debug)]
pub(crate) struct Command {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Those among them that are about memory, for the log.
    pub memory: String,
}

impl Command {
    /// That of a program of Kafka's.
    pub(crate) fn new(
        settings: &JvmSettings,
        layout: &Layout,
        class_path: &str,
        program: &jvm::Program,
    ) -> Self {
        let environment = heap::options_of_environment(|name| std::env::var(name).ok());
        let memory = heap::flags(settings, &environment, heap::container_memory(layout));
        let arguments = jvm::arguments(settings, layout, &memory, class_path, program);
        let program = jvm::program(std::env::var("JAVA_HOME").ok().as_deref());
        Self { program, arguments, memory: memory.join(" ") }
    }
}

/// Answers the kubelet's probes.
pub(crate) fn serve_socket(layout: &Layout, shared: &Arc<Shared>) -> Result<(), RunError> {
    let socket = layout.socket();
    if let Some(directory) = socket.parent() {
        std::fs::create_dir_all(directory)
            .map_err(|source| FileError::Write { path: directory.to_owned(), source })?;
    }
    server::serve_socket(&socket, shared.clone())
        .map_err(|source| RunError::Listen { address: socket.display().to_string(), source })?;
    Ok(())
}

/// The class path: Kafka's own jars, and those of others.
pub(crate) fn class_path(settings: &mut JvmSettings, layout: &Layout) -> Result<String, RunError> {
    settings.extra_class_path.extend(jars::below(&layout.further_jars()));
    settings.extra_class_path.retain(|jar| !plug_ins::is_exporter(jar));
    Ok(jvm::class_path(&layout.libs(), &settings.extra_class_path)?)
}

/// Prepares remote JMX, if it is asked for; returns who may connect.
pub(crate) fn remote_jmx(
    remote: Option<&RemoteJmx>,
    settings: &mut JvmSettings,
    layout: &Layout,
) -> Result<Option<jmx::Credentials>, RunError> {
    let Some(remote) = remote else { return Ok(None) };
    let credentials = jmx::read(remote)?;
    settings.extra_jvm_arguments.extend(jmx::prepare(remote, credentials.as_ref(), layout)?);
    Ok(credentials)
}

/// Jars of others that a process is to run with.
pub(crate) struct PlugIns<'a> {
    /// They.
    pub wanted: &'a [PlugIn],
    /// Jars beside the class path among which they may be.
    pub further: Vec<PathBuf>,
    /// What the log calls the process.
    pub program: &'static str,
}

/// Looks for the jars of others and fits the configuration to what is there; returns further arguments of the JVM.
pub(crate) fn find(
    plug_ins: &PlugIns<'_>,
    layout: &Layout,
    class_path: &str,
    configuration: &mut Rendered,
    shared: &Shared,
) -> Result<Vec<String>, RunError> {
    if plug_ins.wanted.is_empty() {
        return Ok(Vec::new());
    }
    let rules = layout.custom_config(keys::METRICS_CONFIG);
    let jars = class_path.split(':').map(PathBuf::from);
    let places = plug_ins::Places {
        class_path: jars.chain(plug_ins.further.iter().cloned()).collect(),
        folders: [layout.libs(), layout.further_jars()],
        exporter_rules: &rules,
    };
    let outcome = plug_ins::apply(plug_ins.wanted, &places, &mut configuration.properties)?;
    for plug_in in &outcome.missing {
        tracing::warn!(
            field = plug_in.field(),
            artifact = plug_in.artifact().unwrap_or_default(),
            "no jar of {} is there: {} runs without",
            plug_in.name(),
            plug_ins.program
        );
    }
    shared.node().plug_ins_missing(outcome.missing);
    Ok(outcome.arguments)
}

/// Writes `rack.id` for a program that has no agent: the value of a label of the Kubernetes node.
pub(crate) async fn write_rack(label: String, layout: &Layout) -> Result<u8, RunError> {
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
