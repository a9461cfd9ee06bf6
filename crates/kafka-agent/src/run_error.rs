//! Why a node or a worker cannot be run.

use std::path::PathBuf;

use crate::files::FileError;
use crate::kubernetes::LookupError;
use crate::node_info::NodeError;
use crate::storage::{apply, observe, plan};
use crate::{jmx, jvm, keystore, plug_ins, render, tls};

/// A node or a worker cannot be run.
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
