//! Annotations of a Kafka resource that ask for something else than its specification.

use api::conditions::reasons;
use api::{Kafka, annotations};
use serde_json::Value;

use super::Findings;
use crate::kafka::cluster::internal_security::{AUTHENTICATION, ENCRYPTION};
use crate::kafka::cluster::{Authorization, InternalSecurity, OperatorRolls};
use crate::words::quoted;

/// How the parts of the cluster are to talk with each other; with a problem: as they do without the annotation.
pub(super) fn internal_security(
    kafka: &Kafka,
    authorization: &Authorization,
    findings: &mut Findings,
) -> InternalSecurity {
    let field = || format!("metadata.annotations.{}", annotations::INTERNAL_CLUSTER_SECURITY);
    let asked = match read(kafka) {
        Ok(asked) => asked,
        Err(complaint) => {
            findings.problem(field(), complaint);
            return InternalSecurity::default();
        }
    };
    if !asked.authenticates() {
        let encrypted = if asked.encrypts() { "" } else { ", and reads what nodes send each other" };
        let rights = match authorization {
            Authorization::None => "",
            _ => {
                ", with all rights, since ANONYMOUS is a super user, as is everybody at a listener without authentication"
            }
        };
        findings.warn(
            reasons::INTERNAL_CLUSTER_SECURITY_OFF,
            format!(
                "{}: whoever reaches the ports 9090 and 9091 of the nodes speaks with them as the operator does{rights}{encrypted}: \
                 see to it that the network lets nobody else in",
                field()
            ),
        );
    }
    asked
}

/// What the resource asks for, if it can be understood.
pub(super) fn asked(kafka: &Kafka) -> Option<InternalSecurity> {
    read(kafka).ok()
}

/// When pods restart that a new version of the operator alone would restart; without the annotation as the settings say. An unknown value is
/// taken for `approval`: a needless hold ends with one command, and a restart cannot be taken back.
pub(super) fn operator_rolls(
    kafka: &Kafka,
    default: OperatorRolls,
    findings: &mut Findings,
) -> OperatorRolls {
    let key = annotations::HOLD_OPERATOR_ROLLS;
    let word = kafka.metadata.annotations.as_ref().and_then(|all| all.get(key)).map(|value| value.trim());
    let asked = word.map_or(Some(default), OperatorRolls::of_word);
    let Some(asked) = asked else {
        let words = format!(
            "metadata.annotations.{key}: is {}, which is taken for approval: write one of {}",
            quoted(word.unwrap_or_default()),
            OperatorRolls::WORDS.join(", ")
        );
        findings.warn(reasons::INVALID_OPERATOR_HOLD, words);
        return OperatorRolls::Approval;
    };
    if asked == OperatorRolls::Window && kafka.spec.maintenance_time_windows.iter().flatten().next().is_none()
    {
        let whose = if word.is_some() { "is window" } else { "is window by the settings of the operator" };
        let words = format!(
            "metadata.annotations.{key}: {whose}, and spec.maintenanceTimeWindows has none: write one there, or approval here; \
             until then plans wait for an approval"
        );
        findings.warn(reasons::INVALID_OPERATOR_HOLD, words);
    }
    asked
}

fn read(kafka: &Kafka) -> Result<InternalSecurity, String> {
    let key = annotations::INTERNAL_CLUSTER_SECURITY;
    let Some(text) = kafka.metadata.annotations.as_ref().and_then(|all| all.get(key)) else {
        return Ok(InternalSecurity::default());
    };
    let example = InternalSecurity::default().annotation();
    let Ok(asked @ Value::Object(_)) = serde_json::from_str(text) else {
        return Err(format!("is not JSON such as {example}: write that, or take it out"));
    };
    let encryption = type_of(&asked, "encryption", ENCRYPTION)?;
    let authentication = type_of(&asked, "authentication", AUTHENTICATION)?;
    InternalSecurity::of_types(encryption, authentication).ok_or_else(|| {
        let [tls, _] = ENCRYPTION;
        let [_, none] = AUTHENTICATION;
        format!("asks for authentication of the type {authentication} without encryption: write the type {none} for both, or {tls} for encryption")
    })
}

/// The type that is asked for of a part, the first of `known` when it is not named.
fn type_of(asked: &Value, part: &str, known: [&'static str; 2]) -> Result<&'static str, String> {
    let type_ = &asked[part]["type"];
    let [default, other] = known;
    match type_.as_str() {
        None if type_.is_null() => Ok(default),
        Some(text) if text == default => Ok(default),
        Some(text) if text == other => Ok(other),
        _ => Err(format!(
            "asks for {part} of another type than {default} and {other}: write one of them, or take it out"
        )),
    }
}
