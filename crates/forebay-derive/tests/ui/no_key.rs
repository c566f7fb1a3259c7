use forebay_derive::Streamable;

#[derive(Streamable)]
struct Message {
    body: String,
}

#[derive(Streamable)]
struct Tuple(u64);

#[derive(Streamable)]
struct Unit;

fn main() {}
