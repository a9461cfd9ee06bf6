//! Health probes of containers.

use api::common::probe::Probe as RawProbe;
use k8s_openapi::api::core::v1::{self as core, ExecAction, HTTPGetAction};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

/// Timing of a probe; seconds and counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// Seconds before the first probe.
    pub initial_delay: i32,
    /// Seconds until a probe counts as failed.
    pub timeout: i32,
    /// Seconds between two probes.
    pub period: i32,
    /// Failures in a row that count.
    pub failures: i32,
    /// Successes in a row that count.
    pub successes: i32,
}

impl Probe {
    /// What a user says of a probe, over a default.
    pub fn read(raw: Option<&RawProbe>, default: Self) -> Self {
        let Some(raw) = raw else { return default };
        Self {
            initial_delay: raw.initial_delay_seconds.unwrap_or(default.initial_delay),
            timeout: raw.timeout_seconds.unwrap_or(default.timeout),
            period: raw.period_seconds.unwrap_or(default.period),
            failures: raw.failure_threshold.unwrap_or(default.failures),
            successes: raw.success_threshold.unwrap_or(default.successes),
        }
    }

    /// A probe that runs a command in the container.
    pub fn exec(self, command: &[&str]) -> core::Probe {
        core::Probe { exec: Some(exec(command)), ..self.timing() }
    }

    /// A probe that asks for a path over HTTP; `port` is the name of a port of the container.
    pub fn http(self, path: &str, port: &str) -> core::Probe {
        let action = HTTPGetAction {
            path: Some(path.to_owned()),
            port: IntOrString::String(port.to_owned()),
            scheme: Some("HTTP".to_owned()),
            ..HTTPGetAction::default()
        };
        core::Probe { http_get: Some(action), ..self.timing() }
    }

    fn timing(self) -> core::Probe {
        core::Probe {
            initial_delay_seconds: Some(self.initial_delay),
            timeout_seconds: Some(self.timeout),
            period_seconds: Some(self.period),
            failure_threshold: Some(self.failures),
            success_threshold: Some(self.successes),
            ..core::Probe::default()
        }
    }
}

/// A command that a probe runs.
pub(crate) fn exec(command: &[&str]) -> ExecAction {
    ExecAction { command: Some(command.iter().map(|part| (*part).to_owned()).collect()) }
}
