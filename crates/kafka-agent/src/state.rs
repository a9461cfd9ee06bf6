//! What the agent knows of its node, and what it makes of it: starting, recovering, running, stopping, stopped.
//!
//! Times are durations since the agent's start, so that the rules need no clock.

use std::time::Duration;

use api::agent::RecoveryState;
use api::agent::container::RECOVERY;
use serde::Serialize;

use crate::config::{AgentReport, CertificatesInUse, PlugIn, Unresponsive};
use crate::recovery::Recovery;

/// Without an answer for this long, a running node is no longer ready.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// Without even an accepted connection for this long, a running node is taken for dead.
const ALIVE_WITHIN: Duration = Duration::from_secs(30);

/// The longest time between two questions that counts as silence.
const LONGEST_ROUND: Duration = Duration::from_secs(30);
/// How long a node that hangs, and takes no connections any more, is not taken for dead. The operator restarts it after five minutes, and
/// with its next look.
const LEFT_TO_THE_OPERATOR: Duration = Duration::from_mins(10);

/// What a listener said when asked, from the least to the most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Answer {
    /// It does not accept connections.
    Nothing,
    /// It accepts connections. Nothing came back, now or to the question before that is still open.
    Accepts,
    /// Something came back, if no answer in time: TLS that fails, a connection that it closes, the late answer of an overloaded node.
    Responds,
    /// It answers requests.
    Answers,
    /// What is behind it serves: a broker counts itself among the live ones, a worker says that it is healthy.
    Serves,
}

/// State of the node, with the numbers of Kafka's own `BrokerState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum BrokerState {
    /// There is no JVM.
    NotRunning = 0,
    /// The JVM starts, or catches up with the metadata.
    Starting = 1,
    /// The logs were not closed in order and are being checked.
    Recovery = RECOVERY,
    /// Clients are served.
    Running = 3,
    /// The broker hands over its leaderships before it stops.
    PendingControlledShutdown = 6,
    /// The node stops without having run.
    ShuttingDown = 7,
}

/// The JVM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Jvm {
    Ahead,
    Alive,
    Ended,
}

/// Everything known of the node.
#[derive(Clone, Debug)]
pub struct Node {
    jvm: Jvm,
    stopping: bool,
    recovery: Recovery,
    /// When the node was first found running.
    running_since: Option<Duration>,
    last_accepted: Duration,
    last_answered: Duration,
    /// When the listeners were asked last.
    last_asked: Duration,
    /// For how long each listener that took connections has sent nothing back: that of the controller and that of the broker.
    unanswered_for: [Option<Duration>; 2],
    certificate_hash: Option<String>,
    missing_plug_ins: Vec<PlugIn>,
}

/// The node as the outside sees it: the body of `/v1/broker-state`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Number of the [`BrokerState`].
    pub broker_state: u8,
    /// Only during recovery.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recovery_state: Option<RecoveryState>,
    /// SHA-256 of the certificate in the node's key store, in hexadecimal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_hash: Option<String>,
    /// What the operator asks about.
    #[serde(flatten)]
    pub agent: AgentReport,
}

impl Default for Node {
    fn default() -> Self {
        Self {
            jvm: Jvm::Ahead,
            stopping: false,
            recovery: Recovery::default(),
            running_since: None,
            last_accepted: Duration::ZERO,
            last_answered: Duration::ZERO,
            last_asked: Duration::ZERO,
            unanswered_for: [None; 2],
            certificate_hash: None,
            missing_plug_ins: Vec::new(),
        }
    }
}

impl Node {
    /// The JVM was started; `recovery` tells what it finds.
    pub fn started(&mut self, recovery: Recovery) {
        self.jvm = Jvm::Alive;
        self.recovery = recovery;
    }

    /// The pod is asked to stop.
    pub fn stop_requested(&mut self) {
        self.stopping = true;
    }

    /// Whether the pod was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// The JVM ended.
    pub fn ended(&mut self) {
        self.jvm = Jvm::Ended;
    }

    /// A line of the JVM's output.
    pub fn line(&mut self, line: &str) {
        if self.running_since.is_none() && self.recovery.needed() {
            self.recovery.read(line);
        }
    }

    /// Another certificate is in place.
    pub fn certificate(&mut self, hash: String) {
        self.certificate_hash = Some(hash);
    }

    /// Jars were not found that the node was to run with.
    pub fn plug_ins_missing(&mut self, missing: Vec<PlugIn>) {
        self.missing_plug_ins = missing;
    }

    /// The listeners were asked: that of the controller and that of the broker, where the node has them. Returns true if
    /// the node was found running for the first time.
    pub fn asked(&mut self, now: Duration, controller: Option<Answer>, broker: Option<Answer>) -> bool {
        // Once it has run, a broker that the controllers fence for a moment keeps serving what it can.
        let expected = if self.has_run() { Answer::Answers } else { Answer::Serves };
        let all = |controller_needs: Answer, broker_needs: Answer| {
            controller.is_none_or(|answer| answer >= controller_needs)
                && broker.is_none_or(|answer| answer >= broker_needs)
        };
        if all(Answer::Accepts, Answer::Accepts) {
            self.last_accepted = now;
        }
        self.note_silence(now, [controller, broker]);
        if !all(Answer::Answers, expected) {
            return false;
        }
        self.last_answered = now;
        let first = self.running_since.is_none();
        self.running_since.get_or_insert(now);
        first
    }

    /// Counts for how long each listener of a running node has sent nothing back. Of a time in which nobody asked, because the whole machine stood
    /// still, nothing is known.
    fn note_silence(&mut self, now: Duration, answers: [Option<Answer>; 2]) {
        let passed = now.saturating_sub(self.last_asked).min(LONGEST_ROUND);
        self.last_asked = now;
        let has_run = self.has_run();
        for (silent, answer) in self.unanswered_for.iter_mut().zip(answers) {
            *silent = match (answer.filter(|_| has_run), *silent) {
                (Some(Answer::Accepts), None) => Some(Duration::ZERO),
                (Some(Answer::Accepts | Answer::Nothing), Some(silent)) => Some(silent + passed),
                _ => None,
            };
        }
    }

    /// Whether the node was running at some time since the agent's start.
    pub fn has_run(&self) -> bool {
        self.running_since.is_some()
    }

    /// The state.
    pub fn state(&self) -> BrokerState {
        match self.jvm {
            Jvm::Ended => BrokerState::NotRunning,
            _ if self.stopping && self.has_run() => BrokerState::PendingControlledShutdown,
            _ if self.stopping => BrokerState::ShuttingDown,
            _ if self.has_run() => BrokerState::Running,
            Jvm::Alive if self.recovery.needed() => BrokerState::Recovery,
            Jvm::Alive | Jvm::Ahead => BrokerState::Starting,
        }
    }

    /// Whether clients should be sent here.
    pub fn is_ready(&self, now: Duration) -> bool {
        self.state() == BrokerState::Running && now.saturating_sub(self.last_answered) <= READY_WITHIN
    }

    /// Whether there is hope without a restart. A node that hangs takes no connections any more when as many wait as may: its restart is
    /// left to the operator for a while, which looks at the other nodes first.
    pub fn is_alive(&self, now: Duration) -> bool {
        let longest = self.unanswered_for.iter().flatten().max();
        let is_left_to_the_operator = longest.is_some_and(|silent| *silent <= LEFT_TO_THE_OPERATOR)
            && now.saturating_sub(self.last_asked) <= LONGEST_ROUND;
        self.jvm != Jvm::Ended
            && (!self.has_run()
                || self.stopping
                || now.saturating_sub(self.last_accepted) <= ALIVE_WITHIN
                || is_left_to_the_operator)
    }

    /// Whether the latest question was answered, so that there is no hurry to ask again.
    pub fn is_calm(&self, now: Duration) -> bool {
        self.has_run() && self.last_answered == now
    }

    /// What the outside sees. `certificates` are those in use.
    pub fn report(&self, certificates: Option<CertificatesInUse>) -> Report {
        let state = self.state();
        let [controller, broker] = self.unanswered_for.map(|silent| silent.map(|silent| silent.as_secs()));
        let unresponsive = Unresponsive { controller_for_seconds: controller, broker_for_seconds: broker };
        let is_unresponsive = state == BrokerState::Running && unresponsive.longest_seconds().is_some();
        let recovery_state = (state == BrokerState::Recovery).then(|| RecoveryState {
            remaining_logs_to_recover: self.recovery.remaining_logs(),
            remaining_segments_to_recover: self.recovery.remaining_segments(),
        });
        Report {
            broker_state: state as u8,
            recovery_state,
            certificate_hash: self.certificate_hash.clone(),
            agent: AgentReport {
                missing_plug_ins: self.missing_plug_ins.clone(),
                certificates,
                unresponsive: is_unresponsive.then_some(unresponsive),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(count: u64) -> Duration {
        Duration::from_secs(count)
    }

    #[test]
    fn a_broker_is_running_when_it_counts_itself_alive() {
        let mut node = Node::default();
        assert_eq!(node.state(), BrokerState::Starting);
        node.started(Recovery::new(0));
        assert!(!node.asked(seconds(1), Some(Answer::Answers), Some(Answer::Nothing)));
        assert!(!node.asked(seconds(2), Some(Answer::Answers), Some(Answer::Answers)));
        assert_eq!(
            (node.state(), node.is_ready(seconds(2)), node.is_alive(seconds(500))),
            (BrokerState::Starting, false, true)
        );
        assert!(node.asked(seconds(3), Some(Answer::Answers), Some(Answer::Serves)));
        assert!(
            !node.asked(seconds(4), Some(Answer::Answers), Some(Answer::Serves)),
            "only the first time is news"
        );
        assert_eq!(
            (node.state(), node.is_ready(seconds(4)), node.is_calm(seconds(4))),
            (BrokerState::Running, true, true)
        );
    }

    #[test]
    fn a_controller_is_running_when_it_answers() {
        let mut node = Node::default();
        node.started(Recovery::default());
        assert!(!node.asked(seconds(1), Some(Answer::Accepts), None));
        assert!(node.asked(seconds(2), Some(Answer::Answers), None));
        assert_eq!(node.state(), BrokerState::Running);
    }

    #[test]
    fn a_running_node_that_falls_silent_is_first_unready_then_dead() {
        let mut node = Node::default();
        node.started(Recovery::default());
        node.asked(seconds(10), None, Some(Answer::Serves));
        node.asked(seconds(20), None, Some(Answer::Accepts));
        assert!(node.is_ready(seconds(30)) && !node.is_ready(seconds(31)));
        assert!(node.is_alive(seconds(50)) && !node.is_alive(seconds(51)));
        node.asked(seconds(60), None, Some(Answer::Answers));
        assert!(
            node.is_ready(seconds(60)) && node.is_alive(seconds(60)),
            "fenced for a moment is not unready"
        );
    }

    #[test]
    fn a_running_node_that_takes_connections_and_sends_nothing_back_says_for_how_long() {
        let silent = |node: &Node| {
            let told = node.report(None).agent.unresponsive?;
            Some((told.controller_for_seconds, told.broker_for_seconds))
        };
        let mut node = Node::default();
        node.started(Recovery::default());
        // While it starts nothing is expected of it.
        node.asked(seconds(1), Some(Answer::Accepts), Some(Answer::Nothing));
        assert_eq!(silent(&node), None);
        node.asked(seconds(10), Some(Answer::Answers), Some(Answer::Serves));
        node.asked(seconds(20), Some(Answer::Answers), Some(Answer::Accepts));
        node.asked(seconds(30), Some(Answer::Answers), Some(Answer::Accepts));
        assert_eq!(silent(&node), Some((None, Some(10))));
        node.asked(seconds(40), Some(Answer::Accepts), Some(Answer::Answers));
        assert_eq!(
            silent(&node),
            Some((Some(0), None)),
            "an overloaded node that answers here and there hangs nowhere"
        );
        // The machine stood still for an hour.
        node.asked(seconds(3640), Some(Answer::Accepts), Some(Answer::Answers));
        assert_eq!(silent(&node), Some((Some(30), None)));
        // A certificate that ended is no silence, although the node is not ready.
        node.asked(seconds(3650), Some(Answer::Responds), Some(Answer::Responds));
        assert_eq!((silent(&node), node.is_ready(seconds(3650))), (None, false));
        node.asked(seconds(3660), Some(Answer::Accepts), Some(Answer::Answers));
        node.asked(seconds(3665), Some(Answer::Accepts), Some(Answer::Answers));
        assert_eq!(silent(&node), Some((Some(5), None)), "what was before has ended");
        node.stop_requested();
        assert_eq!(silent(&node), None, "a slow stop is not cut short");
    }

    #[test]
    fn a_node_that_hangs_until_it_takes_no_connections_is_left_to_the_operator_for_a_while() {
        let mut node = Node::default();
        node.started(Recovery::default());
        node.asked(seconds(0), None, Some(Answer::Serves));
        let mut closed = node.clone();
        for round in 1..=130 {
            let now = seconds(round * 5);
            let answer = if round < 50 { Answer::Accepts } else { Answer::Nothing };
            node.asked(now, None, Some(answer));
            assert_eq!(node.is_alive(now), round <= 121, "{round}");
            // Its listener is closed: nobody could ask it, and nothing is waited for.
            closed.asked(now, None, Some(Answer::Nothing));
            assert_eq!(closed.is_alive(now), round <= 6, "{round}");
        }
    }

    #[test]
    fn an_unclean_stop_shows_as_recovery_with_what_is_left() {
        let mut node = Node::default();
        node.started(Recovery::new(4));
        node.line("Completed load of Log(x) (1/4 completed in /d)");
        let left = RecoveryState { remaining_logs_to_recover: 3, remaining_segments_to_recover: 0 };
        assert_eq!(
            node.report(None),
            Report {
                broker_state: 2,
                recovery_state: Some(left),
                certificate_hash: None,
                agent: AgentReport::default()
            }
        );
        assert_eq!(
            serde_json::to_string(&node.report(None)).unwrap(),
            r#"{"brokerState":2,"recoveryState":{"remainingLogsToRecover":3,"remainingSegmentsToRecover":0}}"#
        );
        node.asked(seconds(1), None, Some(Answer::Serves));
        node.certificate("ab".to_owned());
        assert_eq!(
            serde_json::to_string(&node.report(None)).unwrap(),
            r#"{"brokerState":3,"certificateHash":"ab"}"#
        );
    }

    #[test]
    fn stopping_and_stopped_are_told_apart() {
        let mut node = Node::default();
        node.started(Recovery::default());
        let mut early = node.clone();
        early.stop_requested();
        assert_eq!(early.state(), BrokerState::ShuttingDown);
        node.asked(seconds(1), None, Some(Answer::Serves));
        node.stop_requested();
        assert_eq!(node.state(), BrokerState::PendingControlledShutdown);
        assert!(!node.is_ready(seconds(1)) && node.is_alive(seconds(900)), "a slow stop is not cut short");
        node.ended();
        assert_eq!((node.state(), node.is_alive(seconds(1))), (BrokerState::NotRunning, false));
    }
}
