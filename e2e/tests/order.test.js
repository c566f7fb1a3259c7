// One order for everybody, however the publishers race and whenever a viewer joins (S20).

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { cable, isSubscribe } from "../support/cable.js";
import { within } from "../support/deadline.js";
import { LAST, roomFor } from "../support/room.js";

const browser = useBrowser();
const PUBLISHERS = [0, 1, 2];
const COUNT = 50;

test("S20 three racing publishers: every client, live or late, applies the same order, and offsets are contiguous", async (t) => {
  const room = await roomFor(t, browser);
  const viewers = [await room.open(), await room.open()];
  const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: isSubscribe });
  viewers.push(await room.render());
  await within("the subscribe command", hold.reached);

  const racing = room.fixture.race(room.id, { count: COUNT });
  hold.release();
  await racing;
  await room.create(LAST);

  const states = [];
  for (const viewer of viewers) {
    await viewer.shows(LAST);
    states.push(await viewer.state());
  }
  const [{ rows, applied }] = states;
  for (const state of states) assert.deepEqual(state, { rows, applied, loads: 1, visits: 0 });
  assert.deepEqual(applied, rows.map((text) => `append ${text}`));
  assert.equal(rows.length, PUBLISHERS.length * COUNT + 1);
  for (const publisher of PUBLISHERS) {
    const own = Array.from({ length: COUNT }, (_, row) => `publisher ${publisher} row ${row}`);
    assert.deepEqual(rows.filter((text) => text.startsWith(`publisher ${publisher} `)), own);
  }
  assertContiguous(room);
});

test("S20 a page that is rendered between two rounds of racing applies the second round, and only that", async (t) => {
  const room = await roomFor(t, browser);
  const early = await room.open();
  await room.fixture.race(room.id, { count: COUNT });
  const gate = await room.fixture.closeGate("flush");
  const late = await room.begin();
  await gate.reached();
  await room.fixture.race(room.id, { count: COUNT });
  await gate.open();
  await late.loaded;
  await late.connected();
  await room.create(LAST);
  await early.shows(LAST);
  await late.shows(LAST);
  const round = PUBLISHERS.length * COUNT;
  const [both, second] = [await early.state(), await late.state()];
  assert.equal(both.applied.length, 2 * round + 1);
  assert.deepEqual(second.applied, both.applied.slice(round));
  assert.deepEqual(second.rows, both.rows.slice(round)); // the race has no database behind it
  assertContiguous(room);
});

/** Offsets are of one log, and nothing else was published: on each connection they have no holes. */
function assertContiguous(room) {
  const connections = new Set(room.proxy.messages.filter(isSubscribe).map(({ connection }) => connection));
  assert.ok(connections.size > 1);
  for (const connection of connections) {
    const offsets = room.deliveredOffsets((m) => m.connection === connection);
    assert.deepEqual(offsets, offsets.map((_, i) => offsets[0] + i));
  }
}
