//! Logins: PLAIN (RFC 4616) and SCRAM (RFC 5802, RFC 7677), and the salted passwords that Kafka stores.

use std::num::NonZeroU32;

use aws_lc_rs::{constant_time, digest, hmac, pbkdf2, rand};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Hash of a SCRAM mechanism.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScramMechanism {
    /// `SCRAM-SHA-256`.
    Sha256,
    /// `SCRAM-SHA-512`.
    Sha512,
}

impl ScramMechanism {
    /// The mechanism's registered name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Self::Sha256 => hmac::HMAC_SHA256,
            Self::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn hash(self, data: &[u8]) -> Vec<u8> {
        let algorithm = match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        };
        digest::digest(algorithm, data).as_ref().to_vec()
    }

    /// `Hi(password, salt, iterations)` of RFC 5802. Takes some milliseconds of processor time.
    pub(crate) fn salted_password(self, password: &str, salt: &[u8], iterations: NonZeroU32) -> Vec<u8> {
        let (algorithm, length) = match self {
            Self::Sha256 => (pbkdf2::PBKDF2_HMAC_SHA256, 32),
            Self::Sha512 => (pbkdf2::PBKDF2_HMAC_SHA512, 64),
        };
        let mut salted = vec![0; length];
        pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
        salted
    }
}

/// Fewest iterations that a server may ask for, as in Kafka's own client; Kafka stores no credentials with fewer. From an
/// answer to fewer, an attacker between client and server could find the password by trying.
const FEWEST_ITERATIONS: u32 = 4_096;

/// Most iterations that a server may ask for: Kafka stores no credentials with more. Whoever may name servers to this process could
/// keep a thread of it busy otherwise, with each login anew.
const MOST_ITERATIONS: u32 = 16_384;

/// Random bytes for salts and nonces.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| "the system has no random numbers".to_owned())?;
    Ok(bytes)
}

/// The only message of PLAIN.
pub(crate) fn plain(username: &str, password: &str) -> Vec<u8> {
    format!("\0{username}\0{password}").into_bytes()
}

/// The client's side of one SCRAM exchange.
pub(crate) struct Scram {
    mechanism: ScramMechanism,
    password: String,
    nonce: String,
    first_bare: String,
    server_signature: Vec<u8>,
}

impl Scram {
    pub(crate) fn new(mechanism: ScramMechanism, username: &str, password: &str) -> Result<Self, String> {
        let nonce = STANDARD.encode(random::<24>()?);
        Ok(Self::with_nonce(mechanism, username, password, nonce))
    }

    fn with_nonce(mechanism: ScramMechanism, username: &str, password: &str, nonce: String) -> Self {
        let name = username.replace('=', "=3D").replace(',', "=2C");
        let first_bare = format!("n={name},r={nonce}");
        Self { mechanism, password: password.to_owned(), nonce, first_bare, server_signature: Vec::new() }
    }

    /// client-first-message
    pub(crate) fn first(&self) -> Vec<u8> {
        format!("n,,{}", self.first_bare).into_bytes()
    }

    /// server-first-message to client-final-message
    pub(crate) fn answer(&mut self, server_first: &[u8]) -> Result<Vec<u8>, String> {
        let server_first =
            std::str::from_utf8(server_first).map_err(|_| "challenge is not text".to_owned())?;
        let (mut nonce, mut salt, mut iterations) = (None, None, None);
        for attribute in server_first.split(',') {
            match attribute.split_once('=') {
                Some(("r", value)) => nonce = Some(value),
                Some(("s", value)) => salt = STANDARD.decode(value).ok(),
                Some(("i", value)) => iterations = value.parse::<u32>().ok().and_then(NonZeroU32::new),
                Some(("e", value)) => return Err(value.to_owned()),
                // RFC 5802, 5.1: a client that does not know the extension must not go on.
                Some(("m", value)) => {
                    return Err(format!(
                        "the challenge asks for the extension m={value}, which is not known"
                    ));
                }
                _ => {}
            }
        }
        let (Some(nonce), Some(salt), Some(iterations)) = (nonce, salt, iterations) else {
            return Err("challenge without nonce, salt or iterations".to_owned());
        };
        if !nonce.starts_with(&self.nonce) || nonce.len() == self.nonce.len() {
            return Err("challenge does not continue our nonce".to_owned());
        }
        if iterations.get() < FEWEST_ITERATIONS {
            return Err(format!(
                "the challenge asks for i={iterations}, fewer than the {FEWEST_ITERATIONS} iterations that Kafka stores at least; if no proxy stands between, store the user's credentials anew with {FEWEST_ITERATIONS} iterations or more"
            ));
        }
        if iterations.get() > MOST_ITERATIONS {
            return Err(format!(
                "the challenge asks for i={iterations}, more than the {MOST_ITERATIONS} iterations that Kafka stores at most; store the user's credentials anew with {MOST_ITERATIONS} iterations or fewer"
            ));
        }
        let salted = self.mechanism.salted_password(&self.password, &salt, iterations);
        let key = hmac::Key::new(self.mechanism.hmac(), &salted);
        let client_key = hmac::sign(&key, b"Client Key");
        let server_key = hmac::sign(&key, b"Server Key");
        let stored_key = self.mechanism.hash(client_key.as_ref());
        let without_proof = format!("c=biws,r={nonce}");
        let message = format!("{},{server_first},{without_proof}", self.first_bare);
        let client_signature =
            hmac::sign(&hmac::Key::new(self.mechanism.hmac(), &stored_key), message.as_bytes());
        let server_signature =
            hmac::sign(&hmac::Key::new(self.mechanism.hmac(), server_key.as_ref()), message.as_bytes());
        self.server_signature = server_signature.as_ref().to_vec();
        let mut proof = client_key.as_ref().to_vec();
        for (byte, other) in proof.iter_mut().zip(client_signature.as_ref()) {
            *byte ^= other;
        }
        Ok(format!("{without_proof},p={}", STANDARD.encode(proof)).into_bytes())
    }

    /// server-final-message: the server proves that it knows the password too.
    pub(crate) fn verify(&self, server_final: &[u8]) -> Result<(), String> {
        let text =
            std::str::from_utf8(server_final).map_err(|_| "proof of the server is not text".to_owned())?;
        let proof = text
            .split(',')
            .find_map(|attribute| attribute.strip_prefix("v="))
            .and_then(|value| STANDARD.decode(value).ok())
            .ok_or_else(|| "no proof from the server".to_owned())?;
        constant_time::verify_slices_are_equal(&proof, &self.server_signature)
            .map_err(|_| "the server does not know the password".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exchange_of_rfc_7677_is_reproduced() {
        let mut scram =
            Scram::with_nonce(ScramMechanism::Sha256, "user", "pencil", "rOprNGfwEbeRWgbNEkqO".to_owned());
        assert_eq!(scram.first(), b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let answer = scram
            .answer(b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096")
            .unwrap();
        assert_eq!(
            String::from_utf8(answer).unwrap(),
            "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
        );
        scram.verify(b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").unwrap();
        assert!(scram.verify(b"v=AAAATRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=").is_err());
    }

    #[test]
    fn special_characters_of_a_user_name_are_escaped() {
        let scram = Scram::with_nonce(ScramMechanism::Sha512, "a=b,c", "x", "N".to_owned());
        assert_eq!(scram.first(), b"n,,n=a=3Db=2Cc,r=N");
    }

    #[test]
    fn a_challenge_that_does_not_continue_the_nonce_is_refused() {
        let mut scram = Scram::with_nonce(ScramMechanism::Sha512, "a", "x", "N".to_owned());
        assert!(scram.answer(b"r=other,s=AAAA,i=4096").unwrap_err().contains("nonce"));
        assert!(scram.answer(b"r=N,s=AAAA,i=4096").unwrap_err().contains("nonce"));
        assert!(scram.answer(b"r=Nx,s=AAAA,i=0").unwrap_err().contains("iterations"));
    }

    #[test]
    fn an_extension_that_must_be_known_and_is_not_ends_the_login() {
        let mut scram = Scram::with_nonce(ScramMechanism::Sha512, "a", "x", "N".to_owned());
        let error = scram.answer(b"m=new,r=Nx,s=AAAA,i=4096").unwrap_err();
        assert!(error.contains("m=new"), "{error}");
        assert!(scram.answer(b"r=Nx,s=AAAA,i=4096,x=may-be-ignored").is_ok());
    }

    #[test]
    fn a_challenge_that_makes_the_password_easy_to_guess_is_refused() {
        let mut scram = Scram::with_nonce(ScramMechanism::Sha512, "a", "x", "N".to_owned());
        for few in ["1", "4095"] {
            let error = scram.answer(format!("r=Nx,s=AAAA,i={few}").as_bytes()).unwrap_err();
            assert!(error.contains(&format!("i={few},")) && error.contains("4096 iterations"), "{error}");
        }
        assert!(scram.answer(b"r=Nx,s=AAAA,i=4096").is_ok());
    }

    #[test]
    fn a_challenge_that_would_keep_a_thread_busy_is_refused() {
        let mut scram = Scram::with_nonce(ScramMechanism::Sha512, "a", "x", "N".to_owned());
        for many in ["16385", "1000000", "4294967295"] {
            let error = scram.answer(format!("r=Nx,s=AAAA,i={many}").as_bytes()).unwrap_err();
            assert!(
                error.contains(&format!("i={many},")) && error.contains("16384 iterations or fewer"),
                "{error}"
            );
        }
        assert!(scram.answer(b"r=Nx,s=AAAA,i=16384").is_ok());
    }
}
