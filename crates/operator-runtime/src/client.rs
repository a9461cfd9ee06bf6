//! The Kubernetes client: in-cluster or from `KUBECONFIG`, with deadlines.

use std::time::Duration;

use axum::http::{HeaderValue, header::USER_AGENT};
use kube::{Client, Config};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig file nor a service account was found.
    #[error("find the Kubernetes API: {0}; set KUBECONFIG, or run in a pod with a service account token")]
    Config(#[source] Box<kube::config::InferConfigError>),
    /// The configuration cannot be used, for example a broken certificate.
    #[error("make a client of the Kubernetes API at {url}: {source}")]
    Client {
        /// Address of the API server.
        url: String,
        /// What is wrong.
        #[source]
        source: Box<kube::Error>,
    },
    /// The user agent has characters that a header cannot have.
    #[error("user agent '{0}' is not a valid header value: use printable ASCII")]
    UserAgent(String),
}

/// How long connecting to the API server may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a connection may be silent before it counts as dead. Above the time limit of a watch (240 s), whose stream
/// is silent when nothing changes; single requests have their own, shorter deadline where they are made.
pub const SILENCE_TIMEOUT: Duration = Duration::from_secs(270);

/// Installs the one crypto provider of the process. Safe to call more than once, from any thread.
pub fn install_crypto_provider() {
    // An error only says that a provider is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// A client for the API server named by `KUBECONFIG`, else `~/.kube/config`, else of the pod's service account.
///
/// `user_agent` like `kastellan-topic-operator/0.1.0`.
pub async fn connect(user_agent: &str) -> Result<Client, ClientError> {
    install_crypto_provider();
    let config = Config::infer().await.map_err(|e| ClientError::Config(Box::new(e)))?;
    from_config(config, user_agent)
}

/// A client from a given configuration, with this module's deadlines.
pub fn from_config(mut config: Config, user_agent: &str) -> Result<Client, ClientError> {
    install_crypto_provider();
    config.connect_timeout = Some(CONNECT_TIMEOUT);
    config.write_timeout = Some(Duration::from_secs(30));
    config.read_timeout = Some(SILENCE_TIMEOUT);
    config.reset_reader_on_write = true;
    let agent =
        HeaderValue::from_str(user_agent).map_err(|_| ClientError::UserAgent(user_agent.to_owned()))?;
    config.headers.push((USER_AGENT, agent));
    let url = config.cluster_url.to_string();
    Client::try_from(config).map_err(|e| ClientError::Client { url, source: Box::new(e) })
}
