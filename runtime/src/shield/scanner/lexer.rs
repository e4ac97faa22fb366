//! SQL text as words, in the three dialects: what is inside literals and comments is never taken for a keyword.
//!
//! The rules are those of the servers under their default settings (`standard_conforming_strings`, no `ANSI_QUOTES`, no
//! `NO_BACKSLASH_ESCAPES`). Text that a server would reject may be read in any way: it is not run.

use super::Dialect;
use super::keyword::Keyword;

/// A piece of SQL text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// An unquoted word.
    Word(Keyword),
    /// A quoted identifier; on `SQLite` any quoted text.
    Name(Keyword),
    /// A string, a dollar-quoted text, a parameter or a number.
    Literal,
    Semicolon,
    /// Any other character.
    Sign(u8),
    End,
}

/// Reads one token after another; a copy looks ahead.
#[derive(Clone, Copy)]
pub(super) struct Lexer<'text> {
    dialect: Dialect,
    text: &'text [u8],
    at: usize,
    /// A backslash hides the quote behind it, as it does on `MySQL`.
    backslashes: bool,
    /// Inside `/*! … */`, which `MySQL` runs.
    in_code_comment: bool,
    /// Such a comment is for another server, and skipped.
    skips_code: bool,
}

impl<'text> Lexer<'text> {
    #[inline]
    pub(super) fn new(dialect: Dialect, sql: &'text str) -> Self {
        Self {
            dialect,
            // sqlx sends SQLite what is left of a text without the blanks of Unicode around it.
            text: match dialect {
                Dialect::Sqlite => sql.trim().as_bytes(),
                _ => sql.as_bytes(),
            },
            at: 0,
            backslashes: dialect == Dialect::MySql,
            in_code_comment: false,
            skips_code: false,
        }
    }

    /// The same text as a server reads it for whose version none of its `/*! … */` is meant.
    pub(super) fn without_code_comments(mut self) -> Self {
        self.skips_code = true;
        self
    }

    /// The same text as a `PostgreSQL` server reads it with `standard_conforming_strings` off.
    pub(super) fn with_backslashes(mut self) -> Self {
        self.backslashes = true;
        self
    }

    /// What has not been read yet.
    #[inline]
    pub(super) fn rest(&self) -> &'text [u8] {
        &self.text[self.at..]
    }

    /// The next token, and the word or the name in it as it stands in the text: longer than a keyword may be.
    pub(super) fn named(&mut self) -> (Token, &'text [u8]) {
        let before = self.rest();
        let token = self.token();
        let read = &before[..before.len() - self.rest().len()];
        let read = read.strip_suffix(b"\"").unwrap_or(read);
        let length = read
            .iter()
            .rev()
            .take_while(|&&byte| continues_word(byte))
            .count();
        (token, &read[read.len() - length..])
    }

    /// The next token without moving on.
    pub(super) fn peek(&self) -> Token {
        let mut ahead = *self;
        ahead.token()
    }

    #[inline]
    fn byte(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }

    #[inline]
    pub(super) fn token(&mut self) -> Token {
        self.skip_blank();
        let Some(byte) = self.byte(0) else {
            return Token::End;
        };
        if starts_word(byte) {
            return self.word();
        }
        self.other(byte)
    }

    #[inline]
    fn word(&mut self) -> Token {
        let text = self.rest();
        let length = text
            .iter()
            .take_while(|&&byte| continues_word(byte))
            .count();
        let word = Keyword::pack_start(text, length);
        self.at += length;
        if word == Keyword::E && self.dialect == Dialect::Postgres && self.byte(0) == Some(b'\'') {
            self.escape_string();
            return Token::Literal;
        }
        Token::Word(word)
    }

    #[inline(never)]
    fn other(&mut self, byte: u8) -> Token {
        self.at += 1;
        match (byte, self.dialect) {
            (b';', _) => Token::Semicolon,
            // SQLite takes a string for a name where a name belongs.
            (b'\'', Dialect::Sqlite) => self.name(byte),
            (b'\'', _) => {
                self.quoted(byte, self.backslashes);
                Token::Literal
            }
            (b'"', Dialect::MySql) => {
                self.quoted(byte, true);
                Token::Literal
            }
            (b'"', _) | (b'`', Dialect::MySql | Dialect::Sqlite) => self.name(byte),
            (b'[', Dialect::Sqlite) => self.name(b']'),
            (b'$', Dialect::Postgres) => {
                self.dollar();
                Token::Literal
            }
            (b'$', _) => self.word(),
            (b'0'..=b'9', _) => {
                while self.byte(0).is_some_and(|digit| digit.is_ascii_digit()) {
                    self.at += 1;
                }
                Token::Literal
            }
            _ => Token::Sign(byte),
        }
    }

    /// The rest of a quoted identifier; one with a doubled quote inside is no name of ours, so it need not be unfolded.
    fn name(&mut self, close: u8) -> Token {
        let start = self.at;
        self.quoted(close, false);
        let end = self.at.saturating_sub(1).max(start);
        Token::Name(Keyword::pack(&self.text[start..end]))
    }

    /// Moves behind the closing quote, or to the end of the text.
    fn quoted(&mut self, close: u8, backslash: bool) {
        while let Some(byte) = self.byte(0) {
            self.at += 1;
            if byte == b'\\' && backslash {
                self.at = (self.at + 1).min(self.text.len());
            } else if byte == close {
                // SQLite's `[…]` has no doubled form.
                if close == b']' || self.byte(0) != Some(close) {
                    return;
                }
                self.at += 1;
            }
        }
    }

    /// `E'…'`: `PostgreSQL` joins literals that are a line break apart, and the later ones keep the escapes.
    fn escape_string(&mut self) {
        loop {
            self.at += 1;
            self.quoted(b'\'', true);
            let mut ahead = *self;
            let mut line_break = false;
            while let Some(byte) = ahead.byte(0) {
                match byte {
                    b'\n' | b'\r' => line_break = true,
                    b' ' | b'\t' | b'\x0b' | b'\x0c' => {}
                    b'-' if ahead.byte(1) == Some(b'-') => {
                        ahead.skip_line();
                        continue;
                    }
                    _ => break,
                }
                ahead.at += 1;
            }
            if !line_break || ahead.byte(0) != Some(b'\'') {
                return;
            }
            *self = ahead;
        }
    }

    /// Behind a `$` of `PostgreSQL`: `$tag$ … $tag$`, or a parameter, of which only the sign is taken here.
    fn dollar(&mut self) {
        let mut tag_end = self.at;
        while let Some(&byte) = self.text.get(tag_end) {
            let in_tag = byte != b'$'
                && if tag_end == self.at {
                    starts_word(byte)
                } else {
                    continues_word(byte)
                };
            if !in_tag {
                break;
            }
            tag_end += 1;
        }
        if self.text.get(tag_end) != Some(&b'$') {
            return;
        }
        let quote = &self.text[self.at - 1..=tag_end];
        let body = &self.text[tag_end + 1..];
        let length = body.windows(quote.len()).position(|window| window == quote);
        self.at = length.map_or(self.text.len(), |length| tag_end + 1 + length + quote.len());
    }

    #[inline]
    fn skip_blank(&mut self) {
        while let Some(byte) = self.byte(0) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c' => self.at += 1,
                b'-' | b'#' | b'/' | b'*' | 0xEF => {
                    if !self.skip_comment(byte) {
                        return;
                    }
                }
                _ => return,
            }
        }
    }

    #[inline(never)]
    /// Whether a comment, or what counts as blank like one, stood here.
    fn skip_comment(&mut self, byte: u8) -> bool {
        let mysql = self.dialect == Dialect::MySql;
        match (byte, self.byte(1)) {
            // To MySQL `a--1` is arithmetic.
            (b'-', Some(b'-'))
                if !mysql || self.byte(2).is_none_or(|next| next <= b' ' || next == 0x7F) =>
            {
                self.skip_line();
            }
            (b'#', _) if mysql => self.skip_line(),
            (b'/', Some(b'*')) => {
                if !(mysql && !self.skips_code && self.enter_code_comment()) {
                    self.skip_block();
                }
            }
            (b'*', Some(b'/')) if self.in_code_comment => {
                self.in_code_comment = false;
                self.at += 2;
            }
            // SQLite takes a byte order mark for a blank.
            (0xEF, Some(0xBB)) if self.dialect == Dialect::Sqlite && self.byte(2) == Some(0xBF) => {
                self.at += 3;
            }
            _ => return false,
        }
        true
    }

    fn skip_line(&mut self) {
        let ends =
            |&byte: &u8| byte == b'\n' || (byte == b'\r' && self.dialect == Dialect::Postgres);
        self.at = self
            .rest()
            .iter()
            .position(ends)
            .map_or(self.text.len(), |length| self.at + length);
    }

    /// `/*!`, `/*!80000`, `/*M!`, `/*M!100100`: the server runs what follows, down to `*/`.
    fn enter_code_comment(&mut self) -> bool {
        let mark = match (self.byte(2), self.byte(3)) {
            (Some(b'!'), _) => 3,
            (Some(b'M'), Some(b'!')) => 4,
            _ => return false,
        };
        self.at += mark;
        let digits = self
            .rest()
            .iter()
            .take(6)
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        if digits >= 5 {
            self.at += digits;
        }
        self.in_code_comment = true;
        true
    }

    fn skip_block(&mut self) {
        let mut depth = 0_usize;
        while let Some(byte) = self.byte(0) {
            match (byte, self.byte(1)) {
                (b'/', Some(b'*')) if depth == 0 || self.dialect == Dialect::Postgres => {
                    depth += 1;
                    self.at += 2;
                }
                (b'*', Some(b'/')) => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.at += 1,
            }
        }
    }
}

#[inline]
fn starts_word(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || byte >= 0x80
}

#[inline]
fn continues_word(byte: u8) -> bool {
    WORD[usize::from(byte)]
}

static WORD: [bool; 256] = {
    let mut word = [false; 256];
    let mut byte = u8::MAX;
    while byte > 0 {
        word[byte as usize] = byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | 0x80..);
        byte -= 1;
    }
    word
};
