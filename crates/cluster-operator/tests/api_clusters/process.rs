//! The operator's own binary with the chart's settings, and how much memory it takes.

use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;
use test_support::child::Child;

use crate::rights;
use crate::world::World;

/// How often the memory is read.
const SAMPLE: Duration = Duration::from_millis(10);

pub(crate) struct Process {
    child: Child,
    limit_kib: u64,
    peak_kib: Arc<AtomicU64>,
    ended: Arc<AtomicBool>,
}

impl Process {
    /// Starts the operator in the namespace of the world with these values of the chart, which give it its rights too. It reads the
    /// host names of a file in place of the machine's, where there is one.
    pub(crate) async fn start(world: &World, values: &[&str], hosts: Option<&Path>, log: &Path) -> Self {
        let within = hosts.map(|file| with_mounts(HOSTS, file)).unwrap_or_default();
        let account = rights::ACCOUNT;
        let file = world.server.service_account_kubeconfig_file(&world.namespace, account).await.unwrap();
        Self::within(world, values, within, &[format!("KUBECONFIG={}", file.display())], log).await
    }

    /// Starts the operator as in a pod that has a service account: a folder with its files, and where the API server is. `variables`
    /// are those that the template of the container adds.
    pub(crate) async fn start_in_pod(
        world: &World,
        account: &Path,
        variables: &[String],
        log: &Path,
    ) -> Self {
        Self::within(world, &[], with_mounts(ACCOUNT, account), variables, log).await
    }

    /// Starts the operator by a program that is given its own arguments first.
    async fn within(
        world: &World,
        values: &[&str],
        mut arguments: Vec<String>,
        variables: &[String],
        log: &Path,
    ) -> Self {
        rights::grant(&world.client, &world.namespace, values).await;
        let objects = rights::template("deployment", &world.namespace, values);
        let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
        let container = &deployment["spec"]["template"]["spec"]["containers"][0];
        let limit_kib = kibibytes(container["resources"]["limits"]["memory"].as_str().unwrap());

        let text = |value: &Value| value.as_str().map(str::to_owned);
        let env = container["env"].as_array().unwrap().iter();
        arguments.extend(["/usr/bin/env", "-i"].map(str::to_owned));
        arguments.extend(
            env.filter_map(|entry| Some(format!("{}={}", text(&entry["name"])?, text(&entry["value"])?))),
        );
        // What the kubelet gives to the container, its memory limit included, which sets the size of the caches.
        arguments.extend([
            format!("STRIMZI_OPERATOR_NAMESPACE={}", world.namespace),
            format!("STRIMZI_LEADER_ELECTION_LEASE_NAMESPACE={}", world.namespace),
            "STRIMZI_LEADER_ELECTION_IDENTITY=process".to_owned(),
            format!("KASTELLAN_MAX_CACHE_MIB={}", limit_kib / 1024 * 2 / 5),
            "KASTELLAN_HTTP_PORT=0".to_owned(),
        ]);
        arguments.extend_from_slice(variables);
        arguments.push(env!("CARGO_BIN_EXE_cluster-operator").to_owned());
        let child = Child::start(Path::new(&arguments.remove(0)), &arguments, log).unwrap();
        let (peak_kib, ended) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (pid, peak, end) = (child.id(), Arc::clone(&peak_kib), Arc::clone(&ended));
        std::thread::spawn(move || {
            while !end.load(Ordering::Relaxed) {
                peak.fetch_max(own_memory_kib(pid).unwrap_or(0), Ordering::Relaxed);
                std::thread::sleep(SAMPLE);
            }
        });
        Self { child, limit_kib, peak_kib, ended }
    }

    /// Fails when the operator has ended, or took more memory than the chart gives it.
    pub(crate) fn is_well(&self, after: &str) {
        assert!(self.child.is_running(), "the operator ended after {after}:\n{}", self.child.log_tail());
        let peak = self.peak_kib.load(Ordering::Relaxed);
        assert!(peak > 0, "the memory of the operator was never read");
        assert!(
            peak < self.limit_kib,
            "after {after} the operator has taken {} MiB; the chart gives it {} MiB",
            peak / 1024,
            self.limit_kib / 1024
        );
    }
}

/// Puts a file in the place of the system's host names.
const HOSTS: &str = r#"mount --bind "$0" /etc/hosts"#;

/// Puts a folder where a pod has the files of its service account.
const ACCOUNT: &str = r#"mount -t tmpfs none /run && mkdir -p /run/secrets/kubernetes.io && cp -r "$0" /run/secrets/kubernetes.io/serviceaccount"#;

/// Arguments of `unshare` (package util-linux, as `setpriv`) that mount something for one process: as root, else as a user who is root in
/// a namespace of its own.
fn with_mounts(mount: &str, file: &Path) -> Vec<String> {
    let arguments = |option: &str| {
        let file = file.display().to_string();
        vec![
            "unshare".to_owned(),
            option.to_owned(),
            "sh".to_owned(),
            "-c".to_owned(),
            format!("{mount} && exec \"$@\""),
            file,
        ]
    };
    let all = ["-m", "-Urm"].map(arguments);
    let works = |arguments: &&Vec<String>| {
        let mut command = Command::new(&arguments[0]);
        command.args(&arguments[1..]).arg("true").stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    };
    all.iter().find(works).expect("no mount namespace can be made here").clone()
}

impl Drop for Process {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// What a process holds in memory that is not a part of a file. Pages of its program, which is many times larger here than
/// in an image, can be read again: no limit kills a process for these.
fn own_memory_kib(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    // The most that the kernel has seen between two looks, of which at least this much was not of files.
    let between = field("VmHWM:")?.saturating_sub(field("RssFile:")?);
    Some(between.max(field("RssAnon:")?))
}

fn kibibytes(quantity: &str) -> u64 {
    let mebibytes: u64 = quantity.strip_suffix("Mi").unwrap().parse().unwrap();
    mebibytes * 1024
}
