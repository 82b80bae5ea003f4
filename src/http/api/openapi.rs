//! The OpenAPI document (3.1), made from the table of routes and the types of the bodies.

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use super::factor_body::NewFactorBody;
use super::list::{Count, ListRule, Words};
use super::problem::ProblemBody;
use super::route::{Method, Permission, Route, handler, schema};
use super::{Answer, Asked, Problem, me, my_account, my_email, my_phone};
use crate::flow::people::permissions;
use crate::flow::provider::Issuer;
use crate::http::extract::cookie::Name;

pub(super) fn route() -> Route {
    Route {
        permission: Permission::Open,
        gives: (200, Some(any)),
        ..Route::new(Method::Get, "/openapi.json", "", "This document.", handler!(get))
    }
}

async fn get(asked: Asked) -> Result<Answer, Problem> {
    let make = || document(&super::table(), &asked.provider().issuer);
    Answer::of(asked.http.made.description.get_or_init(make))
}

fn any(_: &mut SchemaGenerator) -> Schema {
    Schema::from(Map::from_iter([("type".to_owned(), json!("object"))]))
}

/// A generator whose definitions stand where OpenAPI wants them.
pub(super) fn generator() -> SchemaGenerator {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.into_generator()
}

/// The document of a table of routes.
pub(super) fn document(table: &[Route], issuer: &Issuer) -> Value {
    let mut generator = generator();
    let problem = schema::<ProblemBody>(&mut generator);
    let mut paths = Map::new();
    for route in table {
        let operation = operation(route, &mut generator);
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Value::Object(path) = path {
            path.insert(route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    for (method, path, summary, scope) in me::DESCRIBED.into_iter().chain(my_account::DESCRIBED) {
        let item = paths.entry(path).or_insert_with(|| json!({}));
        insert(
            item,
            method,
            own_operation((method, path, summary, scope), &mut generator),
        );
    }
    let scopes: Map<String, Value> = permissions::scopes()
        .iter()
        .map(|scope| (scope.to_owned(), json!("")))
        .collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Ostiary administration API",
            "version": "1",
            "description": "Bearer tokens with the audience of this API. Errors are problems (RFC 9457).",
        },
        "servers": [{"url": issuer.api()}],
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "responses": {"Problem": {
                "description": "It was not done.",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "securitySchemes": {"session": {"type": "apiKey", "in": "cookie", "name": Name::Session.text(issuer)}, "bearer": {
                "type": "oauth2",
                "flows": {
                    "clientCredentials": {"tokenUrl": issuer.path("/oauth2/token"), "scopes": scopes.clone()},
                    "authorizationCode": {
                        "authorizationUrl": issuer.path("/oauth2/authorize"),
                        "tokenUrl": issuer.path("/oauth2/token"),
                        "scopes": scopes,
                    },
                },
            }},
        },
    })
}

/// What a person asks about their own account: by a token with this scope, or by the session's cookie.
fn own_operation((method, path, summary, scope): (&str, &str, &str, &str), generator: &mut SchemaGenerator) -> Value {
    let success = match (method, path) {
        ("delete" | "patch", "/me") | ("put", _) => json!({"200": {
            "description": "It was done.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }}),
        ("delete" | "patch", _)
        | ("post", "/me/password" | "/me/email" | "/me/phone" | "/me/phone/confirm" | "/me/lock") => {
            json!({"204": {"description": "It was done."}})
        }
        _ => json!({if (method, path) == ("post", "/me/factors") { "201" } else { "200" }: {
            "description": "It was done.",
            "content": {"application/json": {"schema": {"type": "object"}}},
        }}),
    };
    let mut operation = json!({
        "operationId": format!("{method}_{}", path.replace(['{', '}'], "").trim_start_matches('/').replace('/', "_")),
        "tags": ["me"],
        "summary": summary,
        "responses": success,
        "security": [{"bearer": [scope]}, {"session": []}],
    });
    let taken = match (method, path) {
        ("post", "/me/password") => Some(generator.subschema_for::<me::PasswordBody>()),
        ("post", "/me/email") => Some(generator.subschema_for::<my_email::EmailBody>()),
        ("post", "/me/email/confirm") => Some(generator.subschema_for::<my_email::TokenBody>()),
        ("post", "/me/phone") => Some(generator.subschema_for::<my_phone::PhoneBody>()),
        ("post", "/me/phone/confirm") => Some(generator.subschema_for::<my_phone::CodeBody>()),
        ("post", "/me/factors") => Some(generator.subschema_for::<NewFactorBody>()),
        ("patch", "/me") => Some(generator.subschema_for::<my_account::OwnProfileBody>()),
        ("patch", "/me/consents/{id}") => Some(generator.subschema_for::<my_account::NarrowBody>()),
        _ => None,
    };
    if let Some(schema) = taken {
        let body = json!({"required": true, "content": {"application/json": {"schema": schema}}});
        insert(&mut operation, "requestBody", body);
    }
    if path.contains("{id}") {
        let id = json!({"name": "id", "in": "path", "required": true, "schema": {"type": "string"}});
        insert(&mut operation, "parameters", json!([id]));
    }
    operation
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let (status, gives) = route.gives;
    let mut success = json!({"description": "It was done."});
    if let Some(gives) = gives {
        insert(
            &mut success,
            "content",
            json!({"application/json": {"schema": gives(generator)}}),
        );
    }
    if !route.streams.is_empty() {
        let file = |media: &&str| ((*media).to_owned(), json!({"schema": {"type": "string"}}));
        insert(
            &mut success,
            "content",
            Value::Object(route.streams.iter().map(file).collect()),
        );
    }
    let mut operation = json!({
        "operationId": operation_id(route),
        "tags": [tag(route)],
        "summary": route.summary,
        "parameters": parameters(route),
        "responses": {status.to_string(): success, "default": {"$ref": "#/components/responses/Problem"}},
        "security": match route.permission {
            Permission::Open => json!([]),
            Permission::Held(permission) => json!([{"bearer": [permission]}]),
        },
    });
    if let (Some(later), Some(responses)) = (route.later, operation.get_mut("responses")) {
        let schema = later(generator);
        let accepted = json!({"description": "It goes on.", "content": {"application/json": {"schema": schema}}});
        insert(responses, "202", accepted);
    }
    if let Some(takes) = route.takes {
        let schema = takes(generator);
        let media_type = match route.method {
            Method::Patch => "application/merge-patch+json",
            _ => "application/json",
        };
        insert(
            &mut operation,
            "requestBody",
            json!({"content": {media_type: {"schema": schema}}}),
        );
    }
    if route.raw {
        let bytes = json!({"type": "string", "format": "binary"});
        let body = json!({"required": true, "content": {"application/octet-stream": {"schema": bytes}}});
        insert(&mut operation, "requestBody", body);
    }
    operation
}

fn insert(object: &mut Value, name: &str, value: Value) {
    if let Value::Object(members) = object {
        members.insert(name.to_owned(), value);
    }
}

/// `post_users_id_deactivate`.
fn operation_id(route: &Route) -> String {
    let words = route.path.split(['/', '-', '.']).filter(|word| !word.is_empty());
    let words: Vec<&str> = words.map(|word| word.trim_matches(['{', '}'])).collect();
    format!("{}_{}", route.method.as_str().to_ascii_lowercase(), words.join("_"))
}

/// The resource that a route belongs to.
pub(super) fn tag(route: &Route) -> &'static str {
    route.path.split('/').nth(1).unwrap_or_default()
}

fn parameters(route: &Route) -> Vec<Value> {
    described(route)
        .into_iter()
        .map(|parameter| {
            json!({
                "name": parameter.name,
                "in": parameter.place,
                "required": parameter.place == "path",
                "description": parameter.description,
                "schema": parameter.schema,
            })
        })
        .collect()
}

/// A parameter of a route.
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) place: &'static str,
    pub(super) description: String,
    pub(super) schema: Value,
}

/// What a route takes beside its body.
pub(super) fn described(route: &Route) -> Vec<Parameter> {
    let mut parameters = Vec::new();
    let mut add = |name: &str, place, description: &str, schema| {
        parameters.push(Parameter {
            name: name.to_owned(),
            place,
            description: description.to_owned(),
            schema,
        });
    };
    let text = || json!({"type": "string"});
    for name in route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
    {
        add(name, "path", "Which one.", text());
    }
    if let Some(rule) = route.list {
        list_parameters(rule, &mut add);
    }
    for (name, sentence) in route.asks {
        add(name, "query", sentence, text());
    }
    match route.method {
        Method::Post => add(
            "Idempotency-Key",
            "header",
            "A key of the caller's own: the request is done once, however often it is sent within a day.",
            json!({"type": "string", "maxLength": 255}),
        ),
        Method::Patch | Method::Delete if route.path.ends_with('}') => {
            add("If-Match", "header", "The ETag of the version that is meant.", text());
        }
        _ => {}
    }
    parameters
}

const FILTER: &str = "Only those of whom this holds: RFC 7644 section 3.4.2.2 over every member of a user, `groups`, `primary_group` and own \
    properties. Times may be `now`, `now-90d`.";
const SORT: &str = "By what they are sorted: up to five members with commas between, `-` before what goes the other way round. More than \
    2000 people are sorted by one of created_at, username, email, signed_in_at and expires_at.";

fn list_parameters(rule: &ListRule, add: &mut impl FnMut(&str, &'static str, &str, Value)) {
    let text = || json!({"type": "string"});
    add(
        "limit",
        "query",
        "How many at most.",
        json!({"type": "integer", "minimum": 1, "maximum": 200, "default": 50}),
    );
    add("after", "query", "The cursor of the page before: its `next`.", text());
    if !rule.sorts.is_empty() {
        add(
            "sort",
            "query",
            "The order.",
            json!({"type": "string", "enum": rule.sorts}),
        );
    }
    if !rule.filters.is_empty() {
        let forms: Vec<String> = rule
            .filters
            .iter()
            .map(|member| match member.contains(' ') {
                true => format!("`{member} \"...\"`"),
                false => format!("`{member} eq \"...\"`"),
            })
            .collect();
        add(
            "filter",
            "query",
            &format!("Only the one with {}.", forms.join(" or ")),
            text(),
        );
    }
    if rule.words == Words::People {
        add("filter", "query", FILTER, text());
        add("sort", "query", SORT, text());
        let inactive = "Whether to tell those that were deactivated, too.";
        add(
            "inactive",
            "query",
            inactive,
            json!({"type": "boolean", "default": false}),
        );
        add(
            "q",
            "query",
            "Only those who have, for each of these words, one that begins like it in their names, addresses and numbers.",
            text(),
        );
    }
    if let Words::Beginning(what) = rule.words {
        add("q", "query", &format!("Only those with {what}."), text());
    }
    if rule.count == Count::IfAsked {
        add(
            "count",
            "query",
            "Whether to tell how many there are.",
            json!({"type": "boolean"}),
        );
    }
}
