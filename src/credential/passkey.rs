//! Passkeys and security keys (Web Authentication Level 3), by webauthn-rs: what a browser is asked, and whether what it answers
//! is right. Nothing is kept here: what a ceremony was about comes back as it was given out, sealed meanwhile by who keeps it,
//! and that it is used once is theirs to see to, as that the counter of signatures goes up.
//!
//! The package checks type, challenge, relying party, presence, verification, algorithm and signature. What it leaves to others
//! is done here: the origin is compared byte for byte, a frame of somebody else's page is no place to sign in, and what an
//! authenticator says of itself (backup eligibility) does not change afterwards.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AttestedPasskeyRegistration, AuthenticationResult, Credential, DiscoverableAuthentication, ParsedAttestation,
    PasskeyAuthentication, PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, SecurityKey,
    SecurityKeyAuthentication, SecurityKeyRegistration, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::attestation::TrustedAuthenticators;
use crate::model::Passkey;

/// How long a ceremony may take.
pub const PASSKEY_CEREMONY: Duration = Duration::from_secs(5 * 60);
/// Answers are smaller: an attestation with certificates has some five thousand bytes.
const LONGEST_ANSWER: usize = 16 * 1024;
/// Section 4, credential id: no longer than this.
const LONGEST_ID: usize = 1023;

/// Who asks for passkeys: an origin, and the domain that they are bound to.
pub struct RelyingParty {
    webauthn: Webauthn,
    origin: String,
}

/// Whose a passkey is to be, as the authenticator keeps and shows it.
#[derive(Clone, Copy, Debug)]
pub struct PasskeyOwner<'a> {
    /// Without a meaning, the same for every passkey of the person (section 5.4.3, user handle).
    pub handle: Uuid,
    /// What tells this account from others: a mail address or a username.
    pub name: &'a str,
    /// What the person is called.
    pub display_name: &'a str,
}

/// Whether the authenticator has to see that it is the person: by a fingerprint, a face, a PIN (section 5.8.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UserVerification {
    /// Where it can.
    Preferred,
    /// In any case.
    Required,
}

/// What is wanted of a new passkey.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// Whether it has to verify its owner.
    pub verification: UserVerification,
    /// Where only some are taken: which.
    pub makers: Option<&'a TrustedAuthenticators>,
    /// What kinds of authenticators browsers are to propose; none: what they think (section 5.8.7).
    pub hints: &'a [&'static str],
}

/// A ceremony that has begun.
pub struct PasskeyCeremony {
    /// What the browser is told, as `parseCreationOptionsFromJSON` and `parseRequestOptionsFromJSON` read it.
    pub options: Value,
    /// What the answer is judged by: never for a browser.
    pub state: String,
}

/// What a signature says, once it is right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The counter of signatures; 0 where the authenticator counts none.
    pub counter: u32,
    /// Whether the authenticator has verified the person.
    pub is_verified: bool,
    /// Whether the key stays in its device, by its own account: it can't be backed up.
    pub is_bound_to_device: bool,
}

/// An answer of a browser to a request for a signature.
pub struct PasskeyAnswer(PublicKeyCredential);

/// What is wrong with an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PasskeyFault {
    /// It can't be read, or lacks something.
    #[error("the answer can't be read")]
    Malformed,
    /// It is the answer to another question (section 7.2 step 10).
    #[error("the answer is of another kind")]
    Kind,
    /// It is the answer to another challenge (step 11).
    #[error("the answer is to another challenge")]
    Challenge,
    /// It was made on another page (step 12), or in a frame of one (step 13).
    #[error("the answer comes from another origin")]
    Origin,
    /// It was made for another relying party (step 15).
    #[error("the answer is for another relying party")]
    RelyingParty,
    /// Nobody was there (step 16).
    #[error("nobody was present")]
    Presence,
    /// The authenticator has not verified who was there (step 17).
    #[error("the person was not verified")]
    Verification,
    /// The key is of an algorithm that was not offered (section 7.1 step 20).
    #[error("the algorithm was not offered")]
    Algorithm,
    /// The authenticator says otherwise than before whether the key can be backed up (section 7.2 step 18).
    #[error("the key is not what it was")]
    Backup,
    /// It is not of this person (step 6).
    #[error("the key is somebody else's")]
    Owner,
    /// The signature is wrong (step 21).
    #[error("the signature is wrong")]
    Signature,
    /// The counter has not gone up (step 22): there may be two of the key.
    #[error("the counter has not gone up")]
    Counter,
    /// Nobody who is listed vouches for the authenticator (section 7.1 step 24).
    #[error("the authenticator is none that is taken")]
    Maker,
}

impl PasskeyFault {
    /// In a word, for the audit log.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Kind => "kind",
            Self::Challenge => "challenge",
            Self::Origin => "origin",
            Self::RelyingParty => "relying_party",
            Self::Presence => "presence",
            Self::Verification => "verification",
            Self::Algorithm => "algorithm",
            Self::Backup => "backup",
            Self::Owner => "owner",
            Self::Signature => "signature",
            Self::Counter => "counter",
            Self::Maker => "maker",
        }
    }
}

/// A mistake of ours, or of what was kept.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyDefect {
    /// The package refuses what we asked of it.
    #[error("a ceremony can't begin")]
    Package(#[source] WebauthnError),
    /// What was kept can't be read, or what is to be kept not written.
    #[error("what is kept of a passkey can't be read")]
    Kept(#[from] serde_json::Error),
}

/// What an enrolment is judged by.
#[derive(Serialize, Deserialize)]
enum Enrolling {
    Required(PasskeyRegistration),
    Preferred(SecurityKeyRegistration),
    /// By one that a listed maker vouches for, and that verifies its owner.
    Vouched(AttestedPasskeyRegistration),
}

/// What a signature is judged by.
#[derive(Serialize, Deserialize)]
enum Signing {
    /// Of whoever comes.
    Anybody(DiscoverableAuthentication),
    Required(PasskeyAuthentication),
    Preferred(SecurityKeyAuthentication),
}

/// What a browser says of where it asked the authenticator (section 5.8.1).
#[derive(Deserialize)]
struct ClientData {
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
    #[serde(rename = "topOrigin")]
    top_origin: Option<String>,
}

impl RelyingParty {
    /// At this address. None where it names no domain: browsers have passkeys for domains alone (section 5.1.2, effective domain).
    pub fn of(address: &Url) -> Option<Self> {
        let domain = address.domain()?;
        let builder = WebauthnBuilder::new(domain, address).ok()?;
        Some(Self {
            webauthn: builder.rp_name(domain).timeout(PASSKEY_CEREMONY).build().ok()?,
            origin: address.origin().ascii_serialization(),
        })
    }

    /// Asks for a new passkey, on none of the authenticators that hold one of `known`.
    ///
    /// It is to be found without a name where the authenticator can do that; where it has to verify the person it has to.
    ///
    /// # Errors
    /// [`PasskeyDefect`]
    pub fn begin_enrolment(
        &self,
        owner: PasskeyOwner<'_>,
        known: &[&Passkey],
        wanted: &Wanted<'_>,
    ) -> Result<PasskeyCeremony, PasskeyDefect> {
        let verification = wanted.verification;
        let known = Some(known.iter().map(|passkey| passkey.credential_id.clone()).collect());
        let (handle, name, display_name) = (owner.handle, owner.name, owner.display_name);
        let makers = wanted.makers.map(|makers| makers.roots().unwrap_or_default());
        let (asked, state) = match (verification, makers) {
            (UserVerification::Required, None) => {
                let begun = self
                    .webauthn
                    .start_passkey_registration(handle, name, display_name, known);
                begun.map(|(asked, state)| (asked, Enrolling::Required(state)))
            }
            (UserVerification::Required, Some(makers)) => {
                let begun =
                    self.webauthn
                        .start_attested_passkey_registration(handle, name, display_name, known, makers, None);
                begun.map(|(asked, state)| (asked, Enrolling::Vouched(state)))
            }
            (UserVerification::Preferred, makers) => {
                let begun =
                    self.webauthn
                        .start_securitykey_registration(handle, name, display_name, known, makers, None);
                begun.map(|(asked, state)| (asked, Enrolling::Preferred(state)))
            }
        }
        .map_err(PasskeyDefect::Package)?;
        let mut options = serde_json::to_value(asked.public_key)?;
        if let Some(options) = options.as_object_mut() {
            // section 5.4.4: what the package asks for is found by its id alone
            let is_required = verification == UserVerification::Required;
            let selection = options.get_mut("authenticatorSelection");
            if let Some(selection) = selection.and_then(Value::as_object_mut) {
                let found = if is_required { "required" } else { "preferred" };
                selection.insert("residentKey".to_owned(), found.into());
                selection.insert("requireResidentKey".to_owned(), is_required.into());
            }
            options.insert("extensions".to_owned(), json!({ "credProps": true }));
            hint(options, wanted.hints);
        }
        let state = serde_json::to_string(&state)?;
        Ok(PasskeyCeremony { options, state })
    }

    /// Judges a new passkey (section 7.1).
    ///
    /// # Errors
    /// [`PasskeyFault`]; a `state` that can't be read is [`PasskeyFault::Challenge`].
    pub fn finish_enrolment(&self, state: &str, answer: &str) -> Result<Passkey, PasskeyFault> {
        let state: Enrolling = serde_json::from_str(state).map_err(|_| PasskeyFault::Challenge)?;
        let answer: RegisterPublicKeyCredential = read(answer)?;
        self.judge_place(&answer.response.client_data_json)?;
        let credential: Result<Credential, WebauthnError> = match &state {
            Enrolling::Required(state) => self
                .webauthn
                .finish_passkey_registration(&answer, state)
                .map(Credential::from),
            Enrolling::Preferred(state) => self
                .webauthn
                .finish_securitykey_registration(&answer, state)
                .map(Credential::from),
            Enrolling::Vouched(state) => self
                .webauthn
                .finish_attested_passkey_registration(&answer, state)
                .map(Credential::from),
        };
        let mut credential = credential.map_err(|error| fault(&error))?;
        let is_named_so = credential.cred_id == answer.raw_id;
        if answer.type_ != "public-key"
            || !is_named_so
            || credential.cred_id.is_empty()
            || credential.cred_id.len() > LONGEST_ID
        {
            return Err(PasskeyFault::Malformed);
        }
        // who made the authenticator was judged, if that was asked; nothing of it is kept
        credential.attestation = ParsedAttestation::default();
        credential.transports = answer.response.transports;
        Ok(Passkey {
            counter: credential.counter,
            credential: serde_json::to_string(&credential).map_err(|_| PasskeyFault::Malformed)?,
            credential_id: credential.cred_id,
        })
    }

    /// Asks for a signature of whoever has a passkey here: no name, no list. The authenticator has to verify the person.
    ///
    /// # Errors
    /// [`PasskeyDefect`]
    pub fn begin_for_anybody(&self) -> Result<PasskeyCeremony, PasskeyDefect> {
        let begun = self.webauthn.start_discoverable_authentication();
        let (asked, state) = begun.map_err(PasskeyDefect::Package)?;
        signing(serde_json::to_value(asked.public_key)?, &Signing::Anybody(state))
    }

    /// Asks for a signature by one of these.
    ///
    /// # Errors
    /// [`PasskeyDefect`]
    pub fn begin_for(
        &self,
        known: &[&Passkey],
        verification: UserVerification,
    ) -> Result<PasskeyCeremony, PasskeyDefect> {
        let known: Result<Vec<Credential>, PasskeyDefect> = known.iter().map(|passkey| kept(passkey)).collect();
        let known = known?;
        match verification {
            UserVerification::Required => {
                let known: Vec<_> = known.into_iter().map(webauthn_rs::prelude::Passkey::from).collect();
                let begun = self.webauthn.start_passkey_authentication(&known);
                let (asked, state) = begun.map_err(PasskeyDefect::Package)?;
                signing(serde_json::to_value(asked.public_key)?, &Signing::Required(state))
            }
            UserVerification::Preferred => {
                let known: Vec<_> = known.into_iter().map(SecurityKey::from).collect();
                let begun = self.webauthn.start_securitykey_authentication(&known);
                let (asked, state) = begun.map_err(PasskeyDefect::Package)?;
                signing(serde_json::to_value(asked.public_key)?, &Signing::Preferred(state))
            }
        }
    }

    /// Judges a signature by this passkey, whose owner's handle is `owner` (section 7.2). Whoever was asked for without a name has
    /// to bring that handle.
    ///
    /// # Errors
    /// [`PasskeyFault`]; a `state` that can't be read is [`PasskeyFault::Challenge`].
    pub fn finish(
        &self,
        state: &str,
        answer: &PasskeyAnswer,
        passkey: &Passkey,
        owner: Uuid,
    ) -> Result<Signed, PasskeyFault> {
        let state: Signing = serde_json::from_str(state).map_err(|_| PasskeyFault::Challenge)?;
        let credential = kept(passkey).map_err(|_| PasskeyFault::Malformed)?;
        self.judge_place(&answer.0.response.client_data_json)?;
        let is_owners = match answer.0.get_user_unique_id() {
            Some(handle) => handle == owner.as_bytes(),
            None => !matches!(state, Signing::Anybody(_)),
        };
        if !is_owners {
            return Err(PasskeyFault::Owner);
        }
        let is_bound_to_device = !credential.backup_eligible;
        let signed: Result<AuthenticationResult, WebauthnError> = match state {
            Signing::Anybody(state) => {
                self.webauthn
                    .finish_discoverable_authentication_v2(&answer.0, state, &credential)
            }
            Signing::Required(state) => self.webauthn.finish_passkey_authentication(&answer.0, &state),
            Signing::Preferred(state) => self.webauthn.finish_securitykey_authentication(&answer.0, &state),
        };
        let signed = signed.map_err(|error| fault(&error))?;
        if signed.cred_id() != &passkey.credential_id {
            return Err(PasskeyFault::Owner);
        }
        if signed.backup_eligible() == is_bound_to_device {
            return Err(PasskeyFault::Backup);
        }
        if passkey.counter > 0 && signed.counter() <= passkey.counter {
            return Err(PasskeyFault::Counter);
        }
        Ok(Signed {
            counter: signed.counter(),
            is_verified: signed.user_verified(),
            is_bound_to_device,
        })
    }

    /// Where the browser asked the authenticator: on a page of ours, and in no frame (steps 12 to 14).
    fn judge_place(&self, client_data: &[u8]) -> Result<(), PasskeyFault> {
        let place: ClientData = serde_json::from_slice(client_data).map_err(|_| PasskeyFault::Malformed)?;
        if place.origin != self.origin || place.cross_origin || place.top_origin.is_some() {
            return Err(PasskeyFault::Origin);
        }
        Ok(())
    }
}

impl PasskeyAnswer {
    /// Reads what a browser answered.
    ///
    /// # Errors
    /// [`PasskeyFault::Malformed`]
    pub fn read(answer: &str) -> Result<Self, PasskeyFault> {
        let answer: PublicKeyCredential = read(answer)?;
        if answer.type_ != "public-key" || answer.raw_id.is_empty() || answer.raw_id.len() > LONGEST_ID {
            return Err(PasskeyFault::Malformed);
        }
        Ok(Self(answer))
    }

    /// Which key it says that it is of.
    pub fn credential_id(&self) -> &[u8] {
        &self.0.raw_id
    }
}

/// Whether the key of a passkey stays in its device, by the authenticator's own account: it can't be backed up.
///
/// # Errors
/// [`PasskeyDefect::Kept`]
pub fn is_bound_to_device(passkey: &Passkey) -> Result<bool, PasskeyDefect> {
    Ok(!kept(passkey)?.backup_eligible)
}

fn read<T: for<'de> Deserialize<'de>>(answer: &str) -> Result<T, PasskeyFault> {
    if answer.len() > LONGEST_ANSWER {
        return Err(PasskeyFault::Malformed);
    }
    serde_json::from_str(answer).map_err(|_| PasskeyFault::Malformed)
}

/// Says what kinds of authenticators to propose; what the package would say goes in any case.
fn hint(options: &mut serde_json::Map<String, Value>, hints: &[&'static str]) {
    options.remove("hints");
    if !hints.is_empty() {
        options.insert("hints".to_owned(), hints.into());
    }
}

fn signing(mut options: Value, state: &Signing) -> Result<PasskeyCeremony, PasskeyDefect> {
    if let Some(options) = options.as_object_mut() {
        options.remove("extensions");
        options.remove("hints");
    }
    let state = serde_json::to_string(state)?;
    Ok(PasskeyCeremony { options, state })
}

/// What was kept when it was added, with the counter of today.
fn kept(passkey: &Passkey) -> Result<Credential, PasskeyDefect> {
    let credential: Credential = serde_json::from_str(&passkey.credential)?;
    Ok(Credential {
        counter: passkey.counter,
        ..credential
    })
}

const fn fault(error: &WebauthnError) -> PasskeyFault {
    match error {
        WebauthnError::InvalidClientDataType => PasskeyFault::Kind,
        WebauthnError::MismatchedChallenge => PasskeyFault::Challenge,
        WebauthnError::InvalidRPOrigin | WebauthnError::CredentialCrossOrigin => PasskeyFault::Origin,
        WebauthnError::InvalidRPIDHash => PasskeyFault::RelyingParty,
        WebauthnError::UserNotPresent => PasskeyFault::Presence,
        WebauthnError::UserNotVerified => PasskeyFault::Verification,
        WebauthnError::CredentialAlteredAlgFromRequest => PasskeyFault::Algorithm,
        WebauthnError::CredentialBackupEligibilityInconsistent | WebauthnError::CredentialMayNotBeHardwareBound => {
            PasskeyFault::Backup
        }
        WebauthnError::CredentialNotFound => PasskeyFault::Owner,
        WebauthnError::AuthenticationFailure => PasskeyFault::Signature,
        WebauthnError::CredentialPossibleCompromise => PasskeyFault::Counter,
        WebauthnError::AttestationNotVerifiable
        | WebauthnError::AttestationChainNotTrusted(_)
        | WebauthnError::AttestationUntrustedAaguid
        | WebauthnError::AttestationCertificateAAGUIDMismatch
        | WebauthnError::AttestationFormatMissingAaguid
        | WebauthnError::AttestationLeafCertMissing => PasskeyFault::Maker,
        _ => PasskeyFault::Malformed,
    }
}
