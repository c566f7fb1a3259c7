// Waiting for what the server does not let through.

import { comeBackUntil } from "./page_clients.js";

/**
 * The pages come back until the server has rejected so many subscriptions.
 *
 * @param {import("./room.js").Room} room @param {import("playwright-core").Page[]} pages @param {number} count
 */
export async function untilRejected(room, pages, count) {
  await comeBackUntil(pages, `${count} rejections`, async () => (await room.fixture.stats()).counters.rejections >= count);
}
