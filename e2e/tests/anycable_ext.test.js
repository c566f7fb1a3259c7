// @anycable/web on its extended protocol, with @anycable/turbo-stream for Turbo's tags: positions, history, restored sessions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable, forwarded, isConfirm, isSubscribe } from "../support/cable.js";
import { comeBack, rows as rowsOf } from "../support/page.js";
import { LAST, roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();
const query = { script: "anycable_ext" };
const allow = [/net::ERR_|WebSocket connection to|Failed to load resource/];

const isRestored = (m) => m.direction === "down" && m.json?.type === "welcome" && m.json.restored === true;
const isHistory = (m) => m.direction === "up" && m.json?.command === "history";
const isConfirmedHistory = (m) => m.direction === "down" && m.json?.type === "confirm_history";

/** A viewer that is subscribed. */
async function subscribed(room) {
  const from = room.proxy.messages.mark();
  const viewer = await room.render({}, { allow });
  await room.proxy.messages.waitFor(forwarded(isConfirm), { from });
  return viewer;
}

test("what is created between reading and subscribing is shown once, in order", async (t) => {
  const room = await roomFor(t, browser, { query });
  const gate = await room.fixture.closeGate("after_read");
  const viewer = await room.begin({}, { allow });
  await gate.reached();
  await room.create("one", "two");
  await gate.open();
  await viewer.loaded;
  await room.assertShown(viewer, { rows: ["one", "two"], applied: appends(["one", "two"]) });
});

test("S30 cut while messages are created: the session is restored, and each is applied once", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await subscribed(room);
  const expected = [];
  for (let n = 1; n <= 3; n += 1) {
    const from = room.proxy.messages.mark();
    await room.create(`${n} live`);
    await viewer.shows(`${n} live`);
    room.proxy.cut({ match: cable });
    await room.create(`${n} away`, `${n} away as well`);
    await comeBack(viewer.page);
    await viewer.shows(`${n} away as well`);
    await room.proxy.messages.waitFor(isRestored, { from });
    await room.proxy.messages.waitFor(isHistory, { from });
    await room.proxy.messages.waitFor(isConfirmedHistory, { from });
    expected.push(`${n} live`, `${n} away`, `${n} away as well`);
  }
  await room.assertShown(viewer, { rows: expected, applied: appends(expected) });
});

test("S43 a restart without history: it subscribes anew, is told that history is gone, and Turbo's page heals itself", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await subscribed(room);
  await room.create("one");
  await viewer.shows("one");
  room.moveTo(await serverFor(t));
  await room.create("two", "three");
  room.proxy.cut();
  await comeBack(viewer.page);
  await viewer.shows("three");
  await room.create(LAST);
  await viewer.shows(LAST);
  const fresh = await room.render({}, { allow });
  assert.deepEqual(await rowsOf(viewer.page), await rowsOf(fresh.page));
  assert.ok((await viewer.state()).visits >= 1);
});

test("a stream that was quiet is served at any position, and nothing comes twice", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await subscribed(room);
  await room.create("one");
  await viewer.shows("one");
  room.proxy.cut({ match: cable });
  const from = room.proxy.messages.mark();
  await comeBack(viewer.page);
  await room.proxy.messages.waitFor(isConfirmedHistory, { from });
  await room.assertShown(viewer, { rows: ["one"], applied: appends(["one"]) });
  assert.equal(room.proxy.messages.count(isSubscribe), 1, "a restored session is not subscribed again");
});
