//! The administration API as a page to read, made from the same list as its OpenAPI document.

use serde::{Deserialize, Serialize};

use crate::view::OwnPath;

/// Every operation, by resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiDocs {
    /// The audience of the API and the beginning of every path.
    pub base: String,
    /// The OpenAPI document.
    pub document: Option<OwnPath>,
    /// In the order they are shown.
    pub groups: Vec<OperationGroup>,
}

/// The operations on one resource.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OperationGroup {
    /// The resource, as in the path.
    pub name: String,
    /// What it is.
    pub summary: String,
    /// What can be done.
    pub operations: Vec<Operation>,
}

/// One method on one path.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Operation {
    /// `GET`, `POST`, ...
    pub method: String,
    /// With its parameters in braces.
    pub path: String,
    /// The scope that allows it.
    pub permission: String,
    /// What it does, in a sentence.
    pub summary: String,
    /// What it takes.
    pub parameters: Vec<Parameter>,
}

/// One thing an operation takes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Where it stands: `path`, `query`, `header` or `body`.
    pub place: String,
    /// Its type, in a word or two.
    pub kind: String,
    /// Whether it has to be there.
    pub required: bool,
    /// What it means.
    pub description: String,
}

impl ApiDocs {
    /// Two resources.
    pub fn sample() -> Self {
        let operation = |method: &str, path: &str, permission: &str, summary: &str, parameters| Operation {
            method: method.to_owned(),
            path: path.to_owned(),
            permission: permission.to_owned(),
            summary: summary.to_owned(),
            parameters,
        };
        let parameter = |name: &str, place: &str, kind: &str, required, description: &str| Parameter {
            name: name.to_owned(),
            place: place.to_owned(),
            kind: kind.to_owned(),
            required,
            description: description.to_owned(),
        };
        let id = || parameter("id", "path", "id", true, "The user's id.");
        Self {
            base: "https://id.example/api/v1".to_owned(),
            document: OwnPath::parse("/api/v1/openapi.json"),
            groups: vec![
                OperationGroup {
                    name: "users".to_owned(),
                    summary: "People's accounts.".to_owned(),
                    operations: vec![
                        operation(
                            "GET",
                            "/api/v1/users",
                            "admin:users.read",
                            "Lists users.",
                            vec![
                                parameter("filter", "query", "filter", false, "A filter in the SCIM grammar."),
                                parameter("limit", "query", "number", false, "How many at most, 50 unless told."),
                            ],
                        ),
                        operation(
                            "POST",
                            "/api/v1/users",
                            "admin:users",
                            "Creates a user.",
                            vec![parameter(
                                "username",
                                "body",
                                "string",
                                true,
                                "Unique, in any letter case.",
                            )],
                        ),
                        operation(
                            "PATCH",
                            "/api/v1/users/{id}",
                            "admin:users",
                            "Changes a user.",
                            vec![id()],
                        ),
                        operation(
                            "DELETE",
                            "/api/v1/users/{id}",
                            "admin:users",
                            "Deletes a user.",
                            vec![id()],
                        ),
                    ],
                },
                OperationGroup {
                    name: "keys".to_owned(),
                    summary: "The keys that tokens are signed with.".to_owned(),
                    operations: vec![operation(
                        "GET",
                        "/api/v1/keys",
                        "admin:keys.read",
                        "Lists keys.",
                        vec![],
                    )],
                },
            ],
        }
    }
}
