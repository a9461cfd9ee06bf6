//! Connectors for a Kafka Connect cluster: built into an image, or mounted from images.

use k8s_openapi::api::core::v1::ResourceRequirements;
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;

use crate::schema::{JsonSchema, Resources, string_enum};

/// How an image with connectors is built.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Build {
    /// Where the image goes.
    pub output: BuildOutput,
    /// What is built into the image. Names must be unique.
    pub plugins: Vec<Plugin>,
    /// CPU and memory of the build.
    #[schemars(with = "Option<Resources>")]
    pub resources: Option<ResourceRequirements>,
}

/// Where a built image goes.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct BuildOutput {
    /// `docker` is any image registry, `imagestream` an OpenShift ImageStream.
    #[serde(rename = "type")]
    pub type_: BuildOutputType,
    /// Name of the image, or of the ImageStream and its tag.
    pub image: String,
    /// Secret of type `kubernetes.io/dockerconfigjson` for pushing (`docker`). Without it the registry must take
    /// images from everybody.
    pub push_secret: Option<String>,
    /// Of older versions: options of Kaniko.
    #[schemars(skip)]
    pub additional_kaniko_options: Option<crate::present::Present>,
    /// More options for the tool that builds.
    pub additional_build_options: Option<Vec<String>>,
    /// More options for the tool that pushes.
    pub additional_push_options: Option<Vec<String>>,
}

string_enum! {
    /// Where a built image goes.
    BuildOutputType {
        /// An image registry.
        Docker = "docker",
        /// An OpenShift ImageStream.
        ImageStream = "imagestream",
    }
}

/// A connector to build into an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Plugin {
    /// Name of the connector's directory, unique in the image: lower-case letters, digits, `-` and `_`.
    #[schemars(regex(pattern = r"^[a-z0-9][-_a-z0-9]*[a-z0-9]$"))]
    pub name: String,
    /// The files the connector consists of.
    pub artifacts: Vec<Artifact>,
}

/// A file of a connector.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// `jar` is put there as it is, `tgz` and `zip` are unpacked, `maven` comes with its dependencies, `other` is put
    /// there under `fileName`.
    #[serde(rename = "type")]
    pub type_: ArtifactType,
    /// Where the file is loaded from (all but `maven`, where it is not used).
    #[schemars(regex(pattern = r"^(https?|ftp)://[-a-zA-Z0-9+&@#/%?=~_|!:,.;]*[-a-zA-Z0-9+&@#/%=~_|]$"))]
    pub url: Option<String>,
    /// SHA-512 of the file, in hexadecimal (all but `maven`). A file that differs is refused. The default is no check.
    pub sha512sum: Option<String>,
    /// Whether the server's certificate is not verified (all but `maven`). The default is false.
    pub insecure: Option<bool>,
    /// Name of the file (`other`). The default is made of the address.
    pub file_name: Option<String>,
    /// Group id (`maven`).
    pub group: Option<String>,
    /// Artifact id (`maven`).
    pub artifact: Option<String>,
    /// Version (`maven`).
    pub version: Option<String>,
    /// Address of the Maven repository (`maven`). The default is Maven Central.
    pub repository: Option<String>,
    /// Which dependencies come along (`maven`). The default is `runtime`.
    pub include_scope: Option<MavenScope>,
    /// Maven repositories to ask in place of the public ones (`maven`).
    pub mirrors: Option<Vec<MavenMirror>>,
}

string_enum! {
    /// Kinds of files.
    ArtifactType {
        /// A Java archive.
        Jar = "jar",
        /// A compressed tar archive, unpacked.
        Tgz = "tgz",
        /// A ZIP archive, unpacked.
        Zip = "zip",
        /// A Maven artifact with its dependencies.
        Maven = "maven",
        /// Any file.
        Other = "other",
    }
}

string_enum! {
    /// Which dependencies of a Maven artifact come along.
    MavenScope {
        /// Those needed to compile.
        Compile = "compile",
        /// Those expected to be there.
        Provided = "provided",
        /// Those needed to run.
        Runtime = "runtime",
        /// Those needed for tests.
        Test = "test",
        /// Those expected on the system.
        System = "system",
    }
}

/// A Maven repository to ask in place of the public ones.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MavenMirror {
    /// Address of the repository.
    pub url: String,
}

/// A connector to mount from images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MountedPlugin {
    /// Name of the connector's directory, unique in the pod: lower-case letters, digits, `-` and `_`.
    #[schemars(regex(pattern = r"^[a-z0-9][-_a-z0-9]*[a-z0-9]$"))]
    pub name: String,
    /// The images.
    pub artifacts: Vec<MountedArtifact>,
}

/// An image with files of a connector.
#[skip_serializing_none]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MountedArtifact {
    /// `image`: an image, mounted as a volume.
    #[serde(rename = "type")]
    pub type_: MountedArtifactType,
    /// Name of the image.
    pub reference: String,
    /// When the image is pulled: `Always`, `IfNotPresent` or `Never`. The default is Kubernetes' own.
    pub pull_policy: Option<String>,
}

string_enum! {
    /// Where mounted files come from.
    MountedArtifactType {
        /// An image.
        Image = "image",
    }
}
