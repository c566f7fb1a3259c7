//! The kinds of broadcasts, and what can be said about each.
//!
//! A [`Broadcast`](crate::Broadcast) carries its kind in its type. So a modifier that would change
//! nothing does not compile: a target for JSON, content for a removal.
//!
//! | kind | made by | takes |
//! |---|---|---|
//! | [`Addition`] | `append`, `prepend`, `before`, `after` | target, attributes, content |
//! | [`Change`] | `replace`, `update` | target, attributes, content, `morph`, `state` |
//! | [`Removal`] | `remove` | target, attributes, `state` |
//! | [`AnyAction`] | `action` | all of these; those that its action ignores are errors when it is sent |
//! | [`Refresh`] | `refresh` | attributes, `morph`, `state`, whom it leaves out |
//! | [`LaterRefresh`] | `refresh_later` | attributes, `morph`, whom it leaves out |
//! | [`Whole`] | `render`, `stream_to`, `json_to` | nothing: it is ready |
//!
//! All but [`LaterRefresh`], which stands for several, take `ephemeral` and `except`.

/// A tag that adds to what is there: `append`, `prepend`, `before`, `after`.
#[derive(Clone, Copy, Debug)]
pub enum Addition {}

/// A tag that replaces what is there: `replace`, `update`.
#[derive(Clone, Copy, Debug)]
pub enum Change {}

/// A tag that removes: `remove`.
#[derive(Clone, Copy, Debug)]
pub enum Removal {}

/// A tag whose action is known when it runs: `action`.
#[derive(Clone, Copy, Debug)]
pub enum AnyAction {}

/// A refresh: `refresh`.
#[derive(Clone, Copy, Debug)]
pub enum Refresh {}

/// A refresh that may stand for several: `refresh_later`.
#[derive(Clone, Copy, Debug)]
pub enum LaterRefresh {}

/// Something that is ready: tags, a template that writes tags, JSON.
#[derive(Clone, Copy, Debug)]
pub enum Whole {}

/// Kinds with an element, or several, that they act on.
#[diagnostic::on_unimplemented(
    message = "this broadcast has no target that could be changed",
    note = "refreshes have none; ready-made tags (`stream_to`, `render_to`) carry their own, and JSON needs none"
)]
pub trait HasTarget {}

/// Kinds that are one tag.
#[diagnostic::on_unimplemented(
    message = "this broadcast is not one tag that could have an attribute",
    note = "ready-made tags (`stream_to`) have `TurboStream::attribute`"
)]
pub trait HasAttributes {}

/// Kinds that show something.
#[diagnostic::on_unimplemented(
    message = "this broadcast has no content that could be changed",
    note = "`remove` and `refresh` show nothing; what `stream_to`, `render_to` and `json_to` are given is their content"
)]
pub trait HasContent {}

/// Kinds that Turbo can morph.
#[diagnostic::on_unimplemented(
    message = "Turbo does not morph for this broadcast",
    note = "it morphs for `replace`, `update` and `refresh`; ready-made tags (`stream_to`) have `TurboStream::morph`"
)]
pub trait Morphs {}

/// Kinds of which a later one can make an earlier one needless.
#[diagnostic::on_unimplemented(
    message = "history has to keep all broadcasts of this kind: none supersedes another",
    note = "`.state()` is for `replace`, `update`, `remove` and `refresh`; what adds to the page is needed whole"
)]
pub trait Supersedes {}

/// Kinds that leave out the page whose request they come from.
#[diagnostic::on_unimplemented(
    message = "this broadcast leaves no page out by its request",
    note = "refreshes do; for a tag whose change the answer shows already there is `.reflected()`"
)]
pub trait LeavesOut {}

/// Kinds that become an entry of their own.
#[diagnostic::on_unimplemented(
    message = "this refresh may stand for several broadcasts, so this would not be kept",
    note = "`refresh_to` instead of `refresh_later_to` is sent by itself"
)]
pub trait IsEntry {}

impl HasTarget for Addition {}
impl HasTarget for Change {}
impl HasTarget for Removal {}
impl HasTarget for AnyAction {}

impl HasAttributes for Addition {}
impl HasAttributes for Change {}
impl HasAttributes for Removal {}
impl HasAttributes for AnyAction {}
impl HasAttributes for Refresh {}
impl HasAttributes for LaterRefresh {}

impl HasContent for Addition {}
impl HasContent for Change {}
impl HasContent for AnyAction {}

impl Morphs for Change {}
impl Morphs for AnyAction {}
impl Morphs for Refresh {}
impl Morphs for LaterRefresh {}

impl Supersedes for Change {}
impl Supersedes for Removal {}
impl Supersedes for AnyAction {}
impl Supersedes for Refresh {}

impl LeavesOut for Refresh {}
impl LeavesOut for LaterRefresh {}

impl IsEntry for Addition {}
impl IsEntry for Change {}
impl IsEntry for Removal {}
impl IsEntry for AnyAction {}
impl IsEntry for Refresh {}
impl IsEntry for Whole {}
