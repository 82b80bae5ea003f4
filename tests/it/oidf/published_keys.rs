//! Signatures, verified as a relying party does it: with what the server publishes, by a library that the server's own code
//! does not stand behind.

use std::collections::BTreeSet;

use josekit::jwk::{Jwk, JwkSet};
use josekit::jws::{self, JwsVerifier};
use josekit::jwt;
use serde_json::{Map, Value};

use crate::support::browser::Browser;
use crate::support::relying_party::jwt_header;
use crate::support::server::Server;

/// The document behind `jwks_uri`, looked up in the metadata and checked key by key (RFC 7517 sections 4 and 5).
pub async fn fetch(server: &Server) -> JwkSet {
    let browser = Browser::new();
    let metadata = browser
        .get(&server.url("/.well-known/openid-configuration"))
        .await
        .json();
    let page = browser.get(metadata["jwks_uri"].as_str().unwrap()).await;
    assert_eq!(page.status, 200);
    assert_eq!(page.header("content-type"), "application/json");
    let document = page.json();
    let keys = document["keys"].as_array().unwrap();
    assert!(!keys.is_empty());
    let mut kids = BTreeSet::new();
    for key in keys {
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(private).is_none(), "{private} is published");
        }
        assert!(["RSA", "EC", "OKP"].contains(&key["kty"].as_str().unwrap()), "{key}");
        assert_eq!(key["use"], "sig");
        // Core section 10.1: several keys have names, and no two have the same
        assert!(kids.insert(key["kid"].as_str().unwrap().to_owned()), "{key}");
    }
    JwkSet::from_bytes(page.body.as_bytes()).unwrap()
}

/// The names of the published keys.
pub async fn kids(server: &Server) -> BTreeSet<String> {
    let set = fetch(server).await;
    set.keys()
        .into_iter()
        .map(|key| key.key_id().unwrap().to_owned())
        .collect()
}

/// The claims of a JWT after its signature was verified with the published key that its header names.
pub async fn verified(server: &Server, token: &str) -> Map<String, Value> {
    try_verify(&fetch(server).await, token).unwrap()
}

/// The claims of a JWT if one of these keys made its signature.
pub fn try_verify(keys: &JwkSet, token: &str) -> Result<Map<String, Value>, String> {
    let header = jwt_header(token);
    let (kid, algorithm) = (header["kid"].as_str().unwrap(), header["alg"].as_str().unwrap());
    let [key] = keys.get(kid)[..] else {
        return Err(format!("no key, or several, named {kid}"));
    };
    let verifier = verifier(algorithm, key)?;
    let (payload, _) = jwt::decode_with_verifier(token, &*verifier).map_err(|error| error.to_string())?;
    Ok(payload.claims_set().clone())
}

fn verifier(algorithm: &str, key: &Jwk) -> Result<Box<dyn JwsVerifier>, String> {
    let boxed = match algorithm {
        "RS256" => jws::RS256
            .verifier_from_jwk(key)
            .map(|verifier| Box::new(verifier) as Box<dyn JwsVerifier>),
        "PS256" => jws::PS256
            .verifier_from_jwk(key)
            .map(|verifier| Box::new(verifier) as Box<dyn JwsVerifier>),
        "ES256" => jws::ES256
            .verifier_from_jwk(key)
            .map(|verifier| Box::new(verifier) as Box<dyn JwsVerifier>),
        "EdDSA" => jws::EdDSA
            .verifier_from_jwk(key)
            .map(|verifier| Box::new(verifier) as Box<dyn JwsVerifier>),
        other => return Err(format!("{other} is no algorithm of ID tokens")),
    };
    boxed.map_err(|error| error.to_string())
}
