//! Manifests that the definitions let through, out of a number: whatever a schema allows, with a liking for what breaks programs.

use serde_json::{Map, Value, json};

use api::extensions::EXTENSIONS;

use crate::paths::table::{self, Step};
use crate::paths::{contexts, values};

/// Numbers that look random and follow from the first one (SplitMix64).
pub(super) struct Random(pub u64);

impl Random {
    fn next(&mut self) -> u64 {
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

    fn pick<'a, T>(&mut self, all: &'a [T]) -> &'a T {
        &all[self.below(all.len())]
    }
}

/// Texts with what means something in names, lists, numbers, templates and files.
const TEXTS: &[&str] = &[
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
fn anything(random: &mut Random, depth: usize) -> Value {
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

fn free_object(random: &mut Random, depth: usize) -> Value {
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

/// What object overrides name, and what they may and may not change there.
const OVERRIDDEN: &[&str] = &[
    "Service",
    "Service/my-kafka-bootstrap",
    "Deployment",
    "Pod",
    "Pod/my-*",
    "ConfigMap",
    "PersistentVolumeClaim",
    "PodDisruptionBudget",
    "ServiceAccount",
    "Role",
    "NetworkPolicy",
    "Secret",
    "Pod/",
    "Pod/*",
];
const PATCHES: &[&str] = &[
    r#"{"metadata": {"annotations": {"a": "b"}, "labels": {"c": "d"}}}"#,
    r#"{"metadata": {"name": "x", "ownerReferences": []}}"#,
    r#"{"spec": {"ports": [{"port": 9092, "appProtocol": "kafka"}, {"port": 7, "name": "more"}], "internalTrafficPolicy": "Local"}}"#,
    r#"{"spec": {"ports": "x", "selector": null}}"#,
    r#"{"spec": {"maxUnavailable": 1, "minAvailable": null}}"#,
    r#"{"spec": {"template": {"spec": {"tolerations": [{"key": "k"}], "containers": [{"name": "topic-operator", "env": [{"name": "A", "value": "b"}]}]}}}}"#,
    r#"{"spec": {"volumes": [{"name": "v", "emptyDir": {}}], "containers": [{"name": "more", "image": "i", "volumeMounts": [{"name": "v", "mountPath": "/v"}]}]}}"#,
    r#"{"spec": {"hostNetwork": true, "containers": [null, 7, {"name": "kafka", "image": "other"}]}}"#,
    r#"{"spec": {"terminationGracePeriodSeconds": -1, "nodeSelector": {"a": 1}}}"#,
    r#"{"data": {"server.config": "x"}, "rules": null}"#,
    "{}",
];

fn object(schema: &Value, path: &str, random: &mut Random, depth: usize) -> Value {
    let mut object = Map::new();
    if path == "spec.objectOverrides" {
        for _ in 0..=random.below(3) {
            let key = if random.happens(90) { random.pick(OVERRIDDEN) } else { random.pick(TEXTS) };
            let patch: &&str = random.pick(PATCHES);
            object.insert((*key).to_owned(), serde_json::from_str(patch).unwrap());
        }
        return Value::Object(object);
    }
    if path == "spec.kafka.nodeConfig" {
        for _ in 0..=random.below(2) {
            let key = if random.happens(80) {
                random.pick(&["0", "0-2", "1, 2", "0, 3-5", "7"])
            } else {
                random.pick(TEXTS)
            };
            object.insert((*key).to_owned(), free_object(random, 0));
        }
        return Value::Object(object);
    }
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
}

/// The definitions that resources follow.
pub(super) struct Definitions {
    kafka: Value,
    pool: Value,
    /// Paths with their kinds.
    paths: Vec<(&'static str, String)>,
    /// Those that the contract does not have.
    more: Vec<(&'static str, String)>,
}

/// What older versions have and the stored one keeps.
const OLDER: &[&str] = &[
    "spec.zookeeper",
    "spec.zookeeper.replicas",
    "spec.zookeeper.storage",
    "spec.kafka.replicas",
    "spec.kafka.storage",
    "spec.kafka.resources",
];

impl Definitions {
    pub(super) fn read() -> Self {
        let [kafka, pool] = table::KINDS.map(|(_, file)| table::schema(file));
        let of_kind =
            |(kind, _): (&'static str, _)| table::paths(kind).into_iter().map(move |path| (kind, path));
        Self {
            kafka,
            pool,
            more: EXTENSIONS
                .iter()
                .map(|extension| (extension.kind, extension.path))
                .chain(OLDER.iter().map(|path| ("Kafka", *path)))
                .filter(|(kind, path)| (*kind == "Kafka" || *kind == "KafkaNodePool") && !path.contains('*'))
                .map(|(kind, path)| (kind, path.to_owned()))
                .collect(),
            paths: table::KINDS.into_iter().flat_map(of_kind).filter(|(_, path)| path != "spec").collect(),
        }
    }

    fn schema(&self, kind: &str) -> &Value {
        if kind == "Kafka" { &self.kafka } else { &self.pool }
    }

    /// Resources out of a number.
    pub(super) fn resources(&self, seed: u64) -> Resources {
        let mut random = Random(seed);
        let read = |text: &str| -> Value { serde_json::from_str(text).unwrap() };
        let mut made = Resources { kafka: read(contexts::KAFKA), pools: vec![read(contexts::POOL)] };
        match random.below(10) {
            0 => made.kafka["spec"] = value(&self.kafka["properties"]["spec"], "spec", &mut random, 0),
            1 => made.pools[0]["spec"] = value(&self.pool["properties"]["spec"], "spec", &mut random, 0),
            _ => {}
        }
        for _ in 0..random.below(7) {
            self.change(&mut made, &self.paths, &mut random);
        }
        if random.happens(30) {
            for _ in 0..=random.below(3) {
                self.change(&mut made, &self.more, &mut random);
            }
        }
        if random.happens(30) {
            let mut second = made.pools[0].clone();
            second["metadata"]["name"] = json!("others");
            second["metadata"]["uid"] = json!("others-uid");
            made.pools.push(second);
        }
        let Resources { kafka, pools } = &mut made;
        for manifest in pools.iter_mut().chain([kafka]) {
            odd_metadata(manifest, &mut random);
        }
        made
    }

    /// Sets one property to something.
    fn change(&self, made: &mut Resources, paths: &[(&'static str, String)], random: &mut Random) {
        let (kind, path) = random.pick(paths);
        if random.happens(60) {
            for before in contexts::of(kind, path) {
                let manifest = if before.kind == "Kafka" { &mut made.kafka } else { &mut made.pools[0] };
                table::set(manifest, self.schema(before.kind), &before.path, Some(&before.value));
            }
        }
        let (mut at, mut depth) = (self.schema(kind), 0);
        for step in table::steps(path) {
            at = table::inner(at, &step);
            depth += usize::from(matches!(step, Step::Property(_)));
        }
        let value = value(at, path, random, depth.min(3));
        let manifest = if *kind == "Kafka" { &mut made.kafka } else { &mut made.pools[0] };
        if is_way(manifest, path) {
            table::set(manifest, self.schema(kind), path, Some(&value));
        }
    }
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

/// What the annotation for the security inside of a cluster may say.
const SECURITY: &[&str] = &[
    r#"{"encryption": {"type": "none"}}"#,
    r#"{"authentication": {"type": "none"}}"#,
    r#"{"encryption": {"type": "tls"}, "authentication": {"type": "tls"}}"#,
    r#"{"encryption": {"type": "none"}, "authentication": {"type": "none"}}"#,
    r#"{"encryption": 7}"#,
    "{}",
];

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
        let key = random.pick(ANNOTATIONS);
        let is_security = *key == "strimzi.io/internal-cluster-security" && random.happens(70);
        let text = if is_security { random.pick(SECURITY) } else { random.pick(TEXTS) };
        manifest["metadata"]["annotations"][*key] = json!(text);
    }
    if random.happens(20) {
        manifest["metadata"]["labels"]["team"] = json!("a");
    }
}
