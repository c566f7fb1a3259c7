-- Forebay's outbox, version 1. Copy this file into your own migrations, or call `Outbox::migrate`.
-- It may run again: it does nothing then.

create schema if not exists forebay;

create table if not exists forebay.about (
  one boolean primary key default true check (one),
  version integer not null,
  -- Tells this outbox from that of another database.
  id text not null default gen_random_uuid()::text,
  -- Larger for each relay: a server that has crashed, or was restored, may give out transaction ids again.
  life bigint not null default 1,
  -- The largest message that the application takes. The relay keeps it up to date.
  message_bytes_max integer not null default 1048576
);

insert into forebay.about (version) values (1) on conflict do nothing;

-- A row is a broadcast of a transaction that is committed. The relay publishes it and deletes it.
create table if not exists forebay.outbox (
  id bigint generated always as identity primary key,
  -- What it is taken once by. Random, because a database that is restored gives the same ids again.
  key text not null default gen_random_uuid()::text,
  -- Rows of one transaction stay together.
  xid xid8 not null default pg_current_xact_id(),
  kind text not null default 'message' check (kind in ('message', 'refresh', 'gap')),
  stream text not null,
  message text,
  extras text,
  -- `refused`: it can't be published, for the reason beside it.
  state text not null default 'waiting' check (state in ('waiting', 'refused')),
  reason text
)
-- A queue: nearly empty, and rewritten all the time.
with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- A broadcast that somebody else deletes is missing on pages: they are told.
create or replace function forebay.outbox_deleted() returns trigger language plpgsql as $$
begin
  insert into forebay.outbox (kind, stream) values ('gap', old.stream);
  return null;
end
$$;

create or replace trigger outbox_deleted after delete on forebay.outbox for each row
when (old.state = 'waiting' and current_setting('forebay.relay', true) is distinct from 'on')
execute function forebay.outbox_deleted();

create or replace function forebay.outbox_truncated() returns trigger language plpgsql as $$
begin
  -- Nobody knows any more of which streams: all of them.
  insert into forebay.outbox (kind, stream) values ('gap', '');
  return null;
end
$$;

create or replace trigger outbox_truncated after truncate on forebay.outbox for each statement
execute function forebay.outbox_truncated();

-- What the functions below have in common.
create or replace function forebay.put(
  caller text, stream text, kind text, message text, extras jsonb
) returns void language plpgsql as $$
declare
  bytes_max integer;
begin
  if current_setting('forebay.suppress', true) = 'on' then
    return;
  end if;
  if stream is null or stream ~ '(^|:)\s*(:|$)' then
    raise exception '%: the stream''s name % is blank, or has a blank part: every page with a blank part would share it',
      caller, coalesce(quote_literal(stream), 'null') using errcode = 'invalid_parameter_value';
  end if;
  if octet_length(stream) > 1024 then
    raise exception '%: the stream''s name is longer than 1024 bytes', caller
      using errcode = 'invalid_parameter_value';
  end if;
  if kind = 'message' and message is null then
    raise exception '%: there is nothing to broadcast to %: it is null', caller, quote_literal(stream)
      using errcode = 'null_value_not_allowed';
  end if;
  select message_bytes_max into bytes_max from forebay.about;
  if octet_length(message) > bytes_max then
    raise exception '%: the message for % has % bytes, more than the % that are allowed',
      caller, quote_literal(stream), octet_length(message), bytes_max
      using errcode = 'program_limit_exceeded';
  end if;
  insert into forebay.outbox (kind, stream, message, extras)
  values (kind, stream, message, jsonb_strip_nulls(extras)::text);
  -- Wakes the relay. Notifying transactions commit one after the other; where that is too slow, say
  -- `set forebay.notify = off`, and the relay finds the row when it looks next, within a second.
  if current_setting('forebay.notify', true) is distinct from 'off' then
    perform pg_notify('forebay_outbox', '');
  end if;
end
$$;

-- Broadcasts HTML: stream tags.
create or replace function forebay.broadcast(stream text, html text, except_session text default null)
returns void language sql as $$
  select forebay.put('forebay.broadcast', stream, 'message', to_json(html)::text,
    jsonb_build_object('except', except_session));
$$;

-- The same to several streams.
create or replace function forebay.broadcast(streams text[], html text, except_session text default null)
returns void language sql as $$
  select forebay.put('forebay.broadcast', stream, 'message', to_json(html)::text,
    jsonb_build_object('except', except_session))
  from unnest(streams) as stream;
$$;

-- Broadcasts a JSON value, for channels whose pages have JavaScript of their own.
create or replace function forebay.broadcast_json(stream text, value json, except_session text default null)
returns void language sql as $$
  select forebay.put('forebay.broadcast_json', stream, 'message', value::text,
    jsonb_build_object('except', except_session));
$$;

-- Has pages load themselves again, at most once in a refresh window; not the page whose request this is.
create or replace function forebay.refresh(stream text, request_id text default null)
returns void language sql as $$
  select forebay.put('forebay.refresh', stream, 'refresh', null, jsonb_build_object('request_id', request_id));
$$;

-- What this transaction sees, for the cursor of the page whose data it reads. SYSTEM-LIFE-WAL in hexadecimal, and
-- of a snapshot also XMIN, the width up to XMAX, and the steps from XMIN to each running transaction.
create or replace function forebay.seen() returns text language plpgsql stable as $$
declare
  seen pg_snapshot := pg_current_snapshot();
  own bigint := pg_current_xact_id_if_assigned()::text::bigint;
  bottom bigint := pg_snapshot_xmin(seen)::text::bigint;
  top bigint := pg_snapshot_xmax(seen)::text::bigint;
  database text;
  wal text;
  steps text;
begin
  select to_hex(system_identifier) || '-' || to_hex(life) into strict database
  from pg_control_system(), forebay.about;
  if pg_is_in_recovery() then
    -- A replica does not say which transactions run: only its place in the WAL is certain. That has to be older
    -- than the snapshots in which the page's data is read.
    if current_setting('transaction_isolation') <> 'read committed' then
      raise exception 'forebay.seen: on a replica it is asked in read committed, before the data is read: this snapshot is taken already'
        using errcode = 'active_sql_transaction';
    end if;
    return database || '-' || to_hex((pg_last_wal_replay_lsn() - '0/0')::bigint);
  end if;
  -- After the snapshot: whoever reads the outbox when the WAL is longer than this sees at least as much.
  wal := to_hex((pg_current_wal_insert_lsn() - '0/0')::bigint);
  with running as (
    select pg_snapshot_xip(seen)::text::bigint as id
    -- What it writes itself may come after its page has read.
    union select own where own >= bottom and own < top
  ), stepped as (
    select id, id - lag(id, 1, bottom) over (order by id) as step from running
  ), placed as (
    select id, step, row_number() over w <= 64 and sum(length(to_hex(step)) + 1) over w <= 300 as fits
    from stepped window w as (order by id)
  )
  -- Whatever has no room counts as running, and so does all behind it: never a loss.
  select string_agg(to_hex(step), '_' order by id) filter (where fits),
    least(top, min(id) filter (where not fits))
  into steps, top from placed;
  return concat_ws('-', database, wal, to_hex(bottom), to_hex(top - bottom), steps);
end
$$;
