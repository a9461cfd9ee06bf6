//! Additional options for Buildah: which of them a resource may name.

use api::conditions::reasons;
use api::kafka_connect::build::BuildOutput;

use super::Options;
use crate::findings::Findings;

/// An option that is allowed.
struct Option_ {
    name: &'static str,
    /// Whether a value follows, after `=` or as the next item.
    has_value: bool,
}

const fn with_value(name: &'static str) -> Option_ {
    Option_ { name, has_value: true }
}

const fn switch(name: &'static str) -> Option_ {
    Option_ { name, has_value: false }
}

/// Those of the pull of the image that a build begins with.
const PULL: &[Option_] = &[
    with_value("--authfile"),
    with_value("--cert-dir"),
    with_value("--creds"),
    with_value("--decryption-key"),
    with_value("--retry"),
    with_value("--retry-delay"),
    switch("--tls-verify"),
];

/// Those of `buildah build`. None of them mounts anything, names another Dockerfile, or lets the build do more.
const BUILD: &[Option_] = &[switch("--layers")];

/// Those that are for layers of earlier builds.
const CACHE: &[Option_] = &[with_value("--cache-from"), with_value("--cache-to"), with_value("--cache-ttl")];

/// Those of `buildah push`.
const PUSH: &[Option_] = &[
    with_value("--authfile"),
    with_value("--cert-dir"),
    with_value("--creds"),
    switch("--quiet"),
    with_value("--retry"),
    with_value("--retry-delay"),
    switch("--tls-verify"),
];

/// The options of a resource.
pub(crate) fn of(output: &BuildOutput, findings: &mut Findings) -> Options {
    let field = "spec.build.output.additionalBuildOptions";
    let raw = output.additional_build_options.as_ref();
    let (mut pull, mut build) = (Vec::new(), Vec::new());
    for (index, option, text) in read(raw, &[PULL, BUILD, CACHE], field, findings) {
        let is_of = |some: &[Option_]| some.iter().any(|one| one.name == option.name);
        if is_of(PULL) {
            pull.push(text);
        } else if is_of(BUILD) {
            build.push(text);
        } else {
            let name = option.name;
            findings.warn(
                reasons::FIELDS_WITHOUT_EFFECT,
                format!("{field}[{index}]: {name} has no effect, because a build makes one layer: remove it"),
            );
        }
    }
    let raw = output.additional_push_options.as_ref();
    let push = read(raw, &[PUSH], "spec.build.output.additionalPushOptions", findings);
    Options { pull, build, push: push.into_iter().map(|(_, _, text)| text).collect() }
}

/// The options with their positions.
fn read(
    raw: Option<&Vec<String>>,
    allowed: &[&'static [Option_]],
    field: &str,
    findings: &mut Findings,
) -> Vec<(usize, &'static Option_, String)> {
    let allowed = || allowed.iter().copied().flatten();
    let mut taken = Vec::new();
    let mut items = raw.into_iter().flatten().enumerate().peekable();
    while let Some((index, item)) = items.next() {
        let field = format!("{field}[{index}]");
        let (name, value) = item.split_once('=').map_or((item.as_str(), None), |(n, v)| (n, Some(v)));
        let Some(option) = allowed().find(|option| option.name == name) else {
            let names: Vec<&str> = allowed().map(|option| option.name).collect();
            findings.problem(
                field,
                format!("{name:?} is not allowed: remove it, or write one of {}", names.join(", ")),
            );
            continue;
        };
        if name == "--creds" {
            findings.warn(
                reasons::CREDENTIALS_IN_PLAIN_SIGHT,
                format!("{field}: everybody who may read the pod sees the password: name a Secret in spec.build.output.pushSecret, or for pulling \
                         in spec.template.buildConfig.pullSecret"),
            );
        }
        let value = match value {
            None if option.has_value => {
                let Some((_, next)) = items.next_if(|(_, next)| !next.starts_with('-')) else {
                    findings.problem(field, format!("{name} needs a value: write {name}=VALUE"));
                    continue;
                };
                Some(next.as_str())
            }
            value => value,
        };
        if value.is_some_and(|value| value.is_empty() || value.chars().any(char::is_control)) {
            findings.problem(field, format!("{name} has no usable value: write {name}=VALUE"));
            continue;
        }
        taken.push((index, option, value.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"))));
    }
    taken
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn build(items: &[&str]) -> (Options, Vec<String>) {
        let mut findings = Findings::default();
        let output = json!({"type": "docker", "image": "r/a:1", "additionalBuildOptions": items});
        let output: BuildOutput = serde_json::from_value(output).unwrap();
        let taken = of(&output, &mut findings);
        (taken, findings.problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn options_come_with_their_values_and_as_single_words() {
        let (taken, problems) =
            build(&["--tls-verify=false", "--retry", "3", "--layers", "--cache-from=r/c"]);
        assert_eq!(taken.pull, ["--tls-verify=false", "--retry=3"]);
        assert_eq!(taken.build, ["--layers"], "what is for earlier layers has no effect");
        assert!(taken.push.is_empty());
        assert!(problems.is_empty(), "{problems:?}");
    }

    #[test]
    fn what_could_do_more_than_ask_a_registry_is_refused() {
        for bad in [
            &["--volume=/:/host"][..],
            &["--device=/dev/sda"],
            &["-f", "/etc/passwd"],
            &["--file=/x"],
            &["/another/context"],
            // A switch takes no next item: that would be the folder of the build.
            &["--tls-verify", "/another/context"],
            &["--retry"],
            &["--retry", "--volume=/:/host"],
            &["--cert-dir="],
            &["--cert-dir=a\nb"],
        ] {
            let (_, problems) = build(bad);
            assert!(
                !problems.is_empty() && problems[0].starts_with("spec.build.output.additionalBuildOptions["),
                "{bad:?}"
            );
        }
    }
}
