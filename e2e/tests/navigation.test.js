// Turbo's navigation: pages that come back from its cache go on where they left, and visits in quick succession leave nothing
// behind (pitfalls.md S33).

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { forwarded, isSubscribe, provesOffset } from "../support/cable.js";
import { eventually, within } from "../support/deadline.js";
import { rows } from "../support/page.js";
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

test("S33 forty visits at 50 ms between two pages of one stream while messages are created: no row is missing or doubled", async (t) => {
  const room = await roomFor(t, browser);
  // Turbo reports every visit that it gives up for the next one.
  const viewer = await room.open({}, { allow: [/AbortError/] });
  let done = false;
  const creating = (async () => {
    for (let n = 1; !done; n += 1) await room.create(`message ${n}`);
  })();
  const visited = viewer.page.evaluate(
    ([times, everyMs]) =>
      new Promise((resolve) => {
        const timer = setInterval(() => {
          window.Turbo.visit(`/rooms/1?tags=1&n=${times % 2}`);
          if ((times -= 1) === 0) resolve(clearInterval(timer));
        }, everyMs);
      }),
    [40, 50],
  );
  await within("forty visits", visited);
  await viewer.page.waitForFunction(() => !document.documentElement.ariaBusy && !document.documentElement.hasAttribute("data-turbo-preview"));
  done = true;
  await creating;
  await room.create(LAST);
  await viewer.shows(LAST);
  const fresh = await room.render();
  assert.deepEqual(await rows(viewer.page), await rows(fresh.page));
  await eventually("one subscription per page to be left", async () => (await room.broadcast("", "messages")) === 2);
  room.assertOrderOnTheWire();
});
