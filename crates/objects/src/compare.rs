//! How a live object differs from what is desired: the comparison that keeps an idle pass from writing.
//!
//! Three questions, all structural:
//! 1. Does the live object have every desired value? The comparison knows quantities (`1` is `1000m`), lists with keys (containers by
//!    name, ports by number and protocol, …), maps that the server stores as a whole, and values that it drops or fills in ([`schema`]).
//! 2. Do we own a field that is no longer desired (a label or a port that left the plan)? Read from our entry in the managed fields.
//! 3. Do we own anything at all? An object that another field manager made is written once, so that question 2 can be answered later.

use std::fmt::{self, Write as _};

use serde::Serialize;
use serde_json::{Map, Value};

use crate::quantity;
use crate::schema::{self, Keys, ListKind, SERVER_METADATA};

/// Where the managed fields are.
const MANAGED_FIELDS: &str = "metadata.managedFields";

/// One difference between a live object and what is desired.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Where: `spec.template.spec.containers[kafka].image`.
    pub path: String,
    /// The live value; `None`: there is none.
    pub live: Option<Value>,
    /// The desired value; `None`: there should be none. Values of a Secret are never shown.
    pub desired: Option<Value>,
}

impl fmt::Display for Difference {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text =
            |value: &Option<Value>| value.as_ref().map_or_else(|| "nothing".to_owned(), Value::to_string);
        write!(formatter, "{}: {} instead of {}", self.path, text(&self.live), text(&self.desired))
    }
}

/// Everything that writing `desired` would change. `live` should carry our managed-fields entry
/// (`operator_runtime::apply::own_entry`); if it has no managed fields at all, only the values are compared.
pub fn differences(live: &Value, desired: &Value) -> Vec<Difference> {
    compared(live, None, desired)
}

/// A list of a live object that stands beside the rest of it, so that a long one need not be copied for a comparison. The server
/// stores such a list as a whole.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LentList<'a> {
    /// The names of the fields from the root of the object to it.
    pub path: &'static [&'static str],
    /// Its items.
    pub items: &'a [Value],
}

/// As [`differences`], with a list that `live` lacks.
pub(crate) fn differences_with(live: &Value, list: LentList<'_>, desired: &Value) -> Vec<Difference> {
    compared(live, Some(list), desired)
}

fn compared<'a>(live: &'a Value, list: Option<LentList<'a>>, desired: &'a Value) -> Vec<Difference> {
    let text = |pointer: &str| desired.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut comparison = Comparison {
        names: Vec::new(),
        steps: Vec::new(),
        // Definitions of custom resources say themselves which maps are wholes; ours have none.
        atomic_maps: !is_custom(text("/apiVersion")),
        is_secret: text("/kind") == "Secret",
        list,
        found: Vec::new(),
    };
    match own_fields(live) {
        Own::Unknown => comparison.value(live, desired, None),
        Own::Nothing => comparison.found.push(Difference {
            path: MANAGED_FIELDS.to_owned(),
            live: None,
            desired: Some(api::FIELD_MANAGER.into()),
        }),
        Own::Fields(fields) => {
            comparison.value(live, desired, Some(fields));
            comparison.undesired(fields, Some(live), desired);
        }
    }
    comparison.found
}

fn is_custom(api_version: &str) -> bool {
    let group = api_version.split_once('/').map(|(group, _)| group);
    matches!(group, Some(api::GROUP | api::CORE_GROUP))
}

enum Own<'a> {
    /// The managed fields were dropped.
    Unknown,
    /// There are managed fields, none of them ours.
    Nothing,
    Fields(&'a Value),
}

fn own_fields(live: &Value) -> Own<'_> {
    let Some(entries) = live.pointer("/metadata/managedFields").and_then(Value::as_array) else {
        return Own::Unknown;
    };
    for entry in entries {
        let text = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        if text("manager") == api::FIELD_MANAGER
            && text("operation") == "Apply"
            && text("subresource").is_empty()
            && let Some(fields) = entry.get("fieldsV1")
        {
            return Own::Fields(fields);
        }
    }
    Own::Nothing
}

/// The keys of a map that are in our managed fields; `None`: the managed fields were dropped.
pub fn owned_keys(live: &Value, path: &[&str]) -> Option<Vec<String>> {
    let fields = match own_fields(live) {
        Own::Unknown => return None,
        Own::Nothing => return Some(Vec::new()),
        Own::Fields(fields) => fields,
    };
    let map = path.iter().try_fold(fields, |fields, name| fields.get(format!("f:{name}")));
    let keys = map.and_then(Value::as_object).into_iter().flatten();
    Some(keys.filter_map(|(key, _)| key.strip_prefix("f:").map(str::to_owned)).collect())
}

/// One step of the way to a value.
enum PathStep<'a> {
    Field(&'a str),
    /// A member of a list with keys.
    Member(&'a Value, Keys),
    /// A member of a list as the managed fields name it: a key, a word or a position.
    Owned(&'a str),
    /// A member of a list without keys.
    Position(usize),
}

impl fmt::Display for PathStep<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => {
                let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
                if name.chars().all(plain) {
                    write!(formatter, ".{name}")
                } else {
                    write!(formatter, "[{name}]")
                }
            }
            Self::Member(member, keys) => {
                let part = |(name, missing): &(&str, Option<&str>)| match member.get(name) {
                    Some(value) => text(value).unwrap_or_default(),
                    None => missing.unwrap_or_default().to_owned(),
                };
                write!(formatter, "[{}]", keys.iter().map(part).collect::<Vec<_>>().join("/"))
            }
            Self::Owned(name) => write!(formatter, "[{name}]"),
            Self::Position(position) => write!(formatter, "[{position}]"),
        }
    }
}

/// A comparison under way.
struct Comparison<'a> {
    /// The way from the root by the names of the fields, for what [`schema`] knows.
    names: Vec<&'a str>,
    /// The same way with the members of lists, for people.
    steps: Vec<PathStep<'a>>,
    atomic_maps: bool,
    is_secret: bool,
    list: Option<LentList<'a>>,
    found: Vec<Difference>,
}

impl<'a> Comparison<'a> {
    fn below(&mut self, name: &'a str, go_on: impl FnOnce(&mut Self)) {
        self.names.push(name);
        self.steps.push(PathStep::Field(name));
        go_on(self);
        self.steps.pop();
        self.names.pop();
    }

    fn at_member(&mut self, step: PathStep<'a>, go_on: impl FnOnce(&mut Self)) {
        self.steps.push(step);
        go_on(self);
        self.steps.pop();
    }

    fn differs(&mut self, live: Option<&Value>, desired: Option<&Value>) {
        let mut path = String::new();
        for step in &self.steps {
            // Writing into a String cannot fail.
            let _ = write!(path, "{step}");
        }
        let hidden = self.is_secret && matches!(self.names.first(), Some(&("data" | "stringData")));
        let shown = |value: &Value| if hidden { Value::from("***") } else { value.clone() };
        if path.starts_with('.') {
            path.remove(0);
        }
        self.found.push(Difference { path, live: live.map(shown), desired: desired.map(shown) });
    }

    /// Question 1. `own` is our part of the managed fields, as far as known.
    fn value(&mut self, live: &'a Value, desired: &'a Value, own: Option<&'a Value>) {
        match (live, desired) {
            (_, Value::Null) => {}
            (Value::Object(_), Value::Object(_))
                if self.atomic_maps && schema::is_atomic_map(&self.names) =>
            {
                if !whole_equal(live, desired, &mut self.names) {
                    self.differs(Some(live), Some(desired));
                }
            }
            (Value::Object(fields), Value::Object(wanted)) => {
                let mut key = String::new();
                for (name, wanted) in wanted {
                    if self.names == ["metadata"] && SERVER_METADATA.contains(&name.as_str()) {
                        continue;
                    }
                    let owned = own.and_then(|fields| owned_field(fields, name, &mut key));
                    self.below(name, |here| match fields.get(name) {
                        _ if here.list.is_some_and(|list| here.names == list.path) => here.lent(wanted),
                        Some(value) => here.value(value, wanted, owned),
                        None if absence_covers(name, wanted, own.is_some(), owned.is_some()) => {}
                        None => here.differs(None, Some(wanted)),
                    });
                }
            }
            (Value::Array(items), Value::Array(wanted)) => self.list(items, wanted, (live, desired), own),
            (live, desired) => {
                if !scalar_equal(live, desired, &self.names) {
                    self.differs(Some(live), Some(desired));
                }
            }
        }
    }

    fn list(
        &mut self,
        live: &'a [Value],
        desired: &'a [Value],
        lists: (&'a Value, &'a Value),
        own: Option<&'a Value>,
    ) {
        let same = match schema::list_kind(&self.names) {
            // Members that their keys do not tell apart are told apart by position. The API server refuses such a list.
            ListKind::Keyed(keys) if !are_told_apart(desired, keys) => {
                return self.members(live, desired);
            }
            ListKind::Keyed(keys) => {
                for wanted in desired {
                    let owned = own.and_then(|fields| member_fields(fields, wanted));
                    let found = live.iter().find(|item| schema::is_same_member(item, wanted, keys));
                    self.at_member(PathStep::Member(wanted, keys), |here| match found {
                        Some(item) => here.value(item, wanted, owned),
                        None => here.differs(None, Some(wanted)),
                    });
                }
                true
            }
            ListKind::Words => desired.iter().all(|wanted| live.contains(wanted)),
            ListKind::WholeWords => {
                live.len() == desired.len() && desired.iter().all(|wanted| live.contains(wanted))
            }
            ListKind::Whole => {
                // Admission adds tolerations of its own to pods.
                let additions = self.names.last() == Some(&"tolerations");
                let lengths =
                    if additions { live.len() >= desired.len() } else { live.len() == desired.len() };
                let names = &mut self.names;
                let same = lengths
                    && live.iter().zip(desired).all(|(item, wanted)| whole_equal(item, wanted, names));
                if !same && desired.iter().all(Value::is_object) {
                    return self.members(live, desired);
                }
                same
            }
        };
        if !same {
            self.differs(Some(lists.0), Some(lists.1));
        }
    }

    /// Question 1 for the list that stands beside the live object.
    fn lent(&mut self, desired: &'a Value) {
        let live = self.list.map_or(&[][..], |list| list.items);
        match desired {
            Value::Array(wanted) => {
                let names = &mut self.names;
                let same = live.len() == wanted.len()
                    && live.iter().zip(wanted).all(|(item, wanted)| whole_equal(item, wanted, names));
                if !same {
                    self.members(live, wanted);
                }
            }
            other => self.differs(Some(&Value::from(live)), Some(other)),
        }
    }

    /// What differs of lists of objects that are stored as a whole: the members, for people. The whole lists of a pod set
    /// would hide which pod changed, and how.
    fn members(&mut self, live: &'a [Value], desired: &'a [Value]) {
        for position in 0..live.len().max(desired.len()) {
            let (item, wanted) = (live.get(position), desired.get(position));
            self.at_member(PathStep::Position(position), |here| match (item, wanted) {
                (Some(item), Some(wanted)) if whole_equal(item, wanted, &mut here.names) => {}
                (Some(item), Some(wanted)) => {
                    let before = here.found.len();
                    here.value(item, wanted, None);
                    if here.found.len() == before {
                        here.differs(Some(item), Some(wanted));
                    }
                }
                (item, wanted) => here.differs(item, wanted),
            });
        }
    }

    /// Question 2: paths that our managed fields hold and `desired` lacks.
    fn undesired(&mut self, fields: &'a Value, live: Option<&'a Value>, desired: &'a Value) {
        for (owned, below) in fields.as_object().into_iter().flatten() {
            if owned == "." {
                continue;
            }
            if let Some(name) = owned.strip_prefix("f:") {
                let live = live.and_then(|live| live.get(name));
                let wanted = desired.get(name).filter(|value| !value.is_null());
                self.below(name, |here| here.undesired_below(below, live, wanted));
            } else {
                let live = live.and_then(|live| owned_member(live, owned));
                let wanted = owned_member(desired, owned);
                let name = owned.split_once(':').map_or(owned.as_str(), |(_, name)| name);
                self.at_member(PathStep::Owned(name), |here| here.undesired_below(below, live, wanted));
            }
        }
    }

    fn undesired_below(&mut self, below: &'a Value, live: Option<&'a Value>, wanted: Option<&'a Value>) {
        match wanted {
            None => self.differs(live, None),
            Some(wanted) => self.undesired(below, live, wanted),
        }
    }
}

/// Our managed fields below a field; `key` is a buffer.
fn owned_field<'a>(fields: &'a Value, name: &str, key: &mut String) -> Option<&'a Value> {
    let fields = fields.as_object()?;
    key.clear();
    key.push_str("f:");
    key.push_str(name);
    fields.get(key.as_str())
}

/// Whether a field that the live object lacks need not be written.
fn absence_covers(name: &str, wanted: &Value, own_is_known: bool, owned: bool) -> bool {
    if !schema::is_empty(wanted) {
        return false;
    }
    // An empty object can be a choice of its own (`emptyDir: {}`), and the server keeps it.
    if wanted.is_null() || wanted.as_array().is_some_and(Vec::is_empty) || wanted.as_str() == Some("") {
        return true;
    }
    // We wrote it before and the server dropped it: it will drop it again.
    if own_is_known && owned {
        return true;
    }
    match wanted {
        Value::Object(_) => matches!(name, "labels" | "annotations"),
        _ => !schema::zero_matters(name),
    }
}

/// Both ways: what stands in a list or map that the server stores as a whole is ours alone, except for what the server fills in.
fn whole_equal<'a>(live: &Value, desired: &'a Value, path: &mut Vec<&'a str>) -> bool {
    match (live, desired) {
        (Value::Object(live), Value::Object(desired)) if is_word_map(desired, path) => live == desired,
        (Value::Object(live), Value::Object(desired)) => {
            let added = live.iter().any(|(name, value)| {
                desired.get(name).is_none_or(Value::is_null) && !schema::is_filled_in(name, value)
            });
            if added {
                return false;
            }
            for (name, wanted) in desired {
                path.push(name);
                let same = match live.get(name) {
                    Some(value) => wanted.is_null() || whole_equal(value, wanted, path),
                    None => schema::is_empty(wanted) && (wanted.is_null() || !wanted.is_object()),
                };
                path.pop();
                if !same {
                    return false;
                }
            }
            true
        }
        (Value::Array(live), Value::Array(desired)) => {
            live.len() == desired.len()
                && live.iter().zip(desired).all(|(item, wanted)| whole_equal(item, wanted, path))
        }
        (live, desired) => scalar_equal(live, desired, path),
    }
}

/// Whether the map holds words of the users'. The selector of a Service does, those of other kinds are structures.
fn is_word_map(map: &Map<String, Value>, path: &[&str]) -> bool {
    schema::is_word_map(path) || path == ["spec", "selector"] && map.values().all(Value::is_string)
}

fn scalar_equal(live: &Value, desired: &Value, path: &[&str]) -> bool {
    if live == desired {
        return true;
    }
    if let (Some(one), Some(other)) = (live.as_f64(), desired.as_f64()) {
        return one.to_bits() == other.to_bits();
    }
    if schema::is_quantity(path) {
        return matches!((text(live), text(desired)), (Some(one), Some(other)) if quantity::equal(&one, &other));
    }
    // An int-or-string field: 80 and "80" mean the same port, and a port's name has a letter.
    match (live, desired) {
        (Value::Number(number), Value::String(word)) | (Value::String(word), Value::Number(number)) => {
            number.to_string() == *word
        }
        _ => false,
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Whether the keys tell the members of a list apart.
fn are_told_apart(members: &[Value], keys: Keys) -> bool {
    let mut rest = members;
    while let [first, others @ ..] = rest {
        let has_key = schema::is_same_member(first, first, keys);
        if !has_key || others.iter().any(|other| schema::is_same_member(first, other, keys)) {
            return false;
        }
        rest = others;
    }
    true
}

/// Our managed fields of one member of a keyed list.
fn member_fields<'a>(fields: &'a Value, member: &Value) -> Option<&'a Value> {
    let fields = fields.as_object()?;
    fields.iter().find_map(|(name, owned)| {
        let key: Map<String, Value> = serde_json::from_str(name.strip_prefix("k:")?).ok()?;
        key_matches(&key, member).then_some(owned)
    })
}

/// The member of a list that the managed fields name by a key (`k:`), as a word (`v:`) or by its position (`i:`).
fn owned_member<'a>(list: &'a Value, owned: &str) -> Option<&'a Value> {
    let items = list.as_array()?;
    let (how, what) = owned.split_once(':')?;
    match how {
        "k" => {
            let key: Map<String, Value> = serde_json::from_str(what).ok()?;
            items.iter().find(|item| key_matches(&key, item))
        }
        "v" => {
            let word: Value = serde_json::from_str(what).ok()?;
            items.iter().find(|item| **item == word)
        }
        "i" => items.get(what.parse::<usize>().ok()?),
        _ => None,
    }
}

fn key_matches(key: &Map<String, Value>, member: &Value) -> bool {
    key.iter().all(|(name, value)| match member.get(name) {
        Some(have) => have == value,
        // Filled in by the server before it took the key.
        None => name == "protocol" && value == "TCP",
    })
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
