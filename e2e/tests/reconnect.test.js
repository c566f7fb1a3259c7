// A page whose socket dies converges when it is back. The stock client says its old cursor again; the server goes on from what
// the browser's Pongs have proven, and without proof replays: then rows and their order are right, and actions come twice.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends, messages } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable, forwarded, isConfirm, provesOffset } from "../support/cable.js";
import { comeBack, rows as rowsOf, waitForDisconnected } from "../support/page.js";
import { LAST, roomFor } from "../support/room.js";

const browser = useBrowser();

/** What the page shows equals what somebody sees who opens it now. */
async function assertConverged(room, viewer) {
  await room.create(LAST);
  await viewer.shows(LAST);
  const fresh = await room.render();
  assert.deepEqual(await rowsOf(viewer.page), await rowsOf(fresh.page));
  const { loads, visits } = await viewer.state();
  assert.deepEqual({ loads, visits }, { loads: 1, visits: 0 });
  room.assertOrderOnTheWire();
}

for (const [how, cut] of [["reset", { reset: true }], ["closed without a word", { reset: false }]]) {
  test(`S30 the socket is ${how} while messages are created, edited and removed: the page converges, and applies all once`, async (t) => {
    const room = await roomFor(t, browser);
    await room.create("one", "two");
    const viewer = await room.open();
    await room.create("three", "four");
    await viewer.shows("four");
    await room.proxy.messages.waitFor(forwarded(provesOffset(4)));
    room.proxy.cut({ match: cable, ...cut });
    await waitForDisconnected(viewer.page);
    await room.create("five", "six", "seven");
    await room.fixture.updateMessage(1, "one, edited");
    await room.fixture.updateMessage(6, "six, edited");
    await room.fixture.deleteMessage(2);
    await room.fixture.deleteMessage(3);
    await room.fixture.deleteMessage(5);
    await comeBack(viewer.page);
    await viewer.connected();
    await assertConverged(room, viewer);
    const { rows, applied } = await viewer.state();
    assert.deepEqual(rows, ["one, edited", "four", "six, edited", "seven", LAST]);
    assert.deepEqual(applied, [
      ...["append three", "append four", "append five", "append six", "append seven"],
      ...["replace one, edited", "replace six, edited", "remove message_2", "remove message_3", "remove message_5"],
      `append ${LAST}`,
    ]);
  });
}

test("S31 packets are lost silently while messages are created: the page gets them, once, when the socket is gone", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  await room.create("one");
  await viewer.shows("one");
  await room.proxy.messages.waitFor(forwarded(provesOffset(1)));
  const hole = room.proxy.blackhole({ match: cable });
  await room.create("two", "three");
  hole.end();
  await waitForDisconnected(viewer.page);
  await room.create("four");
  await comeBack(viewer.page);
  await viewer.connected();
  await assertConverged(room, viewer);
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["one", "two", "three", "four", LAST]);
  assert.deepEqual(applied, rows.map((text) => `append ${text}`));
});

test("S30 the socket is cut five times in a row, each time while messages are created: the page converges", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  const expected = [];
  for (let n = 1; n <= 5; n += 1) {
    const from = room.proxy.messages.mark();
    const live = [`${n} live`, `${n} live as well`];
    await room.create(...live);
    room.proxy.cut({ match: cable });
    await waitForDisconnected(viewer.page);
    await room.create(`${n} cut off`);
    await comeBack(viewer.page);
    await room.proxy.messages.waitFor(forwarded(isConfirm), { from });
    await viewer.connected();
    expected.push(...live, `${n} cut off`);
  }
  await assertConverged(room, viewer);
  assert.deepEqual((await viewer.state()).rows, [...expected, LAST]);
});

test("S30 the Pong is lost with the socket: what it would have proven is replayed, and the page converges", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  const hold = room.proxy.hold({ match: cable, direction: "up" });
  await room.create("one", "two");
  await viewer.shows("two");
  await room.proxy.messages.waitFor(provesOffset(1));
  room.proxy.cut({ match: cable });
  hold.release();
  await waitForDisconnected(viewer.page);
  await room.create("three");
  await comeBack(viewer.page);
  await viewer.connected();
  await assertConverged(room, viewer);
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["one", "two", "three", LAST]);
  assert.deepEqual(applied, ["one", "two", "one", "two", "three", LAST].map((text) => `append ${text}`));
});

test("S30 a script that was held up closes its connection before it has come to what has arrived: that comes again", async (t) => {
  const room = await roomFor(t, browser);
  const keepSocket = () => {
    window.WebSocket = class extends WebSocket {
      constructor(...how) {
        super(...how);
        window.socket = this;
      }
    };
  };
  const viewer = await room.open({}, { prepare: (page) => page.addInitScript(keepSocket) });
  await room.create("one");
  await viewer.shows("one");
  let release;
  const isHeld = new Promise((resolve) => viewer.page.route("**/held", (route) => resolve((release = () => route.fulfill()))));
  const closes = viewer.page.evaluate(() => {
    const request = new XMLHttpRequest();
    request.open("GET", "/held", false);
    request.send();
    window.socket.close();
  });
  await isHeld;
  await room.create("two", "three");
  // The browser's network stack has answered, and the script has seen nothing of it.
  await room.proxy.messages.waitFor(forwarded(provesOffset(3)));
  await release();
  await closes;
  await waitForDisconnected(viewer.page);
  await comeBack(viewer.page);
  await viewer.connected();
  await assertConverged(room, viewer);
  assert.deepEqual((await viewer.state()).rows, ["one", "two", "three", LAST]);
});

test("S30 a page that is older than history, and has got all of it, is replayed the rest and not resynced", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const viewer = await room.open();
  await room.create(...messages(10));
  await viewer.shows("message 10");
  await room.proxy.messages.waitFor(forwarded(provesOffset(10)));
  room.proxy.cut({ match: cable });
  await waitForDisconnected(viewer.page);
  await room.create(...messages(3, 11));
  await comeBack(viewer.page);
  await viewer.connected();
  await assertConverged(room, viewer);
  const { applied } = await viewer.state();
  assert.deepEqual(applied, appends([...messages(13), LAST]));
});

test("S43 a page that is cut off for longer than history reaches is healed by one refresh", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const viewer = await room.open();
  await room.create(...messages(3));
  await viewer.shows("message 3");
  await room.proxy.messages.waitFor(forwarded(provesOffset(3)));
  room.proxy.cut({ match: cable });
  await waitForDisconnected(viewer.page);
  await room.create(...messages(7, 4));
  await comeBack(viewer.page);
  await viewer.shows("message 10");
  await room.assertShown(viewer, { rows: messages(10), applied: [...appends(messages(3)), "refresh"], visits: 1 });
  assert.equal((await room.fixture.stats()).counters.resyncs_forgotten, 1);
});
