//! Cuts a stream into its messages, whatever the pieces in which it comes.

// Statement texts are shorter. Of a longer message only the beginning is kept, and it counts as seen from there on.
const LONGEST: usize = 64 * 1024;

/// One message, with header, and where in the stream it stands.
pub(super) struct Frame<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) start: u64,
    pub(super) end: u64,
}

/// The state between two pieces.
#[derive(Debug, Default)]
pub(super) struct Framing {
    position: u64,
    begun: Vec<u8>,
    skip: usize,
}

impl Framing {
    /// Hands each message to `each` as soon as it is complete. `length` tells the whole length of a message from its
    /// first bytes, or `None` while it takes more of them.
    pub(super) fn feed(
        &mut self,
        mut piece: &[u8],
        mut length: impl FnMut(&[u8]) -> Option<usize>,
        mut each: impl FnMut(Frame<'_>),
    ) {
        while !piece.is_empty() {
            if self.skip > 0 {
                self.advance(&mut piece);
                continue;
            }
            let whole = length(&self.begun);
            // Byte by byte through the header only.
            let wanted = whole.map_or(1, |whole| whole.min(LONGEST) - self.begun.len().min(whole));
            let taken = wanted.min(piece.len());
            self.begun.extend_from_slice(&piece[..taken]);
            self.position += taken as u64;
            piece = &piece[taken..];
            if let Some(whole) = length(&self.begun)
                && self.begun.len() >= whole.min(LONGEST)
            {
                let start = self.position - self.begun.len() as u64;
                each(Frame {
                    bytes: &self.begun,
                    start,
                    end: self.position,
                });
                self.skip = whole.saturating_sub(self.begun.len());
                self.begun.clear();
            }
        }
    }

    /// Where the last message that was handed out ends, as far as it has come.
    pub(super) fn complete(&self) -> u64 {
        self.position - self.begun.len() as u64
    }

    fn advance(&mut self, piece: &mut &[u8]) {
        let taken = self.skip.min(piece.len());
        self.skip -= taken;
        self.position += taken as u64;
        *piece = &piece[taken..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One byte of length, then that many.
    fn length(begun: &[u8]) -> Option<usize> {
        begun.first().map(|&length| usize::from(length) + 1)
    }

    fn frames(stream: &[u8], size: usize) -> Vec<(Vec<u8>, u64, u64)> {
        let (mut framing, mut frames) = (Framing::default(), Vec::new());
        for piece in stream.chunks(size) {
            framing.feed(piece, length, |frame| {
                frames.push((frame.bytes.to_vec(), frame.start, frame.end));
            });
        }
        frames
    }

    #[test]
    fn messages_are_the_same_whatever_the_pieces() {
        let stream = b"\x03abc\x00\x02de\x01f\x05unfi";
        let expected = [
            (b"\x03abc".to_vec(), 0, 4),
            (b"\0".to_vec(), 4, 5),
            (b"\x02de".to_vec(), 5, 8),
            (b"\x01f".to_vec(), 8, 10),
        ];
        for size in 1..=stream.len() {
            assert_eq!(frames(stream, size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_long_message_is_seen_from_its_beginning_and_the_next_one_is_found() {
        let long = 3 * LONGEST;
        let length = |begun: &[u8]| match begun.first() {
            None => None,
            Some(b'L') => Some(long),
            Some(_) => Some(2),
        };
        let mut stream = vec![b'L'; long];
        stream.extend(b"ab");
        let (mut framing, mut seen) = (Framing::default(), Vec::new());
        for piece in stream.chunks(1000) {
            framing.feed(piece, length, |frame| {
                seen.push((frame.bytes.len(), frame.start));
            });
        }
        assert_eq!(seen, [(LONGEST, 0), (2, long as u64)]);
    }
}
