//! `sessions`: where people are signed in, and its end.

use serde_json::{Value, json};

use super::arguments::{EndSessions, SessionOwner, Sessions};
use super::failure::Failure;
use super::output::Output;
use super::{groups, users};
use crate::flow::operations::inventory;
use crate::flow::people::{self, ChangeSource, LiveSession, OfflineGrants, SessionsOf, UserKey};
use crate::flow::{Call, Provider};
use crate::view::Device;

const SOURCE: ChangeSource = ChangeSource::Command;

pub(super) async fn run(provider: &Provider, call: &Call, command: Sessions) -> Result<Output, Failure> {
    match command {
        Sessions::List { of, limit, json } => {
            let of = sessions_of(provider, &of).await?.unwrap_or(SessionsOf::Everyone);
            let mut rows = Vec::new();
            let mut after = None;
            // what the session store has forgotten leaves gaps in pages
            loop {
                let missing = limit.saturating_sub(u32::try_from(rows.len()).unwrap_or(u32::MAX));
                let page = people::list_live_sessions(provider, call, &of, after.as_deref(), missing).await?;
                for session in page.items {
                    rows.push(row(provider, session).await?);
                }
                after = page.next;
                if after.is_none() || rows.len() >= usize::try_from(limit).unwrap_or(usize::MAX) {
                    break;
                }
            }
            let columns = ["user", "device", "address", "started_at", "seen_at", "id"];
            let table = Output::table(json.shape(), &rows, &columns);
            Ok(match after {
                None => table,
                Some(_) => table.remarking(format!(
                    "these are the first {}; there are more: --limit shows more of them",
                    rows.len()
                )),
            })
        }
        Sessions::End(end) => end_some(provider, call, end).await,
    }
}

async fn row(provider: &Provider, session: LiveSession) -> Result<Value, Failure> {
    let user = people::find_user(provider, &UserKey::Id(session.user)).await?;
    let device = session.user_agent.as_deref().map(Device::read).unwrap_or_default();
    let words: Vec<String> = [device.browser, device.system].into_iter().flatten().collect();
    Ok(json!({
        "id": session.id.to_string(),
        "user": user.map(|user| user.username),
        "user_id": session.user.to_string(),
        "device": words.join(", "),
        "user_agent": session.user_agent,
        "device_id": session.device.map(|device| device.to_string()),
        "address": session.address,
        "place": session.place,
        "started_at": session.started_at.rfc3339(),
        "seen_at": session.seen_at.rfc3339(),
        "ends_at": session.ends_at.rfc3339(),
    }))
}

async fn end_some(provider: &Provider, call: &Call, end: EndSessions) -> Result<Output, Failure> {
    let shape = end.json.shape();
    let offline = if end.with_offline {
        OfflineGrants::End
    } else {
        OfflineGrants::Stay
    };
    if end.all {
        people::end_every_session(provider, call, &SOURCE, offline).await?;
        return Ok(Output::either(shape, &json!({ "ended": null }), || {
            "every session has ended\n".to_owned()
        }));
    }
    if let Some(id) = &end.id {
        let one = id
            .parse()
            .map_err(|_| Failure::usage(format!("{id} is not the id of a session")))?;
        let of = SessionsOf::One(one);
        if people::end_sessions_of(provider, call, &SOURCE, &of, offline)
            .await?
            .ended
            == 0
        {
            return Err(Failure::refused(format!("there is no session {id} that goes on")));
        }
        return Ok(Output::either(shape, &json!({ "ended": 1 }), || {
            "the session has ended\n".to_owned()
        }));
    }
    let Some(of) = sessions_of(provider, &end.of).await? else {
        return Err(Failure::usage(
            "expected the id of a session, --user, --client, --address, --group or --all",
        ));
    };
    let ended = people::end_sessions_of(provider, call, &SOURCE, &of, offline)
        .await?
        .ended;
    Ok(Output::either(shape, &json!({ "ended": ended }), || match ended {
        1 => "1 session has ended\n".to_owned(),
        many => format!("{many} sessions have ended\n"),
    }))
}

/// Whose sessions are meant; nobody's in particular.
async fn sessions_of(provider: &Provider, owner: &SessionOwner) -> Result<Option<SessionsOf>, Failure> {
    if let Some(user) = &owner.user {
        return Ok(Some(SessionsOf::User(users::find(provider, user).await?.id)));
    }
    if let Some(client) = &owner.client {
        return Ok(Some(SessionsOf::Client(inventory::client(provider, client).await?.id)));
    }
    if let Some(group) = &owner.group {
        return Ok(Some(SessionsOf::Group(groups::find(provider, group).await?.id)));
    }
    Ok(owner.address.clone().map(SessionsOf::Address))
}
