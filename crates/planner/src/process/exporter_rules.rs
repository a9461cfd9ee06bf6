//! The rules of the JMX Prometheus Exporter: YAML of the user's own, of which nodes get JSON.

mod bounded_yaml;

use self::bounded_yaml::{Bounded, TOO_LONG};
use crate::findings::Findings;
use crate::references::{ConfigMapKey, ConfigMaps, text_of};

/// The longest text in bytes, as it is written and as JSON. It stands in the ConfigMap of every node.
const LONGEST: usize = bounded_yaml::MOST;

/// What the exporter may be told. It knows more: another process to ask (`jmxUrl`, `hostPort`, `username`, `password`, `ssl`), and
/// how it serves (`httpServer`, `openTelemetry`), which is the operator's to say. Whoever may write a ConfigMap is not always whoever
/// may write the Kafka resource.
const KEYS: &[&str] = &[
    "autoExcludeObjectNameAttributes",
    "blacklistObjectNames",
    "excludeJvmMetrics",
    "excludeObjectNameAttributes",
    "excludeObjectNames",
    "includeObjectNames",
    "inferCounterTypeFromName",
    "lowercaseOutputLabelNames",
    "lowercaseOutputName",
    "metricCustomizers",
    "rules",
    "startDelaySeconds",
    "whitelistObjectNames",
];

/// Characters of a key that are shown.
const SHOWN: usize = 40;

/// The rules that a key of a ConfigMap holds, as JSON. What is wrong with them is a problem.
pub(crate) fn read(
    reference: &ConfigMapKey,
    maps: &ConfigMaps<'_>,
    findings: &mut Findings,
) -> Option<String> {
    let text = text_of(reference, maps, findings)?;
    let ConfigMapKey { field, name, key, .. } = reference;
    let refused = |why: String| {
        findings.problem(format!("{field}.key"), format!("key {key:?} of ConfigMap {name:?} {why}"));
    };
    as_json(&text).map_err(refused).ok()
}

/// The rules as JSON. The exporter would not start, and Kafka not with it, with what is no YAML: so it is read here.
///
/// # Errors
/// Why they cannot be used, as the end of a sentence that begins with where they are.
pub(crate) fn as_json(text: &str) -> Result<String, String> {
    if text.len() > LONGEST {
        return Err(format!("has {} bytes: write at most {LONGEST}", text.len()));
    }
    let Bounded(value) = serde_saphyr::from_str(text).map_err(|error| not_read(&error.to_string()))?;
    let map = match value {
        serde_json::Value::Null => serde_json::Map::new(),
        serde_json::Value::Object(map) => map,
        _ => {
            return Err(
                "is no map: write the rules of the exporter, such as \"rules: [{pattern: .*}]\"".to_owned()
            );
        }
    };
    if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
        let shown: String = key.chars().take(SHOWN).collect();
        return Err(format!("has the key {shown:?}: take it out, and write none but {}", KEYS.join(", ")));
    }
    let json = serde_json::Value::Object(map).to_string();
    if json.len() > LONGEST {
        return Err(format!("has {} bytes as JSON: write at most {LONGEST}", json.len()));
    }
    Ok(json)
}

/// About how many bytes the rules of a text have in the ConfigMap of a node. Nothing makes a text much longer but names that stand for
/// parts of it.
pub(crate) fn expanded(text: &str) -> usize {
    let has_aliases = text.contains('&') && text.contains('*');
    if has_aliases { as_json(text).map_or(0, |json| json.len()) } else { text.len().min(LONGEST) }
}

fn not_read(error: &str) -> String {
    // What comes after the first line is a picture of the text, which a condition has no room for.
    let first_line = error.lines().next().unwrap_or_default();
    if first_line.contains(TOO_LONG) {
        return format!("{TOO_LONG}: write at most {LONGEST} bytes");
    }
    format!("is not YAML: {first_line}; write the rules of the exporter")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_become_json_and_their_order_stays() {
        let text =
            "lowercaseOutputName: true\nrules:\n- pattern: z<a=(.+)>\n  labels: {b: \"$1\"}\n- pattern: a\n";
        assert_eq!(
            as_json(text).unwrap(),
            r#"{"lowercaseOutputName":true,"rules":[{"labels":{"b":"$1"},"pattern":"z<a=(.+)>"},{"pattern":"a"}]}"#
        );
        assert_eq!(as_json("# nothing yet\n").unwrap(), "{}");
        assert_eq!(as_json(r#"{"rules": []}"#).unwrap(), r#"{"rules":[]}"#);
        let numbers = "startDelaySeconds: 3\nrules:\n- {pattern: a, value: -1, valueFactor: 0.5, cache: true, help: ~}\n";
        assert_eq!(
            as_json(numbers).unwrap(),
            r#"{"rules":[{"cache":true,"help":null,"pattern":"a","value":-1,"valueFactor":0.5}],"startDelaySeconds":3}"#
        );
    }

    #[test]
    fn what_would_keep_the_exporter_from_starting_is_said() {
        for (text, expected) in [
            ("rules: [", "is not YAML"),
            ("rules: {", "is not YAML"),
            ("- pattern: x", "is no map"),
            ("just a text", "is no map"),
        ] {
            let why = as_json(text).unwrap_err();
            assert!(why.contains(expected) && !why.contains('\n'), "{text}: {why}");
        }
        let long = format!("rules: [{}]", "{pattern: aaaaaaaaaaaaaaaaaaaaaaaa},".repeat(5_000));
        assert!(as_json(&long).unwrap_err().contains("write at most"));
    }

    #[test]
    fn the_exporter_is_not_led_to_other_processes() {
        for key in ["jmxUrl", "hostPort", "username", "password", "ssl", "httpServer", "openTelemetry"] {
            let why = as_json(&format!("rules: []\n{key}: secret-value\n")).unwrap_err();
            assert!(why.contains(key) && why.contains("includeObjectNames"), "{why}");
            assert!(!why.contains("secret-value"), "{why}");
        }
    }

    #[test]
    fn names_that_stand_for_more_and_more_take_no_memory() {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let one = format!("*a{}, ", level - 1).repeat(10);
            let line = format!("a{level}: &a{level} [{}]\n", one.trim_end_matches(", "));
            text.push_str(&line);
        }
        assert!(as_json(&text).is_err());
    }

    #[test]
    fn a_long_text_that_is_repeated_by_name_takes_no_memory() {
        // Of 80 KiB: written out it would be 600 MB.
        let again = "*a, ".repeat(10_000);
        let text = format!("rules: [&a {}, {}]", "x".repeat(60_000), again.trim_end_matches(", "));
        assert!(as_json(&text).unwrap_err().contains("aliases"), "{:?}", as_json(&text));
        let few = "rules:\n- &a {pattern: aaa, type: GAUGE}\n- *a\n- {<<: *a, pattern: b}\n";
        assert_eq!(as_json(few).unwrap().matches("GAUGE").count(), 3);
        assert_eq!(expanded(few), as_json(few).unwrap().len());
        assert_eq!(expanded("rules: []"), 9);
    }
}
