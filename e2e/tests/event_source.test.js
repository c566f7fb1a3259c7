// Turbo's own <turbo-stream-source> over server-sent events: no script of ours, no WebSocket, and nothing missing.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable, path } from "../support/cable.js";
import { rows as rowsOf } from "../support/page.js";
import { LAST, roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();
const query = { source: "events" };
const events = path("/forebay/events");
const allow = [/net::ERR_|Failed to load resource/];

/** A viewer whose browser listens. */
async function listening(room) {
  const viewer = await room.render({}, { allow });
  await viewer.page.waitForFunction(() => document.querySelector("turbo-stream-source").streamSource?.readyState === EventSource.OPEN);
  return viewer;
}

/** Both streams of the page, one behind the other. */
async function say(room, ...texts) {
  for (const [n, text] of texts.entries()) {
    const html = `<turbo-stream action="append" target="messages"><template><li>${text}</li></template></turbo-stream>`;
    await room.broadcast(html, n % 2 === 0 ? "messages" : "count");
  }
}

test("S01 what is created between reading and listening is shown once, in order", async (t) => {
  const room = await roomFor(t, browser, { query });
  await room.create("one");
  const gate = await room.fixture.closeGate("after_read");
  const viewer = await room.begin({}, { allow });
  await gate.reached();
  await room.create("two", "three");
  await gate.open();
  await viewer.loaded;
  await room.assertShown(viewer, { rows: ["one", "two", "three"], applied: appends(["two", "three"]) });
  assert.equal(room.proxy.accepted(cable), 0, "no WebSocket");
});

test("two streams on one connection come in the order of the log, live and after cuts", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await listening(room);
  const expected = [];
  for (let n = 1; n <= 3; n += 1) {
    const live = [`${n} a`, `${n} b`];
    const away = [`${n} c`, `${n} d`, `${n} e`];
    await say(room, ...live);
    await viewer.shows(live[1]);
    room.proxy.cut();
    await say(room, ...away);
    await viewer.shows(away[2]);
    expected.push(...live, ...away);
  }
  await room.assertShown(viewer, { rows: expected, applied: appends(expected) });
});

test("S43 after a restart without history the page is told, renders itself again and is live", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await listening(room);
  await room.create("one");
  await viewer.shows("one");
  room.moveTo(await serverFor(t));
  await room.create("two");
  room.proxy.cut();
  await viewer.shows("two");
  await room.create(LAST);
  await viewer.shows(LAST);
  const fresh = await room.render();
  assert.deepEqual(await rowsOf(viewer.page), await rowsOf(fresh.page));
  assert.ok((await viewer.state()).visits >= 1);
});

test("the browser says where it was, and gets what came since and nothing else", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await listening(room);
  await say(room, "one", "two");
  await viewer.shows("two");
  const asked = viewer.page.waitForRequest((request) => request.url().includes("/forebay/events"));
  room.proxy.cut({ match: events });
  room.proxy.cut();
  const headers = await (await asked).allHeaders();
  assert.match(headers["last-event-id"] ?? "", /^[0-9a-f]+\.2$/);
});
