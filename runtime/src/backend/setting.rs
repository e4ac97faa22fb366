//! A setting of a connection that sessions change and the next BEGIN sets right.

/// A limit in the server's own unit, where 0 is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Setting {
    /// What it was when the pool took the connection over; whoever asks for nothing gets this.
    standing: u64,
    /// `None` where it is in doubt.
    current: Option<u64>,
}

impl Setting {
    pub(super) fn new(standing: u64) -> Self {
        Self {
            standing,
            current: Some(standing),
        }
    }

    /// What a session gets that asks for `asked` and has no more than `left`.
    pub(super) fn wanted(&self, asked: Option<u64>, left: Option<u64>) -> u64 {
        let asked = Some(asked.unwrap_or(self.standing)).filter(|&asked| asked != 0);
        asked.into_iter().chain(left).min().unwrap_or(0)
    }

    /// What is to be sent so that the connection has `wanted`. From here on it counts as sent.
    pub(super) fn change(&mut self, wanted: u64) -> Option<u64> {
        (self.current.replace(wanted) != Some(wanted)).then_some(wanted)
    }

    #[cfg(feature = "mysql")]
    pub(super) fn current(&self) -> Option<u64> {
        self.current
    }

    /// Whether the connection has it for certain.
    #[cfg(feature = "postgres")]
    pub(super) fn is(&self, wanted: u64) -> bool {
        self.current == Some(wanted)
    }

    #[cfg(feature = "postgres")]
    pub(super) fn is_in_doubt(&self) -> bool {
        self.current.is_none()
    }

    /// What it was ahead of a session that had somebody else use the connection.
    #[cfg(feature = "postgres")]
    pub(super) fn kept(&self) -> u64 {
        self.current.unwrap_or(self.standing)
    }

    /// The connection has been set back to what it was when the pool took it over.
    #[cfg(feature = "postgres")]
    pub(super) fn set_back(&mut self) {
        self.current = Some(self.standing);
    }

    pub(super) fn forget(&mut self) {
        self.current = None;
    }
}
