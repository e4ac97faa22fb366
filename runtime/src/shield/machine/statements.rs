//! The user's statements: what is known of one before it is sent, and what of one that was dropped.

use tracing::Span;

use super::{Machine, Place};
use crate::backend::{Driver, Statement};
use crate::error::verdict;
use crate::shield::observe::{self, Observer, Text};
use crate::shield::parts::comes_in_parts;
use crate::shield::scanner::{Effects, says_anything};
use crate::shield::wire::{Carrier, Wire};

impl<DB: Driver, L: Carrier<DB>> Machine<DB, L> {
    /// The connection, and what must watch a statement on it.
    pub(crate) fn statement(&mut self) -> (&mut DB::Connection, Observer<'_, DB>) {
        self.watched(Span::none(), Text::default())
    }

    fn watched(&mut self, span: Span, text: Text) -> (&mut DB::Connection, Observer<'_, DB>) {
        let Place::Here(carrier) = &mut self.place else {
            unreachable!("an active session has its connection at hand")
        };
        let Wire {
            connection, tag, ..
        } = carrier.wire();
        (connection, Observer::new(&mut self.life, tag, span, text))
    }

    /// The same for a statement whose text is known.
    pub(crate) fn sending(
        &mut self,
        statement: &Statement<DB>,
    ) -> (&mut DB::Connection, Observer<'_, DB>) {
        let sql = statement.text();
        let effects = Effects::of(DB::DIALECT, sql, statement.is_prepared());
        if effects.hides {
            self.life.may_commit_silently();
        }
        if let Some(wire) = self.wire() {
            DB::sends(&mut wire.tag, effects.reshapes);
            if effects.hides {
                DB::runs_hidden(&mut wire.tag);
            }
            if effects.calls {
                DB::forget_settings(&mut wire.tag);
            }
            if effects.lingers {
                wire.retire();
            }
        }
        let text = Text {
            in_parts: !self.life.in_transaction() && (effects.hides || comes_in_parts(statement)),
            has_result: DB::LOSES_ANSWERS && says_anything(DB::DIALECT, sql),
        };
        self.watched(observe::span::<DB>(statement.text()), text)
    }

    /// Whether a statement that was dropped in autocommit has been applied, as far as its `leftover` tells.
    pub(super) fn was_applied(&mut self, leftover: Option<&sqlx::Error>) -> Option<bool> {
        let in_parts = self.life.comes_in_parts();
        let has_answered = self.life.has_answered();
        let tag = &self.wire()?.tag;
        match leftover {
            None => DB::was_applied(tag, in_parts, has_answered),
            Some(error) if verdict(error).leaves_doubt() || DB::kept_a_part(tag, error) => None,
            Some(_) => (!in_parts).then_some(false),
        }
    }
}
