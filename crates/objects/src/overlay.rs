//! Patches over desired objects: how a patch is laid over an object, and in what two objects differ.
//!
//! Lists whose members the API server tells apart by a key are merged by that key ([`schema::list_kind`]), all others are replaced. A
//! field that is `null` in a patch is taken out.

use serde_json::{Map, Value};

use crate::schema::{self, Keys, ListKind};

/// Lays a patch over an object.
pub fn merge(object: &mut Value, patch: &Value) {
    merge_at(object, patch, &mut Vec::new());
}

fn merge_at<'a>(object: &mut Value, patch: &'a Value, path: &mut Vec<&'a str>) {
    match patch {
        Value::Object(fields) => {
            if !object.is_object() {
                *object = Value::Object(Map::new());
            }
            let Value::Object(present) = object else { return };
            for (name, value) in fields {
                if value.is_null() {
                    present.remove(name);
                    continue;
                }
                path.push(name);
                merge_at(present.entry(name.as_str()).or_insert(Value::Null), value, path);
                path.pop();
            }
        }
        Value::Array(members) => match (schema::list_kind(path), &mut *object) {
            (ListKind::Keyed(keys), Value::Array(present)) => {
                for member in members {
                    match present.iter_mut().find(|known| schema::is_same_member(known, member, keys)) {
                        Some(known) => merge_at(known, member, path),
                        None => present.push(without_nulls(member)),
                    }
                }
            }
            _ => *object = without_nulls(patch),
        },
        _ => *object = patch.clone(),
    }
}

/// A part of a patch that has nothing beneath it: a field that is taken out is not there.
fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(_, value)| !value.is_null());
            Value::Object(kept.map(|(name, value)| (name.clone(), without_nulls(value))).collect())
        }
        Value::Array(members) => Value::Array(members.iter().map(without_nulls).collect()),
        other => other.clone(),
    }
}

/// A difference between two objects.
#[derive(Debug, Clone, PartialEq)]
pub struct Alteration<'a> {
    /// The field without the names of members and keys: `spec.containers[].env[]`, `metadata.labels.*`.
    pub field: String,
    /// Where it is: `spec.containers[kafka].env[A]`.
    pub place: String,
    /// The former value; `None`: there was none.
    pub before: Option<&'a Value>,
    /// The later value; `None`: there is none any more.
    pub after: Option<&'a Value>,
}

/// In what two objects differ. What was added is told field by field, a member of a list as a whole.
pub fn alterations<'a>(before: &'a Value, after: &'a Value) -> Vec<Alteration<'a>> {
    let mut found = Vec::new();
    let mut walk = Walk { path: Vec::new(), field: String::new(), place: String::new(), found: &mut found };
    walk.values(Some(before), Some(after));
    found
}

struct Walk<'a, 'f> {
    path: Vec<&'a str>,
    field: String,
    place: String,
    found: &'f mut Vec<Alteration<'a>>,
}

impl<'a> Walk<'a, '_> {
    fn values(&mut self, before: Option<&'a Value>, after: Option<&'a Value>) {
        if before == after {
            return;
        }
        match (before, after) {
            (None | Some(Value::Object(_)), Some(Value::Object(later)))
                if before.is_some() || !later.is_empty() =>
            {
                let former = before.and_then(Value::as_object);
                self.fields(former, later);
            }
            (None | Some(Value::Array(_)), Some(Value::Array(later))) => {
                match schema::list_kind(&self.path) {
                    ListKind::Keyed(keys) => {
                        let former = before.and_then(Value::as_array);
                        self.members(former.map(Vec::as_slice).unwrap_or_default(), later, keys);
                    }
                    _ => self.push(before, after),
                }
            }
            _ => self.push(before, after),
        }
    }

    fn fields(&mut self, former: Option<&'a Map<String, Value>>, later: &'a Map<String, Value>) {
        let is_word_map = schema::is_word_map(&self.path);
        let gone = former.into_iter().flatten().filter(|(name, _)| !later.contains_key(*name));
        for (name, value, after) in gone.map(|(name, value)| (name, Some(value), None)).chain(
            later.iter().map(|(name, value)| (name, former.and_then(|former| former.get(name)), Some(value))),
        ) {
            let step = if is_word_map { "*" } else { name.as_str() };
            self.within(name, &dotted(&self.field, step), &dotted(&self.place, name), value, after);
        }
    }

    fn members(&mut self, former: &'a [Value], later: &'a [Value], keys: Keys) {
        let (field, place) = (format!("{}[]", self.field), self.place.clone());
        let name = |member: &Value| {
            let parts = keys.iter().filter_map(|(field, _)| member.get(*field));
            let words: Vec<String> =
                parts.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
            format!("{place}[{}]", words.join(","))
        };
        let mut all: Vec<(Option<&'a Value>, Option<&'a Value>)> = Vec::new();
        for member in former {
            all.push((Some(member), later.iter().find(|other| schema::is_same_member(other, member, keys))));
        }
        let added = later
            .iter()
            .filter(|member| !former.iter().any(|known| schema::is_same_member(known, member, keys)));
        all.extend(added.map(|member| (None, Some(member))));
        for (before, after) in all {
            let place = before.or(after).map(name).unwrap_or_default();
            let outer = std::mem::replace(&mut self.field, field.clone());
            let outer_place = std::mem::replace(&mut self.place, place);
            if before.is_some() && after.is_some() {
                self.values(before, after);
            } else {
                self.push(before, after);
            }
            (self.field, self.place) = (outer, outer_place);
        }
    }

    fn within(
        &mut self,
        name: &'a str,
        field: &str,
        place: &str,
        before: Option<&'a Value>,
        after: Option<&'a Value>,
    ) {
        self.path.push(name);
        let outer = std::mem::replace(&mut self.field, field.to_owned());
        let outer_place = std::mem::replace(&mut self.place, place.to_owned());
        self.values(before, after);
        (self.field, self.place) = (outer, outer_place);
        self.path.pop();
    }

    fn push(&mut self, before: Option<&'a Value>, after: Option<&'a Value>) {
        self.found.push(Alteration { field: self.field.clone(), place: self.place.clone(), before, after });
    }
}

fn dotted(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_with_a_key_are_merged_and_other_lists_replaced() {
        let mut pod = json!({"spec": {
            "containers": [{"name": "kafka", "env": [{"name": "A", "value": "1"}], "image": "x"}],
            "tolerations": [{"key": "a"}], "hostname": "h"}});
        merge(
            &mut pod,
            &json!({"spec": {
                "containers": [{"name": "kafka", "env": [{"name": "B", "value": null}]}, {"name": "side"}],
                "tolerations": [{"key": "b"}], "hostname": null, "affinity": {"x": {"y": 1, "z": null}}}}),
        );
        assert_eq!(
            pod,
            json!({"spec": {
                "containers": [
                    {"name": "kafka", "env": [{"name": "A", "value": "1"}, {"name": "B"}], "image": "x"},
                    {"name": "side"}],
                "tolerations": [{"key": "b"}], "affinity": {"x": {"y": 1}}}})
        );
    }

    #[test]
    fn ports_of_services_are_told_apart_as_the_server_does() {
        let mut service = json!({"spec": {"ports": [{"port": 1, "protocol": "TCP", "name": "a"}]}});
        merge(
            &mut service,
            &json!({"spec": {"ports": [{"port": 1, "appProtocol": "k"}, {"port": 1, "protocol": "UDP"}]}}),
        );
        assert_eq!(
            service["spec"]["ports"][0],
            json!({"port": 1, "protocol": "TCP", "name": "a", "appProtocol": "k"})
        );
        assert_eq!(service["spec"]["ports"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn differences_are_told_by_field_and_place() {
        let before = json!({"metadata": {"labels": {"a.b/c": "1"}}, "spec": {"hostname": "h",
            "containers": [{"name": "kafka", "image": "x", "command": ["a"]}]}});
        let after = json!({"metadata": {"labels": {"a.b/c": "2", "d": "3"}, "annotations": {"e": "f"}}, "spec": {
            "containers": [{"name": "kafka", "image": "y", "command": ["a", "b"]}, {"name": "side"}]}});
        let found = alterations(&before, &after);
        let told: Vec<String> = found
            .iter()
            .map(|one| {
                format!(
                    "{} {} {}{}",
                    one.field,
                    one.place,
                    u8::from(one.before.is_some()),
                    u8::from(one.after.is_some())
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "metadata.annotations.* metadata.annotations.e 01",
                "metadata.labels.* metadata.labels.a.b/c 11",
                "metadata.labels.* metadata.labels.d 01",
                "spec.hostname spec.hostname 10",
                "spec.containers[].command spec.containers[kafka].command 11",
                "spec.containers[].image spec.containers[kafka].image 11",
                "spec.containers[] spec.containers[side] 01",
            ]
        );
        assert!(alterations(&before, &before).is_empty());
    }
}
