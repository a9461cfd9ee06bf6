//! Watches that tell late, as those of an API server that is busy.

use futures::StreamExt;
use http::{Request, Response};
use http_body_util::{BodyStream, StreamBody};
use kube::Client;
use kube::client::Body;
use tokio::sync::watch;

/// Holds back what the watches of one kind of object tell an operator; all its other requests are answered as ever.
#[derive(Clone, Debug)]
pub struct HeldWatch {
    plural: &'static str,
    is_held: watch::Sender<bool>,
}

impl HeldWatch {
    /// For objects of this kind (plural), which are told as ever at first.
    pub fn of(plural: &'static str) -> Self {
        Self { plural, is_held: watch::Sender::new(false) }
    }

    /// Holds back what comes from now on.
    pub fn hold(&self) {
        self.is_held.send_replace(true);
    }

    /// Hands out what was held back, and goes on as ever.
    pub fn release(&self) {
        self.is_held.send_replace(false);
    }

    /// The same client, whose watches are held back.
    pub(crate) fn around(&self, client: Client) -> Client {
        let namespace = client.default_namespace().to_owned();
        let Self { plural, is_held } = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let (client, is_held) = (client.clone(), is_held.subscribe());
            let uri = request.uri();
            let of_kind = uri.path().ends_with(&format!("/{plural}"));
            let is_watch = of_kind && uri.query().is_some_and(|query| query.contains("watch=true"));
            async move {
                let answer = client.send(request).await?;
                let wait = move |part| {
                    let mut is_held = is_held.clone();
                    async move {
                        if is_watch {
                            // An error says that the test has ended.
                            let _ = is_held.wait_for(|is_held| !is_held).await;
                        }
                        part
                    }
                };
                Ok::<Response<_>, kube::Error>(
                    answer.map(|body| StreamBody::new(BodyStream::new(body).then(wait))),
                )
            }
        });
        Client::new(service, namespace)
    }
}
