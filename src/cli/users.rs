//! `users`: people's accounts from a terminal.

use serde_json::{Value, json};

use super::arguments::{Json, MembershipArguments, PasswordFrom};
use super::failure::Failure;
use super::input;
use super::output::Output;
use super::user_arguments::{CreateUser, Users};
use crate::flow::operations::inventory;
use crate::flow::people::{
    self, ChangeSource, NewPassword, NewUser, PropertiesChange, Rights, Search, ServerClient, UserChange, UserKey,
    WeakPasswords, Welcome,
};
use crate::flow::{Call, Page, Provider, factor};
use crate::model::setting::LOCALE;
use crate::model::{Factor, RequiredAction, Scopes, Secret, Timestamp, UnknownName, User, UserKind, UserStatus};
use crate::view::Locale;

const SOURCE: ChangeSource = ChangeSource::Command;

pub(super) fn read_input(command: &Users) -> Result<Option<Secret>, Failure> {
    let from = match command {
        Users::Create(create) if create.invite || create.kind == UserKind::Server.as_str() => return Ok(None),
        Users::Create(create) => create.password,
        Users::SetPassword { password, .. } => *password,
        _ => return Ok(None),
    };
    match from {
        PasswordFrom::Generate | PasswordFrom::Mail | PasswordFrom::None => Ok(None),
        PasswordFrom::Prompt => input::new_secret("new password").map(Some),
        PasswordFrom::Stdin => input::line().map(Some),
    }
}

/// Those who are found, as a table.
pub(super) async fn listed(
    provider: &Provider,
    call: &Call,
    search: &Search,
    limit: u32,
    json: Json,
) -> Result<Output, Failure> {
    let page = found(provider, call, search, limit).await?;
    let rows: Vec<Value> = page.items.iter().map(|user| row(user, call.now)).collect();
    let columns = ["username", "email", "name", "state", "id"];
    let table = Output::table(json.shape(), &rows, &columns);
    Ok(match page.next {
        None => table,
        Some(_) => table.remarking(format!(
            "these are the first {}; there are more: --limit shows more of them, --filter fewer",
            rows.len()
        )),
    })
}

/// So many, of however many pages.
async fn found(provider: &Provider, call: &Call, search: &Search, limit: u32) -> Result<Page<User>, Failure> {
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut whole = Page {
        items: Vec::new(),
        next: None,
    };
    loop {
        let left = u32::try_from(wanted.saturating_sub(whole.items.len())).unwrap_or(u32::MAX);
        let place = (whole.next.as_deref(), left.min(1_000));
        let page = people::list_users(provider, call, &Rights::All, search, place).await?;
        whole.items.extend(page.items);
        whole.next = page.next;
        if whole.next.is_none() || whole.items.len() >= wanted {
            return Ok(whole);
        }
    }
}

pub(super) async fn run(
    provider: &Provider,
    call: &Call,
    command: Users,
    input: Option<Secret>,
) -> Result<Output, Failure> {
    match command {
        Users::List {
            which,
            sort,
            limit,
            json,
        } => {
            let search = Search { sort, ..which.search() };
            listed(provider, call, &search, limit, json).await
        }
        // step by step
        Users::Export(_) => Ok(Output::default()),
        Users::Create(new) => create(provider, call, *new, input).await,
        Users::Show { user, json } => {
            let user = find(provider, &user).await?;
            let membership = inventory::membership(provider, &user).await?;
            let mut shown = row(&user, call.now);
            if let Value::Object(members) = &mut shown {
                members.insert("subject".to_owned(), user.subject.clone().into());
                members.insert("groups".to_owned(), json!(membership.groups));
                members.insert("primary_group".to_owned(), json!(membership.primary));
                members.insert("email_verified".to_owned(), user.profile.email_verified.into());
                members.insert("has_password".to_owned(), user.password.is_some().into());
                members.insert("required_actions".to_owned(), json!(user.required_actions));
                members.insert("starts_at".to_owned(), json!(user.starts_at.map(Timestamp::rfc3339)));
                members.insert("expires_at".to_owned(), json!(user.expires_at.map(Timestamp::rfc3339)));
                members.insert("invited_at".to_owned(), json!(user.invited_at.map(Timestamp::rfc3339)));
                members.insert(
                    "signed_in_at".to_owned(),
                    json!(user.signed_in_at.map(Timestamp::rfc3339)),
                );
                if !user.profile.properties.is_empty() {
                    members.insert("properties".to_owned(), json!(user.profile.properties));
                }
                members.insert("created_at".to_owned(), user.created_at.rfc3339().into());
            }
            Ok(Output::thing(json.shape(), &shown))
        }
        Users::Deactivate { user } => {
            let user = find(provider, &user).await?;
            people::deactivate_user(provider, call, &SOURCE, user.id, None).await?;
            Ok(Output::line(format!("{} is deactivated", user.username)))
        }
        Users::Reactivate { user } => {
            let user = find(provider, &user).await?;
            let user = people::reactivate_user(provider, call, &SOURCE, user.id, None).await?;
            Ok(Output::line(format!("{} is {}", user.username, user.status)))
        }
        Users::SendInvitation { user } => {
            let user = find(provider, &user).await?;
            people::send_invitation(provider, call, &SOURCE, user.id, None).await?;
            Ok(Output::line(format!("{} is mailed an invitation", user.username)))
        }
        Users::Term {
            user,
            starts_at,
            expires_at,
        } => {
            let user = find(provider, &user).await?;
            let change = UserChange {
                starts_at: starts_at.as_deref().map(moment_or_none).transpose()?,
                expires_at: expires_at.as_deref().map(moment_or_none).transpose()?,
                ..UserChange::default()
            };
            let user = people::change_user(provider, call, &SOURCE, user.id, None, change).await?;
            let said = |at: Option<Timestamp>, never: &str| at.map_or_else(|| never.to_owned(), Timestamp::rfc3339);
            Ok(Output::line(format!(
                "{} may be used from {} until {}, and is {} now",
                user.username,
                said(user.starts_at, "the beginning"),
                said(user.expires_at, "for ever"),
                user.state(call.now)
            )))
        }
        Users::SetProperty { user, name, value } => {
            let user = find(provider, &user).await?;
            let value = match value.as_str() {
                "null" => None,
                // what is no JSON is a text
                text => Some(serde_json::from_str(text).unwrap_or_else(|_| text.into())),
            };
            let change = UserChange {
                properties: Some(PropertiesChange::Patch([(name.clone(), value)].into())),
                ..UserChange::default()
            };
            let user = people::change_user(provider, call, &SOURCE, user.id, None, change).await?;
            Ok(Output::line(match user.profile.properties.get(&name) {
                Some(value) => format!("{name} of {} is {value}", user.username),
                None => format!("{} has no {name}", user.username),
            }))
        }
        Users::Delete { user, erase } => {
            let user = find(provider, &user).await?;
            match erase {
                true => people::delete_user(provider, call, &SOURCE, user.id, None).await?,
                false => people::bin_user(provider, call, &SOURCE, user.id, None).await?,
            }
            Ok(Output::line(format!("{} is deleted", user.username)))
        }
        Users::Restore { user } => {
            let user = find(provider, &user).await?;
            let user = people::restore_user(provider, call, &SOURCE, user.id, None).await?;
            Ok(Output::line(format!("{} is back, and {}", user.username, user.status)))
        }
        Users::Bulk(bulk) => super::jobs::bulk(provider, call, *bulk).await,
        Users::Factors { user, json } => {
            let user = find(provider, &user).await?;
            let factors = factor::list(provider, user.id).await?;
            let rows: Vec<Value> = factors.iter().map(factor_row).collect();
            Ok(Output::table(
                json.shape(),
                &rows,
                &["name", "kind", "used_at", "created_at", "id"],
            ))
        }
        Users::ResetFactors { user, factor: None } => {
            let user = find(provider, &user).await?;
            let count = factor::remove_all_of(provider, call, &SOURCE, user.id).await?;
            Ok(Output::line(format!(
                "{count} second factors of {} are removed",
                user.username
            )))
        }
        Users::ResetFactors { user, factor: Some(id) } => {
            let user = find(provider, &user).await?;
            let id = id
                .parse()
                .map_err(|_| Failure::usage(format!("{id} is not the id of a second factor")))?;
            factor::remove_of(provider, call, &SOURCE, user.id, id).await?;
            Ok(Output::line(format!("a second factor of {} is removed", user.username)))
        }
        Users::AskEverywhere { user } => {
            let user = find(provider, &user).await?;
            let count = factor::ask_everywhere_of(provider, call, &SOURCE, user.id).await?;
            Ok(Output::line(format!(
                "the second factor of {} was not asked for on {count} devices, and is again",
                user.username
            )))
        }
        Users::Require { user, actions, .. } => {
            let user = find(provider, &user).await?;
            let change = UserChange::requiring(required(&actions)?);
            let user = people::change_user(provider, call, &SOURCE, user.id, None, change).await?;
            let words: Vec<&str> = user.required_actions.iter().map(|action| action.as_str()).collect();
            Ok(Output::line(match words.as_slice() {
                [] => format!("nothing is required of {} at the next sign-in", user.username),
                words => format!(
                    "required of {} at the next sign-in: {}",
                    user.username,
                    words.join(", ")
                ),
            }))
        }
        Users::SetPassword {
            user,
            password,
            accept_weak,
            json,
        } => {
            let user = find(provider, &user).await?;
            let new = new_password(password, input)?;
            let is_given = matches!(new, NewPassword::Given(_));
            let told = people::set_password(provider, call, &SOURCE, user.id, new, weak(accept_weak)).await?;
            let told = told.as_ref().map(Secret::expose);
            let value = json!({ "username": user.username, "password": told });
            Ok(Output::either(json.shape(), &value, || {
                let line = match told {
                    None if !is_given => format!("{} is mailed a link to a new password", user.username),
                    _ => format!("{} has a new password", user.username),
                };
                told.map_or(format!("{line}\n"), |told| format!("{line}, shown this once: {told}\n"))
            }))
        }
        Users::Unlock { user } => {
            let user = find(provider, &user).await?;
            people::unlock_user(provider, call, &SOURCE, user.id).await?;
            Ok(Output::line(format!(
                "{} is unlocked, and nobody waits for guesses at the account any more",
                user.username
            )))
        }
        Users::Invite { email, locale } => {
            let locale = match locale.as_deref() {
                Some(text) => Locale::from_tag(text)
                    .ok_or_else(|| Failure::usage(format!("{text} is not a language there is: en, de or fr")))?,
                None => Locale::from_tag(provider.settings().await?.word(LOCALE)).unwrap_or_default(),
            };
            people::invite(provider, call, email.clone(), locale).await?;
            Ok(Output::line(format!("{email} is mailed a link to an account")))
        }
        Users::AddToGroup { user, group } => {
            super::groups::add(provider, call, &group, &user, &MembershipArguments::default()).await
        }
        Users::RemoveFromGroup { user, group } => super::groups::remove(provider, call, &group, &user, None).await,
    }
}

/// The user of a username or mail address.
pub(super) async fn find(provider: &Provider, identifier: &str) -> Result<User, Failure> {
    let found = people::find_user(provider, &UserKey::Identifier(identifier.to_owned())).await?;
    found.ok_or_else(|| Failure::refused(format!("there is no user {identifier}")))
}

async fn create(provider: &Provider, call: &Call, new: CreateUser, input: Option<Secret>) -> Result<Output, Failure> {
    let mut user = NewUser::named(new.username);
    user.profile.email = new.email;
    user.profile.email_verified = new.email_verified;
    user.profile.given_name = new.given_name;
    user.profile.family_name = new.family_name;
    user.profile.locale = new.locale;
    user.profile.company = new.company;
    for said in new.properties {
        let (name, value) = said
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("{said} is no NAME=VALUE")))?;
        let value = serde_json::from_str(value).unwrap_or_else(|_| value.into());
        user.profile.properties.insert(name.to_owned(), value);
    }
    user.groups = new.groups;
    user.kind = new
        .kind
        .parse()
        .map_err(|unknown: UnknownName| Failure::usage(unknown.to_string()))?;
    if !new.scope.is_empty() {
        user.server = Some(ServerClient::Made(Scopes::from_tokens(
            new.scope.iter().map(String::as_str),
        )));
    }
    user.password = match (new.invite, user.kind) {
        (_, UserKind::Server) => NewPassword::None,
        (true, _) => NewPassword::Mailed,
        (false, _) => new_password(new.password, input)?,
    };
    user.status = match (new.invite, new.inactive) {
        (true, _) => UserStatus::Invited,
        (false, true) => UserStatus::Inactive,
        (false, false) => UserStatus::Active,
    };
    let has_password = !matches!(user.password, NewPassword::None);
    user.weak = weak(new.accept_weak);
    user.required_actions = required(&new.require)?;
    user.starts_at = new.starts_at.as_deref().map(moment).transpose()?;
    user.expires_at = new.expires_at.as_deref().map(moment).transpose()?;
    if new.welcome {
        user.welcome = Welcome::Mail;
    }
    let made = people::create_user(provider, call, &SOURCE, user).await?;
    let told = made.password.as_ref().map(Secret::expose);
    let mut value = row(&made.user, call.now);
    if let (Value::Object(members), Some(told)) = (&mut value, told) {
        members.insert("password".to_owned(), told.into());
    }
    if let (Value::Object(members), Some((client_id, secret))) = (&mut value, &made.client) {
        members.insert("client_id".to_owned(), client_id.clone().into());
        members.insert("client_secret".to_owned(), secret.expose().into());
    }
    Ok(Output::either(new.json.shape(), &value, || {
        if let Some((client_id, secret)) = &made.client {
            return format!(
                "{} is made, with the client {client_id}; its secret, shown this once: {}\n",
                made.user.username,
                secret.expose()
            );
        }
        let line = match (&made.user.password, has_password) {
            _ if new.invite => format!("{} is made, and mailed an invitation", made.user.username),
            (None, true) => format!("{} is made, and mailed a link to a password", made.user.username),
            _ => format!("{} is made", made.user.username),
        };
        told.map_or(format!("{line}\n"), |told| {
            format!("{line}; the password, shown this once: {told}\n")
        })
    }))
}

fn moment_or_none(text: &str) -> Result<Option<Timestamp>, Failure> {
    match text {
        "none" => Ok(None),
        text => moment(text).map(Some),
    }
}

/// A moment, or the beginning of a day in UTC.
pub(super) fn moment(text: &str) -> Result<Timestamp, Failure> {
    let read = Timestamp::parse(text).or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")));
    read.ok_or_else(|| {
        Failure::usage(format!(
            "{text} is no moment like 2027-01-31T08:00:00+01:00, and no day like 2027-01-31"
        ))
    })
}

fn required(words: &[String]) -> Result<Vec<RequiredAction>, Failure> {
    let read = words.iter().map(|word| word.parse());
    read.collect::<Result<_, UnknownName>>()
        .map_err(|unknown| Failure::usage(unknown.to_string()))
}

fn new_password(from: PasswordFrom, input: Option<Secret>) -> Result<NewPassword, Failure> {
    match (from, input) {
        (PasswordFrom::None, _) => Ok(NewPassword::None),
        (PasswordFrom::Generate, _) => Ok(NewPassword::Generated),
        (PasswordFrom::Mail, _) => Ok(NewPassword::Mailed),
        (PasswordFrom::Prompt | PasswordFrom::Stdin, Some(password)) => Ok(NewPassword::Given(password)),
        (PasswordFrom::Prompt | PasswordFrom::Stdin, None) => Err(Failure::usage("the password is missing")),
    }
}

fn weak(accept: bool) -> WeakPasswords {
    if accept {
        WeakPasswords::Accept
    } else {
        WeakPasswords::Refuse
    }
}

fn factor_row(factor: &Factor) -> Value {
    json!({
        "id": factor.id.to_string(),
        "name": factor.name,
        "kind": factor.kind(),
        "created_at": factor.created_at.rfc3339(),
        "used_at": factor.used_at.map(|at| at.rfc3339()),
    })
}

fn row(user: &User, now: Timestamp) -> Value {
    json!({
        "id": user.id.to_string(),
        "username": user.username,
        "email": user.profile.email,
        "name": user.full_name(),
        "type": user.kind.as_str(),
        "status": user.status.as_str(),
        "state": user.state(now).as_str(),
    })
}
