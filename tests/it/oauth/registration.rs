//! Client metadata: RFC 7591 section 2, OpenID Connect Dynamic Client Registration section 2.

use ostiary::model::{GrantType, SigningAlgorithm, SubjectType, TokenEndpointAuthMethod, scope};
use ostiary::protocol::ErrorCode;
use ostiary::protocol::client_registration::{
    METADATA_MEMBERS, MemberError, POLICY_MEMBERS, privileged, read_metadata, read_policy, refusal,
};
use ostiary::protocol::sector;
use serde_json::{Value, json};

fn with(members: Value) -> Value {
    let mut request = json!({"redirect_uris": ["https://client.example/callback"]});
    for (member, value) in members.as_object().unwrap() {
        request[member] = value.clone();
    }
    request
}

fn errors(members: Value) -> Vec<MemberError> {
    match read_metadata(with(members.clone()).as_object().unwrap()) {
        Err(errors) => errors,
        Ok(_) => panic!("{members} is taken"),
    }
}

#[test]
fn defaults_are_those_of_the_specifications() {
    let metadata = read_metadata(with(json!({})).as_object().unwrap()).unwrap();
    assert_eq!(metadata.response_types, ["code"]);
    assert_eq!(metadata.grant_types, [GrantType::AuthorizationCode]);
    assert_eq!(
        metadata.token_endpoint_auth_method,
        TokenEndpointAuthMethod::ClientSecretBasic
    );
    assert_eq!(metadata.id_token_signed_response_alg, SigningAlgorithm::Rs256);
    assert_eq!(metadata.userinfo_signed_response_alg, None);
    assert_eq!(metadata.subject_type, SubjectType::Public);
    assert_eq!(metadata.scope.to_string(), scope::STANDARD.join(" "));
    let service = json!({"grant_types": ["client_credentials"]});
    let metadata = read_metadata(service.as_object().unwrap()).unwrap();
    assert!(metadata.response_types.is_empty() && metadata.scope.is_empty());
}

#[test]
fn null_counts_as_absent_and_unknown_members_are_ignored() {
    let plain = read_metadata(with(json!({})).as_object().unwrap()).unwrap();
    let nulls: Value = METADATA_MEMBERS
        .iter()
        .filter(|member| **member != "redirect_uris")
        .map(|member| ((*member).to_owned(), Value::Null))
        .collect::<serde_json::Map<_, _>>()
        .into();
    assert_eq!(read_metadata(with(nulls).as_object().unwrap()).unwrap(), plain);
    let strange = json!({"frobnicate": {"a": 1}, "client_name#fr": "Boutique", "request_object_signing_alg": "RS256",
        "request_uris": ["https://client.example/r"], "backchannel_token_delivery_mode": "poll"});
    assert_eq!(read_metadata(with(strange).as_object().unwrap()).unwrap(), plain);
}

#[test]
fn what_is_registered_comes_back() {
    let request = with(json!({
        "response_types": ["code"], "grant_types": ["authorization_code", "refresh_token"], "application_type": "native",
        "contacts": ["ops@client.example"], "client_name": "Shop", "logo_uri": "https://client.example/logo.png",
        "client_uri": "https://client.example/", "policy_uri": "https://client.example/policy#data",
        "tos_uri": "https://client.example/tos", "jwks_uri": "https://client.example/jwks", "subject_type": "pairwise",
        "id_token_signed_response_alg": "ES256", "userinfo_signed_response_alg": "EdDSA",
        "token_endpoint_auth_method": "private_key_jwt", "token_endpoint_auth_signing_alg": "PS256",
        "default_max_age": 3600, "require_auth_time": true, "default_acr_values": ["1"],
        "backchannel_logout_uri": "https://client.example/b", "backchannel_logout_session_required": true,
        "frontchannel_logout_uri": "https://client.example/f?a=b", "frontchannel_logout_session_required": true,
        "initiate_login_uri": "https://client.example/login", "post_logout_redirect_uris": ["https://client.example/bye"],
        "scope": "openid email", "allowed_cors_origins": ["https://spa.client.example"], "software_id": "shop",
        "software_version": "2", "sector_identifier_uri": "https://client.example/sector"}));
    let metadata = read_metadata(request.as_object().unwrap()).unwrap();
    let written = serde_json::to_value(&metadata).unwrap();
    assert_eq!(written, request);
    assert_eq!(read_metadata(written.as_object().unwrap()).unwrap(), metadata);
}

#[test]
fn members_of_another_authentication_method_are_ignored() {
    for alg in ["RS256", "HS256", "nonsense"] {
        let request =
            with(json!({"token_endpoint_auth_method": "client_secret_basic", "token_endpoint_auth_signing_alg": alg}));
        let metadata = read_metadata(request.as_object().unwrap()).unwrap();
        assert_eq!(metadata.token_endpoint_auth_signing_alg, None);
    }
}

#[test]
fn contradictions_are_refused_by_name() {
    let keys = json!({"keys": []});
    for (members, named) in [
        (json!({"jwks": keys, "jwks_uri": "https://client.example/jwks"}), "jwks"),
        (json!({"token_endpoint_auth_method": "private_key_jwt"}), "jwks"),
        (
            json!({"token_endpoint_auth_method": "client_secret_jwt", "token_endpoint_auth_signing_alg": "RS256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.example/jwks",
            "token_endpoint_auth_signing_alg": "HS256"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "https://client.example/jwks",
            "token_endpoint_auth_signing_alg": "none"}),
            "token_endpoint_auth_signing_alg",
        ),
        (
            json!({"token_endpoint_auth_method": "tls_client_auth"}),
            "token_endpoint_auth_method",
        ),
        (json!({"response_types": []}), "response_types"),
        (json!({"response_types": ["token"]}), "response_types/0"),
        (json!({"response_types": ["code", "code id_token"]}), "response_types/1"),
        (json!({"grant_types": ["implicit"]}), "grant_types/0"),
        (json!({"grant_types": ["password"]}), "grant_types/0"),
        (json!({"grant_types": []}), "grant_types"),
        (json!({"grant_types": ["refresh_token"]}), "grant_types"),
        (
            json!({"grant_types": ["client_credentials"], "response_types": ["code"]}),
            "response_types",
        ),
        (
            json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "none"}),
            "token_endpoint_auth_method",
        ),
        (
            json!({"backchannel_logout_uri": "https://client.example/l#f"}),
            "backchannel_logout_uri",
        ),
        (
            json!({"backchannel_logout_uri": "http://client.example/l"}),
            "backchannel_logout_uri",
        ),
        (
            json!({"backchannel_logout_session_required": "yes"}),
            "backchannel_logout_session_required",
        ),
        // Front-Channel Logout 1.0 section 2: scheme, host and port of a redirect URI
        (
            json!({"frontchannel_logout_uri": "https://other.example/l"}),
            "frontchannel_logout_uri",
        ),
        (
            json!({"frontchannel_logout_uri": "https://client.example:8443/l"}),
            "frontchannel_logout_uri",
        ),
        (json!({"redirect_uris": []}), "redirect_uris"),
        (json!({"redirect_uris": null}), "redirect_uris"),
        (json!({"redirect_uris": "https://client.example/"}), "redirect_uris"),
        (json!({"redirect_uris": [7]}), "redirect_uris/0"),
        (
            json!({"redirect_uris": ["https://a.example/", "https://b.example/"], "subject_type": "pairwise"}),
            "sector_identifier_uri",
        ),
        (
            json!({"redirect_uris": ["com.example.app:/cb"], "application_type": "native", "subject_type": "pairwise"}),
            "sector_identifier_uri",
        ),
        (
            json!({"id_token_signed_response_alg": "none"}),
            "id_token_signed_response_alg",
        ),
        (
            json!({"id_token_signed_response_alg": "HS256"}),
            "id_token_signed_response_alg",
        ),
        (
            json!({"userinfo_signed_response_alg": "none"}),
            "userinfo_signed_response_alg",
        ),
        (
            json!({"id_token_encrypted_response_alg": "RSA-OAEP"}),
            "id_token_encrypted_response_alg",
        ),
        (
            json!({"userinfo_encrypted_response_enc": "A128GCM"}),
            "userinfo_encrypted_response_enc",
        ),
        (
            json!({"authorization_signed_response_alg": "RS256"}),
            "authorization_signed_response_alg",
        ),
        (
            json!({"require_signed_request_object": true}),
            "require_signed_request_object",
        ),
        (json!({"dpop_bound_access_tokens": true}), "dpop_bound_access_tokens"),
        (json!({"default_max_age": -1}), "default_max_age"),
        (json!({"default_max_age": "60"}), "default_max_age"),
        (json!({"require_auth_time": "true"}), "require_auth_time"),
        (json!({"scope": ["openid"]}), "scope"),
        (json!({"scope": "openid \"email\""}), "scope"),
        (json!({"client_name": "a\nb"}), "client_name"),
        (json!({"client_name": "Bank\u{202e}kcatta"}), "client_name"),
        (json!({"client_name": " "}), "client_name"),
        (json!({"client_name": "a".repeat(201)}), "client_name"),
        (json!({"client_name": 7}), "client_name"),
        (json!({"jwks": []}), "jwks"),
        (json!({"jwks": "https://client.example/jwks"}), "jwks"),
        (json!({"subject_type": "secret"}), "subject_type"),
        (json!({"application_type": "desktop"}), "application_type"),
    ] {
        let errors = errors(members.clone());
        assert!(
            errors.iter().any(|error| error.pointer == format!("/{named}")),
            "{members}: {errors:?}"
        );
        let answer = refusal(&errors);
        let expected = if named.starts_with("redirect_uris") {
            ErrorCode::InvalidRedirectUri
        } else {
            ErrorCode::InvalidClientMetadata
        };
        assert_eq!(answer.code, expected, "{members}");
        assert!(
            answer.description.contains(named.split('/').next().unwrap()),
            "{members}: {answer}"
        );
    }
}

#[test]
fn a_policy_is_read_member_by_member() {
    let read = |value: Value| read_policy(value.as_object().unwrap());
    let policy =
        read(json!({"consent": "skip", "require_pkce": true, "serves": ["https://api.example"], "scope": 7})).unwrap();
    assert!(policy.require_pkce && policy.serves == ["https://api.example"]);
    for member in POLICY_MEMBERS {
        assert_eq!(
            read(json!({*member: null})).unwrap(),
            ostiary::model::ClientPolicy::default()
        );
        let errors = read(json!({*member: {"a": 1}})).unwrap_err();
        assert!(
            errors.iter().any(|error| error.pointer == format!("/{member}")),
            "{member}: {errors:?}"
        );
    }
    for wrong in [
        json!({"response_modes": []}),
        json!({"serves": ["api"]}),
        json!({"resources": ["https://a.example/#b"]}),
    ] {
        assert!(read(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn scopes_over_this_server_are_privileged() {
    for scope in [
        "admin",
        "admin:users",
        "admin:users.read",
        "account",
        "account.read",
        "scim",
        "scim.read",
    ] {
        assert!(privileged(scope), "{scope}");
    }
    for scope in scope::STANDARD
        .iter()
        .copied()
        .chain(["accounting.read", "administer", "orders.read", "my.admin"])
    {
        assert!(!privileged(scope), "{scope}");
    }
}

#[test]
fn a_sector_document_lists_every_redirect_uri() {
    let uris = ["https://a.example/cb".to_owned(), "https://b.example/cb".to_owned()];
    assert_eq!(
        sector::judge_document(
            json!([uris[1], uris[0], "https://c.example/"]).to_string().as_bytes(),
            &uris
        ),
        Ok(())
    );
    for document in [
        json!([uris[0]]).to_string(),
        json!([]).to_string(),
        json!([uris[0], uris[1], 7]).to_string(),
        json!({"redirect_uris": uris}).to_string(),
        json!(uris[0]).to_string(),
        json!([uris[0], "https://b.example/cb/"]).to_string(),
        "<html>".to_owned(),
        String::new(),
    ] {
        assert!(
            sector::judge_document(document.as_bytes(), &uris).is_err(),
            "{document}"
        );
    }
}

#[test]
fn a_sector_is_a_host() {
    let metadata = |members: Value| read_metadata(with(members).as_object().unwrap()).unwrap();
    assert_eq!(sector::of(&metadata(json!({}))).unwrap(), "client.example");
    let several = json!({"redirect_uris": ["https://a.example:1/x", "https://A.example/y"]});
    assert_eq!(sector::of(&metadata(several)).unwrap(), "a.example");
    let document = json!({"redirect_uris": ["https://a.example/", "https://b.example/"],
        "sector_identifier_uri": "https://Sector.example/list"});
    assert_eq!(sector::of(&metadata(document)).unwrap(), "sector.example");
    assert!(
        sector::of(&metadata(
            json!({"redirect_uris": ["https://a.example/", "https://b.example/"]})
        ))
        .is_err()
    );
}
