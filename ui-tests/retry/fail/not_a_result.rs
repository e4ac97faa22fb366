use steadfast::retry;

#[retry]
async fn fetch(url: &str) -> usize {
    url.len()
}

fn main() {}
