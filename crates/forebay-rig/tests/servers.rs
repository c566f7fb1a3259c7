//! Each server starts, answers, is killed, comes back with its data, and ends with its owner.

#![expect(clippy::unwrap_used, reason = "a test, whose helpers are not marked as such")]

use std::fs::Permissions;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use forebay_rig::{Build, Direction, Error, Nats, Passage, PgBouncer, Postgres, Proxy, Redis};
use forebay_rig::{Sentinel, Server};

/// A second of patience for what is on this machine would depend on its speed; this is for what hangs.
const HANGS: Duration = Duration::from_mins(1);

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(HANGS)).unwrap();
    stream
}

/// Says something, and reads until the answer has this in it.
fn says(stream: &mut TcpStream, words: &str, answer: &str) {
    stream.write_all(words.as_bytes()).unwrap();
    let (mut said, mut bytes) = (String::new(), [0; 4096]);
    while !said.contains(answer) {
        let length = stream.read(&mut bytes).expect("an answer");
        assert!(length > 0, "it ended after {said:?}");
        said.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
}

fn assert_gone(server: &dyn Server) {
    assert!(TcpStream::connect(server.address()).is_err(), "it listens, though it was ended");
    assert!(!server.process().runs());
}

#[test]
fn redis_comes_back_with_its_data() {
    let redis = Redis::options().append_only().start().unwrap();
    redis.command(&["set", "key", "kept"]).unwrap();
    redis.kill().unwrap();
    assert_gone(&redis);
    assert!(redis.process().log().contains("Ready to accept connections"));
    redis.restart().unwrap();
    assert_eq!(redis.command(&["get", "key"]).unwrap(), "kept");
    redis.stop().unwrap();
    assert_gone(&redis);
}

#[test]
fn redis_forgets_what_it_has_in_memory_only() {
    let redis = Redis::options().memory("4mb", "allkeys-lru").start().unwrap();
    redis.command(&["set", "key", "lost"]).unwrap();
    redis.kill().unwrap();
    redis.restart().unwrap();
    assert_eq!(redis.command(&["get", "key"]).unwrap(), "");
    assert!(redis.command(&["config", "get", "maxmemory-policy"]).unwrap().contains("allkeys-lru"));
}

#[test]
fn redis_asks_for_user_and_certificate() {
    let redis = Redis::options().user("forebay", "secret").tls().start().unwrap();
    assert_eq!(redis.url(), format!("rediss://forebay:secret@{}", redis.address()));
    assert_eq!(redis.command(&["ping"]).unwrap(), "PONG");
    let stranger = Command::new("redis-cli")
        .args(["-e", "-p", &redis.address().port().to_string(), "--tls", "--cacert"])
        .arg(&redis.certificates().unwrap().authority)
        .arg("ping")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&stranger.stderr).contains("NOAUTH"), "{stranger:?}");
}

#[test]
fn a_replica_that_is_cut_off_lacks_what_was_acknowledged() {
    let primary = Redis::options().start().unwrap();
    let link = Proxy::start(primary.address()).unwrap();
    let replica = Redis::options().replica_at(link.address()).start().unwrap();
    replica.process().wait_for("sync: Finished with success").unwrap();
    primary.command(&["set", "first", "1"]).unwrap();
    primary.wait_for_replica().unwrap();
    link.hold();
    primary.command(&["set", "second", "2"]).unwrap();
    primary.kill().unwrap();
    replica.command(&["replicaof", "no", "one"]).unwrap();
    assert_eq!(replica.command(&["mget", "first", "second"]).unwrap(), "1");
}

#[test]
fn sentinel_promotes_the_replica() {
    let primary = Redis::options().start().unwrap();
    let replica = Redis::options().replica_of(&primary).start().unwrap();
    replica.process().wait_for("sync: Finished with success").unwrap();
    let sentinel = Sentinel::start(&primary).unwrap();
    sentinel.process().wait_for("+slave").unwrap();
    primary.kill().unwrap();
    sentinel.process().wait_for("+switch-master").unwrap();
    assert!(replica.command(&["role"]).unwrap().starts_with("master"));
}

#[test]
fn nats_comes_back_with_its_data() {
    for build in Nats::builds() {
        let nats = Nats::options(build).start().unwrap();
        let mut client = connect(nats.address());
        says(&mut client, "CONNECT {\"verbose\":false}\r\nPING\r\n", "PONG");
        let stream = r#"{"name":"kept","subjects":["kept"],"storage":"file"}"#;
        let create =
            format!("PUB $JS.API.STREAM.CREATE.kept inbox {}\r\n{stream}\r\n", stream.len());
        says(&mut client, &format!("SUB inbox 1\r\n{create}"), "stream_create_response");
        says(&mut client, "PUB kept inbox 5\r\nhello\r\n", r#""seq":1"#);
        nats.kill().unwrap();
        assert_gone(&nats);
        nats.restart().unwrap();
        let mut client = connect(nats.address());
        says(&mut client, "CONNECT {\"verbose\":false}\r\nSUB inbox 1\r\n", "INFO");
        says(&mut client, "PUB $JS.API.STREAM.INFO.kept inbox 0\r\n\r\n", r#""messages":1"#);
    }
}

#[test]
fn nats_asks_for_user_token_and_certificate() {
    let nats = Nats::options(Build::Installed).user("forebay", "secret").start().unwrap();
    says(&mut connect(nats.address()), "CONNECT {}\r\n", "Authorization Violation");
    let login = "CONNECT {\"user\":\"forebay\",\"pass\":\"secret\"}\r\nPING\r\n";
    says(&mut connect(nats.address()), login, "PONG");
    let nats = Nats::options(Build::Installed).token("secret").start().unwrap();
    says(&mut connect(nats.address()), "CONNECT {}\r\n", "Authorization Violation");
    let login = "CONNECT {\"auth_token\":\"secret\"}\r\nPING\r\n";
    says(&mut connect(nats.address()), login, "PONG");
    let nats = Nats::options(Build::Installed).tls().start().unwrap();
    says(&mut connect(nats.address()), "", r#""tls_required":true"#);
    assert!(nats.certificates().is_some());
}

#[test]
fn postgres_comes_back_with_its_data() {
    let postgres = Postgres::options().password("secret").tls().start().unwrap();
    let url = format!("postgres://postgres:secret@{}/postgres?sslmode=require", postgres.address());
    assert_eq!(postgres.url(), url);
    postgres.sql("create table kept (id int); insert into kept values (7)").unwrap();
    postgres.kill().unwrap();
    assert_gone(&postgres);
    postgres.restart().unwrap();
    assert_eq!(postgres.sql("select id from kept").unwrap(), "7");
    let ask = |url: &str| {
        Command::new("psql").args(["--command", "select 1", url]).output().unwrap().status
    };
    assert!(ask(&postgres.url()).success());
    assert!(!ask(&postgres.url().replace("secret", "wrong")).success());
    assert!(!ask(&postgres.url().replace("require", "disable")).success());
}

#[test]
fn a_standby_is_late_and_a_bouncer_answers() {
    let postgres = Postgres::options().start().unwrap();
    postgres.sql("create table counted (id int)").unwrap();
    // Longer than any test: whether it is late must not depend on this machine's speed.
    let standby = postgres.standby(600_000).unwrap();
    postgres.sql("insert into counted values (1)").unwrap();
    assert_eq!(standby.sql("select pg_is_in_recovery()").unwrap(), "t");
    assert_eq!(standby.sql("select count(*) from counted").unwrap(), "0");

    let bouncer = PgBouncer::start(&postgres).unwrap();
    let ask = Command::new("psql")
        .args(["-qAt", "--command", "select count(*) from counted", &bouncer.url()])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&ask.stdout).trim(), "1", "{ask:?}");
    bouncer.restart().unwrap();
}

#[test]
fn a_paused_server_goes_on_where_it_was() {
    let redis = Redis::options().start().unwrap();
    let mut client = connect(redis.address());
    redis.pause().unwrap();
    // It is written to the socket, and nobody reads it.
    client.write_all(b"PING\r\n").unwrap();
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    assert!(client.read(&mut [0; 16]).is_err(), "a paused server answered");
    redis.resume().unwrap();
    client.set_read_timeout(Some(HANGS)).unwrap();
    says(&mut client, "", "PONG");
    redis.pause().unwrap();
    redis.restart().unwrap();
    says(&mut connect(redis.address()), "PING\r\n", "PONG");
}

#[test]
fn what_is_wrong_is_said() {
    let error = Redis::options().configure("no-such-setting 1").start().unwrap_err();
    assert!(error.to_string().contains("no-such-setting"), "{error}");
    assert!(matches!(error, Error::Failed { .. }), "{error:?}");
}

#[test]
fn a_dropped_server_is_gone() {
    let redis = Redis::options().start().unwrap();
    let mut client = connect(redis.address());
    let address = redis.address();
    drop(redis);
    assert_eq!(client.read(&mut [0; 16]).unwrap_or(0), 0);
    assert!(TcpStream::connect(address).is_err());
}

/// Run by the test below, in a process that is killed.
#[test]
#[ignore = "never ends by itself"]
fn owner() {
    let redis = Redis::options().start().unwrap();
    let postgres = Postgres::options().start().unwrap();
    eprintln!("started {} {} .", redis.address(), postgres.address());
    // Until the test below ends, or kills this.
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn servers_end_with_a_process_that_is_killed() {
    // It cleans up nothing, so this does. Postgres' user has to come in.
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    let mut owner = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "owner", "--nocapture"])
        .env("TMPDIR", folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut said, mut bytes) = (String::new(), [0; 4096]);
    let mut output = owner.stderr.take().unwrap();
    while !said.contains(" .") {
        let length = output.read(&mut bytes).unwrap();
        assert!(length > 0, "the owner ended after {said:?}");
        said.push_str(&String::from_utf8_lossy(&bytes[..length]));
    }
    let addresses = said.split_once("started ").unwrap().1.split(' ').take(2);
    let clients: Vec<_> = addresses.map(|address| connect(address.parse().unwrap())).collect();
    owner.kill().unwrap();
    owner.wait().unwrap();
    for mut client in clients {
        // Its connection ends with the server. Where another process of it has the connection, that may be a moment before.
        let Ok(address) = client.peer_addr() else { continue };
        drop(client.read_to_end(&mut Vec::new()));
        let begun = Instant::now();
        while TcpStream::connect(address).is_ok() {
            assert!(begun.elapsed() < Duration::from_mins(1), "the server at {address} lives on");
        }
    }
}

#[tokio::test]
async fn a_proxy_loses_answers_and_holds_requests() {
    let redis = Redis::options().start().unwrap();
    let proxy = Proxy::start(redis.address()).unwrap();
    let mut client = connect(proxy.address());
    says(&mut client, "PING\r\n", "PONG");

    proxy.set(Direction::ToClient, Passage::Lost);
    client.write_all(b"INCR counter\r\n").unwrap();
    proxy.lost(Direction::ToClient, 4).await;
    proxy.cut();
    assert_eq!(client.read(&mut [0; 16]).unwrap_or(0), 0);
    assert_eq!(redis.command(&["get", "counter"]).unwrap(), "1");

    proxy.open();
    proxy.set(Direction::ToServer, Passage::Lost);
    let mut client = connect(proxy.address());
    client.write_all(b"INCR counter\r\n").unwrap();
    proxy.lost(Direction::ToServer, 14).await;
    proxy.cut();
    assert_eq!(redis.command(&["get", "counter"]).unwrap(), "1");

    proxy.open();
    let mut client = connect(proxy.address());
    says(&mut client, "PING\r\n", "PONG");
    proxy.hold();
    client.write_all(b"INCR counter\r\n").unwrap();
    assert_eq!(redis.command(&["get", "counter"]).unwrap(), "1");
    proxy.set(Direction::ToClient, Passage::Late(Duration::from_millis(30)));
    let begun = Instant::now();
    proxy.set(Direction::ToServer, Passage::Open);
    says(&mut client, "", ":2");
    assert!(begun.elapsed() >= Duration::from_millis(30));
    proxy.refuse();
    assert_eq!(client.read(&mut [0; 16]).unwrap_or(0), 0);
    let refused = TcpStream::connect(proxy.address());
    assert!(refused.is_err() || refused.unwrap().read(&mut [0; 16]).unwrap_or(0) == 0);
}

#[test]
fn a_proxy_leads_to_another_server() {
    let (first, second) = (Redis::options().start().unwrap(), Redis::options().start().unwrap());
    second.command(&["set", "name", "second"]).unwrap();
    let proxy = Proxy::start(first.address()).unwrap();
    proxy.lead_to(second.address());
    says(&mut connect(proxy.address()), "GET name\r\n", "second");
    assert!(first.url_at(proxy.address()).ends_with(&proxy.address().to_string()));
}
