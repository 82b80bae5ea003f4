//! `/users`: people's accounts.

use super::list::{Count, ListRule, PageBody, Words};
use super::route::{Method, Route, handler};
use super::sessions::flag;
use super::user_body::{NewUserBody, PasswordResetAnswer, PasswordResetBody, UserBody, UserPatchBody};
use super::within::{Kind, Within};
use super::{Answer, Asked, BASE, Problem};
use crate::flow::Error;
use crate::flow::people::reach::reaches_group;
use crate::flow::people::{self, WeakPasswords};
use crate::model::User;

const READ: &str = "admin:users.read";
const WRITE: &str = "admin:users";
const STATUS: &str = "admin:users.status";
const INVITATIONS: &str = "admin:users.invitations";
const PASSWORDS: &str = "admin:users.passwords";
const UNLOCK: &str = "admin:users.unlock";
const MEMBERS: &str = "admin:groups.members";
/// No further is counted.
const MOST_COUNTED: u32 = 100_000;

const LIST: ListRule = ListRule {
    sorts: &[],
    filters: &[],
    words: Words::People,
    count: Count::IfAsked,
};

pub(super) fn table() -> Vec<Route> {
    let route = Route::new;
    vec![
        route(Method::Get, "/users", READ, "Finds users.", handler!(list)).within(Within::Handler)
            .listed(&LIST)
            .gives::<PageBody<UserBody>>(),
        route(Method::Post, "/users", WRITE, "Makes a user.", handler!(create)).within(Within::Handler)
            .takes::<NewUserBody>()
            .creates::<UserBody>(),
        route(Method::Get, "/users/{id}", READ, "Tells of a user.", handler!(get)).within(Within::Path("id", Kind::User)).gives::<UserBody>(),
        route(Method::Patch, "/users/{id}", WRITE, "Changes a user.", handler!(change)).within(Within::Path("id", Kind::User))
            .takes::<UserPatchBody>()
            .gives::<UserBody>(),
        route(
            Method::Delete,
            "/users/{id}",
            WRITE,
            "Deletes a user: every session and grant ends, and the account is in the bin for a while (account.bin), or gone.",
            handler!(delete),
        ).within(Within::Path("id", Kind::User))
        .asks(&[("erase", "true: it is gone at once and for good, also out of the bin.")]),
        route(
            Method::Post,
            "/users/{id}/restore",
            WRITE,
            "Takes a user out of the bin, as they were: groups, second factors, consents and data. What has ended stays ended.",
            handler!(restore),
        ).within(Within::Path("id", Kind::User))
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/deactivate",
            STATUS,
            "Deactivates a user and ends all sessions and grants.",
            handler!(deactivate),
        ).within(Within::Path("id", Kind::User))
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/reactivate",
            STATUS,
            "Reactivates a user; whoever was invited and never signed in is invited, not active.",
            handler!(reactivate),
        ).within(Within::Path("id", Kind::User))
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/send-invitation",
            INVITATIONS,
            "Mails a user who has not signed in, or was deactivated, a link by which they choose a password. One that was mailed before leads nowhere then.",
            handler!(send_invitation),
        ).within(Within::Path("id", Kind::User))
        .gives::<UserBody>(),
        route(
            Method::Post,
            "/users/{id}/reset-password",
            PASSWORDS,
            "Sets a user's password, or mails a link by which they do, and ends all sessions and grants.",
            handler!(reset_password),
        ).within(Within::Path("id", Kind::User))
        .takes::<PasswordResetBody>()
        .gives::<PasswordResetAnswer>(),
        route(
            Method::Post,
            "/users/{id}/unlock",
            UNLOCK,
            "Unlocks a user who has locked their account, and forgives wrong guesses: nobody waits for them any more.",
            handler!(unlock),
        ).within(Within::Path("id", Kind::User)),
    ]
}

async fn list(asked: Asked) -> Result<Answer, Problem> {
    let listed = asked.listed()?;
    let (provider, call, rights) = (asked.provider(), asked.call(), asked.rights());
    let place = (listed.after.as_deref(), listed.limit);
    let page = people::list_users(provider, call, rights, &listed.search, place).await;
    let page = page.map_err(Problem::of_query)?;
    let count = if listed.count {
        let counted = people::count_users(provider, call, rights, &listed.search, MOST_COUNTED).await?;
        Some((counted.count, counted.at_least))
    } else {
        None
    };
    let properties = provider.properties().await?;
    listed.answer_counted(&asked, page, count, |user| {
        let seen = people::seen_by_administrators(&properties, &user.profile);
        UserBody::of(user, call.now, None).telling(seen)
    })
}

async fn create(asked: Asked) -> Result<Answer, Problem> {
    let body: NewUserBody = asked.read()?;
    if body.contradicts_itself() {
        let detail = "expected one of password, password_hash, generate_password, send_password_link and an invitation";
        return Err(Error::field("/password", "contradiction", detail).into());
    }
    let group = group_to_be_in(&asked, body.group.as_deref()).await?;
    let mut new = body.into_new()?;
    new.groups.extend(group);
    let created = people::create_user(asked.provider(), asked.call(), &asked.source(), new).await?;
    let (location, version) = (format!("{BASE}/users/{}", created.user.id), created.user.version);
    let properties = asked.provider().properties().await?;
    let seen = people::seen_by_administrators(&properties, &created.user.profile);
    let body = UserBody::made(created, asked.call().now).telling(seen);
    Ok(Answer::created(location, &body)?.version(version))
}

/// The name of the group that a new user is put into.
async fn group_to_be_in(asked: &Asked, id: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(id) = id else { return Ok(None) };
    let unknown = || Error::field("/group", "unknown", "there is no group of this id");
    let id = id.parse().map_err(|_| unknown())?;
    let rights = asked.rights();
    // who makes users in groups alone is judged with the user that is made
    if rights.allow(WRITE) && !reaches_group(asked.provider(), rights, MEMBERS, id).await? {
        return Err(Error::Forbidden(MEMBERS.to_owned()).into());
    }
    match people::get_group(asked.provider(), id).await {
        Ok(group) => Ok(Some(group.name)),
        Err(Error::NotFound) => Err(unknown().into()),
        Err(other) => Err(other.into()),
    }
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    one(&asked, people::get_user(asked.provider(), asked.id("id")?).await?).await
}

async fn change(asked: Asked) -> Result<Answer, Problem> {
    let change = asked.read::<UserPatchBody>()?.into_change()?;
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::change_user(asked.provider(), asked.call(), &asked.source(), id, expected, change).await?,
    )
    .await
}

async fn delete(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    let (provider, call, source) = (asked.provider(), asked.call(), asked.source());
    match flag(&asked, "erase")? {
        true => people::delete_user(provider, call, &source, id, expected).await?,
        false => people::bin_user(provider, call, &source, id, expected).await?,
    }
    Ok(Answer::done())
}

async fn restore(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::restore_user(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn deactivate(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::deactivate_user(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn reactivate(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::reactivate_user(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn send_invitation(asked: Asked) -> Result<Answer, Problem> {
    let (id, expected) = (asked.id("id")?, asked.expected()?);
    one(
        &asked,
        people::send_invitation(asked.provider(), asked.call(), &asked.source(), id, expected).await?,
    )
    .await
}

async fn reset_password(asked: Asked) -> Result<Answer, Problem> {
    let password = asked.read::<PasswordResetBody>()?.into_new()?;
    let (id, source) = (asked.id("id")?, asked.source());
    let weak = WeakPasswords::Refuse;
    let told = people::set_password(asked.provider(), asked.call(), &source, id, password, weak).await?;
    Answer::of(&PasswordResetAnswer {
        password: told.map(|password| password.expose().to_owned()),
    })
}

async fn unlock(asked: Asked) -> Result<Answer, Problem> {
    people::unlock_user(asked.provider(), asked.call(), &asked.source(), asked.id("id")?).await?;
    Ok(Answer::done())
}

async fn one(asked: &Asked, user: User) -> Result<Answer, Problem> {
    let version = user.version;
    let properties = asked.provider().properties().await?;
    let seen = people::seen_by_administrators(&properties, &user.profile);
    let body = UserBody::of(user, asked.call().now, None).telling(seen);
    Ok(Answer::of(&body)?.version(version))
}
