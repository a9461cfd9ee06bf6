//! Where the programs are that tests start.

use std::path::PathBuf;

use anyhow::{Context, bail};

/// The folder of built third-party things: `KASTELLAN_CACHE`, else `$XDG_CACHE_HOME/kastellan`, else `~/.cache/kastellan`.
pub fn cache() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("KASTELLAN_CACHE").filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(folder));
    }
    if let Some(folder) = std::env::var_os("XDG_CACHE_HOME").filter(|value| !value.is_empty()) {
        return Ok(PathBuf::from(folder).join("kastellan"));
    }
    let home = std::env::var_os("HOME").context("HOME is not set; set KASTELLAN_CACHE to a folder")?;
    Ok(PathBuf::from(home).join(".cache/kastellan"))
}

/// A Kubernetes program (`kube-apiserver`, `etcd`, …): from `KUBEBUILDER_ASSETS` when that is set, else from the cache.
pub fn kubernetes(name: &str) -> anyhow::Result<PathBuf> {
    let assets = std::env::var_os("KUBEBUILDER_ASSETS").filter(|value| !value.is_empty());
    if let Some(found) = assets.map(|folder| PathBuf::from(folder).join(name)).filter(|path| path.is_file()) {
        return Ok(found);
    }
    let path = cache()?.join("bin").join(name);
    if !path.is_file() {
        bail!(
            "{} does not exist; run 'e2e/kubernetes/build.sh control-plane', or set KUBEBUILDER_ASSETS to a folder with {name}",
            path.display()
        );
    }
    Ok(path)
}
