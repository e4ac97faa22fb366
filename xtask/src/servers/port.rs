//! Free ports of the loopback interface.

use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;

// Below the range from which systems take the ports of outgoing connections: a server that was killed gets its own port
// back when it is restarted, whatever was connected in between.
const RANGE: Range<u16> = 15_000..32_000;

/// A port that was free a moment ago. Somebody else may take it before it is used; who starts a server on it tries
/// another.
pub(super) fn free() -> u16 {
    loop {
        let port = fastrand::u16(RANGE);
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return port;
        }
    }
}
