//! From an application's [`Channel`] to what a connection drives.

use std::sync::Arc;

use forebay_transport::{Answer, Begin, Handler, Later, Op, Rejected, Subscribed};
use serde_json::{Map, Value};

use super::standard::resync_for;
use super::{Channel, Context, IntoChannel};

/// Makes one subscription's object and asks it.
pub(crate) type Factory =
    Arc<dyn Fn(Context) -> Answer<Result<Subscribed, Rejected>> + Send + Sync>;

pub(crate) fn factory<N, F>(new: F) -> Factory
where
    N: IntoChannel,
    F: Fn(&Context) -> N + Send + Sync + 'static,
{
    Arc::new(move |mut cx| {
        let Ok(mut channel) = new(&cx).into_channel() else {
            return Answer::Now(Err(cx.rejected()));
        };
        Answer::Later(Box::pin(async move {
            channel.subscribed(&mut cx).await.map_err(|super::Rejection| cx.rejected())?;
            subscribed(channel, cx)
        }))
    })
}

/// What the channel asked for while it was being subscribed becomes part of the confirmation.
fn subscribed<C: Channel>(channel: C, mut cx: Context) -> Result<Subscribed, Rejected> {
    // What is followed later, in an action, is followed from then on.
    cx.begin = Begin::Now;
    let mut streams = Vec::new();
    let mut transmissions = Vec::new();
    for op in std::mem::take(&mut cx.ops) {
        match op {
            Op::Follow(stream) => streams.push(stream),
            Op::Unfollow(name) => streams.retain(|stream| stream.name != name),
            Op::UnfollowAll => streams.clear(),
            Op::Transmit(json) => transmissions.push(json),
            Op::Reject => return Err(cx.rejected()),
            // A context asks for nothing else.
            _ => {}
        }
    }
    Ok(Subscribed {
        goes_on: cx.params.contains_key("cursor"),
        resync: resync_for(&cx),
        streams,
        transmissions,
        whispers: None,
        handler: Some(Box::new(Running { channel, cx })),
        presence: None,
        roster: None,
    })
}

struct Running<C> {
    channel: C,
    cx: Context,
}

impl<C: Channel> Handler for Running<C> {
    fn perform(
        mut self: Box<Self>,
        action: String,
        data: Map<String, Value>,
    ) -> Later<(Box<dyn Handler>, Vec<Op>)> {
        Box::pin(async move {
            let Self { channel, cx } = &mut *self;
            channel.received(cx, &action, data).await;
            let ops = std::mem::take(&mut cx.ops);
            (self as Box<dyn Handler>, ops)
        })
    }

    fn unsubscribed(mut self: Box<Self>) -> Later<()> {
        Box::pin(async move {
            let Self { channel, cx } = &mut *self;
            channel.unsubscribed(cx).await;
        })
    }
}
