//! Statements that stand inside others.

use super::keyword::Keyword as K;
use super::lexer::{Lexer, Token};
use super::rules::after_in;
use crate::backend::Dialect;

/// The first word of the statement that is run in the end, and what follows it: behind `PostgreSQL`'s and `SQLite`'s
/// `EXPLAIN …`, and behind `MariaDB`'s `SET STATEMENT … FOR`. `rest` is what follows the `first` word of `sql`.
///
/// That an `EXPLAIN` may run nothing is not told apart: of `SQLite`'s settings it obeys each all the same.
pub(super) fn innermost(dialect: Dialect, mut first: K, mut rest: Lexer<'_>) -> (K, Lexer<'_>) {
    loop {
        let mut inner = rest;
        let token = match (dialect, first) {
            (Dialect::Postgres, K::EXPLAIN) => behind_explain(&mut inner),
            (Dialect::Sqlite, K::EXPLAIN) => after_in(&mut inner, &[K::QUERY, K::PLAN]),
            (Dialect::MySql, K::SET) if rest.peek() == Token::Word(K::STATEMENT) => {
                behind_for(&mut inner)
            }
            _ => return (first, rest),
        };
        let Token::Word(word) = token else {
            return (first, rest);
        };
        (first, rest) = (word, inner);
    }
}

/// `(option, …)`, or words.
fn behind_explain(rest: &mut Lexer<'_>) -> Token {
    let mut ahead = *rest;
    if ahead.token() == Token::Sign(b'(') {
        *rest = ahead;
        loop {
            match rest.token() {
                Token::Sign(b')') => break,
                token @ (Token::Semicolon | Token::End) => return token,
                _ => {}
            }
        }
    }
    after_in(rest, &[K::ANALYZE, K::ANALYSE, K::VERBOSE])
}

/// Values are expressions, and some functions have a `FOR` of their own.
fn behind_for(rest: &mut Lexer<'_>) -> Token {
    let mut depth = 0_usize;
    loop {
        match rest.token() {
            Token::Sign(b'(') => depth += 1,
            Token::Sign(b')') => depth = depth.saturating_sub(1),
            Token::Word(K::FOR) if depth == 0 => return rest.token(),
            token @ (Token::Semicolon | Token::End) => return token,
            _ => {}
        }
    }
}
