//! What became of one attempt.

use std::sync::Arc;

use super::category::Category;
use super::fault::Fault;
use super::outcome::{Outcome, Phase};
use crate::ledger::Token;

/// What failed in one attempt of an operation.
#[derive(Debug, Clone)]
pub struct AttemptError {
    number: u32,
    category: Category,
    phase: Phase,
    outcome: Outcome,
    code: Option<Box<str>>,
    message: Arc<str>,
    /// What the ledger knows its commits by; empty where it does not know them all.
    tokens: Vec<Token>,
}

impl AttemptError {
    /// The record of an attempt that ended in an error of the user's with a database error inside.
    pub(crate) fn of_fault(
        number: u32,
        fault: &Fault<'_>,
        phase: Phase,
        outcome: Outcome,
    ) -> AttemptError {
        AttemptError {
            number,
            category: fault.category(),
            phase,
            outcome,
            code: fault.code().map(Into::into),
            message: fault.message().into(),
            tokens: Vec::new(),
        }
    }

    pub(crate) fn with_tokens(mut self, tokens: Vec<Token>) -> AttemptError {
        self.tokens = tokens;
        self
    }

    pub(crate) fn set_outcome(&mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    pub(crate) fn tokens(&self) -> &[Token] {
        &self.tokens
    }

    /// Which attempt it was, counted from 1.
    pub fn number(&self) -> u32 {
        self.number
    }

    /// What kind of failure it was.
    pub fn category(&self) -> Category {
        self.category
    }

    /// Where in the session's life it failed.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What became of the attempt's work.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// The code of the database, if it was the database that spoke.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// What was said, for logs alone: it may contain values.
    pub fn message(&self) -> &str {
        &self.message
    }
}
