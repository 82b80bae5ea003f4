//! WebP (RFC 9649): a RIFF file of chunks, little end first.

use super::{Clean, Fault, Reader, length};
use crate::model::PictureFormat;

/// Section 2.7.1.2: of the flags, that there is an alpha channel.
const HAS_ALPHA: u8 = 0x10;
/// That it moves.
const MOVES: u8 = 0x02;

/// Section 2.4.
pub(super) fn is_one(file: &[u8]) -> bool {
    file.starts_with(b"RIFF") && file.get(8..12) == Some(b"WEBP")
}

pub(super) fn clean(file: &[u8]) -> Result<Clean, Fault> {
    let mut reader = Reader(file);
    reader.take(4)?;
    let told = length(little(&mut reader)?);
    // whatever follows the file's own end is no part of it
    let mut reader = Reader(Reader(reader.0).take(told)?);
    reader.take(4)?;
    let (mut canvas, mut alpha, mut picture) = (None, None, None);
    while !reader.0.is_empty() {
        let name: [u8; 4] = reader.array()?;
        let told = length(little(&mut reader)?);
        let data = reader.take(told)?;
        if told % 2 == 1 {
            reader.take(1)?;
        }
        match &name {
            b"VP8X" if canvas.is_none() && picture.is_none() => canvas = Some(extended(data)?),
            b"ALPH" if alpha.is_none() && picture.is_none() => alpha = Some(data),
            b"VP8 " | b"VP8L" if picture.is_none() => picture = Some((name, data)),
            b"ANIM" | b"ANMF" => return Err(Fault::Moving),
            b"VP8X" | b"ALPH" | b"VP8 " | b"VP8L" => return Err(Fault::Damaged),
            _ => {}
        }
    }
    let (name, data) = picture.ok_or(Fault::Damaged)?;
    let (width, height) = if name == *b"VP8 " {
        lossy(data)?
    } else {
        lossless(data)?
    };
    if canvas.is_some_and(|canvas| canvas != (width, height)) {
        return Err(Fault::Damaged);
    }
    let mut body = b"WEBP".to_vec();
    // beside a lossy picture its alpha channel has a chunk of its own, and that needs a head
    if let Some(alpha) = alpha.filter(|_| canvas.is_some() && name == *b"VP8 ") {
        let mut head = vec![HAS_ALPHA, 0, 0, 0];
        for side in [width, height] {
            head.extend(side.saturating_sub(1).to_le_bytes().into_iter().take(3));
        }
        chunk(&mut body, b"VP8X", &head);
        chunk(&mut body, b"ALPH", alpha);
    }
    chunk(&mut body, &name, data);
    let mut bytes = b"RIFF".to_vec();
    bytes.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(body);
    Ok(Clean {
        format: PictureFormat::WebP,
        bytes,
        width,
        height,
    })
}

fn little(reader: &mut Reader<'_>) -> Result<u32, Fault> {
    Ok(u32::from_le_bytes(reader.array()?))
}

/// Section 2.7.1.2: flags, then the sides less one, in 24 bits each.
fn extended(data: &[u8]) -> Result<(u32, u32), Fault> {
    let mut reader = Reader(data);
    let [flags, _, _, _] = reader.array()?;
    if flags & MOVES != 0 {
        return Err(Fault::Moving);
    }
    let mut side = || -> Result<u32, Fault> {
        let [low, middle, high]: [u8; 3] = reader.array()?;
        Ok(u32::from_le_bytes([low, middle, high, 0]).saturating_add(1))
    };
    Ok((side()?, side()?))
}

/// RFC 6386 section 9.1: a key frame has a start code, then the sides in 14 bits each.
fn lossy(data: &[u8]) -> Result<(u32, u32), Fault> {
    let mut reader = Reader(data);
    let [first, _, _] = reader.array()?;
    let code: [u8; 3] = reader.array()?;
    if first & 1 != 0 || code != [0x9d, 0x01, 0x2a] {
        return Err(Fault::Damaged);
    }
    let mut side = || -> Result<u32, Fault> { Ok(u32::from(u16::from_le_bytes(reader.array()?) & 0x3fff)) };
    Ok((side()?, side()?))
}

/// Section 3.4: a signature, then the sides less one in 14 bits each, and three bits of version that are zero.
fn lossless(data: &[u8]) -> Result<(u32, u32), Fault> {
    let mut reader = Reader(data);
    if reader.byte()? != 0x2f {
        return Err(Fault::Damaged);
    }
    let bits = little(&mut reader)?;
    if bits >> 29 != 0 {
        return Err(Fault::Damaged);
    }
    Ok(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
}

fn chunk(body: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    body.extend(name);
    body.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    body.extend(data);
    if data.len() % 2 == 1 {
        body.push(0);
    }
}
