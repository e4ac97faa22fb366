//! The arms and options of `#[db_error_handling]` as they were written.

use proc_macro2::TokenStream;
use syn::Path;

use crate::diagnostics::Mistakes;
use crate::options::{self, Arm, Table, Takes};

pub(crate) const TABLE: Table = Table {
    of: "`#[db_error_handling]`",
    options: &[("crate", Takes::Path)],
    synonyms: &[],
    arms: true,
};

/// Valid each by itself.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) arms: Vec<Arm>,
    pub(crate) root: Option<Path>,
}

pub(crate) fn read(tokens: TokenStream, others: &[&Table], mistakes: &Mistakes) -> Args {
    let options = options::read(&TABLE, others, tokens, mistakes);
    Args {
        root: options.path("crate").cloned(),
        arms: options.arms,
    }
}
