//! A store's own client: it appends what Forebay's nodes publish, and reads it. No order over nodes, nothing taken once.

use std::sync::OnceLock;

use anyhow::{Context as _, Result, bail};
use futures_util::future::poll_fn;
use futures_util::{StreamExt as _, future};
use redis::aio::MultiplexedConnection;
use redis::streams::{StreamRangeReply, StreamReadReply};
use redis::{AsyncConnectionConfig, cmd};
use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls, Statement};

use super::{BATCH, SIZE};

/// Of Redis' stream, entries that are kept, about. Forebay trims, too.
const KEPT: usize = 10_000;

/// Where it appends.
const NAME: &str = "bare";

const TABLE: &str = "create table if not exists bare (id bigint generated always as identity primary key, body bytea); \
    alter table bare alter body set storage external";

pub(super) enum Client {
    Redis(MultiplexedConnection),
    Nats(async_nats::Client),
    Postgres { client: tokio_postgres::Client, insert: Statement, tell: Statement },
}

/// What waits for the next record.
pub(super) enum Tail {
    Redis(MultiplexedConnection, String),
    Nats(async_nats::Subscriber),
    Postgres { client: tokio_postgres::Client, told: mpsc::Receiver<()>, last: i64 },
}

/// Connections for so many publishers: one of Redis or NATS takes them all. Postgres commits one at a time over each.
pub(super) async fn connect(url: &str, publishers: usize) -> Result<Vec<Client>> {
    let count = if url.starts_with("postgres") { publishers } else { 1 };
    prepare(url).await?;
    future::try_join_all((0..count).map(|_| Client::connect(url))).await
}

/// Who appends, and who waits for it.
pub(super) async fn pair(url: &str) -> Result<(Client, Tail)> {
    Ok((Client::connect(url).await?, Tail::begin(url).await?))
}

async fn prepare(url: &str) -> Result<()> {
    if url.starts_with("postgres") {
        let (client, _told) = postgres(url).await?;
        client.batch_execute(TABLE).await?;
    } else if url.starts_with("nats") {
        let client = async_nats::connect(url).await?;
        let stream = format!(r#"{{"name":"{NAME}","subjects":["{NAME}"],"storage":"file"}}"#);
        client.request(format!("$JS.API.STREAM.CREATE.{NAME}"), stream.into()).await?;
    }
    Ok(())
}

impl Client {
    async fn connect(url: &str) -> Result<Self> {
        if url.starts_with("redis") {
            return Ok(Self::Redis(redis(url).await?));
        }
        if url.starts_with("nats") {
            return Ok(Self::Nats(async_nats::connect(url).await?));
        }
        let (client, _told) = postgres(url).await?;
        let insert = client.prepare("insert into bare (body) values ($1)").await?;
        let tell = "with put as (insert into bare (body) values ($1) returning id) \
                    select pg_notify('bare', id::text) from put";
        let tell = client.prepare(tell).await?;
        Ok(Self::Postgres { client, insert, tell })
    }

    /// Appends the bytes of so many records in one step.
    pub(super) async fn append(&self, records: usize) -> Result<()> {
        let body = body(records);
        match self {
            Self::Redis(connection) => {
                let mut add = cmd("XADD");
                add.arg(NAME).arg("MAXLEN").arg("~").arg(KEPT).arg("*").arg("b").arg(body);
                let _id: String = add.query_async(&mut connection.clone()).await?;
            }
            Self::Nats(client) => {
                let answer = client.request(NAME, body.into()).await?;
                let is_taken = answer.payload.windows(6).any(|word| word == b"\"seq\":");
                anyhow::ensure!(is_taken, "{:?}", answer.payload);
            }
            Self::Postgres { client, insert, .. } => {
                client.execute(insert, &[&body]).await?;
            }
        }
        Ok(())
    }

    /// Appends one record, so that whoever waits hears of it.
    pub(super) async fn append_and_tell(&self) -> Result<()> {
        match self {
            Self::Postgres { client, tell, .. } => {
                client.query(tell, &[&body(1)]).await?;
                Ok(())
            }
            _ => self.append(1).await,
        }
    }
}

impl Tail {
    async fn begin(url: &str) -> Result<Self> {
        if url.starts_with("redis") {
            let mut connection = redis(url).await?;
            let last = cmd("XREVRANGE").arg(NAME).arg("+").arg("-").arg("COUNT").arg(1).to_owned();
            let last: StreamRangeReply = last.query_async(&mut connection).await?;
            let last = last.ids.first().map_or("0", |entry| &entry.id).to_owned();
            return Ok(Self::Redis(connection, last));
        }
        if url.starts_with("nats") {
            let client = async_nats::connect(url).await?;
            let messages = client.subscribe("bare.inbox").await?;
            let consumer = format!(
                r#"{{"stream_name":"{NAME}","config":{{"deliver_subject":"bare.inbox","ack_policy":"none","deliver_policy":"new"}}}}"#
            );
            client.request(format!("$JS.API.CONSUMER.CREATE.{NAME}"), consumer.into()).await?;
            return Ok(Self::Nats(messages));
        }
        let (client, told) = postgres(url).await?;
        client.batch_execute("listen bare").await?;
        let last = client.query_one("select coalesce(max(id), 0) from bare", &[]).await?.get(0);
        Ok(Self::Postgres { client, told, last })
    }

    /// Waits for a record that was not there before.
    pub(super) async fn next(&mut self) -> Result<()> {
        match self {
            Self::Redis(connection, last) => {
                let mut read = cmd("XREAD");
                read.arg("BLOCK").arg(5_000).arg("STREAMS").arg(NAME).arg(&*last);
                let found: Option<StreamReadReply> = read.query_async(connection).await?;
                let found = found.context("nothing came")?;
                let entry = found.keys.iter().flat_map(|key| &key.ids).next_back();
                last.clone_from(&entry.context("nothing came")?.id);
            }
            Self::Nats(messages) => {
                messages.next().await.context("the subscription ended")?;
            }
            Self::Postgres { client, told, last } => loop {
                let rows =
                    client.query("select id, body from bare where id > $1", &[&*last]).await?;
                if let Some(row) = rows.last() {
                    *last = row.get(0);
                    break;
                }
                if told.recv().await.is_none() {
                    bail!("the connection ended");
                }
            },
        }
        Ok(())
    }
}

async fn redis(url: &str) -> Result<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(url)?;
    Ok(client.get_multiplexed_async_connection_with_config(&config).await?)
}

/// A connection, and what it is notified of. What is not looked at is one notification.
async fn postgres(url: &str) -> Result<(tokio_postgres::Client, mpsc::Receiver<()>)> {
    let (client, mut connection) = tokio_postgres::connect(url, NoTls).await?;
    let (tell, told) = mpsc::channel(1);
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|cx| connection.poll_message(cx)).await {
            if matches!(message, AsyncMessage::Notification(_)) {
                let _ = tell.try_send(());
            }
        }
    });
    Ok((client, told))
}

/// The bytes of so many records.
fn body(records: usize) -> &'static [u8] {
    static BODY: OnceLock<Vec<u8>> = OnceLock::new();
    &BODY.get_or_init(|| vec![b'x'; SIZE * BATCH])[..SIZE * records]
}
