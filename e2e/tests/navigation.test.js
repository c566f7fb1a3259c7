// Turbo's navigation: pages that come back from its cache go on where they left, and visits in quick succession leave nothing
// behind (S33).

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { forwarded, isSubscribe, provesOffset } from "../support/cable.js";
import { eventually, within } from "../support/deadline.js";
import { rows, waitForRest } from "../support/page.js";
import { openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { publisherFor } from "../support/publisher.js";
import { LAST, roomFor } from "../support/room.js";

const browser = useBrowser();

/** A Turbo visit of another page of the app, as a click on a link starts it. */
async function visit(page, path) {
  await page.evaluate((path) => window.Turbo.visit(path), path);
  await page.waitForFunction((path) => location.pathname + location.search === path && !document.documentElement.ariaBusy, path);
}

test("S33 a page that is left and restored from Turbo's cache is replayed what it has missed, once", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  await room.create("one");
  await viewer.shows("one");
  await visit(viewer.page, "/rooms/2");
  await viewer.connected();
  await eventually("the server to forget the first page", async () => (await room.broadcast("", "messages")) === 0);
  await room.create("two", "three");
  await viewer.page.goBack();
  await viewer.shows("three");
  const rows = ["one", "two", "three"];
  await room.assertShown(viewer, { rows, applied: rows.map((text) => `append ${text}`), visits: 2 });
  assert.equal(room.subscribed().length, 1);
});

test("S34 HTML that comes to life again from the HTTP cache is replayed from its cursor, whatever it had got before", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  await room.create("one");
  await viewer.shows("one");
  await room.proxy.messages.waitFor(forwarded(provesOffset(1)));
  await viewer.page.goto("/blank?script=stock");
  await room.create("two");
  await viewer.page.goBack();
  await viewer.connected();
  await room.create(LAST);
  await viewer.shows(LAST);
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["one", "two", LAST]);
  assert.deepEqual(applied, rows.map((text) => `append ${text}`));
  const subscribes = room.proxy.messages.filter(isSubscribe).map(({ json }) => json.identifier);
  assert.equal(new Set(subscribes).size, 1, "Chromium has asked for the page again, which this test is not about");
});

const TIMES = 50;
const EVERY_MS = 50;

/**
 * Which visits are Back: every seventh. With our own client the last one as well. With the others what was on its way to a tag that
 * left is lost for the page in Turbo's cache (a finding, see `clients.test.js`), so their last is to a page that is made anew.
 */
const LAST_OF_SEVEN = { stock: 3, anycable: 3, websocket: 1 };

for (const [kind, lastOfSeven] of Object.entries(LAST_OF_SEVEN)) {
  const client = PAGE_CLIENTS[kind];
  test(`S33 ${client.name}: fifty visits at 50 ms between two pages of one stream, with Back, while messages are created: no row is missing or doubled`, async (t) => {
    const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "100000" } });
    const viewer = await openWith(room, client, { query: { n: "0" } });
    const publisher = publisherFor(t, room);
    const visited = viewer.page.evaluate(
      ([times, everyMs, lastOfSeven]) =>
        new Promise((resolve) => {
          const pages = [location.href, location.href.replace("n=0", "n=1")];
          const timer = setInterval(() => {
            // Never back to where the browser was before all this.
            const isBack = times % 7 === lastOfSeven && history.state?.turbo?.restorationIndex > 0;
            times -= 1;
            if (times === 0) clearInterval(timer);
            // Back is under way when the browser says so; Turbo has listened before us.
            if (times === 0) isBack ? addEventListener("popstate", () => setTimeout(resolve), { once: true }) : setTimeout(resolve);
            if (isBack) history.back();
            else window.Turbo.visit(pages[(times + 1) % 2]);
          }, everyMs);
        }),
      [TIMES, EVERY_MS, lastOfSeven],
    );
    await within(`${TIMES} visits`, visited);
    await waitForRest(viewer.page);
    await publisher.more(5);
    await publisher.stop();
    await room.create(LAST);
    await viewer.shows(LAST);
    const fresh = await room.render();
    assert.deepEqual(await rows(viewer.page), await rows(fresh.page));
    await eventually("one subscription per page to be left", async () => (await room.broadcast("", "messages")) === 2);
    room.assertOrderOnTheWire();
  });
}
