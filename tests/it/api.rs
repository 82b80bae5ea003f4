//! Administration: what the flows of people do, and how the API speaks.

mod groups;
mod people;
mod provider;
