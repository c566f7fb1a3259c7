#![deny(unused_must_use)]

use forebay::{Broadcaster, TurboStream};

async fn forgets(broadcast: Broadcaster) {
    broadcast.stream_to("s", TurboStream::refresh());
}

fn main() {}
