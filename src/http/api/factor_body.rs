//! Second factors as the API spells them. Their secrets are told once, to whoever sets one up.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow::Error;
use crate::flow::factor::{NewFactor, NewImport};
use crate::model::{Factor, OtpAlgorithm, OtpShape, Secret};

/// A second factor.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "Factor")]
pub(super) struct FactorBody {
    /// Its id.
    id: String,
    /// What it is: `totp`.
    kind: String,
    /// What the person calls it.
    name: String,
    /// The hash function of its codes: `SHA1`, `SHA256` or `SHA512`.
    algorithm: String,
    /// How many digits a code has.
    digits: u8,
    /// How many seconds a time step has.
    period: u32,
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
        Self {
            id: factor.id.to_string(),
            kind: factor.kind.to_string(),
            name: factor.name,
            algorithm: factor.shape.algorithm.to_string(),
            digits: factor.shape.digits,
            period: factor.shape.period,
            created_at: factor.created_at.rfc3339(),
            used_at: factor.used_at.map(|at| at.rfc3339()),
        }
    }
}

impl NewFactorBody {
    pub(super) fn into_new(self) -> Result<NewFactor, Error> {
        Ok(NewFactor {
            shape: shape(self.algorithm.as_deref(), self.digits, self.period)?,
            name: self.name,
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
        .map_err(|unknown: crate::model::UnknownName| Error::field("/algorithm", "unsupported", unknown.to_string()))?;
    Ok(OtpShape {
        algorithm: algorithm.unwrap_or(usual.algorithm),
        digits: digits.unwrap_or(usual.digits),
        period: period.unwrap_or(usual.period),
    })
}
