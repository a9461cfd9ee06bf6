//! Secrets and ConfigMaps that resources refer to: with what belongs there, and with anything else.

use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::generate::{Random, TEXTS};
use crate::common::World;
use crate::paths::trial;

/// Names that the values of properties have.
const NAMES: &[&str] = &["mine", "other", "logs", "rules", "some-value", "other-value", "a", "b", "kafka"];
const KEYS: &[&str] = &[
    "a",
    "b",
    "a.crt",
    "a.key",
    "b.crt",
    "some-value",
    "other-value",
    "ca.crt",
    "password",
    "log4j2.properties",
];
/// Files that are nearly right.
const FILES: &[&str] = &[
    "rootLogger.level = DEBUG\nlogger.a.name = a\nlogger.a.level = TRACE\n",
    "rootLogger.level = ${env:SECRET}\n= \n\\u00zz",
    "log4j.rootLogger=INFO, stdout\n",
    "rules: [{pattern: a}]\nlowercaseOutputName: true\n",
    "rules: [",
    "&a [*a, *a]",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: &c [*b, *b]\nd: [*c, *c]\n",
    "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
];

fn content(random: &mut Random) -> String {
    match random.below(8) {
        0 => "x".repeat(100_000),
        1 => "a=b\n".repeat(20_000),
        2..5 => (*random.pick(TEXTS)).to_owned(),
        _ => (*random.pick(FILES)).to_owned(),
    }
}

/// Puts them beside a cluster.
pub(super) fn put(world: &mut World, seed: u64) {
    trial::refer(world);
    let mut random = Random(seed);
    for _ in 0..random.below(5) {
        let name = (*random.pick(NAMES)).to_owned();
        let mut texts = Vec::new();
        for _ in 0..random.below(4) {
            texts.push(((*random.pick(KEYS)).to_owned(), content(&mut random)));
        }
        if random.happens(50) {
            let bytes = |text: String| if text == "0" { vec![0xff, 0, 0xfe] } else { text.into_bytes() };
            let data = texts.into_iter().map(|(key, text)| (key, ByteString(bytes(text)))).collect();
            let mut secret = Secret { data: Some(data), ..Secret::default() };
            secret.metadata.name = Some(name.clone());
            world.observed.secrets.insert(name, Arc::new(secret));
        } else {
            let mut map = ConfigMap { data: Some(texts.into_iter().collect()), ..ConfigMap::default() };
            map.metadata.name = Some(name.clone());
            world.observed.config_maps.insert(name, Arc::new(map));
        }
    }
}
