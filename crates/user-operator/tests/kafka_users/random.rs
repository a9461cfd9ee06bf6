//! Random changes of resources and, behind the operator's back, in Kafka and in Secrets: in the end both are as the
//! resources say. The operator looks at everything once an hour, so that each change has to be noticed for itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use api::KafkaUser;
use kafka_admin::{
    AclBinding, AclFilter, AclOperation, PatternType, Permission, QuotaEntity, ResourceType, ScramChange,
    ScramMechanism,
};
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use test_support::wait;

use crate::world::{DEADLINE, World, current, has};

/// The last name never has a resource.
const NAMES: [&str; 4] = ["u-0", "u-1", "u-2", "stranger"];
const KINDS: [Option<&str>; 4] = [None, Some("tls"), Some("tls-external"), Some("scram-sha-512")];

#[derive(Clone, Debug)]
enum Step {
    /// Make or change a resource.
    Want {
        user: usize,
        kind: usize,
        rules: u8,
        rate: Option<u32>,
    },
    Delete {
        user: usize,
    },
    OutsideRule {
        user: usize,
        certificate: bool,
        rule: u8,
        present: bool,
    },
    OutsideQuota {
        user: usize,
        certificate: bool,
        rate: Option<u32>,
    },
    OutsidePassword {
        user: usize,
        present: bool,
    },
    OutsideSecret {
        user: usize,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (resource, anybody, certificate) = (0..3_usize, 0..4_usize, any::<bool>());
    let rate = proptest::option::of(1..4_u32);
    let step = prop_oneof![
        6 => (resource.clone(), 0..4_usize, 0..8_u8, rate.clone())
            .prop_map(|(user, kind, rules, rate)| Step::Want { user, kind, rules, rate }),
        2 => resource.clone().prop_map(|user| Step::Delete { user }),
        2 => (anybody.clone(), certificate, 0..3_u8, any::<bool>())
            .prop_map(|(user, certificate, rule, present)| Step::OutsideRule { user, certificate, rule, present }),
        2 => (anybody.clone(), certificate, rate)
            .prop_map(|(user, certificate, rate)| Step::OutsideQuota { user, certificate, rate }),
        2 => (anybody, any::<bool>()).prop_map(|(user, present)| Step::OutsidePassword { user, present }),
        1 => resource.prop_map(|user| Step::OutsideSecret { user }),
    ];
    proptest::collection::vec(step, 24)
}

fn username(user: &str, certificate: bool) -> String {
    if certificate { format!("CN={user}") } else { user.to_owned() }
}

/// A rule as a resource writes it.
fn written(rule: u8) -> Value {
    match rule {
        0 => json!({"resource": {"type": "topic", "name": "a"}, "operations": ["Read"]}),
        1 => {
            json!({"resource": {"type": "group", "name": "g", "patternType": "prefix"}, "operations": ["All"], "host": "10.0.0.1"})
        }
        _ => json!({"type": "deny", "resource": {"type": "cluster"}, "operations": ["Alter"]}),
    }
}

/// The same rule as Kafka has it.
fn in_kafka(rule: u8, username: &str) -> AclBinding {
    let of = |resource_type, name: &str, pattern, host: &str, operation, permission| AclBinding {
        resource_type,
        resource_name: name.into(),
        pattern,
        principal: format!("User:{username}"),
        host: host.to_owned(),
        operation,
        permission,
    };
    let (literal, allow) = (PatternType::Literal, Permission::Allow);
    match rule {
        0 => of(ResourceType::Topic, "a", literal, "*", AclOperation::Read, allow),
        1 => of(ResourceType::Group, "g", PatternType::Prefixed, "10.0.0.1", AclOperation::All, allow),
        _ => of(ResourceType::Cluster, "kafka-cluster", literal, "*", AclOperation::Alter, Permission::Deny),
    }
}

fn chosen(rules: u8) -> impl Iterator<Item = u8> {
    (0..3).filter(move |rule| rules & (1 << rule) != 0)
}

async fn take(w: &World, step: &Step) {
    match step {
        Step::Want { user, kind, rules, rate } => {
            let acls: Vec<Value> = chosen(*rules).map(written).collect();
            let spec = json!({
                "authentication": KINDS[*kind].map(|kind| json!({"type": kind})),
                "authorization": {"type": "simple", "acls": acls},
                "quotas": rate.map(|rate| json!({"consumerByteRate": rate})),
            });
            if w.resources.get_opt(NAMES[*user]).await.unwrap().is_some() {
                let patch = Patch::Merge(json!({"spec": spec}));
                w.resources.patch(NAMES[*user], &PatchParams::default(), &patch).await.unwrap();
            } else {
                w.create(NAMES[*user], spec).await;
            }
        }
        Step::Delete { user } => {
            let _ = w.resources.delete(NAMES[*user], &DeleteParams::default()).await;
        }
        Step::OutsideRule { user, certificate, rule, present } => {
            let binding = in_kafka(*rule, &username(NAMES[*user], *certificate));
            if *present {
                w.admin.create_acls([binding]).await.unwrap();
            } else {
                w.admin.delete_acls([AclFilter::from(&binding)]).await.unwrap();
            }
        }
        Step::OutsideQuota { user, certificate, rate } => {
            let change = BTreeMap::from([("request_percentage".to_owned(), rate.map(f64::from))]);
            let entity = QuotaEntity::user(username(NAMES[*user], *certificate));
            w.admin.alter_client_quotas([(entity, change)].into(), false).await.unwrap();
        }
        Step::OutsidePassword { user, present } => {
            let (user, mechanism) = (NAMES[*user].to_owned(), ScramMechanism::Sha512);
            let change = if *present {
                let password = "of somebody else".to_owned();
                ScramChange::Upsert { user, mechanism, iterations: 8192, password }
            } else {
                ScramChange::Delete { user, mechanism }
            };
            // A password that is not there cannot be deleted.
            w.admin.alter_scram_credentials(vec![change]).await.unwrap();
        }
        Step::OutsideSecret { user } => {
            let _ = w.secrets.delete(NAMES[*user], &DeleteParams::default()).await;
        }
    }
}

/// Which rules a resource has, and its rate.
fn wanted(user: &KafkaUser) -> (BTreeSet<u8>, Option<f64>) {
    let acls = user.spec.authorization.as_ref().map(|authorization| &authorization.acls);
    let names: Vec<Value> =
        acls.into_iter().flatten().map(|acl| json!(acl.resource)["type"].clone()).collect();
    let rules = (0..3).filter(|rule| names.contains(&written(*rule)["resource"]["type"])).collect();
    (rules, user.spec.quotas.as_ref().and_then(|quotas| quotas.consumer_byte_rate).map(|rate| rate as f64))
}

/// Why the state is not the one that the resources describe; none when it is.
async fn difference(w: &World) -> Option<String> {
    let resources: Vec<KafkaUser> = w.resources.list(&ListParams::default()).await.unwrap().items;
    let acls: BTreeSet<AclBinding> =
        w.admin.describe_acls(AclFilter::any()).await.unwrap().into_iter().collect();
    let quotas = w.admin.describe_client_quotas().await.unwrap();
    let (mut want_acls, mut want_quotas) = (BTreeSet::new(), BTreeMap::new());
    for name in NAMES {
        let user = resources.iter().find(|user| user.metadata.name.as_deref() == Some(name));
        let kind = user.and_then(|user| user.spec.authentication.as_ref()).map(|a| json!(a.type_));
        let kind = kind.as_ref().and_then(Value::as_str);
        if let Some(user) = user {
            if !current(user) || !has(user, |condition| condition.is("Ready")) {
                return Some(format!("{name} is not Ready"));
            }
            let username = username(name, matches!(kind, Some("tls" | "tls-external")));
            if user.status.as_ref()?.username.as_ref() != Some(&username) {
                return Some(format!("{name} has another name in its status"));
            }
            let (rules, rate) = wanted(user);
            want_acls.extend(rules.into_iter().map(|rule| in_kafka(rule, &username)));
            let values = rate.map(|rate| BTreeMap::from([("consumer_byte_rate".to_owned(), rate)]));
            want_quotas.extend(values.map(|values| (QuotaEntity::user(username), values)));
        }
        let secret = w.secrets.get_opt(name).await.unwrap().map(|_| ());
        if w.has_password(name).await != (kind == Some("scram-sha-512")) {
            return Some(format!("{name} has a password, or has none"));
        }
        match (kind, secret) {
            (Some("tls" | "scram-sha-512"), None) => return Some(format!("{name} has no Secret")),
            (Some("tls"), Some(())) => {
                let data = w.secret(name).await;
                if data.len() != 5 || !w.certificate_fits(name, &data) {
                    return Some(format!("the Secret of {name} has no certificate that fits"));
                }
            }
            (Some("scram-sha-512"), Some(())) => {
                let data = w.secret(name).await;
                let password = data.get("password").cloned().unwrap_or_default();
                if data.len() != 2 || w.with_password(name, &password).describe_cluster().await.is_err() {
                    return Some(format!("the Secret of {name} has no password that is taken"));
                }
            }
            (_, Some(())) => return Some(format!("{name} has a Secret that it should not have")),
            (_, None) => {}
        }
    }
    if acls != want_acls {
        return Some(format!("the rules are {acls:?} and not {want_acls:?}"));
    }
    (quotas != want_quotas).then(|| format!("the quotas are {quotas:?} and not {want_quotas:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_happens_kafka_and_the_secrets_end_as_the_resources_say() {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[11; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let mut w = World::own().await;
    for _ in 0..4 {
        let steps = steps().new_tree(&mut runner).unwrap().current();
        w.start_operator().await;
        for (i, step) in steps.iter().enumerate() {
            take(&w, step).await;
            if i == 12 {
                w.kill_operator();
            }
            if i == 16 {
                w.start_operator().await;
            }
        }
        let last = Mutex::new(String::new());
        let (world, last) = (&w, &last);
        let same = wait::until(DEADLINE, "everything is as the resources say", || async move {
            let difference = difference(world).await;
            *last.lock().unwrap() = difference.clone().unwrap_or_default();
            difference.is_none().then_some(())
        })
        .await;
        assert!(same.is_ok(), "{} after {steps:#?}", last.lock().unwrap());
        w.stop_operator().await;
    }
}
