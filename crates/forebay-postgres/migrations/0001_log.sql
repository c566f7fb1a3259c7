-- Forebay's log, version 1. `forebay-postgres` runs this by itself where it may make a schema. Otherwise its owner
-- runs it once, and lets the application's role use it:
--   grant usage on schema forebay to ROLE;
--   grant select, insert, update, delete on forebay.log_state, forebay.log_groups, forebay.log_nodes,
--     forebay.log_names, forebay.log_cells to ROLE;
--   grant usage on sequence forebay.log_versions to ROLE;
-- For a log of another name, `forebay` is replaced by that name.

do $$ begin
  -- `create schema if not exists` asks for rights also where the schema is there.
  if to_regnamespace('forebay') is null then create schema forebay; end if;
end $$;

create table forebay.log_state (
  one boolean primary key default true check (one),
  version integer not null,
  -- Everything up to this offset is trimmed.
  floor bigint not null default 0
);
insert into forebay.log_state (version) values (1);

-- Rows are only inserted and deleted, never updated in the ordinary course. So a transaction that stays open for
-- an hour makes the table larger, and nothing slower: whoever appends looks at its end, and whoever reads looks
-- behind what is trimmed.
create table forebay.log_groups (
  -- The offset of its last record.
  ended bigint primary key,
  offsets integer not null,
  -- The size of all bodies up to and with this one.
  bytes bigint not null,
  node bigint not null,
  number bigint not null,
  epoch bigint not null,
  name text,
  -- It stands behind the mark of an epoch that it is not of: it does not count, and is taken again.
  is_void boolean not null default false,
  made_at timestamptz not null default clock_timestamp(),
  body bytea not null
)
-- A ring: vacuum comes for each 10 000 groups that are trimmed, however large the table is.
with (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000,
  toast.autovacuum_vacuum_scale_factor = 0, toast.autovacuum_vacuum_threshold = 10000
);
-- Not compressed: a body is short-lived, and is read by each node.
alter table forebay.log_groups alter column body set storage external, alter column body set statistics 0;
create index log_groups_node on forebay.log_groups (node, number);
create index log_groups_name on forebay.log_groups (name) where name is not null;

-- The last trimmed group of each node, and the last trimmed names: they are known for longer than their groups.
create table forebay.log_nodes (
  node bigint primary key, number bigint not null, epoch bigint not null, ended bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index log_nodes_ended on forebay.log_nodes (ended);
create table forebay.log_names (
  name text primary key, epoch bigint not null, ended bigint not null
) with (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
create index log_names_ended on forebay.log_names (ended);

create table forebay.log_cells (
  space smallint not null, key text not null, value bytea not null, version bigint not null,
  set_at timestamptz not null, primary key (space, key)
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
-- Versions of cells. None comes twice, also where a cell was emptied.
create sequence forebay.log_versions;

-- Appends a group, and gives the offset of its last record: null if it is of another epoch.
create function forebay.log_append(
  new_node bigint, new_number bigint, new_epoch bigint, epoch_begins bytea, new_name text, new_is_mark boolean,
  new_offsets integer, new_body bytea
) returns bigint language plpgsql as $$
declare
  cell bytea;
  cut bigint := 0;
  taken bigint;
  last record;
begin
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'forebay.log_append needs the isolation level "read committed"';
  end if;
  -- One at a time. Each statement behind this line sees all that was appended before. A row to lock would be
  -- rewritten by each group, and slow while another transaction stays open.
  perform pg_advisory_xact_lock('pg_class'::regclass::oid::integer, 'forebay.log_groups'::regclass::oid::integer);
  select c.value into cell from forebay.log_cells c where c.space = 0 and c.key = 'epoch';
  if cell is not null then
    cut := coalesce((convert_from(cell, 'utf8')::json ->> 'cut')::bigint, 0);
    if new_is_mark then
      -- What stands behind the mark of the epoch that ends now, and is not of it, has never counted.
      update forebay.log_groups g set is_void = true
      where g.ended > cut and (convert_from(cell, 'utf8')::json ->> 'epoch')::numeric
        <> g.epoch::numeric + case when g.epoch < 0 then 18446744073709551616 else 0 end;
    elsif substr(cell, 1, octet_length(epoch_begins)) <> epoch_begins then
      return null;
    end if;
  end if;
  select min(t.ended) into taken from (
    select g.ended, g.epoch from forebay.log_groups g where g.node = new_node and g.number >= new_number and not g.is_void
    union all
    select n.ended, n.epoch from forebay.log_nodes n where n.node = new_node and n.number >= new_number
    union all
    select g.ended, g.epoch from forebay.log_groups g where g.name = new_name and not g.is_void
    union all
    select n.ended, n.epoch from forebay.log_names n where n.name = new_name
  ) t where t.epoch = new_epoch or t.ended <= cut;
  if taken is not null then
    return taken;
  end if;
  select g.ended, g.bytes into last from forebay.log_groups g order by g.ended desc limit 1;
  if not found then
    select s.floor as ended, 0::bigint as bytes into last from forebay.log_state s;
  end if;
  insert into forebay.log_groups (ended, offsets, bytes, node, number, epoch, name, body)
  values (last.ended + new_offsets, new_offsets, last.bytes + octet_length(new_body),
    new_node, new_number, new_epoch, new_name, new_body);
  return last.ended + new_offsets;
end
$$;

-- Trims what is older than this, or more than so many bytes: at most `groups_max` groups, and never the last one.
-- `taken_max` nodes and names are remembered.
create function forebay.log_trim(age interval, bytes_max bigint, groups_max integer, taken_max integer)
returns void language plpgsql as $$
declare
  before bigint;
  until bigint;
  last record;
  due timestamptz := clock_timestamp() - age;
begin
  -- One node at a time; the others have nothing to do.
  select s.floor into before from forebay.log_state s for update skip locked;
  if not found then
    return;
  end if;
  select g.ended, g.bytes into last from forebay.log_groups g order by g.ended desc limit 1;
  perform from (
    select g.made_at, g.bytes from forebay.log_groups g where g.ended > before order by g.ended limit 1
  ) first where first.made_at <= due or last.bytes - first.bytes >= bytes_max;
  if not found then
    return;
  end if;
  select max(b.ended) into until from (
    select g.ended, g.made_at, g.bytes from forebay.log_groups g
    where g.ended > before and g.ended < last.ended order by g.ended limit groups_max
  ) b where b.made_at <= due or last.bytes - b.bytes >= bytes_max;
  if until is null then
    return;
  end if;
  with gone as (
    delete from forebay.log_groups g where g.ended > before and g.ended <= until returning *
  ), nodes as (
    insert into forebay.log_nodes as n select distinct on (node) node, number, epoch, ended
    from gone where not is_void order by node, number desc
    on conflict (node) do update set number = excluded.number, epoch = excluded.epoch, ended = excluded.ended
    where excluded.number > n.number
  )
  insert into forebay.log_names select distinct on (name) name, epoch, ended
  from gone where name is not null and not is_void order by name, ended
  on conflict (name) do update set epoch = excluded.epoch, ended = excluded.ended;
  update forebay.log_state set floor = until;
  delete from forebay.log_nodes where ended <=
    (select ended from forebay.log_nodes order by ended desc offset taken_max limit 1);
  delete from forebay.log_names where ended <=
    (select ended from forebay.log_names order by ended desc offset taken_max limit 1);
end
$$;

-- Sets a cell, or empties it where the value is null. `expected` is null for anything, 0 for nothing, or a version.
-- A cell of space 2 is empty ten minutes after it was set.
create function forebay.log_set(new_space smallint, new_key text, new_value bytea, expected bigint)
returns boolean language plpgsql as $$
declare
  old bigint;
begin
  perform pg_advisory_xact_lock('pg_class'::regclass::oid::integer, hashtext('forebay.log_cells' || new_space || new_key));
  select case when new_space = 2 and c.set_at < now() - interval '10 minutes' then 0 else c.version end into old
  from forebay.log_cells c where c.space = new_space and c.key = new_key;
  if expected <> coalesce(old, 0) then
    return false;
  end if;
  if new_value is null then
    delete from forebay.log_cells c where c.space = new_space and c.key = new_key;
  else
    insert into forebay.log_cells as c
    values (new_space, new_key, new_value, nextval('forebay.log_versions'), now())
    on conflict (space, key) do update set value = excluded.value, version = excluded.version, set_at = excluded.set_at;
  end if;
  return true;
end
$$;
