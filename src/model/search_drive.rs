//! By which index people are found. A drive names everybody of whom a part of a condition can hold, and perhaps others: whoever is found
//! by it is judged by the whole condition.

use super::property::searched_key;
use super::search::{Condition, Field, Operator, PropertyField, SearchValue, Sort, Standard};
use super::{Group, Id, Property, Timestamp, User, UserKind, UserStatus};

/// So many alternatives are looked for in one go.
const MOST_ALTERNATIVES: usize = 10;

/// From here to there, both included; open where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Span<T> {
    /// From here on.
    pub from: Option<T>,
    /// Up to here.
    pub to: Option<T>,
}

/// People that an index names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Drive {
    /// Nobody.
    Nobody,
    /// This account.
    One(Id<User>),
    /// Whom clients know by this.
    Subject(String),
    /// Accounts of this status.
    Status(UserStatus),
    /// Accounts of this type.
    Kind(UserKind),
    /// Whoever is in one of these groups.
    Groups(Vec<Id<Group>>),
    /// Whoever is found by a value of a property.
    Property(Id<Property>, Span<String>),
    /// Whoever has a word that begins like this.
    Word(String),
    /// Whoever has a value in a column.
    Column(ColumnOrder, Span<SearchedKey>),
    /// Whoever has none there.
    Without(ColumnOrder),
    /// Whoever one of these names.
    AnyOf(Vec<Drive>),
}

/// A value of a column that people are found and sorted by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SearchedKey {
    /// A text in the form in which it is compared.
    Text(String),
    /// A moment.
    Time(Timestamp),
}

/// An order that an index has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnOrder {
    /// By the making of the accounts.
    Making,
    /// By username.
    Username,
    /// By mail address.
    Email,
    /// By the last sign-in.
    SignedIn,
    /// By the end of the account's time.
    Expires,
}

impl<T: Clone + Ord> Span<T> {
    const fn one_side(from: Option<T>, to: Option<T>) -> Self {
        Self { from, to }
    }

    /// Where both are.
    fn within(&self, other: &Self) -> Self {
        Self {
            from: self.from.clone().max(other.from.clone()),
            to: match (self.to.clone(), other.to.clone()) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
        }
    }

    /// Whether it is one value.
    pub fn is_one(&self) -> bool {
        self.from.is_some() && self.from == self.to
    }
}

impl ColumnOrder {
    /// The order of a sort, if an index has it.
    pub const fn of(sort: &Sort) -> Option<Self> {
        match sort.field {
            Field::Standard(standard) => Self::by(standard),
            _ => None,
        }
    }

    const fn by(standard: Standard) -> Option<Self> {
        match standard {
            Standard::CreatedAt | Standard::Id => Some(Self::Making),
            Standard::Username => Some(Self::Username),
            Standard::Email => Some(Self::Email),
            Standard::SignedInAt => Some(Self::SignedIn),
            Standard::ExpiresAt => Some(Self::Expires),
            _ => None,
        }
    }

    /// Whether no two accounts have the same place in it, so that no other order counts behind it.
    pub const fn is_unique(self) -> bool {
        matches!(self, Self::Making | Self::Username)
    }

    /// Whether there are accounts without a value.
    pub const fn has_gaps(self) -> bool {
        matches!(self, Self::Email | Self::SignedIn | Self::Expires)
    }
}

impl Drive {
    /// The indexes by which those of whom a condition holds can be found, each by itself.
    pub fn of(condition: &Condition) -> Vec<Self> {
        let parts = match condition {
            Condition::All(parts) => parts.as_slice(),
            single => std::slice::from_ref(single),
        };
        let mut drives: Vec<Self> = Vec::new();
        for part in parts {
            let found = match part {
                Condition::All(_) => Self::of(part),
                part => Self::of_part(part).into_iter().collect(),
            };
            for drive in found {
                match drives.iter_mut().find_map(|known| known.narrowed(&drive)) {
                    Some(()) => {}
                    None => drives.push(drive),
                }
            }
        }
        drives
    }

    /// Whether the index gives them in the order of their making.
    pub fn is_by_making(&self) -> bool {
        match self {
            Self::Nobody | Self::One(_) | Self::Subject(_) | Self::Status(_) | Self::Kind(_) | Self::Without(_) => true,
            Self::Groups(groups) => groups.len() == 1,
            Self::Property(_, span) => span.is_one(),
            Self::Word(_) | Self::Column(..) | Self::AnyOf(_) => false,
        }
    }

    /// Where two ask for the same thing, one is narrowed by the other.
    fn narrowed(&mut self, other: &Self) -> Option<()> {
        match (self, other) {
            (Self::Column(column, span), Self::Column(other, by)) if column == other => {
                *span = span.within(by);
                Some(())
            }
            // of a list one value may be here and another there
            (Self::AnyOf(_), Self::AnyOf(_)) => None,
            (one, other) if one == other => Some(()),
            _ => None,
        }
    }

    fn of_part(part: &Condition) -> Option<Self> {
        match part {
            Condition::All(_) => Self::of(part).into_iter().next(),
            Condition::Any(parts) => Self::of_alternatives(parts),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Present(Field::Standard(standard)) => {
                    let column = ColumnOrder::by(*standard).filter(|column| column.has_gaps())?;
                    Some(Self::Without(column))
                }
                _ => None,
            },
            Condition::Present(Field::Standard(standard @ (Standard::SignedInAt | Standard::ExpiresAt))) => {
                let column = ColumnOrder::by(*standard)?;
                Some(Self::Column(column, Span::one_side(None, None)))
            }
            Condition::Present(Field::Property(property)) if property.is_found_by => {
                Some(Self::Property(property.id, Span::one_side(None, None)))
            }
            Condition::Present(_) => None,
            Condition::Compared(field, operator, wanted) => Self::of_comparison(field, *operator, wanted),
            Condition::Word(word) => Some(Self::Word(word.clone())),
            Condition::InGroups(groups) | Condition::PrimaryIn(groups) => Some(Self::Groups(groups.clone())),
        }
    }

    fn of_alternatives(parts: &[Condition]) -> Option<Self> {
        let mut drives = Vec::new();
        for part in parts {
            match Self::of_part(part)? {
                Self::Nobody => {}
                Self::AnyOf(inner) => drives.extend(inner),
                drive => drives.push(drive),
            }
        }
        match drives.len() {
            0 => Some(Self::Nobody),
            1 => drives.pop(),
            many if many <= MOST_ALTERNATIVES => Some(Self::AnyOf(drives)),
            _ => None,
        }
    }

    fn of_comparison(field: &Field, operator: Operator, wanted: &SearchValue) -> Option<Self> {
        let standard = match field {
            Field::Standard(standard) => *standard,
            Field::Property(property) => return Self::of_property(property, operator, wanted),
            Field::Groups | Field::PrimaryGroup => return None,
        };
        if let (Operator::Equal, SearchValue::Text(text)) = (operator, wanted) {
            let known = match standard {
                Standard::Id => Some(text.parse().map_or(Self::Nobody, Self::One)),
                Standard::Subject => Some(Self::Subject(text.clone())),
                Standard::Status => Some(text.parse().map_or(Self::Nobody, Self::Status)),
                Standard::Type => Some(text.parse().map_or(Self::Nobody, Self::Kind)),
                _ => None,
            };
            if known.is_some() {
                return known;
            }
        }
        match (standard, wanted) {
            (Standard::Username | Standard::Email, SearchValue::Text(text)) => {
                let span = span(operator, text.clone())?;
                let key = |text: Option<String>| text.map(SearchedKey::Text);
                let column = ColumnOrder::by(standard)?;
                Some(Self::Column(column, Span::one_side(key(span.from), key(span.to))))
            }
            (Standard::SignedInAt | Standard::ExpiresAt, SearchValue::Time(at)) => {
                let at = SearchedKey::Time(*at);
                let span = match operator {
                    Operator::Equal => Span::one_side(Some(at.clone()), Some(at)),
                    Operator::Greater | Operator::GreaterOrEqual => Span::one_side(Some(at), None),
                    Operator::Less | Operator::LessOrEqual => Span::one_side(None, Some(at)),
                    Operator::Contains | Operator::Begins | Operator::Ends => return None,
                };
                Some(Self::Column(ColumnOrder::by(standard)?, span))
            }
            _ => None,
        }
    }

    fn of_property(property: &PropertyField, operator: Operator, wanted: &SearchValue) -> Option<Self> {
        if !property.is_found_by {
            return None;
        }
        let span = span(operator, searched_key(wanted)?)?;
        Some(Self::Property(property.id, span))
    }
}

/// The texts that compare so. What an index has may be cut off: no end is left out.
fn span(operator: Operator, wanted: String) -> Option<Span<String>> {
    Some(match operator {
        Operator::Equal => Span::one_side(Some(wanted.clone()), Some(wanted)),
        Operator::Begins => {
            let last = format!("{wanted}\u{10FFFF}");
            Span::one_side(Some(wanted), Some(last))
        }
        Operator::Greater | Operator::GreaterOrEqual => Span::one_side(Some(wanted), None),
        Operator::Less | Operator::LessOrEqual => Span::one_side(None, Some(wanted)),
        Operator::Contains | Operator::Ends => return None,
    })
}
