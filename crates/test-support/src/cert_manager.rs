//! The real controllers of cert-manager, for one namespace of an API server.

use std::time::Duration;

use anyhow::Context;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams};
use kube::core::GroupVersionKind;
use kube::{Api, Client};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::api_server::ApiServer;
use crate::binaries;
use crate::child::Child;
use crate::wait;

/// How long a certificate may take on a machine that is busy with other tests.
const DEADLINE: Duration = Duration::from_secs(90);

/// cert-manager at work in a namespace.
pub struct CertManager {
    client: Client,
    namespace: String,
    _folder: TempDir,
    _child: Child,
}

impl std::fmt::Debug for CertManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertManager").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl CertManager {
    /// Installs the definitions of cert-manager's kinds and starts its controllers for a namespace, with issuers of the types `ca` and
    /// `selfSigned`.
    ///
    /// # Errors
    /// When it was not built (`e2e/kubernetes/build.sh cert-manager`), or the server refuses a definition.
    pub async fn start(server: &ApiServer, namespace: &str) -> anyhow::Result<Self> {
        Self::install_definitions(server).await?;
        let folder = tempfile::tempdir().context("make a folder")?;
        let arguments = [
            format!("--kubeconfig={}", server.admin_kubeconfig_file()?.display()),
            format!("--namespace={namespace}"),
        ];
        let program = binaries::kubernetes("cert-manager-controller")?;
        let child = Child::start(&program, &arguments, &folder.path().join("cert-manager.log"))?;
        let client = server.client().await?;
        Ok(Self { client, namespace: namespace.to_owned(), _folder: folder, _child: child })
    }

    /// The definitions alone.
    ///
    /// # Errors
    /// As [`Self::start`].
    pub async fn install_definitions(server: &ApiServer) -> anyhow::Result<()> {
        let folder = binaries::cache()?.join("cert-manager");
        let mut definitions: Vec<CustomResourceDefinition> = Vec::new();
        for name in ["certificates", "certificaterequests", "issuers", "clusterissuers"] {
            let file = folder.join(format!("{name}.yaml"));
            let text = std::fs::read_to_string(&file).with_context(|| {
                format!("read {}; run 'e2e/kubernetes/build.sh cert-manager'", file.display())
            })?;
            definitions.push(serde_saphyr::from_str(&text).with_context(|| format!("read {name}"))?);
        }
        server.install_crds(&definitions).await
    }

    /// Makes an issuer of this name with an authority of its own, self-signed. The Secret `<name>-ca` has its certificate (`tls.crt`) and
    /// key.
    ///
    /// # Errors
    /// When the server refuses it, or the authority is not there in time.
    pub async fn issuer(&self, name: &str) -> anyhow::Result<()> {
        let root = format!("{name}-root");
        self.apply(&json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": root},
            "spec": {"selfSigned": {}},
        }))
        .await?;
        self.authority(name, &root).await
    }

    /// Makes an issuer of this name whose authority another issuer signs.
    ///
    /// # Errors
    /// As [`Self::issuer`].
    pub async fn issuer_below(&self, name: &str, above: &str) -> anyhow::Result<()> {
        self.authority(name, above).await
    }

    async fn authority(&self, name: &str, signer: &str) -> anyhow::Result<()> {
        let secret = format!("{name}-ca");
        self.apply(&json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": secret},
            "spec": {
                "isCA": true, "commonName": name, "secretName": secret, "duration": "87600h",
                "privateKey": {"algorithm": "ECDSA", "size": 256},
                "issuerRef": {"group": "cert-manager.io", "kind": "Issuer", "name": signer},
            },
        }))
        .await?;
        self.issuer_of_secret(name, &secret).await?;
        let is_ready = |issuer: &DynamicObject| is_true(issuer, "Ready");
        wait::for_object(&self.api("Issuer"), name, DEADLINE, "is ready", is_ready).await.map(drop)
    }

    /// Makes an issuer of this name that signs with the authority in a Secret (`tls.crt`, `tls.key`), there or not.
    ///
    /// # Errors
    /// When the server refuses it.
    pub async fn issuer_of_secret(&self, name: &str, secret: &str) -> anyhow::Result<()> {
        self.apply(&json!({
            "apiVersion": "cert-manager.io/v1", "kind": "Issuer", "metadata": {"name": name},
            "spec": {"ca": {"secretName": secret}},
        }))
        .await
    }

    /// Has certificates issued anew, as `cmctl renew` does, once what was under way with them is finished.
    ///
    /// # Errors
    /// When the server refuses it, or a certificate is not ready in time.
    pub async fn renew(&self, certificates: &[&str]) -> anyhow::Result<()> {
        let issuing = json!({"status": {"conditions": [{
            "type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "asked for by hand",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }]}});
        // When it finishes, cert-manager takes the condition away, also a condition that came meanwhile.
        let is_settled = |one: &DynamicObject| is_true(one, "Ready") && !is_true(one, "Issuing");
        let api = self.api("Certificate");
        for certificate in certificates {
            wait::for_object(&api, certificate, DEADLINE, "is issued", is_settled).await?;
            let patch = Patch::Merge(&issuing);
            api.patch_status(certificate, &PatchParams::default(), &patch).await?;
        }
        Ok(())
    }

    /// Certificates, issuers and the like of the namespace.
    pub fn api(&self, kind: &str) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("cert-manager.io", "v1", kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &kind)
    }

    async fn apply(&self, object: &Value) -> anyhow::Result<()> {
        let kind = object["kind"].as_str().context("a kind")?;
        let name = object["metadata"]["name"].as_str().context("a name")?;
        let params = PatchParams::apply("user").force();
        self.api(kind).patch(name, &params, &Patch::Apply(object)).await?;
        Ok(())
    }
}

fn is_true(object: &DynamicObject, type_: &str) -> bool {
    let conditions = object.data["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == type_ && one["status"] == "True")
}
