use operator_runtime::client;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// An API server that has KafkaNodePools of these names.
async fn api_server(pools: &'static [&'static str]) -> Applier {
    client::install_crypto_provider();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut request = vec![0; 8192];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let asked = pools.iter().filter(|name| request.contains(&format!("metadata.name%3D{name}")));
            let items: Vec<Value> =
                asked.map(|name| json!({"metadata": {"name": name, "uid": "any"}})).collect();
            let answer = json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1",
                "metadata": {"resourceVersion": "1"}, "items": items})
            .to_string();
            let head = format!(
                "HTTP/1.1 200 x\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
                answer.len()
            );
            stream.write_all(format!("{head}{answer}").as_bytes()).await.unwrap();
        }
    });
    Applier::new(kube::Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap())
}

fn pod_set(pool: &str, owner: &str) -> (String, Arc<StrimziPodSet>) {
    let owner =
        json!({"apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaNodePool", "name": pool, "uid": owner});
    let name = format!("c-{pool}");
    let set = json!({"metadata": {"name": name, "namespace": "ns", "ownerReferences": [owner],
            "labels": {"strimzi.io/pool-name": pool}, "annotations": {"kastellan.io/node-pool": "{}"}},
        "spec": {"selector": {}, "pods": [{}]}});
    (name, Arc::new(serde_json::from_value(set).unwrap()))
}

fn pool(name: &str, cluster: &str, uid: &str) -> Arc<KafkaNodePool> {
    let pool = json!({"metadata": {"name": name, "namespace": "ns", "uid": uid, "labels": {"strimzi.io/cluster": cluster}},
        "spec": {"replicas": 1, "roles": ["controller"], "storage": {"type": "ephemeral"}}});
    Arc::new(serde_json::from_value(pool).unwrap())
}

/// What is taken for deleted of the pools of these pod sets, where the cache has these pools, of which the first is the cluster's.
async fn found(
    applier: &Applier,
    cached: Vec<Arc<KafkaNodePool>>,
    own: usize,
    sets: &[(&str, &str)],
) -> Option<BTreeSet<String>> {
    let pools = Pools {
        own: cached.iter().take(own).map(|pool| (pool.name_any(), Arc::clone(pool))).collect(),
        ..Pools::default()
    };
    let cache = Cache::fixed(cached.iter().map(|pool| (ObjectRef::of(&**pool), pool.as_ref().clone())));
    let sets = sets.iter().map(|(pool, owner)| pod_set(pool, owner)).collect();
    deleted(&cache, applier, &ObjectRef::new("ns", "c"), &pools, &sets).await.unwrap()
}

#[tokio::test]
async fn a_pool_is_gone_when_the_api_server_says_so_and_a_cache_that_is_behind_decides_nothing() {
    let applier = api_server(&["behind"]).await;
    let none = || Some(BTreeSet::new());
    let gone = || Some(BTreeSet::from(["gone".to_owned()]));
    let own = || vec![pool("own", "c", "u")];
    assert_eq!(found(&applier, own(), 1, &[("own", "u")]).await, none());
    assert_eq!(found(&applier, own(), 1, &[("own", "u"), ("gone", "v")]).await, gone());
    assert_eq!(found(&applier, own(), 1, &[("behind", "w"), ("gone", "v"), ("own", "u")]).await, None);
    // A pool of the name belongs to another cluster by now; and a pool of which only the label changed still has its nodes here.
    assert_eq!(found(&applier, vec![pool("gone", "d", "x")], 0, &[("gone", "v")]).await, gone());
    assert_eq!(found(&applier, vec![pool("gone", "d", "v")], 0, &[("gone", "v")]).await, none());
}
