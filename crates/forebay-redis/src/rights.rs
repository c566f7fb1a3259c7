//! Whether the user may do what the log needs, found out before anything is published.
//!
//! Each command is sent in a form that changes nothing: its key holds something else, or what it should do makes no
//! sense. Redis looks at the rights first, and so says whether they are there. A right that is taken away later is named
//! by the command that needs it.

use forebay_shared::Failure;
use redis::aio::MultiplexedConnection;
use redis::{RedisResult, ServerErrorKind, Value, pipe};

use crate::failure::failure;

/// What documentation tells to grant.
pub(crate) const GRANTED: &str =
    "+@read +@write +@transaction +@scripting +@connection +info +time";

/// What is asked, by us and by the scripts. `KEY` is a key of the log's, which has a hash meanwhile.
const NEEDED: [&str; 29] = [
    "HSET KEY field value",
    "INFO server",
    "TYPE KEY",
    "GET KEY",
    "SET KEY value EX never",
    "HGET KEY field",
    "HMGET KEY field",
    "HGETALL KEY",
    "HLEN KEY",
    "HINCRBY KEY field much",
    "HDEL KEY another",
    "LINDEX KEY 0",
    "LPOP KEY",
    "RPUSH KEY value",
    "XADD KEY NOMKSTREAM 1-1 field value",
    "XDEL KEY 1-1",
    "XRANGE KEY - +",
    "XREAD STREAMS KEY 0",
    "XSETID KEY 1-1",
    "XTRIM KEY MAXLEN 0",
    "ZADD KEY high member",
    "ZREMRANGEBYRANK KEY 0 -1",
    "ZREMRANGEBYSCORE KEY 0 0",
    "ZSCORE KEY member",
    "TIME",
    "MULTI",
    "EXEC",
    "EVALSHA 0000000000000000000000000000000000000000 1 KEY",
    "DEL KEY",
];

pub(crate) async fn check(
    connection: &mut MultiplexedConnection,
    name: &str,
) -> Result<(), Failure> {
    let key = format!("{{{name}}}:rights");
    let mut asked = pipe();
    asked.ignore_errors();
    for command in NEEDED {
        for (at, word) in command.split(' ').enumerate() {
            match (at, word) {
                (0, _) => drop(asked.cmd(word)),
                (_, "KEY") => drop(asked.arg(&key)),
                _ => drop(asked.arg(word)),
            }
        }
    }
    // It has to be one, so that it can be asked for.
    asked.cmd("SCRIPT").arg("LOAD").arg("return 1");
    let answers: Result<Vec<RedisResult<Value>>, _> = asked.query_async(connection).await;
    let answers = answers.map_err(|error| failure(&error))?;
    let commands = NEEDED.iter().map(|command| command.split(' ').next().unwrap_or_default());
    let mut missing = Vec::new();
    for (command, answer) in commands.chain(["SCRIPT LOAD"]).zip(answers) {
        let Err(error) = answer else { continue };
        if error.kind() != ServerErrorKind::NoPerm.into() {
            continue;
        }
        let about_keys = error.detail().is_some_and(|said| said.contains("key"));
        let what = if about_keys { "its keys" } else { command };
        if !missing.contains(&what) {
            missing.push(what);
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let missing = missing.join(", ");
    Err(Failure::Refused(format!("its user may not use {missing}: grant ~{{{name}}}:* {GRANTED}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_the_scripts_do_is_asked_for() {
        for script in [include_str!("append.lua"), include_str!("set.lua")] {
            let calls = script.split("call('").skip(1);
            for command in calls.filter_map(|call| call.split('\'').next()) {
                let is_there =
                    NEEDED.iter().any(|needed| needed.split(' ').next() == Some(command));
                assert!(is_there, "NEEDED lacks {command}");
            }
        }
    }

    #[test]
    fn the_documentation_grants_it() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/log-redis.md");
        let page = std::fs::read_to_string(page).unwrap();
        assert!(page.contains(&format!("~{{forebay}}:* {GRANTED}\n")));
    }
}
