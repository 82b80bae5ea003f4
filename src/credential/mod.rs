//! What a person proves themselves with. Passwords are hashed with Argon2id (RFC 9106) on threads of their own; what a new
//! password must look like is judged by a pure function. Beside them one-time codes of authenticators (RFC 6238), passkeys (Web
//! Authentication), and recovery codes.

mod attestation;
mod breached;
mod breached_build;
mod brought_hash;
mod derived_key;
mod foreign_hash;
mod hash_queue;
mod passkey;
mod password;
mod password_hash;
mod password_policy;
mod recovery_code;
mod sha_crypt;
mod strength;
mod totp;

pub use attestation::{TrustedAuthenticators, Unvouched};
pub use breached::{BreachedList, Unlisted};
pub use breached_build::{Built, ListBuilder, NotBuilt};
pub use brought_hash::{FirebaseParameters, bring_firebase_hash, bring_hash};
pub use derived_key::derive_key;
pub use hash_queue::Load;
pub use passkey::{
    PASSKEY_CEREMONY, PasskeyAnswer, PasskeyCeremony, PasskeyDefect, PasskeyFault, PasskeyOwner, RelyingParty, Signed,
    UserVerification, Wanted, is_bound_to_device,
};
pub use password::{Error, Passwords, Verdict};
pub use password_hash::{Parameters, PasswordHash};
pub use password_policy::{Policy, Weakness, generate_password, judge};
pub use recovery_code::{RECOVERY_CODES, digest_recovery_code, generate_recovery_codes};
pub use strength::{Pattern, STRONGEST};
pub use totp::{Totp, Unsuitable};
