//! What is made here is read by the tools that users have: OpenSSL and Java's keytool.
#![allow(clippy::unwrap_used, missing_docs)]

use std::path::Path;
use std::process::Command;

use issuer::{Authority, AuthorityRequest, KeyAlgorithm, LeafRequest, key_store, trust_store};
use jiff::Timestamp;
use pki::{CertificatePem, Password, PkiError, PrivateKeyPem, parse_certificate};

fn now() -> Timestamp {
    Timestamp::now()
}

fn request(algorithm: KeyAlgorithm) -> AuthorityRequest {
    AuthorityRequest {
        common_name: "cluster-ca v0".into(),
        organization: "io.strimzi".into(),
        validity_days: 365,
        algorithm,
    }
}

fn leaf(algorithm: KeyAlgorithm) -> LeafRequest {
    LeafRequest {
        common_name: "c-kafka".into(),
        organization: Some("io.strimzi".into()),
        dns_names: ["localhost".to_owned(), "c-kafka-bootstrap.ns.svc".to_owned()].into(),
        ip_addresses: ["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()].into(),
        validity_days: 90,
        algorithm,
    }
}

fn run(folder: &Path, program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(folder).output().unwrap();
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{program} {arguments:?}: {text}");
    text
}

#[test]
fn openssl_verifies_leaves_of_every_kind_of_authority() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (algorithm, leaf_algorithm) in
        [(KeyAlgorithm::EcdsaP256, KeyAlgorithm::EcdsaP256), (KeyAlgorithm::Rsa2048, KeyAlgorithm::Rsa2048)]
    {
        let authority = Authority::generate(&request(algorithm), now()).unwrap();
        let issued = authority.issue(&leaf(leaf_algorithm), now()).unwrap();
        std::fs::write(path.join("ca.crt"), authority.certificate().as_str()).unwrap();
        std::fs::write(path.join("leaf.crt"), issued.certificate.as_str()).unwrap();
        std::fs::write(path.join("leaf.key"), issued.key.expose()).unwrap();
        run(path, "openssl", &["verify", "-x509_strict", "-CAfile", "ca.crt", "leaf.crt"]);
        let text = run(path, "openssl", &["x509", "-in", "leaf.crt", "-noout", "-text"]);
        assert!(
            text.contains("CA:FALSE")
                && text.contains("DNS:localhost")
                && text.contains("IP Address:127.0.0.1"),
            "{text}"
        );
        assert_eq!(text.contains("Key Encipherment"), leaf_algorithm.is_rsa(), "{text}");
        let text = run(path, "openssl", &["x509", "-in", "ca.crt", "-noout", "-text"]);
        assert!(
            text.contains("CA:TRUE, pathlen:0") && text.contains("O = io.strimzi, CN = cluster-ca v0"),
            "{text}"
        );
        let of_key = run(path, "openssl", &["pkey", "-in", "leaf.key", "-pubout"]);
        let of_certificate = run(path, "openssl", &["x509", "-in", "leaf.crt", "-noout", "-pubkey"]);
        assert_eq!(of_key, of_certificate);
        let thumbprint =
            run(path, "openssl", &["x509", "-in", "leaf.crt", "-noout", "-fingerprint", "-sha256"]);
        let info = parse_certificate(&issued.certificate).unwrap();
        assert!(thumbprint.to_lowercase().replace(':', "").contains(&info.sha256_thumbprint), "{thumbprint}");
        assert_eq!(info.dns_names.len(), 2);
        assert_eq!(info.ip_addresses.len(), 2);
    }
}

#[test]
fn authorities_made_by_openssl_keep_working_in_both_forms_of_rsa_keys() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    run(path, "openssl", &["genrsa", "-out", "pkcs8.key", "2048"]);
    run(path, "openssl", &["rsa", "-in", "pkcs8.key", "-traditional", "-out", "pkcs1.key"]);
    let subject = "/O=io.strimzi/CN=clients-ca v0";
    run(
        path,
        "openssl",
        &[
            "req",
            "-x509",
            "-new",
            "-key",
            "pkcs8.key",
            "-sha512",
            "-days",
            "365",
            "-subj",
            subject,
            "-out",
            "ca.crt",
        ],
    );
    let certificate = CertificatePem::new(std::fs::read_to_string(path.join("ca.crt")).unwrap());
    for key in ["pkcs8.key", "pkcs1.key"] {
        let key = PrivateKeyPem::new(std::fs::read_to_string(path.join(key)).unwrap());
        let authority = Authority::load(&certificate, &key).unwrap();
        let issued = authority.issue(&leaf(KeyAlgorithm::EcdsaP256), now()).unwrap();
        std::fs::write(path.join("leaf.crt"), issued.certificate.as_str()).unwrap();
        run(path, "openssl", &["verify", "-CAfile", "ca.crt", "leaf.crt"]);
    }
    let renewed = AuthorityRequest { common_name: "clients-ca v0".into(), ..request(KeyAlgorithm::Rsa2048) };
    let key = PrivateKeyPem::new(std::fs::read_to_string(path.join("pkcs1.key")).unwrap());
    let renewed = Authority::renew(&renewed, &key, now()).unwrap();
    std::fs::write(path.join("ca.crt"), renewed.certificate().as_str()).unwrap();
    run(path, "openssl", &["verify", "-CAfile", "ca.crt", "leaf.crt"]);
}

#[test]
fn java_and_openssl_read_the_stores() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let password = Password::new("changeit1234");
    let authority = Authority::generate(&request(KeyAlgorithm::EcdsaP256), now()).unwrap();
    std::fs::write(path.join("ca.p12"), trust_store(&[("ca", authority.certificate())], &password).unwrap())
        .unwrap();
    let issued = authority.issue(&leaf(KeyAlgorithm::EcdsaP256), now()).unwrap();
    let store = key_store("bob", &issued.key, &issued.chain, &password).unwrap();
    std::fs::write(path.join("user.p12"), store).unwrap();
    let text = run(path, "keytool", &["-list", "-keystore", "ca.p12", "-storepass", password.expose()]);
    assert!(text.contains("ca,") && text.contains("trustedCertEntry"), "{text}");
    let text =
        run(path, "keytool", &["-list", "-v", "-keystore", "user.p12", "-storepass", password.expose()]);
    assert!(
        text.contains("Alias name: bob")
            && text.contains("PrivateKeyEntry")
            && text.contains("chain length: 2"),
        "{text}"
    );
    for store in ["ca.p12", "user.p12"] {
        let pass = format!("pass:{}", password.expose());
        let text = run(path, "openssl", &["pkcs12", "-in", store, "-passin", &pass, "-nodes"]);
        assert!(text.contains("BEGIN CERTIFICATE"), "{text}");
        assert_eq!(text.contains("BEGIN PRIVATE KEY"), store == "user.p12");
    }
}

#[test]
fn what_does_not_belong_together_is_refused_and_nothing_secret_is_printed() {
    let one = Authority::generate(&request(KeyAlgorithm::EcdsaP256), now()).unwrap();
    let other = Authority::generate(&request(KeyAlgorithm::EcdsaP256), now()).unwrap();
    let mismatch = Authority::load(one.certificate(), other.key()).unwrap_err();
    assert!(matches!(mismatch, PkiError::KeyMismatch { .. }));
    let issued = one.issue(&leaf(KeyAlgorithm::EcdsaP256), now()).unwrap();
    let error = Authority::load(&issued.certificate, &issued.key).unwrap_err();
    assert!(matches!(error, PkiError::NotAnAuthority { .. }));
    let broken =
        Authority::load(one.certificate(), &PrivateKeyPem::new("-----BEGIN PRIVATE KEY-----\nAAAA\n"))
            .unwrap_err();
    assert!(matches!(broken, PkiError::ParseKey(_)));
    let text = format!("{one:?} {:?} {issued:?} {:?}", one.key(), Password::new("geheim"));
    assert!(!text.contains("BEGIN") && !text.contains("geheim"), "{text}");
    let long = LeafRequest { common_name: "x".repeat(65), ..leaf(KeyAlgorithm::EcdsaP256) };
    assert!(one.issue(&long, now()).unwrap_err().to_string().contains("64 characters"));
}

#[test]
fn a_subject_that_cannot_be_repeated_exactly_is_refused_instead_of_producing_certificates_nobody_accepts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let subject = "/DC=org/DC=example/CN=custom";
    run(
        path,
        "openssl",
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "ca.key",
            "-subj",
            subject,
            "-out",
            "ca.crt",
        ],
    );
    let certificate = CertificatePem::new(std::fs::read_to_string(path.join("ca.crt")).unwrap());
    let key = PrivateKeyPem::new(std::fs::read_to_string(path.join("ca.key")).unwrap());
    let authority = Authority::load(&certificate, &key).unwrap();
    let error = authority.issue(&leaf(KeyAlgorithm::EcdsaP256), now()).unwrap_err();
    assert!(error.to_string().contains("repeats an attribute"), "{error}");
}
