//! A client outside of the pods: the program of `e2e/client` on this machine, which is told by a file of hosts what a DNS server
//! of the user's would tell.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use k8s_openapi::api::core::v1::{Node, Pod, Secret, Service};
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::process::Command;

use crate::Scenario;
use crate::edge::Edge;
use crate::flow::Flow;
use crate::held::Held;

/// What every file of hosts says.
const LOCALHOST: &str = "127.0.0.1 localhost\n";

/// A client outside of the pods.
pub struct Outside {
    folder: tempfile::TempDir,
}

impl Outside {
    /// A client that trusts a cluster. It knows no names.
    pub async fn of(scenario: &Scenario, cluster: &str) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let secret = scenario.api::<Secret>().get(&format!("{cluster}-cluster-ca-cert")).await?;
        let authority =
            secret.data.and_then(|mut data| data.remove("ca.crt")).context("there is no ca.crt")?;
        std::fs::write(folder.path().join("ca.crt"), authority.0)?;
        std::fs::write(folder.path().join("hosts"), LOCALHOST)?;
        Ok(Self { folder })
    }

    /// Tells it the names of pods and Services, and of what the edge leads to.
    pub async fn knows_names(&self, scenario: &Scenario, edge: &Edge) -> Result<()> {
        let mut names = names_inside(scenario).await?;
        if let Ok(hosts) = edge.hosts.lock() {
            names.extend(hosts.iter().map(|host| (host.clone(), edge.address.to_string())));
        }
        self.knows(&names)
    }

    /// Tells it the names of pods and Services, and nothing else.
    pub async fn knows_pods(&self, scenario: &Scenario) -> Result<()> {
        self.knows(&names_inside(scenario).await?)
    }

    /// Tells it the names of the machines that pods run on, and these, which lead to one of the machines.
    pub async fn knows_machines(&self, scenario: &Scenario, more: &[&str]) -> Result<()> {
        let machines: Api<Node> = Api::all(scenario.client.clone());
        let mut names = BTreeMap::new();
        for machine in machines.list(&ListParams::default()).await?.items {
            let addresses = machine.status.and_then(|status| status.addresses).unwrap_or_default();
            let of_type = |type_: &str| addresses.iter().find(|one| one.type_ == type_);
            if let (Some(address), Some(name)) = (of_type("InternalIP"), of_type("Hostname")) {
                names.insert(name.address.clone(), address.address.clone());
                names.extend(more.iter().map(|name| ((*name).to_owned(), address.address.clone())));
            }
        }
        self.knows(&names)
    }

    /// The addresses by name.
    fn knows(&self, names: &BTreeMap<String, String>) -> Result<()> {
        let mut text = LOCALHOST.to_owned();
        for (name, address) in names {
            writeln!(text, "{address} {name}")?;
        }
        std::fs::write(self.folder.path().join("hosts"), text)?;
        Ok(())
    }

    /// Runs the client; what it printed, or why it failed.
    pub async fn run(&self, bootstrap: &str, topic: &str, tls: bool, arguments: &[&str]) -> Result<String> {
        let mut command = self.command(bootstrap, topic, tls, 100)?;
        let output =
            tokio::time::timeout(Duration::from_mins(4), command.args(arguments).kill_on_drop(true).output());
        let output = output.await.context("the client hangs")??;
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        if !output.status.success() {
            bail!("the client failed with {bootstrap}: {said}");
        }
        Ok(said)
    }

    /// Starts a client that holds a connection to each broker that leads a partition of the topic.
    pub fn hold(&self, bootstrap: &str, topic: &str, tls: bool) -> Result<Held> {
        Held::start(self.command(bootstrap, topic, tls, 3600)?.arg("hold"))
    }

    /// Starts a client that writes to the topic and reads from it without an end.
    pub fn flow(&self, bootstrap: &str, topic: &str) -> Result<Flow> {
        Flow::start(self.command(bootstrap, topic, false, 3600)?.arg("flow"))
    }

    fn command(&self, bootstrap: &str, topic: &str, tls: bool, deadline: u32) -> Result<Command> {
        let program = std::env::var("KASTELLAN_KAFKA_CLIENT")
            .context("KASTELLAN_KAFKA_CLIENT is not set: run `make e2e`")?;
        let folder = self.folder.path().display().to_string();
        // The file of hosts is that of this process alone.
        let script = "mount --bind \"$0/hosts\" /etc/hosts && exec \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", script, &folder, &program]);
        command.args(["--bootstrap", bootstrap, "--topic", topic, "--deadline", &deadline.to_string()]);
        if tls {
            command.args(["--cluster-ca", &folder]);
        }
        Ok(command)
    }
}

/// Addresses of Services and pods by the names that they have within Kubernetes.
async fn names_inside(scenario: &Scenario) -> Result<BTreeMap<String, String>> {
    let mut names = BTreeMap::new();
    for service in scenario.api::<Service>().list(&ListParams::default()).await?.items {
        let address = service.spec.as_ref().and_then(|spec| spec.cluster_ip.clone());
        let name = format!("{}.{}.svc", service.name_any(), scenario.namespace);
        names.extend(address.filter(|address| address != "None").map(|address| (name, address)));
    }
    for pod in scenario.api::<Pod>().list(&ListParams::default()).await?.items {
        let spec = pod.spec.as_ref();
        let (Some(host), Some(domain)) =
            (spec.and_then(|spec| spec.hostname.clone()), spec.and_then(|spec| spec.subdomain.clone()))
        else {
            continue;
        };
        let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone());
        let name = format!("{host}.{domain}.{}.svc", scenario.namespace);
        names.extend(address.map(|address| (name, address)));
    }
    Ok(names)
}

/// Connects; a server behind the balancer took the connection, since it stays open.
pub async fn connection(address: SocketAddr) -> Result<TcpStream> {
    let mut stream = TcpStream::connect(address).await?;
    if !is_open(&mut stream).await {
        bail!("{address} closes connections");
    }
    Ok(stream)
}

/// Whether nobody closed a connection. Brokers say nothing before they are asked.
pub async fn is_open(stream: &mut TcpStream) -> bool {
    let mut byte = [0];
    tokio::time::timeout(Duration::from_secs(1), stream.read(&mut byte)).await.is_err()
}
