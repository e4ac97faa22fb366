//! The pages of the macros, whose examples run here: the crate of the macros cannot depend on the one
//! whose code they generate.
//!
//! The fixtures lie beside: `<macro>/pass` compiles, `<macro>/fail` is refused with the words in its
//! `.stderr`.

#[doc = include_str!("../../macros/src/docs/with_session.md")]
pub mod with_session {}

#[doc = include_str!("../../macros/src/docs/retry.md")]
pub mod retry {}

#[doc = include_str!("../../macros/src/docs/db_error_handling.md")]
pub mod db_error_handling {}

#[doc = include_str!("../../macros/src/docs/session_error.md")]
pub mod session_error {}
