//! What is to be done about an option, layer by layer.

use super::*;
use crate::kafka::config::model;

fn view(value: Option<&str>, layers: [Option<&str>; 3]) -> ConfigView {
    let [on_broker, everywhere, in_file] = layers.map(|layer| layer.map(str::to_owned));
    ConfigView { value: value.map(str::to_owned), on_broker, everywhere, in_file }
}

fn steps_with(
    memory: &OptionMemory,
    name: &str,
    goal: Goal<'_>,
    views: &[ConfigView],
    had_time: bool,
) -> Steps {
    let wanted = BTreeMap::new();
    let brokers = (0..).zip(views).collect();
    let stored = views.iter().find_map(|view| view.everywhere.as_deref());
    Look { model: model::of("4.3.1"), wanted: &wanted, memory, name, brokers, stored, had_time }.steps(goal)
}

fn steps(name: &str, goal: Goal<'_>, views: &[ConfigView]) -> Steps {
    steps_with(&OptionMemory::default(), name, goal, views, false)
}

/// Changes in short: `*=12` for all brokers, `1-` for the value of broker 1 that goes.
fn short(steps: &Steps) -> Vec<String> {
    let who = |change: &OptionChange| change.broker.map_or_else(|| "*".to_owned(), |id| id.to_string());
    let what = |change: &OptionChange| {
        change.value.as_ref().map_or_else(|| "-".to_owned(), |value| format!("={value}"))
    };
    steps.changes.iter().map(|change| who(change) + &what(change)).collect()
}

#[test]
fn a_wanted_value_is_set_for_all_brokers_and_what_one_broker_was_told_goes() {
    let wanted = Goal::Value("zstd");
    let by_default = view(Some("producer"), [None, None, None]);
    assert_eq!(short(&steps("compression.type", wanted, std::slice::from_ref(&by_default))), ["*=zstd"]);
    let stored = view(Some("zstd"), [None, Some("zstd"), Some("lz4")]);
    assert_eq!(steps("compression.type", wanted, std::slice::from_ref(&stored)), Steps::default());
    let from_file = view(Some("zstd"), [None, None, Some("zstd")]);
    assert_eq!(steps("compression.type", wanted, &[from_file]), Steps::default());
    let told = view(Some("lz4"), [Some("lz4"), Some("zstd"), None]);
    let undone = steps("compression.type", wanted, &[stored, told]);
    assert_eq!(short(&undone), ["1-"]);
    assert_eq!(undone.undone[0].to_string(), "compression.type=lz4 on broker 1");
    // Without its own value it would fall back to what is not wanted: first the value for all.
    let told = view(Some("gzip"), [Some("gzip"), None, Some("lz4")]);
    assert_eq!(short(&steps("compression.type", wanted, &[told])), ["*=zstd", "0-"]);
    // An override that says the same goes too: it would outlast the next change.
    let told = view(Some("zstd"), [Some("zstd"), None, Some("zstd")]);
    assert_eq!(short(&steps("compression.type", wanted, &[told])), ["0-"]);
}

#[test]
fn an_option_that_left_the_resource_leaves_no_layer() {
    // At run time only.
    let told = view(Some("3600000"), [None, Some("3600000"), None]);
    assert_eq!(short(&steps("log.retention.ms", Goal::Unset, &[told])), ["*-"]);
    let told = view(Some("zstd"), [None, Some("zstd"), None]);
    assert_eq!(short(&steps("compression.type", Goal::Unset, &[told])), ["*-"]);
    let on_one = view(Some("zstd"), [Some("zstd"), None, None]);
    assert_eq!(short(&steps("compression.type", Goal::Unset, &[on_one])), ["0-"]);
    // In the file: what stands in for the option, and where that is not the same as none, a restart.
    let started = view(Some("zstd"), [None, None, Some("zstd")]);
    let covered = steps("compression.type", Goal::Unset, &[started]);
    assert_eq!((short(&covered), covered.restarts.len()), (vec!["*=producer".to_owned()], 0));
    let started = view(Some("3600000"), [None, None, Some("3600000")]);
    let covered = steps("log.retention.ms", Goal::Unset, &[started]);
    assert_eq!(short(&covered), ["*=604800000"]);
    assert!(covered.restarts[&0].contains("log.retention.ms left the resource"));
    // It stays so until the last broker has restarted.
    let covered = view(Some("604800000"), [None, Some("604800000"), Some("3600000")]);
    let clean = view(Some("604800000"), [None, Some("604800000"), None]);
    let waiting = steps("log.retention.ms", Goal::Unset, &[covered, clean.clone()]);
    assert_eq!((short(&waiting), waiting.restarts.keys().copied().collect()), (vec![], vec![0]));
    assert_eq!(short(&steps("log.retention.ms", Goal::Unset, &[clean])), ["*-"]);
    // Nothing is left to do.
    let never = view(None, [None, None, None]);
    assert_eq!(steps("log.retention.ms", Goal::Unset, &[never]), Steps::default());
}

#[test]
fn numbers_of_threads_go_in_steps_there_and_back() {
    let threads = |now: &str, everywhere: Option<&str>| view(Some(now), [None, everywhere, Some("8")]);
    let towards =
        |now, everywhere| short(&steps("num.io.threads", Goal::Value("20"), &[threads(now, everywhere)]));
    assert_eq!(towards("8", None), ["*=16"]);
    assert_eq!(towards("16", Some("16")), ["*=20"]);
    assert!(towards("20", Some("20")).is_empty());
    let back = view(Some("100"), [None, Some("100"), None]);
    assert_eq!(short(&steps("num.io.threads", Goal::Unset, &[back])), ["*=50"]);
    let back = view(Some("13"), [None, Some("13"), None]);
    assert_eq!(short(&steps("num.io.threads", Goal::Unset, &[back])), ["*-"]);
    let on_one = view(Some("100"), [Some("100"), Some("8"), None]);
    let undone = steps("num.io.threads", Goal::Value("8"), &[on_one]);
    assert_eq!((short(&undone), undone.undone.len()), (vec!["0=50".to_owned()], 0));
    // One broker started with the new file while the others were on their way.
    let ahead = view(Some("200"), [None, Some("16"), Some("200")]);
    let behind = view(Some("16"), [None, Some("16"), Some("8")]);
    let apart = steps("num.io.threads", Goal::Value("200"), &[ahead.clone(), behind]);
    assert_eq!((short(&apart), apart.restarts.keys().copied().collect()), (vec![], vec![1]));
    assert_eq!(short(&steps("num.io.threads", Goal::Value("200"), &[ahead])), ["*=200"]);
}

#[test]
fn what_kafka_refuses_is_done_by_a_restart_once() {
    let change =
        OptionChange { broker: None, option: "background.threads".to_owned(), value: Some("20".to_owned()) };
    let memory =
        OptionMemory { refused: BTreeMap::from([(change, "no".to_owned())]), ..OptionMemory::default() };
    let goal = Goal::Value("20");
    let refused = view(Some("10"), [None, None, None]);
    let wanted = steps_with(&memory, "background.threads", goal, &[refused], false);
    assert!(wanted.changes.is_empty());
    assert_eq!(
        wanted.restarts[&0],
        "background.threads=20: Kafka refuses to change it to 20 at run time: no"
    );
    // What is stored would win over the file.
    let stored = view(Some("10"), [None, Some("10"), None]);
    assert_eq!(short(&steps_with(&memory, "background.threads", goal, &[stored], false)), ["*-"]);
    // The broker has the value in its file and does not run with it: another restart would be of no use.
    let restarted = view(Some("10"), [None, None, Some("20")]);
    let wanted = steps_with(&memory, "background.threads", goal, &[restarted], false);
    assert!(wanted.restarts.is_empty() && wanted.hopeless.is_some());
}

#[test]
fn what_a_broker_does_not_take_up_is_done_by_a_restart_after_a_while() {
    let stored = view(Some("producer"), [None, Some("zstd"), None]);
    let goal = Goal::Value("zstd");
    let at_once = steps("compression.type", goal, std::slice::from_ref(&stored));
    assert!(at_once.not_taken_up && at_once.changes.is_empty() && at_once.restarts.is_empty());
    let later = steps_with(&OptionMemory::default(), "compression.type", goal, &[stored], true);
    assert_eq!(later.restarts.len(), 1);
}
