//! Certificate authorities, leaf certificates, renewal decisions, PEM and PKCS #12.
