//! Password hashes that other systems made: verified, and replaced by one of ours at the first sign-in. What each may cost
//! ([`Foreign::cost`]) is bounded when it is read.

use std::num::NonZeroU32;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, general_purpose};
use zeroize::Zeroizing;

use super::password::Error;
use super::sha_crypt;
use crate::crypto::{self, Sha};

/// One pass over a KiB of memory takes about so long: what the costs of all hashes are counted in.
const NANOS_OF_A_UNIT: u64 = 640;
/// What one hash may cost: about a second.
const GREATEST_COST: u64 = 1_600_000;
/// What one of Argon2 may cost, as one of ours.
const GREATEST_ARGON2_COST: u64 = 4 * 128 * 1024;
/// How much memory one may take.
const GREATEST_MEMORY: u64 = 128 * 1024 * 1024;
const LEAST_OUTPUT: usize = 16;
const GREATEST_OUTPUT: usize = 128;
const LEAST_SALT: usize = 4;
const GREATEST_SALT: usize = 128;

const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_allow_trailing_bits(true)
    .with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
const BCRYPT64: GeneralPurpose = GeneralPurpose::new(&alphabet::BCRYPT, LENIENT);

/// A hash of another system, read.
pub(super) struct Foreign {
    scheme: Scheme,
    salt: Vec<u8>,
    output: Zeroizing<Vec<u8>>,
}

enum Scheme {
    /// Argon2i and Argon2d, or an older version (RFC 9106).
    Argon2 {
        algorithm: Algorithm,
        version: Version,
        params: Params,
    },
    /// bcrypt (Provos and Mazières, 1999); of the SHA-256 in hex, as Django has it.
    Bcrypt { cost: u32, of_digest: bool },
    /// scrypt (RFC 7914).
    Scrypt { log_n: u8, r: u32, p: u32 },
    /// Firebase: what a key that scrypt makes gives in counter mode.
    Firebase { log_n: u8, r: u32 },
    /// PBKDF2 (RFC 8018 section 5.2).
    Pbkdf2 { sha: Sha, iterations: NonZeroU32 },
    /// SHA-crypt.
    ShaCrypt { sha: Sha, rounds: u32 },
    /// One digest of password and salt, as directories keep it.
    Salted { sha: Sha },
}

impl Foreign {
    /// Reads a hash in the form in which its system writes it. None: it is of no kind that is taken, or costs too much.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let parsed = Self::read(text)?;
        let is_sound = parsed.cost() <= GREATEST_COST
            && parsed.memory() <= GREATEST_MEMORY
            && parsed.salt.len() <= GREATEST_SALT
            && (LEAST_OUTPUT..=GREATEST_OUTPUT).contains(&parsed.output.len());
        is_sound.then_some(parsed)
    }

    fn read(text: &str) -> Option<Self> {
        if let Some(rest) = text.strip_prefix('{') {
            let (scheme, rest) = rest.split_once('}')?;
            return match scheme.to_ascii_uppercase().as_str() {
                "SSHA" => salted(Sha::One, rest),
                "SSHA256" => salted(Sha::Two256, rest),
                "SSHA512" => salted(Sha::Two512, rest),
                "PBKDF2" | "PBKDF2-SHA1" => pbkdf2(Sha::One, rest, Salt::Encoded),
                "PBKDF2-SHA256" => pbkdf2(Sha::Two256, rest, Salt::Encoded),
                "PBKDF2-SHA512" => pbkdf2(Sha::Two512, rest, Salt::Encoded),
                "CRYPT" | "BCRYPT" | "ARGON2" if rest.starts_with('$') => Self::read(rest),
                _ => None,
            };
        }
        let Some(rest) = text.strip_prefix('$') else {
            return django(text);
        };
        let (scheme, rest) = rest.split_once('$')?;
        match scheme {
            "argon2i" | "argon2d" | "argon2id" => argon2(scheme, rest),
            "2a" | "2b" | "2y" => bcrypt(rest, false),
            "scrypt" => scrypt(rest),
            "firebase-scrypt" => firebase(rest),
            "pbkdf2" | "pbkdf2-sha1" => pbkdf2(Sha::One, rest, Salt::Encoded),
            "pbkdf2-sha256" => pbkdf2(Sha::Two256, rest, Salt::Encoded),
            "pbkdf2-sha512" => pbkdf2(Sha::Two512, rest, Salt::Encoded),
            "5" => crypt(Sha::Two256, rest),
            "6" => crypt(Sha::Two512, rest),
            _ => None,
        }
    }

    /// The work of one hash, in the unit of ours.
    pub(super) fn cost(&self) -> u64 {
        let nanos = match &self.scheme {
            Scheme::Argon2 { params, .. } => {
                return u64::from(params.m_cost()).saturating_mul(u64::from(params.t_cost()));
            }
            Scheme::Bcrypt { cost, .. } => 54_000_u64.saturating_mul(1 << (*cost).min(31)),
            Scheme::Scrypt { log_n, r, p } => scrypt_work(*log_n, *r, *p).saturating_mul(350),
            Scheme::Firebase { log_n, r } => scrypt_work(*log_n, *r, 1).saturating_mul(350),
            Scheme::Pbkdf2 { sha, iterations } => {
                let blocks = self.output.len().div_ceil(sha.length().max(1));
                let blocks = u64::try_from(blocks).unwrap_or(u64::MAX);
                u64::from(iterations.get()).saturating_mul(blocks).saturating_mul(300)
            }
            Scheme::ShaCrypt { rounds, .. } => u64::from(*rounds).saturating_mul(600),
            Scheme::Salted { .. } => NANOS_OF_A_UNIT,
        };
        nanos / NANOS_OF_A_UNIT
    }

    fn memory(&self) -> u64 {
        match &self.scheme {
            Scheme::Argon2 { params, .. } => u64::from(params.m_cost()).saturating_mul(1024),
            Scheme::Scrypt { log_n, r, .. } | Scheme::Firebase { log_n, r } => {
                scrypt_work(*log_n, *r, 1).saturating_mul(128)
            }
            _ => 0,
        }
    }

    /// What has to come out.
    pub(super) fn output(&self) -> &[u8] {
        &self.output
    }

    /// What comes out for this password.
    pub(super) fn compute(&self, password: &[u8]) -> Result<Zeroizing<Vec<u8>>, Error> {
        let length = self.output.len();
        match &self.scheme {
            Scheme::Argon2 {
                algorithm,
                version,
                params,
            } => {
                let mut output = Zeroizing::new(vec![0u8; length]);
                Argon2::new(*algorithm, *version, params.clone())
                    .hash_password_into(password, &self.salt, &mut output)
                    .map_err(|_| Error::Malformed)?;
                Ok(output)
            }
            Scheme::Bcrypt { cost, of_digest } => {
                let digest = Zeroizing::new(crypto::hex(crypto::sha256(password).iter()));
                let password = if *of_digest { digest.as_bytes() } else { password };
                // it ends with a zero, and no more than 72 bytes count
                let mut ended: Zeroizing<Vec<u8>> = Zeroizing::new(password.iter().copied().take(72).collect());
                if ended.len() < 72 {
                    ended.push(0);
                }
                let salt = <[u8; 16]>::try_from(self.salt.as_slice()).map_err(|_| Error::Malformed)?;
                let output = bcrypt::bcrypt(*cost, salt, &ended);
                Ok(Zeroizing::new(output.iter().copied().take(length).collect()))
            }
            Scheme::Scrypt { log_n, r, p } => derive_by_scrypt(password, &self.salt, (*log_n, *r, *p), length),
            Scheme::Firebase { log_n, r } => {
                let key = derive_by_scrypt(password, &self.salt, (*log_n, *r, 1), 32)?;
                crypto::counter_stream(&key, length).ok_or(Error::Malformed)
            }
            Scheme::Pbkdf2 { sha, iterations } => Ok(sha.pbkdf2(password, &self.salt, *iterations, length)),
            Scheme::ShaCrypt { .. } if password.len() > sha_crypt::LONGEST_PASSWORD => Ok(Zeroizing::default()),
            Scheme::ShaCrypt { sha, rounds } => Ok(sha_crypt::compute(*sha, password, &self.salt, *rounds)),
            Scheme::Salted { sha } => Ok(sha.of(&[password, &self.salt])),
        }
    }
}

/// How a salt is written: as it is, or in base64.
#[derive(Clone, Copy, PartialEq)]
enum Salt {
    Plain,
    Encoded,
}

/// Base64 with or without padding, also with the dot that some write for the plus.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text = text.replace(['.', '-'], "+").replace('_', "/");
    BASE64.decode(text).ok()
}

/// Base64 as hashes are written.
pub(super) fn encode(bytes: &[u8]) -> String {
    general_purpose::STANDARD_NO_PAD.encode(bytes)
}

fn made(scheme: Scheme, salt: Vec<u8>, output: Vec<u8>) -> Option<Foreign> {
    let output = Zeroizing::new(output);
    Some(Foreign { scheme, salt, output })
}

fn argon2(name: &str, rest: &str) -> Option<Foreign> {
    let algorithm = match name {
        "argon2i" => Algorithm::Argon2i,
        "argon2d" => Algorithm::Argon2d,
        _ => Algorithm::Argon2id,
    };
    let [version, costs, salt, output] = parts(rest)?;
    let version = match version.strip_prefix("v=")? {
        "19" => Version::V0x13,
        "16" => Version::V0x10,
        _ => return None,
    };
    let [memory, passes, lanes] = listed(costs, ["m", "t", "p"])?;
    let output = decode(output)?;
    let lanes = Some(lanes).filter(|lanes| (1..=16).contains(lanes))?;
    let params = Params::new(memory, passes, lanes, Some(output.len())).ok()?;
    let salt = decode(salt).filter(|salt| salt.len() >= 8)?;
    let cost = u64::from(memory).saturating_mul(u64::from(passes));
    if cost > GREATEST_ARGON2_COST || output.len() > 64 {
        return None;
    }
    let scheme = Scheme::Argon2 {
        algorithm,
        version,
        params,
    };
    made(scheme, salt, output)
}

fn bcrypt(rest: &str, of_digest: bool) -> Option<Foreign> {
    let (cost, encoded) = rest.split_once('$')?;
    let cost = number(cost).filter(|cost| (4..=31).contains(cost))?;
    if encoded.len() != 53 || !encoded.is_ascii() {
        return None;
    }
    let (salt, output) = encoded.split_at_checked(22)?;
    let salt = BCRYPT64.decode(salt).ok().filter(|salt| salt.len() == 16)?;
    let output = BCRYPT64.decode(output).ok().filter(|output| output.len() == 23)?;
    made(Scheme::Bcrypt { cost, of_digest }, salt, output)
}

fn scrypt(rest: &str) -> Option<Foreign> {
    let [costs, salt, output] = parts(rest)?;
    let [log_n, r, p] = listed(costs, ["ln", "r", "p"])?;
    let log_n = u8::try_from(log_n).ok().filter(|log_n| (1..=30).contains(log_n))?;
    let scheme = Scheme::Scrypt {
        log_n,
        r: Some(r).filter(|r| *r > 0)?,
        p: Some(p).filter(|p| (1..=16).contains(p))?,
    };
    made(scheme, decode(salt)?, decode(output)?)
}

fn firebase(rest: &str) -> Option<Foreign> {
    let [costs, salt, output] = parts(rest)?;
    let [log_n, r] = listed(costs, ["ln", "r"])?;
    let log_n = u8::try_from(log_n).ok().filter(|log_n| (1..=30).contains(log_n))?;
    let r = Some(r).filter(|r| *r > 0)?;
    made(Scheme::Firebase { log_n, r }, decode(salt)?, decode(output)?)
}

/// `iterations$salt$output`; the number alone, or as `i=…,l=…`.
fn pbkdf2(sha: Sha, rest: &str, salted: Salt) -> Option<Foreign> {
    let [costs, salt, output] = parts(rest)?;
    let first = costs.split(',').next()?;
    let iterations = number(first.strip_prefix("i=").unwrap_or(first))?;
    let salt = match salted {
        Salt::Plain => salt.as_bytes().to_vec(),
        Salt::Encoded => decode(salt)?,
    };
    let salt = Some(salt).filter(|salt| salt.len() >= LEAST_SALT)?;
    let iterations = NonZeroU32::new(iterations)?;
    made(Scheme::Pbkdf2 { sha, iterations }, salt, decode(output)?)
}

fn crypt(sha: Sha, rest: &str) -> Option<Foreign> {
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => {
            let (rounds, rest) = rest.split_once('$')?;
            (number(rounds)?.max(sha_crypt::LEAST_ROUNDS), rest)
        }
        None => (sha_crypt::USUAL_ROUNDS, rest),
    };
    let [salt, output] = parts(rest)?;
    if output.len() != sha_crypt::text_length(sha) {
        return None;
    }
    let salt = salt.bytes().take(16).collect();
    made(Scheme::ShaCrypt { sha, rounds }, salt, output.as_bytes().to_vec())
}

fn salted(sha: Sha, rest: &str) -> Option<Foreign> {
    let mut output = decode(rest)?;
    if output.len() < sha.length() + LEAST_SALT {
        return None;
    }
    let salt = output.split_off(sha.length());
    made(Scheme::Salted { sha }, salt, output)
}

/// Django writes the name of the hasher without a dollar sign before it.
fn django(text: &str) -> Option<Foreign> {
    let (hasher, rest) = text.split_once('$')?;
    match hasher {
        "argon2" => {
            let (name, rest) = rest.split_once('$')?;
            argon2(name, rest)
        }
        "bcrypt_sha256" | "bcrypt" => {
            let (version, rest) = rest.strip_prefix('$')?.split_once('$')?;
            let is_known = matches!(version, "2a" | "2b" | "2y");
            is_known.then(|| bcrypt(rest, hasher == "bcrypt_sha256")).flatten()
        }
        "pbkdf2_sha256" => pbkdf2(Sha::Two256, rest, Salt::Plain),
        "pbkdf2_sha1" => pbkdf2(Sha::One, rest, Salt::Plain),
        "scrypt" => {
            let [n, salt, r, p, output] = parts(rest)?;
            let n = number(n).filter(|n| n.is_power_of_two() && *n > 1)?;
            let scheme = Scheme::Scrypt {
                log_n: u8::try_from(n.trailing_zeros()).ok()?,
                r: number(r).filter(|r| *r > 0)?,
                p: number(p).filter(|p| (1..=16).contains(p))?,
            };
            made(scheme, salt.as_bytes().to_vec(), decode(output)?)
        }
        _ => None,
    }
}

/// Exactly so many, between dollar signs.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    let parts: Vec<&str> = text.split('$').collect();
    parts.try_into().ok()
}

/// Exactly these numbers: `m=1,t=2,p=3`.
fn listed<const N: usize>(text: &str, names: [&str; N]) -> Option<[u32; N]> {
    let parts: Vec<&str> = text.split(',').collect();
    let given: [&str; N] = parts.try_into().ok()?;
    let mut numbers = [0; N];
    for ((place, part), name) in numbers.iter_mut().zip(given).zip(names) {
        *place = number(part.strip_prefix(name)?.strip_prefix('=')?)?;
    }
    Some(numbers)
}

fn number(text: &str) -> Option<u32> {
    let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_plain.then(|| text.parse().ok()).flatten()
}

fn scrypt_work(log_n: u8, r: u32, p: u32) -> u64 {
    (1_u64 << log_n.min(40))
        .saturating_mul(u64::from(r))
        .saturating_mul(u64::from(p))
}

fn derive_by_scrypt(
    password: &[u8],
    salt: &[u8],
    (log_n, r, p): (u8, u32, u32),
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, Error> {
    let params = scrypt::Params::new(log_n, r, p).map_err(|_| Error::Malformed)?;
    let mut output = Zeroizing::new(vec![0u8; length]);
    scrypt::scrypt(password, salt, &params, &mut output).map_err(|_| Error::Malformed)?;
    Ok(output)
}
