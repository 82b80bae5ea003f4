//! Portable Network Graphics (W3C, third edition): a signature, then chunks with a length, a name and a checksum each.

use super::{Clean, Fault, Reader, length};
use crate::model::PictureFormat;

/// Section 5.2.
pub const SIGNATURE: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a picture needs: its head, its colours, which of them can be seen through, how they are meant, and itself.
const KEPT: [&[u8; 4]; 6] = [b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"IDAT"];

pub(super) fn clean(file: &[u8]) -> Result<Clean, Fault> {
    let mut reader = Reader(file);
    reader.take(SIGNATURE.len())?;
    let mut bytes = SIGNATURE.to_vec();
    let mut size = None;
    let mut has_data = false;
    loop {
        let told = length(reader.long()?);
        let name: [u8; 4] = reader.array()?;
        let data = reader.take(told)?;
        // section 5.3: over the name and the data
        if reader.long()? != checksum(&name, data) {
            return Err(Fault::Damaged);
        }
        match (&name, size) {
            (b"IHDR", None) => size = Some(head(data)?),
            (_, None) | (b"IHDR", Some(_)) => return Err(Fault::Damaged),
            (b"IEND", Some((width, height))) if has_data => {
                write(&mut bytes, b"IEND", b"");
                return Ok(Clean {
                    format: PictureFormat::Png,
                    bytes,
                    width,
                    height,
                });
            }
            (b"IEND", Some(_)) => return Err(Fault::Damaged),
            (b"acTL" | b"fcTL" | b"fdAT", Some(_)) => return Err(Fault::Moving),
            (name, Some(_)) if !KEPT.contains(&name) => continue,
            (name, Some(_)) => has_data |= name == b"IDAT",
        }
        write(&mut bytes, &name, data);
    }
}

/// Section 11.2.1: width, height, bits, kind of colour, and the three methods there are.
fn head(data: &[u8]) -> Result<(u32, u32), Fault> {
    let mut reader = Reader(data);
    let (width, height) = (reader.long()?, reader.long()?);
    let (bits, colour) = (reader.byte()?, reader.byte()?);
    let methods: [u8; 3] = reader.array()?;
    let goes_together = match colour {
        0 => matches!(bits, 1 | 2 | 4 | 8 | 16),
        3 => matches!(bits, 1 | 2 | 4 | 8),
        2 | 4 | 6 => matches!(bits, 8 | 16),
        _ => false,
    };
    match methods {
        [0, 0, 0 | 1] if goes_together && reader.0.is_empty() => Ok((width, height)),
        _ => Err(Fault::Damaged),
    }
}

fn write(bytes: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    bytes.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(name);
    bytes.extend(data);
    bytes.extend(checksum(name, data).to_be_bytes());
}

/// Annex D: the cyclic redundancy check of ISO 3309.
fn checksum(name: &[u8], data: &[u8]) -> u32 {
    let mut sum = u32::MAX;
    for byte in name.iter().chain(data) {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = if sum & 1 == 1 {
                (sum >> 1) ^ 0xedb8_8320
            } else {
                sum >> 1
            };
        }
    }
    !sum
}
