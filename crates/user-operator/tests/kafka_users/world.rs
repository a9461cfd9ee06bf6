//! A Kafka node, a namespace in the API server, and an operator between them. There is one user operator per Kafka
//! cluster, as it removes users that have no resource: most tests share one world, those that break things have their own.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use api::KafkaUser;
use api::conditions::Condition;
use api::names;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kafka_admin::{AclBinding, AclFilter, Admin, AdminConfig, QuotaEntity, Sasl, ScramMechanism, TlsConfig};
use kube::Api;
use kube::api::{DeleteParams, ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use operator_runtime::metrics::Metrics;
use pki::CertificatePem;
use serde_json::{Value, json};
use test_support::{ApiServer, KafkaNode, KafkaOptions, Log, wait};
use tokio::sync::OnceCell;

use crate::operator::Running;

/// Generous, because the machine may be compiling.
pub const DEADLINE: Duration = Duration::from_mins(1);

struct Shared {
    server: &'static ApiServer,
    node: KafkaNode,
    namespace: String,
    operator: Running,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();

/// The Kafka node of a world.
pub enum Node {
    Shared(&'static KafkaNode),
    Own(Box<KafkaNode>),
}

impl Deref for Node {
    type Target = KafkaNode;

    fn deref(&self) -> &KafkaNode {
        match self {
            Self::Shared(node) => node,
            Self::Own(node) => node,
        }
    }
}

impl Node {
    /// To stop and start it.
    pub fn own(&mut self) -> &mut KafkaNode {
        match self {
            Self::Shared(_) => panic!("other tests use this node"),
            Self::Own(node) => node,
        }
    }
}

pub struct World {
    pub server: &'static ApiServer,
    pub node: Node,
    pub users: Api<KafkaUser>,
    pub secrets: Api<Secret>,
    pub admin: Admin,
    pub variables: BTreeMap<String, String>,
    /// The operator, in a world of its own.
    pub operator: Option<Running>,
    metrics: Metrics,
    log: Log,
}

fn secret(name: &str, data: &[(&str, &[u8])]) -> Secret {
    let data: BTreeMap<String, ByteString> =
        data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.to_vec()))).collect();
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(data),
        ..Secret::default()
    }
}

async fn install_crds(server: &ApiServer) {
    let crds: Vec<_> = api::crds::all().unwrap().into_iter().map(|file| file.crd).collect();
    server.install_crds(&crds).await.unwrap();
}

/// The name of the cluster.
const CLUSTER: &str = "my";

/// A namespace with the operator's own Secrets.
async fn furnish(server: &ApiServer, node: &KafkaNode) -> String {
    install_crds(server).await;
    let namespace = server.create_namespace("users").await.unwrap();
    furnish_cluster(server, node, &namespace, CLUSTER).await;
    namespace
}

/// The Secrets of the operator of a cluster.
async fn furnish_cluster(server: &ApiServer, node: &KafkaNode, namespace: &str, cluster: &str) {
    let secrets: Api<Secret> = Api::namespaced(server.client().await.unwrap(), namespace);
    let own = node.client_identity("admin").unwrap();
    let key = node.authority().key();
    for made in [
        secret(&names::clients_ca_cert_secret(cluster), &[("ca.crt", node.ca_pem().as_bytes())]),
        secret(&names::clients_ca_key_secret(cluster), &[("ca.key", key.as_bytes())]),
        secret(&names::cluster_ca_cert_secret(cluster), &[("ca.crt", node.ca_pem().as_bytes())]),
        secret(
            &names::entity_operator::user_operator_certs_secret(cluster),
            &[
                ("entity-operator.crt", own.certificate.as_bytes()),
                ("entity-operator.key", own.key.as_bytes()),
            ],
        ),
    ] {
        secrets.create(&PostParams::default(), &made).await.unwrap();
    }
}

fn variables(namespace: &str, node: &KafkaNode, cluster: &str) -> BTreeMap<String, String> {
    let variables = [
        ("STRIMZI_NAMESPACE", namespace),
        ("STRIMZI_LABELS", &format!("strimzi.io/cluster={cluster}")),
        ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", &node.tls_bootstrap()),
        ("STRIMZI_CLUSTER_CA_CERT_SECRET_NAME", &names::cluster_ca_cert_secret(cluster)),
        ("STRIMZI_EO_KEY_SECRET_NAME", &names::entity_operator::user_operator_certs_secret(cluster)),
        ("STRIMZI_CA_CERT_NAME", &names::clients_ca_cert_secret(cluster)),
        ("STRIMZI_CA_KEY_NAME", &names::clients_ca_key_secret(cluster)),
        ("STRIMZI_IGNORED_USERS_PATTERN", "ignored-.*"),
        ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000"),
        ("STRIMZI_CACHE_REFRESH_INTERVAL_MS", "1000"),
    ];
    variables.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

async fn share() -> Shared {
    let server = ApiServer::shared().await.unwrap();
    let node = KafkaNode::start(KafkaOptions::default()).await.unwrap();
    let namespace = furnish(server, &node).await;
    let operator = Running::start(server, &variables(&namespace, &node, CLUSTER)).await;
    Shared { server, node, namespace, operator }
}

impl World {
    /// The world that most tests share; its operator looks at everything every two seconds.
    pub async fn get() -> Self {
        let shared = SHARED.get_or_init(share).await;
        let mut world = Self::of(shared.server, &shared.namespace, Node::Shared(&shared.node), CLUSTER).await;
        world.metrics = shared.operator.metrics.clone();
        world.log = shared.operator.log.clone();
        world
    }

    /// A world of one's own in the shared API server. The operator does not run yet, and will not look at everything
    /// within an hour.
    pub async fn own() -> Self {
        Self::on(ApiServer::shared().await.unwrap()).await
    }

    /// With an API server of its own too, which may be stopped. It is killed at the end of the test process.
    pub async fn alone() -> Self {
        Self::on(Box::leak(Box::new(ApiServer::start().await.unwrap()))).await
    }

    async fn on(server: &'static ApiServer) -> Self {
        let node = KafkaNode::start(KafkaOptions::default()).await.unwrap();
        let namespace = furnish(server, &node).await;
        let node = Node::Own(Box::new(node));
        let mut world = Self::of(server, &namespace, node, CLUSTER).await;
        world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
        world
    }

    async fn of(server: &'static ApiServer, namespace: &str, node: Node, cluster: &str) -> Self {
        let client = server.client().await.unwrap();
        Self {
            server,
            users: Api::namespaced(client.clone(), namespace),
            secrets: Api::namespaced(client, namespace),
            admin: Admin::new(AdminConfig::brokers([node.bootstrap()])).unwrap(),
            variables: variables(namespace, &node, cluster),
            operator: None,
            metrics: Metrics::new().unwrap(),
            log: Log::default(),
            node,
        }
    }

    /// Another cluster in the same namespace, with a node of its own; its operator does not run yet.
    pub async fn beside(&self, cluster: &str) -> Self {
        let node = KafkaNode::start(KafkaOptions::default()).await.unwrap();
        let namespace = &self.variables["STRIMZI_NAMESPACE"];
        furnish_cluster(self.server, &node, namespace, cluster).await;
        let mut world = Self::of(self.server, namespace, Node::Own(Box::new(node)), cluster).await;
        world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
        world
    }

    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.insert(name.to_owned(), value.to_owned());
    }

    pub async fn start_operator(&mut self) {
        let running = Running::start(self.server, &self.variables).await;
        self.metrics = running.metrics.clone();
        self.log = running.log.clone();
        self.operator = Some(running);
    }

    /// As SIGTERM does.
    pub async fn stop_operator(&mut self) {
        self.operator.take().unwrap().stop().await;
    }

    /// As SIGKILL does.
    pub fn kill_operator(&mut self) {
        self.operator.take().unwrap().kill();
    }

    pub async fn create(&self, name: &str, spec: Value) {
        let user: KafkaUser = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": name, "labels": {"strimzi.io/cluster": "my"}}, "spec": spec,
        }))
        .unwrap();
        self.users.create(&PostParams::default(), &user).await.unwrap();
    }

    pub async fn patch(&self, name: &str, patch: Value) {
        self.users.patch(name, &PatchParams::default(), &Patch::Merge(patch)).await.unwrap();
    }

    pub async fn delete(&self, name: &str) {
        self.users.delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn make_secret(&self, name: &str, data: &[(&str, &[u8])]) {
        self.secrets.create(&PostParams::default(), &secret(name, data)).await.unwrap();
    }

    /// Sets entries of a Secret that exists.
    pub async fn change_secret(&self, name: &str, data: &[(&str, &[u8])]) {
        let change = Patch::Merge(json!({"data": secret(name, data).data}));
        self.secrets.patch(name, &PatchParams::default(), &change).await.unwrap();
    }

    /// Waits until the status speaks about the resource as it is now.
    pub async fn ready(&self, name: &str) -> KafkaUser {
        wait::for_object(&self.users, name, DEADLINE, "is Ready", |user: &KafkaUser| {
            current(user) && has(user, |condition| condition.is("Ready"))
        })
        .await
        .unwrap()
    }

    /// Waits for a NotReady condition, and returns its reason and message.
    pub async fn refused(&self, name: &str) -> (String, String) {
        let user = wait::for_object(&self.users, name, DEADLINE, "is NotReady", |user: &KafkaUser| {
            current(user) && has(user, |condition| condition.is("NotReady"))
        })
        .await
        .unwrap();
        let condition = user.status.unwrap().conditions.unwrap().remove(0);
        (condition.reason.unwrap(), condition.message.unwrap())
    }

    pub async fn secret(&self, name: &str) -> BTreeMap<String, String> {
        let secret = self.secrets.get(name).await.unwrap();
        let text = |bytes: ByteString| String::from_utf8_lossy(&bytes.0).into_owned();
        secret.data.unwrap().into_iter().map(|(key, value)| (key, text(value))).collect()
    }

    pub async fn acls(&self, username: &str) -> Vec<AclBinding> {
        let principal = format!("User:{username}");
        let all = self.admin.describe_acls(AclFilter::any()).await.unwrap();
        all.into_iter().filter(|binding| binding.principal == principal).collect()
    }

    pub async fn quotas(&self, username: &str) -> BTreeMap<String, f64> {
        let mut all = self.admin.describe_client_quotas().await.unwrap();
        all.remove(&QuotaEntity::user(username)).unwrap_or_default()
    }

    pub async fn has_password(&self, name: &str) -> bool {
        let all = self.admin.describe_scram_credentials().await.unwrap();
        all.get(name).is_some_and(|m| m.as_ref().is_ok_and(|m| m.contains_key(&ScramMechanism::Sha512)))
    }

    /// Waits until Kafka has nothing under either name of a user.
    pub async fn gone_from_kafka(&self, name: &str) {
        wait::until(DEADLINE, "the user is gone from Kafka", || async {
            let mut left = self.has_password(name).await;
            for username in [name.to_owned(), format!("CN={name}")] {
                left |= !self.acls(&username).await.is_empty() || !self.quotas(&username).await.is_empty();
            }
            (!left).then_some(())
        })
        .await
        .unwrap();
    }

    /// An admin client that logs in with the certificate of a user's Secret.
    pub fn with_certificate(&self, data: &BTreeMap<String, String>) -> Admin {
        let tls = TlsConfig::new(self.node.ca_pem())
            .with_identity(data["user.crt"].clone(), data["user.key"].clone());
        Admin::new(AdminConfig::brokers([self.node.tls_bootstrap()]).with_tls(tls)).unwrap()
    }

    /// An admin client that logs in with a password.
    pub fn with_password(&self, username: &str, password: &str) -> Admin {
        let sasl = Sasl::ScramSha512 { username: username.to_owned(), password: password.to_owned() };
        let config =
            AdminConfig::brokers([self.node.scram_bootstrap()]).with_tls(TlsConfig::new(self.node.ca_pem()));
        Admin::new(config.with_sasl(sasl).with_request_timeout(DEADLINE)).unwrap()
    }

    /// Waits until Kafka takes a password: brokers learn of it a moment after it was set.
    pub async fn logs_in(&self, username: &str, password: &str) {
        wait::until(DEADLINE, &format!("{username} can log in"), || async {
            self.with_password(username, password).describe_cluster().await.ok()
        })
        .await
        .unwrap();
    }

    /// Whether what is in a user's Secret fits: the certificate to its key, its user and its authority, which is today's.
    pub fn certificate_fits(&self, name: &str, data: &BTreeMap<String, String>) -> bool {
        let part = |key: &str| data.get(key).cloned().unwrap_or_default();
        let Ok(info) = pki::parse_certificate(&CertificatePem::new(part("user.crt"))) else { return false };
        let Ok(ca) = pki::parse_certificate(&CertificatePem::new(self.node.ca_pem())) else { return false };
        let key = pki::PrivateKeyPem::new(part("user.key"));
        part("ca.crt") == self.node.ca_pem()
            && info.common_name == name
            && info.issuer_der == ca.subject_der
            && issuer::key_matches_certificate(&key, &info).unwrap_or(false)
    }

    /// A metric of the operator, summed over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        let text = self.metrics.render().unwrap();
        let lines = text.lines().filter(|line| line.starts_with(&format!("{name}{{")));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until the operator has looked at everything so many times more.
    pub async fn passes(&self, count: f64) {
        let looked = || self.metric("strimzi_reconciliations_periodical_total");
        // A round is counted when it begins, and one may be under way.
        let until = looked() + count + 1.0;
        wait::until(DEADLINE, "the operator looks at everything again", || async {
            (looked() >= until).then_some(())
        })
        .await
        .unwrap();
    }

    /// All that the operator said so far, at the level TRACE.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// How often anybody read a single Secret from the API server.
    pub async fn secret_reads(&self) -> f64 {
        let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
        let text = self.server.client().await.unwrap().request_text(request).await.unwrap();
        let of_secrets = |line: &&str| {
            let parts = ["apiserver_request_total{", "resource=\"secrets\"", "verb=\"GET\""];
            parts.iter().all(|part| line.contains(part))
        };
        let lines = text.lines().filter(of_secrets);
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// The version of every user and Secret, to see what was written.
    pub async fn versions(&self) -> Vec<String> {
        let users = self.users.list(&ListParams::default()).await.unwrap().items;
        let secrets = self.secrets.list(&ListParams::default()).await.unwrap().items;
        let all = users.into_iter().map(|user| user.metadata);
        let all = all.chain(secrets.into_iter().map(|secret| secret.metadata));
        let mut versions: Vec<String> =
            all.map(|meta| format!("{:?} {:?}", meta.uid, meta.resource_version)).collect();
        versions.sort();
        versions
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(operator) = self.operator.take() {
            operator.kill();
        }
    }
}

pub fn current(user: &KafkaUser) -> bool {
    user.status.as_ref().and_then(|status| status.observed_generation) == user.metadata.generation
}

pub fn has(user: &KafkaUser, accept: impl Fn(&Condition) -> bool) -> bool {
    let conditions = user.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(accept))
}
