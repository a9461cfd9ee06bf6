//! The command line of the JVM.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use api::names::keys;

use crate::config::JvmSettings;
use crate::layout::Layout;
use crate::plug_ins;

/// Kafka's own choice of collector and tuning, used when the resource sets no `-XX` options.
pub const DEFAULT_PERFORMANCE_OPTIONS: [&str; 6] = [
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-XX:MaxInlineLevel=15",
];

/// Where garbage collection is logged when asked for.
const GC_LOGGING: &str = "-Xlog:gc*:stdout:time,uptime,level,tags";

/// The jars of a class path could not be listed.
#[derive(Debug, thiserror::Error)]
pub enum JvmError {
    /// The directory is unreadable.
    #[error("cannot list kafka's jars in {directory}: {source}")]
    List {
        /// The directory.
        directory: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There are no jars.
    #[error(
        "{directory} has no jars; the image must have kafka's libraries there, as the apache/kafka image has"
    )]
    Empty {
        /// The directory.
        directory: PathBuf,
    },
}

/// Class path: the jars of `libs` in byte order, then `extra`. The order and the omissions are those of Kafka's own
/// start script: a class-data archive of the image is only usable with exactly the same class path.
pub fn class_path(libs: &Path, extra: &[PathBuf]) -> Result<String, JvmError> {
    let list = |source| JvmError::List { directory: libs.to_owned(), source };
    let mut jars = Vec::new();
    for entry in std::fs::read_dir(libs).map_err(list)? {
        let path = entry.map_err(list)?.path();
        if is_wanted(&path) {
            jars.push(path);
        }
    }
    if jars.is_empty() {
        return Err(JvmError::Empty { directory: libs.to_owned() });
    }
    jars.sort();
    jars.extend(extra.iter().cloned());
    Ok(jars.iter().map(|jar| jar.to_string_lossy()).collect::<Vec<_>>().join(":"))
}

fn is_wanted(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let Some(stem) = name.strip_suffix(".jar") else { return false };
    if plug_ins::is_exporter(path) {
        return false;
    }
    let unwanted = ["-test", "-test-sources", "-src", "-scaladoc", "-javadoc"];
    !unwanted.iter().any(|end| stem.ends_with(end)) && !stem.contains("connect-file")
}

/// What the JVM runs: a class, and the file with its configuration.
#[derive(Debug)]
pub struct Program {
    /// Name of the class.
    pub class: &'static str,
    /// Its one argument.
    pub configuration: PathBuf,
}

/// Arguments of `java` that start a program of Kafka's. Secrets never stand here: every user of the machine can read them.
///
/// `heap` are the flags of [`crate::heap::flags`]; `class_path` is that of [`class_path`].
pub fn arguments(
    config: &JvmSettings,
    layout: &Layout,
    heap: &[String],
    class_path: &str,
    program: &Program,
) -> Vec<String> {
    let mut arguments = heap.to_vec();
    if config.jvm_performance_options.is_empty() {
        arguments.extend(DEFAULT_PERFORMANCE_OPTIONS.iter().map(|&option| option.to_owned()));
    } else {
        arguments.extend(config.jvm_performance_options.iter().cloned());
    }
    // A JVM that is out of memory is of no use and often keeps its sockets open: end, and be restarted.
    arguments.push("-XX:+ExitOnOutOfMemoryError".to_owned());
    if config.gc_logging {
        arguments.push(GC_LOGGING.to_owned());
    }
    if layout.ahead_of_time_cache().exists() {
        arguments.push(format!("-XX:AOTCache={}", layout.ahead_of_time_cache().display()));
    } else if layout.class_data_archive().exists() {
        arguments.push("-Xshare:auto".to_owned());
        arguments.push(format!("-XX:SharedArchiveFile={}", layout.class_data_archive().display()));
    }
    arguments.push("-Djava.awt.headless=true".to_owned());
    arguments.push("-Djava.io.tmpdir=/tmp".to_owned());
    let logging = layout.custom_config(keys::LOG4J2_PROPERTIES);
    arguments.push(format!("-Dlog4j2.configurationFile={}", logging.display()));
    for property in &config.java_system_properties {
        arguments.push(format!("-D{}={}", property.name, property.value));
    }
    arguments.extend(config.extra_jvm_arguments.iter().cloned());
    arguments.extend(["-cp".to_owned(), class_path.to_owned(), program.class.to_owned()]);
    arguments.push(program.configuration.display().to_string());
    arguments
}

/// The JVM's program: that of `JAVA_HOME`, or `java` of the `PATH`.
pub fn program(java_home: Option<&str>) -> PathBuf {
    match java_home.filter(|home| !home.is_empty()) {
        Some(home) => Path::new(home).join("bin/java"),
        None => PathBuf::from("java"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::SystemProperty;

    fn kafka_arguments(
        config: &JvmSettings,
        layout: &Layout,
        heap: &[String],
        class_path: &str,
    ) -> Vec<String> {
        let configuration = layout.server_properties();
        arguments(config, layout, heap, class_path, &Program { class: "kafka.Kafka", configuration })
    }

    #[test]
    fn the_class_path_is_that_of_kafkas_start_script() {
        let libs = tempfile::tempdir().unwrap();
        for name in [
            "kafka_2.13-4.3.1.jar",
            "kafka-clients.jar",
            "connect-file-4.3.1.jar",
            "x-javadoc.jar",
            "readme.txt",
            "a.jar.asc",
            "jmx_prometheus_javaagent-1.0.1.jar",
        ] {
            std::fs::write(libs.path().join(name), "").unwrap();
        }
        let at = libs.path().display().to_string();
        assert_eq!(
            class_path(libs.path(), &["/plugins/p.jar".into()]).unwrap(),
            format!("{at}/kafka-clients.jar:{at}/kafka_2.13-4.3.1.jar:/plugins/p.jar")
        );
        let empty = tempfile::tempdir().unwrap();
        assert!(class_path(empty.path(), &[]).unwrap_err().to_string().contains("has no jars"));
    }

    #[test]
    fn the_command_line_has_defaults_and_ends_with_class_and_file() {
        let arguments = kafka_arguments(
            &JvmSettings::default(),
            &Layout::new(Path::new("/")),
            &["-Xmx1g".to_owned()],
            "a:b",
        );
        assert_eq!(arguments[0], "-Xmx1g");
        assert!(arguments.contains(&"-XX:+UseG1GC".to_owned()));
        assert!(arguments.contains(&"-XX:+ExitOnOutOfMemoryError".to_owned()));
        let logging = "-Dlog4j2.configurationFile=/opt/kafka/custom-config/log4j2.properties";
        assert!(arguments.contains(&logging.to_owned()));
        let end = ["-cp", "a:b", "kafka.Kafka", "/var/opt/kafka/server.properties"];
        assert_eq!(arguments[arguments.len() - 4..], end);
        assert!(
            !arguments.iter().any(|argument| argument.contains("SharedArchive") || argument.contains("Xlog"))
        );
    }

    #[test]
    fn options_of_the_resource_replace_the_defaults_and_an_archive_is_used_when_there() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("opt/kafka")).unwrap();
        std::fs::write(root.path().join("opt/kafka/kafka.jsa"), "").unwrap();
        let config = JvmSettings {
            jvm_performance_options: vec!["-XX:+UseZGC".to_owned()],
            java_system_properties: vec![SystemProperty { name: "a.b".into(), value: "c d".into() }],
            gc_logging: true,
            ..JvmSettings::default()
        };
        let layout = Layout::new(root.path());
        let arguments = kafka_arguments(&config, &layout, &[], "x");
        assert!(
            arguments.contains(&"-XX:+UseZGC".to_owned()) && !arguments.contains(&"-XX:+UseG1GC".to_owned())
        );
        assert!(arguments.contains(&"-Da.b=c d".to_owned()) && arguments.contains(&GC_LOGGING.to_owned()));
        assert!(arguments.iter().any(|argument| argument.starts_with("-XX:SharedArchiveFile=")));
        std::fs::write(root.path().join("opt/kafka/kafka.aot"), "").unwrap();
        let arguments = kafka_arguments(&config, &layout, &[], "x");
        assert!(arguments.iter().any(|argument| argument.starts_with("-XX:AOTCache=")));
        assert!(!arguments.iter().any(|argument| argument.starts_with("-XX:SharedArchiveFile=")));
    }
}
