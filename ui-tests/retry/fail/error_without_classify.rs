// Trap 12: wrapping an error hides that it is retryable.
use steadfast::retry;

#[derive(Debug)]
struct Refused;

#[retry]
async fn fetch(url: &str) -> Result<usize, Refused> {
    let _ = url;
    Err(Refused)
}

fn main() {}
