// @anycable/web on its extended protocol, with @anycable/turbo-stream for Turbo's tags: positions, history, restored sessions.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends, messages } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable, delivers, forwarded, isConfirm, isSubscribe } from "../support/cable.js";
import { eventually, within } from "../support/deadline.js";
import { comeBack, rows as rowsOf, waitForRest } from "../support/page.js";
import { LAST, roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();
const query = { script: "anycable_ext" };
const allow = [/net::ERR_|WebSocket connection to|Failed to load resource/];

const isRestored = (m) => m.direction === "down" && m.json?.type === "welcome" && m.json.restored === true;
const isHistory = (m) => m.direction === "up" && m.json?.command === "history";
const isConfirmedHistory = (m) => m.direction === "down" && m.json?.type === "confirm_history";
const isRejectedHistory = (m) => m.direction === "down" && m.json?.type === "reject_history";
const isRefresh = delivers('action="refresh"');

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

test("S44 history does not reach back to where a lost page was: it renders itself again, once, and is live", async (t) => {
  const room = await roomFor(t, browser, { query, env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const viewer = await subscribed(room);
  await room.create("one");
  await viewer.shows("one");
  const outage = room.proxy.outage({ match: cable });
  const missed = messages(10);
  await room.create(...missed);
  const from = room.proxy.messages.mark();
  outage.end();
  await comeBack(viewer.page);
  await viewer.shows("message 10");
  await room.proxy.messages.waitFor(isRejectedHistory, { from });
  await waitForRest(viewer.page);
  await room.assertShown(viewer, { rows: ["one", ...missed], applied: ["append one", "refresh"], visits: 1 });
  assert.equal(room.proxy.messages.count(isRefresh), 1);
});

test("S44 the request for history is late: the page is live without it after five seconds, and is given nothing twice when it comes", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await subscribed(room);
  await room.create("one");
  await viewer.shows("one");
  const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: isHistory });
  const from = room.proxy.messages.mark();
  room.proxy.cut({ match: cable });
  await room.create("two");
  await comeBack(viewer.page);
  await within("the request for history", hold.reached);
  await room.create("three");
  await viewer.shows("three");
  assert.deepEqual(room.proxy.messages.all.slice(from).filter(isConfirmedHistory), []);
  hold.release();
  await room.proxy.messages.waitFor(isConfirmedHistory, { from });
  await room.create("four");
  const rows = ["one", "two", "three", "four"];
  await room.assertShown(viewer, { rows, applied: appends(rows) });
});

test("S44 history is answered twice, and the answers come twice: each message is applied once, and the page is live", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await subscribed(room);
  await room.create("one");
  await viewer.shows("one");
  room.proxy.cut({ match: cable });
  await room.create("two");
  const from = room.proxy.messages.mark();
  await comeBack(viewer.page);
  await room.proxy.messages.waitFor(forwarded(isConfirmedHistory), { from });
  assert.equal(room.proxy.repeat(isConfirmedHistory), 1);
  const [asked] = room.proxy.messages.filter(isHistory);
  await viewer.page.evaluate((command) => window.cable.send(command), asked.json);
  await room.proxy.messages.waitFor(forwarded(isConfirmedHistory), { from, count: 2 });
  await room.create("three");
  const rows = ["one", "two", "three"];
  await room.assertShown(viewer, { rows, applied: appends(rows) });
});

for (const [name, position] of [["an older life of the log", { epoch: "1", offset: 1 }], ["the future", { offset: 1_000_000 }]]) {
  test(`S44 a live page asks for history from ${name}: it is told that there is none, and is given nothing again`, async (t) => {
    const room = await roomFor(t, browser, { query });
    const viewer = await subscribed(room);
    await room.create("one", "two");
    await viewer.shows("two");
    const [{ json }] = room.proxy.messages.filter(delivers("two"));
    const { identifier, stream_id: stream, epoch } = json;
    const history = { streams: { [stream]: { epoch, ...position } } };
    await viewer.page.evaluate((command) => window.cable.send(command), { command: "history", identifier, history });
    await room.proxy.messages.waitFor(isRejectedHistory);
    // Where the refresh has been shown.
    await eventually("the refresh", async () => (await viewer.state()).visits === 1);
    await waitForRest(viewer.page);
    const rows = ["one", "two"];
    await room.assertShown(viewer, { rows, applied: [...appends(rows), "refresh"], visits: 1 });
  });
}
