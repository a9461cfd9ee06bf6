//! The cluster operator under test, in a world of resources of one kind.

use std::fmt::Debug;
use std::marker::PhantomData;

use cluster_operator::settings::Settings;
use kube::Resource;
use operator_runtime::env::Env;
use operator_runtime::program::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;
use test_world::UnderTest;
use tokio::task::JoinHandle;

/// The operator under test.
pub(crate) struct ClusterOperator<K>(PhantomData<K>);

impl<K> UnderTest for ClusterOperator<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static,
{
    type Resource = K;
    type Operator = JoinHandle<()>;

    fn start(env: &Env, parts: &Parts) -> JoinHandle<()> {
        let (settings, parts) = (Settings::from_env(env).unwrap(), parts.clone());
        tokio::spawn(async move {
            let Parts { client, metrics, health, shutdown } = parts;
            cluster_operator::operate(&settings, client, &health, &metrics, &shutdown).await.unwrap();
        })
    }

    async fn ended(operator: JoinHandle<()>) {
        operator.await.unwrap();
    }
}
