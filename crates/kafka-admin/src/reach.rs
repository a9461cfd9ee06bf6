//! Which addresses a client follows. Brokers say where the other nodes of their cluster are, and a broker that means harm may
//! name any host: those of other people would be looked up and connected to.

/// Longest part of a host name between two dots.
const LONGEST_LABEL: usize = 63;

/// The nodes of one cluster: hosts of one label in front of one of these endings, all on one port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    endings: Vec<String>,
    port: u16,
}

impl Reach {
    /// Hosts `<label>.<domain>` of these domains.
    pub fn new(domains: impl IntoIterator<Item = impl Into<String>>, port: u16) -> Self {
        let endings = domains.into_iter().map(|domain| format!(".{}", domain.into())).collect();
        Self { endings, port }
    }

    /// Whether an address is that of one of the nodes.
    pub(crate) fn includes(&self, address: &str) -> bool {
        let Some((host, port)) = address.rsplit_once(':') else { return false };
        let is_label = |label: &str| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        port.parse() == Ok(self.port)
            && self.endings.iter().any(|ending| host.strip_suffix(ending.as_str()).is_some_and(is_label))
    }

    /// The nodes, in words.
    pub(crate) fn words(&self) -> String {
        format!("*{}:{}", self.endings.join(", *"), self.port)
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
}
