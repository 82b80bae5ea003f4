//! An authenticator of our own: RFC 4226 and RFC 6238 read once more, on nothing that the server reads them with.

use aws_lc_rs::hmac;

/// What an authenticator knows of an account.
#[derive(Clone, Debug)]
pub struct Authenticator {
    pub secret: Vec<u8>,
    pub algorithm: hmac::Algorithm,
    pub digits: u32,
    pub period: i64,
}

impl Authenticator {
    /// With a secret in base32 (RFC 4648 section 6), blanks left out, as pages show it.
    pub fn of(base32: &str) -> Self {
        Self {
            secret: decode(base32),
            algorithm: hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            digits: 6,
            period: 30,
        }
    }

    /// The code at this moment, in microseconds since 1970.
    pub fn code(&self, micros: i64) -> String {
        self.code_of(micros / 1_000_000 / self.period)
    }

    /// RFC 4226 section 5.3, with the step as the counter (RFC 6238 section 4.2).
    pub fn code_of(&self, step: i64) -> String {
        let key = hmac::Key::new(self.algorithm, &self.secret);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let digest = tag.as_ref();
        let offset = usize::from(digest[digest.len() - 1] & 0xf);
        let number = u32::from_be_bytes(digest[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        let code = u64::from(number) % 10u64.pow(self.digits);
        format!("{code:0width$}", width = self.digits as usize)
    }
}

fn decode(base32: &str) -> Vec<u8> {
    let (mut bits, mut count, mut bytes) = (0u32, 0, Vec::new());
    for letter in base32.chars().filter(|letter| !letter.is_whitespace()) {
        let value = match letter {
            'A'..='Z' => letter as u32 - 'A' as u32,
            '2'..='7' => letter as u32 - '2' as u32 + 26,
            _ => panic!("{letter} is not of base32"),
        };
        bits = (bits << 5) | value;
        count += 5;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count) as u8);
            bits &= (1 << count) - 1;
        }
    }
    bytes
}
