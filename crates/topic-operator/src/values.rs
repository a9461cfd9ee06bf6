//! Values of a configuration, read as Kafka reads them.
//!
//! Kafka shows values as it parsed them: "TRUE" comes back as "true", "a, b" as "a,b", "0.50" as "0.5", and a list without
//! its doubles. A comparison by letters would write such a value at every look. The rules are those of Kafka's `ConfigDef`
//! and of the Java methods that it uses.

use std::collections::HashSet;

use kafka_admin::ConfigKind;

/// True when Kafka means the same by both texts of a value of this kind.
pub(crate) fn same(kind: ConfigKind, have: &str, want: &str) -> bool {
    let (have, want) = (trim(have), trim(want));
    if have == want {
        return true;
    }
    match kind {
        ConfigKind::Text => false,
        ConfigKind::Boolean => both(have, want, boolean),
        ConfigKind::Integer => both(have, want, integer),
        ConfigKind::Double => both(have, want, double),
        ConfigKind::List => list(have) == list(want),
        ConfigKind::Unknown => {
            both(have, want, boolean)
                || both(have, want, integer)
                // Two whole numbers that differ may be equal as floating-point numbers.
                || (integer(have).is_none() || integer(want).is_none()) && both(have, want, double)
                || (have.contains(',') || want.contains(',')) && list(have) == list(want)
        }
    }
}

/// True when both texts can be read, and say the same.
fn both<T: PartialEq>(have: &str, want: &str, read: impl Fn(&str) -> Option<T>) -> bool {
    read(have).is_some_and(|have| read(want) == Some(have))
}

/// `String.trim`: all characters up to the space go.
fn trim(text: &str) -> &str {
    text.trim_matches(|c| c <= ' ')
}

fn boolean(text: &str) -> Option<bool> {
    let says = |word: &str| text.eq_ignore_ascii_case(word);
    if says("true") { Some(true) } else { says("false").then_some(false) }
}

/// `Long.parseLong`: a sign, and leading zeros.
fn integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// `Double.parseDouble`: a type suffix may follow, and a hexadecimal significand has a binary exponent.
fn double(text: &str) -> Option<f64> {
    let hexadecimal =
        text.trim_start_matches(['+', '-']).get(..2).is_some_and(|start| start.eq_ignore_ascii_case("0x"));
    let bare = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    if hexadecimal {
        return hexadecimal_double(bare);
    }
    // "inf" and "nan" are words of Rust's only.
    let digits = bare.chars().all(|c| c.is_ascii_digit() || matches!(c, '+' | '-' | '.' | 'e' | 'E'));
    if digits { bare.parse().ok() } else { None }
}

/// Such as `0x1.8p-1`.
fn hexadecimal_double(text: &str) -> Option<f64> {
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (significand, exponent) = rest.get(2..)?.split_once(['p', 'P'])?;
    let (whole, fraction) = significand.split_once('.').unwrap_or((significand, ""));
    // More digits than a double has do not occur in a configuration.
    let digits = format!("{whole}{fraction}");
    let value = u64::from_str_radix(&digits, 16).ok().filter(|_| digits.len() <= 13)? as f64;
    let exponent = exponent.parse::<i32>().ok()?.checked_sub(4 * i32::try_from(fraction.len()).ok()?)?;
    let value = value * 2_f64.powi(exponent);
    Some(if negative { -value } else { value })
}

/// The members, each once, in the order in which they come first.
fn list(text: &str) -> Vec<&str> {
    if text.is_empty() {
        return Vec::new();
    }
    let mut seen = HashSet::new();
    text.split(',').map(trim).filter(|member| seen.insert(*member)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(kind: ConfigKind, same_texts: &[(&str, &str)], other_texts: &[(&str, &str)]) {
        for kind in [kind, ConfigKind::Unknown] {
            for (have, want) in same_texts {
                assert!(same(kind, have, want), "{kind:?}: {have:?} is {want:?}");
            }
            for (have, want) in other_texts {
                assert!(!same(kind, have, want), "{kind:?}: {have:?} is not {want:?}");
            }
        }
    }

    #[test]
    fn truths() {
        check(
            ConfigKind::Boolean,
            &[("true", "TRUE"), ("false", " False\t")],
            &[("true", "false"), ("true", "1")],
        );
    }

    #[test]
    fn whole_numbers() {
        let wide = ("9007199254740993", "9007199254740992");
        check(
            ConfigKind::Integer,
            &[("100", " 100 "), ("60000", "+0060000"), ("-1", "-01")],
            &[("1", "2"), wide],
        );
        assert!(!same(ConfigKind::Integer, "5", "5.0"), "Kafka does not take it");
    }

    #[test]
    fn numbers() {
        check(
            ConfigKind::Double,
            &[
                ("0.5", "0.50"),
                ("0.5", "0.5d"),
                ("0.5", "0.5F"),
                ("0.5", "5E-1D"),
                ("0.5", ".5"),
                ("0.75", "0x1.8p-1"),
                ("0.75", "0X1.8P-1f"),
                ("1.0E-5", "0.00001"),
                ("1.0", "1"),
                ("0.0", "0"),
            ],
            &[("0.5", "0.25d"), ("0.5", "0,5"), ("0.5", "0.5x"), ("0.5", "")],
        );
        assert!(!same(ConfigKind::Double, "Infinity", "inf"));
    }

    #[test]
    fn lists() {
        check(
            ConfigKind::List,
            &[
                ("compact,delete", "compact, delete"),
                ("compact", "compact,compact"),
                ("delete,compact", "delete, compact ,delete"),
                ("0:0,0:0", "0:0"),
                ("", " "),
            ],
            &[("compact,delete", "delete,compact"), ("compact", "delete"), ("compact", "compact,delete")],
        );
    }

    #[test]
    fn texts() {
        check(ConfigKind::Text, &[("gzip", "gzip")], &[("gzip", "GZIP"), ("gzip", "zstd")]);
        assert!(!same(ConfigKind::Text, "1", "01"));
    }

    proptest! {
        #[test]
        fn every_value_is_itself_and_nothing_is_read_beyond_its_end(text in any::<String>(), other in any::<String>()) {
            for kind in [
                ConfigKind::Unknown,
                ConfigKind::Boolean,
                ConfigKind::Text,
                ConfigKind::Integer,
                ConfigKind::Double,
                ConfigKind::List,
            ] {
                prop_assert!(same(kind, &text, &text));
                prop_assert_eq!(same(kind, &text, &other), same(kind, &other, &text));
            }
        }

        #[test]
        fn a_number_is_the_same_in_every_spelling(mantissa in -1_000_000_i32..1_000_000, scale in 0_u32..6, suffix in "[dDfF]?") {
            let value = f64::from(mantissa) / 10_f64.powi(scale as i32);
            let spelled = format!("{mantissa}e-{scale}{suffix}");
            prop_assert!(same(ConfigKind::Double, &format!("{value:?}"), &spelled), "{} {}", value, spelled);
        }
    }
}
