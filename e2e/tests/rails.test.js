// Refreshes that morph, behind a real Rails with the gem: what is written while Rails renders the page is not lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import * as morph from "../scenarios/morph.js";
import { useBrowser } from "../support/browser.js";
import { openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { railsRoomFor } from "../support/rails.js";

const browser = useBrowser();
const { stock, anycable, websocket, events, poll } = PAGE_CLIENTS;
const { beforeTheRead, afterTheRead, beforeTheTag, inTheLayout, beforeTheFlush } = morph;

for (const { name, run } of [beforeTheRead, afterTheRead, beforeTheTag, inTheLayout, beforeTheFlush]) {
  test(`${stock.name}: ${name}`, async (t) => run(await railsRoomFor(t, browser)));
}

for (const client of [anycable, websocket, events, poll]) {
  test(`${client.name}: a row that is created while Rails renders a refresh outlives the morph`, async (t) => {
    const room = await railsRoomFor(t, browser);
    const viewer = await openWith(room, client, { query: { refresh: "morph" } });
    await morph.createDuringRefresh(room, viewer, "after_read");
    await room.assertShown(viewer, morph.AFTERWARDS);
  });
}

test("without a cursor the row is lost: these scenarios would notice", async (t) => {
  const room = await railsRoomFor(t, browser, { env: { FOREBAY_E2E_CURSORS: "none" } });
  await assert.rejects(afterTheRead.run(room), ({ code, actual }) => {
    assert.equal(code, "ERR_ASSERTION");
    assert.deepEqual(actual.rows, ["one", "the last message"]);
    return true;
  });
});
