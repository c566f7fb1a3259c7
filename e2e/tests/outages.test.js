// Every client through the same outages while messages are created: the page converges, and each entry is applied once
// (S30, S31). The page's time is moved, so that half a minute takes none.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { assertConverged, catchUp, openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { publisherFor } from "../support/publisher.js";
import { roomFor } from "../support/room.js";
import { movableTime, pass, passUntilAttempt, recordAttempts } from "../support/time.js";

const browser = useBrowser();
const env = { FOREBAY_E2E_ENTRIES_MAX: "100000" };

for (const client of Object.values(PAGE_CLIENTS)) {
  test(`S30 ${client.name}: no network for 1, 5 and 30 seconds while messages are created`, async (t) => {
    const room = await roomFor(t, browser, { env });
    const viewer = await openWith(room, client, { prepare: movableTime });
    const publisher = publisherFor(t, room);
    for (const seconds of [1, 5, 30]) {
      await publisher.more(3);
      const outage = room.proxy.outage();
      await publisher.more(3);
      await pass(viewer.page, seconds * 1_000, 1_000);
      await publisher.more(3);
      outage.end();
      await catchUp(viewer, publisher.bodies.at(-1));
    }
    await assertConverged(room, client, viewer, { bodies: await publisher.stop() });
  });
}

/**
 * How long a page may take to notice that nothing comes any more: its client's own rules at their slowest.
 * - stock: stale after 6 s, which it looks at every 6 to 12 s, and half a second to open again
 * - AnyCable: stale after 6 s, which it looks at every 2 to 4 s, and a pause of up to 9 s
 * - ours: two pings and a half second, which it looks at every second; and, over HTTP, up to 5 s on a second connection that is
 *   dead as well. A poll may be quiet for 35 s
 */
const NOTICES_MS = { stock: 19_000, anycable: 20_000, websocket: 8_000, events: 13_000, poll: 41_000 };

const moved = async (page) => {
  await movableTime(page);
  await recordAttempts(page);
};

for (const [kind, bound] of Object.entries(NOTICES_MS)) {
  const client = PAGE_CLIENTS[kind];
  test(`S31 ${client.name}: what is sent to the page is lost silently, which it notices within ${bound / 1000} s`, async (t) => {
    const room = await roomFor(t, browser, { env });
    const viewer = await openWith(room, client, { prepare: moved });
    const publisher = publisherFor(t, room);
    await publisher.more(5);
    const lost = new Set(room.proxy.open().map(({ head }) => head));
    const hole = room.proxy.blackhole({ direction: "down", match: (head) => lost.has(head) });
    await publisher.more(5);
    const after = await passUntilAttempt(viewer.page, bound);
    assert.ok(after <= bound, `${after} ms`);
    await viewer.shows(publisher.bodies.at(-1));
    hole.end();
    await assertConverged(room, client, viewer, { bodies: await publisher.stop() });
  });
}

for (const kind of ["stock", "anycable", "websocket"]) {
  const client = PAGE_CLIENTS[kind];
  test(`S31 ${client.name}: what the page sends is lost silently, and then its connection`, async (t) => {
    const room = await roomFor(t, browser, { env });
    const viewer = await openWith(room, client);
    const publisher = publisherFor(t, room);
    await publisher.more(5);
    const hole = room.proxy.blackhole({ direction: "up", match: client.connection });
    await publisher.more(5);
    await viewer.shows(publisher.bodies.at(-1));
    await publisher.more(5);
    hole.end();
    await publisher.more(5);
    await catchUp(viewer, publisher.bodies.at(-1));
    await assertConverged(room, client, viewer, { bodies: await publisher.stop() });
  });
}

test("S31 EventSource: what is sent to the page is lost silently: no browser notices that, and when the connection is gone it goes on", async (t) => {
  const room = await roomFor(t, browser, { env });
  const viewer = await openWith(room, PAGE_CLIENTS.source);
  const publisher = publisherFor(t, room);
  await publisher.more(5);
  const hole = room.proxy.blackhole({ direction: "down" });
  await publisher.more(5);
  hole.end();
  await assertConverged(room, PAGE_CLIENTS.source, viewer, { bodies: await publisher.stop() });
});
