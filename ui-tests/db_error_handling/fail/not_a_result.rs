use steadfast::db_error_handling;

#[db_error_handling]
fn length(text: &str) -> usize {
    text.len()
}

fn main() {
    let _ = length("");
}
