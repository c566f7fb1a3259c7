//! The load generator: one process with one epoll loop, many connections and one publisher. Several
//! processes run side by side under the orchestrator, each told what to do by lines of JSON.

mod connection;
mod dialect;
pub(crate) mod frames;
mod generator;
mod publisher;
mod source;
pub(crate) mod work;

pub(crate) use self::dialect::{Dialect, Rendered, Target, stream_name};
pub(crate) use self::generator::work;
pub(crate) use self::publisher::Post;
