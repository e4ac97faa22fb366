//! Reads the client's side of `PostgreSQL`'s protocol.

use std::collections::HashMap;

use super::framing::{Frame, Framing};
use super::protocol::Seen;
use super::sent::{Sent, text};

const START_UP: u32 = 3 << 16;
// First byte of a TLS handshake: from there on nothing can be read.
const TLS: u8 = 0x16;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct PostgresReader {
    framing: Framing,
    phase: Phase,
    statements: HashMap<Vec<u8>, String>,
    portals: HashMap<Vec<u8>, String>,
    /// Something since the last Sync, which that Sync ends.
    busy: bool,
}

/// What kind of message comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Without a type byte: requests for encryption or to cancel, and the start-up message.
    #[default]
    Start,
    Typed,
    Unreadable,
}

impl PostgresReader {
    pub(super) fn client(&mut self, piece: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        // Taken out, so that the closures can have the rest.
        let mut framing = std::mem::take(&mut self.framing);
        let phase = std::cell::Cell::new(self.phase);
        framing.feed(
            piece,
            |begun| length(begun, &phase),
            |Frame { bytes, start, end }| {
                if phase.get() == Phase::Start {
                    if number(bytes, 4) == Some(START_UP) {
                        phase.set(Phase::Typed);
                    }
                } else if phase.get() == Phase::Typed
                    && let Some(sent) = self.message(bytes)
                {
                    seen.push(Seen { start, end, sent });
                }
            },
        );
        self.framing = framing;
        self.phase = phase.get();
        seen
    }

    pub(super) fn complete(&self) -> Option<u64> {
        (self.phase != Phase::Unreadable).then(|| self.framing.complete())
    }

    fn message(&mut self, bytes: &[u8]) -> Option<Sent> {
        let (kind, body) = (*bytes.first()?, bytes.get(5..)?);
        let mut parts = body.split(|&byte| byte == 0);
        let first = parts.next().unwrap_or_default();
        let was_busy = std::mem::replace(&mut self.busy, kind != b'S');
        match kind {
            b'Q' => {
                self.busy = false;
                Some(Sent::Query(text(first)))
            }
            b'P' => {
                let statement = text(parts.next().unwrap_or_default());
                self.statements.insert(first.to_vec(), statement.clone());
                Some(Sent::Prepare(statement))
            }
            b'B' => {
                let statement = self
                    .statements
                    .get(parts.next().unwrap_or_default())
                    .cloned()
                    .unwrap_or_default();
                self.portals.insert(first.to_vec(), statement);
                None
            }
            b'E' => Some(Sent::Execute(
                self.portals.get(first).cloned().unwrap_or_default(),
            )),
            b'C' => {
                let named = if first.first() == Some(&b'S') {
                    &mut self.statements
                } else {
                    &mut self.portals
                };
                named.remove(first.get(1..).unwrap_or_default());
                None
            }
            b'S' if !was_busy => Some(Sent::Ping),
            // A password, or the data of a COPY: no statement, and no work that a Sync would end.
            b'p' | b'd' | b'c' | b'f' => {
                self.busy = was_busy;
                None
            }
            _ => None,
        }
    }
}

fn length(begun: &[u8], phase: &std::cell::Cell<Phase>) -> Option<usize> {
    match (phase.get(), begun.first()) {
        (Phase::Start, Some(&TLS)) => {
            phase.set(Phase::Unreadable);
            Some(usize::MAX)
        }
        (Phase::Start, _) => number(begun, 0).map(|length| (length as usize).max(4)),
        (Phase::Typed, _) => number(begun, 1).map(|length| (length as usize).max(4) + 1),
        (Phase::Unreadable, _) => Some(usize::MAX),
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes
        .get(at..at + 4)?
        .try_into()
        .ok()
        .map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start_up(code: u32, rest: &[u8]) -> Vec<u8> {
        let length = u32::try_from(8 + rest.len()).unwrap();
        [&length.to_be_bytes()[..], &code.to_be_bytes(), rest].concat()
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(4 + body.len()).unwrap();
        [&[kind][..], &length.to_be_bytes(), body].concat()
    }

    fn session() -> Vec<u8> {
        [
            start_up(80_877_103, b""),
            start_up(START_UP, b"user\0me\0\0"),
            message(b'p', b"secret\0"),
            message(b'Q', b"BEGIN\0"),
            message(b'P', b"s1\0SELECT $1\0\0\0"),
            message(b'D', b"Ss1\0"),
            message(b'S', b""),
            message(b'B', b"\0s1\0\0\0\0\x01\0\0\0\x011\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
            message(b'S', b""),
            message(b'Q', b"COMMIT\0"),
            message(b'X', b""),
        ]
        .concat()
    }

    fn expected() -> Vec<Sent> {
        vec![
            Sent::Query("BEGIN".into()),
            Sent::Prepare("SELECT $1".into()),
            Sent::Execute("SELECT $1".into()),
            Sent::Ping,
            Sent::Query("COMMIT".into()),
        ]
    }

    #[test]
    fn reads_a_session_in_pieces_of_any_size() {
        let stream = session();
        for size in [1, 2, 3, 7, 64, stream.len()] {
            let mut reader = PostgresReader::default();
            let seen: Vec<Sent> = stream
                .chunks(size)
                .flat_map(|piece| reader.client(piece))
                .map(|seen| seen.sent)
                .collect();
            assert_eq!(seen, expected(), "pieces of {size}");
        }
    }

    #[test]
    fn knows_where_a_message_stands() {
        let stream = session();
        let seen = PostgresReader::default().client(&stream);
        let commit = seen.last().unwrap();
        let range = usize::try_from(commit.start).unwrap()..usize::try_from(commit.end).unwrap();
        assert_eq!(stream[range], message(b'Q', b"COMMIT\0"));
    }

    #[test]
    fn an_encrypted_session_is_left_alone() {
        let mut reader = PostgresReader::default();
        assert!(reader.client(&start_up(80_877_103, b"")).is_empty());
        assert!(
            reader
                .client(b"\x16\x03\x01\x02\x00Q\0\0\0\x08BEG\0")
                .is_empty()
        );
        assert!(reader.client(&session()).is_empty());
    }
}
