//! Makes a connection ready for use: TCP, TLS, version exchange, login.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use kafka_protocol::messages::{
    ApiKey, ApiVersionsRequest, ApiVersionsResponse, DescribeClusterRequest, SaslAuthenticateRequest,
    SaslHandshakeRequest,
};
use kafka_protocol::protocol::{Decodable, Message, Request, StrBytes};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use crate::bounded::Bounded;
use crate::config::{BootstrapKind, Sasl};
use crate::error::check;
use crate::sasl::{Scram, ScramMechanism, plain};
use crate::shared::Shared;
use crate::values::shortened;
use crate::wire::{Head, common_version, decode, encode, read_frame};
use crate::{AdminError, ErrorCode, LONGEST_WORDS, tls};

/// Longest answer while a connection is made. Bytes; a list of all versions has less than 1,000.
const LONGEST_ANSWER: usize = 64 * 1024;

/// What the values of such an answer may take in memory. Bytes; a list of all versions takes some 10,000.
const SETUP_MEMORY: usize = 512 * 1024;

/// Longest description of a cluster, which lists its nodes. Bytes.
pub(crate) const LONGEST_DESCRIPTION: usize = 1024 * 1024;

/// Characters of the id of another cluster that are told. An id has 22.
const LONGEST_ID: usize = 50;

/// A byte stream, encrypted or not.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// A connection that is ready for use.
pub(crate) struct Ready {
    pub stream: Box<dyn Stream>,
    /// Versions that the server knows, by request key.
    pub versions: HashMap<i16, (i16, i16)>,
    /// When the login ends (KIP-368).
    pub expires: Option<Instant>,
}

/// Connects within the configured limit.
pub(crate) async fn connect(address: &str, shared: &Shared) -> Result<Ready, AdminError> {
    let limit = shared.config.connect_timeout;
    match timeout(limit, attempt(address, shared)).await {
        Ok(result) => result,
        Err(_) => Err(AdminError::Connect {
            address: address.to_owned(),
            reason: format!("not ready for use within {} ms", limit.as_millis()),
        }),
    }
}

async fn attempt(address: &str, shared: &Shared) -> Result<Ready, AdminError> {
    let (host, port) = split_address(address)?;
    let tcp = tcp(address, host, port, shared).await?;
    let stream: Box<dyn Stream> = match shared.tls() {
        None => Box::new(tcp),
        Some(config) => {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| {
                AdminError::Config(format!("{host} is neither a host name nor an ip address"))
            })?;
            let stream = TlsConnector::from(config).connect(name, tcp).await;
            Box::new(stream.map_err(|error| {
                io_error(address, &error, "the tls handshake was cut off; is this a listener with tls?")
            })?)
        }
    };
    let mut setup = Setup { address, shared, stream, next_id: 0 };
    let versions = setup.versions().await?;
    let expires = match &shared.config.sasl {
        None => None,
        Some(sasl) => setup.login(sasl).await?,
    };
    if let Some(wanted) = &shared.config.cluster_id {
        setup.cluster(wanted, &versions).await?;
    }
    Ok(Ready { stream: setup.stream, versions, expires })
}

/// Splits `host:port`; the host may be an IPv6 address in brackets.
pub(crate) fn split_address(address: &str) -> Result<(&str, u16), AdminError> {
    let wrong = || AdminError::Config(format!("kafka address {address:?} is not host:port"));
    let (host, port) = address.trim().rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let host = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() { Err(wrong()) } else { Ok((host, port)) }
}

/// Tries every address that the host name stands for.
async fn tcp(address: &str, host: &str, port: u16, shared: &Shared) -> Result<TcpStream, AdminError> {
    let failed = |reason: String| AdminError::Connect { address: address.to_owned(), reason };
    let found = match &shared.config.hosts {
        Some(hosts) => match hosts.get(host) {
            Some(ip) => vec![SocketAddr::new(*ip, port)],
            None => return Err(failed("it is none of the hosts that are connected to".to_owned())),
        },
        None => shared
            .lookups
            .addresses(host, port)
            .await
            .map_err(|error| failed(format!("host name not resolved: {error}")))?,
    };
    let share = shared.config.connect_timeout / u32::try_from(found.len().clamp(1, 4)).unwrap_or(1);
    let mut last = "the host name has no address".to_owned();
    for candidate in found {
        match timeout(share, TcpStream::connect(candidate)).await {
            Ok(Ok(stream)) => {
                // Requests are small and answered one by one: waiting to fill packets only adds delay.
                stream.set_nodelay(true).map_err(|error| failed(error.to_string()))?;
                return Ok(stream);
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = format!("no answer from {candidate}"),
        }
    }
    Err(failed(last))
}

/// Tells TLS failures (which a retry does not heal) from lost connections.
pub(crate) fn io_error(address: &str, error: &std::io::Error, on_close: &str) -> AdminError {
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        let reason = shortened(tls::explain(inner), LONGEST_WORDS);
        return AdminError::Tls { address: address.to_owned(), reason };
    }
    let reason = match error.kind() {
        std::io::ErrorKind::UnexpectedEof | std::io::ErrorKind::ConnectionReset => on_close.to_owned(),
        _ => error.to_string(),
    };
    AdminError::Connect { address: address.to_owned(), reason }
}

/// The first exchanges on a new connection, one after another.
struct Setup<'a> {
    address: &'a str,
    shared: &'a Shared,
    stream: Box<dyn Stream>,
    next_id: i32,
}

impl Setup<'_> {
    async fn frame<R: Request>(&mut self, request: &R, version: i16) -> Result<Bytes, AdminError> {
        self.frame_within(request, version, LONGEST_ANSWER).await
    }

    /// Sends a request whose answer has at most so many bytes.
    async fn frame_within<R: Request>(
        &mut self,
        request: &R,
        version: i16,
        longest: usize,
    ) -> Result<Bytes, AdminError> {
        self.next_id -= 1;
        let head = Head { version, correlation_id: self.next_id, client_id: &self.shared.config.client_id };
        let frame = encode(request, head).map_err(|reason| self.protocol(reason))?;
        self.shared.count_request();
        let closed = "the server closed the connection at once; is this a listener with tls or with a login?";
        let done = async {
            self.stream.write_all(&frame).await?;
            self.stream.flush().await?;
            read_frame(&mut self.stream, longest.min(self.shared.config.max_answer_bytes)).await
        };
        done.await.map_err(|error| io_error(self.address, &error, closed))
    }

    fn protocol(&self, reason: String) -> AdminError {
        AdminError::Protocol { address: self.address.to_owned(), reason }
    }

    async fn versions(&mut self) -> Result<HashMap<i16, (i16, i16)>, AdminError> {
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("kastellan"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        let mut frame = self.frame(&request, ApiVersionsRequest::VERSIONS.max).await?;
        let most = self.most();
        let mut version = ApiVersionsRequest::VERSIONS.max;
        // An older server answers with this code in the format of version 0, whatever was asked.
        if frame.get(4..6) == Some(&ErrorCode::UNSUPPORTED_VERSION.0.to_be_bytes()[..]) {
            let _ = frame.split_to(4);
            let mut answer = Bounded::new(frame, true, most);
            let known = ApiVersionsResponse::decode(&mut answer, 0)
                .map_err(|error| self.protocol(answer.explain(|| format!("{error:#}"))))?;
            let theirs = known.api_keys.iter().find(|api| api.api_key == ApiVersionsRequest::KEY);
            version = theirs.map_or(0, |api| api.max_version.min(version));
            frame = self.frame(&request, version).await?;
        }
        let answer =
            decode::<ApiVersionsRequest>(frame, version, most).map_err(|reason| self.protocol(reason))?;
        if answer.error_code != 0 {
            return Err(
                self.protocol(format!("version exchange failed with {}", ErrorCode(answer.error_code)))
            );
        }
        // The list is kept as long as the connection: nobody asks for what has no name here.
        let known = answer.api_keys.iter().filter(|api| ApiKey::try_from(api.api_key).is_ok());
        Ok(known.map(|api| (api.api_key, (api.min_version, api.max_version))).collect())
    }

    /// What the values of a short answer may take in memory.
    fn most(&self) -> usize {
        self.shared.config.max_answer_memory.min(SETUP_MEMORY)
    }

    /// Makes sure that the node is one of the cluster with this id.
    async fn cluster(&mut self, wanted: &str, versions: &HashMap<i16, (i16, i16)>) -> Result<(), AdminError> {
        let theirs = versions.get(&DescribeClusterRequest::KEY).copied();
        let Some(version) =
            theirs.and_then(|theirs| common_version(DescribeClusterRequest::VERSIONS, theirs))
        else {
            let address = self.address.to_owned();
            return Err(AdminError::Unsupported { address, call: "describe cluster" });
        };
        let of_controllers = self.shared.config.bootstrap_kind == BootstrapKind::Controllers;
        let request =
            DescribeClusterRequest::default().with_endpoint_type(if of_controllers { 2 } else { 1 });
        let frame = self.frame_within(&request, version, LONGEST_DESCRIPTION).await?;
        let most = self.shared.config.max_answer_memory;
        let answer =
            decode::<DescribeClusterRequest>(frame, version, most).map_err(|reason| self.protocol(reason))?;
        check(answer.error_code, answer.error_message.as_ref())
            .map_err(|error| AdminError::Api { call: "describe cluster", error })?;
        if answer.cluster_id.as_str() == wanted {
            return Ok(());
        }
        Err(AdminError::OtherCluster {
            address: self.address.to_owned(),
            found: shortened(answer.cluster_id.as_str(), LONGEST_ID),
            wanted: wanted.to_owned(),
        })
    }

    /// Returns when the login ends, if it does.
    async fn login(&mut self, sasl: &Sasl) -> Result<Option<Instant>, AdminError> {
        let refused = |reason: String| AdminError::Authentication {
            address: self.address.to_owned(),
            mechanism: sasl.mechanism(),
            reason: shortened(reason, LONGEST_WORDS),
        };
        let handshake =
            SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(sasl.mechanism()));
        let version = SaslHandshakeRequest::VERSIONS.max;
        let frame = self.frame(&handshake, version).await?;
        let most = self.most();
        let answer =
            decode::<SaslHandshakeRequest>(frame, version, most).map_err(|reason| self.protocol(reason))?;
        if answer.error_code != 0 {
            let offered: Vec<&str> = answer.mechanisms.iter().map(StrBytes::as_str).collect();
            return Err(refused(format!("the listener offers only [{}]", offered.join(", "))));
        }
        let (username, password) = sasl.credentials();
        let mechanism = match sasl {
            Sasl::Plain { .. } => None,
            Sasl::ScramSha256 { .. } => Some(ScramMechanism::Sha256),
            Sasl::ScramSha512 { .. } => Some(ScramMechanism::Sha512),
        };
        let lifetime = match mechanism {
            None => self.token(sasl, plain(username, password)).await?.1,
            Some(mechanism) => {
                let mut scram = Scram::new(mechanism, username, password).map_err(refused)?;
                let (challenge, _) = self.token(sasl, scram.first()).await?;
                // The derivation of the key takes milliseconds of processor time.
                let (scram, answer) = tokio::task::spawn_blocking(move || {
                    let answer = scram.answer(&challenge);
                    (scram, answer)
                })
                .await
                .map_err(|error| self.protocol(error.to_string()))?;
                let refused = |reason: String| AdminError::Authentication {
                    address: self.address.to_owned(),
                    mechanism: sasl.mechanism(),
                    reason: shortened(reason, LONGEST_WORDS),
                };
                let answer = answer.map_err(refused)?;
                let (proof, lifetime) = self.token(sasl, answer).await?;
                scram.verify(&proof).map_err(refused)?;
                lifetime
            }
        };
        // Like Kafka's own client: log in again well before the end.
        Ok(u64::try_from(lifetime)
            .ok()
            .filter(|lifetime| *lifetime > 0)
            .map(|lifetime| Instant::now() + Duration::from_millis(lifetime / 100 * 85)))
    }

    async fn token(&mut self, sasl: &Sasl, token: Vec<u8>) -> Result<(Bytes, i64), AdminError> {
        let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
        let version = common_version(SaslAuthenticateRequest::VERSIONS, (0, 2)).unwrap_or_default();
        let frame = self.frame(&request, version).await?;
        let most = self.most();
        let answer = decode::<SaslAuthenticateRequest>(frame, version, most)
            .map_err(|reason| self.protocol(reason))?;
        if answer.error_code != 0 {
            return Err(AdminError::Authentication {
                address: self.address.to_owned(),
                mechanism: sasl.mechanism(),
                reason: answer.error_message.map_or_else(
                    || ErrorCode(answer.error_code).exception().to_owned(),
                    |message| shortened(message.as_str(), LONGEST_WORDS),
                ),
            });
        }
        Ok((answer.auth_bytes, answer.session_lifetime_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_host_and_port() {
        assert_eq!(split_address("c-kafka-bootstrap:9091").unwrap(), ("c-kafka-bootstrap", 9091));
        assert_eq!(split_address("[::1]:9091").unwrap(), ("::1", 9091));
        for wrong in ["kafka", "kafka:", ":9091", "kafka:99999", ""] {
            assert!(split_address(wrong).unwrap_err().to_string().contains("is not host:port"), "{wrong}");
        }
    }
}
