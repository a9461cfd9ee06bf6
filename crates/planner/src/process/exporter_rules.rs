//! The rules of the JMX Prometheus Exporter: YAML of the user's own, of which nodes get JSON.

use serde_json::Value;

use crate::findings::Findings;
use crate::references::{ConfigMapKey, ConfigMaps, text_of};

/// The longest text in bytes. It stands in the ConfigMap of every node beside other things, and Kubernetes takes 1 MiB for all.
const LONGEST: usize = 512 * 1024;

/// The rules that a key of a ConfigMap holds, as JSON. What is wrong with them is a problem.
pub fn read(reference: &ConfigMapKey, maps: &ConfigMaps<'_>, findings: &mut Findings) -> Option<String> {
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
pub fn as_json(text: &str) -> Result<String, String> {
    let value: Value = serde_saphyr::from_str(text).map_err(|error| {
        format!("is not YAML: {}; write the rules of the exporter", first_line(&error.to_string()))
    })?;
    let value = match value {
        Value::Null => Value::Object(serde_json::Map::new()),
        Value::Object(_) => value,
        _ => {
            return Err(
                "is no map: write the rules of the exporter, such as \"rules: [{pattern: .*}]\"".to_owned()
            );
        }
    };
    let json = value.to_string();
    if json.len() > LONGEST {
        return Err(format!("has {} bytes as JSON: write at most {LONGEST}", json.len()));
    }
    Ok(json)
}

/// What comes after it is a picture of the text, which a condition has no room for.
fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
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
        let long = format!("rules: [{}]", "{pattern: aaaaaaaaaaaaaaaaaaaaaaaa},".repeat(20_000));
        assert!(as_json(&long).unwrap_err().contains("write at most"));
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
}
