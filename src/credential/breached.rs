//! A list of passwords that others have lost, in a file that the operator builds: asked, never read as a whole.
//!
//! The file holds no passwords and no digests of them, but a set of numbers: each password's SHA-1 (what the public lists are
//! made of) is mapped onto [`SPREAD`] times as many numbers as there are passwords, and the numbers are kept as their differences,
//! coded after Golomb and Rice, in buckets of about 64. That takes two bytes a password. Whatever is in the list is found; of what
//! is not, one password in 16,384 is mistaken for one that is, and its owner takes another.
//!
//! A question reads one bucket, from wherever the system keeps the file: hundreds of millions of passwords cost no memory here and no
//! time at the start.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::crypto::{self, Sha256};

/// So many numbers there are for each password, as a power of two: what is not listed is mistaken for it once in so many times.
pub(super) const SPREAD: u32 = 14;
/// The numbers of a bucket, as a power of two: about 64 passwords are in it.
pub(super) const BUCKET: u32 = SPREAD + 6;
/// What a file ends with: this word, the version, the number of passwords as it was counted at first, the number of different ones, and a digest of
/// everything before.
pub(super) const MARK: &[u8; 16] = b"ostiary breached";
pub(super) const VERSION: u32 = 1;
pub(super) const TRAILER_BYTES: usize = 16 + 4 + 8 + 8 + 32;
/// More of them would not fit into the index.
pub(super) const MOST_PASSWORDS: u64 = 2_000_000_000;
/// No bucket is longer: a file in which one is, is none of ours.
const LONGEST_BUCKET: usize = 64 * 1024;
/// What is read at once when a whole file is compared with its digest.
const PIECE_BYTES: usize = 1024 * 1024;

/// Why a file is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Unlisted {
    /// It can't be read.
    #[error("{} can't be read", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// It is something else, or broken off.
    #[error("{} is no list of breached passwords; `ostiary breached-passwords build` makes one", .0.display())]
    Foreign(PathBuf),
    /// Its content is not what was written.
    #[error("{} is damaged: build it again", .0.display())]
    Damaged(PathBuf),
}

/// A list of breached passwords. Clones share the file; the default lists none.
#[derive(Clone, Default)]
pub struct BreachedList(Option<Arc<Opened>>);

struct Opened {
    path: PathBuf,
    file: File,
    shape: Shape,
}

/// What a file holds, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shape {
    /// As many as were counted when it was built, the same ones counted again.
    counted: u64,
    /// As many as are in it.
    passwords: u64,
    /// Where the index begins: four bytes for each bucket, and for the end of the last.
    index: u64,
    digest: [u8; 32],
}

impl BreachedList {
    /// Opens a file. It may be replaced by another while it is open; the next start finds that one.
    ///
    /// # Errors
    /// [`Unlisted`], but for a damaged one, which only [`BreachedList::examine`] finds.
    pub fn open(path: &Path) -> Result<Self, Unlisted> {
        let unreadable = |source| Unlisted::Unreadable {
            path: path.to_path_buf(),
            source,
        };
        let file = File::open(path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let foreign = || Unlisted::Foreign(path.to_path_buf());
        let before = length.checked_sub(TRAILER_BYTES as u64).ok_or_else(foreign)?;
        let mut trailer = [0; TRAILER_BYTES];
        file.read_exact_at(&mut trailer, before).map_err(unreadable)?;
        let shape = Shape::read(&trailer, before).ok_or_else(foreign)?;
        Ok(Self(Some(Arc::new(Opened {
            path: path.to_path_buf(),
            file,
            shape,
        }))))
    }

    /// How many passwords are in it.
    pub fn passwords(&self) -> u64 {
        self.0.as_ref().map_or(0, |opened| opened.shape.passwords)
    }

    /// Whether a password is in the list, by its SHA-1. A file that can't be read any more lists none; that is told in the log.
    pub fn holds(&self, password: &str) -> bool {
        let Some(opened) = &self.0 else {
            return false;
        };
        match opened.find(first_bits(&crypto::sha1(password.as_bytes()))) {
            Ok(found) => found,
            Err(error) => {
                tracing::warn!(path = %opened.path.display(), %error, "the list of breached passwords can't be read");
                false
            }
        }
    }

    /// Reads everything, and compares it with what was written.
    ///
    /// # Errors
    /// [`Unlisted::Damaged`], [`Unlisted::Unreadable`].
    pub fn examine(&self) -> Result<(), Unlisted> {
        let Some(opened) = &self.0 else {
            return Ok(());
        };
        let digest = opened.digest().map_err(|source| Unlisted::Unreadable {
            path: opened.path.clone(),
            source,
        })?;
        if digest == opened.shape.digest {
            Ok(())
        } else {
            Err(Unlisted::Damaged(opened.path.clone()))
        }
    }
}

impl Shape {
    /// Reads the end of a file, before which so many bytes stand. Nothing: it is none of ours.
    fn read(trailer: &[u8; TRAILER_BYTES], before: u64) -> Option<Self> {
        let (mark, rest) = trailer.split_first_chunk::<16>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (counted, rest) = rest.split_first_chunk::<8>()?;
        let (passwords, rest) = rest.split_first_chunk::<8>()?;
        let digest: [u8; 32] = rest.try_into().ok()?;
        let counted = u64::from_be_bytes(*counted);
        let is_ours = mark == MARK && u32::from_be_bytes(*version) == VERSION;
        if !is_ours || counted == 0 || counted > MOST_PASSWORDS {
            return None;
        }
        let index_bytes = (buckets(counted) + 1) * 4;
        Some(Self {
            counted,
            passwords: u64::from_be_bytes(*passwords),
            index: before.checked_sub(index_bytes)?,
            digest,
        })
    }
}

impl Opened {
    fn find(&self, bits: u64) -> io::Result<bool> {
        let number = number(bits, self.shape.counted);
        let bucket = number >> BUCKET;
        let wanted = number & ((1 << BUCKET) - 1);
        let mut ends = [0; 8];
        self.file.read_exact_at(&mut ends, self.shape.index + bucket * 4)?;
        let (from, to) = ends.split_at(4);
        let place = |bytes: &[u8]| bytes.iter().fold(0u64, |place, byte| (place << 8) | u64::from(*byte));
        let (from, to) = (place(from), place(to));
        let length = to
            .checked_sub(from)
            .and_then(|length| usize::try_from(length).ok())
            .filter(|length| *length <= LONGEST_BUCKET && to <= self.shape.index);
        let Some(length) = length else {
            return Err(io::ErrorKind::InvalidData.into());
        };
        let mut content = vec![0; length];
        self.file.read_exact_at(&mut content, from)?;
        let mut bits = Bits {
            content: &content,
            at: 0,
        };
        let mut last = 0;
        while let Some(difference) = bits.next_number() {
            last += difference;
            if last >= wanted {
                return Ok(last == wanted);
            }
        }
        Ok(false)
    }

    fn digest(&self) -> io::Result<[u8; 32]> {
        let end = self.file.metadata()?.len().saturating_sub(32);
        let mut digest = Sha256::new();
        let mut piece = vec![0; PIECE_BYTES];
        let mut at = 0;
        while at < end {
            let length = usize::try_from(end - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES);
            let piece = piece.get_mut(..length).unwrap_or_default();
            self.file.read_exact_at(piece, at)?;
            digest.add(piece);
            at += length as u64;
        }
        Ok(digest.end())
    }
}

/// The first 64 bits of a digest.
pub(super) fn first_bits(digest: &[u8; 20]) -> u64 {
    digest.first_chunk::<8>().map_or(0, |first| u64::from_be_bytes(*first))
}

/// The number of a digest among those of a list of `counted` passwords. A greater digest has no smaller number.
pub(super) fn number(bits: u64, counted: u64) -> u64 {
    let numbers = u128::from(counted) << SPREAD;
    u64::try_from((u128::from(bits) * numbers) >> 64).unwrap_or(u64::MAX)
}

/// How many buckets a list of `counted` passwords has.
pub(super) const fn buckets(counted: u64) -> u64 {
    (((counted << SPREAD) - 1) >> BUCKET) + 1
}

/// The differences in a bucket: their upper part as so many ones and a zero, then their lower [`SPREAD`] bits. Ones fill the last byte
/// up: they are the beginning of no number.
struct Bits<'a> {
    content: &'a [u8],
    at: usize,
}

impl Bits<'_> {
    fn next_bit(&mut self) -> Option<u64> {
        let byte = self.content.get(self.at / 8)?;
        let bit = (byte >> (7 - self.at % 8)) & 1;
        self.at += 1;
        Some(u64::from(bit))
    }

    fn next_number(&mut self) -> Option<u64> {
        let mut number = 0;
        while self.next_bit()? == 1 {
            number += 1;
        }
        for _ in 0..SPREAD {
            number = (number << 1) | self.next_bit()?;
        }
        Some(number)
    }
}
