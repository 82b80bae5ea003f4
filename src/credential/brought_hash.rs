//! Password hashes as the exports of other systems hold them, in several parts, put into the one text that is stored.

use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use super::foreign_hash::{decode, encode};
use super::password::Error;
use super::password_hash::PasswordHash;

/// What a Firebase project says of its hashes (`firebase auth:export`, "password hash parameters").
#[derive(Clone, Deserialize)]
pub struct FirebaseParameters {
    /// `base64_signer_key`.
    pub base64_signer_key: String,
    /// `base64_salt_separator`.
    #[serde(default)]
    pub base64_salt_separator: String,
    /// `rounds`.
    pub rounds: u32,
    /// `mem_cost`.
    pub mem_cost: u32,
}

impl std::fmt::Debug for FirebaseParameters {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("***")
    }
}

/// The stored form of a hash as a file holds it: one that can be verified as it stands, or a credential of Keycloak's export, which is
/// JSON with `secretData` and `credentialData`.
///
/// # Errors
/// [`Error::Malformed`].
pub fn bring_hash(text: &str) -> Result<PasswordHash, Error> {
    if text.starts_with('{')
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return keycloak(&value).ok_or(Error::Malformed)?;
    }
    PasswordHash::parse(text)
}

/// The stored form of a hash of Firebase. The project's key is not in it: only what the password has to give with it.
///
/// # Errors
/// [`Error::Malformed`].
pub fn bring_firebase_hash(hash: &str, salt: &str, parameters: &FirebaseParameters) -> Result<PasswordHash, Error> {
    let given = |text: &str| decode(text).ok_or(Error::Malformed);
    let (hash, signer) = (given(hash)?, Zeroizing::new(given(&parameters.base64_signer_key)?));
    let mut salt = given(salt)?;
    salt.extend(given(&parameters.base64_salt_separator)?);
    if hash.len() != signer.len() {
        return Err(Error::Malformed);
    }
    let stream: Vec<u8> = hash.iter().zip(signer.iter()).map(|(hash, key)| hash ^ key).collect();
    let (log_n, r) = (parameters.mem_cost, parameters.rounds);
    let text = format!(
        "$firebase-scrypt$ln={log_n},r={r}${}${}",
        encode(&salt),
        encode(&stream)
    );
    PasswordHash::parse(text)
}

/// Both parts are JSON, or texts that hold it.
fn keycloak(value: &Value) -> Option<Result<PasswordHash, Error>> {
    let part = |name: &str| -> Option<Value> {
        match value.get(name)? {
            Value::String(text) => serde_json::from_str(text).ok(),
            object => Some(object.clone()),
        }
    };
    let (secret, data) = (part("secretData")?, part("credentialData")?);
    let (output, salt) = (secret.get("value")?.as_str()?, secret.get("salt")?.as_str()?);
    let (output, salt) = (encode(&decode(output)?), encode(&decode(salt)?));
    let iterations = data.get("hashIterations")?.as_u64()?;
    let text = match data.get("algorithm")?.as_str()? {
        "pbkdf2" => format!("$pbkdf2-sha1${iterations}${salt}${output}"),
        "pbkdf2-sha256" => format!("$pbkdf2-sha256${iterations}${salt}${output}"),
        "pbkdf2-sha512" => format!("$pbkdf2-sha512${iterations}${salt}${output}"),
        "argon2" => {
            let more = |name: &str| {
                let listed = data.get("additionalParameters")?.get(name)?;
                listed.as_str().or_else(|| listed.get(0)?.as_str())
            };
            let kind = match more("type")? {
                "i" => "argon2i",
                "d" => "argon2d",
                _ => "argon2id",
            };
            let version = if more("version") == Some("1.0") { 16 } else { 19 };
            let (memory, lanes) = (more("memory")?, more("parallelism")?);
            format!("${kind}$v={version}$m={memory},t={iterations},p={lanes}${salt}${output}")
        }
        _ => return None,
    };
    Some(PasswordHash::parse(text))
}
