// The page's own time, which a test can let pass at once. The network's and the server's go on as they are.

import { eventually } from "./deadline.js";

/** @typedef {import("playwright-core").Page} Page */

/** Before navigating: gives the page clocks and timers that can be moved. They run by themselves as well. @param {Page} page */
export const movableTime = (page) => page.clock.install();

/**
 * Lets time pass in the page, with every timer in its order, in steps: what a step begins on the network (a refusal, say) has mostly
 * ended before the next.
 *
 * @param {Page} page @param {number} ms
 */
export async function pass(page, ms, stepMs = 500) {
  for (let passed = 0; passed < ms; passed += stepMs) {
    await page.clock.runFor(Math.min(stepMs, ms - passed));
    await page.evaluate(() => {});
  }
}

/**
 * The same, and no time passes while the page waits for an answer to what it asked: a server that answers is never slow.
 *
 * @param {Page} page @param {number} ms
 */
export async function passAnswered(page, ms) {
  for (let passed = 0; passed < ms; passed += 500) {
    await pass(page, 500);
    await eventually("an answer", () => page.evaluate(() => window.unanswered === 0));
  }
}

/**
 * Lets time pass in the page until it asks for a connection, and gives how long that took in its time.
 *
 * @param {Page} page @param {number} atMost milliseconds
 */
export async function passUntilAttempt(page, atMost) {
  const began = await now(page);
  for (let passed = 0; passed <= atMost; passed += 250) {
    const first = (await attempts(page)).find(({ at }) => at > began);
    if (first) return first.at - began;
    await pass(page, 250);
  }
  throw new Error(`no attempt to connect within ${atMost} ms of the page's time`);
}

/** Before navigating: notes when, in the page's time, it asks the server for a connection. @param {Page} page */
export async function recordAttempts(page) {
  await page.addInitScript(() => {
    window.attempts = [];
    window.unanswered = 0;
    // Until the first of these.
    const untilAnswered = (asked, events) => {
      window.unanswered += 1;
      const ended = new AbortController();
      const answered = () => {
        ended.abort();
        window.unanswered -= 1;
      };
      for (const event of events) asked.addEventListener(event, answered, { signal: ended.signal });
    };
    const note = (what, url) => window.attempts.push({ what, path: new URL(url, location.href).pathname, at: performance.now() });
    for (const name of ["WebSocket", "EventSource"]) {
      const Real = window[name];
      window[name] = class extends Real {
        constructor(url, ...how) {
          super(url, ...how);
          note(name, url);
          untilAnswered(this, ["open", "message", "close", "error"].slice(name === "WebSocket" ? 1 : 0));
        }
      };
    }
    const realFetch = window.fetch;
    window.fetch = (resource, ...how) => {
      note("fetch", resource.url ?? resource);
      window.unanswered += 1;
      return realFetch(resource, ...how).finally(() => (window.unanswered -= 1));
    };
  });
}

/**
 * When, in the page's time, it has asked for the cable, for events or for a poll.
 *
 * @param {Page} page @returns {Promise<{what: string, path: string, at: number}[]>}
 */
export const attempts = (page) =>
  page.evaluate(() => window.attempts.filter(({ path }) => path === "/cable" || path.startsWith("/forebay/")));

/** What time it is in the page, in milliseconds since it was loaded. @param {Page} page @returns {Promise<number>} */
export const now = (page) => page.evaluate(() => performance.now());
