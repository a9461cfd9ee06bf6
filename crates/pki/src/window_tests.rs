#![allow(clippy::unwrap_used)]
use super::*;

fn contains(expression: &str, time: &str) -> bool {
    MaintenanceWindow::parse(expression).unwrap().contains(time.parse().unwrap())
}

#[test]
fn plain_fields_lists_ranges_and_steps_match_as_documented() {
    // 2026-11-21 is a Saturday.
    let time = "2026-11-21T01:30:20Z";
    for (expression, expected) in [
        ("* * 0-1 ? * SUN,MON,TUE,WED,THU", false),
        ("* * 0-1 ? * SUN,MON,SAT", true),
        ("* * 0-1 ? * 7", true),
        ("* * 0-1 ? * 1", false),
        ("* * 0-1 * * ?", true),
        ("* * 2-3 * * ?", false),
        ("20 30 1 21 11 ?", true),
        ("20 30 1 21 NOV ? 2026", true),
        ("20 30 1 21 nov ? 2025-2026", true),
        ("20 30 1 21 NOV ? 2027", false),
        ("*/20 */15 * * * ?", true),
        ("/7 * * * * ?", false),
        ("0/10 0/30 1/2 1/5 * ?", true),
        ("* 25-35/5 * * * ?", true),
        ("* * 22-2 ? * FRI-MON", true),
        ("* * 22-0 ? * FRI-MON", false),
        ("* * * ? * MON-FRI", false),
        ("* * * ? * L", true),
    ] {
        assert_eq!(contains(expression, time), expected, "{expression}");
    }
}

#[test]
fn last_days_and_nearest_workdays_hold_in_every_month() {
    for (expression, date, expected) in [
        ("* * * L * ?", "2026-02-28", true),
        ("* * * L * ?", "2026-02-27", false),
        ("* * * L * ?", "2028-02-29", true),
        ("* * * L * ?", "2026-04-30", true),
        ("* * * L-3 * ?", "2026-04-27", true),
        ("* * * L-3 * ?", "2026-01-28", true),
        // 2026-02-28 is a Saturday, so the last working day is Friday the 27th.
        ("* * * LW * ?", "2026-02-27", true),
        ("* * * LW * ?", "2026-02-28", false),
        // 2026-08-15 is a Saturday, 2026-11-15 a Sunday.
        ("* * * 15W * ?", "2026-08-14", true),
        ("* * * 15W * ?", "2026-11-16", true),
        ("* * * 15W * ?", "2026-11-15", false),
        // 2026-08-01 is a Saturday: the month is not left.
        ("* * * 1W * ?", "2026-08-03", true),
        ("* * * 31W * ?", "2026-05-29", true),
        ("* * * ? * 6#3", "2026-11-20", true),
        ("* * * ? * 6#3", "2026-11-13", false),
        ("* * * ? * FRIL", "2026-11-27", true),
        ("* * * ? * 6L", "2026-11-20", false),
    ] {
        assert_eq!(contains(expression, &format!("{date}T12:00:00Z")), expected, "{expression} {date}");
    }
}

#[test]
fn what_quartz_refuses_is_refused_with_a_hint() {
    for (expression, hint) in [
        ("* * * * *", "6 or 7 fields"),
        ("* * * * * *", "write \"?\""),
        ("* * * ? * ?", "write \"*\""),
        ("* * 24 ? * MON", "0 to 23"),
        ("* * 0 ? * FOO", "SUN to SAT"),
        ("* * 0 ? * 2#6", "1 to 5"),
        ("* */0 0 ? * 2", "step"),
        ("* * 0 5,LW * ?", "1 to 31"),
        ("* * 0 1 * ? 2027-2026", "smaller"),
        ("", "found 0"),
    ] {
        let error = MaintenanceWindow::parse(expression).unwrap_err().to_string();
        assert!(error.contains(hint), "{expression}: {error}");
    }
}

#[test]
fn without_windows_any_time_is_allowed() {
    let now: Timestamp = "2026-11-21T01:30:20Z".parse().unwrap();
    assert!(in_maintenance_window(&[], now));
    let other = MaintenanceWindow::parse("* * 5 * * ?").unwrap();
    assert!(!in_maintenance_window(&[other], now));
}
