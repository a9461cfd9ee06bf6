//! Names of images.

/// Longest name of an image.
const LONGEST: usize = 512;

/// Whether a text can be the name of an image, so that it may stand in a Dockerfile and in a command line.
pub(crate) fn is_image(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || b"._-/:@+".contains(&byte);
    text.len() <= LONGEST
        && text.bytes().all(inner)
        && text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
        && text.as_bytes().last().is_some_and(u8::is_ascii_alphanumeric)
        && !text.contains("//")
}

/// The name with its registry: tools for images do not agree on where a short name is.
pub(crate) fn with_registry(image: &str) -> String {
    match image.split_once('/') {
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
        None => format!("docker.io/library/{image}"),
    }
}

/// Whether two names are of images in one repository, whatever their tags and digests.
pub(crate) fn is_same_repository(one: &str, other: &str) -> bool {
    repository(one) == repository(other)
}

/// Registry and repository. A registry has the port of its protocol also where the name does not say so, and Docker Hub has three names.
fn repository(image: &str) -> String {
    let whole = with_registry(without_tag(image.split('@').next().unwrap_or(image)));
    let Some((host, name)) = whole.split_once('/') else { return whole };
    let host = host.to_ascii_lowercase();
    let host = host.strip_suffix(":443").or_else(|| host.strip_suffix(":80")).unwrap_or(&host);
    match host {
        "index.docker.io" | "registry-1.docker.io" => format!("docker.io/{name}"),
        host => format!("{host}/{name}"),
    }
}

fn without_tag(image: &str) -> &str {
    let start_of_name = image.rfind('/').map_or(0, |slash| slash + 1);
    match image[start_of_name..].find(':') {
        Some(colon) => &image[..start_of_name + colon],
        None => image,
    }
}

/// The name of exactly that image: with the digest in place of the tag.
pub(crate) fn by_digest(image: &str, digest: &str) -> String {
    format!("{}@{digest}", without_tag(image))
}

/// Whether a text is the digest of an image.
pub(crate) fn is_digest(text: &str) -> bool {
    text.strip_prefix("sha256:").is_some_and(|sum| {
        sum.len() == 64 && sum.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_images_are_told_from_what_would_break_a_dockerfile() {
        for good in ["a", "kafka:4.3.1", "registry:5000/a/b_c@sha256:00", "localhost/x", "a.b/c-d/e.f:g-1"] {
            assert!(is_image(good), "{good}");
        }
        for bad in ["", "a b", "a\nRUN x", "$HOME", "a AS b", "--platform=x", "docker://a", "a:", "ä", "/a"]
        {
            assert!(!is_image(bad), "{bad}");
        }
        assert!(!is_image(&"a".repeat(513)));
    }

    #[test]
    fn short_names_are_docker_hubs() {
        assert_eq!(with_registry("kafka:4"), "docker.io/library/kafka:4");
        assert_eq!(with_registry("apache/kafka:4"), "docker.io/apache/kafka:4");
        for whole in ["quay.io/a/b", "registry:5000/a", "localhost/a"] {
            assert_eq!(with_registry(whole), whole);
        }
    }

    #[test]
    fn images_of_one_repository_are_known_by_whatever_name() {
        let digest = format!("sha256:{}", "0a".repeat(32));
        for (one, other) in [
            ("r.example/a/b:1", "r.example/a/b"),
            ("r.example/a/b:1", "R.Example:443/a/b:2"),
            ("r.example/a/b:1", &format!("r.example/a/b@{digest}")),
            ("r.example/a/b:1", &format!("r.example/a/b:2@{digest}")),
            ("apache/kafka", "docker.io/apache/kafka:4"),
            ("kafka:4", "index.docker.io/library/kafka:5"),
        ] {
            assert!(is_same_repository(one, other) && is_same_repository(other, one), "{one} {other}");
        }
        for (one, other) in [
            ("r.example/a/b", "r.example/a/b/c"),
            ("r.example/a/b", "r.example:5000/a/b"),
            ("r.example/a", "a"),
            ("localhost/a:1", "a:1"),
        ] {
            assert!(!is_same_repository(one, other), "{one} {other}");
        }
    }

    #[test]
    fn the_digest_replaces_the_tag_and_not_the_port() {
        assert_eq!(by_digest("registry:5000/a/b:latest", "sha256:1"), "registry:5000/a/b@sha256:1");
        assert_eq!(by_digest("registry:5000/a/b", "sha256:1"), "registry:5000/a/b@sha256:1");
        assert_eq!(by_digest("b:1", "sha256:1"), "b@sha256:1");
        assert!(is_digest(&format!("sha256:{}", "0a".repeat(32))));
        for bad in ["", "sha256:", "sha256:00", &format!("sha256:{}", "0A".repeat(32)), "sha512:00"] {
            assert!(!is_digest(bad), "{bad}");
        }
    }
}
