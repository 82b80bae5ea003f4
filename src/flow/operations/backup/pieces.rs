//! The sealed pieces of a backup's file, written and read as one stream. Each is sealed with AES-256-GCM, and says inside
//! which piece it is and whether it is the last, so that none can be left out, repeated or moved.

use std::io::{self, Read, Write};

use zeroize::{Zeroize, Zeroizing};

use super::Refused;
use crate::crypto::MasterKey;

const PURPOSE: &str = "backup";
const PIECE_BYTES: usize = 1024 * 1024;
/// Number and whether it is the last.
const PIECE_HEAD: usize = 9;
/// Version, nonce and tag around a sealed piece.
const MOST_SEALED: usize = PIECE_BYTES + PIECE_HEAD + 64;

/// Seals what is written, piece by piece.
pub(super) struct Pieces<'w, W> {
    out: &'w mut W,
    key: MasterKey,
    number: u64,
    piece: Zeroizing<Vec<u8>>,
}

impl<'w, W: Write> Pieces<'w, W> {
    /// Nothing yet.
    pub(super) fn new(out: &'w mut W, key: MasterKey) -> Self {
        Self {
            out,
            key,
            number: 0,
            piece: Zeroizing::new(Vec::with_capacity(PIECE_HEAD + PIECE_BYTES)),
        }
    }

    fn seal(&mut self, last: u8) -> io::Result<()> {
        let mut plain = Zeroizing::new(Vec::with_capacity(PIECE_HEAD + self.piece.len()));
        plain.extend_from_slice(&self.number.to_le_bytes());
        plain.push(last);
        plain.extend_from_slice(&self.piece);
        let sealed = self.key.seal(PURPOSE, &plain);
        let length = u32::try_from(sealed.len()).map_err(io::Error::other)?;
        self.out.write_all(&length.to_le_bytes())?;
        self.out.write_all(&sealed)?;
        self.piece.zeroize();
        self.number += 1;
        Ok(())
    }

    /// Writes the last piece.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.seal(1)
    }
}

impl<W: Write> Write for Pieces<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.piece.len() == PIECE_BYTES {
            self.seal(0)?;
        }
        let count = bytes.len().min(PIECE_BYTES - self.piece.len());
        self.piece.extend_from_slice(bytes.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens pieces as they are read.
pub(super) struct Opened<R> {
    from: R,
    key: MasterKey,
    number: u64,
    ended: bool,
    piece: Zeroizing<Vec<u8>>,
    position: usize,
}

impl<R: Read> Opened<R> {
    /// Before the first piece.
    pub(super) fn new(from: R, key: MasterKey) -> Self {
        Self {
            from,
            key,
            number: 0,
            ended: false,
            piece: Zeroizing::new(Vec::new()),
            position: PIECE_HEAD,
        }
    }

    fn next(&mut self) -> Result<(), Refused> {
        let cut = |_| Refused::Damaged("it is cut short");
        let mut length = [0u8; 4];
        self.from.read_exact(&mut length).map_err(cut)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > MOST_SEALED {
            return Err(Refused::Damaged("a piece of it is longer than any"));
        }
        let mut sealed = vec![0u8; length];
        self.from.read_exact(&mut sealed).map_err(cut)?;
        // the checksum held, so it is the passphrase
        let opened = self.key.open(PURPOSE, &sealed).map_err(|_| match self.number {
            0 => Refused::Passphrase,
            _ => Refused::Damaged("a piece of it does not open"),
        })?;
        let (number, rest) = opened
            .split_first_chunk::<8>()
            .ok_or(Refused::Damaged("a piece of it is empty"))?;
        let last = rest.first().copied().unwrap_or(2);
        if u64::from_le_bytes(*number) != self.number || last > 1 {
            return Err(Refused::Damaged("its pieces are not in order"));
        }
        self.number += 1;
        self.ended = last == 1;
        self.position = PIECE_HEAD;
        self.piece = opened;
        Ok(())
    }

    /// Nothing may follow.
    pub(super) fn must_end(mut self) -> Result<(), Refused> {
        let mut more = [0u8; 1];
        let is_over = self.ended && self.position == self.piece.len() && self.from.read(&mut more)? == 0;
        if is_over {
            Ok(())
        } else {
            Err(Refused::Damaged("something follows its end"))
        }
    }
}

impl<R: Read> Read for Opened<R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        while self.position >= self.piece.len() && !self.ended {
            self.next().map_err(io::Error::other)?;
        }
        let left = self.piece.get(self.position..).unwrap_or_default();
        let count = left.len().min(room.len());
        if let (Some(to), Some(from)) = (room.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.position += count;
        Ok(count)
    }
}
