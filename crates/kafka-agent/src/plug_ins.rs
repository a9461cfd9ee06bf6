//! Jars of others that the node is to run with: where they lie, and what becomes of Kafka's configuration without them.
//!
//! Kafka does not start with an option that names a class which is not there. For metrics and limits no node stays down: their
//! options are left out, and the node says what it misses. Tiered storage is no such thing: records lie there.

use std::path::{Path, PathBuf};

use api::plug_in::{
    CLIENT_METRICS_REPORTERS, INTERCEPTORS, JMX_EXPORTER_JAR, METRIC_REPORTERS, METRICS_REPORTER_OPTIONS,
    METRICS_REPORTERS, PlugIn, QUOTAS_CLASS, QUOTAS_OPTIONS, SECRETS_PROVIDER_CLASS, TRACING_INTERCEPTORS,
    TRACING_SDK_CLASS, YAMMER_REPORTERS,
};

use crate::jars;
use crate::properties::Properties;

/// A class that every version of the metrics reporter needs beside its own.
const METRICS_REGISTRY: &str = "io.prometheus.metrics.model.registry.PrometheusRegistry";

/// The class of tiered storage is not there.
#[derive(Debug, thiserror::Error)]
#[error(
    "there is no jar with the class {class} of spec.kafka.tieredStorage in {places}: put it into an image of yours and name it \
     in spec.kafka.image, or mount a volume with it at {folder} (template.pod.volumes and \
     template.kafkaContainer.volumeMounts)"
)]
pub struct NoStorageManager {
    class: String,
    places: String,
    folder: &'static str,
}

/// What the plug-ins change.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Further arguments of the JVM.
    pub arguments: Vec<String>,
    /// What was not found, and without which Kafka runs.
    pub missing: Vec<PlugIn>,
}

/// Where jars are looked for.
#[derive(Debug)]
pub struct Places<'a> {
    /// The jars of the class path.
    pub class_path: Vec<PathBuf>,
    /// The folders in which the exporter's jar may lie.
    pub folders: [PathBuf; 2],
    /// The rules of the exporter.
    pub exporter_rules: &'a Path,
}

impl Places<'_> {
    fn have(&self, class: &str) -> bool {
        self.class_path.iter().any(|jar| jars::has_class(jar, class))
    }

    /// The exporter's jar, of several the one with the last name: versions are part of it.
    fn exporter(&self) -> Option<PathBuf> {
        let mut found = self.folders.iter().flat_map(|folder| jars::below(folder));
        let is_one = |jar: &PathBuf| is_exporter(jar);
        found.by_ref().filter(is_one).max_by(|a, b| a.file_name().cmp(&b.file_name()))
    }
}

/// Whether a jar is the exporter's. It is no part of the class path: the JVM loads it by itself.
pub fn is_exporter(jar: &Path) -> bool {
    jar.file_name().is_some_and(|name| name.to_string_lossy().starts_with(JMX_EXPORTER_JAR))
}

/// Looks for the plug-ins and fits Kafka's configuration to what is there.
///
/// # Errors
/// When a class is not there that Kafka must not run without.
pub fn apply(
    wanted: &[PlugIn],
    places: &Places<'_>,
    properties: &mut Properties,
) -> Result<Outcome, NoStorageManager> {
    let mut outcome = Outcome::default();
    for plug_in in wanted {
        let is_there = match plug_in {
            PlugIn::JmxPrometheusExporter { port } => {
                let jar = places.exporter();
                outcome.arguments.extend(jar.as_ref().map(|jar| {
                    let rules = places.exporter_rules.display();
                    format!("-javaagent:{}={port}:{rules}", jar.display())
                }));
                jar.is_some()
            }
            PlugIn::MetricsReporter => metrics_reporter(places, properties),
            PlugIn::ClientMetricsReporter => client_metrics_reporter(places, properties),
            PlugIn::SecretsProvider => secrets_provider(places, properties),
            PlugIn::Tracing => {
                let is_there = tracing(places, properties);
                if is_there {
                    outcome.arguments.extend(tracing_arguments(|name| std::env::var(name).ok()));
                }
                is_there
            }
            PlugIn::QuotasPlugIn => {
                let is_there = places.have(QUOTAS_CLASS);
                if !is_there {
                    remove(properties, QUOTAS_OPTIONS);
                }
                is_there
            }
            PlugIn::RemoteStorageManager { class, class_path } => {
                storage_manager(class, class_path.as_deref(), places)?;
                true
            }
        };
        if !is_there {
            outcome.missing.push(plug_in.clone());
        }
    }
    Ok(outcome)
}

/// Names the reporters as the version that is there does; whether there is one.
fn metrics_reporter(places: &Places<'_>, properties: &mut Properties) -> bool {
    let [expected, _] = METRICS_REPORTERS;
    let mut versions = METRICS_REPORTERS.into_iter();
    let found = versions.find(|version| {
        [version.kafka, version.yammer, METRICS_REGISTRY].iter().all(|class| places.have(class))
    });
    for (option, expected, found) in [
        (METRIC_REPORTERS, expected.kafka, found.map(|found| found.kafka)),
        (YAMMER_REPORTERS, expected.yammer, found.map(|found| found.yammer)),
    ] {
        rename_reporter(properties, option, expected, found);
    }
    if found.is_none() {
        remove(properties, METRICS_REPORTER_OPTIONS);
    }
    found.is_some()
}

/// Puts another reporter in the place of one in a list, or takes it out.
fn rename_reporter(properties: &mut Properties, option: &str, expected: &str, found: Option<&str>) {
    let Some(listed) = properties.get(option) else { return };
    let reporters = listed.split(',').map(str::trim);
    let reporters = reporters.filter_map(|name| if name == expected { found } else { Some(name) });
    let reporters: Vec<String> = reporters.map(str::to_owned).collect();
    if reporters.is_empty() {
        properties.remove(option);
    } else {
        properties.set(option, reporters.join(","));
    }
}

/// Names the reporter of a worker and of its clients as the version that is there does; whether there is one.
fn client_metrics_reporter(places: &Places<'_>, properties: &mut Properties) -> bool {
    let [expected, _] = CLIENT_METRICS_REPORTERS;
    let mut versions = CLIENT_METRICS_REPORTERS.into_iter();
    let found = versions.find(|class| places.have(class) && places.have(METRICS_REGISTRY));
    let names: Vec<String> = properties.iter().map(|(name, _)| name.to_owned()).collect();
    for name in names {
        if name.ends_with("metric.reporters") {
            rename_reporter(properties, &name, expected, found);
        } else if found.is_none() && name.contains(METRICS_REPORTER_OPTIONS) {
            properties.remove(&name);
        }
    }
    found.is_some()
}

/// Without its class the provider is taken out: a configuration that refers to it is refused by the worker, by its name.
fn secrets_provider(places: &Places<'_>, properties: &mut Properties) -> bool {
    if places.have(SECRETS_PROVIDER_CLASS) {
        return true;
    }
    let name = api::connect::SECRETS_PROVIDER;
    remove(properties, &format!("{}.{name}.", api::connect::CONFIG_PROVIDERS));
    if let Some(listed) = properties.get(api::connect::CONFIG_PROVIDERS) {
        let others: Vec<&str> = listed.split(',').filter(|one| one.trim() != name).collect();
        let others = others.join(",");
        properties.set(api::connect::CONFIG_PROVIDERS, others);
    }
    false
}

/// Takes the interceptors out where they, or what they send traces with, are not there; whether they are.
fn tracing(places: &Places<'_>, properties: &mut Properties) -> bool {
    let mut needed = TRACING_INTERCEPTORS.into_iter().chain([TRACING_SDK_CLASS]);
    let is_there = needed.all(|class| places.have(class));
    if !is_there {
        for (option, class) in INTERCEPTORS.into_iter().zip(TRACING_INTERCEPTORS) {
            rename_reporter(properties, option, class, None);
        }
    }
    is_there
}

/// The interceptors work with what the variables of OpenTelemetry say, and with traces alone unless they say otherwise.
fn tracing_arguments(variable: impl Fn(&str) -> Option<String>) -> Vec<String> {
    let mut arguments = vec!["-Dotel.java.global-autoconfigure.enabled=true".to_owned()];
    for (name, option) in
        [("OTEL_METRICS_EXPORTER", "otel.metrics.exporter"), ("OTEL_LOGS_EXPORTER", "otel.logs.exporter")]
    {
        if variable(name).is_none() {
            arguments.push(format!("-D{option}=none"));
        }
    }
    arguments
}

fn remove(properties: &mut Properties, prefix: &str) {
    let names: Vec<String> =
        properties.iter().map(|(name, _)| name.to_owned()).filter(|name| name.starts_with(prefix)).collect();
    for name in names {
        properties.remove(&name);
    }
}

fn storage_manager(
    class: &str,
    class_path: Option<&str>,
    places: &Places<'_>,
) -> Result<(), NoStorageManager> {
    let own = class_path.unwrap_or_default();
    if own.split(':').any(|place| has_class(place, class)) || places.have(class) {
        return Ok(());
    }
    let places =
        if own.is_empty() { "the class path".to_owned() } else { format!("{own} nor in the class path") };
    Err(NoStorageManager { class: class.to_owned(), places, folder: api::plug_in::JARS_FOLDER })
}

/// Whether a place of a class path has a class: a jar, a folder of classes, or all jars of a folder.
fn has_class(place: &str, class: &str) -> bool {
    if place.is_empty() {
        return false;
    }
    if let Some(folder) = place.strip_suffix('*') {
        return jars::below(Path::new(folder)).iter().any(|jar| jars::has_class(jar, class));
    }
    let path = Path::new(place);
    path.join(format!("{}.class", class.replace('.', "/"))).is_file() || jars::has_class(path, class)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jars::jar_with;

    const CONFIG: &str = "node.id=0\nmetric.reporters=a.Mine,org.apache.kafka.common.metrics.JmxReporter,\
        io.strimzi.kafka.metrics.prometheus.ServerKafkaMetricsReporter\n\
        kafka.metrics.reporters=io.strimzi.kafka.metrics.prometheus.ServerYammerMetricsReporter\n\
        prometheus.metrics.reporter.listener=http://:9404\n\
        client.quota.callback.class=io.strimzi.kafka.quotas.StaticQuotaCallback\n\
        client.quota.callback.static.produce=1000\n";

    struct Image(tempfile::TempDir);

    impl Image {
        fn new(jars: &[(&str, &[&str])]) -> Self {
            let at = tempfile::tempdir().unwrap();
            for (name, classes) in jars {
                let path = at.path().join(name);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                let entries: Vec<String> =
                    classes.iter().map(|class| format!("{}.class", class.replace('.', "/"))).collect();
                let entries: Vec<&str> = entries.iter().map(String::as_str).collect();
                std::fs::write(path, jar_with(&entries)).unwrap();
            }
            Self(at)
        }

        fn apply(&self, wanted: &[PlugIn]) -> Result<(Outcome, Properties), String> {
            let root = self.0.path();
            let folders = [root.join("libs"), root.join("mnt")];
            let class_path = folders.iter().flat_map(|folder| jars::below(folder)).collect();
            let places = Places { class_path, folders, exporter_rules: Path::new("/rules.json") };
            let mut properties = crate::properties::parse(CONFIG).unwrap();
            let outcome = apply(wanted, &places, &mut properties).map_err(|error| error.to_string())?;
            Ok((outcome, properties))
        }
    }

    #[test]
    fn the_exporter_is_an_agent_of_the_jvm_wherever_its_jar_lies() {
        let exporter = PlugIn::JmxPrometheusExporter { port: 9404 };
        for jar in ["libs/jmx_prometheus_javaagent-1.0.1.jar", "mnt/x/jmx_prometheus_javaagent-1.0.1.jar"] {
            let image = Image::new(&[(jar, &[]), ("libs/other.jar", &[])]);
            let (outcome, _) = image.apply(std::slice::from_ref(&exporter)).unwrap();
            let path = image.0.path().join(jar).display().to_string();
            assert_eq!(outcome.arguments, [format!("-javaagent:{path}=9404:/rules.json")]);
            assert!(outcome.missing.is_empty());
        }
        let (outcome, _) =
            Image::new(&[("libs/other.jar", &[])]).apply(std::slice::from_ref(&exporter)).unwrap();
        assert_eq!(outcome, Outcome { arguments: Vec::new(), missing: vec![exporter] });
    }

    #[test]
    fn reporters_are_named_as_the_version_in_the_image_names_them() {
        for version in METRICS_REPORTERS {
            let classes = [version.kafka, version.yammer];
            let image =
                Image::new(&[("mnt/reporter.jar", &classes), ("mnt/prometheus.jar", &[METRICS_REGISTRY])]);
            let (outcome, properties) = image.apply(&[PlugIn::MetricsReporter]).unwrap();
            assert_eq!(outcome, Outcome::default());
            let jmx = "org.apache.kafka.common.metrics.JmxReporter";
            let listed = format!("a.Mine,{jmx},{}", version.kafka);
            assert_eq!(properties.get("metric.reporters"), Some(listed.as_str()));
            assert_eq!(properties.get("kafka.metrics.reporters"), Some(version.yammer));
            assert!(properties.get("prometheus.metrics.reporter.listener").is_some());
        }
    }

    #[test]
    fn what_is_missing_leaves_the_configuration_so_that_kafka_starts() {
        let wanted = [PlugIn::MetricsReporter, PlugIn::QuotasPlugIn];
        // A reporter without what it depends on is as good as none.
        let half = [METRICS_REPORTERS[0].kafka, METRICS_REPORTERS[0].yammer];
        for image in [Image::new(&[]), Image::new(&[("libs/reporter.jar", &half)])] {
            let (outcome, properties) = image.apply(&wanted).unwrap();
            assert_eq!(outcome.missing, wanted);
            let expected = "node.id=0\nmetric.reporters=a.Mine,org.apache.kafka.common.metrics.JmxReporter\n";
            assert_eq!(properties, crate::properties::parse(expected).unwrap());
        }
    }

    #[test]
    fn traces_are_sent_where_all_that_sends_them_is_there() {
        let config = format!(
            "{}={}\n{}={}\n",
            INTERCEPTORS[0], TRACING_INTERCEPTORS[0], INTERCEPTORS[1], TRACING_INTERCEPTORS[1]
        );
        let apply = |jars: &[(&str, &[&str])]| {
            let image = Image::new(jars);
            let root = image.0.path();
            let folders = [root.join("libs"), root.join("mnt")];
            let class_path = folders.iter().flat_map(|folder| jars::below(folder)).collect();
            let places = Places { class_path, folders, exporter_rules: Path::new("/rules.json") };
            let mut properties = crate::properties::parse(&config).unwrap();
            (apply(&[PlugIn::Tracing], &places, &mut properties).unwrap(), properties.to_text())
        };
        let (outcome, left) =
            apply(&[("mnt/clients.jar", &TRACING_INTERCEPTORS), ("libs/sdk.jar", &[TRACING_SDK_CLASS])]);
        assert!(outcome.missing.is_empty(), "{outcome:?}");
        assert_eq!(outcome.arguments[0], "-Dotel.java.global-autoconfigure.enabled=true");
        assert!(left.contains(TRACING_INTERCEPTORS[0]) && left.contains(TRACING_INTERCEPTORS[1]), "{left}");
        for half in [
            &[][..],
            &[("mnt/clients.jar", &TRACING_INTERCEPTORS[..])],
            &[("mnt/clients.jar", &TRACING_INTERCEPTORS[..1]), ("libs/sdk.jar", &[TRACING_SDK_CLASS][..])],
        ] {
            let (outcome, left) = apply(half);
            assert_eq!(outcome, Outcome { arguments: Vec::new(), missing: vec![PlugIn::Tracing] });
            assert!(
                !left.contains("opentelemetry"),
                "Kafka does not start with a class that is not there: {left}"
            );
        }
        let said = tracing_arguments(|name| (name == "OTEL_METRICS_EXPORTER").then(|| "otlp".to_owned()));
        let expected = ["-Dotel.java.global-autoconfigure.enabled=true", "-Dotel.logs.exporter=none"];
        assert_eq!(said, expected, "what a variable says holds");
    }

    #[test]
    fn a_storage_manager_is_looked_for_in_its_own_class_path_too() {
        let image = Image::new(&[("rsm/s3.jar", &["a.Rsm"]), ("libs/gcs.jar", &["b.Rsm"])]);
        let root = image.0.path().display().to_string();
        let manager = |class: &str, path: Option<String>| PlugIn::RemoteStorageManager {
            class: class.to_owned(),
            class_path: path,
        };
        for found in [
            manager("a.Rsm", Some(format!("/none:{root}/rsm/*"))),
            manager("a.Rsm", Some(format!("{root}/rsm/s3.jar"))),
            manager("b.Rsm", None),
        ] {
            assert_eq!(image.apply(&[found]).unwrap().0, Outcome::default());
        }
        let error = image.apply(&[manager("a.Rsm", None)]).unwrap_err();
        assert!(error.contains("class a.Rsm of spec.kafka.tieredStorage in the class path"), "{error}");
        let error = image.apply(&[manager("c.Rsm", Some("/opt/rsm/*".to_owned()))]).unwrap_err();
        assert!(error.contains("in /opt/rsm/* nor in the class path"), "{error}");
    }
}
