// Pages whose clocks are wrong, and become wrong in other ways, while messages are created (S32), with every client.

import { test } from "node:test";
import { useBrowser } from "../support/browser.js";
import { assertConverged, catchUp, openWith, PAGE_CLIENTS } from "../support/page_clients.js";
import { publisherFor } from "../support/publisher.js";
import { roomFor } from "../support/room.js";

const browser = useBrowser();
const env = { FOREBAY_E2E_ENTRIES_MAX: "100000" };

const SKEW_MS = 90_000;
const JUMP_MS = 2 * 3_600_000;

for (const client of Object.values(PAGE_CLIENTS)) {
  test(`S32 ${client.name}: one page's clock is fast and another's slow, they jump by two hours, and the machines sleep`, async (t) => {
    const room = await roomFor(t, browser, { env });
    const clockAt = (time) => ({ prepare: (page) => page.clock.install({ time }) });
    const fast = await openWith(room, client, clockAt(Date.now() + SKEW_MS));
    const slow = await openWith(room, client, clockAt(Date.now() - SKEW_MS));
    const publisher = publisherFor(t, room);
    const during = async (change) => {
      const outage = room.proxy.outage();
      await publisher.more(5);
      for (const { page } of [fast, slow]) await change(page.clock);
      outage.end();
      const last = publisher.bodies.at(-1);
      for (const viewer of [fast, slow]) await catchUp(viewer, last);
    };
    await during(() => {}); // before they were given anything
    for (const jump of [JUMP_MS, -JUMP_MS]) {
      await publisher.more(5);
      await fast.page.clock.setSystemTime(Date.now() + jump);
      await slow.page.clock.setSystemTime(Date.now() - jump);
      await publisher.more(5);
      await fast.shows(publisher.bodies.at(-1));
      await during((clock) => clock.setSystemTime(Date.now() - jump / 2));
    }
    await during((clock) => clock.fastForward(10 * 60_000));
    await assertConverged(room, client, [fast, slow], { bodies: await publisher.stop() });
  });
}
