//! Whether metadata holds together: the rules between members, and of each by itself.

use url::Url;

use super::MemberError;
use crate::model::{ClientMetadata, GrantType, SubjectType, TokenEndpointAuthMethod};
use crate::protocol::{redirect_uri, sector};

/// The most items a list may have.
const MOST_ITEMS: usize = 100;
/// The longest text that is shown to people.
const LONGEST_NAME: usize = 200;
/// The longest of the other texts.
const LONGEST_TEXT: usize = 500;

/// What signs assertions by a key of the client (RFC 7523), and by its secret.
const BY_KEY: &[&str] = &["RS256", "PS256", "ES256", "EdDSA"];
const BY_SECRET: &[&str] = &["HS256"];

/// Every rule that is broken; none: the metadata may be stored.
pub fn judge(metadata: &ClientMetadata) -> Vec<MemberError> {
    let mut errors = Vec::new();
    judge_grants(metadata, &mut errors);
    judge_method(metadata, &mut errors);
    judge_uris(metadata, &mut errors);
    judge_sector(metadata, &mut errors);
    judge_texts(metadata, &mut errors);
    errors
}

fn judge_grants(metadata: &ClientMetadata, errors: &mut Vec<MemberError>) {
    let mut wrong = |member: &str, detail: &str| errors.push(MemberError::new(member, "contradiction", detail));
    let has = |grant| metadata.grant_types.contains(&grant);
    if metadata.grant_types.is_empty() {
        wrong("grant_types", "must not be empty");
    }
    for (index, response_type) in metadata.response_types.iter().enumerate() {
        if response_type != "code" {
            let detail = "holds something that is not supported: expected code";
            errors.push(MemberError::item("response_types", index, "unsupported", detail));
            return;
        }
    }
    // RFC 7591 section 2.1: the two members say the same thing twice
    if has(GrantType::AuthorizationCode) {
        if metadata.response_types.is_empty() {
            wrong("response_types", "must hold code for the grant type authorization_code");
        }
        if metadata.redirect_uris.is_empty() {
            errors.push(MemberError::new(
                "redirect_uris",
                "required",
                "must hold at least one URI",
            ));
        }
    } else if !metadata.response_types.is_empty() {
        wrong(
            "response_types",
            "must be empty without the grant type authorization_code",
        );
    } else if has(GrantType::RefreshToken) {
        wrong(
            "grant_types",
            "must hold authorization_code for refresh_token to come from",
        );
    }
}

fn judge_method(metadata: &ClientMetadata, errors: &mut Vec<MemberError>) {
    let mut wrong = |member: &str, detail: &str| errors.push(MemberError::new(member, "contradiction", detail));
    let method = metadata.token_endpoint_auth_method;
    if metadata.jwks.is_some() && metadata.jwks_uri.is_some() {
        // RFC 7591 section 2
        wrong("jwks", "must not stand beside jwks_uri");
    }
    if method == TokenEndpointAuthMethod::PrivateKeyJwt && metadata.jwks.is_none() && metadata.jwks_uri.is_none() {
        wrong("jwks", "or jwks_uri must be there for private_key_jwt");
    }
    if method == TokenEndpointAuthMethod::None && metadata.grant_types.contains(&GrantType::ClientCredentials) {
        // RFC 6749 section 4.4: confidential clients only
        wrong(
            "token_endpoint_auth_method",
            "must not be none for the grant type client_credentials",
        );
    }
    let known = match method {
        TokenEndpointAuthMethod::PrivateKeyJwt => BY_KEY,
        TokenEndpointAuthMethod::ClientSecretJwt => BY_SECRET,
        TokenEndpointAuthMethod::ClientSecretBasic
        | TokenEndpointAuthMethod::ClientSecretPost
        | TokenEndpointAuthMethod::None => return,
    };
    if let Some(algorithm) = &metadata.token_endpoint_auth_signing_alg
        && !known.contains(&algorithm.as_str())
    {
        let detail = format!("is not supported for {method}: expected one of: {}", known.join(", "));
        errors.push(MemberError::new(
            "token_endpoint_auth_signing_alg",
            "unsupported",
            &detail,
        ));
    }
}

fn judge_uris(metadata: &ClientMetadata, errors: &mut Vec<MemberError>) {
    let targets = [
        ("redirect_uris", &metadata.redirect_uris),
        ("post_logout_redirect_uris", &metadata.post_logout_redirect_uris),
    ];
    for (member, uris) in targets {
        for (index, uri) in uris.iter().enumerate() {
            if let Err(reason) = redirect_uri::judge_registration(uri, metadata.application_type) {
                errors.push(MemberError::item(member, index, "invalid", reason));
            }
        }
    }
    let links = [
        ("logo_uri", &metadata.logo_uri),
        ("client_uri", &metadata.client_uri),
        ("policy_uri", &metadata.policy_uri),
        ("tos_uri", &metadata.tos_uri),
        ("initiate_login_uri", &metadata.initiate_login_uri),
    ];
    for (member, link) in links {
        if let Some(Err(reason)) = link.as_deref().map(redirect_uri::judge_link) {
            errors.push(MemberError::new(member, "invalid", reason));
        }
    }
    let documents = [
        ("jwks_uri", &metadata.jwks_uri),
        ("sector_identifier_uri", &metadata.sector_identifier_uri),
    ];
    for (member, document) in documents {
        if let Some(Err(reason)) = document.as_deref().map(redirect_uri::judge_document) {
            errors.push(MemberError::new(member, "invalid", reason));
        }
    }
    let logouts = [
        ("backchannel_logout_uri", &metadata.backchannel_logout_uri),
        ("frontchannel_logout_uri", &metadata.frontchannel_logout_uri),
    ];
    for (member, uri) in logouts {
        if let Some(Err(reason)) = uri.as_deref().map(redirect_uri::judge_logout) {
            errors.push(MemberError::new(member, "invalid", reason));
        }
    }
    judge_front_channel(metadata, errors);
    for (index, origin) in metadata.allowed_cors_origins.iter().enumerate() {
        if let Err(reason) = redirect_uri::judge_origin(origin) {
            errors.push(MemberError::item("allowed_cors_origins", index, "invalid", reason));
        }
    }
}

/// Front-Channel Logout 1.0 section 2: scheme, host and port of one of the redirect URIs, so that nobody has the sign-out page
/// load what is not theirs.
fn judge_front_channel(metadata: &ClientMetadata, errors: &mut Vec<MemberError>) {
    let Some(uri) = &metadata.frontchannel_logout_uri else {
        return;
    };
    let origin = |uri: &String| Url::parse(uri).ok().map(|url| url.origin());
    let own = origin(uri);
    let known = own.is_some() && metadata.redirect_uris.iter().any(|known| origin(known) == own);
    if !known {
        let detail = "must have scheme, host and port of one of the redirect_uris";
        errors.push(MemberError::new("frontchannel_logout_uri", "contradiction", detail));
    }
}

fn judge_sector(metadata: &ClientMetadata, errors: &mut Vec<MemberError>) {
    let pairwise = metadata.subject_type == SubjectType::Pairwise;
    if pairwise && !metadata.redirect_uris.is_empty() && sector::of(metadata).is_err() {
        let detail = "must be there for pairwise subjects when the redirect URIs don't share one host";
        errors.push(MemberError::new("sector_identifier_uri", "required", detail));
    }
}

fn judge_texts(metadata: &ClientMetadata, errors: &mut Vec<MemberError>) {
    let lists = [
        ("redirect_uris", &metadata.redirect_uris),
        ("post_logout_redirect_uris", &metadata.post_logout_redirect_uris),
        ("contacts", &metadata.contacts),
        ("default_acr_values", &metadata.default_acr_values),
        ("allowed_cors_origins", &metadata.allowed_cors_origins),
    ];
    for (member, items) in lists {
        if items.len() > MOST_ITEMS {
            errors.push(MemberError::new(
                member,
                "too_many",
                "must not hold more than 100 items",
            ));
        }
    }
    if metadata.scope.iter().count() > MOST_ITEMS {
        errors.push(MemberError::new(
            "scope",
            "too_many",
            "must not hold more than 100 scopes",
        ));
    }
    for (member, items) in [
        ("contacts", &metadata.contacts),
        ("default_acr_values", &metadata.default_acr_values),
    ] {
        for (index, item) in items.iter().enumerate() {
            if !is_line(item, LONGEST_TEXT) {
                errors.push(MemberError::item(
                    member,
                    index,
                    "invalid",
                    "must hold lines of at most 500 characters",
                ));
            }
        }
    }
    let texts = [
        ("client_name", &metadata.client_name, LONGEST_NAME),
        ("software_id", &metadata.software_id, LONGEST_TEXT),
        ("software_version", &metadata.software_version, LONGEST_TEXT),
    ];
    for (member, text, longest) in texts {
        if text.as_deref().is_some_and(|text| !is_line(text, longest)) {
            let detail = format!("must be a line of at most {longest} characters");
            errors.push(MemberError::new(member, "invalid", &detail));
        }
    }
}

/// One line: nothing that breaks it, and nothing that turns the direction of the text around it (Unicode Bidi controls), so
/// that a name can't pose as another.
fn is_line(text: &str, longest: usize) -> bool {
    let turns = |c: char| matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    !text.trim().is_empty() && text.chars().count() <= longest && !text.chars().any(|c| turns(c) || breaks(c))
}
