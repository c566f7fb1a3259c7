// A server that keeps its log on disk goes and comes back while messages are created: no page notices more than a pause, and nothing
// that was acknowledged is lost (S35, S36).

import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { onEnd } from "../support/cleanup.js";
import { rows as rowsOf } from "../support/page.js";
import { catchUp, openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { publisherFor } from "../support/publisher.js";
import { LAST, roomFor } from "../support/room.js";
import { serverFor } from "../support/server.js";

const browser = useBrowser();

/** A server whose database and log are on disk. */
async function lastingEnv(t) {
  const directory = await mkdtemp(join(tmpdir(), "forebay-e2e-"));
  onEnd(t, () => rm(directory, { recursive: true }));
  return {
    FOREBAY_E2E_DATABASE: join(directory, "chat.sqlite"),
    FOREBAY_E2E_LOG: join(directory, "log"),
    FOREBAY_E2E_ENTRIES_MAX: "100000",
  };
}

for (const [scenario, signal] of [["S35", "SIGTERM"], ["S36", "SIGKILL"]]) {
  test(`${scenario} all clients: the server is ended twice by ${signal} while messages are created, and comes back with its log`, async (t) => {
    const env = await lastingEnv(t);
    const room = await roomFor(t, browser, { env });
    const viewers = [];
    for (const client of Object.values(PAGE_CLIENTS)) viewers.push({ client, viewer: await openWith(room, client) });
    const publisher = publisherFor(t, room);
    for (let n = 0; n < 2; n += 1) {
      await publisher.more(10);
      await room.server.stop(signal);
      room.moveTo(await serverFor(t, { env }));
      await publisher.more(10);
      const last = publisher.bodies.at(-1);
      for (const { viewer } of viewers) await catchUp(viewer, last);
    }
    await publisher.stop();
    await room.create(LAST);
    const fresh = await room.render();
    const isKnown = ({ text }) => !publisher.unknown.includes(text);
    const wanted = (await rowsOf(fresh.page)).filter(isKnown);
    assert.deepEqual(wanted.map(({ text }) => text), [...publisher.bodies, LAST], "what was acknowledged is in the database");
    for (const { client, viewer } of viewers) {
      await viewer.shows(LAST);
      assert.deepEqual((await rowsOf(viewer.page)).filter(isKnown), wanted, client.name);
      const { applied, loads, visits } = await viewer.state();
      assert.deepEqual({ loads, visits }, { loads: 1, visits: 0 }, client.name);
      const all = client.once ? applied : [...new Set(applied)];
      const known = all.filter((action) => isKnown({ text: action.replace("append ", "") }));
      assert.deepEqual(known, wanted.map(({ text }) => `append ${text}`), client.name);
    }
    room.assertOrderOnTheWire();
    t.diagnostic(`${publisher.bodies.length} acknowledged, ${publisher.unknown.length} not`);
  });
}
