//! The attribute macros of `steadfast`. Use them through that crate, which re-exports them and holds
//! what they generate calls to.

mod db_error_handling;
mod diagnostics;
mod documentation;
mod duration;
mod entry;
mod function;
mod options;
mod retry;
mod session_error;
mod spans;
mod stack;
mod steps;
mod suggest;
mod types;
mod unit;
mod with_session;
mod words;

use proc_macro::TokenStream;

use crate::stack::Door;

#[doc = include_str!("docs/with_session.md")]
#[proc_macro_attribute]
pub fn with_session(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::attribute(Door::WithSession, args.into(), item.into()).into()
}

#[doc = include_str!("docs/retry.md")]
#[proc_macro_attribute]
pub fn retry(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::attribute(Door::Retry, args.into(), item.into()).into()
}

#[doc = include_str!("docs/db_error_handling.md")]
#[proc_macro_attribute]
pub fn db_error_handling(args: TokenStream, item: TokenStream) -> TokenStream {
    entry::attribute(Door::DbErrorHandling, args.into(), item.into()).into()
}

#[doc = include_str!("docs/session_error.md")]
#[proc_macro_derive(SessionError, attributes(session))]
pub fn session_error(item: TokenStream) -> TokenStream {
    entry::derive(item.into()).into()
}
