use steadfast::db_error_handling;

#[derive(Debug)]
struct Refused;

#[db_error_handling]
async fn length(text: &str) -> Result<usize, Refused> {
    let _ = text;
    Err(Refused)
}

fn main() {}
