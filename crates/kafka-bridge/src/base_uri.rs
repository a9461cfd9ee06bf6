//! The address under which a client reaches its consumer: as the client itself, or the proxy before us, calls the bridge.

use http::header::{FORWARDED, HOST, HeaderMap};

use crate::http::routes::encode;

/// The address of a consumer. `scheme` is ours, and `own` the address for a request that names no host.
pub(crate) fn of(headers: &HeaderMap, scheme: &str, own: &str, group: &str, name: &str) -> String {
    let get = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let forwarded = get(FORWARDED.as_str());
    let part = |wanted: &str| {
        // Of several proxies the first one is nearest to the client.
        let first = forwarded?.split(',').next()?;
        let pairs = first.split(';').filter_map(|pair| pair.trim().split_once('='));
        let mut found = pairs.filter(|(key, _)| key.eq_ignore_ascii_case(wanted));
        found.next().map(|(_, value)| value.trim_matches('"').to_owned())
    };
    let first =
        |name: &str| get(name).and_then(|text| text.split(',').next()).map(|text| text.trim().to_owned());
    let proxied = part("host").or_else(|| first("x-forwarded-host")).filter(|host| is_host(host));
    let scheme = part("proto")
        .or_else(|| first("x-forwarded-proto"))
        .filter(|scheme| proxied.is_some() && matches!(scheme.as_str(), "http" | "https"))
        .unwrap_or_else(|| scheme.to_owned());
    let host = match proxied {
        Some(host) if host.rsplit(':').next().is_some_and(|port| port.parse::<u16>().is_ok()) => host,
        Some(host) => format!("{host}:{}", if scheme == "https" { 443 } else { 80 }),
        None => get(HOST.as_str()).filter(|host| is_host(host)).unwrap_or(own).to_owned(),
    };
    let path = format!("/consumers/{}/instances/{}", encode(group), encode(name));
    // A proxy that moves the API tells the path that the client asked for.
    let path = match first("x-forwarded-path").filter(|path| path.starts_with('/')) {
        Some(asked) => format!("{}/instances/{}", asked.trim_end_matches('/'), encode(name)),
        None => path,
    };
    format!("{scheme}://{host}{path}")
}

/// Whether a text can be a host with or without a port: it comes from anybody, and goes into JSON that others read.
fn is_host(host: &str) -> bool {
    !host.is_empty()
        && host.len() <= 300
        && host.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']')
        })
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], expected: &str) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        assert_eq!(of(&headers, "http", "localhost:8080", "my group", "c1"), expected);
    }

    #[test]
    fn the_address_is_that_which_the_client_knows() {
        let path = "/consumers/my%20group/instances/c1";
        check(&[], &format!("http://localhost:8080{path}"));
        check(&[("host", "bridge.ns:8080")], &format!("http://bridge.ns:8080{path}"));
        check(
            &[("host", "inside"), ("x-forwarded-host", "gateway:443"), ("x-forwarded-proto", "https")],
            &format!("https://gateway:443{path}"),
        );
        check(
            &[("forwarded", "host=gateway;proto=https, host=other")],
            &format!("https://gateway:443{path}"),
        );
        check(&[("forwarded", "host=gateway:81;proto=http")], &format!("http://gateway:81{path}"));
        check(
            &[
                ("forwarded", "host=gateway;proto=http"),
                ("x-forwarded-path", "/my-bridge/consumers/my-group"),
            ],
            "http://gateway:80/my-bridge/consumers/my-group/instances/c1",
        );
        check(&[("host", "a\"b")], &format!("http://localhost:8080{path}"));
    }
}
