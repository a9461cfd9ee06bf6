//! What is to be done about a value that one broker is to have for itself.

use super::*;
use crate::kafka::config::model;

fn view(value: &str, on_broker: Option<&str>, in_file: Option<&str>) -> ConfigView {
    let owned = |text: &str| text.to_owned();
    ConfigView {
        value: Some(value.to_owned()),
        on_broker: on_broker.map(owned),
        everywhere: None,
        in_file: in_file.map(owned),
    }
}

/// The change, and everything else, for `num.io.threads` that is to be 12 on broker 1.
fn look(
    memory: &OptionMemory,
    view: &ConfigView,
    everywhere: Option<&str>,
    had_time: bool,
) -> (Option<String>, Steps) {
    let model = model::of("4.3.1");
    let own =
        OwnValue { model, memory, name: "num.io.threads", id: 1, value: "12", view, everywhere, had_time };
    let mut steps = Steps::default();
    let change = own.add_steps(&mut steps);
    (change.map(|change| change.value.unwrap_or_else(|| "-".to_owned())), steps)
}

fn change(view: &ConfigView, everywhere: Option<&str>) -> Option<String> {
    look(&OptionMemory::default(), view, everywhere, false).0
}

#[test]
fn the_broker_is_told_where_it_would_run_with_another_value_and_only_there() {
    assert_eq!(change(&view("8", None, None), None).as_deref(), Some("12"));
    // It was started with it.
    assert_eq!(change(&view("12", None, Some("12")), None), None);
    // The others get another value in the same pass, which would win over the file.
    assert_eq!(change(&view("12", None, Some("12")), Some("9")).as_deref(), Some("12"));
    assert_eq!(change(&view("12", None, Some("12")), Some("12")), None);
    assert_eq!(change(&view("12", Some("12"), None), Some("9")), None);
    assert_eq!(change(&view("10", Some("10"), None), Some("9")).as_deref(), Some("12"));
}

#[test]
fn a_number_of_threads_gets_there_in_steps() {
    assert_eq!(change(&view("4", None, None), None).as_deref(), Some("8"));
    assert_eq!(change(&view("8", Some("8"), None), None).as_deref(), Some("12"));
    assert_eq!(change(&view("50", Some("50"), None), None).as_deref(), Some("25"));
}

#[test]
fn what_kafka_refuses_or_does_not_take_up_becomes_a_restart_where_that_helps() {
    let mut memory = OptionMemory::default();
    let (option, value) = ("num.io.threads".to_owned(), Some("12".to_owned()));
    memory.refused.insert(OptionChange { broker: Some(1), option, value }, "not today".to_owned());
    let started = view("8", None, Some("8"));
    let (none, steps) = look(&memory, &started, None, false);
    assert!(none.is_none() && steps.restarts[&1].contains("not today"), "{steps:?}");
    let (none, steps) = look(&memory, &started, Some("9"), false);
    assert!(none.is_none() && steps.restarts.is_empty(), "the value of all would win: {steps:?}");
    assert!(steps.hopeless.unwrap().contains("on broker 1"));
    let told = view("8", Some("8"), Some("8"));
    assert_eq!(look(&memory, &told, None, false).0.as_deref(), Some("-"));
    let waits = view("8", Some("12"), Some("8"));
    let (none, steps) = look(&OptionMemory::default(), &waits, None, false);
    assert!(none.is_none() && steps.not_taken_up && steps.restarts.is_empty());
    let (_, steps) = look(&OptionMemory::default(), &waits, None, true);
    assert!(steps.restarts[&1].contains("not taken up"));
}
