//! HTTP: requests become calls of flows, and what flows answer becomes responses. A handler holds no rule.
//!
//! One layer, [`layer::edge`], stands around every route: it gives each request its call, refuses what no route should
//! see, turns refusals into the form their reader understands, and sets the headers of every response. What anybody may read
//! and is the same for everybody is answered before it ([`Kept`]).

pub mod answer;
pub mod api;
pub mod error;
pub mod extract;
mod health;
mod kept;
pub mod layer;
pub mod oauth;
pub mod page;
pub mod router;
pub mod sheet;
pub mod state;

pub use error::Refusal;
pub use kept::Kept;
pub use router::{operators, router, router_with};
pub use sheet::Sheet;
pub use state::{Http, Limits, Made, MetricsAccess, Parts};
