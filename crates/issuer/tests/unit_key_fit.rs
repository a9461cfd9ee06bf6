//! Whether a private key is that of a certificate, told from the key's own encoding, for keys as tools write them.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use issuer::{Authority, AuthorityRequest};
use pki::{CertificateInfo, CertificatePem, KeyAlgorithm, KeyFit, PrivateKeyPem, parse_certificate};

fn openssl(folder: &Path, arguments: &str) {
    let output =
        Command::new("openssl").args(arguments.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn read(folder: &Path, file: &str) -> String {
    std::fs::read_to_string(folder.join(file)).unwrap()
}

fn certificate(folder: &Path, file: &str) -> CertificateInfo {
    parse_certificate(&CertificatePem::new(read(folder, file))).unwrap()
}

#[test]
fn a_key_is_told_from_others_in_every_form_in_which_tools_write_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let kinds = [
        ("ec", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
        ("ec384", "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384"),
        ("rsa", "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048"),
    ];
    for (kind, make) in kinds {
        for which in ["a", "b"] {
            openssl(path, &format!("{make} -out {kind}-{which}.key"));
            openssl(
                path,
                &format!(
                    "req -x509 -new -key {kind}-{which}.key -subj /CN=x -days 9 -out {kind}-{which}.crt"
                ),
            );
        }
        openssl(path, &format!("pkey -traditional -in {kind}-a.key -out {kind}-a-old.key"));
    }
    for (kind, _) in kinds {
        let (own, other) =
            (certificate(path, &format!("{kind}-a.crt")), certificate(path, &format!("{kind}-b.crt")));
        for form in ["a", "a-old"] {
            let key = PrivateKeyPem::new(read(path, &format!("{kind}-{form}.key")));
            assert_eq!(key.fits(&own), KeyFit::Fits, "{kind} {form}");
            assert_eq!(key.fits(&other), KeyFit::Differs, "{kind} {form}");
            for (another, _) in kinds.iter().filter(|(another, _)| *another != kind) {
                let info = certificate(path, &format!("{another}-a.crt"));
                assert_eq!(key.fits(&info), KeyFit::Differs, "{kind} {another}");
            }
        }
    }
}

#[test]
fn a_key_without_its_public_half_fits_perhaps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    openssl(path, "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out whole.key");
    openssl(path, "req -x509 -new -key whole.key -subj /CN=x -days 9 -out a.crt");
    openssl(path, "ec -in whole.key -no_public -out half.key");
    openssl(path, "ec -in whole.key -conv_form compressed -out short.key");
    openssl(path, "genpkey -algorithm ED25519 -out other.key");
    let own = certificate(path, "a.crt");
    for file in ["half.key", "short.key", "other.key"] {
        assert_eq!(PrivateKeyPem::new(read(path, file)).fits(&own), KeyFit::Unknown, "{file}");
    }
    assert_eq!(PrivateKeyPem::new("hunter2").fits(&own), KeyFit::Differs);
}

#[test]
fn keys_that_are_made_here_tell_their_public_half() {
    let now = jiff::Timestamp::now();
    for algorithm in [KeyAlgorithm::EcdsaP256, KeyAlgorithm::Rsa2048] {
        let made = || {
            let request = AuthorityRequest {
                common_name: "a".into(),
                organization: "o".into(),
                validity_days: 9,
                algorithm,
            };
            Authority::generate(&request, now).unwrap()
        };
        let (one, other) = (made(), made());
        assert_eq!(one.key().fits(one.info()), KeyFit::Fits);
        assert_eq!(one.key().fits(other.info()), KeyFit::Differs);
        assert_eq!(one.info().has_rsa_key, algorithm.is_rsa());
        let renewed = Authority::renew(
            &AuthorityRequest {
                common_name: "a".into(),
                organization: "o".into(),
                validity_days: 20,
                algorithm,
            },
            one.key(),
            now,
        )
        .unwrap();
        assert_eq!(
            renewed.info().authority_id(),
            one.info().authority_id(),
            "who trusts one trusts the other"
        );
        assert_ne!(renewed.info().short_thumbprint(), one.info().short_thumbprint());
        assert_ne!(other.info().authority_id(), one.info().authority_id());
    }
}
