#![allow(clippy::unwrap_used)]
use proptest::prelude::*;
use serde_json::{Value, json};

use super::tests::{days, kafka, now, password_view, seen, settings, user, view};
use super::*;
use crate::snapshot::Rule;

/// Carries a plan out on what Kafka holds.
fn carry_out(changes: &KafkaChanges, name: &str, kafka: &mut UserInKafka) {
    for binding in &changes.create {
        side(kafka, name, &binding.principal["User:".len()..]).rules.insert(Rule::of(binding));
    }
    for binding in &changes.delete {
        side(kafka, name, &binding.principal["User:".len()..]).rules.remove(&Rule::of(binding));
    }
    for (entity, change) in &changes.quotas {
        let Some(kafka_admin::QuotaName::Named(username)) = &entity.user else { panic!("{entity:?}") };
        for (key, value) in change {
            let held = side(kafka, name, username);
            match value {
                Some(value) => held.quotas.insert(key.clone(), *value),
                None => held.quotas.remove(key),
            };
        }
    }
    if changes.set_password {
        kafka.plain.scram = Some(SCRAM_ITERATIONS);
    }
    if changes.delete_password {
        kafka.plain.scram = None;
    }
}

fn side<'a>(kafka: &'a mut UserInKafka, name: &str, username: &str) -> &'a mut Held {
    if username == name { &mut kafka.plain } else { &mut kafka.certificate }
}

fn any_spec() -> impl Strategy<Value = Value> {
    let authentication = prop_oneof![
        Just(Value::Null),
        Just(json!({"type": "tls"})),
        Just(json!({"type": "tls-external"})),
        Just(json!({"type": "scram-sha-512"})),
    ];
    let acl = (0..3_usize, 0..3_usize, any::<bool>(), prop::collection::vec(0..4_usize, 0..3)).prop_map(
        |(kind, name, deny, operations)| {
            let (kind, name) = (["topic", "group", "cluster"][kind], ["a", "b", "*"][name]);
            let operations: Vec<&str> =
                operations.iter().map(|o| ["Read", "Write", "All", "Describe"][*o]).collect();
            json!({
                "type": if deny { "deny" } else { "allow" },
                "resource": {"type": kind, "name": name},
                "operations": operations,
            })
        },
    );
    let quotas = (prop::option::of(0..3_i64), prop::option::of(0..3_i64))
        .prop_map(|(one, other)| json!({"producerByteRate": one, "requestPercentage": other}));
    (authentication, prop::collection::vec(acl, 0..4), quotas).prop_map(|(authentication, acls, quotas)| {
        let mut spec = json!({"authorization": {"type": "simple", "acls": acls}, "quotas": quotas});
        if !authentication.is_null() {
            spec["authentication"] = authentication;
        }
        spec
    })
}

proptest! {
    #[test]
    fn after_any_sequence_of_changes_kafka_holds_what_the_last_resource_says(
        specs in prop::collection::vec(any_spec(), 1..6)
    ) {
        let mut kafka = kafka();
        let known = Password::new("p");
        for spec in &specs {
            let user = user("bob", spec);
            let tls = view(&user, Certificate::Valid(days(300)));
            let scram = password_view(&user, "p");
            let secret = match authentication(&user) {
                Some(KafkaUserAuthenticationType::Tls) => Some(&tls),
                Some(KafkaUserAuthenticationType::ScramSha512) => Some(&scram),
                _ => None,
            };
            let mut observed = seen(secret);
            observed.acknowledged = Some(known.clone());
            observed.kafka = Some(kafka.clone());
            let first = plan(&user, &observed, &settings(), now());
            carry_out(&first.kafka, "bob", &mut kafka);
            observed.kafka = Some(kafka.clone());
            let second = plan(&user, &observed, &settings(), now());
            prop_assert_eq!(second.kafka, KafkaChanges::default());
            prop_assert_eq!(second.secret, SecretStep::Keep);
        }
        let observed = Observed { kafka: Some(kafka.clone()), ..Observed::default() };
        let gone = plan_absent("bob", &observed, &settings(), &Whereabouts::Gone).kafka;
        carry_out(&gone, "bob", &mut kafka);
        prop_assert!(kafka.plain.is_empty() && kafka.certificate.is_empty());
    }
}
