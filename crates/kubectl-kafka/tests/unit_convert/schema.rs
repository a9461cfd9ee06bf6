//! Whether a value fits the schema of a definition, as far as the API server judges by types, bounds and patterns.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use regex::Regex;
use serde_json::Value;

/// The schema of each kind in `v1`, and its group; KafkaMirrorMaker has none.
fn schemas() -> &'static BTreeMap<String, (String, Value)> {
    static ALL: OnceLock<BTreeMap<String, (String, Value)>> = OnceLock::new();
    ALL.get_or_init(|| {
        let of_kind = |file: api::crds::CrdFile| {
            let spec = file.crd.spec;
            let version = spec.versions.into_iter().find(|version| version.name == "v1")?;
            let schema = serde_json::to_value(version.schema.unwrap().open_api_v3_schema.unwrap()).unwrap();
            Some((spec.names.kind, (spec.group, schema)))
        };
        api::crds::all().unwrap().into_iter().filter_map(of_kind).collect()
    })
}

/// Everything for which the API server would refuse a resource.
pub(crate) fn complaints(resource: &Value) -> Vec<String> {
    let (group, schema) = &schemas()[resource["kind"].as_str().unwrap()];
    assert_eq!(resource["apiVersion"], format!("{group}/v1"));
    let mut found = Vec::new();
    check(&schema["properties"]["spec"], &resource["spec"], "spec", &mut found);
    found
}

fn check(schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let mut complain = |text: String| found.push(format!("{path} = {value}: {text}"));
    if schema["x-kubernetes-preserve-unknown-fields"] == true {
        return;
    }
    if schema["x-kubernetes-int-or-string"] == true {
        if !value.is_string() && !value.is_i64() {
            complain("neither text nor number".to_owned());
        }
        return;
    }
    let fits = match schema["type"].as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        other => panic!("{path}: type {other:?}"),
    };
    if !fits {
        complain(format!("not of type {}", schema["type"]));
        return;
    }
    if schema["enum"].as_array().is_some_and(|all| !all.contains(value)) {
        complain(format!("not one of {}", schema["enum"]));
    }
    let number = value.as_f64();
    if schema["minimum"].as_f64().zip(number).is_some_and(|(least, number)| number < least) {
        complain("too small".to_owned());
    }
    if schema["maximum"].as_f64().zip(number).is_some_and(|(most, number)| number > most) {
        complain("too large".to_owned());
    }
    if let (Some(pattern), Some(text)) = (schema["pattern"].as_str(), value.as_str())
        && !Regex::new(pattern).unwrap().is_match(text)
    {
        complain(format!("does not match {pattern}"));
    }
    if schema["minItems"]
        .as_u64()
        .zip(value.as_array())
        .is_some_and(|(least, all)| (all.len() as u64) < least)
    {
        complain("too few items".to_owned());
    }
    for required in schema["required"].as_array().into_iter().flatten() {
        if value.get(required.as_str().unwrap()).is_none() {
            complain(format!("{required} is missing"));
        }
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        check(&schema["items"], item, &format!("{path}[{index}]"), found);
    }
    for (name, inner) in value.as_object().into_iter().flatten() {
        let path = format!("{path}.{name}");
        match (schema["properties"].get(name), schema.get("additionalProperties")) {
            (Some(property), _) => check(property, inner, &path, found),
            (None, Some(any)) => check(any, inner, &path, found),
            (None, None) => found.push(format!("{path} is not known")),
        }
    }
}
