//! Why a token or key is refused. The sentences name rules and members, never values: they may be logged.

/// Why a token, key or key set is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More bytes than are read at all.
    #[error("the input is larger than allowed")]
    TooLarge,
    /// Not three segments of unpadded base64url (RFC 7515 section 7.1).
    #[error("not a compact JWS")]
    NotCompact,
    /// Five segments: a JWE where a JWS is expected (RFC 8725 section 3.2).
    #[error("an encrypted token stands where a signed one is expected")]
    Encrypted,
    /// Not one JSON object, or one with duplicate names, excessive depth, unreadable numbers or bad UTF-8.
    #[error("not a strict JSON object")]
    Json,
    /// A header member of the wrong type, or a `typ` that can't be written.
    #[error("the header member {0} is not usable")]
    Header(&'static str),
    /// `crit`, `b64`, `zip` or `enc`: extensions that are not understood here (RFC 7515 section 4.1.11).
    #[error("the header asks for an extension by {0}")]
    Extension(&'static str),
    /// The algorithm is not among those allowed here (RFC 8725 section 3.1).
    #[error("the algorithm is not allowed here")]
    AlgorithmNotAllowed,
    /// The algorithm is allowed here, but the named key does not serve it.
    #[error("the algorithm is not that of the key")]
    AlgorithmNotTheKeys,
    /// Another kind of token (RFC 8725 section 3.11).
    #[error("the token is of another type")]
    TypeNotExpected,
    /// No key of the set is named so, or, without a name, none of them made this signature. For a remote set this is
    /// the sign that fetching it again may help.
    #[error("no key of the set fits")]
    UnknownKey,
    /// Too many keys could have made the signature and the header names none.
    #[error("the header must name its key")]
    KeyIdRequired,
    /// The signature does not match.
    #[error("the signature does not match")]
    Signature,
    /// Signing failed inside the cryptographic library.
    #[error("signing failed")]
    Signing,
    /// A symmetric key under 32 bytes, or one byte repeated (RFC 7518 section 3.2).
    #[error("the secret is too weak for HMAC")]
    WeakSecret,
    /// A key of a type, curve, use or algorithm that is not served here.
    #[error("the key is not of a supported kind: {0}")]
    UnsupportedKey(&'static str),
    /// A malformed, weak or degenerate key.
    #[error("the key is refused: {0}")]
    RefusedKey(&'static str),
    /// A private or symmetric member where only public keys belong.
    #[error("the key carries the private member {0}")]
    PrivateMember(&'static str),
    /// Not a JWK Set, or one with too many keys.
    #[error("not a usable key set")]
    KeySet,
    /// Two of our keys are the same.
    #[error("the key set holds one key twice")]
    DuplicateKey,
    /// No `exp`.
    #[error("the expiry is missing")]
    ExpiryMissing,
    /// `exp` has come.
    #[error("the token is expired")]
    Expired,
    /// `exp` is further away than allowed here.
    #[error("the token lives longer than allowed")]
    ExpiryTooFar,
    /// `nbf` has not come.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// `iat` lies in the future.
    #[error("the token is issued in the future")]
    IssuedInFuture,
    /// No `iat` where an age is judged.
    #[error("the time of issue is missing")]
    IssueTimeMissing,
    /// `iat` lies too far back.
    #[error("the token is too old")]
    TooOld,
    /// A time that is not a number, or one outside the years 1970 to 9999.
    #[error("the time {0} is not usable")]
    TimeNotUsable(&'static str),
}
