// Stream tags that come and go: each is live at once from its own cursor, and its subscription goes with the last tag that
// wants it (S06 to S08). Tags of the stream `region` come from the app by `{source}`.

import assert from "node:assert/strict";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { cable, forwarded, isConfirm, isDelivery, isSubscribe, isUnsubscribe, provesOffset } from "../support/cable.js";
import { eventually, within } from "../support/deadline.js";
import { LAST, roomFor } from "../support/room.js";

const browser = useBrowser();

const append = (text) => `<turbo-stream action="append" target="messages"><template><li>${text}</li></template></turbo-stream>`;
const update = (target, html) => `<turbo-stream action="update" target="${target}"><template>${html}</template></turbo-stream>`;
const morph = (target, html) =>
  `<turbo-stream action="replace" method="morph" target="${target}"><template>${html}</template></turbo-stream>`;
const appends = (...texts) => texts.map((text) => `append ${text}`);

/** Messages of one stream of the room, by the last part of its name. */
const of = (stream, predicate) => (message) => predicate(message) && streamOf(message.json.identifier) === stream;

function streamOf(identifier) {
  const [data] = JSON.parse(identifier).signed_stream_name.split("--"); // a cursor follows the signature
  return JSON.parse(Buffer.from(data, "base64").toString()).split(":").pop();
}

/** What the server has to see as subscribed, by the last parts of the streams' names. */
const subscribed = (room) => room.subscribed().map(streamOf).sort();

/** Lets `add` put a tag of `region` on the page, and broadcasts before the tag's cursor, in its gap, and when it is live. */
async function assertLiveFromItsOwnCursor(room, viewer, add) {
  await room.broadcast(append("before its cursor"), "region");
  const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: of("region", isSubscribe) });
  await add();
  await within("the tag to subscribe", hold.reached);
  await room.broadcast(append("in its gap"), "region");
  hold.release();
  await viewer.shows("in its gap");
  await room.broadcast(append("live"), "region");
  await viewer.shows("live");
}

/** Waits until the tag's last subscription is gone, and shows that nothing comes any more. */
async function assertUnsubscribed(room, viewer, stream, { count = 1 } = {}) {
  await room.proxy.messages.waitFor(of(stream, forwarded(isUnsubscribe)), { count, what: "the tag to unsubscribe" });
  await eventually("the server to forget it", async () => (await room.broadcast(append("to nobody"), stream)) === 0);
  assert.deepEqual(subscribed(room), ["messages"]);
  const from = room.proxy.messages.mark();
  await room.broadcast(append("to nobody"), stream);
  await room.create(LAST);
  await viewer.shows(LAST);
  assert.deepEqual(room.proxy.messages.all.slice(from).filter(of(stream, isDelivery)), []);
  room.assertOrderOnTheWire();
}

test("S06 a tag in a lazy frame is live at once from the frame's cursor, and unsubscribed when the frame goes", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open({ frame: "lazy" });
  assert.deepEqual(subscribed(room), ["messages"]);
  await room.broadcast(append("before the frame was asked for"), "count");
  const gate = await room.fixture.closeGate("count_read");
  await viewer.page.locator("#count").scrollIntoViewIfNeeded();
  await gate.reached();
  await room.broadcast(append("in its gap") + update("number", "1"), "count");
  await gate.open();
  await viewer.shows("in its gap");
  await viewer.page.locator("#number", { hasText: /^1$/ }).waitFor();
  await room.broadcast(append("live"), "count");
  await viewer.shows("live");
  await viewer.page.evaluate(() => document.querySelector("#count").remove());
  await assertUnsubscribed(room, viewer, "count");
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["in its gap", "live", LAST]);
  assert.deepEqual(applied, ["append in its gap", "update 1", "append live", `append ${LAST}`]);
});

test("S06 a tag in a partial that a stream delivers is live at once from its own cursor, and unsubscribed when it goes", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  await assertLiveFromItsOwnCursor(room, viewer, () => room.broadcast(update("region", "partial{source}")));
  await room.broadcast(update("region", "gone"));
  await assertUnsubscribed(room, viewer, "region");
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["in its gap", "live", LAST]);
  assert.deepEqual(applied, ["update partial", ...appends("in its gap", "live"), "update gone", `append ${LAST}`]);
});

test("S06 a tag in a morphed region is live at once, and again after the next morph, and is unsubscribed by one without it", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  const region = (html) => morph("region", `<div id="region">${html}</div>`);
  await assertLiveFromItsOwnCursor(room, viewer, () => room.broadcast(region("first{source}")));
  await room.broadcast(region("second{source}"));
  await viewer.page.locator("#region", { hasText: "second" }).waitFor();
  await room.broadcast(append("after a morph"), "region");
  await viewer.shows("after a morph");
  // A morph is a rendering: its tag has a cursor of its own, and is subscribed from there.
  assert.equal(room.proxy.messages.count(of("region", isSubscribe)), 2);
  await room.broadcast(region("gone"));
  await assertUnsubscribed(room, viewer, "region", { count: 2 });
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, ["in its gap", "live", "after a morph", LAST]);
  const [before, after] = [appends("in its gap", "live"), appends("after a morph")];
  assert.deepEqual(applied, ["replace first", ...before, "replace second", ...after, "replace gone", `append ${LAST}`]);
});

/** A script of the app, as Stimulus controllers have them. */
const cloneTemplate = (page) =>
  page.evaluate(() => document.body.append(document.querySelector("#later").content.cloneNode(true)));

const removeClone = (page) => page.evaluate(() => document.querySelector("body > .clone").remove());

/** A page with a template that contains a tag, not subscribed. */
async function viewerWithTemplate(room) {
  const viewer = await room.open();
  await room.broadcast(update("region", `<template id="later"><div class="clone">{source}</div></template>`));
  await viewer.page.locator("#later").waitFor({ state: "attached" });
  return viewer;
}

test("S06 a tag in a template that a script clones is replayed what came since it was rendered, and is live", async (t) => {
  const room = await roomFor(t, browser);
  await room.broadcast(append("before its cursor"), "region");
  const viewer = await viewerWithTemplate(room);
  await room.broadcast(append("in its gap"), "region");
  await room.create("a template subscribes to nothing");
  await viewer.shows("a template subscribes to nothing");
  assert.deepEqual(subscribed(room), ["messages"]);
  await cloneTemplate(viewer.page);
  await viewer.shows("in its gap");
  await room.broadcast(append("live"), "region");
  await viewer.shows("live");
  await removeClone(viewer.page);
  await assertUnsubscribed(room, viewer, "region");
  const expected = ["a template subscribes to nothing", "in its gap", "live", LAST];
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, expected);
  assert.deepEqual(applied, ["update region", ...appends(...expected)]);
});

test("S06 a tag that goes is not unsubscribed while another one wants the same", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await viewerWithTemplate(room);
  await cloneTemplate(viewer.page);
  await cloneTemplate(viewer.page);
  await viewer.connected();
  await removeClone(viewer.page);
  await room.broadcast(append("the other one is live"), "region");
  await viewer.shows("the other one is live");
  assert.equal(room.proxy.messages.count(of("region", isUnsubscribe)), 0);
  assert.equal((await room.fixture.stats()).counters.subscriptions, 2);
  await removeClone(viewer.page);
  await assertUnsubscribed(room, viewer, "region");
  const { applied } = await viewer.state();
  assert.deepEqual(applied, ["update region", ...appends("the other one is live", LAST)]);
});

test("S06 a tag that goes and comes back goes on where it left, without being replayed what it had", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await viewerWithTemplate(room);
  await cloneTemplate(viewer.page);
  await room.broadcast(append("one"), "region");
  await viewer.shows("one");
  await removeClone(viewer.page);
  // What crosses its unsubscription is in doubt afterwards, so it must do no harm twice.
  const probe = `<turbo-stream action="remove" target="nothing"></turbo-stream>`;
  await eventually("the server to forget it", async () => (await room.broadcast(probe, "region")) === 0);
  await room.broadcast(append("meanwhile"), "region");
  await cloneTemplate(viewer.page);
  await room.broadcast(append("two"), "region");
  await viewer.shows("two");
  const { rows } = await viewer.state();
  assert.deepEqual([rows[0], rows.at(-1)], ["one", "two"]);
  assert.equal(rows.filter((text) => text === "one").length, 1);
  assert.ok(rows.includes("meanwhile"));
  room.assertOrderOnTheWire();
});

/** A tag leaves while an update is on its way, which so finds nobody, and comes back. @param {string} update */
async function leaveWhileOnItsWay(room, update) {
  const viewer = await viewerWithTemplate(room);
  await cloneTemplate(viewer.page);
  await viewer.connected();
  const hold = room.proxy.holdMessages({ match: cable, from: isDelivery });
  await room.broadcast(update, "region");
  await within("the update to be on its way", hold.reached);
  await removeClone(viewer.page);
  await room.proxy.messages.waitFor(of("region", forwarded(isUnsubscribe)));
  hold.release();
  await room.create("behind it");
  await viewer.shows("behind it");
  await cloneTemplate(viewer.page);
  return viewer;
}

test("S06 a tag that goes while an update is on its way, and comes back, gets it", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await leaveWhileOnItsWay(room, append("on its way").replace("<li>", `<li id="row">`));
  await viewer.shows("on its way");
  await room.broadcast(append("live"), "region");
  await viewer.shows("live");
  const { rows, visits } = await viewer.state();
  assert.deepEqual([rows, visits], [["behind it", "on its way", "live"], 0]);
});

test("S06 the same, and the update could not be shown twice: the page renders itself again", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await leaveWhileOnItsWay(room, append("on its way"));
  await room.proxy.messages.waitFor(of("messages", isConfirm), { count: 2, what: "the page to be rendered again" });
  const { counters } = await room.fixture.stats();
  assert.equal(counters.resyncs_in_doubt, 1);
  await room.assertShown(viewer, { rows: ["behind it"], applied: ["update region", "append behind it", "refresh"], visits: 1 });
});

test("S06 a tag that is older than history goes and comes back, and is not resynced", async (t) => {
  const room = await roomFor(t, browser, { env: { FOREBAY_E2E_ENTRIES_MAX: "5" } });
  const viewer = await viewerWithTemplate(room);
  await cloneTemplate(viewer.page);
  for (let n = 1; n <= 10; n += 1) await room.broadcast(append(`row ${n}`), "region");
  await viewer.shows("row 10");
  await room.proxy.messages.waitFor(provesOffset(11));
  await removeClone(viewer.page);
  await eventually("the server to forget it", async () => (await room.broadcast("", "region")) === 0);
  const from = room.proxy.messages.mark();
  await cloneTemplate(viewer.page);
  await room.proxy.messages.waitFor(isConfirm, { from });
  await room.broadcast(append("live"), "region");
  await viewer.shows("live");
  const { rows, applied } = await viewer.state();
  assert.deepEqual(rows, [...Array.from({ length: 10 }, (_, i) => `row ${i + 1}`), "live"]);
  assert.deepEqual(applied, ["update region", ...appends(...rows)]);
});

test("S08 five tags of one stream are one subscription and one delivery; removing four keeps it", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open({ tags: 5 });
  await room.create("one");
  await viewer.shows("one");
  // Turbo applies a message once per source element that hears it: five times here, as with turbo-rails.
  await viewer.page.waitForFunction(() => window.appliedActions.length === 5);
  await viewer.page.evaluate(() => [...document.querySelectorAll("turbo-cable-stream-source")].slice(1).map((tag) => tag.remove()));
  await room.create("two");
  await room.assertShown(viewer, { rows: ["one", "two"], applied: appends("one", "one", "one", "one", "one", "two") });
  assert.equal((await room.fixture.stats()).counters.subscriptions, 1);
  assert.equal(room.deliveredOffsets().length, 3);
  assert.equal(room.proxy.messages.count(isUnsubscribe), 0);
});

const FRAMES = 100;
const regionWithItsTag = (n) =>
  `<turbo-stream action="replace" target="region"><template><div id="region">frame ${n} {source}</div></template></turbo-stream>`;

/**
 * All frames have been applied, in order. A frame brings a tag whose cursor is in front of it, and so comes twice; and once more
 * for each time that its tag comes back before the browser has proven to have got it.
 */
async function assertAllFramesApplied(room, viewer) {
  await viewer.page.locator("#region", { hasText: `frame ${FRAMES}` }).waitFor();
  await eventually("one subscription to be left", async () => (await room.broadcast(append("live"), "region")) === 1);
  await room.create(LAST);
  await viewer.shows(LAST);
  const { rows, applied, loads, visits } = await viewer.state();
  const frames = applied.filter((text) => text.startsWith("replace frame ")).map((text) => Number(text.slice(14)));
  assert.deepEqual([...new Set(frames)], Array.from({ length: FRAMES + 1 }, (_, n) => n));
  assert.equal(frames.at(-1), FRAMES);
  // Eight times at the most without a proof (RETURNS_MAX in forebay-transport), besides these two.
  assert.ok(frames.length <= 10 * (FRAMES + 1), `${frames.length} applications`);
  assert.ok(rows.includes("live"));
  assert.deepEqual({ loads, visits }, { loads: 1, visits: 0 });
  assert.deepEqual(subscribed(room), ["messages", "region"]);
  room.assertOrderOnTheWire();
}

test("S07 a region that is replaced 100 times with its own tag in it, one after the other, misses nothing", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  await room.broadcast(regionWithItsTag(0));
  await viewer.page.locator("#region", { hasText: "frame 0" }).waitFor();
  for (let n = 1; n <= FRAMES; n += 1) {
    await room.broadcast(regionWithItsTag(n), "region");
    await viewer.page.locator("#region", { hasText: new RegExp(`frame ${n} `) }).waitFor();
  }
  await assertAllFramesApplied(room, viewer);
});

test("S07 the same, as fast as the server can", async (t) => {
  const room = await roomFor(t, browser);
  const viewer = await room.open();
  await room.broadcast(regionWithItsTag(0));
  await viewer.page.locator("#region", { hasText: "frame 0" }).waitFor();
  for (let n = 1; n <= FRAMES; n += 1) await room.broadcast(regionWithItsTag(n), "region");
  await assertAllFramesApplied(room, viewer);
});
