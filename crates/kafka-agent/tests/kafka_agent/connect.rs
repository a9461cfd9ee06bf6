//! The agent with a real worker of Kafka Connect and a real Kafka: trust, certificate and password out of files, the
//! configuration providers, a connector that moves lines, and the end.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::{Authority, Container, DIRECTORY, free_ports, libs, wait_for};
use rustix::process::Signal;

/// A password that nothing but careful escaping brings through properties and JAAS.
const PASSWORD: &str = r#"a"b\c'd=e #f"#;
/// The same in the broker's own JAAS configuration within a properties file.
const ESCAPED: &str = r#"a\\"b\\\\c'd=e #f"#;

/// A broker whose one listener for clients asks for a certificate and a password.
fn broker(authority: &Authority, client: u16) -> Container {
    let container = Container::new().with_kafka();
    let [controller, replication] = free_ports();
    let (key, certificate) = authority.issue("broker");
    container.put("tls/node.pem", &format!("{key}{certificate}"));
    container.put("tls/ca.crt", &authority.certificate);
    let data = container.text("data/kafka-log0");
    let agent = format!(
        r#"{{"nodeId":0,"podName":"k-0","roles":["controller","broker"],"metadataLogDir":"{data}","logDirs":["{data}"],
            "initialControllers":"0@localhost:{controller}:{DIRECTORY}","controllerPort":{controller},
            "replicationPort":{replication},"internalTls":false,"heap":{{"xmx":"256m"}},
            "jvmPerformanceOptions":["-XX:+UseSerialGC"]}}"#
    );
    container.put("opt/kafka/custom-config/agent.config", &agent);
    let prefix = "listener.name.app-9093";
    let server = format!(
        "node.id=0\nprocess.roles=broker,controller\ncontroller.listener.names=CONTROLPLANE-9090\n\
         controller.quorum.bootstrap.servers=localhost:{controller}\n\
         listeners=CONTROLPLANE-9090://0.0.0.0:{controller},REPLICATION-9091://0.0.0.0:{replication},APP-9093://0.0.0.0:{client}\n\
         advertised.listeners=CONTROLPLANE-9090://localhost:{controller},REPLICATION-9091://localhost:{replication},APP-9093://localhost:{client}\n\
         listener.security.protocol.map=CONTROLPLANE-9090:PLAINTEXT,REPLICATION-9091:PLAINTEXT,APP-9093:SASL_SSL\n\
         inter.broker.listener.name=REPLICATION-9091\nmetadata.log.dir={data}\nlog.dirs={data}\n\
         offsets.topic.replication.factor=1\ngroup.initial.rebalance.delay.ms=0\noffsets.topic.num.partitions=1\nlog.cleaner.dedupe.buffer.size=33554432\n\
         {prefix}.ssl.keystore.type=PEM\n{prefix}.ssl.keystore.location={}\n\
         {prefix}.ssl.truststore.type=PEM\n{prefix}.ssl.truststore.location={}\n{prefix}.ssl.client.auth=required\n\
         {prefix}.sasl.enabled.mechanisms=PLAIN\n\
         {prefix}.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required user_connect=\"{ESCAPED}\";\n",
        container.text("tls/node.pem"),
        container.text("tls/ca.crt"),
    );
    container.put("opt/kafka/custom-config/server.config", &server);
    container
}

/// A worker's container, with the files as the operator writes them.
fn worker(authority: &Authority, client: u16, rest: u16) -> Container {
    let container = Container::new().with_kafka();
    let (key, certificate) = authority.issue("worker");
    container.put("opt/kafka/clients/client/user.key", &key);
    container.put("opt/kafka/clients/client/user.crt", &certificate);
    container.put("opt/kafka/clients/client/ca.crt", &authority.certificate);
    container.put("opt/kafka/clients/client/password", &format!("{PASSWORD}\n"));
    let mut jars = std::fs::read_dir(libs()).unwrap().flatten().map(|entry| entry.path());
    let jar = jars.find(|path| path.display().to_string().contains("connect-file")).unwrap();
    std::fs::create_dir_all(container.path("mnt/kafka-libs")).unwrap();
    std::os::unix::fs::symlink(&jar, container.path("mnt/kafka-libs/connect-file.jar")).unwrap();
    let agent = format!(
        r#"{{"restPort":{rest},"keystores":[{{"target":"{}","key":"{}","certificates":"{}"}}],
            "heap":{{"xmx":"256m"}},"jvmPerformanceOptions":["-XX:+UseSerialGC","-XX:TieredStopAtLevel=1"],
            "plugIns":[{{"type":"secretsProvider"}}]}}"#,
        container.text("var/opt/kafka/client.pem"),
        container.text("opt/kafka/clients/client/user.key"),
        container.text("opt/kafka/clients/client/user.crt"),
    );
    container.put("opt/kafka/custom-config/agent.config", &agent);
    let mut properties = format!(
        "bootstrap.servers=localhost:{client}\ngroup.id=pipes\nconfig.storage.topic=configs\nstatus.storage.topic=statuses\n\
         offset.storage.topic=offsets\nrest.advertised.host.name=${{strimzienv:ADVERTISED_HOSTNAME}}\n\
         listeners=http://:{rest}\nrest.advertised.port={rest}\nplugin.path={}\n\
         config.storage.replication.factor=1\nstatus.storage.replication.factor=1\noffset.storage.replication.factor=1\n\
         offset.storage.partitions=1\nstatus.storage.partitions=1\nplugin.discovery=hybrid_warn\n\
         key.converter=org.apache.kafka.connect.storage.StringConverter\n\
         value.converter=org.apache.kafka.connect.storage.StringConverter\n\
         config.providers=strimzienv,strimzifile,strimzidir,strimzisecrets\n\
         config.providers.strimzienv.class=org.apache.kafka.common.config.provider.EnvVarConfigProvider\n\
         config.providers.strimzifile.class=org.apache.kafka.common.config.provider.FileConfigProvider\n\
         config.providers.strimzidir.class=org.apache.kafka.common.config.provider.DirectoryConfigProvider\n\
         config.providers.strimzisecrets.class=io.strimzi.kafka.KubernetesSecretConfigProvider\n",
        container.text("opt/kafka/plugins"),
    );
    for prefix in ["", "producer.", "consumer.", "admin."] {
        let lines = format!(
            "{prefix}security.protocol=SASL_SSL\n{prefix}ssl.truststore.type=PEM\n{prefix}ssl.truststore.location={}\n\
             {prefix}ssl.keystore.type=PEM\n{prefix}ssl.keystore.location={}\n{prefix}sasl.mechanism=PLAIN\n\
             {prefix}sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required username=\"connect\" \
             password=\"${{kastellanjaas:/opt/kafka/clients/client:password}}\";\n",
            container.text("opt/kafka/clients/client/ca.crt"),
            container.text("var/opt/kafka/client.pem"),
        );
        properties.push_str(&lines);
    }
    container.put("opt/kafka/custom-config/kafka-connect.properties", &properties);
    container
}

/// One request to the worker; status and body.
fn rest(port: u16, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
         Connection: close\r\n\r\n{body}"
    )
    .ok()?;
    let mut text = String::new();
    stream.read_to_string(&mut text).ok()?;
    let status = text.split_whitespace().nth(1)?.parse().ok()?;
    Some((status, text.split_once("\r\n\r\n")?.1.to_owned()))
}

#[test]
fn a_worker_reaches_kafka_with_what_its_files_say_and_moves_lines() {
    let authority = Authority::new();
    let [client, port] = free_ports();
    let kafka = broker(&authority, client);
    let mut node = kafka.start();
    node.wait_for_state(3);

    let container = worker(&authority, client, port);
    container.put("opt/kafka/names/output", &container.text("output.txt"));
    assert!(!container.probe("liveness").status.success(), "there is no agent yet");
    let mut agent = container.start_worker(&[("ADVERTISED_HOSTNAME", "localhost")]);
    wait_for("the agent's socket", || agent.broker_state());
    assert!(container.probe("liveness").status.success(), "a worker that starts is alive");
    agent.wait_for_state(3);
    assert!(container.probe("readiness").status.success());
    assert_eq!(rest(port, "GET", "/health", "").unwrap().0, 200);
    let output = agent.output();
    assert!(output.contains("io.strimzi:kafka-kubernetes-config-provider"), "it says what it runs without");
    assert!(!output.contains("a\"b"), "no password in the log");

    // A file becomes a topic, and the topic a file whose name a provider knows.
    container.put("input.txt", "one\ntwo\n");
    let source = format!(
        r#"{{"name":"in","config":{{"connector.class":"org.apache.kafka.connect.file.FileStreamSourceConnector",
            "tasks.max":"1","file":"{}","topic":"lines"}}}}"#,
        container.text("input.txt")
    );
    let sink = format!(
        r#"{{"name":"out","config":{{"connector.class":"FileStreamSink","tasks.max":"1","topics":"lines",
            "file":"${{strimzidir:{}:output}}"}}}}"#,
        container.text("opt/kafka/names")
    );
    for connector in [source, sink] {
        wait_for("the connector", || {
            let (status, body) = rest(port, "POST", "/connectors", &connector)?;
            assert!([201, 409].contains(&status), "{status} {body}");
            (status == 201 || body.contains("already exists")).then_some(())
        });
    }
    wait_for("the lines", || {
        let text = std::fs::read_to_string(container.path("output.txt")).ok()?;
        (text == "one\ntwo\n").then_some(())
    });

    agent.signal(Signal::TERM);
    assert_eq!(agent.wait_for_exit(), Some(143));
    assert!(agent.output().contains("Kafka Connect stopped"), "it stopped in order");
    node.signal(Signal::TERM);
    node.wait_for_exit();
}
