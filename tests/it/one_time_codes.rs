//! One-time codes of authenticators and recovery codes, as rules: against the vectors of RFC 6238, against oathtool, and against a
//! reading of the RFC of our own.

use aws_lc_rs::hmac;
use ostiary::credential::{RECOVERY_CODES, Totp, Unsuitable, digest_recovery_code, generate_recovery_codes};
use ostiary::model::{OtpAlgorithm, OtpShape, Secret, Timestamp};
use ostiary::random;

use crate::support::otp::Authenticator;

const ALGORITHMS: [(OtpAlgorithm, hmac::Algorithm); 3] = [
    (OtpAlgorithm::HmacSha1, hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY),
    (OtpAlgorithm::HmacSha256, hmac::HMAC_SHA256),
    (OtpAlgorithm::HmacSha512, hmac::HMAC_SHA512),
];

fn shape(algorithm: OtpAlgorithm, digits: u8, period: u32) -> OtpShape {
    OtpShape {
        algorithm,
        digits,
        period,
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_micros(seconds * 1_000_000)
}

/// The step that a code is accepted for, if no step was used before.
fn step(totp: &Totp, code: &str, seconds: i64) -> Option<i64> {
    totp.step_of(&Secret::new(code), at(seconds), -1)
}

/// RFC 6238 appendix B, with the secrets of its errata: as long as the hash.
#[test]
fn the_vectors_of_the_rfc_hold() {
    const SEED: &[u8] = b"1234567890123456789012345678901234567890123456789012345678901234";
    let vectors = [
        (59, ["94287082", "46119246", "90693936"]),
        (1_111_111_109, ["07081804", "68084774", "25091201"]),
        (1_111_111_111, ["14050471", "67062674", "99943326"]),
        (1_234_567_890, ["89005924", "91819424", "93441116"]),
        (2_000_000_000, ["69279037", "90698825", "38618901"]),
        (20_000_000_000, ["65353130", "77737706", "47863826"]),
    ];
    for (number, (algorithm, _)) in ALGORITHMS.iter().enumerate() {
        let length = [20, 32, 64][number];
        let totp = Totp::new(SEED[..length].to_vec(), shape(*algorithm, 8, 30)).unwrap();
        for (seconds, codes) in vectors {
            assert_eq!(
                step(&totp, codes[number], seconds),
                Some(seconds / 30),
                "{algorithm} {seconds}"
            );
        }
    }
}

/// What `oathtool --totp=ALGORITHM -d DIGITS -s PERIODs -N TIME -b SECRET` (oath-toolkit 2.6.7) says.
#[test]
fn the_codes_are_those_of_oathtool() {
    const SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    let said = [
        (OtpAlgorithm::HmacSha1, ["768147", "74768147"]),
        (OtpAlgorithm::HmacSha256, ["444174", "93444174"]),
        (OtpAlgorithm::HmacSha512, ["086389", "93086389"]),
    ];
    for (algorithm, codes) in said {
        for code in codes {
            let shape = shape(algorithm, code.len() as u8, 30);
            let totp = Totp::from_base32(&Secret::new(SECRET), shape).unwrap();
            assert_eq!(step(&totp, code, 1_800_000_000), Some(60_000_000), "{algorithm} {code}");
        }
    }
    let secret = Secret::new("nb2w 45df-oizd knrq mrsw c3dt nbqx e43f");
    let totp = Totp::from_base32(&secret, shape(OtpAlgorithm::HmacSha256, 7, 60)).unwrap();
    assert_eq!(step(&totp, "4510153", 1_940_975_999), Some(1_940_975_999 / 60));
}

#[test]
fn the_codes_are_those_of_another_reading_of_the_rfc() {
    for round in 0..200u32 {
        let (algorithm, ours) = ALGORITHMS[round as usize % 3];
        let (digits, period) = (6 + (round % 3) as u8, [15, 30, 60, 120][round as usize % 4]);
        let totp = Totp::generate(shape(algorithm, digits, period)).unwrap();
        let authenticator = Authenticator {
            algorithm: ours,
            digits: digits.into(),
            period: period.into(),
            ..Authenticator::of(totp.base32().expose())
        };
        assert_eq!(authenticator.secret, totp.secret());
        let seconds = i64::from(random::below(2_000_000_000)) + 100_000;
        let present = seconds / i64::from(period);
        for distance in -4..=4i64 {
            let code = authenticator.code_of(present + distance);
            let accepted = step(&totp, &code, seconds);
            // by chance one code belongs to two steps
            let fits = |near: &i64| authenticator.code_of(present + near) == code;
            assert_eq!(
                accepted,
                [-1, 0, 1].iter().find(|near| fits(near)).map(|near| present + near)
            );
        }
    }
}

/// SEC-252: a code is exactly the digits that it has to be, of a step in the window, and later than what was used.
#[test]
fn totp_strictness() {
    let totp = Totp::from_base32(&Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), OtpShape::default()).unwrap();
    let now = 1_800_000_000;
    assert_eq!(step(&totp, "768147", now), Some(60_000_000));
    let refused = [
        "",
        " ",
        "768147 ",
        " 768147",
        "768 147",
        "768-147",
        "+768147",
        "-768147",
        "0768147",
        "7681470",
        "76814",
        "768147\n",
        "768147\0",
        "0x768147",
        "７６８１４７",
        "٧٦٨١٤٧",
        "76814７",
        "768147.0",
        "7e8147",
        "abcdef",
    ];
    for code in refused {
        assert_eq!(step(&totp, code, now), None, "{code:?}");
    }
    assert_eq!(step(&totp, &"7".repeat(100_000), now), None);
    // a step before and one after, and no further: by the server's clock alone
    for (seconds, is_in) in [
        (-61, false),
        (-31, false),
        (-30, true),
        (-1, true),
        (29, true),
        (30, true),
        (59, true),
        (60, false),
    ] {
        assert_eq!(step(&totp, "768147", now + seconds).is_some(), is_in, "{seconds}");
    }
    // what was used before is behind
    let after = |last| totp.step_of(&Secret::new("768147"), at(now), last);
    assert_eq!(after(59_999_999), Some(60_000_000));
    assert_eq!(after(60_000_000), None);
    assert_eq!(after(60_000_001), None);
}

#[test]
fn secrets_and_shapes_that_do_not_do_are_refused() {
    let of = |text: &str, shape| Totp::from_base32(&Secret::new(text), shape).err();
    let usual = OtpShape::default();
    assert_eq!(of("not base 32!", usual), Some(Unsuitable::Spelling));
    assert_eq!(of("GEZDGNBVGY3TQOJQ", usual), Some(Unsuitable::Secret));
    assert_eq!(of(&"A".repeat(400), usual), Some(Unsuitable::Secret));
    let secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
    assert_eq!(
        of(secret, shape(OtpAlgorithm::HmacSha1, 5, 30)),
        Some(Unsuitable::Digits)
    );
    assert_eq!(
        of(secret, shape(OtpAlgorithm::HmacSha1, 9, 30)),
        Some(Unsuitable::Digits)
    );
    assert_eq!(
        of(secret, shape(OtpAlgorithm::HmacSha1, 6, 0)),
        Some(Unsuitable::Period)
    );
    assert_eq!(
        of(secret, shape(OtpAlgorithm::HmacSha1, 6, 121)),
        Some(Unsuitable::Period)
    );
    assert_eq!(of(secret, usual), None);
}

#[test]
fn an_authenticator_reads_its_address() {
    let totp = Totp::from_base32(
        &Secret::new("GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
        shape(OtpAlgorithm::HmacSha256, 8, 60),
    )
    .unwrap();
    let address = totp.address("login.example.com", "ada:lovelace@example.com").unwrap();
    let url = url::Url::parse(address.expose()).unwrap();
    assert_eq!((url.scheme(), url.host_str()), ("otpauth", Some("totp")));
    assert_eq!(url.path(), "/login.example.com:ada%20lovelace%40example.com");
    let said: std::collections::BTreeMap<_, _> = url.query_pairs().into_owned().collect();
    let expected = [
        ("secret", "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"),
        ("issuer", "login.example.com"),
        ("algorithm", "SHA256"),
        ("digits", "8"),
        ("period", "60"),
    ];
    for (name, value) in expected {
        assert_eq!(said.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(!format!("{totp:?}{address:?}").contains("GEZD"));
}

/// SEC-253: recovery codes are random, long enough that a digest is kept of them, and are read as people type them.
#[test]
fn recovery_codes_are_long_and_read_leniently() {
    let codes = generate_recovery_codes();
    assert_eq!(codes.len(), RECOVERY_CODES);
    let mut digests = Vec::new();
    for code in &codes {
        let text = code.expose();
        assert_eq!(text.len(), 19, "16 letters of 32: 80 bits");
        let digest = digest_recovery_code(code).unwrap();
        let typed = [
            text.to_uppercase(),
            text.replace('-', ""),
            text.replace('-', " "),
            format!("  {text} "),
            text.replace('0', "o").replace('1', "l"),
        ];
        for typed in typed {
            assert_eq!(digest_recovery_code(&Secret::new(typed)), Some(digest));
        }
        for wrong in [&text[1..], &format!("{text}0"), &text.replace(&text[..1], "ü")] {
            assert_ne!(digest_recovery_code(&Secret::new(wrong)), Some(digest));
        }
        digests.push(digest);
    }
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), RECOVERY_CODES);
    assert_eq!(digest_recovery_code(&Secret::new("u".repeat(1_000_000))), None);
}
