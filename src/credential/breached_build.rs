//! Building a list of breached passwords, in memory that does not grow with it.
//!
//! The input is read once, line after line, and each password's digest goes into one of 256 files beside the list, by its beginning; then
//! each of them is sorted by itself and coded, in order. So a billion passwords need eight bytes of disk each meanwhile, and a 256th of
//! that in memory.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use super::breached::{BUCKET, MARK, MOST_PASSWORDS, SPREAD, TRAILER_BYTES, VERSION, buckets, first_bits, number};
use crate::crypto::{self, Sha256};

/// So many parts the digests are sorted into.
const PARTS: usize = 256;
/// What is kept of a part before it is written.
const PART_BUFFER: usize = 32 * 1024;
/// A longer line is no password that anybody could set here.
const LONGEST_LINE: usize = 8 * 1024;
/// A SHA-1 in hexadecimal.
const DIGEST_DIGITS: usize = 40;

/// Why a list is not built.
#[derive(Debug, thiserror::Error)]
pub enum NotBuilt {
    /// A file can't be written.
    #[error("{} can't be written", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// The system's word.
        #[source]
        source: io::Error,
    },
    /// The input can't be read.
    #[error("the passwords can't be read")]
    Input(#[source] io::Error),
    /// There is nothing in it.
    #[error("there are no passwords in the input")]
    Empty,
    /// There is too much in it.
    #[error("more than {MOST_PASSWORDS} passwords don't fit into a list; take those that were seen more often")]
    TooMany,
}

/// What became of the input.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Built {
    /// Lines that were read.
    pub lines: u64,
    /// Lines that were left out: empty, too long, or seen too seldom.
    pub left_out: u64,
    /// Different passwords in the list.
    pub passwords: u64,
    /// The size of the list, in bytes.
    pub bytes: u64,
}

/// A list that is being built.
pub struct ListBuilder {
    target: PathBuf,
    folder: PathBuf,
    parts: Vec<BufWriter<File>>,
    counted: u64,
    least_seen: u64,
    built: Built,
}

impl ListBuilder {
    /// Begins a list that will take this place. Passwords that a list says were seen less often than `least_seen` are left out.
    ///
    /// # Errors
    /// [`NotBuilt::File`]; a folder of this name with `.parts` behind must not be there.
    pub fn begin(target: &Path, least_seen: u64) -> Result<Self, NotBuilt> {
        let folder = beside(target, ".parts");
        fs::create_dir(&folder).map_err(unwritten(&folder))?;
        let mut builder = Self {
            target: target.to_path_buf(),
            folder,
            parts: Vec::with_capacity(PARTS),
            counted: 0,
            least_seen,
            built: Built::default(),
        };
        for part in 0..PARTS {
            let path = builder.part(part);
            let file = OpenOptions::new().write(true).create_new(true).open(&path);
            let file = file.map_err(unwritten(&path))?;
            builder.parts.push(BufWriter::with_capacity(PART_BUFFER, file));
        }
        Ok(builder)
    }

    /// Adds every password of an input: a line each, as it is or as its SHA-1 in hexadecimal, with a colon and how often it was seen
    /// behind that if wanted (the form of the public lists). `progress` is called with the number of lines now and then.
    ///
    /// # Errors
    /// [`NotBuilt`].
    pub fn add(&mut self, mut input: impl BufRead, mut progress: impl FnMut(u64)) -> Result<(), NotBuilt> {
        const TOLD_EVERY: u64 = 1_000_000;
        let mut line = Vec::new();
        loop {
            match next_line(&mut input, &mut line).map_err(NotBuilt::Input)? {
                Line::End => return Ok(()),
                Line::Whole => self.add_line(&line)?,
                Line::TooLong => self.built.left_out += 1,
            }
            self.built.lines += 1;
            if self.built.lines.is_multiple_of(TOLD_EVERY) {
                progress(self.built.lines);
            }
        }
    }

    fn add_line(&mut self, line: &[u8]) -> Result<(), NotBuilt> {
        if line.is_empty() {
            self.built.left_out += 1;
            return Ok(());
        }
        let digest = match read_digest(line) {
            Some((_, seen)) if seen < self.least_seen => {
                self.built.left_out += 1;
                return Ok(());
            }
            Some((digest, _)) => digest,
            None => crypto::sha1(line),
        };
        self.counted += 1;
        if self.counted > MOST_PASSWORDS {
            return Err(NotBuilt::TooMany);
        }
        let bits = first_bits(&digest);
        let part = usize::try_from(bits >> 56).unwrap_or_default();
        if let Some(file) = self.parts.get_mut(part) {
            let written = file.write_all(&bits.to_be_bytes());
            written.map_err(unwritten(&self.part(part)))?;
        }
        Ok(())
    }

    /// Writes the list, and puts it into its place when it is whole.
    ///
    /// # Errors
    /// [`NotBuilt`].
    pub fn finish(mut self) -> Result<Built, NotBuilt> {
        if self.counted == 0 {
            return Err(NotBuilt::Empty);
        }
        for (part, file) in std::mem::take(&mut self.parts).into_iter().enumerate() {
            let flushed = file.into_inner().map_err(io::IntoInnerError::into_error);
            drop(flushed.map_err(unwritten(&self.part(part)))?);
        }
        let unfinished = self.folder.join("list");
        let file = File::create(&unfinished).map_err(unwritten(&unfinished))?;
        let mut writer = Writer::new(BufWriter::with_capacity(PART_BUFFER, file), self.counted);
        for part in 0..PARTS {
            let path = self.part(part);
            let mut bytes = Vec::new();
            let read = File::open(&path).and_then(|mut file| file.read_to_end(&mut bytes));
            read.map_err(unwritten(&path))?;
            let mut all: Vec<u64> = bytes
                .chunks_exact(8)
                .filter_map(|one| one.try_into().ok().map(u64::from_be_bytes))
                .collect();
            drop(bytes);
            all.sort_unstable();
            for bits in all {
                writer.add(number(bits, self.counted)).map_err(unwritten(&unfinished))?;
            }
            // what is coded is not needed any more, and the list needs its room
            fs::remove_file(&path).map_err(unwritten(&path))?;
        }
        let (passwords, bytes) = writer.finish().map_err(unwritten(&unfinished))?;
        fs::rename(&unfinished, &self.target).map_err(unwritten(&self.target))?;
        Ok(Built {
            passwords,
            bytes,
            ..self.built
        })
    }

    fn part(&self, part: usize) -> PathBuf {
        self.folder.join(format!("{part:03}"))
    }
}

impl Drop for ListBuilder {
    fn drop(&mut self) {
        // what is left of it is of no use to anybody
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn beside(target: &Path, ending: &str) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn unwritten(path: &Path) -> impl FnOnce(io::Error) -> NotBuilt {
    let path = path.to_path_buf();
    move |source| NotBuilt::File { path, source }
}

enum Line {
    /// There is one, without its end.
    Whole,
    /// There is one, but its end is too far away; it is passed over.
    TooLong,
    /// There are no more.
    End,
}

fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<Line> {
    line.clear();
    let mut is_any = false;
    let mut is_too_long = false;
    loop {
        let buffer = input.fill_buf()?;
        if buffer.is_empty() {
            break;
        }
        is_any = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let piece = buffer.get(..end.unwrap_or(buffer.len())).unwrap_or_default();
        is_too_long |= line.len() + piece.len() > LONGEST_LINE;
        if !is_too_long {
            line.extend_from_slice(piece);
        }
        let used = piece.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            break;
        }
    }
    if !is_any {
        return Ok(Line::End);
    }
    if is_too_long {
        return Ok(Line::TooLong);
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Line::Whole)
}

/// A line of a public list: the digest, and how often its password was seen; as often as can be where that is not said.
fn read_digest(line: &[u8]) -> Option<([u8; 20], u64)> {
    let (digits, rest) = line.split_at_checked(DIGEST_DIGITS)?;
    let seen = match rest.split_first() {
        None => u64::MAX,
        Some((b':', count)) => std::str::from_utf8(count).ok()?.trim().parse().ok()?,
        Some(_) => return None,
    };
    let mut digest = [0; 20];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        // a sign would be taken for a digit
        if !pair.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some((digest, seen))
}

/// Codes numbers that come in order.
struct Writer<W> {
    file: W,
    digest: Sha256,
    counted: u64,
    passwords: u64,
    written: u64,
    /// Where each bucket begins that has begun.
    index: Vec<u32>,
    last: Option<u64>,
    content: Vec<u8>,
    /// So many bits of the last byte are used.
    used: u32,
}

impl<W: Write> Writer<W> {
    fn new(file: W, counted: u64) -> Self {
        Self {
            file,
            digest: Sha256::new(),
            counted,
            passwords: 0,
            written: 0,
            index: vec![0],
            last: None,
            content: Vec::new(),
            used: 8,
        }
    }

    fn add(&mut self, number: u64) -> io::Result<()> {
        if self.last == Some(number) {
            return Ok(());
        }
        let bucket = number >> BUCKET;
        while (self.index.len() as u64) <= bucket {
            self.end_bucket()?;
        }
        let before = self.last.filter(|last| last >> BUCKET == bucket);
        let difference = number - before.unwrap_or(bucket << BUCKET);
        self.last = Some(number);
        self.passwords += 1;
        for _ in 0..difference >> SPREAD {
            self.add_bit(1);
        }
        self.add_bit(0);
        for place in (0..SPREAD).rev() {
            self.add_bit(u8::from((difference >> place) & 1 == 1));
        }
        Ok(())
    }

    fn add_bit(&mut self, bit: u8) {
        if self.used == 8 {
            self.content.push(0);
            self.used = 0;
        }
        if let Some(last) = self.content.last_mut() {
            *last |= bit << (7 - self.used);
        }
        self.used += 1;
    }

    fn end_bucket(&mut self) -> io::Result<()> {
        while self.used < 8 {
            self.add_bit(1);
        }
        let content = std::mem::take(&mut self.content);
        self.put(&content)?;
        self.content = content;
        self.content.clear();
        let place = u32::try_from(self.written).map_err(|_| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.index.push(place);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.digest.add(bytes);
        self.written += bytes.len() as u64;
        self.file.write_all(bytes)
    }

    /// Gives how many different passwords there are, and the size of the whole.
    fn finish(mut self) -> io::Result<(u64, u64)> {
        while (self.index.len() as u64) <= buckets(self.counted) {
            self.end_bucket()?;
        }
        for place in std::mem::take(&mut self.index) {
            self.put(&place.to_be_bytes())?;
        }
        let mut trailer = Vec::with_capacity(TRAILER_BYTES);
        trailer.extend_from_slice(MARK);
        trailer.extend_from_slice(&VERSION.to_be_bytes());
        trailer.extend_from_slice(&self.counted.to_be_bytes());
        trailer.extend_from_slice(&self.passwords.to_be_bytes());
        self.put(&trailer)?;
        let digest = std::mem::take(&mut self.digest).end();
        self.file.write_all(&digest)?;
        self.file.flush()?;
        Ok((self.passwords, self.written + 32))
    }
}
