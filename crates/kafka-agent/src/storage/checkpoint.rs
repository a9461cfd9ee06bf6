//! The two snapshot files of a freshly formatted node, byte for byte as Kafka's storage tool lays them out.
//!
//! Each is a sequence of record batches of magic 2 (see "Record Batch" in Kafka's protocol documentation): a control batch
//! with the snapshot header, the content, and a control batch with the snapshot footer.

use super::features::Release;

/// File with the feature levels a new cluster starts with, in every log directory.
pub const BOOTSTRAP_FILE: &str = "bootstrap.checkpoint";

/// File with the first voters, in the metadata log: the snapshot at offset 0 of epoch 0.
pub const VOTERS_FILE: &str = "00000000000000000000-0000000000.checkpoint";

/// Keys of control records (`ControlRecordType`).
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
const KRAFT_VERSION: i16 = 5;
const KRAFT_VOTERS: i16 = 6;

/// Attribute bit of a control batch.
const CONTROL: i16 = 0x20;

/// `FeatureLevelRecord`: its API key in the metadata log, and the version written.
const FEATURE_LEVEL_RECORD: u8 = 12;

/// The KRaft version that has dynamic voters.
const DYNAMIC_VOTERS: i16 = 1;

/// A voter of a dynamic quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// Node id.
    pub id: i32,
    /// Id of its metadata log directory.
    pub directory_id: [u8; 16],
    /// Host of its controller listener.
    pub host: String,
    /// Port of its controller listener.
    pub port: u16,
}

/// A list of voters that is not of the form it has to have.
#[derive(Debug, thiserror::Error)]
#[error(
    "initial controllers: `{entry}` must have the form ID@HOST:PORT:DIRECTORY_ID, with a directory id of 22 characters"
)]
pub struct VotersError {
    /// The entry.
    entry: String,
}

/// Reads `ID@HOST:PORT:DIRECTORY_ID` joined with commas, sorted by id. IPv6 hosts stand in brackets.
pub fn parse_voters(text: &str) -> Result<Vec<Voter>, VotersError> {
    let mut voters = Vec::new();
    for entry in text.split(',') {
        let voter = parse_voter(entry.trim()).ok_or_else(|| VotersError { entry: entry.to_owned() })?;
        voters.push(voter);
    }
    voters.sort_by_key(|voter| voter.id);
    Ok(voters)
}

fn parse_voter(entry: &str) -> Option<Voter> {
    let (id, address) = entry.split_once('@')?;
    let (address, directory) = address.rsplit_once(':')?;
    let (host, port) = address.rsplit_once(':')?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return None;
    }
    Some(Voter {
        id: id.parse().ok()?,
        directory_id: super::bytes_of_id(directory)?,
        host: host.to_owned(),
        port: port.parse().ok()?,
    })
}

/// Content of [`BOOTSTRAP_FILE`]. `now` is in milliseconds since 1970.
pub fn bootstrap(release: &Release, now: i64) -> Vec<u8> {
    let mut records = vec![(None, feature_level("metadata.version", release.level))];
    for (name, level) in release.features {
        records.push((None, feature_level(name, *level)));
    }
    let count = records.len() as i64;
    let mut file = batch(0, CONTROL, now, &[header(0)]);
    file.extend(batch(1, 0, now, &records));
    file.extend(batch(1 + count, CONTROL, now, &[footer()]));
    file
}

/// Content of [`VOTERS_FILE`]. `listener` is the name of the controller listener; `now` is in milliseconds since 1970.
pub fn voters(voters: &[Voter], listener: &str, now: i64) -> Vec<u8> {
    let records = [
        header(now),
        (Some(KRAFT_VERSION), [0_i16.to_be_bytes().as_slice(), &DYNAMIC_VOTERS.to_be_bytes(), &[0]].concat()),
        (Some(KRAFT_VOTERS), voters_record(voters, listener)),
    ];
    let mut file = batch(0, CONTROL, now, &records);
    file.extend(batch(3, CONTROL, now, &[footer()]));
    file
}

/// A record: the type of a control record (`None`: a record of the metadata log, without key), and its value.
type Record = (Option<i16>, Vec<u8>);

fn header(last_contained_log_timestamp: i64) -> Record {
    let mut value = 0_i16.to_be_bytes().to_vec();
    value.extend(last_contained_log_timestamp.to_be_bytes());
    value.push(0);
    (Some(SNAPSHOT_HEADER), value)
}

fn footer() -> Record {
    (Some(SNAPSHOT_FOOTER), vec![0, 0, 0])
}

fn feature_level(name: &str, level: i16) -> Vec<u8> {
    // Frame version 1, API key, record version 0; then the fields, and no tagged ones.
    let mut value = vec![1, FEATURE_LEVEL_RECORD, 0];
    compact_string(&mut value, name);
    value.extend(level.to_be_bytes());
    value.push(0);
    value
}

fn voters_record(voters: &[Voter], listener: &str) -> Vec<u8> {
    let mut value = 0_i16.to_be_bytes().to_vec();
    unsigned_varint(&mut value, voters.len() as u32 + 1);
    for voter in voters {
        value.extend(voter.id.to_be_bytes());
        value.extend(voter.directory_id);
        unsigned_varint(&mut value, 2); // one endpoint
        compact_string(&mut value, listener);
        compact_string(&mut value, &voter.host);
        value.extend(voter.port.to_be_bytes());
        value.push(0);
        // The KRaft versions that the voter supports.
        value.extend(0_i16.to_be_bytes());
        value.extend(DYNAMIC_VOTERS.to_be_bytes());
        value.extend([0, 0]);
    }
    value.push(0);
    value
}

fn batch(base_offset: i64, attributes: i16, now: i64, records: &[Record]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(attributes.to_be_bytes());
    body.extend((records.len() as i32 - 1).to_be_bytes());
    body.extend(now.to_be_bytes());
    body.extend(now.to_be_bytes());
    body.extend((-1_i64).to_be_bytes()); // no producer: its id, its epoch, its sequence
    body.extend((-1_i16).to_be_bytes());
    body.extend((-1_i32).to_be_bytes());
    body.extend((records.len() as i32).to_be_bytes());
    for (position, (control, value)) in records.iter().enumerate() {
        let mut record = vec![0]; // attributes
        varint(&mut record, 0); // time after the first record
        varint(&mut record, position as i32);
        match control {
            Some(control) => {
                varint(&mut record, 4);
                record.extend(0_i16.to_be_bytes());
                record.extend(control.to_be_bytes());
            }
            None => varint(&mut record, -1),
        }
        varint(&mut record, value.len() as i32);
        record.extend(value);
        varint(&mut record, 0); // headers
        varint(&mut body, record.len() as i32);
        body.extend(record);
    }
    let mut batch = base_offset.to_be_bytes().to_vec();
    batch.extend((body.len() as i32 + 9).to_be_bytes()); // what follows: epoch, magic, checksum, body
    batch.extend(0_i32.to_be_bytes());
    batch.push(2);
    batch.extend(crc32c(&body).to_be_bytes());
    batch.extend(body);
    batch
}

fn compact_string(target: &mut Vec<u8>, text: &str) {
    unsigned_varint(target, text.len() as u32 + 1);
    target.extend(text.as_bytes());
}

fn varint(target: &mut Vec<u8>, value: i32) {
    unsigned_varint(target, ((value << 1) ^ (value >> 31)) as u32);
}

fn unsigned_varint(target: &mut Vec<u8>, mut value: u32) {
    while value >= 0x80 {
        target.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    target.push(value as u8);
}

/// CRC-32C (Castagnoli), bit by bit: the input is a few hundred bytes, once in the life of a node.
fn crc32c(data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in data {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 { (sum >> 1) ^ 0x82f6_3b78 } else { sum >> 1 };
        }
    }
    !sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::features;

    #[test]
    fn the_checksum_is_castagnolis() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
    }

    /// The control batch that Kafka 4.3.1's storage tool wrote at this time.
    #[test]
    fn the_snapshot_header_is_the_one_kafka_writes() {
        let written = [
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x47, 0, 0, 0, 0, 2, 0xca, 0x1c, 0x2a, 0x89, 0, 0x20, 0, 0, 0,
            0, 0, 0, 1, 0xa1, 0xfc, 0xb4, 1, 0xe1, 0, 0, 1, 0xa1, 0xfc, 0xb4, 1, 0xe1,
        ];
        let file = bootstrap(features::release("4.3-IV0").unwrap(), 0x01a1_fcb4_01e1);
        assert_eq!(file.len(), 411);
        assert_eq!(file[..written.len()], written);
    }

    #[test]
    fn voters_are_read_sorted_and_mistakes_are_named() {
        let id = "JEXY6aqzQY-32P5TStzaFg";
        let list = parse_voters(&format!("2@b.example:9090:{id},0@[::1]:9091:{id}")).unwrap();
        assert_eq!((list[0].id, list[0].host.as_str(), list[0].port), (0, "::1", 9091));
        assert_eq!((list[1].id, list[1].host.as_str()), (2, "b.example"));
        for wrong in
            ["", "0@h:9090", "x@h:1:JEXY6aqzQY-32P5TStzaFg", "0@h:90900:JEXY6aqzQY-32P5TStzaFg", "0@h:1:abc"]
        {
            assert!(
                parse_voters(wrong).unwrap_err().to_string().contains("ID@HOST:PORT:DIRECTORY_ID"),
                "{wrong}"
            );
        }
    }
}
