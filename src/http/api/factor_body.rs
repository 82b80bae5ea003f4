//! Second factors as the API spells them. Their secrets are told once, to whoever sets one up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow::Error;
use crate::flow::factor::{NewFactor, NewImport};
use crate::model::{Channel, Factor, FactorKind, OtpAlgorithm, OtpShape, Secret, UnknownName};

/// A second factor.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Factor")]
pub(super) struct FactorBody {
    /// Its id.
    id: String,
    /// What it is: `totp`, `passkey`, `mail` or `sms`.
    kind: String,
    /// What the person calls it.
    name: String,
    /// The hash function of its codes, if it has codes: `SHA1`, `SHA256` or `SHA512`.
    #[serde(skip_serializing_if = "Option::is_none")]
    algorithm: Option<String>,
    /// How many digits a code has.
    #[serde(skip_serializing_if = "Option::is_none")]
    digits: Option<u8>,
    /// How many seconds a time step has.
    #[serde(skip_serializing_if = "Option::is_none")]
    period: Option<u32>,
    /// When it was added.
    created_at: String,
    /// When it was last used.
    #[serde(skip_serializing_if = "Option::is_none")]
    used_at: Option<String>,
}

/// How codes are made; what is absent is what every authenticator knows: `SHA1`, 6 digits, 30 seconds.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct NewFactorBody {
    /// What it is to be: `totp` (the default), `passkey`, or codes that are sent: `mail` or `sms`.
    kind: Option<String>,
    /// What it is called: 1 to 60 characters.
    #[schemars(required)]
    name: String,
    /// The hash function: `SHA1`, `SHA256` or `SHA512`.
    algorithm: Option<String>,
    /// How many digits, 6 to 8.
    digits: Option<u8>,
    /// How many seconds, 15 to 120.
    period: Option<u32>,
}

/// An authenticator that the person had elsewhere.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct ImportedFactorBody {
    /// What it is called: 1 to 60 characters.
    #[schemars(required)]
    name: String,
    /// The secret in base32: 128 to 1024 bits.
    #[schemars(required, with = "String")]
    secret: Option<Secret>,
    /// The hash function: `SHA1` (the default), `SHA256` or `SHA512`.
    algorithm: Option<String>,
    /// How many digits, 6 (the default) to 8.
    digits: Option<u8>,
    /// How many seconds, 15 to 120; 30 is the default.
    period: Option<u32>,
}

impl FactorBody {
    pub(super) fn of(factor: Factor) -> Self {
        let shape = factor.otp().map(|otp| otp.shape);
        Self {
            id: factor.id.to_string(),
            kind: factor.kind().to_string(),
            name: factor.name,
            algorithm: shape.map(|shape| shape.algorithm.to_string()),
            digits: shape.map(|shape| shape.digits),
            period: shape.map(|shape| shape.period),
            created_at: factor.created_at.rfc3339(),
            used_at: factor.used_at.map(|at| at.rfc3339()),
        }
    }
}

/// A factor to be.
pub(super) enum NewKind {
    Totp(NewFactor),
    /// What it is called.
    Passkey(String),
    /// By which way, and what it is called.
    Sent(Channel, String),
}

impl NewFactorBody {
    pub(super) fn into_new(self) -> Result<NewKind, Error> {
        let kind = self.kind.as_deref().unwrap_or(FactorKind::Totp.as_str());
        let kind: FactorKind = kind
            .parse()
            .map_err(|unknown: UnknownName| Error::field("/kind", "unsupported", unknown.to_string()))?;
        if kind == FactorKind::Totp {
            return Ok(NewKind::Totp(NewFactor {
                shape: shape(self.algorithm.as_deref(), self.digits, self.period)?,
                name: self.name,
            }));
        }
        let of_codes = [
            (self.algorithm.is_some(), "/algorithm"),
            (self.digits.is_some(), "/digits"),
            (self.period.is_some(), "/period"),
        ];
        if let Some((_, pointer)) = of_codes.into_iter().find(|(is_given, _)| *is_given) {
            return Err(Error::field(
                pointer,
                "unsupported",
                "its codes are not made by an authenticator",
            ));
        }
        Ok(match kind {
            FactorKind::Mail => NewKind::Sent(Channel::Mail, self.name),
            FactorKind::Sms => NewKind::Sent(Channel::Sms, self.name),
            FactorKind::Passkey | FactorKind::Totp => NewKind::Passkey(self.name),
        })
    }
}

impl ImportedFactorBody {
    pub(super) fn into_import(self) -> Result<NewImport, Error> {
        Ok(NewImport {
            shape: shape(self.algorithm.as_deref(), self.digits, self.period)?,
            name: self.name,
            secret: self
                .secret
                .ok_or_else(|| Error::field("/secret", "required", "expected a secret in base32"))?,
        })
    }
}

fn shape(algorithm: Option<&str>, digits: Option<u8>, period: Option<u32>) -> Result<OtpShape, Error> {
    let usual = OtpShape::default();
    let algorithm: Option<OtpAlgorithm> = algorithm
        .map(str::parse)
        .transpose()
        .map_err(|unknown: UnknownName| Error::field("/algorithm", "unsupported", unknown.to_string()))?;
    Ok(OtpShape {
        algorithm: algorithm.unwrap_or(usual.algorithm),
        digits: digits.unwrap_or(usual.digits),
        period: period.unwrap_or(usual.period),
    })
}
