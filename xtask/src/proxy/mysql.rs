//! Reads `MySQL`'s protocol.

use std::collections::HashMap;

use super::framing::{Frame, Framing};
use super::protocol::Seen;
use super::sent::{Sent, text};

const QUERY: u8 = 0x03;
const PING: u8 = 0x0e;
const PREPARE: u8 = 0x16;
const EXECUTE: u8 = 0x17;
const CLOSE: u8 = 0x19;
// A first packet of this length with this capability asks for TLS: from there on nothing can be read.
const TLS_REQUEST: usize = 4 + 32;
const TLS: u8 = 0x08;

/// One connection.
#[derive(Debug, Default)]
pub(super) struct MySqlReader {
    requests: Framing,
    answers: Framing,
    unreadable: bool,
    /// Sent and not yet answered: the answer holds the statement's number.
    preparing: Option<String>,
    statements: HashMap<u32, String>,
    more_to_come: bool,
}

impl MySqlReader {
    pub(super) fn client(&mut self, piece: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        if self.unreadable {
            return seen;
        }
        let mut requests = std::mem::take(&mut self.requests);
        requests.feed(piece, length, |Frame { bytes, start, end }| {
            // Numbers begin anew with each command; all else is log-in, or the rest of a long packet.
            if !self.unreadable && bytes[3] == 0 {
                seen.extend(
                    self.command(&bytes[4..])
                        .map(|sent| Seen { start, end, sent }),
                );
            } else if bytes[3] == 1 && bytes.len() == TLS_REQUEST && bytes[5] & TLS != 0 {
                self.unreadable = true;
            }
        });
        self.requests = requests;
        seen
    }

    /// Whether the server is through with its answer: one to several statements comes in as many packets, each while
    /// the next statement still runs.
    pub(super) fn server(&mut self, piece: &[u8]) -> bool {
        if self.unreadable {
            return true;
        }
        let mut more = self.more_to_come;
        let mut answers = std::mem::take(&mut self.answers);
        answers.feed(piece, length, |Frame { bytes, .. }| {
            if bytes[3] == 1
                && let Some(statement) = self.preparing.take()
                && bytes.get(4) == Some(&0)
                && let Some(number) = number(&bytes[4..])
            {
                self.statements.insert(number, statement);
            }
            more = promises_more(&bytes[4..]);
        });
        self.answers = answers;
        self.more_to_come = more;
        !more
    }

    pub(super) fn complete(&self) -> Option<u64> {
        (!self.unreadable).then(|| self.requests.complete())
    }

    fn command(&mut self, body: &[u8]) -> Option<Sent> {
        match *body.first()? {
            QUERY => Some(Sent::Query(text(&body[1..]))),
            PREPARE => {
                let statement = text(&body[1..]);
                self.preparing = Some(statement.clone());
                Some(Sent::Prepare(statement))
            }
            EXECUTE => Some(Sent::Execute(
                number(body)
                    .and_then(|number| self.statements.get(&number))
                    .cloned()
                    .unwrap_or_default(),
            )),
            CLOSE => {
                number(body).and_then(|number| self.statements.remove(&number));
                None
            }
            PING => Some(Sent::Ping),
            _ => None,
        }
    }
}

fn length(begun: &[u8]) -> Option<usize> {
    let header = begun.get(..4)?;
    Some(4 + (usize::from(header[0]) | usize::from(header[1]) << 8 | usize::from(header[2]) << 16))
}

/// Whether this is an `OK` whose status says that the answer to another statement follows.
fn promises_more(body: &[u8]) -> bool {
    const MORE_RESULTS: u8 = 0x08;
    if body.first() != Some(&0) {
        return false;
    }
    // Two counts stand ahead of the status, of one byte each unless they are large.
    let mut at = 1;
    for _ in 0..2 {
        at += match body.get(at) {
            Some(0xfc) => 3,
            Some(0xfd) => 4,
            Some(0xfe) => 9,
            _ => 1,
        };
    }
    body.get(at)
        .is_some_and(|status| status & MORE_RESULTS != 0)
}

/// The number that follows the first byte.
fn number(body: &[u8]) -> Option<u32> {
    body.get(1..5)?.try_into().ok().map(u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn packet(number: u8, body: &[u8]) -> Vec<u8> {
        [
            &u32::try_from(body.len()).unwrap().to_le_bytes()[..3],
            &[number],
            body,
        ]
        .concat()
    }

    #[test]
    fn reads_a_session_in_pieces_of_any_size() {
        let log_in = [packet(1, &[0x85; 90]), packet(3, b"scrambled")].concat();
        for size in [1, 2, 5, 1000] {
            let mut reader = MySqlReader::default();
            let mut seen = Vec::new();
            let mut client = |reader: &mut MySqlReader, stream: &[u8]| {
                seen.extend(
                    stream
                        .chunks(size)
                        .flat_map(|piece| reader.client(piece))
                        .map(|seen| seen.sent),
                );
            };
            client(&mut reader, &log_in);
            client(&mut reader, &packet(0, b"\x03BEGIN"));
            client(&mut reader, &packet(0, b"\x16SELECT ?"));
            packet(1, b"\0\x07\0\0\0\x01\0\x01\0\0\0\0")
                .chunks(size)
                .for_each(|piece| {
                    reader.server(piece);
                });
            client(&mut reader, &packet(0, b"\x17\x07\0\0\0\0\x01\0\0\0"));
            client(&mut reader, &packet(0, b"\x0e"));
            client(&mut reader, &packet(0, b"\x03COMMIT"));
            let expected = [
                Sent::Query("BEGIN".into()),
                Sent::Prepare("SELECT ?".into()),
                Sent::Execute("SELECT ?".into()),
                Sent::Ping,
                Sent::Query("COMMIT".into()),
            ];
            assert_eq!(seen, expected, "pieces of {size}");
        }
    }

    #[test]
    fn an_answer_to_two_statements_ends_with_the_second() {
        let mut reader = MySqlReader::default();
        let (first, second) = (
            packet(1, b"\0\0\0\x0a\0\0\0"),
            packet(2, b"\0\0\0\x02\0\0\0"),
        );
        assert!(!reader.server(&first));
        assert!(!reader.server(&second[..6]), "in the middle");
        assert!(reader.server(&second[6..]));
        assert!(reader.server(&packet(1, b"\xff\x28\x04#42000no")));
    }

    #[test]
    fn a_refused_prepare_names_no_statement() {
        let mut reader = MySqlReader::default();
        reader.client(&packet(0, b"\x16SELEC"));
        reader.server(&packet(1, b"\xff\x28\x04#42000no"));
        reader.client(&packet(0, b"\x03SELECT 1"));
        reader.server(&packet(1, b"\0\x07\0\0\0"));
        assert_eq!(
            reader.client(&packet(0, b"\x17\x07\0\0\0"))[0].sent,
            Sent::Execute(String::new())
        );
    }

    #[test]
    fn an_encrypted_session_is_left_alone() {
        let mut reader = MySqlReader::default();
        let mut request = [0; 32];
        request[1] = TLS;
        assert!(reader.client(&packet(1, &request)).is_empty());
        assert!(reader.client(&packet(0, b"\x03BEGIN")).is_empty());
    }
}
