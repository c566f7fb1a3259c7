use forebay::turbo::{Html, TurboStream};
use forebay::{Broadcaster, Partial};

fn vain<E, R: Partial<E> + Sync>(broadcast: Broadcaster, record: R) {
    let _ = broadcast.json_to("s", &1).target("x");
    let _ = broadcast.refresh_to("s").targets(".x");
    let _ = broadcast.stream_to("s", TurboStream::refresh()).attribute("data-x", "1");
    let _ = broadcast.render_to("s", &Html::raw("x")).html(Html::raw("x"));
    let _ = broadcast.remove_to("s", &record).text("x");
    let _ = broadcast.append_to("s", &record).morph();
    let _ = broadcast.append_to("s", &record).state();
    let _ = broadcast.replace_to("s", &record).to_everybody();
    let _ = broadcast.refresh_later_to("s").ephemeral();
}

fn main() {}
