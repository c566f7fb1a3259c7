//! The handle that an application keeps.

use std::fmt;
use std::ops::Deref;

use axum::Router;
use axum::routing::any;

use crate::layer::ForebayLayer;
use crate::{Builder, routes};

/// Turbo for one application: its log, its keys, its channels. Clones are handles to the same.
///
/// Routes and layer are here. Everything else is a method of [`forebay_core::Forebay`], which this
/// dereferences to.
#[derive(Clone)]
pub struct Forebay(forebay_core::Forebay);

impl Forebay {
    /// Begins to configure one. Only the secret is required.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Adds the [routes](Self::routes) to the application's router, and around all of it the
    /// [layer](Self::layer).
    ///
    /// ```
    /// # use axum::{Router, routing::get};
    /// # fn app(forebay: &forebay::Forebay, pool: ()) -> Router {
    /// # async fn show() {}
    /// let router = Router::new().route("/rooms/{id}", get(show));
    /// forebay.mount(router).with_state(pool)
    /// # }
    /// ```
    ///
    /// What is added to the router afterwards is not inside: a route lacks its
    /// [`Turbo`](crate::Turbo), and a layer that reads data may read it too early.
    pub fn mount<S: Clone + Send + Sync + 'static>(&self, router: Router<S>) -> Router<S> {
        router.merge(self.routes()).layer(self.layer())
    }

    /// The routes that clients use: `/cable`, `/forebay/events`, `/forebay/poll`,
    /// `/forebay/forebay.js`, `/forebay/worker.js` and `/forebay/inspect.js`. Merge them into the application's router,
    /// once:
    /// axum panics on two routes for one path.
    pub fn routes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        if self.has_addresses() {
            tracing::warn!(
                "Forebay::routes is called again: for another router that is fine, but merged twice \
                 into one it makes axum panic (\"Overlapping method route\")"
            );
        }
        self.addresses().into_iter().fold(Router::new(), |router, (path, address)| {
            let forebay = self.0.clone();
            router.route(&path, any(move |request| routes::answer(forebay, address, request)))
        })
    }

    /// The layer that notes, for every request, where the log stands before anything else happens. Add
    /// it last, so that it is the outermost, as [`mount`](Self::mount) does. A layer around it that reads data reads too early.
    ///
    /// Add it once, around everything. If two Forebays' layers are around one handler, the inner
    /// one's [`Turbo`](crate::Turbo) is used, and the log names the mistake.
    pub fn layer(&self) -> ForebayLayer {
        ForebayLayer::new(self.clone())
    }
}

impl From<forebay_core::Forebay> for Forebay {
    fn from(forebay: forebay_core::Forebay) -> Self {
        Self(forebay)
    }
}

impl Deref for Forebay {
    type Target = forebay_core::Forebay;

    fn deref(&self) -> &Self::Target {
        &self.0
    }
}

impl fmt::Debug for Forebay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
