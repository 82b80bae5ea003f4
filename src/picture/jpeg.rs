//! JPEG (ITU-T T.81, annex B): markers, segments with a length, and the coded picture between them.

use super::{Clean, Fault, Reader};
use crate::model::PictureFormat;

/// Start of image, and the first byte of the marker behind it.
pub const START: &[u8] = b"\xff\xd8\xff";

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;
const APP1: u8 = 0xe1;
const APP14: u8 = 0xee;

pub(super) fn clean(file: &[u8]) -> Result<Clean, Fault> {
    let mut reader = Reader(file);
    reader.take(2)?;
    let mut bytes = vec![0xff, SOI];
    let mut size = None;
    let mut has_data = false;
    let mut up = None;
    let mut marker = next_marker(&mut reader)?;
    loop {
        match marker {
            EOI => break,
            SOI | 0x01 | 0xd0..=0xd7 => return Err(Fault::Damaged),
            _ => {}
        }
        let told = usize::from(reader.short()?);
        let data = reader.take(told.checked_sub(2).ok_or(Fault::Damaged)?)?;
        match marker {
            // the ways that browsers know: baseline, extended and progressive
            0xc0..=0xc2 if size.is_none() => {
                size = Some(frame(data)?);
                // before the picture begins: which side is up
                bytes.extend(up.map(oriented).unwrap_or_default());
                segment(&mut bytes, marker, data);
            }
            0xc0..=0xc2 => return Err(Fault::Damaged),
            // tables, and how often the coder starts anew
            0xc4 | 0xdb | 0xdd => segment(&mut bytes, marker, data),
            SOS if size.is_some() => {
                segment(&mut bytes, SOS, data);
                bytes.extend(coded(&mut reader)?);
                has_data = true;
            }
            APP1 if up.is_none() => up = orientation(data),
            // how its colours are meant; the rest of it is a version and flags
            APP14 if data.len() == 12 && data.starts_with(b"Adobe") => segment(&mut bytes, APP14, data),
            0xe0..=0xef | 0xfe => {}
            _ => return Err(Fault::Damaged),
        }
        marker = next_marker(&mut reader)?;
    }
    let (width, height) = size.filter(|_| has_data).ok_or(Fault::Damaged)?;
    bytes.extend([0xff, EOI]);
    Ok(Clean {
        format: PictureFormat::Jpeg,
        bytes,
        width,
        height,
    })
}

/// B.1.1.2: any number of fill bytes may come before a marker.
fn next_marker(reader: &mut Reader<'_>) -> Result<u8, Fault> {
    if reader.byte()? != 0xff {
        return Err(Fault::Damaged);
    }
    loop {
        match reader.byte()? {
            0xff => {}
            0x00 => return Err(Fault::Damaged),
            marker => return Ok(marker),
        }
    }
}

/// B.2.2: precision, height, width.
fn frame(data: &[u8]) -> Result<(u32, u32), Fault> {
    let mut reader = Reader(data);
    reader.byte()?;
    let (height, width) = (reader.short()?, reader.short()?);
    Ok((width.into(), height.into()))
}

/// The coded picture up to the next marker that is none of its own (B.1.1.5: a stuffed byte, or a restart).
fn coded<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Fault> {
    let rest = reader.0;
    let ends = rest.windows(2).position(|pair| match pair {
        [0xff, next] => !matches!(next, 0x00 | 0xd0..=0xd7 | 0xff),
        _ => false,
    });
    reader.take(ends.ok_or(Fault::Damaged)?)
}

fn segment(bytes: &mut Vec<u8>, marker: u8, data: &[u8]) {
    // as long as the one that it was read from
    let told = u16::try_from(data.len() + 2).unwrap_or(u16::MAX);
    bytes.extend([0xff, marker]);
    bytes.extend(told.to_be_bytes());
    bytes.extend(data);
}

/// Which side is up, of what a camera tells of a photograph (Exif 2.32 section 4.6.4, tag 0x0112: 1 to 8).
fn orientation(data: &[u8]) -> Option<u8> {
    let tiff = data.strip_prefix(b"Exif\0\0")?;
    let is_little = match tiff.get(..2)? {
        b"II" => true,
        b"MM" => false,
        _ => return None,
    };
    let short = |at: usize| -> Option<u16> {
        let pair: [u8; 2] = tiff.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if is_little {
            u16::from_le_bytes(pair)
        } else {
            u16::from_be_bytes(pair)
        })
    };
    let four: [u8; 4] = tiff.get(4..8)?.try_into().ok()?;
    let first = if is_little {
        u32::from_le_bytes(four)
    } else {
        u32::from_be_bytes(four)
    };
    let first = usize::try_from(first).ok()?;
    let count = usize::from(short(first)?);
    // no directory has more that anybody looks at
    let found = (0..count.min(200)).find_map(|entry| {
        let at = first.checked_add(2)?.checked_add(entry.checked_mul(12)?)?;
        (short(at)? == 0x0112).then(|| short(at.checked_add(8)?)).flatten()
    });
    u8::try_from(found?).ok().filter(|up| (2..=8).contains(up))
}

/// The same, and nothing else, as a segment of its own.
fn oriented(up: u8) -> Vec<u8> {
    let mut data = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    data.extend([up, 0, 0, 0, 0, 0, 0]);
    let mut bytes = Vec::new();
    segment(&mut bytes, APP1, &data);
    bytes
}
