//! The hops of a broadcast's way, and how each of them breaks.

use serde::{Deserialize, Serialize};

use crate::{How, Near, Refusal, Rejection, Resync};

/// The hops of a broadcast's way, in this order.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hop {
    /// Somebody asks for it.
    Asked,
    /// Its template is rendered.
    Rendered,
    /// Its transaction commits.
    Committed,
    /// It gets its place in the log.
    Published,
    /// The page has a connection.
    Connected,
    /// The page reads its stream.
    Subscribed,
    /// It is given to the page's socket.
    Sent,
    /// It arrives.
    Arrived,
    /// The page shows it.
    Applied,
}

impl Hop {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Asked,
        Self::Rendered,
        Self::Committed,
        Self::Published,
        Self::Connected,
        Self::Subscribed,
        Self::Sent,
        Self::Arrived,
        Self::Applied,
    ];
}

/// Where a broadcast's way ended, and why. [`Applied`](Self::Applied) is its good end.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Broken {
    /// It arrived, and the page shows it.
    Applied,
    /// The facts do not say.
    NotKnown {
        /// What is missing.
        because: String,
    },

    /// Nothing was broadcast to the stream.
    NeverBroadcast {
        /// The stream.
        stream: String,
        /// What was broadcast to instead.
        near: Option<Near>,
        /// Other processes can't broadcast here, because the log is in this one's memory.
        in_memory: bool,
    },
    /// It was left out.
    Suppressed,
    /// It could not be made.
    Invalid {
        /// What is wrong.
        why: String,
    },
    /// Its template failed.
    FailedToRender {
        /// What the template says.
        why: String,
    },
    /// Its transaction was rolled back.
    RolledBack,
    /// It waits.
    Pending,
    /// The log's store did not take it.
    Refused {
        /// What the store says.
        why: String,
    },
    /// It was lost, and the pages of its stream load themselves again.
    Gap {
        /// What was in its way.
        why: String,
    },
    /// Another refresh of its window went instead.
    Debounced,

    /// The page was not let in.
    ConnectionRefused {
        /// What for.
        why: Refusal,
        /// What the log says.
        detail: String,
    },
    /// The page's connection has ended.
    Disconnected,

    /// The page does not read the stream.
    NotSubscribed {
        /// The stream.
        stream: String,
        /// What the page reads.
        reads: Vec<String>,
        /// Of that, what was probably meant.
        near: Option<Near>,
    },
    /// The page's subscription was refused.
    Rejected {
        /// What for.
        why: Rejection,
        /// What the log says.
        detail: String,
    },
    /// The page's subscription has no answer.
    NotConfirmed,
    /// The page's subscription is restored, and its client has not said where it goes on.
    Held,
    /// The tag has left the page.
    TagLeft,
    /// The page comes again and again with a cursor of another log.
    OtherLog {
        /// How often.
        times: u64,
        /// The log is in this process's memory.
        in_memory: bool,
    },

    /// The page's session was left out.
    Excepted,
    /// The page was rendered while the change was not committed yet.
    BeforeCommit,
    /// The page was rendered after it.
    BeforeCursor,
    /// It was for those who were there, and the page came later.
    CameLater,
    /// It was there before the page, whose tag has no cursor to be replayed from.
    NoCursor,
    /// A later one, which overwrites it, is kept in its place.
    Superseded,
    /// The page was told to load itself again instead.
    Healing {
        /// Why.
        why: Option<Resync>,
    },
    /// The page's socket takes nothing.
    Stalled,
    /// It was not given to the page's socket yet.
    NotSent,
    /// It was given to the page's socket, and the page has not proven that it came.
    NotProven,

    /// Its target is written as a selector.
    HashTarget {
        /// The target.
        target: String,
    },
    /// The page has no such target.
    TargetMissing {
        /// The target.
        target: String,
        /// Ids of the page that are like it.
        ids: Vec<String>,
    },
    /// The page has the target several times.
    TargetDoubled {
        /// The target.
        target: String,
        /// How often.
        count: u64,
        /// One inside of the other.
        nested: bool,
    },
    /// It brought nothing to show.
    EmptyTemplate,
    /// It took the page's source tag away.
    SourceRemoved,
    /// It was applied to a preview.
    Preview,
    /// The element is permanent.
    Permanent,
    /// The answer has no frame of this id.
    FrameWithoutMatch {
        /// The id.
        frame: String,
    },
    /// The browser has put it somewhere else.
    Misplaced {
        /// What.
        element: String,
        /// Where.
        parent: String,
    },
    /// The page does not know the action.
    UnknownAction {
        /// Its name.
        action: String,
    },
    /// The page has caused the refresh itself, so Turbo leaves it out.
    OwnRefresh,
    /// The page's scripts do not come to it.
    PageStalled,
    /// Applying it threw.
    Threw {
        /// What.
        error: String,
    },
}

impl Broken {
    /// The hop that it is about. `None` where the facts do not say.
    pub fn hop(&self) -> Option<Hop> {
        Some(match self {
            Self::NotKnown { .. } => return None,
            Self::NeverBroadcast { .. } | Self::Suppressed | Self::Invalid { .. } => Hop::Asked,
            Self::FailedToRender { .. } => Hop::Rendered,
            Self::RolledBack | Self::Pending => Hop::Committed,
            Self::Refused { .. } | Self::Gap { .. } | Self::Debounced => Hop::Published,
            Self::ConnectionRefused { .. } | Self::Disconnected => Hop::Connected,
            Self::NotSubscribed { .. }
            | Self::Rejected { .. }
            | Self::NotConfirmed
            | Self::Held
            | Self::TagLeft
            | Self::OtherLog { .. } => Hop::Subscribed,
            Self::Excepted
            | Self::BeforeCommit
            | Self::BeforeCursor
            | Self::CameLater
            | Self::NoCursor
            | Self::Superseded
            | Self::Healing { .. }
            | Self::Stalled
            | Self::NotSent => Hop::Sent,
            Self::NotProven => Hop::Arrived,
            _ => Hop::Applied,
        })
    }

    /// Whether this is the good end.
    pub fn is_applied(&self) -> bool {
        *self == Self::Applied
    }

    /// What is broken, and what to change, in one sentence.
    pub fn sentence(&self) -> String {
        match self {
            Self::Applied => "it arrived, and the page shows it".into(),
            Self::NotKnown { because } => format!("not known, because {because}"),
            Self::NeverBroadcast { stream, near, in_memory } => {
                never_broadcast(stream, near.as_ref(), *in_memory)
            }
            Self::NotSubscribed { stream, reads, near } => {
                not_subscribed(stream, reads, near.as_ref())
            }
            Self::ConnectionRefused { why, detail } => with_detail(connection(*why), detail),
            Self::Rejected { why, detail } => with_detail(rejection(*why), detail),
            Self::Healing { why } => healing(*why),
            Self::OtherLog { times, in_memory } => other_log(*times, *in_memory),
            Self::Suppressed
            | Self::Invalid { .. }
            | Self::FailedToRender { .. }
            | Self::RolledBack
            | Self::Pending
            | Self::Refused { .. }
            | Self::Gap { .. }
            | Self::Debounced => self.of_broadcast(),
            Self::HashTarget { .. }
            | Self::TargetMissing { .. }
            | Self::TargetDoubled { .. }
            | Self::EmptyTemplate
            | Self::SourceRemoved
            | Self::Preview
            | Self::Permanent
            | Self::FrameWithoutMatch { .. }
            | Self::Misplaced { .. }
            | Self::UnknownAction { .. }
            | Self::OwnRefresh
            | Self::PageStalled
            | Self::Threw { .. } => self.of_document(),
            _ => self.of_delivery().into(),
        }
    }

    fn of_broadcast(&self) -> String {
        match self {
            Self::Suppressed => {
                "it was left out, because it was asked for inside of `suppressing`: move it outside".into()
            }
            Self::Invalid { why } => format!("it could not be sent: {why}"),
            Self::FailedToRender { why } => {
                format!("its template failed, so nothing was sent: {why}; a partial has only what it is given, and no request")
            }
            Self::RolledBack => {
                "its transaction was rolled back or dropped, and its broadcasts with it: call `commit`".into()
            }
            Self::Refused { why } => {
                format!("the log's store did not take it: {why}; the call has returned that as an error")
            }
            Self::Gap { why } => {
                format!("it was lost behind its commit ({why}), and the pages of its stream load themselves again")
            }
            Self::Debounced => {
                "another refresh of the same window went instead: look for that one".into()
            }
            _ => "it waits for its transaction, its turn, or the end of its refresh window: \
                  commit, or look again in a second"
                .into(),
        }
    }

    fn of_delivery(&self) -> &'static str {
        match self {
            Self::Disconnected => {
                "the page's connection has ended: a page that comes back is replayed what it lacks"
            }
            Self::NotConfirmed => {
                "the page has asked for the stream and has no answer yet: look at what the channel or its hook waits for"
            }
            Self::Held => {
                "the page's subscription is restored, but its client has not said where it goes on: it has to send `history` or `subscribe`"
            }
            Self::TagLeft => {
                "the page's source tag has left the page: put it where nothing replaces or removes it"
            }
            Self::Excepted => {
                "the broadcast leaves out this page's session: take `except` away, or answer the page's own request with the change"
            }
            Self::BeforeCommit => {
                "it was sent beside an open transaction, so the page read its data before the commit: broadcast through the transaction"
            }
            Self::BeforeCursor => {
                "the page was rendered after it, so it is in the page's HTML or its data was old: look for a cached fragment, or a broadcast before the commit"
            }
            Self::CameLater => {
                "it was ephemeral, and the page came later: leave out `ephemeral` where pages need it afterwards"
            }
            Self::NoCursor => {
                "it was published before the page subscribed, and the page's tag has no cursor to be replayed from: render the tag with Forebay's `stream_from`"
            }
            Self::Superseded => {
                "a later broadcast to the same target overwrites it, and the page gets that one: look for the later one"
            }
            Self::Stalled => {
                "the page's socket takes nothing: the page is suspended, or its network is gone; it goes on from here when it can"
            }
            Self::NotSent => {
                "it waits to be given to the page's socket, behind what is replayed before it: look again in a second"
            }
            _ => {
                "it was given to the page's socket, but the page has not proven that it came: the network or a proxy in between may hold it"
            }
        }
    }

    fn of_document(&self) -> String {
        match self {
            Self::HashTarget { target } => {
                let id = target.trim_start_matches('#');
                format!("no element has the id `{target}`: a target is an id without `#`, so write `{id}`, or use `targets`")
            }
            Self::TargetMissing { target, ids } => match ids.first() {
                Some(id) => format!(
                    "the page has no element `{target}`, but it has `{id}`: give both the same id, also in what replaces it"
                ),
                None => format!(
                    "the page has no element `{target}`: it is on another page, or a `replace` brought it without its id"
                ),
            },
            Self::TargetDoubled { target, nested: true, .. } => format!(
                "`{target}` is inside of another `{target}`: an `update` brings only what is inside, so leave the wrapper out, or use `replace`"
            ),
            Self::TargetDoubled { target, count, .. } => {
                format!("the page has {count} elements `{target}`, and Turbo takes the first: an id may be there once")
            }
            Self::EmptyTemplate => {
                "its template has nothing in it, so there was nothing to show: look at what its partial renders".into()
            }
            Self::SourceRemoved => {
                "what it replaced had the page's source tag in it, so the page reads the stream no more: move the tag outside".into()
            }
            Self::Preview => {
                "the page was a preview of Turbo's cache, which the real page has replaced since: nothing is to be changed if that shows it, else turn previews off for it".into()
            }
            Self::Permanent => {
                "the element has `data-turbo-permanent`, so a refresh leaves it as it is: take the attribute away, or replace the element".into()
            }
            Self::FrameWithoutMatch { frame } => {
                format!("the answer has no frame `{frame}`: put what it shows into a `turbo-frame` of this id")
            }
            Self::Misplaced { element, parent } => format!(
                "the browser has put a `{element}` into a `{parent}`, where it shows as nothing: its target has to be what may contain it"
            ),
            Self::UnknownAction { action } => {
                format!("the page has no action `{action}`: define it in `StreamActions` before the stream connects")
            }
            Self::OwnRefresh => {
                "Turbo leaves out a refresh that the page's own request has caused: answer that request with the change or a redirect".into()
            }
            Self::Threw { error } => {
                format!("the page threw while it was applied: {error}; look at the browser's console")
            }
            _ => "it arrived, but the page's scripts do not come to it: it is hidden, or a script takes too long".into(),
        }
    }
}

fn with_detail(sentence: &str, detail: &str) -> String {
    if detail.is_empty() { sentence.to_owned() } else { format!("{sentence} ({detail})") }
}

/// What to do about two names that are near to each other.
const fn mend(how: How) -> &'static str {
    match how {
        How::OtherApp => {
            "it is the same record in another application's name, so say the same name with `app` on both sides"
        }
        How::Reordered => "give the page's tag and the broadcast the same order",
        How::SameRecord | How::Spelling => "give the page's tag and the broadcast the same parts",
    }
}

fn never_broadcast(stream: &str, near: Option<&Near>, in_memory: bool) -> String {
    let elsewhere = "if a console or another process does it, that has a log of its own: give all of them one log";
    match near {
        Some(Near { name, how }) => format!(
            "nothing was broadcast to `{stream}`, but something was to `{name}`: {}",
            mend(*how)
        ),
        None if in_memory => format!("nothing was broadcast to `{stream}` here: {elsewhere}"),
        None => format!(
            "nothing was broadcast to `{stream}`: the line that should do it was not reached, or its broadcast was not awaited"
        ),
    }
}

/// More names than that are only counted.
const NAMES_SHOWN: usize = 3;

fn not_subscribed(stream: &str, reads: &[String], near: Option<&Near>) -> String {
    if let Some(Near { name, how }) = near {
        return format!("published to `{stream}`, but this page reads `{name}`: {}", mend(*how));
    }
    if reads.is_empty() {
        return format!(
            "published to `{stream}`, but this page reads no stream: put `stream_from` with the same parts into it"
        );
    }
    let shown: Vec<_> = reads.iter().take(NAMES_SHOWN).map(|name| format!("`{name}`")).collect();
    let more = match reads.len().saturating_sub(NAMES_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "published to `{stream}`, but this page reads {}{more}: put `stream_from` with the same parts into it",
        shown.join(", ")
    )
}

const fn connection(why: Refusal) -> &'static str {
    match why {
        Refusal::Origin => {
            "the page was not let in, because its origin is not allowed: add it to the allowed origins, or have the proxy pass `Host` on"
        }
        Refusal::Host => {
            "the page was not let in, because it asked for another host: add the host to the allowed ones"
        }
        Refusal::Upgrade => {
            "the page's handshake came without `Upgrade: websocket`: have the proxy pass `Upgrade` and `Connection` on, with HTTP/1.1"
        }
        Refusal::Handshake => {
            "the page's handshake can't be taken: its client speaks another protocol, or a proxy has changed it"
        }
        Refusal::Token => {
            "the page was not let in by its token or by the connect hook: look at what the hook returns for it"
        }
        Refusal::Unavailable => {
            "the application could not say whether the page may connect: look at the connect hook's error"
        }
        Refusal::Limit => {
            "the page was not let in, because as many are connected as may be: raise the limit of connections"
        }
        Refusal::Request => {
            "the page's request can't be understood, or none of its streams may be read: look at its tags"
        }
        Refusal::Leaving => {
            "the server was going down or had lost its log: the page comes back by itself"
        }
    }
}

const fn rejection(why: Rejection) -> &'static str {
    match why {
        Rejection::Key => {
            "the tag's name was signed with another key: give the server and whoever renders the page the same secret"
        }
        Rejection::Digest => {
            "the tag's name was signed with the right secret and another digest: set the signing application's digest to SHA256"
        }
        Rejection::Expired => {
            "the tag's signature is over: render the page again, or give tags a longer lifetime"
        }
        Rejection::Revoked => {
            "the access was taken back after the page was rendered: render it again where it was given back"
        }
        Rejection::Authorizer => "the channel says no to this visitor: look at its `subscribed`",
        Rejection::OtherViewer => {
            "the tag was made for another visitor: don't cache it with the page, and connect as the visitor who loaded the page"
        }
        Rejection::Purpose => {
            "the tag's name was signed for another purpose: use the tag with the channel that it was made for"
        }
        Rejection::Name => {
            "the tag has no name that can be read: render it with `stream_from` and parts that are not blank"
        }
        Rejection::NotPublic => {
            "the stream is not public: sign its name, or add it to `public_streams`"
        }
        Rejection::Channel => {
            "the server has no channel of this name: register it with `channel`, or write it as it is registered"
        }
        Rejection::Limit => {
            "the page has more subscriptions than one may have: use fewer tags, or raise the limit"
        }
    }
}

fn healing(why: Option<Resync>) -> String {
    let because = match why {
        Some(Resync::OtherEpoch) => "its cursor is of another log, or of another life of this one",
        Some(Resync::Future) => "its cursor is ahead of this node",
        Some(Resync::Forgotten) => {
            "history does not reach back to its cursor, as with a cached fragment that has an old tag"
        }
        Some(Resync::Cursor) => "its cursor was not accepted",
        Some(Resync::Gap) => "its stream has a gap",
        None => "it lacks something",
    };
    format!(
        "the page was told to load itself again, because {because}: it shows the change when it has; a page without Turbo has to listen for the resync"
    )
}

fn other_log(times: u64, in_memory: bool) -> String {
    let mend = if in_memory {
        "this log is in one process's memory, so give all nodes a shared log, or send each page to one node"
    } else {
        "point all nodes to the same log"
    };
    format!(
        "the page has come {times} times with a cursor of another log, so it is rendered by a node that has a log of its own: {mend}"
    )
}
