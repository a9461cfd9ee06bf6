//! Certificates that an issuer of cert-manager signs: in every step each node is accepted by every other one, whichever of
//! the two, the certificates to trust and those that are issued, changes first.

mod mistakes;

use std::sync::Arc;

use crate::common::at_work::{AtWork, text};
use crate::common::cert_manager::{CertManager, authority, certificates, section, trust};
use crate::common::{World, condition, object, warning_with};
use jiff::SignedDuration;
use objects::ObjectId;
use planner::kafka::plan::Plan;
use serde_json::{Value, json};

/// A cluster whose components have certificates of an issuer, and of which nothing runs yet.
fn new_cluster(section_of_clients: Option<Value>) -> AtWork {
    let mut world = World::load("dual-role.input.yaml");
    let company = authority("company", world.now);
    trust(&mut world, &[&company]);
    world.kafka(|kafka| {
        kafka["spec"]["clusterCa"] = section();
        if let Some(section) = section_of_clients {
            kafka["spec"]["clientsCa"] = section;
        }
    });
    let mut cluster = AtWork::new(world);
    cluster.cert_manager = Some(CertManager::of(company));
    cluster
}

/// The same, at work, with nodes that read certificates again.
fn settled() -> AtWork {
    let mut cluster = new_cluster(None);
    cluster.pass();
    cluster.settle();
    cluster
}

/// Passes in which every node takes up what lies in its Secrets, until nothing changes any more. No pod may restart.
fn take_up(cluster: &mut AtWork) -> Plan {
    cluster.reads_again = cluster.processes.keys().cloned().collect();
    let mut idle = 0;
    for _ in 0..60 {
        let plan = cluster.pass();
        assert!(plan.roll.now.is_empty(), "{:?} restart", plan.roll.now);
        for pod in cluster.reads_again.clone() {
            cluster.read_again(&pod);
        }
        cluster.world.now += SignedDuration::from_secs(20);
        let is_idle = plan.taken_up.is_empty() && plan.taking_up.is_empty();
        idle = if is_idle { idle + 1 } else { 0 };
        if idle > 2 {
            return plan;
        }
    }
    panic!("it does not end");
}

fn shown(cluster: &AtWork, pod: &str) -> pki::CertificateChain {
    let secret = &cluster.world.observed.secrets[pod];
    pki::CertificateChain::parse(&text(secret, &format!("{pod}.crt")).unwrap()).unwrap()
}

fn refusal(world: &mut World) -> String {
    let plan = world.plan();
    let not_ready = condition(&plan, "NotReady").unwrap_or_else(|| panic!("{:?}", plan.waiting_for));
    not_ready["message"].as_str().unwrap().to_owned()
}

#[test]
fn a_new_cluster_waits_for_its_certificates_and_says_for_which() {
    let mut cluster = new_cluster(None);
    cluster.cert_manager.as_mut().unwrap().works = false;
    cluster.world.observed.issuance =
        [("my-dual-1".to_owned(), "Issuer company does not exist".to_owned())].into();
    let plan = cluster.pass();
    assert!(cluster.world.observed.pods.is_empty(), "no pod without a certificate");
    let waits = plan.waiting_for.join("\n");
    assert!(
        waits.contains("pod my-dual-1 has no certificate yet: Certificate my-dual-1: cert-manager has not issued it yet (Issuer company does not exist)"),
        "{waits}"
    );
    assert!(waits.contains("Secret my-cluster-operator-certs has no certificate yet"), "{waits}");
    assert!(!cluster.world.observed.secrets.contains_key("my-cluster-ca"), "there is no key of an authority");
    let asked: Vec<String> = certificates(&cluster.world).into_iter().map(|(name, _)| name).collect();
    assert_eq!(
        asked,
        [
            "my-cluster-operator-certs",
            "my-dual-0",
            "my-dual-1",
            "my-dual-2",
            "my-entity-topic-operator-certs",
            "my-entity-user-operator-certs",
        ]
    );
    cluster.world.observed.issuance.clear();
    cluster.cert_manager.as_mut().unwrap().works = true;
    cluster.pass();
    assert_eq!(cluster.settle(), 0);
    assert_eq!(cluster.processes.len(), 3);
    cluster.assert_only_the_present_authority();
    assert_eq!(shown(&cluster, "my-dual-0").first().info.subject, "O=io.strimzi, CN=my-kafka");
    let plan = cluster.pass();
    let written =
        plan.apply.iter().filter(|write| write.is_change() && write.desired.reference.kind != "ConfigMap");
    let written: Vec<&str> = written.map(|write| write.desired.reference.name.as_str()).collect();
    assert!(written.is_empty(), "{written:?}");
}

#[test]
fn what_a_certificate_asks_for_is_what_kafka_and_cert_manager_need() {
    let cluster = settled();
    let all = certificates(&cluster.world);
    let (_, of_node) = all.iter().find(|(name, _)| name == "my-dual-0").unwrap();
    let spec = serde_json::to_value(of_node).unwrap();
    assert_eq!(spec["secretName"], "my-dual-0-cm");
    assert_eq!(spec["issuerRef"], json!({"group": "cert-manager.io", "kind": "Issuer", "name": "company"}));
    assert_eq!(
        (&spec["duration"], &spec["renewBefore"], &spec["commonName"]),
        (&json!("8760h0m0s"), &json!("720h0m0s"), &json!("my-kafka"))
    );
    assert_eq!(spec["subject"], json!({"organizations": ["io.strimzi"]}));
    assert_eq!(
        spec["privateKey"],
        json!({"algorithm": "ECDSA", "encoding": "PKCS8", "rotationPolicy": "Always", "size": 256})
    );
    let names = of_node.dns_names.clone().unwrap();
    assert!(names.contains(&"my-dual-0.my-kafka-brokers.s1.svc".to_owned()), "{names:?}");
    let secret = &cluster.world.observed.secrets["my-dual-0-cm"];
    assert_eq!(
        secret.metadata.owner_references.as_ref().unwrap()[0].kind,
        "Kafka",
        "it goes with the cluster"
    );
}

#[test]
fn a_cluster_moves_from_its_own_authority_to_an_issuer_and_back_without_a_restart() {
    let mut cluster = AtWork::settled(World::load("dual-role.input.yaml"));
    let company = authority("company", cluster.world.now);
    trust(&mut cluster.world, &[&company]);
    cluster.cert_manager = Some(CertManager::of(company));
    cluster.world.kafka(|kafka| kafka["spec"]["clusterCa"] = section());
    take_up(&mut cluster);
    cluster.assert_only_the_present_authority();
    assert_eq!(cluster.trusted_authorities(), 1);
    assert_eq!(cluster.generation("my-cluster-ca-cert", "strimzi.io/ca-cert-generation"), 1);
    assert!(cluster.world.observed.secrets.contains_key("my-cluster-ca"), "no key is lost by that");

    cluster.cert_manager = None;
    cluster.world.kafka(|kafka| kafka["spec"]["clusterCa"] = json!({}));
    take_up(&mut cluster);
    cluster.assert_only_the_present_authority();
    assert_eq!(certificates(&cluster.world), [], "nobody needs them any more");
    let left: Vec<&String> =
        cluster.world.observed.secrets.keys().filter(|name| name.ends_with("-cm")).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_cluster_moves_to_an_issuer_where_every_change_takes_a_restart() {
    let mut cluster = AtWork::settled(World::load("dual-role.input.yaml"));
    let company = authority("company", cluster.world.now);
    trust(&mut cluster.world, &[&company]);
    cluster.cert_manager = Some(CertManager::of(company));
    cluster.world.kafka(|kafka| kafka["spec"]["clusterCa"] = section());
    assert_eq!(cluster.settle(), 9, "to trust, to show, to forget");
    cluster.assert_only_the_present_authority();
}

#[test]
fn an_authority_that_signs_before_it_is_trusted_is_not_shown() {
    let mut cluster = settled();
    let next = authority("next", cluster.world.now);
    cluster.cert_manager = Some(CertManager::of(next));
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    let before = shown(&cluster, "my-dual-0");
    let plan = take_up(&mut cluster);
    assert_eq!(shown(&cluster, "my-dual-0"), before);
    assert!(condition(&plan, "Ready").is_some(), "the cluster goes on as it is");
    let said = warning_with(&plan, "CertificateNotIssued").unwrap();
    assert!(said.contains("is not among the trusted authorities"), "{said}");
    assert!(said.contains("O=a company, CN=next"), "{said}");

    let authority = cluster.cert_manager.take().unwrap().authority;
    trust(&mut cluster.world, &[&authority]);
    cluster.cert_manager = Some(CertManager::of(authority));
    take_up(&mut cluster);
    assert_ne!(shown(&cluster, "my-dual-0"), before);
    cluster.assert_only_the_present_authority();
}

#[test]
fn an_authority_that_is_trusted_before_it_signs_waits_and_the_former_one_stays_trusted() {
    let mut cluster = settled();
    let next = authority("next", cluster.world.now);
    trust(&mut cluster.world, &[&next]);
    let before = shown(&cluster, "my-dual-0");
    let plan = take_up(&mut cluster);
    assert_eq!((shown(&cluster, "my-dual-0"), cluster.trusted_authorities()), (before, 2));
    let said = warning_with(&plan, "CertificateNotIssued").unwrap();
    assert!(said.contains("cmctl renew -n s1 my-dual-0"), "{said}");

    cluster.cert_manager = Some(CertManager::of(next));
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    take_up(&mut cluster);
    cluster.assert_only_the_present_authority();
    assert_eq!(cluster.generation("my-cluster-ca-cert", "strimzi.io/ca-key-generation"), 1);
}

#[test]
fn of_two_authorities_the_second_is_shown_when_every_pod_trusts_it() {
    let mut cluster = settled();
    let next = authority("next", cluster.world.now);
    trust(&mut cluster.world, &[&cluster.cert_manager.as_ref().unwrap().authority, &next]);
    cluster.cert_manager = Some(CertManager::of(next));
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    assert_eq!(cluster.settle(), 6, "to trust, to show; nothing is to be forgotten");
    assert_eq!(shown(&cluster, "my-dual-2").rest()[0].info.common_name, "next");
}

#[test]
fn a_renewed_certificate_waits_for_a_maintenance_window_and_new_names_do_not() {
    let mut cluster = settled();
    cluster.world.kafka(|kafka| kafka["spec"]["maintenanceTimeWindows"] = json!(["* * 3 * * ?"]));
    let before = shown(&cluster, "my-dual-0");
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    take_up(&mut cluster);
    assert_eq!(shown(&cluster, "my-dual-0"), before, "noon is in no window");
    cluster.world.now = "2026-06-02T03:10:00Z".parse().unwrap();
    take_up(&mut cluster);
    let renewed = shown(&cluster, "my-dual-0");
    assert_ne!(renewed, before);

    cluster.world.now = "2026-06-02T12:00:00Z".parse().unwrap();
    cluster.world.kafka(|kafka| {
        let listener = &mut kafka["spec"]["kafka"]["listeners"][1];
        listener["configuration"] = json!({"bootstrap": {"alternativeNames": ["kafka.example.org"]}});
    });
    take_up(&mut cluster);
    let named = shown(&cluster, "my-dual-0");
    assert!(named.first().info.dns_names.contains("kafka.example.org"), "{named:?}");
}

#[test]
fn a_renewal_that_cert_manager_owes_is_said_in_time() {
    let mut cluster = settled();
    cluster.cert_manager.as_mut().unwrap().works = false;
    cluster.world.now += SignedDuration::from_hours(24 * 340);
    assert!(
        cluster
            .pass()
            .status
            .kafka
            .clone()
            .unwrap()
            .conditions
            .unwrap()
            .iter()
            .all(|one| one.type_ != "Warning")
    );
    cluster.world.now += SignedDuration::from_hours(24 * 12);
    let plan = cluster.pass();
    let said = warning_with(&plan, "CertificateNotIssued").unwrap();
    assert!(said.contains("Secret my-dual-0: cert-manager has not renewed it"), "{said}");
}

#[test]
fn a_lost_secret_of_cert_manager_costs_nothing_and_a_lost_leaf_is_taken_from_it() {
    let mut cluster = settled();
    let before = shown(&cluster, "my-dual-0");
    cluster.cert_manager.as_mut().unwrap().works = false;
    cluster.delete_secrets(&["my-dual-0-cm"]);
    let plan = cluster.pass();
    assert_eq!(shown(&cluster, "my-dual-0"), before);
    assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.waiting_for);

    cluster.delete_secrets(&["my-dual-1"]);
    cluster.lost_its_leaf = Some("my-dual-1".to_owned());
    cluster.settle();
    cluster.assert_only_the_present_authority();
}

#[test]
fn a_renewed_certificate_is_taken_also_while_the_resource_is_refused() {
    let mut cluster = settled();
    let before = shown(&cluster, "my-dual-0");
    cluster.world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    cluster.pass();
    assert_ne!(shown(&cluster, "my-dual-0"), before);
}

#[test]
fn a_renewed_certificate_is_taken_also_while_nobody_knows_whom_to_trust() {
    let mut cluster = settled();
    let before = shown(&cluster, "my-dual-0");
    cluster.delete_secrets(&["issuer-ca"]);
    assert!(refusal(&mut cluster.world).contains("\"issuer-ca\" does not exist"));
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    cluster.pass();
    assert_ne!(shown(&cluster, "my-dual-0"), before, "by what was trusted until then");
}

#[test]
fn a_node_more_restarts_no_other_and_shows_every_authority_on_the_way_to_the_trusted_one() {
    let mut cluster = new_cluster(None);
    let root = cluster.cert_manager.take().unwrap().authority;
    cluster.cert_manager = Some(CertManager::below(&root, "team"));
    cluster.pass();
    cluster.settle();
    let names = |cluster: &AtWork, pod: &str| {
        let chain = shown(cluster, pod);
        chain.iter().map(|one| one.info.common_name.clone()).collect::<Vec<_>>()
    };
    assert_eq!(names(&cluster, "my-dual-0"), ["my-kafka", "team", "company"]);
    assert_eq!(cluster.trusted_authorities(), 1);
    cluster.cert_manager.as_mut().unwrap().works = false;
    cluster.world.pool(0, |pool| pool["spec"]["replicas"] = json!(4));
    for _ in 0..3 {
        let plan = cluster.pass();
        assert_eq!((plan.roll.wanted.len(), cluster.trusted_authorities()), (0, 1));
    }
    cluster.cert_manager.as_mut().unwrap().works = true;
    assert_eq!(cluster.settle(), 0);
    assert_eq!(names(&cluster, "my-dual-3"), ["my-kafka", "team", "company"]);
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    take_up(&mut cluster);
    cluster.assert_only_the_present_authority();
}

#[test]
fn what_cert_manager_keeps_for_a_node_that_left_goes_and_what_looks_like_it_stays() {
    let mut cluster = settled();
    let (id, certificate) = {
        let all = &cluster.world.observed.others;
        let found = all.iter().find(|(id, _)| id.kind == "Certificate" && id.name == "my-dual-0").unwrap();
        (found.0.clone(), found.1.clone())
    };
    let left = ObjectId { name: "my-dual-7".to_owned(), ..id };
    cluster.world.observed.others.insert(left.clone(), certificate);
    let filled = Arc::clone(&cluster.world.observed.secrets["my-dual-0-cm"]);
    for (name, is_filled) in [("my-dual-7-cm", true), ("my-copy-cm", false)] {
        let mut secret = filled.as_ref().clone();
        secret.metadata.name = Some(name.to_owned());
        if !is_filled {
            secret.metadata.annotations = None;
        }
        cluster.world.observed.secrets.insert(name.to_owned(), Arc::new(secret));
    }
    let plan = cluster.world.plan();
    let gone: Vec<&str> = plan.delete.iter().map(|deletion| deletion.object.name.as_str()).collect();
    assert_eq!(gone, ["my-dual-7", "my-dual-7-cm"]);
}

#[test]
fn a_node_that_needs_an_rsa_key_gets_one_without_waiting_for_a_window() {
    let mut cluster = settled();
    cluster.world.kafka(|kafka| {
        kafka["spec"]["maintenanceTimeWindows"] = json!(["* * 3 * * ?"]);
        kafka["spec"]["kafka"]["config"]["ssl.cipher.suites"] =
            json!("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
    });
    cluster.pass();
    let plan = cluster.pass();
    let said = warning_with(&plan, "CertificateNotIssued").unwrap_or_default();
    assert!(said.is_empty() || said.contains("has no RSA key yet"), "{said}");
    cluster.cert_manager.as_ref().unwrap().renew(&mut cluster.world);
    cluster.settle();
    assert!(shown(&cluster, "my-dual-0").first().info.has_rsa_key);
}

#[test]
fn users_are_told_of_an_issuer_when_every_pod_trusts_its_authorities() {
    let mut cluster = new_cluster(Some(section()));
    cluster.pass();
    cluster.settle();
    let secrets = &cluster.world.observed.secrets;
    assert!(!secrets.contains_key("my-clients-ca"), "there is no key");
    let deployment =
        serde_json::to_value(cluster.world.observed.deployments["my-entity-operator"].as_ref()).unwrap();
    let user_operator = &deployment["spec"]["template"]["spec"]["containers"][1];
    let variable = |name: &str| {
        let all = user_operator["env"].as_array().unwrap();
        all.iter().find(|one| one["name"] == name).map(|one| one["value"].as_str().unwrap())
    };
    assert_eq!(variable("STRIMZI_CA_TYPE"), Some("cert-manager.io"));
    assert_eq!(variable("STRIMZI_CM_ISSUER_NAME"), Some("company"));
    assert_eq!(variable("STRIMZI_CM_ISSUER_KIND"), Some("Issuer"));
    assert_eq!(variable("STRIMZI_CM_ISSUER_GROUP"), Some("cert-manager.io"));
    assert_eq!(variable("STRIMZI_CA_KEY_NAME"), None);
    let plan = cluster.pass();
    let role = object(&plan, "Role", "my-entity-operator");
    assert!(role["rules"].to_string().contains("\"certificates\""), "{role}");
    let told = |cluster: &AtWork| {
        let secret = Arc::clone(&cluster.world.observed.secrets["my-clients-ca-cert"]);
        secret.metadata.annotations.clone().unwrap()["kastellan.io/trusted-by-all-pods"].clone()
    };
    let first = told(&cluster);
    assert_eq!(first.len(), 64, "{first}");
    let next = authority("next", cluster.world.now);
    let company = &cluster.cert_manager.as_ref().unwrap().authority;
    // Which of them signs for a user is not known before.
    trust(&mut cluster.world, &[company, &next]);
    cluster.pass();
    assert_ne!(told(&cluster), first, "not every pod trusts the second one");
    cluster.settle();
    assert_eq!(told(&cluster), first);
}
