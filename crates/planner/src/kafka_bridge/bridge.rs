//! What a KafkaBridge asks for.

use ::objects::{Owner, Pairs};
use api::kafka_bridge::KafkaBridgeTemplate;
use api::labels::component;
use api::names::{bridge as names, service_dns};
use k8s_openapi::api::core::v1::ResourceRequirements;

use crate::clients::Access;
use crate::clients::files::ClientFiles;
use crate::ownership::Claimant;
use crate::process::Logging;
use crate::rack::Rack;
use crate::workload::labels::component_labels;
use crate::workload::probe::Probe;

/// A bridge, as it is to be.
#[derive(Debug, Clone)]
pub struct Bridge {
    /// The resource.
    pub owner: Owner,
    /// How many pods there are.
    pub replicas: i32,
    /// Their image.
    pub image: String,
    /// Which program runs.
    pub program: Program,
    /// The HTTP server.
    pub http: Http,
    /// `application.properties`. Passwords are placeholders.
    pub properties: String,
    /// Loggers and levels.
    pub logging: Logging,
    /// Rules of the JMX exporter, which the bridge in Java has.
    pub rules: Option<String>,
    /// Where the rack comes from.
    pub rack: Option<Rack>,
    /// How Kafka is reached.
    pub access: Access,
    /// Where the files are for that.
    pub files: ClientFiles,
    /// The trusted certificates; `None`: no Secret names any.
    pub trusted: Option<String>,
    /// Hash of what it trusts and proves itself by.
    pub auth_hash: String,
    /// Liveness probe.
    pub liveness: Probe,
    /// Readiness probe.
    pub readiness: Probe,
    /// Resources of the container.
    pub resources: Option<ResourceRequirements>,
    /// The user's additions.
    pub templates: KafkaBridgeTemplate,
}

/// Which program runs in the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// `kafka-bridge`.
    Own,
    /// Strimzi's bridge in Java, with the environment variables that it is started with.
    Java(Vec<(&'static str, String)>),
}

/// The HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// Its port.
    pub port: i32,
    /// Its certificate; `None`: it speaks without TLS.
    pub certificate: Option<HttpCertificate>,
}

/// The certificate of the HTTP server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCertificate {
    /// The Secret.
    pub secret: String,
    /// The key with the certificate.
    pub certificate: String,
    /// The key with the private key.
    pub key: String,
    /// Hash of both.
    pub hash: String,
}

impl HttpCertificate {
    /// The folder in the container with both.
    pub fn folder(&self) -> String {
        format!("{}/{}", api::bridge::HTTP_CERTIFICATES, self.secret)
    }
}

impl Bridge {
    /// The name of the component: of the Deployment, the ServiceAccount, the PodDisruptionBudget and the container.
    pub fn component(&self) -> String {
        names::component(&self.owner.name)
    }

    /// The labels of its objects.
    pub fn labels(&self) -> Pairs {
        component_labels(&self.owner, &self.component(), component::KAFKA_BRIDGE)
    }

    /// The labels by which its pods are selected.
    pub fn selector(&self) -> Pairs {
        api::labels::selector(&self.labels())
    }

    /// Where HTTP clients reach it.
    pub fn url(&self) -> String {
        let scheme = if self.http.certificate.is_some() { "https" } else { "http" };
        let host = service_dns(&names::service(&self.owner.name), &self.owner.namespace);
        format!("{scheme}://{host}:{}", self.http.port)
    }

    /// The KafkaBridge as the claimant of its objects' names.
    pub fn claimant(&self) -> Claimant<'_> {
        Claimant {
            kind: &self.owner.kind,
            namespace: &self.owner.namespace,
            name: &self.owner.name,
            parts: Vec::new(),
        }
    }
}
