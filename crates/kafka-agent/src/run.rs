//! `run`: from the mounted configuration to a running Kafka, and until its end.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use api::names::keys;

use crate::config::{AgentConfig, Role};
use crate::files;
use crate::launch::{self, Command, ContainerSource, PlugIns, Prepared, write_node_files};
use crate::layout::Layout;
use crate::recovery::Recovery;
use crate::render::{self, Rendered};
use crate::run_error::RunError;
use crate::server::{self, Shared};
use crate::storage::{apply, observe, plan};
use crate::{jmx, jvm, keystore, tls_reload, watch};

/// Runs the node until Kafka ends; returns the exit code for the container. `port` is that of the HTTPS endpoint.
pub async fn run(layout: &Layout, port: u16) -> Result<u8, RunError> {
    launch::run(layout, "Kafka", async |shared| prepare(layout, port, shared).await).await
}

/// A node whose start is prepared.
struct KafkaNode {
    config: AgentConfig,
    /// Who may connect to remote JMX.
    jmx: Option<jmx::Credentials>,
    jvm: Command,
    recovery: Recovery,
}

impl Prepared for KafkaNode {
    fn jvm(&self) -> &Command {
        &self.jvm
    }

    fn recovery(&mut self) -> Recovery {
        std::mem::take(&mut self.recovery)
    }

    fn log_directories(&self) -> Vec<PathBuf> {
        self.config.all_directories()
    }

    async fn watch(self, layout: &Layout, shared: &Arc<Shared>) {
        tokio::join!(
            watch::listeners(&self.config, shared),
            watch::key_material(&self.config, shared),
            watch::jmx_password(self.config.jmx.as_ref(), self.jmx, layout),
        );
    }
}

/// Everything that comes before the JVM.
async fn prepare(layout: &Layout, port: u16, shared: &Arc<Shared>) -> Result<KafkaNode, RunError> {
    let text = files::read(&layout.custom_config(keys::AGENT_CONFIG))?;
    let mut config: AgentConfig = serde_json::from_str(&text).map_err(RunError::Config)?;
    for store in &config.keystores {
        keystore::update(store)?;
    }
    watch::load_identity(&config, shared)?;
    launch::serve_socket(layout, shared)?;
    server::serve_port(port, shared.clone(), config.internal_tls)
        .await
        .map_err(|source| RunError::Listen { address: format!("port {port}"), source })?;

    look_up_node(&config, layout).await?;
    let server_config = files::read(&layout.custom_config(keys::SERVER_CONFIG))?;
    let mut server_config = render::render(keys::SERVER_CONFIG, &server_config, &ContainerSource { layout })?;
    if let Some(certificates) = tls_reload::prepare(&config.keystores, &mut server_config.properties, layout)
    {
        config.jvm.extra_class_path.push(layout.tls_jar());
        config.jvm.extra_jvm_arguments.extend(certificates.jvm_arguments());
        shared.certificates_are_read_again(certificates);
    }
    let class_path = launch::class_path(&mut config.jvm, layout)?;
    let plug_ins = PlugIns { wanted: &config.plug_ins, further: Vec::new(), program: "Kafka" };
    let arguments = launch::find(&plug_ins, layout, &class_path, &mut server_config, shared)?;
    config.jvm.extra_jvm_arguments.extend(arguments);
    files::write(&layout.server_properties(), server_config.properties.to_text().as_bytes(), 0o600)?;

    let jmx = launch::remote_jmx(config.jmx.as_ref(), &mut config.jvm, layout)?;
    let kafka = jvm::Program { class: "kafka.Kafka", configuration: layout.server_properties() };
    let jvm = Command::new(&config.jvm, layout, &class_path, &kafka);
    // Formatting by Kafka's own tool and moving a metadata log take their time; meanwhile probes and signals are answered.
    let storage = {
        let (config, layout, program) = (config.clone(), layout.clone(), jvm.program.clone());
        move || prepare_storage(&config, &layout, &server_config, &class_path, &program)
    };
    let recovery = tokio::task::spawn_blocking(storage).await??;
    tracing::info!(
        pod = config.pod_name,
        node = config.node_id,
        heap = jvm.memory,
        milliseconds = shared.now().as_millis(),
        "starting Kafka"
    );
    Ok(KafkaNode { config, jmx, jvm, recovery })
}

/// Writes `rack.id` and `external.address` if the configuration needs them; otherwise nothing is asked.
async fn look_up_node(config: &AgentConfig, layout: &Layout) -> Result<(), RunError> {
    if !config.has_role(Role::Broker) {
        return Ok(());
    }
    write_node_files(config.rack.as_ref(), config.node_port_addresses, layout).await
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
            forget_vote = ?plan.forget_vote,
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
