// Our own client through navigation, caches, refreshes and tags that come and go.

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { cable } from "../support/cable.js";
import { eventually } from "../support/deadline.js";
import { rows as rowsOf, waitForRest } from "../support/page.js";
import { LAST, roomFor } from "../support/room.js";

const browser = useBrowser();
const query = { script: "forebay" };
const allow = [/AbortError/, /net::ERR_|WebSocket connection to|Failed to load resource/];

/** A Turbo visit of another page of the app, as a click on a link starts it. */
async function visit(page, path) {
  await page.evaluate((path) => window.Turbo.visit(path), path);
  await page.waitForFunction((path) => location.pathname + location.search === path && !document.documentElement.ariaBusy, path);
}

const append = (text) => `<turbo-stream action="append" target="messages"><template><li>${text}</li></template></turbo-stream>`;

test("S33 a page that is left and restored from Turbo's cache goes on from its own state: rows without ids come once", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await room.open({}, { allow });
  await room.broadcast(append("one"));
  await viewer.shows("one");
  await visit(viewer.page, "/rooms/2?script=forebay");
  await viewer.connected();
  await eventually("the server to forget the first page", async () => (await room.broadcast("", "messages")) === 0);
  await room.broadcast(append("two"));
  await room.broadcast(append("three"));
  await viewer.page.goBack();
  await viewer.shows("three");
  await waitForRest(viewer.page);
  const { rows } = await viewer.state();
  assert.deepEqual(rows, ["one", "two", "three"]);
});

test("S34 a page that comes back from the back-forward cache goes on where it was", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await room.open({}, { allow });
  await room.create("one");
  await viewer.shows("one");
  await viewer.page.evaluate(() => {
    addEventListener("pageshow", ({ persisted }) => (window.persisted = persisted));
    window.sameLife = true;
  });
  await viewer.page.goto("/blank?script=none");
  await room.create("two");
  await viewer.page.goBack();
  await viewer.shows("two");
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["one", "two"]);
  // From either cache it is right: where the browser kept the page, nothing was applied twice.
  const kept = await viewer.page.evaluate(() => window.sameLife === true);
  assert.deepEqual(applied, appends(["one", "two"]));
  t.diagnostic(`the browser ${kept ? "kept the page" : "ran the page anew"}`);
});

test("S28 a refresh that arrives during a visit waits for its end, and cancels nothing", async (t) => {
  const room = await roomFor(t, browser, { query });
  await room.create("one");
  const viewer = await room.open({}, { allow });
  const gate = await room.fixture.closeGate("before_read");
  await viewer.page.evaluate(() => window.Turbo.visit("/rooms/1?script=forebay&n=2"));
  await gate.reached();
  await room.broadcast('<turbo-stream action="refresh"></turbo-stream>');
  await room.broadcast(append("behind the refresh"));
  await viewer.shows("behind the refresh");
  await gate.open();
  await viewer.page.waitForFunction(() => location.search.includes("n=2") && !document.documentElement.ariaBusy);
  await eventually("the visit and then the refresh", async () => (await viewer.state()).visits === 2);
  // What comes before it is rendered would be shown in the older page, and then again in this one.
  await waitForRest(viewer.page);
  await room.create(LAST);
  await viewer.shows(LAST);
  const fresh = await room.render({}, { allow });
  assert.deepEqual((await rowsOf(viewer.page)).map(({ text }) => text).filter((text) => text !== "behind the refresh"),
    (await rowsOf(fresh.page)).map(({ text }) => text));
});

test("a morphing refresh changes the tag in place: the page goes on from the new rendering", async (t) => {
  const room = await roomFor(t, browser, { query: { ...query, refresh: "morph" } });
  await room.create("one");
  const viewer = await room.open({}, { allow });
  await room.create("two");
  await viewer.shows("two");
  await room.broadcast('<turbo-stream action="refresh"></turbo-stream>');
  await eventually("the refresh", async () => (await viewer.state()).visits === 1);
  await waitForRest(viewer.page);
  await room.create("three");
  await viewer.shows("three");
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["one", "two", "three"]);
  assert.deepEqual(applied, ["append two", "refresh", "append three"]);
});

test("S08 five tags of one stream are one subscription, and each entry is applied once", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await room.open({ tags: 5 }, { allow });
  assert.equal(await room.broadcast(append("one")), 1);
  await viewer.page.evaluate(() => {
    const [, ...others] = document.querySelectorAll("turbo-cable-stream-source");
    for (const tag of others) tag.remove();
  });
  assert.equal(await room.broadcast(append("two")), 1);
  await viewer.shows("two");
  const { rows, applied } = await viewer.state();
  assert.deepEqual([rows, applied], [["one", "two"], appends(["one", "two"])]);
});

test("S13 an action without its target is reported, and those behind it are applied", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await room.open({}, { allow });
  await room.broadcast('<turbo-stream action="append" target="nowhere"><template><p>lost</p></template></turbo-stream>');
  await room.broadcast(append("found"));
  await viewer.shows("found");
  await eventually("the report", async () => (await room.fixture.stats()).counters.reported_no_target === 1);
});

test("S45 a backlog is applied once, in order", async (t) => {
  const room = await roomFor(t, browser, { query });
  const viewer = await room.open({}, { allow });
  await room.create("first");
  await viewer.shows("first");
  room.proxy.cut({ match: cable });
  await room.fixture.flood(1, { from: 1, count: 150 });
  await viewer.page.waitForFunction(() => document.querySelectorAll("#messages > *").length === 151);
  const { applied } = await viewer.state();
  assert.equal(new Set(applied).size, applied.length);
});

test("S23 the author's page shows what its own request answered, and not the broadcast of it; other pages show the broadcast", async (t) => {
  const room = await roomFor(t, browser, { query });
  const [author, other] = [await room.open({}, { allow }), await room.open({}, { allow })];
  await author.page.fill("#new input", "mine");
  await author.page.click("#new button");
  await author.shows("mine");
  await other.shows("mine");
  await room.assertShown([author, other], { rows: ["mine"], applied: appends(["mine"]) });
  const reflected = room.proxy.messages.filter((m) => m.direction === "down" && m.json?.m?.includes("request-id"));
  assert.equal(reflected.length, 2, "both were sent it");
});
