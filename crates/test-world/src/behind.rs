//! A server behind the API server: it answers requests for some paths in its place, as the servers of aggregated APIs do.

use std::sync::Arc;

use futures::future::BoxFuture;
use http::{Method, Request, Response};
use http_body_util::BodyExt;
use kube::Client;
use kube::client::Body;
use serde_json::Value;

/// What such a server answers: a code and an object.
pub type Answer = (u16, Value);

type Answering = dyn Fn(Asked) -> BoxFuture<'static, Option<Answer>> + Send + Sync;

/// A request with an object in it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// The method.
    pub method: Method,
    /// The path, without the query.
    pub path: String,
    /// The object.
    pub body: Value,
}

/// The server. What it does not answer goes to the API server.
#[derive(Clone)]
pub struct Behind {
    path: &'static str,
    answering: Arc<Answering>,
}

impl Behind {
    /// Sees the requests with an object in them whose path has this part.
    pub fn of(
        path: &'static str,
        answer: impl Fn(Asked) -> BoxFuture<'static, Option<Answer>> + Send + Sync + 'static,
    ) -> Self {
        Self { path, answering: Arc::new(answer) }
    }

    /// The same client, with this server behind the API server.
    pub(crate) fn around(&self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let Self { path, answering } = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, answering) = (client.clone(), Arc::clone(&answering));
            async move {
                let carries = [Method::POST, Method::PATCH, Method::PUT].contains(request.method());
                if !carries || !request.uri().path().contains(path) {
                    return client.send(request).await;
                }
                let (head, body) = request.into_parts();
                let bytes = body.collect().await?.to_bytes();
                let asked = Asked {
                    method: head.method.clone(),
                    path: head.uri.path().to_owned(),
                    body: serde_json::from_slice(&bytes).unwrap(),
                };
                match answering(asked).await {
                    None => client.send(Request::from_parts(head, Body::from(bytes.to_vec()))).await,
                    Some((code, object)) => {
                        let answer =
                            Response::builder().status(code).header("content-type", "application/json");
                        Ok(answer.body(Body::from(object.to_string().into_bytes())).unwrap())
                    }
                }
            }
        });
        Client::new(service, namespace)
    }
}
