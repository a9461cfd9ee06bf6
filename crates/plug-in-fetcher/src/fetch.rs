//! Downloads: over HTTP and HTTPS, with bounds for size and time, and with a check of the sum before anybody uses the file.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{self, Context};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig, TlsProvider};

use crate::Error;

/// Bounds of one download.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a file.
    pub bytes: u64,
    /// Time until there is a connection.
    pub connect: Duration,
    /// Time for all of a file.
    pub whole: Duration,
    /// Redirects that are followed.
    pub redirects: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: 2 * 1024 * 1024 * 1024,
            connect: Duration::from_secs(20),
            whole: Duration::from_mins(10),
            redirects: 10,
        }
    }
}

/// A file that is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its address.
    pub url: &'a str,
    /// Its SHA-512 sum in hexadecimal, if it is known.
    pub sha512: Option<&'a str>,
}

/// A file that was loaded, under a name of its own. It goes unless it is kept.
#[derive(Debug)]
pub struct Loaded {
    path: PathBuf,
}

/// The name of a file on its way.
const PART: &str = ".plug-in-fetcher.part";

impl Loaded {
    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps the file under this name in its folder.
    ///
    /// # Errors
    /// When the name is none of a file in a folder, or the file cannot be renamed.
    pub fn keep_as(self, name: &str) -> Result<(), Error> {
        let target = self.path.with_file_name(name);
        let is_plain = Path::new(name).file_name().is_some_and(|plain| plain == name);
        if !is_plain {
            return Err(Error::Archive(format!("{name:?} is no name of a file")));
        }
        make_readable(&self.path)?;
        fs::rename(&self.path, &target).map_err(Error::file("make", &target))
    }
}

impl Drop for Loaded {
    fn drop(&mut self) {
        // It is not there if it was kept.
        drop(fs::remove_file(&self.path));
    }
}

/// Everybody may read the file, whatever user runs Kafka Connect.
pub(crate) fn make_readable(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).map_err(Error::file("change", path))
}

/// Makes a folder and those around it.
pub(crate) fn make_folder(path: &Path) -> Result<(), Error> {
    fs::create_dir_all(path).map_err(Error::file("make", path))
}

/// Loads files. Proxies are those of the environment.
#[derive(Debug)]
pub struct Fetcher {
    agent: Agent,
    limits: Limits,
}

impl Fetcher {
    /// With bounds. `insecure` verifies no certificate.
    ///
    /// # Errors
    /// Never so far.
    pub fn new(insecure: bool, limits: Limits) -> Result<Self, Error> {
        let tls = TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .root_certs(RootCerts::WebPki)
            .disable_verification(insecure)
            .build();
        let config = Agent::config_builder()
            .tls_config(tls)
            .timeout_connect(Some(limits.connect))
            .timeout_global(Some(limits.whole))
            .http_status_as_error(false)
            // They are followed here: one from HTTPS to HTTP must not be.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent("kastellan-plug-in-fetcher")
            .build();
        Ok(Self { agent: config.into(), limits })
    }

    /// Loads a file into a folder, and checks its sum.
    ///
    /// # Errors
    /// When the server does not give it, or it is another one.
    pub fn to_file(&self, wanted: &Wanted<'_>, folder: &Path) -> Result<Loaded, Error> {
        make_folder(folder)?;
        let path = folder.join(PART);
        let mut file = File::create(&path).map_err(Error::file("make", &path))?;
        let loaded = Loaded { path };
        let mut sum = Context::new(&digest::SHA512);
        self.load(wanted.url, self.limits.bytes, |bytes| {
            sum.update(bytes);
            file.write_all(bytes).map_err(Error::file("write", loaded.path()))
        })?;
        file.sync_all().map_err(Error::file("write", loaded.path()))?;
        if let Some(asked) = wanted.sha512 {
            check("SHA-512", wanted.url, &hex(sum.finish().as_ref()), asked)?;
        }
        Ok(loaded)
    }

    /// Loads a small file into memory.
    pub(crate) fn to_memory(&self, url: &str, most: u64) -> Result<Vec<u8>, Error> {
        let mut content = Vec::new();
        self.load(url, most, |bytes| {
            content.extend_from_slice(bytes);
            Ok(())
        })?;
        Ok(content)
    }

    fn load(
        &self,
        url: &str,
        most: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let failed = |why: String, missing: bool| Error::Load { url: shown(url), why, missing };
        let mut at = url.to_owned();
        let mut left = self.limits.redirects;
        let mut response = loop {
            let response = self.agent.get(&at).call().map_err(|error| failed(words(&error), false))?;
            let status = response.status().as_u16();
            match status {
                200 => break response,
                301 | 302 | 303 | 307 | 308 => {
                    let Some(rest) = left.checked_sub(1) else {
                        return Err(failed(format!("more than {} redirects", self.limits.redirects), false));
                    };
                    left = rest;
                    let to = response.headers().get("location").and_then(|value| value.to_str().ok());
                    let to =
                        to.ok_or_else(|| failed(format!("status {status} without a new address"), false))?;
                    at = redirected(&at, to).map_err(|why| failed(why, false))?;
                }
                404 | 410 => return Err(failed(format!("status {status}"), true)),
                _ => return Err(failed(format!("status {status}"), false)),
            }
        };
        let mut body = response.body_mut().as_reader();
        let (mut buffer, mut sum) = (vec![0; 64 * 1024], 0_u64);
        loop {
            let count = match body.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed(error.to_string(), false)),
            };
            sum += count as u64;
            if sum > most {
                return Err(failed(format!("it is larger than {most} bytes"), false));
            }
            take(&buffer[..count])?;
        }
    }
}

/// Compares sums in hexadecimal.
pub(crate) fn check(kind: &'static str, url: &str, found: &str, wanted: &str) -> Result<(), Error> {
    if found.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Error::Sum { url: shown(url), kind, found: found.to_owned(), wanted: wanted.to_owned() })
}

/// Bytes in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The message of an error without the address, which the caller names.
fn words(error: &ureq::Error) -> String {
    error.to_string()
}

/// An address without what may be secret in it.
pub(crate) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (host, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

/// Where a redirect leads. It may lead to another host, as those of software forges do, but not from HTTPS to HTTP.
fn redirected(from: &str, to: &str) -> Result<String, String> {
    let lower = |text: &str| text.get(..8).unwrap_or(text).to_ascii_lowercase();
    let is_secure = lower(from).starts_with("https://");
    if lower(to).starts_with("https://") {
        return Ok(to.to_owned());
    }
    if lower(to).starts_with("http://") {
        return if is_secure {
            Err(format!("it is redirected to {}, which is not encrypted", shown(to)))
        } else {
            Ok(to.to_owned())
        };
    }
    let (scheme, rest) = from.split_once("://").ok_or_else(|| "its address has no scheme".to_owned())?;
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if let Some(host) = to.strip_prefix("//") {
        return Ok(format!("{scheme}://{host}"));
    }
    if to.starts_with('/') {
        return Ok(format!("{scheme}://{host}{to}"));
    }
    if to.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':')) {
        return Err(format!("it is redirected to {}, which is no address of HTTP", shown(to)));
    }
    let path = rest.split(['?', '#']).next().unwrap_or_default();
    let folder = path.rfind('/').map_or(path, |slash| &path[..slash]);
    Ok(format!("{scheme}://{folder}/{to}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirects_lead_to_other_hosts_but_not_out_of_encryption() {
        let to = |from: &str, to: &str| redirected(from, to);
        assert_eq!(to("https://a/x", "https://b/y").unwrap(), "https://b/y");
        assert_eq!(to("http://a/x", "http://b/y").unwrap(), "http://b/y");
        assert_eq!(to("https://a/x/y?z", "/w").unwrap(), "https://a/w");
        assert_eq!(to("https://a/x/y?z/", "w").unwrap(), "https://a/x/w");
        assert_eq!(to("https://a/x", "//b/w").unwrap(), "https://b/w");
        for bad in ["http://b/y", "HTTP://b/y", "file:///etc/passwd", "ftp://b/y"] {
            assert!(to("https://a/x", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn what_may_be_secret_in_an_address_is_not_shown() {
        assert_eq!(shown("https://me:pw@h:1/a/b?token=x#y"), "https://h:1/a/b");
        assert_eq!(shown("https://h"), "https://h");
    }
}
