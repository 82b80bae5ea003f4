//! Hashing and verifying passwords, off the threads that serve requests.
//!
//! A password is taken exactly as sent, byte for byte: no trimming, no change of case, no Unicode normalisation. Whoever
//! types it sends the same bytes again, and nothing that was told apart when it was set is confused later.

use std::sync::Arc;
use std::time::Duration;

use zeroize::Zeroizing;

use super::foreign_hash::Foreign;
use super::hash_queue::{HashQueue, Load, Recipe, Work};
use super::password_hash::{OUTPUT_BYTES, Parameters, PasswordHash, SALT_BYTES};
use crate::crypto;
use crate::model::Secret;
use crate::random;

/// No password of more bytes is hashed. The policy's maximum is counted in characters and lies below.
const GREATEST_BYTES: usize = 4096;

/// Why there is no hash or verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// More is waiting than the threads can do in time: ask again after this time (whole seconds, at least one).
    #[error("too many passwords are waiting to be hashed")]
    Busy { retry_after: Duration },
    /// The stored hash is none that this server computes.
    #[error("the stored password hash is not usable")]
    Malformed,
    /// An empty password, or one of more than 4096 bytes, is not hashed.
    #[error("the password is empty or too long")]
    Length,
    /// These parameters are below the floor, above the ceiling or contradict each other.
    #[error("the parameters of the password hash are out of bounds")]
    Parameters,
    /// The threads can't be started, or have ended.
    #[error("passwords can't be hashed")]
    Stopped,
}

/// Whether a password is the one that was hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is. `rehash`: the stored hash has other parameters than are used now, or is of another kind: hash the password anew and store that.
    Right { rehash: bool },
    /// It is not, or there is nothing to compare with.
    Wrong,
}

/// The threads that hash passwords. Clones share them; they end with the last clone.
#[derive(Clone)]
pub struct Passwords {
    parameters: Parameters,
    queue: Arc<HashQueue>,
}

impl Passwords {
    /// Starts `workers` threads (at least one; the number of cores is right). Up to `places` passwords wait for them, and never more than
    /// about two seconds' work.
    ///
    /// The floor for new hashes is not asked for here but by [`Parameters::check_floor`], when the configuration is read.
    ///
    /// # Errors
    /// [`Error::Parameters`] if no such hash can be computed; [`Error::Stopped`] if no thread can be started.
    pub fn new(parameters: Parameters, workers: usize, places: usize) -> Result<Self, Error> {
        parameters.check_ceiling()?;
        let queue = HashQueue::start(parameters, workers.max(1), places)?;
        Ok(Self { parameters, queue })
    }

    /// The hash of a new password, with a salt of its own.
    ///
    /// # Errors
    /// [`Error::Length`], [`Error::Busy`] (at once, before any work), [`Error::Stopped`].
    pub async fn hash(&self, password: Secret) -> Result<PasswordHash, Error> {
        if !length_is_possible(&password) {
            return Err(Error::Length);
        }
        let salt: [u8; SALT_BYTES] = random::bytes();
        let output = self
            .compute(Work {
                password,
                recipe: Recipe::Own {
                    parameters: self.parameters,
                    salt: salt.to_vec(),
                    output_bytes: OUTPUT_BYTES,
                },
            })
            .await?;
        Ok(PasswordHash::encode(self.parameters, &salt, &output))
    }

    /// Compares a password with a stored hash, by the hash's own parameters. Without a hash (no such user, no password set)
    /// one is computed all the same and the answer is wrong, so that both take the same time.
    ///
    /// An empty or overlong password is wrong without any work, whoever's it is said to be.
    ///
    /// # Errors
    /// [`Error::Malformed`], [`Error::Busy`] (at once, before any work), [`Error::Stopped`].
    pub async fn verify(&self, password: Secret, against: Option<PasswordHash>) -> Result<Verdict, Error> {
        if !length_is_possible(&password) {
            return Ok(Verdict::Wrong);
        }
        let Some(against) = against else {
            drop(self.hash(password).await?);
            return Ok(Verdict::Wrong);
        };
        if let Some(foreign) = against.foreign() {
            return self.verify_foreign(password, Arc::new(foreign)).await;
        }
        let stored = against.parts()?;
        let output = self
            .compute(Work {
                password,
                recipe: Recipe::Own {
                    parameters: stored.parameters,
                    salt: stored.salt.clone(),
                    output_bytes: stored.output.len(),
                },
            })
            .await?;
        if !crypto::equal(&output, &stored.output) {
            return Ok(Verdict::Wrong);
        }
        let rehash = stored.parameters != self.parameters
            || stored.salt.len() < SALT_BYTES
            || stored.output.len() != OUTPUT_BYTES;
        Ok(Verdict::Right { rehash })
    }

    /// One of another system is always to be replaced. Some take hardly any time: who guesses wrong waits at least as long as for one of
    /// ours, so that nobody sees by that whose account was brought here and not used since.
    async fn verify_foreign(&self, password: Secret, foreign: Arc<Foreign>) -> Result<Verdict, Error> {
        let recipe = Recipe::Foreign(Arc::clone(&foreign));
        let work = Work {
            password: password.clone(),
            recipe,
        };
        let output = self.compute(work).await?;
        if crypto::equal(&output, foreign.output()) {
            return Ok(Verdict::Right { rehash: true });
        }
        drop(self.hash(password).await?);
        Ok(Verdict::Wrong)
    }

    /// Whether one more would be admitted now: to be asked before the work that leads to a hash.
    ///
    /// # Errors
    /// [`Error::Busy`].
    pub fn admits(&self) -> Result<(), Error> {
        self.queue.admits()
    }

    /// The same, where nobody is turned away by the answer.
    pub fn has_room(&self) -> bool {
        self.queue.has_room()
    }

    /// How many hashes were computed since the start, dummies included.
    pub fn computed(&self) -> u64 {
        self.queue.computed()
    }

    /// The queue before the threads that hash, as it stands.
    pub fn load(&self) -> Load<'_> {
        self.queue.load()
    }

    async fn compute(&self, work: Work) -> Result<Zeroizing<Vec<u8>>, Error> {
        let answer = self.queue.admit(work)?;
        answer.await.map_err(|_| Error::Stopped)?
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Passwords")
            .field("parameters", &self.parameters)
            .finish_non_exhaustive()
    }
}

fn length_is_possible(password: &Secret) -> bool {
    (1..=GREATEST_BYTES).contains(&password.expose().len())
}
