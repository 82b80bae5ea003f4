//! Time-based one-time codes (RFC 6238), by totp-rs: secrets, the address that authenticators read, and which time step a code
//! belongs to. That a step is accepted once is the store's matter.

use totp_rs::{Algorithm, Builder};
use zeroize::Zeroizing;

use crate::crypto;
use crate::model::{OtpAlgorithm, OtpShape, Secret, Timestamp};
use crate::random;

/// RFC 4226 section 4, R6: 160 bits are recommended.
const SECRET_BYTES: usize = 20;
/// The same: 128 bits are the least.
const SHORTEST_SECRET: usize = 16;
/// The block of SHA-512: what is longer is hashed down to less.
const LONGEST_SECRET: usize = 128;
/// One time step before and after the present one (RFC 6238 section 5.2).
const WINDOW: i64 = 1;
const DIGITS: std::ops::RangeInclusive<u8> = 6..=8;
/// A code lives for three steps: longer ones would give whoever reads one too much time.
const PERIODS: std::ops::RangeInclusive<u32> = 15..=120;

/// A secret and how its codes are made.
pub struct Totp {
    secret: Zeroizing<Vec<u8>>,
    shape: OtpShape,
}

/// Why a secret can't be taken, or codes can't be made so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsuitable {
    /// It is not base32 (RFC 4648 section 6).
    #[error("expected base32")]
    Spelling,
    /// It is too short or too long.
    #[error("expected 128 to 1024 bits")]
    Secret,
    /// Codes have 6 to 8 digits (RFC 4226 section 5.3).
    #[error("expected 6 to 8 digits")]
    Digits,
    /// The time step is too short or too long.
    #[error("expected a period of 15 to 120 seconds")]
    Period,
}

impl Totp {
    /// With a new random secret.
    ///
    /// # Errors
    /// [`Unsuitable`] if codes are not made so.
    pub fn generate(shape: OtpShape) -> Result<Self, Unsuitable> {
        Self::new(random::bytes::<SECRET_BYTES>().to_vec(), shape)
    }

    /// With a secret in base32, as authenticators show it: blanks, dashes, padding and the case of letters do not count.
    ///
    /// # Errors
    /// [`Unsuitable`]
    pub fn from_base32(text: &Secret, shape: OtpShape) -> Result<Self, Unsuitable> {
        let plain = text
            .expose()
            .chars()
            .filter(|letter| !matches!(letter, ' ' | '-' | '='));
        let plain = Zeroizing::new(plain.map(|letter| letter.to_ascii_uppercase()).collect::<String>());
        let secret = totp_rs::Secret::try_from_base32(plain.as_str()).map_err(|_| Unsuitable::Spelling)?;
        Self::new(secret.as_ref().to_vec(), shape)
    }

    /// With this secret.
    ///
    /// # Errors
    /// [`Unsuitable`]
    pub fn new(secret: Vec<u8>, shape: OtpShape) -> Result<Self, Unsuitable> {
        let secret = Zeroizing::new(secret);
        if !(SHORTEST_SECRET..=LONGEST_SECRET).contains(&secret.len()) {
            return Err(Unsuitable::Secret);
        }
        if !DIGITS.contains(&shape.digits) {
            return Err(Unsuitable::Digits);
        }
        if !PERIODS.contains(&shape.period) {
            return Err(Unsuitable::Period);
        }
        Ok(Self { secret, shape })
    }

    /// The secret's bytes: to be sealed, and to be compared with others.
    pub fn secret(&self) -> &[u8] {
        &self.secret
    }

    /// The secret in base32, without padding.
    pub fn base32(&self) -> Secret {
        Secret::new(totp_rs::Secret::from(self.secret()).to_base32())
    }

    /// What authenticators read: an `otpauth` address that holds the secret. Colons part the names in it, and are left out of them.
    pub fn address(&self, issuer: &str, account: &str) -> Option<Secret> {
        let plain = |name: &str| name.replace(':', " ");
        let totp = self
            .builder()
            .with_account_name(plain(account))
            .with_issuer(Some(plain(issuer)));
        totp.build().ok()?.to_url().ok().map(Secret::new)
    }

    /// The time step that this code belongs to: one within the window around `now`, and later than `after`.
    ///
    /// A code is exactly as many ASCII digits as it has to be; every step of the window is looked at, whichever fits.
    pub fn step_of(&self, code: &Secret, now: Timestamp, after: i64) -> Option<i64> {
        let code = code.expose().as_bytes();
        if code.len() != usize::from(self.shape.digits) || !code.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let totp = self.builder().build().ok()?;
        let present = now
            .micros()
            .div_euclid(1_000_000)
            .div_euclid(i64::from(self.shape.period));
        let mut found = None;
        for step in present.saturating_sub(WINDOW)..=present.saturating_add(WINDOW) {
            let Ok(seconds) = u64::try_from(step.saturating_mul(i64::from(self.shape.period))) else {
                continue;
            };
            let expected = Zeroizing::new(totp.generate(seconds).to_string());
            if crypto::equal(expected.as_bytes(), code) && step > after && found.is_none() {
                found = Some(step);
            }
        }
        found
    }

    fn builder(&self) -> Builder {
        let algorithm = match self.shape.algorithm {
            OtpAlgorithm::HmacSha1 => Algorithm::SHA1,
            OtpAlgorithm::HmacSha256 => Algorithm::SHA256,
            OtpAlgorithm::HmacSha512 => Algorithm::SHA512,
        };
        Builder::new()
            .with_algorithm(algorithm)
            .with_digits(self.shape.digits)
            .with_step_duration(u64::from(self.shape.period))
            .with_secret(self.secret())
    }
}

impl std::fmt::Debug for Totp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "Totp(***, {:?})", self.shape)
    }
}
