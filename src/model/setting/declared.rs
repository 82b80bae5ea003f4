//! Every setting there is.

use std::time::Duration;

use super::{Declaration, Kind, Law};

pub(super) const MINUTE: u64 = 60;
pub(super) const HOUR: u64 = 60 * MINUTE;
pub(super) const DAY: u64 = 24 * HOUR;

/// What people may be let change of their own account.
const EDITABLE: [&str; 15] = [
    "username",
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "profile",
    "website",
    "picture",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "address",
    "company",
];
/// What they may have to enter.
const REQUIRED: [&str; 12] = [
    "name",
    "given_name",
    "family_name",
    "middle_name",
    "nickname",
    "website",
    "gender",
    "birthdate",
    "zoneinfo",
    "locale",
    "address",
    "company",
];

/// No reminder of the end of an account comes earlier.
pub const LONGEST_REMINDER: Duration = Duration::from_secs(90 * DAY);

const fn duration(least: u64, most: u64) -> Kind {
    Kind::Duration {
        least: Duration::from_secs(least),
        most: Duration::from_secs(most),
    }
}

macro_rules! declare {
    ($($constant:ident: $key:literal, $kind:expr, $default:literal, $law:ident, $sentence:literal;)+) => {
        $(#[doc = $sentence] pub const $constant: &str = $key;)+

        /// Every setting there is.
        pub const DECLARED: &[Declaration] = &[
            $(Declaration { key: $key, kind: $kind, default: $default, law: Law::$law, sentence: $sentence }),+
        ];
    };
}

declare! {
    SESSION_IDLE_TIMEOUT: "session.idle_timeout", duration(MINUTE, 30 * DAY), "8h", Least,
        "How long a session lives without being used.";
    SESSION_REMEMBER_IDLE_TIMEOUT: "session.remember_idle_timeout", duration(MINUTE, 365 * DAY), "14d", Least,
        "How long a session lives without being used when the person asked to stay signed in.";
    SESSION_ADMIN_IDLE_TIMEOUT: "session.admin_idle_timeout", duration(MINUTE, 30 * DAY), "1h", Least,
        "How long the session of somebody with a right of administration lives without being used, at most.";
    SESSION_LIFETIME: "session.lifetime", duration(5 * MINUTE, 365 * DAY), "24h", Least,
        "How long a session lives at most when the person did not ask to stay signed in.";
    SESSION_REMEMBER_LIFETIME: "session.remember_lifetime", duration(HOUR, 365 * DAY), "30d", Least,
        "How long a session lives at most when the person asked to stay signed in.";
    SESSION_ADMIN_LIFETIME: "session.admin_lifetime", duration(5 * MINUTE, 365 * DAY), "12h", Least,
        "How long the session of somebody with a right of administration lives at most, whatever they asked for.";
    SESSION_MAX_CONCURRENT: "session.max_concurrent", Kind::Count { least: 1, most: 200 }, "200", Allowance,
        "How many logins a person may have at once: browsers and devices, and applications that stay connected (`offline_access`).";
    SESSION_AT_LIMIT: "session.at_limit", Kind::Word(&["refuse", "end_oldest", "end_least_recent", "ask"]), "end_oldest", Nearest,
        "What happens to a login above the limit: it is refused, the oldest or the least recently used one ends for it, or the person is asked which.";
    SESSION_KNOWN_DEVICES_ONLY: "session.known_devices_only", Kind::Flag, "false", Any,
        "Whether people may sign in only with devices that they signed in with before, or that somebody has let in; the first one of a person is let in.";
    SESSION_NEW_DEVICE_MAIL: "session.new_device_mail", Kind::Flag, "true", Any,
        "Whether people with a confirmed mail address are told of a sign-in with a device that they did not sign in with before.";
    SESSION_EXPIRY_WARNING: "session.expiry_warning", duration(0, 10 * MINUTE), "60s", Least,
        "How long before the end of a session a page that is left open says so and offers to stay; 0s never does.";
    SESSION_DURABLE: "session.durable", Kind::Flag, "false", Any,
        "Whether sessions are kept in the database too, so that a loss of Redis, or of the embedded file of sessions, signs nobody out.";
    CODE_LIFETIME: "token.code_lifetime", duration(10, 10 * MINUTE), "60s", Least,
        "How long an authorization code may be redeemed.";
    ACCESS_TOKEN_LIFETIME: "token.access_lifetime", duration(30, DAY), "10m", Least,
        "How long an access token is valid.";
    ID_TOKEN_LIFETIME: "token.id_lifetime", duration(30, DAY), "10m", Least,
        "How long an ID token is valid.";
    REFRESH_IDLE_LIFETIME: "token.refresh_idle_lifetime", duration(MINUTE, 365 * DAY), "30d", Least,
        "How long a refresh token lives without being used.";
    REFRESH_LIFETIME: "token.refresh_lifetime", duration(MINUTE, 1825 * DAY), "180d", Least,
        "How long a family of refresh tokens lives at most; rotation does not extend it.";
    REFRESH_RETRY_WINDOW: "token.refresh_retry_window", duration(0, 5 * MINUTE), "30s", Least,
        "How long a client that lost the answer to a refresh may ask again and gets the same successor.";
    CLIENT_REGISTRATION_MODE: "client_registration.mode", Kind::Word(&["closed", "token", "open"]), "closed", Nearest,
        "Who may register clients: nobody, holders of an initial access token, or anyone.";
    CLIENT_REGISTRATION_MOST_OPEN: "client_registration.most_open", Kind::Count { least: 1, most: 100_000 }, "1000", Least,
        "How many clients there may be that registered themselves where anyone may, and that nobody vouches for.";
    CLIENT_REGISTRATION_UNUSED_LIFETIME: "client_registration.unused_lifetime", duration(10 * MINUTE, 365 * DAY), "1d", Least,
        "How long a client that registered itself where anyone may is kept without anybody having signed in to it.";
    CONFIRM_ERROR_REDIRECTS: "client_registration.confirm_error_redirects", Kind::Flag, "true", Any,
        "Whether people are asked before an error takes them to a client that nobody vouches for.";
    CLIENT_SECRET_OVERLAP: "client.secret_overlap", duration(0, 90 * DAY), "7d", Least,
        "How long the old secret stays valid beside the new one after a rotation.";
    KEY_ROTATION_INTERVAL: "key.rotation_interval", duration(HOUR, 730 * DAY), "90d", Least,
        "How long a signing key signs before the next one takes over.";
    KEY_PUBLISH_AHEAD: "key.publish_ahead", duration(MINUTE, 30 * DAY), "1d", Greatest,
        "How long a signing key is published before it signs, so that every verifier knows it.";
    PASSWORD_MINIMUM_LENGTH: "password.minimum_length", Kind::Count { least: 8, most: 128 }, "10", Greatest,
        "How many characters a password needs.";
    PASSWORD_ADMIN_MINIMUM_LENGTH: "password.admin_minimum_length", Kind::Count { least: 8, most: 128 }, "15", Greatest,
        "How many characters the password of somebody with a right of administration needs at least.";
    PASSWORD_MAXIMUM_LENGTH: "password.maximum_length", Kind::Count { least: 64, most: 1024 }, "256", Least,
        "How many characters a password may have; never less than it needs.";
    PASSWORD_MINIMUM_STRENGTH: "password.minimum_strength", Kind::Count { least: 0, most: 4 }, "2", Greatest,
        "How hard a password is to guess at least, as zxcvbn scores it: 1 from a thousand guesses, 2 from a million, 3 from a hundred million, 4 from ten thousand million; 0 estimates nothing.";
    PASSWORD_BREACH_URL: "password.breach_url", Kind::Url, "", Nearest,
        "Where the service is asked for breached passwords that answers to the first five digits of a SHA-1 (the range API of Pwned Passwords, as https://api.pwnedpasswords.com/range/); nothing asks none.";
    PASSWORD_GENERATED_ONLY: "password.generated_only", Kind::Flag, "false", Any,
        "Whether nobody but the person sets or sees a password: who administers has a link mailed, and no password is given, made up for somebody or brought along.";
    PASSWORD_LINK_LIFETIME: "password.link_lifetime", duration(10 * MINUTE, 30 * DAY), "3d", Least,
        "How long the link to a new password may be followed that somebody who administers has mailed.";
    PASSWORD_REPLACE_INITIAL: "password.replace_initial", Kind::Flag, "false", Any,
        "Whether a password that somebody else set for the person has to be replaced at the next sign-in.";
    PASSWORD_HISTORY: "password.history", Kind::Count { least: 0, most: 12 }, "0", Greatest,
        "How many of somebody's former passwords can't be taken again; 0 remembers none.";
    PASSWORD_EXPIRES_AFTER: "password.expires_after", duration(0, 3650 * DAY), "0s", Soonest,
        "How long after it was set a password has to be replaced at the next sign-in; 0s never.";
    PASSWORD_INITIAL_EXPIRES_AFTER: "password.initial_expires_after", duration(0, 365 * DAY), "0s", Soonest,
        "The same for a password that somebody else set for the person: an administrator, a file or a command; 0s never.";
    PASSWORD_EXPIRY_WARNING: "password.expiry_warning", duration(0, 90 * DAY), "7d", Greatest,
        "How long before a password has to be replaced for its age the person is told by mail; 0s never. Passwords that do not age have no such mail.";
    SIGN_IN_ALLOWED_ADDRESSES: "sign_in.allowed_addresses", Kind::Networks, "", Nearest,
        "The networks that people sign in from, and from no other; nothing stands for everywhere.";
    SIGN_IN_DENIED_ADDRESSES: "sign_in.denied_addresses", Kind::Networks, "", Nearest,
        "Networks that nobody signs in from, whatever is allowed otherwise.";
    SIGN_IN_IDENTIFIERS: "sign_in.identifiers", Kind::Word(&["username_or_email", "username", "email", "any"]), "username_or_email", Nearest,
        "What people say who they are by when they sign in: username or mail address, one of them alone, or any, their confirmed telephone number too.";
    SIGN_IN_IDENTIFIER_FIRST: "sign_in.identifier_first", Kind::Flag, "false", Nearest,
        "Whether who signs in is asked for on a page of its own, and how they prove it on the next, instead of all on one page.";
    SIGN_IN_MAIL_CODES: "sign_in.mail_codes", Kind::Flag, "false", Nearest,
        "Whether people may sign in with a code that is sent to their confirmed mail address, in the place of a password.";
    SIGN_IN_MAIL_LINKS: "sign_in.mail_links", Kind::Flag, "false", Nearest,
        "The same with a link in the mail, for the browser that asked for it.";
    SIGN_IN_TEXT_CODES: "sign_in.text_codes", Kind::Flag, "false", Nearest,
        "The same with a code that is sent to their confirmed telephone number.";
    ACR_NAMES: "acr.names", Kind::Names(&["urn:ostiary:password", "urn:ostiary:code", "urn:ostiary:mfa"]), "", Nearest,
        "What the levels of assurance are called here besides (`acr`): applications ask by these names, and tokens say the first.";
    MFA_REQUIRED: "mfa.required", Kind::Flag, "false", Any,
        "Whether people have to prove a second factor when they sign in; who has none sets one up on the way in.";
    MFA_REQUIRED_OUTSIDE: "mfa.required_outside", Kind::Networks, "", Nearest,
        "Networks that one proof is enough from: who comes from elsewhere proves a second one; nothing asks nobody for where they come from.";
    MFA_ON_NEW_DEVICE: "mfa.on_new_device", Kind::Flag, "false", Any,
        "Whether somebody who has signed in before proves a second factor with a device that they did not sign in with.";
    MFA_ON_NEW_ADDRESS: "mfa.on_new_address", Kind::Flag, "false", Any,
        "The same from a part of the net (the first 16 bits of an IPv4 address, 32 of IPv6) that none of their known devices was in last.";
    MFA_ON_IMPOSSIBLE_TRAVEL: "mfa.on_impossible_travel", Kind::Flag, "false", Any,
        "The same where nobody travels as fast from where they signed in last; where places are known.";
    MFA_REMEMBER_FOR: "mfa.remember_for", duration(0, 365 * DAY), "0s", Least,
        "How long the second factor is not asked for again on a device where the person wished so; 0s always asks.";
    MFA_MAIL_CODES: "mfa.mail_codes", Kind::Flag, "false", Nearest,
        "Whether people may confirm their sign-ins with codes that are sent to their confirmed mail address.";
    MFA_TEXT_CODES: "mfa.text_codes", Kind::Flag, "false", Nearest,
        "The same with codes that are sent to their confirmed telephone number.";
    MFA_LOST_BY_TEXT: "mfa.lost_by_text", Kind::Flag, "false", Nearest,
        "Whether people who don't have their second factor at hand may go on with a code that is sent to their confirmed telephone number.";
    MFA_ENROLMENT_ASKS_PHONE: "mfa.enrolment_asks_phone", Kind::Flag, "false", Any,
        "Whether whoever sets up a second factor confirms a telephone number besides, if none of theirs is confirmed; where text messages leave.";
    RECOVERY_ENABLED: "recovery.enabled", Kind::Flag, "true", Nearest,
        "Whether people who forgot their password are mailed a link to a new one.";
    RECOVERY_LINK_LIFETIME: "recovery.link_lifetime", duration(5 * MINUTE, 30 * MINUTE), "20m", Least,
        "How long the link to a new password may be followed.";
    RECOVERY_MOST_MAILS: "recovery.most_mails", Kind::Count { least: 1, most: 100 }, "5", Least,
        "How many links to a new password are mailed to one person within the guess period.";
    REGISTRATION_MODE: "registration.mode", Kind::Word(&["off", "open", "invitation", "request"]), "off", Nearest,
        "Who may make themselves an account: nobody, anyone who can read a mail, whoever was invited, or whoever asks and an administrator approves.";
    REGISTRATION_LINK_LIFETIME: "registration.link_lifetime", duration(10 * MINUTE, 30 * DAY), "24h", Least,
        "How long the mailed link to a new account may be followed.";
    REGISTRATION_MOST_LINKS: "registration.most_links", Kind::Count { least: 10, most: 1_000_000 }, "10000", Least,
        "How many links to new accounts may be open at once; more are not mailed until some were followed or have ended.";
    REGISTRATION_MOST_MAILS: "registration.most_mails", Kind::Count { least: 1, most: 100 }, "3", Least,
        "How many mails about a new account are sent to one address within the guess period.";
    REGISTRATION_ALLOWED_DOMAINS: "registration.allowed_domains", Kind::Domains, "", Nearest,
        "The mail domains that people may have accounts with, and no other; nothing stands for every domain.";
    REGISTRATION_DENIED_DOMAINS: "registration.denied_domains", Kind::Domains, "", Nearest,
        "Mail domains that nobody may have an account with, whatever is allowed otherwise.";
    REGISTRATION_MOST_OF_SOURCE: "registration.most_of_source", Kind::Count { least: 1, most: 100_000 }, "50", Least,
        "How many wishes for an account, or for another mail address, may come from one network a day.";
    REGISTRATION_MOST_OF_DOMAIN: "registration.most_of_domain", Kind::Count { least: 1, most: 1_000_000 }, "5000", Least,
        "How many of them a day may be for addresses of one mail domain.";
    REGISTRATION_MOST_A_DAY: "registration.most_a_day", Kind::Count { least: 1, most: 10_000_000 }, "10000", Least,
        "How many of them there may be a day altogether.";
    REGISTRATION_MOST_REQUESTS: "registration.most_requests", Kind::Count { least: 1, most: 100_000 }, "1000", Least,
        "How many requests for an account may wait at once for an administrator to decide.";
    REGISTRATION_CHALLENGE: "registration.challenge", Kind::Word(&["none", "proof_of_work", "captcha"]), "none", Nearest,
        "What is asked of a stranger before a mail about an account is sent: nothing, a moment of work of their machine, or what the service of `captcha.provider` wants.";
    REGISTRATION_WORK: "registration.work", Kind::Count { least: 8, most: 26 }, "17", Greatest,
        "How much work that is, as zero bits of a digest: each one more doubles it.";
    REGISTRATION_CONTACT: "registration.contact", Kind::Contact, "", Nearest,
        "Where somebody asks for an account whose browser can't do that.";
    REGISTRATION_FIELDS: "registration.fields", Kind::Fields, "given_name, family_name, username", Nearest,
        "What the form for a new account asks beside the password; `required` after a name, or `=` and what counts where nothing is entered.";
    CODE_MOST_SENDS: "code.most_sends", Kind::Count { least: 1, most: 100 }, "5", Least,
        "How many codes are sent to one mail address or telephone number within the guess period.";
    SMS_MOST_AN_HOUR: "sms.most_an_hour", Kind::Count { least: 1, most: 1_000_000 }, "1000", Least,
        "How many text messages leave altogether within an hour; more are not sent.";
    PASSKEY_USER_VERIFICATION: "passkey.user_verification", Kind::Word(&["preferred", "required"]), "preferred", Nearest,
        "Whether a passkey has to verify its owner (fingerprint, face, PIN) to be added, and after a password: where it can, or in any case. One that signs in alone always has to.";
    PASSKEY_ATTESTATION: "passkey.attestation", Kind::Word(&["none", "listed"]), "none", Nearest,
        "Whose authenticators may hold a passkey: anybody's, or those of the list that the configuration names (passkeys.authenticators), which have to show who made them.";
    PASSKEY_HINTS: "passkey.hints", Kind::Words(&["client-device", "security-key", "hybrid"]), "", Nearest,
        "Which authenticators browsers propose for a new passkey, in this order: the device itself, a security key, another device nearby; nothing: what the browser thinks.";
    GUESS_ACCOUNT_BUDGET: "guess.account_budget", Kind::Count { least: 3, most: 1000 }, "10", Least,
        "How many wrong guesses an account bears within the guess period before it has to wait; a device that the person knows bears as many of its own.";
    GUESS_ACCOUNT_DAY_BUDGET: "guess.account_day_budget", Kind::Count { least: 10, most: 10_000 }, "50", Least,
        "How many wrong guesses an account bears within a day before new devices have to wait for up to a day; devices that the person knows do not.";
    GUESS_SOURCE_BUDGET: "guess.source_budget", Kind::Count { least: 5, most: 100_000 }, "100", Least,
        "How many wrong guesses may come from one network address within the guess period.";
    GUESS_PERIOD: "guess.period", duration(MINUTE, DAY), "15m", Greatest,
        "The period in which wrong guesses are counted.";
    ACCOUNT_EDITABLE: "account.editable", Kind::Words(&EDITABLE),
        "name, given_name, family_name, middle_name, nickname, profile, website, picture, gender, birthdate, zoneinfo, locale, address", Nearest,
        "Which of their own data people change themselves; `username` may be among it.";
    ACCOUNT_REQUIRED: "account.required", Kind::Words(&REQUIRED), "", Nearest,
        "Which data people have to have entered: what is missing is asked for when they sign in.";
    ACCOUNT_CONFIRMED_EMAIL: "account.confirmed_email", Kind::Flag, "false", Any,
        "Whether people have to have confirmed their mail address to be let in; who has not does so on the way in.";
    ACCOUNT_INVITATION_LIFETIME: "account.invitation_lifetime", duration(10 * MINUTE, 90 * DAY), "7d", Least,
        "How long somebody may follow the link of an invitation to an account that was made for them.";
    ACCOUNT_BIN: "account.bin", duration(0, 365 * DAY), "30d", Greatest,
        "How long an account that an administrator has deleted stays in the bin, from which it comes back whole; 0s deletes at once and for good.";
    ACCOUNT_DELETION: "account.deletion", Kind::Flag, "true", Nearest,
        "Whether people may delete their own account.";
    ACCOUNT_DELETION_GRACE: "account.deletion_grace", duration(0, 365 * DAY), "30d", Greatest,
        "How long after a person has deleted their account they can still take it back; 0s deletes it at once.";
    ACCOUNT_EXPIRY_REMINDERS: "account.expiry_reminders", Kind::Durations { least: Duration::from_secs(HOUR), most: LONGEST_REMINDER }, "14d, 3d", Nearest,
        "How long before the end of their account people are told of it by mail, once each; nothing tells nobody.";
    ACCOUNT_UNUSED_AFTER: "account.unused_after", duration(0, 3650 * DAY), "0s", Soonest,
        "After how long without a sign-in an account is deactivated; 0s never. Its owner is told before, and the last administrator's stays.";
    ACCOUNT_UNUSED_REMINDERS: "account.unused_reminders", Kind::Durations { least: Duration::from_secs(HOUR), most: LONGEST_REMINDER }, "14d, 3d", Nearest,
        "How long before that people are told of it by mail, once each; nothing tells nobody.";
    GROUPS_DEFAULT: "groups.default", Kind::Line(120), "", Nearest,
        "The group, by name, that a new user is put into for whom none is named; empty for none.";
    GROUPS_MANDATORY: "groups.mandatory", Kind::Flag, "false", Any,
        "Whether everybody has to be in a group: who would be in none is put into the default group.";
    GROUPS_OWNERS_MANAGE_MEMBERS: "groups.owners_manage_members", Kind::Flag, "true", Nearest,
        "Whether the owners of a group put people whom they may see into it, and take members out.";
    SECURITY_CONTACT: "security.contact", Kind::Contact, "", Nearest,
        "Where weaknesses of this installation are reported: published in /.well-known/security.txt.";
    EVENT_KEPT_FOR: "event.kept_for", duration(DAY, 3650 * DAY), "400d", Least,
        "How long the audit log goes back.";
    MAIL_BRAND: "mail.brand", Kind::Line(60), "Ostiary", Nearest,
        "The name at the top of every mail.";
    MAIL_FOOTER: "mail.footer", Kind::Line(300), "", Nearest,
        "What stands below every mail, such as who sends it and where they are.";
    JOB_KEPT_FOR: "job.kept_for", duration(DAY, 365 * DAY), "7d", Least,
        "How long it is told what became of a job after it came to its end.";
    MAIL_KEPT_FOR: "mail.kept_for", duration(DAY, 365 * DAY), "30d", Least,
        "How long a mail is kept after it was written, sent or not.";
    TRACE_KEPT_FOR: "trace.kept_for", duration(HOUR, 365 * DAY), "7d", Least,
        "How long it is kept why something was refused, and how people signed in.";
    TRACE_MOST: "trace.most", Kind::Count { least: 100, most: 10_000_000 }, "50000", Least,
        "How many traces are kept at most; the oldest go first.";
    TRACE_PER_MINUTE: "trace.per_minute", Kind::Count { least: 0, most: 100_000 }, "600", Least,
        "How many traces of refusals a node keeps a minute, and as many of sign-ins; 0 keeps none.";
    LOCALE: "locale", Kind::Word(&["en", "de", "fr"]), "en", Nearest,
        "The language of pages and mails where neither the request nor the person says another.";
}
