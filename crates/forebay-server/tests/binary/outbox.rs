//! An application in any language broadcasts in its transactions, and the server relays: with each kind of log, and over
//! `kill -9` at the worst moments.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use forebay_rig::{Build, Nats, PgBouncer, Postgres, Redis, Server as _};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Program, SECRET, Server, forebay, turbo};

/// An application's database with an outbox.
fn database() -> Postgres {
    let postgres = Postgres::options().start().unwrap();
    migrate(&postgres.url());
    postgres
}

fn migrate(url: &str) {
    let migrated = forebay(&["outbox", "migrate", url]).output().unwrap();
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
}

fn broadcast(number: u32) -> String {
    format!("select forebay.broadcast_json('s', '{number}')")
}

/// A session of the application's, in which a transaction stays open.
struct Session(Child);

impl Session {
    fn start(postgres: &Postgres) -> Self {
        let url = postgres.url();
        let mut psql = Command::new("psql");
        let psql = psql.args(["--no-psqlrc", "--quiet", &url]).stdin(Stdio::piped());
        Self(psql.stdout(Stdio::null()).spawn().unwrap())
    }

    /// Does it, and waits until it is done: a row of its own says so.
    fn run(&mut self, postgres: &Postgres, statement: &str, done: &str) {
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "{statement};").unwrap();
        while postgres.sql(done).unwrap() != "t" {
            std::thread::yield_now();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Has a lock that keeps others from this table.
const LOCKED: &str = "select count(*) > 0 from pg_locks where relation = 'forebay.outbox'::regclass and granted \
    and mode in ('AccessExclusiveLock', 'ExclusiveLock')";

/// Kills the server where it can lose, and where it can double: what is committed comes once.
fn is_delivered_once(log: &[&str]) {
    let postgres = database();
    let url = postgres.url();
    let start = || Server::start(&[&["--outbox", &url], log].concat());
    let mut server = start();
    // Each for a page of its own, which has seen nothing.
    let mut cursors: Vec<_> = (0..9).map(|_| server.cursor()).collect();
    let mut all = |server: &Server, count: usize| -> Vec<Value> {
        let mut page = server.page();
        page.subscribe(&turbo("s", cursors.pop().as_ref()));
        page.messages(count)
    };
    let expected = |count: u32| (1..=count).map(|number| json!(number)).collect::<Vec<_>>();

    // Live.
    postgres.sql(&broadcast(1)).unwrap();
    assert_eq!(all(&server, 1), expected(1));

    // Committed, and nobody has read it: the server is dead. What is rolled back nobody hears of.
    server.program.kill();
    postgres.sql(&format!("begin; {}; rollback", broadcast(100))).unwrap();
    postgres.sql(&broadcast(2)).unwrap();
    server = start();
    assert_eq!(all(&server, 2), expected(2));

    // Published, and not deleted yet: somebody's lock on the table lets it be read only.
    let mut session = Session::start(&postgres);
    session.run(&postgres, &format!("begin; {}; commit", broadcast(3)), "select true");
    session.run(&postgres, "begin; lock table forebay.outbox in exclusive mode", LOCKED);
    assert_eq!(all(&server, 3), expected(3));
    server.program.kill();
    drop(session);
    server = start();

    // Under way: many rows, killed in between, again and again.
    let mut last = 3;
    for round in 0..5 {
        let rows: Vec<_> = (1..=40).map(|number| broadcast(last + number)).collect();
        last += 40;
        let mut session = Session::start(&postgres);
        writeln!(session.0.stdin.as_mut().unwrap(), "{};", rows.join(";\n")).unwrap();
        let seen = usize::try_from(last).unwrap() - 40 + 8 * round;
        assert_eq!(all(&server, seen).len(), seen);
        server.program.kill();
        // All of it is committed.
        drop(session);
        server = start();
    }
    postgres.sql(&broadcast(last + 1)).unwrap();
    assert_eq!(all(&server, usize::try_from(last).unwrap() + 1), expected(last + 1));
    server.program.signal(rustix::process::Signal::TERM);
    assert_eq!(server.program.end(), Some(0));
    assert_eq!(postgres.sql("select count(*) from forebay.outbox").unwrap(), "0");
}

#[test]
fn what_is_committed_is_delivered_once_with_a_folder() {
    let folder = TempDir::new().unwrap();
    is_delivered_once(&["--history-folder", folder.path().to_str().unwrap()]);
}

#[test]
fn what_is_committed_is_delivered_once_with_redis() {
    let redis = Redis::options().start().unwrap();
    is_delivered_once(&["--log", &redis.url()]);
}

#[test]
fn what_is_committed_is_delivered_once_with_nats() {
    let nats = Nats::options(Build::Installed).start().unwrap();
    is_delivered_once(&["--log", &nats.url()]);
}

#[test]
fn what_is_committed_is_delivered_once_with_postgres() {
    let postgres = Postgres::options().start().unwrap();
    is_delivered_once(&["--log", &postgres.url()]);
}

/// Two servers with one log: one relays, and the other takes over when that one is killed.
#[test]
fn another_server_relays_when_one_is_killed() {
    let (postgres, redis) = (database(), Redis::options().start().unwrap());
    let (url, log) = (postgres.url(), redis.url());
    let start = || Server::start(&["--outbox", &url, "--log", &log]);
    let mut one = start();
    let other = start();
    let mut page = other.page();
    page.subscribe(&turbo("s", Some(&other.cursor())));
    postgres.sql(&broadcast(1)).unwrap();
    assert_eq!(page.messages(1), [1]);
    one.program.kill();
    postgres.sql(&broadcast(2)).unwrap();
    assert_eq!(page.messages(1), [2]);
}

/// Of two servers with logs of their own the second waits for the first to end.
#[test]
fn a_log_of_ones_own_waits_for_the_relay_before() {
    let postgres = database();
    let url = postgres.url();
    let mut first = Server::start(&["--outbox", &url]);
    let flags = ["serve", "--port", "0", "--secret", SECRET, "--outbox", &url];
    let mut refused =
        Program::start(&mut forebay(&[&flags[..], &["--history-folder-wait", "0"]].concat()));
    refused.error_line("another process relays this outbox");
    assert_eq!(refused.end(), Some(1));
    let second = Program::start(&mut forebay(&flags));
    second.error_line("waiting for the outbox");
    first.program.kill();
    assert!(second.line().starts_with("ready"));
}

#[test]
fn sqlite_has_an_outbox_too() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("app.sqlite3");
    std::fs::write(&file, "").unwrap();
    let url = format!("sqlite:{}", file.display());
    migrate(&url);
    let history = folder.path().join("history");
    let start =
        || Server::start(&["--outbox", &url, "--history-folder", history.to_str().unwrap()]);
    let mut server = start();
    let [cursor, another] = [server.cursor(), server.cursor()];
    // In the language of the application: here it is sqlx'.
    let insert = |number: u32| {
        let statement =
            format!("insert into forebay_outbox (stream, message) values ('s', '{number}')");
        sqlite(&url, &statement);
    };
    insert(1);
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&cursor)));
    assert_eq!(page.messages(1), [1]);
    server.program.kill();
    insert(2);
    server = start();
    let mut page = server.page();
    page.subscribe(&turbo("s", Some(&another)));
    assert_eq!(page.messages(2), [1, 2]);
}

fn sqlite(url: &str, statement: &str) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        use sqlx::Connection as _;
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut connection).await.unwrap();
    });
}

#[test]
fn the_migration_is_printed_for_those_who_run_it_themselves() {
    let print = |url: &str| {
        let printed = forebay(&["outbox", "print", url]).output().unwrap();
        assert!(printed.status.success());
        String::from_utf8(printed.stdout).unwrap()
    };
    assert!(print("sqlite:app.sqlite3").contains("create table if not exists forebay_outbox"));
    let postgres = Postgres::options().start().unwrap();
    postgres.sql(&print("postgres://")).unwrap();
    // It is there: nothing is done.
    migrate(&postgres.url());
    Server::start(&["--outbox", &postgres.url()]);
}

#[test]
fn what_is_wrong_with_the_outbox_is_said_in_one_line() {
    let check = |url: &str, part: &str, status: i32| {
        let flags = ["serve", "--port", "0", "--secret", SECRET, "--outbox", url];
        let mut program = Program::start(&mut forebay(&flags));
        let line = program.error_line(part);
        assert!(!line.contains("hunter"), "{line}");
        assert_eq!(program.end(), Some(status), "{line}");
    };
    check("mysql://localhost/app", "expected postgres or sqlite", 2);
    check("postgres://localhost/app?pool=5", "no option pool", 2);
    check("sqlite::memory:", "in memory", 2);
    check("sqlite:/nowhere/app.sqlite3", "unable to open", 1);
    let postgres = Postgres::options().password("hunter2").start().unwrap();
    let at = postgres.address();
    check(
        &format!("postgres://postgres:hunter3@{at}/postgres"),
        "password authentication failed",
        1,
    );
    check(&format!("postgres://postgres:hunter2@{at}/nowhere"), "does not exist", 1);
    check(&postgres.url(), "forebay outbox migrate", 1);
    migrate(&postgres.url());
    postgres.sql("create role app login password 'hunter4'").unwrap();
    let app = format!("postgres://app:hunter4@{at}/postgres");
    check(&app, "grant usage on schema forebay", 1);
    postgres
        .sql("grant usage on schema forebay to app; grant select, update on forebay.about to app")
        .unwrap();
    check(&app, "lacks rights (select, update, delete on forebay.outbox)", 1);
    let open = database();
    let bouncer = PgBouncer::start(&open).unwrap();
    check(&bouncer.url(), "PgBouncer", 1);
    let standby = forebay(&["outbox", "migrate"]).output().unwrap();
    assert_eq!(standby.status.code(), Some(2), "no URL");
}

/// A database that is away when the server begins is waited for, and pages are served meanwhile as soon as it is there.
#[test]
fn a_database_that_is_away_is_waited_for() {
    let postgres = database();
    postgres.stop().unwrap();
    let flags = ["serve", "--port", "0", "--secret", SECRET, "--outbox", &postgres.url()];
    let program = Program::start(&mut forebay(&flags));
    program.error_line("can't be reached yet");
    postgres.restart().unwrap();
    assert!(program.line().starts_with("ready"));
    // Gone again while it serves: that is said, and it goes on when it is back.
    postgres.kill().unwrap();
    program.error_line("the outbox can't be read");
}
