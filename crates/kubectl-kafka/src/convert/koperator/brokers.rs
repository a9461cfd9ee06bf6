//! `spec.brokers` and `spec.brokerConfigGroups`: which nodes there are, and which of them are alike.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::convert::fields::Fields;
use crate::convert::kubernetes_names;
use crate::convert::notes::Notes;
use crate::convert::options::{self, Options};

/// The name of a pool of nodes that are in no group.
const WITHOUT_GROUP: &str = "broker";

/// A node.
#[derive(Debug)]
pub(super) struct Node {
    /// Its id.
    pub id: i32,
    /// Where it stands in the manifest.
    pub path: String,
    /// Its own options.
    pub options: Options,
    /// Addresses by listener (`nodePortExternalIP`).
    pub addresses: BTreeMap<String, String>,
    /// Kind of the address of its Kubernetes node (`nodePortNodeAddressType`).
    pub address_type: Option<String>,
}

/// Nodes that are alike.
#[derive(Debug)]
pub(super) struct Group {
    /// Name of the pool.
    pub name: String,
    /// The nodes, by id.
    pub nodes: Vec<Node>,
    /// What they have in common.
    pub config: Fields,
}

/// Takes the nodes out of a spec.
pub(super) fn take(spec: &mut Fields, room: usize, notes: &mut Notes) -> Vec<Group> {
    let mut groups =
        spec.object("brokerConfigGroups", notes).map(|fields| (fields.path().to_owned(), fields));
    let mut raw = spec.objects("brokers", notes);
    raw.extend(older_brokers(spec, notes));
    let mut alike: BTreeMap<(String, String), Group> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    let mut used = BTreeSet::new();
    for mut broker in raw {
        let Some(id) = broker
            .number("id", notes)
            .and_then(|id| i32::try_from(id).ok())
            .filter(|id| (0..65_535).contains(id))
        else {
            notes.lost(
                broker.at("id"),
                &Value::Null,
                "is missing or no id from 0 to 65534: the broker was left out",
            );
            continue;
        };
        if !seen.insert(id) {
            notes.lost(broker.at("id"), &Value::from(id), "is used twice: the second broker was left out");
            continue;
        }
        let group = broker.text("brokerConfigGroup", notes).filter(|name| !name.is_empty());
        let read_only = broker.text("readOnlyConfig", notes);
        let read_only = read_only.map(|text| options::parse(&text, &broker.at("readOnlyConfig"), notes));
        let own = broker.object("brokerConfig", notes);
        let shared = group.as_ref().and_then(|name| {
            let found = groups.as_ref().and_then(|(_, all)| all.remaining().get(name).cloned());
            if found.is_none() {
                notes.lost(
                    broker.at("brokerConfigGroup"),
                    &Value::from(name.as_str()),
                    "there is no such group: the broker has no more than its own values",
                );
            }
            used.insert(name.clone());
            found
        });
        let path = broker.path().to_owned();
        let mut config = together(&path, group.as_deref(), own, shared);
        broker.rest(notes);
        let (node, key) = one(id, path, &mut config, read_only.unwrap_or_default(), notes);
        let group = group.unwrap_or_default();
        let entry = alike.entry((group.clone(), key)).or_insert_with(|| Group {
            name: group,
            nodes: Vec::new(),
            config,
        });
        entry.nodes.push(node);
    }
    if let Some((path, all)) = groups.take() {
        for (name, value) in all.remaining() {
            if !used.contains(name) {
                notes.lost(format!("{path}.{name}"), value, "no broker is in this group: it was left out");
            }
        }
    }
    named(alike.into_values().collect(), room)
}

/// `brokerConfigs` of first versions, and of products made from these: a list with an id in each item.
fn older_brokers(spec: &mut Fields, notes: &mut Notes) -> Vec<Fields> {
    let items = spec.objects("brokerConfigs", notes).into_iter().enumerate();
    items
        .map(|(index, mut item)| {
            let path = item.path().to_owned();
            let id = item.take("id").unwrap_or_else(|| Value::from(index));
            let mut config = item.remaining().clone();
            // A product's own word for resources.
            if let Some(resources) = config.remove("resourceReqs") {
                config.insert("resourceRequirements".to_owned(), resources);
            }
            let fields = [("id".to_owned(), id), ("brokerConfig".to_owned(), Value::Object(config))];
            Fields::new(path, Map::from_iter(fields))
        })
        .collect()
}

/// What holds for a node: what it says itself, and what its group says beside that. Lists are joined.
fn together(path: &str, group: Option<&str>, own: Option<Fields>, shared: Option<Value>) -> Fields {
    let shared = match shared {
        Some(Value::Object(values)) => values,
        _ => Map::new(),
    };
    match (own, group) {
        (Some(own), _) if !own.remaining().is_empty() => {
            let mut values = own.remaining().clone();
            merge(&mut values, shared);
            Fields::new(format!("{path}.brokerConfig"), values)
        }
        (_, Some(group)) => Fields::new(format!("spec.brokerConfigGroups.{group}"), shared),
        _ => Fields::new(path, shared),
    }
}

fn merge(over: &mut Map<String, Value>, under: Map<String, Value>) {
    for (name, value) in under {
        match (over.get_mut(&name), value) {
            (Some(Value::Object(over)), Value::Object(under)) => merge(over, under),
            (Some(Value::Array(over)), Value::Array(under)) if name == "storageConfigs" => {
                let places: Vec<Value> = over.iter().map(|volume| volume["mountPath"].clone()).collect();
                over.extend(under.into_iter().filter(|volume| !places.contains(&volume["mountPath"])));
            }
            (Some(Value::Array(over)), Value::Array(under)) => over.extend(under),
            (Some(Value::Null) | None, value) => drop(over.insert(name, value)),
            (Some(_), _) => {}
        }
    }
}

/// Takes what is of one node alone out of its configuration; the rest as text tells whether another node is like it.
fn one(id: i32, path: String, config: &mut Fields, read_only: Options, notes: &mut Notes) -> (Node, String) {
    let dynamic = config.text("config", notes);
    let mut options = read_only;
    options
        .extend(dynamic.map(|text| options::parse(&text, &config.at("config"), notes)).unwrap_or_default());
    let mut addresses = BTreeMap::new();
    if let Some(mut by_listener) = config.object("nodePortExternalIP", notes) {
        let listeners: Vec<String> = by_listener.remaining().keys().cloned().collect();
        for listener in listeners {
            addresses.extend(by_listener.text(&listener, notes).map(|address| (listener, address)));
        }
    }
    let address_type = config.text("nodePortNodeAddressType", notes);
    config.lost(
        "brokerIngressMapping",
        "brokers cannot be spread over several entrances: each broker of a listener has an address of its own",
        notes,
    );
    let key = Value::Object(config.remaining().clone()).to_string();
    (Node { id, path, options, addresses, address_type }, key)
}

/// Gives each pool a name of its own: that of its group where it can be.
fn named(mut groups: Vec<Group>, room: usize) -> Vec<Group> {
    groups.sort_by_key(|group| group.nodes.first().map(|node| node.id));
    let mut taken = BTreeSet::new();
    for group in &mut groups {
        let wish = if group.name.is_empty() { WITHOUT_GROUP } else { &group.name };
        let name = kubernetes_names::label(wish, room, WITHOUT_GROUP);
        group.name = kubernetes_names::unique(&name, room, "-", &mut taken);
        group.nodes.sort_by_key(|node| node.id);
    }
    groups
}
