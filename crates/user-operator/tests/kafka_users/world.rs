//! A Kafka node, a namespace in the API server, and an operator between them. There is one user operator per Kafka
//! cluster, as it removes users that have no resource: most tests share one world, those that break things have their own.

use std::collections::BTreeMap;
use std::ops::{Deref, DerefMut};

use api::KafkaUser;
use api::names;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kafka_admin::{AclBinding, AclFilter, Admin, AdminConfig, QuotaEntity, Sasl, ScramMechanism, TlsConfig};
use kube::Api;
use kube::api::{ListParams, ObjectMeta, Patch, PatchParams, PostParams};
use operator_runtime::entity::Operator;
use operator_runtime::env::Env;
use operator_runtime::program::Parts;
use pki::CertificatePem;
use serde_json::{Value, json};
use test_support::{ApiServer, KafkaNode, KafkaOptions, Log, wait};
use test_world::{Running, UnderTest};
use tokio::sync::OnceCell;
use user_operator::Settings;

pub(crate) use test_world::DEADLINE;
pub(crate) use test_world::conditions::{has, is_current as current};

/// Everything that the operator says is kept, so that it can be looked through for secrets.
const LEVEL: &str = "TRACE";

struct Shared {
    server: &'static ApiServer,
    node: KafkaNode,
    namespace: String,
    operator: Running<UserOperator>,
    log: Log,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();

/// The Kafka node of a world.
pub(crate) enum Node {
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
    pub(crate) fn own(&mut self) -> &mut KafkaNode {
        match self {
            Self::Shared(_) => panic!("other tests use this node"),
            Self::Own(node) => node,
        }
    }
}

/// The operator under test.
pub(crate) struct UserOperator;

impl UnderTest for UserOperator {
    type Resource = KafkaUser;
    type Operator = Operator;

    fn start(env: &Env, parts: &Parts) -> Operator {
        user_operator::start(Settings::from_env(env).unwrap(), parts).unwrap()
    }

    async fn ended(operator: Operator) {
        operator.ended().await;
    }
}

pub(crate) struct World {
    common: test_world::World<UserOperator>,
    pub node: Node,
    pub secrets: Api<Secret>,
    pub admin: Admin,
}

impl Deref for World {
    type Target = test_world::World<UserOperator>;

    fn deref(&self) -> &Self::Target {
        &self.common
    }
}

impl DerefMut for World {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.common
    }
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

/// The name of the cluster.
const CLUSTER: &str = "my";

/// A namespace with the operator's own Secrets.
async fn furnish(server: &ApiServer, node: &KafkaNode) -> String {
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
    let server = test_world::shared_server().await;
    let node = KafkaNode::start(KafkaOptions::default()).await.unwrap();
    let namespace = furnish(server, &node).await;
    let (variables, log) = (variables(&namespace, &node, CLUSTER), Log::default());
    let operator = Running::start(server, None, &variables, &log, LEVEL, (None, None)).await;
    Shared { server, node, namespace, operator, log }
}

impl World {
    /// The world that most tests share; its operator looks at everything every two seconds.
    pub(crate) async fn get() -> Self {
        let shared = SHARED.get_or_init(share).await;
        let mut world = Self::of(shared.server, &shared.namespace, Node::Shared(&shared.node), CLUSTER).await;
        world.metrics = shared.operator.metrics.clone();
        world.log = shared.log.clone();
        world
    }

    /// A world of one's own in the shared API server. The operator does not run yet, and will not look at everything
    /// within an hour.
    pub(crate) async fn own() -> Self {
        Self::on(test_world::shared_server().await).await
    }

    /// With an API server of its own too, which may be stopped.
    pub(crate) async fn alone() -> Self {
        Self::on(test_world::own_server().await).await
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
        let mut common = test_world::World::within(server, namespace).await;
        common.variables = variables(namespace, &node, cluster);
        common.level = LEVEL;
        Self {
            secrets: Api::namespaced(common.client.clone(), namespace),
            admin: Admin::new(AdminConfig::brokers([node.bootstrap()])).unwrap(),
            common,
            node,
        }
    }

    /// Another cluster in the same namespace, with a node of its own; its operator does not run yet.
    pub(crate) async fn beside(&self, cluster: &str) -> Self {
        let node = KafkaNode::start(KafkaOptions::default()).await.unwrap();
        let namespace = &self.variables["STRIMZI_NAMESPACE"];
        furnish_cluster(self.server, &node, namespace, cluster).await;
        let mut world = Self::of(self.server, namespace, Node::Own(Box::new(node)), cluster).await;
        world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "3600000");
        world
    }

    pub(crate) async fn create(&self, name: &str, spec: Value) {
        let user: KafkaUser = serde_json::from_value(json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
            "metadata": {"name": name, "labels": {"strimzi.io/cluster": "my"}}, "spec": spec,
        }))
        .unwrap();
        self.resources.create(&PostParams::default(), &user).await.unwrap();
    }

    pub(crate) async fn make_secret(&self, name: &str, data: &[(&str, &[u8])]) {
        self.secrets.create(&PostParams::default(), &secret(name, data)).await.unwrap();
    }

    /// Sets entries of a Secret that exists.
    pub(crate) async fn change_secret(&self, name: &str, data: &[(&str, &[u8])]) {
        let change = Patch::Merge(json!({"data": secret(name, data).data}));
        self.secrets.patch(name, &PatchParams::default(), &change).await.unwrap();
    }

    /// Sets an annotation of a Secret that exists.
    pub(crate) async fn annotate_secret(&self, name: &str, key: &str, value: &str) {
        let change = Patch::Merge(json!({"metadata": {"annotations": {key: value}}}));
        self.secrets.patch(name, &PatchParams::default(), &change).await.unwrap();
    }

    /// Waits until the resource as it is now is refused, and returns reason and message.
    pub(crate) async fn refused(&self, name: &str) -> (String, String) {
        self.refused_for(name, |_| true).await
    }

    pub(crate) async fn secret(&self, name: &str) -> BTreeMap<String, String> {
        let secret = self.secrets.get(name).await.unwrap();
        let text = |bytes: ByteString| String::from_utf8_lossy(&bytes.0).into_owned();
        secret.data.unwrap().into_iter().map(|(key, value)| (key, text(value))).collect()
    }

    pub(crate) async fn acls(&self, username: &str) -> Vec<AclBinding> {
        let principal = format!("User:{username}");
        let all = self.admin.describe_acls(AclFilter::any()).await.unwrap();
        all.into_iter().filter(|binding| binding.principal == principal).collect()
    }

    pub(crate) async fn quotas(&self, username: &str) -> BTreeMap<String, f64> {
        let mut all = self.admin.describe_client_quotas().await.unwrap();
        all.remove(&QuotaEntity::user(username)).unwrap_or_default()
    }

    /// Waits until a user has so many rules, and gives them back: a broker learns of rules and quotas a moment after they were taken.
    pub(crate) async fn until_rules(&self, username: &str, count: usize) -> Vec<AclBinding> {
        wait::until(DEADLINE, &format!("{username} has {count} rules"), || async {
            Some(self.acls(username).await).filter(|rules| rules.len() == count)
        })
        .await
        .unwrap()
    }

    /// Waits until a user has these quotas and no others.
    pub(crate) async fn until_quotas(&self, username: &str, wanted: &[(&str, f64)]) {
        let all: BTreeMap<String, f64> =
            wanted.iter().map(|(name, value)| ((*name).to_owned(), *value)).collect();
        wait::until(DEADLINE, &format!("{username} has the quotas {wanted:?}"), || async {
            (self.quotas(username).await == all).then_some(())
        })
        .await
        .unwrap();
    }

    pub(crate) async fn has_password(&self, name: &str) -> bool {
        let all = self.admin.describe_scram_credentials().await.unwrap();
        all.get(name).is_some_and(|m| m.as_ref().is_ok_and(|m| m.contains_key(&ScramMechanism::Sha512)))
    }

    /// Waits until Kafka has nothing under either name of a user.
    pub(crate) async fn gone_from_kafka(&self, name: &str) {
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
    pub(crate) fn with_certificate(&self, data: &BTreeMap<String, String>) -> Admin {
        let tls = TlsConfig::new(self.node.ca_pem())
            .with_identity(data["user.crt"].clone(), data["user.key"].clone());
        Admin::new(AdminConfig::brokers([self.node.tls_bootstrap()]).with_tls(tls)).unwrap()
    }

    /// An admin client that logs in with a password.
    pub(crate) fn with_password(&self, username: &str, password: &str) -> Admin {
        let sasl = Sasl::ScramSha512 { username: username.to_owned(), password: password.to_owned() };
        let config =
            AdminConfig::brokers([self.node.scram_bootstrap()]).with_tls(TlsConfig::new(self.node.ca_pem()));
        Admin::new(config.with_sasl(sasl).with_request_timeout(DEADLINE)).unwrap()
    }

    /// Waits until Kafka takes a password: brokers learn of it a moment after it was set.
    pub(crate) async fn logs_in(&self, username: &str, password: &str) {
        wait::until(DEADLINE, &format!("{username} can log in"), || async {
            self.with_password(username, password).describe_cluster().await.ok()
        })
        .await
        .unwrap();
    }

    /// Whether what is in a user's Secret fits: the certificate to its key, its user and its authority, which is today's.
    pub(crate) fn certificate_fits(&self, name: &str, data: &BTreeMap<String, String>) -> bool {
        let part = |key: &str| data.get(key).cloned().unwrap_or_default();
        let Ok(info) = pki::parse_certificate(&CertificatePem::new(part("user.crt"))) else { return false };
        let Ok(ca) = pki::parse_certificate(&CertificatePem::new(self.node.ca_pem())) else { return false };
        let key = pki::PrivateKeyPem::new(part("user.key"));
        part("ca.crt") == self.node.ca_pem()
            && info.common_name == name
            && info.issuer_der == ca.subject_der
            && issuer::key_matches_certificate(&key, &info).unwrap_or(false)
    }

    /// Waits until the operator has looked at everything so many times more.
    pub(crate) async fn passes(&self, count: f64) {
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
    pub(crate) fn said(&self) -> String {
        self.log.text()
    }

    /// How often anybody read a single Secret from the API server.
    pub(crate) async fn secret_reads(&self) -> f64 {
        self.server.requests(&["secrets"], &["GET", "LIST"]).await.unwrap()
    }

    /// The version of every user and Secret, to see what was written.
    pub(crate) async fn versions(&self) -> Vec<String> {
        let users = self.resources.list(&ListParams::default()).await.unwrap().items;
        let secrets = self.secrets.list(&ListParams::default()).await.unwrap().items;
        let all = users.into_iter().map(|user| user.metadata);
        let all = all.chain(secrets.into_iter().map(|secret| secret.metadata));
        let mut versions: Vec<String> =
            all.map(|meta| format!("{:?} {:?}", meta.uid, meta.resource_version)).collect();
        versions.sort();
        versions
    }
}
