//! Object overrides: patches of users over generated objects, applied last. What they may change is a list ([`rules`]); whatever else
//! would be different afterwards is a problem of the resource, and nothing is taken of it.

mod excluding;
mod kind;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use api::conditions::reasons;
use api::kafka::MOST_OBJECT_OVERRIDES;
use api::limits;
use api::schema::FreeMap;
use k8s_openapi::api::core::v1::Pod;
use objects::{DesiredObject, ObjectId, json, overlay, typed};
use serde_json::Value;

use self::kind::Kind;
pub use self::rules::ALLOWED;
use self::rules::Surroundings;
use crate::findings::{Findings, Problem, Warning};

/// Path of the section.
pub const FIELD: &str = "spec.objectOverrides";
/// Bytes that one patch may have as JSON: it is laid over each object that its key names.
const LONGEST: usize = 16 * 1024;
/// Bytes that the patches of one object may have together.
const LONGEST_OF_OBJECT: usize = 64 * 1024;
/// Problems that are looked for: the same patches are laid over very many objects.
const MOST_PROBLEMS: usize = 20;
/// Where the list of what may be changed is explained.
const EXPLAINED: &str = "docs/extensions.md says what an override may change";

/// A patch, and which objects it is for.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectOverride {
    key: String,
    kind: Kind,
    /// A name, or the beginning of names with `*` at its end; `None`: every object of the kind.
    name: Option<String>,
    patch: Value,
    /// Bytes of the patch as JSON.
    length: usize,
}

impl ObjectOverride {
    fn is_for(&self, kind: Kind, name: &str) -> bool {
        let names = match &self.name {
            None => true,
            Some(wanted) => match wanted.strip_suffix('*') {
                Some(beginning) => name.starts_with(beginning),
                None => name == wanted,
            },
        };
        self.kind == kind && names
    }
}

/// Reads the section. `allowed`: whether the installation has object overrides.
pub fn read(
    raw: Option<&BTreeMap<String, FreeMap>>,
    allowed: bool,
    findings: &mut Findings,
) -> Vec<ObjectOverride> {
    let Some(raw) = raw.filter(|raw| !raw.is_empty()) else { return Vec::new() };
    if !allowed {
        findings.problem(
            FIELD,
            format!(
                "is not allowed by this installation: take it out, or have the chart's objectOverrides set to true ({}=true)",
                api::env::own::OBJECT_OVERRIDES
            ),
        );
        return Vec::new();
    }
    if raw.len() > MOST_OBJECT_OVERRIDES {
        findings.problem(
            FIELD,
            format!(
                "has {} entries: write at most {MOST_OBJECT_OVERRIDES}, for kinds or names that end in *",
                raw.len()
            ),
        );
    }
    raw.iter()
        .take(MOST_OBJECT_OVERRIDES)
        .filter_map(|(key, patch)| read_entry(key, patch, findings))
        .collect()
}

/// Reads one entry of the section.
fn read_entry(key: &str, patch: &FreeMap, findings: &mut Findings) -> Option<ObjectOverride> {
    let shown: String = key.chars().take(limits::DNS_NAME).collect();
    let field = format!("{FIELD}.{shown}");
    let (kind, name) = match key.split_once('/') {
        None => (key, None),
        Some((kind, name)) => (kind, Some(name)),
    };
    let known = Kind::parse(kind);
    if known.is_none() {
        let all: Vec<&str> = Kind::ALL.map(Kind::as_str).to_vec();
        findings.problem(
            &field,
            format!(
                "does not name a kind that can be overridden: write one of {}, or KIND/NAME",
                all.join(", ")
            ),
        );
    }
    let is_name = name.is_none_or(|name| {
        let beginning = name.strip_suffix('*').unwrap_or(name);
        limits::is_dns_name(&format!("{beginning}{}", if beginning.len() < name.len() { "x" } else { "" }))
    });
    if !is_name {
        findings.problem(
            &field,
            "has no name of an object behind the \"/\": write a name, or the beginning of names and *",
        );
    }
    let patch = Value::Object(patch.iter().map(|(name, value)| (name.clone(), value.clone())).collect());
    let length = patch.to_string().len();
    if length > LONGEST {
        findings.problem(&field, format!("is longer than {} KiB: write less", LONGEST / 1024));
        return None;
    }
    let name = name.filter(|_| is_name).map(str::to_owned);
    Some(ObjectOverride { key: key.to_owned(), kind: known?, name, patch, length })
}

/// The keys of several patches in one message.
fn joined(keys: &[&str]) -> String {
    keys.join(" and ")
}

/// What was expected, without the value that was there.
fn without_value(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // The place in the text of the object means nothing to the user.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("a value of another type stands where {expected} is expected"),
        None if text.starts_with("missing field") => text.to_owned(),
        None => "a value is of another type than its field".to_owned(),
    }
}

/// An object over which patches were laid.
#[derive(Debug)]
pub struct Overridden {
    /// Which.
    pub reference: ObjectId,
    /// The keys of the patches, joined for a message.
    pub keys: String,
    /// The object without them.
    pub without: Value,
}

/// The overrides of a resource while its objects are made.
#[derive(Debug)]
pub struct Overriding<'a> {
    all: &'a [ObjectOverride],
    used: BTreeSet<&'a str>,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

impl<'a> Overriding<'a> {
    /// Nothing is overridden yet.
    pub const fn new(all: &'a [ObjectOverride]) -> Self {
        Self { all, used: BTreeSet::new(), problems: Vec::new() }
    }

    /// Lays what is for a pod over it. `volumes` are those that users added by templates.
    pub fn pod(&mut self, pod: Pod, volumes: &BTreeSet<String>) -> Pod {
        let name = pod.metadata.name.clone().unwrap_or_default();
        if !self.all.iter().any(|one| one.is_for(Kind::Pod, &name)) {
            return pod;
        }
        let Some(result) = self.lay(Kind::Pod, &name, &json(&pod), volumes) else { return pod };
        typed(&result).unwrap_or_else(|error| {
            let message = format!("makes no Pod of {name}: {}; {EXPLAINED}", without_value(&error));
            self.problems.push(Problem::new(FIELD, message));
            pod
        })
    }

    /// Lays what is for an object over it; `None`: nothing is.
    pub fn object(&mut self, desired: &mut DesiredObject) -> Option<Overridden> {
        let reference = &desired.reference;
        let kind = Kind::parse(&reference.kind).filter(|kind| *kind != Kind::Pod)?;
        let result = self.lay(kind, &reference.name, &desired.object, &BTreeSet::new())?;
        let keys: Vec<&str> = self
            .all
            .iter()
            .filter(|one| one.is_for(kind, &reference.name))
            .map(|one| one.key.as_str())
            .collect();
        let (reference, keys) = (reference.clone(), joined(&keys));
        Some(Overridden { reference, keys, without: std::mem::replace(&mut desired.object, result) })
    }

    /// What to say of keys that name no object.
    pub fn unused(&self) -> Option<Warning> {
        let keys = self.all.iter().map(|one| one.key.as_str()).filter(|key| !self.used.contains(key));
        let unused: Vec<&str> = keys.collect();
        let message = format!(
            "{FIELD}: there is no object for {}: write a kind, or the name of an object of this cluster, or the beginning of names and *",
            unused.join(", ")
        );
        let reason = reasons::OBJECT_OVERRIDE_WITHOUT_OBJECT.to_owned();
        (!unused.is_empty()).then_some(Warning { reason, message })
    }

    /// The object with what is for it laid over it; `None`: nothing is, or it may not be.
    fn lay(&mut self, kind: Kind, name: &str, base: &Value, volumes: &BTreeSet<String>) -> Option<Value> {
        let patches: Vec<&ObjectOverride> = self.all.iter().filter(|one| one.is_for(kind, name)).collect();
        if patches.is_empty() {
            return None;
        }
        let keys: Vec<&str> = patches.iter().map(|one| one.key.as_str()).collect();
        self.used.extend(&keys);
        if self.problems.len() >= MOST_PROBLEMS {
            return None;
        }
        let length: usize = patches.iter().map(|one| one.length).sum();
        if length > LONGEST_OF_OBJECT {
            let message = format!(
                "the {} patches that are for {} {name} have {length} bytes together: write at most {} KiB for an object",
                patches.len(),
                kind.as_str(),
                LONGEST_OF_OBJECT / 1024
            );
            self.problems.push(Problem::new(FIELD, message));
            return None;
        }
        let field = format!("{FIELD}.{}", joined(&keys));
        let mut result = base.clone();
        for one in patches {
            overlay::merge(&mut result, &one.patch);
        }
        let mut wrong = Vec::new();
        match kind.as_read(&result) {
            Err(error) => wrong.push(format!("makes no {} of it: {}", kind.as_str(), without_value(&error))),
            Ok(read) => {
                let lost = overlay::alterations(&result, &read);
                let places = lost
                    .iter()
                    .map(|lost| format!("{} is not known to a {}: take it out", lost.place, kind.as_str()));
                wrong.extend(places);
            }
        }
        let surroundings = Surroundings::new(kind, base, &result, volumes);
        for alteration in overlay::alterations(base, &result) {
            if let Err(why) = rules::judge(kind, &alteration, &surroundings) {
                wrong.push(format!("{} {why}", alteration.place));
            }
        }
        wrong.extend(excluding::complaints(kind, &result));
        if wrong.is_empty() {
            return Some(result);
        }
        let problems =
            wrong.into_iter().map(|why| Problem::new(field.clone(), format!("{why}; {EXPLAINED}")));
        for problem in problems {
            if self.problems.len() < MOST_PROBLEMS && !self.problems.contains(&problem) {
                self.problems.push(problem);
            }
        }
        None
    }
}
