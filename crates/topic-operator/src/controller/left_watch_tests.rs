//! What becomes of topics whose resources leave the watch, against an API server of one resource.

use std::sync::PoisonError;

use operator_runtime::{batches::Ended, env::Env, metrics::Metrics};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use super::*;
use crate::{
    batch::{Done, Latest, Next, settled},
    test_resources::resource,
};

const DEADLINE: Duration = Duration::from_secs(10);

/// What the API server has.
#[derive(Clone, Default)]
struct ApiServer(Arc<Mutex<Option<Value>>>);

impl ApiServer {
    async fn start(&self) -> Client {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let shown = self.clone();
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(shown.clone().answer(connection));
            }
        });
        Client::try_from(kube::Config::new(address.parse().unwrap())).unwrap()
    }

    async fn answer(self, mut connection: TcpStream) {
        let mut request = vec![0; 64 * 1024];
        let _ = connection.read(&mut request).await;
        let shown = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (code, body) = match shown {
            Some(object) => ("200 OK", object),
            None => (
                "404 Not Found",
                json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404,
                    "message": "not found", "metadata": {}, "details": {"name": "t"}}),
            ),
        };
        let body = body.to_string();
        let answer = format!(
            "HTTP/1.1 {code}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            body.len()
        );
        let _ = connection.write_all(answer.as_bytes()).await;
    }

    fn shows(&self, object: Option<Value>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = object;
    }
}

struct Scene {
    server: ApiServer,
    controller: Controller,
    topic: TopicResource,
}

impl Scene {
    async fn new(finalizers: bool) -> Self {
        let server = ApiServer::default();
        let client = server.start().await;
        let (metrics, health) = (Metrics::new().unwrap(), Health::default());
        let parts = Parts { client, metrics, health, shutdown: CancellationToken::new() };
        let settings = Settings::from_env(&Env::from_map([
            ("STRIMZI_NAMESPACE", "ns"),
            ("STRIMZI_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1"),
            ("STRIMZI_RESOURCE_LABELS", "strimzi.io/cluster=my"),
            ("STRIMZI_USE_FINALIZERS", if finalizers { "true" } else { "false" }),
        ]))
        .unwrap();
        let mut topic = resource("t");
        if finalizers {
            topic.finalizers = [api::annotations::FINALIZER_TOPIC_OPERATOR.into()].into();
        }
        Self { server, controller: Controller::new(settings, &parts).unwrap(), topic }
    }

    /// The operator knows the resource as it is.
    fn known(mut self) -> Self {
        self.controller.index.upsert(self.topic.clone());
        self
    }

    fn begin_batch(&mut self) -> Item {
        let resource = self.controller.index.get(&self.topic.reference).unwrap().clone();
        self.controller.in_batch.insert(resource.reference.clone());
        let topic = resource.topic_key();
        assert!(self.controller.queue.begin(topic.clone()));
        Item { resource, topic, intent: Intent::Reconcile, failing: Duration::ZERO }
    }

    fn end_batch(&mut self, item: Item, latest: Latest) {
        let done = Done { latest, next: Next::Settled, ..settled(&item) };
        let report = Report { done: vec![done], ..Report::default() };
        let ended =
            Ended { members: vec![item], results: vec![report], interrupted: vec![], took: Duration::ZERO };
        self.controller.batch_done(ended);
    }

    /// The watch tells that the resource is gone, as the API server does it.
    fn tells_gone(&mut self, told_finalizer: bool) {
        let reference = self.topic.reference.clone();
        self.controller.take_in(Message::Gone { reference, told_finalizer });
    }

    /// Brings to its end what the controller looks up.
    async fn look_ups_end(&mut self) {
        let ended = async {
            while self.controller.deletions.running() == 0
                && let Some(outcome) = self.controller.tasks.join_next().await
            {
                self.controller.finish(outcome);
            }
        };
        tokio::time::timeout(DEADLINE, ended).await.unwrap();
    }

    fn deletes_the_topic(&self) -> bool {
        self.controller.deletions.running() > 0
    }

    /// The resource as it is once its label names another cluster.
    fn relabelled(&self) -> Value {
        json!({
            "apiVersion": "kafka.strimzi.io/v1", "kind": "KafkaTopic",
            "metadata": {
                "name": "t", "namespace": "ns", "uid": self.topic.uid, "resourceVersion": "2", "generation": 1,
                "labels": {"strimzi.io/cluster": "another"}, "finalizers": self.topic.finalizers,
            },
            "spec": {},
        })
    }
}

#[tokio::test]
async fn a_topic_whose_label_left_in_a_batch_stays_when_the_resource_is_deleted_later() {
    for finalizers in [true, false] {
        let mut scene = Scene::new(finalizers).await.known();
        let item = scene.begin_batch();
        scene.server.shows(Some(scene.relabelled()));
        scene.tells_gone(finalizers);
        scene.look_ups_end().await;
        // Another operator, or a user, takes the finalizer off.
        scene.server.shows(None);
        scene.end_batch(item, Latest::Gone);
        scene.look_ups_end().await;
        assert!(!scene.deletes_the_topic(), "with finalizers: {finalizers}");
    }
}

#[tokio::test]
async fn a_topic_whose_label_left_stays_when_the_watch_tells_of_it_too_late() {
    let mut scene = Scene::new(true).await.known();
    scene.server.shows(None);
    scene.tells_gone(true);
    scene.look_ups_end().await;
    assert!(!scene.deletes_the_topic());
}

#[tokio::test]
async fn a_topic_goes_with_a_resource_whose_deletion_began_before_the_finalizer_was_there() {
    let mut scene = Scene::new(true).await;
    let with_finalizer = scene.topic.clone();
    scene.topic.finalizers = Box::default();
    let mut scene = scene.known();
    let item = scene.begin_batch();
    // What the batch writes comes back first.
    scene.controller.take_in(Message::Seen(Box::new(with_finalizer)));
    scene.server.shows(None);
    scene.tells_gone(true);
    scene.look_ups_end().await;
    scene.end_batch(item, Latest::Gone);
    scene.look_ups_end().await;
    assert!(scene.deletes_the_topic());
}

#[tokio::test]
async fn a_topic_goes_with_a_resource_whose_finalizer_was_put_on_a_moment_before_the_deletion() {
    let mut scene = Scene::new(true).await;
    let with_finalizer = scene.topic.clone();
    scene.topic.finalizers = Box::default();
    let mut scene = scene.known();
    let item = scene.begin_batch();
    scene.end_batch(item, Latest::Now(Box::new(with_finalizer)));
    scene.server.shows(None);
    scene.tells_gone(true);
    scene.look_ups_end().await;
    assert!(scene.deletes_the_topic());
}

#[tokio::test]
async fn without_finalizers_a_topic_goes_with_a_resource_that_is_deleted_while_it_is_in_a_batch() {
    let mut scene = Scene::new(false).await.known();
    let item = scene.begin_batch();
    scene.server.shows(None);
    scene.tells_gone(false);
    scene.look_ups_end().await;
    assert!(!scene.deletes_the_topic(), "the batch works on it");
    scene.end_batch(item, Latest::Gone);
    scene.look_ups_end().await;
    assert!(scene.deletes_the_topic());
}

#[tokio::test]
async fn without_finalizers_what_a_user_wrote_before_the_deletion_counts_though_a_batch_ran() {
    let mut scene = Scene::new(false).await.known();
    let item = scene.begin_batch();
    let mut unmanaged = scene.topic.clone();
    unmanaged.managed = false;
    unmanaged.resource_version = "2".into();
    scene.controller.take_in(Message::Seen(Box::new(unmanaged)));
    scene.server.shows(None);
    scene.tells_gone(false);
    scene.look_ups_end().await;
    scene.end_batch(item, Latest::Gone);
    scene.look_ups_end().await;
    assert!(!scene.deletes_the_topic());
}

#[tokio::test]
async fn a_resource_that_is_made_again_while_a_batch_runs_leaves_its_former_topic_to_nobody() {
    let mut scene = Scene::new(false).await.known();
    let item = scene.begin_batch();
    scene.server.shows(None);
    let mut again = scene.topic.clone();
    (again.uid, again.topic_name, again.resource_version) = ("again".into(), "another".into(), "3".into());
    scene.controller.take_in(Message::Seen(Box::new(again)));
    scene.look_ups_end().await;
    scene.end_batch(item, Latest::Gone);
    scene.look_ups_end().await;
    assert!(scene.deletes_the_topic());
    let known = scene.controller.index.get(&scene.topic.reference).unwrap();
    assert_eq!(&*known.uid, "again");
}

#[tokio::test]
async fn a_finalizer_that_a_batch_puts_on_after_the_label_left_is_taken_off_again() {
    let mut scene = Scene::new(true).await;
    let mut with_finalizer = scene.topic.clone();
    with_finalizer.selected = false;
    scene.topic.finalizers = Box::default();
    let mut scene = scene.known();
    let item = scene.begin_batch();
    scene.server.shows(Some(scene.relabelled()));
    scene.tells_gone(false);
    scene.look_ups_end().await;
    scene.end_batch(item, Latest::Now(Box::new(with_finalizer)));
    assert!(!scene.controller.tasks.is_empty(), "it is looked up again");
}

#[tokio::test]
async fn a_resource_that_there_is_no_room_for_keeps_its_topic() {
    let mut scene = Scene::new(true).await;
    scene.topic.deleting = true;
    let mut scene = scene.known();
    let intent = |scene: &Scene| scene.controller.intent(&scene.topic);
    assert_eq!(intent(&scene), Intent::Delete("t".into()));
    // The operator was started when there was no room for it: it was never read.
    let mut unread = resource("manager");
    (unread.topic_name, unread.created) = ("t".into(), 200);
    unread.status.topic_name = Some("t".into());
    scene.controller.take_in(Message::Unreadable(Box::new(unread.clone())));
    assert_eq!(intent(&scene), Intent::Release, "another one manages the topic");
    scene.topic.deleting = false;
    assert!(matches!(intent(&scene), Intent::Refuse(_)), "and its options do not change");
    // Read at last, it is worked on like any other.
    scene.controller.take_in(Message::Seen(Box::new(unread.clone())));
    scene.controller.take_in(Message::NotUnreadable(unread.reference.clone()));
    assert!(scene.controller.index.get(&unread.reference).is_some());
    assert!(scene.controller.unreadable.is_empty() && scene.controller.never_read.is_empty());
}

#[tokio::test]
async fn a_resource_that_was_never_read_and_is_gone_wants_nothing_any_more() {
    let mut scene = Scene::new(true).await;
    scene.topic.deleting = true;
    let mut scene = scene.known();
    let mut unread = resource("heir");
    unread.topic_name = "t".into();
    scene.controller.take_in(Message::Unreadable(Box::new(unread.clone())));
    // It wants the topic, and holds up no deletion.
    assert_eq!(scene.controller.intent(&scene.topic), Intent::Release);
    scene.controller.take_in(Message::NotUnreadable(unread.reference.clone()));
    assert_eq!(scene.controller.intent(&scene.topic), Intent::Delete("t".into()));
}
