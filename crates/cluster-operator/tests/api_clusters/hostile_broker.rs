//! Brokers whose answers are made to do harm, under the names of the brokers of a cluster.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use kafka_protocol::messages::ApiKey;
use kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use kafka_protocol::protocol::Encodable;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use test_support::PaperCluster;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::world::World;

/// What stands before the list of nodes in the description of a cluster: no fields, no wait, no error, brokers, the name `c`, no
/// controller.
const CLUSTER: [u8; 15] = [0, 0, 0, 0, 0, 0, 0, 1, 1, 2, b'c', 0, 0, 0, 0];

/// A list of 4,294,967,295 items, then nothing to speak of: 137 GB of memory for whoever believes it.
const CLAIM: [u8; 9] = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0, 0, 0];

/// Nearly the longest answer that the operator reads. Bytes.
const LONG: usize = 16 * 1024 * 1024 - 1024;

/// What a broker answers, beside its versions.
#[derive(Clone, Copy)]
pub(crate) enum Answer {
    /// A claim of very many nodes to the question which there are.
    Claim,
    /// Which nodes there are as is fit; as the options of the broker very many, each of which takes many times the memory of its
    /// bytes; and to everything else very many bytes.
    Long,
    /// No harm: it answers as it should, but never says that it has changed a quota.
    KeepsQuotas,
}

/// The broker of a cluster of one node. It ends when it is dropped.
pub(crate) struct HostileBroker {
    task: JoinHandle<()>,
    answered: Arc<AtomicUsize>,
}

impl Drop for HostileBroker {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl HostileBroker {
    /// Listens with the certificate of the pod of a cluster at an address of the loopback interface.
    pub(crate) async fn start(
        world: &World,
        cluster: &str,
        pod: &str,
        address: &str,
        answer: Answer,
    ) -> Self {
        let id = world.get("ConfigMap", pod).await.data["data"][api::names::keys::CLUSTER_ID].clone();
        let id = id.as_str().unwrap().to_owned();
        let host = api::names::pod_dns(cluster, pod, &world.namespace);
        let port = u16::try_from(api::ports::REPLICATION).unwrap();
        let paper = PaperCluster { id, nodes: vec![(0, host, port)] };
        let listener = TcpListener::bind((address, 9091)).await.unwrap();
        let secret = world.get("Secret", pod).await;
        let part = |ending: &str| {
            STANDARD.decode(secret.data["data"][format!("{pod}.{ending}")].as_str().unwrap()).unwrap()
        };
        let chain = CertificateDer::pem_slice_iter(&part("crt")).collect::<Result<Vec<_>, _>>().unwrap();
        let key = PrivateKeyDer::from_pem_slice(&part("key")).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .unwrap();
        let (acceptor, answered) = (TlsAcceptor::from(Arc::new(config)), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&answered);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, paper, count) = (acceptor.clone(), paper.clone(), Arc::clone(&count));
                tokio::spawn(async move {
                    // The client ends a connection that it does not like.
                    let _ = serve(stream, &acceptor, &paper, answer, &count).await;
                });
            }
        });
        Self { task, answered }
    }

    /// How often it has answered to do harm.
    pub(crate) fn answered(&self) -> usize {
        self.answered.load(Ordering::Relaxed)
    }
}

async fn serve(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    paper: &PaperCluster,
    answer: Answer,
    count: &AtomicUsize,
) -> std::io::Result<()> {
    let mut stream = acceptor.accept(stream).await?;
    loop {
        let length = stream.read_i32().await?;
        let mut request = vec![0; usize::try_from(length).unwrap_or_default()];
        stream.read_exact(&mut request).await?;
        let [key, version] = [0, 2].map(|at| i16::from_be_bytes([request[at], request[at + 1]]));
        let key = ApiKey::try_from(key).unwrap();
        let mut content = request[4..8].to_vec();
        let mut harms = true;
        match (answer, key) {
            (_, ApiKey::ApiVersions) => {
                content.extend(paper.answer(key, version).unwrap());
                harms = false;
            }
            (Answer::KeepsQuotas, ApiKey::AlterClientQuotas) => {
                count.fetch_add(1, Ordering::Relaxed);
                continue;
            }
            (Answer::Long, ApiKey::DescribeCluster) | (Answer::KeepsQuotas, _) => {
                // No fields of the head.
                content.push(0);
                content.extend(paper.answer(key, version).unwrap_or_default());
                harms = false;
            }
            (Answer::Claim, _) => content.extend([&CLUSTER[..], &CLAIM].concat()),
            (Answer::Long, ApiKey::DescribeConfigs) => content.extend(options(version)),
            (Answer::Long, _) => content.resize(LONG, 0),
        }
        stream.write_i32(i32::try_from(content.len()).unwrap_or_default()).await?;
        // The client may end the connection at the length alone.
        count.fetch_add(usize::from(harms), Ordering::Relaxed);
        stream.write_all(&content).await?;
        stream.flush().await?;
    }
}

/// Options of the broker without names, as many as there is room for.
fn options(version: i16) -> Vec<u8> {
    let mut option = Vec::new();
    DescribeConfigsResourceResult::default().encode(&mut option, version).unwrap();
    let count = LONG / option.len() - 100;
    // No fields, no wait; of one resource no error, its type and name; the number of its options, and one more.
    let mut content = vec![0, 0, 0, 0, 0, 2, 0, 0, 0, 4, 2, b'0'];
    let mut left = count + 1;
    while left > 0x7f {
        content.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    content.push(left as u8);
    content.extend(option.repeat(count));
    content.extend([0, 0]);
    content
}

/// A file of host names in which those of the broker of each cluster, a pod `<cluster>-<pool>-0`, lead to its address.
pub(crate) fn hosts(namespace: &str, pods: &[(&str, &str, String)]) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "127.0.0.1 localhost").unwrap();
    for (cluster, pod, address) in pods {
        writeln!(file, "{address} {cluster}-kafka-bootstrap.{namespace}.svc").unwrap();
        writeln!(file, "{address} {pod}.{cluster}-kafka-brokers.{namespace}.svc").unwrap();
    }
    file
}
