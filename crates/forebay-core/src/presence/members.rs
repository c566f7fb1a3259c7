//! Who is there when a page is rendered, and the tag that goes on from there.

use std::fmt;
use std::ops::Deref;

use forebay_hub::Attendance;
use forebay_log::{Position, presence_stream};
use forebay_signing::Subject;
use forebay_turbo::{
    EventStreamSource, Record, StreamName, StreamNameError, StreamSource, Streamable,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::signed::{self, CHANNEL};
use super::{PresenceError, id_of};
use crate::app::{GoodFor, in_query};
use crate::page::Turbo;

/// Bytes of an identifier beside its values: names, quotes, commas.
const IDENTIFIER_OVERHEAD_BYTES: usize = 100;

/// Who is present on a stream, for a page's first paint, and where the log stood then: its tag goes on from there, so
/// the page misses nobody and is told of nobody twice.
///
/// It is a slice of the members, in the order in which they came.
pub struct Members<M> {
    turbo: Turbo,
    stream: StreamName,
    viewer: Option<String>,
    position: Position,
    shown: Vec<M>,
    total: usize,
}

/// What a tag says: `presence/signed.rs` reads it.
struct Signed {
    stream: String,
    cursor: String,
    after: String,
    member: Option<String>,
}

impl Turbo {
    /// Who is present on a stream, for the page that is rendered now.
    ///
    /// Members that are no `M` are left out, and so are all where more are present than pages are told the names
    /// of ([`PresenceOptions::names_max`](crate::PresenceOptions)). [`Members::total`] counts all.
    ///
    /// ```
    /// # use forebay_core as forebay;
    /// # use forebay::Streamable;
    /// # #[derive(Streamable, serde::Serialize, serde::Deserialize)]
    /// # #[streamable(crate = "forebay_core::turbo")]
    /// # struct Visitor { id: i64, name: String }
    /// # fn show(turbo: forebay::Turbo, me: &Visitor) -> Result<(), forebay::PresenceError> {
    /// let here = turbo.members::<Visitor>(("room", 1))?;
    /// let names: Vec<_> = here.iter().map(|visitor| &visitor.name).collect();
    /// let tag = here.presence_from(me)?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`StreamNameError`] for blank parts and for parts that contain `:`.
    pub fn members<M: DeserializeOwned>(
        &self,
        stream: impl Streamable,
    ) -> Result<Members<M>, StreamNameError> {
        let page = self.members_of(&stream)?;
        let present = self.forebay().core.hub.attendance(page.stream.as_str());
        let Attendance { position, total, named } = present;
        let shown = named.iter().filter_map(|member| serde_json::from_str(&member.info).ok());
        let Members { turbo, stream, viewer, .. } = page;
        Ok(Members { turbo, stream, viewer, position, shown: shown.collect(), total })
    }

    /// The tag that makes this page's visitor present on a stream, and shows the page who else comes and leaves. For
    /// a page that shows who is there already: [`members`](Self::members), whose tag goes on from what it shows.
    ///
    /// The member is signed into the tag, for this stream only, so whoever has the page is present as whom the
    /// application says.
    ///
    /// # Errors
    /// [`PresenceError`] if the stream or the member has no name, or if the tag would be too long.
    pub fn presence_from<M: Record + Serialize>(
        &self,
        stream: impl Streamable,
        member: &M,
    ) -> Result<StreamSource, PresenceError> {
        self.members_of(&stream)?.presence_from(member)
    }

    /// None of them are shown, so the page lacks all that comes behind its own cursor.
    fn members_of(&self, stream: &impl Streamable) -> Result<Members<()>, StreamNameError> {
        let forebay = self.forebay();
        let stream_name = forebay.core.stream_name(stream)?;
        let viewer = stream.viewer().map(str::to_owned);
        let position = self.position();
        let turbo = self.clone();
        Ok(Members { turbo, stream: stream_name, viewer, position, shown: Vec::new(), total: 0 })
    }
}

impl<M> Members<M> {
    /// How many are present, those that are not shown included.
    pub fn total(&self) -> usize {
        self.total
    }

    /// The tag that makes the page's visitor present, as this member, and shows the page who comes and leaves from
    /// here on.
    ///
    /// Where the stream is one viewer's ([`Viewer`](crate::Viewer)), the tag is good for that visitor only.
    ///
    /// # Errors
    /// [`PresenceError`] if the member has no key, or if the tag would be too long.
    pub fn presence_from<O: Record + Serialize>(
        &self,
        member: &O,
    ) -> Result<StreamSource, PresenceError> {
        self.presence_as(&id_of(member)?, member)
    }

    /// The same for a visitor whom the connect hook ([`Builder::connect`](crate::Builder::connect)) names so, and
    /// nobody else: copied into another's page the tag opens nothing.
    ///
    /// # Errors
    /// As there.
    pub fn presence_from_for<O: Record + Serialize>(
        &self,
        viewer: &str,
        member: &O,
    ) -> Result<StreamSource, PresenceError> {
        self.tag(Some(viewer), Some((&id_of(member)?, &serde_json::to_string(member)?)))
    }

    /// The same for a member with an id that is not its key, or that is no record.
    ///
    /// # Errors
    /// As there.
    pub fn presence_as(
        &self,
        id: &str,
        member: &impl Serialize,
    ) -> Result<StreamSource, PresenceError> {
        self.tag(self.viewer.as_deref(), Some((id, &serde_json::to_string(member)?)))
    }

    /// The tag that shows the page who comes and leaves, and makes nobody present: for a list of rooms, say.
    ///
    /// # Errors
    /// [`PresenceError`] if the tag would be too long.
    pub fn watch(&self) -> Result<StreamSource, PresenceError> {
        self.tag(self.viewer.as_deref(), None)
    }

    /// The tag that does it over server-sent events, with no script beyond Turbo's own and no WebSocket: the page's
    /// visitor is present, as this member, for as long as the page takes events.
    ///
    /// The server learns of a closed tab by its connection only, as of a lost one: the member is gone after
    /// [`ttl`](crate::PresenceOptions::ttl). What is signed is part of the address, as it is in
    /// [`Turbo::event_source_from`].
    ///
    /// # Errors
    /// As for [`presence_from`](Self::presence_from).
    pub fn event_source_from<O: Record + Serialize>(
        &self,
        member: &O,
    ) -> Result<EventStreamSource, PresenceError> {
        let (id, info) = (id_of(member)?, serde_json::to_string(member)?);
        let Signed { stream, cursor, after, member } =
            self.sign(self.viewer.as_deref(), Some((&id, &info)))?;
        let (base, paths) = self.turbo.paths();
        let (stream, member) = (in_query(&stream), in_query(&member.unwrap_or_default()));
        let prefix = &paths.prefix;
        let src = format!(
            "{base}{prefix}/events?presence={stream}&cursor={cursor}&after={after}&member={member}"
        );
        Ok(EventStreamSource::new(src).replaced_by_morphs(&cursor))
    }

    fn tag(
        &self,
        viewer: Option<&str>,
        member: Option<(&str, &str)>,
    ) -> Result<StreamSource, PresenceError> {
        let Signed { stream, cursor, after, member } = self.sign(viewer, member)?;
        let tag = StreamSource::new(stream).channel(CHANNEL).data("after", after);
        let tag = match member {
            Some(member) => tag.data("member", member),
            None => tag,
        };
        Ok(tag.cursor(&cursor))
    }

    fn sign(
        &self,
        viewer: Option<&str>,
        member: Option<(&str, &str)>,
    ) -> Result<Signed, PresenceError> {
        let (forebay, name) = (self.turbo.forebay(), &self.stream);
        forebay.check_addresses();
        let core = &forebay.core;
        let stream = core.sign_for(name, GoodFor::Presence(viewer));
        let cursor = self.turbo.page_cursor().cursor_for(Subject::Signed(&stream));
        let hidden = presence_stream(name.as_str());
        let after = forebay.page_cursor(self.position, self.turbo.page_id());
        let after = after.cursor_for(Subject::Public(&hidden));
        let member = member.map(|(id, info)| {
            core.sign_text(&signed::member(id, info), &signed::purpose(name.as_str()))
        });
        let values = [&stream, &cursor, &after].map(String::len).iter().sum::<usize>();
        let bytes = IDENTIFIER_OVERHEAD_BYTES + values + member.as_ref().map_or(0, String::len);
        let max = core.hub.limits().identifier_bytes_max;
        if bytes > max {
            return Err(PresenceError::TooBig { bytes, max });
        }
        Ok(Signed { stream, cursor, after, member })
    }
}

impl<M> Deref for Members<M> {
    type Target = [M];

    fn deref(&self) -> &[M] {
        &self.shown
    }
}

impl<'a, M> IntoIterator for &'a Members<M> {
    type Item = &'a M;
    type IntoIter = std::slice::Iter<'a, M>;

    fn into_iter(self) -> Self::IntoIter {
        self.shown.iter()
    }
}

impl<M> fmt::Debug for Members<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Members")
            .field("stream", &self.stream)
            .field("position", &self.position)
            .field("total", &self.total)
            .finish_non_exhaustive()
    }
}
