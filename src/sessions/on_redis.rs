//! Sessions in Redis. Every step is one command or script on the keys of one user, which share a slot.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use redis::{Script, ScriptInvocation};

use super::{Admission, LetGo, Login, MadeRoom, Room, idle_micros, moment};
use crate::ephemeral::redis_connection::{Error, RedisConnection, Repeat};
use crate::model::{Digest, Id, Session, Timestamp, User};

#[derive(Clone)]
pub(super) struct OnRedis {
    connection: RedisConnection,
    scripts: Arc<Scripts>,
}

struct Scripts {
    admit: Script,
    release: Script,
    touch: Script,
    replace_data: Script,
    rotate: Script,
    list: Script,
    end: Script,
    end_all: Script,
}

/// A script on the ground that all of them share.
macro_rules! script {
    ($file:literal) => {
        Script::new(concat!(include_str!("script/index.lua"), include_str!($file)))
    };
}

/// Token, user, id, the four moments and the data of a session's hash, in this order.
type Fields = Vec<Option<Vec<u8>>>;
const FIELDS: [&str; 8] = ["token", "user", "id", "started", "seen", "expires", "idle", "data"];

impl OnRedis {
    pub fn new(connection: RedisConnection) -> Self {
        let scripts = Scripts {
            admit: script!("script/admit.lua"),
            release: script!("script/release.lua"),
            touch: script!("script/touch.lua"),
            replace_data: script!("script/replace_data.lua"),
            rotate: script!("script/rotate.lua"),
            list: script!("script/list.lua"),
            end: script!("script/end.lua"),
            end_all: script!("script/end_all.lua"),
        };
        Self {
            connection,
            scripts: Arc::new(scripts),
        }
    }

    /// The key of a user's index; the braces are the hash tag.
    fn index(&self, user: Id<User>) -> String {
        format!("{}s:{{{user}}}", self.connection.prefix())
    }

    fn on<'a>(&self, script: &'a Script, user: Id<User>) -> ScriptInvocation<'a> {
        script.key(self.index(user))
    }

    pub async fn admit(
        &self,
        token: &Digest,
        session: &Session,
        room: &Room<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        self.keep("session", token, session, room, now).await
    }

    pub async fn put_back(
        &self,
        token: &Digest,
        session: &Session,
        room: &Room<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        self.keep("lost", token, session, room, now).await
    }

    async fn keep(
        &self,
        kind: &str,
        token: &Digest,
        session: &Session,
        room: &Room<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        let mut invocation = self.on(&self.scripts.admit, session.user);
        asking(&mut invocation, kind, token, room, now)
            .arg(moment(session.started))
            .arg(moment(session.seen))
            .arg(moment(session.ends()))
            .arg(moment(session.expires))
            .arg(idle_micros(session))
            .arg(session.id.to_string())
            .arg(session.user.to_string())
            .arg(session.data.as_slice());
        self.judged(&mut invocation, session.user, room).await
    }

    pub async fn reserve(
        &self,
        user: Id<User>,
        code: &Digest,
        until: Timestamp,
        room: &Room<'_>,
        now: Timestamp,
    ) -> Result<Admission, Error> {
        let mut invocation = self.on(&self.scripts.admit, user);
        asking(&mut invocation, "family", code, room, now).arg(moment(until));
        invocation.arg(room.begun_in.map(|session| session.to_string()).unwrap_or_default());
        // the script has the same places for either
        for _ in 0..6 {
            invocation.arg("");
        }
        self.judged(&mut invocation, user, room).await
    }

    pub async fn release(&self, user: Id<User>, code: &Digest) -> Result<(), Error> {
        let mut invocation = self.on(&self.scripts.release, user);
        invocation.arg(written(code));
        let _done: u32 = self.connection.script(&invocation, Repeat::Safe).await?;
        Ok(())
    }

    async fn judged(
        &self,
        invocation: &mut ScriptInvocation<'_>,
        user: Id<User>,
        room: &Room<'_>,
    ) -> Result<Admission, Error> {
        for family in room.families {
            invocation
                .arg(written(&family.code))
                .arg(moment(family.started))
                .arg(moment(family.seen));
        }
        for code in room.ended {
            invocation.arg(written(code));
        }
        for login in room.first {
            invocation.arg(match login {
                Login::Session(id) => format!("s:{id}"),
                Login::Family(code) => format!("f:{}", written(code)),
            });
        }
        let (word, told, sessions): (String, Vec<String>, Vec<Fields>) =
            self.connection.script(invocation, Repeat::Never).await?;
        if word != "admitted" {
            return Ok(Admission::Refused {
                live: told.first().and_then(|live| live.parse().ok()).unwrap_or(0),
            });
        }
        let let_go = |fields: &Fields| {
            let token = text(fields.first()?)?;
            Some(LetGo {
                token: digest(token)?,
                session: read(fields, user, token)?,
            })
        };
        Ok(Admission::Admitted(MadeRoom {
            sessions: sessions.iter().filter_map(let_go).collect(),
            families: told.iter().filter_map(|code| digest(code)).collect(),
        }))
    }

    pub async fn get(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<Option<Session>, Error> {
        let token = written(token);
        let mut command = redis::cmd("HMGET");
        command.arg(format!("{}:{token}", self.index(user))).arg(&FIELDS);
        let fields: Fields = self.connection.command(&command, Repeat::Safe).await?;
        Ok(read(&fields, user, &token).filter(|session| session.is_live(now)))
    }

    pub async fn touch(&self, user: Id<User>, token: &Digest, now: Timestamp) -> Result<bool, Error> {
        let mut invocation = self.on(&self.scripts.touch, user);
        invocation.arg(written(token)).arg(moment(now));
        self.connection.script(&invocation, Repeat::Safe).await
    }

    pub async fn replace_data(
        &self,
        user: Id<User>,
        token: &Digest,
        data: &[u8],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut invocation = self.on(&self.scripts.replace_data, user);
        invocation.arg(written(token)).arg(moment(now)).arg(data);
        self.connection.script(&invocation, Repeat::Safe).await
    }

    pub async fn rotate(&self, user: Id<User>, old: &Digest, new: &Digest, now: Timestamp) -> Result<bool, Error> {
        let mut invocation = self.on(&self.scripts.rotate, user);
        invocation.arg(written(old)).arg(written(new)).arg(moment(now));
        self.connection.script(&invocation, Repeat::Never).await
    }

    pub async fn list(&self, user: Id<User>, now: Timestamp) -> Result<Vec<Session>, Error> {
        let mut invocation = self.on(&self.scripts.list, user);
        invocation.arg(moment(now));
        let found: Vec<(String, Fields)> = self.connection.script(&invocation, Repeat::Safe).await?;
        let mut sessions: Vec<Session> = found
            .iter()
            .filter_map(|(token, fields)| read(fields, user, token))
            .filter(|session| session.is_live(now))
            .collect();
        sessions.sort_by_key(|session| (session.started, session.id));
        Ok(sessions)
    }

    pub async fn end(&self, user: Id<User>, id: Id<Session>) -> Result<bool, Error> {
        let mut invocation = self.on(&self.scripts.end, user);
        invocation.arg(id.to_string());
        let ended: u32 = self.connection.script(&invocation, Repeat::Never).await?;
        Ok(ended > 0)
    }

    pub async fn end_all(&self, user: Id<User>) -> Result<Vec<Id<Session>>, Error> {
        let invocation = self.on(&self.scripts.end_all, user);
        let ended: Vec<String> = self.connection.script(&invocation, Repeat::Never).await?;
        Ok(ids(&ended))
    }

    pub async fn ping(&self) -> Result<(), Error> {
        self.connection.ping().await
    }
}

/// What stands first in an admission.
fn asking<'a, 'b>(
    invocation: &'a mut ScriptInvocation<'b>,
    kind: &str,
    name: &Digest,
    room: &Room<'_>,
    now: Timestamp,
) -> &'a mut ScriptInvocation<'b> {
    invocation
        .arg(kind)
        .arg(written(name))
        .arg(moment(now))
        .arg(room.limit.max.map(|max| max.to_string()).unwrap_or_default())
        .arg(room.limit.at_limit.word())
        .arg(room.families.len())
        .arg(room.ended.len())
        .arg(room.first.len())
}

fn digest(text: &str) -> Option<Digest> {
    Digest::from_bytes(&URL_SAFE_NO_PAD.decode(text).ok()?)
}

/// A digest as it stands in keys: 43 characters of base64url.
fn written(token: &Digest) -> String {
    URL_SAFE_NO_PAD.encode(token.as_bytes())
}

fn ids(texts: &[String]) -> Vec<Id<Session>> {
    texts.iter().filter_map(|text| text.parse().ok()).collect()
}

/// A session from its fields, if they are whole and belong to this user and token: a hash that was moved under another
/// key signs nobody in.
fn read(fields: &Fields, user: Id<User>, token: &str) -> Option<Session> {
    let [stored_token, stored_user, id, started, seen, expires, idle, data] = fields.as_slice() else {
        return None;
    };
    let stored_user: Id<User> = text(stored_user)?.parse().ok()?;
    if text(stored_token)? != token || stored_user != user {
        tracing::warn!(%user, "a session lies under a key that is not its own");
        return None;
    }
    Some(Session {
        id: text(id)?.parse().ok()?,
        user,
        started: Timestamp::from_micros(number(started)?),
        seen: Timestamp::from_micros(number(seen)?),
        expires: Timestamp::from_micros(number(expires)?),
        idle_timeout: Duration::from_micros(u64::try_from(number(idle)?).ok()?),
        data: data.clone()?,
    })
}

fn text(field: &Option<Vec<u8>>) -> Option<&str> {
    std::str::from_utf8(field.as_deref()?).ok()
}

fn number(field: &Option<Vec<u8>>) -> Option<i64> {
    text(field)?.parse().ok()
}
