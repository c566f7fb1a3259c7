-- What an empty database begins with.
insert into rooms (id, name) values (1, 'Harbour'), (2, 'Turbine hall');

insert into messages (room_id, author, body, sent_at) values
  (1, 'ada', 'Morning! The river is all over the place today.', unixepoch() - 560),
  (1, 'grace', 'It always is. That is what the forebay is for.', unixepoch() - 490),
  (1, 'alan', 'Open this room twice and write: both pages have it at once.', unixepoch() - 300),
  (1, 'ada', 'And hold one of them back for five seconds. Nothing gets lost.', unixepoch() - 180),
  (2, 'grace', 'Turbine 2 is running again.', unixepoch() - 3900);

insert into cards (stage, title, position) values
  ('todo', 'Write the release notes', 1),
  ('todo', 'Measure ten thousand idle pages', 2),
  ('doing', 'Pull the plug in the middle of a broadcast', 3),
  ('done', 'Close the gap between rendering and subscribing', 4);
