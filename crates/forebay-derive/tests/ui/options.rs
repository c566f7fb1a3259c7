use forebay_derive::Streamable;

#[derive(Streamable)]
#[streamable(modle = "Post")]
struct Misspelt {
    #[streamable(primary)]
    id: u64,
}

#[derive(Streamable)]
#[streamable(key)]
struct KeyOnStruct {
    id: u64,
}

#[derive(Streamable)]
struct ModelOnField {
    #[streamable(model = "Post")]
    id: u64,
}

#[derive(Streamable)]
#[streamable(model = "bullhorn/message")]
struct NotAClassName {
    id: u64,
}

#[derive(Streamable)]
#[streamable(model = "A", model = "B")]
struct Twice {
    id: u64,
}

#[derive(Streamable)]
#[streamable(model)]
struct NoValue {
    id: u64,
}

#[derive(Streamable)]
#[streamable(crate = "not a path")]
struct NoPath {
    id: u64,
}

fn main() {}
