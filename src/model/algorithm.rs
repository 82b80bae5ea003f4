//! Signature algorithms of our own keys and of clients (RFC 7518 section 3.1, RFC 8037).

use super::named::named;

named! {
    /// What signs a token of ours.
    SigningAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// RSASSA-PSS with SHA-256.
        Ps256 = "PS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
    }
}

named! {
    /// What a client may sign assertions and request objects with.
    ClientSigningAlgorithm {
        /// RSASSA-PKCS1-v1_5 with SHA-256.
        Rs256 = "RS256",
        /// RSASSA-PSS with SHA-256.
        Ps256 = "PS256",
        /// ECDSA on P-256 with SHA-256.
        Es256 = "ES256",
        /// Ed25519.
        EdDsa = "EdDSA",
        /// HMAC with SHA-256, keyed with the client secret.
        Hs256 = "HS256",
    }
}

impl ClientSigningAlgorithm {
    /// Those verified with a public key: `private_key_jwt`.
    pub const ASYMMETRIC: &'static [Self] = &[Self::Rs256, Self::Ps256, Self::Es256, Self::EdDsa];

    /// Those verified with the client secret: `client_secret_jwt`.
    pub const SYMMETRIC: &'static [Self] = &[Self::Hs256];

    /// The same as an algorithm of key pairs; `None` for HMAC.
    pub const fn asymmetric(self) -> Option<SigningAlgorithm> {
        match self {
            Self::Rs256 => Some(SigningAlgorithm::Rs256),
            Self::Ps256 => Some(SigningAlgorithm::Ps256),
            Self::Es256 => Some(SigningAlgorithm::Es256),
            Self::EdDsa => Some(SigningAlgorithm::EdDsa),
            Self::Hs256 => None,
        }
    }
}
