// What happens to a tab while entries come: it is hidden, it is frozen, it is given everything twice (S24, S26, S37).

import assert from "node:assert/strict";
import { test } from "node:test";
import { appends } from "../scenarios/scenario.js";
import { useBrowser } from "../support/browser.js";
import { isDelivery } from "../support/cable.js";
import { rows as rowsOf } from "../support/page.js";
import { assertConverged, catchUp, openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { LAST, roomFor } from "../support/room.js";
import { freeze, hide, hideable, show, stopFrames, waitForFrameRequests } from "../support/tab.js";
import { movableTime } from "../support/time.js";

const browser = useBrowser();

for (const client of Object.values(PAGE_CLIENTS)) {
  test(`S26 ${client.name}: the tab is hidden between two entries: they are applied in order, and are there when it is shown`, async (t) => {
    const room = await roomFor(t, browser);
    const viewer = await openWith(room, client, { prepare: hideable });
    await room.create("shown");
    await viewer.shows("shown");
    await hide(viewer.page);
    await room.create("hidden", "hidden, too");
    await show(viewer.page);
    await assertConverged(room, client, viewer, { bodies: ["shown", "hidden", "hidden, too"] });
  });
}

/**
 * A finding that is Turbo's, so it is the other clients' as well: an entry that has come waits for the next repaint, which a hidden
 * tab doesn't have, and those that come when it is hidden don't. Ours waits for it and begins none before.
 */
const OVERTAKEN = "Turbo shows an entry that comes to a hidden tab before one that waits for a repaint";

for (const kind of ["stock", "websocket"]) {
  const client = PAGE_CLIENTS[kind];
  test(`S26 ${client.name}: the tab is hidden before an entry is painted: none overtakes it`, { todo: kind === "stock" && OVERTAKEN }, async (t) => {
    const room = await roomFor(t, browser);
    const viewer = await openWith(room, client, { prepare: hideable });
    await stopFrames(viewer.page);
    await room.create("one");
    await waitForFrameRequests(viewer.page, 1);
    await hide(viewer.page);
    await room.create("two", "three");
    const other = await room.render();
    assert.equal((await rowsOf(other.page)).length, 3);
    await show(viewer.page);
    await assertConverged(room, client, viewer, { bodies: ["one", "two", "three"] });
  });
}

for (const client of Object.values(PAGE_CLIENTS)) {
  test(`S37 ${client.name}: a tab that is frozen for an hour goes on where it was`, async (t) => {
    const room = await roomFor(t, browser);
    const viewer = await openWith(room, client, { prepare: movableTime });
    await room.create("one");
    await viewer.shows("one");
    const frozen = await freeze(viewer.page);
    await room.create("two", "three");
    room.proxy.cut();
    await room.create("four");
    await frozen.thaw();
    await viewer.page.clock.fastForward(3_600_000);
    await catchUp(viewer, "four");
    await assertConverged(room, client, viewer, { bodies: ["one", "two", "three", "four"] });
  });
}

/** What the page has of an entry, in either protocol. @param {import("../support/message_log.js").Observed} m */
const isEntry = (m) => isDelivery(m) || m.json?.o !== undefined;

for (const kind of ["stock", "anycable"]) {
  const client = PAGE_CLIENTS[kind];
  test(`S24 ${client.name}: every entry comes twice: the page shows what it shows when they come once`, async (t) => {
    const room = await roomFor(t, browser);
    const viewer = await openWith(room, client);
    await room.create("one", "two", "three");
    await viewer.shows("three");
    await room.fixture.updateMessage(1, "one, edited");
    await room.fixture.deleteMessage(2);
    await room.create("four");
    await viewer.shows("four");
    const repeated = room.proxy.repeat(isEntry);
    await room.create(LAST);
    await viewer.shows(LAST);
    const { applied } = await viewer.state();
    assert.equal(applied.length, 2 * repeated + 1, "it does not notice");
    const fresh = await room.render();
    assert.deepEqual(await rowsOf(viewer.page), await rowsOf(fresh.page));
  });
}

test("S24 forebay.js: every entry comes twice: nothing moves, and no focus, selection or scroll is lost", async (t) => {
  const room = await roomFor(t, browser);
  const client = PAGE_CLIENTS.websocket;
  const viewer = await openWith(room, client);
  const { page } = viewer;
  await room.create("one", "two", "three");
  await room.fixture.updateMessage(1, "one, edited");
  await room.fixture.deleteMessage(2);
  const form = '<div style="height: 300vh"></div><input id="field" value="half a word">';
  await room.broadcast(`<turbo-stream action="update" target="region"><template>${form}</template></turbo-stream>`);
  await page.focus("#field");
  const state = () =>
    page.evaluate(() => ({
      scroll: scrollY,
      focus: document.activeElement.id,
      selection: [document.activeElement.selectionStart, document.activeElement.selectionEnd],
      value: document.activeElement.value,
      mutations: window.mutations?.length,
    }));
  await page.evaluate(() => {
    document.activeElement.setSelectionRange(2, 6);
    window.mutations = [];
    const observer = new MutationObserver((records) => window.mutations.push(...records));
    observer.observe(document.body, { childList: true, characterData: true, subtree: true });
  });
  const before = await state();
  assert.ok(before.scroll > 0);
  assert.ok(room.proxy.repeat(isEntry) >= 6);
  // Behind all of them, and not on the page.
  await room.broadcast('<turbo-stream action="replace" target="nowhere"></turbo-stream>');
  await page.waitForFunction(() => window.appliedActions.at(-1).target === "nowhere");
  assert.deepEqual(await state(), before);
  const { applied } = await viewer.state();
  assert.deepEqual(applied.filter((action) => action.startsWith("append")), appends(["one", "two", "three"]));
});
