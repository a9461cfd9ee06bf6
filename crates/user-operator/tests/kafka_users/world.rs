//! One Kafka node, one namespace and one operator for all tests: there is one user operator per Kafka cluster.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::Duration;

use api::KafkaUser;
use api::conditions::Condition;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kafka_admin::{AclBinding, AclFilter, Admin, AdminConfig, QuotaEntity, ScramMechanism, TlsConfig};
use kube::api::{DeleteParams, ObjectMeta, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use operator_runtime::{env::Env, metrics::Metrics, server::Health};
use serde_json::{Value, json};
use test_support::{ApiServer, KafkaNode, KafkaOptions, wait};
use tokio::{runtime::Runtime, sync::OnceCell};
use tokio_util::sync::CancellationToken;
use user_operator::{Operator, Settings};

/// Generous, because the machine may be compiling.
pub const DEADLINE: Duration = Duration::from_mins(1);

struct Shared {
    server: &'static ApiServer,
    node: KafkaNode,
    namespace: String,
    metrics: Metrics,
}

static SHARED: OnceCell<Shared> = OnceCell::const_new();
static RUNTIME: OnceLock<Runtime> = OnceLock::new();

pub struct World {
    pub node: &'static KafkaNode,
    pub users: Api<KafkaUser>,
    pub secrets: Api<Secret>,
    pub admin: Admin,
    metrics: &'static Metrics,
}

fn secret(name: &str, data: &[(&str, &str)]) -> Secret {
    let data: BTreeMap<String, ByteString> =
        data.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec()))).collect();
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        data: Some(data),
        ..Secret::default()
    }
}

async fn share() -> Shared {
    let server = ApiServer::shared().await.unwrap();
    let crds: Vec<_> = api::crds::all().unwrap().into_iter().map(|file| file.crd).collect();
    server.install_crds(&crds).await.unwrap();
    let namespace = server.create_namespace("users").await.unwrap();
    let node = KafkaNode::start(KafkaOptions::default()).await.unwrap();
    let client = server.client().await.unwrap();
    let secrets: Api<Secret> = Api::namespaced(client, &namespace);
    let own = node.client_identity("admin").unwrap();
    for made in [
        secret("my-clients-ca-cert", &[("ca.crt", node.ca_pem())]),
        secret("my-clients-ca", &[("ca.key", &node.authority().key())]),
        secret("my-cluster-ca-cert", &[("ca.crt", node.ca_pem())]),
        secret(
            "my-entity-user-operator-certs",
            &[("entity-operator.crt", &own.certificate), ("entity-operator.key", &own.key)],
        ),
    ] {
        secrets.create(&PostParams::default(), &made).await.unwrap();
    }
    let settings = Settings::from_env(&Env::from_map([
        ("STRIMZI_NAMESPACE", namespace.as_str()),
        ("STRIMZI_LABELS", "strimzi.io/cluster=my"),
        ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", &node.tls_bootstrap()),
        ("STRIMZI_CLUSTER_CA_CERT_SECRET_NAME", "my-cluster-ca-cert"),
        ("STRIMZI_EO_KEY_SECRET_NAME", "my-entity-user-operator-certs"),
        ("STRIMZI_CA_CERT_NAME", "my-clients-ca-cert"),
        ("STRIMZI_CA_KEY_NAME", "my-clients-ca"),
        ("STRIMZI_IGNORED_USERS_PATTERN", "ignored-.*"),
        ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "2000"),
        ("STRIMZI_CACHE_REFRESH_INTERVAL_MS", "1000"),
    ]))
    .unwrap();
    let metrics = Metrics::new().unwrap();
    let of_operator = metrics.clone();
    // In a runtime of its own: that of a test ends with the test.
    RUNTIME.get_or_init(|| Runtime::new().unwrap()).spawn(async move {
        let client = server.client().await.unwrap();
        let operator =
            Operator::start(&client, settings, &of_operator, &Health::new(), &CancellationToken::new());
        operator.ended().await;
    });
    Shared { server, node, namespace, metrics }
}

impl World {
    pub async fn get() -> Self {
        let shared = SHARED.get_or_init(share).await;
        let client: Client = shared.server.client().await.unwrap();
        Self {
            node: &shared.node,
            users: Api::namespaced(client.clone(), &shared.namespace),
            secrets: Api::namespaced(client, &shared.namespace),
            admin: Admin::new(AdminConfig::brokers([shared.node.bootstrap()])).unwrap(),
            metrics: &shared.metrics,
        }
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

    pub async fn make_secret(&self, name: &str, data: &[(&str, &str)]) {
        self.secrets.create(&PostParams::default(), &secret(name, data)).await.unwrap();
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

    /// Waits until the operator has looked at everything so many times more.
    pub async fn passes(&self, count: f64) {
        let looked = || {
            let text = self.metrics.render().unwrap();
            let lines =
                text.lines().filter(|line| line.starts_with("strimzi_reconciliations_periodical_total{"));
            lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum::<f64>()
        };
        let users = self.users.list(&kube::api::ListParams::default()).await.unwrap().items.len();
        let until = looked() + count * (users as f64 + 3.0);
        wait::until(DEADLINE, "the operator looks at everything again", || async {
            (looked() >= until).then_some(())
        })
        .await
        .unwrap();
    }
}

fn current(user: &KafkaUser) -> bool {
    user.status.as_ref().and_then(|status| status.observed_generation) == user.metadata.generation
}

pub fn has(user: &KafkaUser, accept: impl Fn(&Condition) -> bool) -> bool {
    let conditions = user.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.is_some_and(|all| all.iter().any(accept))
}
