//! A property that an administrator has defined, as forms ask for it and pages show it.

use serde::{Deserialize, Serialize};

use super::own_profile::words;

/// A field of a form: `property_` and its name.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PropertyInput {
    /// Its name in the form.
    pub name: String,
    /// What people read.
    pub label: String,
    /// How it is entered.
    pub kind: PropertyInputKind,
    /// What there is to choose, with what people read.
    pub options: Vec<(String, String)>,
    /// What stands in it.
    pub value: String,
    /// Whether it has to be entered.
    pub required: bool,
    /// Whether it is shown, and not changed here.
    pub fixed: bool,
    /// Why it was not taken.
    pub problem: Option<PropertyProblem>,
}

words! {
    /// How a property is entered.
    PropertyInputKind {
        /// On a line.
        Text = "text",
        /// A number.
        Number = "number",
        /// A day.
        Date = "date",
        /// A mail address.
        Email = "email",
        /// A telephone number.
        Tel = "tel",
        /// An address of the web.
        Url = "url",
        /// Yes or no.
        Flag = "flag",
        /// One of several.
        Choice = "choice",
        /// One on each line.
        Lines = "lines",
    }
}

words! {
    /// What can be wrong with a property.
    PropertyProblem {
        /// Nothing stands there.
        Required = "required",
        /// It is too long.
        TooLong = "too_long",
        /// It is too short.
        TooShort = "too_short",
        /// It is less or more than may be.
        Range = "range",
        /// Somebody else has it.
        Taken = "taken",
        /// It is none of those to choose from.
        Choice = "choice",
        /// It is not changed here.
        Fixed = "fixed",
        /// It does not look as it has to.
        Form = "form",
    }
}

impl PropertyInput {
    /// One of each kind, each with another problem, one without, and one that is only shown.
    pub fn samples() -> Vec<Self> {
        let problems = PropertyProblem::ALL.iter().copied().map(Some);
        let inputs = PropertyInputKind::ALL
            .iter()
            .zip(problems.chain(std::iter::repeat(None)));
        let mut inputs: Vec<Self> = inputs
            .map(|(kind, problem)| Self {
                name: format!("property_{}", kind.as_str()),
                label: "Badge".to_owned(),
                kind: *kind,
                options: vec![("a".to_owned(), "All".to_owned())],
                value: "a".to_owned(),
                required: problem.is_some(),
                fixed: false,
                problem,
            })
            .collect();
        inputs.push(Self {
            name: "property_fixed".to_owned(),
            label: "Floor".to_owned(),
            kind: PropertyInputKind::Text,
            options: Vec::new(),
            value: "3".to_owned(),
            required: false,
            fixed: true,
            problem: None,
        });
        inputs
    }
}
