//! The Java runtime and the class path, and an archive of loaded classes that halves the start of a JVM.

use std::collections::hash_map::DefaultHasher;
use std::fs::File;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use super::{VERSION, run, write};
use crate::binaries;
use crate::port::free_port;

/// How to start a Kafka program.
#[derive(Debug, Clone)]
pub struct Java {
    program: PathBuf,
    libs: PathBuf,
    archive: Option<PathBuf>,
}

impl Java {
    /// Finds Java (the cache's own runtime, else `JAVA_HOME`, else the path) and Kafka's jars; makes the archive if
    /// there is none yet. `folder` is for temporary files.
    pub fn find(folder: &Path) -> anyhow::Result<Self> {
        let cache = binaries::cache()?;
        let libs = cache.join("kafka").join(VERSION).join("libs");
        if !libs.join(format!("kafka-clients-{VERSION}.jar")).is_file() {
            bail!("{} has no Kafka; run 'e2e/kubernetes/build.sh kafka'", libs.display());
        }
        let home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin/java"));
        let program =
            [Some(cache.join("jre/bin/java")), home].into_iter().flatten().find(|path| path.is_file());
        let mut java =
            Self { program: program.unwrap_or_else(|| PathBuf::from("java")), libs, archive: None };
        // Without it everything still works, only slower.
        java.archive = java.make_archive(&cache, folder).ok();
        Ok(java)
    }

    /// The program.
    pub fn program(&self) -> &Path {
        &self.program
    }

    /// The folder with Kafka's jars.
    pub fn libs(&self) -> &Path {
        &self.libs
    }

    /// Arguments up to and including the main class.
    pub fn arguments(&self, log4j: &Path, heap_mb: u32, main_class: &str) -> Vec<String> {
        let mut arguments: Vec<String> = [
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-XX:-UsePerfData",
            "-XX:+UseTransparentHugePages",
            "-XX:+ExitOnOutOfMemoryError",
            "-Djava.awt.headless=true",
        ]
        .map(str::to_owned)
        .to_vec();
        // The whole heap from the start: a small one that grows is collected over and over.
        arguments.extend([format!("-Xms{heap_mb}m"), format!("-Xmx{heap_mb}m")]);
        if let Some(archive) = &self.archive {
            arguments.push(format!("-XX:SharedArchiveFile={}", archive.display()));
            // A damaged or foreign archive is no reason to fail, nor to complain in the log.
            arguments.push("-Xshare:auto".to_owned());
            arguments.push("-Xlog:cds=off,cds+dynamic=off".to_owned());
        }
        arguments.push(format!("-Dlog4j2.configurationFile={}", log4j.display()));
        arguments.push("-cp".to_owned());
        arguments.push(format!("{}/*", self.libs.display()));
        arguments.push(main_class.to_owned());
        arguments
    }

    /// Runs a node once and lets the JVM write down the classes that it loaded. Kept in the cache for each Java.
    fn make_archive(&self, cache: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
        let version =
            Command::new(&self.program).arg("-version").output().context("ask java for its version")?;
        let mut hasher = DefaultHasher::new();
        version.stderr.hash(&mut hasher);
        self.program.hash(&mut hasher);
        let archive = cache.join("kafka").join(VERSION).join(format!("test-{:016x}.jsa", hasher.finish()));
        if archive.is_file() {
            return Ok(archive);
        }
        let lock = File::create(archive.with_extension("lock")).context("make a lock file")?;
        lock.lock().context("lock the making of the class archive")?;
        if archive.is_file() {
            return Ok(archive);
        }
        let work = folder.join("archive");
        std::fs::create_dir_all(&work).context("make a folder")?;
        let config = work.join("server.properties");
        let port = free_port()?;
        let controller = free_port()?;
        let text = format!(
            "node.id=0\nprocess.roles=broker,controller\nlisteners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}\n\
             controller.listener.names=CONTROLLER\ncontroller.quorum.bootstrap.servers=127.0.0.1:{controller}\nlog.dirs={}\n\
             authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nsuper.users=User:ANONYMOUS\n\
             offsets.topic.replication.factor=1\n",
            work.join("data").display()
        );
        write(&config, &text)?;
        let log4j = work.join("log4j2.properties");
        write(&log4j, LOG4J)?;
        let mut format = Command::new(&self.program);
        format.args(self.arguments(&log4j, 256, "kafka.tools.StorageTool"));
        format.args(["format", "--standalone", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c"]).arg(&config);
        run(format, "format storage for the class archive")?;
        let fresh = archive.with_extension("new");
        let log = work.join("kafka.log");
        let mut arguments = vec![format!("-XX:ArchiveClassesAtExit={}", fresh.display())];
        arguments.extend(self.arguments(&log4j, 256, "kafka.Kafka"));
        arguments.push(config.display().to_string());
        let mut node = crate::child::Child::start(&self.program, &arguments, &log)?;
        super::process::wait_for_line(&log, 0, || node.is_running())?;
        super::process::signal(node.id(), "TERM")?;
        let deadline = std::time::Instant::now() + std::time::Duration::from_mins(1);
        while node.is_running() && std::time::Instant::now() < deadline {
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        node.kill();
        std::fs::rename(&fresh, &archive).context("put the class archive in its place")?;
        Ok(archive)
    }
}

/// Settings of Kafka's log: the start line of the server, and what went wrong.
pub(super) const LOG4J: &str = "\
status=error
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d %p %m (%c{1})%n%throwable
rootLogger.level=warn
rootLogger.appenderRef.out.ref=out
logger.server.name=kafka.server
logger.server.level=info
";
