//! Kubeconfig files, for an operator outside a pod.
//!
//! The client's own reader puts a YAML reader of each of its types into every operator. Here YAML becomes JSON first, and JSON the
//! types.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use kube::config::{AuthInfo, Kubeconfig};
use serde_json::Value;

use crate::watch::explain;

/// Why there is no kubeconfig.
#[derive(Debug, thiserror::Error)]
pub enum KubeconfigError {
    /// There is no place to look at.
    #[error("neither KUBECONFIG nor HOME is set")]
    NoPlace,
    /// The file cannot be read.
    #[error("read the kubeconfig file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no YAML.
    #[error("read the kubeconfig file {}: it is not YAML at line {line}: correct it", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// Where. The reader's own words may quote a token.
        line: u64,
    },
    /// The file is no kubeconfig.
    #[error("read the kubeconfig file {}: {why}", path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong, without its value.
        why: String,
    },
    /// Two files contradict each other.
    #[error("take the kubeconfig file {} beside those before it: {source}", path.display())]
    Merge {
        /// The file.
        path: PathBuf,
        /// How.
        source: Box<kube::config::KubeconfigError>,
    },
    /// What the files say leads to no API server.
    #[error("use the kubeconfig: {0}")]
    Unusable(#[source] Box<kube::config::KubeconfigError>),
}

/// The files that `KUBECONFIG` names, together, else `~/.kube/config`.
///
/// # Errors
/// When there is none, or it cannot be read.
pub(crate) fn read() -> Result<Kubeconfig, KubeconfigError> {
    let paths = paths(std::env::var_os("KUBECONFIG").as_deref(), std::env::home_dir());
    if paths.is_empty() {
        return Err(KubeconfigError::NoPlace);
    }
    together(&paths)
}

fn paths(variable: Option<&OsStr>, home: Option<PathBuf>) -> Vec<PathBuf> {
    let named = variable.into_iter().flat_map(std::env::split_paths);
    let named: Vec<PathBuf> = named.filter(|path| !path.as_os_str().is_empty()).collect();
    if named.is_empty() { home.map(|home| home.join(".kube/config")).into_iter().collect() } else { named }
}

/// What comes first counts.
fn together(paths: &[PathBuf]) -> Result<Kubeconfig, KubeconfigError> {
    let mut all = Kubeconfig::default();
    for path in paths {
        let failed = |source| KubeconfigError::Read { path: path.clone(), source };
        let text = std::fs::read_to_string(path).map_err(failed)?;
        for document in documents(&text, path)? {
            let merged = all.merge(document);
            all = merged
                .map_err(|source| KubeconfigError::Merge { path: path.clone(), source: Box::new(source) })?;
        }
    }
    Ok(all)
}

/// The kubeconfigs in a file, with the files that they name relative to it.
fn documents(text: &str, path: &Path) -> Result<Vec<Kubeconfig>, KubeconfigError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let documents: Vec<Value> = serde_saphyr::from_multiple(text).map_err(|error| {
        let line = error.location().map_or(1, |location| location.line());
        KubeconfigError::Yaml { path: path.to_owned(), line }
    })?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let filled = documents.iter().filter(|document| !document.is_null());
    let read = filled.map(|document| {
        let text = document.to_string();
        let mut kubeconfig: Kubeconfig = serde_json::from_str(&text).map_err(|error| {
            KubeconfigError::Content { path: path.to_owned(), why: explain(&text, &error, false) }
        })?;
        find_files(&mut kubeconfig, folder);
        Ok(kubeconfig)
    });
    read.collect()
}

fn find_files(kubeconfig: &mut Kubeconfig, folder: &Path) {
    let find = |file: &mut Option<String>| {
        if let Some(name) = file.as_ref().filter(|name| Path::new(name).is_relative()) {
            *file = folder.join(name).to_str().map(str::to_owned).or_else(|| Some(name.clone()));
        }
    };
    for cluster in kubeconfig.clusters.iter_mut().filter_map(|named| named.cluster.as_mut()) {
        find(&mut cluster.certificate_authority);
    }
    for user in kubeconfig.auth_infos.iter_mut().filter_map(|named| named.auth_info.as_mut()) {
        let AuthInfo { client_certificate, client_key, token_file, exec, .. } = user;
        for file in [client_certificate, client_key, token_file] {
            find(file);
        }
        // A command without a folder is looked for in PATH.
        if let Some(exec) =
            exec.as_mut().filter(|exec| exec.command.as_ref().is_some_and(|it| it.contains('/')))
        {
            find(&mut exec.command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLUSTER: &str = "\
# as kubectl writes it
apiVersion: v1
kind: Config
clusters:
- name: c
  cluster: {server: 'https://127.0.0.1:6443', certificate-authority: ca.crt, insecure-skip-tls-verify: false}
contexts:
- context: {cluster: c, user: u, namespace: ns}
  name: here
current-context: here
";
    const USER: &str = "\
users:
- name: u
  user:
    client-certificate: /etc/u.crt
    tokenFile: tokens/u
    token: secret
    exec:
      apiVersion: client.authentication.k8s.io/v1
      command: ./login
      args: [\"1\"]
---
users:
- name: v
  user:
    exec: {command: aws}
current-context: there
";

    #[test]
    fn files_are_taken_together_and_name_files_beside_them() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let names = [file("cluster", CLUSTER), file("empty", ""), file("user", USER)];
        let read = together(&names).unwrap();
        assert_eq!(read.current_context.as_deref(), Some("here"), "the first file counts");
        let beside = |name: &str| Some(folder.path().join(name).to_str().unwrap().to_owned());
        let cluster = read.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.server.as_deref(), Some("https://127.0.0.1:6443"));
        assert_eq!(cluster.certificate_authority, beside("ca.crt"));
        assert_eq!(read.contexts[0].context.as_ref().unwrap().namespace.as_deref(), Some("ns"));
        let users: Vec<&AuthInfo> =
            read.auth_infos.iter().map(|named| named.auth_info.as_ref().unwrap()).collect();
        assert_eq!(users[0].client_certificate.as_deref(), Some("/etc/u.crt"));
        assert_eq!(users[0].token_file, beside("tokens/u"));
        let command = |user: &AuthInfo| user.exec.as_ref().unwrap().command.clone();
        assert_eq!(command(users[0]), beside("./login"));
        assert_eq!(command(users[1]).as_deref(), Some("aws"));
    }

    #[test]
    fn what_is_no_kubeconfig_is_named_with_its_file_and_without_its_text() {
        for (text, why) in [
            ("token: [secret", "not YAML"),
            ("users: [{user: {exec: secret}}]", "users[0].user.exec cannot be read"),
        ] {
            let said = documents(text, Path::new("/home/me/config")).unwrap_err().to_string();
            assert!(said.contains("/home/me/config") && said.contains(why), "{said}");
            assert!(!said.contains("secret"), "{said}");
        }
        let missing = together(&[PathBuf::from("/does/not/exist")]).unwrap_err();
        assert!(missing.to_string().contains("/does/not/exist"), "{missing}");
    }

    #[test]
    fn the_variable_counts_before_the_home() {
        let home = Some(PathBuf::from("/home/me"));
        let of = |variable: Option<&str>| paths(variable.map(OsStr::new), home.clone());
        assert_eq!(of(Some("/a::/b")), [PathBuf::from("/a"), PathBuf::from("/b")]);
        assert_eq!(of(None), [PathBuf::from("/home/me/.kube/config")]);
        assert_eq!(of(Some("")), of(None));
        assert!(paths(None, None).is_empty());
    }
}
