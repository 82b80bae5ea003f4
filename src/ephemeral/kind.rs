//! The kinds of entries and counters. A kind is part of the key, so that consuming one kind cannot touch another.

/// How many entries of a kind there may be that strangers make, whoever they are of. In Redis each of the 64 marks has a 64th of
/// them.
pub(super) const MOST_ALTOGETHER: u32 = 128_000;
/// Where there are so many, an owner who puts one more keeps no more than this; if that is not enough, those that end soonest make
/// room, whoever they are of.
pub(super) const SHARE_WHEN_FULL: u32 = 50;
/// How many marks there are.
pub(super) const MARKS: u32 = 64;

/// What an entry is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// An authorization request that waits for its pages.
    Interaction,
    /// A refusal that waits until a person goes along with it to the client (RFC 9700 section 4.11.2).
    ErrorRedirect,
    /// What an authorization code stands for (RFC 6749 section 4.1.2), until it is redeemed.
    CodePayload,
    /// A pushed authorization request (RFC 9126).
    PushedRequest,
    /// The server's half of a passkey or one-time-password ceremony of somebody who is signed in.
    Ceremony,
    /// The server's half of a request for a signature by a passkey, of somebody who is not.
    Passkey,
    /// A sign-in that is on its way at an identity provider upstream.
    Federation,
    /// An anti-forgery value, or what a half-filled form remembers.
    Form,
    /// A logout that waits for the user's confirmation.
    Logout,
    /// A proof of who somebody is that waits until they have said which of their logins ends.
    LoginChoice,
    /// A proof of who somebody is that waits for the second factor.
    LoginFactor,
    /// A proof of who somebody is that waits until they have done what is required of them.
    LoginAction,
    /// A code of a few digits that was sent to somebody, as a keyed digest.
    ShortCode,
    /// A sign-in that waits for a code that was sent.
    CodeSignIn,
    /// A mailed link that signs in, or that such a link was answered for in another browser.
    SignInLink,
    /// A `code_challenge` that was seen: a client that sends one again is noticed (RFC 9700 section 2.1.1).
    Challenge,
    /// The identifier of a proof or assertion that was seen: refuses a replay early, never admits one.
    Proof,
    /// A nonce handed out for proofs (RFC 9449 section 8).
    Nonce,
    /// Keys fetched from another party.
    JwksCache,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 19] = [
        Self::Interaction,
        Self::ErrorRedirect,
        Self::CodePayload,
        Self::PushedRequest,
        Self::Ceremony,
        Self::Passkey,
        Self::Federation,
        Self::Form,
        Self::Logout,
        Self::LoginChoice,
        Self::LoginFactor,
        Self::LoginAction,
        Self::ShortCode,
        Self::CodeSignIn,
        Self::SignInLink,
        Self::Challenge,
        Self::Proof,
        Self::Nonce,
        Self::JwksCache,
    ];

    /// Whether entries are counted by owner: the first letter of their keys is the owner's mark.
    pub(super) const fn is_owned(self) -> bool {
        matches!(
            self,
            Self::Interaction
                | Self::ErrorRedirect
                | Self::CodePayload
                | Self::Logout
                | Self::LoginChoice
                | Self::LoginFactor
                | Self::LoginAction
                | Self::Passkey
                | Self::CodeSignIn
                | Self::Challenge
        )
    }

    /// How many there may be altogether, whoever they are of, where strangers make them.
    pub(super) const fn altogether(self) -> Option<u32> {
        match self {
            Self::Interaction | Self::ErrorRedirect | Self::Passkey | Self::CodeSignIn => Some(MOST_ALTOGETHER),
            _ => None,
        }
    }

    /// Its word in keys and rows. Two kinds never share one.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Interaction => "interaction",
            Self::ErrorRedirect => "error_redirect",
            Self::CodePayload => "code",
            Self::PushedRequest => "pushed_request",
            Self::Ceremony => "ceremony",
            Self::Passkey => "passkey",
            Self::Federation => "federation",
            Self::Form => "form",
            Self::Logout => "logout",
            Self::LoginChoice => "login_choice",
            Self::LoginFactor => "login_factor",
            Self::LoginAction => "login_action",
            Self::ShortCode => "short_code",
            Self::CodeSignIn => "code_sign_in",
            Self::SignInLink => "sign_in_link",
            Self::Challenge => "challenge",
            Self::Proof => "proof",
            Self::Nonce => "nonce",
            Self::JwksCache => "jwks",
        }
    }
}

/// What a counter counts. Counters and entries live in separate name spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Failed passwords of one account.
    PasswordByUser,
    /// Failed passwords of one account from a device it knows: a budget that strangers can't exhaust.
    PasswordByKnownDevice,
    /// Failed passwords from one network address.
    PasswordByAddress,
    /// Failed second factors of one account.
    SecondFactor,
    /// Attempts to get back into one account.
    Recovery,
    /// Mails to one address.
    Mail,
    /// Text messages altogether.
    Text,
    /// Tries at one code that was sent.
    ShortCode,
    /// Failed authentications of one client.
    ClientAuthentication,
    /// User codes tried (RFC 8628 section 5.1).
    UserCode,
    /// Polls of one device code (RFC 8628 section 3.5).
    DevicePoll,
    /// Registrations, of users or clients, from one network address.
    Registration,
    /// Wishes for an account, or for another mail address, a day.
    AccountWish,
    /// Invitation and promotion codes tried.
    PromotionCode,
    /// Requests to one endpoint by one caller.
    Request,
}

impl Counted {
    /// Its word in keys and rows. Two never share one.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::PasswordByUser => "password_user",
            Self::PasswordByKnownDevice => "password_device",
            Self::PasswordByAddress => "password_address",
            Self::SecondFactor => "second_factor",
            Self::Recovery => "recovery",
            Self::Mail => "mail",
            Self::Text => "text",
            Self::ShortCode => "short_code",
            Self::ClientAuthentication => "client_authentication",
            Self::UserCode => "user_code",
            Self::DevicePoll => "device_poll",
            Self::Registration => "registration",
            Self::AccountWish => "account_wish",
            Self::PromotionCode => "promotion_code",
            Self::Request => "request",
        }
    }
}

/// One counter: what is counted, and for whom.
#[derive(Clone, Copy, Debug)]
pub struct Counter<'a> {
    /// What is counted.
    pub counted: Counted,
    /// For whom: an id, an address, a digest.
    pub key: &'a str,
}

impl<'a> Counter<'a> {
    /// The counter of `counted` for `key`.
    pub const fn new(counted: Counted, key: &'a str) -> Self {
        Self { counted, key }
    }
}
