//! People who come from another system with the hash of their password.

use serde_json::json;

use super::{administrator, is_signed_in, sign_in};
use crate::support::browser::Browser;
use crate::support::server::each_backend;

/// SEC-228: who comes with a hash of another system signs in with the password that they have, and the hash is ours from then on.
#[tokio::test]
async fn a_password_comes_along_and_is_hashed_anew_at_the_first_sign_in() {
    each_backend(async |server| {
        let caller = administrator(server).await;
        for (name, hash) in [
            (
                "django",
                "pbkdf2_sha256$1000$abcdefgh$BBAst6Q9ERT2t0mu0mZP5mo0Igt8eVsAijJGBPWCoqY=",
            ),
            ("unix", "$6$rounds=1234$anotherlongsalts$15mrmEf91Pz0CJegGjrVwAZWtqLtILt/TxawAo4QQtQzrfcCQLt1bsK4QcQNhZ13aUs5O13mhm9JozQ.txU8e/"),
            ("directory", "{SSHA}8RaBJlNv5vlzZQlCesDUZc21BCgwMTIzNDU2Nw=="),
        ] {
            let made = caller.post("/users", json!({"username": name, "password_hash": hash})).await;
            assert_eq!(made.status, 201, "{}", made.body);
            let stored = async || {
                let mut store = server.provider().store.read().await.unwrap();
                let user = store.find_user_by_username(name).await.unwrap().unwrap();
                user.password.unwrap().expose().to_owned()
            };
            assert_eq!(stored().await, hash);
            let browser = Browser::new();
            sign_in(server, &browser, name, "correct horse batterx").await;
            assert!(!is_signed_in(server, &browser).await, "{name}");
            assert_eq!(stored().await, hash);
            sign_in(server, &browser, name, "correct horse battery").await;
            assert!(is_signed_in(server, &browser).await, "{name}");
            assert!(stored().await.starts_with("$argon2id$v=19$"), "{}", stored().await);
            let browser = Browser::new();
            sign_in(server, &browser, name, "correct horse battery").await;
            assert!(is_signed_in(server, &browser).await, "{name}");
        }
        let bare = json!({"username": "bare", "password_hash": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="});
        let refused = caller.post("/users", bare).await;
        assert_eq!(refused.json()["errors"][0]["code"], "unsupported", "{}", refused.body);
    })
    .await;
}
