//! What the agent does all the time while Kafka runs: ask the listeners, and follow the mounted key material.

use std::sync::Arc;
use std::time::Duration;

use api::agent::RemoteJmx;
use api::names;

use crate::config::AgentConfig;
use crate::files;
use crate::jmx;
use crate::keystore;
use crate::layout::Layout;
use crate::listener::{Listener, Question};
use crate::server::Shared;
use crate::state::Answer;
use crate::tls;
use crate::worker_health;

/// Between questions while the node starts, so that its readiness is seen at once.
const HURRY: Duration = Duration::from_millis(200);
/// Between questions to a running node that does not answer.
const WORRY: Duration = Duration::from_secs(1);
/// Between questions to a running node.
const CALM: Duration = Duration::from_secs(5);
/// Between looks at the mounted Secrets. The kubelet itself takes up to a minute to bring a change.
const SECRETS: Duration = Duration::from_secs(10);

/// Asks the node's listeners for ever.
pub async fn listeners(config: &AgentConfig, shared: &Shared) {
    let mut of_controller = config.controller_port.map(Listener::new);
    let mut of_broker = config.replication_port.map(Listener::new);
    loop {
        let tls = shared.identity().filter(|_| config.internal_tls).map(|identity| identity.client);
        let question =
            if shared.node().has_run() { Question::Answers } else { Question::Unfenced(config.node_id) };
        let controller = async {
            match &mut of_controller {
                Some(listener) => Some(listener.ask(tls.clone(), Question::Answers).await),
                None => None,
            }
        };
        let broker = async {
            match &mut of_broker {
                Some(listener) => Some(listener.ask(tls.clone(), question).await),
                None => None,
            }
        };
        let (controller, broker) = tokio::join!(controller, broker);
        let pause = note(shared, controller, broker, "Kafka");
        tokio::time::sleep(pause).await;
    }
}

/// Notes what was answered; returns how long it may be until the next question.
fn note(shared: &Shared, controller: Option<Answer>, broker: Option<Answer>, name: &str) -> Duration {
    let now = shared.now();
    let mut node = shared.node();
    if node.asked(now, controller, broker) {
        tracing::info!(milliseconds = now.as_millis(), "{name} is running");
    }
    if node.is_calm(now) {
        CALM
    } else if node.has_run() {
        WORRY
    } else {
        HURRY
    }
}

/// Asks a worker's REST API for ever.
pub async fn worker(port: u16, shared: &Shared) {
    loop {
        let answer = worker_health::ask(port).await;
        let pause = note(shared, None, Some(answer), "the worker");
        tokio::time::sleep(pause).await;
    }
}

/// Keeps the key stores like the mounted Secrets for ever.
pub async fn key_material(config: &AgentConfig, shared: &Arc<Shared>) {
    let mut authorities = files::read_optional(&config.client_authorities).ok().flatten();
    loop {
        tokio::time::sleep(SECRETS).await;
        let mut changed = false;
        for store in &config.keystores {
            match keystore::update(store) {
                Ok(true) => {
                    tracing::info!(file = %store.target.display(), "the certificate changed: key store written again");
                    changed = true;
                }
                Ok(false) => {}
                // The old key store stays in use; a Secret that changes right now is complete the next time.
                Err(error) => tracing::warn!(%error, "key store not renewed"),
            }
        }
        let present = files::read_optional(&config.client_authorities).ok().flatten();
        if present != authorities {
            authorities = present;
            changed = true;
        }
        if changed && let Err(error) = load_identity(config, shared) {
            tracing::warn!(%error, "the agent keeps its old certificate");
        }
    }
}

/// Keeps the password of remote JMX like the mounted Secret for ever.
pub async fn jmx_password(remote: Option<&RemoteJmx>, mut known: Option<jmx::Credentials>, layout: &Layout) {
    let started_for = known.as_ref().map(|known| known.user().to_owned());
    loop {
        tokio::time::sleep(SECRETS).await;
        let Some(remote) = remote else { continue };
        // A Secret that changes right now is complete the next time.
        let Ok(Some(present)) = jmx::read(remote) else { continue };
        if known.as_ref() == Some(&present) {
            continue;
        }
        match jmx::write_password(&present, layout) {
            Ok(()) => {
                let user = present.user();
                if started_for.as_deref() == Some(user) || user == names::JMX_USER {
                    tracing::info!("the password of remote JMX changed");
                } else {
                    tracing::warn!(
                        user,
                        "the user of remote JMX changed: Kafka lets it in from its next start on"
                    );
                }
                known = Some(present);
            }
            Err(error) => tracing::warn!(%error, "the password of remote JMX is not renewed"),
        }
    }
}

/// Loads the agent's TLS identity from the node's key store, if it has one.
pub fn load_identity(config: &AgentConfig, shared: &Shared) -> Result<(), tls::TlsError> {
    if let Some(store) = config.keystores.first() {
        shared.set_identity(tls::load(&store.target, &config.client_authorities)?);
    }
    Ok(())
}
