//! Maintenance windows: Quartz cron expressions as a test of membership, in UTC.
//!
//! Six or seven fields: second, minute, hour, day of month, month, day of week (1 is Sunday), and optionally the year.
//! Exactly one of the two day fields has to be `?`. The meaning is the one Quartz documents; Quartz 2.5.0 itself gets
//! `L`, `LW` and `15W` wrong in months of fewer than 31 days.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use crate::PkiError;

/// A set of seconds in which disruptive work may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaintenanceWindow {
    seconds: Values,
    minutes: Values,
    hours: Values,
    days: DayOfMonth,
    months: Values,
    weekdays: DayOfWeek,
    years: Values,
}

/// Whether `now` lies in one of the windows. Without windows, any time is allowed.
pub fn in_maintenance_window(windows: &[MaintenanceWindow], now: Timestamp) -> bool {
    windows.is_empty() || windows.iter().any(|window| window.contains(now))
}

impl MaintenanceWindow {
    /// Reads a Quartz cron expression such as `* * 0-1 ? * SUN,MON`.
    pub fn parse(expression: &str) -> Result<Self, PkiError> {
        parse(expression).map_err(|reason| PkiError::Window { expression: expression.to_owned(), reason })
    }

    /// Whether the second of `now` belongs to the window.
    pub fn contains(&self, now: Timestamp) -> bool {
        let civil = now.to_zoned(TimeZone::UTC).datetime();
        let date = civil.date();
        self.seconds.has(i32::from(civil.second()))
            && self.minutes.has(i32::from(civil.minute()))
            && self.hours.has(i32::from(civil.hour()))
            && self.months.has(i32::from(date.month()))
            && self.years.has(i32::from(date.year()))
            && self.days.has(date)
            && self.weekdays.has(date)
    }
}

/// A set of numbers: all of them, or a sorted list.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Values {
    All,
    Some(Vec<i32>),
}

impl Values {
    fn has(&self, value: i32) -> bool {
        match self {
            Self::All => true,
            Self::Some(list) => list.binary_search(&value).is_ok(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum DayOfMonth {
    Any,
    On(Values),
    /// So many days before the last of the month; the nearest working day to it if `workday`.
    FromLast {
        offset: i8,
        workday: bool,
    },
    /// The working day (Monday to Friday) nearest to a day, within the month.
    NearestWorkday(i8),
}

impl DayOfMonth {
    fn has(&self, date: Date) -> bool {
        match self {
            Self::Any => true,
            Self::On(values) => values.has(i32::from(date.day())),
            Self::FromLast { offset, workday } => {
                let day = date.days_in_month() - offset;
                day >= 1
                    && if *workday { date.day() == nearest_workday(date, day) } else { date.day() == day }
            }
            Self::NearestWorkday(day) => {
                *day <= date.days_in_month() && date.day() == nearest_workday(date, *day)
            }
        }
    }
}

/// The working day nearest to a day of the month of `date`, without leaving that month.
fn nearest_workday(date: Date, day: i8) -> i8 {
    let Ok(target) = Date::new(date.year(), date.month(), day) else {
        return day;
    };
    match target.weekday() {
        Weekday::Saturday if day == 1 => day + 2,
        Weekday::Saturday => day - 1,
        Weekday::Sunday if day == date.days_in_month() => day - 2,
        Weekday::Sunday => day + 1,
        _ => day,
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum DayOfWeek {
    Any,
    /// 1 is Sunday.
    On(Values),
    /// The last such weekday of the month.
    Last(i32),
    /// The n-th such weekday of the month.
    Nth(i32, i8),
}

impl DayOfWeek {
    fn has(&self, date: Date) -> bool {
        let weekday = i32::from(date.weekday().to_sunday_one_offset());
        match self {
            Self::Any => true,
            Self::On(values) => values.has(weekday),
            Self::Last(wanted) => weekday == *wanted && date.day() + 7 > date.days_in_month(),
            Self::Nth(wanted, nth) => weekday == *wanted && (date.day() - 1) / 7 + 1 == *nth,
        }
    }
}

struct Field {
    name: &'static str,
    least: i32,
    most: i32,
    /// Names for values from `first` on.
    names: &'static [&'static str],
}

const SECOND: Field = Field { name: "seconds", least: 0, most: 59, names: &[] };
const MINUTE: Field = Field { name: "minutes", least: 0, most: 59, names: &[] };
const HOUR: Field = Field { name: "hours", least: 0, most: 23, names: &[] };
const DAY: Field = Field { name: "day of month", least: 1, most: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const WEEKDAY: Field = Field {
    name: "day of week",
    least: 1,
    most: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};
const YEAR: Field = Field { name: "year", least: 1970, most: 2299, names: &[] };

fn parse(expression: &str) -> Result<MaintenanceWindow, String> {
    let upper = expression.to_ascii_uppercase();
    let fields: Vec<&str> = upper.split_whitespace().collect();
    if fields.len() != 6 && fields.len() != 7 {
        return Err(format!(
            "expected 6 or 7 fields (second minute hour day-of-month month day-of-week [year]), found {}",
            fields.len()
        ));
    }
    let days = day_of_month(fields[3])?;
    let weekdays = day_of_week(fields[5])?;
    match (&days, &weekdays) {
        (DayOfMonth::Any, DayOfWeek::Any) => {
            return Err(
                "only one of day of month and day of week can be \"?\"; write \"*\" for the other".to_owned()
            );
        }
        (DayOfMonth::Any, _) | (_, DayOfWeek::Any) => {}
        _ => {
            return Err(
                "day of month and day of week cannot both be given; write \"?\" for one of them".to_owned()
            );
        }
    }
    Ok(MaintenanceWindow {
        seconds: values(fields[0], &SECOND)?,
        minutes: values(fields[1], &MINUTE)?,
        hours: values(fields[2], &HOUR)?,
        days,
        months: values(fields[4], &MONTH)?,
        weekdays,
        years: values(fields.get(6).copied().unwrap_or("*"), &YEAR)?,
    })
}

fn day_of_month(text: &str) -> Result<DayOfMonth, String> {
    if text == "?" {
        return Ok(DayOfMonth::Any);
    }
    if let Some(rest) = text.strip_prefix('L') {
        let (rest, workday) = match rest.strip_suffix('W') {
            Some(rest) => (rest, true),
            None => (rest, false),
        };
        if rest.is_empty() {
            return Ok(DayOfMonth::FromLast { offset: 0, workday });
        }
        let offset = rest.strip_prefix('-').and_then(|digits| digits.parse::<i8>().ok());
        return match offset {
            Some(offset) if (0..=30).contains(&offset) => Ok(DayOfMonth::FromLast { offset, workday }),
            _ => Err(format!("\"{text}\" in day of month: after L only -0 to -30 and W may follow")),
        };
    }
    if let Some(day) = text.strip_suffix('W') {
        let day = number(day, &DAY)
            .map_err(|_| format!("\"{text}\" in day of month: W follows a single day from 1 to 31, or L"))?;
        return Ok(DayOfMonth::NearestWorkday(day as i8));
    }
    values(text, &DAY).map(DayOfMonth::On)
}

fn day_of_week(text: &str) -> Result<DayOfWeek, String> {
    if text == "?" {
        return Ok(DayOfWeek::Any);
    }
    if text == "L" {
        return Ok(DayOfWeek::On(Values::Some(vec![7])));
    }
    if let Some((weekday, nth)) = text.split_once('#') {
        let weekday = number(weekday, &WEEKDAY)?;
        return match nth.parse::<i8>() {
            Ok(nth) if (1..=5).contains(&nth) => Ok(DayOfWeek::Nth(weekday, nth)),
            _ => Err(format!("\"{text}\" in day of week: a number from 1 to 5 follows #")),
        };
    }
    if let Some(weekday) = text.strip_suffix('L') {
        return number(weekday, &WEEKDAY).map(DayOfWeek::Last);
    }
    values(text, &WEEKDAY).map(DayOfWeek::On)
}

/// A comma-separated list of `*`, `a`, `a-b`, each optionally with `/step`.
fn values(text: &str, field: &Field) -> Result<Values, String> {
    let mut list = Vec::new();
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step)),
            None => (item, None),
        };
        let size = field.most - field.least + 1;
        let every = match step {
            None => 1,
            Some(digits) => match digits.parse::<i32>() {
                Ok(every) if every >= 1 && every <= size => every,
                _ => {
                    return Err(format!("\"{item}\" in {}: the step has to be from 1 to {size}", field.name));
                }
            },
        };
        let (from, to) = if range == "*" || (range.is_empty() && step.is_some()) {
            if step.is_none() {
                return Ok(Values::All);
            }
            (field.least, field.most)
        } else if let Some((from, to)) = range.split_once('-') {
            (number(from, field)?, number(to, field)?)
        } else {
            let from = number(range, field)?;
            (from, if step.is_some() { field.most } else { from })
        };
        // 22-2 and FRI-MON go over the end; years have no end to go over.
        let to = if from <= to {
            to
        } else if field.least == YEAR.least {
            return Err(format!("\"{item}\" in {}: the first year has to be the smaller one", field.name));
        } else {
            to + size
        };
        let mut value = from;
        while value <= to {
            list.push(if value > field.most { value - size } else { value });
            value += every;
        }
    }
    list.sort_unstable();
    list.dedup();
    Ok(Values::Some(list))
}

fn number(text: &str, field: &Field) -> Result<i32, String> {
    if let Some(position) = field.names.iter().position(|name| *name == text) {
        return Ok(field.least + position as i32);
    }
    match text.parse::<i32>() {
        Ok(value)
            if (field.least..=field.most).contains(&value) && text.bytes().all(|b| b.is_ascii_digit()) =>
        {
            Ok(value)
        }
        _ => {
            let names = match (field.names.first(), field.names.last()) {
                (Some(first), Some(last)) => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            Err(format!("\"{text}\" in {}: expected {} to {}{names}", field.name, field.least, field.most))
        }
    }
}

#[cfg(test)]
#[path = "window_tests.rs"]
mod tests;
