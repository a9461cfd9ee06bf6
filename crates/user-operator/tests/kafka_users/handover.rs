//! Users that are handed to another cluster by their label, or lose it by mistake: their credentials stay.

use kube::api::{Patch, PatchParams};
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, World};

#[tokio::test(flavor = "multi_thread")]
async fn a_user_whose_label_slips_loses_its_rights_and_keeps_its_credentials() {
    let w = World::get().await;
    let rules = json!({"type": "simple", "acls": [{"resource": {"type": "group", "name": "g"}, "operations": ["Read"]}]});
    for (name, kind, label) in [
        ("slip-tls", "tls", json!("nowhere")),
        ("slip-scram", "scram-sha-512", json!("nowhere")),
        ("bare-user-tls", "tls", json!(null)),
        ("bare-user-scram", "scram-sha-512", json!(null)),
    ] {
        w.create(name, json!({"authentication": {"type": kind}, "authorization": rules})).await;
        w.ready(name).await;
        let (uid, before) = (w.secrets.get(name).await.unwrap().metadata.uid, w.secret(name).await);
        w.patch(name, json!({"metadata": {"labels": {"strimzi.io/cluster": label}}})).await;
        w.gone_from_kafka(name).await;
        w.passes(2.0).await;
        let kept = w.secrets.get_opt(name).await.unwrap();
        assert_eq!(kept.map(|secret| secret.metadata.uid), Some(uid.clone()), "the Secret of {name}");
        w.patch(name, json!({"metadata": {"labels": {"strimzi.io/cluster": "my"}}})).await;
        let username = if kind == "tls" { format!("CN={name}") } else { name.to_owned() };
        wait::until(DEADLINE, "the rules are back", || async {
            (w.acls(&username).await.len() == 1).then_some(())
        })
        .await
        .unwrap();
        assert_eq!(w.secrets.get(name).await.unwrap().metadata.uid, uid);
        assert!(w.secret(name).await == before, "the credentials of {name} were replaced");
        if let Some(password) = before.get("password") {
            w.logs_in(name, password).await;
        }
        w.delete(name).await;
        w.gone_from_kafka(name).await;
        wait::for_absence(&w.secrets, name, DEADLINE).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_label_that_slips_while_no_operator_runs_costs_no_credentials_either() {
    let mut w = World::own().await;
    w.start_operator().await;
    w.create("slipped", json!({"authentication": {"type": "scram-sha-512"}})).await;
    w.ready("slipped").await;
    let before = (w.secrets.get("slipped").await.unwrap().metadata.uid, w.secret("slipped").await);
    w.stop_operator().await;
    w.patch("slipped", json!({"metadata": {"labels": {"strimzi.io/cluster": null}}})).await;
    w.start_operator().await;
    w.gone_from_kafka("slipped").await;
    let now = (w.secrets.get("slipped").await.unwrap().metadata.uid, w.secret("slipped").await);
    assert!(now == before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_handed_to_another_cluster_takes_its_secret_along() {
    let mut here = World::own().await;
    let mut there = here.beside("far").await;
    here.start_operator().await;
    there.start_operator().await;
    here.create("nomad-scram", json!({"authentication": {"type": "scram-sha-512"}})).await;
    here.create("nomad-tls", json!({"authentication": {"type": "tls"}, "quotas": {"producerByteRate": 9}}))
        .await;
    let names = ["nomad-scram", "nomad-tls"];
    for name in names {
        here.ready(name).await;
    }
    let password = here.secret("nomad-scram").await["password"].clone();
    let mut uids = Vec::new();
    for name in names {
        uids.push(here.secrets.get(name).await.unwrap().metadata.uid);
    }
    for round in 0..4 {
        let (from, to, label) = if round % 2 == 0 { (&here, &there, "far") } else { (&there, &here, "my") };
        for name in names {
            from.patch(name, json!({"metadata": {"labels": {"strimzi.io/cluster": label}}})).await;
        }
        for name in names {
            from.gone_from_kafka(name).await;
        }
        to.logs_in("nomad-scram", &password).await;
        wait::until(DEADLINE, "the certificate is one of the new cluster", || async {
            to.certificate_fits("nomad-tls", &to.secret("nomad-tls").await).then_some(())
        })
        .await
        .unwrap();
        for (name, uid) in names.iter().zip(&uids) {
            let labelled = |secret: &k8s_openapi::api::core::v1::Secret| {
                secret.metadata.labels.as_ref().is_some_and(|labels| labels["strimzi.io/cluster"] == label)
            };
            let secret = wait::for_object(&to.secrets, name, DEADLINE, "is the new cluster's", labelled)
                .await
                .unwrap();
            assert_eq!(secret.metadata.uid, *uid, "the Secret of {name} was made anew in round {round}");
        }
        assert_eq!(to.secret("nomad-scram").await["password"], password);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_that_is_held_by_another_finalizer_while_it_is_deleted_is_gone_for_kafka() {
    let w = World::get().await;
    w.create("held", json!({"authentication": {"type": "scram-sha-512"}})).await;
    w.ready("held").await;
    w.patch("held", json!({"metadata": {"finalizers": ["example.com/hold"]}})).await;
    w.delete("held").await;
    w.gone_from_kafka("held").await;
    let free = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    w.resources.patch("held", &PatchParams::default(), &free).await.unwrap();
    wait::for_absence(&w.secrets, "held", DEADLINE).await.unwrap();
}
