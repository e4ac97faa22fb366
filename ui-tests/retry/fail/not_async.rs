use steadfast::retry;

#[retry]
fn fetch(url: &str) -> Result<usize, steadfast::Error> {
    Ok(url.len())
}

fn main() {
    let _ = fetch("");
}
