//! How the bridge in Java is started.

use api::bridge::java_env;
use api::kafka_bridge::KafkaBridgeSpec;

use crate::findings::Findings;
use crate::process::JvmOptions;
use crate::text;

/// The heap's share of the memory that the container may have, when the resource names no size. Percent.
const HEAP_PERCENTAGE: u8 = 50;

/// The heap at the start where neither the resource nor the memory limit bounds it.
const HEAP_WITHOUT_LIMIT: &str = "-Xms128M";

/// What its script would take for several arguments, or for names of files.
fn is_split(value: &str) -> bool {
    value.contains(|c: char| c.is_whitespace() || matches!(c, '*' | '?' | '['))
}

/// Checks the options of the JVM, which the script takes out of variables without quotation marks.
pub(super) fn check(spec: &KafkaBridgeSpec, findings: &mut Findings) {
    const FIELD: &str = "spec.jvmOptions";
    text::jvm(spec.jvm_options.as_ref(), FIELD, findings);
    let Some(options) = &spec.jvm_options else { return };
    let properties =
        options.java_system_properties.iter().flatten().enumerate().flat_map(|(index, property)| {
            let field = format!("{FIELD}.javaSystemProperties[{index}]");
            [(format!("{field}.name"), &property.name), (format!("{field}.value"), &property.value)]
        });
    let sizes = [(format!("{FIELD}.-Xms"), &options.xms), (format!("{FIELD}.-Xmx"), &options.xmx)];
    let named = properties.chain(sizes).filter_map(|(field, value)| Some((field, value.as_deref()?)));
    let flags = options.xx.iter().flatten();
    let flags =
        flags.flat_map(|(name, value)| [name, value].map(|text| (format!("{FIELD}.-XX"), text.as_str())));
    for (field, value) in named.chain(flags) {
        if is_split(value) {
            let message = "its script takes options of the JVM without quotation marks: write names and values without blanks, \
                           \"*\", \"?\" and \"[\"";
            findings.problem(field, message);
        }
    }
}

/// Environment variables of its script.
pub(super) fn environment(spec: &KafkaBridgeSpec) -> Vec<(&'static str, String)> {
    let options: JvmOptions = spec.jvm_options.as_ref().map(JvmOptions::from).unwrap_or_default();
    let mut all = vec![(java_env::GC_LOG, options.gc_logging.to_string())];
    let bounds = [("-Xms", &options.xms), ("-Xmx", &options.xmx)];
    let heap: Vec<String> =
        bounds.into_iter().filter_map(|(flag, size)| Some(format!("{flag}{}", size.as_ref()?))).collect();
    let limits = spec.resources.as_ref().and_then(|resources| resources.limits.as_ref());
    let is_limited = limits.is_some_and(|limits| limits.contains_key("memory"));
    if !heap.is_empty() {
        all.push((java_env::HEAP, heap.join(" ")));
    } else if !is_limited {
        all.push((java_env::HEAP, HEAP_WITHOUT_LIMIT.to_owned()));
    }
    if is_limited && options.xmx.is_none() {
        all.push((java_env::HEAP_PERCENTAGE, HEAP_PERCENTAGE.to_string()));
    }
    let flags = api::agent::xx_flags(&options.xx);
    if !flags.is_empty() {
        all.push((java_env::PERFORMANCE, flags.join(" ")));
    }
    if !options.system_properties.is_empty() {
        let all_properties =
            options.system_properties.iter().map(|(name, value)| format!("-D{name}={value}"));
        all.push((java_env::SYSTEM_PROPERTIES, all_properties.collect::<Vec<_>>().join(" ")));
    }
    all
}
