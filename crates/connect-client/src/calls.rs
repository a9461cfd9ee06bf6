//! The calls: one request each.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Duration;

use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::ConnectError;
use crate::model::{ConnectorInfo, ConnectorStatus, Listed, Logger, Plugin, Topics, Validation, Worker};
use crate::percent::encode;
use crate::room::Place;
use crate::transport::{Answer, ConnectConfig, Transport};

/// What a connector is to do from its first moment on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetState {
    /// To work.
    Running,
    /// To keep its resources and move no records.
    Paused,
    /// To have no tasks.
    Stopped,
}

/// A connector to be made.
#[derive(Debug, Clone, Serialize)]
pub struct NewConnector<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its options.
    pub config: &'a BTreeMap<String, String>,
    /// What it is to do from its first moment on.
    pub initial_state: TargetState,
}

/// What of a connector is restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Restart {
    /// Its tasks, too.
    pub include_tasks: bool,
    /// Only what has failed.
    pub only_failed: bool,
}

/// The connectors that have a status, by name.
#[derive(Debug)]
pub struct Listing {
    all: BTreeMap<String, Listed>,
    /// The room that they take.
    _place: Place,
}

impl Deref for Listing {
    type Target = BTreeMap<String, Listed>;

    fn deref(&self) -> &Self::Target {
        &self.all
    }
}

/// A client of one Kafka Connect cluster. Cheap to clone; clones share connections and bounds.
#[derive(Debug, Clone)]
pub struct Connect {
    transport: Transport,
}

impl Connect {
    /// A client; it connects when it is used.
    pub fn new(config: ConnectConfig) -> Self {
        Self { transport: Transport::new(config) }
    }

    /// The same client, with another deadline of calls.
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self { transport: self.transport.with_deadline(deadline) }
    }

    /// Host and port.
    pub fn address(&self) -> &str {
        self.transport.address()
    }

    /// The worker that answers.
    pub async fn worker(&self) -> Result<Worker, ConnectError> {
        self.get(&|| "ask for the worker".to_owned(), "/").await
    }

    /// All connectors that have a status, with what they are to do and how they are: one request. A connector that was made a moment
    /// ago may be missing.
    pub async fn connectors(&self) -> Result<Listing, ConnectError> {
        let action = || "list connectors".to_owned();
        let path = "/connectors?expand=info&expand=status";
        let answer = self.transport.send(&action, Method::GET, path, None).await?;
        Ok(Listing { all: read(&action, &answer.body)?, _place: answer.place })
    }

    /// Names of all connectors, also of those without a status.
    pub async fn connector_names(&self) -> Result<Vec<String>, ConnectError> {
        self.get(&|| "list the names of connectors".to_owned(), "/connectors").await
    }

    /// What a connector is to do.
    pub async fn connector(&self, name: &str) -> Result<ConnectorInfo, ConnectError> {
        self.get(&|| format!("read connector '{name}'"), &of(name, "")).await
    }

    /// How a connector is.
    pub async fn status(&self, name: &str) -> Result<ConnectorStatus, ConnectError> {
        self.get(&|| format!("read the status of connector '{name}'"), &of(name, "/status")).await
    }

    /// Makes a connector. [`ConnectError::Exists`] when there is one of its name.
    pub async fn create(&self, connector: &NewConnector<'_>) -> Result<(), ConnectError> {
        let action = || format!("create connector '{}'", connector.name);
        self.write(&action, Method::POST, "/connectors", Some(connector)).await
    }

    /// Gives a connector these options and no others. A connector that does not exist is made.
    pub async fn configure(&self, name: &str, config: &BTreeMap<String, String>) -> Result<(), ConnectError> {
        let action = || format!("configure connector '{name}'");
        self.write(&action, Method::PUT, &of(name, "/config"), Some(config)).await
    }

    /// Removes a connector. What it has moved, and its offsets, stay.
    pub async fn delete(&self, name: &str) -> Result<(), ConnectError> {
        self.write(&|| format!("delete connector '{name}'"), Method::DELETE, &of(name, ""), NOTHING).await
    }

    /// Has a connector work; it answers before the connector does.
    pub async fn resume(&self, name: &str) -> Result<(), ConnectError> {
        self.write(&|| format!("resume connector '{name}'"), Method::PUT, &of(name, "/resume"), NOTHING).await
    }

    /// Has a connector keep its resources and move no records.
    pub async fn pause(&self, name: &str) -> Result<(), ConnectError> {
        self.write(&|| format!("pause connector '{name}'"), Method::PUT, &of(name, "/pause"), NOTHING).await
    }

    /// Has a connector end its tasks.
    pub async fn stop(&self, name: &str) -> Result<(), ConnectError> {
        self.write(&|| format!("stop connector '{name}'"), Method::PUT, &of(name, "/stop"), NOTHING).await
    }

    /// Starts a connector anew, and its tasks where that is asked for.
    pub async fn restart(&self, name: &str, what: Restart) -> Result<(), ConnectError> {
        let Restart { include_tasks, only_failed } = what;
        let query = format!("/restart?includeTasks={include_tasks}&onlyFailed={only_failed}");
        self.write(&|| format!("restart connector '{name}'"), Method::POST, &of(name, &query), NOTHING).await
    }

    /// Starts one task anew.
    pub async fn restart_task(&self, name: &str, task: i32) -> Result<(), ConnectError> {
        let action = || format!("restart task {task} of connector '{name}'");
        self.write(&action, Method::POST, &of(name, &format!("/tasks/{task}/restart")), NOTHING).await
    }

    /// The topics that a connector has used since it was made or since they were reset, in order.
    pub async fn topics(&self, name: &str) -> Result<Vec<String>, ConnectError> {
        let action = || format!("read the topics of connector '{name}'");
        let answer: BTreeMap<String, Topics> = self.get(&action, &of(name, "/topics")).await?;
        let mut topics: Vec<String> = answer.into_values().flat_map(|topics| topics.topics).collect();
        topics.sort();
        topics.dedup();
        Ok(topics)
    }

    /// How far a connector is, as Connect writes it: an object with the list `offsets`.
    pub async fn offsets(&self, name: &str) -> Result<Value, ConnectError> {
        self.get(&|| format!("read the offsets of connector '{name}'"), &of(name, "/offsets")).await
    }

    /// Sets how far a connector is. It has to be stopped.
    pub async fn alter_offsets(&self, name: &str, offsets: &Value) -> Result<(), ConnectError> {
        let action = || format!("alter the offsets of connector '{name}'");
        self.write(&action, Method::PATCH, &of(name, "/offsets"), Some(offsets)).await
    }

    /// Has a connector begin anew. It has to be stopped.
    pub async fn reset_offsets(&self, name: &str) -> Result<(), ConnectError> {
        let action = || format!("reset the offsets of connector '{name}'");
        self.write(&action, Method::DELETE, &of(name, "/offsets"), NOTHING).await
    }

    /// What is wrong with options of a class.
    pub async fn validate(
        &self,
        class: &str,
        config: &BTreeMap<String, String>,
    ) -> Result<Validation, ConnectError> {
        let action = || format!("validate options of class '{class}'");
        let path = format!("/connector-plugins/{}/config/validate", encode(class));
        let answer = self.send(&action, Method::PUT, &path, Some(config)).await?;
        read(&action, &answer.body)
    }

    /// The classes of connectors that the worker offers.
    pub async fn connector_plugins(&self) -> Result<Vec<Plugin>, ConnectError> {
        self.get(&|| "list connector plug-ins".to_owned(), "/connector-plugins").await
    }

    /// All plug-ins that the worker offers: connectors, converters, transformations and so on.
    pub async fn all_plugins(&self) -> Result<Vec<Plugin>, ConnectError> {
        self.get(&|| "list plug-ins".to_owned(), "/connector-plugins?connectorsOnly=false").await
    }

    /// What loggers say at least, by name.
    pub async fn loggers(&self) -> Result<BTreeMap<String, Logger>, ConnectError> {
        self.get(&|| "list loggers".to_owned(), "/admin/loggers").await
    }

    /// Sets what a logger and those below it say at least, on all workers.
    pub async fn set_logger(&self, name: &str, level: &str) -> Result<(), ConnectError> {
        let action = || format!("set the level of logger '{name}'");
        let path = format!("/admin/loggers/{}?scope=cluster", encode(name));
        self.write(&action, Method::PUT, &path, Some(&BTreeMap::from([("level", level)]))).await
    }

    async fn get<T: DeserializeOwned>(
        &self,
        action: &(dyn Fn() -> String + Sync),
        path: &str,
    ) -> Result<T, ConnectError> {
        let answer = self.transport.send(action, Method::GET, path, None).await?;
        read(action, &answer.body)
    }

    /// A request whose answer says no more than that it was a good one.
    async fn write<B: Serialize + ?Sized + Sync>(
        &self,
        action: &(dyn Fn() -> String + Sync),
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<(), ConnectError> {
        self.send(action, method, path, body).await.map(drop)
    }

    async fn send<B: Serialize + ?Sized + Sync>(
        &self,
        action: &(dyn Fn() -> String + Sync),
        method: Method,
        path: &str,
        body: Option<&B>,
    ) -> Result<Answer, ConnectError> {
        let body = body.map(serde_json::to_vec).transpose();
        let body = body.map_err(|error| malformed(action, &error))?;
        self.transport.send(action, method, path, body).await
    }
}

/// No body.
const NOTHING: Option<&()> = None;

/// The path of something of a connector.
fn of(name: &str, what: &str) -> String {
    format!("/connectors/{}{what}", encode(name))
}

fn read<T: DeserializeOwned>(action: &dyn Fn() -> String, body: &[u8]) -> Result<T, ConnectError> {
    serde_json::from_slice(body).map_err(|error| malformed(action, &error))
}

fn malformed(action: &dyn Fn() -> String, error: &serde_json::Error) -> ConnectError {
    // Where and of what kind, without the text around it: options may be secret.
    let reason = format!("{:?} at line {} column {}", error.classify(), error.line(), error.column());
    ConnectError::Malformed { action: action(), reason }
}
