//! Stored password hashes: Argon2id (RFC 9106) version 19 in the PHC string format, and those of other systems until their first sign-in.

use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::foreign_hash::Foreign;
use super::password::Error;

pub(super) const SALT_BYTES: usize = 16;
pub(super) const OUTPUT_BYTES: usize = 32;

/// A stored hash, brought in from elsewhere perhaps, may cost this much and no more: 128 MiB, four passes over them, or
/// as much work in another shape.
const GREATEST_MEMORY_KIB: u32 = 128 * 1024;
const GREATEST_COST: u64 = 4 * 128 * 1024;
const GREATEST_PARALLELISM: u32 = 16;

const LEAST_OUTPUT_BYTES: usize = 16;
/// The longest text that can be a hash within these bounds is shorter than this.
const GREATEST_TEXT_BYTES: usize = 256;
/// Those of other systems have longer salts and outputs.
const GREATEST_FOREIGN_BYTES: usize = 512;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameters {
    /// Memory of one hash in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub iterations: u32,
    /// Lanes; they are computed one after another.
    pub parallelism: u32,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            memory_kib: 19 * 1024,
            iterations: 2,
            parallelism: 1,
        }
    }
}

impl Parameters {
    /// Whether new hashes may be made with these: at least 46 MiB with one pass, 19 MiB with two, or 12 MiB with three
    /// (OWASP Password Storage Cheat Sheet).
    ///
    /// # Errors
    /// [`Error::Parameters`] if not.
    pub fn check_floor(self) -> Result<(), Error> {
        let least_memory_kib = match self.iterations {
            0 => return Err(Error::Parameters),
            1 => 46 * 1024,
            2 => 19 * 1024,
            _ => 12 * 1024,
        };
        if self.memory_kib < least_memory_kib {
            return Err(Error::Parameters);
        }
        self.check_ceiling()
    }

    /// Whether a hash with these can be computed and costs no more than this server is ready to pay.
    pub(super) fn check_ceiling(self) -> Result<(), Error> {
        let affordable = self.memory_kib <= GREATEST_MEMORY_KIB
            && self.cost() <= GREATEST_COST
            && (1..=GREATEST_PARALLELISM).contains(&self.parallelism);
        if !affordable {
            return Err(Error::Parameters);
        }
        self.argon2(OUTPUT_BYTES).map(drop)
    }

    /// The work of one hash: KiB times passes.
    pub(super) fn cost(self) -> u64 {
        u64::from(self.memory_kib).saturating_mul(u64::from(self.iterations))
    }

    /// Computes a hash in `memory`, which grows as needed.
    pub(super) fn compute(
        self,
        password: &[u8],
        salt: &[u8],
        output_bytes: usize,
        memory: &mut Vec<Block>,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        let argon2 = self.argon2(output_bytes)?;
        let blocks = argon2.params().block_count();
        if memory.len() < blocks {
            memory.resize(blocks, Block::new());
        }
        let mut output = Zeroizing::new(vec![0u8; output_bytes]);
        argon2
            .hash_password_into_with_memory(password, salt, &mut output, memory.as_mut_slice())
            .map_err(|_| Error::Malformed)?;
        Ok(output)
    }

    fn argon2(self, output_bytes: usize) -> Result<Argon2<'static>, Error> {
        Params::new(self.memory_kib, self.iterations, self.parallelism, Some(output_bytes))
            .map(|params| Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
            .map_err(|_| Error::Parameters)
    }
}

/// A hash as it is stored: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<output>`. Prints as `***`.
#[derive(Clone)]
pub struct PasswordHash(Zeroizing<String>);

pub(super) struct Parts {
    pub(super) parameters: Parameters,
    pub(super) salt: Vec<u8>,
    pub(super) output: Zeroizing<Vec<u8>>,
}

impl PasswordHash {
    /// Reads a hash from storage or from a file of users. What passes here can be verified within the ceilings: Argon2id
    /// version 19, up to 128 MiB and as much work as four passes over them, a salt of at least 8 bytes and an output of
    /// 16 to 64; or a hash of another system ([`Foreign`]) of no greater cost.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else.
    pub fn parse(text: impl Into<String>) -> Result<Self, Error> {
        let hash = Self(Zeroizing::new(text.into()));
        if hash.foreign().is_none() {
            hash.parts()?;
        }
        Ok(hash)
    }

    /// What another system has made, read; none if it is one of ours.
    pub(super) fn foreign(&self) -> Option<Foreign> {
        let is_candidate = self.0.len() <= GREATEST_FOREIGN_BYTES && self.parts().is_err();
        is_candidate.then(|| Foreign::parse(&self.0)).flatten()
    }

    /// The text to store.
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(super) fn encode(parameters: Parameters, salt: &[u8], output: &[u8]) -> Self {
        let Parameters {
            memory_kib,
            iterations,
            parallelism,
        } = parameters;
        let salt = STANDARD_NO_PAD.encode(salt);
        let output = STANDARD_NO_PAD.encode(output);
        Self(Zeroizing::new(format!(
            "$argon2id$v=19$m={memory_kib},t={iterations},p={parallelism}${salt}${output}"
        )))
    }

    pub(super) fn parts(&self) -> Result<Parts, Error> {
        if self.0.len() > GREATEST_TEXT_BYTES {
            return Err(Error::Malformed);
        }
        let hash = argon2::PasswordHash::new(&self.0).map_err(|_| Error::Malformed)?;
        if hash.algorithm != ARGON2ID_IDENT || hash.version != Some(Version::V0x13.into()) {
            return Err(Error::Malformed);
        }
        let params = Params::try_from(&hash.params).map_err(|_| Error::Malformed)?;
        // a key id or associated data would mean a secret that this server does not have
        if !params.keyid().is_empty() || !params.data().is_empty() {
            return Err(Error::Malformed);
        }
        let parameters = Parameters {
            memory_kib: params.m_cost(),
            iterations: params.t_cost(),
            parallelism: params.p_cost(),
        };
        parameters.check_ceiling().map_err(|_| Error::Malformed)?;
        let (Some(salt), Some(output)) = (hash.salt, hash.hash) else {
            return Err(Error::Malformed);
        };
        if output.len() < LEAST_OUTPUT_BYTES {
            return Err(Error::Malformed);
        }
        Ok(Parts {
            parameters,
            salt: salt.to_vec(),
            output: Zeroizing::new(output.as_bytes().to_vec()),
        })
    }
}

impl std::fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}
