//! How a group is appended: a short body through the script, a long one beside it.

use forebay_log::Offset;
use forebay_shared::{Failure, Group, TAKEN_MAX};
use redis::{Cmd, ErrorKind, RedisResult, ServerErrorKind, Value, cmd};

use crate::connection::Connection;
use crate::failure::failure;

/// Nodes whose last number is remembered. A process is one, from its start to its end: some days of deploys.
const NODES_MAX: usize = 1_000;

/// A body of so many bytes goes beside the script. Lua copies it twice: with 75 KB that takes ten times what the
/// script takes otherwise. With 5 KB it takes less than the transaction.
const BESIDE_MIN: usize = 8 << 10;

const NOT_THERE: ErrorKind = ErrorKind::Server(ServerErrorKind::NoScript);

/// What a transaction answers: the script, XADD and XSETID.
type Answers = (RedisResult<String>, RedisResult<Value>, RedisResult<Value>);

impl Connection {
    pub(crate) async fn append_in_turn(&self, group: &Group) -> Result<Offset, Failure> {
        let _turn = self.appending.lock().await;
        let is_long = group.body.len() >= BESIDE_MIN;
        let beside = if is_long { self.append_beside(group).await? } else { None };
        let answer = match beside {
            Some(answer) => answer,
            None => self.append_within(group).await?,
        };
        answer.parse().map(Offset).map_err(|_| Failure::OtherEpoch)
    }

    /// The body passes the script by. None if nothing was done: the script is not there, or the server does not
    /// take the transaction.
    async fn append_beside(&self, group: &Group) -> Result<Option<String>, Failure> {
        let log = &self.keys.log;
        let mut pipe = redis::pipe();
        pipe.atomic().ignore_errors().add_command(self.evaluate(group, &[]));
        pipe.cmd("XADD").arg(log).arg("NOMKSTREAM").arg("0-*");
        pipe.arg("n").arg(node(group)).arg("k").arg(group.number);
        pipe.arg("e").arg(group.epoch.0).arg("o").arg(group.offsets).arg("b").arg(&group.body[..]);
        pipe.cmd("XSETID").arg(log).arg("1-0");
        let answers: RedisResult<Answers> = pipe.query_async(&mut self.asking.clone()).await;
        match answers {
            // If it was taken and XADD was not allowed any more, there is a hole, which all who read are told of.
            Ok((answer, _, _)) => Ok(answer.ok()),
            Err(error) if matches!(error.kind(), ErrorKind::Server(_)) => Ok(None),
            Err(error) => Err(failure(&error)),
        }
    }

    /// The body goes through the script, which says why where it can't be.
    async fn append_within(&self, group: &Group) -> Result<String, Failure> {
        let mut asking = self.asking.clone();
        let command = self.evaluate(group, &group.body);
        let mut answer: RedisResult<String> = command.query_async(&mut asking).await;
        if answer.as_ref().is_err_and(|error| error.kind() == NOT_THERE) {
            let loaded = self.keys.append.load_async(&mut asking).await;
            loaded.map_err(|error| failure(&error))?;
            answer = command.query_async(&mut asking).await;
        }
        answer.map_err(|error| failure(&error))
    }

    fn evaluate(&self, group: &Group, body: &[u8]) -> Cmd {
        let keys = &self.keys;
        let mut command = cmd("EVALSHA");
        command.arg(keys.append.get_hash()).arg(4);
        command.arg(&[&keys.log, &keys.state, &keys.marks, &keys.names]);
        command.arg(node(group)).arg(group.number).arg(group.epoch.0);
        command.arg(group.name.as_deref().unwrap_or_default());
        command.arg(if group.is_mark { "1" } else { "" });
        command.arg(group.offsets).arg(group.body.len());
        command.arg(u64::try_from(keys.keep.as_millis()).unwrap_or(u64::MAX >> 11));
        command.arg(keys.keep_bytes).arg(TAKEN_MAX).arg(NODES_MAX).arg(body);
        command
    }
}

/// Its node's name: Lua would not count so far.
fn node(group: &Group) -> String {
    format!("{:016x}", group.node)
}
