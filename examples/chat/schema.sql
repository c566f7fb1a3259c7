-- Everything that the demo keeps. Executed at every start.
create table if not exists rooms (
  id integer primary key autoincrement,
  name text not null
);

create table if not exists messages (
  id integer primary key autoincrement,
  room_id integer not null references rooms (id),
  author text not null,
  body text not null,
  edited integer not null default false,
  sent_at integer not null default (unixepoch())
);

create index if not exists messages_of_room on messages (room_id, id);

-- A room as it is listed.
create view if not exists listed_rooms as
select rooms.id, rooms.name, (select count(*) from messages where room_id = rooms.id) as message_count
from rooms;

-- What the tunnel has sent, one row a number: it is sent once, however often it is tried.
create table if not exists events (number integer primary key);

-- `position` orders the cards of a column; a card that comes in goes to the end.
create table if not exists cards (
  id integer primary key autoincrement,
  stage text not null,
  title text not null,
  position integer not null
);
