//! JSON Web Keys, Signatures and Tokens (RFC 7515, 7517, 7518, 7519, 7638, 8037, 8725), on josekit.
//!
//! This room says whether a token is well-formed, signed by the right key with an allowed algorithm, and within its
//! times. Who issued it, for whom, and what its claims mean is judged by the caller.

mod algorithm;
mod compact;
mod error;
pub mod json;
mod key;
mod key_set;
mod public_key;
mod remote_keys;
mod secret_key;
mod sign;
mod thumbprint;
mod times;
mod verify;

pub use algorithm::half_hash;
pub use compact::MAX_COMPACT_BYTES;
pub use error::Error;
pub use key::PrivateKey;
pub use key_set::KeySet;
pub use public_key::PublicKey;
pub use remote_keys::{MAX_CANDIDATES, MAX_DOCUMENT_BYTES, MAX_KEYS, RemoteKeys};
pub use secret_key::{MIN_SECRET_BYTES, require_strong_secret};
pub use sign::Signer;
pub use times::{MAX_SKEW, TimeLimits, Times, check_times};
pub use verify::{AssertionKeys, ClaimedClient, Verified, peek_unverified_issuer, verify_assertion};
