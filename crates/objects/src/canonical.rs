//! One text for all spellings of a part of a pod: what fingerprints are made of.
//!
//! The order of fields does not show in it, nor that of lists whose order means nothing, nor the unit of a quantity, nor
//! whether a default is written out. Texts that differ mean something else to Kubernetes.
//!
//! Every change of these rules changes the revision of every pod, and so restarts all of them once: the golden test of
//! the planner holds them.

use std::ops::Range;

use serde_json::{Map, Value};

use crate::quantity;
use crate::schema::{self, ListKind};

/// What Kubernetes takes for granted in the fields of a pod that users can set, and in those that the operators write.
fn is_default(path: &[&str], value: &Value) -> bool {
    let (name, parent) = schema::ends(path);
    match name {
        "protocol" => value == "TCP",
        "apiVersion" => value == "v1" && parent == "fieldRef",
        "defaultMode" => value == 420,
        "divisor" => value == "0",
        "dnsPolicy" => value == "ClusterFirst",
        "enableServiceLinks" | "hostUsers" => value == true,
        "expirationSeconds" => value == 3600,
        "nodeTaintsPolicy" => value == "Ignore",
        "nodeAffinityPolicy" => value == "Honor",
        "operator" => value == "Equal" && parent == "tolerations",
        "optional" => value == false,
        "schedulerName" => value == "default-scheduler",
        _ => false,
    }
}

/// Structures that say as little empty as absent. Elsewhere an empty one is a choice: `emptyDir: {}`.
const EMPTY_STRUCTURES: &[&str] = &[
    "affinity",
    "annotations",
    "capabilities",
    "dnsConfig",
    "labels",
    "limits",
    "metadata",
    "nodeAffinity",
    "podAffinity",
    "podAntiAffinity",
    "requests",
    "resources",
    "securityContext",
];

/// Lists whose order means nothing, beside those with keys.
const UNORDERED: &[&str] =
    &["add", "drop", "matchExpressions", "matchFields", "nodeSelectorTerms", "tolerations", "values"];

/// The canonical text of an object or a part of one. `path` are the names of the fields from the root of the object to it.
pub fn text(value: &Value, path: &[&str]) -> String {
    let mut text = String::new();
    if !canonical(value, &mut path.to_vec(), &mut text) {
        text.push_str("null");
    }
    text
}

/// Adds the text of a value; `false`: the value says nothing, and nothing was added.
fn canonical<'a>(value: &'a Value, path: &mut Vec<&'a str>, text: &mut String) -> bool {
    match value {
        Value::Object(fields) => object(fields, path, text),
        Value::Array(items) if items.is_empty() => false,
        Value::Array(items) => {
            list(items, path, text);
            true
        }
        scalar => add_scalar(scalar, path, text),
    }
}

fn object<'a>(fields: &'a Map<String, Value>, path: &mut Vec<&'a str>, text: &mut String) -> bool {
    let words = schema::is_word_map(path);
    let begin = text.len();
    let mut is_empty = true;
    text.push('{');
    // A map keeps its keys sorted or as they were written, depending on how the program was built.
    if fields.keys().is_sorted() {
        for (name, value) in fields {
            is_empty &= !field((name, value), words, is_empty, path, text);
        }
    } else {
        let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
        fields.sort_unstable_by_key(|(name, _)| *name);
        for one in fields {
            is_empty &= !field(one, words, is_empty, path, text);
        }
    }
    if is_empty && EMPTY_STRUCTURES.contains(&path.last().copied().unwrap_or_default()) {
        text.truncate(begin);
        return false;
    }
    text.push('}');
    true
}

/// Adds a field; `false`: it says nothing, and nothing was added. In a map of `words` every field says something.
fn field<'a>(
    (name, value): (&'a String, &'a Value),
    words: bool,
    is_first: bool,
    path: &mut Vec<&'a str>,
    text: &mut String,
) -> bool {
    let before = text.len();
    if !is_first {
        text.push(',');
    }
    quote(name, text);
    text.push(':');
    if words {
        add_json(value, text);
        return true;
    }
    path.push(name);
    let says_something = canonical(value, path, text);
    path.pop();
    if !says_something {
        text.truncate(before);
    }
    says_something
}

fn list<'a>(items: &'a [Value], path: &mut Vec<&'a str>, text: &mut String) {
    text.push('[');
    let begin = text.len();
    let mut places = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        let start = text.len();
        if !canonical(item, path, text) {
            text.push_str("null");
        }
        places.push(start..text.len());
    }
    if items.len() > 1 && !is_ordered(items, path) {
        sort(text, begin, places);
    }
    text.push(']');
}

/// Puts the items of a list, which stand at these places of the text from `begin` to its end, into an order of their own.
fn sort(text: &mut String, begin: usize, mut places: Vec<Range<usize>>) {
    let of = |place: &Range<usize>| text.get(place.clone()).unwrap_or_default();
    places.sort_unstable_by(|one, other| of(one).cmp(of(other)));
    let sorted = places.iter().map(of).collect::<Vec<_>>().join(",");
    text.truncate(begin);
    text.push_str(&sorted);
}

/// Adds a text in quotes, as JSON has it.
fn quote(word: &str, text: &mut String) {
    if word.bytes().any(|byte| byte < b' ' || matches!(byte, b'"' | b'\\')) {
        text.push_str(&Value::from(word).to_string());
        return;
    }
    text.push('"');
    text.push_str(word);
    text.push('"');
}

/// Adds a value as JSON has it.
fn add_json(value: &Value, text: &mut String) {
    match value {
        Value::String(word) => quote(word, text),
        Value::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
        other => text.push_str(&other.to_string()),
    }
}

fn add_scalar(value: &Value, path: &[&str], text: &mut String) -> bool {
    let name = path.last().copied().unwrap_or_default();
    let says_nothing = schema::is_empty(value) && !schema::zero_matters(name);
    if value.is_null() || value == "" || says_nothing || is_default(path, value) {
        return false;
    }
    match value {
        Value::String(word) if schema::is_quantity(path) => text.push_str(&quantity::canonical(word)),
        Value::Number(number) if schema::is_quantity(path) => {
            text.push_str(&quantity::canonical(&number.to_string()));
        }
        other => add_json(other, text),
    }
    true
}

/// Whether the order of a list means something.
fn is_ordered(items: &[Value], path: &[&str]) -> bool {
    let name = path.last().copied().unwrap_or_default();
    match schema::list_kind(path) {
        ListKind::Keyed(_) => match name {
            // Init containers run one after the other.
            "containers" | "initContainers" => true,
            // A variable can refer to those before it.
            "env" => items.iter().any(|item| item["value"].as_str().is_some_and(|text| text.contains("$("))),
            _ => false,
        },
        ListKind::Words | ListKind::WholeWords => false,
        ListKind::Whole => !UNORDERED.contains(&name),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(value: &Value) -> String {
        text(value, &["spec"])
    }

    #[test]
    fn spellings_have_one_text_and_what_differs_has_another() {
        let container = |value: &Value| spec(&json!({"containers": [value]}));
        for (one, other) in [
            (
                json!({"name": "a", "image": "b"}),
                json!({"image": "b", "name": "a", "tty": false, "args": []}),
            ),
            (
                json!({"resources": {"limits": {"cpu": "1"}}}),
                json!({"resources": {"limits": {"cpu": 1.0}, "requests": {}}}),
            ),
            (
                json!({"ports": [{"containerPort": 1}, {"containerPort": 2}]}),
                json!({"ports": [{"containerPort": 2, "protocol": "TCP"}, {"containerPort": 1}]}),
            ),
            (json!({"securityContext": {"capabilities": {}}}), json!({})),
        ] {
            assert_eq!(container(&one), container(&other), "{one} {other}");
        }
        for (one, other) in [
            (json!({"args": ["a", "b"]}), json!({"args": ["b", "a"]})),
            (json!({"args": ["a", ""]}), json!({"args": ["a"]})),
            (json!({"securityContext": {"runAsUser": 0}}), json!({"securityContext": {}})),
            (
                json!({"ports": [{"containerPort": 1, "protocol": "UDP"}]}),
                json!({"ports": [{"containerPort": 1}]}),
            ),
            (
                json!({"env": [{"name": "A", "value": "$(B)"}, {"name": "B", "value": "1"}]}),
                json!({"env": [{"name": "B", "value": "1"}, {"name": "A", "value": "$(B)"}]}),
            ),
        ] {
            assert_ne!(container(&one), container(&other), "{one} {other}");
        }
        let volume = |source: Value| spec(&json!({"volumes": [source]}));
        assert_ne!(volume(json!({"name": "a", "emptyDir": {}})), volume(json!({"name": "a"})));
        assert_ne!(spec(&json!({"hostUsers": false})), spec(&json!({})));
    }

    #[test]
    fn words_of_users_are_no_fields() {
        let metadata = |value: Value| text(&value, &["metadata"]);
        let annotations = |value: Value| metadata(json!({"annotations": value}));
        assert_ne!(annotations(json!({"sizeLimit": "1Gi"})), annotations(json!({"sizeLimit": "1024Mi"})));
        assert_ne!(annotations(json!({"a": ""})), annotations(json!({})));
        assert_ne!(annotations(json!({"protocol": "TCP"})), annotations(json!({})));
        assert_eq!(annotations(json!({})), metadata(json!({})));
        assert_eq!(annotations(json!({"b": "1", "a": "2"})), annotations(json!({"a": "2", "b": "1"})));
    }

    #[test]
    fn a_value_cannot_look_like_two_fields() {
        let forged = json!({"hostname": "a\",\"subdomain\":\"b"});
        assert_ne!(spec(&forged), spec(&json!({"hostname": "a", "subdomain": "b"})));
    }
}
