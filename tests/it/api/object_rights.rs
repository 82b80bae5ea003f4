//! Who may read and change which object: random callers, random objects, and beside them the rule, written down once more.
//!
//! A caller is a client with a token of its own or a person at a client; an object is a user, a group, a membership, a session,
//! a consent or a client. The rule knows nothing of the server but what [docs/api.md](../../../docs/api.md) says: a permission
//! opens a route, and the scopes of the account what is a person's own; nobody acts on a user who holds rights of administration that the caller lacks; whoever touches what a group
//! carries holds it, and whoever touches a client holds the scopes of administration it has. What was refused has changed
//! nothing, and what was answered is about the object that was asked for.

use std::collections::{BTreeMap, BTreeSet};

use ostiary::model::{Consent, Id, Scopes, UserStatus};
use serde_json::{Value, json};
use uuid::Uuid;

use super::conversation::{Caller, client_token, service, user_token};
use crate::oauth::scene::Dice;
use crate::support::backend::length;
use crate::support::server::{Server, TestUser};

const PERMISSIONS: &[&str] = &[
    "admin",
    "admin:users",
    "admin:users.read",
    "admin:groups",
    "admin:groups.read",
    "admin:clients",
    "admin:clients.read",
    "admin:sessions",
    "admin:sessions.read",
    "admin:events.read",
    "orders.read",
];

type Set = BTreeSet<&'static str>;

/// Whoever calls.
struct Party<'a> {
    caller: Caller<'a>,
    /// What the token says.
    scope: Set,
    /// Whose token it is, and the session it hangs on; of a client's own token none.
    person: Option<(usize, Uuid)>,
    /// What it may do with the person's own account.
    account: Account,
}

/// The scopes `account.read` and `account`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Account {
    Nothing,
    Reads,
    Changes,
}

struct Person {
    id: Uuid,
    username: String,
    exists: bool,
    active: bool,
    nickname: Option<String>,
}

struct Circle {
    id: Uuid,
    exists: bool,
    permissions: Set,
    description: Option<String>,
    members: BTreeSet<usize>,
}

struct Software {
    id: Uuid,
    exists: bool,
    enabled: bool,
    name: String,
    scope: Set,
}

/// What there is, as the rule knows it.
#[derive(Default)]
struct World {
    people: Vec<Person>,
    circles: Vec<Circle>,
    software: Vec<Software>,
    /// Every session: whose it is, and whether it is live.
    sessions: BTreeMap<Uuid, (usize, bool)>,
    /// Who has allowed which client something.
    consents: BTreeSet<(usize, usize)>,
}

/// Who has settings of their own.
#[derive(Clone, Copy, Debug)]
enum Owner {
    User(usize),
    Group(usize),
    Client(usize),
}

/// What somebody asks for.
#[derive(Clone, Debug)]
enum Wish {
    ReadUser(usize),
    RenameUser(usize),
    Deactivate(usize),
    Reactivate(usize),
    ResetPassword(usize),
    DeleteUser(usize),
    ListSessions(usize),
    EndSessions(usize),
    EndSession(Uuid),
    ListConsents(usize),
    Withdraw(usize, usize),
    ListGroupsOf(usize),
    ReadGroup(usize),
    DescribeGroup(usize),
    Permit(usize, Set),
    DeleteGroup(usize),
    ListMembers(usize),
    Join(usize, usize),
    Leave(usize, usize),
    ReadClient(usize),
    RenameClient(usize),
    Disable(usize),
    Enable(usize),
    NewSecret(usize),
    ListSecrets(usize),
    DeleteClient(usize),
    ReadSettingsOf(Owner),
    ChangeSettingsOf(Owner),
    ReadEffective(usize),
    /// Of a person, or of the members of a group.
    FindSessions(Owner),
    EndFound(Owner),
    Myself,
    MySessions,
    EndMine(Uuid),
    /// An id that is of another kind, or of nothing.
    Elsewhere(&'static str, &'static str, &'static str, Uuid),
}

/// Whether these rights include a permission: `admin` is everything, the whole includes its reading.
fn includes(rights: &Set, wanted: &str) -> bool {
    rights.contains("admin")
        || rights.contains(wanted)
        || (wanted.starts_with("admin:") && wanted.strip_suffix(".read").is_some_and(|whole| rights.contains(whole)))
}

fn covers(rights: &Set, all: &Set) -> bool {
    all.iter().all(|wanted| includes(rights, wanted))
}

fn of_administration(permissions: &Set) -> Set {
    let is = |permission: &&&str| **permission == "admin" || permission.starts_with("admin:");
    permissions.iter().filter(is).copied().collect()
}

impl World {
    /// What the groups of a person carry.
    fn permissions_of(&self, person: usize) -> Set {
        let of_theirs = |circle: &&Circle| circle.exists && circle.members.contains(&person);
        let circles = self.circles.iter().filter(of_theirs);
        circles.flat_map(|circle| circle.permissions.iter().copied()).collect()
    }

    /// What a caller may do now; none if the token does not count any more.
    fn rights_of(&self, party: &Party<'_>) -> Option<Set> {
        let Some((person, session)) = party.person else {
            return Some(of_administration(&party.scope));
        };
        let alive = self.people[person].exists && self.people[person].active && self.sessions[&session].1;
        let permitted = of_administration(&self.permissions_of(person));
        alive.then(|| {
            let of_scope = party.scope.iter().filter(|scope| includes(&permitted, scope)).copied();
            let of_person = permitted.iter().filter(|held| includes(&party.scope, held)).copied();
            of_scope.chain(of_person).collect()
        })
    }

    /// The sessions of a person or of the members of a group that are live, with their owners.
    fn found(&self, owner: Owner) -> impl Iterator<Item = (Uuid, usize)> {
        let is_of = move |person: &usize| match owner {
            Owner::User(at) => at == *person,
            Owner::Group(at) => self.circles[at].exists && self.circles[at].members.contains(person),
            Owner::Client(_) => false,
        };
        let live = self.sessions.iter().filter(|(_, (_, live))| *live);
        live.map(|(id, (owner, _))| (*id, *owner))
            .filter(move |(_, owner)| is_of(owner))
    }

    /// Those of them that somebody with these rights ends: of nobody who holds more.
    fn ended(&self, rights: &Set, owner: Owner) -> BTreeSet<Uuid> {
        let may = |person: usize| covers(rights, &of_administration(&self.permissions_of(person)));
        self.found(owner)
            .filter(|(_, person)| may(*person))
            .map(|(id, _)| id)
            .collect()
    }

    /// What must be answered about a caller's own account; none if the wish is another.
    fn judge_own(&self, party: &Party<'_>, alive: bool, wish: &Wish) -> Option<u16> {
        let needed = match wish {
            Wish::Myself | Wish::MySessions => Account::Reads,
            Wish::EndMine(_) => Account::Changes,
            _ => return None,
        };
        let Some((person, session)) = party.person else {
            return Some(403);
        };
        Some(match wish {
            _ if !alive => 401,
            _ if party.account < needed => 403,
            Wish::EndMine(id) if *id == session => 409,
            Wish::EndMine(id) if self.sessions.get(id) == Some(&(person, true)) => 204,
            Wish::EndMine(_) => 404,
            _ => 200,
        })
    }

    /// What must be answered, by the rule alone.
    fn judge(&self, rights: Option<&Set>, wish: &Wish) -> u16 {
        let Some(rights) = rights else { return 401 };
        if !includes(rights, self.permission(wish)) {
            return 403;
        }
        let user = |at: usize, success: u16| match &self.people[at] {
            person if !person.exists => 404,
            _ if !covers(rights, &of_administration(&self.permissions_of(at))) => 403,
            _ => success,
        };
        let group = |at: usize, also: &Set, success: u16| match &self.circles[at] {
            circle if !circle.exists => 404,
            circle if !covers(rights, &circle.permissions) || !covers(rights, also) => 403,
            _ => success,
        };
        let client = |at: usize, success: u16| match &self.software[at] {
            software if !software.exists => 404,
            software if !covers(rights, &of_administration(&software.scope)) => 403,
            _ => success,
        };
        let seen = |exists: bool| if exists { 200 } else { 404 };
        match wish {
            Wish::ReadUser(at) | Wish::ListSessions(at) | Wish::ListConsents(at) | Wish::ListGroupsOf(at) => {
                seen(self.people[*at].exists)
            }
            Wish::ReadGroup(at) | Wish::ListMembers(at) => seen(self.circles[*at].exists),
            Wish::ReadClient(at) | Wish::ListSecrets(at) => seen(self.software[*at].exists),
            Wish::RenameUser(at) | Wish::Deactivate(at) | Wish::Reactivate(at) | Wish::ResetPassword(at) => {
                user(*at, 200)
            }
            Wish::DeleteUser(at) | Wish::EndSessions(at) => user(*at, 204),
            Wish::EndSession(id) => match self.sessions.get(id) {
                None => 404,
                Some((owner, live)) => user(*owner, if *live { 204 } else { 404 }),
            },
            // of somebody who is gone nothing is left to take back
            Wish::Withdraw(at, _) if !self.people[*at].exists => 404,
            Wish::Withdraw(at, client) => user(
                *at,
                if self.consents.contains(&(*at, *client)) {
                    204
                } else {
                    404
                },
            ),
            Wish::DescribeGroup(at) => group(*at, &Set::new(), 200),
            // what changes nothing confers nothing
            Wish::Permit(at, permissions) if self.circles[*at].permissions == *permissions => {
                seen(self.circles[*at].exists)
            }
            Wish::Permit(at, permissions) => group(*at, permissions, 200),
            Wish::DeleteGroup(at) => group(*at, &Set::new(), 204),
            Wish::Join(_, person) | Wish::Leave(_, person) if !self.people[*person].exists => 404,
            Wish::Join(at, _) => group(*at, &Set::new(), 204),
            Wish::Leave(at, person) => {
                let inside = self.circles[*at].members.contains(person);
                group(*at, &Set::new(), if inside { 204 } else { 404 })
            }
            Wish::RenameClient(at) | Wish::Disable(at) | Wish::Enable(at) | Wish::NewSecret(at) => client(*at, 200),
            Wish::DeleteClient(at) => client(*at, 204),
            Wish::ReadEffective(at) | Wish::ReadSettingsOf(Owner::User(at)) => seen(self.people[*at].exists),
            Wish::ReadSettingsOf(Owner::Group(at)) => seen(self.circles[*at].exists),
            Wish::ReadSettingsOf(Owner::Client(at)) => seen(self.software[*at].exists),
            Wish::ChangeSettingsOf(Owner::User(at)) => user(*at, 200),
            Wish::ChangeSettingsOf(Owner::Group(at)) => group(*at, &Set::new(), 200),
            Wish::ChangeSettingsOf(Owner::Client(at)) => client(*at, 200),
            Wish::FindSessions(_) | Wish::EndFound(_) => 200,
            Wish::Myself | Wish::MySessions | Wish::EndMine(_) => unreachable!("judged by itself"),
            Wish::Elsewhere(..) => 404,
        }
    }

    /// The permission of its route.
    fn permission(&self, wish: &Wish) -> &'static str {
        match wish {
            Wish::ReadUser(_) | Wish::ListConsents(_) => "admin:users.read",
            Wish::RenameUser(_)
            | Wish::Deactivate(_)
            | Wish::Reactivate(_)
            | Wish::ResetPassword(_)
            | Wish::DeleteUser(_)
            | Wish::Withdraw(..) => "admin:users",
            Wish::ListSessions(_) | Wish::FindSessions(_) => "admin:sessions.read",
            Wish::EndSessions(_) | Wish::EndSession(_) | Wish::EndFound(_) => "admin:sessions",
            Wish::Myself | Wish::MySessions | Wish::EndMine(_) => unreachable!("no route of administration"),
            Wish::ReadGroup(_) | Wish::ListMembers(_) | Wish::ListGroupsOf(_) => "admin:groups.read",
            Wish::DescribeGroup(_) | Wish::Permit(..) | Wish::DeleteGroup(_) | Wish::Join(..) | Wish::Leave(..) => {
                "admin:groups"
            }
            Wish::ReadClient(_) | Wish::ListSecrets(_) => "admin:clients.read",
            Wish::RenameClient(_) | Wish::Disable(_) | Wish::Enable(_) | Wish::NewSecret(_) | Wish::DeleteClient(_) => {
                "admin:clients"
            }
            Wish::ReadEffective(_) | Wish::ReadSettingsOf(Owner::User(_)) => "admin:users.read",
            Wish::ReadSettingsOf(Owner::Group(_)) => "admin:groups.read",
            Wish::ReadSettingsOf(Owner::Client(_)) => "admin:clients.read",
            Wish::ChangeSettingsOf(Owner::User(_)) => "admin:users",
            Wish::ChangeSettingsOf(Owner::Group(_)) => "admin:groups",
            Wish::ChangeSettingsOf(Owner::Client(_)) => "admin:clients",
            Wish::Elsewhere(_, _, permission, _) => permission,
        }
    }

    /// How it is asked for.
    fn request(&self, wish: &Wish, turn: usize) -> (&'static str, String, Option<Value>) {
        let user = |at: &usize, rest: &str| format!("/users/{}{rest}", self.people[*at].id);
        let group = |at: &usize, rest: &str| format!("/groups/{}{rest}", self.circles[*at].id);
        let client = |at: &usize, rest: &str| format!("/clients/{}{rest}", self.software[*at].id);
        let member = |at: &usize, person: &usize| group(at, &format!("/members/{}", self.people[*person].id));
        match wish {
            Wish::ReadUser(at) => ("GET", user(at, ""), None),
            Wish::RenameUser(at) => (
                "PATCH",
                user(at, ""),
                Some(json!({"nickname": format!("called {turn}")})),
            ),
            Wish::Deactivate(at) => ("POST", user(at, "/deactivate"), None),
            Wish::Reactivate(at) => ("POST", user(at, "/reactivate"), None),
            Wish::ResetPassword(at) => ("POST", user(at, "/reset-password"), Some(json!({}))),
            Wish::DeleteUser(at) => ("DELETE", user(at, ""), None),
            Wish::ListSessions(at) => ("GET", user(at, "/sessions"), None),
            Wish::EndSessions(at) => ("DELETE", user(at, "/sessions"), None),
            Wish::EndSession(id) => ("DELETE", format!("/sessions/{id}"), None),
            Wish::ListConsents(at) => ("GET", user(at, "/consents"), None),
            Wish::Withdraw(at, of) => (
                "DELETE",
                user(at, &format!("/consents/{}", self.software[*of].id)),
                None,
            ),
            Wish::ListGroupsOf(at) => ("GET", user(at, "/groups"), None),
            Wish::ReadGroup(at) => ("GET", group(at, ""), None),
            Wish::DescribeGroup(at) => (
                "PATCH",
                group(at, ""),
                Some(json!({"description": format!("for {turn}")})),
            ),
            Wish::Permit(at, permissions) => ("PATCH", group(at, ""), Some(json!({"permissions": permissions}))),
            Wish::DeleteGroup(at) => ("DELETE", group(at, ""), None),
            Wish::ListMembers(at) => ("GET", group(at, "/members"), None),
            Wish::Join(at, person) => ("PUT", member(at, person), Some(json!({}))),
            Wish::Leave(at, person) => ("DELETE", member(at, person), None),
            Wish::ReadClient(at) => ("GET", client(at, ""), None),
            Wish::RenameClient(at) => (
                "PATCH",
                client(at, ""),
                Some(json!({"client_name": format!("Named {turn}")})),
            ),
            Wish::Disable(at) => ("POST", client(at, "/disable"), None),
            Wish::Enable(at) => ("POST", client(at, "/enable"), None),
            Wish::NewSecret(at) => ("POST", client(at, "/secrets"), Some(json!({}))),
            Wish::ListSecrets(at) => ("GET", client(at, "/secrets"), None),
            Wish::DeleteClient(at) => ("DELETE", client(at, ""), None),
            Wish::ReadEffective(at) => ("GET", user(at, "/effective-settings"), None),
            Wish::ReadSettingsOf(owner) => ("GET", self.settings_of(*owner), None),
            Wish::ChangeSettingsOf(owner) => {
                let life = json!({"session.lifetime": format!("{}h", 2 + turn % 5)});
                ("PATCH", self.settings_of(*owner), Some(life))
            }
            Wish::FindSessions(owner) => ("GET", self.sessions_of(*owner), None),
            Wish::EndFound(owner) => ("DELETE", self.sessions_of(*owner), None),
            Wish::Myself => ("GET", "/me".to_owned(), None),
            Wish::MySessions => ("GET", "/me/sessions".to_owned(), None),
            Wish::EndMine(id) => ("DELETE", format!("/me/sessions/{id}"), None),
            Wish::Elsewhere(method, path, _, id) => (method, path.replace("{}", &id.to_string()), None),
        }
    }

    fn sessions_of(&self, owner: Owner) -> String {
        let filter = match owner {
            Owner::User(at) => format!("user eq \"{}\"", self.people[at].id),
            Owner::Group(at) => format!("group eq \"{}\"", self.circles[at].id),
            Owner::Client(at) => format!("client eq \"{}\"", self.software[at].id),
        };
        let filter: String = url::form_urlencoded::byte_serialize(filter.as_bytes()).collect();
        format!("/sessions?filter={filter}")
    }

    fn settings_of(&self, owner: Owner) -> String {
        match owner {
            Owner::User(at) => format!("/users/{}/settings", self.people[at].id),
            Owner::Group(at) => format!("/groups/{}/settings", self.circles[at].id),
            Owner::Client(at) => format!("/clients/{}/settings", self.software[at].id),
        }
    }

    /// What an answer with success says must be about what was asked for, and show no more than the caller may see.
    fn check(&self, party: &Party<'_>, rights: &Set, wish: &Wish, answer: &str) {
        let body: Value = serde_json::from_str(answer).unwrap_or_default();
        let listed = |member: &str| -> BTreeSet<String> {
            let items = body["items"].as_array().unwrap();
            items
                .iter()
                .map(|item| item[member].as_str().unwrap().to_owned())
                .collect()
        };
        match wish {
            Wish::ReadUser(at) | Wish::RenameUser(at) => assert_eq!(body["id"], self.people[*at].id.to_string()),
            Wish::ReadGroup(at) => assert_eq!(body["id"], self.circles[*at].id.to_string()),
            Wish::ReadClient(at) => assert_eq!(body["id"], self.software[*at].id.to_string()),
            Wish::ListSessions(at) => {
                let theirs = self.sessions.iter().filter(|(_, (owner, live))| owner == at && *live);
                assert_eq!(listed("id"), theirs.map(|(id, _)| id.to_string()).collect());
            }
            Wish::FindSessions(owner) => {
                let theirs = self.found(*owner).map(|(id, _)| id.to_string());
                assert_eq!(listed("id"), theirs.collect());
            }
            Wish::EndFound(owner) => {
                let (all, ended) = (self.found(*owner).count(), self.ended(rights, *owner).len());
                assert_eq!(body, json!({"ended": ended, "kept": all - ended}));
            }
            Wish::Myself => {
                let (person, _) = party.person.unwrap();
                assert_eq!(body["username"], self.people[person].username.as_str());
            }
            Wish::MySessions => {
                let (person, session) = party.person.unwrap();
                let mine = self.found(Owner::User(person)).map(|(id, _)| id.to_string());
                assert_eq!(listed("id"), mine.collect());
                let mut items = body["items"].as_array().unwrap().iter();
                let current = items.find(|item| item["current"] == true).unwrap();
                assert_eq!(current["id"], session.to_string());
            }
            Wish::ListConsents(at) => {
                let theirs = self.consents.iter().filter(|(person, _)| person == at);
                let clients = theirs.map(|(_, client)| self.software[*client].id.to_string());
                assert_eq!(listed("client"), clients.collect());
            }
            Wish::ListGroupsOf(at) => {
                let theirs = self
                    .circles
                    .iter()
                    .filter(|circle| circle.exists && circle.members.contains(at));
                assert_eq!(listed("id"), theirs.map(|circle| circle.id.to_string()).collect());
            }
            Wish::ListMembers(at) => {
                let members = self.circles[*at].members.iter().map(|member| &self.people[*member]);
                assert_eq!(listed("id"), members.map(|person| person.id.to_string()).collect());
                // who may not read users learns no names here
                let names = answer.contains("\"username\":\"");
                let expected = includes(rights, "admin:users.read") && !self.circles[*at].members.is_empty();
                assert_eq!(names, expected, "{answer}");
            }
            _ => (),
        }
    }

    /// What a granted wish does.
    fn grant(&mut self, rights: &Set, wish: &Wish, turn: usize) {
        match wish {
            Wish::EndFound(owner) => {
                for id in self.ended(rights, *owner) {
                    self.sessions.get_mut(&id).unwrap().1 = false;
                }
            }
            Wish::EndMine(id) => self.sessions.get_mut(id).unwrap().1 = false,
            Wish::RenameUser(at) => self.people[*at].nickname = Some(format!("called {turn}")),
            Wish::Deactivate(at) if self.people[*at].active => {
                self.people[*at].active = false;
                self.end_sessions_of(*at);
            }
            Wish::Reactivate(at) => self.people[*at].active = true,
            Wish::ResetPassword(at) | Wish::EndSessions(at) => self.end_sessions_of(*at),
            Wish::DeleteUser(at) => {
                self.people[*at].exists = false;
                self.sessions.retain(|_, (owner, _)| owner != at);
                self.consents.retain(|(person, _)| person != at);
                for circle in &mut self.circles {
                    circle.members.remove(at);
                }
            }
            Wish::EndSession(id) => self.sessions.get_mut(id).unwrap().1 = false,
            Wish::Withdraw(at, client) => drop(self.consents.remove(&(*at, *client))),
            Wish::DescribeGroup(at) => self.circles[*at].description = Some(format!("for {turn}")),
            Wish::Permit(at, permissions) => self.circles[*at].permissions = permissions.clone(),
            Wish::DeleteGroup(at) => self.circles[*at].exists = false,
            Wish::Join(at, person) => drop(self.circles[*at].members.insert(*person)),
            Wish::Leave(at, person) => drop(self.circles[*at].members.remove(person)),
            Wish::RenameClient(at) => self.software[*at].name = format!("Named {turn}"),
            Wish::Disable(at) => self.software[*at].enabled = false,
            Wish::Enable(at) => self.software[*at].enabled = true,
            Wish::DeleteClient(at) => {
                self.software[*at].exists = false;
                self.consents.retain(|(_, client)| client != at);
            }
            _ => (),
        }
    }

    fn end_sessions_of(&mut self, person: usize) {
        let theirs = self.sessions.values_mut().filter(|(owner, _)| *owner == person);
        theirs.for_each(|(_, live)| *live = false);
    }

    /// Whether it would leave nobody to administer: the first person and the first group keep everything.
    fn is_last(&self, wish: &Wish) -> bool {
        matches!(
            wish,
            Wish::Deactivate(0) | Wish::DeleteUser(0) | Wish::Permit(0, _) | Wish::DeleteGroup(0) | Wish::Leave(0, 0)
        )
    }

    fn draw(&self, dice: &mut Dice) -> Wish {
        let person = dice.below(self.people.len());
        let circle = dice.below(self.circles.len());
        let software = dice.below(self.software.len());
        match dice.below(44) {
            at @ 38..40 => {
                let owner = [Owner::User(person), Owner::Group(circle), Owner::Client(software)][dice.below(3)];
                match at {
                    38 => Wish::FindSessions(owner),
                    _ => Wish::EndFound(owner),
                }
            }
            40 => Wish::Myself,
            41 => Wish::MySessions,
            42 | 43 if !self.sessions.is_empty() => {
                let at = dice.below(self.sessions.len());
                Wish::EndMine(*self.sessions.keys().nth(at).unwrap())
            }
            0 => Wish::ReadUser(person),
            1 | 2 => Wish::RenameUser(person),
            3 => Wish::Deactivate(person),
            4 | 5 => Wish::Reactivate(person),
            6 => Wish::ResetPassword(person),
            7 if dice.below(3) == 0 => Wish::DeleteUser(person),
            8 => Wish::ListSessions(person),
            9 => Wish::EndSessions(person),
            10 | 11 if !self.sessions.is_empty() => {
                let at = dice.below(self.sessions.len());
                Wish::EndSession(*self.sessions.keys().nth(at).unwrap())
            }
            12 => Wish::ListConsents(person),
            13 | 14 => Wish::Withdraw(person, software),
            15 => Wish::ListGroupsOf(person),
            16 => Wish::ReadGroup(circle),
            17 => Wish::DescribeGroup(circle),
            18 | 19 => Wish::Permit(circle, some(dice)),
            20 if dice.below(3) == 0 => Wish::DeleteGroup(circle),
            21 => Wish::ListMembers(circle),
            22 | 23 => Wish::Join(circle, person),
            24 => Wish::Leave(circle, person),
            25 => Wish::ReadClient(software),
            26 => Wish::RenameClient(software),
            27 => Wish::Disable(software),
            28 => Wish::Enable(software),
            29 => Wish::NewSecret(software),
            30 => Wish::ListSecrets(software),
            31 if dice.below(3) == 0 => Wish::DeleteClient(software),
            at @ 34..38 => {
                let owners = [Owner::User(person), Owner::Group(circle), Owner::Client(software)];
                let owner = owners[dice.below(3)];
                match at {
                    34 => Wish::ReadSettingsOf(owner),
                    35 => Wish::ReadEffective(person),
                    _ => Wish::ChangeSettingsOf(owner),
                }
            }
            _ => {
                let ids = [
                    self.people[person].id,
                    self.circles[circle].id,
                    self.software[software].id,
                ];
                let (method, path, permission, own) = [
                    ("GET", "/users/{}", "admin:users.read", 0),
                    ("DELETE", "/users/{}", "admin:users", 0),
                    ("DELETE", "/users/{}/sessions", "admin:sessions", 0),
                    ("GET", "/groups/{}", "admin:groups.read", 1),
                    ("DELETE", "/groups/{}", "admin:groups", 1),
                    ("GET", "/clients/{}", "admin:clients.read", 2),
                    ("POST", "/clients/{}/disable", "admin:clients", 2),
                    ("DELETE", "/sessions/{}", "admin:sessions", 3),
                ][dice.below(8)];
                let id = match dice.below(3) {
                    at if at != own => ids[at],
                    _ => Uuid::from_u128(0x0189_0000_0000_7000_8000_0000_0000_0000),
                };
                Wish::Elsewhere(method, path, permission, id)
            }
        }
    }

    /// Holds it against what is stored.
    async fn hold_against(&self, server: &Server) {
        let mut store = server.provider().store.read().await.unwrap();
        for (at, person) in self.people.iter().enumerate() {
            let stored = store.find_user(Id::from_uuid(person.id)).await.unwrap();
            assert_eq!(stored.is_some(), person.exists, "{}", person.username);
            let Some(stored) = stored else { continue };
            assert_eq!(
                stored.status == UserStatus::Active,
                person.active,
                "{}",
                person.username
            );
            assert_eq!(stored.profile.nickname, person.nickname, "{}", person.username);
            let held = store.list_permissions_of(stored.id).await.unwrap();
            let held: BTreeSet<&str> = held.iter().map(String::as_str).collect();
            assert_eq!(held, self.permissions_of(at), "{}", person.username);
        }
        for circle in &self.circles {
            let stored = store.find_group(Id::from_uuid(circle.id)).await.unwrap();
            assert_eq!(stored.is_some(), circle.exists);
            let Some(stored) = stored else { continue };
            let permissions: BTreeSet<&str> = stored.permissions.iter().map(String::as_str).collect();
            assert_eq!(
                (permissions, &stored.description),
                (circle.permissions.clone(), &circle.description)
            );
            let members = store.list_members(stored.id, None, 100).await.unwrap();
            assert_eq!(members.len(), circle.members.len());
        }
        for software in &self.software {
            let stored = store.find_client(Id::from_uuid(software.id)).await.unwrap();
            assert_eq!(stored.is_some(), software.exists);
            let Some(stored) = stored else { continue };
            assert_eq!(stored.disabled_at.is_none(), software.enabled);
            assert_eq!(stored.metadata.client_name.as_ref(), Some(&software.name));
        }
        for (id, (_, live)) in &self.sessions {
            let stored = store.find_session(Id::from_uuid(*id)).await.unwrap().unwrap();
            assert_eq!(stored.ended_at.is_none(), *live);
        }
        for (at, person) in self.people.iter().enumerate() {
            let stored = store.list_consents_of(Id::from_uuid(person.id), 100).await.unwrap();
            assert_eq!(stored.len(), self.consents.iter().filter(|(of, _)| *of == at).count());
        }
    }
}

/// Some permissions, few rather than many.
fn some(dice: &mut Dice) -> Set {
    (0..dice.below(4))
        .map(|_| PERMISSIONS[dice.below(PERMISSIONS.len())])
        .collect()
}

/// The scope of a caller, many rather than few: what it opens is then refused because of the object.
fn rights(dice: &mut Dice) -> Set {
    // one that may do nothing here gets no token for here
    let mut scope = Set::from([PERMISSIONS[1 + dice.below(8)]]);
    let whole = ["admin:users", "admin:groups", "admin:clients", "admin:sessions"];
    scope.extend(dice.some(&whole));
    if dice.below(6) == 0 {
        scope.insert("admin");
    }
    scope.extend(of_administration(&some(dice)));
    scope
}

/// A world of random people, groups and clients, and random callers in it.
async fn make<'a>(server: &'a Server, dice: &mut Dice) -> (World, Vec<Party<'a>>) {
    let mut world = World::default();
    let tag = ostiary::random::hex_id();
    let mut users: Vec<TestUser> = Vec::new();
    for at in 0..9 {
        let user = server.user(&format!("person-{at}-{tag}")).await;
        world.people.push(Person {
            id: user.id.uuid(),
            username: user.username.clone(),
            exists: true,
            active: true,
            nickname: None,
        });
        users.push(user);
    }
    for at in 0..7 {
        let permissions = if at == 0 { Set::from(["admin"]) } else { some(dice) };
        let members: BTreeSet<usize> = if at == 0 {
            BTreeSet::from([0])
        } else {
            (0..users.len()).filter(|_| dice.below(4) == 0).collect()
        };
        let inside: Vec<&TestUser> = members.iter().map(|member| &users[*member]).collect();
        let listed: Vec<&str> = permissions.iter().copied().collect();
        let id = server.group(&format!("group-{at}-{tag}"), &listed, &inside).await;
        world.circles.push(Circle {
            id: id.uuid(),
            exists: true,
            permissions,
            description: None,
            members,
        });
    }
    for _ in 0..6 {
        let scope = of_administration(&some(dice));
        let client = server
            .client(|client| {
                client.metadata.scope = Scopes::from_tokens(scope.iter().copied().chain(["openid"]));
            })
            .await;
        world.software.push(Software {
            id: client.id.uuid(),
            exists: true,
            enabled: true,
            name: client.client.metadata.client_name.clone().unwrap(),
            scope,
        });
    }
    let mut tx = server.provider().store.write().await.unwrap();
    for (person, user) in users.iter().enumerate() {
        for (client, software) in world.software.iter().enumerate() {
            if dice.below(3) == 0 {
                let consent = Consent {
                    user: user.id,
                    client: Id::from_uuid(software.id),
                    scope: Scopes::from_tokens(["openid"]),
                    claims: Vec::new(),
                    given_at: server.call().now,
                };
                tx.give_consent(&consent).await.unwrap();
                world.consents.insert((person, client));
            }
        }
    }
    tx.commit().await.unwrap();
    let mut parties = Vec::new();
    for _ in 0..9 {
        let scope = rights(dice);
        let words: Vec<&str> = scope.iter().copied().collect();
        let token = client_token(server, &service(server, &words.join(" ")).await).await;
        parties.push(Party {
            caller: Caller::with_token(server, &token).await,
            scope,
            person: None,
            account: Account::Nothing,
        });
    }
    for (person, user) in users.iter().chain(&users).enumerate() {
        let person = person % users.len();
        let mut scope = rights(dice);
        if person == 0 || dice.below(3) > 0 {
            scope.insert("admin");
        }
        let (account, of_account) = [
            (Account::Nothing, "openid"),
            (Account::Reads, "account.read"),
            (Account::Changes, "account"),
        ][dice.below(3)];
        let words: Vec<&str> = scope.iter().copied().chain(["openid", of_account]).collect();
        let words: BTreeSet<&str> = words.into_iter().collect();
        let words: Vec<&str> = words.into_iter().collect();
        let token = user_token(server, user, &words.join(" ")).await;
        let mut store = server.provider().store.read().await.unwrap();
        let sessions = store.list_sessions_of(user.id, 10).await.unwrap();
        let known = |id: &Uuid| world.sessions.contains_key(id);
        let session = sessions.iter().map(|row| row.id.uuid()).find(|id| !known(id)).unwrap();
        world.sessions.insert(session, (person, true));
        parties.push(Party {
            caller: Caller::with_token(server, &token).await,
            scope,
            person: Some((person, session)),
            account,
        });
    }
    (world, parties)
}

/// SEC-750: for random callers and objects the API answers exactly as the rule says. A longer run walks more worlds
/// (`OSTIARY_TEST_LENGTH=full`).
#[tokio::test(flavor = "multi_thread")]
async fn prop_bola_oracle() {
    let (worlds, turns) = length((2, 300), (4, 300), (40, 1000));
    let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
    for seed in 1..=worlds {
        let server = Server::start().await;
        let mut dice = Dice::seeded(seed);
        let (mut world, parties) = make(&server, &mut dice).await;
        for turn in 0..turns {
            let party = &parties[dice.below(parties.len())];
            let wish = world.draw(&mut dice);
            // of those who are gone the sessions are gone as well
            let rights = match party.person {
                Some((_, session)) if !world.sessions.contains_key(&session) => None,
                _ => world.rights_of(party),
            };
            let own = world.judge_own(party, rights.is_some(), &wish);
            let mut expected = own.unwrap_or_else(|| world.judge(rights.as_ref(), &wish));
            if let Wish::DeleteGroup(at) = &wish
                && expected < 300
            {
                // whose primary group it is would be left without one
                let mut store = server.provider().store.read().await.unwrap();
                if store
                    .is_primary_group(ostiary::model::Id::from_uuid(world.circles[*at].id))
                    .await
                    .unwrap()
                {
                    expected = 409;
                }
            }
            if expected < 300 && world.is_last(&wish) {
                continue;
            }
            let (method, path, body) = world.request(&wish, turn);
            let answer = match own {
                Some(_) => party.caller.ask(method, &path).await,
                None => party.caller.send(method, &path, body, &[]).await,
            };
            let status = answer.status.as_u16();
            assert_eq!(
                status, expected,
                "seed {seed}, turn {turn}: {rights:?} wishes {wish:?}: {}",
                answer.body
            );
            *answers.entry(status).or_default() += 1;
            if status < 300 {
                let rights = rights.unwrap();
                world.check(party, &rights, &wish, &answer.body);
                world.grant(&rights, &wish, turn);
            }
        }
        world.hold_against(&server).await;
        server.stop().await;
    }
    // the walk meets every kind of answer often enough to mean something
    for status in [200, 204, 401, 403, 404] {
        let enough = length(10, 20, 20);
        assert!(
            answers.get(&status).is_some_and(|count| *count >= enough),
            "{answers:?}"
        );
    }
}
