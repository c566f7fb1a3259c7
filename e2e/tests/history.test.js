// Late subscribers: replayed while the log can serve their cursor, resynced by one refresh where it cannot.

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as history from "../scenarios/history.js";
import { appends, messages, scenariosOf } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable, delivers, isConfirm, isSubscribe } from "../support/cable.js";
import { onEnd } from "../support/cleanup.js";
import { within } from "../support/deadline.js";
import { comeBack, waitForDisconnected } from "../support/page.js";
import { roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();

const isRefresh = delivers('action="refresh"');

/**
 * Waits until the page that a refresh has loaded is subscribed. Its tag has another cursor; confirmations don't tell, because a
 * client that has lost patience is confirmed twice.
 */
async function subscribedAnew({ proxy: { messages } }) {
  const [{ json: first }] = await messages.waitFor(isSubscribe);
  await messages.waitFor((m) => isConfirm(m) && m.json.identifier !== first.identifier, { what: "a confirmation of another tag" });
}

for (const { name, run } of scenariosOf(history)) {
  test(name, async (t) => run(await roomFor(t, browser)));
}

/** Creates messages one after the other for as long as `act` takes. @returns {Promise<string[]>} their texts */
async function whileCreating(room, act) {
  let done = false;
  const created = (async () => {
    let count = 0;
    while (!done) await room.create(`message ${(count += 1)}`);
    return messages(count);
  })();
  try {
    await act();
  } finally {
    done = true;
  }
  return created;
}

test("S42 pages that are opened while messages are created all show all of them, and apply none twice", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "100000" } });
  const viewers = [];
  const created = await whileCreating(room, async () => {
    for (let n = 0; n < 3; n += 1) viewers.push(await room.open());
  });
  await room.create("the end");
  const rows = [...created, "the end"];
  for (const viewer of viewers) {
    await viewer.shows("the end");
    const { applied, ...state } = await viewer.state();
    assert.deepEqual(state, { rows, loads: 1, visits: 0 });
    // Each was rendered at another moment, and is given what came after that moment.
    assert.deepEqual(applied, appends(rows).slice(-applied.length));
    assert.ok(applied.length > 1 && applied.length < rows.length + 1, `${applied.length} of ${rows.length} applied`);
  }
  room.assertOrderOnTheWire();
});

/** One resync, of this kind and no other, and one refresh on the wire. */
async function assertOneResync(room, counter) {
  const { counters } = await room.fixture.stats();
  const resyncs = Object.entries(counters).filter(([name, count]) => /^resyncs_|^cursors_refused/.test(name) && count > 0);
  assert.deepEqual(resyncs, [[counter, 1]]);
  assert.equal(room.proxy.messages.count(isRefresh), 1);
}

test("S43 a gap that exceeds retention is healed by one refresh, and counted, and the page is live", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: isSubscribe });
  const viewer = await room.render();
  await within("the subscribe command", hold.reached);
  await room.create(...messages(10));
  hold.release();
  await subscribedAnew(room);
  await room.assertShown(viewer, { rows: messages(10), applied: ["refresh"], visits: 1 });
  await assertOneResync(room, "resyncs_forgotten");
});

test("S43 a gap that retention just covers is replayed", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: isSubscribe });
  const viewer = await room.render();
  await within("the subscribe command", hold.reached);
  await room.create(...messages(5));
  hold.release();
  await viewer.connected();
  await room.assertShown(viewer, { rows: messages(5), applied: appends(messages(5)) });
});

for (const cursor of ["foreign", "future"]) {
  const counter = { foreign: "cursors_refused", future: "resyncs_future" }[cursor];
  test(`S43 a page with a ${cursor} cursor is healed by one refresh, and counted, and is live`, async (t) => {
    const room = await roomFor(t, browser);
    await room.create("one");
    // Only the first answer has such a cursor, or the refreshed page would need another refresh.
    const onlyFirst = (page) =>
      page.route("**/rooms/1?*", async (route) => route.continue({ url: `${route.request().url()}&cursor=${cursor}` }), { times: 1 });
    const viewer = await room.render({}, { prepare: onlyFirst });
    await subscribedAnew(room);
    await room.create("two");
    await room.assertShown(viewer, { rows: ["one", "two"], applied: ["refresh", "append two"], visits: 1 });
    await assertOneResync(room, counter);
  });
}

for (const signal of ["SIGTERM", "SIGKILL"]) {
  test(`S43 after a restart by ${signal} the log has another epoch: healed by one refresh, and live`, async (t) => {
    const directory = await mkdtemp(join(tmpdir(), "forebay-e2e-"));
    onEnd(t, () => rm(directory, { recursive: true }));
    const env = { FOREBAY_E2E_DATABASE: join(directory, "chat.sqlite") };
    const room = await roomFor(t, browser, { env });
    const viewer = await room.open({}, { allow: [/WebSocket connection/] });
    await room.create("one", "two");
    await viewer.shows("two");
    await room.server.stop(signal);
    await waitForDisconnected(viewer.page);
    room.moveTo(await serverFor(t, { env }));
    await room.fixture.deleteMessage(1);
    await room.create("three");
    await comeBack(viewer.page);
    await subscribedAnew(room);
    const applied = ["append one", "append two", "refresh"];
    await room.assertShown(viewer, { rows: ["two", "three"], applied, visits: 1 });
    await assertOneResync(room, "resyncs_other_epoch");
  });
}

test("S43 a page that morphs is healed by one refresh as well, and is subscribed from its new rendering", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: isSubscribe });
  const viewer = await room.render({ refresh: "morph" });
  await within("the subscribe command", hold.reached);
  await room.create(...messages(10));
  hold.release();
  await viewer.shows("message 10");
  await room.assertShown(viewer, { rows: messages(10), applied: ["refresh"], visits: 1 });
  await assertOneResync(room, "resyncs_forgotten");
  const subscribes = room.proxy.messages.filter(isSubscribe).map(({ json }) => json.identifier);
  assert.equal(new Set(subscribes).size, 2);
});

// 15 MB: more than the kernel takes for a socket that nobody reads.
const BIG = 30;

test("S43 a socket that takes nothing until history has moved past it is healed by one refresh, and costs nobody else", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const slow = await room.open();
  // After six seconds of silence its client would open another socket, which may be in time: its clock stands still.
  await slow.page.clock.setFixedTime(Date.now());
  const stalled = room.proxy.open(cable)[0];
  const hold = room.proxy.hold({ match: (head) => head === stalled.head, direction: "down", backpressure: true });
  const other = await room.open();
  const big = `<turbo-stream action="update" target="region"><template><div hidden>${"x".repeat(500_000)}</div></template></turbo-stream>`;
  for (let n = 0; n < BIG; n += 1) await room.broadcast(big);
  await room.create("one");
  await other.shows("one");
  hold.release();
  await slow.shows("one");
  const { counters } = await room.fixture.stats();
  assert.equal(counters.resyncs_behind, 1);
  await room.create("the end");
  for (const viewer of [slow, other]) await viewer.shows("the end");
  const { rows, applied, loads, visits } = await slow.state();
  assert.deepEqual({ rows, loads, visits }, { rows: ["one", "the end"], loads: 1, visits: 1 });
  assert.equal(applied.filter((action) => action === "refresh").length, 1);
  assert.ok(applied.length < BIG, `${applied.length} actions applied`);
  const state = await other.state();
  assert.equal(state.applied.length, BIG + 2);
  assert.equal(state.visits, 0);
});
