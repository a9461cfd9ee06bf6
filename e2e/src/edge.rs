//! What leads into the cluster from this machine: an Envoy, and a small controller that configures it from Services of type
//! LoadBalancer, Ingresses, Routes and TLSRoutes of one namespace and writes the addresses into their statuses.
//!
//! The addresses are of 127.0.0.0/8: this machine alone knows them.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::networking::v1::Ingress;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{ApiResource, GroupVersionKind};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use tokio::process::{Child, Command};

/// Port on which Envoy takes TLS for all host names.
const TLS_PORT: i32 = 443;
/// How often the controller looks.
const ROUND: Duration = Duration::from_millis(300);

/// The way into a namespace.
pub struct Edge {
    /// The address of all host names.
    pub address: Ipv4Addr,
    /// Host names of Ingresses, Routes and TLSRoutes that lead there.
    pub hosts: Arc<Mutex<Vec<String>>>,
    balancers: Arc<Mutex<Balancers>>,
    controller: tokio::task::JoinHandle<()>,
    _envoy: Child,
    _folder: tempfile::TempDir,
}

/// Addresses of load balancers, by Service.
struct Balancers {
    net: [u8; 2],
    last: u8,
    of_services: BTreeMap<String, Ipv4Addr>,
}

impl Balancers {
    fn of(&mut self, service: &str) -> Ipv4Addr {
        if let Some(known) = self.of_services.get(service) {
            return *known;
        }
        self.last += 1;
        let address = Ipv4Addr::new(127, self.net[0], self.net[1], self.last);
        self.of_services.insert(service.to_owned(), address);
        address
    }
}

impl Edge {
    /// Starts Envoy and the controller for a namespace.
    pub fn start(client: &Client, namespace: &str) -> Result<Self> {
        let program =
            std::env::var("KASTELLAN_ENVOY").context("KASTELLAN_ENVOY is not set: run `make e2e`")?;
        // Two runs on one machine have addresses of their own.
        let run = std::process::id().to_le_bytes();
        let net = [100 + run[1] % 100, run[0]];
        let address = Ipv4Addr::new(127, net[0], net[1], 1);
        let balancers = Arc::new(Mutex::new(Balancers { net, last: 1, of_services: BTreeMap::new() }));
        let hosts = Arc::new(Mutex::new(Vec::new()));
        let folder = tempfile::tempdir()?;
        let mut files = Files { folder: folder.path().to_owned(), written: Value::Null };
        files.bootstrap()?;
        files.write(&[], &[])?;
        let envoy = Command::new(program)
            .args(["--config-path", &files.path("bootstrap.json"), "--concurrency", "1"])
            .args(["--disable-hot-restart", "--log-level", "warning"])
            .kill_on_drop(true)
            .spawn()
            .context("cannot start Envoy")?;
        let kinds = Kinds::new(client, namespace);
        let (of_task, known) = (Arc::clone(&balancers), Arc::clone(&hosts));
        let controller = tokio::spawn(async move {
            loop {
                // What fails is tried again: an object may be gone by now.
                drop(round(&kinds, address, &of_task, &known, &mut files).await);
                tokio::time::sleep(ROUND).await;
            }
        });
        Ok(Self { address, hosts, balancers, controller, _envoy: envoy, _folder: folder })
    }

    /// Gives the load balancer of a Service another address.
    pub fn move_balancer(&self, service: &str) -> Option<Ipv4Addr> {
        let mut balancers = self.balancers.lock().ok()?;
        balancers.of_services.remove(service);
        Some(balancers.of(service))
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.controller.abort();
    }
}

/// The kinds that are looked at.
struct Kinds {
    services: Api<Service>,
    ingresses: Api<Ingress>,
    routes: Api<DynamicObject>,
    tls_routes: Api<DynamicObject>,
}

impl Kinds {
    fn new(client: &Client, namespace: &str) -> Self {
        let dynamic = |group: &str, kind: &str| {
            let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
            Api::namespaced_with(client.clone(), namespace, &resource)
        };
        Self {
            services: Api::namespaced(client.clone(), namespace),
            ingresses: Api::namespaced(client.clone(), namespace),
            routes: dynamic("route.openshift.io", "Route"),
            tls_routes: dynamic("gateway.networking.k8s.io", "TLSRoute"),
        }
    }
}

/// Looks at everything once: Envoy is told first, then the statuses say where it is.
async fn round(
    kinds: &Kinds,
    edge: Ipv4Addr,
    balancers: &Mutex<Balancers>,
    hosts: &Mutex<Vec<String>>,
    files: &mut Files,
) -> Result<()> {
    let all = ListParams::default();
    let services = kinds.services.list(&all).await?.items;
    let ingresses = kinds.ingresses.list(&all).await?.items;
    let routes = kinds.routes.list(&all).await?.items;
    let tls_routes = kinds.tls_routes.list(&all).await?.items;
    let (mut listeners, mut clusters) = (Vec::new(), Vec::new());
    let mut balanced = Vec::new();
    for service in &services {
        let is_one = service.spec.as_ref().and_then(|spec| spec.type_.as_deref()) == Some("LoadBalancer");
        let Ok(mut balancers) = balancers.lock() else { continue };
        if is_one {
            let address = balancers.of(&service.name_any());
            balance(service, address, &mut listeners, &mut clusters);
            balanced.push((service, address));
        }
    }
    let passed = passed(&ingresses, &routes, &tls_routes)?;
    let names = pass(&passed, edge, &services, &mut listeners, &mut clusters);
    files.write(&listeners, &clusters)?;
    if let Ok(mut known) = hosts.lock() {
        *known = names;
    }
    for (service, address) in balanced {
        say_balancer(&kinds.services, service, address).await?;
    }
    for route in routes.iter().filter(|route| route.data["status"]["ingress"][0]["host"].is_null()) {
        let status = json!({"ingress": [{"host": host_of_route(route), "routerName": "edge",
            "conditions": [{"type": "Admitted", "status": "True"}]}]});
        say(&kinds.routes, route, status).await?;
    }
    for route in tls_routes.iter().filter(|route| route.data["status"]["parents"][0].is_null()) {
        let condition = json!({"type": "Accepted", "status": "True", "reason": "Accepted", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z"});
        let parent = &route.data["spec"]["parentRefs"][0];
        let status = json!({"parents": [{"parentRef": parent, "controllerName": "kastellan.io/edge",
            "conditions": [condition]}]});
        say(&kinds.tls_routes, route, status).await?;
    }
    Ok(())
}

/// Leads the ports of an address to those of a Service.
fn balance(service: &Service, address: Ipv4Addr, listeners: &mut Vec<Value>, clusters: &mut Vec<Value>) {
    let spec = service.spec.as_ref();
    let Some(target) = spec.and_then(|spec| spec.cluster_ip.as_deref()) else { return };
    for port in spec.into_iter().flat_map(|spec| spec.ports.iter().flatten()) {
        let cluster = format!("{}-{}", service.name_any(), port.port);
        let chain = json!({"filters": [tcp(&cluster)]});
        listeners.push(listener(&format!("{cluster}-{address}"), address, port.port, &json!([]), &[chain]));
        clusters.push(leads_to(&cluster, target, port.port));
    }
}

/// A host name, and the Service and port that TLS with this name is led to.
struct Passed {
    host: String,
    service: String,
    port: i32,
}

/// What Ingresses, Routes and TLSRoutes ask for.
fn passed(
    ingresses: &[Ingress],
    routes: &[DynamicObject],
    tls_routes: &[DynamicObject],
) -> Result<Vec<Passed>> {
    let mut found = Vec::new();
    let mut add = |host: &Value, service: &Value, port: &Value| {
        let (Some(host), Some(service), Some(port)) = (host.as_str(), service.as_str(), port.as_i64()) else {
            return;
        };
        let Ok(port) = i32::try_from(port) else { return };
        found.push(Passed { host: host.to_owned(), service: service.to_owned(), port });
    };
    for ingress in ingresses {
        let ingress = serde_json::to_value(ingress)?;
        let rule = &ingress["spec"]["rules"][0];
        let backend = &rule["http"]["paths"][0]["backend"]["service"];
        add(&rule["host"], &backend["name"], &backend["port"]["number"]);
    }
    for route in routes {
        let spec = &route.data["spec"];
        add(&json!(host_of_route(route)), &spec["to"]["name"], &spec["port"]["targetPort"]);
    }
    for route in tls_routes {
        let spec = &route.data["spec"];
        let backend = &spec["rules"][0]["backendRefs"][0];
        add(&spec["hostnames"][0], &backend["name"], &backend["port"]);
    }
    Ok(found)
}

/// Leads TLS on by the host name in it. The answer is those names.
fn pass(
    passed: &[Passed],
    edge: Ipv4Addr,
    services: &[Service],
    listeners: &mut Vec<Value>,
    clusters: &mut Vec<Value>,
) -> Vec<String> {
    let (mut chains, mut names) = (Vec::new(), Vec::new());
    for Passed { host, service, port } in passed {
        let found = services.iter().find(|found| found.name_any() == *service);
        let target = found.and_then(|found| found.spec.as_ref()?.cluster_ip.as_deref());
        let Some(target) = target else { continue };
        chains.push(json!({"filter_chain_match": {"server_names": [host]}, "filters": [tcp(host)]}));
        clusters.push(leads_to(host, target, *port));
        names.push(host.to_owned());
    }
    if !chains.is_empty() {
        let inspector = json!([{"name": "tls", "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector"}}]);
        listeners.push(listener("tls", edge, TLS_PORT, &inspector, &chains));
    }
    names
}

async fn say_balancer(api: &Api<Service>, service: &Service, address: Ipv4Addr) -> Result<()> {
    let said =
        service.status.as_ref().and_then(|status| status.load_balancer.as_ref()?.ingress.as_ref()?.first());
    if said.and_then(|said| said.ip.clone()) != Some(address.to_string()) {
        let patch = json!({"status": {"loadBalancer": {"ingress": [{"ip": address.to_string()}]}}});
        api.patch_status(&service.name_any(), &PatchParams::default(), &Patch::Merge(patch)).await?;
    }
    Ok(())
}

async fn say(api: &Api<DynamicObject>, object: &DynamicObject, status: Value) -> Result<()> {
    let patch = Patch::Merge(json!({"status": status}));
    api.patch_status(&object.name_any(), &PatchParams::default(), &patch).await?;
    Ok(())
}

/// The host that the Route asks for, else one of the router's.
fn host_of_route(route: &DynamicObject) -> String {
    let asked = route.data["spec"]["host"].as_str().map(str::to_owned);
    asked.unwrap_or_else(|| format!("{}.apps.example.test", route.name_any()))
}

fn tcp(cluster: &str) -> Value {
    json!({"name": "tcp", "typed_config": {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": cluster, "cluster": cluster}})
}

fn listener(name: &str, address: Ipv4Addr, port: i32, filters: &Value, chains: &[Value]) -> Value {
    json!({"@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": name,
        "address": {"socket_address": {"address": address.to_string(), "port_value": port}},
        "listener_filters": filters, "filter_chains": chains})
}

fn leads_to(name: &str, address: &str, port: i32) -> Value {
    json!({"@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": name, "type": "STATIC",
        "connect_timeout": "5s", "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": address, "port_value": port}}}}]}]}})
}

/// The files that Envoy reads.
struct Files {
    folder: PathBuf,
    written: Value,
}

impl Files {
    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn bootstrap(&self) -> Result<()> {
        let source = |name: &str| json!({"path_config_source": {"path": self.path(name), "watched_directory": {"path": self.folder}}});
        let text = json!({"node": {"id": "edge", "cluster": "edge"},
            "dynamic_resources": {"lds_config": source("listeners.json"), "cds_config": source("clusters.json")}});
        std::fs::write(self.folder.join("bootstrap.json"), text.to_string())?;
        Ok(())
    }

    /// Writes what changed, by renaming, which is what Envoy notices.
    fn write(&mut self, listeners: &[Value], clusters: &[Value]) -> Result<()> {
        let wanted =
            json!({"listeners.json": {"resources": listeners}, "clusters.json": {"resources": clusters}});
        for (name, content) in wanted.as_object().into_iter().flatten() {
            if self.written[name] != *content {
                replace(&self.folder, name, &content.to_string())?;
            }
        }
        self.written = wanted;
        Ok(())
    }
}

fn replace(folder: &Path, name: &str, text: &str) -> Result<()> {
    let next = folder.join(format!("{name}.next"));
    std::fs::write(&next, text)?;
    std::fs::rename(next, folder.join(name))?;
    Ok(())
}
