//! Answers the API server, over HTTPS.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use operator_runtime::connections::{self, Requests};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::ask::Asker;
use super::identity::Door;
use super::review;

/// Bytes of the longest question. An eviction says little more than which pod it is for.
const LONGEST: usize = 256 * 1024;

/// Time for the question to come in. With that of its answer it is less than the five seconds that the API server waits.
const READING: Duration = Duration::from_secs(1);

/// Serves until the end.
pub(super) async fn serve(listener: TcpListener, door: Door, asker: Arc<Asker>, stop: CancellationToken) {
    let shaken = door.clone();
    let shake = move |stream: TcpStream| {
        let config = shaken.config();
        async move { TlsAcceptor::from(config?).accept(stream).await.ok() }
    };
    let answer = move |request: Request<Incoming>| {
        let (door, asker) = (door.clone(), Arc::clone(&asker));
        async move { answer(request, &door, &asker).await }
    };
    connections::serve(listener, Requests::One, shake, answer, stop).await;
}

async fn answer(request: Request<Incoming>, door: &Door, asker: &Asker) -> Response<Full<Bytes>> {
    if !door.leads(request.uri().path()) {
        return text(StatusCode::NOT_FOUND, String::new());
    }
    if request.method() != Method::POST {
        let mut refused = text(StatusCode::METHOD_NOT_ALLOWED, String::new());
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("POST"));
        return refused;
    }
    let body = Limited::new(request.into_body(), LONGEST).collect();
    let body = match tokio::time::timeout(READING, body).await {
        Ok(Ok(body)) => body.to_bytes(),
        Ok(Err(error)) => return text(StatusCode::BAD_REQUEST, format!("the body cannot be read: {error}")),
        Err(_) => return text(StatusCode::REQUEST_TIMEOUT, "the body did not come in time".to_owned()),
    };
    let question = match review::read(&body) {
        Ok(question) => question,
        Err(why) => return text(StatusCode::BAD_REQUEST, why),
    };
    let verdict = asker.verdict(&question).await;
    let mut answered = text(StatusCode::OK, review::answer(&question.uid, &verdict));
    answered.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    answered
}

fn text(code: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = code;
    response
}
