//! Options of the Java virtual machine.

use std::collections::BTreeMap;

use api::common::jvm::{JvmOptions, SystemProperty};
use serde_json::Value;

use super::notes::Notes;
use super::secrets;

/// Arguments that say what is the case anyway.
const USUAL: &[&str] = &["-server", "-Djava.awt.headless=true"];

/// Adds what stands in a list of arguments.
pub(super) fn add(options: &mut JvmOptions, arguments: &str, path: &str, notes: &mut Notes) {
    for argument in arguments.split_whitespace() {
        let shown = Value::from(argument);
        if USUAL.contains(&argument) {
            continue;
        }
        if let Some(size) = argument.strip_prefix("-Xmx").and_then(heap) {
            options.xmx = Some(size);
        } else if let Some(size) = argument.strip_prefix("-Xms").and_then(heap) {
            options.xms = Some(size);
        } else if let Some((name, value)) = argument.strip_prefix("-XX:").and_then(xx) {
            options.xx.get_or_insert_with(BTreeMap::new).insert(name, value);
        } else if argument.starts_with("-Dcom.sun.management.jmxremote")
            || argument.starts_with("-Djava.rmi.server.hostname")
        {
            notes.lost(path, &shown, "remote JMX has a field of its own: write spec.kafka.jmxOptions");
        } else if let Some(property) =
            argument.strip_prefix("-D").filter(|property| !property.starts_with('=') && !property.is_empty())
        {
            let (name, value) = property.split_once('=').unwrap_or((property, ""));
            if !secrets::is_harmless_property(name, value) {
                notes.lost(
                    path,
                    &Value::Null,
                    format!("the property {name} may be a secret, and was left out"),
                );
                continue;
            }
            let property = SystemProperty { name: Some(name.to_owned()), value: Some(value.to_owned()) };
            options.java_system_properties.get_or_insert_with(Vec::new).push(property);
        } else {
            notes.lost(path, &shown, "has no field in jvmOptions, and was left out");
        }
    }
}

/// Whether nothing is set.
pub(super) fn is_empty(options: &JvmOptions) -> bool {
    *options == JvmOptions::default()
}

/// A size as the resource writes it: in bytes, `m` or `g`.
fn heap(text: &str) -> Option<String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    match &text[digits.len()..] {
        "" => Some(number.to_string()),
        "k" | "K" => Some(number.checked_mul(1024)?.to_string()),
        unit @ ("m" | "M" | "g" | "G") => Some(format!("{number}{unit}")),
        "t" | "T" => Some(format!("{}g", number.checked_mul(1024)?)),
        _ => None,
    }
}

/// `+UseG1GC` or `MaxGCPauseMillis=20`, as a name and a value.
fn xx(text: &str) -> Option<(String, String)> {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric());
    let (name, value) = match text.chars().next()? {
        '+' => (&text[1..], "true"),
        '-' => (&text[1..], "false"),
        _ => text.split_once('=')?,
    };
    is_name(name).then(|| (name.to_owned(), value.to_owned()))
}
