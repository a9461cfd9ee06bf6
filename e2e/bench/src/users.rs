//! KafkaUsers with certificates.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use api::{KafkaUser, names::keys, ports};
use issuer::{Authority, LeafRequest};
use k8s_openapi::{ByteString, api::core::v1::Secret};
use kafka_admin::{
    AclBinding, AclOperation, Admin, AdminConfig, PatternType, Permission, QuotaEntity, ResourceType,
};
use kube::{
    Api,
    api::{ObjectMeta, PostParams},
};
use pki::{CertificatePem, PrivateKeyPem};
use serde_json::json;
use test_support::{KafkaNode, KafkaOptions};

use crate::{
    bare, idle,
    operator::Operator,
    report::{number, progress, row},
    single,
    world::{self, World},
};

const HOUR: Duration = Duration::from_hours(1);

struct Bench<'a> {
    world: World,
    kafka: KafkaNode,
    binary: &'a Path,
}

/// Measures and prints. The timer's looks and single users only with the first number.
pub(crate) async fn run(binary: &Path, counts: &[usize]) -> anyhow::Result<()> {
    let mut first = None;
    for count in counts {
        let (bench, cpu) = new_users(binary, *count).await?;
        match first {
            None => {
                idle_users(&bench, *count).await?;
                first = Some((count, cpu));
            }
            Some((few, before)) => row(format!("  times that of {few}"), number(cpu / before, 2), "1.2"),
        }
    }
    Ok(())
}

/// Users that are all new; the processor time of the operator for each, ms.
async fn new_users(binary: &Path, count: usize) -> anyhow::Result<(Bench<'_>, f64)> {
    progress("users: starting an API server and Kafka");
    let world = World::start().await?;
    let limit = bare(&world, count).await?;
    let bench = Bench { world, kafka: KafkaNode::start(KafkaOptions::default()).await?, binary };
    bench.make_secrets().await?;
    let users: Api<KafkaUser> = bench.world.api();

    progress(format!("{count} users"));
    let all: Vec<KafkaUser> = (0..count).map(|at| user(&name(at))).collect::<anyhow::Result<_>>()?;
    world::create_all(&users, all).await?;
    let mut operator = bench.start(HOUR, HOUR)?;
    let took = operator.until_ready(&users, count, is_ready).await?;
    let usage = operator.usage()?;
    let each = usage.cpu * 1000.0 / count as f64;
    let (what, seconds, cpu, megabytes) = match count {
        2000 => (" (Strimzi: 332)", "16", "10", "40"),
        10_000 => ("", "-", "-", "120"),
        _ => ("", "-", "-", "-"),
    };
    row(format!("{count} new TLS users until Ready, s{what}"), number(took, 1), seconds);
    row("  times the bare calls", number(took / limit, 2), "-");
    row(format!("  CPU s{}", if count == 2000 { " (Strimzi: 97)" } else { "" }), number(usage.cpu, 1), cpu);
    let strimzi = if count == 2000 { " (Strimzi: 284)" } else { "" };
    row(format!("  MB resident at most{strimzi}"), number(usage.peak, 1), megabytes);
    row("  CPU ms for each", number(each, 3), "-");
    Ok((bench, each))
}

async fn idle_users(bench: &Bench<'_>, count: usize) -> anyhow::Result<()> {
    let users: Api<KafkaUser> = bench.world.api();
    progress("the timer's looks");
    let mut operator = bench.start(idle::INTERVAL, idle::INTERVAL)?;
    idle::measure(&bench.world, &mut operator, "users", count, &["kafkausers", "secrets"]).await?;
    drop(operator);

    progress("single users");
    let mut operator = bench.start(HOUR, HOUR)?;
    operator.until_ready(&users, count, is_ready).await?;
    let median = single::median_ms(&users, user, is_ready).await?;
    row(format!("one new user among {count}, from creation to Ready, ms (median)"), number(median, 0), "-");
    Ok(())
}

impl Bench<'_> {
    fn start(&self, interval: Duration, refresh: Duration) -> anyhow::Result<Operator> {
        let variables = [
            ("KUBECONFIG", self.world.kubeconfig.display().to_string()),
            ("STRIMZI_NAMESPACE", self.world.namespace.clone()),
            ("STRIMZI_LABELS", world::CLUSTER.to_owned()),
            ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", self.kafka.tls_bootstrap()),
            ("STRIMZI_CLUSTER_CA_CERT_SECRET_NAME", "my-cluster-ca-cert".to_owned()),
            ("STRIMZI_EO_KEY_SECRET_NAME", "my-entity-user-operator-certs".to_owned()),
            ("STRIMZI_CA_CERT_NAME", "my-clients-ca-cert".to_owned()),
            ("STRIMZI_CA_KEY_NAME", "my-clients-ca".to_owned()),
            ("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", interval.as_millis().to_string()),
            ("STRIMZI_CACHE_REFRESH_INTERVAL_MS", refresh.as_millis().to_string()),
        ];
        Operator::start(self.binary, ports::USER_OPERATOR_HTTP as u16, &variables)
    }

    /// The authorities and the operator's own certificate, as the cluster operator makes them.
    async fn make_secrets(&self) -> anyhow::Result<()> {
        let own = self.kafka.client_identity("admin")?;
        let ca = self.kafka.ca_pem();
        let secrets: Api<Secret> = self.world.api();
        for made in [
            secret("my-clients-ca-cert", &[(keys::CA_CRT, ca)]),
            secret("my-clients-ca", &[(keys::CA_KEY, &self.kafka.authority().key())]),
            secret("my-cluster-ca-cert", &[(keys::CA_CRT, ca)]),
            secret(
                "my-entity-user-operator-certs",
                &[("entity-operator.crt", &own.certificate), ("entity-operator.key", &own.key)],
            ),
        ] {
            secrets.create(&PostParams::default(), &made).await.context("create a Secret")?;
        }
        Ok(())
    }
}

/// The limit: rules and quotas in Kafka; a key, a Secret and a status for each user.
async fn bare(world: &World, count: usize) -> anyhow::Result<f64> {
    progress("the same work as bare calls");
    let kafka = KafkaNode::start(KafkaOptions::default()).await?;
    let admin = Admin::new(AdminConfig::brokers([kafka.bootstrap()]))?;
    let namespace = world.other_namespace().await?;
    let users: Api<KafkaUser> = Api::namespaced(world.client.clone(), &namespace);
    let secrets: Api<Secret> = Api::namespaced(world.client.clone(), &namespace);
    let all: Vec<KafkaUser> = (0..count).map(|at| user(&name(at))).collect::<anyhow::Result<_>>()?;
    world::create_all(&users, all).await?;
    let authority =
        Authority::load(&CertificatePem::new(kafka.ca_pem()), &PrivateKeyPem::new(kafka.authority().key()))?;
    let rights = async {
        let rule = |at: usize, operation| AclBinding {
            resource_type: ResourceType::Topic,
            resource_name: name(at).into(),
            pattern: PatternType::Literal,
            principal: format!("User:CN={}", name(at)),
            host: "*".to_owned(),
            operation,
            permission: Permission::Allow,
        };
        let rules =
            (0..count).flat_map(|at| [rule(at, AclOperation::Read), rule(at, AclOperation::Describe)]);
        let quotas: BTreeMap<_, _> = (0..count)
            .map(|at| {
                let rate = [("producer_byte_rate".to_owned(), Some(1_048_576.0))];
                (QuotaEntity::user(format!("CN={}", name(at))), rate.into())
            })
            .collect();
        let (rules, quotas) =
            tokio::join!(admin.create_acls(rules), admin.alter_client_quotas(quotas, false));
        ensure!(rules?.values().all(Result::is_ok), "some rules were refused");
        ensure!(quotas?.values().all(Result::is_ok), "some quotas were refused");
        Ok(())
    };
    let (authority, users, secrets, status) =
        (std::sync::Arc::new(authority), &users, &secrets, &bare::ready_status());
    let write = bare::each(count, |at| {
        let authority = std::sync::Arc::clone(&authority);
        async move {
            let made = tokio::task::spawn_blocking(move || contents(&authority, &name(at))).await??;
            let secret = Secret {
                metadata: ObjectMeta {
                    name: Some(name(at)),
                    labels: Some(world::labels()),
                    ..ObjectMeta::default()
                },
                data: Some(made),
                ..Secret::default()
            };
            secrets.create(&PostParams::default(), &secret).await.context("create a Secret")?;
            bare::patch_status(users, &name(at), status).await
        }
    });
    let (kafka, kubernetes, both) = bare::together(rights, write).await?;
    row(format!("{count} users as bare calls, s"), number(both, 1), "-");
    row("  of it Kafka, s", number(kafka, 1), "-");
    row("  of it (at the same time) keys, key stores and Kubernetes, s", number(kubernetes, 1), "-");
    Ok(both)
}

/// A user's certificate and key store.
fn contents(authority: &Authority, name: &str) -> anyhow::Result<BTreeMap<String, ByteString>> {
    let request = LeafRequest { common_name: name.to_owned(), validity_days: 365, ..LeafRequest::default() };
    let made = authority.issue(&request, jiff::Timestamp::now())?;
    let password = issuer::password(12)?;
    let store = issuer::key_store(name, &made.key, &made.chain, &password)?;
    let entries: [(&str, &[u8]); 5] = [
        (keys::CA_CRT, authority.certificate().as_str().as_bytes()),
        (keys::USER_CRT, made.certificate.as_str().as_bytes()),
        (keys::USER_KEY, made.key.expose().as_bytes()),
        (keys::USER_P12, &store),
        (keys::USER_PASSWORD, password.expose().as_bytes()),
    ];
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value.to_vec()))).collect())
}

fn secret(name: &str, entries: &[(&str, &str)]) -> Secret {
    Secret {
        metadata: ObjectMeta { name: Some(name.to_owned()), ..ObjectMeta::default() },
        string_data: Some(
            entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        ),
        ..Secret::default()
    }
}

fn name(at: usize) -> String {
    format!("user-{at}")
}

fn user(name: &str) -> anyhow::Result<KafkaUser> {
    let user = json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaUser",
        "metadata": {"name": name, "labels": world::labels()},
        "spec": {
            "authentication": {"type": "tls"},
            "authorization": {"type": "simple", "acls": [
                {"resource": {"type": "topic", "name": name}, "operations": ["Read"]},
                {"resource": {"type": "topic", "name": name}, "operations": ["Describe"]},
            ]},
            "quotas": {"producerByteRate": 1_048_576},
        },
    });
    serde_json::from_value(user).context("make a KafkaUser")
}

fn is_ready(user: &KafkaUser) -> bool {
    let conditions = user.status.as_ref().and_then(|s| s.conditions.as_deref()).unwrap_or_default();
    conditions.iter().any(|c| c.is("Ready"))
}
