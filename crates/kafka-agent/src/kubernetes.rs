//! One question to the API server: the Node object that the pod runs on.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::header::HeaderValue;
use hyper::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::keystore::pem_flaw;
use crate::layout::Layout;
use crate::node_info::Node;

/// No Node object is larger.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(10);
/// How often it is tried before the container ends and is restarted.
const ATTEMPTS: u32 = 15;
/// Pause between attempts.
const PAUSE: Duration = Duration::from_secs(2);

/// The node could not be looked up.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The container lacks a variable.
    #[error("cannot look up the node: the container has no environment variable {0}")]
    NoVariable(&'static str),
    /// The service account is not mounted or not readable.
    #[error(
        "cannot look up node {node}: cannot read {path} ({reason}); the pod needs its service account token"
    )]
    ServiceAccount {
        /// The node.
        node: String,
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The API server was not reached.
    #[error("cannot look up node {node} at {server}: {reason}")]
    Unreachable {
        /// The node.
        node: String,
        /// The API server.
        server: String,
        /// Why.
        reason: String,
    },
    /// The API server refused.
    #[error("cannot look up node {node}: the API server answered {status}; {hint}")]
    Refused {
        /// The node.
        node: String,
        /// Its answer.
        status: StatusCode,
        /// What to do.
        hint: &'static str,
    },
}

/// Asks the API server for the node `NODE_NAME` with the pod's service account, again and again while it is not reachable.
pub async fn look_up_node(layout: &Layout) -> Result<(String, Node), LookupError> {
    let variable = |name: &'static str| std::env::var(name).map_err(|_| LookupError::NoVariable(name));
    let node = variable(api::env::node::NODE_NAME)?;
    let host = variable("KUBERNETES_SERVICE_HOST")?;
    let port = variable("KUBERNETES_SERVICE_PORT")?;
    let mut attempt = 1;
    loop {
        let asked = tokio::time::timeout(ATTEMPT, ask(layout, &host, &port, &node)).await;
        let error = match asked {
            Ok(Ok(found)) => return Ok((node, found)),
            Ok(Err(error)) => error,
            Err(_) => LookupError::Unreachable {
                node: node.clone(),
                server: format!("{host}:{port}"),
                reason: "no answer in time".to_owned(),
            },
        };
        if attempt == ATTEMPTS {
            return Err(error);
        }
        tracing::warn!(attempt, %error, "trying again");
        attempt += 1;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask(layout: &Layout, host: &str, port: &str, node: &str) -> Result<Node, LookupError> {
    let account = layout.service_account();
    let unreadable = |file: &str, reason: String| LookupError::ServiceAccount {
        node: node.to_owned(),
        path: account.join(file),
        reason,
    };
    let token = std::fs::read_to_string(account.join("token"))
        .map_err(|error| unreadable("token", error.to_string()))?;
    let mut roots = RootCertStore::empty();
    let authorities = CertificateDer::pem_file_iter(account.join("ca.crt"))
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| unreadable("ca.crt", pem_flaw(&error)))?;
    for authority in authorities {
        roots.add(authority).map_err(|error| unreadable("ca.crt", error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(unreadable("ca.crt", "it has no certificate".to_owned()));
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let server = if bare.contains(':') { format!("[{bare}]:{port}") } else { format!("{bare}:{port}") };
    let failed = |error: &dyn std::fmt::Display| LookupError::Unreachable {
        node: node.to_owned(),
        server: server.clone(),
        reason: error.to_string(),
    };
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| failed(&error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| failed(&error))?;
    let stream = TcpStream::connect(&server).await.map_err(|error| failed(&error))?;
    let stream =
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| failed(&error))?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| failed(&error))?;
    let connection = tokio::spawn(connection);
    let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.trim()))
        .map_err(|error| unreadable("token", error.to_string()))?;
    // Never shown, not even by a trace of the HTTP library.
    authorization.set_sensitive(true);
    let request = Request::get(format!("/api/v1/nodes/{node}"))
        .header(header::HOST, &server)
        .header(header::AUTHORIZATION, authorization)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|error| failed(&error))?;
    let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
    let status = response.status();
    if status != StatusCode::OK {
        let hint = match status {
            StatusCode::FORBIDDEN => {
                "the cluster operator has to be allowed to make the ClusterRoleBinding of the brokers"
            }
            StatusCode::NOT_FOUND => "the node was removed meanwhile",
            _ => "see the API server's log",
        };
        return Err(LookupError::Refused { node: node.to_owned(), status, hint });
    }
    let body =
        Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(|error| failed(&error))?;
    connection.abort();
    serde_json::from_slice(&body.to_bytes()).map_err(|error| failed(&error))
}
