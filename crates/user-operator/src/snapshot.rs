//! Kafka's side: one snapshot of ACLs, quotas and SCRAM credentials, kept fresh, and corrected by the operator's own writes.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::principals;
use futures::{StreamExt, stream};
use kafka_admin::{
    AclBinding, AclFilter, AclOperation, Admin, AdminError, ErrorCode, PatternType, Permission, QuotaEntity,
    QuotaName, ResourceType, ScramMechanism,
};
use pki::Password;

/// Rounds of SCRAM-SHA-512: Kafka's least, and Strimzi's number. A credential with another number is not ours.
pub const SCRAM_ITERATIONS: i32 = 4096;
/// A reading may be older than a write that was answered shortly before: brokers learn of writes with a delay.
const SETTLING: Duration = Duration::from_secs(5);
/// Users whose rules are read at the same time, where all rules are too many for one answer.
const READS: usize = 8;

/// One ACL, without the principal.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Kind of the resource.
    pub resource_type: ResourceType,
    /// Name of the resource.
    pub resource_name: Arc<str>,
    /// How the name is meant.
    pub pattern: PatternType,
    /// From where; `*` for anywhere.
    pub host: Arc<str>,
    /// What.
    pub operation: AclOperation,
    /// Allow or deny.
    pub permission: Permission,
}

impl Rule {
    /// The ACL of a user (`CN=x` or `x`).
    pub fn binding(&self, username: &str) -> AclBinding {
        AclBinding {
            resource_type: self.resource_type,
            resource_name: Arc::clone(&self.resource_name),
            pattern: self.pattern,
            principal: principals::of_user(username),
            host: self.host.to_string(),
            operation: self.operation,
            permission: self.permission,
        }
    }

    pub(crate) fn of(binding: &AclBinding) -> Self {
        Self {
            resource_type: binding.resource_type,
            resource_name: Arc::clone(&binding.resource_name),
            pattern: binding.pattern,
            host: binding.host.as_str().into(),
            operation: binding.operation,
            permission: binding.permission,
        }
    }
}

/// Quotas by Kafka's names.
pub type Quotas = BTreeMap<String, f64>;

/// What Kafka has of one user name.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Held {
    /// Its ACLs.
    pub rules: BTreeSet<Rule>,
    /// Its quotas.
    pub quotas: Quotas,
    /// Rounds of its SCRAM-SHA-512 credential; `None`: it has none.
    pub scram: Option<i32>,
}

impl Held {
    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty() && self.quotas.is_empty() && self.scram.is_none()
    }
}

/// The name of the KafkaUser that a user name in Kafka belongs to; `None` for names that are none of our business: `*`,
/// `ANONYMOUS`, and distinguished names with more than a common name, which are the cluster's own parts.
pub fn resource_name(username: &str) -> Option<&str> {
    let name = username.strip_prefix(principals::COMMON_NAME).unwrap_or(username);
    let foreign = name.is_empty() || name == "*" || name == "ANONYMOUS" || name.contains([',', '=', '+']);
    if foreign { None } else { Some(name) }
}

#[derive(Debug, Default)]
struct State {
    loaded: bool,
    acls_supported: bool,
    users: HashMap<String, Held>,
    /// When our own writes were answered, for those that a reading may not know yet.
    written: HashMap<String, Instant>,
    /// Passwords that Kafka is known to have. Not known after a start: then each is told once.
    passwords: HashMap<String, Password>,
}

/// The snapshot. Locks are held for lookups only.
#[derive(Debug, Default)]
pub struct Snapshot {
    state: Mutex<State>,
}

/// What one user has in Kafka under its two names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UserInKafka {
    /// Under `CN=<name>`.
    pub certificate: Held,
    /// Under `<name>`.
    pub plain: Held,
    /// Whether Kafka has ACLs at all (an authorizer).
    pub acls_supported: bool,
}

impl Snapshot {
    /// What a user has; `None` before the first reading.
    pub fn user(&self, name: &str) -> Option<UserInKafka> {
        let state = self.lock();
        state.loaded.then(|| UserInKafka {
            certificate: state.users.get(&principals::by_certificate(name)).cloned().unwrap_or_default(),
            plain: state.users.get(name).cloned().unwrap_or_default(),
            acls_supported: state.acls_supported,
        })
    }

    /// Whether Kafka was read at least once.
    pub fn is_loaded(&self) -> bool {
        self.lock().loaded
    }

    /// All user names that have something in Kafka.
    pub fn usernames(&self) -> HashSet<String> {
        self.lock().users.keys().cloned().collect()
    }

    /// Names of the KafkaUsers that what is in Kafka belongs to.
    pub fn names(&self) -> HashSet<String> {
        self.lock().users.keys().filter_map(|username| resource_name(username)).map(str::to_owned).collect()
    }

    /// Takes note of an own write.
    pub fn update(&self, username: &str, change: impl FnOnce(&mut Held)) {
        let mut state = self.lock();
        let held = state.users.entry(username.to_owned()).or_default();
        change(held);
        if held.is_empty() {
            state.users.remove(username);
        }
        state.written.insert(username.to_owned(), Instant::now());
    }

    /// Takes note of a password that Kafka took, or has no more.
    pub fn told(&self, name: &str, password: Option<Password>) {
        self.update(name, |held| held.scram = password.is_some().then_some(SCRAM_ITERATIONS));
        let mut state = self.lock();
        match password {
            Some(password) => state.passwords.insert(name.to_owned(), password),
            None => state.passwords.remove(name),
        };
    }

    /// What password Kafka has is not known until it is told one again.
    pub fn forget_password(&self, name: &str) {
        self.lock().passwords.remove(name);
    }

    /// The password that Kafka is known to have.
    pub fn password(&self, name: &str) -> Option<Password> {
        self.lock().passwords.get(name).cloned()
    }

    /// Takes over a reading that was begun at `begun`, and says which KafkaUsers it shows otherwise than before.
    pub fn replace(&self, reading: Reading, begun: Instant) -> HashSet<String> {
        let mut state = self.lock();
        let state = &mut *state;
        state.written.retain(|_, at| *at + SETTLING > begun);
        let mut users = reading.users;
        for username in state.written.keys() {
            match state.users.remove(username) {
                Some(own) => users.insert(username.clone(), own),
                None => users.remove(username),
            };
        }
        let mut changed = HashSet::new();
        for (username, held) in &users {
            let same = state.users.remove(username).is_some_and(|old| old == *held);
            if !same && !state.written.contains_key(username) {
                changed.extend(resource_name(username).map(str::to_owned));
            }
        }
        // What is left was there before and is no more.
        changed.extend(state.users.keys().filter_map(|username| resource_name(username)).map(str::to_owned));
        state.users = users;
        state.acls_supported = reading.acls_supported;
        state.loaded = true;
        changed
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One reading of everything.
#[derive(Debug, Default)]
pub struct Reading {
    users: HashMap<String, Held>,
    acls_supported: bool,
    /// Whether the rules were too many for one answer.
    pub user_by_user: bool,
}

impl Reading {
    /// What a user name has.
    pub fn held(&self, username: &str) -> Option<&Held> {
        self.users.get(username)
    }

    fn add_rules(&mut self, bindings: BTreeSet<AclBinding>) {
        self.acls_supported = true;
        for binding in bindings {
            if let Some(username) = principals::username(&binding.principal) {
                self.users.entry(username.to_owned()).or_default().rules.insert(Rule::of(&binding));
            }
        }
    }
}

/// Reads ACLs, quotas and credentials: three requests, however many users there are. PlanSettings that are too many for one answer
/// are read user by user, for the names that `usernames` has: the rules of users without a KafkaUser are not seen then.
pub async fn read(
    admin: &Admin,
    acls: bool,
    usernames: impl Fn() -> HashSet<String>,
) -> Result<Reading, AdminError> {
    let bindings = async { if acls { Some(admin.describe_acls(AclFilter::any()).await) } else { None } };
    let (bindings, quotas, scram) =
        tokio::join!(bindings, admin.describe_client_quotas(), admin.describe_scram_credentials());
    let mut reading = Reading::default();
    match bindings {
        None => {}
        Some(Ok(bindings)) => reading.add_rules(bindings),
        // A cluster without an authorizer has no ACLs; users without rules are fine there.
        Some(Err(error)) if error.kafka_error().is_some_and(|e| e.code == ErrorCode::SECURITY_DISABLED) => {}
        Some(Err(AdminError::TooLong { .. })) => {
            reading.user_by_user = true;
            read_user_by_user(admin, usernames(), &mut reading).await?;
        }
        Some(Err(error)) => return Err(error),
    }
    for (entity, values) in quotas? {
        // Quotas of a user together with a client id, of an address, and defaults are not ours.
        if let QuotaEntity { user: Some(QuotaName::Named(name)), client_id: None, ip: None } = entity {
            reading.users.entry(name).or_default().quotas = values;
        }
    }
    for (name, mechanisms) in scram? {
        if let Some(rounds) = mechanisms.ok().and_then(|all| all.get(&ScramMechanism::Sha512).copied()) {
            reading.users.entry(name).or_default().scram = Some(rounds);
        }
    }
    // Names that are none of our business need no memory.
    reading.users.retain(|username, _| resource_name(username).is_some());
    Ok(reading)
}

/// Reads the rules of each user with a request of its own.
async fn read_user_by_user(
    admin: &Admin,
    usernames: HashSet<String>,
    reading: &mut Reading,
) -> Result<(), AdminError> {
    let read = stream::iter(usernames).map(|username| async move {
        let rules = admin.describe_acls(AclFilter::principal(principals::of_user(&username))).await;
        (username, rules)
    });
    let mut read = std::pin::pin!(read.buffer_unordered(READS));
    while let Some((username, rules)) = read.next().await {
        match rules {
            Ok(rules) => reading.add_rules(rules),
            Err(AdminError::TooLong { .. }) => {
                tracing::warn!(%username, "the ACLs of a user are too long to be read: remove some with Kafka's tools");
            }
            Err(error) => return Err(error),
        }
    }
    reading.acls_supported = true;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn reading(users: &[&str]) -> Reading {
        let held = Held { scram: Some(SCRAM_ITERATIONS), ..Held::default() };
        Reading {
            users: users.iter().map(|name| ((*name).to_owned(), held.clone())).collect(),
            acls_supported: true,
            user_by_user: false,
        }
    }

    #[test]
    fn names_that_are_not_ours_are_never_taken_for_users() {
        assert_eq!(resource_name("CN=a"), Some("a"));
        assert_eq!(resource_name("a"), Some("a"));
        for foreign in ["*", "CN=*", "ANONYMOUS", "CN=c-kafka,O=io.strimzi", "O=x", "", "CN="] {
            assert_eq!(resource_name(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_reading_that_is_older_than_an_own_write_does_not_undo_it() {
        let snapshot = Snapshot::default();
        assert!(snapshot.user("a").is_none());
        let begun = Instant::now();
        let changed = snapshot.replace(reading(&["a"]), begun);
        assert!(changed.contains("a"));
        snapshot.update("a", |held| held.scram = None);
        assert!(snapshot.replace(reading(&["a"]), begun).is_empty());
        assert!(snapshot.user("a").unwrap().plain.scram.is_none());
        let later = begun + SETTLING * 2;
        assert!(snapshot.replace(reading(&["a"]), later).contains("a"));
        assert!(snapshot.user("a").unwrap().plain.scram.is_some());
    }

    #[test]
    fn only_what_changed_outside_is_reported() {
        let snapshot = Snapshot::default();
        let now = Instant::now();
        snapshot.replace(reading(&["a", "b"]), now);
        assert!(snapshot.replace(reading(&["a", "b"]), now).is_empty());
        let changed = snapshot.replace(reading(&["a", "CN=c"]), now);
        assert_eq!(changed, HashSet::from(["b".to_owned(), "c".to_owned()]));
    }
}
