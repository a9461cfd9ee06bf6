//! `connect`: a worker of Kafka Connect, from the mounted configuration to its end.
//!
//! What it has in common with a Kafka node is in [`crate::launch`]; it has no storage, and its own REST API tells how it is.

use std::path::Path;
use std::sync::Arc;

use api::agent::container::{INTERCEPTOR_FILES, JAAS_PASSWORDS, NOTHING};
use api::agent::{JaasPassword, PlugIn, RemoteJmx};
use api::connect::{CONFIG_PROVIDERS, DIRECTORY_PROVIDER, FILE_PROVIDER};
use api::plug_in::INTERCEPTORS;

use crate::config::WorkerConfig;
use crate::files::{self, FileError};
use crate::launch::{self, Command, ContainerSource, PlugIns, Prepared, write_node_files};
use crate::layout::Layout;
use crate::properties::Properties;
use crate::run_error::RunError;
use crate::server::{self, Shared};
use crate::{jars, jmx, jvm, keystore, render, watch};

/// The class that runs a worker.
const CLASS: &str = "org.apache.kafka.connect.cli.ConnectDistributed";

/// Runs the worker until it ends; returns the exit code for the container.
///
/// # Errors
/// When it cannot be started.
pub async fn run(layout: &Layout) -> Result<u8, RunError> {
    launch::run(layout, "the worker", async |shared| prepare(layout, shared).await).await
}

/// A worker whose start is prepared.
struct Worker {
    rest_port: u16,
    /// Remote JMX, and who may connect to it.
    remote: Option<RemoteJmx>,
    jmx: Option<jmx::Credentials>,
    jvm: Command,
}

impl Prepared for Worker {
    fn jvm(&self) -> &Command {
        &self.jvm
    }

    async fn watch(self, layout: &Layout, shared: &Arc<Shared>) {
        let Self { rest_port, remote, jmx, .. } = self;
        tokio::join!(watch::worker(rest_port, shared), watch::jmx_password(remote.as_ref(), jmx, layout));
    }
}

/// Everything that comes before the JVM.
async fn prepare(layout: &Layout, shared: &Arc<Shared>) -> Result<Worker, RunError> {
    let text = files::read(&layout.custom_config(api::names::keys::AGENT_CONFIG))?;
    let mut config: WorkerConfig = serde_json::from_str(&text).map_err(RunError::Config)?;
    launch::serve_socket(layout, shared)?;
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
    leave_out_missing_folders(&mut rendered.properties, layout)?;

    let class_path = launch::class_path(&mut config.jvm, layout)?;
    // The jars of its plug-ins count too.
    let further = jars::below(&layout.worker_plug_ins());
    let plug_ins = PlugIns { wanted: &config.plug_ins, further, program: "the worker" };
    let arguments = launch::find(&plug_ins, layout, &class_path, &mut rendered, shared)?;
    config.jvm.extra_jvm_arguments.extend(arguments);
    if config.plug_ins.iter().any(|plug_in| *plug_in != PlugIn::SecretsProvider) {
        tell_what_is_missing(shared).await;
    }
    if config.plug_ins.contains(&PlugIn::Tracing) {
        write_interceptors(&rendered.properties, layout)?;
    }
    files::write(&layout.worker_properties(), rendered.properties.to_text().as_bytes(), 0o600)?;

    let jmx = launch::remote_jmx(config.jmx.as_ref(), &mut config.jvm, layout)?;
    let worker = jvm::Program { class: CLASS, configuration: layout.worker_properties() };
    let jvm = Command::new(&config.jvm, layout, &class_path, &worker);
    tracing::info!(
        heap = jvm.memory,
        milliseconds = shared.now().as_millis(),
        "starting a worker of Kafka Connect"
    );
    Ok(Worker { rest_port: config.rest_port, remote: config.jmx, jmx, jvm })
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

/// Answers the operator's question which jars were not found. A worker has no certificate to do so with; what it says is in its log, too.
async fn tell_what_is_missing(shared: &Arc<Shared>) {
    let port = api::ports::KAFKA_AGENT as u16;
    if let Err(error) = server::serve_port(port, shared.clone(), false).await {
        tracing::warn!(port, %error, "the operator cannot be told which jars are missing");
    }
}

/// Writes the interceptors that the worker has for those of its connectors' clients that have options of their own.
fn write_interceptors(properties: &Properties, layout: &Layout) -> Result<(), FileError> {
    let folder = layout.absolute(Path::new(JAAS_PASSWORDS));
    std::fs::create_dir_all(&folder).map_err(|source| FileError::Write { path: folder.clone(), source })?;
    for (file, option) in INTERCEPTOR_FILES.into_iter().zip(INTERCEPTORS) {
        let classes = properties.get(option).unwrap_or_default();
        files::write(&folder.join(file), classes.as_bytes(), 0o600)?;
    }
    Ok(())
}

/// Takes folders that are not there out of those that the providers of files may read: Kafka does not start with such a folder, and not
/// every image has `/mnt`. Where none is there an empty one takes their place, since without a list every folder may be read.
fn leave_out_missing_folders(properties: &mut Properties, layout: &Layout) -> Result<(), FileError> {
    for provider in [FILE_PROVIDER, DIRECTORY_PROVIDER] {
        let option = format!("{CONFIG_PROVIDERS}.{provider}.param.allowed.paths");
        let Some(listed) = properties.get(&option) else { continue };
        let there = listed.split(',').filter(|folder| layout.absolute(Path::new(folder.trim())).exists());
        let there: Vec<&str> = there.collect();
        let mut readable = there.join(",");
        if there.is_empty() {
            let path = layout.absolute(Path::new(NOTHING));
            std::fs::create_dir_all(&path).map_err(|source| FileError::Write { path, source })?;
            NOTHING.clone_into(&mut readable);
        }
        properties.set(option, readable);
    }
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
    fn clients_of_connectors_have_the_interceptors_of_the_worker_or_none() {
        let root = tempfile::tempdir().unwrap();
        let layout = Layout::new(root.path());
        let properties: Properties = [(INTERCEPTORS[0], "a.B")].into_iter().collect();
        write_interceptors(&properties, &layout).unwrap();
        let read = |file| std::fs::read_to_string(root.path().join("var/opt/kafka/jaas").join(file)).unwrap();
        assert_eq!(
            (read("consumer-interceptors").as_str(), read("producer-interceptors").as_str()),
            ("a.B", "")
        );
    }

    #[test]
    fn a_folder_that_the_image_lacks_keeps_no_worker_from_its_start() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("opt/kafka")).unwrap();
        let layout = Layout::new(root.path());
        let option = "config.providers.strimzidir.param.allowed.paths";
        let mut properties: Properties = [(option, "/opt/kafka,/mnt")].into_iter().collect();
        leave_out_missing_folders(&mut properties, &layout).unwrap();
        assert_eq!(properties.get(option), Some("/opt/kafka"));
        let of_files = "config.providers.strimzifile.param.allowed.paths";
        let mut nowhere: Properties = [(option, "/srv"), (of_files, "/mnt,/srv")].into_iter().collect();
        leave_out_missing_folders(&mut nowhere, &layout).unwrap();
        for option in [option, of_files] {
            assert_eq!(nowhere.get(option), Some(NOTHING), "no list would open every folder");
        }
        assert!(
            layout.absolute(Path::new(NOTHING)).is_dir(),
            "Kafka does not start with a folder that is not there"
        );
    }
}
