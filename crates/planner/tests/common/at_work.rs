//! A cluster on paper whose pods are processes: each trusts and shows what lay in its Secrets when it was started, and
//! nothing else, however the Secrets change meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use api::agent::{CertificatesInUse, Unresponsive, container};
use k8s_openapi::api::core::v1::Secret;
use pki::CertificatePem;
use planner::kafka::certificates::access::access;
use planner::kafka::plan::Plan;
use rustls::RootCertStore;
use rustls::crypto::aws_lc_rs;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use sha2::{Digest, Sha256};

use super::cert_manager::CertManager;
use super::{World, condition};

/// Secrets with a leaf, and its entry.
pub(crate) const LEAVES: [(&str, &str); 6] = [
    ("my-dual-0", "my-dual-0.crt"),
    ("my-dual-1", "my-dual-1.crt"),
    ("my-dual-2", "my-dual-2.crt"),
    ("my-cluster-operator-certs", "cluster-operator.crt"),
    ("my-entity-topic-operator-certs", "entity-operator.crt"),
    ("my-entity-user-operator-certs", "entity-operator.crt"),
];

/// What the process of a pod was started with.
#[derive(Clone)]
pub(crate) struct Process {
    /// Whom it trusts within the cluster, PEM.
    pub trusted: String,
    /// The chain that it shows, PEM.
    pub shown: String,
}

/// A cluster on paper, at work.
pub(crate) struct AtWork {
    pub world: World,
    /// The running processes, by pod.
    pub processes: BTreeMap<String, Process>,
    /// Which pods [`Self::settle`] restarted, in order.
    pub restarted: Vec<String>,
    /// Pods whose Kafka reads certificates again when they change.
    pub reads_again: BTreeSet<String>,
    /// A pod whose agent may be refused by its own process for a while: its leaf was lost.
    pub lost_its_leaf: Option<String>,
    /// Who fills the Secrets of Certificates.
    pub cert_manager: Option<CertManager>,
}

pub(crate) fn text(secret: &Secret, key: &str) -> Option<String> {
    Some(String::from_utf8(secret.data.as_ref()?.get(key)?.0.clone()).unwrap())
}

pub(crate) fn sha256(text: &str) -> String {
    let mut hex = String::new();
    for byte in Sha256::digest(text) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

impl World {
    /// For how long the Kafka of these pods has answered nothing.
    pub(crate) fn unresponsive(
        &self,
        pods: &BTreeMap<String, String>,
    ) -> Option<BTreeMap<String, Unresponsive>> {
        let all = self.unresponsive_nodes.clone()?.into_iter();
        Some(all.filter(|(pod, _)| pods.contains_key(pod)).collect())
    }

    /// Which certificates pods use; those of others are read at their start alone.
    pub(crate) fn in_use_of(
        &self,
        pods: &BTreeMap<String, String>,
    ) -> BTreeMap<String, Option<CertificatesInUse>> {
        pods.keys().map(|pod| (pod.clone(), self.in_use.get(pod).cloned())).collect()
    }
}

fn ders(pem: &str) -> Vec<CertificateDer<'static>> {
    CertificatePem::new(pem).ders().unwrap()
}

impl AtWork {
    /// A cluster that has settled.
    pub(crate) fn settled(world: World) -> Self {
        let mut cluster = Self::new(world);
        cluster.pass();
        cluster.settle();
        cluster
    }

    /// A cluster of which nothing runs yet.
    pub(crate) fn new(world: World) -> Self {
        Self {
            world,
            processes: BTreeMap::new(),
            restarted: Vec::new(),
            reads_again: BTreeSet::new(),
            lost_its_leaf: None,
            cert_manager: None,
        }
    }

    fn mounted(&self, pod: &str) -> Option<Process> {
        let secrets = &self.world.observed.secrets;
        Some(Process {
            trusted: text(secrets.get("my-trustbundle")?, "cluster-ca.crt")?,
            shown: text(secrets.get(pod)?, &format!("{pod}.crt"))?,
        })
    }

    /// What the pod-set controller and the kubelet do: every listed pod that can mount its Secrets runs.
    pub(crate) fn start_pods(&mut self) {
        self.world.run_everything();
        let pods: Vec<String> = self.world.observed.pods.keys().cloned().collect();
        self.processes.retain(|name, _| pods.contains(name));
        for pod in pods {
            if !self.processes.contains_key(&pod)
                && let Some(process) = self.mounted(&pod)
            {
                self.processes.insert(pod.clone(), process);
            }
            let ready = if self.processes.contains_key(&pod) { "True" } else { "False" };
            let live = Arc::make_mut(self.world.observed.pods.get_mut(&pod).unwrap());
            let condition = &mut live.status.as_mut().unwrap().conditions.as_mut().unwrap()[0];
            ready.clone_into(&mut condition.status);
        }
    }

    /// One pass, carried out whole, and what follows from it.
    pub(crate) fn pass(&mut self) -> Plan {
        self.tell_what_is_in_use();
        let plan = self.world.plan();
        for taken in &plan.taken_up {
            let pod = Arc::make_mut(self.world.observed.pods.get_mut(&taken.pod).unwrap());
            assert_eq!(pod.metadata.uid.as_ref(), Some(&taken.uid));
            pod.metadata.annotations.as_mut().unwrap().extend(taken.annotations.clone());
        }
        self.world.observed.taking_up = plan.taking_up.clone();
        self.world.apply(&plan);
        if let Some(cert_manager) = &self.cert_manager {
            cert_manager.work(&mut self.world);
        }
        self.start_pods();
        self.check();
        plan
    }

    /// What the agents of pods say that read certificates again: those files whose present content the process has.
    fn tell_what_is_in_use(&mut self) {
        self.world.in_use.clear();
        for pod in self.reads_again.clone() {
            let (Some(process), Some(mounted)) = (self.processes.get(&pod), self.mounted(&pod)) else {
                continue;
            };
            let mut in_use = CertificatesInUse::default();
            let clients = text(&self.world.observed.secrets["my-trustbundle"], "clients-ca.crt").unwrap();
            let mut note = |file: String, text: &str| in_use.files.insert(file, sha256(text));
            note(container::CLIENTS_TRUST.to_owned(), &clients);
            if process.shown == mounted.shown {
                note(format!("{}/{pod}.crt", container::NODE_CERTIFICATES), &mounted.shown);
            }
            if process.trusted == mounted.trusted {
                note(container::CLUSTER_TRUST.to_owned(), &mounted.trusted);
            }
            self.world.in_use.insert(pod, in_use);
        }
    }

    /// The process of a pod reads the mounted files, as all do at some time after they changed.
    pub(crate) fn read_again(&mut self, pod: &str) {
        if self.reads_again.contains(pod) {
            self.restart_container(pod);
        }
    }

    /// One pass that ends after so many writes, in the order in which the operator writes.
    pub(crate) fn interrupted_pass(&mut self, writes: usize) {
        let plan = self.world.plan();
        for object in plan.apply.iter().take(writes) {
            self.world.store(object);
        }
        self.start_pods();
        self.check();
    }

    /// The pod is deleted and comes back as its pod set says.
    pub(crate) fn restart(&mut self, pod: &str) {
        self.processes.remove(pod);
        self.world.observed.pods.remove(pod);
        self.start_pods();
        self.check();
    }

    /// The process ends and starts again in the same pod.
    pub(crate) fn restart_container(&mut self, pod: &str) {
        if let Some(process) = self.mounted(pod) {
            self.processes.insert(pod.to_owned(), process);
        }
        self.check();
    }

    /// Passes and restarts, one at a time, until nothing is left to do. Returns how many restarts it took.
    pub(crate) fn settle(&mut self) -> usize {
        self.restarted.clear();
        let mut idle = 0;
        for _ in 0..200 {
            let plan = self.pass();
            if let [pod] = plan.roll.now.as_slice() {
                idle = 0;
                self.restarted.push(pod.clone());
                self.restart(pod);
                continue;
            }
            assert!(plan.roll.now.is_empty(), "one at a time: {:?}", plan.roll.now);
            if plan.roll.wanted.is_empty() && !plan.taking_up.is_empty() {
                idle = 0;
                self.world.now += jiff::SignedDuration::from_mins(1);
                continue;
            }
            // What follows from the last restart, or from time, is seen by a later pass.
            idle += 1;
            if plan.roll.wanted.is_empty() && idle > 1 {
                assert!(condition(&plan, "Ready").is_some(), "{:?}", plan.waiting_for);
                return self.restarted.len();
            }
            if let Some(waits) = &plan.roll.waits {
                let seconds = i64::try_from(waits.look_again_seconds(self.world.now)).unwrap();
                self.world.now += jiff::SignedDuration::from_secs(seconds);
            }
        }
        panic!("the roll has no end: {:?}", self.restarted);
    }

    /// Whether who trusts `trusted` accepts who shows `shown`.
    pub(crate) fn accepts(&self, trusted: &str, shown: &str) -> bool {
        let mut roots = RootCertStore::empty();
        for root in ders(trusted) {
            roots.add(root).unwrap();
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
        let chain = ders(shown);
        let now = u64::try_from(self.world.now.as_second()).unwrap();
        let now = UnixTime::since_unix_epoch(Duration::from_secs(now));
        verifier.verify_client_cert(&chain[0], &chain[1..], now).is_ok()
    }

    /// What must hold at every moment.
    pub(crate) fn check(&self) {
        if self.processes.is_empty() {
            return;
        }
        let (trusts, shows) = self.operator();
        for (pod, process) in &self.processes {
            for (peer, other) in &self.processes {
                if pod == peer {
                    continue;
                }
                assert!(self.accepts(&process.trusted, &other.shown), "{pod} does not accept {peer}");
                // The agent of the peer reads the new files; and its process may start again at any time.
                if let Some(mounted) = self.mounted(peer) {
                    assert!(self.accepts(&process.trusted, &mounted.shown), "{pod} would not accept {peer}");
                    assert!(self.accepts(&mounted.trusted, &process.shown), "{peer} would not accept {pod}");
                }
            }
            if self.lost_its_leaf.as_ref() != Some(pod)
                && let Some(mounted) = self.mounted(pod)
            {
                assert!(self.accepts(&process.trusted, &mounted.shown), "{pod} does not accept its agent");
            }
            assert!(self.accepts(&trusts, &process.shown), "the operator does not accept {pod}");
            assert!(self.accepts(&process.trusted, &shows), "{pod} does not accept the operator");
        }
    }

    /// Whom the operator trusts, and what it shows.
    fn operator(&self) -> (String, String) {
        let access = access(&self.world.observed, self.world.now).expect("the operator has nothing to show");
        (access.trusted, access.certificate)
    }

    /// How many authorities the pods are told to trust.
    pub(crate) fn trusted_authorities(&self) -> usize {
        let bundle = text(&self.world.observed.secrets["my-trustbundle"], "cluster-ca.crt").unwrap();
        bundle.matches("BEGIN CERTIFICATE").count()
    }

    pub(crate) fn delete_secrets(&mut self, names: &[&str]) {
        for name in names {
            assert!(self.world.observed.secrets.remove(*name).is_some(), "there is no Secret {name}");
        }
    }

    /// An annotation of a Secret, as a number.
    pub(crate) fn generation(&self, secret: &str, annotation: &str) -> i64 {
        let all = self.world.observed.secrets[secret].metadata.annotations.as_ref().unwrap();
        all[annotation].parse().unwrap()
    }

    /// Asserts that every certificate of the cluster comes from the present authority, and that nothing else is trusted.
    pub(crate) fn assert_only_the_present_authority(&self) {
        let secrets = &self.world.observed.secrets;
        let authority = text(&secrets["my-cluster-ca-cert"], "ca.crt").unwrap();
        for process in self.processes.values() {
            assert_eq!(process.trusted, authority);
        }
        for (secret, key) in LEAVES {
            let shown = text(&secrets[secret], key).unwrap();
            assert!(self.accepts(&authority, &shown), "{secret} is not signed by the present authority");
        }
    }
}
