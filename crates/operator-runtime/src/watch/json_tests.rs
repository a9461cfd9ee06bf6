use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1000..1000).prop_map(|number| Value::from(f64::from(number) / 8.0)),
        // Names and texts full of what has a meaning outside of strings.
        r#"[a\\"{}\[\],: ä\n]{0,8}"#.prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(r#"[a\\"{}\[\],: ]{0,4}"#, inner, 0..5)
                .prop_map(|fields| json!(fields)),
        ]
    })
}

/// Puts a value together again out of its parts.
fn rebuilt(text: &str) -> Value {
    if let Ok(parts) = members(text) {
        let fields = parts.map(|part| {
            let part = part.unwrap();
            let name: String = serde_json::from_str(&format!("\"{}\"", part.name)).unwrap();
            (name, rebuilt(part.text))
        });
        return Value::Object(fields.collect());
    }
    match items(text) {
        Ok(parts) => parts.map(|part| rebuilt(part.unwrap().text)).collect(),
        Err(_) => serde_json::from_str(text).unwrap(),
    }
}

proptest! {
    #[test]
    fn the_parts_of_any_text_make_the_whole(value in value()) {
        prop_assert_eq!(rebuilt(&value.to_string()), value.clone());
        prop_assert_eq!(rebuilt(&serde_json::to_string_pretty(&value).unwrap()), value);
    }

    #[test]
    fn a_text_that_is_cut_off_is_an_error_and_never_a_shorter_value(value in value(), cut in any::<prop::sample::Index>()) {
        let text = json!({"a": value, "b": [value]}).to_string();
        let cut = cut.index(text.len());
        if let Some(short) = text.get(..cut) {
            let ended = members(short).and_then(Iterator::collect::<Result<Vec<_>, _>>);
            prop_assert!(ended.is_err());
        }
    }
}

#[test]
fn the_deepest_nesting_costs_no_stack() {
    let deep =
        format!(r#"{{"spec":{}{},"metadata":{{"name":"n"}}}}"#, "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(member(&deep, "metadata").unwrap(), Some(r#"{"name":"n"}"#));
    assert!(weight(&deep, 600) > 60_000_000);
}

#[test]
fn a_position_leads_to_its_path() {
    let text =
        json!({"spec": {"pod": {"volumes": [{"a": 1}, {"secret": {"defaultMode": 3_000_000_000_u64}}]}}})
            .to_string();
    let position = text.find("3000000000").unwrap() + 10;
    assert_eq!(path_at(&text, position), "spec.pod.volumes[1].secret.defaultMode");
    let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
    assert!(path_at(&deep, 200).ends_with("[0]…"));
}

#[test]
fn a_weight_is_not_less_than_what_is_allocated() {
    // Maps of one member are the costliest: some 650 bytes for eight of text.
    let text = serde_json::to_string(&vec![json!({"a": 1}); 1000]).unwrap();
    assert!(weight(&text, 600) > 650_000, "{}", weight(&text, 600));
    // A text of a Secret is not worth more than its length.
    let text = json!({"data": {"a": "x".repeat(100_000)}}).to_string();
    assert!(weight(&text, 600) < 105_000, "{}", weight(&text, 600));
}
