//! What the modules of the Basic plan check, however the answer travels: the Form Post plan runs the same ones.

mod claims;
mod provider;
mod redemption;
mod request_parameters;
mod sign_in;
mod trust;

pub use claims::*;
pub use provider::*;
pub use redemption::*;
pub use request_parameters::*;
pub use sign_in::*;
pub use trust::*;

/// One test for each of these modules, in this response mode.
macro_rules! modules {
    ($mode:ident: $($name:ident)+) => {
        $(
            #[tokio::test]
            async fn $name() {
                crate::oidf::module::$name(ostiary::model::ResponseMode::$mode).await;
            }
        )+
    };
}
pub(super) use modules;
