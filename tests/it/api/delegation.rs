//! Administrators whose rights count over groups or resources alone, and owners of groups: what lies outside is not there, and nobody
//! confers, or gains, what they do not hold.

use ostiary::flow::people::{ChangeSource, RoleHolder, put_member};
use ostiary::flow::people::{MembershipChange, give_limited_role};
use ostiary::http::api::route::Permission;
use ostiary::http::api::table;
use ostiary::http::api::within::Within;
use ostiary::model::{Group, Id, Role, RolePlace};
use serde_json::{Value, json};

use super::conversation::{Caller, user_token};
use crate::support::relying_party::Answer;
use crate::support::server::{Server, TestUser, each_backend};

const NOWHERE: &str = "01890000-0000-7000-8000-000000000000";

async fn made(caller: &Caller<'_>, path: &str, body: Value) -> String {
    let answer = caller.post(path, body).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.body);
    answer.get("id")
}

async fn put(caller: &Caller<'_>, path: &str) -> u16 {
    caller.send("PUT", path, None, &[]).await.status.as_u16()
}

async fn member(server: &Server, group: Id<Group>, user: &TestUser) {
    let change = MembershipChange::default();
    put_member(
        server.provider(),
        &server.call(),
        &ChangeSource::Command,
        group,
        user.id,
        change,
    )
    .await
    .unwrap();
}

async fn token_of<'a>(server: &'a Server, user: &TestUser) -> Caller<'a> {
    Caller::with_token(server, &user_token(server, user, "openid admin").await).await
}

/// A refusal without what is of that one request.
fn bare(answer: &Answer) -> (u16, Value) {
    let mut told = answer.json();
    if let Some(told) = told.as_object_mut() {
        told.remove("trace_id");
    }
    (answer.status.as_u16(), told)
}

/// SEC-410: each route of the table refuses an administrator who holds all that can be limited, but over another group and another
/// resource; and it answers about what is there as about what is not.
#[tokio::test(flavor = "multi_thread")]
async fn each_route_refuses_an_administrator_who_is_limited_to_another_group() {
    each_backend(async |server| {
        let boss = Caller::client(server, "admin").await;
        let (here, there) = (server.user("here").await, server.user("secretary").await);
        let south = server.group("southerners", &[], &[&there]).await;
        let north = server.group("north", &[], &[]).await;
        let names = ["https://south.example", "https://north.example"];
        let mut resources = Vec::new();
        for name in names {
            resources.push(made(&boss, "/resources", json!({"identifier": name, "scopes": [name]})).await);
        }
        let declared = json!({"name": "sails.set", "resource": "https://south.example"});
        let declared = made(&boss, "/permissions", declared).await;
        let sailors = json!({"name": "sailors", "resource": "https://south.example", "permissions": ["sails.set"]});
        let sailors = made(&boss, "/roles", sailors).await;
        let of_groups = ["admin:users", "admin:groups", "admin:sessions", "admin:events.read"];
        let of_groups = made(
            &boss,
            "/roles",
            json!({"name": "over groups", "permissions": of_groups}),
        )
        .await;
        let of_resources = ["admin:resources", "admin:roles"];
        let of_resources = made(
            &boss,
            "/roles",
            json!({"name": "over resources", "permissions": of_resources}),
        )
        .await;
        let path = format!("/users/{}/limited-roles", here.id);
        assert_eq!(put(&boss, &format!("{path}/{of_groups}/groups/{north}")).await, 204);
        assert_eq!(
            put(&boss, &format!("{path}/{of_resources}/resources/{}", resources[1])).await,
            204
        );
        let session = token_of(server, &there).await;
        assert_eq!(session.get("/users").await.status, 403);
        let session = boss.get(&format!("/users/{}/sessions", there.id)).await.ok().json();
        let session = session["items"][0]["id"].as_str().unwrap().to_owned();

        let caller = token_of(server, &here).await;
        let named = |path: &str, is_there: bool| {
            let mut parts: Vec<String> = Vec::new();
            for part in path.split('/') {
                let whose = parts.get(1).map(String::as_str);
                let place = match (part, whose) {
                    ("{number}", _) => "0".to_owned(),
                    (part, _) if !part.starts_with('{') => part.to_owned(),
                    _ if !is_there => NOWHERE.to_owned(),
                    ("{id}", Some("users")) | ("{user}", _) => there.id.to_string(),
                    ("{id}", Some("groups")) | ("{group}", _) => south.to_string(),
                    ("{id}", Some("resources")) | ("{resource}", _) => resources[0].clone(),
                    ("{id}", Some("roles")) | ("{role}", _) => sailors.clone(),
                    ("{id}", Some("permissions")) => declared.clone(),
                    ("{id}", Some("sessions")) => session.clone(),
                    _ => NOWHERE.to_owned(),
                };
                parts.push(place);
            }
            parts.join("/")
        };
        let mut closed = 0;
        for route in table() {
            let Permission::Held(_) = route.permission else {
                continue;
            };
            let ask = async |is_there: bool, headers: &[(&str, &str)]| {
                let path = named(route.path, is_there);
                let body = route.takes.map(|_| json!({}));
                caller.send(route.method.as_str(), &path, body, headers).await
            };
            let which = format!("{} {}", route.method.as_str(), route.path);
            let answer = ask(true, &[]).await;
            let status = answer.status.as_u16();
            match route.within {
                Within::Nothing => assert_eq!(status, 403, "{which} {}", answer.body),
                Within::Path(..) => {
                    assert_eq!(status, 404, "{which} {}", answer.body);
                    assert_eq!(bare(&answer), bare(&ask(false, &[]).await), "{which}");
                    let stale = ask(true, &[("if-match", "\"77\"")]).await;
                    assert_eq!(bare(&answer), bare(&stale), "{which}: no version is told");
                    closed += 1;
                }
                Within::Handler | Within::Parts => {
                    for hidden in [
                        there.id.to_string(),
                        south.to_string(),
                        resources[0].clone(),
                        sailors.clone(),
                    ] {
                        assert!(!answer.body.contains(&hidden), "{which} {}", answer.body);
                    }
                    for hidden in ["secretary", "southerners", "south.example", "sails.set"] {
                        assert!(!answer.body.contains(hidden), "{which} {}", answer.body);
                    }
                }
            }
        }
        assert!(closed >= 30, "{closed}");
        // nothing has happened to them
        let still = boss.get(&format!("/users/{}", there.id)).await.ok();
        assert_eq!(still.get("status"), "active");
        boss.get(&format!("/groups/{south}/members/{}", there.id)).await.ok();
        assert_eq!(boss.get(&format!("/roles/{sailors}")).await.status, 200);
        // and what is theirs is open to them
        member(server, north, &there).await;
        for path in [
            "",
            "/sessions",
            "/devices",
            "/factors",
            "/consents",
            "/groups",
            "/history",
        ] {
            let answer = caller.get(&format!("/users/{}{path}", there.id)).await;
            assert_eq!(answer.status, 200, "{path} {}", answer.body);
            assert!(!answer.body.contains(&south.to_string()), "{path} {}", answer.body);
        }
        caller.get(&format!("/resources/{}", resources[1])).await.ok();
    })
    .await;
}

/// What the scene of the help desk is made of.
struct Scene<'a> {
    boss: Caller<'a>,
    desk: Caller<'a>,
    north: Id<Group>,
    oslo: Id<Group>,
    south: Id<Group>,
    ada: TestUser,
    sue: TestUser,
}

/// North, with Oslo in it, where ada is; south, where sue is; and a help desk whose members reset passwords in the north.
async fn scene<'a>(server: &'a Server, permissions: &[&str]) -> (Scene<'a>, Id<Role>) {
    let boss = Caller::client(server, "admin").await;
    let (ada, sue, helper) = (
        server.user("ada").await,
        server.user("sue").await,
        server.user("helper").await,
    );
    let (north, oslo) = (
        server.group("north", &[], &[]).await,
        server.group("oslo", &[], &[&ada]).await,
    );
    let south = server.group("south", &[], &[&sue]).await;
    let desk = server.group("help desk", &[], &[&helper]).await;
    assert_eq!(put(&boss, &format!("/groups/{north}/inner-groups/{oslo}")).await, 204);
    let role = json!({"name": "helper", "permissions": permissions});
    let role = made(&boss, "/roles", role).await;
    let path = format!("/groups/{desk}/limited-roles/{role}/groups/{north}");
    assert_eq!(put(&boss, &path).await, 204);
    assert_eq!(put(&boss, &path).await, 204, "once more");
    let desk = token_of(server, &helper).await;
    let scene = Scene {
        boss,
        desk,
        north,
        oslo,
        south,
        ada,
        sue,
    };
    (scene, role.parse().unwrap())
}

/// The help desk resets passwords in its groups, and nothing else: not of others, not of those who hold more, one by one or many at once,
/// by a kept answer or for a version.
#[tokio::test(flavor = "multi_thread")]
async fn a_help_desk_resets_passwords_in_its_groups_only() {
    each_backend(async |server| {
        let permissions = ["admin:users.passwords", "admin:users.read", "admin:groups.read"];
        let (scene, _) = scene(server, &permissions).await;
        let Scene {
            boss, desk, ada, sue, ..
        } = &scene;
        let reset = |user: &TestUser| format!("/users/{}/reset-password", user.id);
        let generated = json!({});
        let answer = desk.post(&reset(ada), generated.clone()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        assert!(!answer.get("password").is_empty());
        assert_eq!(desk.post(&reset(sue), generated.clone()).await.status, 404);
        desk.get(&format!("/users/{}", ada.id)).await.ok();
        assert_eq!(desk.get(&format!("/users/{}", sue.id)).await.status, 404);
        // another action, whoever it is with
        for user in [ada, sue] {
            let answer = desk
                .send("POST", &format!("/users/{}/deactivate", user.id), None, &[])
                .await;
            assert_eq!(answer.status, 403, "{}", answer.body);
        }
        // who holds more, over whatever, is not for them
        let more = json!({"name": "more", "permissions": ["admin:users"]});
        let more = made(boss, "/roles", more).await;
        let over = format!("/users/{}/limited-roles/{more}/groups/{}", ada.id, scene.south);
        assert_eq!(put(boss, &over).await, 204);
        assert_eq!(desk.post(&reset(ada), generated.clone()).await.status, 403);
        boss.delete(&over).await.ok();
        desk.post(&reset(ada), generated.clone()).await.ok();

        let bulk = json!({"action": "reset-password", "ids": [ada.id.to_string(), sue.id.to_string(), NOWHERE]});
        let told = desk.post("/users/bulk", bulk).await.ok().json();
        let outcome = |place: usize| {
            (
                told["items"][place]["outcome"].clone(),
                told["items"][place]["code"].clone(),
            )
        };
        assert_eq!(outcome(0).0, "done", "{told}");
        assert_eq!(outcome(1), outcome(2));
        assert_eq!(outcome(1), (json!("refused"), json!("not_found")));
        let other = json!({"action": "delete", "ids": [ada.id.to_string()]});
        assert_eq!(desk.post("/users/bulk", other).await.status, 403);
        // lists, words, filters and counts say of nobody else
        let found = async |query: &str| {
            let told = desk.get(&format!("/users?{query}")).await.ok().json();
            let items = told["items"].as_array().unwrap().clone();
            let names = items.iter().map(|user| user["username"].as_str().unwrap().to_owned());
            (names.collect::<Vec<_>>(), told["count"].clone())
        };
        assert_eq!(found("count=true").await, (vec!["ada".to_owned()], json!(1)));
        assert_eq!(found("q=a&count=true&sort=username").await.0, ["ada"]);
        for query in [
            "q=sue".to_owned(),
            "filter=username%20eq%20%22sue%22&count=true".to_owned(),
            format!("filter=id%20eq%20%22{}%22", sue.id),
        ] {
            assert_eq!(found(&query).await.0, Vec::<String>::new(), "{query}");
        }
        for name in ["south", "nowhere"] {
            let answer = desk.get(&format!("/users?filter=groups%20eq%20%22{name}%22")).await;
            let told = answer.json()["errors"][0]["detail"].as_str().unwrap().to_owned();
            assert!(told.ends_with(&format!("there is no group {name}")), "{told}");
        }
        // out of the group, out of reach: at once, and for what was answered before
        let key = [("idempotency-key", "once")];
        let body = Some(generated.clone());
        desk.send("POST", &reset(ada), body.clone(), &key).await.ok();
        boss.delete(&format!("/groups/{}/members/{}", scene.oslo, ada.id))
            .await
            .ok();
        assert_eq!(desk.send("POST", &reset(ada), body, &key).await.status, 404);
        let told = boss.get(&format!("/users/{}/history", ada.id)).await.ok();
        assert!(told.body.contains("group.changed"));
    })
    .await;
}

/// SEC-413: nobody gives over a group what they do not hold there, nor draws somebody into their reach; what can't be limited is not.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_confers_or_gains_over_a_group_what_they_do_not_hold_there() {
    each_backend(async |server| {
        let permissions = [
            "admin:users.passwords",
            "admin:users.read",
            "admin:groups",
            "admin:users",
        ];
        let (scene, role) = scene(server, &permissions).await;
        let Scene {
            boss, desk, ada, sue, ..
        } = &scene;
        // in the south they see only, so nobody of there comes to the north by them
        let see = made(
            boss,
            "/roles",
            json!({"name": "see", "permissions": ["admin:users.read"]}),
        )
        .await;
        let join = |group: Id<Group>, user: &TestUser| format!("/groups/{group}/members/{}", user.id);
        assert_eq!(put(desk, &join(scene.north, sue)).await, 404, "out of sight");
        let helper = boss.get("/users?filter=username%20eq%20%22helper%22").await.ok().json();
        let helper = helper["items"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/users/{helper}/limited-roles/{see}/groups/{}", scene.south);
        assert_eq!(put(boss, &path).await, 204);
        desk.get(&format!("/users/{}", sue.id)).await.ok();
        assert_eq!(put(desk, &join(scene.north, sue)).await, 403, "in sight, not in reach");
        assert_eq!(put(desk, &join(scene.south, ada)).await, 404);
        assert_eq!(put(desk, &join(scene.north, ada)).await, 204);
        desk.delete(&join(scene.north, ada)).await.ok();
        let bulk = json!({"action": "add-to-group", "group": scene.north.to_string(), "ids": [sue.id.to_string()]});
        let told = desk.post("/users/bulk", bulk).await.ok().json();
        assert_eq!(told["items"][0]["code"], "forbidden", "{told}");
        // a user of theirs is made in a group of theirs
        for group in [Value::Null, json!(scene.south.to_string()), json!(NOWHERE)] {
            let answer = desk.post("/users", json!({"username": "new", "group": group})).await;
            assert_eq!(
                answer.json()["errors"][0]["pointer"],
                "/group",
                "{group} {}",
                answer.body
            );
        }
        made(
            desk,
            "/users",
            json!({"username": "new", "group": scene.oslo.to_string()}),
        )
        .await;
        // a name is what applications decide by
        let patch = format!("/groups/{}", scene.oslo);
        assert_eq!(desk.patch(&patch, json!({"name": "board"})).await.status, 403);
        desk.patch(&patch, json!({"description": "the north of the north"}))
            .await
            .ok();

        // giving: by whoever holds it there, which takes admin:roles beside
        let giver = server.user("giver").await;
        let roles = server.group("givers", &["admin:roles"], &[&giver]).await;
        let giver = token_of(server, &giver).await;
        let give = |over: Id<Group>| format!("/users/{}/limited-roles/{role}/groups/{over}", ada.id);
        assert_eq!(put(&giver, &give(scene.oslo)).await, 403);
        let holder = RoleHolder::Group(roles);
        let (source, call) = (ChangeSource::Command, server.call());
        let over = (role, RolePlace::Group(scene.north));
        give_limited_role(server.provider(), &call, &source, holder, over)
            .await
            .unwrap();
        assert_eq!(
            put(&giver, &give(scene.oslo)).await,
            204,
            "what stands in the north is the north"
        );
        assert_eq!(put(&giver, &give(scene.south)).await, 403);
        let listed = boss.get(&format!("/users/{}/limited-roles", ada.id)).await.ok().json();
        assert_eq!(listed["items"][0]["over"], "oslo");
        assert_eq!(giver.delete(&give(scene.south)).await.status, 403);
        giver.delete(&give(scene.oslo)).await.ok();
        // what is about the whole installation is not limited
        for permission in ["admin", "admin:settings", "admin:clients.read", "admin:api-keys"] {
            let wide = json!({"name": permission, "permissions": [permission]});
            let wide = made(boss, "/roles", wide).await;
            let path = format!("/users/{}/limited-roles/{wide}/groups/{}", ada.id, scene.north);
            let refused = boss.send("PUT", &path, None, &[]).await;
            assert_eq!(refused.json()["errors"][0]["code"], "unsupported", "{}", refused.body);
        }
    })
    .await;
}

/// Owners put whom they may see into their group and take members out; nothing else, and not where the setting says no.
#[tokio::test(flavor = "multi_thread")]
async fn owners_of_a_group_look_after_its_members() {
    each_backend(async |server| {
        let boss = Caller::client(server, "admin").await;
        let (ada, bob, eve) = (
            server.user("ada").await,
            server.user("bob").await,
            server.user("eve").await,
        );
        let choir = server.group("choir", &[], &[&bob]).await;
        let path = format!("/groups/{choir}/owners/{}", ada.id);
        assert_eq!(put(&boss, &path).await, 204);
        let listed = boss.get(&format!("/groups/{choir}/owners")).await.ok().json();
        assert_eq!(listed["items"][0]["username"], "ada");
        let own = token_of(server, &ada).await;
        let members = own.get(&format!("/groups/{choir}/members")).await.ok();
        assert!(members.body.contains(&bob.id.to_string()) && !members.body.contains("bob"));
        let seat = |user: &TestUser| format!("/groups/{choir}/members/{}", user.id);
        assert_eq!(put(&own, &seat(&eve)).await, 404, "out of sight");
        let see = made(
            &boss,
            "/roles",
            json!({"name": "see", "permissions": ["admin:users.read"]}),
        )
        .await;
        let all = server.group("everybody", &[], &[&eve]).await;
        assert_eq!(
            put(&boss, &format!("/users/{}/limited-roles/{see}/groups/{all}", ada.id)).await,
            204
        );
        assert_eq!(put(&own, &seat(&eve)).await, 204);
        own.delete(&seat(&bob)).await.ok();
        let refused = [
            ("PATCH", format!("/groups/{choir}")),
            ("DELETE", format!("/groups/{choir}")),
            ("PUT", format!("/groups/{choir}/owners/{}", bob.id)),
            ("POST", format!("/users/{}/reset-password", eve.id)),
        ];
        for (method, path) in refused {
            let answer = own.send(method, &path, None, &[]).await;
            assert_eq!(answer.status, 403, "{method} {path} {}", answer.body);
        }
        boss.patch("/settings", json!({"groups": {"owners_manage_members": false}}))
            .await;
        let answer = own.delete(&seat(&eve)).await;
        if answer.status != 403 {
            panic!("{} {}", answer.status, answer.body);
        }
    })
    .await;
}
