//! A quorum that is played: who votes, who is up, and who joins by itself. Every plan is held against it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::common::{World, documents, object};
use api::StrimziPodSet;
use api::{annotations, labels};
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod};
use planner::kafka::admin_call::AdminCall;
use planner::kafka::observed::{Observed, QuorumView};
use planner::kafka::plan::Plan;
use planner::kafka::roll_view::{RollKafka, RollQuorum, RollVoter};
use serde_json::{Value, json};

const RESOURCES: &str = "
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: a, namespace: s1, uid: pool-a, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 1
  roles: [broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi}]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: b, namespace: s1, uid: pool-b, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 1
  roles: [broker]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi}]}
---
apiVersion: kafka.strimzi.io/v1
kind: KafkaNodePool
metadata: {name: c, namespace: s1, uid: pool-c, labels: {strimzi.io/cluster: my}}
spec:
  replicas: 5
  roles: [controller]
  storage: {type: jbod, volumes: [{id: 0, type: persistent-claim, size: 1Gi, kraftMetadata: shared, deleteClaim: true}]}
---
apiVersion: kafka.strimzi.io/v1
kind: Kafka
metadata: {name: my, namespace: s1, uid: kafka-uid, generation: 1}
spec:
  kafka:
    version: 4.3.1
    listeners:
      - {name: plain, port: 9092, type: internal, tls: false}
    config: {default.replication.factor: 1, min.insync.replicas: 1, offsets.topic.replication.factor: 1,
             transaction.state.log.replication.factor: 1, transaction.state.log.min.isr: 1}
";

/// Indexes of the pools: brokers 0 and 1 are in `a` and `b`, controllers 2 to 6 in `c`; a test may add the pool `d`.
pub(super) const B: usize = 1;
pub(super) const C: usize = 2;
pub(super) const D: usize = 3;

/// A cluster with its quorum.
#[derive(Clone)]
pub(super) struct Played {
    pub world: World,
    /// Who votes.
    pub voters: BTreeSet<i32>,
    /// Nodes whose processes stand still.
    pub down: BTreeSet<i32>,
    /// Nodes whose pods do not come up yet.
    pub late: BTreeSet<i32>,
    /// Brokers that hold replicas.
    pub holders: BTreeSet<i32>,
    /// Kafka does not say who votes.
    pub silent: bool,
    /// What the operator knows of Kubernetes, where its watches bring nothing new.
    behind: Option<Caches>,
}

/// What the operator has of Kubernetes.
#[derive(Clone)]
struct Caches {
    pods: Option<BTreeMap<String, Arc<Pod>>>,
    written: Option<Written>,
}

/// What its plans wrote.
#[derive(Clone)]
struct Written {
    pod_sets: BTreeMap<String, Arc<StrimziPodSet>>,
    config_maps: BTreeMap<String, Arc<ConfigMap>>,
    claims: BTreeMap<String, Arc<PersistentVolumeClaim>>,
}

/// When the operator dies in a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Dies {
    /// Before it does anything.
    AtOnce,
    /// When the objects are written.
    AfterObjects,
    /// When votes are taken, and no pod is restarted yet.
    AfterVotes,
    /// It does not.
    Never,
}

/// Node ids in the planned pod set of a pool.
pub(super) fn listed(plan: &Plan, pool: &str) -> BTreeSet<i32> {
    let set = object(plan, "StrimziPodSet", &format!("my-{pool}"));
    set["spec"]["pods"]
        .as_array()
        .unwrap()
        .iter()
        .map(|pod| id(pod["metadata"]["name"].as_str().unwrap()))
        .collect()
}

/// Controllers whose votes a plan takes away.
pub(super) fn removed(plan: &Plan) -> Vec<i32> {
    let of_call = |call: &AdminCall| match call {
        AdminCall::RemoveVoter { controller, directory_id } => {
            assert_eq!(*directory_id, format!("directory-{controller}"));
            Some(*controller)
        }
        _ => None,
    };
    plan.calls.iter().filter_map(of_call).collect()
}

fn id(pod: &str) -> i32 {
    pod.rsplit_once('-').unwrap().1.parse().unwrap()
}

fn is_controller(pod: &Pod) -> bool {
    pod.metadata.labels.as_ref().unwrap()[labels::CONTROLLER_ROLE] == "true"
}

/// Whether the pod of a controller was started so that it becomes a voter by itself.
fn would_join(pod: &Pod) -> bool {
    is_controller(pod) && !pod.metadata.annotations.as_ref().unwrap().contains_key(annotations::LEAVES_QUORUM)
}

impl Played {
    pub(super) fn start() -> Self {
        static START: LazyLock<Played> = LazyLock::new(|| {
            let mut world = World::new(documents(RESOURCES));
            world.settle();
            let voters = (2..7).collect();
            let none = BTreeSet::new;
            Played { world, voters, down: none(), late: none(), holders: none(), silent: false, behind: None }
        });
        START.clone()
    }

    pub(super) fn scale(&mut self, pool: usize, replicas: i32) {
        self.world.pool(pool, |pool| pool["spec"]["replicas"] = json!(replicas));
    }

    pub(super) fn annotate(&mut self, pool: usize, all: &Value) {
        self.world.pool(pool, |pool| pool["metadata"]["annotations"] = all.clone());
    }

    pub(super) fn add_pool(&mut self, name: &str, replicas: i32, roles: &[&str]) {
        let mut pool = serde_json::to_value(self.world.observed.pools[C].as_ref()).unwrap();
        pool["metadata"] =
            json!({"name": name, "namespace": "s1", "uid": name, "labels": {"strimzi.io/cluster": "my"}});
        (pool["status"], pool["spec"]["replicas"], pool["spec"]["roles"]) =
            (Value::Null, json!(replicas), json!(roles));
        self.world.observed.pools.push(Arc::new(serde_json::from_value(pool).unwrap()));
    }

    /// Somebody deletes a pool that has the finalizer.
    pub(super) fn delete_pool(&mut self, pool: usize) {
        self.world.pool(pool, |pool| {
            pool["metadata"]["finalizers"] = json!([annotations::FINALIZER_DRAIN_NODES]);
            pool["metadata"]["deletionTimestamp"] = json!("2026-06-01T12:00:00Z");
        });
    }

    fn pod(&self, node: i32) -> Option<&Arc<Pod>> {
        self.world.observed.pods.iter().find(|(name, _)| id(name) == node).map(|(_, pod)| pod)
    }

    fn is_up(&self, node: i32) -> bool {
        self.pod(node).is_some() && !self.down.contains(&node) && !self.late.contains(&node)
    }

    /// Voters that are up.
    fn up(&self) -> BTreeSet<i32> {
        self.voters
            .iter()
            .copied()
            .filter(|id| self.is_up(*id) && is_controller(self.pod(*id).unwrap()))
            .collect()
    }

    /// The active controller, while there is a majority.
    pub(super) fn leader(&self) -> Option<i32> {
        let up = self.up();
        (up.len() * 2 > self.voters.len()).then(|| *up.first().unwrap())
    }

    /// What Kubernetes and Kafka say.
    fn tell(&mut self) {
        let names: Vec<String> = self.world.observed.pods.keys().cloned().collect();
        for name in names {
            let ready = if self.is_up(id(&name)) { "True" } else { "False" };
            let pod = Arc::make_mut(self.world.observed.pods.get_mut(&name).unwrap());
            let conditions = pod.status.as_mut().and_then(|status| status.conditions.as_mut()).unwrap();
            for one in conditions {
                ready.clone_into(&mut one.status);
            }
        }
        let (up, leader) = (self.up(), self.leader());
        let voter =
            |id: &i32| RollVoter { id: *id, lag_ms: (up.contains(id) && leader.is_some()).then_some(0) };
        let voters: Vec<RollVoter> = self.voters.iter().map(voter).collect();
        let lag_ms: BTreeMap<i32, i64> =
            voters.iter().filter_map(|one| Some((one.id, one.lag_ms?))).collect();
        let others =
            self.world.observed.pods.keys().map(|name| id(name)).filter(|id| !self.voters.contains(id));
        let observers =
            others.filter(|id| self.is_up(*id)).map(|id| RollVoter { id, lag_ms: Some(0) }).collect();
        let mut roll: RollKafka = self.world.all_is_well(Vec::new());
        roll.quorum = Ok(leader.map(|leader| RollQuorum { leader, voters, observers, dynamic: true }));
        self.world.roll = Some(roll);
        let directories = self.voters.iter().map(|id| (*id, format!("directory-{id}"))).collect();
        let view = self.world.observed.view.as_mut().unwrap();
        view.brokers_with_replicas = Some(self.holders.clone());
        view.quorum = (!self.silent).then(|| QuorumView {
            leader: leader.unwrap_or(-1),
            voters: directories,
            lag_ms,
            ..QuorumView::default()
        });
    }

    /// The watches of pods, of what plans write, or of both bring nothing new from now on.
    pub(super) fn fall_behind(&mut self, pods: bool, written: bool) {
        let seen = self.seen();
        self.behind = Some(Caches {
            pods: pods.then(|| seen.pods.clone()),
            written: written.then(|| Written {
                pod_sets: seen.pod_sets.clone(),
                config_maps: seen.config_maps.clone(),
                claims: seen.claims.clone(),
            }),
        });
    }

    pub(super) fn catch_up(&mut self) {
        self.behind = None;
    }

    /// What the operator sees.
    fn seen(&self) -> Observed {
        let mut seen = self.world.observed.clone();
        let Some(Caches { pods, written }) = self.behind.clone() else { return seen };
        seen.pods = pods.unwrap_or(seen.pods);
        if let Some(Written { pod_sets, config_maps, claims }) = written {
            (seen.pod_sets, seen.config_maps, seen.claims) = (pod_sets, config_maps, claims);
        }
        seen
    }

    pub(super) fn plan(&mut self) -> Plan {
        self.tell();
        let mut world = self.world.clone();
        world.observed = self.seen();
        world.plan()
    }

    /// Deletes a pod, which the API server refuses where it is another one than the operator has seen.
    fn restart(&mut self, pod: &str, seen: &Observed) {
        let uid = |pods: &BTreeMap<String, Arc<Pod>>| pods.get(pod).and_then(|pod| pod.metadata.uid.clone());
        let live = uid(&self.world.observed.pods);
        if live.is_none() || live != uid(&seen.pods) {
            return;
        }
        self.down.remove(&id(pod));
        self.world.restart(pod);
        self.world.observed.restarted.extend(live);
    }

    /// One pass, carried out; then controllers join.
    pub(super) fn pass(&mut self) -> Plan {
        self.pass_of(Dies::Never)
    }

    /// As [`Self::pass`], of an operator that may die in the middle of it.
    pub(super) fn pass_of(&mut self, dies: Dies) -> Plan {
        let plan = self.plan();
        let seen = self.seen();
        self.judge(&plan, &seen);
        if dies > Dies::AtOnce {
            self.world.apply(&plan);
        }
        if dies > Dies::AfterObjects {
            for controller in removed(&plan) {
                self.voters.remove(&controller);
            }
        }
        if dies == Dies::Never {
            for pod in &plan.roll.now {
                self.restart(pod, &seen);
            }
        } else {
            // The next process lists what there is, and has deleted nothing.
            self.catch_up();
            self.world.observed.restarted.clear();
        }
        self.world.run_everything();
        self.world.now += std::time::Duration::from_secs(5);
        let joins = self.world.observed.pods.values().find(|pod| {
            let id = id(pod.metadata.name.as_deref().unwrap());
            would_join(pod) && self.is_up(id) && !self.voters.contains(&id)
        });
        if let (Some(pod), Some(_)) = (joins, self.leader()) {
            let id = id(pod.metadata.name.as_deref().unwrap());
            self.voters.insert(id);
        }
        plan
    }

    /// No plan takes a majority away, nor a node with a vote, nor one that would get it again.
    /// While the cache of pods is behind, a plan cannot know how pods were started since; Kafka then gives back a vote that was taken too early.
    fn judge(&self, plan: &Plan, seen: &Observed) {
        let knows_pods = self.behind.as_ref().is_none_or(|behind| behind.pods.is_none());
        let up = self.up();
        let gone = removed(plan);
        assert!(gone.len() <= 1, "{gone:?}");
        for controller in &gone {
            assert!(self.voters.contains(controller), "{controller} has no vote");
            let (left, level) = (self.voters.len() - 1, up.iter().filter(|id| *id != controller).count());
            assert!(level * 2 > left, "without {controller}, {level} of {left} are up");
            let pod = self.pod(*controller);
            let joins = pod.is_some_and(|pod| would_join(pod) && self.is_up(*controller));
            assert!(!(joins && knows_pods), "{controller} joins again at once");
        }
        let uid = |pod: &Arc<Pod>| pod.metadata.uid.clone();
        let is_same = |pod: &&String| {
            let live = self.world.observed.pods.get(*pod).map(uid);
            live.is_some() && live == seen.pods.get(*pod).map(uid)
        };
        let restarted: BTreeSet<i32> = plan.roll.now.iter().filter(is_same).map(|pod| id(pod)).collect();
        if restarted.iter().any(|id| up.contains(id)) && self.voters.len() > 2 && self.leader().is_some() {
            let left = up.difference(&restarted).count();
            assert!(
                left * 2 > self.voters.len(),
                "{restarted:?} restart, {left} of {:?} are left",
                self.voters
            );
        }
        let kept: BTreeSet<i32> = plan.nodes.iter().map(|node| node.id).collect();
        for (name, pod) in &self.world.observed.pods {
            let id = id(name);
            if !kept.contains(&id) {
                assert!(!self.voters.contains(&id), "{name} goes with its vote");
                let joins = would_join(pod) && self.is_up(id);
                assert!(!(joins && knows_pods), "{name} may get a vote in its last moment");
            }
        }
        for gone in plan.delete.iter().filter(|gone| gone.object.kind == "PersistentVolumeClaim") {
            assert!(!self.voters.contains(&id(&gone.object.name)), "{:?} goes before the vote", gone.object);
        }
    }

    /// Passes until nothing is left to do.
    pub(super) fn finish(&mut self) -> Plan {
        for _ in 0..120 {
            let plan = self.pass();
            let runs = |id: &i32| self.pod(*id).is_some_and(|pod| is_controller(pod));
            let join = self.world.observed.pods.iter().filter(|(_, pod)| would_join(pod));
            let joined = join.map(|(name, _)| id(name)).all(|id| self.voters.contains(&id));
            if plan.held.is_empty()
                && plan.roll.wanted.is_empty()
                && removed(&plan).is_empty()
                && joined
                && self.voters.iter().all(runs)
                && plan.nodes.iter().all(|node| self.world.observed.pods.contains_key(&node.pod))
            {
                return plan;
            }
        }
        let plan = self.plan();
        panic!(
            "it goes on and on: {:?} {:?} {:?} {:?}",
            plan.held,
            plan.roll,
            plan.waiting_for,
            crate::common::kafka_status(&plan)
        );
    }
}
