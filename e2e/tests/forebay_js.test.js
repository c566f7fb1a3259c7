// Our own client over each of its transports: what the page shows, and what it has applied, whatever the network does.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable } from "../support/cable.js";
import { eventually } from "../support/deadline.js";
import { httpProxyFor } from "../support/http_proxy.js";
import { rows as rowsOf, waitForConnected, waitForNone, waitForTransport } from "../support/page.js";
import { publisherFor } from "../support/publisher.js";
import { LAST, roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();
const query = { script: "forebay" };
const TRANSPORTS = ["websocket", "events", "poll"];

/** Failed requests are part of these scenarios, and Chromium reports each as an error. */
const allow = [/net::ERR_|WebSocket connection to|Failed to load resource|the server responded with a status/];

/** Has the page begin with one transport, as if it had found out before that the others don't pass. */
const beginWith = (name) => (page) =>
  page.addInitScript((name) => localStorage.setItem("forebay.transport", `${name} ${Date.now()}`), name);

const forced = (name) => [{}, { allow, prepare: beginWith(name) }];

/** What the page shows equals what somebody sees who opens it now. */
async function assertConverged(room, viewer) {
  await room.create(LAST);
  await viewer.shows(LAST);
  const fresh = await room.render();
  assert.deepEqual(await rowsOf(viewer.page), await rowsOf(fresh.page));
}

/** The connection that is open for the transport. */
const isFor = { websocket: cable, events: () => true, poll: () => true };

for (const transport of TRANSPORTS) {
  test(`${transport}: what is created between reading and subscribing is shown once, in order`, async (t) => {
    const room = await roomFor(t, browser, { query });
    await room.create("one");
    const gate = await room.fixture.closeGate("after_read");
    const viewer = await room.begin(...forced(transport));
    await gate.reached();
    await room.create("two", "three");
    await gate.open();
    await viewer.loaded;
    await viewer.connected();
    await waitForTransport(viewer.page, transport);
    await room.assertShown(viewer, { rows: ["one", "two", "three"], applied: appends(["two", "three"]) });
  });

  test(`S30 ${transport}: cut five times while messages are created, edited and removed, each is applied once`, async (t) => {
    const room = await roomFor(t, browser, { query });
    const viewer = await room.open(...forced(transport));
    const expected = [];
    for (let n = 1; n <= 5; n += 1) {
      const live = [`${n} live`, `${n} away`, `${n} away as well`];
      await room.create(live[0]);
      await viewer.shows(live[0]);
      room.proxy.cut({ match: isFor[transport] });
      await room.create(live[1], live[2]);
      await viewer.shows(live[2]);
      expected.push(...live);
    }
    await room.assertShown(viewer, { rows: expected, applied: appends(expected) });
    await waitForTransport(viewer.page, transport);
  });

  test(`S43 ${transport}: after a restart without history the page renders itself again, once, and is live`, async (t) => {
    const room = await roomFor(t, browser, { query });
    await room.create("one");
    const viewer = await room.open(...forced(transport));
    const other = await serverFor(t);
    room.moveTo(other);
    await room.create("two", "three");
    room.proxy.cut();
    await viewer.shows("three");
    await waitForConnected(viewer.page);
    const { visits, loads } = await viewer.state();
    assert.deepEqual({ visits, loads }, { visits: 1, loads: 1 });
    await assertConverged(room, viewer);
    await waitForNone(viewer.page, "[stale]");
  });
}

/** A room whose viewers are behind an office's proxy. */
async function officeFor(t, habits) {
  const room = await roomFor(t, browser, { query });
  const proxy = await httpProxyFor(t, () => room.url, habits);
  const open = async (prepare) => {
    const viewer = await room.begin({}, { allow, prepare, baseURL: proxy.url });
    await viewer.loaded;
    await viewer.connected();
    return viewer;
  };
  return { room, proxy, open };
}

test("S70 Upgrade is refused: the page is live by another way, remembers it, and shows everything once", async (t) => {
  const { room, open } = await officeFor(t, { websockets: false });
  const viewer = await open();
  await waitForTransport(viewer.page, "events");
  await room.create("one", "two");
  await room.assertShown(viewer, { rows: ["one", "two"], applied: appends(["one", "two"]) });
  const remembered = await viewer.page.evaluate(() => localStorage.getItem("forebay.transport"));
  assert.match(remembered, /^events \d+$/);
});

test("S71 a proxy that collects answers: the page finds out and polls", async (t) => {
  const { room, open } = await officeFor(t, { websockets: false, collects: true });
  const viewer = await open();
  await waitForTransport(viewer.page, "poll");
  await room.create("one", "two");
  await room.assertShown(viewer, { rows: ["one", "two"], applied: appends(["one", "two"]) });
});

for (const transport of TRANSPORTS) {
  test(`S72 ${transport}: a proxy that cuts everything after a second: nothing is missing or doubled`, async (t) => {
    const { room, open } = await officeFor(t, { cutsAfterMs: 1_000 });
    const viewer = await open(beginWith(transport));
    const bodies = Array.from({ length: 40 }, (_, n) => `message ${n}`);
    await feed(room, bodies);
    await room.assertShown(viewer, { rows: bodies, applied: appends(bodies) });
  });
}

/** Nobody listens on the discard port. */
const NOBODY = "http://127.0.0.1:9";

test("S73 polls go to three addresses in turn, each on a connection of its own; one is away for a while: nothing is missing or doubled", async (t) => {
  const room = await roomFor(t, browser, { query, env: { FOREBAY_E2E_LISTENERS: "2", FOREBAY_E2E_ENTRIES_MAX: "100000" } });
  const listeners = [...room.server.log.matchAll(/^listening (\S+)$/gm)].map(([, url]) => url).concat(room.url);
  assert.equal(listeners.length, 3);
  const asked = [0, 0, 0];
  let turn = 0;
  let away = -1;
  const next = () => {
    turn = (turn + 1) % listeners.length;
    asked[turn] += 1;
    return turn === away ? NOBODY : listeners[turn];
  };
  const balancer = await httpProxyFor(t, next, { websockets: false, events: false });
  const viewers = [];
  for (let n = 0; n < 2; n += 1) {
    viewers.push(await room.open({}, { allow, prepare: beginWith("poll"), baseURL: balancer.url }));
  }
  const publisher = publisherFor(t, room);
  const untilAll = async () => {
    const last = publisher.bodies.at(-1);
    for (const viewer of viewers) await viewer.shows(last);
  };
  await publisher.more(20);
  await untilAll();
  away = 1;
  balancer.cut();
  const before = asked[away];
  await publisher.more(20);
  await untilAll();
  await eventually("the one that is away to be asked", async () => {
    await publisher.more(1);
    return asked[away] > before;
  });
  away = -1;
  await publisher.more(20);
  await untilAll();
  assert.ok(asked.every((count) => count > 5), `${asked}`);
  const rows = await publisher.stop();
  await room.assertShown(viewers, { rows, applied: appends(rows) });
  for (const { page } of viewers) await waitForTransport(page, "poll");
});

test("S74 WebSocket, then polls, then WebSocket again at twenty messages a second: each is applied once", async (t) => {
  const { room, proxy, open } = await officeFor(t, {});
  const viewer = await open();
  const bodies = Array.from({ length: 120 }, (_, n) => `message ${n}`);
  const fed = feed(room, bodies);
  await viewer.shows("message 10");
  Object.assign(proxy.habits, { websockets: false, collects: true });
  proxy.cut();
  await waitForTransport(viewer.page, "poll");
  await fed;
  await room.create("while it polls");
  await viewer.shows("while it polls");
  const more = bodies.map((body) => `${body} again`);
  const fedAgain = feed(room, more);
  await viewer.shows("message 10 again");
  Object.assign(proxy.habits, { websockets: true, collects: false });
  await viewer.page.evaluate(() => window.forebay.upgrade());
  await waitForTransport(viewer.page, "websocket");
  await fedAgain;
  const rows = [...bodies, "while it polls", ...more];
  await room.assertShown(viewer, { rows, applied: appends(rows) });
});

/** Twenty messages a second: the pace is part of the scenario, nothing waits for it. */
async function feed(room, bodies) {
  for (const body of bodies) {
    await room.create(body);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
