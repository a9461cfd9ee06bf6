//! Options of brokers: what Kafka says about them, and changes at run time. No policy.

use std::collections::{BTreeMap, BTreeSet};

use kafka_admin::{Admin, ConfigChange, ConfigResource, ErrorCode, KafkaError};
use operator_runtime::events::{self, Note, Severity};
use planner::kafka::config::live::memory::OptionChange;
use planner::kafka::observed::{BrokerConfigs, ConfigView, Observed};
use planner::kafka::plan::Plan;
use planner::plan::Occasion;

use super::call_error::{Error, call};

/// Bytes of the options of all brokers of a cluster that are looked at in one pass: three times what 100 bytes for each of 400
/// options of 300 brokers come to.
const LONGEST: usize = 36 * 1024 * 1024;
/// Action of events about options that were changed.
const CONFIGURATION_CHANGE: &str = api::conditions::events::CONFIGURATION_CHANGE;

/// The options of each of these brokers that can change at run time or were changed; brokers that do not answer are left
/// out. Where none does, why the first did not.
pub async fn broker_options(admin: &Admin, brokers: &BTreeSet<i32>) -> Result<BrokerConfigs, Error> {
    let answers = admin.describe_broker_options(brokers.iter().copied()).await;
    let (mut found, mut silent) = (BrokerConfigs::new(), None);
    let mut bytes = 0;
    for (id, answer) in answers {
        let options = match answer {
            Ok(options) => options,
            Err(source) => {
                silent.get_or_insert((id, source));
                continue;
            }
        };
        bytes += options.iter().map(|(name, option)| name.len() + option.bytes()).sum::<usize>();
        if bytes > LONGEST {
            tracing::warn!(
                broker = id,
                "the options of the brokers are too long: the other brokers are looked at later"
            );
            break;
        }
        let options = options.into_iter().filter_map(|(name, option)| {
            let (value, in_file) = (option.value, option.in_file);
            let view =
                ConfigView { value, on_broker: option.on_broker, everywhere: option.everywhere, in_file };
            (!option.read_only || view.is_changed()).then_some((name, view))
        });
        found.insert(id, options.collect());
    }
    match silent {
        Some((id, source)) if found.is_empty() => {
            Err(Error::Refused { action: format!("describe the options of broker {id}"), source })
        }
        _ => Ok(found),
    }
}

/// Makes changes of one broker, or of the default of all, and returns those that Kafka refused, with its words. Kafka
/// takes a request as a whole or not at all: a refused request is made again in halves.
pub async fn alter(
    admin: &Admin,
    broker: Option<i32>,
    changes: &BTreeMap<String, Option<String>>,
) -> Result<BTreeMap<OptionChange, String>, Error> {
    let mut open: Vec<Vec<(&String, &Option<String>)>> = vec![changes.iter().collect()];
    let mut refused = Vec::new();
    let mut progress = false;
    while let Some(part) = open.pop() {
        match alter_at_once(admin, broker, &part).await? {
            None => progress = true,
            Some(_) if part.len() > 1 => {
                let (first, second) = part.split_at(part.len() / 2);
                open.extend([second.to_vec(), first.to_vec()]);
            }
            Some(error) => refused.push((part[0], error)),
        }
        // What was refused may have been so because of what was not changed yet.
        if open.is_empty() && progress && !refused.is_empty() {
            progress = false;
            open.extend(refused.drain(..).map(|(change, _)| vec![change]));
        }
    }
    let words = |((name, value), error): ((&String, &Option<String>), KafkaError)| {
        (OptionChange { broker, option: name.clone(), value: value.clone() }, error.to_string())
    };
    Ok(refused.into_iter().map(words).collect())
}

/// One request; the answer is Kafka's refusal, if it refused the values.
async fn alter_at_once(
    admin: &Admin,
    broker: Option<i32>,
    changes: &[(&String, &Option<String>)],
) -> Result<Option<KafkaError>, Error> {
    let resource = broker.map_or(ConfigResource::ClusterDefault, ConfigResource::Broker);
    let changes = changes.iter().map(|(name, value)| match value {
        Some(value) => ConfigChange::set(name.as_str(), value.as_str()),
        None => ConfigChange::delete(name.as_str()),
    });
    let action = match broker {
        Some(id) => format!("change the configuration of broker {id}"),
        None => "change the configuration of all brokers".to_owned(),
    };
    let changes = BTreeMap::from([(resource, changes.collect())]);
    let outcomes = admin.incremental_alter_configs(changes, false).await.map_err(call(&action))?;
    for outcome in outcomes.into_values() {
        let Err(source) = outcome else { continue };
        return match source.code {
            ErrorCode::INVALID_REQUEST | ErrorCode::INVALID_CONFIG | ErrorCode::POLICY_VIOLATION => {
                Ok(Some(source))
            }
            _ => Err(Error::Refused { action, source }),
        };
    }
    Ok(None)
}

/// The events of a plan about changes that Kafka has taken: all but `refused`.
pub fn taken(observed: &Observed, plan: &Plan, refused: &BTreeMap<OptionChange, String>) -> Vec<Note> {
    let Some(kafka) = &observed.kafka else { return Vec::new() };
    let mut notes = Vec::new();
    for event in &plan.events {
        let Occasion::OptionChanged { broker, option } = &event.occasion else { continue };
        if refused.keys().any(|change| change.broker == *broker && change.option == *option) {
            continue;
        }
        let pod = event.pod.as_ref().and_then(|pod| observed.pods.get(pod));
        notes.push(Note {
            regarding: events::reference(&**kafka),
            related: pod.map(|pod| events::reference(&**pod)),
            reason: event.reason.clone(),
            action: CONFIGURATION_CHANGE.to_owned(),
            text: event.text.clone(),
            severity: Severity::Warning,
        });
    }
    notes
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use planner::plan::{self, PlannedEvent};

    use super::*;

    #[test]
    fn what_was_undone_is_told_of_unless_kafka_refused_it() {
        let event = |broker: Option<i32>, pod: Option<&str>| PlannedEvent {
            reason: "ConfigurationOverrideUndone".to_owned(),
            text: format!("on {broker:?}"),
            pod: pod.map(str::to_owned),
            occasion: Occasion::OptionChanged { broker, option: "num.io.threads".to_owned() },
        };
        let events = vec![event(None, None), event(Some(0), Some("c-p-0")), event(Some(1), Some("c-p-1"))];
        let plan = Plan::from(plan::Plan { events, ..plan::Plan::default() });
        let named = |name: &str| serde_json::json!({"metadata": {"name": name, "namespace": "ns"}});
        let mut kafka = named("c");
        kafka["spec"] = serde_json::json!({"kafka": {"listeners": []}});
        let kafka = Some(Arc::new(serde_json::from_value(kafka).unwrap()));
        let mut observed = Observed { kafka, ..Observed::default() };
        for pod in ["c-p-0", "c-p-1"] {
            observed.pods.insert(pod.to_owned(), Arc::new(serde_json::from_value(named(pod)).unwrap()));
        }
        let refused = OptionChange { broker: Some(0), option: "num.io.threads".to_owned(), value: None };
        let notes = taken(&observed, &plan, &BTreeMap::from([(refused, "no".to_owned())]));
        let told: Vec<_> = notes
            .iter()
            .map(|note| (note.text.as_str(), note.related.as_ref().and_then(|pod| pod.name.as_deref())))
            .collect();
        assert_eq!(told, [("on None", None), ("on Some(1)", Some("c-p-1"))]);
        assert!(notes.iter().all(|note| note.reason == "ConfigurationOverrideUndone"));
        assert!(notes.iter().all(|note| note.regarding.name.as_deref() == Some("c")));
    }
}
