//! `type` and `sslClientAuth` of a listener, and the options of Kafka that are about it.

use api::kafka::listeners::{Listener, ListenerAuthentication, ListenerAuthenticationType};
use api::schema::FreeMap;
use serde_json::Value;

use super::super::vault::Vault;
use crate::convert::fields::Fields;
use crate::convert::notes::Notes;
use crate::convert::options::{self, Options};
use crate::convert::secrets;

const MECHANISMS: &str = "sasl.enabled.mechanisms";
const SCRAM: &str = "SCRAM-SHA-512";
/// What Kafka takes where nothing is said.
const DEFAULT: &str = "GSSAPI";

/// Whether traffic is encrypted, and how clients prove who they are.
pub(super) fn read(
    raw: &mut Fields,
    name: &str,
    options: &mut Options,
    vault: &mut Vault,
    notes: &mut Notes,
) -> (bool, Option<ListenerAuthentication>) {
    let path = raw.at("type");
    let type_ = raw.text("type", notes).unwrap_or_default().to_lowercase();
    let client = raw.text("sslClientAuth", notes).unwrap_or_else(|| "required".to_owned());
    raw.lost(
        "serverSSLCertSecret",
        "the operator makes the certificates; to use one of yours, put it into a Secret as PEM and write \
         configuration.brokerCertChainAndKey",
        notes,
    );
    let own = own_options(name, options);
    match type_.as_str() {
        "plaintext" => {
            unused(own, notes);
            (false, None)
        }
        "ssl" => {
            unused(own, notes);
            (true, certificates(&client, &raw.at("sslClientAuth"), notes))
        }
        "sasl_plaintext" | "sasl_ssl" => {
            let authentication = sasl(raw, name, own, options, vault, notes);
            (type_ == "sasl_ssl", Some(authentication))
        }
        _ => {
            unused(own, notes);
            notes.lost(
                path,
                &Value::from(type_),
                "is no type of a listener: TLS with client certificates was written",
            );
            (true, Some(of(ListenerAuthenticationType::Tls)))
        }
    }
}

fn of(type_: ListenerAuthenticationType) -> ListenerAuthentication {
    ListenerAuthentication { type_, sasl: None, listener_config: None, secrets: None }
}

fn certificates(client: &str, path: &str, notes: &mut Notes) -> Option<ListenerAuthentication> {
    match client {
        "none" => None,
        "required" => Some(of(ListenerAuthenticationType::Tls)),
        _ => {
            notes.lost(
                path,
                &Value::from(client),
                "clients without a certificate are let in by a listener without authentication only: certificates are required now",
            );
            Some(of(ListenerAuthenticationType::Tls))
        }
    }
}

/// Options with the prefix of a listener, without it.
fn own_options(name: &str, options: &mut Options) -> Options {
    let prefix = format!("listener.name.{}.", name.to_lowercase());
    let names: Vec<String> =
        options.keys().filter(|option| option.to_lowercase().starts_with(&prefix)).cloned().collect();
    names
        .into_iter()
        .filter_map(|name| Some((name[prefix.len()..].to_owned(), options.remove(&name)?)))
        .collect()
}

fn unused(own: Options, notes: &mut Notes) {
    for (name, given) in own {
        let shown = if secrets::is_secret_name(&name) { Value::Null } else { Value::from(given.value) };
        notes.lost(
            given.path,
            &shown,
            "options of a single listener are possible with authentication of type custom only: it was left out",
        );
    }
}

/// SCRAM by the operator's means; everything else with the options that Kafka has for it.
fn sasl(
    raw: &Fields,
    name: &str,
    mut own: Options,
    options: &mut Options,
    vault: &mut Vault,
    notes: &mut Notes,
) -> ListenerAuthentication {
    let given = own.remove(MECHANISMS).or_else(|| options.get(MECHANISMS).cloned());
    let mechanisms = given.as_ref().map_or(DEFAULT, |given| given.value.as_str()).to_uppercase();
    let each: Vec<&str> = mechanisms.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
    let each = if each.is_empty() { vec![DEFAULT] } else { each };
    if each.contains(&SCRAM) {
        for other in each.iter().filter(|one| **one != SCRAM) {
            let path = given.as_ref().map_or_else(|| raw.path().to_owned(), |given| given.path.clone());
            notes.lost(
                path,
                &Value::from(*other),
                "a listener has one mechanism: add another listener for this one",
            );
        }
        // How SCRAM works is the operator's.
        let of_mechanism = "scram-sha-512.";
        unused(
            own.into_iter().filter(|(name, _)| !name.to_lowercase().starts_with(of_mechanism)).collect(),
            notes,
        );
        return of(ListenerAuthenticationType::ScramSha512);
    }
    let mut config = FreeMap::new();
    config.insert(MECHANISMS.to_owned(), Value::from(each.join(",")));
    for (option, given) in shared_options(options).into_iter().chain(own) {
        if !planner::option_text::is_option_name(&option) || option.starts_with("ssl.keystore.") {
            notes.lost(given.path, &Value::Null, "cannot be an option of a listener: it was left out");
        } else if secrets::is_secret(&option, &Value::from(given.value.as_str())) {
            let key: String = format!("{name}.{option}");
            config.insert(option, vault.keep(&key, &given.path, notes));
        } else {
            config.insert(option, options::typed(&given.value));
        }
    }
    if !config.keys().any(|option| option.ends_with("sasl.jaas.config")) {
        notes.lost(
            raw.path(),
            &Value::from(each.join(",")),
            "Kafka does not start before the listener has <mechanism>.sasl.jaas.config in authentication.listenerConfig: add it",
        );
    }
    ListenerAuthentication {
        type_: ListenerAuthenticationType::Custom,
        sasl: Some(true),
        listener_config: Some(config),
        secrets: None,
    }
}

/// SASL options of all listeners: each listener that uses them gets them.
fn shared_options(options: &Options) -> Options {
    options
        .iter()
        .filter(|(name, _)| is_shared(name))
        .map(|(name, given)| (name.clone(), given.clone()))
        .collect()
}

/// Takes those out of the options of all listeners that are in the listeners now.
pub(super) fn take_shared(listeners: &[Listener], options: &mut Options) {
    let has = |type_: ListenerAuthenticationType| {
        let mut all = listeners.iter().filter_map(|listener| listener.authentication.as_ref());
        all.any(|authentication| authentication.type_ == type_)
    };
    let has_custom = has(ListenerAuthenticationType::Custom);
    let has_scram = has(ListenerAuthenticationType::ScramSha512);
    options.retain(|name, _| {
        let is_said =
            if name == MECHANISMS { has_custom || has_scram } else { has_custom && is_shared(name) };
        !is_said
    });
}

/// Whether an option is about SASL of clients.
fn is_shared(name: &str) -> bool {
    name.starts_with("sasl.") && name != MECHANISMS && name != "sasl.mechanism.inter.broker.protocol"
}
