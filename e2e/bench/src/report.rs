//! The rows of the table, in the shape that `e2e/bench.sh` prints too.

use std::fmt::Display;

/// A figure beside its limit; the limit is `-` where there is none.
pub(crate) fn row(figure: impl Display, measured: impl Display, limit: impl Display) {
    println!("{:<76} {:>10} {:>10}", figure.to_string(), measured.to_string(), limit.to_string());
}

/// Says what is going on.
pub(crate) fn progress(text: impl Display) {
    eprintln!("== {text}");
}

/// A number with so many decimals.
pub(crate) fn number(value: f64, decimals: usize) -> String {
    format!("{value:.decimals$}")
}

/// The value in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
