//! Which addresses a client follows. Brokers say where the other nodes of their cluster are, and a broker that means harm may
//! name any host: those of other people would be looked up and connected to.

/// Longest part of a host name between two dots.
const LONGEST_LABEL: usize = 63;

/// The nodes of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach(Rule);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    /// Hosts of one label in front of one of these endings, all on one port.
    Below { endings: Vec<String>, port: u16 },
    /// Any host, on any port but these.
    NotOn(Vec<u16>),
}

impl Reach {
    /// Hosts `<label>.<domain>` of these domains.
    pub fn new(domains: impl IntoIterator<Item = impl Into<String>>, port: u16) -> Self {
        let endings = domains.into_iter().map(|domain| format!(".{}", domain.into())).collect();
        Self(Rule::Below { endings, port })
    }

    /// All hosts, for a cluster of which nothing is known, but not on these ports.
    pub fn not_on(ports: impl IntoIterator<Item = u16>) -> Self {
        Self(Rule::NotOn(ports.into_iter().collect()))
    }

    /// Whether an address is that of one of the nodes.
    pub(crate) fn includes(&self, address: &str) -> bool {
        let Some((host, port)) = address.rsplit_once(':') else { return false };
        let Ok(port) = port.parse::<u16>() else { return false };
        let is_label = |label: &str| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        match &self.0 {
            Rule::Below { endings, port: own } => {
                port == *own
                    && endings.iter().any(|ending| host.strip_suffix(ending.as_str()).is_some_and(is_label))
            }
            Rule::NotOn(ports) => !ports.contains(&port),
        }
    }

    /// The nodes, in words.
    pub(crate) fn words(&self) -> String {
        match &self.0 {
            Rule::Below { endings, port } => format!("*{}:{port}", endings.join(", *")),
            Rule::NotOn(ports) => {
                let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
                format!("those that are not on port {}", ports.join(" or "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_hosts_of_the_cluster_on_its_port_are_followed() {
        let domain = "c-kafka-brokers.ns.svc";
        let reach = Reach::new([domain.to_owned(), format!("{domain}.cluster.local")], 9091);
        for good in ["c-p-0.c-kafka-brokers.ns.svc:9091", "c-p-0.c-kafka-brokers.ns.svc.cluster.local:9091"] {
            assert!(reach.includes(good), "{good}");
        }
        for bad in [
            "c-p-0.c-kafka-brokers.ns.svc:443",
            "c-kafka-brokers.ns.svc:9091",
            ".c-kafka-brokers.ns.svc:9091",
            "a.b.c-kafka-brokers.ns.svc:9091",
            "c-p-0.c-kafka-brokers.other.svc:9091",
            "c-p-0.c-kafka-brokers.ns.svc.example.com:9091",
            "kubernetes.default.svc:9091",
            "10.0.0.1:9091",
            "[::1]:9091",
            "c-p-0.c-kafka-brokers.ns.svc",
            "a b.c-kafka-brokers.ns.svc:9091",
        ] {
            assert!(!reach.includes(bad), "{bad}");
        }
        assert_eq!(reach.words(), "*.c-kafka-brokers.ns.svc, *.c-kafka-brokers.ns.svc.cluster.local:9091");
    }

    #[test]
    fn of_a_cluster_of_which_nothing_is_known_all_hosts_are_followed_but_not_to_every_port() {
        let reach = Reach::not_on([9090, 9091]);
        for good in ["kafka.example.org:9092", "10.0.0.1:443", "[::1]:9093"] {
            assert!(reach.includes(good), "{good}");
        }
        for bad in
            ["c-p-0.c-kafka-brokers.ns.svc:9091", "10.0.0.1:9090", "[::1]:9091", "x:09091", "x:99999", "x"]
        {
            assert!(!reach.includes(bad), "{bad}");
        }
        assert_eq!(reach.words(), "those that are not on port 9090 or 9091");
    }
}
