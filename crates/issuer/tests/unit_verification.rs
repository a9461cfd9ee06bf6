//! Certificates that others signed are good when every signature on the way to a trusted authority is.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use issuer::verify;
use jiff::Timestamp;
use pki::{PrivateKeyPem, Purposes, Unverified, VerifiedPath};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};

/// An authority, or what one signed.
struct Made {
    pem: String,
    key: KeyPair,
    params: CertificateParams,
}

impl Made {
    fn issuer(&self) -> Issuer<'_, &KeyPair> {
        Issuer::from_params(&self.params, &self.key)
    }
}

fn authority(name: &str, by: Option<&Made>) -> Made {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    made(params, by)
}

fn leaf(by: &Made, purposes: &[ExtendedKeyUsagePurpose]) -> Made {
    let mut params = CertificateParams::new(vec!["kafka.example.org".to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "kafka");
    params.extended_key_usages = purposes.to_vec();
    made(params, Some(by))
}

fn made(params: CertificateParams, by: Option<&Made>) -> Made {
    let key = KeyPair::generate().unwrap();
    let certificate = match by {
        Some(by) => params.signed_by(&key, &by.issuer()).unwrap(),
        None => params.self_signed(&key).unwrap(),
    };
    Made { pem: certificate.pem(), key, params }
}

fn verified(
    chain: &[&Made],
    key: &Made,
    trusted: &[&Made],
    purposes: Purposes,
) -> Result<VerifiedPath, Unverified> {
    let pem = |all: &[&Made]| all.iter().map(|one| one.pem.as_str()).collect::<String>();
    let key = PrivateKeyPem::new(key.key.serialize_pem());
    verify(&pem(chain), &key, &pem(trusted), purposes, "2026-06-01T00:00:00Z".parse().unwrap())
}

#[test]
fn a_certificate_is_good_with_every_signature_up_to_one_of_those_trusted() {
    let (root, other) = (authority("root", None), authority("other", None));
    let (team, stranger) = (authority("team", Some(&root)), authority("team", Some(&other)));
    let leaf = leaf(&team, &[]);
    let both = Purposes::ServerAndClient;
    let parse = |pem: &str| pki::CertificateChain::parse(pem).unwrap();
    // What else lies beside it, a certificate of the same name as that on the path too, is left out.
    let path = verified(&[&leaf, &stranger, &other, &team], &leaf, &[&other, &root], both).unwrap();
    assert_eq!(parse(&path.authority), parse(&root.pem), "which of those trusted");
    assert_eq!(parse(&path.certificates), parse(&format!("{}{}", leaf.pem, team.pem)));
    verified(&[&leaf], &leaf, &[&team], both).expect("an authority below another may be the trusted one");
    for (chain, trusted, why) in [
        (vec![&leaf, &team], vec![&other], "is not among the trusted authorities"),
        (vec![&leaf], vec![&root], "is not among the trusted authorities"),
        // Of the same name, and with another key.
        (vec![&leaf], vec![&stranger], "a signature on the way to the trusted authority is wrong"),
    ] {
        let refused = verified(&chain, &leaf, &trusted, both).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn the_key_the_time_and_the_purposes_have_to_fit() {
    let root = authority("root", None);
    let trusted = [&root];
    let (one, other) = (leaf(&root, &[]), leaf(&root, &[]));
    let both = Purposes::ServerAndClient;
    let refused = verified(&[&one], &other, &trusted, both).unwrap_err();
    assert_eq!(refused, Unverified::OtherKey);

    let server = leaf(&root, &[ExtendedKeyUsagePurpose::ServerAuth]);
    let refused = verified(&[&server], &server, &trusted, both).unwrap_err();
    let needed = "server auth and client auth";
    assert_eq!(refused, Unverified::Purposes { needed }, "a node connects to its peers too");
    let refused = verified(&[&server], &server, &trusted, Purposes::Client).unwrap_err();
    assert_eq!(refused, Unverified::Purposes { needed: "client auth" });
    let client = leaf(&root, &[ExtendedKeyUsagePurpose::ClientAuth]);
    verified(&[&client], &client, &trusted, Purposes::Client).unwrap();

    let key = PrivateKeyPem::new(one.key.serialize_pem());
    let late: Timestamp = "9000-01-01T00:00:00Z".parse().unwrap();
    let refused = verify(&one.pem, &key, &root.pem, both, late).unwrap_err().to_string();
    assert!(refused.contains("has ended"), "{refused}");
    for (chain, trusted) in
        [("", root.pem.as_str()), ("nothing", &root.pem), (&one.pem, ""), (&one.pem, "nothing")]
    {
        let refused = verify(chain, &key, trusted, both, "2026-06-01T00:00:00Z".parse().unwrap())
            .unwrap_err()
            .to_string();
        assert!(!refused.is_empty() && !refused.contains("PRIVATE"), "{refused}");
    }
}
