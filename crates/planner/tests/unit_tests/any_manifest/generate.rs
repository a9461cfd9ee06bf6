//! Manifests that the definitions let through, out of a number: whatever a schema allows, with a liking for what breaks programs.

use std::collections::BTreeSet;

use api::annotations;
use serde_json::{Map, Value, json};

use super::extensions;
use crate::paths::table::{self, Step};
use crate::paths::{contexts, values};

/// Numbers that look random and follow from the first one (SplitMix64).
pub(super) struct Random(pub u64);

impl Random {
    /// The next one.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below another one.
    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    /// Whether something that happens so often, in percent, happens.
    pub(super) fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// One of several.
    pub(super) fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Texts with what means something in names, lists, numbers, templates and files.
pub(super) const TEXTS: &[&str] = &[
    "",
    " ",
    "a",
    "kafka",
    "strimzi.io/cluster",
    "kastellan.io/x",
    "0",
    "-1",
    "1e400",
    "99999999999999999999",
    "1Gi",
    "0Gi",
    "1.5e3Ki",
    "100Ei",
    "[0-3, 9-7]",
    "[5-",
    "[0-2147483647]",
    "{nodeId}",
    "{nodeId}.{nodePodName}.example.org",
    "{nodeId} * 99999999999",
    "((((((((((1))))))))))",
    "1 - 2 - {nodeId}",
    "*.example.org",
    "a.b",
    "192.0.2.1",
    "::1",
    "${strimzienv:HOME}",
    "${",
    "a=b;c,d:e",
    "User:",
    "\\u00",
    "line\nline",
    "tab\tand\0null",
    "\u{fc}\u{1f600}\u{202e}",
    "* * * ? * *",
    "0 0/0 25 31 2 ? 1970",
    "(a+)+$",
    "[",
    "4.2.1",
    "4.3",
    "true",
    "/mnt/a",
    "../..",
    "-----BEGIN CERTIFICATE-----",
];

/// Texts for each pattern of the definitions.
const PATTERNS: &[(&str, &[&str])] = &[
    ("^[0-9]+[mMgG]?$", &["0", "1", "512m", "4G", "99999999999999999999g"]),
    (
        "^([0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$",
        &["1", "5Mi", ".", "1e400", "0.0.0", "99999999999999999999Gi", "1m", "1eE+9"],
    ),
    ("^[a-z0-9]{1,11}$", &["a", "plain", "tls", "external", "abcdefghijk", "0"]),
    ("^[0-9]+([.][0-9]{0,3}|[m]?)$", &["0", "1.", "500m", "1.123"]),
    ("^[0-9]+([KMG]i?)?B/s$", &["0B/s", "99999999999999999999GiB/s"]),
    ("^[0-9]+([.][0-9]*)?([KMGTPE]i?|e[0-9]+)?$", &["0", "1e9999", "9.Ei"]),
    ("^[a-z0-9][-_a-z0-9]*[a-z0-9]$", &["a0", "a-_b"]),
    (r"^[a-zA-Z0-9\._\-]{1,100}$", &["a", "A.b_c-1", "-", "source"]),
    (
        "^(https?|ftp)://[-a-zA-Z0-9+&@#/%?=~_|!:,.;]*[-a-zA-Z0-9+&@#/%=~_|]$",
        &["https://example.org/a.jar", "ftp://a"],
    ),
];

fn text(schema: &Value, path: &str, random: &mut Random) -> String {
    if let Some(pattern) = schema["pattern"].as_str() {
        let known = PATTERNS.iter().find(|(known, _)| *known == pattern);
        let texts = known.unwrap_or_else(|| panic!("{path}: no texts for {pattern}")).1;
        return (*random.pick(texts)).to_owned();
    }
    let mut text = match random.below(20) {
        0 => "x".repeat(300),
        1 => "\u{e4}".repeat(70),
        2..9 => match random.pick(&values::of(schema, path)) {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        },
        _ => (*random.pick(TEXTS)).to_owned(),
    };
    if let Some(most) = schema["maxLength"].as_u64() {
        text = text.chars().take(usize::try_from(most).unwrap()).collect();
    }
    text
}

fn integer(schema: &Value, random: &mut Random) -> Value {
    let bound = |key: &str, default: i64| schema[key].as_f64().map_or(default, |bound| bound as i64);
    let (least, most) = (bound("minimum", i64::from(i32::MIN)), bound("maximum", i64::from(i32::MAX)));
    let some = [least, most, 0, 1, 2, 3, 7, -1, 1000, 9092, 9094, 32_000, 65_535, 65_536];
    let fitting: Vec<i64> = some.into_iter().filter(|number| (least..=most).contains(number)).collect();
    json!(random.pick(&fitting))
}

/// Any JSON, for what the definitions keep as it is.
pub(super) fn anything(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 2 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.happens(50)),
        2 => json!(random.pick(&[0, -1, i64::MAX, i64::MIN, 3])),
        3 => json!(random.pick(&[0.5, -1e300, 1e-300])),
        4 => json!(random.pick(TEXTS)),
        5 => (0..random.below(3)).map(|_| anything(random, depth + 1)).collect(),
        _ => free_object(random, depth + 1),
    }
}

pub(super) fn free_object(random: &mut Random, depth: usize) -> Value {
    const NAMES: &[&str] = &[
        "num.io.threads",
        "log.retention.ms",
        "min.insync.replicas",
        "a.b",
        "broker.id",
        "compression.type",
    ];
    let mut object = Map::new();
    for _ in 0..random.below(4) {
        let name = if random.happens(60) { random.pick(NAMES) } else { random.pick(TEXTS) };
        object.insert((*name).to_owned(), anything(random, depth));
    }
    Value::Object(object)
}

/// A value that a schema allows.
pub(super) fn value(schema: &Value, path: &str, random: &mut Random, depth: usize) -> Value {
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return free_object(random, 0);
    }
    if schema["x-kubernetes-int-or-string"] == true {
        const QUANTITIES: &[&str] = &["0", "1", "500m", "1Gi", "1e3", "9999999Ti"];
        return if random.happens(20) { json!(random.below(100)) } else { json!(random.pick(QUANTITIES)) };
    }
    if let Some(all) = schema["enum"].as_array() {
        return random.pick(all).clone();
    }
    match schema["type"].as_str() {
        Some("boolean") => json!(random.happens(50)),
        Some("integer") => integer(schema, random),
        Some("number") => {
            let least = schema["minimum"].as_f64().unwrap_or(0.0);
            json!(random.pick(&[least, least + 0.5, 1e300]))
        }
        Some("string") => json!(text(schema, path, random)),
        Some("array") => {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap();
            let count = least + random.below(3);
            (0..count).map(|_| value(&schema["items"], &format!("{path}[]"), random, depth + 1)).collect()
        }
        Some("object") => object(schema, path, random, depth),
        other => panic!("{path}: no values of type {other:?}"),
    }
}

fn object(schema: &Value, path: &str, random: &mut Random, depth: usize) -> Value {
    let mut object = Map::new();
    let inner = &schema["additionalProperties"];
    if inner.is_object() {
        for _ in 0..random.below(3) {
            let key = if random.happens(50) { "some-key" } else { random.pick(TEXTS) };
            object.insert(key.to_owned(), value(inner, &format!("{path}.*"), random, depth + 1));
        }
    }
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let choices: Vec<&str> = schema["oneOf"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|one| one["required"][0].as_str())
        .collect();
    let chosen = (!choices.is_empty()).then(|| *random.pick(&choices));
    let often = 45_usize.saturating_sub(depth * 6).max(5);
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let wanted = if choices.contains(&name.as_str()) {
            chosen == Some(name.as_str())
        } else {
            required.contains(&name.as_str()) || random.happens(often)
        };
        if wanted {
            object.insert(name.clone(), value(property, &format!("{path}.{name}"), random, depth + 1));
        }
    }
    Value::Object(object)
}

/// The resources of a cluster: a Kafka and its pools.
#[derive(Debug, Clone)]
pub(super) struct Resources {
    pub kafka: Value,
    pub pools: Vec<Value>,
    /// Whether the cluster was made from a manifest of an older version, without pools.
    pub was_older: bool,
    /// Whether the installation allows object overrides.
    pub allows_overrides: bool,
    /// The Secrets and ConfigMaps that are there follow from this number; `None`: there are none.
    pub references: Option<u64>,
}

/// The definitions that resources follow.
pub(super) struct Definitions {
    kafka: Value,
    pool: Value,
    /// A Kafka as users of older versions wrote it.
    older: Value,
    /// Paths with their kinds: those of the contract, those beyond it, and those that only older versions have.
    paths: [Vec<(&'static str, String)>; 3],
}

/// Paths below a schema.
fn all_paths(schema: &Value, path: &str, found: &mut Vec<String>) {
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        let items = &property["items"];
        let (inner, below) =
            if items.is_object() { (items, format!("{path}[]")) } else { (property, path.clone()) };
        all_paths(inner, &below, found);
        found.push(path);
    }
}

impl Definitions {
    pub(super) fn read() -> Self {
        let [kafka, pool] = table::KINDS.map(|(_, file)| table::schema(file));
        let contract: Vec<(&'static str, String)> = table::KINDS
            .into_iter()
            .flat_map(|(kind, _)| table::paths(kind).into_iter().map(move |path| (kind, path)))
            .filter(|(_, path)| path != "spec")
            .collect();
        let further: Vec<(&'static str, String)> = table::KINDS
            .into_iter()
            .flat_map(|(kind, _)| {
                api::extensions::of_kind(kind).map(move |extension| (kind, extension.path.to_owned()))
            })
            .collect();
        // The two that are one path each are drawn as often as the address with its ten.
        let whole = ["spec.kafka.nodeConfig", "spec.objectOverrides"].map(|path| ("Kafka", path.to_owned()));
        let further: Vec<_> = further.into_iter().chain(std::iter::repeat_n(whole, 9).flatten()).collect();
        let known: BTreeSet<_> = contract.iter().chain(&further).cloned().collect();
        let mut older = Vec::new();
        for (kind, schema) in [("Kafka", &kafka), ("KafkaNodePool", &pool)] {
            let mut paths = Vec::new();
            all_paths(&schema["properties"]["spec"], "spec", &mut paths);
            older.extend(paths.into_iter().map(|path| (kind, path)));
        }
        older.retain(|(kind, path)| {
            !path.starts_with("spec.cruiseControl") && !known.contains(&(*kind, path.clone()))
        });
        Self { older: older_kafka(), kafka, pool, paths: [contract, further, older] }
    }

    fn schema(&self, kind: &str) -> &Value {
        if kind == "Kafka" { &self.kafka } else { &self.pool }
    }

    /// Whether resources are made with this property.
    pub(super) fn reach(&self, path: &str) -> bool {
        self.paths.iter().flatten().any(|(_, known)| known == path)
    }

    /// Resources out of a number.
    pub(super) fn resources(&self, seed: u64) -> Resources {
        let mut random = Random(seed);
        let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        let was_older = random.happens(20);
        let mut made = Resources {
            kafka: if was_older { self.older.clone() } else { read(contexts::KAFKA) },
            pools: vec![read(contexts::POOL)],
            was_older,
            allows_overrides: random.happens(75),
            references: random.happens(50).then(|| random.next()),
        };
        match random.below(10) {
            0 => made.kafka["spec"] = value(&self.kafka["properties"]["spec"], "spec", &mut random, 0),
            1 => made.pools[0]["spec"] = value(&self.pool["properties"]["spec"], "spec", &mut random, 0),
            _ => {}
        }
        for _ in 0..random.below(7) {
            self.change(&mut made, &mut random);
        }
        // A resource of an older version has pools when they were added later, one for its brokers among them.
        if was_older && random.happens(70) {
            made.pools.clear();
        } else if was_older && random.happens(50) {
            made.pools[0]["metadata"]["name"] = json!(random.pick(&["kafka", "controller"]));
        }
        if !made.pools.is_empty() && random.happens(30) {
            let mut second = made.pools[0].clone();
            second["metadata"]["name"] = json!("others");
            second["metadata"]["uid"] = json!("others-uid");
            made.pools.push(second);
        }
        let Resources { kafka, pools, .. } = &mut made;
        for manifest in pools.iter_mut().chain([kafka]) {
            odd_metadata(manifest, &mut random);
        }
        made
    }

    /// Sets one property to something.
    fn change(&self, made: &mut Resources, random: &mut Random) {
        let sort = match random.below(100) {
            0..15 => 1,
            15..30 => 2,
            30..45 if made.was_older => 2,
            _ => 0,
        };
        let (kind, path) = random.pick(&self.paths[sort]);
        if random.happens(60) {
            for before in contexts::of(kind, path) {
                let manifest = if before.kind == "Kafka" { &mut made.kafka } else { &mut made.pools[0] };
                table::set(manifest, self.schema(before.kind), &before.path, Some(&before.value));
            }
        }
        if path.contains(".singleAddress") && random.happens(80) {
            let listener = extensions::listener_with_one_address(random);
            table::set(&mut made.kafka, self.schema("Kafka"), "spec.kafka.listeners", Some(&listener));
        }
        let (mut at, mut depth) = (self.schema(kind), 0);
        for step in table::steps(path) {
            at = table::inner(at, &step);
            depth += usize::from(matches!(step, Step::Property(_)));
        }
        let value = match path.as_str() {
            "spec.objectOverrides" => extensions::object_overrides(random),
            "spec.kafka.nodeConfig" => extensions::node_config(random),
            _ => value(at, path, random, depth.min(3)),
        };
        let manifest = if *kind == "Kafka" { &mut made.kafka } else { &mut made.pools[0] };
        if is_way(manifest, path) {
            table::set(manifest, self.schema(kind), path, Some(&value));
        }
    }
}

/// The manifest of a user of Strimzi 0.34, under the name of the other one.
pub(super) fn older_kafka() -> Value {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../test-support/as-written/kafka.yaml");
    let mut kafka: Value = serde_saphyr::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let modern: Value = serde_json::from_str(contexts::KAFKA).unwrap();
    kafka["metadata"] = modern["metadata"].clone();
    kafka
}

/// Whether nothing of another type is in the way to a path.
fn is_way(manifest: &Value, path: &str) -> bool {
    let mut at = manifest;
    for step in table::steps(path) {
        at = match (&step, at) {
            (_, Value::Null) => return true,
            (Step::Property(name), Value::Object(object)) => object.get(name).unwrap_or(&Value::Null),
            (Step::Item, Value::Array(items)) => items.first().unwrap_or(&Value::Null),
            _ => return false,
        };
    }
    true
}

/// Labels and annotations with what the operators read there.
pub(super) fn odd_metadata(manifest: &mut Value, random: &mut Random) {
    const ANNOTATIONS: &[&str] = &[
        "strimzi.io/next-node-ids",
        "strimzi.io/remove-node-ids",
        "strimzi.io/skip-broker-scaledown-check",
        "strimzi.io/pause-reconciliation",
        "strimzi.io/internal-cluster-security",
        "strimzi.io/node-pools",
        "strimzi.io/kraft",
        "kastellan.io/approve-plan",
        "kastellan.io/unknown-fields",
        "kastellan.io/kafka-exporter-program",
    ];
    for _ in 0..random.below(3) {
        let (key, text) = (random.pick(ANNOTATIONS), random.pick(TEXTS));
        manifest["metadata"]["annotations"][*key] = json!(text);
    }
    if random.happens(15) {
        let said = extensions::internal_security(random);
        manifest["metadata"]["annotations"][annotations::INTERNAL_CLUSTER_SECURITY] = json!(said);
    }
    if random.happens(20) {
        manifest["metadata"]["labels"]["team"] = json!("a");
    }
}
