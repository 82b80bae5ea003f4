//! Passwords: how they are hashed, what is refused before any work, what waits and what doesn't, and which are too weak.

use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use ostiary::credential::{
    self, BreachedList, Error, FirebaseParameters, Parameters, PasswordHash, Passwords, Pattern, Policy, Verdict,
    Weakness, bring_firebase_hash, bring_hash, generate_password,
};
use ostiary::model::Secret;
use proptest::prelude::*;

/// Made by the reference implementation: `password`, salt `somesalt`, 64 MiB, two passes.
const REFERENCE: &str = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";

/// What is said of a password where no list of breached ones is there.
fn judge(password: &str, policy: &Policy, personal: &[&str]) -> Result<(), Weakness> {
    credential::judge(password, policy, personal, &BreachedList::default())
}

fn passwords(workers: usize, places: usize) -> Passwords {
    Passwords::new(Parameters::default(), workers, places).unwrap()
}

fn cheap() -> Passwords {
    let parameters = Parameters {
        memory_kib: 64,
        iterations: 1,
        parallelism: 1,
    };
    Passwords::new(parameters, 1, 16).unwrap()
}

/// SEC-214: Argon2id, at or above the floor; old hashes ask to be replaced.
#[tokio::test]
async fn password_hash_parameters() {
    let passwords = passwords(2, 8);
    let hash = passwords.hash(Secret::new("correct horse")).await.unwrap();
    assert!(
        hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
        "{}",
        hash.expose()
    );
    let parts: Vec<&str> = hash.expose().split('$').collect();
    assert_eq!((parts.len(), parts[4].len(), parts[5].len()), (6, 22, 43));
    let again = passwords.hash(Secret::new("correct horse")).await.unwrap();
    assert_ne!(hash.expose(), again.expose());
    let stored = PasswordHash::parse(hash.expose()).unwrap();
    let verdict = passwords.verify(Secret::new("correct horse"), Some(stored)).await;
    assert_eq!(verdict, Ok(Verdict::Right { rehash: false }));

    let reference = PasswordHash::parse(REFERENCE).unwrap();
    let verdict = passwords.verify(Secret::new("password"), Some(reference.clone())).await;
    assert_eq!(verdict, Ok(Verdict::Right { rehash: true }));
    let verdict = passwords.verify(Secret::new("Password"), Some(reference)).await;
    assert_eq!(verdict, Ok(Verdict::Wrong));
    // after the larger hash, the usual ones are still right
    let verdict = passwords.verify(Secret::new("correct horse"), Some(again)).await;
    assert_eq!(verdict, Ok(Verdict::Right { rehash: false }));

    let floor = |memory_kib, iterations, parallelism| {
        Parameters {
            memory_kib,
            iterations,
            parallelism,
        }
        .check_floor()
    };
    for enough in [(47104, 1, 1), (19456, 2, 1), (12288, 3, 1), (65536, 3, 4)] {
        assert_eq!(floor(enough.0, enough.1, enough.2), Ok(()), "{enough:?}");
    }
    for weak in [
        (47103, 1, 1),
        (19455, 2, 1),
        (12287, 3, 1),
        (12287, 40, 1),
        (19456, 0, 1),
        (19456, 2, 0),
    ] {
        assert_eq!(floor(weak.0, weak.1, weak.2), Err(Error::Parameters), "{weak:?}");
    }
    assert_eq!(floor(1024 * 1024, 1, 1), Err(Error::Parameters));
    assert_eq!(floor(128 * 1024, 5, 1), Err(Error::Parameters));
}

/// SEC-211: verified exactly as sent.
#[tokio::test]
async fn password_exact_bytes() {
    let passwords = cheap();
    let longest = "ä".repeat(2047) + "xy";
    assert_eq!(longest.len(), 4096);
    let variants = |password: &str| {
        let mut last = password.to_owned();
        last.pop();
        [
            format!("{last}Z"),
            last,
            format!(" {password}"),
            format!("{password} "),
            format!("{password}\0"),
            password.to_uppercase(),
        ]
    };
    for password in [longest.as_str(), "Caf\u{e9} noir", " padded ", "nul\0inside"] {
        let hash = passwords.hash(Secret::new(password)).await.unwrap();
        let right = passwords.verify(Secret::new(password), Some(hash.clone())).await;
        assert_eq!(right, Ok(Verdict::Right { rehash: false }));
        for variant in variants(password) {
            let wrong = passwords.verify(Secret::new(variant), Some(hash.clone())).await;
            assert_eq!(wrong, Ok(Verdict::Wrong));
        }
    }
    // another Unicode form is another password
    let hash = passwords.hash(Secret::new("Caf\u{e9} noir")).await.unwrap();
    let decomposed = passwords.verify(Secret::new("Cafe\u{301} noir"), Some(hash)).await;
    assert_eq!(decomposed, Ok(Verdict::Wrong));
}

/// SEC-215: input over the maximum costs no hash. SEC-226: an empty password is never right.
#[tokio::test]
async fn password_input_cap() {
    let passwords = cheap();
    let hash = passwords.hash(Secret::new("something")).await.unwrap();
    let before = passwords.computed();
    for impossible in [String::new(), "x".repeat(4097), "x".repeat(10 * 1024 * 1024)] {
        let password = Secret::new(impossible);
        assert_eq!(passwords.hash(password.clone()).await.unwrap_err(), Error::Length);
        let known = passwords.verify(password.clone(), Some(hash.clone())).await;
        let unknown = passwords.verify(password, None).await;
        assert_eq!((known, unknown), (Ok(Verdict::Wrong), Ok(Verdict::Wrong)));
    }
    assert_eq!(passwords.computed(), before);
}

/// SEC-221, the part of it that lies here.
#[tokio::test]
async fn an_unknown_user_costs_one_hash_like_a_known_one() {
    let passwords = cheap();
    let hash = passwords.hash(Secret::new("something")).await.unwrap();
    for against in [Some(hash), None] {
        let before = passwords.computed();
        let verdict = passwords.verify(Secret::new("wrong"), against).await;
        assert_eq!((verdict, passwords.computed() - before), (Ok(Verdict::Wrong), 1));
    }
}

/// SEC-228, SEC-720: only hashes of known kinds within a ceiling are read; anything else is refused before work.
#[test]
fn imported_hash_bounds() {
    let salt = "c29tc2FsdHNvbWVzYWx0";
    let output = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let with = |head: &str| format!("{head}${salt}${output}");
    let taken = [
        "$argon2id$v=19$m=12288,t=3,p=1",
        "$argon2id$v=19$m=131072,t=4,p=8",
        "$argon2id$v=19$m=65536,t=3,p=4",
        "$argon2i$v=19$m=19456,t=2,p=1",
        "$argon2d$v=16$m=19456,t=2,p=1",
        "$argon2id$v=16$m=19456,t=2,p=1",
        "$scrypt$ln=17,r=8,p=1",
        "$pbkdf2-sha512$i=600000,l=32",
    ];
    for head in taken {
        assert!(PasswordHash::parse(with(head)).is_ok(), "{head}");
    }
    assert!(PasswordHash::parse(REFERENCE).is_ok());
    let refused = [
        with("$argon2i$v=19$m=131072,t=5,p=1"),
        with("$argon2i$v=18$m=19456,t=2,p=1"),
        with("$argon2id$m=19456,t=2,p=1"),
        with("$argon2id$v=19$m=4294967295,t=1,p=1"),
        with("$argon2id$v=19$m=131073,t=1,p=1"),
        with("$argon2id$v=19$m=131072,t=5,p=1"),
        with("$argon2id$v=19$m=8,t=4294967295,p=1"),
        with("$argon2id$v=19$m=99999999999,t=1,p=1"),
        with("$argon2id$v=19$m=19456,t=2,p=17"),
        with("$argon2id$v=19$m=19456,t=2,p=0"),
        with("$argon2id$v=19$m=19456,t=0,p=1"),
        with("$argon2id$v=19$m=8,t=2,p=16"),
        with("$argon2id$v=19$m=-1,t=2,p=1"),
        with("$argon2id$v=19$m=19456,t=2,p=1,keyid=c2VjcmV0"),
        with("$argon2id$v=19$m=19456,t=2,p=1,data=c2VjcmV0"),
        with("$scrypt$ln=18,r=8,p=1"),
        with("$scrypt$ln=63,r=8,p=1"),
        with("$scrypt$ln=15,r=8,p=17"),
        with("$scrypt$ln=15,r=4294967295,p=1"),
        with("$scrypt$ln=15,r=0,p=1"),
        with("$pbkdf2-sha256$4294967295"),
        with("$pbkdf2-sha256$0"),
        with("$pbkdf2-md5$1000"),
        with("$firebase-scrypt$ln=20,r=8"),
        format!("pbkdf2_sha256$99999999$abcdefgh${output}"),
        format!("$6$rounds=99999999$salt${}", "a".repeat(86)),
        format!("$6$salt${}", "a".repeat(85)),
        format!("$1$salt${}", "a".repeat(22)),
        "$2b$31$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS".to_owned(),
        "$2x$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS".to_owned(),
        "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=".to_owned(),
        "{MD5}X03MO1qnZdYdgyfeuILPmQ==".to_owned(),
        "{CLEARTEXT}password".to_owned(),
        "{CRYPT}{CRYPT}$6$salt$".to_owned(),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}"),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$"),
        format!("$argon2id$v=19$m=19456,t=2,p=1${salt}$CTFhFdXPJO1aFaM"),
        format!("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA${output}"),
        format!("{REFERENCE}\n"),
        format!(" {REFERENCE}"),
        "5f4dcc3b5aa765d61d8327deb882cf99".to_owned(),
        "password".to_owned(),
        String::new(),
        "$".repeat(10_000),
    ];
    for text in refused {
        assert_eq!(
            PasswordHash::parse(text.as_str()).unwrap_err(),
            Error::Malformed,
            "{text}"
        );
    }
    assert_eq!(format!("{:?}", PasswordHash::parse(REFERENCE).unwrap()), "***");
}

const BROUGHT: &str = "correct horse battery";

/// That password, as other systems keep it: made by Python's hashlib, by crypt(3) and by `openssl passwd`.
const BROUGHT_HASHES: &[&str] = &[
    // Django
    "pbkdf2_sha256$1000$abcdefgh$BBAst6Q9ERT2t0mu0mZP5mo0Igt8eVsAijJGBPWCoqY=",
    "pbkdf2_sha1$1000$abcdefgh$jk977VTYpYkoEktluL9woLPivD0=",
    "scrypt$1024$abcdefgh$8$1$ab+keYiET1QjZAqySL4WIersUgmORK6W7VNjMZ4b7slHrded3EQ7jiamxxtXTtBshJt48kNjn+zxhINRt7/lCA==",
    "bcrypt$$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "bcrypt_sha256$$2b$04$abcdefghijklmnopqrstuuFABy..DpKi5eX.TjDW.8iDMNk/Tma6W",
    // passlib, and PHC strings
    "$pbkdf2-sha512$1000$MDEyMzQ1Njc4OWFiY2RlZg$7F/Y1rnWXXurLCfFvAmyjyXtbABhgzBTBNcm//wlnvGBOz7OExlgRFs5qwaY5PzB3/WjR7P4yv/ACDQZpDXIfQ",
    "$scrypt$ln=10,r=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$xXt6EAFzAOlee5Hgl8R5+kLA6sDARjRcMGtm6fZJsa8",
    "$2b$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    "$2y$04$abcdefghijklmnopqrstuuqREtd3VJD2QVZbuFskFSLk6eRIrQoOS",
    // Unix
    "$6$saltstring$dBHc6z5hpSlx63LLGnlt2xpSGH7T2QL7PJTCjPwajfWh/K10OPeGyl0Oe5VoIANbBgC0gNnRFVE.3uO/lesxj/",
    "$6$rounds=1234$anotherlongsalts$15mrmEf91Pz0CJegGjrVwAZWtqLtILt/TxawAo4QQtQzrfcCQLt1bsK4QcQNhZ13aUs5O13mhm9JozQ.txU8e/",
    "$5$rounds=1001$abc$YZQhP/J17dnefbx1/cOvWmKNjzUVkVK.wqt1DeQCeH0",
    "$5$rounds$5uQsdD3AxSjpcDBNiRJWb333DgeFXlsGQVvyRtPs/K5",
    // directories
    "{SSHA}8RaBJlNv5vlzZQlCesDUZc21BCgwMTIzNDU2Nw==",
    "{SSHA256}QPKXtOcTeRITiBB/81NkSZy0o2/QZpEAZsuksejeyYQwMTIzNDU2Nw==",
    "{SSHA512}4IcOsI6AVS1BbWOnHshi2UKwl1FUN13nKtN/ogoPqb8eQK4OLi/rwnrkdNc9CsWpAV0mtqCm2zbLKQsz6ZrIBzAxMjM0NTY3",
    "{CRYPT}$5$rounds=1001$abc$YZQhP/J17dnefbx1/cOvWmKNjzUVkVK.wqt1DeQCeH0",
];

/// SEC-228: what other systems have made lets in who knows the password, and asks to be replaced; nobody else.
#[tokio::test]
async fn hashes_of_other_systems_are_verified_and_replaced() {
    let passwords = passwords(2, 8);
    for text in BROUGHT_HASHES {
        let hash = PasswordHash::parse(*text).unwrap_or_else(|_| panic!("{text} can't be read"));
        let right = passwords.verify(Secret::new(BROUGHT), Some(hash.clone())).await;
        assert_eq!(right, Ok(Verdict::Right { rehash: true }), "{text}");
        let before = passwords.computed();
        let wrong = passwords.verify(Secret::new("correct horse batterx"), Some(hash)).await;
        // as long as for one of ours at least
        assert_eq!(
            (wrong, passwords.computed() - before),
            (Ok(Verdict::Wrong), 2),
            "{text}"
        );
    }
    let keycloak = serde_json::json!({
        "type": "password",
        "secretData": "{\"value\":\"BVALGMmC/K/8ELErc5VgJxyPFApArIZRCQsqjEgZWJ6MwvrqvCpwLuP/5ugtnLwaptyhKgF8nj7WtD3ieyZB6Q==\",\"salt\":\"MDEyMzQ1Njc4OWFiY2RlZg==\",\"additionalParameters\":{}}",
        "credentialData": "{\"hashIterations\":1000,\"algorithm\":\"pbkdf2-sha256\",\"additionalParameters\":{}}",
    });
    let hash = bring_hash(&keycloak.to_string()).unwrap();
    let right = passwords.verify(Secret::new(BROUGHT), Some(hash)).await;
    assert_eq!(right, Ok(Verdict::Right { rehash: true }));
    // the example of Firebase's own description of its scrypt
    let parameters = FirebaseParameters {
        base64_signer_key: "jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDzZvpjeJ9WmXA=="
            .to_owned(),
        base64_salt_separator: "Bw==".to_owned(),
        rounds: 8,
        mem_cost: 14,
    };
    let hash = "lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRuid5lQ==";
    let hash = bring_firebase_hash(hash, "42xEC+ixf3L2lw==", &parameters).unwrap();
    assert!(
        !hash.expose().contains("jxspr8Ki0RYycVU8"),
        "the project's key is not kept"
    );
    let right = passwords.verify(Secret::new("user1password"), Some(hash)).await;
    assert_eq!(right, Ok(Verdict::Right { rehash: true }));
}

proptest! {
    /// SEC-720: no text makes the reader of hashes panic, and what it takes lies below the ceiling.
    #[test]
    fn fuzz_phc_string(text in "(\\$argon2id\\$v=19\\$m=[0-9]{1,7},t=[0-9]{1,3},p=[0-9]{1,2}(,[a-z]{1,5}=.{0,5})?)?.{0,90}") {
        if let Ok(hash) = PasswordHash::parse(text.clone()) {
            prop_assert_eq!(hash.expose(), text.as_str());
            if !text.starts_with("$argon2id") {
                return Ok(());
            }
            let number = |name: &str| -> u64 {
                let start = text.find(name).unwrap() + name.len();
                text[start..].chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
            };
            prop_assert!(number("m=") * number("t=") <= 512 * 1024);
        }
    }
}

/// SEC-227: bounded threads and places; beyond them the answer comes at once and says when to come again.
#[tokio::test]
async fn argon2_backpressure() {
    let passwords = passwords(1, 2);
    let all = join_all((0..10).map(|_| passwords.hash(Secret::new("something")))).await;
    let taken = all.iter().filter(|hash| hash.is_ok()).count();
    assert!((3..10).contains(&taken), "{taken}");
    for refused in all.into_iter().filter_map(Result::err) {
        let Error::Busy { retry_after } = refused else {
            panic!("{refused}");
        };
        assert!(retry_after >= Duration::from_secs(1));
    }
    // and afterwards there is room again
    passwords.hash(Secret::new("something")).await.unwrap();
}

/// SEC-227: the queue is bounded by time as well; work whose caller went away gives its place back.
#[tokio::test]
async fn abandoned_work_gives_its_place_back() {
    let passwords = passwords(1, 10_000);
    let dear = format!(
        "$argon2id$v=19$m=131072,t=4,p=1${}",
        &REFERENCE["$argon2id$v=19$m=65536,t=2,p=1$".len()..]
    );
    let dear = PasswordHash::parse(dear).unwrap();
    let mut waiting: Vec<_> = (0..100)
        .map(|_| Box::pin(passwords.verify(Secret::new("password"), Some(dear.clone()))))
        .collect();
    let mut refused = 0;
    for verdict in &mut waiting {
        if let Some(Err(Error::Busy { .. })) = verdict.now_or_never() {
            refused += 1;
        }
    }
    assert!(
        (80..100).contains(&refused),
        "two seconds' work is taken, {refused} were refused"
    );
    drop(waiting);
    passwords.hash(Secret::new("something")).await.unwrap();
    assert!(passwords.computed() <= 3);
}

/// SEC-210: length boundaries, all scripts, no rules of composition.
#[test]
fn password_policy_bounds() {
    let policy = Policy::default();
    let judged = |password: &str| judge(password, &policy, &[]);
    assert_eq!(judged("kiwzrtb"), Err(Weakness::TooShort));
    assert_eq!(judged("kiwzrtbq"), Ok(()));
    assert_eq!(judged("äöüßéèçñ"), Ok(()));
    assert_eq!(judged("馬鹿正直者比喩的"), Ok(()));
    assert_eq!(judged("🐴🔋📎🦀🌙🎲🧂🪐"), Ok(()));
    assert_eq!(judged("correct horse battery staple"), Ok(()));
    assert_eq!(judged("  spaces count  "), Ok(()));
    let mixed = |length: usize| {
        "kiw zrtbq uelm "
            .chars()
            .cycle()
            .take(length - 1)
            .chain(['!'])
            .collect::<String>()
    };
    assert_eq!(judged(&mixed(64)), Ok(()));
    assert_eq!(judged(&mixed(256)), Ok(()));
    assert_eq!(judged(&mixed(257)), Err(Weakness::TooLong));
    assert_eq!(judged(&"x".repeat(10 * 1024 * 1024)), Err(Weakness::TooLong));
    let for_administrators = Policy {
        minimum_length: 15,
        ..policy
    };
    assert_eq!(judge(&mixed(14), &for_administrators, &[]), Err(Weakness::TooShort));
    assert_eq!(judge(&mixed(15), &for_administrators, &[]), Ok(()));
}

/// SEC-212: the lists a new password is compared with.
#[test]
fn password_denylists() {
    let personal = ["ada.lovelace", "countess@example.com", "Example Org", "al", ""];
    let judged = |password: &str| judge(password, &Policy::default(), &personal);
    for password in [
        "password",
        "Password1",
        "PASSWORD2024!",
        "iloveyou",
        "letmein1",
        "Welcome123",
        "P@ssw0rd",
        "Summer2031!",
        "trustno1",
        "passwordpassword",
        "ostiary1",
    ] {
        assert_eq!(judged(password), Err(Weakness::Common), "{password}");
    }
    for password in [
        "aaaaaaaa",
        "        ",
        "12345678",
        "1234567890",
        "0987654321",
        "abcdefgh",
        "ABCDEFGHIJ",
        "zyxwvuts",
        "qwertyui",
        "poiuytrewq",
        "1qaz2wsx3edc",
        "abababab",
        "xyzxyzxyzxyz",
        "1234512345",
        "qwertyqwerty",
        "ääääääää",
    ] {
        let weakness = judged(password);
        let known = matches!(weakness, Err(Weakness::Sequence | Weakness::Common));
        assert!(known || password == "{password}: {weakness:?}");
    }
    for password in [
        "Ada.Lovelace!",
        "xxADA.LOVELACExx",
        "the-countess-1815",
        "my Example Org login",
    ] {
        assert_eq!(judged(password), Err(Weakness::Personal), "{password}");
    }
    for password in [
        "general assembly",
        "dragon eats 9 pineapples",
        "qwerty keyboards rattle",
        "tuesday's umbrella",
    ] {
        assert_eq!(judged(password), Ok(()), "{password}");
    }
}

/// SEC-212: what is made of words, names, dates and rows is refused by how few guesses find it, in words that help.
#[test]
fn password_strength() {
    let policy = |minimum_strength| Policy {
        minimum_strength,
        ..Policy::default()
    };
    let judged = |password: &str| judge(password, &policy(3), &["ada.lovelace@analytical.example", "Lovelace"]);
    for (password, pattern) in [
        ("19.12.1815", Pattern::Date),
        ("wilhelmina", Pattern::Name),
        ("umbrella77", Pattern::Word),
        ("xcvbnm,./;", Pattern::Row),
    ] {
        assert_eq!(judged(password), Err(Weakness::Guessable(pattern)), "{password}");
    }
    for password in ["analytical!1", "wet socks dry", "tr0ub4dor&3x"] {
        let fewer = judge(password, &policy(1), &[]);
        assert_eq!(fewer, Ok(()), "{password}");
    }
    // the person's own words are no surprise
    let own = judge("analytical81", &policy(3), &["ada@analytical.example"]);
    assert!(matches!(own, Err(Weakness::Guessable(_))), "{own:?}");
    for password in [
        "correct horse battery staple",
        "an otter under the old bridge",
        "käse im mond am dienstag",
    ] {
        assert_eq!(judge(password, &policy(4), &[]), Ok(()), "{password}");
    }
    assert_eq!(judge("umbrella77", &policy(0), &[]), Ok(()));
    // the work is bounded, however long it is
    let began = std::time::Instant::now();
    let long = "pQ7 elephant 1985 ".repeat(14);
    for _ in 0..20 {
        let _judged = judge(&long, &policy(4), &[]);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn a_generated_password_is_readable_and_has_a_hundred_bits() {
    let mut seen = std::collections::HashSet::new();
    let mut characters = std::collections::HashSet::new();
    for _ in 0..200 {
        let password = generate_password();
        let groups: Vec<&str> = password.expose().split('-').collect();
        assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [4; 7]);
        characters.extend(groups.concat().chars());
        assert_eq!(judge(password.expose(), &Policy::default(), &["ada"]), Ok(()));
        assert!(seen.insert(password.expose().to_owned()));
    }
    // 28 characters of 32: 140 bits
    assert_eq!(characters.len(), 32);
    assert!(!characters.iter().any(|character| "01ilIO".contains(*character)));
}
