//! `meta.properties`: whose data a log directory holds.

use crate::properties::{self, Malformed, Properties};

/// Name of the file in every log directory.
pub const FILE: &str = "meta.properties";

/// The content of a `meta.properties`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MetaProperties {
    /// Id of the cluster.
    pub cluster_id: Option<String>,
    /// Id of the node (`broker.id` in files of version 0, from clusters that once ran with ZooKeeper).
    pub node_id: Option<i32>,
    /// Id of the directory (22 characters); old files have none, and Kafka then adds one.
    pub directory_id: Option<String>,
}

/// Reads the file's text. Unknown keys are ignored, numbers that are none count as absent.
pub fn parse(text: &str) -> Result<MetaProperties, Malformed> {
    let mut values = properties::parse(text)?;
    let node_id = values.remove("node.id").or_else(|| values.remove("broker.id"));
    Ok(MetaProperties {
        cluster_id: values.remove("cluster.id"),
        node_id: node_id.and_then(|id| id.trim().parse().ok()),
        directory_id: values.remove("directory.id"),
    })
}

/// The file's text for a directory that is being formatted, in Kafka's own order of keys.
pub fn write(cluster_id: &str, node_id: i32, directory_id: &str) -> String {
    let values = [
        ("cluster.id", cluster_id),
        ("directory.id", directory_id),
        ("node.id", &node_id.to_string()),
        ("version", "1"),
    ];
    format!("#\n#Formatted by kafka-agent\n{}", values.into_iter().collect::<Properties>().to_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_old_files_are_understood() {
        let meta = parse(&write("MkU3OEVBNTcwNTJENDM2Qg", 7, "JEXY6aqzQY-32P5TStzaFg")).unwrap();
        assert_eq!(meta.cluster_id.as_deref(), Some("MkU3OEVBNTcwNTJENDM2Qg"));
        assert_eq!((meta.node_id, meta.directory_id.as_deref()), (Some(7), Some("JEXY6aqzQY-32P5TStzaFg")));
        assert_eq!(parse("version=0\nbroker.id=3\ncluster.id=x\n").unwrap().node_id, Some(3));
    }
}
