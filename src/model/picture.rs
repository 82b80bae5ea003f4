//! Pictures that people have of themselves.

use super::named::named;
use super::{Id, Timestamp, User};

/// Somebody's picture, as it is kept and shown: nothing in it but the picture.
#[derive(Clone)]
pub struct Picture {
    /// Of whom.
    pub user: Id<User>,
    /// What it is called in its address: random.
    pub name: String,
    /// How it is written.
    pub format: PictureFormat,
    /// The file.
    pub bytes: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

named! {
    /// How a picture is written, by its media type.
    PictureFormat {
        /// Portable Network Graphics.
        Png = "image/png",
        /// JPEG.
        Jpeg = "image/jpeg",
        /// WebP.
        WebP = "image/webp",
    }
}

impl std::fmt::Debug for Picture {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{} of {} bytes", self.format, self.bytes.len())
    }
}
