//! Points in time, as SQLite keeps them and as pages show them.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Seconds since 1970. Shown in the server's time zone, which in a demo is the viewer's.
#[derive(Clone, Copy, sqlx::Type)]
#[sqlx(transparent)]
pub(crate) struct Moment(i64);

impl Moment {
    /// `2026-05-03T12:05:00Z`.
    pub(crate) fn rfc3339(self) -> String {
        self.timestamp().to_string()
    }

    /// `14:05`.
    pub(crate) fn time(self) -> String {
        self.shown("%H:%M")
    }

    /// `3 May, 14:05`.
    pub(crate) fn day_and_time(self) -> String {
        self.shown("%-d %b, %H:%M")
    }

    fn shown(self, format: &str) -> String {
        self.timestamp().to_zoned(TimeZone::system()).strftime(format).to_string()
    }

    fn timestamp(self) -> Timestamp {
        Timestamp::from_second(self.0).unwrap_or_default()
    }
}
