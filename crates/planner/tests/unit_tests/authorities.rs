//! Whatever is lost of the authorities of a running cluster, and wherever the operator stops: in every step each node is
//! accepted by every other one and by its own agent, and the operator by all of them, until only one authority is left.

use std::sync::Arc;

use crate::common::World;
use crate::common::at_work::{AtWork, text};
use k8s_openapi::ByteString;
use planner::kafka::certificates::access::access;
use proptest::prelude::*;
use serde_json::json;

fn at_work() -> AtWork {
    AtWork::settled(World::load("dual-role.input.yaml"))
}

const CERT: &str = "strimzi.io/ca-cert-generation";
/// What goes with a Kafka resource that is deleted and made again; what belongs to the pools stays.
const LOST_WITH_KAFKA: &[&str] = &[
    "my-cluster-ca",
    "my-cluster-ca-cert",
    "my-clients-ca",
    "my-clients-ca-cert",
    "my-trustbundle",
    "my-cluster-operator-certs",
    "my-entity-topic-operator-certs",
    "my-entity-user-operator-certs",
];

const KEY: &str = "strimzi.io/ca-key-generation";

#[test]
fn a_lost_key_is_replaced_and_every_pod_trusts_the_new_one_before_anything_is_signed_with_it() {
    let mut cluster = at_work();
    let leaf = text(&cluster.world.observed.secrets["my-dual-0"], "my-dual-0.crt");
    cluster.delete_secrets(&["my-cluster-ca"]);
    let plan = cluster.pass();
    assert_eq!(plan.roll.wanted.len(), 3, "all have to trust the new key");
    assert_eq!(text(&cluster.world.observed.secrets["my-dual-0"], "my-dual-0.crt"), leaf);
    assert_eq!(cluster.trusted_authorities(), 2);
    assert_eq!(cluster.settle(), 9, "to trust, to be signed anew, to forget the lost authority");
    let twice = cluster.restarted.windows(2).find(|two| two[0] == two[1]);
    assert_eq!(twice, None, "no pod restarts twice in a row: {:?}", cluster.restarted);
    cluster.assert_only_the_present_authority();
    assert_eq!(cluster.generation("my-cluster-ca", KEY), 1, "a new key has a number of its own");
    assert_eq!(cluster.generation("my-cluster-ca-cert", CERT), 1);
}

#[test]
fn a_lost_certificate_is_made_again_for_its_key_and_has_a_number_of_its_own() {
    let mut cluster = at_work();
    let key = cluster.world.observed.secrets["my-cluster-ca"].data.clone();
    cluster.delete_secrets(&["my-cluster-ca-cert"]);
    assert_eq!(cluster.settle(), 3);
    assert_eq!(cluster.world.observed.secrets["my-cluster-ca"].data, key);
    assert_eq!(cluster.generation("my-cluster-ca", KEY), 0);
    assert_eq!(cluster.generation("my-cluster-ca-cert", CERT), 1);
    cluster.assert_only_the_present_authority();
}

#[test]
fn when_key_and_certificate_are_lost_the_certificate_is_found_beside_the_leaves_that_it_signed() {
    for lost in [
        &["my-cluster-ca", "my-cluster-ca-cert"][..],
        LOST_WITH_KAFKA,
        &["my-cluster-ca", "my-cluster-ca-cert", "my-trustbundle"],
        &["my-cluster-ca", "my-trustbundle"],
        &["my-trustbundle"],
    ] {
        let mut cluster = at_work();
        cluster.delete_secrets(lost);
        let restarts = cluster.settle();
        let expected = if lost.contains(&"my-cluster-ca") { 9 } else { 0 };
        assert_eq!(restarts, expected, "{lost:?}");
        cluster.assert_only_the_present_authority();
        let expected = i64::from(lost.contains(&"my-cluster-ca"));
        assert_eq!(cluster.generation("my-cluster-ca", KEY), expected, "{lost:?}");
    }
}

#[test]
fn a_replacement_that_stops_between_two_writes_goes_on_where_it_stopped() {
    for writes in 0..40 {
        let mut cluster = at_work();
        cluster.world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
        let before = text(&cluster.world.observed.secrets["my-cluster-ca"], "ca.key").unwrap();
        cluster.interrupted_pass(writes);
        // The next one stops as well.
        cluster.interrupted_pass(writes / 2);
        assert_eq!(cluster.settle(), 9, "{writes} writes");
        cluster.assert_only_the_present_authority();
        assert_ne!(text(&cluster.world.observed.secrets["my-cluster-ca"], "ca.key").unwrap(), before);
        assert_eq!(cluster.generation("my-cluster-ca", KEY), 1, "{writes} writes");
    }
}

#[test]
fn a_key_that_does_not_belong_to_its_certificate_is_never_signed_with_unseen() {
    let mut cluster = at_work();
    // A key of another time is restored.
    let other = AtWork::settled(World::load("dual-role.input.yaml"));
    let key = other.world.observed.secrets["my-cluster-ca"].data.clone();
    Arc::make_mut(cluster.world.observed.secrets.get_mut("my-cluster-ca").unwrap()).data = key;
    assert_eq!(cluster.settle(), 9);
    cluster.assert_only_the_present_authority();
}

#[test]
fn a_key_or_certificate_that_cannot_be_read_counts_as_lost() {
    for (secret, entry) in [("my-cluster-ca", "ca.key"), ("my-cluster-ca-cert", "ca.crt")] {
        let mut cluster = at_work();
        let damaged = Arc::make_mut(cluster.world.observed.secrets.get_mut(secret).unwrap());
        damaged.data.as_mut().unwrap().insert(entry.to_owned(), ByteString(b"damaged".to_vec()));
        cluster.settle();
        cluster.assert_only_the_present_authority();
    }
}

#[test]
fn a_node_that_is_added_while_a_new_key_spreads_waits_for_it() {
    let mut cluster = at_work();
    cluster.delete_secrets(&["my-cluster-ca"]);
    cluster.world.pool(0, |pool| pool["spec"]["replicas"] = json!(4));
    cluster.settle();
    assert!(cluster.processes.contains_key("my-dual-3"), "it came in the end");
    assert_eq!(cluster.restarted.len(), 9 + 1, "the new pod only has to forget: {:?}", cluster.restarted);
    cluster.assert_only_the_present_authority();
}

#[test]
fn a_key_that_is_lost_again_in_the_middle_of_a_replacement_changes_nothing_for_the_nodes() {
    for restarts in 0..9 {
        let mut cluster = at_work();
        cluster.world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
        cluster.pass();
        for _ in 0..restarts {
            let plan = cluster.pass();
            cluster.restart(&plan.roll.now[0]);
        }
        cluster.delete_secrets(&["my-cluster-ca"]);
        cluster.settle();
        cluster.assert_only_the_present_authority();
        assert_eq!(cluster.generation("my-cluster-ca", KEY), 2, "after {restarts} restarts");
    }
}

/// Something that happens to a cluster.
#[derive(Debug, Clone)]
enum Event {
    Lose(&'static [&'static str]),
    Replace,
    Renew,
    Pass,
    InterruptedPass(usize),
    RestartOne(usize),
    LosePod(usize),
    RestartContainer(usize),
    ReadAgain(usize),
    Days,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => prop_oneof![
            Just(Event::Lose(&["my-cluster-ca"])),
            Just(Event::Lose(&["my-cluster-ca-cert"])),
            Just(Event::Lose(&["my-cluster-ca", "my-cluster-ca-cert"])),
            Just(Event::Lose(&["my-cluster-ca", "my-cluster-ca-cert", "my-trustbundle"])),
            Just(Event::Lose(&["my-trustbundle"])),
            Just(Event::Lose(LOST_WITH_KAFKA)),
            Just(Event::Lose(&["my-cluster-operator-certs"])),
            Just(Event::Lose(&["my-entity-topic-operator-certs"])),
            Just(Event::Lose(&["my-dual-0"])),
        ],
        1 => Just(Event::Replace),
        1 => Just(Event::Renew),
        3 => Just(Event::Pass),
        2 => (0_usize..40).prop_map(Event::InterruptedPass),
        8 => (0_usize..3).prop_map(Event::RestartOne),
        1 => (0_usize..3).prop_map(Event::LosePod),
        1 => (0_usize..3).prop_map(Event::RestartContainer),
        6 => (0_usize..3).prop_map(Event::ReadAgain),
        1 => Just(Event::Days),
    ]
}

impl Event {
    fn happen(&self, cluster: &mut AtWork) {
        let pod = |index: &usize| format!("my-dual-{index}");
        match self {
            Self::Lose(names) => {
                for name in *names {
                    cluster.world.observed.secrets.remove(*name);
                }
            }
            Self::Replace | Self::Renew => {
                let (secret, annotation) = match self {
                    Self::Replace => ("my-cluster-ca", "strimzi.io/force-replace"),
                    _ => ("my-cluster-ca-cert", "strimzi.io/force-renew"),
                };
                if cluster.world.observed.secrets.contains_key(secret) {
                    cluster.world.annotate_secret(secret, annotation, "true");
                }
            }
            Self::Pass => drop(cluster.pass()),
            Self::InterruptedPass(writes) => cluster.interrupted_pass(*writes),
            Self::RestartOne(index) => {
                let plan = cluster.pass();
                if let Some(restart) = plan.roll.wanted.get(*index % plan.roll.wanted.len().max(1)) {
                    cluster.restart(&restart.pod);
                }
            }
            // What is lost in the same moment as the Secrets that the pod mounts waits for the next pass.
            Self::LosePod(index) => cluster.restart(&pod(index)),
            Self::RestartContainer(index) => cluster.restart_container(&pod(index)),
            Self::ReadAgain(index) => cluster.read_again(&pod(index)),
            Self::Days => {
                cluster.settle();
                cluster.world.now += jiff::SignedDuration::from_hours(24 * 12);
                cluster.settle();
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_in_whatever_order_nobody_is_locked_out(
        events in proptest::collection::vec(event(), 1..14),
        reads_again in 0_usize..4,
    ) {
        let mut world = World::load("dual-role.input.yaml");
        world.kafka(|kafka| kafka["spec"]["clusterCa"] = json!({"validityDays": 50, "renewalDays": 30}));
        let mut cluster = AtWork::settled(world);
        cluster.lost_its_leaf = Some("my-dual-0".to_owned());
        cluster.reads_again = (0..reads_again).map(|index| format!("my-dual-{index}")).collect();
        for event in &events {
            event.happen(&mut cluster);
        }
        cluster.settle();
        cluster.assert_only_the_present_authority();
    }
}

#[test]
fn while_its_own_certificate_is_lost_the_operator_shows_one_that_every_pod_accepts() {
    let mut cluster = at_work();
    cluster.delete_secrets(&["my-cluster-ca", "my-cluster-operator-certs"]);
    cluster.pass();
    let own =
        text(&cluster.world.observed.secrets["my-cluster-operator-certs"], "cluster-operator.crt").unwrap();
    let pod = cluster.processes["my-dual-0"].clone();
    assert!(!cluster.accepts(&pod.trusted, &own), "it is signed by an authority that no pod trusts yet");
    let shown = access(&cluster.world.observed, cluster.world.now).unwrap().certificate;
    assert!(cluster.accepts(&pod.trusted, &shown));
    cluster.settle();
    let shown = access(&cluster.world.observed, cluster.world.now).unwrap().certificate;
    let own =
        text(&cluster.world.observed.secrets["my-cluster-operator-certs"], "cluster-operator.crt").unwrap();
    assert_eq!(shown, own);
}

#[test]
fn the_operator_trusts_no_authority_that_has_ended() {
    let mut short = World::load("dual-role.input.yaml");
    short.kafka(|kafka| kafka["spec"]["clusterCa"] = json!({"validityDays": 2, "renewalDays": 1}));
    short.settle();
    let former = text(&short.observed.secrets["my-cluster-ca-cert"], "ca.crt").unwrap();
    let mut cluster = at_work();
    let secret = cluster.world.observed.secrets.get_mut("my-cluster-ca-cert").unwrap();
    let data = Arc::make_mut(secret).data.as_mut().unwrap();
    data.insert("ca-former.crt".to_owned(), ByteString(former.into_bytes()));
    let trusted = |days: i64| {
        let now = cluster.world.now + jiff::SignedDuration::from_hours(24 * days);
        access(&cluster.world.observed, now).unwrap().trusted.matches("BEGIN CERTIFICATE").count()
    };
    assert_eq!((trusted(1), trusted(3)), (2, 1));
}

#[test]
fn a_node_whose_leaf_is_lost_with_the_key_goes_last() {
    let mut cluster = at_work();
    cluster.lost_its_leaf = Some("my-dual-0".to_owned());
    cluster.delete_secrets(&["my-cluster-ca", "my-dual-0"]);
    let mut order = Vec::new();
    for _ in 0..3 {
        let plan = cluster.pass();
        order.push(plan.roll.wanted[0].pod.clone());
        cluster.restart(order.last().unwrap());
    }
    assert_eq!(order, ["my-dual-1", "my-dual-2", "my-dual-0"]);
    cluster.settle();
    cluster.assert_only_the_present_authority();
}

#[test]
fn when_every_secret_is_lost_all_are_made_anew_at_once() {
    let mut cluster = at_work();
    let names: Vec<String> = cluster.world.observed.secrets.keys().cloned().collect();
    cluster.world.observed.secrets.clear();
    let plan = cluster.world.plan();
    cluster.world.apply(&plan);
    let made: Vec<String> = cluster.world.observed.secrets.keys().cloned().collect();
    assert_eq!(made, names);
    assert_eq!(plan.roll.wanted.len(), 3);
}

#[test]
fn the_trust_store_of_clients_holds_the_former_authority_as_long_as_nodes_show_it() {
    let mut cluster = at_work();
    let store = |cluster: &AtWork| {
        let data = cluster.world.observed.secrets["my-cluster-ca-cert"].data.as_ref().unwrap();
        (data["ca.p12"].0.clone(), data["ca.password"].0.clone())
    };
    let alone = store(&cluster);
    cluster.delete_secrets(&["my-cluster-ca"]);
    cluster.pass();
    let both = store(&cluster);
    assert!(both.0.len() > alone.0.len() + 300, "it holds one certificate more");
    assert_eq!(both.1, alone.1, "the password stays");
    cluster.settle();
    assert!(store(&cluster).0.len() < both.0.len() - 300);
    let settled = store(&cluster);
    cluster.pass();
    assert_eq!(store(&cluster), settled, "it is not made again and again");
}

#[test]
fn users_are_told_when_every_pod_trusts_the_clients_ca() {
    let mut cluster = at_work();
    let told = |cluster: &AtWork| {
        let all = cluster.world.observed.secrets["my-clients-ca-cert"].metadata.annotations.clone().unwrap();
        all[api::annotations::TRUSTED_BY_ALL_PODS].clone()
    };
    let present = |cluster: &AtWork| {
        let pem = text(&cluster.world.observed.secrets["my-clients-ca-cert"], "ca.crt").unwrap();
        pki::parse_certificate(&pki::CertificatePem::new(pem)).unwrap().sha256_thumbprint
    };
    let former = present(&cluster);
    assert_eq!(told(&cluster), former);
    cluster.world.annotate_secret("my-clients-ca", "strimzi.io/force-replace", "true");
    for _ in 0..3 {
        let plan = cluster.pass();
        assert_ne!(present(&cluster), former);
        assert_eq!(told(&cluster), former, "some pod does not trust the new one yet");
        let pod = plan.roll.wanted[0].pod.clone();
        cluster.restart(&pod);
    }
    cluster.pass();
    assert_eq!(told(&cluster), present(&cluster));
    // Nothing is known of the former one: no pod trusts what there is now.
    cluster.delete_secrets(&["my-clients-ca", "my-clients-ca-cert", "my-trustbundle"]);
    for node in ["my-dual-0", "my-dual-1", "my-dual-2"] {
        let secret = Arc::make_mut(cluster.world.observed.secrets.get_mut(node).unwrap());
        secret.data.as_mut().unwrap().remove("clients-cas.pem");
    }
    cluster.pass();
    assert_eq!(told(&cluster), "");
    cluster.settle();
    assert_eq!(told(&cluster), present(&cluster));
}

#[test]
fn users_that_the_lost_clients_ca_signed_go_on() {
    let mut cluster = at_work();
    let trusted =
        |cluster: &AtWork| text(&cluster.world.observed.secrets["my-trustbundle"], "clients-ca.crt").unwrap();
    let former = trusted(&cluster);
    // As when the Kafka resource is deleted and made again while no operator runs.
    cluster.delete_secrets(&["my-clients-ca", "my-clients-ca-cert", "my-trustbundle"]);
    cluster.settle();
    let all = trusted(&cluster);
    assert!(all.contains(&former) && all.len() > former.len());
    // Whom somebody takes out of the Secret is no longer trusted.
    let secret = Arc::make_mut(cluster.world.observed.secrets.get_mut("my-clients-ca-cert").unwrap());
    secret.data.as_mut().unwrap().retain(|key, _| !key.starts_with("ca-"));
    cluster.settle();
    assert!(!trusted(&cluster).contains(&former));
}

#[test]
fn an_authority_that_ended_is_forgotten_in_a_maintenance_window_only() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["clientsCa"] = json!({"validityDays": 40, "renewalDays": 30});
        kafka["spec"]["maintenanceTimeWindows"] = json!(["* * 0-1 ? * * *"]);
    });
    let mut cluster = AtWork::settled(world);
    cluster.world.kafka(|kafka| {
        kafka["spec"]["clientsCa"] = json!({"validityDays": 3000, "renewalDays": 30});
        kafka["spec"]["clusterCa"] = json!({"validityDays": 3000, "renewalDays": 30});
    });
    cluster.world.now = "2026-06-02T00:30:00Z".parse().unwrap();
    cluster.world.annotate_secret("my-clients-ca", "strimzi.io/force-replace", "true");
    cluster.settle();
    let bundle = |cluster: &AtWork| {
        let bundle = text(&cluster.world.observed.secrets["my-trustbundle"], "clients-ca.crt").unwrap();
        bundle.matches("BEGIN CERTIFICATE").count()
    };
    assert_eq!(bundle(&cluster), 2);
    cluster.world.now = "2026-08-01T12:00:00Z".parse().unwrap();
    assert!(cluster.pass().roll.wanted.is_empty(), "outside of the window");
    assert_eq!(bundle(&cluster), 2);
    cluster.world.now = "2026-08-02T00:30:00Z".parse().unwrap();
    assert_eq!(cluster.pass().roll.wanted.len(), 3);
    assert_eq!(bundle(&cluster), 1);
}

#[test]
fn a_leaf_that_ends_with_its_authority_is_not_made_again_and_again() {
    let mut world = World::load("dual-role.input.yaml");
    world.kafka(|kafka| {
        kafka["spec"]["clusterCa"] = json!({"validityDays": 40, "renewalDays": 30});
        kafka["spec"]["maintenanceTimeWindows"] = json!(["* * 0-1 ? * SUN *"]);
    });
    let mut cluster = AtWork::settled(world);
    // Due for renewal, and not in the window; a leaf is lost.
    cluster.world.now = "2026-06-25T12:00:00Z".parse().unwrap();
    cluster.delete_secrets(&["my-dual-0"]);
    cluster.pass();
    cluster.restart("my-dual-0");
    let leaf = text(&cluster.world.observed.secrets["my-dual-0"], "my-dual-0.crt");
    assert!(cluster.pass().roll.wanted.is_empty());
    assert_eq!(text(&cluster.world.observed.secrets["my-dual-0"], "my-dual-0.crt"), leaf);
}

#[test]
fn nodes_have_rsa_keys_where_the_cipher_suites_want_them() {
    let has_rsa = |cluster: &AtWork, secret: &str, key: &str| {
        let pem = text(&cluster.world.observed.secrets[secret], key).unwrap();
        pki::parse_certificate(&pki::CertificatePem::new(pem)).unwrap().has_rsa_key
    };
    for (suites, rsa) in [
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", true),
        ("TLS_AES_256_GCM_SHA384, TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", true),
        ("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", false),
        ("TLS_AES_256_GCM_SHA384", false),
    ] {
        let mut cluster = at_work();
        assert!(!has_rsa(&cluster, "my-dual-0", "my-dual-0.crt"));
        cluster.world.kafka(|kafka| kafka["spec"]["kafka"]["config"]["ssl.cipher.suites"] = json!(suites));
        cluster.settle();
        assert_eq!(has_rsa(&cluster, "my-dual-0", "my-dual-0.crt"), rsa, "{suites}");
        assert!(!has_rsa(&cluster, "my-cluster-operator-certs", "cluster-operator.crt"));
    }
}
