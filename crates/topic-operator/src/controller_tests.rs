use operator_runtime::{env::Env, metrics::Metrics};
use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn a_list_that_takes_long_is_waited_for_and_is_no_reason_for_a_restart() {
    const SILENCE: Duration = Duration::from_millis(20);
    // It takes connections, and answers nothing.
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", server.local_addr().unwrap());
    let client = Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap();
    let health = Health::with_silence(SILENCE);
    let (metrics, shutdown) = (Metrics::new().unwrap(), CancellationToken::new());
    let parts = Parts { client, metrics, health: health.clone(), shutdown: shutdown.clone() };
    let settings = Settings::from_env(&Env::from_map([
        ("STRIMZI_NAMESPACE", "ns"),
        ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
    ]))
    .unwrap();
    let operator = start(settings, &parts).unwrap();
    tokio::time::sleep(SILENCE * 10).await;
    assert_eq!(health.alive(), Ok(()));
    assert!(health.ready().is_err());
    shutdown.cancel();
    operator.ended().await;
}
