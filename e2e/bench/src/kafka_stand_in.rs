//! Plays the Kafka nodes of all clusters on Kafka's own protocol: each answers what a node that was started with its
//! ConfigMap would answer, and shows the certificate in its Secret. All listen at one address; the name in the TLS handshake
//! tells which node is meant.

mod answers;
mod node;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use anyhow::{Context as _, ensure};
use bytes::{BufMut, Bytes, BytesMut};
use kafka_protocol::{
    messages::{
        ApiVersionsRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeQuorumRequest,
        MetadataRequest, RequestHeader, ResponseHeader,
    },
    protocol::{Decodable, Encodable, HeaderVersion, Request},
};
use kube::Client;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::OnceCell,
    task::JoinHandle,
};
use tokio_rustls::LazyConfigAcceptor;

use node::{Cluster, Node};

/// Where all nodes listen: an address of the loopback interface that nothing else uses.
pub(crate) const ADDRESS: &str = "127.0.91.1";
/// Longest request that is read. Bytes.
const LONGEST: usize = 1024 * 1024;

type Clusters = Mutex<HashMap<String, Arc<OnceCell<Cluster>>>>;

/// The nodes of all clusters of a namespace. They end when it is dropped.
pub(crate) struct KafkaStandIn {
    tasks: Vec<JoinHandle<()>>,
    world: Arc<World>,
}

struct World {
    client: Client,
    namespace: String,
    clusters: Clusters,
    answered: AtomicUsize,
}

impl KafkaStandIn {
    /// Listens on the ports of brokers and controllers. What it needs of a cluster is read when a node is first asked, as
    /// a node reads it when it starts.
    pub(crate) async fn start(client: Client, namespace: String) -> anyhow::Result<Self> {
        let world = Arc::new(World {
            client,
            namespace,
            clusters: Clusters::default(),
            answered: AtomicUsize::new(0),
        });
        let mut tasks = Vec::new();
        for port in [api::ports::REPLICATION, api::ports::CONTROL_PLANE] {
            let port = u16::try_from(port)?;
            let listener = TcpListener::bind((ADDRESS, port)).await;
            let listener = listener.with_context(|| format!("listen on {ADDRESS}:{port}"))?;
            tasks.push(tokio::spawn(listen(listener, Arc::clone(&world))));
        }
        Ok(Self { tasks, world })
    }

    /// Requests that were answered so far.
    pub(crate) fn answered(&self) -> usize {
        self.world.answered.load(Ordering::Relaxed)
    }
}

impl Drop for KafkaStandIn {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

async fn listen(listener: TcpListener, world: Arc<World>) {
    while let Ok((stream, _)) = listener.accept().await {
        let world = Arc::clone(&world);
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &world).await {
                crate::report::progress(format!("the stand-in of Kafka closed a connection: {error:#}"));
            }
        });
    }
}

async fn serve(stream: TcpStream, world: &World) -> anyhow::Result<()> {
    stream.set_nodelay(true)?;
    let start = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().context("the client names no host")?.to_owned();
    let (cluster, node) = world.node(&name).await?;
    let cluster = cluster.get().context("the cluster is not known")?;
    let node = cluster.node(node.as_deref()).with_context(|| format!("there is no node {name}"))?;
    let mut stream = start.into_stream(Arc::clone(&node.tls)).await?;
    // The client ends the connection between two requests.
    while let Ok(length) = stream.read_i32().await {
        let length = usize::try_from(length)?;
        ensure!((8..=LONGEST).contains(&length), "a request of {length} bytes");
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).await?;
        let answer = answer(Bytes::from(frame), cluster, node)?;
        stream.write_all(&answer).await?;
        stream.flush().await?;
        world.answered.fetch_add(1, Ordering::Relaxed);
    }
    Ok(())
}

impl World {
    /// The cluster of a host name, and the name of the pod; `None`: any of its nodes.
    async fn node(&self, host: &str) -> anyhow::Result<(Arc<OnceCell<Cluster>>, Option<String>)> {
        let mut labels = host.split('.');
        let (first, second) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
        let (cluster, pod) = if let Some(cluster) = first.strip_suffix("-kafka-bootstrap") {
            (cluster, None)
        } else {
            let cluster = second.strip_suffix("-kafka-brokers");
            (cluster.with_context(|| format!("{host} is no node of a cluster"))?, Some(first.to_owned()))
        };
        let known = {
            let mut all = self.clusters.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(cluster.to_owned()).or_default())
        };
        known.get_or_try_init(|| Cluster::read(&self.client, &self.namespace, cluster)).await?;
        Ok((known, pod))
    }
}

/// The whole frame of the answer to a request.
fn answer(frame: Bytes, cluster: &Cluster, node: &Node) -> anyhow::Result<BytesMut> {
    let key = i16::from_be_bytes([frame[0], frame[1]]);
    match key {
        ApiVersionsRequest::KEY => reply::<ApiVersionsRequest>(frame, |_| answers::versions(cluster)),
        DescribeClusterRequest::KEY => {
            reply::<DescribeClusterRequest>(frame, |request| answers::cluster(cluster, &request))
        }
        DescribeQuorumRequest::KEY => reply::<DescribeQuorumRequest>(frame, |_| answers::quorum(cluster)),
        DescribeConfigsRequest::KEY => {
            reply::<DescribeConfigsRequest>(frame, |request| answers::configs(node, &request))
        }
        MetadataRequest::KEY => reply::<MetadataRequest>(frame, |_| answers::metadata(cluster)),
        other => anyhow::bail!("the stand-in of Kafka knows no request {other}"),
    }
}

fn reply<R: Request>(mut frame: Bytes, answer: impl FnOnce(R) -> R::Response) -> anyhow::Result<BytesMut> {
    let version = i16::from_be_bytes([frame[2], frame[3]]);
    let head = RequestHeader::decode(&mut frame, R::header_version(version))?;
    let request = R::decode(&mut frame, version)?;
    let mut whole = BytesMut::new();
    whole.put_i32(0);
    ResponseHeader::default()
        .with_correlation_id(head.correlation_id)
        .encode(&mut whole, R::Response::header_version(version))?;
    answer(request).encode(&mut whole, version)?;
    let length = i32::try_from(whole.len() - 4)?;
    whole[..4].copy_from_slice(&length.to_be_bytes());
    Ok(whole)
}
