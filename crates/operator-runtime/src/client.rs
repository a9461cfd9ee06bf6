//! The Kubernetes client: of a pod's service account, or from `KUBECONFIG`; with deadlines.

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use http::{HeaderValue, header::USER_AGENT};
use kube::config::KubeConfigOptions;
use kube::{Client, Config};

use crate::kubeconfig::{self, KubeconfigError};

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Neither a kubeconfig file nor a service account was found.
    #[error("find the Kubernetes API: {0}; set KUBECONFIG, or run in a pod with a service account token")]
    Config(#[source] Box<KubeconfigError>),
    /// The service account of the pod cannot be used.
    #[error("find the Kubernetes API by the pod's service account: {0}")]
    Pod(#[source] Box<kube::config::InClusterError>),
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

/// Where a pod finds the token of its service account.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// A client for the API server. In a pod that has a service account, of that account; elsewhere the one named by
/// `KUBECONFIG`, else by `~/.kube/config`.
///
/// `user_agent` like `kastellan-topic-operator/0.1.0`.
pub async fn connect(user_agent: &str) -> Result<Client, ClientError> {
    install_crypto_provider();
    let config = if is_pod(std::env::var_os("KUBERNETES_SERVICE_HOST").as_deref(), Path::new(POD_TOKEN)) {
        Config::incluster().map_err(|error| ClientError::Pod(Box::new(error)))?
    } else {
        outside_a_pod().await?
    };
    from_config(config, user_agent)
}

/// By a kubeconfig file; where none can be used, by what there is of a service account.
async fn outside_a_pod() -> Result<Config, ClientError> {
    let mut config = match of_kubeconfig().await {
        Ok(config) => config,
        Err(error) => Config::incluster().map_err(|_| ClientError::Config(Box::new(error)))?,
    };
    config.apply_debug_overrides();
    Ok(config)
}

async fn of_kubeconfig() -> Result<Config, KubeconfigError> {
    let config = Config::from_custom_kubeconfig(kubeconfig::read()?, &KubeConfigOptions::default()).await;
    config.map_err(|error| KubeconfigError::Unusable(Box::new(error)))
}

/// Whether the process runs in a pod with a service account. Templates can give the containers of an entity operator
/// variables and files, so that `KUBECONFIG` must not have the account's token sent elsewhere.
fn is_pod(service: Option<&OsStr>, token: &Path) -> bool {
    service.is_some_and(|service| !service.is_empty()) && token.exists()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_with_a_service_account_uses_nothing_else() {
        let token = std::env::current_exe().unwrap();
        let (here, nowhere) = (token.as_path(), Path::new("/does/not/exist"));
        assert!(is_pod(Some(OsStr::new("10.0.0.1")), here));
        assert!(!is_pod(Some(OsStr::new("10.0.0.1")), nowhere), "a pod without a token needs a kubeconfig");
        assert!(!is_pod(None, here) && !is_pod(Some(OsStr::new("")), here));
    }
}
