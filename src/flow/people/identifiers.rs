//! What people say who they are by when they sign in: which of it counts is a setting. A username wins over another person's address, and
//! both over a number.

use super::fields;
use crate::flow::{Error, Provider};
use crate::model::User;
use crate::model::setting::SIGN_IN_IDENTIFIERS;

/// No username or mail address is longer.
const LONGEST_IDENTIFIER: usize = 512;

/// By what somebody may be found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Identifier {
    Username,
    Email,
    Phone,
}

/// Those that count for a value of the setting.
fn counted(setting: &str) -> &'static [Identifier] {
    use Identifier::{Email, Phone, Username};
    match setting {
        "username" => &[Username],
        "email" => &[Email],
        "any" => &[Username, Email, Phone],
        _ => &[Username, Email],
    }
}

/// Whoever signs in by what was typed, if there is somebody.
///
/// # Errors
/// [`Error::Unavailable`].
pub(in crate::flow) async fn find_who_signs_in(provider: &Provider, typed: &str) -> Result<Option<User>, Error> {
    if typed.len() > LONGEST_IDENTIFIER {
        return Ok(None);
    }
    let counted = counted(provider.settings().await?.word(SIGN_IN_IDENTIFIERS));
    let mut store = provider.store.read().await?;
    for identifier in counted {
        let found = match identifier {
            Identifier::Username => store.find_user_by_username(typed).await?,
            Identifier::Email => store.find_user_by_email(typed).await?,
            Identifier::Phone => {
                let number = fields::typed_phone_number(typed);
                match fields::check_phone_number(&number) {
                    None => store.find_user_by_phone(&number).await?,
                    Some(_) => None,
                }
            }
        };
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}
