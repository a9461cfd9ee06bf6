//! The agent with a real Kafka and the real jars that options of a Kafka resource ask for, and without them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Output};

use crate::support::{Agent, Container, DIRECTORY, class_path, free_ports, libs, wait_for};
use rustix::process::Signal;

/// Bytes per second that producers may send.
const PRODUCE: u64 = 262_144;
/// The user of remote JMX, and the password that must not be seen anywhere.
const USER: &str = "somebody";
const PASSWORD: &str = "hunter2ofthebeans";

/// Names of jars, without their versions, that belong to one plug-in each.
const EXPORTER: &[&str] = &["jmx_prometheus_javaagent"];
const REPORTER: &[&str] = &["metrics-reporter", "prometheus-metrics"];
const OTHERS: &[&str] = &["kafka-quotas-plugin", "kafka-oauth", "nimbus", "json-", "accessors-smart", "asm-"];
const STORAGE: &[&str] = &["kafka-storage"];

/// A broker and controller whose operator asks for everything that takes a jar. In one process there can be but one kind of
/// metrics: both have the same registry.
struct Node {
    container: Container,
    plain: u16,
    oauth: u16,
    exporter: u16,
    reporter: u16,
    jmx: u16,
}

impl Node {
    fn new(of_beans: bool) -> Self {
        let container = Container::new().with_kafka();
        let [controller, replication, plain, oauth, exporter, reporter, jmx] = free_ports();
        let node = Self { container, plain, oauth, exporter, reporter, jmx };
        let at = |path: &str| node.container.text(path);
        let agent = format!(
            r#"{{"nodeId":0,"podName":"test-0","roles":["controller","broker"],"metadataLogDir":"{data}","logDirs":["{data}"],
                "initialControllers":"0@localhost:{controller}:{DIRECTORY}","controllerPort":{controller},
                "replicationPort":{replication},"internalTls":false,"heap":{{"xmx":"384m"}},
                "jvmPerformanceOptions":["-XX:+UseSerialGC"],
                "jmx":{{"port":{jmx},"credentials":"{}"}},
                "plugIns":[{{"type":"jmxPrometheusExporter","port":{exporter}}},{{"type":"quotasPlugIn"}}{}]}}"#,
            at("opt/kafka/jmx"),
            if of_beans { node.storage_manager() } else { r#",{"type":"metricsReporter"}"#.to_owned() },
            data = at("data/kafka-log0"),
        );
        node.container.put("opt/kafka/custom-config/agent.config", &agent);
        node.container.put("opt/kafka/custom-config/metrics-config.json", r#"{"rules":[{"pattern":".*"}]}"#);
        node.container.put("opt/kafka/jmx/jmx-username", USER);
        node.container.put("opt/kafka/jmx/jmx-password", PASSWORD);
        let mut listeners = vec![
            ("CONTROLPLANE-9090", controller, "PLAINTEXT"),
            ("REPLICATION-9091", replication, "PLAINTEXT"),
            ("PLAIN-9092", plain, "PLAINTEXT"),
        ];
        if of_beans {
            listeners.push(("OAUTH-9093", oauth, "SASL_PLAINTEXT"));
        }
        let list = |line: &dyn Fn(&(&str, u16, &str)) -> String| {
            listeners.iter().map(line).collect::<Vec<_>>().join(",")
        };
        let mut server = format!(
            "node.id=0\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLPLANE-9090\n\
             controller.quorum.bootstrap.servers=localhost:{controller}\nlisteners={}\nadvertised.listeners={}\n\
             listener.security.protocol.map={}\ninter.broker.listener.name=REPLICATION-9091\n\
             metadata.log.dir={data}\nlog.dirs={data}\noffsets.topic.replication.factor=1\n",
            list(&|(name, port, _)| format!("{name}://0.0.0.0:{port}")),
            list(&|(name, port, _)| format!("{name}://localhost:{port}")),
            list(&|(name, _, protocol)| format!("{name}:{protocol}")),
            data = at("data/kafka-log0"),
        );
        // As the operator writes them.
        let lines = format!(
            "client.quota.callback.class=io.strimzi.kafka.quotas.StaticQuotaCallback\n\
             client.quota.callback.static.kafka.admin.bootstrap.servers=localhost:{replication}\n\
             client.quota.callback.static.kafka.admin.security.protocol=PLAINTEXT\n\
             client.quota.callback.static.produce={PRODUCE}\n\
             client.quota.callback.static.storage.per.volume.limit.min.available.bytes=1000\n\
             client.quota.callback.static.excluded.principal.name.list=User:CN=c-kafka,O=io.strimzi;User:CN=admin\n"
        );
        server.push_str(&lines);
        if !of_beans {
            server.push_str(&reporter_lines(reporter));
        }
        if of_beans {
            server.push_str(&node.storage(replication));
            let lines = format!(
                "listener.name.oauth-9093.sasl.enabled.mechanisms=OAUTHBEARER\n\
                 listener.name.oauth-9093.oauthbearer.sasl.server.callback.handler.class={HANDLER}\n\
                 listener.name.oauth-9093.oauthbearer.sasl.jaas.config={JAAS}\n"
            );
            server.push_str(&lines);
        }
        node.container.put("opt/kafka/custom-config/server.config", &server);
        node
    }

    /// The storage manager among the plug-ins that the agent looks for.
    fn storage_manager(&self) -> String {
        let place = self.container.text("opt/tiered");
        format!(r#",{{"type":"remoteStorageManager","class":"{TIERED}","classPath":"{place}/*"}}"#)
    }

    fn storage(&self, replication: u16) -> String {
        format!(
            "remote.log.storage.system.enable=true\nremote.log.metadata.manager.impl.prefix=rlmm.config.\n\
             remote.log.metadata.manager.class.name=\
             org.apache.kafka.server.log.remote.metadata.storage.TopicBasedRemoteLogMetadataManager\n\
             remote.log.metadata.manager.listener.name=REPLICATION-9091\n\
             rlmm.config.remote.log.metadata.common.client.bootstrap.servers=localhost:{replication}\n\
             rlmm.config.remote.log.metadata.common.client.security.protocol=PLAINTEXT\n\
             rlmm.config.remote.log.metadata.topic.replication.factor=1\n\
             rlmm.config.remote.log.metadata.topic.num.partitions=1\n\
             remote.log.manager.task.interval.ms=500\n\
             remote.log.storage.manager.class.name={TIERED}\nremote.log.storage.manager.class.path={}/*\n\
             remote.log.storage.manager.impl.prefix=rsm.config.\nrsm.config.dir={}\n",
            self.container.text("opt/tiered"),
            self.container.text("remote"),
        )
    }

    fn bootstrap(&self) -> String {
        format!("localhost:{}", self.plain)
    }

    /// What a JMX client sees of a bean.
    fn bean(&self, user: &str, password: &str) -> Result<String, String> {
        let url = format!("service:jmx:rmi:///jndi/rmi://localhost:{}/jmxrmi", self.jmx);
        let output = run(
            "org.apache.kafka.tools.JmxTool",
            &[
                "--jmx-url",
                &url,
                "--jmx-auth-prop",
                &format!("{user}={password}"),
                "--one-time",
                "--object-name",
                "kafka.server:type=KafkaServer,name=BrokerState",
            ],
        );
        let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (out, error) = (said(&output.stdout), said(&output.stderr));
        if output.status.success() && out.contains("BrokerState:Value") { Ok(out) } else { Err(out + &error) }
    }
}

const TIERED: &str = "org.apache.kafka.server.log.remote.storage.LocalTieredStorage";
const HANDLER: &str = "io.strimzi.kafka.oauth.server.JaasServerOauthValidatorCallbackHandler";
/// There is nobody who would answer: tokens are not what is tried here.
const JAAS: &str = "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required \
    unsecuredLoginStringClaim_sub\\=\"nobody\" oauth.valid.issuer.uri\\=\"http://127.0.0.1:1\" \
    oauth.jwks.endpoint.uri\\=\"http://127.0.0.1:1/jwks\" oauth.fail.fast\\=\"false\";";

fn reporter_lines(port: u16) -> String {
    format!(
        "metric.reporters=org.apache.kafka.common.metrics.JmxReporter,\
         io.strimzi.kafka.metrics.prometheus.ServerKafkaMetricsReporter\n\
         kafka.metrics.reporters=io.strimzi.kafka.metrics.prometheus.ServerYammerMetricsReporter\n\
         prometheus.metrics.reporter.listener.enable=true\nprometheus.metrics.reporter.listener=http://:{port}\n\
         prometheus.metrics.reporter.allowlist=kafka_server_kafkaserver_brokerstate,kafka_server_app_info.*\n"
    )
}

/// Runs one of Kafka's own tools.
fn run(program: &str, arguments: &[&str]) -> Output {
    let java = ["-XX:TieredStopAtLevel=1", "-cp", &class_path()].map(str::to_owned);
    Command::new("java").args(java).arg(program).args(arguments).output().unwrap()
}

/// Puts the jars whose names begin so into a folder of the container.
fn put_jars(container: &Container, folder: &str, names: &[&str]) {
    let source: PathBuf = libs().join("../plug-ins");
    assert!(source.is_dir(), "{} is missing: run `e2e/kubernetes/build.sh plug-ins` first", source.display());
    std::fs::create_dir_all(container.path(folder)).unwrap();
    for entry in std::fs::read_dir(source).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if names.iter().any(|wanted| name.starts_with(wanted)) {
            std::os::unix::fs::symlink(entry.path(), container.path(folder).join(name)).unwrap();
        }
    }
}

/// What Prometheus would get; empty while nobody answers.
fn scrape(port: u16) -> String {
    let get = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.write_all(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
        let mut text = Vec::new();
        stream.read_to_end(&mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    };
    get().unwrap_or_default()
}

fn stop(mut agent: Agent) {
    agent.signal(Signal::TERM);
    agent.wait_for_exit();
}

#[test]
fn every_jar_does_what_the_resource_asks_of_it() {
    let node = Node::new(true);
    put_jars(&node.container, "mnt/kafka-libs/exporter", EXPORTER);
    put_jars(&node.container, "mnt/kafka-libs/others", OTHERS);
    put_jars(&node.container, "opt/tiered", STORAGE);
    let mut agent = node.container.start();
    agent.wait_for_state(3);
    assert!(agent.state().unwrap().get("missingPlugIns").is_none(), "{}", agent.state().unwrap());
    // The listener with the classes of others is open.
    assert!(TcpStream::connect(("127.0.0.1", node.oauth)).is_ok());
    metrics_are_offered_by_the_rules_of_now(&node);
    who_sends_too_much_waits_and_segments_move(&node);
    jmx_lets_in_who_knows_the_password(&node, &agent);
    stop(agent);
}

fn metrics_are_offered_by_the_rules_of_now(node: &Node) {
    let beans = wait_for("a scrape of the exporter", || {
        Some(scrape(node.exporter)).filter(|text| text.contains("io_strimzi_kafka_quotas"))
    });
    let is_limit = |line: &&str| {
        !line.starts_with('#') && line.contains("StaticQuotaCallback") && line.contains("Produce")
    };
    let produce = beans.lines().find(is_limit);
    let value: f64 = produce.unwrap().rsplit_once(' ').unwrap().1.parse().unwrap();
    assert!((value - PRODUCE as f64).abs() < 0.5, "{produce:?}");

    // Other rules count without a restart.
    let rules =
        r#"{"rules":[{"pattern":"java.lang<type=Runtime><>StartTime","name":"kastellan_of_the_new_rules"}]}"#;
    node.container.put("opt/kafka/custom-config/metrics-config.json", rules);
    wait_for("the new rules", || scrape(node.exporter).contains("kastellan_of_the_new_rules").then_some(()));
}

fn who_sends_too_much_waits_and_segments_move(node: &Node) {
    let created = run(
        "org.apache.kafka.tools.TopicCommand",
        &[
            "--bootstrap-server",
            &node.bootstrap(),
            "--create",
            "--topic",
            "t",
            "--partitions",
            "1",
            "--replication-factor",
            "1",
            "--config",
            "remote.storage.enable=true",
            "--config",
            "segment.bytes=1048576",
        ],
    );
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    let servers = format!("bootstrap.servers={}", node.bootstrap());
    let sent = run(
        "org.apache.kafka.tools.ProducerPerformance",
        &[
            "--topic",
            "t",
            "--num-records",
            "5000",
            "--record-size",
            "1000",
            "--throughput",
            "-1",
            "--print-metrics",
            "--producer-props",
            &servers,
        ],
    );
    let sent = String::from_utf8_lossy(&sent.stdout).into_owned();
    let waited = sent.lines().find(|line| line.contains("produce-throttle-time-max")).unwrap();
    let waited: f64 = waited.rsplit_once(':').unwrap().1.trim().parse().unwrap();
    assert!(waited > 0.0, "nobody was held back: {sent}");
    wait_for("a segment in the remote storage", || {
        let mut folders = vec![node.container.path("remote")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).ok()?.flatten() {
                if entry.path().is_dir() {
                    folders.push(entry.path());
                } else if entry.file_name().to_string_lossy().ends_with(".log") {
                    return Some(());
                }
            }
        }
        None
    });
}

fn jmx_lets_in_who_knows_the_password(node: &Node, agent: &Agent) {
    assert!(node.bean(USER, PASSWORD).is_ok());
    // The next password counts without a restart.
    node.container.put("opt/kafka/jmx/jmx-password", "another1");
    wait_for("the new password", || node.bean(USER, "another1").ok());
    let refused = node.bean(USER, PASSWORD).unwrap_err();
    assert!(refused.contains("Authentication failed"), "the former one is of no use: {refused}");
    let jvm = agent.jvm().unwrap().as_raw_nonzero();
    let arguments = std::fs::read_to_string(format!("/proc/{jvm}/cmdline")).unwrap();
    for text in [arguments, agent.output()] {
        assert!(!text.contains(PASSWORD) && !text.contains("another1"), "the password is seen");
    }
}

#[test]
fn kafka_runs_with_what_is_there_and_the_agent_says_what_is_not() {
    let node = Node::new(false);
    put_jars(&node.container, "mnt/kafka-libs", REPORTER);
    let mut agent = node.container.start();
    agent.wait_for_state(3);
    let missing: Vec<String> = agent.state().unwrap()["missingPlugIns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plug_in| plug_in["type"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(missing, ["jmxPrometheusExporter", "quotasPlugIn"]);
    assert!(agent.output().contains("no jar of the Strimzi Quotas plug-in is there: Kafka runs without"));

    // The metrics of both registries, and only what is allowed.
    let registries = wait_for("a scrape of the reporter", || {
        Some(scrape(node.reporter)).filter(|text| text.contains("kafka_server_kafkaserver_brokerstate"))
    });
    assert!(registries.contains("kafka_server_app_info"), "both registries: {registries}");
    assert!(!registries.contains("kafka_log_"), "only what is allowed: {registries}");
    stop(agent);
}

#[test]
fn kafka_does_not_start_without_the_class_of_its_tiered_storage() {
    let node = Node::new(true);
    let mut agent = node.container.start();
    assert_eq!(agent.wait_for_exit(), Some(1));
    assert!(agent.output().contains(&format!("no jar with the class {TIERED}")), "{}", agent.output());
    assert!(!node.container.path("data/kafka-log0/meta.properties").exists(), "nothing was begun");
}
