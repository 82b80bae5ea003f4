//! Who is signed in, in which browser.
pub struct Browser {
    pub accounts: Vec<Account>,
    pub key: crate::model::Secret,
}
pub struct Account {
    pub session: crate::model::Session,
    pub user: crate::model::User,
    pub facts: SessionFacts,
}
pub struct SessionFacts {
    pub auth_time: crate::model::Timestamp,
    pub amr: Vec<String>,
    pub acr: String,
    pub remember: bool,
}
pub const PASSWORD: &str = "urn:ostiary:password";
