//! A real kube-apiserver with its etcd, on free loopback ports, with RBAC.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use base64::prelude::{BASE64_STANDARD, Engine};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ObjectMeta, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Api, Client, Config};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::binaries;
use crate::certificates::{self, Certificates};
use crate::child::Child;
use crate::port::free_port;
use crate::wait;

/// How long a start may take on a machine that is busy with compiling.
const START_DEADLINE: Duration = Duration::from_secs(90);

static SHARED: OnceCell<ApiServer> = OnceCell::const_new();

/// A running API server. Both processes are killed when it is dropped or when the test process ends.
#[derive(Debug)]
pub struct ApiServer {
    folder: TempDir,
    port: u16,
    etcd_port: u16,
    certificates: Certificates,
    namespaces: AtomicU32,
    server: Mutex<Option<Child>>,
    _etcd: Child,
}

impl ApiServer {
    /// Starts a server of its own, for tests that stop or restart it.
    pub async fn start() -> anyhow::Result<Self> {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        remove_leftovers();
        let prefix = format!("kastellan-api-{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().context("make a folder")?;
        let certificates = certificates::make(folder.path())?;
        let (port, etcd_port, peer_port) = (free_port()?, free_port()?, free_port()?);
        let etcd = Child::start(
            &binaries::kubernetes("etcd")?,
            &etcd_arguments(folder.path(), etcd_port, peer_port),
            &folder.path().join("etcd.log"),
        )?;
        let this = Self {
            folder,
            port,
            etcd_port,
            certificates,
            namespaces: AtomicU32::new(0),
            server: Mutex::new(None),
            _etcd: etcd,
        };
        this.resume().await?;
        Ok(this)
    }

    /// The server that all tests of this process share; each test makes its own namespace in it.
    pub async fn shared() -> anyhow::Result<&'static Self> {
        SHARED.get_or_try_init(Self::start).await
    }

    /// Kills the server; etcd and all objects stay.
    pub fn stop(&self) {
        let child = self.server.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(child);
    }

    /// Starts the server again after [`ApiServer::stop`], on the same port, and waits until it is ready.
    pub async fn resume(&self) -> anyhow::Result<()> {
        let arguments = server_arguments(self.folder.path(), self.port, self.etcd_port);
        let child = Child::start(
            &binaries::kubernetes("kube-apiserver")?,
            &arguments,
            &self.folder.path().join("kube-apiserver.log"),
        )?;
        *self.server.lock().unwrap_or_else(PoisonError::into_inner) = Some(child);
        let client = self.client().await?;
        let began = Instant::now();
        loop {
            let request = http::Request::get("/readyz").body(Vec::new()).context("make a request")?;
            let answer = tokio::time::timeout(Duration::from_secs(2), client.request_text(request)).await;
            if matches!(answer, Ok(Ok(_))) {
                return Ok(());
            }
            let (running, tail) = {
                let server = self.server.lock().unwrap_or_else(PoisonError::into_inner);
                let server = server.as_ref().context("the API server was stopped while it started")?;
                (server.is_running(), server.log_tail())
            };
            if !running || began.elapsed() > START_DEADLINE {
                bail!("the API server did not start within {} s:\n{tail}", began.elapsed().as_secs());
            }
            // The server tells nobody when it is ready.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills the server and starts it again.
    pub async fn restart(&self) -> anyhow::Result<()> {
        self.stop();
        self.resume().await
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("https://127.0.0.1:{}", self.port)
    }

    /// A client that may do everything. Make one per test: a client lives in the async runtime that made it.
    pub async fn client(&self) -> anyhow::Result<Client> {
        client_of(self.kubeconfig(&self.admin_user())).await
    }

    /// A client that may do what RBAC gives to this service account; the account is made when it does not exist.
    pub async fn client_for_service_account(&self, namespace: &str, name: &str) -> anyhow::Result<Client> {
        client_of(self.kubeconfig(&json!({ "token": self.token(namespace, name).await? }))).await
    }

    /// Kubeconfig file of the administrator, to start a program with `KUBECONFIG`.
    pub fn admin_kubeconfig_file(&self) -> anyhow::Result<PathBuf> {
        self.write_kubeconfig("admin", &self.admin_user())
    }

    /// Kubeconfig file of a service account; its token lasts an hour.
    pub async fn service_account_kubeconfig_file(
        &self,
        namespace: &str,
        name: &str,
    ) -> anyhow::Result<PathBuf> {
        let token = self.token(namespace, name).await?;
        self.write_kubeconfig(&format!("{namespace}-{name}"), &json!({ "token": token }))
    }

    /// Requests with these verbs for these resources (plural) so far, by anybody, as the server counts them.
    pub async fn requests(&self, resources: &[&str], verbs: &[&str]) -> anyhow::Result<f64> {
        let request = http::Request::get("/metrics").body(Vec::new()).context("make a request")?;
        let text = self.client().await?.request_text(request).await.context("read the server's metrics")?;
        let counts = |line: &&str| {
            line.starts_with("apiserver_request_total{")
                && resources.iter().any(|name| line.contains(&format!("resource=\"{name}\"")))
                && verbs.iter().any(|verb| line.contains(&format!("verb=\"{verb}\"")))
        };
        Ok(text.lines().filter(counts).filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum())
    }

    /// Takes an object out of etcd, whatever finalizers it has; `path`: resource with its group, namespace and name, for example
    /// `kafka.strimzi.io/kafkatopics/ns/name`. A deletion that the server began before an object got its finalizer ends like that.
    pub async fn delete_despite_finalizers(&self, path: &str) -> anyhow::Result<()> {
        let etcd =
            Config::new(format!("http://127.0.0.1:{}", self.etcd_port).parse().context("etcd's address")?);
        let body = json!({"key": BASE64_STANDARD.encode(format!("/registry/{path}"))}).to_string();
        let request =
            http::Request::post("/v3/kv/deleterange").body(body.into_bytes()).context("make a request")?;
        let answer = Client::try_from(etcd)?.request_text(request).await.context("delete in etcd")?;
        anyhow::ensure!(answer.contains(r#""deleted":"1""#), "etcd has no {path}: {answer}");
        Ok(())
    }

    /// A new namespace whose name begins with `prefix` and is used once in this server.
    pub async fn create_namespace(&self, prefix: &str) -> anyhow::Result<String> {
        let number = self.namespaces.fetch_add(1, Ordering::Relaxed);
        let name = format!("{prefix}-{number}");
        let namespace = Namespace {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            ..Namespace::default()
        };
        let api: Api<Namespace> = Api::all(self.client().await?);
        api.create(&PostParams::default(), &namespace)
            .await
            .with_context(|| format!("create namespace {name}"))?;
        Ok(name)
    }

    /// Applies custom resource definitions and waits until the server serves them. Can be called by every test.
    pub async fn install_crds(&self, crds: &[CustomResourceDefinition]) -> anyhow::Result<()> {
        let api: Api<CustomResourceDefinition> = Api::all(self.client().await?);
        let params = PatchParams::apply("test-support").force();
        for crd in crds {
            let name = crd.metadata.name.clone().context("a definition has no name")?;
            let mut value = serde_json::to_value(crd).context("write a definition as JSON")?;
            value["apiVersion"] = "apiextensions.k8s.io/v1".into();
            value["kind"] = "CustomResourceDefinition".into();
            api.patch(&name, &params, &Patch::Apply(&value))
                .await
                .with_context(|| format!("install {name}"))?;
        }
        for name in crds.iter().filter_map(|crd| crd.metadata.name.as_deref()) {
            wait::for_object(&api, name, START_DEADLINE, "is established", |crd| {
                let conditions = crd.status.as_ref().and_then(|status| status.conditions.as_ref());
                conditions
                    .is_some_and(|all| all.iter().any(|c| c.type_ == "Established" && c.status == "True"))
            })
            .await?;
        }
        Ok(())
    }

    /// Starts the real kube-controller-manager with these controllers only, for example `garbage-collector-controller`,
    /// `namespace-controller`, `deployment-controller`. They end when the value is dropped.
    pub fn start_controllers(&self, controllers: &[&str]) -> anyhow::Result<Child> {
        let kubeconfig = self.admin_kubeconfig_file()?;
        let port = free_port()?;
        let arguments = [
            format!("--kubeconfig={}", kubeconfig.display()),
            format!("--controllers={}", controllers.join(",")),
            format!("--secure-port={port}"),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--cert-dir={}", self.folder.path().join("kcm").display()),
            "--leader-elect=false".to_owned(),
            "--use-service-account-credentials=false".to_owned(),
        ];
        Child::start(
            &binaries::kubernetes("kube-controller-manager")?,
            &arguments,
            &self.folder.path().join("controllers.log"),
        )
    }

    async fn token(&self, namespace: &str, name: &str) -> anyhow::Result<String> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client().await?, namespace);
        let account = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "name": name, "namespace": namespace },
        });
        let params = PatchParams::apply("test-support");
        api.patch(name, &params, &Patch::Apply(&account))
            .await
            .with_context(|| format!("create service account {namespace}/{name}"))?;
        let wanted = TokenRequest {
            spec: TokenRequestSpec { expiration_seconds: Some(3600), ..TokenRequestSpec::default() },
            ..TokenRequest::default()
        };
        let made = api.create_token_request(name, &PostParams::default(), &wanted).await;
        let made = made.with_context(|| format!("make a token for service account {namespace}/{name}"))?;
        made.status.map(|status| status.token).context("the server gave no token")
    }

    fn admin_user(&self) -> Value {
        json!({
            "client-certificate-data": base64(self.certificates.admin_certificate.as_bytes()),
            "client-key-data": base64(self.certificates.admin_key.as_bytes()),
        })
    }

    fn kubeconfig(&self, user: &Value) -> Value {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": {
                "server": self.url(), "certificate-authority-data": base64(self.certificates.ca.as_bytes()),
            } }],
            "users": [{ "name": "test", "user": user }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test", "namespace": "default" } }],
        })
    }

    /// JSON is YAML.
    fn write_kubeconfig(&self, name: &str, user: &Value) -> anyhow::Result<PathBuf> {
        let path = self.folder.path().join(format!("{name}.kubeconfig"));
        std::fs::write(&path, self.kubeconfig(user).to_string())
            .with_context(|| format!("write {}", path.display()))?;
        Ok(path)
    }
}

async fn client_of(kubeconfig: Value) -> anyhow::Result<Client> {
    let kubeconfig: Kubeconfig = serde_json::from_value(kubeconfig).context("read the kubeconfig")?;
    let config = Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await;
    let mut config = config.context("use the kubeconfig")?;
    // A test is told what the server says, also that it should come again.
    config.default_retry = false;
    Client::try_from(config).context("make a client")
}

fn etcd_arguments(folder: &Path, port: u16, peer_port: u16) -> Vec<String> {
    vec![
        format!("--data-dir={}", folder.join("etcd").display()),
        format!("--listen-client-urls=http://127.0.0.1:{port}"),
        format!("--advertise-client-urls=http://127.0.0.1:{port}"),
        format!("--listen-peer-urls=http://127.0.0.1:{peer_port}"),
        format!("--initial-advertise-peer-urls=http://127.0.0.1:{peer_port}"),
        format!("--initial-cluster=default=http://127.0.0.1:{peer_port}"),
        "--unsafe-no-fsync".to_owned(),
        "--log-level=error".to_owned(),
    ]
}

fn server_arguments(folder: &Path, port: u16, etcd_port: u16) -> Vec<String> {
    let file = |name: &str| folder.join(name).display().to_string();
    vec![
        format!("--etcd-servers=http://127.0.0.1:{etcd_port}"),
        format!("--secure-port={port}"),
        "--bind-address=127.0.0.1".to_owned(),
        "--advertise-address=127.0.0.1".to_owned(),
        format!("--cert-dir={}", file("generated")),
        format!("--tls-cert-file={}", file("server.crt")),
        format!("--tls-private-key-file={}", file("server.key")),
        format!("--client-ca-file={}", file("ca.crt")),
        format!("--service-account-key-file={}", file("sa.pub")),
        format!("--service-account-signing-key-file={}", file("sa.key")),
        "--service-account-issuer=https://kubernetes.default.svc".to_owned(),
        "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
        "--authorization-mode=RBAC".to_owned(),
        "--allow-privileged=true".to_owned(),
        // No controller makes the `default` service accounts or removes the protection of volumes.
        "--disable-admission-plugins=ServiceAccount,StorageObjectInUseProtection".to_owned(),
        // The rest saves the machine's time. Fairness between clients is work with every request, and a test has few clients.
        "--enable-priority-and-fairness=false".to_owned(),
        "--profiling=false".to_owned(),
        "--shutdown-delay-duration=0s".to_owned(),
        "-v=0".to_owned(),
    ]
}

/// Removes the folders of test processes that ended without cleaning up (a shared server is never dropped).
fn remove_leftovers() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Some(rest) = name.strip_prefix("kastellan-api-") else { continue };
        let id = rest.split('-').next().unwrap_or_default();
        if id.parse::<u32>().is_ok() && !Path::new("/proc").join(id).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    // Kubernetes' own type writes bytes as base64.
    let text = serde_json::to_value(k8s_openapi::ByteString(bytes.to_vec()));
    text.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Definitions that bound no number, as those of Strimzi: what they accept, an operator cannot always read.
pub fn without_bounds(
    mut crds: Vec<CustomResourceDefinition>,
) -> anyhow::Result<Vec<CustomResourceDefinition>> {
    for crd in &mut crds {
        let mut value = serde_json::to_value(&*crd).context("write a definition as JSON")?;
        drop_bounds(&mut value);
        *crd = serde_json::from_value(value).context("read a definition")?;
    }
    Ok(crds)
}

fn drop_bounds(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields
                .retain(|name, value| !(matches!(name.as_str(), "minimum" | "maximum") && value.is_number()));
            fields.values_mut().for_each(drop_bounds);
        }
        Value::Array(items) => items.iter_mut().for_each(drop_bounds),
        _ => {}
    }
}
