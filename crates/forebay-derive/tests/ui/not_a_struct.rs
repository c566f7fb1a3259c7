use forebay_derive::Streamable;

#[derive(Streamable)]
enum Shape {
    Round,
}

#[derive(Streamable)]
union Bits {
    id: u32,
}

fn main() {}
