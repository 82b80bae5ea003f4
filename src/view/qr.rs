//! Pictures of text that cameras read (ISO/IEC 18004), as one path in a page: nothing is loaded for them, from nowhere.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};
use serde::{Deserialize, Serialize};

/// The quiet zone around it, in modules.
const MARGIN: usize = 4;

/// A picture, drawn as `path` in a square of `size`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Qr {
    /// The side of the square, quiet zone included, in modules.
    pub size: usize,
    /// The dark modules, as the data of an SVG path.
    pub path: String,
}

impl Qr {
    /// Of this text. None if it is too long for one.
    pub fn of(text: &str) -> Option<Self> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
        let width = code.width();
        let mut path = String::new();
        for (row, modules) in code.to_colors().chunks(width).enumerate() {
            let mut place = 0;
            for run in modules.chunk_by(|one, other| one == other) {
                if run.first() == Some(&Color::Dark) {
                    let (x, y, length) = (place + MARGIN, row + MARGIN, run.len());
                    // writing to a string does not fail
                    let _ = write!(path, "M{x} {y}h{length}v1h-{length}z");
                }
                place += run.len();
            }
        }
        Some(Self {
            size: width + 2 * MARGIN,
            path,
        })
    }
}
