//! Values of options: which are the same, how far one may go in a step, what stands in for an option that is not set.

use std::collections::BTreeMap;

use crate::kafka::config::model::{Model, ValueType};

/// Numbers of threads. Kafka lets each at most double or halve at once.
const THREADS: &[&str] = &[
    "background.threads",
    "log.cleaner.threads",
    "num.io.threads",
    "num.network.threads",
    "num.recovery.threads.per.data.dir",
    "num.replica.fetchers",
    "remote.log.manager.copier.thread.pool.size",
    "remote.log.manager.expiration.thread.pool.size",
    "remote.log.manager.follower.thread.pool.size",
    "remote.log.reader.threads",
];

/// Options without a default of their own, and which other options stand for one, in which unit.
const STAND_INS: &[(&str, &[(&str, i64)])] = &[
    ("log.flush.interval.ms", &[("log.flush.scheduler.interval.ms", 1)]),
    ("log.retention.ms", &[("log.retention.minutes", 60_000), ("log.retention.hours", 3_600_000)]),
    ("log.roll.jitter.ms", &[("log.roll.jitter.hours", 3_600_000)]),
    ("log.roll.ms", &[("log.roll.hours", 3_600_000)]),
];

/// Whether two values mean the same to Kafka: numbers by value, lists without blanks and doubles, switches without case.
pub(super) fn same(model: &Model, name: &str, now: Option<&str>, wanted: &str) -> bool {
    let Some(now) = now else { return wanted.is_empty() };
    let (now, wanted) = (now.trim(), wanted.trim());
    match model.options.get(name).map(|option| option.kind) {
        Some(ValueType::Double) => match (double(now), double(wanted)) {
            (Some(now), Some(wanted)) => now.to_bits() == wanted.to_bits(),
            _ => now == wanted,
        },
        Some(ValueType::Int | ValueType::Long | ValueType::Short) => {
            match (now.parse::<i64>(), wanted.parse::<i64>()) {
                (Ok(now), Ok(wanted)) => now == wanted,
                _ => now == wanted,
            }
        }
        Some(ValueType::Boolean) => now.eq_ignore_ascii_case(wanted),
        Some(ValueType::List) => items(now) == items(wanted),
        _ => now == wanted,
    }
}

/// As Java reads it: with a letter for the type at its end, if there is one.
fn double(text: &str) -> Option<f64> {
    text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text).parse().ok()
}

/// The items of a list, each once.
fn items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    for item in text.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        if !items.contains(&item) {
            items.push(item);
        }
    }
    items
}

/// Whether Kafka lets the option go only so far at once.
pub(super) fn goes_in_steps(name: &str) -> bool {
    THREADS.contains(&name)
}

/// How far an option may go from the present values of all brokers towards a value; `None`: there is no value that all
/// of them would take.
pub(super) fn step(name: &str, now: &[Option<&str>], target: &str) -> Option<String> {
    if !goes_in_steps(name) {
        return Some(target.to_owned());
    }
    let Ok(wanted) = target.trim().parse::<i64>() else { return Some(target.to_owned()) };
    let mut least = 1;
    let mut most = i64::MAX;
    for value in now.iter().filter_map(|value| value.and_then(|text| text.trim().parse::<i64>().ok())) {
        least = least.max(value / 2);
        most = most.min(value.saturating_mul(2));
    }
    if least > most {
        return None;
    }
    let next = wanted.clamp(least, most);
    // The spelling of the user's, at the end.
    Some(if next == wanted { target.to_owned() } else { next.to_string() })
}

/// Whether the option has a default of its own, so that setting that is the same as not setting the option.
pub(super) fn has_default(model: &Model, name: &str) -> bool {
    model.options.get(name).is_some_and(|option| option.default.is_some())
}

/// The value that does what a broker does on which the option is not set; `None`: that is not known.
pub(super) fn of_unset(model: &Model, name: &str, wanted: &BTreeMap<&str, &str>) -> Option<String> {
    if let Some(default) = &model.options.get(name)?.default {
        return Some(default.clone());
    }
    let (_, others) = STAND_INS.iter().find(|(known, _)| *known == name)?;
    others.iter().find_map(|(other, unit)| {
        let default = || model.options.get(*other).and_then(|option| option.default.as_deref());
        let number: i64 = wanted.get(other).copied().or_else(default)?.trim().parse().ok()?;
        Some(if number < 0 { "-1".to_owned() } else { number.saturating_mul(*unit).to_string() })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kafka::config::model;

    #[test]
    fn spelling_makes_no_difference() {
        let model = model::of("4.3.1");
        for (name, now, wanted) in [
            ("num.io.threads", "8", " +8"),
            ("log.cleaner.min.cleanable.ratio", "0.5", "0.50d"),
            ("log.preallocate", "true", "TRUE "),
            ("log.cleanup.policy", "compact,delete", "compact, delete,compact"),
            ("compression.type", "zstd", "zstd"),
        ] {
            assert!(same(model, name, Some(now), wanted), "{name}");
        }
        assert!(!same(model, "num.io.threads", Some("8"), "9"));
        assert!(!same(model, "log.retention.ms", None, "9"));
        assert!(same(model, "max.connections.per.ip.overrides", None, ""));
    }

    #[test]
    fn threads_double_or_halve_until_they_are_there() {
        let step = |now: &[&str], target| {
            let now: Vec<Option<&str>> = now.iter().copied().map(Some).collect();
            step("num.io.threads", &now, target)
        };
        assert_eq!(step(&["8"], "20").as_deref(), Some("16"));
        assert_eq!(step(&["16"], "20").as_deref(), Some("20"));
        assert_eq!(step(&["9"], "1").as_deref(), Some("4"));
        assert_eq!(step(&["1"], "8").as_deref(), Some("2"));
        // All brokers have to take it.
        assert_eq!(step(&["8", "16"], "40").as_deref(), Some("16"));
        assert_eq!(step(&["8", "30"], "30").as_deref(), Some("16"));
        assert_eq!(step(&["8", "200"], "200"), None);
        assert_eq!(super::step("log.retention.ms", &[Some("8")], "9000").as_deref(), Some("9000"));
    }

    #[test]
    fn other_options_stand_in_for_one_without_a_default() {
        let model = model::of("4.3.1");
        let unset = |name, wanted: &[(&'static str, &'static str)]| {
            of_unset(model, name, &wanted.iter().copied().collect())
        };
        assert_eq!(unset("compression.type", &[]).as_deref(), Some("producer"));
        assert_eq!(unset("log.retention.ms", &[]).as_deref(), Some("604800000"));
        assert_eq!(
            unset("log.retention.ms", &[("log.retention.hours", "720")]).as_deref(),
            Some("2592000000")
        );
        let both = [("log.retention.hours", "720"), ("log.retention.minutes", "1")];
        assert_eq!(unset("log.retention.ms", &both).as_deref(), Some("60000"));
        assert_eq!(unset("log.retention.ms", &[("log.retention.hours", "-1")]).as_deref(), Some("-1"));
        assert_eq!(unset("log.roll.jitter.ms", &[]).as_deref(), Some("0"));
        assert_eq!(unset("my.own.plugin.option", &[]), None);
        // Every option that can change at run time has a value that stands in.
        for name in model.options.keys().filter(|name| model.is_live(name)) {
            assert!(unset(name, &[]).is_some(), "{name}");
        }
    }
}
