//! Pictures that people bring: looked at, and written anew of the parts that make the picture.
//!
//! Nothing is decoded here. What a file is, its own first bytes say; every part of it is walked through, those that a picture needs
//! are copied into a new file, and everything else stays behind: places, cameras, comments, thumbnails, programs' own parts, whatever
//! follows the end (SEC-454). The one thing that is told of a photograph is which side is up, written anew.

mod jpeg;
mod png;
mod webp;

use crate::model::PictureFormat;

/// No file is longer, in bytes.
pub const LONGEST: usize = 512 * 1024;
/// No side is longer, in points: what somebody else's browser unpacks of it is bounded by that.
pub const LONGEST_SIDE: u32 = 2_048;

/// A picture that can be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clean {
    /// How it is written.
    pub format: PictureFormat,
    /// The file.
    pub bytes: Vec<u8>,
    /// In points.
    pub width: u32,
    /// In points.
    pub height: u32,
}

/// Why a file is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It is too long.
    #[error("the file is longer than 512 KiB")]
    TooLong,
    /// Its sides are.
    #[error("the picture has more than 2048 points on a side")]
    TooLarge,
    /// It is written in another way.
    #[error("expected a PNG, a JPEG or a WebP")]
    Unknown,
    /// It moves.
    #[error("expected a picture that stands still")]
    Moving,
    /// It does not hold together.
    #[error("the file is damaged")]
    Damaged,
}

impl Fault {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::TooLarge => "too_large",
            Self::Unknown => "unknown",
            Self::Moving => "moving",
            Self::Damaged => "damaged",
        }
    }
}

/// Makes a picture of a file.
///
/// # Errors
/// [`Fault`]
pub fn clean(file: &[u8]) -> Result<Clean, Fault> {
    if file.len() > LONGEST {
        return Err(Fault::TooLong);
    }
    let clean = if file.starts_with(png::SIGNATURE) {
        png::clean(file)?
    } else if file.starts_with(jpeg::START) {
        jpeg::clean(file)?
    } else if webp::is_one(file) {
        webp::clean(file)?
    } else {
        return Err(Fault::Unknown);
    };
    if clean.width == 0 || clean.height == 0 {
        return Err(Fault::Damaged);
    }
    if clean.width.max(clean.height) > LONGEST_SIDE {
        return Err(Fault::TooLarge);
    }
    Ok(clean)
}

/// What is left to read of a file: it never reads behind its end.
#[derive(Clone, Copy)]
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let (taken, rest) = self.0.split_at_checked(count).ok_or(Fault::Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        self.take(N)?.try_into().map_err(|_| Fault::Damaged)
    }

    fn byte(&mut self) -> Result<u8, Fault> {
        Ok(u8::from_be_bytes(self.array()?))
    }

    fn short(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    fn long(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_be_bytes(self.array()?))
    }
}

/// A length that a file tells, as one of this machine.
fn length(told: u32) -> usize {
    usize::try_from(told).unwrap_or(usize::MAX)
}
