//! All counters, and plots of some of them.

use maud::{Markup, html};

use super::words;
use crate::app::Forebay;

pub(super) fn view(forebay: &Forebay) -> Markup {
    let stats = forebay.stats();
    html! {
        (forebay.edge.live.plots())
        h2 { "Counters since the start" }
        dl.counters #counters data-live {
            @for (name, value) in stats.iter() {
                div class=(if value == 0 { "zero" } else { "" }) { dt { (name) } dd { (words::number(value)) } }
            }
        }
        p.quiet { "They are this node's, as the plots are. The manual's chapter “Troubleshooting” says of each what it is a sign of. The inspector counts, too: two broadcasts a second while it is open." }
    }
}
