//! `/api/docs`: the API as a page to read, made of the same table.

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::Response;
use serde_json::Value;

use super::openapi::{described, generator, tag};
use super::route::{Permission, Route};
use super::{BASE, table};
use crate::flow::Call;
use crate::http::{Http, Sheet};
use crate::view::{ApiDocs, Operation, OperationGroup, OwnPath, Page, Parameter, negotiate};

/// GET /api/docs
pub(super) async fn show(State(http): State<Http>, Extension(call): Extension<Call>, headers: HeaderMap) -> Response {
    let languages = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|languages| languages.to_str().ok());
    let page = Page::ApiDocs(ApiDocs {
        base: http.provider.issuer.api(),
        document: OwnPath::parse("/api/v1/openapi.json"),
        groups: groups(),
    });
    Sheet::new(page, negotiate(&[], None, languages)).show(&http, &call)
}

fn groups() -> Vec<OperationGroup> {
    let mut groups: Vec<OperationGroup> = Vec::new();
    for route in table().iter().filter(|route| route.permission != Permission::Open) {
        let name = tag(route);
        let operation = operation(route);
        match groups.iter_mut().find(|group| group.name == name) {
            Some(group) => group.operations.push(operation),
            None => groups.push(OperationGroup {
                name: name.to_owned(),
                summary: summary(name).to_owned(),
                operations: vec![operation],
            }),
        }
    }
    groups
}

fn summary(name: &str) -> &'static str {
    match name {
        "users" => "People's accounts.",
        "groups" => "Sets of users that carry permissions.",
        "sessions" => "Where people are signed in.",
        "clients" => "Applications and services that ask for tokens.",
        "registration-tokens" => "Tokens that let clients register.",
        "resources" => "APIs with an audience and scopes of their own.",
        "keys" => "What tokens are signed with.",
        "settings" => "What is changed at run time.",
        "events" => "Who did what.",
        _ => "",
    }
}

fn operation(route: &Route) -> Operation {
    let permission = match route.permission {
        Permission::Open => "",
        Permission::Held(permission) => permission,
    };
    let beside = described(route).into_iter().map(|parameter| Parameter {
        name: parameter.name,
        kind: kind(&parameter.schema),
        required: parameter.place == "path",
        place: parameter.place.to_owned(),
        description: parameter.description,
    });
    Operation {
        method: route.method.as_str().to_owned(),
        path: format!("{BASE}{}", route.path),
        permission: permission.to_owned(),
        summary: route.summary.to_owned(),
        parameters: beside.chain(members(route)).collect(),
    }
}

/// The members of a route's body.
fn members(route: &Route) -> Vec<Parameter> {
    let Some(takes) = route.takes else {
        return Vec::new();
    };
    let mut generator = generator();
    let schema = takes(&mut generator);
    let definitions = generator.take_definitions(true);
    // a named type is described once and referred to
    let name = schema
        .get("$ref")
        .and_then(Value::as_str)
        .and_then(|reference| reference.rsplit('/').next());
    let described = name.and_then(|name| definitions.get(name)).unwrap_or(schema.as_value());
    let required: Vec<&str> = described
        .get("required")
        .and_then(Value::as_array)
        .map(|names| names.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let properties = described.get("properties").and_then(Value::as_object);
    let of = |(name, property): (&String, &Value)| Parameter {
        name: name.clone(),
        place: "body".to_owned(),
        kind: kind(property),
        required: required.contains(&name.as_str()),
        description: property
            .get("description")
            .and_then(Value::as_str)
            .unwrap_or_default()
            .replace('`', ""),
    };
    properties
        .map(|properties| properties.iter().map(of).collect())
        .unwrap_or_default()
}

/// A type in a word.
fn kind(schema: &Value) -> String {
    match schema.get("type") {
        Some(Value::String(word)) => word.clone(),
        Some(Value::Array(words)) => words
            .iter()
            .filter_map(Value::as_str)
            .find(|word| *word != "null")
            .unwrap_or("any")
            .to_owned(),
        _ => "object".to_owned(),
    }
}
