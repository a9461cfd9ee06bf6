//! Lists and watches of the API server as the texts of single objects. What one of them says, and how large it is, does
//! not matter to the others: a page that is too long is asked for in smaller ones, and the memory for long texts is bounded
//! over the whole process.

use std::time::Duration;

use futures::{AsyncBufRead, AsyncBufReadExt};
use http::{HeaderValue, Request as HttpRequest, header::ACCEPT_ENCODING};
use kube::api::{ListParams, WatchParams};
use kube::core::{Request, Status};
use kube::{Client, Resource};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::json::{self, NotJson};

/// Objects per page of a list.
const PAGE_SIZE: u32 = 250;

/// Longest page of more than one object.
const LONG_PAGE: usize = 4 * MIB;

/// Longest text of a single object. The API server stores at most 1.5 MiB; control characters are written with six.
const LONGEST: usize = 16 * MIB;

/// Texts up to this length need no permission.
const SHORT: usize = 16 * 1024;

const MIB: usize = 1024 * 1024;

/// Memory for long texts, in MiB. A watch that holds some asks for more only after giving it back, so that no watch waits for ever.
static ROOM: Semaphore = Semaphore::const_new(LONGEST / MIB);

/// Longest time for one page.
const PAGE_DEADLINE: Duration = Duration::from_mins(1);

/// The server ends a watch after so many seconds and we resume it.
const WATCH_SECONDS: u32 = 240;

/// A watch that is silent for longer than its time is dead: the end of it never arrived.
const SILENCE: Duration = Duration::from_secs(WATCH_SECONDS as u64 + 5);

/// Why a list or watch ended.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// The API server refused, or could not be reached.
    #[error("{}", crate::apply::message(.0))]
    Request(#[source] Box<kube::Error>),
    /// The API server said so in the stream.
    #[error("{} (code {})", .0.message, .0.code)]
    Status(Box<Status>),
    /// The connection broke.
    #[error("read the answer: {0}")]
    Read(#[source] std::io::Error),
    /// The answer is not what an API server says.
    #[error("read the answer: {0}")]
    Malformed(#[from] NotJson),
    /// No answer in time.
    #[error("no complete answer within {} s", PAGE_DEADLINE.as_secs())]
    Timeout,
    /// A single object is longer than any that the API server stores.
    #[error("an object of more than {} MiB", LONGEST / MIB)]
    TooLong,
    /// A list or an object without a resource version.
    #[error("the answer has no resourceVersion")]
    NoVersion,
}

impl SourceError {
    /// Whether the server has forgotten where the list or watch was.
    pub(crate) fn is_expired(&self) -> bool {
        self.code() == Some(410)
    }

    /// Whether the right is missing.
    pub(crate) fn is_forbidden(&self) -> bool {
        self.code() == Some(403)
    }

    /// Whether the server does not have the kind.
    pub(crate) fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }

    fn code(&self) -> Option<u16> {
        match self {
            Self::Status(status) => Some(status.code),
            Self::Request(error) => match error.as_ref() {
                kube::Error::Api(status) => Some(status.code),
                _ => None,
            },
            _ => None,
        }
    }

    /// The error of the request, for callers that report only such errors; the error itself when it is of another kind.
    pub(crate) fn into_request(self) -> Result<Box<kube::Error>, Self> {
        match self {
            Self::Request(error) => Ok(error),
            other => Err(other),
        }
    }
}

/// One line of a watch.
#[derive(Debug)]
pub(crate) enum Change<'a> {
    /// An object is new or was changed.
    Applied(&'a str),
    /// An object is gone.
    Deleted(&'a str),
}

/// Objects of one kind in one namespace, or in all.
#[derive(Clone)]
pub(crate) struct Source {
    client: Client,
    url: String,
    metadata_only: bool,
    labels: Option<String>,
    fields: Option<String>,
}

impl Source {
    /// Without selectors; `namespace` is empty for all namespaces and for cluster-wide kinds.
    pub(crate) fn new<K: Resource>(client: &Client, namespace: &str) -> Self
    where
        K::DynamicType: Default,
    {
        Self {
            metadata_only: K::metadata_api(),
            ..Self::of::<K>(client, &K::DynamicType::default(), namespace)
        }
    }

    /// The same of a kind that is known at run time only.
    pub(crate) fn of<K: Resource>(client: &Client, kind: &K::DynamicType, namespace: &str) -> Self {
        let namespace = (!namespace.is_empty()).then_some(namespace);
        Self {
            client: client.clone(),
            url: K::url_path(kind, namespace),
            metadata_only: false,
            labels: None,
            fields: None,
        }
    }

    /// Asks for metadata only.
    pub(crate) fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }

    /// Only objects with these labels.
    pub(crate) fn labels(mut self, selector: Option<&str>) -> Self {
        self.labels = selector.map(str::to_owned);
        self
    }

    /// Only objects with these fields.
    pub(crate) fn fields(mut self, selector: Option<&str>) -> Self {
        self.fields = selector.map(str::to_owned);
        self
    }

    /// Calls `each` with the text of every object; returns the version of the list, which a watch goes on from.
    pub(crate) async fn list(&self, mut each: impl FnMut(&str) + Send) -> Result<String, SourceError> {
        let mut params = ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            limit: Some(PAGE_SIZE),
            ..ListParams::default()
        };
        loop {
            let limit = params.limit.unwrap_or(1);
            let page =
                timeout(PAGE_DEADLINE, self.page(&params, if limit == 1 { LONGEST } else { LONG_PAGE }));
            let page = match page.await.map_err(|_| SourceError::Timeout)? {
                Err(SourceError::TooLong) if limit > 1 => {
                    params.limit = Some((limit / 4).max(1));
                    continue;
                }
                page => page?,
            };
            let (mut version, mut token) = (None, None);
            for part in json::members(page.text()?)? {
                let part = part?;
                match part.name {
                    "items" if part.text != "null" => {
                        for item in json::items(part.text)? {
                            each(item?.text);
                        }
                    }
                    "metadata" => {
                        version = json::member(part.text, "resourceVersion")?.and_then(json::plain_string);
                        token = json::member(part.text, "continue")?.and_then(json::plain_string);
                    }
                    _ => {}
                }
            }
            let Some(token) = token.filter(|token| !token.is_empty()) else {
                let version = version.filter(|version| !version.is_empty());
                return version.map(str::to_owned).ok_or(SourceError::NoVersion);
            };
            params.continue_token = Some(token.to_owned());
            if page.bytes.len() < LONG_PAGE / 4 {
                params.limit = Some((limit * 2).min(PAGE_SIZE));
            }
        }
    }

    async fn page(&self, params: &ListParams, longest: usize) -> Result<Text, SourceError> {
        let request = Request::new(self.url.as_str());
        let request = if self.metadata_only { request.list_metadata(params) } else { request.list(params) };
        let mut reader = Box::pin(self.send(request).await?);
        let mut text = Text::default();
        while text.take(&mut reader, None, longest).await? {}
        Ok(text)
    }

    /// Follows changes from a version on, and keeps the version up to date. Ends without an error when the server ended
    /// the watch or was silent for too long.
    pub(crate) async fn watch(
        &self,
        version: &mut String,
        mut each: impl FnMut(Change<'_>) + Send,
    ) -> Result<(), SourceError> {
        let params = WatchParams {
            label_selector: self.labels.clone(),
            field_selector: self.fields.clone(),
            timeout: Some(WATCH_SECONDS),
            bookmarks: true,
            send_initial_events: false,
        };
        let request = Request::new(self.url.as_str());
        let request = if self.metadata_only {
            request.watch_metadata(&params, version)
        } else {
            request.watch(&params, version)
        };
        let mut reader = Box::pin(self.send(request).await?);
        loop {
            let mut line = Text::default();
            let read = async {
                while line.take(&mut reader, Some(b'\n'), LONGEST).await? {}
                Ok::<_, SourceError>(())
            };
            match timeout(SILENCE, read).await {
                Err(_) => return Ok(()),
                // A watch that ends in the middle of a line goes on from the last whole one.
                Ok(Err(SourceError::Read(error))) => {
                    tracing::debug!(%error, "a watch broke off");
                    return Ok(());
                }
                Ok(read) => read?,
            }
            if !line.ended {
                return Ok(());
            }
            let text = line.text()?;
            if text.trim().is_empty() {
                continue;
            }
            let kind = json::member(text, "type")?.and_then(json::plain_string).unwrap_or_default();
            let object = json::member(text, "object")?.unwrap_or("{}");
            if kind == "ERROR" {
                let status = serde_json::from_str(object).unwrap_or_default();
                return Err(SourceError::Status(Box::new(status)));
            }
            let metadata = json::member(object, "metadata")?.unwrap_or("{}");
            let new = json::member(metadata, "resourceVersion")?.and_then(json::plain_string);
            let new = new.filter(|new| !new.is_empty()).ok_or(SourceError::NoVersion)?;
            match kind {
                "ADDED" | "MODIFIED" => each(Change::Applied(object)),
                "DELETED" => each(Change::Deleted(object)),
                _ => {}
            }
            new.clone_into(version);
        }
    }

    async fn send(
        &self,
        request: Result<HttpRequest<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<impl AsyncBufRead + use<>, SourceError> {
        let failed = |error| SourceError::Request(Box::new(error));
        let mut request = request.map_err(|error| failed(kube::Error::BuildRequest(error)))?;
        // API servers compress watches in a way that the client cannot read.
        request.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        self.client.request_stream(request).await.map_err(failed)
    }
}

/// A text that is being read, with the permission to be as long as it is.
#[derive(Debug, Default)]
struct Text {
    bytes: Vec<u8>,
    /// Whether the end of a line was read.
    ended: bool,
    room: Option<SemaphorePermit<'static>>,
}

impl Text {
    /// Reads on; `false` at the end.
    async fn take(
        &mut self,
        reader: &mut (impl AsyncBufRead + Unpin),
        end: Option<u8>,
        longest: usize,
    ) -> Result<bool, SourceError> {
        let there = reader.fill_buf().await.map_err(SourceError::Read)?;
        if there.is_empty() || self.ended {
            return Ok(false);
        }
        let found = end.and_then(|end| there.iter().position(|byte| *byte == end));
        let used = found.map_or(there.len(), |found| found + 1);
        let length = self.bytes.len() + used;
        if length > longest {
            return Err(SourceError::TooLong);
        }
        self.make_room(length).await;
        self.bytes.extend_from_slice(there.get(..used).unwrap_or_default());
        reader.consume_unpin(used);
        self.ended = found.is_some();
        Ok(!self.ended)
    }

    /// Waits for the permission to be this long.
    async fn make_room(&mut self, length: usize) {
        let wanted = match length {
            0..=SHORT => 0,
            _ if length <= LONG_PAGE => LONG_PAGE / MIB,
            _ => LONGEST / MIB,
        };
        let held = self.room.as_ref().map_or(0, SemaphorePermit::num_permits);
        if wanted > held {
            self.room = None;
            // The semaphore is never closed.
            self.room = ROOM.acquire_many(wanted as u32).await.ok();
        }
    }

    fn text(&self) -> Result<&str, SourceError> {
        std::str::from_utf8(&self.bytes)
            .map_err(|error| SourceError::Read(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
    }
}
