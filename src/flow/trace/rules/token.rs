//! Client authentication, the token endpoint, and tokens that are shown.

use super::rules;
use crate::model::setting;

rules! {
    "client_unknown": "There is no client of this client_id.",
        remedy "Make the client, or correct the client_id in the application.",
        command "ostiary clients list";
    "client_unvouched": "A client that registered itself and that nobody vouches for has come too often: 600 times in ten minutes.",
        remedy "Vouch for it, if you know it.",
        request "PATCH /api/v1/clients/{client} {\"trusted\": true}";
    "client_disabled": "The client is disabled.",
        remedy "Enable it, if it may come back.",
        command "ostiary clients enable {client_id}",
        request "POST /api/v1/clients/{client}/enable";
    "client_secret": "The client secret is not one that counts (any more).",
        setting setting::CLIENT_SECRET_OVERLAP,
        remedy "Give the application the present secret, or give the client another one. After a rotation the old one counts for the overlap.",
        command "ostiary clients rotate-secret {client_id}",
        request "POST /api/v1/clients/{client}/secrets";
    "client_method": "The client authenticated by another method than the one that is registered.",
        remedy "Configure the application for the registered method, or register the one that it uses.",
        request "PATCH /api/v1/clients/{client} {\"token_endpoint_auth_method\": \"client_secret_basic\"}";
    "client_proof_missing": "The client has to prove who it is and sent its client_id alone.",
        remedy "Give the application the client's secret, or make the client public if it can't keep one.";
    "client_keys_missing": "The client has no keys to verify its assertion with.",
        remedy "Register jwks or jwks_uri.";
    "client_keys_unreadable": "The client's keys can't be read.",
        remedy "Correct its jwks, or the document at its jwks_uri.";
    "client_keys_unreachable": "The client's jwks_uri did not answer, or may not be reached from here.",
        remedy "See that it answers; private networks have to be listed in OSTIARY_EGRESS__NETWORKS.";
    "client_id_missing": "The request names no client.";
    "client_id_spelling": "The client_id has characters that no client_id has.";
    "client_id_differs": "The client_id of the form is another one than that of the Authorization header.";
    "client_authentication_methods": "The client authenticated by several methods at once.",
        remedy "Configure the application for the registered method alone.";
    "client_assertion_type": "client_assertion comes without the client_assertion_type of RFC 7523, or the other way round.";
    "authorization_scheme": "The Authorization header is of another scheme than Basic.";
    "basic_malformed": "The Authorization header is no HTTP Basic authentication with a form-encoded client_id and secret.",
        remedy "Special characters of the secret have to be percent-encoded (RFC 6749 section 2.3.1).";
    "assertion_unreadable": "The client's assertion is no JWT that can be read.";
    "assertion_algorithm": "The client's assertion is signed with an algorithm that the client did not register.";
    "assertion_key": "The client's assertion is signed with a key that the client did not register.",
        remedy "Add the key to its jwks, or to the document at its jwks_uri.";
    "assertion_signature": "The signature of the client's assertion is wrong.";
    "assertion_issuer": "The iss of the client's assertion is not its client_id.";
    "assertion_subject": "The sub of the client's assertion is not its client_id.";
    "assertion_audience": "The aud of the client's assertion is not this server alone.",
        remedy "It has to be the issuer or the token endpoint, as the metadata spells them.";
    "assertion_jti": "The client's assertion has no jti, or one that is too long.";
    "assertion_times": "The client's assertion has expired, is not valid yet, or lives longer than five minutes.",
        remedy "Look at the clocks of both machines.";
    "assertion_replayed": "The client's assertion was used before.",
        remedy "The application has to make a new one, with a new jti, for every request.";

    "token.grant_type_missing": "The token request says no grant_type.";
    "token.grant_type": "The grant_type is not known here.",
        remedy "Known are authorization_code, refresh_token and client_credentials.";
    "token.grant_type_not_registered": "The client is not registered for this grant_type.",
        remedy "Add it to the client's grant_types.",
        request "PATCH /api/v1/clients/{client} {\"grant_types\": [\"authorization_code\", \"refresh_token\"]}";
    "code.missing": "The token request brings no code.";
    "code.unknown": "The code is unknown here: never made, or past its lifetime.",
        setting setting::CODE_LIFETIME,
        remedy "The application has to redeem a code at once, and once.";
    "code.replayed": "The code was redeemed before; every token of that sign-in has been ended.",
        remedy "The application has to redeem a code once. If it did, somebody else has seen the code.";
    "code.expired": "The code was redeemed after its lifetime.",
        setting setting::CODE_LIFETIME,
        remedy "The application has to redeem a code at once.";
    "code.client": "The code was made for another client.";
    "code.redirect_uri": "The redirect_uri is not the one that the code was sent to.",
        remedy "The application has to repeat the redirect_uri of its authorization request.";
    "code.redirect_uri_missing": "The token request does not repeat the redirect_uri.";
    "code.user": "The account behind the code was deactivated or deleted meanwhile.",
        command "ostiary users reactivate {username}",
        request "POST /api/v1/users/{user}/reactivate";
    "code.account_expired": "The account behind the code has come to its end meanwhile.",
        remedy "Let it end later, if the person still needs it.",
        command "ostiary users term {username} --expires-at 2030-01-31",
        request "PATCH /api/v1/users/{user} {\"expires_at\": \"2030-01-31T00:00:00Z\"}";
    "code.not_given": "The application was taken from the person meanwhile: it is for those alone whom it is given to.",
        request "PUT /api/v1/clients/{client}/access/users/{user}";
    "code.session": "The session behind the code has ended meanwhile.";
    "code.limit": "An application that stays connected (offline_access) is a login of its own, and the person has as many as they may have.",
        setting setting::SESSION_MAX_CONCURRENT,
        remedy "A larger number for the person or one of their groups; or the person ends one of their logins.",
        request "PATCH /api/v1/users/{user}/settings {\"session\": {\"max_concurrent\": 5}}";
    "code.client_limit": "The person is signed in to this client as often as the client allows.",
        setting setting::SESSION_MAX_CONCURRENT,
        remedy "A larger number for the client.",
        request "PATCH /api/v1/clients/{client}/settings {\"session\": {\"max_concurrent\": 5}}";
    "code.consent": "The person took back meanwhile what was allowed.";
    "code.machine": "The code could not be taken through the steps of the grant.",
        remedy "This should not happen; look into the log under the trace id.";
    "pkce.unexpected_verifier": "There is a code_verifier, but the authorization request had no code_challenge.",
        remedy "The application sends both, or neither; if it sent both, the challenge was lost on the way.";
    "pkce.verifier_missing": "The authorization request had a code_challenge, but there is no code_verifier.",
        remedy "The application has to send the code_verifier that belongs to its code_challenge.";
    "pkce.verifier": "The code_verifier does not fit the code_challenge.",
        remedy "The application has to send the code_verifier that belongs to its code_challenge; often two sign-ins at once have mixed theirs up.";
    "client_credentials.public": "A public client can't get tokens of its own, because it can't prove who it is.";
    "client_credentials.scope": "The client asks for scopes that it may not have; those about people make no sense here.",
        request "PATCH /api/v1/clients/{client} {\"scope\": \"...\"}";
    "audience.unknown": "The resource is unknown, or not one that the client may ask for.",
        remedy "Make the resource, or add it to the client's resources.",
        request "PATCH /api/v1/clients/{client} {\"resources\": [\"...\"]}";

    "refresh.missing": "The token request brings no refresh_token.";
    "refresh.unknown": "The refresh token is unknown: never made here, or swept away long after its end.";
    "refresh.client": "The refresh token was made for another client.";
    "refresh.ended": "The sign-in behind the refresh token has been ended: signed out, revoked, replayed, or taken back.";
    "refresh.expired": "The sign-in behind the refresh token has reached its end, which refreshing does not move.",
        setting setting::REFRESH_LIFETIME,
        remedy "The person signs in again.";
    "refresh.idle": "The refresh token was not used for too long.",
        setting setting::REFRESH_IDLE_LIFETIME,
        remedy "The person signs in again.";
    "refresh.replayed": "The refresh token was used before, longer ago than a lost answer explains; every token of that sign-in has been ended.",
        setting setting::REFRESH_RETRY_WINDOW,
        remedy "The application has to keep the newest refresh token, in one place. If it does, somebody else has a copy.";
    "refresh.successor_used": "The refresh token was used, and so was its successor.",
        setting setting::REFRESH_RETRY_WINDOW,
        remedy "The application has to keep the newest refresh token, in one place.";
    "refresh.user": "The account behind the refresh token may not be used.",
        command "ostiary users reactivate {username}",
        request "POST /api/v1/users/{user}/reactivate";
    "refresh.account_expired": "The account behind the refresh token has come to its end.",
        remedy "Let it end later, if the person still needs it.",
        command "ostiary users term {username} --expires-at 2030-01-31",
        request "PATCH /api/v1/users/{user} {\"expires_at\": \"2030-01-31T00:00:00Z\"}";
    "refresh.password": "The password was changed after the sign-in behind the refresh token.",
        remedy "The person signs in again.";
    "refresh.offline_gone": "The client may no longer have offline_access.",
        request "PATCH /api/v1/clients/{client} {\"scope\": \"openid offline_access\"}";
    "refresh.session": "The session behind the refresh token has ended, and without offline_access the tokens end with it.",
        remedy "An application that works without the person asks for offline_access.";
    "refresh.client_lifetime": "The client asks people to prove who they are more often: its own session.lifetime is over since the proof that the refresh token rests on.",
        remedy "The application sends the person to sign in again.",
        request "PATCH /api/v1/clients/{client}/settings {\"session\": {\"lifetime\": null}}";
    "refresh.not_given": "The application is not given to the person any more: it is for those alone whom it is given to.",
        request "PUT /api/v1/clients/{client}/access/users/{user}";
    "refresh.consent": "The person has taken back what was allowed.";
    "refresh.scope": "The refresh asks for scopes that were not granted.";
    "refresh.resource": "The refresh asks for a resource that was not agreed.";
    "refresh.scope_gone": "The client may have none of the granted scopes any more.",
        request "PATCH /api/v1/clients/{client} {\"scope\": \"...\"}";

    "access_token.invalid": "The access token does not count here.";
    "access_token.unknown": "The access token is not one of this server, or its signing key is gone.";
    "access_token.expired": "The access token has expired.",
        setting setting::ACCESS_TOKEN_LIFETIME,
        remedy "The application gets a new one with its refresh token.";
    "access_token.revoked": "The access token was revoked.";
    "access_token.client_gone": "The client of the access token is no longer there.";
    "access_token.client_disabled": "The client of the access token is disabled.",
        command "ostiary clients enable {client_id}",
        request "POST /api/v1/clients/{client}/enable";
    "access_token.grant_ended": "The sign-in behind the access token has been ended: signed out, revoked, replayed, or taken back.";
    "access_token.user": "The account behind the access token was deactivated or deleted.",
        command "ostiary users reactivate {username}",
        request "POST /api/v1/users/{user}/reactivate";
    "access_token.account_expired": "The account behind the access token has come to its end.",
        remedy "Let it end later, if the person still needs it.",
        command "ostiary users term {username} --expires-at 2030-01-31",
        request "PATCH /api/v1/users/{user} {\"expires_at\": \"2030-01-31T00:00:00Z\"}";
    "access_token.session": "The session behind the access token has ended.";
    "access_token.client_lifetime": "The client's own session.lifetime is over since the proof that the access token rests on.",
        remedy "The application sends the person to sign in again.";
    "access_token.audience": "The access token was made for another resource than the one it was shown to.",
        remedy "The application has to ask for a token with the resource it wants to call, or a scope of it.";
    "access_token.counts": "The access token counts.";
    "id_token.counts": "The ID token is one of this server and has not expired.";
    "id_token.expired": "The ID token has expired. It still tells who signed in, and still hints.",
        setting setting::ID_TOKEN_LIFETIME;
    "userinfo.scope": "The access token has no scope openid, or no person behind it.",
        remedy "The application has to ask for openid when the person signs in.";
    "userinfo.token_missing": "There is no access token.";
    "userinfo.token_place": "The access token stands in the address, or several times.",
        remedy "It belongs into the Authorization header, once.";
    "introspection.public": "A public client can't look into tokens.";
    "introspection.token_missing": "There is no token to look into.";
    "revocation.token_missing": "There is no token to revoke.";
}
