use forebay_derive::Streamable;

#[derive(Streamable)]
#[streamable(crate = "::forebay_turbo")]
struct Message {
    id: Vec<u8>,
}

type Maybe = Option<u64>;

#[derive(Streamable)]
#[streamable(crate = "::forebay_turbo")]
struct Aliased {
    id: Maybe,
}

fn main() {}
