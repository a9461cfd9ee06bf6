//! What an authorization server does for brokers and clients: it signs tokens, and tells its key over HTTP (JWKS).

use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, anyhow};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinHandle;

/// Name of the key.
const KEY_ID: &str = "key-of-the-test";
/// How long a token counts.
const LIFE: Duration = Duration::from_hours(1);

/// A key that signs, and the end point at which it can be had. The end point ends with this.
pub struct TokenIssuer {
    key: EcdsaKeyPair,
    url: String,
    server: JoinHandle<()>,
}

impl TokenIssuer {
    /// Serves at the address of this machine that a pod reaches: the one from which the pod is reached.
    pub async fn start(pod: IpAddr) -> Result<Self> {
        let route = UdpSocket::bind("0.0.0.0:0").await?;
        route.connect((pod, 9)).await.context("there is no route to the pod")?;
        let listener = TcpListener::bind((route.local_addr()?.ip(), 0)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let key = new_key()?;
        let keys = json!({"keys": [public(&key)?]}).to_string();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that goes away is its own affair.
                drop(tokio::time::timeout(Duration::from_secs(10), answer(stream, &keys)).await);
            }
        });
        Ok(Self { key, url, server })
    }

    /// The name of the issuer.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// A token of this issuer for a user.
    pub fn token(&self, user: &str) -> Result<String> {
        self.signed(user, &self.key)
    }

    /// A token that says the same, with the signature of another key.
    pub fn forged(&self, user: &str) -> Result<String> {
        self.signed(user, &new_key()?)
    }

    fn signed(&self, user: &str, key: &EcdsaKeyPair) -> Result<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": KEY_ID});
        let claims = json!({"iss": self.url, "sub": user, "typ": "Bearer", "iat": now.as_secs(), "exp": (now + LIFE).as_secs()});
        let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(&header), part(&claims));
        let signature = key.sign(&SystemRandom::new(), text.as_bytes());
        let signature = signature.map_err(|_| anyhow!("cannot sign a token"))?;
        Ok(format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature.as_ref())))
    }
}

impl Drop for TokenIssuer {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn new_key() -> Result<EcdsaKeyPair> {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map_err(|_| anyhow!("cannot make a key"))
}

/// The public key as JWKS has it: both coordinates of the point.
fn public(key: &EcdsaKeyPair) -> Result<Value> {
    let point = key.public_key().as_ref();
    let (x, y) = point.get(1..33).zip(point.get(33..65)).context("the public key has another form")?;
    let number = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
    Ok(
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": KEY_ID, "x": number(x), "y": number(y)}),
    )
}

/// Answers one request, whatever it asks for.
async fn answer(mut stream: TcpStream, body: &str) -> std::io::Result<()> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let byte = stream.read_u8().await?;
        request.push(byte);
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}
