//! Every path and method of the API, in one table.

use http::Method;

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Operation {
    /// About this program.
    Info,
    /// Is it alive?
    Healthy,
    /// May requests come?
    Ready,
    /// The description of the API.
    OpenApi,
    /// Figures for Prometheus.
    Metrics,
    /// The names of all topics.
    ListTopics,
    /// One topic.
    GetTopic,
    /// Records for a topic.
    Send,
    /// The partitions of a topic.
    ListPartitions,
    /// One partition.
    GetPartition,
    /// Records for a partition.
    SendToPartition,
    /// First and next offset of a partition.
    GetOffsets,
    /// A new topic.
    CreateTopic,
    /// A new consumer.
    CreateConsumer,
    /// The end of a consumer.
    DeleteConsumer,
    /// Topics of a consumer.
    Subscribe,
    /// What a consumer has subscribed to.
    ListSubscriptions,
    /// No topics any more.
    Unsubscribe,
    /// Partitions of a consumer.
    Assign,
    /// Records.
    Poll,
    /// Offsets that are done.
    Commit,
    /// Where to go on.
    Seek,
    /// Go on at the first record.
    SeekToBeginning,
    /// Go on behind the last record.
    SeekToEnd,
}

/// One line of the table. A part of the path in braces matches any text.
#[derive(Debug)]
struct Route {
    method: Method,
    path: &'static str,
    operation: Operation,
}

const fn route(method: Method, path: &'static str, operation: Operation) -> Route {
    Route { method, path, operation }
}

const INSTANCE: &str = "/consumers/{groupid}/instances/{name}";

static ROUTES: &[Route] = &[
    route(Method::GET, "/", Operation::Info),
    route(Method::GET, "/healthy", Operation::Healthy),
    route(Method::GET, "/ready", Operation::Ready),
    route(Method::GET, "/openapi", Operation::OpenApi),
    route(Method::GET, "/openapi/v3", Operation::OpenApi),
    route(Method::GET, "/metrics", Operation::Metrics),
    route(Method::GET, "/topics", Operation::ListTopics),
    route(Method::GET, "/topics/{topicname}", Operation::GetTopic),
    route(Method::POST, "/topics/{topicname}", Operation::Send),
    route(Method::GET, "/topics/{topicname}/partitions", Operation::ListPartitions),
    route(Method::GET, "/topics/{topicname}/partitions/{partitionid}", Operation::GetPartition),
    route(Method::POST, "/topics/{topicname}/partitions/{partitionid}", Operation::SendToPartition),
    route(Method::GET, "/topics/{topicname}/partitions/{partitionid}/offsets", Operation::GetOffsets),
    route(Method::POST, "/admin/topics", Operation::CreateTopic),
    route(Method::POST, "/consumers/{groupid}", Operation::CreateConsumer),
    route(Method::DELETE, INSTANCE, Operation::DeleteConsumer),
    route(Method::POST, "/consumers/{groupid}/instances/{name}/subscription", Operation::Subscribe),
    route(Method::GET, "/consumers/{groupid}/instances/{name}/subscription", Operation::ListSubscriptions),
    route(Method::DELETE, "/consumers/{groupid}/instances/{name}/subscription", Operation::Unsubscribe),
    route(Method::POST, "/consumers/{groupid}/instances/{name}/assignments", Operation::Assign),
    route(Method::GET, "/consumers/{groupid}/instances/{name}/records", Operation::Poll),
    route(Method::POST, "/consumers/{groupid}/instances/{name}/offsets", Operation::Commit),
    route(Method::POST, "/consumers/{groupid}/instances/{name}/positions", Operation::Seek),
    route(
        Method::POST,
        "/consumers/{groupid}/instances/{name}/positions/beginning",
        Operation::SeekToBeginning,
    ),
    route(Method::POST, "/consumers/{groupid}/instances/{name}/positions/end", Operation::SeekToEnd),
];

/// What the table says of a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// An operation, with the parts of the path in its order, decoded, and the path as the table has it.
    Route(Operation, Vec<String>, &'static str),
    /// The path is there, with these methods.
    OtherMethods(Vec<Method>),
    /// No such path.
    Nothing,
}

/// Looks a request up.
pub(crate) fn find(method: &Method, path: &str) -> Found {
    // A slash at the end means nothing.
    let path = match path.strip_suffix('/') {
        Some(shorter) if !shorter.is_empty() => shorter,
        _ => path,
    };
    let mut methods = Vec::new();
    for route in ROUTES {
        let Some(parts) = matched(route.path, path) else { continue };
        // A question about records would take them away.
        let is_head =
            *method == Method::HEAD && route.method == Method::GET && route.operation != Operation::Poll;
        if route.method == *method || is_head {
            let decoded: Option<Vec<String>> = parts.into_iter().map(decode).collect();
            return decoded.map_or(Found::Nothing, |parts| Found::Route(route.operation, parts, route.path));
        }
        methods.push(route.method.clone());
    }
    if methods.is_empty() { Found::Nothing } else { Found::OtherMethods(methods) }
}

/// The parts that stand for the braces; `None`: another path.
fn matched<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut found = Vec::new();
    let mut parts = path.split('/');
    for expected in pattern.split('/') {
        let part = parts.next()?;
        if expected.starts_with('{') {
            if part.is_empty() {
                return None;
            }
            found.push(part);
        } else if expected != part {
            return None;
        }
    }
    parts.next().is_none().then_some(found)
}

/// The text that a percent-encoded one stands for; `None`: it is not UTF-8, or an escape is broken.
pub(crate) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || rest.next().and_then(|digit| char::from(digit).to_digit(16));
            let (high, low) = (digit()?, digit()?);
            bytes.push((high * 16 + low) as u8);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A text as one part of a path.
pub(crate) fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            for half in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(half), 16).unwrap_or('0').to_ascii_uppercase());
            }
        }
    }
    out
}

/// The value of a name in a query; `Err`: it cannot be decoded.
pub(crate) fn query(query: Option<&str>, name: &str) -> Result<Option<String>, ()> {
    for pair in query.unwrap_or_default().split('&') {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if decode(key).as_deref() == Some(name) {
            return decode(&value.replace('+', " ")).map(Some).ok_or(());
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_and_method_of_the_served_description_is_in_the_table() {
        let description: serde_json::Value = serde_json::from_str(crate::openapi::TEXT).unwrap();
        let mut described = Vec::new();
        for (path, methods) in description["paths"].as_object().unwrap() {
            for method in methods.as_object().unwrap().keys().filter(|key| *key != "parameters") {
                described.push(format!("{} {path}", method.to_uppercase()));
            }
        }
        let mut served: Vec<String> =
            ROUTES.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
        described.sort();
        served.sort();
        assert_eq!(served, described);
    }

    #[test]
    fn paths_are_found_with_their_parts_decoded() {
        let found = find(&Method::GET, "/consumers/my%20group/instances/a%2Fb/records/");
        let parts = vec!["my group".to_owned(), "a/b".to_owned()];
        assert_eq!(
            found,
            Found::Route(Operation::Poll, parts, "/consumers/{groupid}/instances/{name}/records")
        );
        assert_eq!(find(&Method::DELETE, "/topics"), Found::OtherMethods(vec![Method::GET]));
        for path in ["/nothing", "/topics/a/b", "/consumers//instances/b", "/topics/%ff", "/topics/%4"] {
            assert_eq!(find(&Method::GET, path), Found::Nothing, "{path}");
        }
        assert!(matches!(find(&Method::HEAD, "/ready"), Found::Route(Operation::Ready, ..)));
    }

    #[test]
    fn names_survive_a_path_and_queries_are_read() {
        let name = "ä /?#%+x";
        assert_eq!(decode(&encode(name)).unwrap(), name);
        assert_eq!(query(Some("a=1&timeout=20%30"), "timeout"), Ok(Some("200".to_owned())));
        assert_eq!(query(Some("a=1"), "timeout"), Ok(None));
        assert_eq!(query(Some("timeout=%zz"), "timeout"), Err(()));
    }
}
