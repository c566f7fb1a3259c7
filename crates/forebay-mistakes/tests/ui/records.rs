use askama::Template;
use forebay::{Broadcaster, Streamable, Turbo, TurboStream};

struct Nothing {
    id: i64,
}

#[derive(Streamable)]
struct NoPartial {
    id: i64,
}

#[derive(Template)]
#[template(source = "<p>{{ id }}</p>", ext = "html")]
struct NoNames {
    id: i64,
}

fn records(broadcast: Broadcaster) {
    let _ = broadcast.append_to("s", &Nothing { id: 1 });
    let _ = broadcast.append_to("s", &NoPartial { id: 1 });
    let _ = broadcast.replace_later_to("s", NoNames { id: 1 });
}

fn pages(turbo: Turbo) {
    let _ = turbo.page(&Nothing { id: 1 });
    let _ = TurboStream::append("x").render(&NoPartial { id: 1 });
}

fn main() {}
