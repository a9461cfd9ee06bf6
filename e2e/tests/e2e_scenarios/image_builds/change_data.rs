//! Change data of a real PostgreSQL: rows arrive in topics through connectors, whose plug-in came to one group of workers in a build and
//! to another one as an image volume. A task that fails is restarted, and a password that is replaced reaches the connectors.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result};
use api::{KafkaConnect, KafkaConnector};
use e2e::{Scenario, has_condition, is_pod_ready};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::{CLASS, MINUTES, worker_group};

/// How long a row may take, also where a connector is restarted by itself for the second time, and a look into a pod.
const SOON: Duration = Duration::from_mins(4);
/// Between two looks where nothing tells of a change.
const PAUSE: Duration = Duration::from_secs(1);

/// The workers with the image volume.
const MOUNTED: &str = "mounted";
/// The connector on the workers whose image was built.
const BUILT: &str = "built";

/// The database, and what lets the workers of `mounted` read its password.
const DATABASE: &str = r"
apiVersion: v1
kind: Secret
metadata: {name: database}
stringData: {password: first}
---
apiVersion: v1
kind: Pod
metadata: {name: database, labels: {app: database}}
spec:
  securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
  containers:
    - name: database
      image: kastellan/postgresql:15
      imagePullPolicy: IfNotPresent
      securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
      readinessProbe: {exec: {command: [pg_isready, --host, /data]}, periodSeconds: 2}
      volumeMounts:
        - {name: data, mountPath: /data}
        - {name: memory, mountPath: /dev/shm}
  volumes:
    - {name: data, emptyDir: {}}
    - {name: memory, emptyDir: {medium: Memory}}
---
apiVersion: v1
kind: Service
metadata: {name: database}
spec: {selector: {app: database}, ports: [{port: 5432}]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: database-password}
rules: [{apiGroups: [''], resources: [secrets], resourceNames: [database], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: database-password}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: database-password}
subjects: [{kind: ServiceAccount, name: mounted-connect}]
";

const TABLE: &str = "CREATE TABLE orders (id serial PRIMARY KEY, item text); \
    CREATE ROLE cdc LOGIN REPLICATION PASSWORD 'first'; \
    GRANT SELECT ON orders TO cdc; \
    CREATE PUBLICATION rows FOR TABLE orders";

/// Workers with the plug-in as a volume, and with what reads Secrets on their class path as another one.
fn mounted(registry: &str) -> Value {
    let image = |name: &str| format!("{registry}/kastellan/{name}:1");
    let mut connect = worker_group(MOUNTED);
    connect["spec"]["plugins"] = json!([
        {"name": "debezium", "artifacts": [{"type": "image", "reference": image("debezium-postgres")}]},
    ]);
    connect["spec"]["template"] = json!({
        "pod": {"volumes": [{"name": "secrets-provider", "image": {"reference": image("secrets-provider")}}]},
        "connectContainer": {"volumeMounts": [{"name": "secrets-provider", "mountPath": "/mnt/kafka-libs"}]},
    });
    connect
}

/// What the workers of a build have besides: a folder with the password.
pub(super) fn with_password(connect: &mut Value) {
    let template = &mut connect["spec"]["template"];
    template["pod"] = json!({"volumes": [{"name": "database", "secret": {"secretName": "database"}}]});
    template["connectContainer"] =
        json!({"volumeMounts": [{"name": "database", "mountPath": "/mnt/database"}]});
}

fn connector(name: &str, connect: &str, password: &str) -> Value {
    json!({
        "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaConnector",
        "metadata": {"name": name, "labels": {"strimzi.io/cluster": connect}},
        "spec": {
            "class": CLASS,
            "tasksMax": 1,
            "autoRestart": {"enabled": true},
            "config": {
                "database.hostname": "database",
                "database.dbname": "postgres",
                "database.user": "cdc",
                "database.password": password,
                "plugin.name": "pgoutput",
                "publication.name": "rows",
                "publication.autocreate.mode": "disabled",
                "slot.name": name,
                "table.include.list": "public.orders",
                "topic.prefix": name,
                "errors.max.retries": 0,
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": false,
            },
        },
    })
}

/// A reader of a topic, with Kafka's own tool. It ends with this value.
struct Rows {
    _reader: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Rows {
    fn of(scenario: &Scenario, connector: &str) -> Result<Self> {
        let topic = format!("{connector}.public.orders");
        let run = ["exec", "shop-dual-0", "--container", "kafka", "--", "/opt/kafka/bin/kafka-run-class.sh"];
        let mut reader = Command::new("kubectl")
            .args(["--namespace", &scenario.namespace])
            .args(run)
            .arg("org.apache.kafka.tools.consumer.ConsoleConsumer")
            .args(["--bootstrap-server", "localhost:9092", "--from-beginning", "--topic", &topic])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("kubectl does not start")?;
        let lines = BufReader::new(reader.stdout.take().context("no output")?).lines();
        Ok(Self { _reader: reader, lines })
    }

    /// Waits until the row with this item has come.
    async fn until(&mut self, item: &str) -> Result<()> {
        let come = async {
            loop {
                let line = self.lines.next_line().await?.context("the reader ended")?;
                let row: Value = serde_json::from_str(&line).unwrap_or_default();
                if row["after"]["item"] == item {
                    return anyhow::Ok(());
                }
            }
        };
        let outcome = tokio::time::timeout(SOON, come).await;
        outcome.with_context(|| format!("no row {item} in {} s", SOON.as_secs()))?
    }
}

async fn sql(scenario: &Scenario, statement: &str) -> Result<String> {
    let psql = ["exec", "database", "--", "psql", "--host", "/data", "--user", "admin", "--quiet"];
    let arguments = ["--set", "ON_ERROR_STOP=1", "--command", statement, "postgres"];
    scenario.kubectl(&[&psql[..], &arguments[..]].concat()).await
}

async fn insert(scenario: &Scenario, item: &str) -> Result<()> {
    sql(scenario, &format!("INSERT INTO orders (item) VALUES ('{item}')")).await.map(drop)
}

/// How often a connector was restarted by itself, since it was well for long.
fn restarts(connector: &KafkaConnector) -> i64 {
    let status = serde_json::to_value(&connector.status).unwrap_or_default();
    status["autoRestart"]["count"].as_i64().unwrap_or_default()
}

/// Waits until a connector is Ready; how often it was restarted by itself.
async fn runs(scenario: &Scenario, name: &str) -> Result<i64> {
    restarted(scenario, name, -1).await
}

/// Waits until a connector is Ready and was restarted more often than so many times; how often.
async fn restarted(scenario: &Scenario, name: &str, before: i64) -> Result<i64> {
    let does = |connector: Option<&KafkaConnector>| {
        connector.is_some_and(|one| has_condition(one.status.as_ref(), "Ready") && restarts(one) > before)
    };
    let what = format!("Ready, after more than {before} restarts");
    let found = scenario.until::<KafkaConnector>(name, &what, MINUTES, does).await?;
    Ok(restarts(&found.context("no connector")?))
}

/// Waits until the database streams to these connectors, and cuts them off.
async fn cut_off(scenario: &Scenario, slots: &[&str]) -> Result<()> {
    let names: Vec<String> = slots.iter().map(|slot| format!("'{slot}'")).collect();
    let active = format!("FROM pg_replication_slots WHERE active AND slot_name IN ({})", names.join(", "));
    // PostgreSQL tells nobody when a slot is in use.
    let wanted = format!("{} active", slots.len());
    let all_stream = async {
        while !sql(scenario, &format!("SELECT count(*) || ' active' {active}")).await?.contains(&wanted) {
            tokio::time::sleep(PAUSE).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(SOON, all_stream).await.context("the database does not stream")??;
    sql(scenario, &format!("SELECT pg_terminate_backend(active_pid) {active}")).await.map(drop)
}

/// Applies what is there before the workers of the build.
pub(super) async fn prepare(scenario: &Scenario, registry: &str) -> Result<()> {
    scenario.apply(DATABASE).await?;
    scenario.apply_value(&mounted(registry)).await
}

/// Tells the story on the workers of the build, and on others.
pub(super) async fn rows_arrive(scenario: &Scenario, workers: &str) -> Result<()> {
    let is_up = |pod: Option<&Pod>| pod.is_some_and(is_pod_ready);
    scenario.until::<Pod>("database", "the database", MINUTES, is_up).await?;
    sql(scenario, TABLE).await?;
    insert(scenario, "before").await?;
    let of_folder = "${strimzidir:/mnt/database:password}";
    let of_secret = format!("${{strimzisecrets:{}/database:password}}", scenario.namespace);
    scenario.apply_value(&connector(BUILT, workers, of_folder)).await?;
    scenario.apply_value(&connector(MOUNTED, MOUNTED, &of_secret)).await?;
    let is_ready = |connect: Option<&KafkaConnect>| {
        connect.is_some_and(|connect| has_condition(connect.status.as_ref(), "Ready"))
    };
    scenario.until::<KafkaConnect>(MOUNTED, "Ready", MINUTES, is_ready).await?;
    scenario.stage("workers with an image volume are ready");
    let (built_before, mounted_before) = tokio::try_join!(runs(scenario, BUILT), runs(scenario, MOUNTED))?;
    let (mut built, mut mounted) = (Rows::of(scenario, BUILT)?, Rows::of(scenario, MOUNTED)?);
    tokio::try_join!(built.until("before"), mounted.until("before"))?;
    scenario.stage("the row that was there has arrived twice");

    cut_off(scenario, &[BUILT]).await?;
    restarted(scenario, BUILT, built_before).await?;
    insert(scenario, "after a restart").await?;
    tokio::try_join!(built.until("after a restart"), mounted.until("after a restart"))?;
    scenario.stage("a task that failed was restarted");

    let second = Patch::Merge(json!({"stringData": {"password": "second"}}));
    scenario.api::<Secret>().patch("database", &PatchParams::default(), &second).await?;
    let is_in_folder = async {
        let pod = format!("{workers}-connect-0");
        let look = ["exec", &pod, "--", "cat", "/mnt/database/password"];
        while !scenario.kubectl(&look).await.is_ok_and(|password| password == "second") {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(SOON, is_in_folder).await.context("the folder still has the former password")?;
    sql(scenario, "ALTER ROLE cdc PASSWORD 'second'").await?;
    cut_off(scenario, &[BUILT, MOUNTED]).await?;
    // The connector of the built image was restarted by itself a moment ago; its next restart would come after minutes.
    let restart = Patch::Merge(json!({"metadata": {"annotations": {"strimzi.io/restart": "includeTasks"}}}));
    scenario.api::<KafkaConnector>().patch(BUILT, &PatchParams::default(), &restart).await?;
    restarted(scenario, MOUNTED, mounted_before).await?;
    insert(scenario, "with another password").await?;
    tokio::try_join!(built.until("with another password"), mounted.until("with another password"))?;
    scenario.stage("another password of the database has reached both connectors");
    Ok(())
}
