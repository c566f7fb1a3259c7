//! Where a subscription begins: what its cursor says, what its client says, and what is known here.

use forebay_cable::{Attachment, Claim, Progress, Start};
use forebay_hub::{Client, Hub, Incoming};
use forebay_log::{Message, Offset, Position};

use crate::channels::{Answer, Begin, Rejected, Stream, Subscribed};

/// What is known here of a page that comes back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Its socket died, and it had proven to have this much.
    pub(super) acknowledged: Option<Offset>,
    /// This session was subscribed to it before.
    pub(super) left: Option<Left>,
}

/// How often what is in doubt is given again before anything of it is proven. A region that brings its own
/// tag has it leave and come back with each replay: where a client answers no Ping, that would go on
/// for ever.
const RETURNS_MAX: u8 = 8;

/// Where a page stands whose tag had left, and comes back on the same connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Left {
    /// It goes on from here: what it may have been shown already can be shown again.
    At(Offset),
    /// Nobody knows what it was shown.
    InDoubt,
}

impl Left {
    /// Decides where a stream goes on. What was sent and not proven to have arrived was on the wire when
    /// the tag left, and so was shown or dropped: it is given again where that does no harm.
    pub(super) fn of(
        stream: &str,
        progress: Progress,
        client: &Client,
        is_repeatable: impl Fn(&Message) -> bool,
    ) -> Self {
        match progress.proven {
            Some(proven) if proven >= progress.sent => Self::At(progress.sent),
            _ if progress.returns >= RETURNS_MAX => Self::InDoubt,
            Some(proven) if client.all_between(stream, proven, progress.sent, is_repeatable) => {
                Self::At(proven)
            }
            _ => Self::InDoubt,
        }
    }
}

/// What an answer to a subscription waits for, where several nodes have one log: that this one has come as far as
/// its page, which another may have rendered, and what the others know of that.
pub(super) struct Awaited {
    pub(super) hub: Hub,
    pub(super) claim: Claim,
    pub(super) incoming: Option<Incoming>,
}

impl Awaited {
    pub(super) fn then(
        self,
        answer: Answer<Result<Subscribed, Rejected>>,
    ) -> Answer<Result<Subscribed, Rejected>> {
        match answer {
            Answer::Now(Ok(subscribed)) => match self.wait(&subscribed) {
                Some(wait) => Answer::Later(Box::pin(async move {
                    wait.await;
                    Ok(subscribed)
                })),
                None => Answer::Now(Ok(subscribed)),
            },
            Answer::Later(later) => Answer::Later(Box::pin(async move {
                let outcome = later.await;
                let wait = outcome.as_ref().ok().and_then(|subscribed| self.wait(subscribed));
                if let Some(wait) = wait {
                    wait.await;
                }
                outcome
            })),
            rejected @ Answer::Now(Err(_)) => rejected,
        }
    }

    fn wait(self, subscribed: &Subscribed) -> Option<impl Future<Output = ()> + Send + use<>> {
        let catching_up = self.catch_up(subscribed);
        let incoming = self.incoming.filter(|_| subscribed.resumes());
        (catching_up.is_some() || incoming.is_some()).then_some(async move {
            if let Some(catching_up) = catching_up {
                catching_up.await;
            }
            if let Some(incoming) = incoming {
                incoming.noted().await;
            }
        })
    }

    fn catch_up(&self, subscribed: &Subscribed) -> Option<impl Future<Output = ()> + Send + use<>> {
        let signed = subscribed.streams.iter().filter_map(|stream| match stream.begin {
            Begin::After(cursor) => Some(cursor),
            Begin::Now | Begin::Lost => None,
        });
        catch_up(&self.hub, &signed.collect::<Vec<_>>(), &self.claim)
    }
}

/// Waits until this node has come as far as its page, if it has to.
pub(super) fn catch_up(
    hub: &Hub,
    signed: &[Position],
    claim: &Claim,
) -> Option<impl Future<Output = ()> + Send + use<>> {
    let claimed = match claim {
        Claim::After(position) => vec![*position],
        Claim::History(history) => history.streams.iter().filter_map(|(_, at)| *at).collect(),
        _ => Vec::new(),
    };
    let here = hub.position().epoch;
    let positions = signed.iter().copied().chain(claimed);
    let positions = positions.filter(|position| position.epoch == here);
    hub.catches_up_with(positions.max_by_key(|position| position.offset)?)
}

/// Opens the stream, from where the page stands.
pub(super) fn attach(
    stream: &Stream,
    claim: &Claim,
    known: Known,
    client: &mut Client,
) -> Attachment {
    let seen = stream.seen.clone();
    Attachment { seen, ..open(stream, claim, known, client) }
}

fn open(stream: &Stream, claim: &Claim, known: Known, client: &mut Client) -> Attachment {
    let claimed = claimed(&stream.name, claim, client);
    if known.left == Some(Left::InDoubt) {
        client.hub().stats().resyncs_in_doubt.add(1);
    }
    let left = match known.left {
        Some(Left::At(offset)) => Some(offset),
        _ => None,
    };
    let from = match (stream.begin, claim) {
        (Begin::Lost, _) => None,
        _ if known.left == Some(Left::InDoubt) => None,
        (Begin::After(cursor), Claim::History(history)) if !history.names(&stream.name) => {
            // A time is less than a cursor, which is exact.
            Some(Some(cursor))
        }
        // Rendered in this epoch, and told since to begin anew, by a node that had not come to it yet. What it has
        // of this one nobody can say.
        (Begin::After(cursor), Claim::After(at)) if is_astray(client, cursor, *at) => None,
        (Begin::After(cursor), _) if client.is_of_the_unknowing(&stream.name, cursor) => {
            Some(Some(cursor))
        }
        (Begin::After(cursor), _) => {
            let here = known.acknowledged.max(left).map(|offset| client.position_at(offset));
            Some(Some(later(client, later(client, cursor, here), claimed.position())))
        }
        (Begin::Now, Claim::None) => Some(None),
        (Begin::Now, Claim::History(history)) if history.is_empty() => Some(None),
        // It says where it stands; if that can't be made sense of, it lacks something.
        (Begin::Now, _) => match claimed {
            Claimed::Before(oldest) => {
                let attachment = client.attach(&stream.name, Some(oldest));
                return Attachment { start: lacking(attachment.start), ..attachment };
            }
            claimed => claimed.position().map(Some),
        },
    };
    if let Some(from) = from {
        return client.attach(&stream.name, from);
    }
    let attachment = client.attach(&stream.name, None);
    Attachment { start: Start::Lost, ..attachment }
}

/// The same place, in front of which something is missing.
pub(super) fn lacking(start: Start) -> Start {
    match start {
        Start::After(offset) => Start::LostAfter(offset),
        start => start,
    }
}

/// What a client says that it has of a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Claimed {
    /// Everything up to here.
    At(Position),
    /// Less than history reaches back to: this is where history begins.
    Before(Position),
    /// Nothing that is of use.
    Nothing,
}

impl Claimed {
    fn position(self) -> Option<Position> {
        match self {
            Self::At(position) => Some(position),
            Self::Before(_) | Self::Nothing => None,
        }
    }
}

/// The position that a client says it has of a stream.
pub(super) fn claimed(stream: &str, claim: &Claim, client: &Client) -> Claimed {
    let (position, since) = match claim {
        Claim::After(position) => (Some(*position), None),
        // A time is less than a position: where that can't be served, something is missing.
        Claim::History(history) if history.names(stream) => (history.position(stream), None),
        Claim::History(history) => (None, history.since),
        // Nothing, or nothing that is known here.
        _ => (None, None),
    };
    match (position, since.map(|since| client.since(stream, since))) {
        (Some(position), _) | (None, Some(Ok(position))) => Claimed::At(position),
        (None, Some(Err(oldest))) => Claimed::Before(oldest),
        (None, None) => Claimed::Nothing,
    }
}

/// The later one of two, of which `signed` is certain to have been given to this page. A claim of
/// another life of the log can't be compared, and is not believed.
fn later(client: &Client, signed: Position, claimed: Option<Position>) -> Position {
    let epoch = client.position_at(Offset::ZERO).epoch;
    match claimed {
        // A page that was rendered in another life was rendered before all of this one.
        Some(claimed) if claimed.epoch == epoch && signed.epoch != epoch => claimed,
        Some(claimed) if claimed.epoch == signed.epoch && claimed.offset > signed.offset => claimed,
        _ => signed,
    }
}

/// Whether our client stands in another life of the log than this one, in which its page was rendered.
fn is_astray(client: &Client, rendered: Position, at: Position) -> bool {
    let epoch = client.position_at(Offset::ZERO).epoch;
    rendered.epoch == epoch && at.epoch != epoch
}

#[cfg(test)]
mod tests {
    use forebay_cable::History;
    use forebay_hub::{Hub, Options};
    use forebay_log::{Epoch, UnixMillis};
    use pollster::FutureExt as _;

    use super::*;

    /// AnyCable's client says its positions and a time by its own clock, which may be wrong.
    #[test]
    fn a_position_of_another_life_is_not_replaced_by_a_time() {
        let hub = Hub::new(Options::default());
        let mut client = hub.connect().unwrap();
        let mut start = |streams: &[(&str, Option<Position>)], begin| {
            let streams = streams.iter().map(|(name, at)| ((*name).to_owned(), *at)).collect();
            let since = Some(UnixMillis(hub.now().0 + 60_000));
            let claim = Claim::History(History { since, streams });
            let stream = Stream { name: "room".into(), begin, is_public: false, seen: None };
            attach(&stream, &claim, Known::default(), &mut client).start
        };
        let gone = Position { epoch: Epoch(7), offset: Offset(3) };
        assert_eq!(start(&[("room", Some(gone))], Begin::Now), Start::Lost);
        assert_eq!(start(&[("room", Some(gone))], Begin::After(gone)), Start::Lost);
        assert_eq!(start(&[("room", None)], Begin::Now), Start::Lost);
        assert_eq!(start(&[], Begin::After(gone)), Start::Lost);
        assert_eq!(start(&[], Begin::Now), Start::After(Offset::ZERO));
    }

    /// Several nodes share a log, and one that is cut off is in an epoch that is over. It tells a page of the new
    /// one to begin anew, and the page goes on to another node before it has.
    #[test]
    fn a_page_that_was_told_to_begin_anew_in_another_epoch_is_told_again() {
        let hub = Hub::new(Options::default());
        let mut client = hub.connect().unwrap();
        let mut start = |rendered, at| {
            let begin = Begin::After(rendered);
            let stream = Stream { name: "room".into(), begin, is_public: false, seen: None };
            attach(&stream, &Claim::After(at), Known::default(), &mut client).start
        };
        let (here, gone) = (hub.position(), Position { epoch: Epoch(7), offset: Offset(3) });
        assert_eq!(start(here, gone), Start::Lost);
        assert_eq!(start(here, here), Start::After(Offset::ZERO));
        assert_eq!(start(gone, here), Start::After(Offset::ZERO), "it was told here");
    }

    /// A page of a minute ago, and a server that has begun since then: what the server has is given, and
    /// the client learns that there may have been more.
    #[test]
    fn a_time_before_the_log_began_is_given_what_there_is() {
        let hub = Hub::new(Options::default());
        let mut client = hub.connect().unwrap();
        let message = Message::json("1");
        let class = forebay_log::Class::Log;
        hub.publish(forebay_hub::Broadcast { stream: "room", message, class }).block_on().unwrap();
        let since = Some(UnixMillis(hub.now().0 - 60_000));
        let claim = Claim::History(History { since, streams: Vec::new() });
        let stream =
            Stream { name: "room".into(), begin: Begin::Now, is_public: false, seen: None };
        let start = attach(&stream, &claim, Known::default(), &mut client).start;
        assert_eq!(start, Start::LostAfter(Offset::ZERO));
    }
}
