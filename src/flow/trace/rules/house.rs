//! Signing in, registering clients, the administration API, and what holds for every request.

use super::rules;
use crate::model::setting;

rules! {
    "sent_code.texts": "As many text messages left within the last hour as may leave altogether.",
        setting setting::SMS_MOST_AN_HOUR,
        remedy "Look who asks for so many, before more are let leave.",
        command "ostiary settings set sms.most_an_hour 2000";
    "sign_in.account": "The name or mail address is that of an account.";
    "sign_in.unknown": "There is no account of this name or mail address. The person was told the same as for a wrong password.",
        remedy "Perhaps a slip of the pen, or the account is yet to be made.",
        command "ostiary users list --beginning ...";
    "sign_in.no_password": "The account has no password. The person was told the same as for a wrong one.",
        remedy "Set a password.",
        command "ostiary users set-password {username}",
        request "POST /api/v1/users/{user}/reset-password";
    "sign_in.wrong_password": "The password is wrong.",
        remedy "Set a new one if it is forgotten.",
        command "ostiary users set-password {username}",
        request "POST /api/v1/users/{user}/reset-password";
    "sign_in.inactive": "The password is right, but the account was deactivated.",
        remedy "Reactivate it, if the person may come back.",
        command "ostiary users reactivate {username}",
        request "POST /api/v1/users/{user}/reactivate";
    "sign_in.server": "The account is a server's: nobody signs in to it.";
    "sign_in.locked": "The proof is right, but the owner of the account has locked it.",
        remedy "Unlock it, if it is in the right hands again. Its owner can do so by the link that was mailed.",
        command "ostiary users unlock {username}",
        request "POST /api/v1/users/{user}/unlock";
    "sign_in.not_started": "The proof is right, but the account may be used from a later day on.",
        remedy "The person waits for that day, or the account begins earlier.",
        command "ostiary users term {username} --starts-at none",
        request "PATCH /api/v1/users/{user} {\"starts_at\": null}";
    "sign_in.account_expired": "The proof is right, but the account has come to its end.",
        remedy "Let it end later, if the person still needs it.",
        command "ostiary users term {username} --expires-at 2030-01-31",
        request "PATCH /api/v1/users/{user} {\"expires_at\": \"2030-01-31T00:00:00Z\"}";
    "sign_in.device_blocked": "The password is right, but this device was blocked for the person, by themselves or by an administrator.",
        remedy "Unblock it, if it is back in the right hands.",
        command "ostiary devices list {username}",
        request "GET /api/v1/users/{user}/devices";
    "sign_in.device_unknown": "The password is right, but the person may sign in with known devices alone, and this one is not: it waits to be let in.",
        setting setting::SESSION_KNOWN_DEVICES_ONLY,
        remedy "Let it in, if it is the person's. They can do so themselves, at /account on a device that is known.",
        command "ostiary devices list {username}",
        request "GET /api/v1/users/{user}/devices";
    "sign_in.network": "People do not sign in from the network that this came from, by sign_in.allowed_addresses or sign_in.denied_addresses.",
        setting setting::SIGN_IN_ALLOWED_ADDRESSES,
        remedy "Let the network in, or take it from those that are denied.",
        command "ostiary settings set sign_in.allowed_addresses \"10.0.0.0/8, 192.0.2.0/24\"";
    "sign_in.password_expired": "The password is right, but it has to be replaced: the person said of a sign-in that it was not them.",
        remedy "The person replaces it by the link in the mail about that sign-in; or set another one.",
        command "ostiary users set-password {username}",
        request "POST /api/v1/users/{user}/reset-password";
    "sign_in.changed": "The password was right a moment ago, and then the account got another one or was deactivated.";
    "sign_in.limit": "The password is right, but the person has as many logins as they may have: the sign-in was refused, or they were asked which one ends.",
        setting setting::SESSION_MAX_CONCURRENT,
        remedy "A larger number for the person or one of their groups; or one of their logins ends.",
        request "PATCH /api/v1/users/{user}/settings {\"session\": {\"max_concurrent\": 5}}";
    "sign_in.password": "The password is right.";
    "sign_in.code": "The code that was sent is right.";
    "sign_in.wrong_code": "The code is not the newest one that was sent for this sign-in, or was typed too late or too often; or nobody is called so, or they may not sign in so. The person was told the same for all of it.",
        setting setting::SIGN_IN_MAIL_CODES,
        remedy "The person has another one sent, and looks for the newest.";
    "sign_in.link_unanswered": "The mailed link was not followed in this browser, nor answered for in another one; or it was used, or is too old.",
        remedy "The person follows the newest link, best in the browser where they asked for it.";
    "sent_code.unknown": "A code was asked for in the name of nobody. The answer was the same.";
    "sent_code.no_address": "A code was asked for in the name of somebody who has no confirmed address or number to send it to. The answer was the same.",
        remedy "The person confirms it at /account/email or /account/phone.";
    "sent_code.not_allowed": "A code was asked for in the name of somebody who may not sign in so. The answer was the same.",
        setting setting::SIGN_IN_MAIL_CODES;
    "sent_code.too_many": "A code was asked for, and enough were sent to this person, or altogether. The answer was the same.",
        setting setting::CODE_MOST_SENDS;
    "sign_in.factor": "The person has a second factor and was asked for it.";
    "sign_in.factor_proved": "The second factor is right.";
    "sign_in.required": "Something is required of the person before they are in, by whoever administers the account or by the settings that count for them.",
        setting setting::MFA_REQUIRED,
        remedy "The person does it on the way in. What an administrator requires can be taken back.",
        command "ostiary users require {username} --nothing",
        request "PATCH /api/v1/users/{user} {\"required_actions\": []}";
    "sign_in.done": "What was required of the person is done.";
    "sign_in.wrong_factor": "The password was right, but the code was not: mistyped, too old, used before, or of another factor.",
        remedy "The clock of the authenticator may be wrong. If the authenticator is lost and no recovery code is left, take it away.",
        command "ostiary users reset-factors {username}",
        request "DELETE /api/v1/users/{user}/factors";
    "sign_in.passkey": "The passkey is right, and its authenticator has verified the person.";
    "sign_in.wrong_passkey": "The answer of the authenticator is not that of a passkey which lets in: unknown here, removed, of another account than was asked for, too late, answered before, made on another page, or without verifying the person.",
        remedy "If a passkey was lost or may have been copied, take it away; its owner signs in with a password and adds another.",
        command "ostiary users reset-factors {username}",
        request "DELETE /api/v1/users/{user}/factors";
    "factor.wrong_passkey": "What the browser answered is no passkey that can be taken: another challenge, page or domain, an algorithm that was not offered, or a person who was not verified.";
    "sign_in.session": "A session began.";
    "guess.account": "There were too many wrong guesses for this account; more are not looked at before the period is over.",
        setting setting::GUESS_ACCOUNT_BUDGET,
        remedy "Wait for guess.period, or raise the budget.";
    "guess.account_day": "There were so many wrong guesses for this account within a day that new devices wait for up to a day; the person was told by mail, once, how to end the wait.",
        setting setting::GUESS_ACCOUNT_DAY_BUDGET,
        remedy "The person follows the link of the mail, or signs in with a device that they know; or end the wait for them.",
        command "ostiary users unlock {username}",
        request "POST /api/v1/users/{user}/unlock";
    "guess.device": "There were too many wrong guesses with this device, which the person has signed in with before; more are not looked at before the period is over.",
        setting setting::GUESS_ACCOUNT_BUDGET,
        remedy "Wait for guess.period, sign in with another device, or raise the budget.";
    "guess.source": "There were too many wrong guesses from this network address; more are not looked at before the period is over.",
        setting setting::GUESS_SOURCE_BUDGET,
        remedy "Wait for guess.period, or raise the budget. Behind a proxy, name it in OSTIARY_TRUSTED_PROXIES, else everybody shares one address.";

    "client_registration_closed": "Clients may not register themselves.",
        setting setting::CLIENT_REGISTRATION_MODE,
        remedy "Make the client by command or API, or open registration to holders of a token.",
        command "ostiary clients create";
    "client_registration.source": "Too many clients registered themselves from this network address within an hour.";
    "client_registration.full": "As many clients have registered themselves as may, and nobody vouches for any of them.",
        setting setting::CLIENT_REGISTRATION_MOST_OPEN,
        remedy "Those that nobody signs in to go by themselves after client_registration.unused_lifetime. Vouch for those that you know, delete the others, raise the number, or give out an initial access token.",
        command "ostiary clients registration-token create NAME",
        request "PATCH /api/v1/clients/{client} {\"trusted\": true}";
    "client_registration.changes": "The client changed its registration too often within an hour.";
    "client_registration.authority": "The client asks for something that only the operator can give.",
        command "ostiary clients create";
    "client_registration.json": "The registration is not one JSON object.";
    "client_registration.content_type": "The registration is not application/json.";
    "client_registration.size": "The registration is larger than 64 KiB.";
    "client_registration.metadata": "A member of the registration can't be taken; the answer names it.";
    "client_registration.software_statement": "Software statements are not taken.";
    "initial_access_token_missing": "Registering needs an initial access token, and there was none.",
        setting setting::CLIENT_REGISTRATION_MODE,
        command "ostiary clients registration-token create NAME",
        request "POST /api/v1/registration-tokens";
    "initial_access_token_invalid": "The initial access token is unknown, expired or revoked.",
        setting setting::CLIENT_REGISTRATION_MODE,
        command "ostiary clients registration-token create NAME",
        request "POST /api/v1/registration-tokens";
    "initial_access_token_used_up": "The initial access token has been used as often as it may be.",
        command "ostiary clients registration-token create NAME",
        request "POST /api/v1/registration-tokens";
    "registration_access_token_missing": "Managing a registration needs its registration access token, and there was none.";
    "registration_access_token_invalid": "The registration access token is not that of this client.";
    "device_alert.link": "The link of a mail about a new device was used, or is too old.",
        remedy "Block the device, and set a new password, if it was not the person.",
        command "ostiary devices list {username}",
        request "GET /api/v1/users/{user}/devices";
    "recovery.unknown": "Somebody asked for a link to a new password, and no account is called so. They were told what everybody is told.";
    "recovery.inactive": "Somebody asked for a link to a new password, and the account may not be used: deactivated, locked, or over. None was mailed.";
    "recovery.no_address": "Somebody asked for a link to a new password, and the account has no mail address to send it to.",
        remedy "Give the account an address, or set a password.",
        command "ostiary users set-password {username}",
        request "POST /api/v1/users/{user}/reset-password";
    "recovery.too_many": "Somebody asked for a link to a new password, and the person was mailed enough of them. The last one works.",
        setting setting::RECOVERY_MOST_MAILS;
    "recovery.link": "The link to a new password was used, replaced by a newer one, voided by a change, or is too old.",
        setting setting::RECOVERY_LINK_LIFETIME,
        remedy "Ask for another one at /login/forgot, or set a password.",
        command "ostiary users set-password {username}",
        request "POST /api/v1/users/{user}/reset-password";
    "registration.exists": "Somebody asked for an account with the address of one that there is. Its owner was told by mail, and nobody else.";
    "registration.taken": "Somebody asked for an account with an address that an account has which may not be used, or that is somebody's username.",
        remedy "Reactivate the account if it is theirs, or make one with another username.";
    "registration.too_many": "Somebody asked for an account, and the address was mailed enough. The last link works.",
        setting setting::REGISTRATION_MOST_MAILS;
    "registration.full": "Somebody asked for an account while as many links to accounts were open as may be.",
        setting setting::REGISTRATION_MOST_LINKS;
    "registration.requests_full": "Somebody asked for an account while as many requests waited for an administrator as may.",
        setting setting::REGISTRATION_MOST_REQUESTS,
        command "ostiary access-requests list",
        request "GET /api/v1/access-requests";
    "first_party.web": "A first-party application can't go on by itself: the rest of this sign-in needs the pages. The answer says why.",
        remedy "The application opens the authorization endpoint in a browser. Where consent is the reason, set the client to consent: skip.";
    "first_party.denied": "The person who signs in at a first-party application may not come in. The answer says why.";
    "first_party.client": "The client is not marked as first party, so it may not ask people for their passwords itself.",
        remedy "Mark it only if it is as much yours as these pages are.",
        request "PATCH /api/v1/clients/{client} {\"first_party\": true}";
    "first_party.code_challenge": "The first request of a first-party application has no code_challenge.",
        remedy "Switch PKCE on in the application (S256).";
    "first_party.auth_session": "The auth_session has ended, was used, is another client's, or the account has changed since.",
        remedy "The application begins anew, without auth_session.";
    "first_party.factor": "A one-time code and a recovery code came together.";
    "registration.proof_of_work": "Somebody asked for an account without the work that is asked for, or with work that was used or is too old.",
        setting setting::REGISTRATION_CHALLENGE;
    "registration.captcha": "Somebody asked for an account, and the service that tells people from programs did not take what its widget brought: missing, wrong, too late or used.",
        setting setting::REGISTRATION_CHALLENGE;
    "registration.captcha_away": "Somebody asked for an account, and the service that tells people from programs did not answer, or did not take the secret of this server: they were asked to try again.",
        setting setting::REGISTRATION_CHALLENGE,
        remedy "Look at captcha.provider, captcha.site_key and captcha.secret, and whether the service is reached from here; the log says which. Until then ask for work instead.",
        command "ostiary settings set registration.challenge proof_of_work";
    "registration.domain": "Somebody asked for an account, or for another mail address, with a mail domain that may not.",
        setting setting::REGISTRATION_ALLOWED_DOMAINS,
        remedy "registration.denied_domains counts before what is allowed.";
    "registration.most_of_source": "As many wishes for accounts or mail addresses came from this network as may in a day.",
        setting setting::REGISTRATION_MOST_OF_SOURCE;
    "registration.most_of_domain": "As many wishes for accounts or mail addresses were for this mail domain as may be in a day.",
        setting setting::REGISTRATION_MOST_OF_DOMAIN;
    "registration.most_a_day": "As many wishes for accounts or mail addresses were uttered as may be in a day.",
        setting setting::REGISTRATION_MOST_A_DAY;
    "registration.link": "The link to an account was used, replaced by a newer one, or is too old.",
        setting setting::REGISTRATION_LINK_LIFETIME,
        remedy "Ask for another one at /register, or invite the person.",
        command "ostiary users invite ...",
        request "POST /api/v1/invitations";
    "wait.link": "The link of a mail about a wait was used, or is too old.";
    "address.link": "The link of a mail about an address was used, replaced by a newer one, or is too old.",
        remedy "Ask for another one at /account/email.";
    "setup.link": "The setup link was used, replaced by a newer one, or is too old.",
        remedy "Make a new one.",
        command "ostiary setup";

    "api.permission": "The caller lacks the permission that this needs.",
        remedy "A client needs the scope, and has to ask for it; a person needs the permission by a group, and the token the scope.",
        command "ostiary groups add administrators {username}",
        request "PATCH /api/v1/clients/{client} {\"scope\": \"...\"}";
    "api.token": "The administration API takes a bearer token that counts here, and none came.";
    "api.foreign_page": "A page of another site asked with the person's cookie. Only pages of this server and origins that a trusted client registered, which the session serves, may; and changes need the header X-Requested-With.",
        remedy "Register the origin in allowed_cors_origins of the application's client, or let the application show a token.",
        command "ostiary clients trust ...";
    "api.proof_too_old": "Sessions are ended, devices and second factors changed, webhooks led elsewhere and keys made, by somebody who has proved within five minutes who they are.",
        remedy "Send the person to sign in once more (prompt=login, or max_age=300).";
    "api.proof_too_weak": "Second factors are changed by somebody who has proved one of them in this session.",
        remedy "Send the person to sign in once more (prompt=login): they are asked for the second factor.";
    "api.key": "The key to the administration API is unknown, has expired or was revoked, or the person or client that it acts as is deactivated or gone.",
        remedy "Make another one, for somebody who may act.",
        command "ostiary api-keys create NAME --user USERNAME --scope admin:users.read";
    "api.token_missing": "The administration API takes a bearer token, and there was none.";
    "request.not_found": "There is nothing at this address.";
    "request.nothing_there": "There is no such thing, or it has ended.";
    "request.method": "There is something at this address, but not for this method.";
    "request.malformed": "The request can't be understood.";
    "request.invalid": "Some members can't be taken; the answer names them.";
    "request.stale": "The thing changed since the caller read it.";
    "request.conflict": "It contradicts what is there.";
    "request.host": "The request names another host than the public URL of this server.",
        remedy "Set OSTIARY_PUBLIC_URL to the address that people use, and let the proxy pass the Host header on.";
    "request.https_only": "The request came over plain HTTP, but the public URL is https.",
        remedy "Let the proxy tell the scheme in X-Forwarded-Proto, and name it in OSTIARY_TRUSTED_PROXIES.";
    "request.proxy": "A proxy that is not trusted forwarded the request.",
        remedy "Name it in OSTIARY_TRUSTED_PROXIES.";
    "request.size": "The body is larger than what is taken here.";
    "request.media_type": "The body is of a type that is not taken here.";
    "request.expired": "The page belongs to a sign-in that is over: open for more than an hour, in another browser, or the application was disabled meanwhile.",
        remedy "The person enters the application again.";
    "request.forgery": "The form was not sent from a page of ours in this browser, or was open for more than two hours.",
        remedy "The person opens the page again. If it happens to many, a proxy may change the Origin header.";
    "request.no_cookies": "The browser did not send back the cookie it was given.",
        remedy "The browser has to accept cookies of this server. If it happens to many, look at OSTIARY_PUBLIC_URL and https: the cookie is Secure.";
    "parameters.control": "A parameter holds a control character, or is not UTF-8.";
    "parameters.count": "There are more parameters than are read.";
    "parameters.query": "The parameters stand in the address; at this endpoint they belong into the form.";
    "parameters.repeated": "A parameter stands there twice.";
    "parameters.size": "The parameters are longer than what is read.";

    "server.busy": "There was more to do than the machine can do in time.",
        remedy "Wait; if it happens often, more cores and hashing.workers.";
    "server.unavailable": "The database, Redis or another store did not answer.",
        remedy "Look at /readyz and into the log under the trace id.";
    "server.contended": "Others were changing the same things, again and again; nothing was changed.",
        remedy "Ask again.";
    "server.crowded": "Too many requests of its kind were being served.",
        remedy "Ask again; if it happens often, more nodes or a larger machine.";
    "server.overdue": "The request took too long, and its answer was given up.",
        remedy "Look into the log under the trace id.";
    "server.failed": "A defect of this server.",
        remedy "Look into the log under the trace id, and tell us.";
}
