-- Forebay's outbox, version 1. Copy this file into your own migrations, or call `Outbox::migrate`.
-- It may run again: it does nothing then.

create table if not exists forebay_about (
  one integer primary key check (one = 1),
  version integer not null,
  -- Tells this outbox from that of another database.
  id text not null default (lower(hex(randomblob(16)))),
  -- Larger for each relay.
  life integer not null default 1
);

insert or ignore into forebay_about (one, version) values (1, 1);

-- A row is a broadcast of a transaction that is committed. The relay publishes it and deletes it.
create table if not exists forebay_outbox (
  id integer primary key autoincrement,
  -- What it is taken once by. Random, because a database that is restored gives the same ids again.
  key text not null default (lower(hex(randomblob(16)))),
  kind text not null default 'message' check (kind in ('message', 'refresh', 'gap')),
  stream text not null,
  message text,
  extras text,
  -- `taken`: published, about to be deleted. `refused`: it can't be published, for the reason beside it.
  state text not null default 'waiting' check (state in ('waiting', 'taken', 'refused')),
  reason text
);

-- A broadcast that somebody else deletes is missing on pages: they are told.
create trigger if not exists forebay_outbox_deleted after delete on forebay_outbox
when old.state = 'waiting'
begin
  insert into forebay_outbox (kind, stream) values ('gap', old.stream);
end;
