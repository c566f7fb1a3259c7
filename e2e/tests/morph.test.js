// Refreshes that morph lose nothing, whichever client the page has, and whenever something is written meanwhile.

import { test } from "node:test";
import * as morph from "../scenarios/morph.js";
import { useBrowser } from "../support/browser.js";
import { openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { roomFor } from "../support/room.js";

const browser = useBrowser();
const { stock, ...others } = PAGE_CLIENTS;
const { beforeTheRead, afterTheRead, beforeTheTag, inTheLayout, beforeTheFlush, beforeItSubscribesAnew } = morph;

for (const { name, run } of [beforeTheRead, afterTheRead, beforeTheTag, inTheLayout, beforeTheFlush, beforeItSubscribesAnew]) {
  test(`${stock.name}: ${name}`, async (t) => run(await roomFor(t, browser)));
}

for (const client of Object.values(others)) {
  for (const moment of morph.MOMENTS) {
    test(`${client.name}: a row that is created while a refresh is rendered (${moment}) outlives the morph`, async (t) => {
      const room = await roomFor(t, browser);
      const viewer = await openWith(room, client, { query: { refresh: "morph" } });
      await morph.createDuringRefresh(room, viewer, moment);
      await room.assertShown(viewer, morph.AFTERWARDS);
    });
  }
}
