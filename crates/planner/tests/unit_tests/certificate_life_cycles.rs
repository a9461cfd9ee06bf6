//! Every decision about certificates through two life cycles of both authorities and more, with the clock of the test. After each pass
//! everybody accepts everybody (`AtWork::check`); the tables say what happens on which day, and that nothing happens on any other.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::supplied_authorities::{authority, supply_both};
use crate::common::World;
use crate::common::at_work::{AtWork, LEAVES, sha256, text};

const PODS: [&str; 3] = ["my-dual-0", "my-dual-1", "my-dual-2"];

/// What is known of an authority at one moment.
#[derive(Clone, PartialEq)]
struct Authority {
    /// The generation of the certificate.
    certificate: i64,
    /// The generation of the key.
    key: i64,
    /// How many certificates are kept beside the present one.
    kept: usize,
}

/// What is known of the certificates at one moment.
#[derive(Clone, PartialEq)]
struct State {
    authorities: BTreeMap<&'static str, Authority>,
    /// SHA-256 of each.
    leaves: Vec<String>,
}

fn state(cluster: &AtWork) -> State {
    let of = |name: &'static str| {
        let (certificate, key) = (format!("my-{name}-cert"), format!("my-{name}"));
        let data = cluster.world.observed.secrets[&certificate].data.as_ref().unwrap();
        let kept = data.keys().filter(|key| key.starts_with("ca-") && key.ends_with(".crt")).count();
        let authority = Authority {
            certificate: cluster.generation(&certificate, "strimzi.io/ca-cert-generation"),
            key: cluster.generation(&key, "strimzi.io/ca-key-generation"),
            kept,
        };
        (name, authority)
    };
    let leaf =
        |(secret, key): &(&str, &str)| sha256(&text(&cluster.world.observed.secrets[*secret], key).unwrap());
    State {
        authorities: ["cluster-ca", "clients-ca"].map(of).into(),
        leaves: LEAVES.iter().map(leaf).collect(),
    }
}

/// What happened between two moments, in words.
fn difference(before: &State, after: &State) -> Vec<String> {
    let mut all = Vec::new();
    for (name, now) in &after.authorities {
        let old = &before.authorities[name];
        if (old.certificate, old.key) != (now.certificate, now.key) {
            all.push(format!("{name} {}/{}", now.certificate, now.key));
        }
        if old.kept != now.kept {
            all.push(format!("{name} keeps {}", now.kept));
        }
    }
    let signed = before.leaves.iter().zip(&after.leaves).filter(|(old, new)| old != new).count();
    if signed > 0 {
        all.push(format!("{signed} leaves"));
    }
    all
}

/// A cluster whose pods read certificates again, and what happened on which day.
struct Life {
    cluster: AtWork,
    began: Timestamp,
    journal: Vec<String>,
}

impl Life {
    fn of(spec: &Value) -> Self {
        Self::in_world(World::load("dual-role.input.yaml"), spec)
    }

    fn in_world(mut world: World, spec: &Value) -> Self {
        world.kafka(|kafka| {
            for (name, value) in spec.as_object().unwrap() {
                kafka["spec"][name] = value.clone();
            }
        });
        let mut cluster = AtWork::settled(world);
        cluster.reads_again = PODS.map(str::to_owned).into();
        let began = cluster.world.now.to_zoned(TimeZone::UTC).start_of_day().unwrap().timestamp();
        Self { cluster, began, journal: Vec::new() }
    }

    /// So many days after the first one, at this hour.
    fn at(&mut self, day: i64, hour: i64) {
        let before = state(&self.cluster);
        self.cluster.world.now = self.began + SignedDuration::from_hours(day * 24 + hour);
        let mut restarts = 0;
        let mut idle = 0;
        loop {
            let plan = self.cluster.pass();
            for pod in PODS {
                self.cluster.read_again(pod);
            }
            for pod in &plan.roll.now {
                self.cluster.restart(pod);
                restarts += 1;
            }
            self.cluster.world.now += SignedDuration::from_secs(10);
            let is_under_way = !plan.taking_up.is_empty() || !plan.roll.wanted.is_empty();
            idle = if is_under_way { 0 } else { idle + 1 };
            // A day on which nothing changes has one pass; after a change, a later pass may see what follows from it.
            let is_unchanged = state(&self.cluster) == before;
            if idle == 3 || idle == 1 && is_unchanged {
                break;
            }
        }
        let mut happened = difference(&before, &state(&self.cluster));
        if restarts > 0 {
            happened.push(format!("{restarts} restarts"));
        }
        if !happened.is_empty() {
            self.journal.push(format!("{day}: {}", happened.join(", ")));
        }
    }

    /// Every day at noon.
    fn days(&mut self, days: impl IntoIterator<Item = i64>) -> &[String] {
        for day in days {
            self.at(day, 12);
        }
        &self.journal
    }
}

/// What happens where the cluster's authority lasts 60 days, that of the users 40, and each is renewed in its last quarter.
const RENEWALS: [&str; 4] = [
    "30: clients-ca 1/0",
    "45: cluster-ca 1/0, 6 leaves",
    "60: clients-ca 2/0",
    "90: clients-ca 3/0, cluster-ca 2/0, 6 leaves",
];

/// The settings of an authority.
fn ca(validity: i64, renewal: i64, policy: &str) -> Value {
    json!({"validityDays": validity, "renewalDays": renewal, "certificateExpirationPolicy": policy})
}

/// Days of two years with the defaults: all those near a renewal, and every tenth one.
fn days_of_two_years() -> impl Iterator<Item = i64> {
    (1..=745).filter(|day| day % 10 == 0 || (331..=340).contains(day) || (666..=675).contains(day))
}

#[test]
fn by_default_both_authorities_and_all_leaves_are_renewed_30_days_before_they_end() {
    let mut life = Life::of(&json!({}));
    let renewed = life.days(days_of_two_years());
    assert_eq!(
        renewed,
        ["335: clients-ca 1/0, cluster-ca 1/0, 6 leaves", "670: clients-ca 2/0, cluster-ca 2/0, 6 leaves",]
    );
}

#[test]
fn each_authority_has_its_own_time() {
    let renew = "renew-certificate";
    let mut life = Life::of(&json!({"clusterCa": ca(60, 15, renew), "clientsCa": ca(40, 10, renew)}));
    assert_eq!(life.days(1..=110), RENEWALS);
}

#[test]
fn a_key_that_is_replaced_is_trusted_until_its_last_certificate_has_ended() {
    let replace = "replace-key";
    let mut life = Life::of(&json!({"clusterCa": ca(60, 15, replace), "clientsCa": ca(40, 10, replace)}));
    assert_eq!(
        life.days(1..=110),
        [
            "30: clients-ca 1/1, clients-ca keeps 1",
            "40: clients-ca keeps 0",
            "45: cluster-ca 1/1, 6 leaves",
            "60: clients-ca 2/2, clients-ca keeps 1",
            "70: clients-ca keeps 0",
            "90: clients-ca 3/3, clients-ca keeps 1, cluster-ca 2/2, 6 leaves",
            "100: clients-ca keeps 0",
        ]
    );
}

#[test]
fn outside_maintenance_windows_nothing_changes() {
    // The first day is a Monday; the window is open on Sundays from one to two o'clock.
    let mut life = Life::of(&json!({
        "clusterCa": ca(60, 15, "replace-key"),
        "clientsCa": ca(40, 10, "renew-certificate"),
        "maintenanceTimeWindows": ["* * 1 ? * SUN *"],
    }));
    for day in 1..=110 {
        life.at(day, 1);
        // A new key is asked for on a Thursday.
        if day == 17 {
            life.cluster.world.annotate_secret("my-cluster-ca", "strimzi.io/force-replace", "true");
        }
        life.at(day, 12);
    }
    assert_eq!(
        life.journal,
        [
            "20: cluster-ca 1/1, 6 leaves",
            "34: clients-ca 1/0",
            "69: clients-ca 2/0, cluster-ca 2/2, 6 leaves",
            "104: clients-ca 3/0",
        ]
    );
}

#[test]
fn of_authorities_that_the_user_supplies_only_leaves_are_renewed() {
    let own = |validity| {
        let mut settings = ca(validity, 15, "replace-key");
        settings["generateCertificateAuthority"] = json!(false);
        settings
    };
    let mut world = World::load("dual-role.input.yaml");
    supply_both(&mut world, &authority("long", 3650), "4");
    let mut life = Life::in_world(world, &json!({"clusterCa": own(60), "clientsCa": own(40)}));
    assert_eq!(life.days(1..=110), ["45: 6 leaves", "90: 6 leaves",]);
}

#[test]
fn while_the_resource_is_refused_certificates_are_renewed_and_no_key_is_replaced() {
    let replace = "replace-key";
    let mut life = Life::of(&json!({"clusterCa": ca(60, 15, replace), "clientsCa": ca(40, 10, replace)}));
    life.cluster.world.kafka(|kafka| kafka["spec"]["kafka"]["version"] = json!("9.9.9"));
    assert_eq!(life.days(1..=110), RENEWALS);
}
