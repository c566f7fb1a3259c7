// A server that is there and does not let the page in (S38, S69): it is not asked all the time, and no page passes for live.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { eventually } from "../support/deadline.js";
import { httpProxyFor } from "../support/http_proxy.js";
import { texts, waitForNone } from "../support/page.js";
import { assertConverged, catchUp, comeBackUntil, openWith, PAGE_CLIENTS, renderWith, waitForAway } from "../support/page_clients.js";
import { roomFor } from "../support/room.js";
import { attempts, movableTime, now, pass, passAnswered, passUntilAttempt, recordAttempts } from "../support/time.js";

const browser = useBrowser();

const moved = async (page) => {
  await movableTime(page);
  await recordAttempts(page);
};

/** How often a page may ask in a minute. Ours tries each of its transports in every round. */
const ASKS_MAX = { stock: 12, anycable: 8, websocket: 75 };

for (const [kind, most] of Object.entries(ASKS_MAX)) {
  const client = PAGE_CLIENTS[kind];
  test(`S38 ${client.name}: a server that answers 503 or 401 or speaks another protocol is asked at most ${most} times a minute`, async (t) => {
    const room = await roomFor(t, browser);
    const proxy = await httpProxyFor(t, () => room.proxy.url);
    const viewer = await openWith(room, client, { prepare: moved, baseURL: proxy.url });
    const { page } = viewer;
    const bodies = [];
    for (const status of [503, 401, 101]) {
      proxy.habits.status = status;
      proxy.cut();
      await waitForAway(client, page);
      const began = await now(page);
      await pass(page, 60_000);
      const asked = (await attempts(page)).filter(({ at }) => at > began);
      assert.ok(asked.length >= 2 && asked.length <= most, `${status}: ${asked.length} times`);
      assert.equal(await page.evaluate(client.isLive), false, "the page says so");
      if (kind === "websocket") await page.waitForSelector("turbo-cable-stream-source[stale]", { state: "attached" });
      bodies.push(`created behind ${status}`);
      await room.create(bodies.at(-1));
      proxy.habits.status = 0;
      await catchUp(viewer, bodies.at(-1));
      await waitForNone(page, "turbo-cable-stream-source[stale]");
    }
    await assertConverged(room, client, viewer, { bodies });
  });
}

for (const client of Object.values(PAGE_CLIENTS)) {
  test(`S69 ${client.name}: while the hook that lets people in hangs, fails or says no, nobody is let in, and no page passes for live`, async (t) => {
    const room = await roomFor(t, browser);
    const seen = room.proxy.watchFor("a second one");
    const gate = await room.fixture.closeGate("connect");
    const viewer = await renderWith(room, client, { prepare: moved });
    const { page } = viewer;
    await gate.reached();
    await room.create("one");
    assert.equal(await page.evaluate(client.isLive), false, "while it hangs");
    for (const failing of ["panic", "fail"]) {
      await room.fixture.answerConnects(failing);
      await gate.open();
      // "Not now" is no "never".
      if (client.name !== "EventSource") await passUntilAttempt(page, 60_000);
      assert.equal(await page.evaluate(client.isLive), false, `while it fails: ${failing}`);
    }
    assert.deepEqual(await texts(page), []);
    await room.fixture.answerConnects("allow");
    await catchUp(viewer, "one");
    await room.fixture.answerConnects("deny");
    room.proxy.cut();
    await waitForAway(client, page);
    await room.create("a second one");
    await comeBackUntil([page], "a refusal", async () => (await room.fixture.stats()).counters.refused_unauthorized > 0);
    assert.equal(await page.evaluate(client.isLive), false, "when it says no");
    assert.deepEqual(await texts(page), ["one"]);
    assert.equal(seen(), false);
  });
}

const WAYS = { websocket: "/cable", events: "/forebay/events", poll: "/forebay/poll" };

for (const [kind, path] of Object.entries(WAYS)) {
  const client = PAGE_CLIENTS[kind];
  test(`S69 ${client.name}: a hook that says "not now" is asked again in the same way, and one that says "no" is not asked again`, async (t) => {
    const room = await roomFor(t, browser);
    const viewer = await openWith(room, client, { prepare: moved });
    const { page } = viewer;
    const askedSince = async (began) => (await attempts(page)).filter(({ at }) => at > began).map(({ path }) => path);
    await room.fixture.answerConnects("fail");
    room.proxy.cut();
    await waitForAway(client, page);
    let began = await now(page);
    await passAnswered(page, 30_000);
    const asked = await askedSince(began);
    assert.ok(asked.length >= 2, `${asked}`);
    assert.deepEqual([...new Set(asked)], [path]);
    await room.fixture.answerConnects("deny");
    await passUntilAttempt(page, 60_000);
    await eventually("the refusal", async () => (await room.fixture.stats()).counters.refused_unauthorized === 1);
    began = await now(page);
    await passAnswered(page, 60_000);
    assert.deepEqual(await askedSince(began), []);
  });
}
