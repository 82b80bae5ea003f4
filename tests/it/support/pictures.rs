//! Pictures made by hand, with things in them that nobody is to see.

/// What a file is said to hold beside its picture.
pub const HIDDEN: &str = "GPS 48.8566 2.3522";

fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
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
    let mut bytes = (data.len() as u32).to_be_bytes().to_vec();
    bytes.extend(name);
    bytes.extend(data);
    bytes.extend((!sum).to_be_bytes());
    bytes
}

/// A grey PNG of this size, with a text in it and something behind its end.
pub fn png(width: u32, height: u32) -> Vec<u8> {
    let mut head = width.to_be_bytes().to_vec();
    head.extend(height.to_be_bytes());
    head.extend([8, 0, 0, 0, 0]);
    // one block that is not compressed (RFC 1951 section 3.2.4), if it is a small picture; else no picture of that size
    let rows: Vec<u8> = (0..height.min(16))
        .flat_map(|_| std::iter::repeat_n(0, width.min(16) as usize + 1))
        .collect();
    let mut data = vec![0x78, 0x01, 0x01];
    data.extend((rows.len() as u16).to_le_bytes());
    data.extend((!(rows.len() as u16)).to_le_bytes());
    data.extend(&rows);
    let (mut low, mut high) = (1_u32, 0_u32);
    for byte in &rows {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    data.extend(((high << 16) | low).to_be_bytes());
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    bytes.extend(chunk(b"IHDR", &head));
    bytes.extend(chunk(b"tEXt", format!("Comment\0{HIDDEN}").as_bytes()));
    bytes.extend(chunk(b"IDAT", &data));
    bytes.extend(chunk(b"IEND", b""));
    bytes.extend(b"<script>alert(1)</script>");
    bytes
}

/// The same, moving.
pub fn moving_png() -> Vec<u8> {
    let still = png(8, 8);
    let at = still.windows(4).position(|name| name == b"tEXt").unwrap() - 4;
    [&still[..at], &chunk(b"acTL", &[0, 0, 0, 1, 0, 0, 0, 0]), &still[at..]].concat()
}

fn segment(marker: u8, data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff, marker];
    bytes.extend((data.len() as u16 + 2).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// What stands for a JPEG of this size, that lies on this side, with a place and a comment in it.
pub fn jpeg(width: u16, height: u16, up: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0II\x2a\0\x08\0\0\0\x02\0".to_vec();
    // an entry before the one that counts
    exif.extend([0x0f, 0x01, 2, 0, 4, 0, 0, 0, b'C', b'a', b'm', 0]);
    exif.extend([0x12, 0x01, 3, 0, 1, 0, 0, 0, up, 0, 0, 0]);
    exif.extend([0, 0, 0, 0]);
    exif.extend(HIDDEN.as_bytes());
    let mut frame = vec![8];
    frame.extend(height.to_be_bytes());
    frame.extend(width.to_be_bytes());
    frame.extend([1, 1, 0x11, 0]);
    let mut bytes = vec![0xff, 0xd8];
    bytes.extend(segment(0xe0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0"));
    bytes.extend(segment(0xe1, &exif));
    bytes.extend(segment(0xfe, HIDDEN.as_bytes()));
    bytes.extend(segment(0xdb, &[0; 65]));
    bytes.extend(segment(0xc0, &frame));
    bytes.extend(segment(0xc4, &[0; 20]));
    bytes.extend(segment(0xda, &[1, 1, 0, 0, 63, 0]));
    bytes.extend([0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56]);
    bytes.extend([0xff, 0xd9]);
    bytes.extend(b"PK\x03\x04 and whatever else");
    bytes
}

/// What stands for a lossless WebP of this size, with a place in it.
pub fn webp(width: u32, height: u32) -> Vec<u8> {
    let part = |name: &[u8; 4], data: &[u8]| {
        let mut bytes = name.to_vec();
        bytes.extend((data.len() as u32).to_le_bytes());
        bytes.extend(data);
        bytes.extend(vec![0; data.len() % 2]);
        bytes
    };
    let mut picture = vec![0x2f];
    picture.extend(((width - 1) | ((height - 1) << 14)).to_le_bytes());
    picture.extend([0x07, 0x10]);
    let side = |side: u32| (side - 1).to_le_bytes()[..3].to_vec();
    let head = [vec![0x08, 0, 0, 0], side(width), side(height)].concat();
    let body = [
        b"WEBP".to_vec(),
        part(b"VP8X", &head),
        part(b"VP8L", &picture),
        part(b"EXIF", HIDDEN.as_bytes()),
    ]
    .concat();
    let mut bytes = b"RIFF".to_vec();
    bytes.extend((body.len() as u32).to_le_bytes());
    bytes.extend(body);
    bytes
}
