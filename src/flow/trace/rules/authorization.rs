//! Authorization requests, and what people are asked.

use super::rules;
use crate::model::setting;

rules! {
    "authorization.trusted": "The client is known and enabled, and the redirect_uri is one of its own.";
    "authorization.client_missing": "The request names no client, or several.",
        remedy "The application has to send client_id exactly once.";
    "authorization.client_unknown": "There is no enabled client of this client_id.",
        remedy "Make the client, enable it if it is disabled, or correct the client_id in the application.",
        command "ostiary clients list";
    "authorization.redirect_uri_missing": "The request says no redirect_uri, or several.",
        remedy "The application has to send redirect_uri exactly once.";
    "authorization.redirect_uri_unregistered": "The redirect_uri is not one that the client registered; they are compared character by character.",
        remedy "Correct the redirect_uri in the application, or add it to those of the client.",
        request "PATCH /api/v1/clients/{client} {\"redirect_uris\": [\"...\"]}";
    "authorization.unsupported_parameter": "The request uses request, request_uri or registration, which this server does not take.",
        remedy "Configure the application to send plain parameters.";
    "authorization.response_type_missing": "The request says no response_type.",
        remedy "The application has to send response_type=code.";
    "authorization.response_type": "The response_type is not code, the only one there is.",
        remedy "Configure the application for the authorization code flow.";
    "authorization.grant_type": "The client is not registered for the authorization code grant.",
        remedy "Add authorization_code to its grant_types.",
        request "PATCH /api/v1/clients/{client} {\"grant_types\": [\"authorization_code\", \"refresh_token\"]}";
    "authorization.response_mode": "The response_mode is unknown, or not one that the client may use.",
        remedy "Leave response_mode out, or allow it to the client.";
    "authorization.too_long": "A parameter is longer than it may be.",
        remedy "state and nonce may have 4096 bytes, hints 512.";
    "authorization.scope": "The client may have none of the scopes it asks for, or not openid, or the scope has characters that are not allowed.",
        remedy "Add the scopes to those of the client; scopes of an API need that API among the resources.",
        request "PATCH /api/v1/clients/{client} {\"scope\": \"openid profile email\"}";
    "authorization.scope_narrowed": "Some of the scopes that were asked for were left out, because the client may not have them.",
        remedy "Add the scopes to those of the client.",
        request "PATCH /api/v1/clients/{client} {\"scope\": \"openid profile email\"}";
    "authorization.prompt": "prompt holds a word that is not known here.",
        remedy "Known are none, login, consent and select_account.";
    "authorization.prompt_none": "prompt=none stands beside another prompt.",
        remedy "none stands alone.";
    "authorization.max_age": "max_age is not a whole number of seconds.";
    "authorization.resource": "A resource is not an absolute URI without a fragment, or there are more than ten.";
    "authorization.machine": "The request could not be taken through the steps of the grant.",
        remedy "This should not happen; look into the log under the trace id.";
    "authorization.id_token_hint": "The id_token_hint is no ID token of this server for this client.",
        remedy "The application has to send an ID token that it got here itself, or leave the hint out.";
    "authorization.hinted_subject": "Somebody else signed in than the request expects (id_token_hint or the claim sub).",
        remedy "The person signs in with the expected account, or the application leaves the hint out.";
    "authorization.acr": "The request insists on an assurance (acr) that no way to sign in here gives.",
        remedy "The application asks for another acr, or does not insist.";
    "authorization.code": "Nothing was left to ask: a code was made.",
        setting setting::CODE_LIFETIME;
    "claims_parameter": "The claims parameter is not the JSON that OpenID Connect Core section 5.5 describes.";
    "pkce.required": "The client has to send a code_challenge and did not: public clients always, others if their policy says so.",
        remedy "Switch PKCE on in the application (S256); for a confidential client the operator may take back require_pkce.",
        request "PATCH /api/v1/clients/{client} {\"require_pkce\": false}";
    "pkce.method": "The code_challenge_method is not S256; absent means plain, which is refused.",
        remedy "The application has to send code_challenge_method=S256.";
    "pkce.method_alone": "There is a code_challenge_method without a code_challenge.";
    "pkce.challenge": "The code_challenge is not the base64url of a SHA-256 digest: 43 characters.";
    "pkce.challenge_repeated": "The client sent the same code_challenge before; then it protects nothing.",
        remedy "The application has to make a new code_verifier for every request.";

    "session.reused": "The browser is signed in already.";
    "session.none": "Nobody is signed in in this browser.";
    "session.ended": "The browser was signed in, but that session has been ended.";
    "session.expired": "The browser was signed in, but that session has reached its end.",
        setting setting::SESSION_LIFETIME;
    "session.idle": "The browser was signed in, but that session was not used for too long.",
        setting setting::SESSION_IDLE_TIMEOUT;
    "session.lapsed": "The browser names a session that is not known any more.";
    "session.inactive": "The browser is signed in to an account that may not be used.",
        remedy "Reactivate the account.",
        command "ostiary users reactivate {username}",
        request "POST /api/v1/users/{user}/reactivate";
    "session.account_expired": "The browser is signed in to an account that has come to its end.",
        remedy "Let it end later, if the person still needs it.",
        command "ostiary users term {username} --expires-at 2030-01-31",
        request "PATCH /api/v1/users/{user} {\"expires_at\": \"2030-01-31T00:00:00Z\"}";
    "prompt.login": "The person was asked to sign in.";
    "prompt.reauthenticate": "The person was asked to prove once more who they are.";
    "prompt.step_up": "The person was asked for the second factor alone: the rest of the proof stands.";
    "prompt.select_account": "The person was asked which account to go on with.";
    "prompt.consent": "The person was asked whether the application may have this.";
    "prompt.make_room": "There was no room for one more login: the person was asked which one ends, or told so.",
        setting setting::SESSION_MAX_CONCURRENT,
        remedy "A larger number for the person, one of their groups or the application; or the person ends one of their logins.",
        request "PATCH /api/v1/users/{user}/settings {\"session\": {\"max_concurrent\": 5}}";
    "authorization.not_given": "The application is for those alone whom it is given to, and the account that is signed in is none of them.",
        remedy "Give it to the person or to one of their groups, or to everybody; or the person signs in with another account.",
        command "ostiary clients give {client} --user {username}",
        request "PUT /api/v1/clients/{client}/access/users/{user}";
    "login.limit": "The person has as many logins as they may have, and nobody else ends for one more.",
        setting setting::SESSION_MAX_CONCURRENT,
        remedy "A larger number for the person, one of their groups or the application; or the person ends one of their logins.",
        request "PATCH /api/v1/users/{user}/settings {\"session\": {\"max_concurrent\": 5}}";
    "prompt_none.room": "The application forbids to ask (prompt=none), but the person would have to choose which of their logins ends.",
        setting setting::SESSION_AT_LIMIT,
        remedy "The application sends the person to the same request without prompt=none.";
    "prompt_none.login": "The application forbids to ask (prompt=none), but the person would have to sign in.",
        remedy "The application sends the person to the same request without prompt=none.";
    "prompt_none.account": "The application forbids to ask (prompt=none), but the person would have to choose an account.",
        remedy "The application sends an id_token_hint, or the person to the same request without prompt=none.";
    "prompt_none.consent": "The application forbids to ask (prompt=none), but the person has not allowed this yet.",
        remedy "The application sends the person once without prompt=none; for an application of your own, skip the question.",
        request "PATCH /api/v1/clients/{client} {\"consent\": \"skip\"}";
    "consent.skipped": "People are not asked about this application.";
    "consent.covered": "The person had allowed all of this before.";
    "consent.given": "The person allowed it.";
    "consent.denied": "The person did not allow it.";
    "login.cancelled": "The person went back to the application without signing in.";

    "logout.hinted": "The application named the session with an ID token: signed out without a question.";
    "logout.asked": "The person was asked whether to sign out.";
    "logout.nobody": "Nobody was signed in.";
    "logout.hint": "The id_token_hint is no ID token of this server.",
        remedy "The application has to send an ID token that it got here itself, or leave the hint out.";
    "logout.client": "client_id is another client than the one that the id_token_hint was made for.";
    "logout.redirect_uri": "The post_logout_redirect_uri is not registered, or nothing says for which client.",
        remedy "Add it to the client, and send client_id or id_token_hint beside it.",
        request "PATCH /api/v1/clients/{client} {\"post_logout_redirect_uris\": [\"...\"]}";
}
