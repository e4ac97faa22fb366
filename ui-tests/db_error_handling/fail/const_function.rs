use steadfast::db_error_handling;

#[db_error_handling]
const fn length(text: &str) -> Result<usize, steadfast::Error> {
    Ok(text.len())
}

fn main() {
    let _ = length("");
}
