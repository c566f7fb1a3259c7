// A refresh that morphs is a render: the page goes back to what the server read a moment ago, and its source elements may
// stay. What was shown meanwhile, and is not in that rendering, has to come back.

import { cable, isSubscribe, isUnsubscribe } from "../support/cable.js";
import { within } from "../support/deadline.js";
import { appends, scenario } from "./scenario.js";

const REFRESH = `<turbo-stream action="refresh"></turbo-stream>`;

/** Where the fixture's page handler can be stopped, in this order; see e2e/app/src/pages.rs. */
export const MOMENTS = ["before_read", "after_read", "before_tag", "layout", "flush"];

/** Waits for the page to be rendered once more, from now on. @param {import("playwright-core").Page} page */
export async function nextRender(page) {
  await page.evaluate(() => {
    window.rendered = new Promise((resolve) => addEventListener("turbo:render", resolve, { once: true }));
  });
  return () => within("the page to be rendered again", page.evaluate(() => window.rendered.then(() => undefined)));
}

/**
 * Somebody creates a message while the page is rendered again, and the live page shows it before it is morphed.
 *
 * @param {import("../support/room.js").Room} room @param {import("../support/room.js").Viewer} viewer @param {string} moment
 */
export async function createDuringRefresh(room, viewer, moment) {
  await room.create("one");
  await viewer.shows("one");
  const gate = await room.fixture.closeGate(moment);
  const rendered = await nextRender(viewer.page);
  await room.broadcast(REFRESH);
  await gate.reached();
  await room.create("two");
  await viewer.shows("two");
  await gate.open();
  await rendered();
}

/** Shown live, taken away by the morph where the rendering lacks it, and replayed. */
export const AFTERWARDS = { rows: ["one", "two"], applied: [...appends(["one"]), "refresh", ...appends(["two", "two"])], visits: 1 };

const during = (moment) =>
  scenario(`a row that is created while a refresh is rendered (${moment}) outlives the morph`, async (room) => {
    const viewer = await room.open({ refresh: "morph" });
    await createDuringRefresh(room, viewer, moment);
    await room.assertShown(viewer, AFTERWARDS);
  });

export const [beforeTheRead, afterTheRead, beforeTheTag, inTheLayout, beforeTheFlush] = MOMENTS.map(during);

export const beforeItSubscribesAnew = scenario(
  "a row that is created between the morph and the new subscription of its tag appears",
  async (room) => {
    const viewer = await room.open({ refresh: "morph" });
    const hold = room.proxy.holdMessages({ match: cable, direction: "up", from: (m) => isUnsubscribe(m) || isSubscribe(m) });
    const rendered = await nextRender(viewer.page);
    await room.broadcast(REFRESH);
    await rendered();
    await within("the tag to subscribe anew", hold.reached);
    await room.create("two");
    hold.release();
    await viewer.shows("two");
    await room.assertShown(viewer, { rows: ["two"], applied: ["refresh", "append two"], visits: 1 });
  },
);
