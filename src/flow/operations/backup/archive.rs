//! The file of a backup.
//!
//! ```text
//! ostiary-backup 1          format
//! {"program": ...}          head: what it is of, in clear; one line of JSON
//! length, sealed piece ...  u32 little-endian before each
//! SHA-256                   of everything before: tells a damaged file from a wrong passphrase
//! ```
//!
//! Each piece is sealed under the key that Argon2id makes of the passphrase (as in files of `export`). The pieces together
//! are parts (name, length, bytes) and at last, under the empty name, a list of the parts with their digests and that of the
//! head.

use std::io::{self, BufRead, Read, Seek, SeekFrom, Write};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use super::pieces::{Opened, Pieces};
use super::{Refused, SHORTEST_PASSPHRASE};
use crate::crypto::{self, Sha256};
use crate::flow::operations::apply::sealing::Sealing;
use crate::model::Secret;

const MAGIC: &str = "ostiary-backup ";
const FORMAT: u32 = 1;
const DIGEST_BYTES: usize = 32;
const MOST_HEAD: u64 = 64 * 1024;
const LONGEST_NAME: usize = 255;
const MOST_PARTS: usize = 1_000;

/// What a backup is of: said in clear, so that a file can be told from another without its passphrase.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Head {
    /// The version that made it.
    pub program: String,
    /// When, RFC 3339.
    pub made_at: String,
    /// The public address of the installation.
    pub issuer: String,
    /// The steps of the store's schema.
    pub schema: Vec<String>,
    /// How it is sealed; set when it is made.
    #[serde(default)]
    pub sealing: Value,
}

/// A part as the list at the end has it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Part {
    /// Its name; parts have no folders.
    pub name: String,
    /// Its length.
    pub bytes: u64,
    /// SHA-256, in hexadecimal.
    pub sha256: String,
}

#[derive(Deserialize, Serialize)]
struct Listing {
    head_sha256: String,
    parts: Vec<Part>,
}

/// Where a part's bytes come from.
pub enum Content {
    /// Memory: keys.
    Bytes(Zeroizing<Vec<u8>>),
    /// A file of this length: the store.
    File(std::fs::File, u64),
}

/// Writes a backup.
///
/// # Errors
/// [`Refused::ShortPassphrase`], [`Refused::File`].
pub fn pack(
    out: &mut impl Write,
    mut head: Head,
    passphrase: &Secret,
    contents: Vec<(String, Content)>,
) -> Result<Vec<Part>, Refused> {
    if passphrase.expose().chars().count() < SHORTEST_PASSPHRASE {
        return Err(Refused::ShortPassphrase);
    }
    let sealing = Sealing::new();
    head.sealing = sealing.to_json();
    let key = sealing.key(passphrase).ok_or(Refused::ShortPassphrase)?;
    let mut out = Summed::new(out);
    let line = serde_json::to_string(&head).map_err(io::Error::other)?;
    out.write_all(format!("{MAGIC}{FORMAT}\n{line}\n").as_bytes())?;
    let mut pieces = Pieces::new(&mut out, key);
    let mut parts = Vec::new();
    for (name, content) in contents {
        parts.push(match content {
            Content::Bytes(bytes) => write_part(&mut pieces, name, bytes.len() as u64, &mut bytes.as_slice())?,
            Content::File(mut file, bytes) => write_part(&mut pieces, name, bytes, &mut file)?,
        });
    }
    let listing = Listing {
        head_sha256: crypto::hex(&crypto::sha256(line.as_bytes())),
        parts: parts.clone(),
    };
    let listing = serde_json::to_vec(&listing).map_err(io::Error::other)?;
    write_part(
        &mut pieces,
        String::new(),
        listing.len() as u64,
        &mut listing.as_slice(),
    )?;
    pieces.end()?;
    out.end()?;
    Ok(parts)
}

fn write_part(pieces: &mut impl Write, name: String, bytes: u64, from: &mut impl Read) -> Result<Part, Refused> {
    let length = u16::try_from(name.len()).map_err(io::Error::other)?;
    pieces.write_all(&length.to_le_bytes())?;
    pieces.write_all(name.as_bytes())?;
    pieces.write_all(&bytes.to_le_bytes())?;
    let sha256 = carry(|room| Ok(from.read_exact(room)?), bytes, pieces)?;
    Ok(Part { name, bytes, sha256 })
}

/// A backup that is read: looked at, then opened.
pub struct Archive {
    file: io::BufReader<std::fs::File>,
    head: Head,
    line: String,
    /// Where the pieces begin and end.
    begin: u64,
    end: u64,
}

impl Archive {
    /// Reads the head and judges the whole file by its checksum. `known` are the steps of the schema of this program.
    ///
    /// # Errors
    /// [`Refused`]: foreign, newer, damaged.
    pub fn look(file: std::fs::File, known: &[&str]) -> Result<Self, Refused> {
        let bytes = file.metadata()?.len();
        let mut file = io::BufReader::new(file);
        let format = line(&mut file)?.ok_or(Refused::Foreign)?;
        let found = format.strip_prefix(MAGIC).ok_or(Refused::Foreign)?;
        if found != FORMAT.to_string() {
            let found = found.chars().take(20).filter(|letter| !letter.is_control()).collect();
            return Err(Refused::NewerFormat { found, known: FORMAT });
        }
        let text = line(&mut file)?.ok_or(Refused::Damaged("it is cut short"))?;
        let begin = (format.len() + text.len() + 2) as u64;
        let end = bytes
            .checked_sub(DIGEST_BYTES as u64)
            .filter(|end| *end > begin)
            .ok_or(Refused::Damaged("it is cut short"))?;
        judge_checksum(&mut file, end)?;
        let head: Head = serde_json::from_str(&text).map_err(|_| Refused::Damaged("its head can't be read"))?;
        if let Some(migration) = head.schema.iter().find(|step| !known.contains(&step.as_str())) {
            return Err(Refused::NewerSchema {
                program: head.program.clone(),
                migration: migration.clone(),
            });
        }
        Ok(Self {
            file,
            head,
            line: text,
            begin,
            end,
        })
    }

    /// What it is of.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Opens it, gives each part's bytes to what `place` makes for its name, and compares all with the list at the end.
    ///
    /// # Errors
    /// [`Refused`]. What was written until then counts for nothing.
    pub fn open<W: Write>(
        mut self,
        passphrase: &Secret,
        mut place: impl FnMut(&str) -> io::Result<W>,
    ) -> Result<Vec<Part>, Refused> {
        let sealing = Sealing::read(&self.head.sealing).ok_or(Refused::Damaged("its sealing can't be read"))?;
        let key = sealing
            .key(passphrase)
            .ok_or(Refused::Damaged("its sealing can't be used"))?;
        self.file.seek(SeekFrom::Start(self.begin))?;
        let mut pieces = Opened::new(self.file.take(self.end.saturating_sub(self.begin)), key);
        let mut parts = Vec::new();
        let listing = loop {
            let (name, bytes) = read_name(&mut pieces)?;
            if name.is_empty() {
                break read_listing(&mut pieces, bytes)?;
            }
            if parts.len() >= MOST_PARTS || !is_plain(&name) {
                return Err(Refused::Damaged("a part of it has no proper name"));
            }
            let mut out = place(&name)?;
            let sha256 = carry(|room| read(&mut pieces, room), bytes, &mut out)?;
            out.flush()?;
            parts.push(Part { name, bytes, sha256 });
        };
        pieces.must_end()?;
        if listing.parts != parts || listing.head_sha256 != crypto::hex(&crypto::sha256(self.line.as_bytes())) {
            return Err(Refused::Damaged("its parts are not those that were packed"));
        }
        Ok(parts)
    }
}

fn read_name(pieces: &mut impl Read) -> Result<(String, u64), Refused> {
    let mut length = [0u8; 2];
    read(pieces, &mut length)?;
    let length = usize::from(u16::from_le_bytes(length));
    if length > LONGEST_NAME {
        return Err(Refused::Damaged("a part of it has no proper name"));
    }
    let mut name = vec![0u8; length];
    read(pieces, &mut name)?;
    let mut bytes = [0u8; 8];
    read(pieces, &mut bytes)?;
    let name = String::from_utf8(name).map_err(|_| Refused::Damaged("a part of it has no proper name"))?;
    Ok((name, u64::from_le_bytes(bytes)))
}

fn read_listing(pieces: &mut impl Read, bytes: u64) -> Result<Listing, Refused> {
    const MOST: u64 = 1024 * 1024;
    let damaged = || Refused::Damaged("its list of parts can't be read");
    let length = usize::try_from(bytes.min(MOST)).map_err(|_| damaged())?;
    let mut text = vec![0u8; length];
    read(pieces, &mut text)?;
    serde_json::from_slice(&text).map_err(|_| damaged())
}

/// Carries so many bytes over; `fill` reads the next ones. Gives their SHA-256, in hexadecimal.
fn carry(
    mut fill: impl FnMut(&mut [u8]) -> Result<(), Refused>,
    bytes: u64,
    to: &mut impl Write,
) -> Result<String, Refused> {
    let mut digest = Sha256::new();
    let mut left = bytes;
    let mut buffer = Zeroizing::new(vec![0u8; 64 * 1024]);
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let room = buffer.get_mut(..wanted).unwrap_or_default();
        fill(room)?;
        digest.add(room);
        to.write_all(room)?;
        left = left.saturating_sub(room.len() as u64);
    }
    Ok(crypto::hex(&digest.end()))
}

/// Fills `room`; the refusals of pieces come through as what they are.
fn read(pieces: &mut impl Read, room: &mut [u8]) -> Result<(), Refused> {
    pieces.read_exact(room).map_err(|error| {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            return Refused::Damaged("it is cut short");
        }
        match error.downcast::<Refused>() {
            Ok(refused) => refused,
            Err(other) => Refused::File(other),
        }
    })
}

/// A name without folders that hides nothing.
fn is_plain(name: &str) -> bool {
    !name.starts_with('.') && !name.contains(['/', '\\', '\0'])
}

/// A line without its end; none if it is too long or no text.
fn line(file: &mut impl BufRead) -> Result<Option<String>, Refused> {
    let mut line = Vec::new();
    file.by_ref().take(MOST_HEAD).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Ok(None);
    }
    Ok(String::from_utf8(line).ok())
}

fn judge_checksum(file: &mut (impl Read + Seek), end: u64) -> Result<(), Refused> {
    file.seek(SeekFrom::Start(0))?;
    let mut digest = Sha256::new();
    let mut whole = file.by_ref().take(end);
    let mut buffer = vec![0u8; 64 * 1024];
    loop {
        let count = whole.read(&mut buffer)?;
        if count == 0 {
            break;
        }
        digest.add(buffer.get(..count).unwrap_or_default());
    }
    let mut said = [0u8; DIGEST_BYTES];
    file.read_exact(&mut said)?;
    if digest.end() == said {
        Ok(())
    } else {
        Err(Refused::Damaged(
            "its checksum does not hold; it was cut short or changed on the way",
        ))
    }
}

/// Counts what is written into the checksum at the end.
struct Summed<'w, W> {
    out: &'w mut W,
    digest: Sha256,
}

impl<'w, W: Write> Summed<'w, W> {
    fn new(out: &'w mut W) -> Self {
        Self {
            out,
            digest: Sha256::new(),
        }
    }

    fn end(self) -> io::Result<()> {
        self.out.write_all(&self.digest.end())?;
        self.out.flush()
    }
}

impl<W: Write> Write for Summed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.digest.add(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
