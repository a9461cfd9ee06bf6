//! Kubernetes quantities without losing digits: `1` is `1000m`, `1Gi` is `1073741824`.

/// No quantity has a larger decimal exponent, or a smaller one.
const MAX_EXPONENT: u32 = 40;

/// A quantity, exact to 10⁻⁹.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity {
    nanos: i128,
}

impl Quantity {
    /// Reads a quantity; `None` when the text is no quantity, or a quantity that is too large to compare (above 10²⁹).
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end =
            text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '.' | '+' | '-'))).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (scale, exponent) = suffix_of(suffix)?;
        let (sign, digits) = match number.strip_prefix('-') {
            Some(rest) => (-1, rest),
            None => (1, number.strip_prefix('+').unwrap_or(number)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let fraction = fraction.trim_end_matches('0');
        let mantissa: i128 = if whole.is_empty() && fraction.is_empty() {
            0
        } else {
            format!("{whole}{fraction}").parse().ok()?
        };
        let places = exponent + 9 - i32::try_from(fraction.len()).ok()?;
        let scaled = mantissa.checked_mul(scale)?;
        let value = if places >= 0 {
            scaled.checked_mul(10_i128.checked_pow(u32::try_from(places).ok()?)?)?
        } else {
            // Finer than 10⁻⁹: the server rounds up.
            let divisor = 10_i128.checked_pow(u32::try_from(-places).ok()?)?;
            scaled.checked_add(divisor - 1)? / divisor
        };
        Some(Self { nanos: value * sign })
    }

    /// The whole number of units in it, bytes for memory; `None`: it is negative, or too large.
    pub fn whole(self) -> Option<u64> {
        u64::try_from(self.nanos / 1_000_000_000).ok().filter(|_| self.nanos >= 0)
    }

    /// Whether it is more than nothing.
    pub fn is_positive(self) -> bool {
        self.nanos > 0
    }
}

/// Whether two quantities have the same value. Text that is no quantity equals only itself.
pub fn equal(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    matches!((Quantity::parse(one), Quantity::parse(other)), (Some(a), Some(b)) if a == b)
}

/// The same text for all spellings of one value. Text that is no quantity stays as it is.
pub fn canonical(text: &str) -> String {
    Quantity::parse(text).map_or_else(|| text.to_owned(), |quantity| format!("{}n", quantity.nanos))
}

/// Binary factor and decimal exponent of a suffix.
fn suffix_of(suffix: &str) -> Option<(i128, i32)> {
    Some(match suffix {
        "" => (1, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        _ => {
            let exponent = suffix.strip_prefix('e').or_else(|| suffix.strip_prefix('E'))?;
            (1, exponent.parse().ok().filter(|exponent: &i32| exponent.abs_diff(0) <= MAX_EXPONENT)?)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_value_are_equal() {
        for (one, other) in [
            ("1", "1000m"),
            ("0.5", "500m"),
            ("1Gi", "1073741824"),
            ("1.5Gi", "1536Mi"),
            ("1e3", "1k"),
            ("0", "0m"),
            ("-1", "-1000m"),
            (".5", "500m"),
            ("2E", "2000P"),
            ("1.0", "1"),
        ] {
            assert!(equal(one, other), "{one} {other}");
        }
    }

    #[test]
    fn sizes_are_ordered_and_have_one_text_each() {
        let quantity = |text: &str| Quantity::parse(text).unwrap();
        assert!(quantity("1G") < quantity("1Gi") && quantity("1023Mi") < quantity("1Gi"));
        assert!(
            quantity("1m").is_positive() && !quantity("0").is_positive() && !quantity("-1").is_positive()
        );
        for no_quantity in
            ["", "ten", "1K", "1 Gi", "Gi", "1e400", "1e2147483647", "1e-2147483648", "+", "1.2.3"]
        {
            assert_eq!(Quantity::parse(no_quantity), None, "{no_quantity}");
        }
        assert_eq!(canonical("0.25"), canonical("250m"));
        assert_ne!(canonical("1G"), canonical("1Gi"));
        assert_eq!(canonical("ten"), "ten");
    }

    #[test]
    fn other_values_and_other_words_differ() {
        for (one, other) in
            [("1", "1001m"), ("1Gi", "1G"), ("a", "b"), ("", "0"), ("1x", "1"), (".", "0"), ("1", "-1")]
        {
            assert!(!equal(one, other), "{one} {other}");
        }
    }
}
