use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::Api;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use kube::core::DynamicObject;
use serde_json::json;
use test_support::wait;

use crate::world::{DEADLINE, OWNED, World, condition, kafka, pool, resource};

#[tokio::test]
async fn a_cluster_gets_all_its_objects_each_with_its_owner() {
    let world = World::start("objects").await;
    world.usual("c").await;
    for (kind, name) in [
        ("Secret", "c-cluster-ca"),
        ("Secret", "c-cluster-ca-cert"),
        ("Secret", "c-clients-ca"),
        ("Secret", "c-clients-ca-cert"),
        ("Secret", "c-dual-2"),
        ("ConfigMap", "c-dual-2"),
        ("Service", "c-kafka-bootstrap"),
        ("Service", "c-kafka-brokers"),
        ("ServiceAccount", "c-kafka"),
        ("PersistentVolumeClaim", "data-0-c-dual-2"),
        ("NetworkPolicy", "c-network-policy-kafka"),
        ("PodDisruptionBudget", "c-kafka"),
        ("StrimziPodSet", "c-dual"),
    ] {
        world.exists(kind, name).await;
    }
    let selector = ListParams::default().labels("strimzi.io/cluster=c");
    for kind in OWNED {
        for object in world.api(kind).list(&selector).await.unwrap() {
            let owners = object.owner_references();
            let owner = owners.first().map(|owner| owner.kind.as_str());
            let expected = match kind {
                // Volumes stay when the cluster goes, unless they are asked to go with it.
                "PersistentVolumeClaim" => None,
                "Pod" => Some("StrimziPodSet"),
                "StrimziPodSet" => Some("KafkaNodePool"),
                _ => owner.filter(|kind| ["Kafka", "KafkaNodePool"].contains(kind)).or(Some("Kafka")),
            };
            assert_eq!(owner, expected, "{kind} {}", object.name_any());
        }
    }
    // Nothing but applies own fields: else a field that is no longer wanted would stay.
    let secret = world.get("Secret", "c-cluster-ca-cert").await;
    assert!(secret.managed_fields().iter().all(|entry| entry.operation.as_deref() == Some("Apply")));
    let kafka = world.deploying("c").await;
    let why = condition(&kafka, "NotReady", "Creating").unwrap()["message"].as_str().unwrap();
    assert!(why.contains("c-dual-0"), "{why}");
    let pool = world
        .until("KafkaNodePool", "dual", "knows its nodes", |pool| {
            pool.data["status"]["nodeIds"] == json!([0, 1, 2])
        })
        .await;
    assert_eq!(pool.data["status"]["replicas"], 3);
}

#[tokio::test]
async fn a_pod_that_is_deleted_comes_back() {
    let world = World::start("pods").await;
    world.usual("c").await;
    let before = world.get("Pod", "c-dual-1").await.uid();
    world.delete("Pod", "c-dual-1").await;
    world.until("Pod", "c-dual-1", "is a new pod", |pod| pod.uid() != before).await;
}

#[tokio::test]
async fn passes_over_an_unchanged_cluster_write_nothing() {
    let mut world = World::without_operator(test_support::ApiServer::shared().await.unwrap(), "idle").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "500");
    world.start_operator().await;
    world.usual("c").await;
    world.passes(3).await;
    let version = async |kind: &str, name: &str| world.get(kind, name).await.resource_version();
    let before =
        (world.versions("c").await, version("Kafka", "c").await, version("KafkaNodePool", "dual").await);
    world.passes(4).await;
    let after =
        (world.versions("c").await, version("Kafka", "c").await, version("KafkaNodePool", "dual").await);
    assert_eq!(before, after);
    assert_eq!(world.metric("strimzi_reconciliations_failed_total"), 0);
}

#[tokio::test]
async fn what_somebody_changes_by_hand_is_put_right() {
    let world = World::start("drift").await;
    world.usual("c").await;

    let ports = world.get("Service", "c-kafka-bootstrap").await.data["spec"]["ports"].clone();
    let mut drifted = ports.clone();
    drifted[0]["targetPort"] = json!(1);
    world.patch("Service", "c-kafka-bootstrap", json!({"spec": {"ports": drifted}})).await;
    world
        .until("Service", "c-kafka-bootstrap", "has its ports again", |service| {
            service.data["spec"]["ports"] == ports
        })
        .await;

    let selector = world.get("Service", "c-kafka-bootstrap").await.data["spec"]["selector"].clone();
    world.patch("Service", "c-kafka-bootstrap", json!({"spec": {"selector": {"app": "nothing"}}})).await;
    world
        .until("Service", "c-kafka-bootstrap", "selects the brokers again", |service| {
            service.data["spec"]["selector"] == selector
        })
        .await;

    let data = world.get("ConfigMap", "c-dual-0").await.data["data"].clone();
    world.patch("ConfigMap", "c-dual-0", json!({"data": {"server.config": "process.roles=none"}})).await;
    world.until("ConfigMap", "c-dual-0", "has its content again", |map| map.data["data"] == data).await;

    let policy = world.get("NetworkPolicy", "c-network-policy-kafka").await;
    world.patch("NetworkPolicy", "c-network-policy-kafka", json!({"spec": {"ingress": []}})).await;
    world
        .until("NetworkPolicy", "c-network-policy-kafka", "has its rules again", |now| {
            now.data["spec"] == policy.data["spec"]
        })
        .await;

    let before = world.get("Service", "c-kafka-brokers").await.uid();
    world.delete("Service", "c-kafka-brokers").await;
    world.until("Service", "c-kafka-brokers", "is made again", |service| service.uid() != before).await;
}

#[tokio::test]
async fn a_status_that_is_written_over_is_put_right_at_once() {
    let world = World::start("statuses").await;
    world.usual("c").await;
    for (kind, name, field, value) in [
        ("StrimziPodSet", "c-dual", "currentPods", json!(7)),
        ("Kafka", "c", "listeners", json!([])),
        ("KafkaNodePool", "dual", "nodeIds", json!([])),
    ] {
        // No pass is under way that would put it right as well.
        world.has_it_looked_at(&world.api("KafkaNodePool"), "dual").await;
        let right = world.get(kind, name).await.data["status"][field].clone();
        let patch = Patch::Merge(json!({"status": {field: value}}));
        world.api(kind).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
        let words = format!("has its {field} again");
        world.promptly(kind, name, &words, |now| now.data["status"][field] == right).await;
    }
}

#[tokio::test]
async fn a_label_of_a_resource_reaches_its_objects_and_restarts_nothing() {
    let world = World::start("labels").await;
    world.usual("c").await;
    let before = world.exists("Deployment", "c-entity-operator").await;
    let pod = world.get("Pod", "c-dual-1").await.uid();
    let label = json!({"metadata": {"labels": {"team": "a"}}});
    world.patch("Kafka", "c", label.clone()).await;
    world.patch("KafkaNodePool", "dual", label).await;
    let is_labelled = |object: &DynamicObject| object.labels().get("team").is_some_and(|team| team == "a");
    for (kind, name) in
        [("Deployment", "c-entity-operator"), ("Service", "c-kafka-brokers"), ("Pod", "c-dual-1")]
    {
        world.until(kind, name, "has the label", is_labelled).await;
    }
    world.has_it_looked_at(&world.api("Service"), "c-kafka-brokers").await;
    let after = world.get("Deployment", "c-entity-operator").await;
    assert_eq!(after.data["spec"]["template"], before.data["spec"]["template"]);
    assert_eq!(after.metadata.generation, before.metadata.generation);
    assert_eq!(world.get("Pod", "c-dual-1").await.uid(), pod);
    // Taken off again, it leaves what it reached, but for pods that run.
    world.patch("Kafka", "c", json!({"metadata": {"labels": {"team": null}}})).await;
    world.until("Deployment", "c-entity-operator", "has lost the label", |now| !is_labelled(now)).await;
    let last = world.get("Deployment", "c-entity-operator").await;
    assert_eq!(last.metadata.generation, before.metadata.generation);
}

#[tokio::test]
async fn a_change_of_the_resource_changes_what_it_must_and_no_more() {
    let world = World::start("change").await;
    world.usual("c").await;
    let before = world.versions("c").await;
    let labelled = |value: serde_json::Value| json!({"spec": {"kafka": {"template": {"bootstrapService": {"metadata": {"labels": value}}}}}});
    world.patch("Kafka", "c", labelled(json!({"team": "blue"}))).await;
    let has = |object: &DynamicObject| object.labels().get("team").is_some_and(|team| team == "blue");
    world.until("Service", "c-kafka-bootstrap", "has the label", has).await;
    world.deploying("c").await;
    let mut after = world.versions("c").await;
    after.insert("Service c-kafka-bootstrap".to_owned(), before["Service c-kafka-bootstrap"].clone());
    assert_eq!(before, after);
    world.patch("Kafka", "c", labelled(json!(null))).await;
    world.until("Service", "c-kafka-bootstrap", "has lost the label", |object| !has(object)).await;

    let listeners = kafka("c")["spec"]["kafka"]["listeners"][1].clone();
    world.patch("Kafka", "c", json!({"spec": {"kafka": {"listeners": [listeners]}}})).await;
    world
        .until("Service", "c-kafka-bootstrap", "has lost the port", |service| {
            !service.data["spec"]["ports"].as_array().unwrap().iter().any(|port| port["port"] == 9092)
        })
        .await;
}

#[tokio::test]
async fn a_pool_grows_by_a_node_with_all_that_it_needs() {
    let world = World::start("grow").await;
    world.usual("c").await;
    let before = world.get("Pod", "c-dual-0").await.uid();
    world.patch("KafkaNodePool", "dual", json!({"spec": {"replicas": 4}})).await;
    for (kind, name) in [
        ("PersistentVolumeClaim", "data-0-c-dual-3"),
        ("Secret", "c-dual-3"),
        ("ConfigMap", "c-dual-3"),
        ("Pod", "c-dual-3"),
    ] {
        world.exists(kind, name).await;
    }
    assert_eq!(world.get("Pod", "c-dual-0").await.uid(), before);
}

#[tokio::test]
async fn a_volume_grows_where_its_class_allows_it_and_else_the_status_says_why() {
    let world = World::start("volumes").await;
    let class = |grows: bool| {
        json!({"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": world.namespace},
            "provisioner": "none", "allowVolumeExpansion": grows})
    };
    let classes = Api::<DynamicObject>::all_with(world.client.clone(), &resource("StorageClass"));
    let set = async |grows: bool| {
        let parameters = PatchParams::apply("user").force();
        classes.patch(&world.namespace, &parameters, &Patch::Apply(class(grows))).await.unwrap();
    };
    set(false).await;
    let mut dual = pool("c", "dual", 3);
    dual["spec"]["storage"]["volumes"][0]["class"] = json!(world.namespace);
    world.apply(&dual).await;
    world.apply(&kafka("c")).await;
    world.running("c", 3).await;
    let claim = "data-0-c-dual-0";
    let asks = |size: &'static str| {
        move |claim: &DynamicObject| claim.data["spec"]["resources"]["requests"]["storage"] == size
    };
    world
        .until("PersistentVolumeClaim", claim, "is bound", |claim| claim.data["status"]["phase"] == "Bound")
        .await;
    dual["spec"]["storage"]["volumes"][0]["size"] = json!("3Gi");
    world.apply(&dual).await;
    world
        .until("Kafka", "c", "says why the volume stays", |kafka| {
            condition(kafka, "Warning", "PvcResizingWarning").is_some()
        })
        .await;
    assert!(asks("2Gi")(&world.get("PersistentVolumeClaim", claim).await));
    set(true).await;
    world.patch("Kafka", "c", json!({"metadata": {"annotations": {"look": "again"}}})).await;
    world.until("PersistentVolumeClaim", claim, "grows", asks("3Gi")).await;
    world
        .until("Kafka", "c", "has nothing to say any more", |kafka| {
            condition(kafka, "Warning", "PvcResizingWarning").is_none()
        })
        .await;
}

#[tokio::test]
async fn what_the_resource_no_longer_asks_for_goes() {
    let world = World::with(
        test_support::ApiServer::shared().await.unwrap(),
        "entity",
        test_support::stand_in::Fate::Ready,
    )
    .await;
    let mut world = world;
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    world.apply(&kafka("c")).await;
    world.exists("Pod", "c-dual-0").await;
    for (kind, name) in [("ServiceAccount", "c-entity-operator"), ("Role", "c-entity-operator")] {
        world.exists(kind, name).await;
    }
    world.patch("Kafka", "c", json!({"spec": {"entityOperator": null}})).await;
    for (kind, name) in [
        ("Deployment", "c-entity-operator"),
        ("ServiceAccount", "c-entity-operator"),
        ("Role", "c-entity-operator"),
        ("RoleBinding", "c-entity-topic-operator-role"),
        ("Secret", "c-entity-topic-operator-certs"),
    ] {
        world.gone(kind, name).await;
    }
    world.exists("Service", "c-kafka-bootstrap").await;
}

#[tokio::test]
async fn the_cluster_wide_binding_for_a_rack_is_written_once_and_goes_with_the_rack() {
    let server: &'static test_support::ApiServer =
        Box::leak(Box::new(test_support::ApiServer::start().await.unwrap()));
    let mut world = World::without_operator(server, "rack").await;
    world.set("STRIMZI_FULL_RECONCILIATION_INTERVAL_MS", "500");
    world.start_operator().await;
    world.apply(&pool("c", "dual", 3)).await;
    let mut racked = kafka("c");
    racked["spec"]["kafka"]["rack"] = json!({"topologyKey": "topology.kubernetes.io/zone"});
    world.apply(&racked).await;
    world.running("c", 3).await;
    let bindings = Api::<DynamicObject>::all_with(world.client.clone(), &resource("ClusterRoleBinding"));
    let name = format!("strimzi-{}-c-kafka-init", world.namespace);
    wait::for_object(&bindings, &name, DEADLINE, "exists", |_| true).await.unwrap();
    world.passes(3).await;
    let writes = async || {
        let request = http::Request::get("/metrics").body(Vec::new()).unwrap();
        let text = world.client.request_text(request).await.unwrap();
        let lines = text.lines().filter(|line| {
            line.starts_with("apiserver_request_total")
                && line.contains("resource=\"clusterrolebindings\"")
                && line.contains("verb=\"APPLY\"")
        });
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).sum::<u64>()
    };
    let before = writes().await;
    assert_ne!(before, 0, "the server counts otherwise");
    world.passes(4).await;
    assert_eq!(writes().await, before);
    world.patch("Kafka", "c", json!({"spec": {"kafka": {"rack": null}}})).await;
    wait::for_absence(&bindings, &name, DEADLINE).await.unwrap();
}

#[tokio::test]
async fn a_paused_cluster_is_left_alone_until_it_goes_on() {
    let world = World::start("pause").await;
    world.usual("c").await;
    let pause = |value| json!({"metadata": {"annotations": {"strimzi.io/pause-reconciliation": value}}});
    world.patch("Kafka", "c", pause(json!("true"))).await;
    world
        .until("Kafka", "c", "says that it is paused", |kafka| {
            kafka.data["status"]["conditions"]
                .as_array()
                .is_some_and(|all| all.iter().any(|condition| condition["type"] == "ReconciliationPaused"))
        })
        .await;
    tokio::join!(world.passes(1), world.delete("Service", "c-kafka-brokers"));
    assert!(world.api("Service").get_opt("c-kafka-brokers").await.unwrap().is_none());
    world.patch("Kafka", "c", pause(json!(null))).await;
    world.exists("Service", "c-kafka-brokers").await;
}

/// What the metric about the end of authorities says of a cluster, by its type.
fn ends(world: &World, cluster: &str) -> BTreeMap<String, f64> {
    let metrics = world.metrics.render().unwrap();
    let labels = format!("{{cluster=\"{cluster}\",resource_namespace=\"{}\",type=\"", world.namespace);
    let lines =
        metrics.lines().filter_map(|line| line.strip_prefix("strimzi_certificate_expiration_timestamp_ms"));
    let values = lines.filter_map(|line| line.strip_prefix(&labels)?.split_once("\"} "));
    values.map(|(authority, value)| (authority.to_owned(), value.parse().unwrap())).collect()
}

#[tokio::test]
async fn when_both_authorities_end_is_a_metric_that_goes_with_the_cluster() {
    let world = World::start("ends").await;
    world.usual("c").await;
    let in_secret = async |name: &str| {
        let secret: Secret = world.get("Secret", name).await.try_parse().unwrap();
        let text = String::from_utf8(secret.data.unwrap()["ca.crt"].0.clone()).unwrap();
        pki::CertificateChain::parse(&text).unwrap().ends().as_millisecond() as f64
    };
    let shown = async || {
        let (cluster, clients) = (in_secret("c-cluster-ca-cert").await, in_secret("c-clients-ca-cert").await);
        let expected = [("client-ca".to_owned(), clients), ("cluster-ca".to_owned(), cluster)].into();
        (ends(&world, "c") == expected).then_some(cluster)
    };
    let first = wait::until(DEADLINE, "the metric says when they end", shown).await.unwrap();
    // For another time: one of the same length, made in the same second, would end when the former one does.
    world.patch("Kafka", "c", json!({"spec": {"clusterCa": {"validityDays": 730}}})).await;
    world.deploying("c").await;
    let renew = json!({"metadata": {"annotations": {"strimzi.io/force-renew": "true"}}});
    world.patch("Secret", "c-cluster-ca-cert", renew).await;
    let renewed = async || shown().await.filter(|ends| *ends > first);
    wait::until(DEADLINE, "the metric knows of the renewal", renewed).await.unwrap();
    world.delete("Kafka", "c").await;
    let gone = async || ends(&world, "c").is_empty().then_some(());
    wait::until(DEADLINE, "the metric is gone", gone).await.unwrap();
}

#[tokio::test]
async fn two_clusters_of_one_name_in_two_namespaces_do_not_disturb_each_other() {
    let (one, two) = tokio::join!(World::start("one"), World::start("two"));
    tokio::join!(one.usual("c"), two.usual("c"));
    let authority =
        async |world: &World| world.get("Secret", "c-cluster-ca-cert").await.data["data"]["ca.crt"].clone();
    assert_ne!(authority(&one).await, authority(&two).await);
    let before = two.versions("c").await;
    one.patch("Kafka", "c", json!({"spec": {"kafka": {"config": {"message.max.bytes": 2_000_000}}}})).await;
    one.until("ConfigMap", "c-dual-0", "has the option", |map| {
        map.data["data"]["server.config"]
            .as_str()
            .is_some_and(|text| text.contains("message.max.bytes=2000000"))
    })
    .await;
    assert_eq!(two.versions("c").await, before);
}
